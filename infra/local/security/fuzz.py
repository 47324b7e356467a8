"""Whatever openapi.json allows and forbids, asked at every operation by every kind of caller: `make fuzz`.

schemathesis makes the requests; every answer must be one that the description lists, and none may be a 5xx. The suite's
own share of it is in tests/e2e/test_contract.py; this one has a caller for each scope and for none, with things of their own, and
goes on for as many examples as it is told to. A seed tells the same requests again.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from rich.console import Console
from rich.table import Table
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from operate import dead_letters
from system import terraform
from system.client import franchise, order
from system.cloud import ROOT, Cloud
from world import RUN_SECONDS, World, business_day, new_key, wait_until, won

DOCUMENT = json.loads((ROOT / "infra/terraform/openapi.json").read_text())
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]
# What only reads comes first, and what ends things last.
ORDER = ["GET", "POST", "PATCH", "DELETE"]
# Nobody reaches a function without a token where one is needed: a few requests show as much as many.
AT_CLOSED_DOORS = 5
# A token holds for five minutes here.
TOKEN_SECONDS = 120


def described():
    return [operation.ok() for operation in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]


def can_be_violated(operation):
    """A public operation without body and parameters takes every request."""
    shown = DOCUMENT["paths"][operation.path][operation.method.lower()]
    names = {parameter["name"] for parameter in shown["parameters"]} - {"traceparent"}
    return bool(names or shown.get("security") or "requestBody" in shown)


def is_scoped(operation):
    return bool(DOCUMENT["paths"][operation.path][operation.method.lower()].get("security"))


def checks_of(mode):
    return [*CHECKS, negative_data_rejection] if mode is GenerationMode.NEGATIVE else CHECKS


@dataclass
class Caller:
    """Somebody with this scope, and the ids of what is theirs."""

    kind: str
    world: World
    member: object = None
    scope: str = ""
    own: dict = field(default_factory=dict)
    signed: tuple = (0, None)

    def headers(self):
        """A token of a session that nobody knows, so that logging out ends nothing."""
        if self.member is None:
            return {}
        if time.monotonic() > self.signed[0] + TOKEN_SECONDS:
            claims = self.world.claims(self.member, scope=self.scope, sid="fuzz")
            self.signed = (time.monotonic(), self.world.sign(claims))
        return {"authorization": f"Bearer {self.signed[1]}"}

    def fill(self, value, dice):
        """Puts own ids, and amounts that one has, where a request would name invented ones."""
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in self.own:
                    value[name] = self.own[name]
                elif name == "amount" and isinstance(inner, int):
                    value[name] = dice.randint(1, 2_000)
                else:
                    self.fill(inner, dice)


@dataclass
class Tally:
    requests: int = 0
    statuses: Counter = field(default_factory=Counter)
    violations: list = field(default_factory=list)


def callers(world):
    """One of each kind. Each has been through everything once, so that there is something to be found."""
    shop = world.member(kind="corporate")
    body = franchise("하나 커피", "점장", "shop@planted.example", shop.bank_account_id)
    shop_id = made(shop.post("/v1/franchises", body, key=new_key()))["franchiseId"]
    members = {"member": world.member(), "merchant": shop, "operator": world.member()}
    world.call("membership.grantOperator", {"email": members["operator"].email})
    members["operator"].log_in()
    scopes = {"member": "member", "merchant": "member merchant", "operator": "member operator"}
    found = {kind: Caller(kind, world, member, scopes[kind]) for kind, member in members.items()}
    for caller in found.values():
        caller.own = belongings(caller.member, shop, shop_id)
    # Today and no day after it: whoever settles days to come leaves behind what is paid today from then on.
    day, operator = business_day(), members["operator"]
    if operator.get(f"/v1/settlements/{day}").status_code == 404:
        made(operator.post("/v1/settlements", {"businessDay": day}))
        wait_until(lambda: made(operator.get(f"/v1/settlements/{day}"))["state"] == "finished", RUN_SECONDS, "the run")
    found["operator"].own["settlementId"] = day
    for line in made(shop.get("/v1/settlements", params={"franchiseId": shop_id}))["items"]:
        found["merchant"].own["settlementId"] = line["settlementId"]
    return [Caller("none", world), *found.values()]


def belongings(member, shop, shop_id):
    recharge = made(member.recharge(100_000))
    firmbankings = made(member.get("/v1/firmbankings", params={"bankAccountId": member.bank_account_id}))
    to = {"kind": "bankAccount", "accountNumber": member.account, "holder": member.name}
    if member is not shop:
        to = {"kind": "member", "membershipId": shop.id}
    remittance = made(member.post("/v1/remittances", {"to": to, "amount": won(1_000)}, key=new_key()))
    payment = made(member.post("/v1/payments", order(shop_id, 2_000), key=new_key()))
    return {
        "membershipId": member.id, "bankAccountId": member.bank_account_id, "franchiseId": shop_id,
        "moneyRequestId": recharge["moneyRequestId"], "firmbankingId": firmbankings["items"][0]["firmbankingId"],
        "remittanceId": remittance["remittanceId"], "paymentId": payment["paymentId"], "region": "seoul",
    }


def made(answer):
    assert answer.is_success, answer.text
    return answer.json()


def ask_about(operation, mode, caller, examples, seed, url, tally):
    dice = random.Random(seed)

    @hypothesis.seed(seed)
    @given(case=operation.as_strategy(mode))
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )
    def ask(case):
        if mode is GenerationMode.POSITIVE and dice.random() < 0.5:
            for part in (case.path_parameters, case.query, case.body):
                caller.fill(part, dice)
        answer = case.call(base_url=url, headers=caller.headers())
        tally.requests += 1
        tally.statuses[answer.status_code // 100] += 1
        try:
            case.validate_response(answer, checks=checks_of(mode))
        except (Failure, FailureGroup) as failure:
            shown = "\n".join(str(one) for one in getattr(failure, "exceptions", [failure]))
            tally.violations.append(f"{operation.label} as {caller.kind}: {shown}\n{case.as_curl_command()}")

    ask()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cloud", default="run")
    parser.add_argument("--examples", type=int, default=50, help="of each operation, kind of caller, and of what is allowed and forbidden")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--only", default="", help="operations whose name contains this")
    options = parser.parse_args()
    console = Console(highlight=False, width=120)
    cloud = Cloud(options.cloud)
    world = World(cloud, terraform.outputs(cloud))
    console.print(f"seed {options.seed}; somebody of each kind is set up", style="dim")
    operations = sorted(
        (operation for operation in described() if options.only in operation.label), key=lambda one: ORDER.index(one.method.upper())
    )
    table = Table("caller", "operations", "requests", "2xx", "4xx", "5xx", "violations")
    violations = []
    for caller in callers(world):
        whole = Tally()
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                if mode is GenerationMode.NEGATIVE and not can_be_violated(operation):
                    continue
                is_closed = caller.member is None and is_scoped(operation)
                examples = min(options.examples, AT_CLOSED_DOORS) if is_closed else options.examples
                ask_about(operation, mode, caller, examples, options.seed, world.outputs["api_url"], whole)
        for violation in whole.violations[:20]:
            console.print(violation, markup=False, style="red")
        violations += whole.violations
        counts = [str(whole.statuses[hundreds]) for hundreds in (2, 4, 5)]
        table.add_row(caller.kind, str(len(operations)), f"{whole.requests:,}", *counts, str(len(whole.violations)))
        console.print(f"{caller.kind}: {whole.requests} requests, {dict(whole.statuses)}", style="dim")
    console.print(table)
    world.until_drained()
    dead = dict(dead_letters.counts(world))
    console.print(f"dead letters: {dead or 0}")
    sys.exit(1 if violations or dead else 0)


if __name__ == "__main__":
    main()
