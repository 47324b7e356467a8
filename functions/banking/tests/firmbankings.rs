//! Transfers at the bank, through HTTP and direct calls on the twin, with the bank simulator behind the wire.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use contract::{
    Caller,
    testing::{Log, Request},
};
use kernel::id::{BankAccountId, FirmbankingId};
use serde_json::{Value, json};
use std::sync::Arc;
use store::{AttributeValue, kind_of};
use support::{
    CORPORATE, DUL, FIRST_BALANCE, HANA, Town, Yielding, dul, hana, operator, recharge, withdrawal, won,
};

fn by_operator(path: &str, key: &str, body: &Value) -> Request {
    Request::new("POST", path).caller(operator(), "operator").key(key).json(body)
}

#[tokio::test]
async fn money_moves_once_under_a_reference_in_both_directions() {
    let (town, id) = Town::linked().await;
    let corporate = town.wire.balance(CORPORATE).await;
    let first = town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
    assert_eq!((first.status, &first.body["state"]), (201, &json!("succeeded")));
    let again = town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.body, first.body);
    let other = town.order("mcr_1/bank", recharge(&id, hana(), 30_001)).await.unwrap_err();
    assert_eq!(other.code, "idempotency_key_reused");
    let back = town.order("mcr_2/bank", withdrawal(&id, hana(), 10_000)).await.unwrap();
    assert_eq!(back.body["state"], "succeeded");
    assert_eq!(town.wire.balance(HANA).await, FIRST_BALANCE - 20_000);
    assert_eq!(town.wire.balance(CORPORATE).await, corporate + 20_000);

    let facts = town.banking.relay().await.unwrap();
    let ended: Vec<_> = facts.iter().filter(|fact| fact.kind == "banking.firmbankingSucceeded.v1").collect();
    assert_eq!(ended.len(), 2);
    let is_left_to_others = facts.iter().any(|fact| fact.kind == "banking.firmbankingRequested.v1");
    assert!(!is_left_to_others, "whoever is asked directly does it");
    assert_eq!(ended[0].data["reference"], "mcr_1/bank");
    assert_eq!(ended[0].data["amount"], won(30_000));
}

#[tokio::test]
async fn the_fast_path_is_one_read_and_two_puts() {
    let (town, id) = Town::linked().await;
    town.banking.twin.take_changes();
    town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap();
    let changes = town.banking.twin.take_changes();
    assert_eq!(changes.len(), 2);
    assert!(changes.iter().all(|change| change.key == changes[0].key));
    let states: Vec<_> = changes.iter().map(|change| change.new.as_ref().unwrap()["state"].clone()).collect();
    assert_eq!(states, [AttributeValue::S("sent".to_owned()), AttributeValue::S("succeeded".to_owned())]);
}

#[tokio::test]
async fn a_declined_transfer_is_failed_and_stays_so() {
    for (mode, amount, reason) in
        [("decline", 1_000, "declined_by_bank"), ("normal", FIRST_BALANCE + 1, "insufficient_bank_balance")]
    {
        let (town, id) = Town::linked().await;
        town.wire.tell(HANA, mode, None).await;
        let reply = town.order("mcr_1/bank", recharge(&id, hana(), amount)).await.unwrap();
        assert_eq!((reply.status, &reply.body["state"]), (201, &json!("failed")));
        assert_eq!(reply.body["failureReason"], reason);
        town.wire.tell(HANA, "normal", None).await;
        town.wire
            .ask(
                "PUT",
                "/v1/transfers/gift",
                Some(json!({ "source": CORPORATE, "destination": HANA, "amount": won(10) })),
            )
            .await;
        let again = town.order("mcr_1/bank", recharge(&id, hana(), amount)).await.unwrap();
        assert_eq!(again.body, reply.body);
        assert_eq!(town.wire.moves(HANA).await, 1, "the gift alone");
        let facts = town.banking.relay().await.unwrap();
        let failed = facts.iter().find(|fact| fact.kind == "banking.firmbankingFailed.v1").unwrap();
        assert_eq!(failed.data["reason"], reason);
    }
}

