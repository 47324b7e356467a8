//! Money's operations, called as the gateway, other services and queues call them, on the twin.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use async_trait::async_trait;
use contract::{
    Call, Caller, Problem, Reference,
    ports::{DirectAnswer, DirectCall, Unanswered},
    problem,
    testing::{Answer, Bench, Request},
};
use kernel::{Id, Timestamp, id::MembershipId};
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use store::{CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, twin::Twin};

fn member() -> MembershipId {
    Id::derive(&["member"])
}

fn stranger() -> MembershipId {
    Id::derive(&["stranger"])
}

fn bank_account() -> kernel::id::BankAccountId {
    Id::derive(&["account"])
}

fn bench() -> Bench {
    Bench::new(&money::SERVICE)
}

fn firmbanking(call: &DirectCall, state: &str) -> Value {
    let id = kernel::id::FirmbankingId::derive(&[&call.reference.as_ref().unwrap().id]);
    let mut answer = call.body.clone();
    answer["firmbankingId"] = json!(id);
    answer["state"] = json!(state);
    answer["requestedAt"] = json!(call.reference.as_ref().unwrap().birth);
    if state == "unlinked" {
        answer["state"] = json!("failed");
        answer["failureReason"] = json!("bank_account_not_found");
    }
    if state == "failed" {
        answer["failureReason"] = json!("insufficient_bank_balance");
    }
    answer
}

/// Membership, which knows these two.
fn resolved(call: &DirectCall) -> Result<DirectAnswer, Unanswered> {
    let id = &call.body["membershipId"];
    let known = [json!(member()), json!(stranger())].contains(id);
    Ok(DirectAnswer::Done(if known { json!({ "membershipId": id }) } else { json!({}) }))
}

/// Banking that always answers this state; gives the calls that it got.
fn banking(bench: &Bench, state: &'static str) -> Arc<Mutex<Vec<DirectCall>>> {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    bench.world.answer_calls(move |call| {
        if call.operation == "membership.resolveMember" {
            return resolved(call);
        }
        seen.lock().unwrap().push(call.clone());
        match state {
            "silent" => Err(Unanswered("silence".to_owned())),
            state => Ok(DirectAnswer::Done(firmbanking(call, state))),
        }
    });
    calls
}

const INCREASES: &str = "/v1/money/increases";
const DECREASES: &str = "/v1/money/decreases";

fn request(path: &str, key: &str, amount: Value) -> Request {
    Request::new("POST", path).caller(member(), "member").key(key).json(&json!({
        "bankAccountId": bank_account(),
        "amount": { "amount": amount, "currency": "KRW" },
    }))
}

fn increase(key: &str, amount: Value) -> Request {
    request(INCREASES, key, amount)
}

fn decrease(key: &str, amount: Value) -> Request {
    request(DECREASES, key, amount)
}

async fn kinds(bench: &Bench) -> Vec<String> {
    let history = get(bench, member(), &format!("/v1/money/wallets/{}/transactions", member())).await;
    let kind = |entry: &Value| entry["kind"].as_str().unwrap().to_owned();
    history.body["items"].as_array().unwrap().iter().map(kind).collect()
}

async fn get(bench: &Bench, caller: MembershipId, path: &str) -> Answer {
    bench.send(Request::new("GET", path).caller(caller, "member")).await
}

async fn balance(bench: &Bench) -> Value {
    get(bench, member(), &format!("/v1/money/wallets/{}/balance", member())).await.body
}

/// The one request that there is, as it is stored.
fn stored(twin: &Twin) -> Item {
    twin.items().into_iter().find(|item| store::kind_of(item) == "moneyRequest").unwrap()
}

async fn recharge(bench: &Bench, key: &str, amount: u32) {
    banking(bench, "succeeded");
    assert_eq!(bench.send(increase(key, json!(amount))).await.status, 201);
}

fn transfer(amount: u32, reference: &str, birth: Timestamp) -> Call<Value> {
    let body = json!({
        "debit": { "kind": "member", "membershipId": member() },
        "credit": { "kind": "member", "membershipId": stranger() },
        "amount": { "amount": amount, "currency": "KRW" },
    });
    by_service("transferMoney", reference, birth, body)
}

/// A call of another service's saga.
fn by_service(operation: &str, reference: &str, birth: Timestamp, body: Value) -> Call<Value> {
    Call {
        operation: format!("money.{operation}"),
        caller: Caller::Service("remittance.requestRemittance".to_owned()),
        on_behalf_of: Some(member()),
        idempotency_key: None,
        reference: Some(Reference { id: reference.to_owned(), birth }),
        if_match: None,
        trace: contract::Trace::parse(events::EXAMPLE_TRACEPARENT).unwrap(),
        now: birth,
        fingerprint: String::new(),
        body,
    }
}

#[tokio::test]
async fn create_member_money_opens_one_wallet() {
    let bench = bench();
    let request = || Request::new("POST", "/v1/money/wallets").caller(member(), "member").json(&json!({}));
    let first = bench.send(request()).await;
    let second = bench.send(request()).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(bench.twin.items().len(), 1);
}

/// Counts the calls of a table.
struct Counted {
    inner: Arc<store::twin::Twin>,
    calls: Arc<AtomicUsize>,
}

#[async_trait]
impl Table for Counted {
    async fn get(&self, key: &Key, how: Read) -> Result<Option<Item>, Unavailable> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.inner.get(key, how).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.inner.query(query).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.inner.commit(writes).await
    }
}

#[tokio::test]
async fn a_new_wallet_is_two_calls_and_a_known_one_is_one() {
    let mut bench = bench();
    let calls = Arc::new(AtomicUsize::new(0));
    bench.context.table = Arc::new(Counted { inner: bench.twin.clone(), calls: calls.clone() });
    for (status, cost) in [(201, 2), (200, 1)] {
        let before = calls.load(Ordering::SeqCst);
        let request = Request::new("POST", "/v1/money/wallets").caller(member(), "member").json(&json!({}));
        assert_eq!(bench.send(request).await.status, status);
        assert_eq!(calls.load(Ordering::SeqCst) - before, cost);
    }
}

