"""Banking over HTTP: linking accounts both ways, unlinking, firmbankings of operators, and what members see of them."""

import pytest
from world import assert_problem, new_key, together, wait_until, won


def test_linking_asks_the_bank_and_shows_only_the_last_digits(world):
    member = world.stranger()
    number = member.open_account()
    answer = member.link(number)
    assert answer.status_code == 201, answer.text
    account = answer.json()
    assert answer.headers["location"] == f"/v1/bank-accounts/{account['bankAccountId']}"
    assert (account["state"], account["membershipId"]) == ("linked", member.id)
    assert account["maskedAccountNumber"] == "*" * (len(number) - 4) + number[-4:]
    for text in (answer.text, member.get(answer.headers["location"]).text, member.get("/v1/bank-accounts").text):
        assert number not in text and member.name not in text
    assert member.get(answer.headers["location"]).json() == account
    assert member.get("/v1/bank-accounts").json() == {"items": [account], "nextCursor": None}


def settled_account(member, location):
    def settled():
        account = member.get(location).json()
        return account if account["state"] != "requested" else None

    return wait_until(settled, what=f"{location} linked or refused")


def test_both_ways_to_link_end_in_the_same_account(world, bus):
    direct, by_event = world.stranger(), world.stranger()
    first = direct.link(direct.open_account())
    second = by_event.link(by_event.open_account(), path="/v1/bank-accounts/by-event")
    assert (first.status_code, second.status_code) == (201, 202), second.text
    assert second.json()["state"] == "requested"
    accounts = [first.json(), settled_account(by_event, second.headers["location"])]
    bus.wait_for("banking.accountRegistrationRequested.v1", bankAccountId=accounts[1]["bankAccountId"])
    for account in accounts:
        for name in ("bankAccountId", "membershipId", "maskedAccountNumber", "requestedAt", "linkedAt"):
            assert account.pop(name)
    assert accounts[0] == accounts[1] == {"state": "linked"}
    # And both can be recharged from.
    by_event.bank_account_id = second.json()["bankAccountId"]
    assert by_event.recharge(1_000).status_code == 201


@pytest.mark.parametrize(
    "case, code", [("unknown", "account_unknown_to_bank"), ("stranger's", "holder_mismatch")], ids=lambda value: value
)
def test_an_account_that_the_bank_does_not_confirm_is_refused_both_ways(world, case, code):
    member, other = world.stranger(), world.stranger()
    number = other.open_account() if case == "stranger's" else "99900011122233"
    key = new_key()
    assert_problem(member.link(number, key=key), 422, code)
    by_event = member.link(number, path="/v1/bank-accounts/by-event")
    assert by_event.status_code == 202
    refused = settled_account(member, by_event.headers["location"])
    assert (refused["state"], refused["failureReason"]) == ("refused", code)
    # The direct refusal left nothing behind: the key is free.
    assert member.link(member.open_account(), key=key).status_code == 201


def test_the_same_request_is_replayed_and_another_under_its_key_refused(world):
    for path, status in (("/v1/bank-accounts", 201), ("/v1/bank-accounts/by-event", 202)):
        member, key = world.stranger(), new_key()
        number = member.open_account()
        first = member.link(number, key=key, path=path)
        again = member.link(number, key=key, path=path)
        assert (first.status_code, again.status_code) == (status, status), again.text
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json()["bankAccountId"] == first.json()["bankAccountId"]
        assert_problem(member.link(member.open_account(), key=key, path=path), 422, "idempotency_key_reused")


def test_one_number_is_linked_in_one_place(world, hana):
    thief = world.stranger()
    thief.name = hana.name
    assert_problem(thief.link(hana.account), 409, "bank_account_already_linked")
    assert_problem(hana.link(f"{hana.account[:3]}-{hana.account[3:]}"), 409, "bank_account_already_linked")
    member = world.stranger()
    number = member.open_account()
    answers = together(*[lambda: member.link(number)] * 3)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409], [answer.text for answer in answers]
    assert len(member.get("/v1/bank-accounts").json()["items"]) == 1


