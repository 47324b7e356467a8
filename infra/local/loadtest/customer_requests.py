"""What the customers of `make load` and `make chaos` share: who they are, what they have asked for, and what was answered.

Whatever moves money is kept here before it is sent, has a key, and is asked again under that key until there is an
answer, and followed until it is final; so at the end no outcome is unknown.
"""

import random
import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone

import httpx
from locust.clients import HttpSession

from system.client import franchise, json_object, new_key, pages, won
from system.cloud import CloudError

AT_THE_BANK = 3_000_000
FIRST_RECHARGE = 100_000
# Access tokens live ten minutes.
LOG_IN_AFTER_SECONDS = 8 * 60
# Longer than the gateway waits, and how long somebody asks again before the end of the load does it for them.
TIMEOUT_SECONDS = 35
PATIENCE_SECONDS = 30

# The game's own refusals. The load's shops are never closed, so a refusal for their sake would be an error.
REFUSALS = {
    "insufficient_balance", "each_limit_exceeded", "day_limit_exceeded", "month_limit_exceeded", "wallet_cap_exceeded",
    "receiver_cap_exceeded", "bank_declined", "expired", "nothing_left_to_cancel", "cancellation_exceeds_payment",
    "too_many_cancellations",
}
# Their amounts may be below zero: a franchise may owe, and a fee may be given back.
SIGNED = {"startSettlement", "findSettlement", "findSettlements", "retrySettlement"}
ENDS = {"succeeded": "done", "completed": "done", "normal": "done", "settled": "done", "failed": "refused"}
FINDERS = {"money": "findMoneyRequest", "remittances": "findRemittance", "payments": "findPayment"}
ADDRESSES = ("서울특별시 중구 세종대로 110", "부산광역시 해운대구 센텀중앙로 79")
MONEY_PATHS = {"increaseMoneyRequest": "/v1/money/increases", "decreaseMoneyRequest": "/v1/money/decreases"}


@dataclass
class Person:
    kind: str
    name: str
    email: str
    password: str
    account: str
    id: str = ""
    bank_account_id: str = ""
    token: str = ""
    logged_in: float = 0
    lock: object = field(default_factory=threading.Lock)

    @classmethod
    def new(cls, kind):
        mark = secrets.token_hex(6)
        account = "110" + f"{secrets.randbelow(10**10):010}"
        return cls(kind, f"부하 {mark}", f"load.{mark}@load.example", f"correct horse {secrets.token_hex(8)}", account)


@dataclass
class Shop:
    id: str
    owner: Person


@dataclass
class Ask:
    """Something that moves money, from before it is sent until it is final."""

    operation: str
    person: Person
    path: str
    body: dict
    receiver: Person | None = None
    key: str = field(default_factory=new_key)
    # unanswered, accepted, done or refused.
    state: str = "unanswered"
    location: str = ""

    @property
    def id(self):
        return self.location.rsplit("/", 1)[-1]

    @property
    def finder(self):
        return FINDERS[self.location.split("/")[2]]

    def state_in(self, resource):
        """Its state as the resource at its location tells it."""
        if self.operation == "cancelPayment":
            return "done" if all(part.get("refundedAt") for part in resource["cancellations"]) else "accepted"
        return ENDS.get(resource["state"], "accepted")


@dataclass
class Answer:
    # done, refused, again or wrong.
    verdict: str
    status: int
    body: dict
    location: str
    retry_after: int


