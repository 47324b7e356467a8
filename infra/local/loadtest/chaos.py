"""Chaos on a local cloud: `make chaos`. Customers use the API as under `make load`, and meanwhile what can go wrong does.

Functions are killed at work, queues and streams deliver twice and out of order (emulator/fault_injection.py), the bank
misbehaves in all its modes, settlements are asked for twice and stopped in the middle (settlements.py), signing keys
rotate, and with FAULTS=1 AWS itself throttles, conflicts and loses answers (fault_proxy.py). Then all of that ends, the
system comes to rest (quiescence.py), what is left is settled, and every acknowledged request is looked for
(reconciliation.py), every payment in the statements, and every record by the audit. Nothing may be lost, doubled, below
zero or stuck.
"""

# This must come first: it makes sockets, locks and sleeping those of locust's green threads, for what follows too.
from loadtest import load as loading  # isort: skip

import contextlib
import json
import random
import time

import gevent
import httpx
from gevent.pool import Pool
from locust import User, between, constant, task
from locust.env import Environment

from loadtest.customer_requests import Load, Person
from loadtest.fault_proxy import Proxy
from loadtest.load import Customer, Trouble, console, play, report, show
from loadtest.quiescence import SHOWN, Rest
from loadtest.reconciliation import Books, settle
from loadtest.settlements import Settler, Statements
from operate import signing_keys
from operate.audit import audited
from system import people, terraform
from system.client import System
from system.cloud import Cloud, CloudError
from system.settings import CHAOS_CLOUD

SHOPS = 4
# A thirtieth of all invocations dies: most requests are several, so about one request in ten meets a death.
SHARES = {"kill": 0.03, "delay": 0.1, "overlap": 0.08, "again": 0.15, "stream": 0.15}
TWICE = 0.1
REDELIVERIES = ("overlap", "again", "stream")


class ChaosLoad(Load):
    twice = 0

    def struck_by_bank(self):
        return self.people + [shop.owner for shop in self.shops]

    def go_on(self, client, ask):
        """Some ask twice at once, as a browser does whose user is impatient; nobody listens to the other answer."""
        if ask.state == "unanswered" and random.random() < TWICE:
            self.twice += 1
            gevent.spawn(self.once_more, ask)
        super().go_on(client, ask)

    def once_more(self, ask):
        with contextlib.suppress(CloudError):
            self.send(self.client, ask.operation, "POST", ask.path, ask.person, ask.body, ask.key)


class ChaosTrouble(Trouble):
    """With short settings (system/settings.py) even a transfer that the bank never gets becomes certain within the run."""

    troubles = (*Trouble.troubles, ("lost", {}))


class Settling(User):
    """Begins the settlement of a day at a third and at two thirds of the load."""

    fixed_count = 1
    wait_time = constant(1)

    @task
    def settle(self):
        chaos = self.environment.chaos
        due = int((time.monotonic() - chaos.began) / (chaos.options.minutes * 60) * 3)
        if len(chaos.settler.begun) < due:
            chaos.settler.settle_in_trouble()


class Rotating(User):
    """Rotates the signing keys. A rotation whose function was killed is given up; the next one goes on."""

    fixed_count = 1
    wait_time = between(25, 50)

    @task
    def rotate(self):
        self.environment.chaos.rotate()


