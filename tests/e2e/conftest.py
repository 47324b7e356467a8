"""What end-to-end tests stand on: a deployed local cloud, named by PAY_OUTPUTS (`make test` sets it)."""

import json
import os
import secrets
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))

from client import Bank, System, new_key, new_traceparent, won  # noqa: E402, F401
from cloud import Cloud  # noqa: E402


@pytest.fixture(scope="session")
def outputs():
    """Terraform's outputs: api_url, bank_url, tables, functions, queues, dead_letter_queues, secrets, bus, …"""
    return json.loads(Path(os.environ["PAY_OUTPUTS"]).read_text())


@pytest.fixture(scope="session")
def system(outputs):
    """The deployed system: .api, .bank, .invoke(name, payload), .call(name, body) for internal operations."""
    return System(Cloud(os.environ["PAY_CLOUD"]), outputs)


@pytest.fixture(scope="session")
def api(system):
    """The public API: api.get(path, token=…), api.post(path, body, token=…, key=…); answers are httpx responses."""
    return system.api


@pytest.fixture(scope="session")
def bank(system):
    """The bank simulator's own API: open_account, account, set_mode; its corporate account is open."""
    bank = system.bank
    assert bank.open_account(bank.corporate_account, "주식회사 페이", 1_000_000_000).status_code < 300
    return bank


@pytest.fixture(scope="session")
def aws(system):
    """A boto3 client of the local cloud by service name, with all rights: aws("dynamodb")."""
    return system.cloud.client


@pytest.fixture
def eventually():
    """Calls `probe` until it gives something true, and returns that; fails after `seconds`."""

    def wait(probe, seconds=30, what="it"):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := probe():
                return found
            time.sleep(0.1)
        pytest.fail(f"{what} did not happen within {seconds} seconds")

    return wait


@pytest.fixture(scope="session")
def register(api):
    """Registers a new member and logs in; returns email, password, membershipId and token."""

    def make(kind="personal", **fields):
        email = f"person.{secrets.token_hex(6)}@example.com"
        person = {"name": "홍길동", "email": email, "password": "a long enough password", **fields}
        body = {**person, "address": "서울특별시 중구 세종대로 110", "kind": kind}
        answer = api.post("/v1/memberships", body, key=new_key())
        assert answer.status_code == 201, answer.text
        login = api.post("/v1/auth/login", {"email": person["email"], "password": person["password"]})
        assert login.status_code == 200, login.text
        return {**person, "membershipId": answer.json()["membershipId"], "token": login.json()["accessToken"]}

    return make
