"""Settlement over HTTP, by the real state machine, into the franchises' accounts at the bank.

Three runs tell one story: a franchise that is simply paid, one whose bank declines, one whose bank pays and never says
so, one without payments, and one that owes after its first run. Then runs are begun at once, killed, begun again, and
left without a bank. Every amount is reckoned here by hand or anew, to the won.
"""

import csv
import io
import json
from dataclasses import dataclass

import pytest
from system import terraform
from world import Member, age, assert_problem, business_day, new_key, new_traceparent, together, wait_until, won

OPERATIONS = terraform.table()["operations"]
COLUMNS = ["kind", "paymentId", "cancellationId", "orderId", "at", "feeBps", "amount"]


@dataclass
class Shop:
    """A franchise with an owner and a bank account of its own."""

    owner: Member
    id: str

    def paid(self, payer, amount, order_id=None):
        order = {"franchiseId": self.id, "amount": won(amount), "orderId": order_id or new_key()[:20]}
        answer = payer.post("/v1/payments", order, key=new_key())
        assert answer.status_code == 201, answer.text
        return answer.json()

    def lines(self, **query):
        answer = self.owner.get("/v1/settlements", params={"franchiseId": self.id, **query})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    def line(self):
        """The newest settlement with the franchise, as its owner sees it; none if there is none."""
        newest = self.lines(limit=1)
        if not newest:
            return None
        answer = self.owner.get(f"/v1/settlements/{newest[0]['settlementId']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def line_once(self, *states, seconds=30):
        def there():
            line = self.line()
            return line if line and line["state"] in states else None

        return wait_until(there, seconds, f"{self.id} {states}")

    def received(self, world, account=None):
        """What the bank has moved into the owner's account; the corporate account must say the same."""
        account = account or self.owner.account
        moves = world.account(account).moves
        assert all(move["direction"] == "credit" for move in moves)
        company = world.account(world.bank.corporate_account).moves
        theirs = [move for move in company if move["counterparty"] == account]
        assert all(move["direction"] == "debit" for move in theirs)
        amounts = [move["amount"]["amount"] for move in moves]
        assert amounts == [move["amount"]["amount"] for move in theirs]
        return amounts

    def journal(self, world):
        """What the ledger has taken from what the franchise is owed, below zero what it gave back, oldest first; and
        the totals."""
        entries = [item for item in world.scan("money") if item["pk"] == f"journal#{self.id}"]
        entries.sort(key=lambda entry: entry["sk"])
        totals = entries[-1]["totals"] if entries else {"paidOut": 0, "fee": 0, "vat": 0}

        def taken(entry):
            return -int(entry["amount"]) if self.id in str(entry["credit"]) else int(entry["amount"])

        return [(entry["purpose"], taken(entry)) for entry in entries], {
            name: int(amount) for name, amount in totals.items()
        }


def opened(world):
    owner = world.member(kind="corporate")
    return Shop(owner, world.open_franchise(owner))


def cancel(payer, payment, amount):
    path = f"/v1/payments/{payment['paymentId']}/cancellations"
    answer = payer.post(path, {"amount": won(amount), "reason": "customerRequest"}, key=new_key())
    assert answer.status_code == 201, answer.text
    return answer.json()


def amounts(line):
    """A settlement's totals in plain won."""
    return {name: value["amount"] if isinstance(value, dict) else value for name, value in line["totals"].items()}


def retry(operator, settlement, key=None):
    return operator.post(f"/v1/settlements/{settlement}/retry", key=key or new_key())


# --- the story


@pytest.fixture(scope="module")
def payer(world):
    member = world.member(balance=2_000_000)
    assert member.recharge(1_000_000).status_code == 201
    return member


@dataclass
class Story:
    shops: dict
    payments: dict
    run: dict
    before: int
    after: int


@pytest.fixture(scope="module")
def story(world, payer):
    """The first run."""
    names = ("good", "declined", "silent", "empty", "owing")
    shops = dict(zip(names, together(*[lambda: opened(world)] * len(names)), strict=True))
    payments = {
        "good": [
            shops["good"].paid(payer, 15_000),
            shops["good"].paid(payer, 7_777, order_id="=1+1"),
            shops["good"].paid(payer, 4_321),
        ],
        "declined": [shops["declined"].paid(payer, 20_000)],
        "silent": [shops["silent"].paid(payer, 30_000)],
        "owing": [shops["owing"].paid(payer, 10_000)],
        "empty": [],
    }
    cancel(payer, payments["good"][0], 1_000)
    world.tell_bank(shops["declined"].owner.account, "decline")
    world.tell_bank(shops["silent"].owner.account, "timeout", transfers=1)
    before = world.account(world.bank.corporate_account).balance
    run = world.settle()
    for name, state in (("good", "paid"), ("silent", "paid"), ("owing", "paid"), ("declined", "failed"), ("empty", "empty")):
        shops[name].line_once(state, seconds=60)
    return Story(shops, payments, run, before, world.account(world.bank.corporate_account).balance)


def test_a_run_pays_what_is_left_after_fee_and_tax_to_the_won(world, story):
    shop = story.shops["good"]
    line = shop.line()
    assert (line["state"], line["sequence"], line["businessDay"]) == ("paid", 1, story.run["businessDay"])
    # 26 098 at 2.5 % are 652.45, of which a tenth is 65.2.
    assert amounts(line) == {
        "payments": 3, "paid": 27_098, "cancellations": 1, "canceled": 1_000, "fee": 652, "vat": 65, "net": 25_381,
        "carriedIn": 0, "payout": 25_381, "carriedOut": 0,
    }
    assert (line["payoutAttempts"], line["bankAccountId"]) == (1, shop.owner.bank_account_id)
    assert shop.received(world) == [25_381]
    entries, totals = shop.journal(world)
    assert entries == [("fee", 652), ("vat", 65), ("settlement", 25_381)], entries
    assert sum(totals.values()) == 26_098, "nothing is owed any more"


def test_its_payments_are_settled_and_no_longer_normal(world, story, operator, payer):
    shop = story.shops["good"]
    line = shop.line()
    for payment in story.payments["good"]:
        path = f"/v1/payments/{payment['paymentId']}"
        for somebody in (payer, shop.owner):
            shown = somebody.get(path).json()
            assert (shown["state"], shown["settlementId"], shown["settledAt"]) == (
                "settled", line["settlementId"], line["recordedAt"],
            )
        confirmed = operator.post(f"{path}/finish")
        assert (confirmed.status_code, confirmed.json()["state"]) == (200, "settled"), confirmed.text
    first = payer.get(f"/v1/payments/{story.payments['good'][0]['paymentId']}").json()
    assert first["cancellations"][0]["settlementId"] == line["settlementId"]
    day = first["approvedAt"][:10]
    window = {"from": f"{day}T00:00:00Z", "to": f"{day}T23:59:59Z"}
    left = shop.owner.get("/v1/payments/normal", params={"franchiseId": shop.id, **window})
    assert (left.status_code, left.json()["items"]) == (200, []), left.text
    history = shop.owner.get("/v1/payments", params={"franchiseId": shop.id}).json()["items"]
    assert [one["state"] for one in history] == ["settled"] * 3


def test_a_bank_that_pays_and_never_says_so_is_believed_once_it_tells(world, story):
    shop = story.shops["silent"]
    line = shop.line()
    assert amounts(line)["payout"] == 30_000 - 750 - 75 and line["payoutAttempts"] == 1
    assert shop.received(world) == [29_175]
    assert shop.journal(world)[0][-1] == ("settlement", 29_175)


def test_who_was_paid_nothing_is_settled_with_nothing(world, story):
    line = story.shops["empty"].line()
    assert (line["state"], line["lines"], line["payoutAttempts"]) == ("empty", [], 0)
    assert {amount for amount in amounts(line).values()} == {0}
    assert story.shops["empty"].received(world) == [] and story.shops["empty"].journal(world)[0] == []


def test_the_run_sums_up_what_its_franchises_were_paid(world, story):
    day = story.run["businessDay"]
    run = world.run(day)
    totals = run["totals"]
    assert (run["state"], run["attempt"], totals["due"], totals["open"], run["pending"]) == ("finished", 1, 0, 0, [])
    assert story.before - story.after == totals["paidOut"]["amount"]
    declined = story.shops["declined"]
    [mine] = [one for one in run["failed"] if one["franchiseId"] == declined.id]
    assert (mine["state"], mine["settlementId"]) == ("failed", declined.line()["settlementId"])
    assert (mine["totals"]["payout"], declined.line()["failureReason"]) == (won(19_450), "declined_by_bank")


def test_the_same_day_again_is_the_same_finished_run(world, operator, story):
    day = story.run["businessDay"]
    mine = [shop.id for shop in story.shops.values()] + [f"run#{day}"]
    before = world.snapshot("settlement", of=mine)
    again = operator.post("/v1/settlements", {"businessDay": day})
    assert (again.status_code, again.json()["state"], again.json()["attempt"]) == (200, "finished", 1), again.text
    assert executions(world, day) == [f"{day}-1"]
    assert world.snapshot("settlement", of=mine) == before


def test_what_the_bank_declined_is_paid_once_to_another_account(world, operator, story):
    shop = story.shops["declined"]
    line = shop.line()
    assert (line["state"], line["failureReason"], amounts(line)["payout"]) == ("failed", "declined_by_bank", 19_450)
    assert shop.received(world) == []
    assert shop.journal(world)[0] == [("fee", 500), ("vat", 50)]
    # The same account again fails again, and nothing is paid.
    refused = retry(operator, line["settlementId"])
    assert (refused.status_code, refused.json()["state"], refused.json()["payoutAttempts"]) == (200, "failed", 2)

    first, number = shop.owner.account, shop.owner.open_account(balance=0)
    linked = shop.owner.link(number)
    assert linked.status_code == 201, linked.text
    changed = {"bankAccountId": linked.json()["bankAccountId"]}
    assert shop.owner.call("PATCH", f"/v1/franchises/{shop.id}", changed).status_code == 200
    key = new_key()
    answers = together(*[lambda key=key: retry(operator, line["settlementId"], key) for key in [key, key, new_key()]])
    assert {answer.status_code for answer in answers} <= {200, 202}, [answer.text for answer in answers]
    paid = shop.line_once("paid")
    assert (paid["payoutAttempts"], paid["bankAccountId"]) == (3, changed["bankAccountId"])
    assert "failureReason" not in paid
    again = retry(operator, line["settlementId"], key)
    assert (again.status_code, again.json()["state"], again.headers["idempotent-replayed"]) == (200, "paid", "true")
    assert (shop.received(world, first), shop.received(world, number)) == ([], [19_450])
    assert sum(shop.journal(world)[1].values()) == 20_000
    other = operator.post(f"/v1/settlements/{story.shops['good'].line()['settlementId']}/retry", key=key)
    assert_problem(other, 422, "idempotency_key_reused")
    nothing = operator.post(f"/v1/settlements/{story.run['businessDay']}/retry", key=new_key())
    assert nothing.status_code in (200, 202) and nothing.json()["kind"] == "run", nothing.text


def test_what_is_taken_back_after_settlement_is_carried_and_then_recovered(world, story, payer):
    shop = story.shops["owing"]
    # Three runs can settle what is paid on the day of the first one, so that must be today.
    assert story.run["businessDay"] == business_day(), "this stack has been settled before: begin with a fresh one"
    assert shop.received(world) == [9_725]
    payment = story.payments["owing"][0]
    back = cancel(payer, payment, 6_000)
    assert (back["state"], back["canceledAmount"]) == ("settled", won(6_000))

    second = world.settle()
    line = shop.line_once("carried")
    assert (line["sequence"], line["businessDay"]) == (2, second["businessDay"])
    # The fee of what is taken back is given back: 150 and 15.
    assert amounts(line) == {
        "payments": 0, "paid": 0, "cancellations": 1, "canceled": 6_000, "fee": -150, "vat": -15, "net": -5_835,
        "carriedIn": 0, "payout": 0, "carriedOut": 5_835,
    }
    assert shop.received(world) == [9_725] and line["payoutAttempts"] == 0
    shown = payer.get(f"/v1/payments/{payment['paymentId']}").json()
    assert shown["settlementId"] != shown["cancellations"][0]["settlementId"] == line["settlementId"]
    # What was settled before is in no later settlement.
    assert amounts(story.shops["good"].line())["payments"] == 0 and story.shops["good"].received(world) == [25_381]

    shop.paid(payer, 9_000)
    world.settle()
    line = shop.line_once("paid")
    assert line["sequence"] == 3
    assert amounts(line) == {
        "payments": 1, "paid": 9_000, "cancellations": 0, "canceled": 0, "fee": 225, "vat": 22, "net": 8_753,
        "carriedIn": 5_835, "payout": 2_918, "carriedOut": 0,
    }
    assert shop.received(world) == [9_725, 2_918]
    entries, totals = shop.journal(world)
    assert entries == [
        ("fee", 250), ("vat", 25), ("settlement", 9_725), ("fee", -150), ("vat", -15),
        ("fee", 225), ("vat", 22), ("settlement", 2_918),
    ]
    assert sum(totals.values()) == 10_000 - 6_000 + 9_000


# --- reading


def test_owner_and_operator_read_settlements_and_nobody_else(world, operator, story, company, payer):
    shop = story.shops["owing"]
    wait_until(lambda: len(shop.lines()) >= 3, what="three settlements")
    ids = [one["settlementId"] for one in shop.lines()]
    path = f"/v1/settlements/{ids[0]}"
    assert operator.get(path).json() == shop.owner.get(path).json()
    assert [one["settlementId"] for one in operator.items("/v1/settlements", franchiseId=shop.id, limit=1)] == ids
    day = story.run["businessDay"]
    assert [one["settlementId"] for one in shop.lines(to=day)] == ids[-1:]
    listed = {one["franchiseId"]: one for one in operator.items("/v1/settlements", **{"from": day, "to": day, "limit": 100})}
    assert {one.id for one in story.shops.values()} <= listed.keys()
    assert listed[story.shops["empty"].id]["state"] == "empty"

    mine = [one.id for one in story.shops.values()]
    before = world.snapshot("settlement", "payment", "money", of=mine)
    for path in (path, f"{path}/statement", f"/v1/settlements/{day}", "/v1/settlements/stl_01J00000000000000000000000"):
        assert_problem(company.get(path), 404, "not_found")
    for franchise in (shop.id, "frc_01J00000000000000000000000"):
        assert_problem(company.get("/v1/settlements", params={"franchiseId": franchise}), 404, "not_found")
    assert_problem(shop.owner.get(f"/v1/settlements/{day}"), 404, "not_found")
    problem = assert_problem(shop.owner.get("/v1/settlements"), 400, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == ["/franchiseId"]
    # Without a scope the gateway lets nobody through; a merchant starts and retries nothing.
    for path in ("/v1/settlements", f"/v1/settlements/{ids[0]}", f"/v1/settlements/{ids[0]}/statement"):
        assert payer.get(path).status_code == 403
        assert world.api.get(path).status_code == 401
    for somebody in (payer, shop.owner):
        assert somebody.post("/v1/settlements", {"businessDay": day}).status_code == 403
        assert retry(somebody, ids[0]).status_code == 403
    assert world.snapshot("settlement", "payment", "money", of=mine) == before


def test_a_statement_opens_in_a_spreadsheet_and_adds_up(story, operator):
    shop = story.shops["good"]
    first = shop.lines()[-1]["settlementId"]
    path = f"/v1/settlements/{first}/statement"
    answer = shop.owner.get(path)
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "link" not in answer.headers, "it is one page"
    assert answer.content == operator.get(path).content
    assert answer.content.startswith(b"\xef\xbb\xbf") and not answer.content.startswith(b"\xef\xbb\xbf" * 2)
    text = answer.content.decode("utf-8-sig")
    assert text.endswith("\r\n") and text.count("\n") == text.count("\r\n")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == COLUMNS
    listed = {(row["paymentId"], row["orderId"], row["amount"]) for row in rows if row["kind"] == "payment"}
    wanted = {(one["paymentId"], one["orderId"], str(one["amount"]["amount"])) for one in story.payments["good"]}
    assert listed == {(payment, "'=1+1" if order == "=1+1" else order, amount) for payment, order, amount in wanted}
    [canceled] = [row for row in rows if row["kind"] == "cancellation"]
    assert (canceled["amount"], canceled["paymentId"]) == ("-1000", story.payments["good"][0]["paymentId"])
    sums = {row["kind"]: int(row["amount"]) for row in rows if not row["paymentId"]}
    assert sums == {
        "paid": 27_098, "canceled": -1_000, "fee": -652, "vat": -65, "net": 25_381, "carriedIn": 0, "payout": 25_381,
        "carriedOut": 0,
    }
    assert sum(int(row["amount"]) for row in rows if row["paymentId"]) == sums["paid"] + sums["canceled"]
    assert sums["paid"] + sums["canceled"] + sums["fee"] + sums["vat"] == sums["net"]
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())
    nothing = story.shops["empty"]
    empty = nothing.owner.get(f"/v1/settlements/{nothing.lines()[-1]['settlementId']}/statement").text
    assert [row["kind"] for row in csv.DictReader(io.StringIO(empty.removeprefix("\ufeff")))] == [
        "vat", "net", "carriedIn", "payout", "carriedOut",
    ]


BAD = [
    ("POST", "/v1/settlements", {"businessDay": "yesterday"}, None, "/businessDay"),
    ("POST", "/v1/settlements", {"businessDay": "2026-02-30"}, None, "/businessDay"),
    ("POST", "/v1/settlements", {"businessDay": "9999-12-31"}, None, "/businessDay"),
    ("POST", "/v1/settlements", {"businessDay": 20261122}, None, "/businessDay"),
    ("POST", "/v1/settlements", {"day": "2026-11-22"}, None, "/day"),
    ("GET", "/v1/settlements", None, {"limit": "0"}, "/limit"),
    ("GET", "/v1/settlements", None, {"franchiseId": "frc_"}, "/franchiseId"),
    ("GET", "/v1/settlements", None, {"from": "2026-11-22", "to": "2026-11-21"}, "/to"),
    ("GET", "/v1/settlements", None, {"from": "2026-01-01", "to": "2026-11-21"}, "/from"),
    ("GET", "/v1/settlements", None, {"cursor": "made up"}, "/cursor"),
    ("GET", "/v1/settlements", None, {"order": "asc"}, "/order"),
    ("GET", "/v1/settlements/nothing", None, None, "/settlementId"),
    ("GET", "/v1/settlements/2026-11-22/statement", None, None, "/settlementId"),
    ("POST", "/v1/settlements/nothing/retry", None, None, "/settlementId"),
]


@pytest.mark.parametrize("method, path, body, query, pointer", BAD)
def test_bad_input_names_its_field(operator, method, path, body, query, pointer):
    key = new_key() if path.endswith("/retry") else None
    answer = operator.call(method, path, body, params=query or {}, key=key)
    problem = assert_problem(answer, 400)
    if "errors" in problem:
        assert [error["pointer"] for error in problem["errors"]] == [pointer], problem
    else:
        assert pointer[1:] in problem["detail"], problem


def test_a_retry_needs_a_key_and_something_to_retry(operator):
    assert_problem(operator.post("/v1/settlements/1999-01-01/retry"), 400)
    for nobody in ("1999-01-01", "stl_01J00000000000000000000000"):
        assert_problem(retry(operator, nobody), 404, "not_found")


# --- runs in trouble


def executions(world, day):
    """The names of the executions that have worked on a day, the first first."""
    flow = world.client("stepfunctions")
    pages = flow.get_paginator("list_executions").paginate(stateMachineArn=world.outputs["state_machines"]["settlement"])
    names = [one["name"] for page in pages for one in page["executions"]]
    return sorted(name for name in names if name.startswith(f"{day}-"))


def arn(world, execution):
    machine = world.outputs["state_machines"]["settlement"]
    return f"{machine.replace(':stateMachine:', ':execution:')}:{execution}"


def status(world, execution):
    return world.client("stepfunctions").describe_execution(executionArn=arn(world, execution))["status"]


def kill(world, execution):
    world.client("stepfunctions").stop_execution(executionArn=arn(world, execution), error="killed", cause="by a test")
    assert status(world, execution) == "ABORTED"


def test_a_day_begun_at_once_is_one_run_and_killed_ones_are_taken_up(world, payer):
    shop = opened(world)
    shop.paid(payer, 50_000)
    world.tell_bank(shop.owner.account, "timeout")
    day = world.unsettled_day()
    begun = together(*[lambda: world.start_run(day)] * 4)
    assert {(run["businessDay"], run["state"], run["attempt"]) for run in begun} == {(day, "started", 1)}
    assert executions(world, day) == [f"{day}-1"]
    kill(world, f"{day}-1")
    assert world.run(day)["state"] == "started"

    begun = together(*[lambda: world.start_run(day)] * 3)
    assert {run["attempt"] for run in begun} == {2} and executions(world, day) == [f"{day}-1", f"{day}-2"]
    shop.line_once("open", "paid")
    kill(world, f"{day}-2")

    assert world.start_run(day)["attempt"] == 3
    run = world.finished(day)
    assert (run["attempt"], run["totals"]["due"]) == (3, 0)
    assert executions(world, day) == [f"{day}-{attempt}" for attempt in (1, 2, 3)]
    line = shop.line_once("paid", seconds=60)
    assert (line["sequence"], line["payoutAttempts"], amounts(line)["payout"]) == (1, 1, 48_625)
    assert shop.received(world) == [48_625] and len(shop.lines()) == 1
    assert shop.journal(world)[0] == [("fee", 1_250), ("vat", 125), ("settlement", 48_625)]
    wait_until(lambda: status(world, f"{day}-3") == "SUCCEEDED", what="the last execution's end")


def test_a_bank_that_is_down_for_the_whole_run_leaves_it_pending_and_nobody_is_paid_twice(world, operator, payer):
    done, lost = opened(world), opened(world)
    for shop in (done, lost):
        shop.paid(payer, 40_000)
    # One transfer is made before the bank goes down without a word, the other one is not.
    world.tell_bank(done.owner.account, "timeout", delayMillis=15_000)
    world.tell_bank(lost.owner.account, "down")
    day = world.unsettled_day()
    world.start_run(day)
    wait_until(lambda: world.account(done.owner.account).moves, what="the transfer")
    world.tell_bank(done.owner.account, "down")
    run = world.finished(day)
    pending = {one["franchiseId"]: one["state"] for one in run["pending"]}
    assert (pending.get(done.id), pending.get(lost.id)) == ("open", "open"), run
    assert run["totals"]["open"] >= 2 and run["totals"]["unpaid"]["amount"] >= 77_800
    for shop in (done, lost):
        assert shop.line()["state"] == "open"

    world.tell_bank(done.owner.account, "normal")
    paid = done.line_once("paid", seconds=90)
    assert (paid["payoutAttempts"], done.received(world)) == (1, [38_900])

    # What the bank has not had for half a minute is voided there, so that it cannot come late, and may be tried again.
    wait_until(lambda: age(lost.line()["recordedAt"]) > 35, 60, "the transfer's half a minute")
    world.tell_bank(lost.owner.account, "normal")

    def swept():
        world.call("settlement.sweepSettlements", {"settlementId": lost.line()["settlementId"]})
        return lost.line()["state"] in ("failed", "paid")

    wait_until(swept, 90, "the bank's answer about the transfer")
    line = lost.line()
    assert (line["state"], line["failureReason"]) == ("failed", "bank_did_not_receive")
    assert lost.received(world) == []
    assert retry(operator, line["settlementId"]).json()["state"] == "paid"
    assert lost.received(world) == [38_900]
    totals = world.run(day)["totals"]
    assert (totals["due"], totals["open"], totals["failed"]) == (0, 0, 0)


def test_the_schedule_settles_the_last_day_that_is_over(world):
    started = world.call("settlement.startSettlement", {})
    assert started["businessDay"] < business_day()
    run = world.finished(started["businessDay"])
    assert run["totals"]["due"] == 0


# --- doors


def test_steps_do_only_what_the_state_machine_asks_of_them(world):
    steps = [name for name, operation in OPERATIONS.items() if operation.get("step")]
    assert len(steps) == 8
    # A day and a franchise that nobody else has, for sweepers write elsewhere when they will.
    place = {"businessDay": "1999-01-02", "franchiseId": "frc_01J00000000000000000000000"}
    for step, other in zip(steps, steps[1:] + steps[:1], strict=True):
        _, error = world.invoke(step, {"step": other, "traceparent": new_traceparent(), "input": place})
        assert error, f"{step} did {other}"
        call = {"operation": step, "caller": "payment.collectManifest", "traceparent": new_traceparent(), "body": place}
        answer, error = world.invoke(step, call)
        assert error is None and answer["refused"]["code"] == "internal_error", f"{step} as a call: {answer}"
        answer, error = world.invoke(step, {"step": step, "traceparent": new_traceparent(), "input": {"day": 1}})
        assert error and "day" not in json.dumps(answer.get("stackTrace", "")), answer
    for name in ("settlement.sweepSettlements", "settlement.startSettlement", "settlement.verifyFranchiseSettled"):
        _, error = world.invoke(name, {"step": name, "traceparent": new_traceparent(), "input": {}})
        assert error, f"{name} as a step"
    # A day that was never begun has nothing to be done.
    day = {"businessDay": "1999-01-01"}
    shard = {**day, "shard": 3}
    answers = {
        step: world.invoke(f"settlement.{step}", {
            "step": f"settlement.{step}", "traceparent": new_traceparent(), "input": given,
        })
        for step, given in {
            "collectPayments": {**place, **day}, "recordSettlement": day, "payOutSettlement": day,
            "listDueFranchises": shard, "countOpenLines": day, "finishSettlement": day,
        }.items()
    }
    assert all(error is None for _, error in answers.values()), answers
    assert answers["collectPayments"][0] == {"next": "done"}
    assert answers["listDueFranchises"][0]["franchises"] == []
    written = world.snapshot("settlement", "payment", "money", of=("1999-01-0", place["franchiseId"]))
    assert written == {}


def test_the_state_machine_may_invoke_its_steps_and_nothing_else(world):
    iam, machine = world.client("iam"), world.outputs["state_machines"]["settlement"]
    described = world.client("stepfunctions").describe_state_machine(stateMachineArn=machine)
    role = described["roleArn"]
    trust = iam.get_role(RoleName=role.rsplit("/", 1)[1])["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert [statement["Principal"] for statement in trust] == [{"Service": "states.amazonaws.com"}]
    account, region = role.split(":")[4], world.outputs["region"]
    functions = {
        f"arn:aws:lambda:{region}:{account}:function:{name}:live": full for full, name in world.outputs["functions"].items()
    }

    def may(principal, action, resources):
        return {resource for resource in resources if is_allowed(principal, action, resource)}

    def is_allowed(principal, action, resource):
        results = iam.simulate_principal_policy(
            PolicySourceArn=principal, ActionNames=[action], ResourceArns=[resource]
        )["EvaluationResults"]
        return [result["EvalDecision"] for result in results] == ["allowed"]

    invoked = {functions[one] for one in may(role, "lambda:InvokeFunction", functions)}
    assert invoked == {name for name, operation in OPERATIONS.items() if operation.get("step")}
    other = machine.replace("settlement", "payroll")
    assert may(role, "states:StartExecution", [machine, other]) == {machine}
    tables = [f"arn:aws:dynamodb:{region}:{account}:table/{name}" for name in world.outputs["tables"].values()]
    for action in ("dynamodb:GetItem", "dynamodb:PutItem"):
        assert may(role, action, tables) == set()
    secrets = list(world.outputs["secrets"].values())
    assert may(role, "secretsmanager:GetSecretValue", secrets) == set()
    for name, operation in OPERATIONS.items():
        source = f"arn:aws:iam::{account}:role/{world.outputs['functions'][name]}"
        allowed = may(source, "states:StartExecution", [machine, other])
        assert allowed == ({machine} if operation.get("workflows") else set()), name