#[tokio::test]
async fn what_the_bank_did_in_silence_is_found_out() {
    for mode in ["timeout", "slow", "lost", "down", "answerTwice"] {
        let (town, id) = Town::linked().await;
        town.wire.tell(HANA, mode, (mode != "down").then_some(1)).await;
        let reply = town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
        if mode == "answerTwice" {
            assert_eq!(reply.body["state"], "succeeded");
        } else {
            assert_eq!((reply.status, &reply.body["state"]), (202, &json!("unknown")), "{mode}");
            assert!(reply.location.unwrap().starts_with("/v1/firmbankings/fbk_"));
        }
        if mode == "down" {
            town.wire.tell(HANA, "normal", None).await;
        }
        town.deliver().await;
        let now = town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
        assert_eq!((now.status, &now.body["state"]), (201, &json!("succeeded")), "{mode}");
        assert_eq!(town.wire.moves(HANA).await, 1, "{mode}");
        let published = town.banking.world.published();
        let ended = published.iter().filter(|fact| fact.kind.starts_with("banking.firmbankingS")).count();
        assert_eq!(ended, 1, "{mode}");
    }
}

#[tokio::test]
async fn a_repetition_advances_what_is_not_final() {
    let (town, id) = Town::linked().await;
    town.wire.tell(HANA, "timeout", Some(1)).await;
    assert_eq!(town.order("mcr_1/bank", recharge(&id, hana(), 1)).await.unwrap().body["state"], "unknown");
    let reply = town.order("mcr_1/bank", recharge(&id, hana(), 1)).await.unwrap();
    assert_eq!((reply.replayed, &reply.body["state"]), (true, &json!("succeeded")));
}

#[tokio::test]
async fn what_the_bank_never_saw_for_too_long_is_voided_and_a_late_arrival_refused() {
    let (town, id) = Town::linked().await;
    town.wire.tell(HANA, "lost", Some(1)).await;
    town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
    let transfer_id = town.banking.twin.items().into_iter().find_map(|item| match item.get("transferId") {
        Some(AttributeValue::S(id)) => Some(id.clone()),
        _ => None,
    });
    town.wire.tell(HANA, "lost", Some(1)).await;
    town.banking.world.pass_seconds(600);
    let reply = town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
    assert_eq!(reply.body["state"], "unknown", "it was sent again");
    town.banking.world.pass_seconds(1);
    let reply = town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
    assert_eq!(
        (&reply.body["state"], &reply.body["failureReason"]),
        (&json!("failed"), &json!("bank_did_not_receive"))
    );
    let late = json!({ "source": HANA, "destination": CORPORATE, "amount": won(30_000) });
    let answer = town.wire.ask("PUT", &format!("/v1/transfers/{}", transfer_id.unwrap()), Some(late)).await;
    assert_eq!(answer["state"], "voided");
    assert_eq!(town.wire.moves(HANA).await, 0);
    town.banking.assert_versions();
}

/// Pay's own account is a setting. What was stored before it changed is not sent for the new one: the bank's answer
/// would be about other terms, and never an end.
#[tokio::test]
async fn what_was_to_go_to_another_account_of_pays_is_voided() {
    let (town, id) = Town::linked().await;
    town.wire.tell(HANA, "lost", Some(1)).await;
    town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
    let other = "99900033344";
    town.wire.open_account(other, "Pay").await;
    let secret = json!({ "apiKey": "open sesame", "corporateAccount": other }).to_string();
    town.banking.world.set_secret("bank", &secret);
    let reply = town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
    assert_eq!(
        (&reply.body["state"], &reply.body["failureReason"]),
        (&json!("failed"), &json!("bank_did_not_receive"))
    );
    assert_eq!(town.wire.moves(HANA).await, 0);
    let reply = town.order("mcr_2/bank", recharge(&id, hana(), 30_000)).await.unwrap();
    assert_eq!(reply.body["state"], "succeeded", "a new one goes to the new account");
    assert_eq!(town.wire.moves(other).await, 1);
}

