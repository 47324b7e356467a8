"""A bounded load on the running local cloud, over its HTTP API: `make load`.

Locust moves the customers and keeps the statistics; customer_requests.py knows what they have asked for, and
reconciliation.py counts the money when they have stopped. The bank misbehaves all the while, in every mode but `lost`:
a transfer that it loses is voided only after ten minutes, which a bounded load does not wait for.
"""

# This must come first: it makes sockets, locks and sleeping those of locust's green threads, for what follows too.
from locust import HttpUser, User, between, task  # isort: skip

import argparse
import random
import secrets
import sys
import time
from datetime import timedelta

from gevent.pool import Pool
from locust.env import Environment
from rich.console import Console
from rich.table import Table

from loadtest.customer_requests import Load
from loadtest.reconciliation import Books, settle
from system import terraform
from system.client import System, order, won
from system.cloud import Cloud, CloudError

# The table of operations needs some room, also where the output goes to a file.
console = Console(highlight=False, width=max(Console().width, 120))

PEOPLE_PER_CLIENT = 2
PROGRESS_SECONDS = 10
# How long a customer may take to end an act: a bit longer than they are patient and one answer takes.
STOP_SECONDS = 75
# What the bank is told of an account. With 2 seconds it is slow but in time, with 7 later than Pay waits.
TROUBLES = (
    ("decline", {}), ("slow", {"delayMillis": 2_000}), ("slow", {"delayMillis": 7_000}), ("timeout", {}),
    ("answerTwice", {}), ("down", {}),
)


class Customer(HttpUser):
    """Plays any of the members, one act after the other; a member may be played by several at once."""

    wait_time = between(0.05, 0.5)

    def on_start(self):
        self.load = self.environment.load

    def two(self):
        return random.sample(self.load.people, 2)

    def remit(self, sender, to, amount, receiver=None):
        """`receiver` is who finds the amount in a wallet."""
        body = {"to": to, "amount": won(amount)}
        self.load.move(self.client, "requestRemittance", sender, "/v1/remittances", body, receiver)

    def pay(self, person, amount):
        body = order(random.choice(self.load.shops).id, amount)
        self.load.move(self.client, "requestPayment", person, "/v1/payments", body)

    @task(1)
    def join(self):
        self.load.join(self.client)

    @task(9)
    def recharge(self):
        self.load.move_money(self.client, self.two()[0], "increaseMoneyRequest", random.randint(5_000, 40_000))

    @task(6)
    def withdraw(self):
        self.load.move_money(self.client, self.two()[0], "decreaseMoneyRequest", random.randint(1_000, 20_000))

    @task(7)
    def remit_by_id(self):
        sender, receiver = self.two()
        self.remit(sender, {"kind": "member", "membershipId": receiver.id}, random.randint(1, 15_000), receiver)

    @task(4)
    def remit_by_email(self):
        sender, receiver = self.two()
        self.remit(sender, {"kind": "email", "email": receiver.email}, random.randint(1, 15_000), receiver)

    @task(4)
    def remit_to_account(self):
        sender, receiver = self.two()
        to = {"kind": "bankAccount", "accountNumber": receiver.account, "holder": receiver.name}
        self.remit(sender, to, random.randint(1, 15_000))

    @task(10)
    def pay_from_balance(self):
        self.pay(self.two()[0], random.randint(1, 15_000))

    @task(4)
    def pay_beyond_balance(self):
        person = self.two()[0]
        available = self.load.balance(self.client, person)["available"]["amount"]
        self.pay(person, min(available, 200_000) + random.randint(1, 15_000))

    @task(6)
    def cancel(self):
        paid = [ask for ask in self.load.asks[-500:] if ask.operation == "requestPayment" and ask.state == "done"]
        if paid:
            payment = random.choice(paid)
            part = {"amount": won(random.randint(1, payment.body["amount"]["amount"]))}
            body = {"reason": "customerRequest", **random.choice([part, part, {}])}
            person = random.choice([payment.person, self.load.owner_of(payment.body["franchiseId"])])
            self.load.move(self.client, "cancelPayment", person, payment.location + "/cancellations", body)

    @task(8)
    def look_at_balance(self):
        self.load.balance(self.client, self.two()[0])

    @task(6)
    def look_at_a_list(self):
        load, person, shop = self.load, self.two()[0], random.choice(self.load.shops)
        window = {"from": load.began.isoformat(), "to": (load.began + timedelta(days=1)).isoformat()}
        operation, reader, path, params = random.choice([
            ("findMoneyHistory", person, f"/v1/money/wallets/{person.id}/transactions", {}),
            ("findRemittanceHistory", person, "/v1/remittances", {}),
            ("findPaymentHistory", person, "/v1/payments", {}),
            ("findPaymentHistory", shop.owner, "/v1/payments", {"franchiseId": shop.id}),
            ("getNormalStatusPayments", shop.owner, "/v1/payments/normal", {"franchiseId": shop.id, **window}),
            ("findBankAccount", person, "/v1/bank-accounts", {}),
        ])
        load.need(self.client, operation, "GET", path, reader, params={"limit": random.randint(1, 30), **params})

    @task(6)
    def follow(self):
        if still_open := [ask for ask in self.load.open_asks() if ask.state == "accepted"]:
            self.load.go_on(self.client, random.choice(still_open))


