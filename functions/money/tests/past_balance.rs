//! The balance at a past time is exact to the entry, whatever happened and however close together.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use contract::{
    Call, Caller, Reference,
    ports::DirectAnswer,
    testing::{Bench, Request},
};
use kernel::{Id, Money, Timestamp, id::MembershipId};
use money::domain::Entry;
use proptest::prelude::*;
use serde_json::{Value, json};
use store::{Record, kind_of, read};

fn member() -> MembershipId {
    Id::derive(&["member"])
}

/// What happens, after how many seconds: often several things in one moment.
#[derive(Clone, Copy, Debug)]
enum Event {
    Recharge(u32),
    Withdraw(u32),
    Send(u32),
    Hold(u8, u32),
    Post(u8, u32),
    Release(u8),
}

fn history() -> impl Strategy<Value = Vec<(i64, Event)>> {
    let event = prop_oneof![
        (1..9_000_u32).prop_map(Event::Recharge),
        (1..5_000_u32).prop_map(Event::Withdraw),
        (1..5_000_u32).prop_map(Event::Send),
        (0..5_u8, 1..5_000_u32).prop_map(|(hold, amount)| Event::Hold(hold, amount)),
        (0..5_u8, 1..3_000_u32).prop_map(|(hold, amount)| Event::Post(hold, amount)),
        (0..5_u8).prop_map(Event::Release),
    ];
    prop::collection::vec((prop_oneof![Just(0), 0..40_i64, Just(50_000)], event), 0..30)
}

async fn happen(bench: &Bench, number: usize, begin: Timestamp, event: Event) {
    let amount = |amount: u32| json!({ "amount": amount, "currency": "KRW" });
    let request = |path: &str, won: u32| {
        Request::new("POST", path).caller(member(), "member").key(&number.to_string()).json(&json!({
            "bankAccountId": kernel::id::BankAccountId::derive(&["account"]),
            "amount": amount(won),
        }))
    };
    let (operation, reference, mut body) = match event {
        Event::Recharge(won) => return drop(bench.send(request("/v1/money/increases", won)).await),
        Event::Withdraw(won) => return drop(bench.send(request("/v1/money/decreases", won)).await),
        Event::Send(won) => {
            let other = MembershipId::derive(&["other"]);
            let party = |member| json!({ "kind": "member", "membershipId": member });
            let body = json!({ "debit": party(member()), "credit": party(other), "amount": amount(won) });
            ("transferMoney", format!("move {number}"), body)
        }
        Event::Hold(hold, won) => ("holdMoney", format!("hold {hold}"), json!({ "amount": amount(won) })),
        Event::Post(hold, won) => {
            let credit = json!({ "kind": "feeRevenue" });
            ("postHold", format!("hold {hold}"), json!({ "amount": amount(won), "credit": credit }))
        }
        Event::Release(hold) => ("releaseHold", format!("hold {hold}"), json!({})),
    };
    if operation != "transferMoney" {
        body["membershipId"] = json!(member());
    }
    let call = Call {
        operation: format!("money.{operation}"),
        caller: Caller::Service("payment.requestPayment".to_owned()),
        on_behalf_of: Some(member()),
        idempotency_key: None,
        reference: Some(Reference { id: reference, birth: begin }),
        if_match: None,
        trace: bench.trace(),
        now: bench.context.clock.now(),
        fingerprint: String::new(),
        body,
    };
    // Many are refused: that is an entry, too, or none.
    drop(bench.call_with(operation, call).await);
}

async fn balance_at(bench: &Bench, at: Timestamp) -> Value {
    let path = format!("/v1/money/wallets/{}/balance?at={at}", member());
    let answer = bench.send(Request::new("GET", &path).caller(member(), "member")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn run(history: Vec<(i64, Event)>) {
    let bench = Bench::new(&money::SERVICE);
    bench.world.answer_calls(|call| {
        if call.operation == "membership.resolveMember" {
            return Ok(DirectAnswer::Done(call.body.clone()));
        }
        let reference = call.reference.clone().unwrap();
        let mut answer = call.body.clone();
        answer["firmbankingId"] = json!(kernel::id::FirmbankingId::derive(&[&reference.id]));
        answer["state"] = json!("succeeded");
        answer["requestedAt"] = json!(reference.birth);
        Ok(DirectAnswer::Done(answer))
    });
    let begin = bench.context.clock.now();
    happen(&bench, 0, begin, Event::Recharge(9_000)).await;
    for (number, (seconds, event)) in (1..).zip(history) {
        bench.world.pass_seconds(seconds);
        happen(&bench, number, begin, event).await;
    }
    let wallet = kernel::id::WalletId::of(member());
    let items = bench.twin.items().into_iter().filter(|item| kind_of(item) == Entry::KIND);
    let entries: Vec<Entry> =
        items.map(|item| read(item).unwrap()).filter(|e: &Entry| e.wallet_id == wallet).collect();
    bench.world.pass_seconds(60);
    for time in entries.iter().map(|entry| entry.time.millis()) {
        for at in [time - 1, time, time + 1].map(Timestamp::from_millis) {
            let expected = entries.iter().rev().find(|entry| entry.time <= at);
            let shown = balance_at(&bench, at).await;
            let standing = expected.map(|entry| entry.standing.clone());
            let of = |part: fn(&money::domain::Standing) -> Money| {
                json!(standing.as_ref().map_or(Money::ZERO, part))
            };
            assert_eq!(shown["sequence"], expected.map_or(0, |entry| entry.sequence), "at {at}");
            assert_eq!(shown["balance"], of(|standing| standing.balance), "at {at}");
            assert_eq!(shown["held"], of(|standing| standing.held), "at {at}");
            assert_eq!(shown["available"], of(|standing| standing.available().unwrap()), "at {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_past_balance_is_exact_to_the_entry(history in history()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(history));
    }
}
