"""Who is known on this machine: the people of the story of first money, and an operator, who is made at first use."""

import json
import secrets

from system.client import succeed

OPERATOR = "operator@example.com"


def file(cloud):
    return cloud.folder / "people.json"


def known(cloud):
    return json.loads(file(cloud).read_text()) if file(cloud).exists() else []


def keep(cloud, people):
    file(cloud).write_text(json.dumps(people, ensure_ascii=False, indent=2))


def log_in(running, person):
    """An access token."""
    credentials = {"email": person["email"], "password": person["password"]}
    return succeed(running.api.post("/v1/auth/login", credentials))["accessToken"]


def operator(running):
    """The operator of this machine."""
    by_email = {person["email"]: person for person in known(running.cloud)}
    return by_email.get(OPERATOR) or make_operator(running)


def make_operator(running):
    person = {"email": OPERATOR, "password": secrets.token_urlsafe(12), "name": "운영자"}
    registration = {**person, "address": "서울특별시 중구 세종대로 110", "kind": "personal"}
    person["membershipId"] = succeed(running.api.post("/v1/memberships", registration))["membershipId"]
    running.call("membership.grantOperator", {"email": person["email"]})
    keep(running.cloud, [person, *known(running.cloud)])
    return person
