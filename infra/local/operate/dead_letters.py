"""Dead letters: which operation gave them up, and another chance for them.

A service has one queue of them. Three kinds of letters come there: messages of the service's queues, which name their
queue; pointers to stream records that a relay could not relay; and runs of schedules that came to nothing. Of these
Scheduler leaves the input, if it could not hand it over, and Lambda a record around the input, if the run failed.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from rich.console import Console

from system.client import json_object
from system.cloud import CloudError

console = Console(highlight=False)
# A fact's time is that of its item's change, which a clock may have written that ran behind.
BEFORE_THE_POINTER = timedelta(hours=1)
# Nobody else may take a letter while it is dealt with.
HIDDEN_SECONDS = 60


@dataclass
class Letter:
    operation: str
    kind: str  # message, pointer or schedule
    service: str
    raw: dict


def of(running, service, raw):
    """Who gave a letter up, and what kind it is."""
    source = raw.get("Attributes", {}).get("DeadLetterQueueSourceArn")
    if source:
        return Letter(by_name(running.outputs["queues"], source), "message", service, raw)
    named = [attribute.get("StringValue", "") for attribute in raw.get("MessageAttributes", {}).values()]
    context = content(raw).get("requestContext", {})
    # Lambda's records of a batch and of a run both have a context.
    kind = "pointer" if "DDBStreamBatchInfo" in content(raw) else "schedule"
    names = [*named, context.get("functionArn", "")]
    found = (by_name(running.outputs["functions"], name) for name in names)
    return Letter(next((name for name in found if name), None), kind, service, raw)


def by_name(resources, arn):
    """The operation whose queue or function this ARN is, whatever alias it ends with."""
    parts = set(arn.replace("/", ":").split(":"))
    return next((name for name, resource in resources.items() if resource.rsplit("/", 1)[-1] in parts), None)


def content(raw):
    return json_object(raw["Body"])


def receive(running, service, hidden):
    answer = running.cloud.client("sqs").receive_message(
        QueueUrl=running.outputs["dead_letter_queues"][service], MaxNumberOfMessages=10, VisibilityTimeout=hidden,
        AttributeNames=["All"], MessageAttributeNames=["All"],
    )
    return [of(running, service, raw) for raw in answer.get("Messages", [])]


def counts(running):
    """How many there are by operation, of the first some of each service: they are looked at and stay where they are."""
    seen = {}
    for service in running.outputs["dead_letter_queues"]:
        for _ in range(5):
            fresh = {letter.raw["MessageId"]: letter for letter in receive(running, service, 0)}
            if not fresh.keys() - seen.keys():
                break
            seen |= fresh
    return Counter(f"{letter.operation or letter.service} ({letter.kind})" for letter in seen.values())


def redrive(running):
    """Gives every dead letter another chance; returns how many of each operation."""
    redriven, seen = Counter(), set()
    for service in running.outputs["dead_letter_queues"]:
        pointers = []
        # What is left where it is comes again when it is hidden no more, and a run may take as long.
        while letters := [letter for letter in receive(running, service, HIDDEN_SECONDS) if letter.raw["MessageId"] not in seen]:
            for letter in letters:
                seen.add(letter.raw["MessageId"])
                if letter.kind == "pointer":
                    pointers.append(letter)
                elif again(running, letter):
                    redriven[letter.operation] += 1
        if pointers:
            since = min(arrival(letter) for letter in pointers) - BEFORE_THE_POINTER
            published, _ = republish(running, service, since)
            console.print(f"{service}: {published} facts published again, for {len(pointers)} pointers to stream records")
            for letter in pointers:
                delete(running, letter)
                redriven[letter.operation] += 1
    return redriven


def again(running, letter):
    """Sends a message to its queue again, or makes a schedule's run. The letter goes when that has worked."""
    if letter.operation is None:
        console.print(f"{letter.service}: a letter that names no operation is left where it is: {letter.raw['Body'][:200]}", markup=False)
        return False
    if letter.kind == "message":
        running.cloud.client("sqs").send_message(
            QueueUrl=running.outputs["queues"][letter.operation], MessageBody=letter.raw["Body"],
            MessageAttributes=letter.raw.get("MessageAttributes", {}),
        )
    else:
        try:
            running.call(letter.operation, input_of(letter))
        except CloudError as error:
            # An audit, for instance, fails for as long as it finds something. Other letters do not wait for that.
            console.print(f"a run that fails again is left where it is: {error}", markup=False)
            return False
    delete(running, letter)
    return True


def input_of(letter):
    """What a schedule's run was given: Scheduler's letter is that itself, Lambda's record carries it."""
    record = content(letter.raw)
    return record["requestPayload"] if "requestContext" in record else record


def delete(running, letter):
    url = running.outputs["dead_letter_queues"][letter.service]
    running.cloud.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=letter.raw["ReceiptHandle"])


def arrival(letter):
    """When the first record came that a relay gave up."""
    return datetime.fromisoformat(content(letter.raw)["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"])


def republish(running, service, since=None):
    """Publishes a service's facts again from its items; returns how many, and how many items could not be read."""
    start = since.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z") if isinstance(since, datetime) else since
    published, skipped, after = 0, 0, None
    while True:
        body = {name: value for name, value in {"from": start, "after": after}.items() if value}
        answer = running.call(f"{service}.republish", body)
        published += answer["published"]
        skipped += answer.get("skipped", 0)
        after = answer.get("after")
        if after is None:
            return published, skipped
