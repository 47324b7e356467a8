"""What the end-to-end tests see of a deployed stack: people, the bank, the bus, tables, queues and logs.

Everything a person could do goes through the API Gateway URL; the rest of AWS is looked at from outside with
boto3, as an operator would. Whatever personal data a test makes up is kept in `planted`, so that the last test can
look for it where it must not be.
"""

import base64
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone

import httpx
import jwt
from boto3.dynamodb.types import TypeDeserializer
from cryptography.hazmat.primitives import serialization
from operate import signing_keys
from system import cloud
from system.client import (
    SEOUL,
    Bank,
    System,
    business_day,
    depth,
    franchise,
    json_object,
    new_key,
    new_traceparent,
    order,
    pages,
    won,
)
from system.cloud import ROOT

__all__ = [
    "World", "Member", "new_key", "new_traceparent", "order", "won", "together", "wait_until", "assert_problem", "trace_id",
    "business_day", "age", "now", "pay",
]

# Longer than any function, gateway or saga may take before its first answer, and than a message to a short function is
# hidden that a slow machine has failed once: six times its timeout.
PATIENCE_SECONDS = 100
# A run waits for the bank until its deadline, which may have passed before every franchise has had its turn.
RUN_SECONDS = 120
# The same of any function: the longest has a minute.
HIDDEN_SECONDS = 400
# A token lives for a quarter of an hour, and people who are there for all tests for longer than that.
STALE_SECONDS = 300


def wait_until(condition, seconds=PATIENCE_SECONDS, what=""):
    """Asks again and again until the condition holds, and gives its value. Fails with its last value."""

    def failure(last):
        wanted = what() if callable(what) else what or condition.__name__
        return AssertionError(f"still not after {seconds} s: {wanted}; last: {last!r}")

    return cloud.wait_until(condition, seconds, failure, pause=0.05, longest_pause=1)


def together(*calls):
    """Makes calls at the same time, as far as threads can, and gives their results in order."""
    barrier = threading.Barrier(len(calls))

    def meet(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(meet, call) for call in calls]]


