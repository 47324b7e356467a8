"""Rotates the signing keys while people go on asking: `make rotation`. Nobody may notice.

Every client keeps all tokens that it was ever given and asks with the newest and the oldest that still hold, so that keys
of before are needed until their last token has ended. Rotations follow each other as closely as the product's own
clocks allow: functions keep a secret for five minutes and a token lives for ten, so a quarter of an hour. What is
shortened is only how long a key is published before it signs, two hours on AWS because the gateway may keep the keys
that long: here it keeps them for five seconds, and the publication is dated back.
"""

import argparse
import random
import sys
import threading
import time
from collections import Counter

import httpx
import jwt
from rich.console import Console

from system import terraform
from system.client import Api
from system.cloud import Cloud
from world import World, wait_until

TOKEN_SECONDS = 600
SECRET_KEPT_SECONDS = 300
# Between reading the clock here and the gateway's own check of a token.
MARGIN_SECONDS = 20
BETWEEN_SECONDS = TOKEN_SECONDS + SECRET_KEPT_SECONDS + MARGIN_SECONDS
PUBLISHED_SECONDS = 7_200
RENEWED_SECONDS = 15

console = Console(highlight=False, width=120)


class Client(threading.Thread):
    """Somebody who asks all the time, with every token that still holds."""

    def __init__(self, world, member):
        super().__init__(daemon=True)
        self.api, self.member = Api(world.outputs["api_url"]), member
        self.tokens, self.refresh_token = [], None
        self.asked, self.keys, self.failures = Counter(), Counter(), []
        self.is_over = False

    def run(self):
        while not self.is_over:
            try:
                self.step()
            except httpx.HTTPError as error:
                self.failures.append(f"{time.strftime('%X')} {type(error).__name__} {error}")
            time.sleep(0.1)

    def step(self):
        now = time.time()
        self.tokens = [kept for kept in self.tokens if kept[0] + TOKEN_SECONDS - MARGIN_SECONDS > now]
        if not self.tokens or self.tokens[-1][0] + RENEWED_SECONDS < now:
            self.renew()
        for token in {self.tokens[0][1], self.tokens[-1][1], random.choice(self.tokens)[1]}:
            key = jwt.get_unverified_header(token)["kid"]
            self.keys[key] += 1
            self.expect("whoAmI", key, self.api.get("/v1/auth/membership", token=token))
            self.expect("balance", key, self.api.get(f"/v1/money/wallets/{self.member.id}/balance", token=token))
            answer = self.api.post("/v1/auth/validate", {"token": token})
            if self.expect("validate", key, answer) and not answer.json()["active"]:
                self.failures.append(f"{time.strftime('%X')} a token of {key} is called inactive")

    def renew(self):
        """By turns with the refresh token and with the password."""
        began = time.time()
        if self.refresh_token and random.random() < 0.7:
            answer = self.api.post("/v1/auth/refresh", {"refreshToken": self.refresh_token})
        else:
            answer = self.api.post("/v1/auth/login", {"email": self.member.email, "password": self.member.password})
        if self.expect("renew", "", answer):
            self.refresh_token = answer.json()["refreshToken"]
            self.tokens.append((began, answer.json()["accessToken"]))

    def expect(self, what, key, answer):
        self.asked[what] += 1
        if answer.status_code != 200:
            self.failures.append(f"{time.strftime('%X')} {what} with {key}: {answer.status_code} {answer.text[:200]}")
        return answer.status_code == 200


def rotate(world, member):
    """One rotation. The key that was next signs now, and what it signs holds at once."""
    before = world.signing_keys()
    # A first rotation may only note that the next key is published from now on.
    world.date_keys_back(PUBLISHED_SECONDS + 60)
    after = world.rotate_keys(60)
    assert after["previous"] == before["current"] and after["current"] == before["next"], "the keys have not moved up"
    answer = world.api.get("/v1/auth/membership", token=world.sign(world.claims(member)))
    assert answer.status_code == 200, f"the new key's first token: {answer.status_code} {answer.text}"
    names = ("previous", "current", "next")
    kids = [after[name]["public"]["kid"] for name in names]

    def served():
        return [key["kid"] for key in world.api.get("/.well-known/jwks.json").json()["keys"]]

    wait_until(lambda: sorted(served()) == sorted(kids), SECRET_KEPT_SECONDS + MARGIN_SECONDS, "the published keys")
    console.print(f"{time.strftime('%X')} rotated: " + ", ".join(f"{name} {kid[:8]}" for name, kid in zip(names, kids)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cloud", default="run")
    parser.add_argument("--rotations", type=int, default=2)
    parser.add_argument("--clients", type=int, default=3)
    options = parser.parse_args()
    cloud = Cloud(options.cloud)
    world = World(cloud, terraform.outputs(cloud))
    people = world.members(options.clients)
    clients = [Client(world, member) for member in people]
    for client in clients:
        wait_until(client.member.has_wallet, what="a wallet")
        client.start()
    minutes = ((options.rotations - 1) * BETWEEN_SECONDS + TOKEN_SECONDS + 60) / 60
    console.print(f"{options.rotations} rotations under {options.clients} clients: about {minutes:.0f} minutes")
    time.sleep(60)
    for number in range(options.rotations):
        began = time.monotonic()
        rotate(world, people[0])
        # After the last one until every token of before has ended.
        wait = TOKEN_SECONDS if number + 1 == options.rotations else BETWEEN_SECONDS
        time.sleep(max(0, began + wait - time.monotonic()))
        asked = sum(sum(client.asked.values()) for client in clients)
        console.print(f"{time.strftime('%X')} {asked:,} requests, {sum(len(client.failures) for client in clients)} failed")
    for client in clients:
        client.is_over = True
    for client in clients:
        client.join(60)
    failures = [failure for client in clients for failure in client.failures]
    keys = sum((client.keys for client in clients), Counter())
    asked = sum((client.asked for client in clients), Counter())
    console.print(f"by operation: {dict(asked)}\nby signing key: { {kid[:8]: count for kid, count in keys.items()} }")
    for failure in failures[:20]:
        console.print(failure, style="red", markup=False)
    console.print(f"{options.rotations} rotations, {sum(asked.values()):,} requests, {len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
