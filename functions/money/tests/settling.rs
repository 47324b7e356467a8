//! transferMoney as settlement calls it: entries of a franchise's journal, asked for once or often.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use contract::{Call, Caller, Problem, Reference, Reply, problem, testing::Bench};
use kernel::{
    Money, Timestamp,
    id::{FranchiseId, MembershipId},
};
use money::domain::{JournalEntry, JournalKind, Link};
use serde_json::{Value, json};
use store::{Record, kind_of, read};

const SETTLEMENT: &str = "settlement.payOutSettlement";

fn shop() -> Value {
    json!({ "kind": "franchise", "franchiseId": FranchiseId::derive(&["shop"]) })
}

fn member() -> Value {
    json!({ "kind": "member", "membershipId": MembershipId::derive(&["member"]) })
}

fn bank() -> Value {
    json!({ "kind": "bankCorporate" })
}

fn fee() -> Value {
    json!({ "kind": "feeRevenue" })
}

fn vat() -> Value {
    json!({ "kind": "vatPayable" })
}

struct Desk(Bench);

impl Desk {
    fn new() -> Desk {
        Desk(Bench::new(&money::SERVICE))
    }

    fn now(&self) -> Timestamp {
        self.0.context.clock.now()
    }

    /// A call of settlement's, born now.
    fn order(&self, reference: &str, debit: Value, credit: Value, amount: u32) -> Call<Value> {
        let now = self.now();
        Call {
            operation: "money.transferMoney".to_owned(),
            caller: Caller::Service(SETTLEMENT.to_owned()),
            on_behalf_of: None,
            idempotency_key: None,
            reference: Some(Reference { id: reference.to_owned(), birth: now }),
            if_match: None,
            trace: self.0.trace(),
            now,
            fingerprint: String::new(),
            body: json!({ "debit": debit, "credit": credit, "amount": Money::won(amount) }),
        }
    }

    async fn send(&self, order: Call<Value>) -> Result<Reply<Value>, Problem> {
        self.0.call_with("transferMoney", order).await
    }

    /// The answer, which must be a success.
    async fn done(&self, order: &Call<Value>) -> Value {
        self.send(order.clone()).await.unwrap().body
    }

    /// The code of the problem that it must be.
    async fn refused(&self, order: &Call<Value>) -> String {
        self.send(order.clone()).await.unwrap_err().code.to_string()
    }

    /// The field of the input that is wrong.
    async fn wrong(&self, order: &Call<Value>) -> String {
        let problem = self.send(order.clone()).await.unwrap_err();
        assert_eq!(problem.code, problem::VALIDATION_FAILED.code);
        problem.errors[0].pointer.clone()
    }