def test_the_same_link_twice_at_once_is_one_link(world):
    member, key = world.stranger(), new_key()
    number = member.open_account()
    answers = together(*[lambda: member.link(number, key=key)] * 3)
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({answer.json()["bankAccountId"] for answer in answers}) == 1


def test_unlinking_frees_the_number_and_no_money_moves_over_it_any_more(world):
    member = world.member()
    path = f"/v1/bank-accounts/{member.bank_account_id}"
    for _ in range(2):
        assert member.call("DELETE", path).status_code == 204
    assert member.get("/v1/bank-accounts").json()["items"] == []
    assert member.get(path).json()["state"] == "unlinked"
    refused = member.recharge(1_000)
    assert refused.status_code == 422, refused.text
    assert member.get(refused.headers["location"]).json()["state"] == "failed"
    assert member.has_wallet() is False or member.won() == 0
    assert member.at_the_bank().moves == []
    assert member.link(member.account).status_code == 201


def test_an_account_in_use_is_not_unlinked(world):
    member = world.member()
    world.tell_bank(member.account, "timeout")
    request = member.recharge(5_000).json()
    assert request["state"] == "bankUnknown"
    assert_problem(member.call("DELETE", f"/v1/bank-accounts/{member.bank_account_id}"), 409, "bank_account_in_use")
    world.tell_bank(member.account, "normal")
    assert member.settled(request["moneyRequestId"], 60)["state"] == "succeeded"
    assert member.call("DELETE", f"/v1/bank-accounts/{member.bank_account_id}").status_code == 204


def test_accounts_come_in_pages_newest_first(world):
    member = world.stranger()
    linked = [member.link(member.open_account()).json()["bankAccountId"] for _ in range(3)]
    pages = member.pages("/v1/bank-accounts", limit=2)
    assert all(len(page) <= 2 for page in pages)
    assert [account["bankAccountId"] for page in pages for account in page] == linked[::-1]


def order(member, amount, to_corporate=True):
    linked = {"kind": "linked", "bankAccountId": member.bank_account_id, "membershipId": member.id}
    corporate = {"kind": "corporate"}
    source, destination = (linked, corporate) if to_corporate else (corporate, linked)
    return {"source": source, "destination": destination, "amount": won(amount)}


def settled_firmbanking(operator, location):
    def settled():
        firmbanking = operator.get(location).json()
        return firmbanking if firmbanking["state"] in ("succeeded", "failed") else None

    return wait_until(settled, what=f"{location} final")


@pytest.mark.parametrize("to_corporate", [True, False], ids=["to the company", "from the company"])
def test_an_operator_moves_money_both_ways_with_the_same_end(world, operator, to_corporate):
    ends = []
    for path, status in (("/v1/firmbankings", 201), ("/v1/firmbankings/by-event", 202)):
        member = world.member()
        answer = operator.post(path, order(member, 12_000, to_corporate), key=new_key())
        assert answer.status_code == status, answer.text
        end = settled_firmbanking(operator, answer.headers["location"])
        assert end["firmbankingId"] == answer.json()["firmbankingId"]
        account = member.at_the_bank()
        assert account.balance == (488_000 if to_corporate else 512_000)
        end["moves"] = [(move["direction"], move["amount"]) for move in account.moves]
        for name in ("firmbankingId", "bankTransferId", "requestedAt", "completedAt"):
            assert end.pop(name)
        for party in (end["source"], end["destination"]):
            party.pop("bankAccountId", None), party.pop("membershipId", None)
        # The member it concerns sees it too; a stranger does not.
        assert member.get(answer.headers["location"]).json()["state"] == "succeeded"
        assert_problem(world.stranger().get(answer.headers["location"]), 404, "not_found")
        ends.append(end)
    assert ends[0] == ends[1]


