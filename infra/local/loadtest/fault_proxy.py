"""microburst between the functions and the local cloud: AWS that throttles, conflicts, dawdles and loses answers.

It speaks AWS's protocols, so the SDK takes what it says for AWS's own word. The functions are told its address by way of
/_pay/troubles (emulator/fault_injection.py); Terraform, tests and the gateway go on without it.
"""

import contextlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import ClientError

from system.cloud import credentials, free_port, until_ready

PROGRAM = Path(__file__).with_name("microburst_with_seed.py")


def error(service, code, probability, operation=None, status=400, **fields):
    rule = {"service": service, "probability": probability, "error": {"code": code, "status": status, "fields": fields}}
    return rule | ({"operation": operation} if operation else {})


def answer_lost(service, operation, probability):
    """The cloud has done it, and the caller hears the beginning of an answer and then nothing."""
    return {"service": service, "operation": operation, "probability": probability, "response": {"abort_frac": 0.3}}


FIRST_QUESTIONS = {
    "dynamodb": "list_tables", "lambda": "list_functions", "events": "list_event_buses", "sqs": "list_queues",
    "stepfunctions": "list_state_machines", "secretsmanager": "list_secrets",
}
CONFLICT = {"CancellationReasons": [{"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}]}

# Each request meets the rules in this order until one of them strikes.
RULES = [
    answer_lost("dynamodb", "PutItem", 0.04),
    answer_lost("dynamodb", "TransactWriteItems", 0.04),
    answer_lost("dynamodb", "DeleteItem", 0.04),
    answer_lost("dynamodb", "Query", 0.01),
    error("dynamodb", "TransactionConflictException", 0.03, "PutItem"),
    error("dynamodb", "TransactionCanceledException", 0.04, "TransactWriteItems", **CONFLICT),
    error("dynamodb", "ProvisionedThroughputExceededException", 0.03),
    error("dynamodb", "InternalServerError", 0.01, status=500),
    {"service": "dynamodb", "probability": 0.01, "reset": True},
    {"service": "dynamodb", "probability": 0.03, "latency": {"min": 50, "max": 400}},
    # Longer than one attempt of a function waits: it asks again while the first is still on its way.
    {"service": "dynamodb", "probability": 0.003, "latency": 2_500},
    answer_lost("lambda", "Invoke", 0.03),
    error("lambda", "TooManyRequestsException", 0.02, "Invoke", status=429),
    {"service": "lambda", "operation": "Invoke", "probability": 0.03, "latency": {"min": 100, "max": 1_500}},
    answer_lost("events", "PutEvents", 0.05),
    error("events", "InternalException", 0.05, "PutEvents", status=500),
    answer_lost("sqs", "SendMessage", 0.05),
    error("sqs", "RequestThrottled", 0.05, "SendMessage", status=403),
    answer_lost("states", "StartExecution", 0.2),
    error("secretsmanager", "InternalServiceError", 0.05, status=500),
]


class Proxy:
    def __init__(self, cloud, seed):
        self.cloud, self.seed, self.port = cloud, seed, free_port()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        # By this name the cloud knows what came by the proxy: emulator/launcher.py.
        upstream = f"http://localhost:{self.cloud.port}"
        command = [sys.executable, str(PROGRAM), str(self.seed), "--upstream", upstream, "--port", str(self.port)]
        with (self.cloud.folder / "microburst.log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        failure = f"microburst did not start; its log is {self.cloud.folder / 'microburst.log'}"
        until_ready(self.process, self.is_ready, failure, pause=0.2)
        self.warm_up()
        self.use(RULES)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def is_ready(self):
        try:
            return httpx.get(f"{self.url}/_microburst/health").status_code == 200
        except httpx.HTTPError:
            return False

    def warm_up(self):
        """It reads its descriptions of a service at the first request, for half a minute; no function waits that long."""
        patient = Config(read_timeout=120, retries={"total_max_attempts": 1})
        for service, ask in FIRST_QUESTIONS.items():
            client = boto3.client(service, endpoint_url=self.url, config=patient, **credentials())
            # The cloud refuses it, because it has not been told of the proxy yet.
            with contextlib.suppress(ClientError):
                getattr(client, ask)()

    def use(self, rules):
        httpx.post(f"{self.url}/_microburst/rules", json=rules).raise_for_status()

    def counts(self):
        """How many requests came by, and what was done to them."""
        stats = httpx.get(f"{self.url}/_microburst/stats").json()
        faults = Counter()
        for line in httpx.get(f"{self.url}/_microburst/metrics").text.splitlines():
            if line.startswith("microburst_faults_total{"):
                labels, count = line.removeprefix("microburst_faults_total").rsplit(" ", 1)
                named = dict(label.split("=", 1) for label in labels.strip("{}").split(","))
                kind = json.loads(named["action"]).split(":", 1)
                faults[json.loads(named["service"]), kind_of(*kind)] += int(count)
        return stats["requests"]["total"], faults


def kind_of(action, detail=""):
    """Latencies are told with their milliseconds, which would make each a kind of its own."""
    return {"latency": "late", "reset": "request lost", "response": "answer lost"}.get(action, detail or action)
