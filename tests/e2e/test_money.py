"""Money over HTTP and its internal operations: wallets, recharges, withdrawals, balances, statements, transfers, holds."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from world import assert_problem, new_key, new_traceparent, now, together, won


def step(world, operation, member, hold, body):
    """Calls holdMoney, postHold or releaseHold as another service would: the reference names the hold."""
    call = {
        "operation": operation,
        "caller": "remittance.requestRemittance",
        "onBehalfOf": member.id,
        "reference": hold,
        "traceparent": new_traceparent(),
        "body": {"membershipId": member.id, **body},
    }
    answer, error = world.invoke(operation, call)
    assert error is None, answer
    return answer


def test_a_wallet_is_opened_once_by_asking_or_by_the_fact(world):
    member = world.stranger()
    first, second = member.post("/v1/money/wallets"), member.post("/v1/money/wallets", {})
    assert first.status_code in (200, 201) and second.status_code == 200
    assert second.headers["idempotent-replayed"] == "true"
    assert second.json() == first.json() and second.json()["membershipId"] == member.id
    assert [entry["kind"] for entry in member.history()] == ["open"]


def test_both_ways_to_recharge_end_in_the_same_state(world):
    direct, by_event = world.members(2)
    first = direct.recharge(70_000)
    assert first.status_code == 201, first.text
    second = by_event.recharge(70_000, by_event=True)
    assert second.status_code == 202, second.text
    assert second.json()["state"] == "requested"
    assert second.headers["location"] == f"/v1/money/requests/{second.json()['moneyRequestId']}"
    by_event.settled(second.json()["moneyRequestId"])

    def shape(member, answer):
        request = member.request(answer.json()["moneyRequestId"])
        for name in ("moneyRequestId", "membershipId", "bankAccountId", "requestedAt", "completedAt"):
            assert request.pop(name)
        entries = [
            (entry["kind"], entry["amount"], entry["balance"], entry["reference"].split("/")[-1])
            for entry in member.history()
        ]
        bank = member.at_the_bank()
        return request, entries, bank.balance, [(move["direction"], move["amount"]) for move in bank.moves]

    assert shape(direct, first) == shape(by_event, second)


def test_a_recharge_by_event_is_replayed_and_its_key_stands_for_one_request(world, duri):
    key = new_key()
    before = duri.won()
    first = duri.recharge(1_000, key=key, by_event=True)
    request = first.json()["moneyRequestId"]
    duri.settled(request)
    again = duri.recharge(1_000, key=key, by_event=True)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert again.json()["moneyRequestId"] == request
    assert_problem(duri.recharge(1_001, key=key, by_event=True), 422, "idempotency_key_reused")
    assert duri.won() == before + 1_000


def test_a_key_is_one_operations_and_one_members_own(world):
    key = new_key()
    first, second = world.members(2)
    ids = {member.recharge(1_000, key=key).json()["moneyRequestId"] for member in (first, second)}
    other = first.recharge(1_000, key=key, by_event=True)
    assert other.status_code == 202
    first.settled(other.json()["moneyRequestId"])
    assert len(ids | {other.json()["moneyRequestId"]}) == 3
    assert first.won() == 2_000


def test_a_key_is_required_and_stands_for_one_body(world, duri):
    order = {"bankAccountId": duri.bank_account_id, "amount": won(2_000)}
    for path in ("/v1/money/increases", "/v1/money/increases/by-event"):
        assert_problem(duri.post(path, order), 400, "idempotency_key_required")
    key = new_key()
    assert duri.post("/v1/money/increases", order, key=key).status_code == 201
    assert_problem(duri.post("/v1/money/increases", {**order, "amount": won(2_001)}, key=key), 422, "idempotency_key_reused")


def test_a_key_is_free_again_after_a_validation_error(duri):
    key = new_key()
    assert_problem(duri.recharge(0, key=key), 400, "validation_failed")
    assert duri.recharge(3_000, key=key).status_code == 201


def test_the_balance_at_a_past_time_is_what_it_was(world):
    member = world.member()
    before_everything = (datetime.now(timezone.utc) - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    for amount in (10_000, 20_000, 5_000):
        assert member.recharge(amount).status_code == 201
    entries = member.history()
    for entry in entries:
        # Several entries may share a millisecond: the last of them counts.
        last = [other for other in entries if other["time"] <= entry["time"]][-1]
        past = member.balance(at=entry["time"])
        assert (past["sequence"], past["balance"], past["asOf"]) == (last["sequence"], last["balance"], last["time"])
    assert member.balance(at=before_everything)["sequence"] == 0
    future = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert_problem(member.get(f"/v1/money/wallets/{member.id}/balance", params={"at": future}), 400, "validation_failed")


def test_reading_a_balance_never_opens_a_wallet(world, operator):
    nobody = world.sign(world.claims(operator, sub="mbr_01J00000000000000000000000"))
    for _ in range(2):
        answer = world.api.get("/v1/money/wallets/mbr_01J00000000000000000000000/balance", token=nobody)
        assert answer.status_code == 200
        assert (answer.json()["sequence"], answer.json()["available"]["amount"]) == (0, 0)


def test_the_statement_comes_in_pages_newest_first_without_gap(world):
    member = world.member()
    for _ in range(3):
        assert member.recharge(1_000).status_code == 201
    whole = [entry["sequence"] for entry in member.history()]
    assert whole == list(range(1, len(whole) + 1))
    pages = member.pages(f"/v1/money/wallets/{member.id}/transactions", limit=2)
    assert all(len(page) <= 2 for page in pages)
    assert [entry["sequence"] for page in pages for entry in page] == whole[::-1]


def test_a_wallet_takes_no_more_than_its_cap_and_says_so_in_the_ledger(world):
    member = world.member(balance=5_000_000)
    assert member.recharge(1_900_000).status_code == 201
    over = member.recharge(100_001)
    assert_problem(over, 422, "wallet_cap_exceeded")
    refused = member.get(over.headers["location"]).json()
    assert (refused["state"], refused["failureReason"]) == ("failed", "wallet_cap_exceeded")
    entry = member.history()[-1]
    assert (entry["kind"], entry["refusal"], entry["amount"]) == ("refused", "wallet_cap_exceeded", won(0))
    # Nothing went to the bank, and exactly the cap still fits.
    assert len(member.at_the_bank().moves) == 1
    assert member.recharge(100_000).status_code == 201
    assert member.won() == 2_000_000
    too_much = member.recharge(2_000_001)
    assert_problem(too_much, 400, "validation_failed")


def test_a_refused_recharge_stays_refused_under_its_key_even_when_it_would_fit_now(world):
    payer, payee = world.member(balance=3_000_000), world.stranger()
    assert payer.recharge(2_000_000).status_code == 201
    payee.post("/v1/money/wallets")
    key = new_key()
    assert_problem(payer.recharge(50_000, key=key), 422, "wallet_cap_exceeded")
    assert "done" in world.transfer(payer, payee, 100_000)
    again = payer.recharge(50_000, key=key)
    assert_problem(again, 422, "wallet_cap_exceeded")
    assert again.headers["idempotent-replayed"] == "true"
    assert payer.won() == 1_900_000


def test_many_recharges_of_one_wallet_at_once_all_arrive_once(world):
    member = world.member()
    answers = together(*[lambda: member.recharge(1_000) for _ in range(6)])
    for answer in answers:
        assert answer.status_code in (201, 202), answer.text
        member.settled(answer.json()["moneyRequestId"])
    assert member.won() == 6_000
    assert member.at_the_bank().balance == 494_000
    assert [entry["sequence"] for entry in member.history()] == list(range(1, 14))


class TestWithdrawals:
    """The recharge's saga the other way."""

    @pytest.fixture
    def member(self, world):
        member = world.member(balance=500_000)
        assert member.recharge(100_000).status_code == 201
        return member

    def test_both_ways_to_withdraw_end_in_the_same_state(self, world):
        direct, by_event = world.members(2)
        for member in (direct, by_event):
            assert member.recharge(100_000).status_code == 201
        first = direct.withdraw(30_000)
        assert (first.status_code, first.json()["direction"]) == (201, "withdrawal"), first.text
        second = by_event.withdraw(30_000, by_event=True)
        assert (second.status_code, second.json()["state"]) == (202, "requested"), second.text
        by_event.settled(second.json()["moneyRequestId"])

        def shape(member):
            entries = [(entry["kind"], entry["amount"], entry["balance"]) for entry in member.history()]
            return entries, member.won(), member.at_the_bank().balance

        assert shape(direct) == shape(by_event)
        assert shape(direct)[1:] == (70_000, 430_000)

    def test_the_same_withdrawal_twice_at_once_moves_the_money_once(self, member):
        key = new_key()
        answers = together(*[lambda: member.withdraw(40_000, key=key)] * 3)
        assert all(answer.status_code in (201, 202, 409) for answer in answers), [answer.text for answer in answers]
        member.settled(next(answer.json()["moneyRequestId"] for answer in answers if answer.status_code != 409))
        assert member.won() == 60_000
        assert member.at_the_bank().balance == 440_000

    def test_withdrawals_at_once_never_take_more_than_there_is(self, member):
        answers = together(*[lambda: member.withdraw(40_000) for _ in range(4)])
        for answer in answers:
            if answer.status_code == 422:
                assert_problem(answer, 422, "insufficient_balance")
            else:
                assert answer.status_code in (201, 202), answer.text
        for answer in answers:
            member.settled(answer.headers["location"].rsplit("/", 1)[1])
        shown = member.balance()
        assert shown["held"] == won(0)
        assert shown["balance"]["amount"] + member.at_the_bank().balance == 500_000
        assert shown["balance"]["amount"] >= 20_000

    def test_what_is_not_there_is_refused_and_the_bank_not_asked(self, member):
        refused = member.withdraw(100_001)
        assert_problem(refused, 422, "insufficient_balance")
        assert member.request(refused.headers["location"].rsplit("/", 1)[1])["state"] == "failed"
        assert_problem(member.withdraw(2_000_001), 400, "validation_failed")
        assert len(member.at_the_bank().moves) == 1
        assert member.withdraw(100_000).status_code == 201
        assert member.won() == 0