#[tokio::test]
async fn on_membership_registered_opens_the_wallet_however_often_it_comes() {
    let bench = bench();
    let fact = events::membership::MembershipRegistered {
        membership_id: member(),
        kind: events::membership::MembershipKind::Personal,
        region: "seoul".to_owned(),
        registered_at: events::example_time(),
    };
    let event = events::Envelope::of(&fact, "", events::example_time(), events::EXAMPLE_TRACEPARENT);
    for _ in 0..2 {
        let event = serde_json::to_value(&event).unwrap();
        bench.call("onMembershipRegistered", Caller::Platform, event).await.unwrap();
    }
    assert_eq!(balance(&bench).await["sequence"], 1);
    // A recharge may come first; the fact finds the wallet begun.
    let bench = self::bench();
    recharge(&bench, "k", 1_000).await;
    let before = bench.twin.items();
    bench
        .call("onMembershipRegistered", Caller::Platform, serde_json::to_value(&event).unwrap())
        .await
        .unwrap();
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn a_recharge_debits_the_bank_and_credits_the_wallet_once() {
    let bench = bench();
    let calls = banking(&bench, "succeeded");
    let first = bench.send(increase("k1", json!(15_000))).await;
    assert_eq!(first.status, 201, "{}", first.body);
    assert_eq!(first.body["state"], "succeeded");
    assert_eq!(first.body["balanceAfter"]["amount"], 15_000);
    assert!(stored(&bench.twin).contains_key("completedAt"));

    let again = bench.send(increase("k1", json!(15_000))).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body, first.body);
    assert_eq!(calls.lock().unwrap().len(), 1, "a finished recharge asks nobody");

    let found = get(&bench, member(), first.header("location").unwrap()).await;
    assert_eq!(found.body, first.body);
    assert_eq!(balance(&bench).await["available"]["amount"], 15_000);

    let history = get(&bench, member(), &format!("/v1/money/wallets/{}/transactions", member())).await;
    let kinds: Vec<&str> =
        history.body["items"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["recharge", "expect"]);
    assert_eq!(history.body["items"][0]["debitAccount"], "bank:corporate");

    let facts = bench.relay().await.unwrap();
    assert_eq!(facts.iter().map(|fact| fact.kind.as_str()).collect::<Vec<_>>(), ["money.increased.v1"]);
    assert_eq!(facts[0].data["balance"]["amount"], 15_000);
}

#[tokio::test]
async fn a_declined_recharge_leaves_no_money_and_gives_the_limit_back() {
    let bench = bench();
    banking(&bench, "failed");
    let refused = bench.send(increase("k1", json!(15_000))).await;
    assert_eq!((refused.status, refused.code()), (422, "bank_declined"));
    assert!(stored(&bench.twin).contains_key("completedAt"));
    let place = refused.header("location").unwrap().to_owned();
    let found = get(&bench, member(), &place).await.body;
    assert_eq!(
        (&found["state"], &found["failureReason"]),
        (&json!("failed"), &json!("insufficient_bank_balance"))
    );
    let again = bench.send(increase("k1", json!(15_000))).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (422, Some("true")));
    let standing = balance(&bench).await;
    assert_eq!((&standing["balance"]["amount"], &standing["expected"]["amount"]), (&json!(0), &json!(0)));
    assert_eq!(bench.relay().await.unwrap(), vec![]);
}

#[tokio::test]
async fn an_account_that_is_not_linked_is_refused_by_its_own_code() {
    let bench = bench();
    banking(&bench, "unlinked");
    let refused = bench.send(increase("k1", json!(15_000))).await;
    assert_eq!((refused.status, refused.code()), (422, "bank_account_not_found"));
    assert_eq!(balance(&bench).await["expected"]["amount"], 0);
}

#[tokio::test]
async fn an_unknown_bank_answers_202_and_its_fact_completes_the_recharge() {
    for silence in ["unknown", "silent", "sent"] {
        let bench = bench();
        banking(&bench, silence);
        let accepted = bench.send(increase("k1", json!(15_000))).await;
        assert_eq!((accepted.status, &accepted.body["state"]), (202, &json!("bankUnknown")));
        assert_eq!(balance(&bench).await["balance"]["amount"], 0);
        assert_eq!(balance(&bench).await["expected"]["amount"], 15_000);

        // The relay sends the unfinished record to the sweeper, ever later.
        bench.relay().await.unwrap();
        let queued = bench.world.take_queued();
        assert_eq!(queued[0].operation, "money.sweepMoneyRequests");
        assert!(queued[0].delay_seconds > 25);
        bench.call("sweepMoneyRequests", Caller::Platform, queued[0].body.clone()).await.unwrap();
        bench.relay().await.unwrap();
        assert!(bench.world.take_queued()[0].delay_seconds > queued[0].delay_seconds);
        let again = bench.send(increase("k1", json!(15_000))).await;
        assert_eq!(again.status, 202, "nobody is at work any more");
        bench.assert_versions();

        banking(&bench, "succeeded");
        let reference = format!("{}/bank", accepted.body["moneyRequestId"].as_str().unwrap());
        let (handler, event) = bank_fact("succeeded", reference, 15_000);
        for _ in 0..2 {
            bench.call(handler, Caller::Platform, event.clone()).await.unwrap();
        }
        assert_eq!(balance(&bench).await["balance"]["amount"], 15_000);
        let facts = bench.relay().await.unwrap();
        assert_eq!(facts.iter().filter(|fact| fact.kind == "money.increased.v1").count(), 1);
    }
}

#[tokio::test]
async fn a_failed_firmbanking_completes_the_recharge_as_failed() {
    let bench = bench();
    banking(&bench, "unknown");
    let accepted = bench.send(increase("k1", json!(15_000))).await;
    banking(&bench, "failed");
    let reference = format!("{}/bank", accepted.body["moneyRequestId"].as_str().unwrap());
    let (handler, event) = bank_fact("failed", reference, 15_000);
    bench.call(handler, Caller::Platform, event).await.unwrap();
    assert_eq!(get(&bench, member(), accepted.header("location").unwrap()).await.body["state"], "failed");
    assert_eq!(balance(&bench).await["expected"]["amount"], 0);
}

#[tokio::test]
async fn facts_of_other_sagas_are_none_of_moneys_business() {
    let bench = bench();
    for reference in
        ["stl_1/bank", "", "mcr_/bank", &format!("{}/bank", kernel::id::MoneyRequestId::derive(&["nobody"]))]
    {
        let (handler, event) = bank_fact("succeeded", reference.to_owned(), 1);
        bench.call(handler, Caller::Platform, event).await.unwrap();
    }
    assert_eq!(bench.twin.items(), vec![]);
}

#[tokio::test]
async fn by_event_and_direct_end_in_the_same_state() {
    let ways = [
        (INCREASES, "money.increaseRequested.v1", "onMoneyIncreaseRequested"),
        (DECREASES, "money.decreaseRequested.v1", "onMoneyDecreaseRequested"),
    ];
    // The last is more than the wallet has, or may hold.
    let cases = [("succeeded", 15_000), ("failed", 15_000), ("unlinked", 15_000), ("succeeded", 1_980_001)];
    for ((path, fact, handler), (state, amount)) in
        ways.into_iter().flat_map(|way| cases.map(|case| (way, case)))
    {
        let (direct, by_event) = (bench(), bench());
        for bench in [&direct, &by_event] {
            recharge(bench, "before", 20_000).await;
            bench.relay().await.unwrap();
            banking(bench, state);
        }
        let answered = direct.send(request(path, "k1", json!(amount))).await;
        let stored = request(&format!("{path}/by-event"), "k1", json!(amount));
        let accepted = by_event.send(stored.clone()).await;
        assert_eq!((accepted.status, &accepted.body["state"]), (202, &json!("requested")));
        assert_eq!(by_event.send(stored).await.header("idempotent-replayed"), Some("true"));

        let facts = by_event.relay().await.unwrap();
        assert_eq!(facts[0].kind, fact);
        for _ in 0..2 {
            let event = serde_json::to_value(&facts[0]).unwrap();
            by_event.call(handler, Caller::Platform, event).await.unwrap();
        }
        let path = |answer: &Answer| answer.header("location").unwrap().to_owned();
        let mut direct_state = get(&direct, member(), &path(&answered)).await.body;
        let by_event_state = get(&by_event, member(), &path(&accepted)).await.body;
        direct_state["moneyRequestId"] = by_event_state["moneyRequestId"].clone();
        assert_eq!(direct_state, by_event_state);
        assert_eq!(balance(&direct).await, balance(&by_event).await);
        assert_eq!(kinds(&direct).await, kinds(&by_event).await);
    }
}

