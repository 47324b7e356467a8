"""What brings back what was lost: a replay, a redrive, an old table. Each by its command, as docs/recovery.md tells it."""

import contextlib
import json
import re
from datetime import datetime, timedelta, timezone

import pytest
from conftest import ROOT
from operate import dead_letters, restore
from world import new_key, pay, wait_until

SOURCES = ROOT / "functions"


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@contextlib.contextmanager
def deaf(world, operation):
    """No fact reaches the operation's queue, and EventBridge does not keep it: as if it were lost on the way."""
    events, rule = world.client("events"), world.outputs["functions"][operation]
    events.disable_rule(Name=rule, EventBusName=world.outputs["bus"])
    try:
        yield
    finally:
        events.enable_rule(Name=rule, EventBusName=world.outputs["bus"])


def test_a_replay_brings_a_lost_fact_and_nothing_else(world, bus, hana):
    """A member without a wallet, because nobody heard of the registration. Everybody else hears everything twice."""
    began = now()
    with deaf(world, "money.onMembershipRegistered"):
        member = world.stranger()
        assert hana.recharge(7_000).status_code == 201
        bus.wait_for("membership.registered.v1", membershipId=member.id)
        world.quiet()
        assert not member.has_wallet()
    before = hana.won(), hana.history(), world.snapshot("money-query", of=(hana.id,))
    pay(world, "replay", began)
    wait_until(member.has_wallet, what="the wallet after the replay")
    world.quiet()
    assert (hana.won(), hana.history(), world.snapshot("money-query", of=(hana.id,))) == before


def test_a_relays_pointer_is_redriven_by_republishing(world, bus):
    """What AWS leaves of a batch that a relay gave up: where in the stream it was. Its records are read from the table."""
    member = world.stranger()
    fact = bus.wait_for("membership.registered.v1", membershipId=member.id)
    pointer = {
        "version": "1.0",
        "timestamp": now(),
        "requestContext": {
            "requestId": new_key(),
            "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{world.outputs['functions']['membership.relayOutbox']}:live",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 101,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001", "startSequenceNumber": "1", "endSequenceNumber": "2", "batchSize": 1,
            "approximateArrivalOfFirstRecord": now(), "approximateArrivalOfLastRecord": now(),
            "streamArn": "arn:aws:dynamodb:us-east-1:000000000000:table/pay-membership/stream/2026-01-01T00:00:00.000",
        },
    }
    leave(world, "membership", json.dumps(pointer))
    assert dead_letters.counts(world) == {"membership.relayOutbox (pointer)": 1}
    assert "membership.relayOutbox: 1 redriven" in pay(world, "redrive")
    again = wait_until(lambda: [heard for heard in bus.drain() if heard["id"] == fact["id"]][1:], what="the same fact again")
    assert again[0] == fact
    assert world.dead_letters("membership.relayOutbox") == 0


def test_a_missed_schedule_is_redriven_by_running_it(world):
    name = "pay-money-sweepMoneyRequests"
    attributes = {
        "SCHEDULE_ARN": f"arn:aws:scheduler:us-east-1:000000000000:schedule/default/{name}",
        "TARGET_ARN": f"arn:aws:lambda:us-east-1:000000000000:function:{name}:live",
        "ERROR_CODE": "AWS.Scheduler.ServiceUnavailable",
    }
    leave(world, "money", "{}", {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()})
    assert dead_letters.counts(world) == {"money.sweepMoneyRequests (schedule)": 1}
    assert "money.sweepMoneyRequests: 1 redriven" in pay(world, "redrive")
    assert world.dead_letters("money.sweepMoneyRequests") == 0


def leave(world, service, body, attributes=None):
    world.client("sqs").send_message(
        QueueUrl=world.outputs["dead_letter_queues"][service], MessageBody=body, MessageAttributes=attributes or {},
    )


def test_entries_that_were_lost_and_spoilt_come_back_from_an_old_table(world):
    """Somebody deletes an entry of the ledger and changes another one. Whoever goes on paying meanwhile loses nothing."""
    member, other = world.member(), world.member()
    for amount in (11_000, 12_000, 13_000):
        assert member.recharge(amount).status_code == 201
    world.quiet()
    whole = member.history()
    # The local cloud copies the table as it is now, whatever moment is asked for.
    at = (datetime.now(timezone.utc) - timedelta(seconds=1)).isoformat(timespec="seconds")
    assert "nothing was written" in pay(world, "restore", "money", at)
    tables, table = world.client("dynamodb"), world.outputs["tables"]["money"]
    entries = tables.query(
        TableName=table, KeyConditionExpression="pk = :wallet", ExpressionAttributeValues={":wallet": {"S": member.balance()["walletId"]}},
    )["Items"]
    lost, spoilt = entries[1], entries[2]
    tables.delete_item(TableName=table, Key={"pk": lost["pk"], "sk": lost["sk"]})
    tables.put_item(TableName=table, Item={**spoilt, "balance": {"N": "999999"}})
    assert other.recharge(5_000).status_code == 201

    said = pay(world, "restore", "money", at)
    assert "1 of kind entry are missing" in said and "1 of kind entry are damaged" in said, said
    assert "2 items put back" in pay(world, "restore", "money", at, "--put")
    assert member.history() == whole
    assert other.won() == 5_000
    said = pay(world, "restore", "money", at)
    assert "are missing" not in said and "are damaged" not in said, said
    pay(world, "restore", "money", at, "--drop")
    assert restore.copy_of(world, "money", at) not in tables.list_tables()["TableNames"]


def test_a_read_model_is_not_restored(world):
    with pytest.raises(AssertionError, match="rebuild-read-model"):
        pay(world, "restore", "money-query", now())


def test_every_kind_that_a_restore_knows_is_one_that_the_sources_have():
    for known in (restore.FIXED, restore.PASSING):
        for service, kinds in known.items():
            source = (SOURCES / service / "src/items.rs").read_text()
            assert kinds <= set(re.findall(r'KIND: &\'static str = "(\w+)"', source)), service


def test_what_expires_by_itself_is_known_to_a_restore():
    """Its records come back by no restore: somebody may have logged out of that session, or used that link."""
    for service in (path.parent for path in SOURCES.glob("*/src")):
        source = (service / "src/items.rs").read_text() if (service / "src/items.rs").exists() else ""
        for record in re.split(r"\nimpl Record for ", source)[1:]:
            if "fn expires_at_seconds" in record:
                kind = re.search(r'KIND: &\'static str = "(\w+)"', record).group(1)
                assert kind in restore.PASSING.get(service.name, ()), (service.name, kind)