#[tokio::test]
async fn a_linked_account_that_becomes_pays_own_moves_nothing() {
    let (town, id) = Town::linked().await;
    let secret = json!({ "apiKey": "open sesame", "corporateAccount": HANA }).to_string();
    town.banking.world.set_secret("bank", &secret);
    let reply = town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
    assert_eq!(
        (&reply.body["state"], &reply.body["failureReason"]),
        (&json!("failed"), &json!("bank_account_not_found"))
    );
    assert_eq!(town.wire.moves(HANA).await, 0);
}

/// An operator may have to call the bank, and must name what the bank knows.
#[tokio::test]
async fn operators_alone_see_the_id_at_the_bank() {
    let (town, id) = Town::linked().await;
    let reply = town.order("mcr_1/bank", recharge(&id, hana(), 30_000)).await.unwrap();
    assert_eq!(reply.body.get("bankTransferId"), None);
    let place = format!("/v1/firmbankings/{}", reply.body["firmbankingId"].as_str().unwrap());
    let list = format!("/v1/firmbankings?bankAccountId={id}");
    let transfer = town.get(operator(), "operator", &place).await.body["bankTransferId"].clone();
    let told = town.wire.ask("GET", &format!("/v1/transfers/{}", transfer.as_str().unwrap()), None).await;
    assert_eq!(told["state"], "done");
    assert_eq!(town.get(operator(), "operator", &list).await.body["items"][0]["bankTransferId"], transfer);
    assert_eq!(town.get(hana(), "member", &place).await.body.get("bankTransferId"), None);
    assert_eq!(town.get(hana(), "member", &list).await.body["items"][0].get("bankTransferId"), None);
}