#[tokio::test]
async fn two_identical_calls_at_once_make_one_recharge() {
    let bench = bench();
    let inner = Arc::new(Mutex::new(None));
    // While the first call waits for the bank, the same request comes again.
    let slot = inner.clone();
    bench.world.answer_calls(move |call| {
        *slot.lock().unwrap() = Some(call.clone());
        Err(Unanswered("still waiting".to_owned()))
    });
    let (first, second) =
        tokio::join!(bench.send(increase("k1", json!(5_000))), bench.send(increase("k1", json!(5_000))));
    let statuses = [first.status, second.status];
    assert!(statuses.contains(&202), "{statuses:?}");
    assert_eq!(bench.twin.items().iter().filter(|item| store::kind_of(item) == "moneyRequest").count(), 1);
}

#[tokio::test]
async fn a_repetition_waits_for_the_lease_and_then_takes_over() {
    let bench = bench();
    banking(&bench, "succeeded");
    // The first worker dies right after it stored the record.
    let by_event = increase("k1", json!(5_000));
    let direct = by_event.clone();
    let record_only = {
        let crashing = Bench::new(&money::SERVICE);
        crashing.world.answer_calls(|_| Err(Unanswered("dies".to_owned())));
        crashing.send(by_event).await;
        let mut record = stored(&crashing.twin);
        let leased = bench.context.clock.now().plus_seconds(20).to_string();
        record.insert("state".to_owned(), store::AttributeValue::S("requested".to_owned()));
        record.insert("leasedUntil".to_owned(), store::AttributeValue::S(leased));
        record
    };
    bench.context.table.commit(&[store::Write::Put(record_only, store::Condition::Absent)]).await.unwrap();
    bench.world.pass_seconds(19);
    let early = bench.send(direct.clone()).await;
    assert_eq!((early.status, early.code()), (409, "request_in_progress"));
    assert!(early.header("retry-after").is_some());
    bench.world.pass_seconds(1);
    let (twin, leased) = (bench.twin.clone(), Arc::new(Mutex::new(None)));
    let seen = leased.clone();
    bench.world.answer_calls(move |call| {
        *seen.lock().unwrap() = stored(&twin).get("leasedUntil").cloned();
        Ok(DirectAnswer::Done(firmbanking(call, "succeeded")))
    });
    let late = bench.send(direct).await;
    assert_eq!((late.status, &late.body["state"]), (201, &json!("succeeded")));
    let until = bench.context.clock.now().plus_seconds(20).to_string();
    assert_eq!(*leased.lock().unwrap(), Some(store::AttributeValue::S(until)), "it was taken over");
}

#[tokio::test]
async fn a_key_is_bound_to_its_body_and_free_after_a_validation_error() {
    let bench = bench();
    banking(&bench, "succeeded");
    assert_eq!(bench.send(increase("k1", json!(0))).await.code(), "validation_failed");
    assert_eq!(bench.send(increase("k1", json!(1_000))).await.status, 201);
    let reused = bench.send(increase("k1", json!(2_000))).await;
    assert_eq!((reused.status, reused.code()), (422, "idempotency_key_reused"));
    assert_eq!(balance(&bench).await["balance"]["amount"], 1_000);
}

#[tokio::test]
async fn limits_refuse_with_their_code_and_leave_an_explanation_only() {
    let bench = bench();
    let calls = banking(&bench, "succeeded");
    recharge(&bench, "k1", 1_900_000).await;
    let refused = bench.send(increase("k2", json!(200_000))).await;
    assert_eq!((refused.status, refused.code()), (422, "wallet_cap_exceeded"));
    assert_eq!(balance(&bench).await["balance"]["amount"], 1_900_000);
    assert!(calls.lock().unwrap().len() <= 1, "the bank is not asked for what the wallet cannot take");
    let too_much = bench.send(increase("k3", json!(2_000_001))).await;
    assert_eq!((too_much.status, &too_much.body["errors"][0]["pointer"]), (400, &json!("/amount/amount")));
}

#[tokio::test]
async fn as_much_as_one_may_bring_is_brought() {
    let bench = bench();
    recharge(&bench, "k1", 2_000_000).await;
    assert_eq!(balance(&bench).await["balance"]["amount"], 2_000_000);
}

#[tokio::test]
async fn hostile_input_is_refused_and_nothing_is_written() {
    let bench = bench();
    for path in [INCREASES, "/v1/money/increases/by-event", DECREASES, "/v1/money/decreases/by-event"] {
        refuses_hostile_input(&bench, path).await;
    }
    assert_eq!(bench.twin.items(), vec![]);
}

async fn refuses_hostile_input(bench: &Bench, path: &str) {
    let post = |body: Value| Request::new("POST", path).caller(member(), "member").key("k").json(&body);
    let increase = |key, amount| request(path, key, amount);
    let amount = json!({ "amount": 1, "currency": "KRW" });
    let account = json!(bank_account());
    let cases = [
        (post(json!({ "amount": amount })), "/bankAccountId"),
        (post(json!({ "bankAccountId": account })), "/amount"),
        (post(json!({ "bankAccountId": account, "amount": amount, "balance": 1 })), "/balance"),
        (post(json!({ "bankAccountId": member(), "amount": amount })), "/bankAccountId"),
        (post(json!({ "bankAccountId": 1, "amount": amount })), "/bankAccountId"),
        (increase("k", json!(-1)), "/amount/amount"),
        (increase("k", json!(1.5)), "/amount/amount"),
        (increase("k", json!("1")), "/amount/amount"),
        (increase("k", json!(0)), "/amount/amount"),
        (increase("k", json!(9_007_199_254_740_991_u64)), "/amount/amount"),
        (increase("k", json!(9_007_199_254_740_992_u64)), "/amount"),
    ];
    for (request, pointer) in cases {
        let answer = bench.send(request.clone()).await;
        assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{}", answer.body);
        assert_eq!(
            answer.body["errors"][0]["pointer"],
            pointer,
            "{}",
            String::from_utf8_lossy(&request.0.body)
        );
    }
    let mut keyless = increase("k", json!(1));
    keyless.0.headers.retain(|(name, _)| name != "idempotency-key");
    assert_eq!(bench.send(keyless).await.code(), "idempotency_key_required");
}

#[tokio::test]
async fn what_is_anothers_is_not_found() {
    let bench = bench();
    banking(&bench, "succeeded");
    let made = bench.send(increase("k1", json!(1_000))).await;
    let paths = [
        made.header("location").unwrap().to_owned(),
        format!("/v1/money/wallets/{}/balance", member()),
        format!("/v1/money/wallets/{}/transactions", member()),
    ];
    for path in paths {
        assert_eq!(get(&bench, stranger(), &path).await.code(), "not_found", "{path}");
    }
    let unknown = kernel::id::MoneyRequestId::derive(&["unknown"]);
    assert_eq!(get(&bench, member(), &format!("/v1/money/requests/{unknown}")).await.code(), "not_found");
    let own = format!("/v1/money/wallets/{}/balance", stranger());
    let empty = get(&bench, stranger(), &own).await;
    assert_eq!(
        (empty.status, &empty.body["sequence"]),
        (200, &json!(0)),
        "the fact that opens it is on its way"
    );
    assert_eq!(empty.body["available"]["amount"], 0);
    assert!(bench.twin.items().iter().all(|item| !format!("{item:?}").contains(&stranger().to_string())));
}