def assert_problem(answer, status, code=None):
    """RFC 9457 with Pay's members, or what the gateway says in its own shape."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert {"type", "title", "status", "detail", "code", "traceId"} <= problem.keys() <= {
        "type", "title", "status", "detail", "code", "traceId", "errors",
    }
    assert problem["status"] == status
    assert problem["type"] == f"urn:pay:problem:{problem['code']}"
    assert problem["traceId"] == answer.headers["trace-id"]
    for error in problem.get("errors", []):
        assert error.keys() == {"pointer", "code", "detail"} and error["pointer"].startswith("/"), error
    if code is not None:
        assert problem["code"] == code, problem
    return problem


def pay(world, *arguments):
    """A command of the Makefile; what it says."""
    command = [sys.executable, str(ROOT / "infra/local/pay.py"), "--cloud", world.cloud.name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age(moment):
    """How many seconds ago a moment was."""
    return (datetime.now(SEOUL) - datetime.fromisoformat(moment)).total_seconds()


def trace_id(traceparent):
    return traceparent.split("-")[1]


def party(member):
    """A member, where money is transferred."""
    return {"kind": "member", "membershipId": member.id}


@dataclass
class Member:
    world: "World"
    id: str
    name: str
    email: str
    password: str
    address: str
    token: str = ""
    refresh_token: str = ""
    account: str = ""
    bank_account_id: str = ""
    logged_in_at: float = 0

    def call(self, method, path, body=None, **options):
        if self.token and time.monotonic() > self.logged_in_at + STALE_SECONDS:
            self.log_in()
        return self.world.api.call(method, path, body, token=self.token, **options)

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, body, **options)

    def pages(self, path, **query):
        """The items of each page of a list."""

        def read(cursor):
            answer = self.get(path, params={**query, **cursor})
            assert answer.status_code == 200, answer.text
            return answer.json()

        return [page["items"] for page in pages(read)]

    def items(self, path, **query):
        """Everything that a list has, page by page."""
        return [item for page in self.pages(path, **query) for item in page]

    def log_in(self):
        answer = self.world.api.post("/v1/auth/login", {"email": self.email, "password": self.password})
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        self.token, self.refresh_token = tokens["accessToken"], tokens["refreshToken"]
        self.logged_in_at = time.monotonic()
        self.world.plant("access token", self.token)
        self.world.plant("refresh token", self.refresh_token)
        return tokens

    def open_account(self, balance=500_000):
        """Opens an account at the bank in the member's name."""
        number = "110" + f"{secrets.randbelow(10**10):010}"
        self.world.plant("account number", number)
        opened = self.world.bank.open_account(number, self.name, balance)
        assert opened.status_code == 201, opened.text
        return number

    def link(self, number, key=None, path="/v1/bank-accounts", **options):
        body = {"accountNumber": number, "holder": self.name}
        return self.post(path, body, key=key or new_key(), **options)

    def link_an_account(self, balance=500_000):
        self.account = self.open_account(balance)
        answer = self.link(self.account)
        assert answer.status_code == 201, answer.text
        self.bank_account_id = answer.json()["bankAccountId"]
        return self

    def recharge(self, amount, key=None, by_event=False, **options):
        path = "/v1/money/increases/by-event" if by_event else "/v1/money/increases"
        order = {"bankAccountId": self.bank_account_id, "amount": won(amount)}
        return self.post(path, order, key=key or new_key(), **options)

    def withdraw(self, amount, key=None, by_event=False, **options):
        path = "/v1/money/decreases/by-event" if by_event else "/v1/money/decreases"
        order = {"bankAccountId": self.bank_account_id, "amount": won(amount)}
        return self.post(path, order, key=key or new_key(), **options)

    def request(self, money_request_id):
        answer = self.get(f"/v1/money/requests/{money_request_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def settled(self, money_request_id, seconds=PATIENCE_SECONDS):
        """The request once it is final, which nobody helps it to become."""

        def final():
            request = self.request(money_request_id)
            return request if request["state"] in ("succeeded", "failed") else None

        return wait_until(final, seconds, f"{money_request_id} final")

    def balance(self, **query):
        answer = self.get(f"/v1/money/wallets/{self.id}/balance", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def won(self):
        return self.balance()["balance"]["amount"]

    def has_wallet(self):
        return self.balance()["sequence"] > 0

    def history(self):
        """Every entry of the wallet, oldest first."""
        return self.items(f"/v1/money/wallets/{self.id}/transactions", limit=100)[::-1]

    def at_the_bank(self):
        """What is left in the member's account, and what moved it, oldest first."""
        return self.world.account(self.account)


@dataclass
class Account:
    balance: int
    moves: list


class World(System):
    def __init__(self, cloud, outputs):
        super().__init__(cloud, outputs)
        self.planted = []
        self.people = []
        secret = self.secret("bank")
        self._bank = Bank(outputs["bank_url"], json.loads(secret))
        self.plant("bank's API key", json.loads(secret)["apiKey"])
        self.clients = {}
        self.days_ahead = 0
        self._operator = None

    @property
    def bank(self):
        return self._bank

    def http_get(self, url):
        answer = httpx.get(url, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def client(self, service):
        if service not in self.clients:
            self.clients[service] = self.cloud.client(service)
        return self.clients[service]

    def plant(self, what, value):
        self.planted.append((what, value))

    # People

    def person(self, name=None, email=None, kind="personal"):
        """Somebody's data, as a registration's body. Nobody else has any of it."""
        mark = secrets.token_hex(6)
        person = {
            "name": name or f"홍길동 {mark}",
            "email": email or f"hong.{mark}@planted.example",
            "password": f"correct horse {secrets.token_hex(8)}",
            "address": f"서울특별시 중구 세종대로 {mark}길 1",
            "kind": kind,
        }
        for what in ("name", "email", "password", "address"):
            self.plant(what, person[what])
        return person

    def register(self, person=None, key=None, path="/v1/memberships", **options):
        person = person or self.person()
        answer = self.api.post(path, person, key=key or new_key(), **options)
        return person, answer

    def stranger(self, kind="personal"):
        """A member who is registered and logged in, and no more."""
        person, answer = self.register(self.person(kind=kind))
        assert answer.status_code == 201, answer.text
        own = {name: person[name] for name in ("name", "email", "password", "address")}
        member = Member(self, answer.json()["membershipId"], **own)
        member.log_in()
        self.people.append(member)
        return member

    def member(self, balance=500_000, kind="personal"):
        """A member with a linked account, who can recharge."""
        return self.stranger(kind).link_an_account(balance)

    def members(self, count, **options):
        return together(*[lambda: self.member(**options)] * count)

    def operator(self):
        member = self.stranger()
        self.call("membership.grantOperator", {"email": member.email})
        member.log_in()
        return member

    # Franchises and money

    def franchise(self, owner, **more):
        """A franchise's body. Nobody else has any of its details, and they are looked for where they must not be."""
        mark = new_key()[:12]
        body = franchise(f"하나 상점 {mark}", f"점장 {mark}", f"shop.{mark}@planted.example", owner.bank_account_id, **more)
        for what, value in (("name", body["name"]), ("name", body["contact"]["name"]), ("email", body["contact"]["email"])):
            self.plant(what, value)
        return body

    def open_franchise(self, owner, **more):
        """A franchise of the owner's; its id."""
        answer = owner.post("/v1/franchises", self.franchise(owner, **more), key=new_key())
        assert answer.status_code == 201, answer.text
        return answer.json()["franchiseId"]

    def transfer(self, debit, credit, amount, reference=None, birth=None):
        """Calls transferMoney as another service would."""
        call = {
            "operation": "money.transferMoney",
            "caller": "remittance.requestRemittance",
            "onBehalfOf": debit.id,
            "reference": {"id": reference or f"{new_key()}/move", "birth": birth or now()},
            "traceparent": new_traceparent(),
            "body": {"debit": party(debit), "credit": party(credit), "amount": won(amount)},
        }
        answer, error = self.invoke("money.transferMoney", call)
        assert error is None, answer
        return answer

    # Settlements

    def unsettled_day(self):
        """The next business day that nobody has settled: today, tomorrow … A franchise's first run takes all of its
        days; a later one looks two runs back, so what was paid today is in one of the next two at the latest."""
        self._operator = self._operator or self.operator()
        while True:
            day = business_day(self.days_ahead)
            self.days_ahead += 1
            if self._operator.get(f"/v1/settlements/{day}").status_code == 404:
                return day

    def start_run(self, day):
        answer = self._operator.post("/v1/settlements", {"businessDay": day})
        assert answer.status_code in (200, 202), answer.text
        assert answer.headers["location"] == f"/v1/settlements/{day}"
        return answer.json()

    def run(self, day):
        answer = self._operator.get(f"/v1/settlements/{day}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def finished(self, day, seconds=RUN_SECONDS):
        """The run once it is finished, which nobody helps it to become."""

        def final():
            run = self.run(day)
            return run if run["state"] == "finished" else None

        return wait_until(final, seconds, f"the run of {day} finished")

    def settle(self):
        """Settles the next business day with every franchise; gives the run."""
        day = self.unsettled_day()
        self.start_run(day)
        return self.finished(day)

    # Tokens

    def signing_keys(self):
        return json.loads(self.secret("signing-keys"))

    def rotate_keys(self, seconds=PATIENCE_SECONDS):
        """Asks Secrets Manager for a rotation, as its schedule does, and waits until it is through; the keys then."""
        version = signing_keys.begin(self)

        def through():
            keys = self.signing_keys()
            return keys if keys["version"] == version else None

        return wait_until(through, seconds, "the rotation")

    def date_keys_back(self, seconds):
        """The keys have been published for so long, if one asks the table."""
        past = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - seconds))
        for item in self.scan("membership"):
            if item["kind"] == "publishedKey":
                self.client("dynamodb").update_item(
                    TableName=self.outputs["tables"]["membership"],
                    Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
                    UpdateExpression="SET #at = :past",
                    ExpressionAttributeNames={"#at": "at"},
                    ExpressionAttributeValues={":past": {"S": past}},
                )

    def claims(self, member, **changes):
        now = int(time.time())
        claims = {
            "iss": self.outputs["api_url"], "aud": "pay", "sub": member.id, "scope": "member", "sid": "e2e",
            "jti": secrets.token_hex(8), "iat": now, "nbf": now, "exp": now + 300, "token_use": "access",
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims, headers=None):
        """A token that Pay itself could have issued: signed with its own current key."""
        current = self.signing_keys()["current"]
        headers = {"kid": current["public"]["kid"], "typ": "at+jwt", **(headers or {})}
        return jwt.encode(claims, current["private"], algorithm="RS256", headers=headers)

    def public_key_pem(self):
        private = serialization.load_pem_private_key(self.signing_keys()["current"]["private"].encode(), None)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return private.public_key().public_bytes(serialization.Encoding.PEM, form)

    # The bank

    def account(self, number):
        # The bank may be busy, as Pay may be, and says so.
        answer = wait_until(lambda: (answer := self.bank.account(number)).status_code != 503 and answer, what=number)
        assert answer.status_code == 200, answer.text
        moves, before = [], {}
        while True:
            page = self.bank.api.get(
                f"/v1/accounts/{number}/transfers", headers=self.bank.headers, params={"limit": 100, **before}
            ).json()
            moves += page["items"]
            if not page["items"] or page["items"][-1]["sequence"] == 1:
                return Account(answer.json()["balance"]["amount"], moves[::-1])
            before = {"before": page["items"][-1]["sequence"]}

    def tell_bank(self, number, mode, **options):
        answer = self.bank.set_mode(number, mode, **options)
        assert answer.status_code == 200, answer.text

    # Tables

    def scan(self, service):
        pages = self.client("dynamodb").get_paginator("scan").paginate(
            TableName=self.outputs["tables"][service], ConsistentRead=True
        )
        return [plain(item) for page in pages for item in page["Items"]]

    def snapshot(self, *services, of=()):
        """Every item of Pay's tables by key: two that are the same mean that nothing was written between.

        `of` names ids, and keeps the items that hold one: sweepers and schedules write elsewhere when they will.
        """
        services = services or [name for name in self.outputs["tables"] if name != "bank-simulator"]
        items = ((service, item) for service in services for item in self.scan(service))
        return {
            (service, item["pk"], item["sk"]): item
            for service, item in items if not of or any(name in repr(item) for name in of)
        }

    def quiet(self):
        """Waits until nothing is on its way any more, and gives the tables as they are then."""
        self.until_drained()
        last = {}

        def same_twice():
            nonlocal last
            before, last = last, self.snapshot()
            return last == before

        wait_until(same_twice, what="tables at rest")
        return last

    # Queues

    def send(self, operation, body):
        """Puts a message into an operation's queue, as the bus or another operation does."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.client("sqs").send_message(QueueUrl=self.outputs["queues"][operation], MessageBody=text)

    def waiting(self, url):
        return sum(depth(self.client("sqs"), url))

    def is_drained(self, operation):
        return self.waiting(self.outputs["queues"][operation]) == 0

    def until_drained(self, *operations):
        """Waits until these queues, or all, have no message that is there or being worked on; delayed ones may come."""
        def full():
            return [name for name in operations or self.outputs["queues"] if not self.is_drained(name)]

        wait_until(lambda: not full(), HIDDEN_SECONDS, lambda: f"empty queues: {full()}")

    def dead_letters(self, operation):
        """All of the operation's service: they share a queue."""
        return self.waiting(self.outputs["dead_letter_queues"][operation.split(".")[0]])

    # Logs

    def log_lines(self, since, *operations):
        """Log events of functions since a time in seconds, each parsed where it is JSON."""
        logs = self.client("logs")
        names = [self.outputs["functions"][name] for name in operations or self.outputs["functions"]]

        def of(name):
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{name}", startTime=int(since * 1000)
            )
            return [{"function": name, **parsed(event["message"])} for page in pages for event in page["events"]]

        with ThreadPoolExecutor(8) as pool:
            return [line for lines in pool.map(of, names) for line in lines]


@dataclass
class Bus:
    """A subscription of our own to every fact of Pay. Facts are drained into a list as they come."""

    world: World
    rule: str = "e2e-tap"
    facts: list = field(default_factory=list)
    events: list = field(default_factory=list)

    def open(self):
        sqs, events = self.world.client("sqs"), self.world.client("events")
        self.url = sqs.create_queue(QueueName=self.rule)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        }]}
        sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": json.dumps(policy)})
        bus = self.world.outputs["bus"]
        events.put_rule(Name=self.rule, EventBusName=bus, EventPattern=json.dumps({"source": [{"prefix": "pay."}]}))
        events.put_targets(Rule=self.rule, EventBusName=bus, Targets=[{"Id": "tap", "Arn": arn}])
        self.drain()
        self.facts.clear()
        self.events.clear()
        return self

    def close(self):
        events, bus = self.world.client("events"), self.world.outputs["bus"]
        events.remove_targets(Rule=self.rule, EventBusName=bus, Ids=["tap"])
        events.delete_rule(Name=self.rule, EventBusName=bus)
        self.world.client("sqs").delete_queue(QueueUrl=self.url)

    def drain(self):
        sqs = self.world.client("sqs")
        while letters := sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for letter in letters:
                event = json.loads(letter["Body"])
                self.events.append(event)
                self.facts.append(event["detail"])
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=letter["ReceiptHandle"])
        return self.facts

    def of(self, kind, **data):
        """The facts of a type whose data has these values."""
        return [
            fact for fact in self.drain()
            if fact["type"] == kind and all(fact["data"].get(name) == value for name, value in data.items())
        ]

    def event_of(self, fact):
        """The whole event as EventBridge puts it into a queue."""
        return next(event for event in self.events if event["detail"]["id"] == fact["id"])

    def wait_for(self, kind, seconds=PATIENCE_SECONDS, **data):
        return wait_until(lambda: self.of(kind, **data), seconds, f"{kind} with {data}")[0]


class Plainly(TypeDeserializer):
    def _deserialize_b(self, value):
        # As text, so that whoever looks through an item looks through its bytes too.
        return value.decode("latin-1")


DESERIALIZER = Plainly()


def plain(item):
    return {name: DESERIALIZER.deserialize(value) for name, value in item.items()}


def parsed(message):
    return {"text": message, **json_object(message)}


def encoded(data):
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()