class Trouble(User):
    """Has the bank treat a quarter of the accounts badly for some seconds, and well again."""

    fixed_count = 1
    wait_time = between(1, 4)
    troubles = TROUBLES

    @task
    def strike(self):
        load = self.environment.load
        people = load.struck_by_bank()
        struck = random.sample(people, max(1, len(people) // 4))
        for person in struck:
            mode, told = random.choice(self.troubles)
            load.tell_bank(person, mode, **told)
        time.sleep(random.uniform(3, 8))
        for person in struck:
            load.tell_bank(person, "normal")


def play(load, environment, options):
    """Moves the customers for so long, telling how they fare; then lets each end what it has begun. Returns who gave up."""
    runner = environment.create_local_runner()
    count = options.clients + sum(user.fixed_count for user in environment.user_classes)
    runner.start(count, spawn_rate=count)
    began = time.monotonic()
    while (left := began + options.minutes * 60 - time.monotonic()) > 0:
        time.sleep(min(PROGRESS_SECONDS, left))
        total = environment.stats.total
        console.print(
            f"  {time.monotonic() - began:4.0f} s  {total.num_requests:>6} requests  {total.current_rps:5.1f}/s  "
            f"p95 {total.get_current_response_time_percentile(0.95) or 0:.0f} ms  {total.num_failures} errors  "
            f"{load.refused.total()} refused  {len(load.people)} members  {len(load.open_asks())} open"
        )
    runner.stop()
    return [f"{fault['count']} times a customer gave up: {fault['msg']}" for fault in runner.exceptions.values()]


def report(load, stats):
    table = Table("operation", "requests", "errors", "per second", "p50 ms", "p95 ms", "p99 ms", "most ms")
    entries = [entry for _, entry in sorted(stats.entries.items())]
    for entry in [*entries, stats.total]:
        times = [entry.get_response_time_percentile(share) for share in (0.5, 0.95, 0.99)]
        table.add_row(
            entry.name, f"{entry.num_requests}", f"{entry.num_failures}", f"{entry.total_rps:.2f}",
            *(f"{value or 0:.0f}" for value in times), f"{entry.max_response_time:.0f}",
        )
    console.print(table)
    errors = {(error.name, str(error.error)): error.occurrences for error in stats.errors.values()}
    show("errors", errors)
    show("asked to come again, because the bank was down or the first try still at work", load.waits)
    show("refused, as the game has it", load.refused)


def show(what, counts):
    console.print(f"[bold]{what}[/bold]: {sum(counts.values())}")
    for (operation, code), count in sorted(counts.items(), key=str):
        console.print(f"  {count:>6}  {operation}  {code}", markup=False)


def parser(description, cloud="run", minutes=10.0):
    asked = argparse.ArgumentParser(description=description)
    asked.add_argument("--cloud", default=cloud)
    asked.add_argument("--minutes", type=float, default=minutes)
    asked.add_argument("--clients", type=int, default=8)
    asked.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    return asked


def checked(asked):
    options = asked.parse_args()
    if options.minutes <= 0 or options.clients < 1:
        asked.error("MINUTES must be more than 0, and CLIENTS at least 1")
    return options


def run(options):
    """Whether all went well."""
    cloud = Cloud(options.cloud)
    system = System(cloud, terraform.outputs(cloud))
    # The customers' choices follow from the seed; who comes first does not, nor do ids, emails and keys.
    random.seed(options.seed)
    environment = Environment(
        user_classes=[Customer, Trouble], host=system.outputs["api_url"], stop_timeout=STOP_SECONDS
    )
    load = environment.load = Load(system, environment)
    pool = Pool(options.clients)
    console.print(f"[bold]▸ load[/bold] {options.minutes:g} minutes, {options.clients} clients, SEED={options.seed}")
    load.open_shop(load.client)
    pool.map(lambda _: load.join(load.client), range(PEOPLE_PER_CLIENT * options.clients))
    load.wrong += play(load, environment, options)
    report(load, environment.stats)
    console.print("[bold]▸ the bank is well again; what is open is followed to its end[/bold]")
    settle(load, pool)
    console.print("[bold]▸ the books of the load's own people and shop[/bold]")
    return Books(load, pool).are_right()


def exit_by(play_it):
    """Ends the process as the play went, with what a person can put right in one line."""
    try:
        sys.exit(0 if play_it() else 1)
    except CloudError as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    exit_by(lambda: run(checked(parser(__doc__))))