#[tokio::test]
async fn a_past_balance_is_exact_to_the_entry() {
    let bench = bench();
    let begin = bench.context.clock.now();
    for number in 1..=7_u32 {
        bench.world.pass_seconds(60);
        recharge(&bench, &format!("k{number}"), number * 1_000).await;
    }
    let path = |at: Timestamp| format!("/v1/money/wallets/{}/balance?at={at}", member());
    for (seconds, expected) in
        [(0, 0), (59, 0), (60, 1_000), (61, 1_000), (120, 3_000), (300, 15_000), (420, 28_000)]
    {
        let answer = get(&bench, member(), &path(begin.plus_seconds(seconds))).await;
        assert_eq!(answer.body["balance"]["amount"], expected, "{seconds} s: {}", answer.body);
    }
    assert_eq!(
        get(&bench, member(), &path(begin.plus_seconds(9_999))).await.body["errors"][0]["pointer"],
        "/at"
    );
}

#[tokio::test]
async fn history_pages_without_gap_and_refuses_forged_cursors() {
    let bench = bench();
    for number in 1..=5_u32 {
        recharge(&bench, &format!("k{number}"), number).await;
    }
    let base = format!("/v1/money/wallets/{}/transactions", member());
    let mut sequences = Vec::new();
    let mut path = format!("{base}?limit=3");
    loop {
        let page = get(&bench, member(), &path).await.body;
        sequences
            .extend(page["items"].as_array().unwrap().iter().map(|item| item["sequence"].as_u64().unwrap()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("{base}?limit=3&cursor={cursor}");
    }
    assert_eq!(sequences, (1..=10).rev().collect::<Vec<_>>());

    let cursor = get(&bench, member(), &format!("{base}?limit=1")).await.body["nextCursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let forged = format!("{}x", &cursor[..cursor.len() - 1]);
    for bad in [forged.as_str(), "", "x", "%00"] {
        let answer = get(&bench, member(), &format!("{base}?cursor={bad}")).await;
        assert_eq!(answer.body["errors"][0]["pointer"], "/cursor", "{bad}");
    }
    let anothers =
        get(&bench, stranger(), &format!("/v1/money/wallets/{}/transactions?cursor={cursor}", stranger()))
            .await;
    assert_eq!(anothers.body["errors"][0]["pointer"], "/cursor");
    for bad in ["0", "101", "-1", "1.0", "x", "+5"] {
        assert_eq!(
            get(&bench, member(), &format!("{base}?limit={bad}")).await.body["errors"][0]["pointer"],
            "/limit",
            "{bad}"
        );
    }
}

#[tokio::test]
async fn transfer_money_moves_once_or_is_refused_for_ever() {
    let bench = bench();
    recharge(&bench, "k1", 10_000).await;
    let now = bench.context.clock.now();
    let moved = bench.call_with("transferMoney", transfer(4_000, "rmt_1/move", now)).await.unwrap();
    let again = bench.call_with("transferMoney", transfer(4_000, "rmt_1/move", now)).await.unwrap();
    assert_eq!(moved.body, again.body);
    assert_eq!(balance(&bench).await["balance"]["amount"], 6_000);
    let theirs = get(&bench, stranger(), &format!("/v1/money/wallets/{}/balance", stranger())).await;
    assert_eq!(theirs.body["balance"]["amount"], 4_000);
    let facts = bench.relay().await.unwrap();
    assert_eq!(facts.iter().filter(|fact| fact.kind == "money.transferred.v1").count(), 1);

    let code = |outcome: Result<_, Problem>| outcome.unwrap_err().code.into_owned();
    assert_eq!(
        code(bench.call_with("transferMoney", transfer(5_000, "rmt_1/move", now)).await),
        "other_terms"
    );
    assert_eq!(
        code(bench.call_with("transferMoney", transfer(6_001, "rmt_2/move", now)).await),
        "insufficient_balance"
    );
    recharge(&bench, "k2", 10_000).await;
    assert_eq!(
        code(bench.call_with("transferMoney", transfer(6_001, "rmt_2/move", now)).await),
        "insufficient_balance"
    );
    assert_eq!(
        code(bench.call_with("transferMoney", transfer(0, "rmt_3/move", now)).await),
        "validation_failed"
    );
    let far = now.plus_seconds(301);
    assert_eq!(code(bench.call_with("transferMoney", transfer(1, "rmt_4/move", far)).await), "born_later");
    // The caller's clock may be five minutes ahead.
    let ahead = now.plus_seconds(300);
    assert_eq!(
        code(bench.call_with("transferMoney", transfer(20_000, "rmt_4/move", ahead)).await),
        "insufficient_balance"
    );
    let mut to_self = transfer(1, "rmt_5/move", now);
    to_self.body["credit"]["membershipId"] = json!(member());
    assert_eq!(code(bench.call_with("transferMoney", to_self).await), "same_wallet");
    let mut unnamed = transfer(1, "rmt_6/move", now);
    unnamed.reference = None;
    assert_eq!(code(bench.call_with("transferMoney", unnamed).await), problem::IDEMPOTENCY_KEY_REQUIRED.code);
    assert_eq!(balance(&bench).await["balance"]["amount"], 16_000);
}

/// A chain is read back to the step's birth, over as many pages as that takes: otherwise it would move again.
#[tokio::test]
async fn a_step_is_found_again_however_much_has_happened_since() {
    for seconds_between in [0, 1] {
        let bench = bench();
        recharge(&bench, "k1", 10_000).await;
        let birth = bench.context.clock.now();
        let first = bench.call_with("transferMoney", transfer(1_000, "rmt_1/move", birth)).await.unwrap();
        for number in 0..40 {
            bench.world.pass_seconds(seconds_between);
            let order = transfer(10, &format!("rmt_2_{number}/move"), bench.context.clock.now());
            bench.call_with("transferMoney", order).await.unwrap();
        }
        let again = bench.call_with("transferMoney", transfer(1_000, "rmt_1/move", birth)).await.unwrap();
        assert_eq!(again.body, first.body);
        assert_eq!(balance(&bench).await["balance"]["amount"], 8_600);
    }
}

/// Who receives a won a thousand times must not keep a hold from being closed.
#[tokio::test]
async fn a_step_of_long_ago_is_found_in_few_reads() {
    let mut bench = bench();
    recharge(&bench, "k1", 1_000_000).await;
    let birth = bench.context.clock.now();
    bench.call_with("transferMoney", transfer(1_000, "rmt_1/move", birth)).await.unwrap();
    for number in 0..800 {
        bench.world.pass_seconds(1);
        let order = transfer(1, &format!("rmt_2_{number}/move"), bench.context.clock.now());
        bench.call_with("transferMoney", order).await.unwrap();
    }
    let calls = Arc::new(AtomicUsize::new(0));
    bench.context.table = Arc::new(Counted { inner: bench.twin.clone(), calls: calls.clone() });
    bench.call_with("transferMoney", transfer(1_000, "rmt_1/move", birth)).await.unwrap();
    // 12 + 24 + 48 … entries of either wallet.
    assert!(calls.load(Ordering::SeqCst) <= 2 * 7, "{} calls", calls.load(Ordering::SeqCst));
}

fn between(debit: Value, credit: Value, amount: u32, reference: &str, birth: Timestamp) -> Call<Value> {
    let amount = json!({ "amount": amount, "currency": "KRW" });
    by_service(
        "transferMoney",
        reference,
        birth,
        json!({ "debit": debit, "credit": credit, "amount": amount }),
    )
}

#[tokio::test]
async fn a_receiver_whom_nobody_knows_is_refused_for_ever() {
    let bench = bench();
    recharge(&bench, "k1", 10_000).await;
    let now = bench.context.clock.now();
    let unknown = MembershipId::derive(&["unknown"]);
    let mut order = transfer(1_000, "rmt_1/move", now);
    order.body["credit"]["membershipId"] = json!(unknown);
    bench.world.answer_calls(|_| Err(Unanswered("silence".to_owned())));
    let silent = bench.call_with("transferMoney", order.clone()).await.unwrap_err();
    assert_eq!(silent.status, 503, "nothing is known yet");
    bench.world.answer_calls(resolved);
    for _ in 0..2 {
        let refused = bench.call_with("transferMoney", order.clone()).await.unwrap_err();
        assert_eq!(refused.code, "receiver_not_found");
    }
    assert_eq!(kinds(&bench).await.first().map(String::as_str), Some("refused"), "an entry says so");
    let wallet = get(&bench, unknown, &format!("/v1/money/wallets/{unknown}/balance")).await;
    assert_eq!(wallet.body["sequence"], 0, "no wallet was opened");
}

/// What membership answers may be older than the wallet of somebody who registers just now.
#[tokio::test]
async fn a_wallet_that_is_opened_meanwhile_is_proof_enough() {
    let bench = bench();
    recharge(&bench, "k1", 10_000).await;
    let elsewhere = Bench::new(&money::SERVICE);
    recharge(&elsewhere, "k1", 10_000).await;
    elsewhere
        .call_with("transferMoney", transfer(1, "rmt_0/move", elsewhere.context.clock.now()))
        .await
        .unwrap();
    let wallet =
        elsewhere.twin.items().into_iter().filter(|item| {
            item.values().any(|value| *value == store::AttributeValue::S(stranger().to_string()))
        });
    let opened: Vec<Write> = wallet.map(|item| Write::Put(item, store::Condition::Absent)).collect();
    assert!(!opened.is_empty());
    let twin = bench.twin.clone();
    bench.world.answer_calls(move |_| {
        let opening = async { twin.commit(&opened).await.unwrap() };
        std::thread::scope(|scope| {
            scope.spawn(|| tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(opening));
        });
        Ok(DirectAnswer::Done(json!({})))
    });
    let order = transfer(1_000, "rmt_1/move", bench.context.clock.now());
    bench.call_with("transferMoney", order).await.unwrap();
    assert_eq!(balance(&bench).await["balance"]["amount"], 9_000);
}

#[tokio::test]
async fn a_payment_is_one_entry_and_comes_back_by_another() {
    let bench = bench();
    recharge(&bench, "k1", 10_000).await;
    bench.relay().await.unwrap();
    let now = bench.context.clock.now();
    let payer = json!({ "kind": "member", "membershipId": member() });
    let shop = json!({ "kind": "franchise", "franchiseId": kernel::id::FranchiseId::derive(&["shop"]) });
    let pay = between(payer.clone(), shop.clone(), 4_000, "pmt_1/pay", now);
    let paid = bench.call_with("transferMoney", pay.clone()).await.unwrap().body;
    assert_eq!(bench.call_with("transferMoney", pay).await.unwrap().body, paid);
    assert_eq!((&paid["debit"]["balance"]["amount"], &paid["credit"]), (&json!(6_000), &Value::Null));
    let back = between(shop.clone(), payer, 1_500, "pmt_1/cancel/1", now);
    let refunded = bench.call_with("transferMoney", back).await.unwrap().body;
    assert_eq!(refunded["credit"]["balance"]["amount"], 7_500);
    assert_eq!(kinds(&bench).await[..2], ["cancellation", "payment"]);
    let facts = bench.relay().await.unwrap();
    let moved: Vec<(&Value, &Value)> =
        facts.iter().map(|fact| (&fact.data["debitAccount"], &fact.data["creditAccount"])).collect();
    let account = format!("franchise:{}", shop["franchiseId"].as_str().unwrap());
    let wallet = format!("wallet:{}", paid["debit"]["walletId"].as_str().unwrap());
    assert_eq!(moved, [(&json!(wallet), &json!(account)), (&json!(account), &json!(wallet))]);
    let odd = between(shop.clone(), shop, 1, "pmt_2/pay", now);
    assert_eq!(bench.call_with("transferMoney", odd).await.unwrap_err().code, "validation_failed");
}

#[tokio::test]
async fn what_is_asked_for_too_late_is_never_done() {
    let bench = bench();
    recharge(&bench, "k1", 10_000).await;
    let now = bench.context.clock.now();
    let mut pay = transfer(1_000, "rmt_1/move", now);
    pay.body["expiresAt"] = json!(now.plus_seconds(60));
    bench.world.pass_seconds(60);
    for _ in 0..2 {
        assert_eq!(bench.call_with("transferMoney", pay.clone()).await.unwrap_err().code, "expired");
    }
    assert_eq!(balance(&bench).await["balance"]["amount"], 10_000);
    assert_eq!(kinds(&bench).await.first().map(String::as_str), Some("refused"), "an entry fences it");
    let shop = json!({ "kind": "franchise", "franchiseId": kernel::id::FranchiseId::derive(&["shop"]) });
    let payer = json!({ "kind": "member", "membershipId": member() });
    let mut back = between(shop, payer, 500, "pmt_1/cancel/1", now);
    for end in [json!(now), json!(now.plus_seconds(60)), Value::Null] {
        back.body["expiresAt"] = end;
        bench.call_with("transferMoney", back.clone()).await.unwrap();
    }
    assert_eq!(balance(&bench).await["balance"]["amount"], 10_500, "what comes back is never late");
}

#[tokio::test]
async fn a_full_receiver_refuses_the_whole_transfer() {
    let bench = bench();
    recharge(&bench, "k1", 1_500_000).await;
    let now = bench.context.clock.now();
    bench.call_with("transferMoney", transfer(1_500_000, "rmt_1/move", now)).await.unwrap();
    recharge(&bench, "k2", 1_500_000).await;
    let refused = bench.call_with("transferMoney", transfer(600_000, "rmt_2/move", now)).await.unwrap_err();
    assert_eq!(refused.code, "receiver_cap_exceeded");
    assert_eq!(balance(&bench).await["balance"]["amount"], 1_500_000);
}

#[tokio::test]
async fn however_often_a_recharge_is_saved_one_row_of_messages_goes_on() {
    let bench = bench();
    banking(&bench, "unknown");
    for _ in 0..3 {
        assert_eq!(bench.send(increase("k1", json!(15_000))).await.status, 202);
        bench.relay().await.unwrap();
    }
    bench.call("sweepMoneyRequests", Caller::Platform, json!({})).await.unwrap();
    bench.world.pass_seconds(60);
    bench.call("sweepMoneyRequests", Caller::Platform, json!({})).await.unwrap();
    let mut queued = bench.world.take_queued();
    assert!(queued.len() > 3, "each repetition and each scan sends one");
    for _ in 0..3 {
        for message in queued {
            bench.call("sweepMoneyRequests", Caller::Platform, message.body).await.unwrap();
            bench.relay().await.unwrap();
        }
        queued = bench.world.take_queued();
        assert_eq!(queued.len(), 1);
    }
    banking(&bench, "succeeded");
    bench.call("sweepMoneyRequests", Caller::Platform, queued[0].body.clone()).await.unwrap();
    assert_eq!(balance(&bench).await["balance"]["amount"], 15_000);
}

#[tokio::test]
async fn a_recharge_that_was_stored_under_a_higher_limit_goes_on() {
    let mut bench = bench();
    banking(&bench, "unknown");
    assert_eq!(bench.send(increase("k1", json!(15_000))).await.status, 202);
    bench.context.settings.config = json!({ "limits": { "rechargeEach": 10_000 } });
    assert_eq!(bench.send(increase("k2", json!(15_000))).await.status, 400);
    assert_eq!(bench.send(increase("k1", json!(15_001))).await.code(), "idempotency_key_reused");
    banking(&bench, "succeeded");
    let again = bench.send(increase("k1", json!(15_000))).await;
    assert_eq!((again.status, &again.body["state"]), (201, &json!("succeeded")));
}

#[tokio::test]
async fn the_scheduled_sweep_finds_forgotten_recharges() {
    let bench = bench();
    // It cannot be read, comes first, and holds up nobody.
    let mut unreadable = Item::default();
    for (name, value) in [("pk", "0"), ("sk", "0"), ("kind", "moneyRequest")] {
        unreadable.insert(name.to_owned(), store::AttributeValue::S(value.to_owned()));
    }
    bench.twin.commit(&[Write::Put(unreadable, store::Condition::Absent)]).await.unwrap();
    banking(&bench, "silent");
    for number in 0..3 {
        assert_eq!(bench.send(increase(&format!("k{number}"), json!(100))).await.status, 202);
    }
    banking(&bench, "succeeded");
    bench.world.pass_seconds(60);
    let swept = bench.call("sweepMoneyRequests", Caller::Platform, json!({})).await.unwrap();
    assert_eq!(swept.body, json!({ "advanced": [], "queued": 3 }));
    for message in bench.world.take_queued() {
        bench.call("sweepMoneyRequests", Caller::Platform, message.body).await.unwrap();
    }
    assert_eq!(balance(&bench).await["balance"]["amount"], 300);
}

#[tokio::test]
async fn republish_rebuilds_the_same_facts_under_the_same_ids() {
    let bench = bench();
    recharge(&bench, "k1", 10_000).await;
    let now = bench.context.clock.now();
    bench.call_with("transferMoney", transfer(4_000, "rmt_1/move", now)).await.unwrap();
    let relayed = bench.relay().await.unwrap();
    bench.call("republish", Caller::Platform, json!({})).await.unwrap();
    let mut again = bench.world.published().split_off(relayed.len());
    let mut relayed = relayed;
    let by_id = |a: &events::Envelope, b: &events::Envelope| a.id.cmp(&b.id);
    relayed.sort_by(by_id);
    again.sort_by(by_id);
    assert_eq!(relayed, again);
    let later =
        bench.call("republish", Caller::Platform, json!({ "from": now.plus_seconds(1) })).await.unwrap();
    assert_eq!(later.body["published"], 0);
}

#[tokio::test]
async fn facts_are_read_page_by_page_as_they_were_told() {
    let bench = bench();
    for number in 0..60 {
        recharge(&bench, &format!("k{number}"), 1_000).await;
    }
    let mut relayed = bench.relay().await.unwrap();
    let (mut read, mut after, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let page = bench.call("readFacts", Caller::Platform, json!({ "after": after })).await.unwrap().body;
        read.extend(serde_json::from_value::<Vec<events::Envelope>>(page["facts"].clone()).unwrap());
        pages += 1;
        after = page["after"].clone();
        if after.is_null() {
            break;
        }
    }
    let by_id = |a: &events::Envelope, b: &events::Envelope| a.id.cmp(&b.id);
    relayed.sort_by(by_id);
    read.sort_by(by_id);
    assert_eq!(read, relayed);
    assert!(pages > 1, "sixty recharges are more items than one page");
}

#[tokio::test]
async fn a_withdrawal_debits_the_wallet_and_credits_the_bank_account_once() {
    let bench = bench();
    recharge(&bench, "k0", 50_000).await;
    bench.relay().await.unwrap();
    let calls = banking(&bench, "succeeded");
    let first = bench.send(decrease("k1", json!(15_000))).await;
    assert_eq!((first.status, &first.body["state"]), (201, &json!("succeeded")), "{}", first.body);
    assert_eq!(first.body["direction"], "withdrawal");
    assert_eq!(first.body["balanceAfter"]["amount"], 35_000);
    let order = calls.lock().unwrap()[0].clone();
    assert_eq!(order.body["source"], json!({ "kind": "corporate" }));
    assert_eq!(order.body["destination"]["bankAccountId"], json!(bank_account()));
    assert_eq!(order.on_behalf_of, Some(member()));

    let again = bench.send(decrease("k1", json!(15_000))).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body, first.body);
    assert_eq!(calls.lock().unwrap().len(), 1, "a finished withdrawal asks nobody");
    assert_eq!(bench.send(decrease("k1", json!(15_001))).await.code(), "idempotency_key_reused");

    assert_eq!(kinds(&bench).await, ["withdrawal", "hold", "recharge", "expect"]);
    let history = get(&bench, member(), &format!("/v1/money/wallets/{}/transactions", member())).await;
    assert_eq!(history.body["items"][0]["creditAccount"], "bank:corporate");
    assert_eq!(history.body["items"][1]["debitAccount"], Value::Null);

    let facts = bench.relay().await.unwrap();
    assert_eq!(facts.iter().map(|fact| fact.kind.as_str()).collect::<Vec<_>>(), ["money.decreased.v1"]);
    assert_eq!(facts[0].data["moneyRequestId"], first.body["moneyRequestId"]);
    assert_eq!(facts[0].data["balance"]["amount"], 35_000);
}

#[tokio::test]
async fn an_unknown_bank_keeps_the_money_held_until_its_fact_comes() {
    for (silence, end) in [("unknown", "succeeded"), ("silent", "failed"), ("sent", "failed")] {
        let bench = bench();
        recharge(&bench, "k0", 20_000).await;
        banking(&bench, silence);
        let accepted = bench.send(decrease("k1", json!(15_000))).await;
        assert_eq!((accepted.status, &accepted.body["state"]), (202, &json!("bankUnknown")));
        // However often it is swept, and however long that takes.
        for _ in 0..3 {
            bench.world.pass_seconds(86_400);
            bench.sweep("sweepMoneyRequests").await.unwrap();
        }
        let shown = balance(&bench).await;
        let amounts = ["balance", "held", "available"].map(|name| shown[name]["amount"].clone());
        assert_eq!(amounts, [json!(20_000), json!(15_000), json!(5_000)]);
        assert_eq!(bench.send(decrease("k2", json!(5_001))).await.code(), "insufficient_balance");

        banking(&bench, end);
        let reference = format!("{}/bank", accepted.body["moneyRequestId"].as_str().unwrap());
        let (handler, event) = bank_fact(end, reference, 15_000);
        for _ in 0..2 {
            bench.call(handler, Caller::Platform, event.clone()).await.unwrap();
        }
        let found = get(&bench, member(), accepted.header("location").unwrap()).await.body;
        assert_eq!(found["state"], end);
        let left = if end == "succeeded" { 5_000 } else { 20_000 };
        let shown = balance(&bench).await;
        assert_eq!((&shown["balance"]["amount"], &shown["held"]["amount"]), (&json!(left), &json!(0)));
    }
}

/// The fact that a firmbanking has ended, and who listens to it.
fn bank_fact(state: &str, reference: String, amount: u32) -> (&'static str, Value) {
    let firmbanking_id = Id::derive(&["f"]);
    let (amount, at) = (kernel::Money::won(amount), events::example_time());
    if state == "succeeded" {
        let fact =
            events::banking::FirmbankingSucceeded { firmbanking_id, reference, amount, succeeded_at: at };
        let event = events::Envelope::of(&fact, "", at, events::EXAMPLE_TRACEPARENT);
        return ("onFirmbankingSucceeded", serde_json::to_value(event).unwrap());
    }
    let reason = "account_closed".to_owned();
    let fact =
        events::banking::FirmbankingFailed { firmbanking_id, reference, amount, reason, failed_at: at };
    let event = events::Envelope::of(&fact, "", at, events::EXAMPLE_TRACEPARENT);
    ("onFirmbankingFailed", serde_json::to_value(event).unwrap())
}

#[tokio::test]
async fn a_withdrawal_that_the_bank_declines_is_released() {
    for (state, code) in [("failed", "bank_declined"), ("unlinked", "bank_account_not_found")] {
        let bench = bench();
        recharge(&bench, "k0", 20_000).await;
        bench.relay().await.unwrap();
        banking(&bench, state);
        let refused = bench.send(decrease("k1", json!(15_000))).await;
        assert_eq!((refused.status, refused.code()), (422, code));
        let found = get(&bench, member(), refused.header("location").unwrap()).await.body;
        assert_eq!(found["state"], "failed");
        let shown = balance(&bench).await;
        assert_eq!((&shown["available"]["amount"], &shown["held"]["amount"]), (&json!(20_000), &json!(0)));
        assert_eq!(kinds(&bench).await, ["release", "hold", "recharge", "expect"]);
        assert_eq!(bench.relay().await.unwrap(), vec![], "nothing has decreased");
    }
}

#[tokio::test]
async fn what_the_wallet_refuses_never_reaches_the_bank() {
    let bench = bench();
    recharge(&bench, "k0", 20_000).await;
    let calls = banking(&bench, "succeeded");
    let refused = bench.send(decrease("k1", json!(20_001))).await;
    assert_eq!((refused.status, refused.code()), (422, "insufficient_balance"));
    // The refusal stands, even if there is enough by now.
    recharge(&bench, "k2", 20_000).await;
    let again = bench.send(decrease("k1", json!(20_001))).await;
    assert_eq!((again.code(), again.header("idempotent-replayed")), ("insufficient_balance", Some("true")));
    let too_much = bench.send(decrease("k3", json!(2_000_001))).await;
    assert_eq!((too_much.status, &too_much.body["errors"][0]["pointer"]), (400, &json!("/amount/amount")));
    assert_eq!(calls.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn withdrawals_are_limited_by_day_and_month_and_a_declined_one_gives_its_limit_back() {
    let mut bench = bench();
    bench.context.settings.config =
        json!({ "limits": { "transferPerDay": 10_000, "transferPerMonth": 15_000 } });
    recharge(&bench, "k0", 100_000).await;
    banking(&bench, "failed");
    assert_eq!(bench.send(decrease("declined", json!(10_000))).await.code(), "bank_declined");
    banking(&bench, "succeeded");
    assert_eq!(bench.send(decrease("k1", json!(8_000))).await.status, 201);
    assert_eq!(bench.send(decrease("k2", json!(2_001))).await.code(), "day_limit_exceeded");
    let now = bench.context.clock.now();
    let sent = bench.call_with("transferMoney", transfer(2_001, "rmt_1/move", now)).await;
    assert_eq!(sent.unwrap_err().code, "day_limit_exceeded", "transfers and withdrawals share the limit");
    bench.world.pass_seconds(86_400);
    assert_eq!(bench.send(decrease("k3", json!(7_001))).await.code(), "month_limit_exceeded");
    assert_eq!(bench.send(decrease("k4", json!(7_000))).await.status, 201);
    assert_eq!(balance(&bench).await["balance"]["amount"], 85_000);
}

fn hold(bench: &Bench, reference: &str, amount: u32) -> Call<Value> {
    let body = json!({ "membershipId": member(), "amount": kernel::Money::won(amount) });
    by_service("holdMoney", reference, bench.context.clock.now(), body)
}

fn post(of: &Call<Value>, amount: u32, credit: Value) -> Call<Value> {
    let reference = of.reference.clone().unwrap();
    let body = json!({ "membershipId": member(), "amount": kernel::Money::won(amount), "credit": credit });
    by_service("postHold", &reference.id, reference.birth, body)
}

fn release(of: &Call<Value>) -> Call<Value> {
    let reference = of.reference.clone().unwrap();
    by_service("releaseHold", &reference.id, reference.birth, json!({ "membershipId": member() }))
}

fn code(outcome: Result<contract::Reply<Value>, Problem>) -> String {
    outcome.unwrap_err().code.into_owned()
}

#[tokio::test]
async fn a_hold_is_posted_once_and_its_rest_is_free() {
    let franchise = kernel::id::FranchiseId::derive(&["bakery"]);
    let credits = [
        (json!({ "kind": "franchise", "franchiseId": franchise }), format!("franchise:{franchise}")),
        (json!({ "kind": "bankCorporate" }), "bank:corporate".to_owned()),
        (json!({ "kind": "feeRevenue" }), "fee:revenue".to_owned()),
        (json!({ "kind": "vatPayable" }), "vat:payable".to_owned()),
    ];
    for (credit, account) in credits {
        let bench = bench();
        recharge(&bench, "k0", 20_000).await;
        bench.relay().await.unwrap();
        let hold = hold(&bench, "rmt_1/hold", 15_000);
        let held = bench.call_with("holdMoney", hold.clone()).await.unwrap();
        assert_eq!((&held.body["held"]["amount"], &held.body["sequence"]), (&json!(15_000), &json!(3)));
        assert_eq!(bench.call_with("holdMoney", hold.clone()).await.unwrap(), held, "asked twice");
        assert_eq!(balance(&bench).await["available"]["amount"], 5_000);
        assert_eq!(code(bench.call_with("postHold", post(&hold, 15_001, credit.clone())).await), "not_held");

        bench.world.pass_seconds(3_600);
        let posted = bench.call_with("postHold", post(&hold, 9_000, credit.clone())).await.unwrap();
        let amounts = ["amount", "balance", "held"].map(|name| posted.body[name]["amount"].clone());
        assert_eq!(amounts, [json!(9_000), json!(11_000), json!(0)]);
        assert_eq!(bench.call_with("postHold", post(&hold, 9_000, credit.clone())).await.unwrap(), posted);
        assert_eq!(code(bench.call_with("postHold", post(&hold, 8_000, credit)).await), "other_terms");
        assert_eq!(code(bench.call_with("releaseHold", release(&hold)).await), "other_terms");

        let history = get(&bench, member(), &format!("/v1/money/wallets/{}/transactions", member())).await;
        assert_eq!(history.body["items"][0]["creditAccount"], account);
        let facts = bench.relay().await.unwrap();
        assert_eq!(facts.iter().map(|fact| fact.kind.as_str()).collect::<Vec<_>>(), ["money.transferred.v1"]);
        assert_eq!(facts[0].data["creditAccount"], account);
    }
}

#[tokio::test]
async fn a_released_hold_is_free_and_cannot_be_posted() {
    let bench = bench();
    recharge(&bench, "k0", 20_000).await;
    let hold = hold(&bench, "rmt_1/hold", 15_000);
    bench.call_with("holdMoney", hold.clone()).await.unwrap();
    let released = bench.call_with("releaseHold", release(&hold)).await.unwrap();
    assert_eq!(
        (&released.body["amount"]["amount"], &released.body["held"]["amount"]),
        (&json!(15_000), &json!(0))
    );
    assert_eq!(bench.call_with("releaseHold", release(&hold)).await.unwrap(), released);
    let bank = json!({ "kind": "bankCorporate" });
    assert_eq!(code(bench.call_with("postHold", post(&hold, 15_000, bank)).await), "other_terms");
    assert_eq!(balance(&bench).await["available"]["amount"], 20_000);
}

#[tokio::test]
async fn a_hold_that_comes_after_its_release_is_refused() {
    let bench = bench();
    recharge(&bench, "k0", 20_000).await;
    let hold = hold(&bench, "rmt_1/hold", 15_000);
    let released = bench.call_with("releaseHold", release(&hold)).await.unwrap();
    assert_eq!(released.body["amount"]["amount"], 0);
    for _ in 0..2 {
        assert_eq!(code(bench.call_with("holdMoney", hold.clone()).await), "hold_closed");
    }
    assert_eq!(balance(&bench).await["available"]["amount"], 20_000);
}

#[tokio::test]
async fn holds_take_no_odd_orders() {
    let bench = bench();
    let hold = hold(&bench, "rmt_1/hold", 15_000);
    assert_eq!(
        code(bench.call_with("holdMoney", self::hold(&bench, "rmt_2/hold", 0)).await),
        "validation_failed"
    );
    assert_eq!(code(bench.call_with("holdMoney", hold.clone()).await), "insufficient_balance");
    let bank = json!({ "kind": "bankCorporate" });
    assert_eq!(code(bench.call_with("postHold", post(&hold, 0, bank.clone())).await), "validation_failed");
    let wallets = [
        json!({ "kind": "wallet", "walletId": kernel::id::WalletId::of(stranger()) }),
        json!({ "kind": "suspense" }),
        json!("wallet:x"),
    ];
    for credit in wallets {
        assert_eq!(code(bench.call_with("postHold", post(&hold, 1, credit)).await), "validation_failed");
    }
    assert_eq!(code(bench.call_with("postHold", post(&hold, 15_000, bank.clone())).await), "not_held");
    for call in [hold.clone(), post(&hold, 1, bank), release(&hold)] {
        let unnamed = Call { reference: None, ..call };
        let operation = unnamed.operation.trim_start_matches("money.").to_owned();
        let outcome = bench.call_with(&operation, unnamed).await;
        assert_eq!(code(outcome), problem::IDEMPOTENCY_KEY_REQUIRED.code);
    }
}

async fn end(bench: &Bench, reference: &str) -> Value {
    let body = json!({ "membershipId": member() });
    let call = by_service("closeMemberMoney", reference, events::example_time(), body);
    bench.call_with("closeMemberMoney", call).await.unwrap().body
}

#[tokio::test]
async fn a_wallet_ends_only_when_nothing_is_left_and_nothing_reopens_it() {
    let bench = bench();
    recharge(&bench, "r", 5_000).await;
    assert_eq!(end(&bench, "m/closing/1").await, json!({ "outcome": "refused", "reason": "balance" }));

    let held = json!({ "membershipId": member(), "amount": kernel::Money::won(5_000) });
    let hold = by_service("holdMoney", "rmt_1/hold", bench.context.clock.now(), held);
    bench.call_with("holdMoney", hold.clone()).await.unwrap();
    assert_eq!(end(&bench, "m/closing/2").await["reason"], "held");
    let all = json!({ "kind": "feeRevenue" });
    bench.call_with("postHold", post(&hold, 5_000, all)).await.unwrap();

    banking(&bench, "unknown");
    assert_eq!(bench.send(increase("late", json!(700))).await.status, 202);
    assert_eq!(end(&bench, "m/closing/3").await["reason"], "expected");
    banking(&bench, "failed");
    bench.world.pass_seconds(30);
    bench.sweep("sweepMoneyRequests").await.unwrap();

    // What was refused is refused for ever, whatever the wallet holds now.
    assert_eq!(end(&bench, "m/closing/1").await["reason"], "balance");
    let closed = end(&bench, "m/closing/4").await;
    assert_eq!(closed["outcome"], "closed");
    bench.world.pass_seconds(60);
    assert_eq!(end(&bench, "m/closing/4").await, closed);

    banking(&bench, "succeeded");
    let late = bench.send(increase("later", json!(700))).await;
    assert_eq!((late.status, late.code()), (409, "wallet_closed"));
    let wallet = Request::new("POST", "/v1/money/wallets").caller(member(), "member").json(&json!({}));
    assert_eq!(bench.send(wallet).await.status, 200);
    assert_eq!(end(&bench, "m/closing/5").await["outcome"], "closed");
}

#[tokio::test]
async fn a_wallet_that_never_began_ends_too_and_a_late_fact_begins_nothing() {
    let bench = bench();
    let closed = end(&bench, "m/closing/1").await;
    assert_eq!((&closed["outcome"], &closed["sequence"]), (&json!("closed"), &json!(1)));
    let fact =
        events::membership::MembershipRegistered { membership_id: member(), ..events::Fact::example() };
    let event = events::Envelope::of(&fact, "", events::example_time(), events::EXAMPLE_TRACEPARENT);
    bench.call("onMembershipRegistered", Caller::Platform, json!(event)).await.unwrap();
    let open = bench.call("openMemberMoney", Caller::Platform, json!({ "membershipId": member() })).await;
    assert_eq!(open.unwrap().status, 200);
    assert_eq!(kinds(&bench).await, ["close"]);
    let moved = bench.call_with("transferMoney", transfer(1, "rmt_9/move", bench.context.clock.now())).await;
    assert_eq!(moved.unwrap_err().code, "wallet_closed");

    let anew = bench.call("openMemberMoney", Caller::Platform, json!({ "membershipId": stranger() })).await;
    assert_eq!(anew.unwrap().status, 201);
}
