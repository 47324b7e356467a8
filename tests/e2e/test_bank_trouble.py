"""The bank declines, is slow, falls silent, loses requests, answers twice or is down: every recharge converges to
exactly one credit, or none, without a person acting, and wallet, ledger and bank agree."""

from dataclasses import dataclass

import pytest
from world import Member, together, won

AMOUNT = 60_000
AT_THE_BANK = 500_000


@dataclass
class Trouble:
    """What the bank is told, the first answer, and how it ends."""

    mode: str
    first: tuple
    ends: str
    told: dict
    by_event: bool = False
    balance: int = AT_THE_BANK
    # Whether the bank is well again as soon as the first answer is there.
    heals: bool = False
    reason: str | None = None
    # Whether the member asks again at once, under the same key. The others must get there without anybody.
    impatient: bool = False


TROUBLES = {
    "does it and never says so": Trouble("timeout", (202, "bankUnknown"), "succeeded", {}),
    "does it and never says so to an impatient member": Trouble(
        "timeout", (202, "bankUnknown"), "succeeded", {}, impatient=True
    ),
    "does it and never says so, by event": Trouble("timeout", (202, "requested"), "succeeded", {}, by_event=True),
    "is slower than we wait": Trouble("slow", (202, "bankUnknown"), "succeeded", {"delayMillis": 7_000}),
    "is slow but in time": Trouble("slow", (201, "succeeded"), "succeeded", {"delayMillis": 1_000}),
    "loses the first request": Trouble("lost", (202, "bankUnknown"), "succeeded", {"transfers": 1, "delayMillis": 100}),
    "loses two requests": Trouble(
        "lost", (202, "bankUnknown"), "succeeded", {"transfers": 2, "delayMillis": 100}, impatient=True
    ),
    # Then Pay voids the id at the bank, so that nothing can come late (voidAfterSeconds, 30 in the tests' stack).
    "loses every request": Trouble(
        "lost", (202, "bankUnknown"), "failed", {"delayMillis": 100}, reason="bank_did_not_receive"
    ),
    "does it twice at once": Trouble("answerTwice", (201, "succeeded"), "succeeded", {}),
    "is down for a while": Trouble("down", (202, "bankUnknown"), "succeeded", {}, heals=True),
    "declines": Trouble("decline", (422, "bank_declined"), "failed", {}, reason="declined_by_bank", impatient=True),
    "declines, by event": Trouble("decline", (202, "requested"), "failed", {}, by_event=True, reason="declined_by_bank"),
    "has too little": Trouble(
        "normal", (422, "bank_declined"), "failed", {}, balance=AMOUNT - 1, reason="insufficient_bank_balance"
    ),
}


@dataclass
class Case:
    trouble: Trouble
    member: Member
    answer: object
    again: object
    key: str


@pytest.fixture(scope="session")
def cases(world):
    """All troubles at once, because each takes the bank's time-outs to end."""

    def play(name, trouble):
        member = world.member(balance=trouble.balance)
        if trouble.mode != "normal":
            world.tell_bank(member.account, trouble.mode, **trouble.told)
        key = f"trouble-{member.id}"
        answer = member.recharge(AMOUNT, key=key, by_event=trouble.by_event)
        if trouble.heals:
            world.tell_bank(member.account, "normal")
        again = member.recharge(AMOUNT, key=key, by_event=trouble.by_event) if trouble.impatient else None
        return Case(trouble, member, answer, again, key)

    played = together(*[lambda name=name, trouble=trouble: play(name, trouble) for name, trouble in TROUBLES.items()])
    return dict(zip(TROUBLES, played, strict=True))


@pytest.fixture(params=TROUBLES)
def case(request, cases):
    return cases[request.param]


def money_request(case):
    return case.answer.headers["location"].rsplit("/", 1)[1]


def test_the_first_answer_is_honest(case):
    status, word = case.trouble.first
    assert case.answer.status_code == status, case.answer.text
    body = case.answer.json()
    assert (body["code"] if status == 422 else body["state"]) == word
    assert case.answer.headers["location"].startswith("/v1/money/requests/mcr_")


@pytest.mark.parametrize("name", [name for name, trouble in TROUBLES.items() if trouble.impatient])
def test_asking_again_at_once_asks_for_the_same_thing(cases, name):
    case = cases[name]
    assert case.again.status_code in (case.answer.status_code, 201, 202, 409), case.again.text
    if case.again.status_code != 409:
        assert case.again.headers["idempotent-replayed"] == "true"
        assert case.again.headers["location"] == case.answer.headers["location"]


