//! Remittance's operations, called as the gateway, the bank's facts and the sweeper call them, beside the real money.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    dead_code,
    reason = "a test that fails should fail loudly"
)]

mod support;

use contract::{Caller, Code, bank_codes, money_codes, problem, testing::Request};
use events::{
    Envelope, Fact,
    banking::{FirmbankingFailed, FirmbankingSucceeded},
};
use kernel::{Id, Money, id::RemittanceId};
use serde_json::{Value, json};
use support::*;

#[tokio::test]
async fn money_goes_to_a_member_by_id() {
    let town = Town::with(20_000).await;
    let answer = town.remittance.send(remit("k", &to_member(dul()), 15_000)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!((&answer.body["state"], &answer.body["direction"]), (&json!("completed"), &json!("sent")));
    assert_eq!(answer.body["to"], to_member(dul()));
    assert_eq!((town.balance(hana()).await, town.balance(dul()).await), (5_000, 15_000));
    assert_eq!(town.wires.others().asked, ["money.transferMoney"], "the fast path is one call");

    let place = answer.header("location").unwrap();
    assert_eq!(town.get(hana(), place).await.body, answer.body);
    let received = town.get(dul(), place).await.body;
    let expected = json!({
        "remittanceId": answer.body["remittanceId"], "direction": "received", "membershipId": hana(),
        "to": to_member(dul()), "amount": won(15_000), "state": "completed",
        "completedAt": answer.body["completedAt"],
    });
    assert_eq!(received, expected, "the receiver sees who, how much and when");
    assert_eq!(town.get(set(), place).await.code(), "not_found");
}

#[tokio::test]
async fn money_goes_to_a_member_by_email_which_is_kept_nowhere() {
    let town = Town::with(20_000).await;
    let answer = town.remittance.send(remit("k", &to_email(&DUL_EMAIL.to_uppercase()), 15_000)).await;
    assert_eq!((answer.status, &answer.body["to"]), (201, &to_member(dul())), "{}", answer.body);
    assert_eq!(town.balance(dul()).await, 15_000);
    let items = serde_json::to_string(&town.remittance.twin.items()).unwrap().to_lowercase();
    assert!(!items.contains(DUL_EMAIL));

    // The first answer comes again though the email may be somebody else's by now.
    town.wires.others().refused = Some(("membership.resolveMember", &problem::NOT_FOUND));
    let again = town.remittance.send(remit("k", &to_email(&DUL_EMAIL.to_uppercase()), 15_000)).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body, answer.body);
}

#[tokio::test]
async fn money_goes_to_an_account_at_the_bank() {
    let town = Town::with(20_000).await;
    let answer = town.remittance.send(remit("k", &to_shop(), 15_000)).await;
    assert_eq!((answer.status, &answer.body["state"]), (201, &json!("completed")), "{}", answer.body);
    let shown = json!({ "kind": "bankAccount", "maskedAccountNumber": "*******6789" });
    assert_eq!(answer.body["to"], shown);
    assert_eq!(town.standing(hana()).await, (5_000, 0));
    assert_eq!(town.wires.others().moved(), 20_000 - 15_000);
    let items = serde_json::to_string(&town.remittance.twin.items()).unwrap();
    let facts = serde_json::to_string(&town.remittance.relay().await.unwrap()).unwrap();
    for text in [SHOP, "11023456789", HOLDER] {
        assert!(!items.contains(text) && !facts.contains(text), "{text}");
    }
}

