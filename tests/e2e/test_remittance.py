"""Remittances over HTTP: to a member by id and by email and to an account at the bank, with and without a recharge,
and what becomes of them when the receiver, the balance or the bank says no."""

import pytest
from world import assert_problem, new_key, wait_until, won


@pytest.fixture(scope="module")
def pair(world):
    """Two members with linked accounts and wallets, the first with money in it."""
    sender, receiver = world.members(2)
    assert sender.recharge(100_000).status_code == 201
    assert receiver.recharge(1_000).status_code == 201
    return sender, receiver


def to(member):
    return {"kind": "member", "membershipId": member.id}


def to_email(email):
    return {"kind": "email", "email": email}


def to_account(member):
    return {"kind": "bankAccount", "accountNumber": member.account, "holder": member.name}


def remit(sender, receiver, amount, key=None, **more):
    body = {"to": receiver, "amount": won(amount), **more}
    return sender.post("/v1/remittances", body, key=key or new_key())


def ended(member, answer):
    """The remittance once it is final, which nobody helps it to become."""

    def final():
        found = member.get(answer.headers["location"]).json()
        return found if found["state"] in ("completed", "failed") else None

    return wait_until(final, what=f"{answer.headers['location']} final")


def listed(member, **query):
    return member.items("/v1/remittances", limit=2, **query)


def test_money_goes_to_a_member_by_id_and_by_email(pair):
    sender, receiver = pair
    before = sender.won(), receiver.won()
    for named in (to(receiver), to_email(receiver.email.upper())):
        answer = remit(sender, named, 1_500)
        assert answer.status_code == 201, answer.text
        assert (answer.json()["state"], answer.json()["to"]) == ("completed", to(receiver))
        assert sender.get(answer.headers["location"]).json() == answer.json()
        seen = receiver.get(answer.headers["location"]).json()
        assert (seen["direction"], seen["membershipId"], seen["amount"]) == ("received", sender.id, won(1_500))
        assert "requestedAt" not in seen and "topUp" not in seen
    assert (sender.won(), receiver.won()) == (before[0] - 3_000, before[1] + 3_000)


def test_somebody_elses_remittance_is_not_there(pair, hana):
    sender, receiver = pair
    place = remit(sender, to(receiver), 100).headers["location"]
    assert_problem(hana.get(place), 404, "not_found")


def test_money_goes_to_an_account_at_the_bank(world, pair):
    sender, receiver = pair
    before, at_the_bank = sender.won(), receiver.at_the_bank().balance
    answer = remit(sender, to_account(receiver), 2_000)
    assert answer.status_code == 201, answer.text
    shown = answer.json()["to"]
    assert shown == {"kind": "bankAccount", "maskedAccountNumber": "*********" + receiver.account[-4:]}
    assert (sender.won(), sender.balance()["held"]) == (before - 2_000, won(0))
    assert receiver.at_the_bank().balance == at_the_bank + 2_000
    # The account is not one of the sender's.
    own = [account["bankAccountId"] for account in sender.get("/v1/bank-accounts").json()["items"]]
    assert own == [sender.bank_account_id]
    stored = str(world.scan("remittance"))
    assert receiver.account not in stored and receiver.email not in stored


def test_what_the_balance_lacks_is_recharged_in_steps_of_ten_thousand(world, pair):
    _, receiver = pair
    for named in ({}, {"bankAccountId": None}):
        member = world.member()
        assert member.recharge(3_000).status_code == 201
        more = {"bankAccountId": member.bank_account_id} if named else {}
        answer = remit(member, to(receiver), 15_000, **more)
        assert answer.status_code == 201, answer.text
        assert answer.json()["topUp"] == {"bankAccountId": member.bank_account_id, "amount": won(20_000)}
        assert member.won() == 8_000


def test_the_same_key_is_the_same_remittance(pair):
    sender, receiver = pair
    before, key = sender.won(), new_key()
    first, again = (remit(sender, to(receiver), 700, key=key) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert_problem(remit(sender, to(receiver), 701, key=key), 422, "idempotency_key_reused")
    assert sender.won() == before - 700


def test_who_cannot_receive_gets_nothing(world, pair):
    sender, receiver = pair
    before = sender.won()
    for named, code in (
        (to(sender), "remittance_to_oneself"),
        (to_email(sender.email), "remittance_to_oneself"),
        (to_email("nobody@planted.example"), "receiver_not_found"),
        ({"kind": "member", "membershipId": "mbr_01J00000000000000000000000"}, "receiver_not_found"),
        ({**to_account(receiver), "accountNumber": "99988877766655"}, "account_unknown_to_bank"),
        ({**to_account(receiver), "holder": "다른 사람"}, "holder_mismatch"),
    ):
        assert_problem(remit(sender, named, 500), 422, code)
    assert_problem(remit(sender, to(receiver), 2_000_001), 422, "each_limit_exceeded")
    poor = world.stranger()
    poor.post("/v1/money/wallets")
    assert_problem(remit(poor, to(receiver), 500), 422, "insufficient_balance")
    assert (sender.won(), sender.balance()["held"]) == (before, won(0))


def test_a_bank_that_declines_gives_the_held_money_back(world, pair):
    sender, _ = pair
    payee = world.member()
    world.tell_bank(payee.account, "decline")
    before = sender.won()
    answer = remit(sender, to_account(payee), 2_500)
    assert_problem(answer, 422, "bank_declined")
    record = sender.get(answer.headers["location"]).json()
    assert (record["state"], record["failureReason"]) == ("failed", "declined_by_bank")
    assert (sender.won(), sender.balance()["held"]) == (before, won(0))


@pytest.mark.late
def test_a_silent_bank_is_waited_for(world, pair):
    sender, _ = pair
    payee = world.member()
    before, at_the_bank = sender.won(), payee.at_the_bank().balance
    world.tell_bank(payee.account, "timeout")
    answer = remit(sender, to_account(payee), 2_500)
    assert (answer.status_code, answer.json()["state"]) == (202, "bankUnknown"), answer.text
    assert sender.balance()["held"] == won(2_500)
    assert ended(sender, answer)["state"] == "completed"
    assert (sender.won(), sender.balance()["held"]) == (before - 2_500, won(0))
    assert payee.at_the_bank().balance == at_the_bank + 2_500


def test_both_directions_are_listed_newest_first(world):
    one, other = world.members(2)
    assert one.recharge(10_000).status_code == 201
    sent = [remit(one, to(other), amount).json()["remittanceId"] for amount in (3_000, 2_000)]
    back = remit(other, to(one), 1_000).json()["remittanceId"]
    assert_problem(remit(one, to(one), 1_000), 422, "remittance_to_oneself")

    def ids(member, **query):
        return [item["remittanceId"] for item in listed(member, **query)]

    # An index follows its table a little later.
    wait_until(lambda: ids(one) == [back, *sent[::-1]], what="the history complete")
    assert ids(one, direction="sent") == ids(other, direction="received") == sent[::-1]
    assert ids(one, direction="received") == ids(other, direction="sent") == [back]
    first = one.get(f"/v1/remittances/{sent[0]}").json()["completedAt"]
    assert ids(one, to=first) == []
    assert ids(one, **{"from": first, "direction": "sent,received"}) == [back, *sent[::-1]]
    assert_problem(one.get("/v1/remittances?direction=both"), 400, "validation_failed")