class TestHolds:
    """holdMoney, postHold and releaseHold have no route: remittance and payment will call them."""

    @pytest.fixture
    def member(self, world):
        member = world.member()
        assert member.recharge(100_000).status_code == 201
        return member

    @pytest.fixture
    def hold(self):
        return {"id": f"{new_key()}/hold", "birth": now()}

    def test_a_hold_is_posted_in_part_and_the_rest_is_free(self, world, member, hold):
        held = step(world, "money.holdMoney", member, hold, {"amount": won(60_000)})
        assert held["done"]["held"] == won(60_000)
        assert member.balance()["available"] == won(40_000)
        assert_problem(member.withdraw(40_001), 422, "insufficient_balance")
        order = {"amount": won(50_000), "credit": {"kind": "feeRevenue"}}
        posted = step(world, "money.postHold", member, hold, order)
        assert posted == step(world, "money.postHold", member, hold, order)
        assert (posted["done"]["balance"], posted["done"]["held"]) == (won(50_000), won(0))
        entry = member.history()[-1]
        assert (entry["kind"], entry["creditAccount"]) == ("post", "fee:revenue")

    def test_a_hold_is_closed_once_whoever_comes_first(self, world, member, hold):
        assert "done" in step(world, "money.holdMoney", member, hold, {"amount": won(60_000)})
        post = {"amount": won(60_000), "credit": {"kind": "vatPayable"}}
        ways = [("money.postHold", post), ("money.releaseHold", {})] * 2
        answers = together(*[lambda way=way: step(world, way[0], member, hold, way[1]) for way in ways])
        done = {way[0] for way, answer in zip(ways, answers, strict=True) if "done" in answer}
        assert len(done) == 1, answers
        codes = {answer["refused"]["code"] for answer in answers if "refused" in answer}
        assert codes <= {"other_terms", "temporarily_unavailable"}, answers
        shown = member.balance()
        assert shown["held"] == won(0)
        assert shown["balance"] == won(40_000 if done == {"money.postHold"} else 100_000)

    def test_a_hold_that_was_given_up_first_is_refused(self, world, member, hold):
        assert step(world, "money.releaseHold", member, hold, {})["done"]["amount"] == won(0)
        late = step(world, "money.holdMoney", member, hold, {"amount": won(1_000)})
        assert late["refused"]["code"] == "hold_closed"
        assert member.balance()["available"] == won(100_000)

    def test_nothing_is_posted_to_a_wallet(self, world, member, hold):
        assert "done" in step(world, "money.holdMoney", member, hold, {"amount": won(1_000)})
        order = {"amount": won(1_000), "credit": {"kind": "wallet", "walletId": "wal_01J00000000000000000000000"}}
        assert step(world, "money.postHold", member, hold, order)["refused"]["code"] == "validation_failed"
        assert "done" in step(world, "money.releaseHold", member, hold, {})