#[tokio::test]
async fn inquiries_come_ever_more_slowly_while_the_bank_is_down() {
    let (town, id) = Town::linked().await;
    town.banking.relay().await.unwrap();
    town.wire.tell(CORPORATE, "down", None).await;
    town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap();
    let mut delays = Vec::new();
    for _ in 0..10 {
        town.banking.relay().await.unwrap();
        let mut messages = town.banking.world.take_queued();
        assert_eq!(messages.len(), 1);
        let message = messages.remove(0);
        assert_eq!(message.operation, "banking.inquireFirmbanking");
        delays.push(message.delay_seconds);
        let reply = town.banking.call("inquireFirmbanking", Caller::Platform, message.body).await.unwrap();
        assert_eq!(reply.body["firmbanking"]["state"], "unknown");
    }
    assert_eq!(delays, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
}

#[tokio::test]
async fn repetitions_do_not_multiply_inquiries() {
    let (town, id) = Town::linked().await;
    town.banking.relay().await.unwrap();
    town.wire.tell(CORPORATE, "down", None).await;
    let mut messages = Vec::new();
    for _ in 0..4 {
        town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap();
        town.banking.relay().await.unwrap();
        messages.extend(town.banking.world.take_queued());
    }
    assert_eq!(messages.len(), 4);
    for message in messages {
        town.banking.call("inquireFirmbanking", Caller::Platform, message.body).await.unwrap();
        town.banking.relay().await.unwrap();
    }
    assert_eq!(town.banking.world.take_queued().len(), 1, "one row of inquiries goes on");
}

#[tokio::test]
async fn the_scan_finds_what_the_relay_has_lost() {
    let (town, id) = Town::linked().await;
    town.wire.tell(HANA, "timeout", Some(1)).await;
    town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap();
    let path = "/v1/bank-accounts/by-event";
    town.banking.send(support::registration(path, dul(), DUL, "이둘", "k")).await;
    town.banking.twin.take_changes();
    let scan = || town.banking.call("inquireFirmbanking", Caller::Platform, json!({}));
    assert_eq!(scan().await.unwrap().body["queued"], 0, "they are young");
    town.banking.world.pass_seconds(120);
    assert_eq!(scan().await.unwrap().body["queued"], 0, "they are young still");
    town.banking.world.pass_seconds(1);
    let log = Log::default();
    let guard = log.open();
    assert_eq!(scan().await.unwrap().body["queued"], 2);
    let told = log.lines().into_iter().find(|line| line["metrics"] == "unknowns,unknown_age").unwrap();
    assert_eq!((&told["unknowns"], &told["unknown_age"]), (&json!(1), &json!(121)));
    let stored: Vec<_> =
        town.banking.twin.items().iter().filter_map(|item| item.get("traceparent").cloned()).collect();
    for message in town.banking.world.take_queued() {
        assert!(
            stored.contains(&AttributeValue::S(message.traceparent)),
            "it goes on in the request's trace"
        );
    }
    assert_eq!(scan().await.unwrap().body["queued"], 2, "until they are done");
    town.deliver().await;
    let before = log.lines().len();
    assert_eq!(scan().await.unwrap().body["queued"], 0);
    assert!(
        log.lines()[before..].iter().all(|line| line["unknowns"].is_null()),
        "a bank that answers costs no metric"
    );
    drop(guard);
    let is_alarmed = log.lines().iter().any(|line| line["level"] == "ERROR");
    assert!(!is_alarmed, "the bank has told nobody different ends");
    assert_eq!(town.wire.moves(HANA).await, 1);
    let states: Vec<_> =
        town.banking.twin.items().iter().filter_map(|item| item.get("state").cloned()).collect();
    assert_eq!(states.len(), 3);
    assert!(states.iter().all(|state| *state != AttributeValue::S("requested".to_owned())));
}

#[tokio::test]
async fn a_services_order_that_cannot_be_carried_out_is_failed_for_good() {
    let (town, id) = Town::linked().await;
    let unknown = BankAccountId::derive(&["none"]).to_string();
    let first = town.order("mcr_1/bank", recharge(&unknown, hana(), 1_000)).await.unwrap();
    assert_eq!(
        (&first.body["state"], &first.body["failureReason"]),
        (&json!("failed"), &json!("bank_account_not_found"))
    );
    let again = town.order("mcr_1/bank", recharge(&unknown, hana(), 1_000)).await.unwrap();
    assert_eq!((again.body, again.replayed), (first.body, true));
    // A member cannot be acted for with another's account, nor can it be called one's own.
    let foreign = town.order("mcr_2/bank", recharge(&id, dul(), 1_000)).await.unwrap_err();
    assert_eq!(foreign.code, "bank_account_not_found");
    let mut call = town.order_call("mcr_3/bank", recharge(&id, dul(), 1_000));
    call.on_behalf_of = Some(dul());
    let claimed = town.banking.call_with("requestFirmbanking", call).await.unwrap();
    assert_eq!(claimed.body["failureReason"], "bank_account_not_found");
    assert_eq!(town.wire.moves(HANA).await, 0);
    // The owner sees nothing of the other's attempt.
    let list = town.get(hana(), "member", &format!("/v1/firmbankings?bankAccountId={id}")).await;
    assert_eq!(list.body["items"], json!([]));
    let facts = town.banking.relay().await.unwrap();
    assert_eq!(facts.iter().filter(|fact| fact.kind == "banking.firmbankingFailed.v1").count(), 2);
}

#[tokio::test]
async fn a_birth_ahead_of_the_clock_is_refused_for_now() {
    let (town, id) = Town::linked().await;
    let mut call = town.order_call("mcr_1/bank", recharge(&id, hana(), 1_000));
    call.reference.as_mut().unwrap().birth = call.now.plus_seconds(61);
    let refused = town.banking.call_with("requestFirmbanking", call).await.unwrap_err();
    assert_eq!(refused.status, 503);
    assert_eq!(town.wire.moves(HANA).await, 0);
    let mut call = town.order_call("mcr_1/bank", recharge(&id, hana(), 1_000));
    call.reference.as_mut().unwrap().birth = call.now.plus_seconds(60);
    assert_eq!(town.banking.call_with("requestFirmbanking", call).await.unwrap().body["state"], "succeeded");
}

#[tokio::test]
async fn one_key_moves_one_account_even_at_once() {
    let (mut town, id) = Town::linked().await;
    let other = town.register(dul(), DUL, "이둘", "link").await.body["bankAccountId"].clone();
    let (ones, others) = (recharge(&id, hana(), 5_000), recharge(other.as_str().unwrap(), dul(), 5_000));
    assert_eq!(town.banking.send(by_operator("/v1/firmbankings", "k1", &ones)).await.status, 201);
    let reused = town.banking.send(by_operator("/v1/firmbankings", "k1", &others)).await;
    assert_eq!((reused.status, reused.code()), (422, "idempotency_key_reused"));
    town.banking.context.table = Arc::new(Yielding(town.banking.twin.clone()));
    // Each has read that there is no such request before one is put.
    for (key, later) in [("k2", &others), ("k3", &ones)] {
        let (first, second) =
            tokio::join!(town.banking.send(by_operator("/v1/firmbankings", key, &ones)), async {
                town.banking.world.pass_seconds(1);
                town.banking.send(by_operator("/v1/firmbankings", key, later)).await
            });
        if later == &ones {
            assert_eq!((first.status, second.status), (201, 201));
            assert_eq!(first.body["firmbankingId"], second.body["firmbankingId"]);
        } else {
            let (done, refused) = if first.status == 201 { (first, second) } else { (second, first) };
            assert_eq!((done.status, refused.code()), (201, "idempotency_key_reused"));
        }
    }
    assert_eq!(town.wire.moves(HANA).await + town.wire.moves(DUL).await, 3);
}

#[tokio::test]
async fn an_operator_orders_under_a_key_and_a_refusal_frees_it() {
    let (town, id) = Town::linked().await;
    let order = recharge(&id, hana(), 5_000);
    for path in ["/v1/firmbankings", "/v1/firmbankings/by-event"] {
        let unknown = recharge(&BankAccountId::derive(&["none"]).to_string(), hana(), 1);
        let before = town.banking.twin.items();
        for (body, status, code) in [
            (unknown, 422, "bank_account_not_found"),
            (recharge(&id, dul(), 1), 422, "bank_account_not_found"),
            (
                json!({ "source": order["source"], "destination": order["source"], "amount": won(1) }),
                422,
                "corporate_account_required",
            ),
            (
                json!({ "source": order["destination"], "destination": order["destination"], "amount": won(1) }),
                422,
                "corporate_account_required",
            ),
            (recharge(&id, hana(), 0), 400, "validation_failed"),
        ] {
            let answer = town.banking.send(by_operator(path, "k1", &body)).await;
            assert_eq!((answer.status, answer.code()), (status, code), "{body}");
        }
        let keyless = Request::new("POST", path).caller(operator(), "operator").json(&order);
        assert_eq!(town.banking.send(keyless).await.code(), "idempotency_key_required");
        let member = Request::new("POST", path).caller(hana(), "member").key("k").json(&order);
        assert_eq!(town.banking.send(member).await.code(), "forbidden");
        assert_eq!(town.banking.twin.items(), before);
    }
    let first = town.banking.send(by_operator("/v1/firmbankings", "k1", &order)).await;
    assert_eq!((first.status, &first.body["state"]), (201, &json!("succeeded")));
    let again = town.banking.send(by_operator("/v1/firmbankings", "k1", &order)).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first.body));
    let other = town.banking.send(by_operator("/v1/firmbankings", "k1", &recharge(&id, hana(), 5_001))).await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    let place = first.header("location").unwrap();
    assert_eq!(town.get(operator(), "operator", place).await.body, first.body);
    let mut seen_by_owner = first.body.clone();
    seen_by_owner.as_object_mut().unwrap().remove("bankTransferId");
    assert_eq!(town.get(hana(), "member", place).await.body, seen_by_owner);
    assert_eq!(town.get(dul(), "member", place).await.code(), "not_found");
    assert_eq!(town.wire.moves(HANA).await, 1);
}

