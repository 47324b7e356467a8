"""The example of docs/observability.md: somebody pays with too little in the wallet, so that it is topped up, and the bank
moves the money without ever saying so. Played anew, and told as one story when the payment has ended."""

import secrets
import sys
import time

from demo import first_money
from operate import tracing
from system.client import franchise, new_key, order, succeed
from system.cloud import wait_until

PRICE = 42_000
AT_THE_BANK = 500_000
WAIT_SECONDS = 120


def tell(running, *, picture):
    """Plays the example and prints its story with neutral ids."""
    run = secrets.token_hex(3)
    payer = first_money.introduce(running, running.bank, "jiwoo", run)
    owner = first_money.introduce(running, running.bank, "minjun", run, kind="corporate")
    shop = open_shop(running, owner)
    succeed(running.bank.set_mode(payer["account"], "timeout"))
    asked = order(shop, PRICE, bankAccountId=payer["bankAccountId"])
    payment = succeed(running.api.post("/v1/payments", asked, token=payer["token"], key=new_key()))
    print(f"the first answer: {payment['state']}", file=sys.stderr)

    def ended():
        found = succeed(running.api.get(f"/v1/payments/{payment['paymentId']}", token=payer["token"]))
        return found if found["state"] != "requested" else None

    ending = wait_until(ended, WAIT_SECONDS, f"{payment['paymentId']} has no end after {WAIT_SECONDS} s: make logs")
    # The relay's last line comes after the answer that ended the waiting.
    time.sleep(5)
    print(f"the payment is {ending['state']}: make trace ID={payment['paymentId']}", file=sys.stderr)
    logs, name = running.cloud.client("logs"), running.outputs["name"]
    tracing.run(logs, name, payment["paymentId"], 10, picture=picture, without_ids=True)


def open_shop(running, owner):
    shop = franchise(owner["name"], owner["name"], owner["email"], owner["bankAccountId"])
    return succeed(running.api.post("/v1/franchises", shop, token=owner["token"], key=new_key()))["franchiseId"]
