"""Events as they really come: twice, late, too early, spoilt, and again from the tables."""

import contextlib
import json
import time

import pytest
from conftest import ROOT
from jsonschema import Draft202012Validator
from operate import dead_letters
from system import terraform
from world import new_key, new_traceparent, pay, wait_until

# Which handler listens to which fact is in the table of operations.
OPERATIONS = terraform.table()["operations"]
LISTENERS = [(name, fact) for name, operation in OPERATIONS.items() for fact in operation["subscribes"]]
# Only facts that somebody listens to are published.
HEARD_SERVICES = sorted({fact.split(".")[0] for _, fact in LISTENERS})


@pytest.fixture(scope="module")
def lived(world, bus):
    """A member with a bit of everything behind them, so that there is a fact of each kind that concerns them."""

    class Lived:
        began = time.time()
        person, answer = world.register(path="/v1/memberships/by-event")
        id = answer.json()["membershipId"]

    wait_until(lambda: bus.of("membership.registered.v1", membershipId=Lived.id), what="the member")
    own = {name: Lived.person[name] for name in ("name", "email", "password", "address")}
    member = type(world.people[0] if world.people else world.stranger())(world, Lived.id, **own)
    member.log_in()
    number = member.open_account()
    linking = member.link(number, path="/v1/bank-accounts/by-event")
    member.account, member.bank_account_id = number, linking.json()["bankAccountId"]
    wait_until(lambda: member.get(linking.headers["location"]).json()["state"] == "linked", what="the link")
    for by_event in (True, False):
        request = member.recharge(20_000, by_event=by_event).json()
        member.settled(request["moneyRequestId"])
        request = member.withdraw(5_000, by_event=by_event).json()
        member.settled(request["moneyRequestId"])
    assert member.call("PATCH", f"/v1/memberships/{member.id}", {"address": "부산광역시 해운대구 센텀남대로 35"}).status_code == 200
    world.transfer(member, world.stranger(), 1_000)
    world.tell_bank(number, "decline", transfers=1)
    failed = member.recharge(1_000)
    assert failed.status_code == 422
    operator = world.operator()
    linked = {"kind": "linked", "bankAccountId": member.bank_account_id, "membershipId": member.id}
    order = {"source": {"kind": "corporate"}, "destination": linked, "amount": {"amount": 3_000, "currency": "KRW"}}
    moved = operator.post("/v1/firmbankings/by-event", order, key=new_key())
    wait_until(lambda: operator.get(moved.headers["location"]).json()["state"] == "succeeded", what="the firmbanking")
    merchant = world.member(kind="corporate")
    shop = f"/v1/franchises/{world.open_franchise(merchant)}"
    weekly = {"settlementCycle": {"kind": "weekly", "weekday": "monday"}}
    assert merchant.call("PATCH", shop, weekly).status_code == 200
    assert merchant.call("DELETE", shop).status_code in (200, 204)
    leaver = world.stranger()
    assert leaver.call("DELETE", f"/v1/memberships/{leaver.id}").status_code == 204
    Lived.member = member
    world.quiet()
    bus.drain()
    return Lived


def state_of(world, member):
    """Everything that there is of a member, in Pay and at the bank."""
    marks = (member.id, member.bank_account_id)
    items = [item for item in world.snapshot().values() if any(mark in str(item) for mark in marks)]
    # The read model names wallets only; nothing at all of it may change.
    return items, world.snapshot("money-query"), member.history(), member.at_the_bank()


@pytest.mark.parametrize("handler, fact", LISTENERS, ids=[f"{handler} {fact}" for handler, fact in LISTENERS])
def test_a_fact_that_comes_again_changes_nothing(world, bus, lived, handler, fact):
    """The same message, put into the handler's queue again as SQS and EventBridge may do."""
    mine = [
        event for event in bus.events
        if event["detail"]["type"] == fact and event["detail"]["time"] >= iso(lived.began)
    ]
    assert mine, f"nobody has published {fact}"
    before = state_of(world, lived.member)
    for event in (*mine[-5:], *mine[-5:]):
        world.send(handler, event)
    world.until_drained(handler)
    assert world.dead_letters(handler) == 0
    assert state_of(world, lived.member) == before


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".000Z"


def test_facts_in_the_wrong_order_end_in_the_same_state(world, bus, lived):
    """All facts about one member once more, newest first."""
    before = state_of(world, lived.member)
    facts = [event for event in bus.events if event["detail"]["time"] >= iso(lived.began)]
    for event in sorted(facts, key=lambda event: event["detail"]["time"], reverse=True):
        for handler, kind in LISTENERS:
            if kind == event["detail"]["type"]:
                world.send(handler, event)
    world.until_drained(*(handler for handler, _ in LISTENERS))
    assert state_of(world, lived.member) == before


def test_a_success_that_comes_before_the_bank_is_certain_credits_nothing(world, bus, lived):
    """A fact only says where to look: the handler asks banking, and banking asks the bank."""
    member = world.member()
    world.tell_bank(member.account, "down")
    request = member.recharge(9_000).json()
    assert request["state"] == "bankUnknown"
    success = json.loads(json.dumps(next(
        event for event in bus.events if event["detail"]["type"] == "banking.firmbankingSucceeded.v1"
    )))
    success["detail"]["data"]["reference"] = f"{request['moneyRequestId']}/bank"
    success["detail"]["id"] = new_key()
    world.send("money.onFirmbankingSucceeded", success)
    world.until_drained("money.onFirmbankingSucceeded")
    assert member.won() == 0
    assert member.request(request["moneyRequestId"])["state"] == "bankUnknown"
    world.tell_bank(member.account, "normal")
    assert member.settled(request["moneyRequestId"], 90)["state"] == "succeeded"
    assert member.won() == 9_000