#[tokio::test]
async fn a_receiver_that_cannot_be_leaves_nothing_and_frees_the_key() {
    let town = Town::with(20_000).await;
    let account = |number: &str, holder: &str| json!({ "kind": "bankAccount", "accountNumber": number, "holder": holder });
    for (to, code) in [
        (to_member(hana()), "remittance_to_oneself"),
        (to_email(HANA_EMAIL), "remittance_to_oneself"),
        (to_email("nobody@pay.example"), "receiver_not_found"),
        (account("55566677788", HOLDER), "account_unknown_to_bank"),
        (account(SHOP, "이둘"), "holder_mismatch"),
        (account(CORPORATE, HOLDER), "payee_not_allowed"),
    ] {
        let answer = town.remittance.send(remit("k", &to, 1_000)).await;
        assert_eq!((answer.status, answer.code()), (422, code));
        assert_eq!(answer.header("location"), None);
    }
    for (silent, to) in
        [("membership.resolveMember", to_email(DUL_EMAIL)), ("banking.registerPayee", to_shop())]
    {
        town.wires.others().silent = Some(silent);
        let answer = town.remittance.send(remit("k", &to, 1_000)).await;
        assert_eq!((answer.status, answer.code()), (503, "temporarily_unavailable"));
    }
    town.wires.others().silent = None;
    assert!(town.remittance.twin.items().is_empty());
    assert_eq!(town.balance(hana()).await, 20_000);
    assert_eq!(town.remittance.send(remit("k", &to_shop(), 1_000)).await.status, 201);
}

#[tokio::test]
async fn a_member_who_does_not_exist_gets_nothing_and_it_stays_so() {
    let town = Town::with(20_000).await;
    let nobody = to_member(Id::derive(&["nobody"]));
    let answer = town.remittance.send(remit("k", &nobody, 1_000)).await;
    assert_eq!((answer.status, answer.code()), (422, "receiver_not_found"));
    let place = answer.header("location").unwrap().to_owned();
    let record = town.get(hana(), &place).await.body;
    assert_eq!(
        (&record["state"], &record["failureReason"]),
        (&json!("failed"), &json!("receiver_not_found"))
    );
    let again = town.remittance.send(remit("k", &nobody, 1_000)).await;
    assert_eq!((again.code(), again.header("idempotent-replayed")), ("receiver_not_found", Some("true")));
    assert_eq!(again.header("location"), Some(place.as_str()));
    assert_eq!(town.get(Id::derive(&["nobody"]), &place).await.code(), "not_found", "nothing has arrived");
    assert_eq!(town.balance(hana()).await, 20_000);
}

/// Limits, closed wallets, caps: whatever money refuses for ever ends the remittance with money's own code.
#[tokio::test]
async fn what_money_refuses_for_ever_ends_it_and_nothing_else_does() {
    let ends = money_codes::FINAL.iter().filter(|code| **code != &money_codes::INSUFFICIENT_BALANCE);
    for code in ends {
        for (operation, to) in [("money.transferMoney", to_member(dul())), ("money.holdMoney", to_shop())] {
            let town = Town::with(20_000).await;
            town.wires.others().refused = Some((operation, code));
            let answer = town.remittance.send(remit("k", &to, 1_000)).await;
            assert_eq!((answer.status, answer.code()), (code.status, code.code), "{operation}");
            let record = town.get(hana(), answer.header("location").unwrap()).await.body;
            assert_eq!((&record["state"], &record["failureReason"]), (&json!("failed"), &json!(code.code)));
            assert_eq!(town.standing(hana()).await, (20_000, 0));
        }
    }
    static UNHEARD_OF: Code = problem::code(422, "unheard_of", "Nobody knows this one.");
    for code in
        [&UNHEARD_OF, &problem::VALIDATION_FAILED, &problem::INTERNAL_ERROR, &money_codes::OTHER_TERMS]
    {
        let town = Town::with(20_000).await;
        town.wires.others().refused = Some(("money.transferMoney", code));
        let answer = town.remittance.send(remit("k", &to_member(dul()), 1_000)).await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("requested")), "{}", code.code);
        town.wires.others().refused = None;
        town.remittance.world.pass_seconds(30);
        town.sweep().await;
        let record = town.get(hana(), answer.header("location").unwrap()).await.body;
        assert_eq!(record["state"], "completed", "{}", code.code);
        assert_eq!((town.balance(hana()).await, town.balance(dul()).await), (19_000, 1_000));
    }
}

#[tokio::test]
async fn a_limit_of_the_real_ledger_is_named() {
    let town = Town::with(2_000_000).await;
    let answer = town.remittance.send(remit("k", &to_member(dul()), 2_000_001)).await;
    assert_eq!((answer.status, answer.code()), (422, "each_limit_exceeded"));
    let answer = town.remittance.send(remit("l", &to_shop(), 2_000_001)).await;
    assert_eq!((answer.status, answer.code()), (422, "each_limit_exceeded"));
    assert_eq!(town.wires.others().orders.len(), 1, "the bank was not asked");
}