class TestTransfers:
    """transferMoney has no route: remittance and payment will call it."""

    @pytest.fixture
    def two(self, world):
        payer, payee = world.member(), world.stranger()
        assert payer.recharge(100_000).status_code == 201
        payee.post("/v1/money/wallets")
        return payer, payee

    def test_a_transfer_is_one_entry_on_either_side(self, world, two):
        payer, payee = two
        done = world.transfer(payer, payee, 30_000)["done"]
        assert done["debit"]["balance"] == won(70_000)
        out, into = payer.history()[-1], payee.history()[-1]
        assert (out["kind"], into["kind"]) == ("remittance", "remittance")
        for name in ("debitAccount", "creditAccount", "amount", "time", "reference"):
            assert out[name] == into[name]
        assert out["debitAccount"] == f"wallet:{done['debit']['walletId']}"
        assert (payer.won(), payee.won()) == (70_000, 30_000)

    @pytest.mark.parametrize("credit", ["bankCorporate", "feeRevenue", "vatPayable"])
    def test_what_a_franchise_is_owed_is_settlements_alone_to_move(self, world, credit):
        call = {
            "operation": "money.transferMoney",
            "caller": "remittance.requestRemittance",
            "reference": {"id": f"{new_key()}/fee", "birth": now()},
            "traceparent": new_traceparent(),
            "body": {
                "debit": {"kind": "franchise", "franchiseId": "frc_01J00000000000000000000000"},
                "credit": {"kind": credit},
                "amount": won(1_000),
            },
        }
        answer, error = world.invoke("money.transferMoney", call)
        assert error is None, answer
        assert answer["refused"]["code"] == "forbidden"

    def test_the_same_reference_moves_money_once_and_stands_for_its_terms(self, world, two):
        payer, payee = two
        reference, birth = f"{new_key()}/move", now()
        answers = together(*[lambda: world.transfer(payer, payee, 10_000, reference, birth)] * 3)
        assert answers[0] == answers[1] == answers[2] and "done" in answers[0]
        assert (payer.won(), payee.won()) == (90_000, 10_000)
        other = world.transfer(payer, payee, 10_001, reference, birth)
        assert other["refused"]["code"] == "other_terms"
        other = world.transfer(payee, payer, 10_000, reference, birth)
        assert other["refused"]["code"] == "other_terms"

    @pytest.mark.parametrize(
        "amount, code",
        [(100_001, "insufficient_balance"), (2_000_001, "each_limit_exceeded"), (0, "validation_failed")],
    )
    def test_what_cannot_be_moved_is_refused_for_good(self, world, two, amount, code):
        payer, payee = two
        reference, birth = f"{new_key()}/move", now()
        for _ in range(2):
            assert world.transfer(payer, payee, amount, reference, birth)["refused"]["code"] == code
        assert (payer.won(), payee.won()) == (100_000, 0)

    def test_a_wallet_cannot_pay_itself(self, world, two):
        payer, _ = two
        assert world.transfer(payer, payer, 1_000)["refused"]["code"] == "same_wallet"

    def test_transfers_crossing_each_other_lose_no_won(self, world, two):
        payer, payee = two
        assert "done" in world.transfer(payer, payee, 50_000)
        there = [lambda: world.transfer(payer, payee, 1_000) for _ in range(3)]
        back = [lambda: world.transfer(payee, payer, 700) for _ in range(3)]
        answers = together(*there, *back)
        moved = [100 * ("done" in answer) for answer in answers]
        assert all("done" in answer or answer["refused"]["status"] == 503 for answer in answers), answers
        assert payer.won() == 50_000 - 10 * sum(moved[:3]) + 7 * sum(moved[3:])
        assert payer.won() + payee.won() == 100_000


