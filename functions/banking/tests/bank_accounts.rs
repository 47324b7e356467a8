//! Linking, showing and unlinking bank accounts, through HTTP on the twin, with the bank simulator behind the wire.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use contract::{Caller, testing::Request};
use serde_json::{Value, json};
use std::sync::Arc;
use store::{AttributeValue, kind_of};
use support::{DUL, HANA, Town, Yielding, dul, hana, operator, recharge, registration};

#[tokio::test]
async fn an_account_is_linked_once_the_bank_has_confirmed_it() {
    let town = Town::new().await;
    let answer = town.register(hana(), "110-234-56789", "김하나", "k1").await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["maskedAccountNumber"], "*******6789");
    assert_eq!(answer.body["state"], "linked");
    assert_eq!(answer.body["membershipId"], json!(hana()));
    let place = answer.header("location").unwrap();
    assert_eq!(town.get(hana(), "member", place).await.body, answer.body);

    let again = town.register(hana(), "110-234-56789", "김하나", "k1").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body, answer.body);
    assert_eq!(town.register(hana(), DUL, "김하나", "k1").await.code(), "idempotency_key_reused");
    assert_eq!(town.register(hana(), HANA, "김하나", "k2").await.code(), "bank_account_already_linked");
    assert_eq!(town.register(dul(), HANA, "김하나", "k1").await.code(), "bank_account_already_linked");

    let events = town.banking.relay().await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, "banking.accountRegistered.v1");
    assert_eq!(events[0].data["bankAccountId"], answer.body["bankAccountId"]);
}

/// The second comes as much later as the first makes calls: so it meets it at every one of them.
#[tokio::test]
async fn the_same_request_twice_at_once_gets_one_answer() {
    for later in 0..6 {
        let mut town = Town::new().await;
        town.banking.context.table = Arc::new(Yielding(town.banking.twin.clone()));
        let second = async {
            for _ in 0..later {
                tokio::task::yield_now().await;
            }
            town.register(hana(), HANA, "김하나", "k1").await
        };
        let (one, two) = tokio::join!(town.register(hana(), HANA, "김하나", "k1"), second);
        assert_eq!((one.status, two.status), (201, 201), "{later} calls later: {} {}", one.body, two.body);
        assert_eq!(one.body, two.body);
        let replayed = [&one, &two].map(|answer| answer.header("idempotent-replayed").is_some());
        assert!(replayed[0] != replayed[1], "{later} calls later: {replayed:?}");
    }
}

#[tokio::test]
async fn nothing_personal_lies_open_in_the_table_or_in_facts() {
    let (town, _) = Town::linked().await;
    let path = "/v1/bank-accounts/by-event";
    town.banking.send(registration(path, dul(), DUL, "이둘", "k")).await;
    let items = serde_json::to_string(&town.banking.twin.items()).unwrap();
    let facts = serde_json::to_string(&town.banking.relay().await.unwrap()).unwrap();
    for text in [HANA, DUL, "김하나", "이둘"] {
        assert!(!items.contains(text) && !facts.contains(text), "{text}");
    }
}