#[tokio::test]
async fn the_same_key_is_the_same_remittance() {
    let town = Town::with(20_000).await;
    for (key, to) in [("a", to_member(dul())), ("b", to_email(DUL_EMAIL)), ("c", to_shop())] {
        let first = town.remittance.send(remit(key, &to, 1_000)).await;
        let again = town.remittance.send(remit(key, &to, 1_000)).await;
        assert_eq!(
            (again.status, again.header("idempotent-replayed")),
            (201, Some("true")),
            "{}",
            again.body
        );
        assert_eq!((&again.body, again.header("location")), (&first.body, first.header("location")));
        let other = town.remittance.send(remit(key, &to, 1_001)).await;
        assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
        let other = town.remittance.send(remit(key, &to_member(set()), 1_000)).await;
        assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    }
    assert_eq!((town.balance(hana()).await, town.balance(dul()).await), (17_000, 2_000));
}

#[tokio::test]
async fn a_repetition_waits_for_the_lease_and_then_goes_on() {
    let mut town = Town::with(20_000).await;
    let calm = town.remittance.context.clone();
    // The first worker dies after money has moved: its record says nothing of it yet.
    town.plan(vec![Fault::None, Fault::None, Fault::Before]);
    let answer = town.remittance.send(remit("k", &to_member(dul()), 1_000)).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    town.remittance.context = calm.clone();
    let early = town.remittance.send(remit("k", &to_member(dul()), 1_000)).await;
    assert_eq!((early.status, early.code()), (409, "request_in_progress"));
    assert_eq!(early.header("retry-after"), Some("21"));
    town.remittance.world.pass_seconds(21);
    // Whoever takes over has a lease of its own, and dies at the same place.
    town.plan(vec![Fault::None, Fault::None, Fault::None, Fault::Before]);
    assert_eq!(town.remittance.send(remit("k", &to_member(dul()), 1_000)).await.status, 503);
    town.remittance.context = calm;
    let early = town.remittance.send(remit("k", &to_member(dul()), 1_000)).await;
    assert_eq!((early.status, early.code()), (409, "request_in_progress"));
    assert_eq!(early.header("retry-after"), Some("21"));
    town.remittance.world.pass_seconds(21);
    let again = town.remittance.send(remit("k", &to_member(dul()), 1_000)).await;
    assert_eq!((again.status, &again.body["state"]), (201, &json!("completed")));
    assert_eq!((town.balance(hana()).await, town.balance(dul()).await), (19_000, 1_000));
    town.remittance.assert_versions();
}

#[tokio::test]
async fn a_recharge_is_seen_from_its_plan_on() {
    let mut town = Town::with(3_000).await;
    let calm = town.remittance.context.clone();
    // The worker dies once it has asked for the planned recharge: its record says nothing of the answer.
    town.plan(std::iter::repeat_n(Fault::None, 6).chain([Fault::Before]).collect());
    let body = json!({ "to": to_member(dul()), "amount": won(15_000), "bankAccountId": account("second") });
    assert_eq!(town.remittance.send(asking("k", &body)).await.status, 503);
    town.remittance.context = calm;
    let stored = serde_json::to_value(town.remittance.twin.items()).unwrap();
    let id = stored[0]["remittanceId"]["S"].as_str().unwrap();
    let record = town.get(hana(), &format!("/v1/remittances/{id}")).await.body;
    assert_eq!(
        (&record["state"], &record["topUp"]["amount"]),
        (&json!("recharging"), &won(20_000)),
        "{record}"
    );
}

#[tokio::test]
async fn what_nobody_answered_is_left_to_whoever_comes() {
    let town = Town::with(20_000).await;
    town.wires.others().silent = Some("money.transferMoney");
    let answer = town.remittance.send(remit("k", &to_member(dul()), 1_000)).await;
    assert_eq!((answer.status, &answer.body["state"]), (202, &json!("requested")), "{}", answer.body);
    town.wires.others().silent = None;
    let again = town.remittance.send(remit("k", &to_member(dul()), 1_000)).await;
    assert_eq!((again.status, &again.body["state"]), (201, &json!("completed")));
}

