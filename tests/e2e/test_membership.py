"""Membership over HTTP: registering both ways, logging in, tokens and their end, one's own data, and keys."""

import json

import jwt
import pytest
from world import assert_problem, encoded, new_key, together, wait_until


def activated(world, location, person):
    """Waits until a membership that was requested by event can log in."""
    credentials = {"email": person["email"], "password": person["password"]}

    def logged_in():
        answer = world.api.post("/v1/auth/login", credentials)
        return answer.json() if answer.status_code == 200 else None

    # Three attempts or so: more would be slowed down by the lock-out, which counts until the first success.
    return wait_until(logged_in, what=f"{location} active")


def without(body, *names):
    return {name: value for name, value in body.items() if name not in names}


def test_registering_gives_201_the_membership_and_its_place(world):
    person, answer = world.register()
    assert answer.status_code == 201, answer.text
    membership = answer.json()
    assert membership["membershipId"].startswith("mbr_")
    assert (membership["kind"], membership["state"], membership["region"]) == ("personal", "active", "seoul")
    assert {name: membership[name] for name in ("name", "email", "address")} == without(person, "password", "kind")
    assert answer.headers["location"] == f"/v1/memberships/{membership['membershipId']}"
    assert "password" not in answer.text and person["password"] not in answer.text


def test_registering_by_event_ends_in_the_same_membership(world):
    direct_person, direct = world.register()
    person, answer = world.register(path="/v1/memberships/by-event")
    assert answer.status_code == 202, answer.text
    location = answer.headers["location"]
    assert answer.json()["state"] == "requested"

    seen = []
    for who in (direct_person, person):
        token = activated(world, location, who)["accessToken"]
        seen.append(world.api.get("/v1/auth/membership", token=token).json())
    varying = ("membershipId", "name", "email", "address", "registeredAt", "version")
    assert without(seen[0], *varying) == without(seen[1], *varying)
    assert seen[1]["state"] == "active" and location.endswith(seen[1]["membershipId"])
    assert seen[1]["name"] == person["name"]


def test_both_ways_to_register_publish_the_fact_and_open_the_wallet(world, bus):
    for path in ("/v1/memberships", "/v1/memberships/by-event"):
        person, answer = world.register(path=path)
        member = answer.json()["membershipId"]
        bus.wait_for("membership.registered.v1", membershipId=member)
        token = activated(world, path, person)["accessToken"]
        wait_until(
            lambda: world.api.get(f"/v1/money/wallets/{member}/balance", token=token).json()["sequence"] > 0,
            what="the wallet",
        )


@pytest.mark.parametrize("path", ["/v1/memberships", "/v1/memberships/by-event"])
def test_the_same_registration_again_is_replayed_and_another_under_its_key_is_refused(world, path):
    key = new_key()
    person, first = world.register(key=key, path=path)
    _, again = world.register(person, key=key, path=path)
    assert again.status_code == first.status_code
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["membershipId"] == first.json()["membershipId"]
    _, other = world.register({**person, "name": "다른 이름"}, key=key, path=path)
    assert_problem(other, 422, "idempotency_key_reused")


def test_the_same_registration_twice_at_once_makes_one_member(world):
    person, key = world.person(), new_key()
    answers = together(*[lambda: world.register(person, key=key)[1]] * 3)
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({answer.json()["membershipId"] for answer in answers}) == 1


def test_an_email_has_one_member_however_it_is_capitalised(world, hana):
    taken = hana.email.upper()
    for path in ("/v1/memberships", "/v1/memberships/by-event"):
        _, answer = world.register(world.person(email=taken), path=path)
        assert_problem(answer, 409, "email_taken")
    # Two at once under different keys: one of them gets it.
    email = world.person()["email"]
    answers = together(*[lambda: world.register(world.person(email=email))[1]] * 3)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


def test_logging_in_gives_tokens_that_say_who_and_what(world, hana):
    tokens = hana.log_in()
    assert tokens["tokenType"] == "Bearer" and tokens["expiresIn"] == 600
    assert tokens["membershipId"] == hana.id and tokens["scope"] == "member"
    claims = jwt.decode(tokens["accessToken"], options={"verify_signature": False})
    assert (claims["iss"], claims["aud"], claims["sub"]) == (world.outputs["api_url"], "pay", hana.id)
    assert claims["exp"] - claims["iat"] == 600
    assert hana.get("/v1/auth/membership").json()["membershipId"] == hana.id


def test_scopes_follow_kind_and_grants(hana, company, operator, world):
    for member, scope in ((hana, "member"), (company, "member merchant"), (operator, "member operator")):
        claims = jwt.decode(member.token, options={"verify_signature": False})
        assert claims["scope"] == scope
    unknown, error = world.invoke("membership.grantOperator", {"email": "nobody@planted.example"})
    assert error and "not_found" in json.dumps(unknown)