#[tokio::test]
async fn by_event_it_ends_as_it_would_directly() {
    for (mode, state) in
        [("normal", "succeeded"), ("decline", "failed"), ("timeout", "succeeded"), ("lost", "succeeded")]
    {
        let (town, id) = Town::linked().await;
        town.wire.tell(HANA, mode, Some(1)).await;
        let request = by_operator("/v1/firmbankings/by-event", "k1", &recharge(&id, hana(), 5_000));
        let answer = town.banking.send(request.clone()).await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("requested")));
        assert_eq!(town.wire.moves(HANA).await, 0);
        assert_eq!(town.unlink(hana(), &id).await.code(), "bank_account_in_use");
        let place = answer.header("location").unwrap().to_owned();
        assert_eq!(town.get(operator(), "operator", &place).await.body["state"], "requested");
        town.deliver().await;
        let now = town.get(operator(), "operator", &place).await;
        assert_eq!(now.body["state"], state, "{mode}");
        let again = town.banking.send(request).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
        assert_eq!(again.body, now.body);
        assert_eq!(town.wire.moves(HANA).await, u64::from(state == "succeeded"));
    }
}

#[tokio::test]
async fn hostile_orders_are_named_and_nothing_is_written() {
    let (town, id) = Town::linked().await;
    let before = town.banking.twin.items();
    let good = recharge(&id, hana(), 1);
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, pointer) in [
        (json!({}), "/source"),
        (with("amount", json!(1)), "/amount"),
        (with("amount", json!({ "amount": -1, "currency": "KRW" })), "/amount/amount"),
        (with("amount", json!({ "amount": 1.5, "currency": "KRW" })), "/amount/amount"),
        (with("amount", json!({ "amount": "1", "currency": "KRW" })), "/amount/amount"),
        (with("amount", json!({ "amount": 9_007_199_254_740_992_u64, "currency": "KRW" })), "/amount"),
        (with("source", json!({ "kind": "cash" })), "/source"),
        (
            with("source", json!({ "kind": "linked", "bankAccountId": "x", "membershipId": hana() })),
            "/source",
        ),
        (with("fee", json!(1)), "/fee"),
    ] {
        let answer = town.banking.send(by_operator("/v1/firmbankings", "k", &body)).await;
        assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{body} {}", answer.body);
        let named = answer.body["errors"][0]["pointer"].as_str().unwrap();
        assert!(named.starts_with(pointer), "{body}: {named}");
    }
    assert_eq!(town.banking.twin.items(), before);
}