@pytest.mark.late
def test_it_converges_by_itself_to_one_credit_or_none(case, world):
    end = case.member.settled(money_request(case), 90)
    assert (end["state"], end.get("failureReason")) == (case.trouble.ends, case.trouble.reason)
    moved = AMOUNT if case.trouble.ends == "succeeded" else 0

    # The wallet.
    shown = case.member.balance()
    assert (shown["balance"], shown["held"], shown["expected"]) == (won(moved), won(0), won(0))
    # The ledger.
    kinds = [entry["kind"] for entry in case.member.history()]
    assert kinds == ["open", "expect", "recharge" if moved else "release"]
    # The bank, on both sides.
    account = case.member.at_the_bank()
    assert account.balance == case.trouble.balance - moved
    assert [(move["direction"], move["amount"]) for move in account.moves] == [("debit", won(AMOUNT))] * bool(moved)
    company = world.account(world.bank.corporate_account)
    mine = [move for move in company.moves if move["counterparty"] == case.member.account]
    assert [(move["direction"], move["amount"]) for move in mine] == [("credit", won(AMOUNT))] * bool(moved)
    # What banking keeps of it.
    query = {"bankAccountId": case.member.bank_account_id}
    [firmbanking] = case.member.get("/v1/firmbankings", params=query).json()["items"]
    assert (firmbanking["state"], firmbanking.get("failureReason")) == (case.trouble.ends, case.trouble.reason)


@pytest.mark.late
def test_the_key_then_gives_the_final_result(case):
    case.member.settled(money_request(case), 90)
    final = case.member.recharge(AMOUNT, key=case.key, by_event=case.trouble.by_event)
    if case.trouble.by_event:
        assert final.status_code == 202
    else:
        assert final.status_code == (201 if case.trouble.ends == "succeeded" else 422), final.text
    assert final.headers["idempotent-replayed"] == "true"
    assert len(case.member.at_the_bank().moves) == (case.trouble.ends == "succeeded")


@pytest.mark.late
def test_a_declined_member_recharges_as_soon_as_the_bank_agrees(cases, world):
    case = cases["declines"]
    case.member.settled(money_request(case), 90)
    world.tell_bank(case.member.account, "normal")
    assert case.member.recharge(AMOUNT).status_code == 201
    assert case.member.won() == AMOUNT


# The account that is credited has the trouble here. What the first answer is, how it ends, and why it failed.
WITHDRAWALS = {
    "timeout": ({}, 202, "succeeded", None),
    "lost": ({"delayMillis": 100}, 202, "failed", "bank_did_not_receive"),
    "decline": ({}, 422, "failed", "declined_by_bank"),
}


@pytest.fixture(scope="module")
def withdrawals(world):
    def play(mode, told):
        member = world.member(balance=AT_THE_BANK)
        assert member.recharge(AMOUNT).status_code == 201
        world.tell_bank(member.account, mode, **told)
        answer = member.withdraw(AMOUNT // 2)
        return member, answer, member.balance()

    played = together(*[lambda mode=mode, told=case[0]: play(mode, told) for mode, case in WITHDRAWALS.items()])
    return dict(zip(WITHDRAWALS, played, strict=True))


@pytest.mark.late
@pytest.mark.parametrize("mode", WITHDRAWALS)
def test_a_withdrawal_is_held_while_the_bank_is_unknown_and_then_booked_or_released(withdrawals, mode):
    _, status, ends, reason = WITHDRAWALS[mode]
    member, answer, meanwhile = withdrawals[mode]
    assert answer.status_code == status, answer.text
    held = AMOUNT // 2 if status == 202 else 0
    assert (meanwhile["balance"], meanwhile["held"]) == (won(AMOUNT), won(held))

    end = member.settled(answer.headers["location"].rsplit("/", 1)[1], 90)
    assert (end["state"], end.get("failureReason")) == (ends, reason)
    left = AMOUNT - (AMOUNT // 2 if ends == "succeeded" else 0)
    shown = member.balance()
    assert (shown["balance"], shown["held"]) == (won(left), won(0))
    assert member.at_the_bank().balance == AT_THE_BANK - left
    kinds = [entry["kind"] for entry in member.history()]
    assert kinds[-2:] == ["hold", "withdrawal" if ends == "succeeded" else "release"]


def test_linking_while_the_bank_is_down_asks_to_come_again_and_leaves_nothing(world):
    member = world.stranger()
    number = member.open_account()
    world.tell_bank(number, "down")
    refused = member.link(number, key="down")
    assert refused.status_code == 503 and refused.json()["code"] == "temporarily_unavailable"
    assert int(refused.headers["retry-after"]) >= 1
    assert member.get("/v1/bank-accounts").json()["items"] == []
    world.tell_bank(number, "normal")
    assert member.link(number, key="down").status_code == 201