def test_wrong_password_and_unknown_email_get_the_same_answer(world):
    member = world.stranger()
    wrong = world.api.post("/v1/auth/login", {"email": member.email, "password": "wrong horse"})
    unknown = world.api.post("/v1/auth/login", {"email": world.person()["email"], "password": "wrong horse"})
    problems = [assert_problem(answer, 401, "invalid_credentials") for answer in (wrong, unknown)]
    assert without(problems[0], "traceId") == without(problems[1], "traceId")


@pytest.mark.parametrize("exists", [True, False], ids=["a member's email", "nobody's email"])
def test_repeated_failures_lock_logging_in_for_a_while(world, exists):
    email = world.stranger().email if exists else world.person()["email"]
    credentials = {"email": email, "password": "wrong horse"}
    answers = [world.api.post("/v1/auth/login", credentials) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert_problem(answers[-1], 429, "login_locked")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def test_a_refresh_token_is_exchanged_once_and_its_reuse_ends_the_session(world):
    member = world.stranger()
    first = member.refresh_token
    exchanged = world.api.post("/v1/auth/refresh", {"refreshToken": first})
    assert exchanged.status_code == 200, exchanged.text
    second = exchanged.json()
    assert second["refreshToken"] != first
    assert active(world, second["accessToken"])
    reused = world.api.post("/v1/auth/refresh", {"refreshToken": first})
    assert_problem(reused, 401, "refresh_token_reused")
    # The whole family is gone: also the token that the rightful owner got, and the access token.
    family = world.api.post("/v1/auth/refresh", {"refreshToken": second["refreshToken"]})
    assert_problem(family, 401, "invalid_refresh_token")
    assert not active(world, second["accessToken"])


def test_an_exchange_whose_answer_was_lost_may_be_repeated_under_its_key(world):
    member, key = world.stranger(), new_key()
    first = world.api.post("/v1/auth/refresh", {"refreshToken": member.refresh_token}, key=key)
    again = world.api.post("/v1/auth/refresh", {"refreshToken": member.refresh_token}, key=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["refreshToken"] == first.json()["refreshToken"]


def test_two_exchanges_of_one_token_at_once_never_both_live_on(world):
    member = world.stranger()
    answers = together(*[lambda: world.api.post("/v1/auth/refresh", {"refreshToken": member.refresh_token})] * 2)
    assert sorted(answer.status_code for answer in answers) == [200, 401], [answer.text for answer in answers]
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert_problem(
        world.api.post("/v1/auth/refresh", {"refreshToken": winner.json()["refreshToken"]}), 401, "invalid_refresh_token"
    )


def test_logging_out_ends_the_session_and_may_be_repeated(world):
    member = world.stranger()
    assert active(world, member.token)
    for _ in range(2):
        answer = member.post("/v1/auth/logout")
        assert (answer.status_code, answer.content) == (204, b"")
    assert not active(world, member.token)
    assert_problem(
        world.api.post("/v1/auth/refresh", {"refreshToken": member.refresh_token}), 401, "invalid_refresh_token"
    )
    # Another session of the same member goes on.
    member.log_in()
    assert active(world, member.token)


def test_who_is_an_operator_no_longer_is_out_of_every_session(world):
    member = world.operator()
    token, refresh_token = member.token, member.refresh_token
    assert active(world, token)
    for _ in range(2):
        world.call("membership.revokeOperator", {"email": member.email})
    assert not active(world, token)
    assert_problem(world.api.post("/v1/auth/refresh", {"refreshToken": refresh_token}), 401, "invalid_refresh_token")
    member.log_in()
    assert jwt.decode(member.token, options={"verify_signature": False})["scope"] == "member"


def test_a_repetition_of_a_registration_knows_its_password(world):
    key = new_key()
    person, first = world.register(key=key)
    _, other = world.register({**person, "password": person["password"] + "!"}, key=key)
    assert_problem(other, 422, "idempotency_key_reused")
    _, again = world.register(person, key=key)
    assert again.json() == first.json()


def test_emails_cannot_be_tried_at_full_speed(world, hana):
    member = world.stranger()
    path = f"/v1/memberships/{member.id}"
    for _ in range(5):
        assert_problem(member.call("PATCH", path, {"email": hana.email}), 409, "email_taken")
    answer = member.call("PATCH", path, {"email": hana.email})
    assert_problem(answer, 429, "too_many_email_changes")
    assert int(answer.headers["retry-after"]) > 0


def active(world, token):
    answer = world.api.post("/v1/auth/validate", {"token": token})
    assert answer.status_code == 200, answer.text
    return answer.json()["active"]


def test_a_valid_token_is_described_as_rfc_7662_says(world, hana):
    answer = world.api.post("/v1/auth/validate", {"token": hana.token}).json()
    assert answer["active"] is True
    assert (answer["sub"], answer["scope"], answer["token_type"]) == (hana.id, "member", "Bearer")
    assert answer.keys() == {"active", "token_type", "scope", "sub", "iss", "aud", "sid", "jti", "iat", "nbf", "exp"}


def test_a_member_sees_all_of_their_data_and_none_of_its_secrets(hana, operator):
    own = hana.get(f"/v1/memberships/{hana.id}")
    assert own.json() == hana.get("/v1/auth/membership").json()
    assert own.json() == operator.get(f"/v1/memberships/{hana.id}").json()
    assert own.json()["email"] == hana.email
    for secret in ("password", "argon2", "dataKey", "emailIndex", "fingerprint"):
        assert secret not in own.text


def test_a_change_keeps_what_it_was_not_given(world):
    member = world.stranger()
    before = member.get(f"/v1/memberships/{member.id}")
    world.plant("address", "부산광역시 해운대구 새길 7")
    answer = member.call("PATCH", f"/v1/memberships/{member.id}", {"address": "부산광역시 해운대구 새길 7"})
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert (after["region"], after["address"]) == ("busan", "부산광역시 해운대구 새길 7")
    kept = ("name", "email", "kind", "state", "scopes", "registeredAt", "membershipId")
    assert {name: after[name] for name in kept} == {name: before.json()[name] for name in kept}
    assert answer.headers["etag"] != before.headers["etag"]
    assert member.get(f"/v1/memberships/{member.id}").json() == after


def test_changes_with_an_old_version_are_refused(world):
    member = world.stranger()
    path = f"/v1/memberships/{member.id}"
    etag = member.get(path).headers["etag"]
    first = member.call("PATCH", path, {"name": "새 이름"}, headers={"if-match": etag})
    assert first.status_code == 200, first.text
    stale = member.call("PATCH", path, {"name": "헌 이름"}, headers={"if-match": etag})
    assert_problem(stale, 412, "precondition_failed")
    assert member.get(path).json()["name"] == "새 이름"


def test_a_new_email_logs_in_and_the_old_one_is_free_again(world):
    member = world.stranger()
    old, new = member.email, world.person()["email"]
    answer = member.call("PATCH", f"/v1/memberships/{member.id}", {"email": new})
    assert answer.status_code == 200, answer.text
    assert world.api.post("/v1/auth/login", {"email": old, "password": member.password}).status_code == 401
    member.email = new
    member.log_in()
    _, taken_over = world.register(world.person(email=old))
    assert taken_over.status_code == 201
    back = member.call("PATCH", f"/v1/memberships/{member.id}", {"email": old})
    assert_problem(back, 409, "email_taken")


def test_discovery_and_keys_let_anybody_verify_a_token(world, hana):
    issuer = world.outputs["api_url"]
    metadata = world.api.get("/.well-known/openid-configuration").json()
    assert metadata["issuer"] == issuer
    keys = world.http_get(metadata["jwks_uri"])["keys"]
    assert len(keys) == 3
    for key in keys:
        assert key.keys() == {"kid", "kty", "alg", "use", "n", "e"}, "a private half must never be published"
    kid = jwt.get_unverified_header(hana.token)["kid"]
    public = jwt.PyJWK(next(key for key in keys if key["kid"] == kid))
    claims = jwt.decode(hana.token, public.key, algorithms=["RS256"], audience="pay", issuer=issuer)
    assert claims["sub"] == hana.id


def test_making_the_first_keys_again_changes_nothing(world):
    before = world.signing_keys()
    answer = world.call("membership.ensureSigningKey", {})
    assert answer == {name: before[name]["public"]["kid"] for name in ("previous", "current", "next")}
    assert world.signing_keys() == before
    assert "PRIVATE" not in json.dumps(answer)


def key_ids(keys):
    return [keys[name]["public"]["kid"] for name in ("previous", "current", "next")]


def test_a_rotation_before_the_next_key_was_published_for_two_hours_keeps_the_keys(world, hana):
    before = world.signing_keys()
    world.date_keys_back(7_000)
    after = world.rotate_keys()
    assert key_ids(after) == key_ids(before)
    assert hana.get("/v1/auth/membership").status_code == 200


def test_a_rotation_after_two_hours_signs_with_the_next_key_and_no_token_is_lost(world, hana):
    before = world.signing_keys()
    world.date_keys_back(7_300)
    after = world.rotate_keys()
    # The next rotation of the same stack starts from keys that are new again.
    world.date_keys_back(0)
    assert after["current"] == before["next"] and after["previous"] == before["current"]
    assert after["next"]["public"]["kid"] not in key_ids(before)
    served = {key["kid"] for key in world.api.get("/.well-known/jwks.json").json()["keys"]}
    assert served == set(key_ids(after))
    # Tokens of before hold, and so do those of functions that have not seen the new key yet, and those that have.
    old = hana.token
    hana.log_in()
    for token in (old, hana.token, world.sign(world.claims(hana))):
        assert world.api.get("/v1/auth/membership", token=token).status_code == 200
    assert active(world, old) and active(world, hana.token)


def test_a_forged_id_token_says_nothing(world):
    """An unsigned text in the form of a token is just inactive, without a reason."""
    token = f"{encoded({'alg': 'none'})}.{encoded({'sub': 'mbr_01J00000000000000000000000'})}."
    assert world.api.post("/v1/auth/validate", {"token": token}).json() == {"active": False}
