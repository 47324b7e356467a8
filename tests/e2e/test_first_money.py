"""The story of first money: two members register, log in, link accounts and recharge, through the public API."""

import time

import pytest
from world import Member, new_key, new_traceparent, together, trace_id, wait_until, won

AT_THE_BANK = 500_000
RECHARGED = 150_000


class Story:
    """What happened, so that each test can look at one side of it."""

    def __init__(self, world):
        self.began = time.time()
        self.world = world
        self.members = world.members(2, balance=AT_THE_BANK)
        for member in self.members:
            wait_until(member.has_wallet, what="a wallet opened by the fact")
        self.traceparent = new_traceparent()
        self.key = new_key()
        self.corporate = world.bank.corporate_account
        first, second = self.members
        self.answer = first.recharge(RECHARGED, key=self.key, headers={"traceparent": self.traceparent})
        self.second = second.recharge(30_000)


@pytest.fixture(scope="module")
def story(world, bus):
    return Story(world)


def test_a_recharge_answers_201_with_the_request_and_its_place(story):
    hana, _ = story.members
    assert story.answer.status_code == 201, story.answer.text
    request = story.answer.json()
    assert request == {
        "moneyRequestId": request["moneyRequestId"],
        "membershipId": hana.id,
        "direction": "recharge",
        "bankAccountId": hana.bank_account_id,
        "amount": won(RECHARGED),
        "state": "succeeded",
        "balanceAfter": won(RECHARGED),
        "requestedAt": request["requestedAt"],
        "completedAt": request["completedAt"],
    }
    assert story.answer.headers["location"] == f"/v1/money/requests/{request['moneyRequestId']}"
    assert "idempotent-replayed" not in story.answer.headers
    assert hana.get(story.answer.headers["location"]).json() == request
    assert story.second.status_code == 201, story.second.text


def test_the_balance_shows_the_money_at_once(story):
    hana, duri = story.members
    assert (hana.won(), duri.won()) == (RECHARGED, 30_000)
    shown = hana.balance()
    assert (shown["held"], shown["available"], shown["expected"]) == (won(0), won(RECHARGED), won(0))


def test_the_ledger_has_both_legs_of_the_recharge_in_one_entry(story):
    hana, _ = story.members
    entries = hana.history()
    assert [entry["kind"] for entry in entries] == ["open", "expect", "recharge"]
    assert [entry["sequence"] for entry in entries] == [1, 2, 3]
    assert [entry["balance"]["amount"] for entry in entries] == [0, 0, RECHARGED]
    credit = entries[-1]
    wallet = hana.balance()["walletId"]
    assert (credit["debitAccount"], credit["creditAccount"]) == ("bank:corporate", f"wallet:{wallet}")
    assert credit["amount"] == won(RECHARGED)
    assert credit["reference"].startswith(story.answer.json()["moneyRequestId"])


def test_the_bank_debited_the_member_once_and_credited_the_company_once(story):
    hana, _ = story.members
    account = hana.at_the_bank()
    assert account.balance == AT_THE_BANK - RECHARGED
    [debit] = account.moves
    assert (debit["direction"], debit["amount"]) == ("debit", won(RECHARGED))
    assert debit["counterparty"] == story.corporate
    credits = [move for move in story.world.account(story.corporate).moves if move["counterparty"] == hana.account]
    assert [(move["direction"], move["amount"], move["transferId"]) for move in credits] == [
        ("credit", won(RECHARGED), debit["transferId"])
    ]


def test_the_same_key_gives_the_first_result_again(story):
    hana, _ = story.members
    for _ in range(2):
        again = hana.recharge(RECHARGED, key=story.key)
        assert again.status_code == 201
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["location"] == story.answer.headers["location"]
        assert again.json() == story.answer.json()
    assert hana.won() == RECHARGED
    assert len(hana.at_the_bank().moves) == 1


def test_the_bus_carries_the_facts_of_the_story(story, bus):
    hana, duri = story.members
    for member in story.members:
        registered = bus.wait_for("membership.registered.v1", membershipId=member.id)
        assert registered["subject"] == member.id
        assert (registered["data"]["kind"], registered["data"]["region"]) == ("personal", "seoul")
    request = story.answer.json()["moneyRequestId"]
    succeeded = wait_until(
        lambda: [
            fact for fact in bus.of("banking.firmbankingSucceeded.v1")
            if fact["data"]["reference"].startswith(request)
        ],
        what="the bank's success on the bus",
    )
    assert [fact["data"]["amount"] for fact in succeeded] == [won(RECHARGED)]
    assert succeeded[0]["source"] == "pay.banking" and succeeded[0]["specversion"] == "1.0"


def test_one_trace_id_goes_through_gateway_functions_bank_and_events(story, bus):
    wanted = trace_id(story.traceparent)
    assert story.answer.headers["trace-id"] == wanted
    needed = {
        "pay-money-increaseMoneyRequest",
        "pay-banking-requestFirmbanking",
        "pay-money-onFirmbankingSucceeded",
    }

    def traced():
        lines = story.world.log_lines(story.began)
        seen = {line["function"] for line in lines if line.get("trace_id") == wanted}
        return seen if needed <= seen else None

    wait_until(traced, what=f"{needed} in the logs of trace {wanted}")
    request = story.answer.json()["moneyRequestId"]
    facts = [fact for fact in bus.drain() if str(fact["data"].get("reference", "")).startswith(request)]
    assert facts and {trace_id(fact["traceparent"]) for fact in facts} == {wanted}
    entries = [item for item in story.world.scan("money") if str(item.get("reference", "")).startswith(request)]
    assert entries and {trace_id(item["traceparent"]) for item in entries} == {wanted}


def test_a_trace_is_begun_where_the_caller_brings_none_or_nonsense(hana):
    for headers in ({}, {"traceparent": "00-not-a-trace"}, {"traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"}):
        answer = hana.get(f"/v1/money/wallets/{hana.id}/balance", headers=headers)
        assert len(answer.headers["trace-id"]) == 32 and int(answer.headers["trace-id"], 16) != 0


def test_wallets_bank_and_ledger_agree_about_the_whole_story(story):
    for member in story.members:
        gone = AT_THE_BANK - member.at_the_bank().balance
        entries = member.history()
        ledger = sum(entry["amount"]["amount"] for entry in entries if entry["kind"] == "recharge")
        assert gone == ledger == member.won()


def test_the_same_recharge_twice_at_once_moves_the_money_once(world):
    member: Member = world.member()
    key = new_key()
    answers = together(*[lambda: member.recharge(40_000, key=key)] * 3)
    assert sorted(answer.status_code for answer in answers)[0] in (201, 202)
    for answer in answers:
        assert answer.status_code in (201, 202, 409), answer.text
        if answer.status_code == 409:
            assert answer.json()["code"] == "request_in_progress"
            assert int(answer.headers["retry-after"]) >= 1
    member.settled(next(answer.json()["moneyRequestId"] for answer in answers if answer.status_code != 409))
    assert member.won() == 40_000
    assert member.at_the_bank().balance == AT_THE_BANK - 40_000