/// The balance is 3 000, and 15 000 are sent: 12 000 are short, and 20 000 are recharged.
#[tokio::test]
async fn a_shortfall_is_recharged_in_steps_of_ten_thousand() {
    for to in [to_member(dul()), to_shop()] {
        for named in [None, Some(account("second"))] {
            let town = Town::with(3_000).await;
            let mut body = json!({ "to": to, "amount": won(15_000) });
            if let Some(named) = named {
                body["bankAccountId"] = json!(named);
            }
            let answer = town.remittance.send(asking("k", &body)).await;
            assert_eq!((answer.status, &answer.body["state"]), (201, &json!("completed")), "{}", answer.body);
            let account = named.unwrap_or(account("first"));
            assert_eq!(answer.body["topUp"], json!({ "bankAccountId": account, "amount": won(20_000) }));
            assert_eq!(town.standing(hana()).await, (8_000, 0));
            let others = town.wires.others();
            let mut inward = others.orders.values().filter(|order| order.body["source"]["kind"] == "linked");
            assert!(inward.any(|order| order.body["amount"] == won(20_000)));
        }
    }
}

#[tokio::test]
async fn without_a_recharge_a_shortfall_ends_it() {
    for to in [to_member(dul()), to_shop()] {
        let town = Town::with(3_000).await;
        town.wires.others().linked = None;
        let answer = town.remittance.send(remit("none", &to, 15_000)).await;
        assert_eq!((answer.status, answer.code()), (422, "insufficient_balance"));
        town.wires.others().linked = Some(account("first"));
        town.wires.others().inward = Mood::Declines;
        let answer = town.remittance.send(remit("declined", &to, 15_000)).await;
        assert_eq!((answer.status, answer.code()), (422, "bank_declined"));
        let record = town.get(hana(), answer.header("location").unwrap()).await.body;
        assert_eq!((&record["state"], &record["topUp"]["amount"]), (&json!("failed"), &won(20_000)));
        assert_eq!(town.standing(hana()).await, (3_000, 0));
        // Money has come meanwhile, and still they have failed.
        let body = json!({ "bankAccountId": account("first"), "amount": won(50_000) });
        town.wires.others().inward = Mood::Moves;
        let recharge = contract::testing::Request::new("POST", "/v1/money/increases");
        assert_eq!(town.money.send(recharge.caller(hana(), "member").key("x").json(&body)).await.status, 201);
        for (key, code) in [("none", "insufficient_balance"), ("declined", "bank_declined")] {
            assert_eq!(town.remittance.send(remit(key, &to, 15_000)).await.code(), code);
        }
        town.remittance.world.pass_seconds(30);
        town.sweep().await;
        assert_eq!(town.standing(hana()).await, (53_000, 0));
    }
}

#[tokio::test]
async fn a_recharge_of_more_than_one_may_bring_ends_it() {
    let town = Town::new();
    let answer = town.remittance.send(remit("k", &to_member(dul()), 1_999_999)).await;
    assert_eq!((answer.status, &answer.body["topUp"]["amount"]), (201, &won(2_000_000)), "{}", answer.body);
    static INVALID: &Code = &problem::VALIDATION_FAILED;
    town.wires.others().refused = Some(("money.increaseMoneyRequest", INVALID));
    let answer = town.remittance.send(remit("l", &to_member(dul()), 1_000_000)).await;
    assert_eq!((answer.status, answer.code()), (422, "each_limit_exceeded"));
}

#[tokio::test]
async fn an_unknown_recharge_is_waited_for() {
    for (mood, state) in [(Mood::Moves, "completed"), (Mood::Declines, "failed")] {
        let town = Town::with(3_000).await;
        town.wires.others().inward = Mood::Unknown;
        let answer = town.remittance.send(remit("k", &to_member(dul()), 15_000)).await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("recharging")), "{}", answer.body);
        town.wires.others().inward = mood;
        town.remittance.world.pass_seconds(30);
        town.sweep().await;
        let record = town.get(hana(), answer.header("location").unwrap()).await.body;
        assert_eq!(record["state"], state);
        let expected = if state == "completed" { (8_000, 15_000) } else { (3_000, 0) };
        assert_eq!((town.balance(hana()).await, town.balance(dul()).await), expected);
    }
}

