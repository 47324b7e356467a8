"""The story of first money, told through the public API: two people register, log in, link a bank
account and recharge a wallet. New people every time, so it can be told again and again."""

import json
import secrets
import time

from rich.console import Console
from rich.table import Table

from system.client import new_key, succeed, won
from system.cloud import CloudError
from system.people import log_in

console = Console(highlight=False)
WAIT_SECONDS = 30
NAMES = {"jiwoo": ("김지우", "서울특별시 중구 세종대로 110"), "minjun": ("이민준", "부산광역시 해운대구 센텀중앙로 79")}
RECHARGES = {"jiwoo": 150_000, "minjun": 30_000}
AT_THE_BANK = 500_000


class Storyteller:
    """Prints each request and its answer on a line; hides what a screen should not show."""

    def __init__(self):
        self.count = 0

    def __call__(self, method, path, body, answer):
        self.count += 1
        colour = "green" if answer.status_code < 400 else "red"
        shown = shorten(json.dumps(hide(answer_body(answer)), ensure_ascii=False))
        console.print(f"[dim]{self.count:>2}[/dim] {method} {path}  [{colour}]{answer.status_code}[/{colour}]  ", end="")
        console.print(shown, markup=False, soft_wrap=True)


def answer_body(answer):
    try:
        return answer.json()
    except ValueError:
        return answer.text


def hide(value):
    if isinstance(value, dict):
        secret = ("password", "accessToken", "refreshToken")
        return {name: "…" if name in secret else hide(inner) for name, inner in value.items()}
    return value


def shorten(text, length=160):
    return text if len(text) <= length else text[:length] + "…"


def tell(system, patience_seconds=WAIT_SECONDS):
    """Plays the story and returns the people in it, with their credentials."""
    run = secrets.token_hex(3)
    bank = system.bank
    people = [introduce(system, bank, who, run) for who in NAMES]
    for person in people:
        recharge(system, person, patience_seconds)
    show_wallets(system, people)
    show_ledger(system, people)
    return people


def introduce(system, bank, who, run, kind="personal"):
    """Registers, logs in, opens an account at the bank and links it."""
    name, address = NAMES[who]
    person = {"email": f"{who}.{run}@example.com", "password": f"correct horse {secrets.token_urlsafe(9)}", "name": name}
    registration = {**person, "address": address, "kind": kind}
    member = succeed(system.api.post("/v1/memberships", registration, key=new_key()))
    person["membershipId"] = member["membershipId"]
    person["token"] = log_in(system, person)
    person["account"] = "110" + str(secrets.randbelow(10**10)).zfill(10)
    succeed(bank.open_account(person["account"], name, AT_THE_BANK))
    account = {"accountNumber": person["account"], "holder": name}
    linked = succeed(system.api.post("/v1/bank-accounts", account, token=person["token"], key=new_key()))
    person["bankAccountId"] = linked["bankAccountId"]
    person["amount"] = RECHARGES[who]
    return person


def recharge(system, person, patience_seconds=WAIT_SECONDS):
    """Recharges the wallet; once more, as people do, if the bank turns out never to have heard of it."""
    order = {"bankAccountId": person["bankAccountId"], "amount": won(person["amount"])}
    answer = system.api.post("/v1/money/increases", order, token=person["token"], key=new_key())
    request = succeed(answer)
    deadline = time.monotonic() + patience_seconds
    while request["state"] not in ("succeeded", "failed") and time.monotonic() < deadline:
        time.sleep(0.5)
        request = quietly(system, f"/v1/money/requests/{request['moneyRequestId']}", person)
    if request.get("failureReason") == "bank_did_not_receive":
        recharge(system, person, patience_seconds)
    elif request["state"] != "succeeded":
        raise CloudError(f"the recharge ended as {request['state']}: {request.get('failureReason')}")


def show_wallets(system, people):
    table = Table("member", "balance", "held", "available", title="Wallets", title_justify="left")
    for person in people:
        balance = quietly(system, f"/v1/money/wallets/{person['membershipId']}/balance", person)
        table.add_row(person["name"], *(amount(balance[field]) for field in ("balance", "held", "available")))
    console.print(table)


def show_ledger(system, people):
    columns = ("member", "#", "kind", "amount", "debit", "credit", "balance")
    table = Table(*columns, title="Ledger entries", title_justify="left")
    for person in people:
        history = quietly(system, f"/v1/money/wallets/{person['membershipId']}/transactions", person)
        for entry in reversed(history["items"]):
            legs = (entry.get("debitAccount", "–"), entry.get("creditAccount", "–"))
            table.add_row(
                person["name"], str(entry["sequence"]), entry["kind"], amount(entry["amount"]), *map(str, legs),
                amount(entry["balance"]),
            )
    console.print(table)


def quietly(system, path, person):
    listener, system.api.listener = system.api.listener, None
    try:
        return succeed(system.api.get(path, token=person["token"]))
    finally:
        system.api.listener = listener


def amount(money):
    return f"{money['amount']:,} 원"
