"""Franchises over HTTP: who registers, sees, changes and closes them, and from when on a fee holds."""

import pytest
from world import assert_problem, business_day, new_key, together


@pytest.fixture(scope="module")
def merchant(world):
    """A company with a linked account."""
    return world.member(kind="corporate")


@pytest.fixture(scope="module")
def other_merchant(world):
    return world.member(kind="corporate")


def registered(world, owner):
    answer = owner.post("/v1/franchises", world.franchise(owner), key=new_key())
    assert answer.status_code == 201, answer.text
    return answer.json()


def path_of(franchise):
    return f"/v1/franchises/{franchise['franchiseId']}"


def test_a_merchant_registers_and_reads_a_franchise(world, merchant):
    body = world.franchise(merchant)
    answer = merchant.post("/v1/franchises", body, key=new_key())
    assert answer.status_code == 201, answer.text
    franchise = answer.json()
    assert answer.headers["location"] == path_of(franchise) and answer.headers["etag"] == '"1"'
    assert {name: franchise[name] for name in body} == body
    assert (franchise["membershipId"], franchise["state"], franchise["feeBps"]) == (merchant.id, "open", 250)
    found = merchant.get(path_of(franchise))
    assert (found.status_code, found.json(), found.headers["etag"]) == (200, franchise, '"1"')


def test_an_operator_registers_for_an_owner_with_a_fee(world, operator, merchant):
    body = world.franchise(merchant, membershipId=merchant.id, feeBps=180)
    answer = operator.post("/v1/franchises", body, key=new_key())
    assert answer.status_code == 201, answer.text
    assert (answer.json()["feeBps"], answer.json()["membershipId"]) == (180, merchant.id)
    assert merchant.get(path_of(answer.json())).json() == answer.json()
    nobodys = {name: value for name, value in body.items() if name != "membershipId"}
    problem = assert_problem(operator.post("/v1/franchises", nobodys, key=new_key()), 400, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == ["/membershipId"]


def test_a_merchant_names_neither_a_fee_nor_another_owner_nor_anothers_account(world, merchant, other_merchant):
    before = world.snapshot("franchise")
    cases = [
        ({"feeBps": 10}, 403, "fee_set_by_operator"),
        ({"membershipId": other_merchant.id}, 404, "not_found"),
        ({"bankAccountId": other_merchant.bank_account_id}, 422, "bank_account_not_found"),
        ({"bankAccountId": "bka_01J00000000000000000000000"}, 422, "bank_account_not_found"),
    ]
    for changes, status, code in cases:
        answer = merchant.post("/v1/franchises", world.franchise(merchant, **changes), key=new_key())
        assert_problem(answer, status, code)
    assert_problem(merchant.post("/v1/franchises", world.franchise(merchant)), 400, "idempotency_key_required")
    assert world.snapshot("franchise") == before


def test_an_unlinked_account_is_nobodys(world):
    merchant = world.member(kind="corporate")
    assert merchant.call("DELETE", f"/v1/bank-accounts/{merchant.bank_account_id}").status_code == 204
    answer = merchant.post("/v1/franchises", world.franchise(merchant), key=new_key())
    assert_problem(answer, 422, "bank_account_not_found")


def test_the_same_request_is_replayed_and_another_under_its_key_refused(world, merchant):
    body, key = world.franchise(merchant), new_key()
    answers = together(*[lambda: merchant.post("/v1/franchises", body, key=key)] * 3)
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({answer.json()["franchiseId"] for answer in answers}) == 1
    again = merchant.post("/v1/franchises", body, key=key)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    other = merchant.post("/v1/franchises", world.franchise(merchant), key=key)
    assert_problem(other, 422, "idempotency_key_reused")


def test_a_change_names_what_it_changes_and_the_version_that_was_seen(world, merchant):
    franchise = registered(world, merchant)
    cycle = {"kind": "weekly", "weekday": "monday"}
    changed = merchant.call("PATCH", path_of(franchise), {"settlementCycle": cycle}, headers={"if-match": '"1"'})
    assert changed.status_code == 200, changed.text
    assert changed.headers["etag"] == '"2"'
    after = changed.json()
    assert after.pop("modifiedAt") >= franchise["registeredAt"]
    assert after == {**franchise, "settlementCycle": cycle, "version": 2}
    stale = merchant.call("PATCH", path_of(franchise), {"name": "두리 커피"}, headers={"if-match": '"1"'})
    assert_problem(stale, 412, "precondition_failed")


def test_a_fee_holds_from_its_day_on(world, operator, merchant):
    franchise = registered(world, merchant)
    path = path_of(franchise)
    later = business_day(2)  # not tomorrow, lest the cut comes between this line and the answer
    planned = operator.call("PATCH", path, {"feeBps": 180, "feeFrom": later}).json()
    assert planned["feeBps"] == 250
    assert [(terms["feeBps"], terms["feeFrom"]) for terms in planned["feeTerms"]][1:] == [(180, later)]
    refused = merchant.call("PATCH", path, {"feeBps": 100, "feeFrom": later})
    assert_problem(refused, 403, "fee_set_by_operator")
    past = operator.call("PATCH", path, {"feeBps": 100, "feeFrom": business_day(-1)})
    problem = assert_problem(past, 400, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == ["/feeFrom"]
    assert merchant.get(path).json() == planned


def test_a_closed_franchise_stays_closed(world, operator, merchant):
    franchise = registered(world, merchant)
    path = path_of(franchise)
    closed = merchant.call("DELETE", path)
    assert (closed.status_code, closed.json()["state"]) == (200, "closed"), closed.text
    assert operator.call("DELETE", path).json() == closed.json()
    assert_problem(merchant.call("PATCH", path, {"name": "두리 커피"}), 409, "franchise_closed")
    assert merchant.get(path).json() == closed.json()


def everything(member, **query):
    """Every franchise that a member may list, page by page."""
    return member.items("/v1/franchises", limit=2, **query)


def test_owners_see_their_own_and_operators_everybodys_newest_first(world, operator):
    owner, other = world.member(kind="corporate"), world.member(kind="corporate")
    own = [registered(world, owner) for _ in range(3)][::-1]
    others = registered(world, other)
    assert everything(owner) == own
    assert everything(other) == [others]
    assert everything(operator, membershipId=owner.id) == own
    seen = [franchise["franchiseId"] for franchise in everything(operator)]
    assert len(seen) == len(set(seen))
    wanted = [franchise["franchiseId"] for franchise in [others, *own]]
    assert [franchise for franchise in seen if franchise in wanted] == wanted
    assert_problem(owner.get("/v1/franchises", params={"membershipId": other.id}), 404, "not_found")


def test_somebody_elses_franchise_is_not_there(world, merchant, other_merchant):
    path = path_of(registered(world, merchant))
    before = world.snapshot("franchise")
    for method, body in (("GET", None), ("PATCH", {"name": "도둑"}), ("DELETE", None)):
        answer = other_merchant.call(method, path, body)
        unknown = other_merchant.call(method, "/v1/franchises/frc_01J00000000000000000000000", body)
        problems = [assert_problem(found, 404, "not_found")["detail"] for found in (answer, unknown)]
        assert problems[0] == problems[1]
    assert world.snapshot("franchise") == before