#[tokio::test]
async fn a_bank_that_declines_gives_the_held_money_back() {
    let town = Town::with(20_000).await;
    town.wires.others().outward = Mood::Declines;
    let answer = town.remittance.send(remit("k", &to_shop(), 15_000)).await;
    assert_eq!((answer.status, answer.code()), (422, "bank_declined"));
    let place = answer.header("location").unwrap();
    let record = town.get(hana(), place).await.body;
    assert_eq!((&record["state"], &record["failureReason"]), (&json!("failed"), &json!("declined_by_bank")));
    assert_eq!(town.standing(hana()).await, (20_000, 0));
    assert_eq!(town.wires.others().moved(), 20_000);
}

fn fact_of(place: &str, is_moved: bool, suffix: &str) -> (&'static str, Value) {
    let reference = format!("{}{suffix}", place.rsplit('/').next().unwrap());
    let (firmbanking_id, amount, at) = (Id::derive(&["f"]), Money::won(15_000), events::example_time());
    let envelope = if is_moved {
        let fact = FirmbankingSucceeded { firmbanking_id, reference, amount, succeeded_at: at };
        Envelope::of(&fact, "", at, events::EXAMPLE_TRACEPARENT)
    } else {
        let reason = "declined_by_bank".to_owned();
        let fact = FirmbankingFailed { firmbanking_id, reference, amount, reason, failed_at: at };
        Envelope::of(&fact, "", at, events::EXAMPLE_TRACEPARENT)
    };
    let handler = if is_moved { "onFirmbankingSucceeded" } else { "onFirmbankingFailed" };
    (handler, serde_json::to_value(envelope).unwrap())
}

#[tokio::test]
async fn a_silent_bank_is_waited_for_until_it_is_certain() {
    for doubt in [Mood::Unknown, Mood::Silent, Mood::Faulty] {
        for is_moved in [true, false] {
            for by_fact in [true, false] {
                let town = Town::with(20_000).await;
                town.wires.others().outward = doubt;
                let answer = town.remittance.send(remit("k", &to_shop(), 15_000)).await;
                assert_eq!((answer.status, &answer.body["state"]), (202, &json!("bankUnknown")));
                assert_eq!(town.standing(hana()).await, (20_000, 15_000), "what is held stays held");
                let place = answer.header("location").unwrap().to_owned();
                // Facts of other sagas, and of sagas that nobody knows, are none of its business.
                for suffix in ["", "/other", "/bank/bank"] {
                    let (handler, fact) = fact_of(&place, is_moved, suffix);
                    town.remittance.call(handler, Caller::Platform, fact).await.unwrap();
                }
                town.remittance.world.pass_seconds(90_000);
                town.sweep().await;
                assert_eq!(
                    town.get(hana(), &place).await.body["state"],
                    "bankUnknown",
                    "not before it is certain"
                );

                town.wires.others().outward = if is_moved { Mood::Moves } else { Mood::Declines };
                if by_fact {
                    let (handler, fact) = fact_of(&place, is_moved, "/bank");
                    town.remittance.call(handler, Caller::Platform, fact.clone()).await.unwrap();
                    town.remittance.call(handler, Caller::Platform, fact).await.unwrap();
                } else {
                    town.remittance.world.pass_seconds(1);
                    town.sweep().await;
                }
                let state = if is_moved { "completed" } else { "failed" };
                assert_eq!(town.get(hana(), &place).await.body["state"], state);
                let left = if is_moved { 5_000 } else { 20_000 };
                assert_eq!(town.standing(hana()).await, (left, 0));
            }
        }
    }
}

