"""Bad and hostile input at every operation with a route: always a documented problem, never a 5xx, nothing written.

The cases are made from one good request per operation and from openapi.json: every field missing, of every wrong
type, too long, in odd Unicode; amounts of every wrong kind; and whole bodies that are none.
"""

import copy
import json
import unicodedata

import pytest
from conftest import ROOT
from system import terraform
from world import assert_problem, new_key, won

OPENAPI = json.loads((ROOT / "infra/terraform/openapi.json").read_text())
OPERATIONS = terraform.table()
ROUTES = {
    name: operation["routes"]
    for name, operation in OPERATIONS["operations"].items()
    if operation["routes"] and OPERATIONS["services"][operation["service"]]["api"] == "pay"
}
MOST_BYTES = 64 * 1024


def linked(member):
    return {"kind": "linked", "bankAccountId": member.bank_account_id, "membershipId": member.id}


CONTACT = {"name": "홍길동", "email": "shop@planted.example", "phone": "02-1234-5678"}


# One good request per operation: who calls, and with which path and body. Never sent as it is.
GOOD = {
    "membership.registerMembership": lambda w: (None, "/v1/memberships", w.person()),
    "membership.registerMembershipByEvent": lambda w: (None, "/v1/memberships/by-event", w.person()),
    "membership.modifyMembership": lambda w: (
        w.hana, f"/v1/memberships/{w.hana.id}",
        {"name": "새 이름", "email": "new@planted.example", "address": "부산광역시 새길 1"},
    ),
    "membership.loginMembership": lambda w: (None, "/v1/auth/login", {"email": "a@b.example", "password": "correct horse"}),
    "membership.refreshJwtTokenByRefreshToken": lambda w: (None, "/v1/auth/refresh", {"refreshToken": "x"}),
    "membership.validateJwtToken": lambda w: (None, "/v1/auth/validate", {"token": "x"}),
    "membership.logoutMembership": lambda w: (w.hana, "/v1/auth/logout", {}),
    "banking.registerBankAccount": lambda w: (
        w.hana, "/v1/bank-accounts", {"accountNumber": "11012345678", "holder": "홍길동"}
    ),
    "banking.registerBankAccountByEvent": lambda w: (
        w.hana, "/v1/bank-accounts/by-event", {"accountNumber": "11012345678", "holder": "홍길동"}
    ),
    "banking.requestFirmbanking": lambda w: (
        w.operator_, "/v1/firmbankings",
        {"source": linked(w.hana), "destination": {"kind": "corporate"}, "amount": won(1_000)},
    ),
    "banking.requestFirmbankingByEvent": lambda w: (
        w.operator_, "/v1/firmbankings/by-event",
        {"source": linked(w.hana), "destination": {"kind": "corporate"}, "amount": won(1_000)},
    ),
    "franchise.registerFranchise": lambda w: (
        w.operator_, "/v1/franchises",
        {
            "membershipId": w.hana.id, "name": "하나 커피", "contact": CONTACT, "bankAccountId": w.hana.bank_account_id,
            "feeBps": 250, "settlementCycle": {"kind": "weekly", "weekday": "monday"},
        },
    ),
    "franchise.modifyFranchise": lambda w: (
        w.operator_, "/v1/franchises/frc_01J00000000000000000000000",
        {
            "name": "두리 커피", "contact": CONTACT, "bankAccountId": w.hana.bank_account_id,
            "feeBps": 250, "feeFrom": "2099-12-01", "settlementCycle": {"kind": "weekly", "weekday": "monday"},
        },
    ),
    "remittance.requestRemittance": lambda w: (
        w.hana, "/v1/remittances",
        {
            "to": {"kind": "member", "membershipId": "mbr_01J00000000000000000000000"}, "amount": won(1_000),
            "bankAccountId": w.hana.bank_account_id,
        },
    ),
    "money.createMemberMoney": lambda w: (w.hana, "/v1/money/wallets", {}),
    "money.increaseMoneyRequest": lambda w: (
        w.hana, "/v1/money/increases", {"bankAccountId": w.hana.bank_account_id, "amount": won(1_000)}
    ),
    "money.increaseMoneyRequestByEvent": lambda w: (
        w.hana, "/v1/money/increases/by-event", {"bankAccountId": w.hana.bank_account_id, "amount": won(1_000)}
    ),
    "money.decreaseMoneyRequest": lambda w: (
        w.hana, "/v1/money/decreases", {"bankAccountId": w.hana.bank_account_id, "amount": won(1_000)}
    ),
    "money.decreaseMoneyRequestByEvent": lambda w: (
        w.hana, "/v1/money/decreases/by-event", {"bankAccountId": w.hana.bank_account_id, "amount": won(1_000)}
    ),
    "payment.requestPayment": lambda w: (
        w.hana, "/v1/payments",
        {
            "franchiseId": "frc_01J00000000000000000000000", "amount": won(1_000), "orderId": "order-1",
            "bankAccountId": w.hana.bank_account_id,
        },
    ),
    "payment.cancelPayment": lambda w: (
        w.hana, "/v1/payments/pmt_01J00000000000000000000000/cancellations",
        {"amount": won(1_000), "reason": "customerRequest"},
    ),
    "payment.finishPayment": lambda w: (
        w.operator_, "/v1/payments/pmt_01J00000000000000000000000/finish", {}
    ),
    "settlement.startSettlement": lambda w: (w.operator_, "/v1/settlements", {"businessDay": "1999-01-01"}),
    "settlement.retrySettlement": lambda w: (
        w.operator_, "/v1/settlements/stl_01J00000000000000000000000/retry", {}
    ),
}
# Operations that are only read: what is hostile there is in path and query.
READ = {
    "membership.findMembership", "membership.getMembershipByJwtToken", "membership.getSigningKeys",
    "membership.getOpenIdConfiguration", "banking.findBankAccount", "banking.findFirmbanking",
    "money.findMoneyRequest", "money.getBalanceRequest", "money.findMoneyHistory",
    "franchise.findFranchise", "franchise.findFranchises",
    "money-query.queryMoneySumByRegion",
    "remittance.findRemittance", "remittance.findRemittanceHistory",
    "settlement.findSettlement", "settlement.findSettlements", "settlement.getSettlementStatement",
}
OTHERS = {
    "membership.answerUnknownPath", "membership.closeMembership", "banking.unlinkBankAccount", "franchise.closeFranchise",
    "payment.findPayment", "payment.findPaymentHistory", "payment.getNormalStatusPayments",
}
# Texts that are tokens: every text is a possible one, and just not ours.
OPAQUE = {"refreshToken", "token", "password"}
ABSENT = object()


