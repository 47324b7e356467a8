"""What can go wrong inside the local cloud while somebody asks for it: `make chaos` and `make demo-faults` do.

It is in the cloud's own process, because only there one knows which function is at work at this moment and which message
is in flight. AWS promises no better than what is done here: an environment may die at any time, SQS and streams deliver
at least once and SQS in no order. Nothing happens before a PUT of shares to /_pay/troubles, and nothing after one of none.
"""

import json
import os
import random
import threading
import time
from collections import Counter

from ministack.core import lambda_runtime
from ministack.services import lambda_svc, sqs

# When a function dies, counted from the start of its invocation: as likely in the first 8 ms as in the last half second.
EARLIEST_DEATH_SECONDS, LATEST_DEATH_SECONDS = 0.002, 0.5
LONGEST_DELAY_SECONDS = 8
LONGEST_ABSENCE_SECONDS = 20


class Troubles:
    """How often what goes wrong, as shares of 1:

    kill: a function's process, while it is at work; delay: a message, so that later ones overtake it; overlap: a message
    comes again while it is at work; again: after it was done; stream: a batch of a stream's records comes again.
    """

    def __init__(self):
        self.shares, self.endpoint, self.dice = {}, "", random.Random()
        self.counts, self.struck = Counter(), set()

    def begin(self, wanted):
        self.dice.seed(wanted.get("seed"))
        self.shares = wanted.get("shares", {})
        self.endpoint = wanted.get("endpoint", "")
        # ministack gives new processes of functions this one instead of their own; use_endpoint replaces the old ones.
        os.environ.pop("AWS_ENDPOINT_URL", None)
        if self.endpoint:
            os.environ["AWS_ENDPOINT_URL"] = self.endpoint

    def strike(self, what):
        return self.dice.random() < self.shares.get(what, 0)

    def strike_once(self, what, message):
        """A message is struck by each trouble once, or it would use up its chances."""
        if (what, message["id"]) in self.struck or not self.strike(what):
            return False
        self.struck.add((what, message["id"]))
        self.counts[what] += 1
        return True

    def within(self, seconds):
        return time.time() + self.dice.uniform(0, seconds)

    def answer(self, method, body):
        if method == "PUT":
            self.begin(json.loads(body))
        return json.dumps(self.counts).encode()

    def install(self):
        kill_functions_at_work(self)
        deliver_messages_badly(self)
        deliver_stream_records_again(self)


def kill_functions_at_work(troubles):
    invoke = lambda_runtime.ProvidedWorker.invoke

    def invoke_and_kill(worker, event, request_id, **options):
        use_endpoint(worker, troubles.endpoint)
        if not troubles.strike("kill"):
            return invoke(worker, event, request_id, **options)
        delay = EARLIEST_DEATH_SECONDS * (LATEST_DEATH_SECONDS / EARLIEST_DEATH_SECONDS) ** troubles.dice.random()
        death = threading.Timer(delay, kill, (troubles, worker, event, request_id))
        death.start()
        try:
            return invoke(worker, event, request_id, **options)
        finally:
            death.cancel()

    lambda_runtime.ProvidedWorker.invoke = invoke_and_kill


def kill(troubles, worker, event, request_id):
    """Ends the process, unless the invocation has been answered, or has not begun because the process is still starting."""
    with worker._state_lock:
        if worker._current_request_id != request_id or worker._proc is None:
            return
        worker._proc.kill()
    troubles.counts["kill"] += 1
    come_back_soon(troubles, event)


def use_endpoint(worker, endpoint):
    """A process keeps the endpoint that it began with, so one with another is replaced. Nobody else has this worker now."""
    if getattr(worker, "pay_endpoint", "") != endpoint:
        worker._teardown()
        worker.pay_endpoint = endpoint


def come_back_soon(troubles, event):
    """What a dead function had in work would come back after minutes: queues hide it for six times a function's longest run."""
    records = event.get("Records", []) if isinstance(event, dict) else []
    handles = {record.get("receiptHandle") for record in records if record.get("eventSource") == "aws:sqs"}
    if not handles:
        return
    name = records[0]["eventSourceARN"].rsplit(":", 1)[1]
    with sqs._queues_lock:
        for message in sqs._get_q(sqs._queue_url(name))["messages"]:
            if message["receipt_handle"] in handles:
                message["visible_at"] = troubles.within(LONGEST_DELAY_SECONDS)


def deliver_messages_badly(troubles):
    receive, delete = sqs._receive_messages_for_esm, sqs._delete_messages_for_esm

    def receive_badly(queue_url, most):
        if not troubles.shares:
            return receive(queue_url, most)
        now = time.time()
        with sqs._queues_lock:
            queue = sqs._get_q(queue_url)
            troubles.dice.shuffle(queue["messages"])
            for message in queue["messages"]:
                if message["visible_at"] <= now and troubles.strike_once("delay", message):
                    message["visible_at"] = troubles.within(LONGEST_DELAY_SECONDS)
        batch = receive(queue_url, most)
        for message in batch:
            if troubles.strike_once("overlap", message):
                message["visible_at"] = troubles.within(1)
        return batch

    def delete_badly(queue_url, handles):
        with sqs._queues_lock:
            done = [one for one in sqs._get_q(queue_url)["messages"] if one["receipt_handle"] in handles]
            for message in done:
                if troubles.strike_once("again", message):
                    message["visible_at"] = troubles.within(LONGEST_ABSENCE_SECONDS)
                    handles = handles - {message["receipt_handle"]}
        delete(queue_url, handles)

    sqs._receive_messages_for_esm = receive_badly
    sqs._delete_messages_for_esm = delete_badly


def is_stream_batch(event):
    records = event.get("Records") if isinstance(event, dict) else None
    return bool(records) and records[0].get("eventSource") == "aws:dynamodb"


def deliver_stream_records_again(troubles):
    execute = lambda_svc._execute_function

    def execute_again(function, event):
        result = execute(function, event)
        if not is_stream_batch(event) or result.get("error") or not troubles.strike("stream"):
            return result
        troubles.counts["stream"] += 1
        return {**result, "error": True, "body": {"errorType": "AnswerLost", "errorMessage": "asked for by fault_injection.py"}}

    lambda_svc._execute_function = execute_again