class Chaos:
    def __init__(self, options):
        self.options = options
        self.cloud = Cloud(options.cloud)
        self.running = System(self.cloud, terraform.outputs(self.cloud))
        # The choices follow from the seed; who comes first does not, nor do ids, emails and keys.
        random.seed(options.seed)
        classes = [Customer, ChaosTrouble, Settling, Rotating]
        self.environment = Environment(
            user_classes=classes, host=self.running.outputs["api_url"], stop_timeout=loading.STOP_SECONDS
        )
        self.environment.chaos = self
        self.load = self.environment.load = ChaosLoad(self.running, self.environment)
        self.rest = Rest(self.running)
        operator = people.operator(self.running)
        account = {"account": "", "id": operator["membershipId"]}
        known = {name: operator[name] for name in ("name", "email", "password")}
        self.settler = Settler(self.load, self.rest, Person(kind="personal", **known, **account))
        self.pool, self.stuck = Pool(options.clients), []
        self.rotations, self.signing_keys = 0, set()

    def troubles(self, shares, endpoint=""):
        """What goes wrong inside the cloud from now on; how often what has gone wrong until now."""
        wanted = {"seed": self.options.seed, "shares": shares, "endpoint": endpoint}
        return httpx.put(f"{self.cloud.endpoint}/_pay/troubles", json=wanted, timeout=30).json()

    def rotate(self):
        signing_keys.begin(self.running)
        self.rotations += 1
        keys = json.loads(self.running.secret("signing-keys"))
        self.signing_keys.add(keys["current"]["public"]["kid"])

    def play(self):
        """The load amid the troubles. Returns what they were."""
        load, options = self.load, self.options
        for _ in range(SHOPS):
            load.open_shop(load.client)
        self.pool.map(lambda _: load.join(load.client), range(loading.PEOPLE_PER_CLIENT * options.clients))
        with Proxy(self.cloud, options.seed) if options.faults else contextlib.nullcontext() as proxy:
            self.troubles(SHARES, proxy.url if proxy else "")
            self.began = time.monotonic()
            try:
                gave_up = play(load, self.environment, options)
            finally:
                counts = self.troubles({})
            passed, faults = proxy.counts() if proxy else (0, {})
        # Amid all this nobody is promised an answer within a minute; only that what was answered is true.
        for who in gave_up:
            console.print(f"  {who}", markup=False)
        report(load, self.environment.stats)
        show("what went wrong in the cloud", {("", name): count for name, count in counts.items()})
        if proxy:
            show(f"what went wrong in {passed} requests of functions", faults)
        return counts, sum(faults.values())

    def come_to_rest(self):
        console.print("[bold]▸ the troubles are over; what is open is followed to its end[/bold]")
        settle(self.load, self.pool, self.rest.help)
        self.rotate()
        console.print("[bold]▸ what is left is settled[/bold]")
        self.settler.finish()
        console.print("[bold]▸ the system comes to rest[/bold]")
        self.stuck = self.rest.come()
        for what in self.stuck[:SHOWN]:
            console.print("[red]stuck[/red]: ", end="")
            console.print(what, markup=False)

    def run(self):
        """Whether all went well."""
        options = self.options
        faults = ", FAULTS=1" if options.faults else ""
        console.print(f"[bold]▸ chaos[/bold] {options.minutes:g} minutes, {options.clients} clients, SEED={options.seed}{faults}")
        counts, faulted = self.play()
        self.come_to_rest()
        console.print("[bold]▸ the books of the load's own people and shops[/bold]")
        books = Books(self.load, self.pool)
        statements = Statements(self.settler, books)
        books_right = books.are_right()
        audit_right = audited(self.running)
        self.sum_up(counts, faulted, books, statements)
        return books_right and audit_right and not self.stuck

    def sum_up(self, counts, faulted, books, statements):
        executions = len(self.rest.executions())
        console.print(
            f"[bold]chaos SEED={self.options.seed}[/bold]: {self.environment.stats.total.num_requests:,} requests, "
            f"{self.load.twice} of them sent twice at once, "
            f"{counts.get('kill', 0):,} kills, {sum(counts.get(name, 0) for name in REDELIVERIES):,} redeliveries, "
            f"{counts.get('delay', 0):,} messages overtaken, {faulted:,} faults of AWS, {self.rotations} key rotations with "
            f"{len(self.signing_keys)} signing keys, "
            f"{statements.lines} settlements of {len(self.settler.days)} days in {executions} executions, "
            f"{self.settler.stopped} of them stopped: "
            f"[bold]{len(books.lost)} lost, {len(books.doubled) + len(books.unasked)} doubled, "
            f"{len(self.load.negative)} negative, {len(self.stuck)} stuck[/bold], "
            f"{len(self.load.wrong)} otherwise wrong",
            soft_wrap=True,
        )


def arguments():
    parser = loading.parser(__doc__, cloud=CHAOS_CLOUD, minutes=5)
    parser.add_argument("--faults", action="store_true")
    return loading.checked(parser)


if __name__ == "__main__":
    loading.exit_by(lambda: Chaos(arguments()).run())