@pytest.fixture(scope="module")
def w(world, hana, operator):
    world.hana, world.operator_ = hana, operator
    return world


def test_every_operation_with_a_route_is_attacked():
    assert set(GOOD) | READ | OTHERS == set(ROUTES)


def method_of(operation):
    return ROUTES[operation][0]["method"]


def paths_to(value, at=()):
    """Every place in a body, outer ones first."""
    if at:
        yield at
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths_to(inner, (*at, name))


def put(body, at, value):
    changed = copy.deepcopy(body)
    target = changed
    for name in at[:-1]:
        target = target[name]
    if value is ABSENT:
        del target[at[-1]]
    else:
        target[at[-1]] = value
    return changed


def get(body, at):
    for name in at:
        body = body[name]
    return body


# In place of a text. The last ones look like a plain text and are not.
TEXTS = {
    "empty": "",
    "blank": "   ",
    "untrimmed": " 홍길동 ",
    "too long": "가" * 10_001,
    "not NFC": unicodedata.normalize("NFD", "홍길동 서울특별시 é"),
    "zero width": "홍\u200b길동",
    "zero-width joiner": "홍\u200d길동",
    "byte order mark": "\ufeff홍길동",
    "right-to-left override": "홍\u202e길동",
    "isolate": "홍\u2066길동",
    "Hangul filler": "\u3164",
    "control": "홍\x07길동",
    "null": "홍\x00길동",
    "line break": "홍\n길동",
    "replacement character": "홍\ufffd길동",
    "unassigned": "홍\U000e0fff길동",
}
WRONG_TYPES = {"null": None, "number": 17, "true": True, "array": [], "array of it": None, "object": {}, "object in it": {"a": 1}}
# In place of an amount in won, as JSON text: Python would write some of them otherwise.
AMOUNTS = {
    "zero": "0", "minus zero": "-0", "negative": "-1", "fraction": "1000.5", "whole fraction": "1000.0",
    "exponent": "1e3", "capital exponent": "1E3", "text": '"1000"', "above 2^53": "9007199254740992",
    "above 2^64": "18446744073709551616", "huge": "1" + "0" * 400, "leading zero": "01000", "plus": "+1000",
    "hexadecimal": "0x3e8", "NaN": "NaN", "Infinity": "Infinity", "null": "null", "true": "true",
}
CURRENCIES = ["USD", "krw", "", "KRW "]


