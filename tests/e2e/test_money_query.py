"""Region sums: fed by facts, for operators only, and the same after they are built anew."""

import pytest
from world import Member, assert_problem, wait_until

# Nobody else lives there, so that what a test finds is its own doing.
HOME, ELSEWHERE = ("jeju", "제주특별자치도 제주시 문연로 6"), ("ulsan", "울산광역시 남구 중앙로 201")


def sum_of(operator, region):
    answer = operator.get(f"/v1/money/regions/{region}/sum")
    assert answer.status_code == 200, answer.text
    return answer.json()


def figures(operator, region):
    """Balance, recharged and number of wallets, all as of now."""
    found = sum_of(operator, region)
    return found["balance"]["amount"], found["recharged"]["amount"], found["wallets"]


def resident(world, address):
    """A member with a linked account who lives there."""
    person, answer = world.register({**world.person(), "address": address})
    assert answer.status_code == 201, answer.text
    own = {name: person[name] for name in ("name", "email", "password", "address")}
    member = Member(world, answer.json()["membershipId"], **own)
    member.log_in()
    member.link_an_account()
    return member


def plus(before, *changes):
    return tuple(one + change for one, change in zip(before, changes, strict=True))


def grown(operator, region, before, *changes):
    """Waits until a region has grown by so much."""
    wanted = plus(before, *changes)
    wait_until(lambda: figures(operator, region) == wanted, what=f"{region} at {wanted}")


def test_money_is_summed_up_where_its_owners_live(world, operator):
    home, elsewhere = figures(operator, HOME[0]), figures(operator, ELSEWHERE[0])
    member, other = resident(world, HOME[1]), resident(world, ELSEWHERE[1])
    grown(operator, HOME[0], home, 0, 0, 1)
    assert member.recharge(20_000).status_code == 201
    grown(operator, HOME[0], home, 20_000, 20_000, 1)
    assert member.withdraw(5_000).status_code == 201
    world.transfer(member, other, 3_000)
    grown(operator, HOME[0], home, 12_000, 20_000, 1)
    grown(operator, ELSEWHERE[0], elsewhere, 3_000, 0, 1)

    moved = member.call("PATCH", f"/v1/memberships/{member.id}", {"address": ELSEWHERE[1]})
    assert moved.status_code == 200, moved.text
    grown(operator, HOME[0], home, 0, 20_000, 0)
    grown(operator, ELSEWHERE[0], elsewhere, 15_000, 0, 2)
    today = sum_of(operator, HOME[0])["days"][-1]
    assert today["recharges"] >= 1 and today["balance"] == sum_of(operator, HOME[0])["balance"]


def test_a_rebuilt_model_says_the_same(world, operator):
    world.quiet()
    regions = (HOME[0], ELSEWHERE[0], "seoul", "busan")
    before = [sum_of(operator, region) for region in regions]
    name = "money-query.rebuildReadModel"
    wanted = world.call(name, {"task": "begin"})["building"]
    assert world.call(name, {"task": "begin"})["building"] == wanted
    wait_until(lambda: world.call(name, {"task": "look"})["live"] >= wanted, 180, "the new generation")
    assert [sum_of(operator, region) for region in regions] == before
    generation = f"g{wanted}#"
    wait_until(
        lambda: all(item["pk"] == "model" or item["pk"].startswith(generation) for item in world.scan("money-query")),
        120, "the old generation's end",
    )


def test_only_operators_may_ask(world, hana, company):
    path = "/v1/money/regions/seoul/sum"
    assert world.api.get(path).status_code == 401
    assert hana.get(path).status_code == 403
    assert company.get(path).status_code == 403


@pytest.mark.parametrize(
    "path, pointer",
    [("atlantis/sum", "/region"), ("unknown/sum", "/region"), ("SEOUL/sum", "/region"), ("seoul/sum?from=yesterday", "/from"),
     ("seoul/sum?to=2026-02-30", "/to"), ("seoul/sum?from=2026-01-02&to=2026-01-01", "/from"),
     ("seoul/sum?from=2024-01-01&to=2026-01-01", "/from"), ("seoul/sum?day=1", "/day")],
)
def test_a_wrong_field_is_named(operator, path, pointer):
    problem = assert_problem(operator.get(f"/v1/money/regions/{path}"), 400, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
