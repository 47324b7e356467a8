"""Payments over HTTP: paid, topped up, taken back in full and in part, and listed."""

from datetime import datetime, timedelta, timezone

import pytest
from world import assert_problem, business_day, new_key, order, together, wait_until, won


@pytest.fixture(scope="module")
def merchant(world):
    return world.member(kind="corporate")


@pytest.fixture(scope="module")
def payer(world):
    member = world.member()
    assert member.recharge(200_000).status_code == 201
    return member


@pytest.fixture(scope="module")
def shop(world, merchant):
    return world.open_franchise(merchant)


def paid(payer, shop, amount):
    answer = payer.post("/v1/payments", order(shop, amount), key=new_key())
    assert answer.status_code == 201, answer.text
    return answer.json()


def path_of(payment):
    return f"/v1/payments/{payment['paymentId']}"


def cancel(member, payment, body, key=None):
    return member.post(f"{path_of(payment)}/cancellations", body, key=key or new_key())


def test_a_payment_debits_the_wallet_and_is_shown_to_both(payer, merchant, shop):
    before = payer.won()
    body, key = order(shop, 15_000), new_key()
    answer = payer.post("/v1/payments", body, key=key)
    assert answer.status_code == 201, answer.text
    payment = answer.json()
    assert (payment["state"], payment["feeBps"], payment["amount"]) == ("normal", 250, won(15_000))
    assert answer.headers["location"] == path_of(payment)
    assert payer.won() == before - 15_000
    assert payer.get(path_of(payment)).json() == merchant.get(path_of(payment)).json() == payment
    again = payer.post("/v1/payments", body, key=key)
    assert (again.json(), again.headers["idempotent-replayed"]) == (payment, "true")
    other = payer.post("/v1/payments", {**body, "amount": won(15_001)}, key=key)
    assert_problem(other, 422, "idempotency_key_reused")
    assert payer.won() == before - 15_000


def test_the_fee_is_that_of_the_moment_of_the_request(world, operator, payer, merchant):
    shop = world.open_franchise(merchant)
    first = paid(payer, shop, 1_000)
    changed = operator.call("PATCH", f"/v1/franchises/{shop}", {"feeBps": 300, "feeFrom": business_day()})
    assert changed.status_code == 200, changed.text

    def at_the_new_fee():
        return paid(payer, shop, 1_000)["feeBps"] == 300

    wait_until(at_the_new_fee, what="the changed fee to be known to payment")
    assert payer.get(path_of(first)).json()["feeBps"] == 250


def test_a_payment_is_taken_back_in_parts_and_never_beyond_its_amount(payer, merchant, shop):
    before = payer.won()
    payment = paid(payer, shop, 10_000)
    part = cancel(payer, payment, {"amount": won(4_000), "reason": "customerRequest"})
    assert (part.status_code, part.json()["canceledAmount"]) == (201, won(4_000)), part.text
    assert_problem(cancel(payer, payment, {"amount": won(6_001)}), 422, "cancellation_exceeds_payment")
    rest = cancel(merchant, payment, {})
    assert (rest.status_code, rest.json()["canceledAmount"]) == (201, won(10_000)), rest.text
    assert [one["amount"] for one in rest.json()["cancellations"]] == [won(4_000), won(6_000)]
    assert_problem(cancel(payer, payment, {}), 409, "nothing_left_to_cancel")
    assert payer.won() == before


def test_many_at_once_take_back_what_was_paid_and_no_more(payer, merchant, shop):
    before = payer.won()
    payment = paid(payer, shop, 10_000)
    asks = [lambda who=who: cancel(who, payment, {"amount": won(3_000)}) for who in [payer, merchant] * 5]
    answers = together(*asks)
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [422] * 7, [a.text for a in answers]
    assert payer.won() == before - 1_000


def test_what_is_short_is_recharged_first(world, shop):
    payer = world.member()
    assert payer.recharge(3_000).status_code == 201
    paid(payer, shop, 15_000)
    assert payer.won() == 8_000
    named = payer.post("/v1/payments", order(shop, 9_000, bankAccountId=payer.bank_account_id), key=new_key())
    assert named.status_code == 201, named.text
    assert payer.won() == 9_000


def test_without_money_or_account_nothing_is_paid(world, shop):
    payer = world.member()
    assert payer.call("DELETE", f"/v1/bank-accounts/{payer.bank_account_id}").status_code == 204
    answer = payer.post("/v1/payments", order(shop, 1_000), key=new_key())
    assert_problem(answer, 422, "insufficient_balance")
    failed = payer.get(answer.headers["location"]).json()
    assert (failed["state"], failed["failureReason"]) == ("failed", "insufficient_balance")
    assert payer.get("/v1/payments").json()["items"] == []


def test_lists_are_newest_first_and_nothing_is_settled_by_hand(world, operator, merchant):
    shop, payer = world.open_franchise(merchant), world.member()
    assert payer.recharge(50_000).status_code == 201
    payments = [paid(payer, shop, 1_000 + place) for place in range(4)][::-1]
    ids = [payment["paymentId"] for payment in payments]
    now = datetime.now(timezone.utc)
    window = {"from": (now - timedelta(days=1)).isoformat(), "to": (now + timedelta(hours=1)).isoformat()}

    def listed(member, path, **query):
        return [payment["paymentId"] for payment in member.items(path, limit=3, **query)]

    assert listed(payer, "/v1/payments") == ids
    assert listed(merchant, "/v1/payments", franchiseId=shop) == ids
    assert listed(operator, "/v1/payments/normal", franchiseId=shop, **window) == ids
    assert listed(merchant, "/v1/payments/normal", franchiseId=shop, **window) == ids
    # Only a settlement finishes payments: settlements have tests of their own.
    assert_problem(operator.post(f"{path_of(payments[1])}/finish"), 409, "payment_not_settled")
    assert listed(operator, "/v1/payments/normal", franchiseId=shop, **window) == ids
    back = cancel(payer, payments[1], {"amount": won(500)})
    assert (back.status_code, back.json()["state"]) == (201, "normal"), back.text


def test_a_closed_franchise_is_not_paid(world, payer, merchant):
    shop = world.open_franchise(merchant)
    payment = paid(payer, shop, 1_000)
    assert merchant.call("DELETE", f"/v1/franchises/{shop}").status_code == 200

    def refused():
        return payer.post("/v1/payments", order(shop, 1), key=new_key()).status_code == 409

    wait_until(refused, what="payment to know that the franchise is closed")
    assert_problem(payer.post("/v1/payments", order(shop, 1), key=new_key()), 409, "franchise_closed")
    assert cancel(payer, payment, {}).status_code == 201
    nobodys = order("frc_01J00000000000000000000000", 1)
    assert_problem(payer.post("/v1/payments", nobodys, key=new_key()), 422, "franchise_not_found")


def test_somebody_elses_payment_is_not_there(world, payer, shop, company):
    payment = paid(payer, shop, 1_000)
    before = world.snapshot("payment")
    for stranger in (company, world.stranger()):
        assert_problem(stranger.get(path_of(payment)), 404, "not_found")
        assert_problem(cancel(stranger, payment, {}), 404, "not_found")
    assert_problem(company.get("/v1/payments", params={"franchiseId": shop}), 404, "not_found")
    assert world.snapshot("payment") == before
