"""What functions write into the log, as it is read: the declared fields and no others, metrics as CloudWatch takes them,
and one story for a payment whose bank falls silent."""

import re
import time
from pathlib import Path

import pytest
from operate import tracing
from world import new_key, new_traceparent, order, trace_id, wait_until

DECLARED = (Path(__file__).resolve().parents[2] / "shared/contract/src/log.rs").read_text()
FIELDS = {name: kind == "always" for kind, name in re.findall(r'(always|sometimes)\(\s*"(\w+)"', DECLARED)}
METRICS = set(re.findall(r'Metric \{\s*name: "(\w+)"', DECLARED))
PLATFORM = re.compile(r"(START|END|REPORT|INIT_START) ")
PRICE = 42_000


def lines_of(world):
    for line in world.log_lines(0):
        if not PLATFORM.match(line["text"]):
            yield {name: value for name, value in line.items() if name not in ("function", "text")}, line["text"]


def test_every_line_has_the_declared_fields_and_no_others(world):
    seen = 0
    for line, text in lines_of(world):
        seen += 1
        assert line.keys() <= FIELDS.keys(), text
        assert line.keys() >= {name for name, always in FIELDS.items() if always}, text
        if "millis" in line:
            assert tracing.TRACE.fullmatch(line["trace_id"]) and "status" in line, text
    assert seen > 50


def test_a_request_chooses_nothing_that_a_line_names(world):
    mark, since = "Runtime.Planted", time.time() - 60
    answer = world.api.get("/.well-known/jwks.json", params={"specversion": "1", "type": mark})
    assert answer.status_code == 400, answer.text
    trace = answer.json()["traceId"]

    def told():
        lines = world.log_lines(since, "membership.getSigningKeys")
        return [line for line in lines if line.get("trace_id") == trace]

    for line in wait_until(told, what="the call's line"):
        assert mark not in line["text"]


def test_lines_that_count_say_so_as_cloudwatch_wants_it(world):
    counted = set()
    for line, text in lines_of(world):
        told = line.get("_aws", {"CloudWatchMetrics": []})
        for directive in told["CloudWatchMetrics"]:
            [metric], [dimensions] = directive["Metrics"], directive["Dimensions"]
            assert directive["Namespace"] == world.outputs["name"] and metric["Name"] in METRICS, text
            assert all(isinstance(line[name], str) for name in dimensions), text
            values = line[metric["Name"]]
            assert all(isinstance(value, int) for value in (values if isinstance(values, list) else [values])), text
            counted.add(metric["Name"])
        # What counts and does not say so would be lost.
        assert METRICS & line.keys() <= {metric["Name"] for one in told["CloudWatchMetrics"] for metric in one["Metrics"]}, text
    assert {"refusals", "reached", "won"} <= counted


@pytest.fixture(scope="module")
def silent(world):
    """A payment that needs a recharge, while the bank moves money and never says so; its trace, once it has ended."""
    payer, shop = world.member(), world.open_franchise(world.member(kind="corporate"))
    world.tell_bank(payer.account, "timeout")
    traceparent = new_traceparent()
    body = order(shop, PRICE, bankAccountId=payer.bank_account_id)
    answer = payer.post("/v1/payments", body, key=new_key(), headers={"traceparent": traceparent})
    assert answer.status_code == 202, answer.text
    payment = answer.json()["paymentId"]
    ended = lambda: payer.get(f"/v1/payments/{payment}").json()["state"] == "normal"
    wait_until(ended, 90, f"{payment} paid")
    return payment, trace_id(traceparent)


def test_one_command_tells_a_payment_whose_bank_fell_silent(world, silent):
    payment, trace = silent
    logs = world.client("logs")
    groups = tracing.groups_of(logs, world.outputs["name"])
    wanted = {
        ("payment.requestPayment", "begins", ""), ("payment.requestPayment", "call", "money.increaseMoneyRequest"),
        ("banking.requestFirmbanking", "bank", "PUT"), ("banking.requestFirmbanking", "commit", "firmbanking unknown"),
        ("banking.relayOutbox", "queue", "banking.inquireFirmbanking"), ("banking.inquireFirmbanking", "bank", "GET"),
        ("banking.relayOutbox", "fact", "banking.firmbankingSucceeded.v1"), ("money.onFirmbankingSucceeded", "begins", "fact"),
        ("money.onFirmbankingSucceeded", "entry", "entry recharge 50000 won"), ("payment.sweepPayments", "commit", "payment normal"),
        ("money.transferMoney", "entry", f"entry payment {PRICE} won"), ("money.relayOutbox", "fact", "money.transferred.v1"),
    }

    def whole():
        story, traces = tracing.tell(logs, groups, payment, time.time() - 600, time.time() + 60)
        # Another look at it is no part of its story.
        assert traces == [trace]
        assert [moment.at for moment in story] == sorted(moment.at for moment in story)
        missing = {one for one in wanted if not any((m.who, m.kind) == one[:2] and m.what.startswith(one[2]) for m in story)}
        return story if not missing else None

    story = wait_until(whole, 30, f"the whole story of {payment}")
    silence = next(moment for moment in story if moment.kind == "bank")
    assert silence.bad and silence.ms >= 4_000
    assert "banking-xbank" in tracing.mermaid(story)
    # The transfer at the bank, the request and the trace itself tell the same.
    assert tracing.tell(logs, groups, trace, time.time() - 600, time.time() + 60)[0] == story
