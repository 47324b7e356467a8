//! Closing: once and for all, by the owner or an operator.

use crate::{
    account, bench, by_merchant, by_operator, dul, get, hana, nobody_asks_banking, registered,
    tables::{Fault, trying},
};
use async_trait::async_trait;
use contract::{
    Caller,
    ports::{Calls, DirectAnswer, DirectCall, Unanswered},
    testing::{Bench, Request},
};
use events::{Envelope, membership::MembershipClosed};
use kernel::id::FranchiseId;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

fn close(path: &str) -> Request {
    Request::new("DELETE", path)
}

#[tokio::test]
async fn a_closed_franchise_stays_as_it_is() {
    let bench = bench();
    let path = registered(&bench).await;
    nobody_asks_banking(&bench);
    let mut expected = get(&bench, &path).await.body;
    bench.world.pass_seconds(60);
    let closed = bench.send(by_merchant(close(&path), hana())).await;
    expected["state"] = json!("closed");
    expected["closedAt"] = json!(bench.context.clock.now());
    expected["version"] = json!(2);
    assert_eq!((closed.status, closed.header("etag"), &closed.body), (200, Some("\"2\""), &expected));

    // Closing again, whoever asks, changes nothing.
    let before = bench.twin.items();
    bench.world.pass_seconds(60);
    for request in [by_merchant(close(&path), hana()), by_operator(close(&path))] {
        let again = bench.send(request).await;
        assert_eq!((again.status, &again.body), (200, &expected));
    }
    let change = |body| Request::new("PATCH", &path).json(&body);
    for request in [
        by_merchant(change(json!({ "name": "하나" })), hana()),
        by_merchant(change(json!({ "name": "하나" })).header("if-match", "\"2\""), hana()),
        by_merchant(change(json!({})), hana()),
        by_operator(change(json!({ "feeBps": 100, "feeFrom": "2026-12-01" }))),
    ] {
        let answer = bench.send(request).await;
        assert_eq!((answer.status, answer.code()), (409, "franchise_closed"));
    }
    assert_eq!(bench.twin.items(), before);
    assert_eq!(get(&bench, &path).await.body, expected);
    let listed = bench.send(by_merchant(Request::new("GET", "/v1/franchises"), hana())).await;
    assert_eq!(listed.body["items"], json!([expected]), "it is still listed");
}

/// Another account for a franchise, and nothing else.
fn redirect(path: &str, name: &str) -> Request {
    Request::new("PATCH", path).json(&json!({ "bankAccountId": account(name) }))
}

/// Hana's shop, closed after a minute; its path.
async fn closed(bench: &Bench) -> String {
    let path = registered(bench).await;
    bench.world.pass_seconds(60);
    assert_eq!(bench.send(by_merchant(close(&path), hana())).await.status, 200);
    path
}

