//! Membership's operations.

use super::{HOLDER, member_of, text};
use crate::runner::{Caller, Runner, request};
use anyhow::Result;
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery staple";
const ADDRESS: &str = "서울특별시 강남구 테헤란로 152, 17층";

/// Registers the cast and does with them all that membership can; answers member, other member and operator.
pub async fn run(runner: &mut Runner) -> Result<(Caller, Caller, Caller)> {
    keys(runner).await?;
    let member = register(runner).await?;
    let other = register_by_event(runner).await?;
    sessions(runner, &member).await?;
    profile(runner, &member).await?;
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        let event = json!({ "Step": step, "SecretId": "signing-keys", "ClientRequestToken": "second" });
        runner.plain("membership.rotateSigningKey", step, event).await?;
    }
    let nowhere = request("GET", "/v1/nothing", None, "", &Value::Null);
    runner.route("membership.answerUnknownPath", "usual", nowhere, 404).await?;
    let body = json!({ "keys": [{ "partition": format!("member#{}", other.id), "sort": "profile" }] });
    // The other member's fact is the newest then: money opens a wallet by it.
    runner.direct("membership.republish", "one item", "", body).await?;
    let operator = Caller { scope: "member operator", ..other.clone() };
    Ok((member, other, operator))
}

async fn keys(runner: &mut Runner) -> Result<()> {
    runner.direct("membership.ensureSigningKey", "first keys", "", json!({})).await?;
    runner.direct("membership.ensureSigningKey", "keys are there", "", json!({})).await?;
    for (operation, path) in [
        ("membership.getSigningKeys", "/.well-known/jwks.json"),
        ("membership.getOpenIdConfiguration", "/.well-known/openid-configuration"),
    ] {
        runner.route(operation, "usual", request("GET", path, None, "", &Value::Null), 200).await?;
    }
    Ok(())
}

/// Somebody registers and leaves, and everybody who hears of it forgets them.
pub async fn leave(runner: &mut Runner) -> Result<()> {
    let body = person("leaver@example.com");
    let register = request("POST", "/v1/memberships", None, "register-leaver", &body);
    let answer = runner.route("membership.registerMembership", "one who leaves", register, 201).await?;
    runner.rows.retain(|row| row.case != "one who leaves");
    let leaver = Caller { id: member_of(&answer)?, session: String::new(), scope: "member" };
    let owner = json!({ "membershipId": leaver.id });
    runner.direct("money.openMemberMoney", "new wallet", "", owner.clone()).await?;
    runner.direct("franchise.verifyFranchisesClosed", "none", "", owner.clone()).await?;
    let path = format!("/v1/memberships/{}", leaver.id);
    let close = request("DELETE", &path, Some(&leaver), "", &Value::Null);
    runner.route("membership.closeMembership", "usual", close.clone(), 204).await?;
    runner.route("membership.closeMembership", "repeated", close, 204).await?;
    runner.direct("money.closeMemberMoney", "closed before", "bench/closing/1", owner).await?;
    let fact = "membership.closed.v1";
    runner.fact("banking.onMembershipClosed", "nothing linked", fact).await?;
    runner.fact("franchise.onMembershipClosed", "nothing owned", fact).await?;
    runner.plain("membership.sweepMemberships", "scan, nobody is leaving", json!({})).await?;
    Ok(())
}

fn person(email: &str) -> Value {
    json!({
        "name": HOLDER,
        "email": email,
        "password": PASSWORD,
        "address": ADDRESS,
        "kind": "personal",
    })
}

async fn register(runner: &mut Runner) -> Result<Caller> {
    let operation = "membership.registerMembership";
    let body = person("hana@example.com");
    let first = request("POST", "/v1/memberships", None, "register-hana", &body);
    let answer = runner.route(operation, "new member", first.clone(), 201).await?;
    runner.route(operation, "repeated", first, 201).await?;
    let taken = request("POST", "/v1/memberships", None, "register-again", &body);
    runner.route(operation, "email taken", taken, 409).await?;
    Ok(Caller { id: member_of(&answer)?, session: String::new(), scope: "member" })
}

async fn register_by_event(runner: &mut Runner) -> Result<Caller> {
    let body = person("duri@example.com");
    let order = request("POST", "/v1/memberships/by-event", None, "register-duri", &body);
    let answer = runner.route("membership.registerMembershipByEvent", "new member", order, 202).await?;
    let fact = "membership.registrationRequested.v1";
    runner.fact("membership.onRegisterMembershipRequested", "usual", fact).await?;
    Ok(Caller { id: member_of(&answer)?, session: String::new(), scope: "member" })
}

async fn sessions(runner: &mut Runner, member: &Caller) -> Result<()> {
    let login = "membership.loginMembership";
    let wrong = json!({ "email": "hana@example.com", "password": "not the password" });
    runner.route(login, "wrong password", request("POST", "/v1/auth/login", None, "", &wrong), 401).await?;
    let right = json!({ "email": "hana@example.com", "password": PASSWORD });
    let tokens =
        runner.route(login, "usual", request("POST", "/v1/auth/login", None, "", &right), 200).await?;
    let exchange = json!({ "refreshToken": text(&tokens, "refreshToken")? });
    let refresh = request("POST", "/v1/auth/refresh", None, "refresh-1", &exchange);
    let operation = "membership.refreshJwtTokenByRefreshToken";
    runner.route(operation, "usual", refresh.clone(), 200).await?;
    runner.route(operation, "repeated", refresh, 200).await?;
    let token = json!({ "token": text(&tokens, "accessToken")? });
    let validate = request("POST", "/v1/auth/validate", None, "", &token);
    let seen = runner.route("membership.validateJwtToken", "a token that holds", validate, 200).await?;
    let session = text(&seen, "sid")?;
    let logout = Caller { session, ..member.clone() };
    let logout = request("POST", "/v1/auth/logout", Some(&logout), "", &Value::Null);
    runner.route("membership.logoutMembership", "usual", logout, 204).await?;
    Ok(())
}

async fn profile(runner: &mut Runner, member: &Caller) -> Result<()> {
    let path = format!("/v1/memberships/{}", member.id);
    let own = |method: &str, path: &str, body: Value| request(method, path, Some(member), "", &body);
    let who = own("GET", "/v1/auth/membership", Value::Null);
    runner.route("membership.getMembershipByJwtToken", "usual", who, 200).await?;
    runner.route("membership.findMembership", "usual", own("GET", &path, Value::Null), 200).await?;
    let modify = "membership.modifyMembership";
    runner.route(modify, "name", own("PATCH", &path, json!({ "name": "김한나" })), 200).await?;
    let email = json!({ "email": "hanna@example.com" });
    runner.route(modify, "email", own("PATCH", &path, email), 200).await?;
    let body = json!({ "email": "duri@example.com" });
    runner.direct("membership.grantOperator", "usual", "", body.clone()).await?;
    runner.direct("membership.revokeOperator", "usual", "", body).await?;
    Ok(())
}