def spoilt_bodies(operation, body):
    """Bodies with one thing wrong, as bytes, by what it is."""
    schema = OPENAPI["components"]["schemas"].get(operation.split(".")[1][0].upper() + operation.split(".")[1][1:] + "Request", {})
    required = set(schema.get("required", []))
    yield "unknown field", {**body, "unknown": "field"}
    yield "unknown field of a prototype", {**body, "__proto__": {"admin": True}}
    for at in paths_to(body):
        name, good = "/".join(at), get(body, at)
        if len(at) > 1 or name in required:
            yield f"{name} missing", put(body, at, ABSENT)
        for kind, value in WRONG_TYPES.items():
            if kind == "number" and isinstance(good, int):
                continue
            value = [good] if kind == "array of it" else value
            yield f"{name} is {kind}", put(body, at, value)
        if isinstance(good, dict):
            yield f"{name} has an unknown field", put(body, (*at, "unknown"), "field")
            yield f"{name} is text", put(body, at, "text")
        if isinstance(good, str) and at[-1] not in OPAQUE | {"currency"}:
            for kind, value in TEXTS.items():
                yield f"{name} is {kind}", put(body, at, value)
        if at[-1] == "amount" and isinstance(good, int):
            for kind, text in AMOUNTS.items():
                whole = json.dumps(put(body, at, "AMOUNT"), ensure_ascii=False)
                yield f"{name} is {kind}", whole.replace('"AMOUNT"', text).encode()
        if at[-1] == "currency":
            for value in CURRENCIES:
                yield f"{name} is {value!r}", put(body, at, value)


# Whole bodies that are none, with their content type and the codes that may answer them.
JSON = "application/json"
BODIES = {
    "array": (b"[]", JSON, {"malformed_body"}),
    "text": (b'"text"', JSON, {"malformed_body"}),
    "number": (b"17", JSON, {"malformed_body"}),
    "null": (b"null", JSON, {"malformed_body"}),
    "cut off": (b'{"a": ', JSON, {"malformed_body"}),
    "two values": (b"{} {}", JSON, {"malformed_body"}),
    "a name said twice": (b'{"a": 1, "a": 2}', JSON, {"malformed_body"}),
    "a name said twice within": (b'{"a": {"b": 1, "\\u0062": 1}}', JSON, {"malformed_body"}),
    "comment": (b"{/* */}", JSON, {"malformed_body"}),
    "trailing comma": (b'{"a": 1,}', JSON, {"malformed_body"}),
    "single quotes": (b"{'a': 1}", JSON, {"malformed_body"}),
    "lone surrogate": (b'{"name": "\\ud800"}', JSON, {"malformed_body"}),
    "byte order mark": (b"\xef\xbb\xbf{}", JSON, {"malformed_body"}),
    "deep arrays": (b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}", JSON, {"malformed_body"}),
    "deep objects": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, JSON, {"malformed_body"}),
    "deep, not closed": (b"[" * 60_000, JSON, {"malformed_body"}),
    "XML": (b"<a/>", "application/xml", {"unsupported_media_type"}),
    "form": (b"a=1", "application/x-www-form-urlencoded", {"unsupported_media_type"}),
    "plain text": (b"{}", "text/plain", {"unsupported_media_type"}),
    "no content type": (b'{"a": 1}', None, {"unsupported_media_type"}),
    "JSON of another kind": (b"{}", "application/json-patch+json", {"unsupported_media_type"}),
    "invalid UTF-8": (b'{"name": "\xff\xfe"}', JSON, {"malformed_body", "validation_failed"}),
    "invalid UTF-8 as bytes": (b'{"name": "\xff\xfe"}', "application/octet-stream", {"unsupported_media_type"}),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), JSON, {"malformed_body"}),
    "64 KiB and a byte": (b'{"a":"' + b"x" * (MOST_BYTES - 7) + b'"}', JSON, {"body_too_large"}),
    "a megabyte": (b'{"a":"' + b"x" * 2**20 + b'"}', JSON, {"body_too_large"}),
    "64 KiB": (b'{"a":"' + b"x" * (MOST_BYTES - 8) + b'"}', JSON, {"validation_failed"}),
}


