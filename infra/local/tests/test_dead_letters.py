"""Who gave a letter up, and what its other chance is: of every form that AWS leaves, which the local cloud does not."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from operate import dead_letters  # noqa: E402
from system.cloud import CloudError  # noqa: E402

PLACE = "us-east-1:000000000000"
SWEEP = "pay-money-sweepMoneyRequests"


class Running:
    """A system of one service, whose queue of dead letters holds these, and whose runs may fail."""

    def __init__(self, *bodies, failing=(), sources=None):
        self.outputs = {
            "queues": {"money.sweepMoneyRequests": f"http://cloud/000000000000/{SWEEP}"},
            "functions": {"money.sweepMoneyRequests": SWEEP, "money.auditLedger": "pay-money-auditLedger", "money.relayOutbox": "pay-money-relayOutbox"},
            "dead_letter_queues": {"money": "dead"},
        }
        self.waiting = {str(number): json.dumps(body) for number, body in enumerate(bodies)}
        self.sources, self.failing, self.called, self.sent = sources or {}, failing, [], []
        self.cloud = self

    def client(self, _):
        return self

    def receive_message(self, **_):
        return {"Messages": [
            {"MessageId": number, "ReceiptHandle": number, "Body": body, **self.sources}
            for number, body in self.waiting.items()
        ]}

    def delete_message(self, QueueUrl, ReceiptHandle):  # noqa: N803
        del self.waiting[ReceiptHandle]

    def send_message(self, QueueUrl, MessageBody, MessageAttributes):  # noqa: N803
        self.sent.append((QueueUrl, MessageBody))

    def call(self, name, body):
        self.called.append((name, body))
        if name in self.failing:
            raise CloudError(f"{name}: it does not work")
        return {"published": 1}


def failed_run(function, given):
    """What Lambda leaves of an asynchronous invocation that it gives up, by its documentation."""
    return {
        "version": "1.0",
        "timestamp": "2026-11-23T08:00:00.000Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
            "functionArn": f"arn:aws:lambda:{PLACE}:function:{function}:live",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": given,
        "responseContext": {"statusCode": 200, "executedVersion": "7", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "the table does not answer", "errorType": "temporarily_unavailable"},
    }


def pointer():
    """What Lambda leaves of a batch of stream records, which has the same context."""
    return {
        "requestContext": {"functionArn": f"arn:aws:lambda:{PLACE}:function:pay-money-relayOutbox:live", "condition": "RetryAttemptsExhausted"},
        "DDBStreamBatchInfo": {"approximateArrivalOfFirstRecord": "2026-11-23T08:00:00Z", "batchSize": 1},
    }


def missed(function):
    """The attributes that Scheduler gives to a run that it could not hand over, whose input is the body."""
    arn = f"arn:aws:lambda:{PLACE}:function:{function}:live"
    return {"MessageAttributes": {"TARGET_ARN": {"DataType": "String", "StringValue": arn}}}


MESSAGE = {"Attributes": {"DeadLetterQueueSourceArn": f"arn:aws:sqs:{PLACE}:{SWEEP}"}}


@pytest.mark.parametrize(("body", "sources", "expected"), [
    ({"after": "x"}, MESSAGE, "money.sweepMoneyRequests (message)"),
    (pointer(), {}, "money.relayOutbox (pointer)"),
    ({}, missed(SWEEP), "money.sweepMoneyRequests (schedule)"),
    (failed_run(SWEEP, {}), {}, "money.sweepMoneyRequests (schedule)"),
    ({"nobody": "knows"}, {}, "money (schedule)"),
])
def test_a_letter_names_its_operation_and_its_kind(body, sources, expected):
    assert dead_letters.counts(Running(body, sources=sources)) == {expected: 1}


@pytest.mark.parametrize(("body", "sources"), [({"after": "x"}, missed(SWEEP)), (failed_run(SWEEP, {"after": "x"}), {})])
def test_a_schedules_run_is_made_with_the_input_that_it_was_to_have(body, sources):
    running = Running(body, sources=sources)
    assert dead_letters.redrive(running) == {"money.sweepMoneyRequests": 1}
    assert running.called == [("money.sweepMoneyRequests", {"after": "x"})]
    assert not running.waiting


def test_a_message_goes_to_its_queue_and_a_pointer_is_republished():
    running = Running({"after": "x"}, sources=MESSAGE)
    assert dead_letters.redrive(running) == {"money.sweepMoneyRequests": 1}
    assert running.sent == [(running.outputs["queues"]["money.sweepMoneyRequests"], '{"after": "x"}')]
    running = Running(pointer())
    assert dead_letters.redrive(running) == {"money.relayOutbox": 1}
    assert running.called == [("money.republish", {"from": "2026-11-23T07:00:00.000Z"})]
    assert not running.waiting


def test_a_run_that_fails_again_keeps_its_letter_and_holds_up_no_other():
    running = Running(failed_run("pay-money-auditLedger", {}), failed_run(SWEEP, {}), failing=["money.auditLedger"])
    assert dead_letters.redrive(running) == {"money.sweepMoneyRequests": 1}
    assert [name for name, _ in running.called] == ["money.auditLedger", "money.sweepMoneyRequests"]
    assert list(running.waiting) == ["0"]
