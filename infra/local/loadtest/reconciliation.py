"""The end of `make load`: what is open is followed to its end, and then the books are checked.

The load's people and its shops are a closed system: what is in the wallets and at the bank is what they began with, less
what the shops have been paid and have not given back. What was acknowledged is looked for one by one, by its own resource,
in the lists, and in the ledger: a wallet's entries that move money name by their reference what they are for.
"""

import time
from collections import Counter, defaultdict

from rich.console import Console

from loadtest.customer_requests import AT_THE_BANK
from system.cloud import CloudError

console = Console(highlight=False, soft_wrap=True)

# What is open ends by itself in this time: a payment gives up after ten minutes, and the bank is asked every minute.
SETTLE_SECONDS = 12 * 60
PAUSE_SECONDS = 5
FINDINGS_SHOWN = 20


def settle(load, pool, meanwhile=lambda: None):
    """Waits until every request is final and no wallet holds or expects anything, or for so long."""
    pool.map(lambda person: load.tell_bank(person, "normal"), load.struck_by_bank())
    began = time.monotonic()
    while time.monotonic() < began + SETTLE_SECONDS:
        meanwhile()
        pool.map(lambda ask: go_on(load, ask), load.open_asks())
        unanswered = sum(ask.state == "unanswered" for ask in load.asks)
        accepted = sum(ask.state == "accepted" for ask in load.asks)
        # A payment may have given up while the recharge for it is still on its way.
        moving = [] if unanswered or accepted else pool.map(lambda person: is_moving(load, person), load.people)
        if not unanswered and not accepted and not any(moving):
            return
        console.print(
            f"  {time.monotonic() - began:4.0f} s  {unanswered} without an answer, {accepted} not final, "
            f"{sum(moving)} wallets with money on its way"
        )
        time.sleep(PAUSE_SECONDS)
    load.wrong.append(f"after {SETTLE_SECONDS} s {len(load.open_asks())} requests or some wallets are still open")


def go_on(load, ask):
    try:
        load.go_on(load.client, ask)
    except CloudError as error:
        console.print(f"  {error}; once more", markup=False)


def is_moving(load, person):
    balance = load.balance(load.client, person)
    return any(balance[name]["amount"] for name in ("held", "expected"))