def test_chains_are_linked_by_hashes_and_both_legs_balance(world, hana):
    """What an auditor would check, over every wallet that the tests have made so far."""
    if not hana.has_wallet():
        hana.post("/v1/money/wallets")
    entries = [item for item in world.scan("money") if item["kind"] == "entry"]
    wallets = {}
    for entry in sorted(entries, key=lambda entry: entry["sequence"]):
        wallets.setdefault(entry["walletId"], []).append(entry)
    totals = {}
    for chain in wallets.values():
        assert [entry["sequence"] for entry in chain] == list(range(1, len(chain) + 1))
        assert chain[0]["previous"] == "" and all(entry["previous"] for entry in chain[1:])
        assert len({entry["reference"] for entry in chain}) == len(chain), "a reference has at most one effect"
        balance = 0
        for entry in chain:
            own = f"wallet:{entry['walletId']}"
            amount = int(entry["amount"])
            balance += amount * ((entry.get("credit") == own) - (entry.get("debit") == own))
            assert balance == int(entry["standing"]["balance"]) >= int(entry["standing"]["held"]) >= 0
            if entry.get("debit") == own or entry.get("debit") == "bank:corporate":
                totals[entry["debit"]] = totals.get(entry["debit"], 0) - amount
                totals[entry["credit"]] = totals.get(entry["credit"], 0) + amount
    assert wallets and sum(totals.values()) == 0


def test_the_sweeper_finds_nothing_to_do_when_all_is_done(world, duri):
    request = duri.recharge(1_000).json()
    swept = world.invoke("money.sweepMoneyRequests", {})
    assert swept[1] is None, swept
    assert request["moneyRequestId"] not in json.dumps(swept[0])
    world.until_drained("money.onFirmbankingSucceeded")
