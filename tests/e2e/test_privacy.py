"""What was planted is nowhere in the clear. Runs last: it looks for every email, name, address, account number,
password and token that any test made up, in every place where Pay keeps or writes something."""

import base64
import json
import os
import re
from pathlib import Path
from urllib.parse import quote, quote_plus

import ahocorasick_rs
import pytest


@pytest.fixture(scope="module")
def planted(world):
    keys = world.signing_keys()
    secrets = [("a signing key", keys[name]["private"].splitlines()[5]) for name in ("previous", "current", "next")]
    secrets += [(name, world.secret(name)) for name in world.outputs["secrets"] if name.endswith("-key")]
    found = {}
    for what, value in [*world.planted, *secrets]:
        found.setdefault(value, what)
    assert {"email", "name", "address", "password", "account number", "access token"} <= set(found.values())
    return found


def forms(value):
    """How a text may be written: as it is, as JSON escapes it, in a URL, in base64 at any offset, in hexadecimal."""
    escaped = json.dumps(value)[1:-1]
    raw = value.encode()
    yield from (value, escaped, escaped.replace("\\", "\\\\"), quote(value), quote_plus(value), raw.hex(), raw.hex().upper())
    for offset in range(3):
        # Whole groups only, so that what stands around the value does not matter.
        whole = base64.b64encode(b"\0" * offset + raw).decode()[(4 if offset else 0) : -4]
        if len(whole) > 8:
            yield from (whole, whole.replace("+", "-").replace("/", "_"))


class Search:
    """Looks for every form of every planted value in one pass. An email is one however it is capitalised."""

    def __init__(self, planted):
        self.meanings = {form: f"{what}: {value}" for value, what in planted.items() for form in forms(value)}
        self.folded = {value.casefold(): f"{what}: {value}" for value, what in planted.items() if what == "email"}
        self.finders = [ahocorasick_rs.AhoCorasick(list(known)) for known in (self.meanings, self.folded)]

    def __call__(self, text):
        exactly, folded = self.finders
        found = {self.meanings[form] for form in exactly.find_matches_as_strings(text, overlapping=True)}
        return found | {self.folded[form] for form in folded.find_matches_as_strings(text.casefold(), overlapping=True)}


@pytest.fixture(scope="module")
def leaks(planted):
    return Search(planted)


def test_the_search_finds_each_form_in_the_midst_of_others(planted, leaks):
    """Without this, finding nothing would show nothing."""
    for value, what in planted.items():
        for form in forms(value):
            assert f"{what}: {value}" in leaks(f"{{before {form} after}}"), form
    email = next(value for value, what in planted.items() if what == "email")
    for hidden in (email.upper(), json.dumps({"a": json.dumps([email])}), quote(f"a={email}&b"), f"ab{email}c".encode().hex(),
                   base64.b64encode(f"ab{email}c".encode()).decode()):
        assert leaks(hidden), hidden


def test_no_table_of_pay_has_it_in_the_clear(world, leaks):
    for service in world.outputs["tables"]:
        if service == "bank-simulator":
            continue  # another company's, and everything in it is invented
        text = json.dumps(world.scan(service), ensure_ascii=False, default=str)
        assert any(mark in text for mark in ("mbr_", "bka_", "wal_"))
        assert not leaks(text), service


def test_no_log_has_it(world, leaks):
    lines = world.log_lines(0)
    text = "\n".join(line["text"] for line in lines)
    assert "increaseMoneyRequest answered" in text and len(lines) > 100
    assert not leaks(text)
    assert "panicked" not in text
    logs = world.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        if group["logGroupName"].startswith("/aws/lambda/"):
            continue
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        text = "\n".join(event["message"] for page in pages for event in page["events"])
        assert not leaks(text), group["logGroupName"]


def test_every_log_line_of_ours_is_one_json_object_with_its_trace(world):
    platform = re.compile(r"(START|END|REPORT|INIT_START) ")
    for line in world.log_lines(0):
        if platform.match(line["text"]):
            continue
        assert "level" in line, line["text"]
        if "answered" in line.get("message", "") or "refused" in line.get("message", ""):
            assert {"service", "operation", "trace_id", "millis"} <= line.keys() or "bank" in line["message"], line["text"]


def test_no_fact_has_it(world, bus, leaks):
    facts = bus.drain()
    assert len(facts) > 20
    assert not leaks(json.dumps(bus.events, ensure_ascii=False))


def test_no_queue_holds_it(world, leaks):
    sqs = world.client("sqs")
    for name, url in {**world.outputs["queues"], **world.outputs["dead_letter_queues"]}.items():
        letters = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        assert not leaks(json.dumps(letters, ensure_ascii=False)), name


def test_terraforms_state_has_no_secret(world, leaks):
    s3 = world.client("s3")
    state = s3.get_object(Bucket="pay-terraform-state", Key="pay.tfstate")["Body"].read().decode()
    assert "aws_secretsmanager_secret_version" in state
    files = [Path(os.environ[name]).read_text() for name in ("PAY_PLAN", "PAY_OUTPUTS") if name in os.environ]
    files += [(world.cloud.folder / name).read_text() for name in ("apply.log", "pay.tfvars.json")]
    for text in (state, *files):
        assert not leaks(text)
        assert "PRIVATE KEY" not in text


def test_no_function_has_it_in_its_settings(world, leaks):
    pages = world.client("lambda").get_paginator("list_functions").paginate()
    functions = [function for page in pages for function in page["Functions"]]
    assert len(functions) >= len(world.outputs["functions"])
    assert not leaks(json.dumps(functions, ensure_ascii=False, default=str))


def test_no_run_of_a_workflow_tells_it(world, leaks):
    """What goes in and out of every state is kept for 90 days, and shown to whoever may look at executions."""
    flow = world.client("stepfunctions")
    histories = []
    for machine in world.outputs["state_machines"].values():
        for page in flow.get_paginator("list_executions").paginate(stateMachineArn=machine):
            for run in page["executions"]:
                shown = flow.describe_execution(executionArn=run["executionArn"])
                pages = flow.get_paginator("get_execution_history").paginate(executionArn=run["executionArn"])
                events = [event for page in pages for event in page["events"]]
                histories.append(json.dumps([shown, events], ensure_ascii=False, default=str))
    assert histories, "nothing was settled before this"
    assert not leaks("\n".join(histories))


def test_no_statement_has_it(world, leaks):
    """What a merchant downloads, and may give to their accountant."""
    operator = world.operator()
    franchises = {item["franchiseId"] for item in world.scan("settlement") if item["kind"] == "line"}
    assert franchises, "nothing was settled before this"
    for franchise in sorted(franchises)[:10]:
        newest = operator.get("/v1/settlements", params={"franchiseId": franchise, "limit": 1}).json()["items"][0]
        answer = operator.get(f"/v1/settlements/{newest['settlementId']}/statement")
        assert answer.status_code == 200 and answer.text.startswith("\ufeffkind,"), answer.text[:100]
        assert not leaks(answer.text)


def test_no_url_carried_it(world, leaks):
    """The cloud's own log names every path that was asked for. Looking into the simulated bank is the tests' doing."""
    text = world.cloud.log.read_text(errors="replace")
    lines = [line for line in text.splitlines() if "/execute-api/bank/v1/accounts/1" not in line]
    asked = [line for line in lines if "/_aws/execute-api/" in line]
    assert any("/bank/v1/transfers/" in line for line in asked) and any("/pay/v1/" in line for line in asked)
    assert not leaks("\n".join(lines))