#[tokio::test]
async fn a_closed_franchise_is_paid_out_to_another_account_of_its_owner() {
    let bench = bench();
    let path = closed(&bench).await;
    let mut expected = get(&bench, &path).await.body;
    for (version, name, is_operator) in [(3, "hana's second", false), (4, "hana", true)] {
        bench.world.pass_seconds(60);
        expected["bankAccountId"] = json!(account(name));
        expected["modifiedAt"] = json!(bench.context.clock.now());
        expected["version"] = json!(version);
        let request = redirect(&path, name).header("if-match", &format!("\"{}\"", version - 1));
        let request = if is_operator { by_operator(request) } else { by_merchant(request, hana()) };
        let answer = bench.send(request).await;
        assert_eq!((answer.status, &answer.body), (200, &expected));
        assert_eq!(answer.header("etag"), Some(&*format!("\"{version}\"")));
        assert_eq!(get(&bench, &path).await.body, expected);
    }
    let id = path.rsplit('/').next().unwrap();
    let terms = bench.call("findFranchiseTerms", Caller::Platform, json!({ "franchiseId": id })).await;
    let terms = terms.unwrap().body["franchise"].clone();
    assert_eq!(
        (&terms["bankAccountId"], &terms["state"]),
        (&json!(account("hana")), &json!("closed")),
        "settlement asks for this when it tries again"
    );

    // The same once more changes nothing, and closing again neither.
    let before = bench.twin.items();
    nobody_asks_banking(&bench);
    for request in [redirect(&path, "hana"), close(&path)] {
        assert_eq!(bench.send(by_merchant(request, hana())).await.body, expected);
    }
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn a_closed_franchise_takes_another_account_only_alone_and_only_its_owners() {
    let bench = bench();
    let path = closed(&bench).await;
    let before = bench.twin.items();
    for name in ["dul", "nobody's"] {
        for request in [by_merchant(redirect(&path, name), hana()), by_operator(redirect(&path, name))] {
            let answer = bench.send(request).await;
            assert_eq!((answer.status, answer.code()), (422, "bank_account_not_found"), "{name}");
        }
    }
    let stranger = by_merchant(redirect(&path, "dul"), dul());
    assert_eq!(bench.send(stranger).await.code(), "not_found");
    let stale = redirect(&path, "hana's second").header("if-match", "\"1\"");
    assert_eq!(bench.send(by_merchant(stale, hana())).await.code(), "precondition_failed");
    nobody_asks_banking(&bench);
    for (field, value) in [
        ("name", json!("하나")),
        ("contact", json!({ "name": "이둘", "email": "dul@shop.example", "phone": "02-1234-5678" })),
        ("settlementCycle", json!({ "kind": "daily" })),
    ] {
        let change = json!({ "bankAccountId": account("hana's second"), field: value });
        let answer = bench.send(by_merchant(Request::new("PATCH", &path).json(&change), hana())).await;
        assert_eq!((answer.status, answer.code()), (409, "franchise_closed"), "{field}");
    }
    let fee = json!({ "bankAccountId": account("hana's second"), "feeBps": 100, "feeFrom": "2026-12-01" });
    let answer = bench.send(by_operator(Request::new("PATCH", &path).json(&fee))).await;
    assert_eq!((answer.status, answer.code()), (409, "franchise_closed"));
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn a_clock_that_is_behind_redirects_no_franchise_before_its_end() {
    let bench = bench();
    let path = closed(&bench).await;
    bench.world.pass_seconds(-30);
    let answer = bench.send(by_merchant(redirect(&path, "hana's second"), hana())).await;
    assert_eq!((answer.status, &answer.body["modifiedAt"]), (200, &answer.body["closedAt"]));
}

#[tokio::test]
async fn only_its_owner_and_operators_close_a_franchise() {
    let bench = bench();
    let path = registered(&bench).await;
    let before = bench.twin.items();
    let nobodys = format!("/v1/franchises/{}", FranchiseId::from_random(7));
    for request in [by_merchant(close(&path), dul()), by_operator(close(&nobodys))] {
        let answer = bench.send(request).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
    assert_eq!(bench.send(close(&path).caller(hana(), "member")).await.code(), "forbidden");
    assert_eq!(bench.send(close(&path)).await.code(), "unauthorized");
    assert_eq!(bench.send(by_operator(close("/v1/franchises/frc_x"))).await.code(), "validation_failed");
    assert_eq!(bench.twin.items(), before);
    assert_eq!(bench.send(by_operator(close(&path))).await.body["state"], "closed");
}

#[tokio::test]
async fn closing_meets_a_change_and_a_lost_answer() {
    let mut bench = bench();
    let path = registered(&bench).await;
    trying(&mut bench, &[]);
    let change = by_merchant(Request::new("PATCH", &path).json(&json!({ "name": "하나" })), hana());
    let (changed, closed) = tokio::join!(bench.send(change), bench.send(by_operator(close(&path))));
    assert_eq!(closed.status, 200);
    // The change came first or not at all.
    let shown = get(&bench, &path).await.body;
    assert_eq!(shown["state"], "closed");
    match changed.status {
        200 => assert_eq!((&shown["version"], &shown["name"]), (&json!(3), &json!("하나"))),
        status => {
            assert_eq!((status, changed.code(), &shown["version"]), (409, "franchise_closed", &json!(2)))
        }
    }

    let other = crate::register(&crate::shop()).key("other");
    let other = bench.send(by_merchant(other, hana())).await.header("location").unwrap().to_owned();
    trying(&mut bench, &[Fault::AnswerLost, Fault::Contended]);
    assert_eq!(bench.send(by_operator(close(&other))).await.status, 503);
    let again = bench.send(by_operator(close(&other))).await;
    assert_eq!((again.status, &again.body["version"]), (200, &json!(2)));
}

/// Membership says that Hana has left.
fn hana_left(bench: &Bench) -> Value {
    let closed_at = bench.context.clock.now();
    let fact = MembershipClosed { membership_id: hana(), region: "seoul".to_owned(), closed_at };
    json!(Envelope::of(&fact, "", closed_at, events::EXAMPLE_TRACEPARENT))
}

async fn tell(bench: &Bench, event: &Value) {
    bench.call("onMembershipClosed", Caller::Platform, event.clone()).await.unwrap();
}

/// Settlement says this of every closed franchise that it is asked about.
fn settlement_says(bench: &Bench, settled: bool) {
    bench.world.answer_calls(move |call| {
        assert_eq!(call.operation, "settlement.verifyFranchiseSettled");
        Ok(DirectAnswer::Done(json!({ "settled": settled })))
    });
}

async fn verified(bench: &Bench) -> (bool, bool) {
    let body = json!({ "membershipId": hana() });
    let answer = bench.call("verifyFranchisesClosed", Caller::Platform, body).await.unwrap().body;
    (answer["allClosed"].as_bool().unwrap(), answer["allSettled"].as_bool().unwrap())
}

async fn all_closed(bench: &Bench) -> bool {
    settlement_says(bench, true);
    let (closed, settled) = verified(bench).await;
    assert_eq!(closed, settled);
    crate::banking_answers(bench);
    closed
}

#[tokio::test]
async fn a_closed_franchise_that_is_still_to_be_paid_out_is_named_so() {
    let bench = bench();
    let path = registered(&bench).await;
    assert_eq!(verified(&bench).await, (false, false), "settlement is not asked about an open one");
    bench.world.pass_seconds(3 * 86_400);
    assert_eq!(bench.send(by_operator(close(&path))).await.status, 200);
    settlement_says(&bench, false);
    assert_eq!(verified(&bench).await, (true, false));
    settlement_says(&bench, true);
    assert_eq!(verified(&bench).await, (true, true));

    // What is still to be settled depends on when it ended, however long before that it began.
    let shown = get(&bench, &path).await.body;
    let asked = json!({ "franchiseId": shown["franchiseId"], "closedAt": shown["closedAt"] });
    assert_ne!(shown["closedAt"], shown["registeredAt"]);
    bench.world.answer_calls(move |call| Ok(DirectAnswer::Done(json!({ "settled": call.body == asked }))));
    assert_eq!(verified(&bench).await, (true, true));
    bench.world.answer_calls(|_| Err(Unanswered("settlement is down".to_owned())));
    let body = json!({ "membershipId": hana() });
    let problem = bench.call("verifyFranchisesClosed", Caller::Platform, body).await.unwrap_err();
    assert_eq!(problem.status, 503);
}

/// Settlement, which answers whoever asks when all others have asked too.
struct Settling {
    asked: Mutex<usize>,
    most_at_once: Mutex<usize>,
    is_settled: fn(usize) -> bool,
}

#[async_trait]
impl Calls for Settling {
    async fn invoke(&self, _: &DirectCall, _: u32) -> Result<DirectAnswer, Unanswered> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            *asked
        };
        tokio::task::yield_now().await;
        let mut most = self.most_at_once.lock().unwrap();
        *most = (*most).max(*self.asked.lock().unwrap());
        Ok(DirectAnswer::Done(json!({ "settled": (self.is_settled)(number) })))
    }
}

#[tokio::test]
async fn settlement_is_asked_about_many_franchises_at_once() {
    let mut bench = bench();
    for number in 0..23 {
        let request = crate::register(&crate::shop()).key(&format!("franchise-{number}"));
        let answer = bench.send(by_merchant(request, hana())).await;
        bench.send(by_operator(close(answer.header("location").unwrap()))).await;
    }
    type Answers = fn(usize) -> bool;
    let answers: [(Answers, bool, usize); 3] =
        [(|_| true, true, 23), (|number| number != 23, false, 23), (|number| number != 2, false, 20)];
    for (is_settled, expected, asked) in answers {
        let settling = Settling { asked: Mutex::default(), most_at_once: Mutex::default(), is_settled };
        let settling = Arc::new(settling);
        bench.context.calls = settling.clone();
        assert_eq!(verified(&bench).await, (true, expected));
        assert_eq!(*settling.asked.lock().unwrap(), asked, "no more are asked about than needed");
        assert!(*settling.most_at_once.lock().unwrap() >= 20, "one after the other");
    }
}

#[tokio::test]
async fn the_terms_of_all_franchises_come_page_by_page_each_once() {
    let bench = bench();
    let mut expected = BTreeSet::new();
    for number in 0..130 {
        let request = crate::register(&crate::shop()).key(&format!("franchise-{number}"));
        let answer = bench.send(by_merchant(request, hana())).await;
        expected.insert(answer.header("location").unwrap().rsplit('/').next().unwrap().to_owned());
        if number % 3 == 0 {
            bench.send(by_operator(close(answer.header("location").unwrap()))).await;
        }
        bench.world.pass_seconds(number % 2);
    }
    let (mut listed, mut after, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let body = if after.is_null() { json!({}) } else { json!({ "after": after }) };
        let page = bench.call("listFranchiseTerms", Caller::Platform, body).await.unwrap().body;
        let franchises = page["franchises"].as_array().unwrap();
        assert!(franchises.len() <= 25);
        for known in franchises {
            assert!(known["registeredAt"].is_string());
            assert_eq!(known["closedAt"].is_string(), known["franchise"]["state"] == "closed", "{known}");
            listed.push(known["franchise"]["franchiseId"].as_str().unwrap().to_owned());
        }
        pages += 1;
        after = page["after"].clone();
        if after.is_null() {
            break;
        }
    }
    assert!(pages > 4, "{pages} pages");
    assert_eq!(listed.len(), expected.len(), "each once");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
    for odd in ["", "4#", "0", "x#", "0#nonsense"] {
        let asked = bench.call("listFranchiseTerms", Caller::Platform, json!({ "after": odd })).await;
        assert_eq!(asked.unwrap_err().status, 400, "{odd}");
    }
}

#[tokio::test]
async fn an_owner_who_leaves_is_forgotten_and_their_franchises_are_closed() {
    let bench = bench();
    assert!(all_closed(&bench).await, "nobody owns anything");
    let open = registered(&bench).await;
    let other = crate::register(&crate::shop()).key("other");
    let closed = bench.send(by_merchant(other, hana())).await.header("location").unwrap().to_owned();
    assert_eq!(bench.send(by_operator(close(&closed))).await.status, 200);
    let third = crate::with(crate::shop(), "bankAccountId", json!(crate::account("dul")));
    let duls = bench.send(by_merchant(crate::register(&third).key("k"), dul())).await;
    assert!(!all_closed(&bench).await);
    bench.relay().await.unwrap();

    let event = hana_left(&bench);
    tell(&bench, &event).await;
    assert!(all_closed(&bench).await);
    let told = bench.relay().await.unwrap();
    let kinds: Vec<&str> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["franchise.closed.v1"], "the other one was closed before");
    for path in [&open, &closed] {
        let shown = get(&bench, path).await.body;
        assert_eq!(
            (&shown["state"], &shown["name"], &shown["contact"]),
            (&json!("closed"), &Value::Null, &Value::Null)
        );
        assert_eq!(shown["membershipId"], json!(hana()));
    }
    let duls = get(&bench, duls.header("location").unwrap()).await.body;
    assert_eq!((&duls["state"], &duls["name"]), (&json!("open"), &json!(crate::SHOP)));
    let sealed = bench.twin.items().iter().filter(|item| item.contains_key("details")).count();
    assert_eq!(sealed, 1, "only Dul's can be read");

    // Facts that are told again are the same ones, though the items have changed since.
    let before = bench.world.published();
    bench.call("republish", Caller::Platform, json!({})).await.unwrap();
    for again in bench.world.published().split_off(before.len()) {
        assert!(before.contains(&again), "{again:?}");
    }
}