class Books:
    def __init__(self, load, pool):
        self.load = load
        self.lost, self.doubled, self.unasked = [], [], []
        self.done = [ask for ask in load.asks if ask.state == "done"]
        console.print(f"  looking for {len(self.done)} acknowledged requests of {len(load.people)} people")
        self.entries = dict(zip((person.id for person in load.people), pool.map(self.history, load.people), strict=True))
        self.payments = [payment for shop in load.shops for payment in self.of_shop(shop)]
        # Amounts that moved, by wallet and by what they moved for.
        self.moved = defaultdict(list)
        for owner, entries in self.entries.items():
            for entry in entries:
                if entry.get("creditAccount"):
                    self.moved[owner, subject(entry["reference"])].append(entry["amount"]["amount"])
        self.check_references()
        pool.map(self.check_resource, self.done)
        self.check_moves()
        self.check_lists(pool)
        self.check_cancellations()
        self.check_unasked()
        self.check_sum(pool)

    def history(self, person):
        path = f"/v1/money/wallets/{person.id}/transactions"
        return self.load.pages(self.load.client, "findMoneyHistory", person, path)

    def of_shop(self, shop):
        load = self.load
        since = {"franchiseId": shop.id, "from": load.began.isoformat()}
        return load.pages(load.client, "findPaymentHistory", shop.owner, "/v1/payments", **since)

    def count(self, what, times, expected=1):
        """Something acknowledged must be there once; more often is worse than a mistake in counting."""
        if times < expected:
            self.lost.append(what)
        elif times > expected:
            self.doubled.append(what)

    def check_references(self):
        for owner, entries in self.entries.items():
            for reference, times in Counter(entry["reference"] for entry in entries).items():
                self.count(f"{reference} has {times} entries in the wallet of {owner}", times)

    def check_resource(self, ask):
        """What was acknowledged still says so itself."""
        resource = self.load.need(self.load.client, ask.finder, "GET", ask.location, ask.person)
        if ask.state_in(resource) != "done":
            self.lost.append(f"{ask.operation} {ask.location} was acknowledged and is now {resource['state']}")

    def check_moves(self):
        for ask in self.done:
            if ask.operation == "cancelPayment":
                continue
            for person in filter(None, (ask.person, ask.receiver)):
                amounts = self.moved[person.id, ask.id]
                self.count(f"{ask.operation} {ask.location} moved {amounts} in the wallet of {person.id}", len(amounts))
                if amounts and amounts[0] != ask.body["amount"]["amount"]:
                    self.lost.append(f"{ask.operation} {ask.location} moved {amounts}, not {ask.body['amount']}")

    def check_lists(self, pool):
        """Each payment and remittance is listed once: to its shop and its payer, to the sender and the receiver."""
        load = self.load
        lists = (("findPaymentHistory", "/v1/payments", "paymentId"), ("findRemittanceHistory", "/v1/remittances", "remittanceId"))
        listed = Counter((payment["franchiseId"], payment["paymentId"]) for payment in self.payments)
        for operation, path, name in lists:
            def read(person, operation=operation, path=path, name=name):
                return [(person.id, item[name]) for item in load.pages(load.client, operation, person, path)]

            for found in pool.map(read, load.people):
                listed.update(found)
        for ask in self.done:
            for reader in readers_of(ask):
                times = listed[reader, ask.id]
                self.count(f"{ask.operation} {ask.location} is listed {times} times to {reader}", times)

    def check_cancellations(self):
        asked = Counter(ask.id for ask in self.done if ask.operation == "cancelPayment")
        for payment in self.payments:
            parts, place = payment["cancellations"], payment["paymentId"]
            self.count(f"{place} was taken back {asked[place]} times and says {len(parts)}", len(parts), asked[place])
            if sum(part["amount"]["amount"] for part in parts) != payment["canceledAmount"]["amount"]:
                self.lost.append(f"{place}: its cancellations are not what it says")
            for part in parts:
                reference = f"{place}/cancellation/{part['cancellationId']}"
                amounts = self.moved[payment["membershipId"], reference]
                self.count(f"{reference} moved {amounts}", len(amounts))
                if amounts and amounts[0] != part["amount"]["amount"]:
                    self.lost.append(f"{reference} moved {amounts}, not {part['amount']}")

    def check_unasked(self):
        """Nothing moved that was refused. Recharges that payments and remittances made have ids that nobody was told."""
        acknowledged = {ask.id for ask in self.done}
        refused = {ask.id for ask in self.load.asks if ask.state == "refused" and ask.location}
        for (owner, what), amounts in self.moved.items():
            place = what.split("/")[0]
            told_to_nobody = place.startswith("mcr_") and place not in refused
            if amounts and place not in acknowledged and not told_to_nobody:
                self.unasked.append(f"{what} moved {amounts} in the wallet of {owner}, and nobody was told so")

    def check_sum(self, pool):
        load = self.load

        def owned(person):
            account = load.at_bank(lambda: load.bank.account(person.account))
            load.look_at(f"the bank about {person.account}", account)
            return load.balance(load.client, person)["balance"]["amount"], account["balance"]["amount"]

        wallets, accounts = (sum(column) for column in zip(*pool.map(owned, load.people), strict=True))
        paid = sum(payment["amount"]["amount"] - payment["canceledAmount"]["amount"] for payment in self.payments)
        began = AT_THE_BANK * len(load.people)
        console.print(f"  began with {began:,} won = {wallets:,} in wallets + {accounts:,} at the bank + {paid:,} to the shops")
        if wallets + accounts + paid != began:
            load.wrong.append(f"{wallets + accounts + paid - began:+,} won too many")

    def are_right(self):
        load = self.load
        kinds = {"lost": self.lost, "doubled": self.doubled, "negative": load.negative, "moved unasked": self.unasked, "wrong": load.wrong}
        for kind, findings in kinds.items():
            for finding in findings[:FINDINGS_SHOWN]:
                console.print(f"[red]{kind}[/red]: ", end="")
                console.print(finding, markup=False)
        entries = sum(map(len, self.entries.values()))
        acknowledged = Counter(ask.operation for ask in self.done)
        console.print("  acknowledged: " + ", ".join(f"{count} {name}" for name, count in sorted(acknowledged.items())))
        console.print(
            f"[bold]lost {len(self.lost)}, doubled {len(self.doubled)}, negative {len(load.negative)}[/bold]: "
            f"{len(self.done)} acknowledged requests, {entries} ledger entries, {load.amounts_seen} amounts read; "
            f"moved unasked {len(self.unasked)}, otherwise wrong {len(load.wrong)}"
        )
        return not any(kinds.values())


def readers_of(ask):
    """To whom it is listed: ids of people, and of shops."""
    if ask.operation == "requestPayment":
        return [ask.person.id, ask.body["franchiseId"]]
    if ask.operation == "requestRemittance":
        return [person.id for person in (ask.person, ask.receiver) if person]
    return []


def subject(reference):
    """What an entry is for: the request that its reference names, or the part of a payment that came back."""
    return reference if "/cancellation/" in reference else reference.split("/")[0]