#[tokio::test]
async fn what_was_never_begun_expires() {
    for (silent, to) in [("money.transferMoney", to_member(dul())), ("money.holdMoney", to_shop())] {
        let town = Town::with(20_000).await;
        town.wires.others().silent = Some(silent);
        let answer = town.remittance.send(remit("k", &to, 1_000)).await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("requested")));
        town.wires.others().silent = None;
        town.remittance.world.pass_seconds(86_400);
        town.sweep().await;
        let record = town.get(hana(), answer.header("location").unwrap()).await.body;
        assert_eq!((&record["state"], &record["failureReason"]), (&json!("failed"), &json!("expired")));
        assert_eq!(town.remittance.send(remit("k", &to, 1_000)).await.code(), "expired");
        assert_eq!(town.standing(hana()).await, (20_000, 0));
    }
}

/// The customer's bank account is debited for a remittance that can still be made, and for no other.
#[tokio::test]
async fn what_has_expired_is_not_recharged_for() {
    for silent in ["money.increaseMoneyRequest", "money.getBalanceRequest"] {
        for to in [to_member(dul()), to_shop()] {
            let town = Town::with(3_000).await;
            let before = town.wires.others().moved();
            town.wires.others().silent = Some(silent);
            let answer = town.remittance.send(remit("k", &to, 15_000)).await;
            assert_eq!(answer.status, 202, "{}", answer.body);
            town.wires.others().silent = None;
            town.remittance.world.pass_seconds(86_400);
            town.sweep().await;
            let record = town.get(hana(), answer.header("location").unwrap()).await.body;
            assert_eq!((&record["state"], &record["failureReason"]), (&json!("failed"), &json!("expired")));
            assert_eq!(town.remittance.send(remit("k", &to, 15_000)).await.code(), "expired");
            assert_eq!(town.wires.others().moved(), before, "the bank has moved something for {silent}");
            assert_eq!(town.standing(hana()).await, (3_000, 0));
        }
    }
}

/// One whose money was held in time goes on, whatever the clock says of its recharge.
#[tokio::test]
async fn what_was_recharged_and_held_in_time_is_paid_out_however_late() {
    let town = Town::with(3_000).await;
    town.wires.others().outward = Mood::Unknown;
    let answer = town.remittance.send(remit("k", &to_shop(), 15_000)).await;
    assert_eq!((answer.status, &answer.body["state"]), (202, &json!("bankUnknown")), "{}", answer.body);
    town.remittance.world.pass_seconds(90_000);
    town.wires.others().outward = Mood::Moves;
    town.sweep().await;
    let record = town.get(hana(), answer.header("location").unwrap()).await.body;
    assert_eq!((&record["state"], town.standing(hana()).await), (&json!("completed"), (8_000, 0)));
}

#[tokio::test]
async fn facts_are_stated_once_and_what_waits_is_swept() {
    let town = Town::with(20_000).await;
    town.wires.others().outward = Mood::Unknown;
    let done = town.remittance.send(remit("a", &to_member(dul()), 1_000)).await;
    let refused = town.remittance.send(remit("b", &to_member(Id::derive(&["nobody"])), 1_000)).await;
    let open = town.remittance.send(remit("c", &to_shop(), 1_000)).await;
    let facts = town.remittance.relay().await.unwrap();
    let kinds: Vec<&str> = facts.iter().map(|fact| fact.kind.as_str()).collect();
    assert_eq!(kinds, ["remittance.completed.v1", "remittance.failed.v1"]);
    assert_eq!(facts[0].data["receiverId"], json!(dul()));
    assert_eq!(facts[0].subject, done.body["remittanceId"].as_str().unwrap());
    assert_eq!(facts[1].data["reason"], "receiver_not_found");
    assert!(refused.header("location").unwrap().ends_with(&facts[1].subject));
    let queued = town.remittance.world.take_queued();
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0].operation, "remittance.sweepRemittances");
    assert_eq!((&queued[0].body["remittanceId"], queued[0].delay_seconds), (&open.body["remittanceId"], 50));

    town.wires.others().outward = Mood::Moves;
    let swept =
        town.remittance.call("sweepRemittances", Caller::Platform, queued[0].body.clone()).await.unwrap();
    assert_eq!(swept.body["advanced"][0]["state"], "completed");
    let facts = town.remittance.relay().await.unwrap();
    assert_eq!((facts.len(), &facts[0].data["receiverId"]), (1, &Value::Null));
    assert!(facts[0].data["bankAccountId"].is_string());
    let again = town.remittance.call("republish", Caller::Platform, json!({})).await.unwrap();
    assert_eq!(again.body["published"], 3);
}