#[tokio::test]
async fn a_franchise_whose_owner_has_left_keeps_its_account() {
    let bench = bench();
    let open = registered(&bench).await;
    let other = crate::register(&crate::shop()).key("other");
    let redirected = bench.send(by_merchant(other, hana())).await.header("location").unwrap().to_owned();
    bench.send(by_operator(close(&redirected))).await;
    assert_eq!(bench.send(by_merchant(redirect(&redirected, "hana's second"), hana())).await.status, 200);
    bench.relay().await.unwrap();
    tell(&bench, &hana_left(&bench)).await;
    let forgotten = bench.twin.items();
    nobody_asks_banking(&bench);
    for path in [&open, &redirected] {
        for request in [by_merchant(redirect(path, "hana"), hana()), by_operator(redirect(path, "hana"))] {
            let answer = bench.send(request).await;
            assert_eq!((answer.status, answer.code()), (409, "franchise_closed"));
        }
    }
    assert_eq!(bench.twin.items(), forgotten);
    assert_eq!(get(&bench, &redirected).await.body["bankAccountId"], json!(account("hana's second")));

    // That it was forgotten is told to nobody, and what was told before stays as it was.
    let told = bench.relay().await.unwrap();
    let ended: Vec<_> = told.iter().map(|event| (event.kind.as_str(), event.subject.as_str())).collect();
    assert_eq!(ended, [("franchise.closed.v1", open.rsplit('/').next().unwrap())]);
    let before = bench.world.published();
    bench.call("republish", Caller::Platform, json!({})).await.unwrap();
    let again = bench.world.published().split_off(before.len());
    assert_eq!(again.len(), 5);
    assert!(again.iter().all(|event| before.contains(event)), "{again:?}");
}