#[tokio::test]
async fn an_accounts_transfers_are_listed_by_window_and_page() {
    let (town, id) = Town::linked().await;
    let begin = town.banking.context.clock.now();
    let mut at = Vec::new();
    for count in 0..12_u64 {
        town.banking.world.pass_seconds(60);
        at.push(town.banking.context.clock.now());
        let reply = town.order(&format!("mcr_{count}/bank"), recharge(&id, hana(), count + 1)).await.unwrap();
        assert_eq!(reply.body["state"], "succeeded");
    }
    let amounts = async |member, scope, path: &str| {
        let mut path = path.to_owned();
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let page = town.get(member, scope, &path).await;
            assert_eq!(page.status, 200, "{path} {}", page.body);
            for item in page.body["items"].as_array().unwrap() {
                seen.push(item["amount"]["amount"].as_u64().unwrap());
            }
            pages += 1;
            let Some(cursor) = page.body["nextCursor"].as_str() else { return (seen, pages) };
            path = format!("{}&cursor={cursor}", path.split("&cursor").next().unwrap());
        }
    };
    let all: Vec<u64> = (1..=12).rev().collect();
    let path = format!("/v1/firmbankings?bankAccountId={id}");
    assert_eq!(amounts(hana(), "member", &format!("{path}&limit=5")).await, (all.clone(), 3));
    assert_eq!(amounts(operator(), "operator", &path).await.0, all);
    assert_eq!(amounts(operator(), "operator", "/v1/firmbankings?limit=5").await, (all, 3));
    let window = format!("from={}&to={}", at[3], at[7]);
    assert_eq!(amounts(hana(), "member", &format!("{path}&{window}&limit=3")).await.0, [7, 6, 5, 4]);
    assert_eq!(
        amounts(operator(), "operator", &format!("/v1/firmbankings?{window}&limit=3")).await.0,
        [7, 6, 5, 4]
    );
    let nothing = format!("to={begin}");
    assert_eq!(amounts(hana(), "member", &format!("{path}&{nothing}")).await.0, Vec::<u64>::new());
    assert_eq!(
        amounts(operator(), "operator", &format!("/v1/firmbankings?{nothing}")).await.0,
        Vec::<u64>::new()
    );

    for (member, scope, path, code) in [
        (hana(), "member", "/v1/firmbankings".to_owned(), "validation_failed"),
        (hana(), "member", format!("{path}&from={}&to={}", at[7], at[3]), "validation_failed"),
        (hana(), "member", format!("{path}&from=yesterday"), "validation_failed"),
        (hana(), "member", format!("{path}&cursor=AAAA"), "validation_failed"),
        (dul(), "member", path.clone(), "not_found"),
        (
            hana(),
            "member",
            format!("/v1/firmbankings?bankAccountId={}", BankAccountId::derive(&["x"])),
            "not_found",
        ),
        (hana(), "member", format!("/v1/firmbankings/{}", FirmbankingId::derive(&["x"])), "not_found"),
    ] {
        assert_eq!(town.get(member, scope, &path).await.code(), code, "{path}");
    }
    let page = town.get(hana(), "member", &format!("{path}&limit=5")).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let moved = town.get(operator(), "operator", &format!("{path}&limit=5&cursor={cursor}")).await;
    assert_eq!(moved.body["errors"][0]["pointer"], "/cursor", "a cursor is its caller's own");
}