#[tokio::test]
async fn what_the_bank_does_not_confirm_is_refused_and_leaves_nothing() {
    let town = Town::new().await;
    for (number, holder, code) in
        [("55566677788", "김하나", "account_unknown_to_bank"), (HANA, "이둘", "holder_mismatch")]
    {
        let answer = town.register(hana(), number, holder, "k1").await;
        assert_eq!((answer.status, answer.code()), (422, code));
    }
    town.wire.tell(HANA, "down", None).await;
    let answer = town.register(hana(), HANA, "김하나", "k1").await;
    assert_eq!((answer.status, answer.code()), (503, "temporarily_unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(town.banking.twin.items().is_empty());
    // The key is free again.
    town.wire.tell(HANA, "normal", None).await;
    assert_eq!(town.register(hana(), HANA, "김하나", "k1").await.status, 201);
}

/// Number and holder stand on everybody's bank statement, and the bank would confirm them.
#[tokio::test]
async fn pays_own_account_is_nobodys() {
    let town = Town::new().await;
    town.wire.open_account(support::CORPORATE, "Pay").await;
    let answer = town.register(hana(), support::CORPORATE, "Pay", "k1").await;
    assert_eq!((answer.status, answer.code()), (422, "bank_account_not_linkable"));
    assert!(town.banking.twin.items().is_empty());

    let path = "/v1/bank-accounts/by-event";
    let answer = town.banking.send(registration(path, hana(), "999-000-11122", "Pay", "k2")).await;
    assert_eq!(answer.status, 202);
    let place = answer.header("location").unwrap().to_owned();
    town.deliver().await;
    let account = town.get(hana(), "member", &place).await.body;
    assert_eq!(account["state"], "refused");
    assert_eq!(account["failureReason"], "bank_account_not_linkable");
}

#[tokio::test]
async fn an_answer_that_is_not_the_banks_is_no_answer() {
    for (status, body) in [
        (200, json!({})),
        (200, json!({ "exists": true })),
        (200, Value::Null),
        (404, json!({ "message": "Not Found" })),
        (502, Value::Null),
        (401, json!({ "code": "unauthorized" })),
    ] {
        let mut town = Town::new().await;
        town.banking.context.egress = town.banking.world.clone();
        let answered = body.clone();
        town.banking
            .world
            .answer_bank(move |_| Ok(contract::ports::Incoming { status, body: answered.clone() }));
        let answer = town.register(hana(), HANA, "김하나", "k1").await;
        assert_eq!(answer.code(), "temporarily_unavailable", "{status} {body}");
        assert!(town.banking.twin.items().is_empty());
    }
}

#[tokio::test]
async fn hostile_input_is_named_and_nothing_is_written() {
    let town = Town::new().await;
    let body = |number: Value, holder: Value| json!({ "accountNumber": number, "holder": holder });
    let cases = [
        (json!({}), "/accountNumber"),
        (json!({ "accountNumber": HANA }), "/holder"),
        (body(json!(11_023_456_789_u64), json!("김하나")), "/accountNumber"),
        (body(json!("1234567"), json!("김하나")), "/accountNumber"),
        (body(json!("1".repeat(21)), json!("김하나")), "/accountNumber"),
        (body(json!("1".repeat(50_000)), json!("김하나")), "/accountNumber"),
        (body(json!("１１０２３４５６７８９"), json!("김하나")), "/accountNumber"),
        (body(json!("110\u{200B}23456789"), json!("김하나")), "/accountNumber"),
        (body(json!(HANA), json!("")), "/holder"),
        (body(json!(HANA), json!(" 김하나")), "/holder"),
        (body(json!(HANA), json!("김\u{200B}하나")), "/holder"),
        (body(json!(HANA), json!("김하나\u{202E}")), "/holder"),
        (body(json!(HANA), json!("\u{1112}\u{1161}\u{11AB}")), "/holder"),
        (body(json!(HANA), json!("가".repeat(101))), "/holder"),
        (body(json!(HANA), json!(null)), "/holder"),
        (json!({ "accountNumber": HANA, "holder": "김하나", "membershipId": dul() }), "/membershipId"),
    ];
    for path in ["/v1/bank-accounts", "/v1/bank-accounts/by-event"] {
        for (body, pointer) in &cases {
            let request = Request::new("POST", path).caller(hana(), "member").key("k").json(body);
            let answer = town.banking.send(request).await;
            assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{body}");
            assert_eq!(answer.body["errors"][0]["pointer"], *pointer, "{body}");
        }
        let anonymous = Request::new("POST", path).json(&body(json!(HANA), json!("김하나")));
        assert_eq!(town.banking.send(anonymous.clone()).await.code(), "unauthorized");
        let operator = anonymous.caller(operator(), "operator");
        assert_eq!(town.banking.send(operator).await.code(), "forbidden");
    }
    assert!(town.banking.twin.items().is_empty());
    assert_eq!(town.wire.moves(HANA).await, 0);
}

#[tokio::test]
async fn only_the_owner_sees_an_account() {
    let (town, id) = Town::linked().await;
    let path = format!("/v1/bank-accounts/{id}");
    assert_eq!(town.get(dul(), "member", &path).await.code(), "not_found");
    assert_eq!(town.unlink(dul(), &id).await.code(), "not_found");
    let unknown = format!("/v1/bank-accounts/{}", kernel::id::BankAccountId::derive(&["none"]));
    assert_eq!(town.get(hana(), "member", &unknown).await.code(), "not_found");
    assert_eq!(town.unlink(hana(), &unknown.replace("/v1/bank-accounts/", "")).await.code(), "not_found");
    assert_eq!(town.get(hana(), "member", "/v1/bank-accounts/bka_x").await.code(), "validation_failed");
    assert_eq!(town.get(hana(), "member", &format!("{path}?limit=1")).await.code(), "validation_failed");
    assert_eq!(town.get(dul(), "member", "/v1/bank-accounts").await.body["items"], json!([]));
}

#[tokio::test]
async fn accounts_are_listed_newest_first_page_by_page() {
    let town = Town::new().await;
    for place in 0..5 {
        let number = format!("3301234500{place}");
        town.wire.open_account(&number, "김하나").await;
        assert_eq!(town.register(hana(), &number, "김하나", &number).await.status, 201);
        town.banking.world.pass_seconds(1);
    }
    let mut seen = Vec::new();
    let mut path = "/v1/bank-accounts?limit=2".to_owned();
    loop {
        let page = town.get(hana(), "member", &path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for item in page.body["items"].as_array().unwrap() {
            seen.push(item["maskedAccountNumber"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page.body["nextCursor"].as_str() else { break };
        let foreign = town.get(dul(), "member", &format!("/v1/bank-accounts?cursor={cursor}")).await;
        assert_eq!(foreign.body["errors"][0]["pointer"], "/cursor");
        path = format!("/v1/bank-accounts?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["*******5004", "*******5003", "*******5002", "*******5001", "*******5000"]);
    for bad in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=", "page=2"] {
        let answer = town.get(hana(), "member", &format!("/v1/bank-accounts?{bad}")).await;
        assert_eq!(answer.code(), "validation_failed", "{bad}");
    }
}

#[tokio::test]
async fn by_event_the_account_ends_as_it_would_directly() {
    let path = "/v1/bank-accounts/by-event";
    for (number, holder, state, reason) in [
        (HANA, "김하나", "linked", Value::Null),
        (HANA, "이둘", "refused", json!("holder_mismatch")),
        ("55566677788", "김하나", "refused", json!("account_unknown_to_bank")),
    ] {
        let town = Town::new().await;
        let request = registration(path, hana(), number, holder, "k1");
        let answer = town.banking.send(request.clone()).await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("requested")));
        let place = answer.header("location").unwrap().to_owned();
        town.deliver().await;
        let account = town.get(hana(), "member", &place).await;
        assert_eq!((&account.body["state"], &account.body["failureReason"]), (&json!(state), &reason));
        let again = town.banking.send(request).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
        let linked = state == "linked";
        assert_eq!(again.body["state"], state);
        // A number that was not linked is free, and its key is gone.
        let direct = town.register(dul(), number, "김하나", "k").await;
        assert_eq!(direct.code() == "bank_account_already_linked", linked, "{}", direct.body);
        let kept = town.banking.twin.items().into_iter().find(|item| {
            kind_of(item) == "bankAccount"
                && item.get("membershipId") == Some(&AttributeValue::S(hana().to_string()))
        });
        match kept.unwrap().get("sealed") {
            Some(AttributeValue::M(sealed)) => {
                assert!(linked);
                assert!(!sealed.contains_key("holder"), "the bank has confirmed it, and nobody needs it");
            }
            other => assert!(other.is_none() && !linked, "{other:?}"),
        }
    }
}

#[tokio::test]
async fn by_event_a_silent_bank_is_asked_again_until_it_answers() {
    let town = Town::new().await;
    town.wire.tell(HANA, "down", None).await;
    let request = registration("/v1/bank-accounts/by-event", hana(), HANA, "김하나", "k1");
    let place = town.banking.send(request).await.header("location").unwrap().to_owned();
    let event = town.banking.relay().await.unwrap().remove(0);
    let mut delays = Vec::new();
    for _ in 0..3 {
        town.banking.call("onRegisterBankAccountRequested", Caller::Platform, json!(event)).await.unwrap();
        assert_eq!(town.get(hana(), "member", &place).await.body["state"], "requested");
        town.banking.world.take_queued();
        town.banking.relay().await.unwrap();
        delays.extend(town.banking.world.take_queued().iter().map(|message| message.delay_seconds));
    }
    assert_eq!(delays, [5, 10, 20]);
    town.wire.tell(HANA, "normal", None).await;
    town.banking.call("onRegisterBankAccountRequested", Caller::Platform, json!(event)).await.unwrap();
    assert_eq!(town.get(hana(), "member", &place).await.body["state"], "linked");
    // The event again, however late, changes nothing.
    let before = town.banking.twin.items();
    town.banking.call("onRegisterBankAccountRequested", Caller::Platform, json!(event)).await.unwrap();
    assert_eq!(town.banking.twin.items(), before);
}

#[tokio::test]
async fn scans_do_not_multiply_the_messages_of_an_account() {
    let town = Town::new().await;
    town.wire.tell(HANA, "down", None).await;
    town.banking.send(registration("/v1/bank-accounts/by-event", hana(), HANA, "김하나", "k1")).await;
    town.banking.relay().await.unwrap();
    let scan = || town.banking.call("inquireFirmbanking", Caller::Platform, json!({}));
    for _ in 0..12 {
        let mut queued = town.banking.world.take_queued();
        assert_eq!(queued.len(), 1);
        town.banking.world.pass_seconds(queued[0].delay_seconds.into());
        scan().await.unwrap();
        let message = queued.remove(0);
        town.banking.call("onRegisterBankAccountRequested", Caller::Platform, message.body).await.unwrap();
        town.banking.relay().await.unwrap();
        scan().await.unwrap();
    }
    // Once the row is lost, a scan begins another one.
    town.banking.world.take_queued();
    town.banking.world.pass_seconds(3_600);
    scan().await.unwrap();
    assert_eq!(town.banking.world.take_queued().len(), 1);
}

#[tokio::test]
async fn two_requests_for_one_number_link_it_once() {
    let town = Town::new().await;
    let path = "/v1/bank-accounts/by-event";
    for (member, key) in [(hana(), "a"), (hana(), "b"), (dul(), "c")] {
        let answer = town.banking.send(registration(path, member, HANA, "김하나", key)).await;
        assert_eq!(answer.status, 202);
    }
    town.deliver().await;
    let mut states = Vec::new();
    for item in town.banking.twin.items() {
        if let Some(AttributeValue::S(state)) = item.get("state") {
            states.push(state.clone());
        }
    }
    states.sort();
    assert_eq!(states, ["linked", "refused", "refused"]);
}

#[tokio::test]
async fn a_number_that_is_linked_is_refused_at_once_and_the_bank_is_not_asked() {
    let mut town = Town::new().await;
    town.banking.context.table = Arc::new(Yielding(town.banking.twin.clone()));
    // Both have found the number free before one of them links it.
    let (one, other) = tokio::join!(
        town.register(hana(), HANA, "김하나", "one"),
        town.register(hana(), HANA, "김하나", "other"),
    );
    let (linked, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    assert_eq!((linked.status, refused.code()), (201, "bank_account_already_linked"));
    town.wire.tell(HANA, "down", None).await;
    assert_eq!(town.register(hana(), HANA, "김하나", "more").await.code(), "bank_account_already_linked");
}

#[tokio::test]
async fn an_unlinked_account_is_unreadable_and_its_number_free() {
    let (town, id) = Town::linked().await;
    assert_eq!(town.unlink(hana(), &id).await.status, 204);
    assert_eq!(town.unlink(hana(), &id).await.status, 204, "again");
    let account = town.get(hana(), "member", &format!("/v1/bank-accounts/{id}")).await;
    assert_eq!(account.body["state"], "unlinked");
    assert_eq!(town.get(hana(), "member", "/v1/bank-accounts").await.body["items"], json!([]));
    let items = town.banking.twin.items();
    assert!(items.iter().all(|item| !item.contains_key("sealed") && kind_of(item) != "claim"));
    let order = town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap();
    assert_eq!(order.body["failureReason"], "bank_account_not_found");
    // Its first key still answers the first result; with another the number is linked again.
    let replay = town.register(hana(), HANA, "김하나", "link").await;
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    let anew = town.register(hana(), HANA, "김하나", "anew").await;
    assert_eq!(anew.status, 201);
    assert_ne!(anew.body["bankAccountId"], json!(id));
}

#[tokio::test]
async fn an_account_is_not_unlinked_while_a_firmbanking_uses_it() {
    let (town, id) = Town::linked().await;
    town.wire.tell(HANA, "lost", Some(1)).await;
    let reply = town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap();
    assert_eq!((reply.status, &reply.body["state"]), (202, &json!("unknown")));
    assert_eq!(town.unlink(hana(), &id).await.code(), "bank_account_in_use");
    town.deliver().await;
    assert_eq!(town.wire.moves(HANA).await, 1);
    assert_eq!(town.unlink(hana(), &id).await.status, 204);
}

#[tokio::test]
async fn an_account_is_only_its_owners_and_only_while_it_is_linked() {
    let (town, id) = Town::linked().await;
    let says = async |account: &str, member, on_behalf_of| {
        let mut call = town.order_call("", json!({ "bankAccountId": account, "membershipId": member }));
        (call.reference, call.on_behalf_of) = (None, on_behalf_of);
        let reply = town.banking.call_with("verifyBankAccountOwner", call).await.unwrap();
        reply.body["linked"].as_bool().unwrap()
    };
    assert!(says(&id, hana(), Some(hana())).await);
    assert!(says(&id, hana(), None).await);
    assert!(!says(&id, dul(), Some(dul())).await, "somebody else's");
    assert!(!says(&id, hana(), Some(dul())).await, "a call for one member names another");
    let unknown = kernel::id::BankAccountId::derive(&["none"]).to_string();
    assert!(!says(&unknown, hana(), Some(hana())).await);

    // Asked for by event, and not confirmed by the bank yet.
    let path = "/v1/bank-accounts/by-event";
    let requested = town.banking.send(registration(path, dul(), DUL, "이둘", "k")).await;
    let requested = requested.body["bankAccountId"].as_str().unwrap().to_owned();
    assert!(!says(&requested, dul(), Some(dul())).await);
    town.deliver().await;
    assert!(says(&requested, dul(), Some(dul())).await);

    assert_eq!(town.unlink(hana(), &id).await.status, 204);
    assert!(!says(&id, hana(), Some(hana())).await, "unlinked");
}

/// Membership says that Hana has left.
fn hana_left(town: &Town) -> Value {
    let closed_at = town.banking.context.clock.now();
    let fact =
        events::membership::MembershipClosed { membership_id: hana(), region: "seoul".to_owned(), closed_at };
    json!(events::Envelope::of(&fact, "", closed_at, events::EXAMPLE_TRACEPARENT))
}

async fn tell(town: &Town, event: &Value) {
    town.banking.call("onMembershipClosed", Caller::Platform, event.clone()).await.unwrap();
}

/// What is kept of accounts: their states, in order.
fn states(town: &Town) -> Vec<Value> {
    let items = town.banking.twin.items();
    let accounts = items.iter().filter(|item| kind_of(item) == "bankAccount");
    let mut states: Vec<Value> = accounts.map(|item| json!(item)["state"]["S"].clone()).collect();
    states.sort_by_key(Value::to_string);
    states
}

#[tokio::test]
async fn a_member_who_leaves_has_no_account_that_anybody_can_read() {
    let (town, id) = Town::linked().await;
    // One more was asked for, and the bank has not been asked yet.
    let path = "/v1/bank-accounts/by-event";
    town.banking.send(registration(path, hana(), "33000000003", "김하나", "requested")).await;
    let duls = town.register(dul(), DUL, "이둘", "link").await;
    assert_eq!(duls.status, 201);
    assert_eq!(town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap().status, 201);
    let requested = town.banking.relay().await.unwrap();

    let event = hana_left(&town);
    tell(&town, &event).await;
    assert_eq!(states(&town), [json!("linked"), json!("unlinked"), json!("unlinked")]);
    let items = town.banking.twin.items();
    let of_hana: Vec<String> = items
        .iter()
        .map(|item| serde_json::to_string(item).unwrap())
        .filter(|item| item.contains(&hana().to_string()))
        .collect();
    assert!(!of_hana.is_empty());
    for item in of_hana {
        let keeps =
            ["dataKey", "numberIndex", "fingerprint", "terms", HANA].iter().find(|it| item.contains(**it));
        assert_eq!(keeps, None, "{item}");
    }
    assert_eq!(items.iter().filter(|item| kind_of(item) == "claim").count(), 1, "only Dul's number is taken");

    // What was on its way comes late: the request is not carried out, and nothing new is stored.
    for event in requested.iter().filter(|event| event.kind.ends_with("RegistrationRequested.v1")) {
        town.banking.call("onRegisterBankAccountRequested", Caller::Platform, json!(event)).await.unwrap();
    }
    assert_eq!(states(&town), [json!("linked"), json!("unlinked"), json!("unlinked")]);
    for path in ["/v1/bank-accounts", path] {
        let late = town.banking.send(registration(path, hana(), HANA, "김하나", "late")).await;
        assert_eq!((late.status, late.code()), (409, "member_left"));
    }
    // Somebody else who holds the number may link it.
    town.wire.open_account("44000000004", "이둘").await;
    assert_eq!(town.register(dul(), "44000000004", "이둘", "more").await.status, 201);
}

#[tokio::test]
async fn an_account_in_use_is_unlinked_as_soon_as_the_bank_is_certain() {
    let (town, id) = Town::linked().await;
    town.wire.tell(HANA, "lost", Some(1)).await;
    let reply = town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap();
    assert_eq!(reply.status, 202);
    let event = hana_left(&town);
    tell(&town, &event).await;
    tell(&town, &event).await;
    assert_eq!(states(&town), [json!("linked")], "what the bank may still do needs the number");
    // The relay keeps coming back to it, until nothing is left.
    town.deliver().await;
    assert_eq!(town.wire.moves(HANA).await, 1);
    assert_eq!(states(&town), [json!("unlinked")]);
    let settled = town.banking.twin.items();
    tell(&town, &event).await;
    assert_eq!(town.banking.twin.items(), settled, "the fact comes once more");
}

#[tokio::test]
async fn the_scan_finds_who_has_left_too() {
    let (town, id) = Town::linked().await;
    town.wire.tell(HANA, "lost", Some(1)).await;
    town.order("mcr_1/bank", recharge(&id, hana(), 1_000)).await.unwrap();
    tell(&town, &hana_left(&town)).await;
    // What the relay was to go on with is lost.
    town.banking.twin.take_changes();
    let scan = || town.banking.call("inquireFirmbanking", Caller::Platform, json!({}));
    town.banking.world.pass_seconds(200);
    assert_eq!(scan().await.unwrap().body["queued"], 1, "only the transfer should have gone on by now");
    town.banking.world.take_queued();
    town.banking.world.pass_seconds(10_000);
    assert_eq!(scan().await.unwrap().body["queued"], 2);
    town.deliver().await;
    assert_eq!((states(&town), town.wire.moves(HANA).await), (vec![json!("unlinked")], 0));
}

/// registerPayee, called as remittance does.
async fn payee(town: &Town, number: &str, holder: &str) -> Result<Value, contract::Problem> {
    let body = json!({ "membershipId": hana(), "accountNumber": number, "holder": holder });
    let call = town.order_call("none", body);
    town.banking.call_with("registerPayee", call).await.map(|reply| reply.body)
}

#[tokio::test]
async fn a_payee_is_stored_once_and_its_number_is_free() {
    let town = Town::new().await;
    let first = payee(&town, "220-345-67890", "이둘").await.unwrap();
    assert_eq!(first["maskedAccountNumber"], "*******7890");
    assert_eq!(payee(&town, DUL, "이둘").await.unwrap(), first, "twice is once");
    assert_eq!(town.banking.twin.items().len(), 1);
    let items = serde_json::to_string(&town.banking.twin.items()).unwrap();
    assert!(!items.contains(DUL) && !items.contains("이둘"));
    assert!(town.banking.relay().await.unwrap().is_empty(), "nothing was linked");
    assert!(town.banking.world.take_queued().is_empty(), "nothing is waited for");
    // Whoever owns the account may still link it.
    assert_eq!(town.register(dul(), DUL, "이둘", "own").await.status, 201);
    assert_eq!(payee(&town, DUL, "이둘").await.unwrap(), first);
}

#[tokio::test]
async fn a_payee_that_the_bank_does_not_confirm_is_refused() {
    let town = Town::new().await;
    payee(&town, DUL, "이둘").await.unwrap();
    for (number, holder, code) in [
        ("55566677788", "이둘", "account_unknown_to_bank"),
        (DUL, "김하나", "holder_mismatch"),
        (support::CORPORATE, "Pay", "payee_not_allowed"),
        ("999-000-11122", "Pay", "payee_not_allowed"),
        ("1234567", "이둘", "validation_failed"),
        (DUL, "", "validation_failed"),
    ] {
        assert_eq!(payee(&town, number, holder).await.unwrap_err().code, code);
    }
    town.wire.tell(HANA, "down", None).await;
    assert_eq!(payee(&town, HANA, "김하나").await.unwrap_err().code, "temporarily_unavailable");
    assert_eq!(town.banking.twin.items().len(), 1);
    let foreign = json!({ "membershipId": dul(), "accountNumber": DUL, "holder": "이둘" });
    let call = town.order_call("none", foreign);
    let refused = town.banking.call_with("registerPayee", call).await.unwrap_err();
    assert_eq!(refused.code, "not_found", "a call for one member names no other");
}

#[tokio::test]
async fn a_payee_takes_money_and_is_good_for_nothing_else() {
    let town = Town::new().await;
    town.wire.open_account(support::CORPORATE, "Pay").await;
    let id = payee(&town, DUL, "이둘").await.unwrap()["bankAccountId"].as_str().unwrap().to_owned();
    let paid = town.order("out", support::withdrawal(&id, hana(), 1_000)).await.unwrap();
    assert_eq!(paid.body["state"], "succeeded");
    assert_eq!(town.wire.balance(DUL).await, support::FIRST_BALANCE + 1_000);
    let drawn = town.order("in", recharge(&id, hana(), 1_000)).await.unwrap();
    assert_eq!(
        (&drawn.body["state"], &drawn.body["failureReason"]),
        (&json!("failed"), &json!("bank_account_not_found"))
    );
    assert_eq!(town.wire.balance(DUL).await, support::FIRST_BALANCE + 1_000);

    let question = json!({ "membershipId": hana() });
    let answer = town.banking.call("findRechargeAccount", Caller::Platform, question).await.unwrap();
    assert_eq!(answer.body, json!({}));
    let claim = json!({ "bankAccountId": id, "membershipId": hana() });
    let answer = town.banking.call("verifyBankAccountOwner", Caller::Platform, claim).await.unwrap();
    assert_eq!(answer.body["linked"], false);
    assert_eq!(town.get(hana(), "member", "/v1/bank-accounts").await.body["items"], json!([]));
    let path = format!("/v1/bank-accounts/{id}");
    assert_eq!(town.get(hana(), "member", &path).await.code(), "not_found");
    assert_eq!(town.unlink(hana(), &id).await.code(), "not_found");
}