class Load:
    """One load: its people, its shops, and everything that was asked and answered."""

    def __init__(self, system, environment):
        self.began = datetime.now(timezone.utc)
        self.bank = system.bank
        self.client = HttpSession(system.outputs["api_url"], environment.events.request, user=None)
        self.people, self.shops, self.asks = [], [], []
        self.refused, self.waits = Counter(), Counter()
        self.amounts_seen, self.negative, self.wrong = 0, [], []

    # Asking

    def send(self, client, operation, method, path, person=None, body=None, key=None, params=None):
        headers = {"idempotency-key": key} if key else {}
        if person:
            headers["authorization"] = f"Bearer {self.token_of(person, client)}"
        options = {"json": body, "params": params, "headers": headers, "timeout": TIMEOUT_SECONDS}
        with client.request(method, path, name=operation, catch_response=True, **options) as answer:
            status = answer.status_code
            said = json_object(answer.content) if status else {}
            code = said.get("code") or (f"status {status}" if status else type(answer.error).__name__)
            verdict = self.judge(operation, answer, code)
        if status == 401 and person:
            person.logged_in = 0
        if verdict == "done" and operation not in SIGNED:
            self.look_at(f"{operation} {path}", said)
        given = answer.headers if status else {}
        return Answer(verdict, status, said, given.get("location", ""), int(given.get("retry-after", 0)))

    def judge(self, operation, answer, code):
        """Counts an answer, and says what it means for the one who asked."""
        status = answer.status_code
        if 200 <= status < 300:
            answer.success()
            return "done"
        if code in REFUSALS:
            self.refused[operation, code] += 1
            answer.success()
            return "refused"
        if code == "request_in_progress" or status in (429, 503):
            self.waits[operation, code] += 1
            answer.success()
            return "again"
        answer.failure(code if status in (0, 401) else f"{status} {code}")
        if status == 0 or status == 401 or status >= 500:
            return "again"
        self.wrong.append(f"{operation} was refused with {status} {code}")
        return "wrong"

    def look_at(self, where, said):
        """No amount of money may ever be below zero."""
        for amount in amounts_in(said):
            self.amounts_seen += 1
            if type(amount) is not int or amount < 0:
                self.negative.append(f"{where} answered the amount {amount}")

    def ask(self, client, *request, patience=PATIENCE_SECONDS, **options):
        """Asks until there is an answer, or for so long."""
        deadline, pause = time.monotonic() + patience, 0.5
        while True:
            answer = self.send(client, *request, **options)
            pause = answer.retry_after or min(pause * 2, 5)
            if answer.verdict != "again" or time.monotonic() + pause > deadline:
                return answer
            time.sleep(pause)

    def need(self, client, operation, *request, **options):
        answer = self.ask(client, operation, *request, patience=2 * PATIENCE_SECONDS, **options)
        if answer.verdict != "done":
            raise CloudError(f"{operation} was not answered: {answer.status} {answer.body}")
        return answer.body

    def pages(self, client, operation, person, path, **params):
        """Everything that a list has."""

        def read(cursor):
            return self.need(client, operation, "GET", path, person, params={"limit": 100, **params, **cursor})

        return [item for page in pages(read) for item in page["items"]]

    def token_of(self, person, client):
        with person.lock:
            if not person.token or time.monotonic() - person.logged_in > LOG_IN_AFTER_SECONDS:
                credentials = {"email": person.email, "password": person.password}
                person.token = self.need(client, "loginMembership", "POST", "/v1/auth/login", body=credentials)["accessToken"]
                person.logged_in = time.monotonic()
            return person.token

    # People and money

    def join(self, client, kind="personal"):
        person = Person.new(kind)
        registration = {name: getattr(person, name) for name in ("name", "email", "password", "kind")}
        registration["address"] = random.choice(ADDRESSES)
        member = self.need(client, "registerMembership", "POST", "/v1/memberships", body=registration, key=new_key())
        person.id = member["membershipId"]
        self.at_bank(lambda: self.bank.open_account(person.account, person.name, AT_THE_BANK))
        self.need(client, "createMemberMoney", "POST", "/v1/money/wallets", person)
        account = {"accountNumber": person.account, "holder": person.name}
        linked = self.need(client, "registerBankAccount", "POST", "/v1/bank-accounts", person, account, key=new_key())
        person.bank_account_id = linked["bankAccountId"]
        if kind == "personal":
            self.people.append(person)
            self.move_money(client, person, "increaseMoneyRequest", FIRST_RECHARGE)
        return person

    def open_shop(self, client):
        owner = self.join(client, "corporate")
        shop = franchise(owner.name, owner.name, owner.email, owner.bank_account_id)
        registered = self.need(client, "registerFranchise", "POST", "/v1/franchises", owner, shop, key=new_key())
        self.shops.append(Shop(registered["franchiseId"], owner))

    def owner_of(self, shop):
        return next(one.owner for one in self.shops if one.id == shop)

    def struck_by_bank(self):
        """Whose accounts the bank may treat badly."""
        return self.people

    def at_bank(self, call):
        """Talks to the bank itself, which may be busy. Saying the same again does no harm."""
        for pause in (1, 2, 4, 8, 16, None):
            try:
                answer = call()
                if answer.status_code in (200, 201, 409):
                    return answer.json()
            except httpx.HTTPError as error:
                answer = error
            if pause is None:
                raise CloudError(f"the bank simulator does not answer: {answer}")
            time.sleep(pause)

    def tell_bank(self, person, mode, **options):
        self.at_bank(lambda: self.bank.set_mode(person.account, mode, **options))

    def move(self, client, operation, person, path, body, receiver=None):
        ask = Ask(operation, person, path, body, receiver)
        self.asks.append(ask)
        self.go_on(client, ask)

    def move_money(self, client, person, operation, amount):
        """A recharge or a withdrawal; one in five by event."""
        path = MONEY_PATHS[operation]
        if random.random() < 0.2:
            operation, path = operation + "ByEvent", path + "/by-event"
        self.move(client, operation, person, path, {"bankAccountId": person.bank_account_id, "amount": won(amount)})

    def go_on(self, client, ask):
        """Asks for what has no answer yet; looks how far it is where the answer was 202."""
        if ask.state == "unanswered":
            answer = self.ask(client, ask.operation, "POST", ask.path, ask.person, ask.body, ask.key)
            if answer.verdict != "again":
                ask.location = answer.location
                finished = {"done": "accepted" if answer.status == 202 else "done"}
                ask.state = finished.get(answer.verdict, "refused")
        elif ask.state == "accepted":
            resource = self.need(client, ask.finder, "GET", ask.location, ask.person)
            ask.state = ask.state_in(resource)
            if ask.state == "refused":
                self.refused[ask.operation, resource.get("failureReason")] += 1

    def open_asks(self):
        return [ask for ask in self.asks if ask.state in ("unanswered", "accepted")]

    def balance(self, client, person):
        return self.need(client, "getBalanceRequest", "GET", f"/v1/money/wallets/{person.id}/balance", person)


def amounts_in(value):
    """Every `amount` of a `{amount, currency}` in a JSON value."""
    if isinstance(value, dict):
        if "currency" in value:
            yield value["amount"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from amounts_in(inner)