#[tokio::test]
async fn a_transfer_is_found_by_its_id_alone() {
    let (town, id) = Town::linked().await;
    let reply = town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap();
    let place = reply.location.unwrap();
    assert_eq!(town.get(hana(), "member", &place).await.body, reply.body);
    let mut shown = town.get(operator(), "operator", &place).await.body;
    shown.as_object_mut().unwrap().remove("bankTransferId");
    assert_eq!(shown, reply.body, "an operator sees the same, and the id at the bank");
    assert_eq!(town.get(dul(), "member", &place).await.code(), "not_found");
    assert_eq!(town.get(hana(), "member", &format!("{place}?limit=1")).await.code(), "validation_failed");
}

#[tokio::test]
async fn facts_are_rebuilt_under_the_same_ids() {
    let (town, id) = Town::linked().await;
    town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap();
    town.wire.tell(HANA, "decline", Some(1)).await;
    let order = withdrawal(&id, hana(), 1_000);
    town.banking.send(by_operator("/v1/firmbankings/by-event", "k", &order)).await;
    town.deliver().await;
    town.unlink(hana(), &id).await;
    town.banking.relay().await.unwrap();
    let ids = |facts: &[events::Envelope]| {
        let mut ids: Vec<_> = facts.iter().map(|fact| (fact.kind.clone(), fact.id.clone())).collect();
        ids.sort();
        ids.dedup();
        ids
    };
    let live = town.banking.world.published();
    let call = town.banking.call("republish", Caller::Service("people".to_owned()), json!({})).await.unwrap();
    assert_eq!(call.body["published"], json!(4));
    let rebuilt = town.banking.world.published().split_off(live.len());
    assert_eq!(ids(&rebuilt), ids(&live));
    assert_eq!(ids(&live).len(), 4);
    assert!(town.banking.twin.items().iter().any(|item| kind_of(item) == "closing"));
}

#[tokio::test]
async fn every_operation_is_declared_once_and_completely() {
    let mut names = std::collections::BTreeSet::new();
    for operation in banking::SERVICE.operations {
        assert!(names.insert(operation.name), "{}", operation.name);
        assert!(!operation.summary.is_empty() && !operation.triggers.is_empty(), "{}", operation.name);
    }
}