#[tokio::test]
async fn hostile_input_is_named_and_nothing_is_written() {
    let town = Town::with(20_000).await;
    let amount = won(1_000);
    let cases = [
        (json!({}), "/to"),
        (json!({ "to": to_member(dul()) }), "/amount"),
        (json!({ "to": {}, "amount": amount }), "/to/kind"),
        (json!({ "to": { "kind": "corporate" }, "amount": amount }), "/to/kind"),
        (json!({ "to": { "kind": "member" }, "amount": amount }), "/to/membershipId"),
        (json!({ "to": { "kind": "member", "membershipId": "mbr_1" }, "amount": amount }), "/to"),
        (json!({ "to": { "kind": "email", "email": "x" }, "amount": amount }), "/to/email"),
        (
            json!({ "to": { "kind": "bankAccount", "accountNumber": "x", "holder": "y" }, "amount": amount }),
            "/to/accountNumber",
        ),
        (json!({ "to": { "kind": "bankAccount", "accountNumber": SHOP }, "amount": amount }), "/to/holder"),
        (json!({ "to": to_member(dul()), "amount": won(0) }), "/amount/amount"),
        (json!({ "to": to_member(dul()), "amount": { "amount": -1, "currency": "KRW" } }), "/amount/amount"),
        (json!({ "to": to_member(dul()), "amount": { "amount": 1.5, "currency": "KRW" } }), "/amount/amount"),
        (json!({ "to": to_member(dul()), "amount": { "amount": 1, "currency": "USD" } }), "/amount/currency"),
        (json!({ "to": to_member(dul()), "amount": amount, "bankAccountId": null }), "/bankAccountId"),
        (json!({ "to": to_member(dul()), "amount": amount, "membershipId": dul() }), "/membershipId"),
        (json!({ "to": to_member(dul()), "amount": amount, "state": "completed" }), "/state"),
    ];
    for (body, pointer) in &cases {
        let answer = town.remittance.send(asking("k", body)).await;
        assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{body}");
        assert_eq!(answer.body["errors"][0]["pointer"], *pointer, "{body} {}", answer.body);
    }
    let unknown =
        json!({ "to": { "kind": "member", "membershipId": dul(), "email": "x" }, "amount": amount });
    assert_eq!(town.remittance.send(asking("k", &unknown)).await.code(), "validation_failed");
    let body = json!({ "to": to_member(dul()), "amount": amount });
    let post = || contract::testing::Request::new("POST", "/v1/remittances").json(&body);
    assert_eq!(town.remittance.send(post().key("k")).await.code(), "unauthorized");
    assert_eq!(town.remittance.send(post().key("k").caller(hana(), "operator")).await.code(), "forbidden");
    assert_eq!(
        town.remittance.send(post().caller(hana(), "member")).await.code(),
        "idempotency_key_required"
    );
    let bad = Request::new("GET", "/v1/remittances/rmt_1").caller(hana(), "member");
    let bad = town.remittance.send(bad).await;
    assert_eq!((bad.status, bad.code()), (400, "validation_failed"));
    let nothing = format!("/v1/remittances/{}", RemittanceId::derive(&["nothing"]));
    assert_eq!(town.get(hana(), &nothing).await.code(), "not_found");
    assert!(town.remittance.twin.items().is_empty());
    assert_eq!(town.standing(hana()).await, (20_000, 0));
}