    /// The shop's journal, oldest entry first.
    fn journal(&self) -> Vec<JournalEntry> {
        let items = self.0.twin.items().into_iter().filter(|item| kind_of(item) == JournalEntry::KIND);
        items.map(|item| read(item).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_settlement_is_an_entry_each_for_fee_vat_and_pay_out() {
    let desk = Desk::new();
    let orders = [
        desk.order("stl_1/fee", shop(), fee(), 500),
        desk.order("stl_1/vat", shop(), vat(), 50),
        desk.order("stl_1/paid", shop(), bank(), 9_450),
    ];
    for order in &orders {
        let first = desk.done(order).await;
        assert_eq!((&first["debit"], &first["credit"]), (&Value::Null, &Value::Null), "neither is a wallet");
        assert_eq!(first["amount"], order.body["amount"]);
        desk.0.world.pass_seconds(60);
        assert_eq!(desk.done(order).await, first, "asking twice is asking once");
    }
    let journal = desk.journal();
    let kinds: Vec<JournalKind> = journal.iter().map(|entry| entry.purpose).collect();
    assert_eq!(kinds, [JournalKind::Fee, JournalKind::Vat, JournalKind::Settlement]);
    assert!(journal.windows(2).all(|pair| pair[0].is_followed_by(&pair[1])));
    let totals = journal[2].totals;
    assert_eq!((totals.paid_out.amount(), totals.fee.amount(), totals.vat.amount()), (9_450, 500, 50));
    assert_eq!(desk.0.relay().await.unwrap().len(), 0, "nobody listens to what settlement tells itself");
}

#[tokio::test]
async fn what_was_kept_too_much_comes_back_and_nothing_owed_refuses_nothing() {
    let desk = Desk::new();
    desk.done(&desk.order("stl_1/fee", fee(), shop(), 700)).await;
    desk.done(&desk.order("stl_1/vat", vat(), shop(), 70)).await;
    desk.done(&desk.order("stl_2/fee", shop(), fee(), 200)).await;
    let totals = desk.journal()[2].totals;
    assert_eq!((totals.fee.amount(), totals.vat.amount()), (-500, -70));
}

#[tokio::test]
async fn a_reference_with_other_terms_changes_nothing() {
    let desk = Desk::new();
    let first = desk.order("stl_1/fee", shop(), fee(), 500);
    desk.done(&first).await;
    assert_eq!(desk.refused(&desk.order("stl_1/fee", shop(), fee(), 501)).await, "other_terms");
    assert_eq!(desk.refused(&desk.order("stl_1/fee", fee(), shop(), 500)).await, "other_terms");
    desk.0.world.pass_seconds(1);
    assert_eq!(
        desk.refused(&desk.order("stl_1/fee", shop(), fee(), 500)).await,
        "other_terms",
        "of another birth"
    );
    assert_eq!(desk.journal().len(), 1);
}

#[tokio::test]
async fn only_settlement_moves_what_is_in_journals_and_it_moves_nothing_else() {
    let desk = Desk::new();
    let mut order = desk.order("stl_1/fee", shop(), fee(), 500);
    for caller in [
        Caller::Service("payment.finishPayments".to_owned()),
        Caller::Service("settlements.payOut".to_owned()),
        Caller::Platform,
    ] {
        order.caller = caller;
        assert_eq!(desk.refused(&order).await, "forbidden", "{}", order.caller);
    }
    for (debit, credit) in [(member(), shop()), (shop(), member()), (member(), member()), (bank(), member())]
    {
        assert_eq!(desk.refused(&desk.order("stl_1/fee", debit, credit, 500)).await, "forbidden");
    }
    assert!(desk.0.twin.items().is_empty());
}

#[tokio::test]
async fn odd_orders_name_their_field() {
    let desk = Desk::new();
    for (debit, credit) in [
        (bank(), shop()),
        (shop(), shop()),
        (fee(), vat()),
        (fee(), bank()),
        (vat(), bank()),
        (bank(), bank()),
    ] {
        let mut order = desk.order("stl_1/odd", debit, credit, 1);
        assert_eq!(desk.wrong(&order).await, "/credit", "{}", order.body);
        order.caller = Caller::Service("payment.requestPayment".to_owned());
        assert_eq!(desk.wrong(&order).await, "/credit", "{}", order.body);
    }
    let mut late = desk.order("stl_1/fee", shop(), fee(), 500);
    late.body["expiresAt"] = json!(desk.now().plus_seconds(600));
    assert_eq!(desk.wrong(&late).await, "/expiresAt");
    assert_eq!(desk.wrong(&desk.order("stl_1/fee", shop(), fee(), 0)).await, "/amount/amount");
    let mut unnamed = desk.order("stl_1/fee", shop(), fee(), 500);
    unnamed.reference = None;
    assert_eq!(desk.refused(&unnamed).await, problem::IDEMPOTENCY_KEY_REQUIRED.code);
    let mut ahead = desk.order("stl_1/fee", shop(), fee(), 500);
    ahead.reference = Some(Reference { id: "stl_1/fee".to_owned(), birth: desk.now().plus_seconds(3_600) });
    assert_eq!(desk.refused(&ahead).await, "born_later");
    assert!(desk.0.twin.items().is_empty());
}

#[tokio::test]
async fn a_reference_is_found_however_many_entries_came_after_it() {
    let desk = Desk::new();
    let order = |number: u32| desk.order(&format!("stl_{number}/fee"), shop(), fee(), 100 + number);
    let orders: Vec<Call<Value>> = (0..40).map(order).collect();
    for order in &orders {
        desk.done(order).await;
    }
    let other = json!({ "kind": "franchise", "franchiseId": FranchiseId::derive(&["other"]) });
    desk.done(&desk.order("stl_0/fee", other, fee(), 100)).await;
    desk.done(&orders[0]).await;
    assert_eq!(desk.journal().len(), 41, "each franchise has references of its own");
}
