"""Calls the system as its users do: the public API, the bank's own API, and internal operations."""

import json
import secrets
import uuid
from datetime import datetime, timedelta, timezone

import httpx

from system.cloud import CloudError

# An internal call can take as long as a function; the gateway answers within 30 seconds.
TIMEOUT_SECONDS = 35
SEOUL = timezone(timedelta(hours=9))


class Api:
    """The public API. Every call is told to `listener`, which the story prints."""

    def __init__(self, url, listener=None):
        self.url = url
        self.http = httpx.Client(timeout=TIMEOUT_SECONDS)
        self.listener = listener

    def call(self, method, path, body=None, token=None, key=None, headers=None, **options):
        sent = {**(headers or {})}
        if token:
            sent["authorization"] = f"Bearer {token}"
        if key:
            sent["idempotency-key"] = key
        answer = self.http.request(method, self.url + path, json=body, headers=sent, **options)
        if self.listener:
            self.listener(method, path, body, answer)
        return answer

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, body, **options)


class Bank:
    """The bank simulator's own API, with the API key that Pay has too."""

    def __init__(self, url, credentials, listener=None):
        self.api = Api(url, listener)
        self.headers = {"x-api-key": credentials["apiKey"]}
        self.corporate_account = credentials["corporateAccount"]

    def open_account(self, number, holder, amount):
        body = {"accountNumber": number, "holder": holder, "balance": won(amount)}
        return self.api.post("/v1/accounts", body, headers=self.headers)

    def account(self, number):
        return self.api.get(f"/v1/accounts/{number}", headers=self.headers)

    def set_mode(self, number, mode, **options):
        return self.api.call("PUT", f"/v1/accounts/{number}/mode", {"mode": mode, **options}, headers=self.headers)


class System:
    """A deployed stack on a local cloud: what its outputs name."""

    def __init__(self, cloud, outputs, listener=None):
        self.cloud = cloud
        self.outputs = outputs
        self.api = Api(outputs["api_url"], listener)
        self.listener = listener

    @property
    def bank(self):
        return Bank(self.outputs["bank_url"], json.loads(self.secret("bank")), self.listener)

    def secret(self, name):
        secrets_manager = self.cloud.client("secretsmanager")
        return secrets_manager.get_secret_value(SecretId=self.outputs["secrets"][name])["SecretString"]

    def operation(self, name):
        """An operation's full name: `increaseMoneyRequest` is enough where only one service has it."""
        found = [full for full in self.outputs["functions"] if name in (full, full.split(".")[1])]
        if len(found) != 1:
            known = ", ".join(found or sorted(self.outputs["functions"]))
            raise CloudError(f"which operation is '{name}'? {known}")
        return found[0]

    def invoke(self, name, payload):
        """Invokes an operation's function; returns the payload and the function's error, if any."""
        answer = self.cloud.client("lambda").invoke(
            FunctionName=self.outputs["functions"][self.operation(name)],
            Qualifier="live",
            Payload=json.dumps(payload),
        )
        return json.loads(answer["Payload"].read() or "null"), answer.get("FunctionError")

    def call(self, name, body):
        """Invokes an internal operation as Pay's own people do: its input is the payload, as it is."""
        answer, error = self.invoke(name, body)
        if error:
            raise CloudError(f"{name}: {json.dumps(answer, ensure_ascii=False)}")
        return answer

    def ask(self, name, body):
        """Calls an internal operation directly, as another service does; returns what it answers, or fails."""
        call = {"operation": name, "caller": "operations", "traceparent": new_traceparent(), "body": body}
        answer, error = self.invoke(name, call)
        if error or "done" not in answer:
            raise CloudError(f"{name}: {json.dumps(answer, ensure_ascii=False)}")
        return answer["done"]


def succeed(answer):
    """What was answered; an error, where that is a refusal."""
    if answer.status_code >= 400:
        raise CloudError(f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {answer.text}")
    return answer.json()


def depth(sqs, url):
    """How many messages wait in a queue, and how many are in work."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return tuple(int(shown[name]) for name in names)


def pages(read):
    """Each page of a list. `read` gets the query that leads to a page: none at first, then the cursor of the last one."""
    cursor = {}
    while True:
        page = read(cursor)
        yield page
        if page["nextCursor"] is None:
            return
        cursor = {"cursor": page["nextCursor"]}


def json_object(text):
    """What a text says that is a JSON object; nothing, if it is none."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def franchise(name, manager, email, bank_account_id, **more):
    """The body of a franchise's registration."""
    contact = {"name": manager, "email": email, "phone": "02-1234-5678"}
    return {"name": name, "contact": contact, "bankAccountId": bank_account_id, "settlementCycle": {"kind": "daily"}, **more}


def order(franchise_id, amount, **more):
    """The body of a payment's request."""
    return {"franchiseId": franchise_id, "amount": won(amount), "orderId": new_key()[:20], **more}


def business_day(ahead=0):
    """Business days of Seoul end half an hour before midnight."""
    return (datetime.now(SEOUL) + timedelta(minutes=30, days=ahead)).date().isoformat()


def won(amount):
    return {"amount": amount, "currency": "KRW"}


def new_key():
    return str(uuid.uuid4())


def new_traceparent():
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