def documented_codes(method, path):
    """The codes that OpenAPI lists for an operation, by status."""
    codes = {}
    for status, response in OPENAPI["paths"][path][method.lower()]["responses"].items():
        problem = response.get("content", {}).get("application/problem+json")
        for part in (problem or {}).get("schema", {}).get("allOf", []):
            codes.setdefault(int(status), set()).update(part.get("properties", {}).get("code", {}).get("enum", []))
    return codes


def send(w, caller, method, path, content, content_type, key=None):
    headers = {"idempotency-key": key or new_key()}
    if content_type:
        headers["content-type"] = content_type
    if caller:
        headers["authorization"] = f"Bearer {caller.token}"
    return w.api.http.request(method, w.api.url + path, content=content, headers=headers)


def refused_as_documented(w, operation, caller, path, content, content_type, codes, what):
    method = method_of(operation)
    answer = send(w, caller, method, path, content, content_type)
    assert 400 <= answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:300]}"
    problem = assert_problem(answer, answer.status_code)
    assert problem["code"] in codes, f"{what}: {problem}"
    listed = documented_codes(method, ROUTES[operation][0]["path"])
    assert problem["code"] in listed.get(answer.status_code, set()), f"{what}: {problem['code']} is not in OpenAPI"
    return problem


@pytest.mark.parametrize("operation", GOOD)
def test_a_body_with_one_thing_wrong_is_refused_and_nothing_is_written(w, operation):
    caller, path, body = GOOD[operation](w)
    before = w.quiet()
    wrong = []
    for what, spoilt in spoilt_bodies(operation, body):
        content = spoilt if isinstance(spoilt, bytes) else json.dumps(spoilt, ensure_ascii=False).encode()
        codes = {"validation_failed", "malformed_body"}
        try:
            problem = refused_as_documented(w, operation, caller, path, content, JSON, codes, what)
            if isinstance(spoilt, dict):
                assert problem["errors"], what
        except AssertionError as error:
            wrong.append(str(error).splitlines()[0])
    assert not wrong, "\n".join(wrong)
    assert w.snapshot() == before


@pytest.mark.parametrize("operation", GOOD)
def test_a_body_that_is_none_is_refused_and_nothing_is_written(w, operation):
    caller, path, _ = GOOD[operation](w)
    before = w.quiet()
    wrong = []
    for what, (content, content_type, codes) in BODIES.items():
        try:
            refused_as_documented(w, operation, caller, path, content, content_type, codes, what)
        except AssertionError as error:
            wrong.append(str(error).splitlines()[0])
    assert not wrong, "\n".join(wrong)
    assert w.snapshot() == before


@pytest.mark.parametrize("operation", sorted(name for name, make in GOOD.items()))
def test_a_query_is_no_place_for_a_body(w, operation):
    caller, path, body = GOOD[operation](w)
    content = json.dumps(body).encode()
    answer = send(w, caller, method_of(operation), f"{path}?unknown=field", content, JSON)
    assert_problem(answer, 400, "validation_failed")


