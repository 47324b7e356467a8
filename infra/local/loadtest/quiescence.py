"""After the troubles: brings a local cloud to rest, and says what does not come to it.

What AWS does within the hour by itself is done at once here: schedules fire, and dead letters get the second chance that
an operator gives them. Nothing else helps. Whatever is not final then is stuck.
"""

import time

from boto3.dynamodb.types import TypeDeserializer
from rich.console import Console

from operate import dead_letters
from system import terraform
from system.client import depth
from system.cloud import CloudError

console = Console(highlight=False, soft_wrap=True)

# An uncertain transfer is voided after half a minute and then asked about once more; a payment gives up after ten minutes.
REST_SECONDS = 15 * 60
PAUSE_SECONDS = 3
SHOWN = 20

# The states of each kind of record in which something is still to happen.
OPEN = {
    ("banking", "bankAccount"): {"requested"},
    ("banking", "firmbanking"): {"requested", "sent", "unknown"},
    ("membership", "member"): {"requested", "closing"},
    ("money", "moneyRequest"): {"requested", "bankUnknown"},
    ("payment", "payment"): {"requested"},
    ("remittance", "remittance"): {"requested", "recharging", "bankUnknown"},
    ("settlement", "entry"): {"due", "open", "failed"},
    ("settlement", "line"): {"open", "failed"},
    ("settlement", "run"): {"started"},
}


def is_often(schedule):
    return schedule is not None and schedule.startswith("rate(") and "day" not in schedule


class Rest:
    def __init__(self, running):
        self.running = running
        self.clients = {}
        operations = terraform.table()["operations"]
        # The daily ones begin something new; the others take up what was left.
        self.sweepers = [name for name, one in operations.items() if is_often(one["schedule"])]

    def client(self, service):
        if service not in self.clients:
            self.clients[service] = self.running.cloud.client(service)
        return self.clients[service]

    def come(self):
        """Waits until two looks in a row find nothing open, or for so long. Returns what is stuck."""
        began, calm = time.monotonic(), 0
        while True:
            self.help()
            left = self.on_its_way() or self.unfinished()
            calm = 0 if left else calm + 1
            if calm == 2 or time.monotonic() > began + REST_SECONDS:
                return left
            if left:
                more = f" and {len(left) - 1} more" if len(left) > 1 else ""
                console.print(f"  {time.monotonic() - began:4.0f} s  {left[0]}{more}", markup=False)
            time.sleep(PAUSE_SECONDS)

    def help(self):
        dead_letters.redrive(self.running)
        for name in self.sweepers:
            try:
                self.running.call(name, {})
            except CloudError as error:
                console.print(f"  {error}", markup=False)

    def on_its_way(self):
        """Messages and executions. A message that waits for its time is a reminder, which a finished record ignores."""
        outputs = self.running.outputs
        left = [f"{count} messages for {name}" for name, url in outputs["queues"].items() if (count := self.depth(url))]
        left += [f"{count} dead letters of {name}" for name, url in outputs["dead_letter_queues"].items() if (count := self.depth(url))]
        return left + [f"execution {name} is running" for name in self.executions("RUNNING")]

    def depth(self, url):
        return sum(depth(self.client("sqs"), url))

    def executions(self, *states):
        machines = self.running.outputs["state_machines"].values()
        pages = (page for machine in machines
                 for page in self.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine))
        return {one["name"]: one["executionArn"] for page in pages for one in page["executions"]
                if one["status"] in states or not states}

    def unfinished(self):
        return [
            f"{kind} {item['pk']} {item['sk']} of {service} is {item['state']}"
            for (service, kind), states in OPEN.items() for item in self.records(service, kind) if item["state"] in states
        ]

    def records(self, service, kind):
        pages = self.client("dynamodb").get_paginator("scan").paginate(
            TableName=self.running.outputs["tables"][service], ConsistentRead=True,
            FilterExpression="#kind = :kind", ProjectionExpression="pk, sk, #state",
            ExpressionAttributeNames={"#kind": "kind", "#state": "state"}, ExpressionAttributeValues={":kind": {"S": kind}},
        )
        plain = TypeDeserializer().deserialize
        return [{name: plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]
