"""Who may do what: forged tokens, every scope at every route, and other members' things."""

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from system import terraform
from world import assert_problem, encoded, new_key, won

OPERATIONS = terraform.table()
SCOPED = [
    (name, route, tuple(operation["scopes"]))
    for name, operation in OPERATIONS["operations"].items()
    if operation["access"] == "scoped"
    for route in operation["routes"]
]
HMAC_HEADER = {"alg": "HS256", "typ": "at+jwt"}


def hmac_signed(secret, claims, kid):
    """With the public key as the secret: what a verifier takes for good that lets the token choose the algorithm."""
    signed = f"{encoded({**HMAC_HEADER, 'kid': kid})}.{encoded(claims)}"
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


class Evil:
    """A server of somebody else's, with keys that would verify their tokens. Nobody may ask it."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        self.jwk = {**public, "kid": "evil", "use": "sig", "alg": "RS256"}
        self.asked = asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler):  # noqa: N802, N805
                asked.append(handler.path)
                handler.send_response(200)
                handler.end_headers()
                handler.wfile.write(json.dumps({"keys": [self.jwk]}).encode())

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def evil():
    server = Evil()
    yield server
    server.server.shutdown()


def forgeries(world, member, evil):
    """Tokens that must not hold, by what is wrong with them."""
    now = int(time.time())
    current = world.signing_keys()["current"]
    kid = current["public"]["kid"]
    good = world.claims(member)
    signed = world.sign(good)
    header, payload, signature = signed.split(".")
    other = world.sign(world.claims(member))
    richer = encoded({**good, "scope": "member operator"})
    # The claims as they were signed, and once more: whoever reads the last and checks the first would be deceived.
    said = base64.urlsafe_b64decode(payload + "==").decode()
    twice = base64.urlsafe_b64encode((said[:-1] + ',"scope":"operator"}').encode()).rstrip(b"=").decode()

    def own(headers):
        return jwt.encode(good, evil.key, algorithm="RS256", headers={"typ": "at+jwt", **headers})

    def with_header(text):
        return f"{base64.urlsafe_b64encode(text.encode()).rstrip(b'=').decode()}.{payload}.{signature}"

    return {
        "expired": world.sign(world.claims(member, iat=now - 900, nbf=now - 900, exp=now - 300)),
        "expired a second ago": world.sign(world.claims(member, iat=now - 600, nbf=now - 600, exp=now - 1)),
        "not yet valid": world.sign(world.claims(member, nbf=now + 300, exp=now + 900)),
        "for another audience": world.sign(world.claims(member, aud="bank")),
        "without audience": world.sign(world.claims(member, aud=None)),
        "of another issuer": world.sign(world.claims(member, iss="https://evil.example")),
        "alg none": f"{encoded({'alg': 'none', 'typ': 'at+jwt', 'kid': kid})}.{payload}.",
        "alg None with a signature": f"{encoded({'alg': 'None', 'typ': 'at+jwt', 'kid': kid})}.{payload}.{signature}",
        "HMAC with the public key": hmac_signed(world.public_key_pem(), good, kid),
        "HMAC with a service's key": hmac_signed(world.secret("membership-key").encode(), good, kid),
        "HMAC with nothing": hmac_signed(b"", good, kid),
        "elliptic curve": jwt.encode(
            good, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"typ": "at+jwt", "kid": kid}
        ),
        "keys of the token's own address": own({"kid": "evil", "jku": evil.url}),
        "a certificate of the token's own address": own({"kid": "evil", "x5u": evil.url}),
        "a key in the token": own({"kid": "evil", "jwk": evil.jwk}),
        "our kid, a key in the token": own({"kid": kid, "jwk": evil.jwk}),
        "unknown kid": own({"kid": "unknown"}),
        "kid that is a path": own({"kid": "../../../../dev/null"}),
        "kid that is a query": own({"kid": "' OR '1'='1"}),
        "kid that is an address": own({"kid": evil.url}),
        "kid that is long": own({"kid": "k" * 4_000}),
        "kid that is no text": with_header(json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": {"$ne": ""}})),
        "algorithm said twice": with_header(f'{{"alg":"RS256","typ":"at+jwt","kid":"{kid}","alg":"none"}}'),
        "header that is no object": with_header("[]"),
        "no kid": own({}),
        "our kid, another key": own({"kid": kid}),
        "claims changed after signing": f"{header}.{richer}.{signature}",
        "claims said twice": f"{header}.{twice}.{signature}",
        "signature of another token": f"{header}.{payload}.{other.split('.')[2]}",
        "signature missing": f"{header}.{payload}.",
        "signature cut": signed[:-8],
        "a refresh token": member.refresh_token,
        "two parts": f"{header}.{payload}",
        "nonsense": "nonsense",
        "empty": "",
        "very long": "a" * 6_000,
        "not ASCII in its parts": f"{header}.{encoded({'sub': '홍길동'})}.{signature}",
    }


NAMES = [
    "expired", "expired a second ago", "not yet valid", "for another audience", "without audience",
    "of another issuer", "alg none", "alg None with a signature", "HMAC with the public key",
    "HMAC with a service's key", "HMAC with nothing", "elliptic curve", "keys of the token's own address",
    "a certificate of the token's own address", "a key in the token", "our kid, a key in the token", "unknown kid",
    "kid that is a path", "kid that is a query", "kid that is an address", "kid that is long", "kid that is no text",
    "algorithm said twice", "header that is no object", "no kid", "our kid, another key",
    "claims changed after signing", "claims said twice", "signature of another token", "signature missing",
    "signature cut", "a refresh token", "two parts", "nonsense", "empty", "very long", "not ASCII in its parts",
]


@pytest.fixture(scope="module")
def forged(world, evil):
    tokens = forgeries(world, world.stranger(), evil)
    assert list(tokens) == NAMES
    yield tokens
    assert evil.asked == [], "a token decided where its keys came from"


def test_a_token_signed_as_pay_signs_holds(world, hana):
    """The forgeries below differ from this one in one thing each."""
    token = world.sign(world.claims(hana))
    assert world.api.get("/v1/auth/membership", token=token).status_code == 200


# The local gateway fails over such a header before it looks at the token: nothing gets through, but with a 500 of its own.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "header that is no object"])
def test_the_gateway_lets_no_forged_token_through(world, forged, name):
    answer = world.api.get("/v1/auth/membership", headers={"authorization": f"Bearer {forged[name]}".strip()})
    assert answer.status_code == 401, answer.text
    assert answer.json() == {"message": "Unauthorized"}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic aGFuYTpoYW5h", "bearer x.y.z"])
def test_a_request_without_a_bearer_token_is_refused(world, header):
    headers = {} if header is None else {"authorization": header}
    assert world.api.get("/v1/auth/membership", headers=headers).status_code == 401


@pytest.mark.parametrize("name", NAMES)
def test_validation_calls_every_forged_token_inactive_and_says_no_more(world, forged, name):
    answer = world.api.post("/v1/auth/validate", {"token": forged[name]})
    assert (answer.status_code, answer.json()) == (200, {"active": False})


def test_an_access_token_is_no_refresh_token(world, hana):
    for token in (hana.token, world.sign(world.claims(hana, token_use="refresh"))):
        answer = world.api.post("/v1/auth/refresh", {"refreshToken": token}, key=new_key())
        assert_problem(answer, 401, "invalid_refresh_token")


@pytest.mark.parametrize(
    "changes",
    [{"exp": None}, {"token_use": "refresh"}, {"sid": "unknown session"}, {"sub": "not an id"}, {"nbf": None},
     {"exp": 2**70}, {"exp": -1}, {"nbf": 4_102_444_800}, {"aud": ["pay", "bank"]}, {"sub": ["mbr_01J00000000000000000000000"]}],
    ids=lambda changes: f"{next(iter(changes))} {next(iter(changes.values()))}",
)
def test_validation_also_looks_at_what_the_gateway_does_not(world, hana, changes):
    token = world.sign(world.claims(hana, **changes))
    assert world.api.post("/v1/auth/validate", {"token": token}).json() == {"active": False}


def test_a_subject_that_is_no_member_id_is_nobody(world, hana):
    token = world.sign(world.claims(hana, sub="someone"))
    assert_problem(world.api.get("/v1/auth/membership", token=token), 401, "unauthorized")


SCOPES = ["", "member", "merchant", "operator", "admin", "Member", "member:write"]


def filled(path, member):
    for name, value in {"membershipId": member.id}.items():
        path = path.replace(f"{{{name}}}", value)
    for name in ("bankAccountId", "firmbankingId", "moneyRequestId", "franchiseId", "remittanceId", "paymentId"):
        path = path.replace(f"{{{name}}}", "x")
    return path


@pytest.mark.parametrize("name, route, scopes", SCOPED, ids=[f"{route['method']} {route['path']}" for _, route, _ in SCOPED])
def test_a_route_takes_the_scopes_that_it_lists_and_no_others(world, company, name, route, scopes):
    for scope in SCOPES:
        token = world.sign(world.claims(company, scope=scope, sid="scopes"))
        # A body that is refused: what is asked here is only whether the door opens.
        body = None if route["method"] in ("GET", "DELETE") else {"unknown": "field"}
        path = route["path"] if route["method"] != "DELETE" else route["path"].replace("{membershipId}", "x")
        answer = world.api.call(route["method"], filled(path, company), body, token=token, key=new_key())
        if scope in scopes:
            assert answer.status_code not in (401, 403), (scope, answer.text)
            assert answer.status_code < 500, (scope, answer.text)
        else:
            assert answer.status_code == 403, (scope, answer.status_code, answer.text)
    assert world.api.call(route["method"], filled(path, company), body, key=new_key()).status_code == 401


# Whoever has no account yet, or no token any more, needs these; nothing else may be open.
PUBLIC = {
    "membership.registerMembership", "membership.registerMembershipByEvent", "membership.loginMembership",
    "membership.refreshJwtTokenByRefreshToken", "membership.validateJwtToken", "membership.getSigningKeys",
    "membership.getOpenIdConfiguration", "membership.answerUnknownPath",
}


def test_every_route_asks_for_a_scope_but_those_that_cannot():
    ours = {name: operation for name, operation in OPERATIONS["operations"].items() if operation["service"] != "bank-simulator"}
    routed = {name for name, operation in ours.items() if operation["routes"]}
    assert {name for name in routed if ours[name]["access"] == "public"} == PUBLIC
    assert {name for name, _, _ in SCOPED} == routed - PUBLIC
    assert all(set(scopes) <= {"member", "merchant", "operator"} and scopes for _, _, scopes in SCOPED)


@pytest.fixture(scope="module")
def victim(world):
    member = world.member()
    request = member.recharge(10_000)
    member.request_id = request.json()["moneyRequestId"]
    query = {"bankAccountId": member.bank_account_id}
    [firmbanking] = member.get("/v1/firmbankings", params=query).json()["items"]
    member.firmbanking_id = firmbanking["firmbankingId"]
    # What its recharge sets going (counts, statements) has come to its end before anybody looks.
    world.quiet()
    return member


class TestOtherMembersThings:
    """What belongs to somebody else answers as if it were not there: 404, the same as an id that nobody has."""

    CASES = [
        ("GET", "/v1/memberships/{0.id}", None),
        ("PATCH", "/v1/memberships/{0.id}", {"name": "도둑"}),
        ("DELETE", "/v1/memberships/{0.id}", None),
        ("GET", "/v1/bank-accounts/{0.bank_account_id}", None),
        ("DELETE", "/v1/bank-accounts/{0.bank_account_id}", None),
        ("GET", "/v1/firmbankings/{0.firmbanking_id}", None),
        ("GET", "/v1/firmbankings?bankAccountId={0.bank_account_id}", None),
        ("GET", "/v1/money/requests/{0.request_id}", None),
        ("GET", "/v1/money/wallets/{0.id}/balance", None),
        ("GET", "/v1/money/wallets/{0.id}/transactions", None),
    ]

    @pytest.mark.parametrize("method, path, body", CASES, ids=[f"{method} {path}" for method, path, _ in CASES])
    def test_they_are_not_found(self, world, victim, company, hana, method, path, body):
        things = (victim.id, victim.bank_account_id, victim.request_id, victim.firmbanking_id)
        before = world.snapshot(of=things)
        assert before
        for thief in (hana, company):
            answer = thief.call(method, path.format(victim), body)
            problem = assert_problem(answer, 404, "not_found")
            # The same words as for an id that nobody has.
            nobody = type("Nobody", (), {
                "id": "mbr_01J00000000000000000000000", "bank_account_id": "bka_01J00000000000000000000000",
                "firmbanking_id": "fbk_01J00000000000000000000000", "request_id": "mcr_01J00000000000000000000000",
            })
            unknown = assert_problem(thief.call(method, path.format(nobody), body), 404, "not_found")
            assert problem["detail"] == unknown["detail"]
        assert world.snapshot(of=things) == before

    @pytest.mark.parametrize("path", ["/v1/money/increases", "/v1/money/increases/by-event"])
    def test_nobody_recharges_from_another_members_account(self, world, victim, path):
        thief = world.stranger()
        before = victim.at_the_bank()
        order = {"bankAccountId": victim.bank_account_id, "amount": won(5_000)}
        answer = thief.post(path, order, key=new_key())
        assert answer.status_code in (202, 404, 422), answer.text
        end = thief.settled(answer.headers["location"].rsplit("/", 1)[1])
        assert end["state"] == "failed"
        assert thief.won() == 0 and victim.at_the_bank() == before

    @pytest.mark.parametrize("path", ["/v1/money/decreases", "/v1/money/decreases/by-event"])
    def test_nobody_withdraws_to_another_members_account(self, world, victim, path):
        thief = world.member()
        assert thief.recharge(10_000).status_code == 201
        before = victim.at_the_bank()
        order = {"bankAccountId": victim.bank_account_id, "amount": won(5_000)}
        answer = thief.post(path, order, key=new_key())
        assert answer.status_code in (202, 422), answer.text
        end = thief.settled(answer.headers["location"].rsplit("/", 1)[1])
        assert (end["state"], end["failureReason"]) == ("failed", "bank_account_not_found")
        assert thief.balance()["available"] == won(10_000) and victim.at_the_bank() == before

    def test_an_operator_cannot_name_an_account_of_another_member_than_its_own(self, world, victim, operator, hana):
        source = {"kind": "linked", "bankAccountId": victim.bank_account_id, "membershipId": hana.id}
        order = {"source": source, "destination": {"kind": "corporate"}, "amount": won(5_000)}
        before = victim.at_the_bank()
        answer = operator.post("/v1/firmbankings", order, key=new_key())
        if answer.status_code == 201:
            assert answer.json()["state"] == "failed", answer.text
        else:
            assert_problem(answer, 422, "bank_account_not_found")
        assert victim.at_the_bank() == before


@pytest.fixture(scope="module")
def members(world):
    members = world.members(2)
    for member in members:
        assert member.recharge(1_000).status_code == 201
        member.link(member.open_account())
    return members


class TestCursors:
    """A cursor holds for the query and the caller that it was made for."""

    LISTS = [
        "/v1/money/wallets/{0.id}/transactions?limit=1",
        "/v1/bank-accounts?limit=1",
        "/v1/firmbankings?bankAccountId={0.bank_account_id}&limit=1",
    ]

    def cursor(self, member, path):
        if "firmbankings" in path:
            assert member.recharge(1_000).status_code == 201
        page = member.get(path.format(member)).json()
        assert page["nextCursor"], page
        return page["nextCursor"]

    @pytest.mark.parametrize("path", LISTS)
    def test_a_forged_one_is_refused(self, members, path):
        member, _ = members
        good = self.cursor(member, path)
        assert member.get(f"{path.format(member)}&cursor={good}").status_code == 200
        middle = len(good) // 2
        changed = good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1 :]
        for forged in (changed, good[:-4], good + "AAAA", "x", "", "eyJwayI6eyJTIjoieCJ9fQ", good.replace(".", "..")):
            if forged == good:
                continue
            answer = member.get(f"{path.format(member)}&cursor={forged}")
            problem = assert_problem(answer, 400, "validation_failed")
            assert problem["errors"][0]["pointer"] == "/cursor"

    @pytest.mark.parametrize("path", LISTS)
    def test_another_members_is_refused(self, members, path):
        member, other = members
        stolen = self.cursor(other, path)
        answer = member.get(f"{path.format(member)}&cursor={stolen}")
        assert_problem(answer, 400, "validation_failed")

    def test_one_of_another_query_is_refused(self, members):
        member, _ = members
        cursors = {path: self.cursor(member, path) for path in self.LISTS}
        for path in self.LISTS:
            for source, cursor in cursors.items():
                if source != path:
                    assert_problem(member.get(f"{path.format(member)}&cursor={cursor}"), 400, "validation_failed")