IDEMPOTENT = [
    name for name in GOOD
    if any(parameter["name"] == "Idempotency-Key" for route in ROUTES[name]
           for parameter in OPENAPI["paths"][route["path"]][route["method"].lower()]["parameters"])
]


@pytest.mark.parametrize("operation", IDEMPOTENT)
@pytest.mark.parametrize(
    "key", ["", "a b", "x" * 256, "\x7f", b"\xff", "한글".encode()], ids=["empty", "a space", "too long", "delete", "not UTF-8", "Hangul"]
)
def test_an_idempotency_key_of_another_form_is_refused(w, operation, key):
    caller, path, body = GOOD[operation](w)
    headers = {"idempotency-key": key, "content-type": JSON}
    if caller:
        headers["authorization"] = f"Bearer {caller.token}"
    content = json.dumps({**body, "unknown": 1}).encode()
    answer = w.api.http.request(method_of(operation), w.api.url + path, content=content, headers=headers)
    problem = assert_problem(answer, 400)
    assert problem["code"] in ("idempotency_key_invalid", "idempotency_key_required", "validation_failed")


# Ids and queries of what is read.
IDS = ["x", "mbr_", "mbr_01J0000000000000000000000", "mbr_01j00000000000000000000000", "mbr_81J00000000000000000000000",
       "bka_01J00000000000000000000000", "frc_01J0000000000000000000000",
       "..", "%00", "%F0%9F%92%B8", "%ff", "' OR 1=1 --", "{}", "mbr_01J00000000000000000000000%20",
       "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5c", "1;DROP TABLE members", "%24%7Bjndi:ldap:x%7D", "{{7*7}}", "member%23", "*",
       "mbr_01J00000000000000000000000%0d%0aset-cookie:%20a=b", "mbr_０1J00000000000000000000000", "-1", "9" * 30,
       "a" * 2_000]


@pytest.mark.parametrize("operation, route", [(name, route) for name, routes in ROUTES.items() for route in routes if "{" in route["path"]],
                         ids=lambda value: value["path"] if isinstance(value, dict) else value)
def test_an_id_of_another_form_is_refused_or_not_found(w, operation, route):
    before = w.quiet()
    # A member with every scope, so that what is tried is the operation and not its door.
    token = w.sign(w.claims(w.hana, scope="member merchant operator"))
    for bad in IDS:
        path = route["path"]
        start, end = path.index("{"), path.index("}")
        answer = w.api.http.request(
            route["method"], w.api.url + path[:start] + bad.replace(" ", "%20") + path[end + 1 :],
            headers={"authorization": f"Bearer {token}", "content-type": JSON},
            content=b'{"name": "x"}' if route["method"] == "PATCH" else None,
        )
        assert answer.status_code in (400, 404), f"{bad!r}: {answer.status_code} {answer.text}"
        problem = assert_problem(answer, answer.status_code)
        assert problem["code"] in ("validation_failed", "not_found", "unknown_path"), problem
        assert "set-cookie" not in answer.headers
    assert w.snapshot() == before


QUERIES = {
    "limit=0": "/limit", "limit=101": "/limit", "limit=-1": "/limit", "limit=1.5": "/limit", "limit=x": "/limit",
    "limit=": "/limit", "limit=%2B5": "/limit", "limit=99999999999999999999": "/limit", "limit=1&limit=2": "/limit",
    "cursor=x": "/cursor", "unknown=1": "/unknown", "cursor=%00": "/cursor", "a~1b=1": "/a~01b",
}


def lists(w):
    return {
        "transactions": f"/v1/money/wallets/{w.hana.id}/transactions",
        "bank accounts": "/v1/bank-accounts",
        "firmbankings": f"/v1/firmbankings?bankAccountId={w.hana.bank_account_id}",
        "franchises": "/v1/franchises",
        "remittances": "/v1/remittances",
        "payments": "/v1/payments",
        "settlements": "/v1/settlements",
    }


