"""Settlement under `make chaos`: days asked for twice at once, executions stopped in the middle, and the books of the shops.

Three days can be settled: what is paid today is looked for by a shop's first three settlements, and these days lie ahead.
The first days are settled during the troubles, the last one when they are over; then every payment is looked for in the
statements of its shop, and the money at the bank.
"""

import csv
import io
import random
import time
from collections import Counter

from gevent import sleep
from gevent.pool import Group
from rich.console import Console

from loadtest.customer_requests import AT_THE_BANK
from system.client import business_day, new_key
from system.cloud import CloudError

console = Console(highlight=False, soft_wrap=True)

DAYS = 3
AT_ONCE = 2
STOPS = 2
FINISH_SECONDS = 10 * 60
ENDED = {"paid", "carried", "settled", "empty"}


class Settler:
    def __init__(self, load, rest, operator):
        self.load, self.rest, self.operator = load, rest, operator
        self.days, self.begun, self.stopped = [business_day(ahead) for ahead in range(DAYS)], [], 0

    def ask(self, operation, method, path, body=None, **options):
        return self.load.need(self.load.client, operation, method, path, self.operator, body=body, **options)

    def begin(self, day):
        """Asks for the day's settlement several times at once. All must be told of the same day."""
        group = Group()
        asked = [group.spawn(self.ask, "startSettlement", "POST", "/v1/settlements", {"businessDay": day}) for _ in range(AT_ONCE)]
        group.join(raise_error=True)
        if any(run.value["businessDay"] != day for run in asked):
            self.load.wrong.append(f"the settlement of {day} was answered with another day")

    def stop(self, day):
        """Stops the day's execution wherever it is, if it still runs."""
        for name, arn in self.rest.executions("RUNNING").items():
            if name.startswith(f"{day}-"):
                self.rest.client("stepfunctions").stop_execution(executionArn=arn, error="stopped", cause="by make chaos")
                self.stopped += 1

    def settle_in_trouble(self):
        """The next day, if it is not the last one: begun, stopped, begun again, and in the end left alone."""
        if len(self.begun) == DAYS - 1:
            return
        day = self.days[len(self.begun)]
        self.begun.append(day)
        for _ in range(STOPS):
            self.begin(day)
            sleep(random.uniform(0.3, 8))
            self.stop(day)
        self.begin(day)

    def finish(self):
        """When the troubles are over: every day is asked for until its run is finished, and failed pay-outs are tried again."""
        for day in self.days:
            self.until(f"the run of {day} is finished", lambda day=day: self.is_finished(day))
        self.until("every settlement is paid out", self.is_paid_out)

    def until(self, what, holds):
        deadline = time.monotonic() + FINISH_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                self.load.wrong.append(f"not after {FINISH_SECONDS} s: {what}")
                return
            self.rest.help()
            sleep(1)

    def is_finished(self, day):
        return self.ask("startSettlement", "POST", "/v1/settlements", {"businessDay": day})["state"] == "finished"

    def is_paid_out(self):
        window = {"from": self.days[0], "to": self.days[-1]}
        lines = self.load.pages(self.load.client, "findSettlements", self.operator, "/v1/settlements", **window)
        for line in lines:
            if line["state"] == "failed":
                self.ask("retrySettlement", "POST", f"/v1/settlements/{line['settlementId']}/retry", key=new_key())
        return all(line["state"] in ENDED for line in lines)


class Statements:
    """What the shops were told and paid, against what customers paid to them."""

    def __init__(self, settler, books):
        self.settler, self.load, self.books = settler, settler.load, books
        self.lines, self.paid_out = 0, 0
        for shop in self.load.shops:
            self.check(shop)

    def check(self, shop):
        load, books = self.load, self.books
        lines = load.pages(load.client, "findSettlements", shop.owner, "/v1/settlements", franchiseId=shop.id)
        lines = [self.settler.ask("findSettlement", "GET", f"/v1/settlements/{line['settlementId']}") for line in lines]
        rows = [row for line in lines for row in self.rows(line["settlementId"])]
        payments = [one for one in books.payments if one["franchiseId"] == shop.id]
        listed = Counter((row["paymentId"], row["cancellationId"]) for row in rows if row["paymentId"])
        for payment in payments:
            for part in ["", *(part["cancellationId"] for part in payment["cancellations"])]:
                times = listed.pop((payment["paymentId"], part), 0)
                books.count(f"{payment['paymentId']} {part} is in {times} statements of {shop.id}", times)
        books.unasked.extend(f"{shop.id} is settled for {what}, which nobody has paid" for what in listed)
        self.compare(shop, lines, payments)

    def compare(self, shop, lines, payments):
        totals = [{name: value["amount"] for name, value in line["totals"].items() if isinstance(value, dict)} for line in lines]
        sums = {name: sum(one[name] for one in totals) for name in ("paid", "canceled", "fee", "vat", "payout")}
        owed = next((one["carriedOut"] for one in totals), 0)
        account = self.load.at_bank(lambda: self.load.bank.account(shop.owner.account))
        wanted = {
            "paid": sum(payment["amount"]["amount"] for payment in payments),
            "canceled": sum(payment["canceledAmount"]["amount"] for payment in payments),
            "payout": account["balance"]["amount"] - AT_THE_BANK,
        }
        for name, amount in wanted.items():
            if sums[name] != amount:
                self.load.wrong.append(f"{shop.id}: {name} is {sums[name]:,} in its settlements and {amount:,} in truth")
        if sums["paid"] - sums["canceled"] - sums["fee"] - sums["vat"] != sums["payout"] - owed:
            self.load.wrong.append(f"{shop.id}: its settlements do not add up: {sums}, owing {owed:,}")
        self.lines += len(lines)
        self.paid_out += sums["payout"]

    def rows(self, settlement):
        rows, path = [], f"/v1/settlements/{settlement}/statement"
        while path:
            headers = {"authorization": f"Bearer {self.load.token_of(self.settler.operator, self.load.client)}"}
            answer = self.load.client.get(path, headers=headers, name="getSettlementStatement")
            if answer.status_code != 200:
                raise CloudError(f"the statement of {settlement} was not answered: {answer.status_code} {answer.text}")
            rows += csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
            path = answer.links.get("next", {}).get("url")
        return rows
