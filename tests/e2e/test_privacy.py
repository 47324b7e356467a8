"""What was planted is nowhere in the clear. Runs last: it looks for every email, name, address, account number,
password and token that any test made up, in every place where Pay keeps or writes something."""

import base64
import json
import re

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
    """How a text may be written: as it is, as JSON escapes it, in base64 at any offset, in hexadecimal."""
    yield value
    escaped = json.dumps(value)[1:-1]
    if escaped != value:
        yield escaped
        yield escaped.replace("\\", "\\\\")
    raw = value.encode()
    yield raw.hex()
    for offset in range(3):
        # Whole groups only, so that what stands around the value does not matter.
        whole = base64.b64encode(b"\0" * offset + raw).decode()[(4 if offset else 0) : -4]
        if len(whole) > 8:
            yield whole


def leaks(planted, text):
    found = set()
    folded = text.casefold()
    for value, what in planted.items():
        for form in forms(value):
            if form in text or (what == "email" and form.casefold() in folded):
                found.add(f"{what}: {value}")
    return found


def test_no_table_of_pay_has_it_in_the_clear(world, planted):
    for service in world.outputs["tables"]:
        if service == "bank-simulator":
            continue  # another company's, and everything in it is invented
        text = json.dumps(world.scan(service), ensure_ascii=False, default=str)
        assert any(mark in text for mark in ("mbr_", "bka_", "wal_"))
        assert not leaks(planted, text), service


def test_no_log_has_it(world, planted):
    lines = world.log_lines(0)
    text = "\n".join(line["text"] for line in lines)
    assert "increaseMoneyRequest answered" in text and len(lines) > 100
    assert not leaks(planted, text)
    assert "panicked" not in text
    logs = world.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        if group["logGroupName"].startswith("/aws/lambda/"):
            continue
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        text = "\n".join(event["message"] for page in pages for event in page["events"])
        assert not leaks(planted, text), group["logGroupName"]


def test_every_log_line_of_ours_is_one_json_object_with_its_trace(world):
    platform = re.compile(r"(START|END|REPORT|INIT_START) ")
    for line in world.log_lines(0):
        if platform.match(line["text"]):
            continue
        assert "level" in line, line["text"]
        if "answered" in line.get("message", "") or "refused" in line.get("message", ""):
            assert {"service", "operation", "trace_id", "millis"} <= line.keys() or "bank" in line["message"], line["text"]


def test_no_fact_has_it(world, bus, planted):
    facts = bus.drain()
    assert len(facts) > 20
    assert not leaks(planted, json.dumps(bus.events, ensure_ascii=False))


def test_no_queue_holds_it(world, planted):
    sqs = world.client("sqs")
    for name, url in {**world.outputs["queues"], **world.outputs["dead_letter_queues"]}.items():
        letters = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        assert not leaks(planted, json.dumps(letters, ensure_ascii=False)), name


def test_terraforms_state_has_no_secret(world, planted):
    s3 = world.client("s3")
    state = s3.get_object(Bucket="pay-terraform-state", Key="pay.tfstate")["Body"].read().decode()
    assert "aws_secretsmanager_secret_version" in state
    assert not leaks(planted, state)
    assert "PRIVATE KEY" not in state


def test_no_url_carried_it(world, planted):
    """The cloud's own log names every path that was asked for. Looking into the simulated bank is the tests' doing."""
    text = world.cloud.log.read_text(errors="replace")
    lines = [line for line in text.splitlines() if "/execute-api/bank/v1/accounts/1" not in line]
    asked = [line for line in lines if "/_aws/execute-api/" in line]
    assert any("/bank/v1/transfers/" in line for line in asked) and any("/pay/v1/" in line for line in asked)
    assert not leaks(planted, "\n".join(lines))