#[tokio::test]
async fn forgetting_a_closed_franchise_meets_another_account() {
    let mut bench = bench();
    let path = closed(&bench).await;
    let event = hana_left(&bench);
    trying(&mut bench, &[]);
    let change = bench.send(by_merchant(redirect(&path, "hana's second"), hana()));
    let told = bench.call("onMembershipClosed", Caller::Platform, event.clone());
    let (changed, told) = tokio::join!(change, told);
    assert!(told.is_ok());
    let shown = get(&bench, &path).await.body;
    assert_eq!((&shown["state"], &shown["name"]), (&json!("closed"), &Value::Null));
    // The change came first or not at all.
    let account = match changed.status {
        200 => account("hana's second"),
        status => {
            assert_eq!((status, changed.code()), (409, "franchise_closed"));
            account("hana")
        }
    };
    assert_eq!(shown["bankAccountId"], json!(account));
}

#[tokio::test]
async fn nothing_is_registered_for_an_owner_who_has_left() {
    let bench = bench();
    tell(&bench, &hana_left(&bench)).await;
    let before = bench.twin.items();
    for request in [
        by_merchant(crate::register(&crate::shop()).key("late"), hana()),
        by_operator(crate::register(&crate::with(crate::shop(), "membershipId", json!(hana()))).key("late")),
    ] {
        let answer = bench.send(request).await;
        assert_eq!((answer.status, answer.code()), (409, "owner_left"));
    }
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn the_fact_may_come_again_and_is_looked_at_once_more_when_lists_are_up_to_date() {
    let bench = bench();
    registered(&bench).await;
    bench.relay().await.unwrap();
    let event = hana_left(&bench);
    tell(&bench, &event).await;
    tell(&bench, &event).await;
    bench.relay().await.unwrap();
    let queued = bench.world.take_queued();
    let again = queued.last().unwrap();
    assert_eq!((again.operation.as_str(), again.delay_seconds), ("franchise.onMembershipClosed", 900));
    bench.world.pass_seconds(900);
    tell(&bench, &again.body).await;
    let settled = bench.twin.items();
    bench.relay().await.unwrap();
    assert!(bench.world.take_queued().is_empty(), "nothing is left to look for");
    tell(&bench, &event).await;
    assert_eq!(bench.twin.items(), settled);
}

#[tokio::test]
async fn forgetting_meets_a_change_and_a_lost_answer() {
    let mut bench = bench();
    let path = registered(&bench).await;
    let event = hana_left(&bench);
    trying(&mut bench, &[Fault::AnswerLost, Fault::Contended, Fault::AnswerLost]);
    let change = || by_merchant(Request::new("PATCH", &path).json(&json!({ "name": "하나" })), hana());
    for _ in 0..5 {
        let told = bench.call("onMembershipClosed", Caller::Platform, event.clone());
        drop(tokio::join!(bench.send(change()), told));
    }
    let shown = get(&bench, &path).await.body;
    assert_eq!((&shown["state"], &shown["name"]), (&json!("closed"), &Value::Null));
}

#[tokio::test]
async fn a_look_that_another_transaction_was_in_the_way_of_comes_again() {
    let mut bench = bench();
    registered(&bench).await;
    let event = hana_left(&bench);
    tell(&bench, &event).await;
    bench.world.pass_seconds(900);
    trying(&mut bench, &[Fault::Contended]);
    let told = bench.call("onMembershipClosed", Caller::Platform, event.clone()).await;
    assert!(told.is_err(), "the queue keeps what was not done");
    tell(&bench, &event).await;
    bench.world.take_queued();
    bench.relay().await.unwrap();
    assert!(bench.world.take_queued().is_empty(), "nothing is left to look for");
}