@pytest.mark.parametrize("listed", ["transactions", "bank accounts", "firmbankings", "franchises", "remittances", "payments", "settlements"])
@pytest.mark.parametrize("query", QUERIES)
def test_a_query_of_another_form_names_its_field(w, listed, query):
    path = lists(w)[listed]
    caller = w.operator_ if listed in ("franchises", "settlements") else w.hana
    answer = caller.get(f"{path}{'&' if '?' in path else '?'}{query}")
    problem = assert_problem(answer, 400, "validation_failed")
    # A query that is given twice reaches a function joined by a comma, or twice: it is refused either way.
    assert [error["pointer"] for error in problem["errors"]] == [QUERIES[query]]


@pytest.mark.parametrize("at", ["yesterday", "2026-13-01T00:00:00Z", "2026-11-22", "1969-12-31T23:59:59Z", "9999999-01-01T00:00:00Z", "", "0"])
def test_a_time_of_another_form_is_refused(w, at):
    for path in (f"/v1/money/wallets/{w.hana.id}/balance?at={at}",
                 f"/v1/firmbankings?bankAccountId={w.hana.bank_account_id}&from={at}"):
        assert_problem(w.hana.get(path), 400, "validation_failed")


@pytest.mark.parametrize(
    "method, path",
    [("GET", "/"), ("GET", "/v1"), ("GET", "/v1/nothing"), ("POST", "/v1/auth/membership"), ("DELETE", "/v1/memberships"),
     ("PUT", "/v1/money/increases"), ("GET", "/v1/money/increases/"), ("GET", "/V1/bank-accounts"), ("GET", "/v1//bank-accounts"),
     ("GET", "/v1/memberships/a%2Fb"), ("GET", "/.env"), ("GET", "/v1/../.well-known/jwks.json%00"), ("POST", "/v1/auth/login/"),
     ("OPTIONS", "/v1/nothing"), ("PATCH", "/v1/memberships/mbr_01J00000000000000000000000/extra")],
)
def test_an_unknown_path_or_method_is_a_problem_too(w, method, path):
    answer = w.api.http.request(method, w.api.url + path, content=b"not even JSON" if method == "POST" else None)
    if method == "OPTIONS" and answer.status_code == 204:
        return  # a preflight, which the gateway answers itself
    assert_problem(answer, 404, "unknown_path")


def test_headers_that_are_nonsense_do_no_harm(w):
    path = f"/v1/memberships/{w.hana.id}"
    for headers in ({"traceparent": "x" * 5_000}, {"if-match": "\""}, {"x-forwarded-for": "'; DROP TABLE"},
                    {"content-type": "application/json; charset=utf-16"}, {"accept": "text/nothing"}, {"traceparent": b"\xff"}):
        assert w.hana.get(path, headers=headers).status_code == 200
    answer = w.hana.call("PATCH", path, {"name": "x"}, headers={"if-match": '"not a version"'})
    assert_problem(answer, 412, "precondition_failed")


def test_ten_megabytes_are_refused(w):
    """More than a function takes: on AWS the gateway itself refuses it, with 413 too."""
    answer = send(w, w.hana, "POST", "/v1/money/increases", b'{"a":"' + b"x" * 10 * 2**20 + b'"}', JSON)
    assert answer.status_code == 413, answer.text[:300]


def test_what_is_sent_comes_back_in_no_header(w):
    """Neither a key nor a trace of another form reaches a header, where a line break would begin one of its own."""
    for headers in ({"traceparent": "00-x\tset-cookie: a=b"}, {"idempotency-key": "set-cookie:a=b"}, {"origin": "https://evil.example"}):
        answer = w.hana.post("/v1/money/increases", {"unknown": 1}, headers={"idempotency-key": new_key(), **headers})
        assert_problem(answer, 400, "validation_failed")
        assert "set-cookie" not in str(answer.headers), answer.headers


def test_a_problem_never_quotes_what_was_sent(w):
    secret = "correct horse battery staple"
    for body in ({"email": "x", "password": {"is": secret}}, {"email": secret, "password": secret}, {secret: 1}):
        answer = w.api.post("/v1/auth/login", body)
        assert answer.status_code == 400 and answer.json()["detail"].count(secret) <= (secret in body)
        if secret not in body:
            assert secret not in answer.text