def test_a_firmbanking_needs_a_key_which_stands_for_one_order(world, operator):
    member = world.member()
    for path in ("/v1/firmbankings", "/v1/firmbankings/by-event"):
        assert_problem(operator.post(path, order(member, 1_000)), 400, "idempotency_key_required")
        key = new_key()
        first = operator.post(path, order(member, 1_000), key=key)
        settled_firmbanking(operator, first.headers["location"])
        again = operator.post(path, order(member, 1_000), key=key)
        assert again.status_code == first.status_code and again.headers["idempotent-replayed"] == "true"
        assert again.json()["firmbankingId"] == first.json()["firmbankingId"]
        assert_problem(operator.post(path, order(member, 1_001), key=key), 422, "idempotency_key_reused")
    assert member.at_the_bank().balance == 498_000


def test_the_same_firmbanking_twice_at_once_moves_money_once(world, operator):
    member, key = world.member(), new_key()
    answers = together(*[lambda: operator.post("/v1/firmbankings", order(member, 7_000), key=key)] * 3)
    assert {answer.status_code for answer in answers} <= {201, 202, 409}, [answer.text for answer in answers]
    location = next(answer.headers["location"] for answer in answers if answer.status_code < 300)
    assert settled_firmbanking(operator, location)["state"] == "succeeded"
    assert member.at_the_bank().balance == 493_000


def test_what_the_bank_declines_fails_and_moves_nothing(world, operator):
    poor, refused = world.member(balance=10), world.member()
    world.tell_bank(refused.account, "decline")
    for member, reason in ((poor, "insufficient_bank_balance"), (refused, "declined_by_bank")):
        before = member.at_the_bank().balance
        for path in ("/v1/firmbankings", "/v1/firmbankings/by-event"):
            answer = operator.post(path, order(member, 1_000), key=new_key())
            end = settled_firmbanking(operator, answer.headers["location"])
            assert (end["state"], end["failureReason"]) == ("failed", reason)
        assert member.at_the_bank().balance == before and member.at_the_bank().moves == []


def test_firmbankings_are_listed_by_account_and_time(world, operator):
    member = world.member()
    made = [member.recharge(amount).json() for amount in (1_000, 2_000, 3_000)]
    assert all(request["state"] == "succeeded" for request in made)
    own = member.get("/v1/firmbankings", params={"bankAccountId": member.bank_account_id}).json()["items"]
    assert [firmbanking["amount"]["amount"] for firmbanking in own] == [3_000, 2_000, 1_000]
    seen = operator.get("/v1/firmbankings", params={"bankAccountId": member.bank_account_id}).json()["items"]
    # Operators alone see under which id the bank knows a transfer.
    assert len({one.pop("bankTransferId") for one in seen}) == 3
    assert seen == own
    middle = own[1]["requestedAt"]
    later = member.get("/v1/firmbankings", params={"bankAccountId": member.bank_account_id, "from": middle}).json()["items"]
    earlier = member.get("/v1/firmbankings", params={"bankAccountId": member.bank_account_id, "to": middle}).json()["items"]
    assert len(later) + len(earlier) == 3 and [one["firmbankingId"] for one in later + earlier] == [
        one["firmbankingId"] for one in own
    ]
    assert member.items("/v1/firmbankings", bankAccountId=member.bank_account_id, limit=2) == own


def test_the_inquiry_schedule_has_nothing_to_do_when_all_is_certain(world, hana):
    answer, error = world.invoke("banking.inquireFirmbanking", {})
    assert error is None, answer


def test_the_bank_wants_its_api_key(world):
    body = {"accountNumber": "12345678", "holder": "x", "balance": won(1)}
    for headers in ({}, {"x-api-key": "wrong"}):
        answer = world.bank.api.post("/v1/accounts", body, headers=headers)
        assert_problem(answer, 401, "unauthorized")