@contextlib.contextmanager
def impatient(world, operation):
    """Failed messages of an operation's queue come back after a second, so that five attempts take no minutes."""
    sqs, url = world.client("sqs"), world.outputs["queues"][operation]
    kept = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=kept)


def purge(world, url):
    sqs = world.client("sqs")
    while letters := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for letter in letters:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])


@pytest.mark.parametrize(
    "poison",
    ["not JSON", "{}", '{"detail-type": "membership.registered.v1", "detail": {}}', '{"operation": "money.transferMoney", "traceparent": "", "body": {}}'],
    ids=["no JSON", "nobody's", "an empty fact", "another operation's"],
)
def test_poison_ends_in_the_dead_letter_queue_and_lets_others_pass(world, poison):
    handler = "money.onMembershipRegistered"
    dead = world.outputs["dead_letter_queues"][handler.split(".")[0]]
    assert world.dead_letters(handler) == 0
    with impatient(world, handler):
        world.send(handler, poison)
        member = world.stranger()
        wait_until(member.has_wallet, what="the wallet of a member behind the poison")
        wait_until(lambda: world.dead_letters(handler) == 1, 60, "the poison among the dead letters")
        world.until_drained(handler)
    assert dead_letters.counts(world) == {f"{handler} (message)": 1}
    [letter] = world.client("sqs").receive_message(QueueUrl=dead)["Messages"]
    assert letter["Body"] == poison
    world.client("sqs").delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])


def test_what_died_of_an_outage_is_redriven_and_then_done(world):
    """The handler's permission is taken away for a while, as an outage would, and given back."""
    handler = "money.onMembershipRegistered"
    role = world.outputs["functions"][handler]
    iam = world.client("iam")
    policy = iam.get_role_policy(RoleName=role, PolicyName="operation")["PolicyDocument"]
    with impatient(world, handler):
        nothing = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*",
        }]}
        iam.put_role_policy(RoleName=role, PolicyName="outage", PolicyDocument=json.dumps(nothing))
        try:
            member = world.stranger()
            wait_until(lambda: world.dead_letters(handler) == 1, 60, "the dead letter")
            assert not member.has_wallet()
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="outage")
    assert iam.get_role_policy(RoleName=role, PolicyName="operation")["PolicyDocument"] == policy
    pay(world, "redrive")
    wait_until(member.has_wallet, what="the wallet after the redrive")
    assert world.dead_letters(handler) == 0


def test_an_unreadable_item_does_not_hold_up_the_facts_behind_it(world, bus):
    """The relay queues its key; once it is readable, or gone, redrive deals with it."""
    table = world.outputs["tables"]["membership"]
    key = {"pk": {"S": f"member#{new_key()}"}, "sk": {"S": "profile"}}
    dynamodb = world.client("dynamodb")
    with impatient(world, "membership.republish"):
        dynamodb.put_item(TableName=table, Item={**key, "kind": {"S": "member"}, "nonsense": {"BOOL": True}})
        try:
            member = world.stranger()
            bus.wait_for("membership.registered.v1", membershipId=member.id)
            wait_until(lambda: world.dead_letters("membership.republish") == 1, 60, "the key among the dead letters")
        finally:
            dynamodb.delete_item(TableName=table, Key=key)
    pay(world, "redrive")
    world.until_drained("membership.republish")
    assert world.dead_letters("membership.republish") == 0


@pytest.mark.parametrize("service", HEARD_SERVICES)
def test_republishing_gives_the_same_ids_and_changes_nothing(world, bus, lived, service):
    before = state_of(world, lived.member)
    known = {fact["id"]: fact for fact in bus.drain()}
    heard = len(bus.facts)
    since, published, after = iso(lived.began), 0, None
    while True:
        body = {"from": since, **({"after": after} if after else {})}
        answer = world.call(f"{service}.republish", body)
        published += answer["published"]
        after = answer["after"]
        if after is None:
            break
    assert published > 0
    wait_until(lambda: len(bus.drain()) >= heard + published, what="all of it on the bus again")
    again = [fact for fact in bus.facts[heard:] if fact["source"] == f"pay.{service}"]
    assert len(again) >= published
    for fact in again:
        assert known.get(fact["id"]) == fact, f"{fact['type']} has another id or other contents than the first time"
    world.until_drained(*(handler for handler, _ in LISTENERS))
    assert state_of(world, lived.member) == before


def test_nothing_was_left_among_the_dead_letters(world):
    left = {name: world.waiting(url) for name, url in world.outputs["dead_letter_queues"].items()}
    assert not any(left.values()), left


def test_facts_follow_their_schemas(world, bus, lived):
    facts = bus.drain()
    assert {fact["type"] for fact in facts} >= {fact for _, fact in LISTENERS}
    for fact in facts:
        assert fact.keys() == {"id", "source", "type", "specversion", "time", "subject", "traceparent", "data"}
        schema = json.loads((ROOT / f"events/schemas/{fact['type']}.json").read_text())
        errors = [error.message for error in Draft202012Validator(schema).iter_errors(fact["data"])]
        assert not errors, (fact["type"], errors)


def test_a_direct_call_for_another_operation_is_refused(world):
    call = {
        "operation": "money.transferMoney", "caller": "operations", "traceparent": new_traceparent(),
        "body": {"email": "nobody@planted.example"},
    }
    answer, _ = world.invoke("membership.grantOperator", call)
    assert answer["refused"]["code"] == "internal_error"