/// Every page of a list, by the amounts and directions on it.
async fn pages(town: &Town, reader: kernel::id::MembershipId, query: &str) -> Vec<(u64, String)> {
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = town.get(reader, &format!("/v1/remittances?limit=2{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        for item in items {
            let direction = item["direction"].as_str().unwrap().to_owned();
            assert_eq!(direction == "sent", item["membershipId"] == json!(reader));
            assert_eq!(direction == "sent", item.get("requestedAt").is_some());
            seen.push((item["amount"]["amount"].as_u64().unwrap(), direction));
        }
        let Some(next) = page.body["nextCursor"].as_str() else { return seen };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn both_directions_are_listed_newest_first() {
    let town = Town::with(20_000).await;
    let start = town.remittance.context.clock.now();
    let by = |from, key: &str, to: &Value, amount| {
        let body = json!({ "to": to, "amount": won(amount) });
        contract::testing::Request::new("POST", "/v1/remittances").caller(from, "member").key(key).json(&body)
    };
    for (place, (from, to)) in [
        (hana(), to_member(dul())),
        (hana(), to_shop()),
        (dul(), to_member(hana())),
        (hana(), to_member(set())),
        (dul(), to_member(hana())),
        (hana(), to_member(dul())),
    ]
    .into_iter()
    .enumerate()
    {
        let amount = 1_000 - u64::try_from(place).unwrap();
        let answer = town.remittance.send(by(from, &place.to_string(), &to, amount)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        // Two of them at one moment.
        town.remittance.world.pass_seconds(if place == 2 { 0 } else { 1 });
    }
    let nobody = to_member(Id::derive(&["nobody"]));
    assert_eq!(town.remittance.send(by(hana(), "x", &nobody, 5)).await.status, 422);
    town.wires.others().outward = Mood::Unknown;
    assert_eq!(town.remittance.send(by(hana(), "y", &to_shop(), 5)).await.status, 202);

    let all = pages(&town, hana(), "").await;
    assert_eq!(pages(&town, hana(), "&direction=sent,received").await, all);
    let mut amounts: Vec<u64> = all.iter().map(|(amount, _)| *amount).collect();
    assert_eq!((amounts[0], amounts[1], amounts[4], amounts[5]), (995, 996, 999, 1_000));
    amounts.sort_unstable();
    assert_eq!(amounts, [995, 996, 997, 998, 999, 1_000], "each once, and only what was completed");
    let of = |direction: &str| all.iter().filter(|(_, it)| it == direction).cloned().collect::<Vec<_>>();
    assert_eq!(pages(&town, hana(), "&direction=sent").await, of("sent"));
    assert_eq!(pages(&town, hana(), "&direction=received").await, of("received"));
    assert_eq!(of("received").len(), 2);
    assert_eq!(pages(&town, dul(), "").await.len(), 4);
    assert_eq!(pages(&town, set(), "&direction=received").await, [(997, "received".to_owned())]);
    assert_eq!(pages(&town, set(), "&direction=sent").await, []);

    // From the second to before the last.
    let (from, to) = (start.plus_seconds(1), start.plus_seconds(4));
    let window: Vec<u64> = pages(&town, hana(), &format!("&from={from}&to={to}"))
        .await
        .iter()
        .map(|(amount, _)| *amount)
        .collect();
    let mut sorted = window.clone();
    sorted.sort_unstable();
    assert_eq!((window[0], sorted), (996, vec![996, 997, 998, 999]));
    assert_eq!(pages(&town, hana(), &format!("&from={}", start.plus_seconds(100))).await, []);
    assert_eq!(pages(&town, hana(), "&to=1970-01-01T00:00:00Z").await, []);

    let page = town.get(hana(), "/v1/remittances?limit=2").await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let backwards = format!("from={to}&to={from}");
    for (reader, query) in [
        (hana(), format!("direction=sent&cursor={cursor}")),
        (hana(), format!("cursor={cursor}x")),
        (dul(), format!("cursor={cursor}")),
        (hana(), "direction=both".to_owned()),
        (hana(), "direction=".to_owned()),
        (hana(), "direction=sent,sent".to_owned()),
        (hana(), "limit=0".to_owned()),
        (hana(), "from=yesterday".to_owned()),
        (hana(), backwards),
    ] {
        let answer = town.get(reader, &format!("/v1/remittances?{query}")).await;
        assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{query}");
    }
}

#[test]
fn every_final_code_of_money_is_listed() {
    let request = remittance::SERVICE.operation("requestRemittance").unwrap();
    for code in money_codes::FINAL.iter().chain(bank_codes::PAYEE) {
        assert!(request.refuses.iter().any(|known| known == code), "{}", code.code);
    }
    for fact in [events::remittance::RemittanceCompleted::TYPE, events::remittance::RemittanceFailed::TYPE] {
        assert!(request.emits.contains(&fact));
    }
}
