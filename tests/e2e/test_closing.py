"""The end of a membership: refused while something is left, and then nobody is there any more."""

import json

from world import assert_problem, new_key, wait_until


def close(member, **options):
    return member.call("DELETE", f"/v1/memberships/{member.id}", **options)


def log_in(world, member):
    return world.api.post("/v1/auth/login", {"email": member.email, "password": member.password})


def fields(value):
    """The name of every field of an item, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from fields(inner)


def test_a_member_leaves_when_nothing_is_left_and_is_forgotten(world, bus):
    member = world.member()
    assert member.recharge(15_000).status_code == 201
    version = member.get(f"/v1/memberships/{member.id}").json()["version"]
    assert_problem(close(member), 409, "wallet_not_empty")
    shown = member.get(f"/v1/memberships/{member.id}").json()
    assert (shown["state"], shown["name"]) == ("active", member.name) and shown["version"] > version
    member.log_in()
    assert_problem(close(member, headers={"if-match": '"1"'}), 412, "precondition_failed")

    assert member.withdraw(15_000).status_code == 201
    closed = close(member)
    assert (closed.status_code, closed.text) == (204, ""), closed.text
    assert close(member).status_code == 204, "again, while the token lives"

    unknown = world.api.post("/v1/auth/login", {"email": "nobody@planted.example", "password": member.password})
    answer = log_in(world, member)
    assert_problem(unknown, 401, "invalid_credentials")
    assert_problem(answer, 401, "invalid_credentials")
    refreshed = world.api.post("/v1/auth/refresh", {"refreshToken": member.refresh_token}, key=new_key())
    assert_problem(refreshed, 401, "invalid_refresh_token")
    assert world.api.post("/v1/auth/validate", {"token": member.token}).json() == {"active": False}
    assert_problem(member.get("/v1/auth/membership"), 404, "not_found")
    assert_problem(member.get(f"/v1/memberships/{member.id}"), 404, "not_found")
    assert_problem(member.recharge(1_000), 409, "wallet_closed")
    assert member.history()[-2]["kind"] == "close", "the refused recharge came after it"

    fact = bus.wait_for("membership.closed.v1", membershipId=member.id)
    assert member.email not in json.dumps(fact, ensure_ascii=False)

    def forgotten():
        accounts = [item for item in world.scan("banking") if item.get("bankAccountId") == member.bank_account_id]
        return any(item.get("state") == "unlinked" for item in accounts)

    wait_until(forgotten, what="the account unlinked")
    for key, item in world.snapshot(of=[member.id]).items():
        telling = {"personal", "emailIndex", "passwordHash", "sealed", "dataKey", "details", "numberIndex", "terms"}
        found = telling & set(fields(item))
        assert not found or key[0] == "money", (key, found)
    assert_problem(member.link(member.account), 409, "member_left")


def test_the_email_of_who_has_left_is_free(world):
    member = world.stranger()
    assert close(member).status_code == 204
    person = {name: getattr(member, name) for name in ("name", "email", "password", "address")}
    _, anew = world.register({**person, "kind": "personal"})
    assert anew.status_code == 201, anew.text
    assert anew.json()["membershipId"] != member.id
    assert log_in(world, member).json()["membershipId"] == anew.json()["membershipId"]


def test_an_open_or_unsettled_franchise_keeps_its_owner(world, operator):
    owner = world.member(kind="corporate")
    path = f"/v1/franchises/{world.open_franchise(owner)}"
    wait_until(lambda: close(owner).status_code == 409, what="the list of franchises")
    assert_problem(close(owner), 409, "franchise_open")
    assert owner.call("DELETE", path).status_code == 200
    assert_problem(close(owner), 409, "franchise_unsettled")
    world.settle()
    assert close(owner).status_code == 204
    seen = wait_until(lambda: (lambda it: it if "name" not in it else None)(operator.get(path).json()), what="forgotten")
    assert (seen["state"], "contact" in seen, seen["membershipId"]) == ("closed", False, owner.id)


def test_a_membership_is_closed_by_its_member_alone(world, operator):
    member, other = world.stranger(), world.stranger()
    before = world.snapshot("membership")
    for somebody in (other, operator):
        assert_problem(somebody.call("DELETE", f"/v1/memberships/{member.id}"), 404, "not_found")
    assert world.snapshot("membership") == before


def test_operators_see_that_a_member_was_and_not_who(world, operator):
    member = world.stranger()
    assert close(member).status_code == 204
    seen = operator.get(f"/v1/memberships/{member.id}").json()
    assert (seen["state"], seen["membershipId"]) == ("closed", member.id) and "closedAt" in seen
    assert not {"name", "email", "address"} & seen.keys()


def test_wallets_begin_and_end_by_call(world):
    """openMemberMoney, closeMemberMoney, verifyFranchisesClosed and sweepMemberships are for other services alone."""
    member = world.stranger()
    owner = {"membershipId": member.id}
    call = lambda operation, **more: world.invoke(operation, {  # noqa: E731
        "operation": operation, "caller": "membership.closeMembership", "onBehalfOf": member.id,
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "body": owner, **more,
    })
    opened, error = call("money.openMemberMoney")
    assert error is None and opened["done"]["membershipId"] == member.id
    asked, error = call("franchise.verifyFranchisesClosed")
    assert error is None and asked["done"] == {"allClosed": True, "allSettled": True}
    reference = {"id": f"{member.id}/closing/99", "birth": opened["done"]["openedAt"]}
    ended = [call("money.closeMemberMoney", reference=reference)[0]["done"] for _ in range(2)]
    assert ended[0] == ended[1] and ended[0]["outcome"] == "closed"
    swept, error = world.invoke("membership.sweepMemberships", {})
    assert error is None, swept
