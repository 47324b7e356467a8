//! auditPayment, called as money's auditLedger calls it: it sums up what is right and names each rule that somebody
//! breaks in the table.

use crate::{
    Pay, id_of, payer,
    services::{Fault, Plan, Trying},
    shop, won,
};
use contract::{
    Caller,
    audit::{payable_open, payable_recorded},
};
use kernel::{Id, Money, Timestamp, id::PaymentId};
use payment::{
    domain::Position,
    items::{Canceled, Cancellation, CollectedPage, Payment, PaymentState},
};
use serde_json::{Value, json};
use std::sync::Arc;
use store::{AttributeValue, Condition, Item, Read, Record, Write};

const PAID: u64 = 15_000;
const OTHER: u64 = 7_000;
const WAITING: u64 = 3_000;
const BACK: u64 = 4_000;
const ON_ITS_WAY: u64 = 1_000;

/// A payment that is partly back, with another part on its way back; one more, one that failed, and one of which
/// nobody knows yet.
struct Paid {
    pay: Pay,
    normal: PaymentId,
    other: PaymentId,
    failed: PaymentId,
    waiting: PaymentId,
    /// A minute after the first payment, and a minute before anything else.
    middle: Timestamp,
}

impl Paid {
    async fn all() -> Paid {
        let pay = Pay::new().await;
        pay.recharge(payer(), 25_000).await;
        pay.bench.world.pass_seconds(1);
        let normal = pay.paid(PAID, "normal").await;
        let middle = pay.now().plus_seconds(60);
        pay.bench.world.pass_seconds(120);
        let other = pay.paid(OTHER, "other").await;
        let back = pay.cancel(&normal, "back", json!({ "amount": won(BACK) })).await;
        assert_eq!(back.status, 201, "{}", back.body);
        pay.services.fail_as(vec![Fault::Before]);
        let on_its_way = pay.cancel(&normal, "lost", json!({ "amount": won(ON_ITS_WAY) })).await;
        assert_eq!(on_its_way.status, 202, "{}", on_its_way.body);
        *pay.services.is_linked.lock().unwrap() = false;
        let failed = pay.pay(100_000, "failed").await.header("location").unwrap().to_owned();
        pay.services.fail_as(vec![Fault::Before]);
        let waiting = pay.pay(WAITING, "waiting").await;
        assert_eq!((waiting.status, &waiting.body["state"]), (202, &json!("requested")));
        let waiting = id_of(waiting.header("location").unwrap());
        pay.bench.world.pass_seconds(30);
        let (normal, other, failed) = (id_of(&normal), id_of(&other), id_of(&failed));
        Paid { pay, normal, other, failed, waiting, middle }
    }

    async fn item(&self, id: PaymentId) -> Item {
        let table = &self.pay.bench.context.table;
        table.get(&Payment::key_of(id), Read::Consistent).await.unwrap().unwrap()
    }

    async fn put(&self, item: Item) {
        self.pay.bench.context.table.commit(&[Write::Put(item, Condition::Always)]).await.unwrap();
    }

    /// Changes a payment where it lies.
    async fn change(&self, id: PaymentId, change: impl FnOnce(&mut Payment)) {
        let mut payment: Payment = store::read(self.item(id).await).unwrap();
        change(&mut payment);
        self.put(payment.to_item().unwrap()).await;
    }

    async fn audit(&self, cut: Timestamp, slack_seconds: u32) -> Value {
        let caller = Caller::Service("money.auditLedger".to_owned());
        let page = json!({ "cut": cut, "slackSeconds": slack_seconds });
        let audited = self.pay.bench.call("auditPayment", caller, page).await.unwrap().body;
        assert_eq!(audited["after"], Value::Null, "a table this small is one page");
        audited
    }

    async fn sums(&self, cut: Timestamp) -> Value {
        self.audit(cut, 0).await["sums"].clone()
    }

    /// What is found as of now: rules and subjects.
    async fn found(&self) -> Vec<(String, String)> {
        let audited = self.audit(self.pay.now(), 0).await;
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        let findings = audited["findings"].as_array().unwrap().iter();
        findings.map(|finding| (text(finding, "rule"), text(finding, "subject"))).collect()
    }
}

/// The sums of what the shop is owed, and of what is on its way to it or back.
fn owed() -> String {
    payable_recorded(shop())
}

fn owed_openly() -> String {
    payable_open(shop())
}

fn part(amount: u32) -> Cancellation {
    Cancellation {
        cancellation_id: Id::derive(&["more"]),
        amount: Money::won(amount),
        reason: None,
        requested_at: Timestamp::EPOCH,
        refunded_at: None,
        entered_at: None,
        fingerprint: String::new(),
        traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
    }
}

#[tokio::test]
async fn what_was_paid_and_is_back_is_summed_up_and_what_was_open_is_set_apart() {
    let paid = Paid::all().await;
    let audited = paid.audit(paid.pay.now(), 0).await;
    assert_eq!(audited["findings"], json!([]));
    assert_eq!(audited["checked"], 6, "four payments, a cancellation and the copy of the shop");
    let sums = json!({
        "recorded.paid": PAID + OTHER, "open.paid": WAITING,
        "recorded.refunded": BACK, "open.refunded": ON_ITS_WAY,
        (owed()): PAID + OTHER - BACK, (owed_openly()): WAITING + ON_ITS_WAY,
    });
    assert_eq!(audited["sums"], sums, "what failed is in neither");
}

/// A record has its ledger entry's own time, so that clocks' differences put it on the same side as the entry.
#[tokio::test]
async fn sums_are_as_of_the_cut() {
    let paid = Paid::all().await;
    let first = json!({ "recorded.paid": PAID, (owed()): PAID });
    assert_eq!(paid.sums(paid.middle).await, first, "what is back by now was not asked for then");
    assert_eq!(paid.audit(paid.middle, 300).await["sums"], first);
    assert_eq!(paid.sums(Timestamp::EPOCH).await, json!({}));

    let known: Payment = store::read(paid.item(paid.other).await).unwrap();
    let approved_at = known.approved_at.unwrap();
    paid.change(paid.other, |payment| payment.requested_at = approved_at.plus_seconds(-1)).await;
    assert_eq!(paid.sums(approved_at).await, first, "the ledger books it after the cut");

    // The sweeper brings the rest to its end: nothing is open any more, and nothing changes before.
    let before = paid.pay.now();
    paid.pay.bench.world.pass_seconds(600);
    paid.pay.sweep().await;
    paid.pay.bench.world.pass_seconds(1);
    let audited = paid.audit(paid.pay.now(), 0).await;
    assert_eq!(audited["findings"], json!([]));
    assert_eq!(
        (&audited["sums"]["open.paid"], &audited["sums"]["open.refunded"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(audited["sums"]["recorded.refunded"], BACK + ON_ITS_WAY);
    let earlier = paid.sums(before).await;
    assert_eq!(
        (&earlier["recorded.paid"], &earlier["recorded.refunded"]),
        (&json!(PAID + OTHER), &json!(BACK))
    );
}

#[tokio::test]
async fn every_broken_rule_is_named_with_its_id() {
    type Of = fn(&Paid) -> PaymentId;
    type Change = fn(&mut Payment);
    let rules: &[(&[&str], Of, Change)] = &[
        (&["canceled_above_paid"], |paid| paid.normal, |payment| payment.amount = Money::won(4_999)),
        (&["canceled_above_paid"], |paid| paid.normal, |payment| payment.cancellations.push(part(10_001))),
        (
            &["canceled_above_paid"],
            |paid| paid.other,
            |payment| payment.cancellations = vec![Cancellation { amount: Money::MAX, ..part(1) }, part(1)],
        ),
        (&["end_unsaid"], |paid| paid.normal, |payment| payment.approved_at = None),
        (&["end_unsaid"], |paid| paid.other, |payment| payment.approved_at = None),
        (&["end_unsaid"], |paid| paid.other, |payment| payment.failure_reason = Some("odd".to_owned())),
        (&["end_unsaid"], |paid| paid.failed, |payment| payment.failure_reason = None),
        (&["end_unsaid"], |paid| paid.failed, |payment| payment.approved_at = Some(payment.requested_at)),
        (&["end_unsaid"], |paid| paid.waiting, |payment| payment.approved_at = Some(payment.requested_at)),
        (&["end_unsaid"], |paid| paid.waiting, |payment| payment.state = PaymentState::Normal),
        (&["end_unsaid", "end_unsaid"], |paid| paid.failed, |payment| payment.state = PaymentState::Normal),
        (&["canceled_before_paid"], |paid| paid.waiting, |payment| payment.cancellations.push(part(1))),
        (&["canceled_before_paid"], |paid| paid.failed, |payment| payment.cancellations.push(part(1))),
    ];
    for (number, (rules, of, change)) in rules.iter().enumerate() {
        let paid = Paid::all().await;
        let id = of(&paid);
        paid.change(id, change).await;
        let wanted: Vec<_> = rules.iter().map(|rule| ((*rule).to_owned(), id.to_string())).collect();
        assert_eq!(paid.found().await, wanted, "rule {number}");
    }
    let paid = Paid::all().await;
    paid.change(paid.normal, |payment| payment.cancellations.push(part(10_000))).await;
    assert_eq!(paid.found().await, [], "all of it may be taken back");
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_hides_nothing_else() {
    let paid = Paid::all().await;
    let mut item = paid.item(paid.normal).await;
    item.insert("state".to_owned(), AttributeValue::S("sideways".to_owned())).unwrap();
    paid.put(item).await;
    paid.change(paid.failed, |payment| payment.failure_reason = None).await;
    let mut found = paid.found().await;
    found.sort();
    let unreadable = ("unreadable".to_owned(), format!("{}/payment", paid.normal));
    assert_eq!(found[1..], [("end_unsaid".to_owned(), paid.failed.to_string()), unreadable]);
    assert_eq!(found[0].0, "cancellation_unknown", "who asks for it finds nothing");
    let sums = json!({
        "recorded.paid": OTHER, "open.paid": WAITING, (owed()): OTHER, (owed_openly()): WAITING,
    });
    assert_eq!(paid.sums(paid.pay.now()).await, sums);
}

/// What a settled shop's table has: two days with payments, one of them taken back in part, settled in two lines.
async fn settled() -> (Paid, Vec<crate::settling::Line>) {
    let paid = Paid::all().await;
    let mut chain = crate::settling::Chain::default();
    let today = paid.pay.now().business_day();
    let first = chain.settle(&paid.pay, today.clone()).await;
    let second = chain.settle(&paid.pay, today.plus_days(1)).await;
    (paid, vec![first, second])
}

impl Paid {
    /// Every item of a kind.
    fn items(&self, kind: &str) -> Vec<Item> {
        self.pay.bench.twin.items().into_iter().filter(|item| store::kind_of(item) == kind).collect()
    }

    /// Changes the first record of a kind where it lies.
    async fn change_first<R: Record>(&self, change: impl FnOnce(&mut R)) {
        let mut record: R = store::read(self.items(R::KIND)[0].clone()).unwrap();
        change(&mut record);
        self.put(record.to_item().unwrap()).await;
    }

    async fn remove(&self, item: &Item) {
        let text = |name: &str| match item.get(name) {
            Some(AttributeValue::S(text)) => text.clone(),
            _ => String::new(),
        };
        let key = store::Key::new(text("pk"), text("sk"));
        self.pay.bench.context.table.commit(&[Write::Delete(key, Condition::Present)]).await.unwrap();
    }

    async fn rules(&self) -> Vec<String> {
        let mut rules: Vec<String> = self.found().await.into_iter().map(|(rule, _)| rule).collect();
        rules.sort();
        rules
    }
}

#[tokio::test]
async fn what_settlements_have_is_summed_up_and_held_against_the_payments() {
    let (paid, lines) = settled().await;
    assert_eq!(paid.found().await, []);
    let sums = paid.sums(paid.pay.now().plus_seconds(1)).await;
    assert_eq!((&sums["manifest.paid"], &sums["manifest.canceled"]), (&json!(PAID + OTHER), &json!(BACK)));
    assert_eq!(paid.sums(paid.pay.now()).await["manifest.paid"], Value::Null, "not before it was recorded");
    assert_eq!(lines[1].manifest.totals, []);
}

#[tokio::test]
async fn every_broken_rule_of_settlement_is_named() {
    let (paid, _) = settled().await;
    paid.remove(&paid.items(Canceled::KIND)[0]).await;
    assert_eq!(paid.rules().await, ["cancellation_unrecorded", "listed_missing", "manifest_totals"]);

    let (paid, _) = settled().await;
    paid.change_first(|canceled: &mut Canceled| canceled.amount = Money::won(1)).await;
    assert_eq!(paid.rules().await, ["cancellation_unknown", "cancellation_unrecorded", "manifest_totals"]);

    let (paid, _) = settled().await;
    paid.change(paid.other, |payment| payment.amount = Money::won(1)).await;
    assert_eq!(paid.rules().await, ["manifest_totals"]);

    let (paid, _) = settled().await;
    paid.change(paid.other, |payment| payment.franchise_id = Id::derive(&["another"])).await;
    assert_eq!(paid.rules().await, ["listed_missing", "manifest_totals"]);

    // A page that is torn, one that lists a thing twice, one that is not of its days.
    type Change = fn(&mut CollectedPage, PaymentId);
    let pages: [(Change, &[&str]); 4] = [
        (|page, _| page.begins = Position::first(page.through.plus_days(-7)), &["manifest_torn"]),
        (|page, id| page.push(id, None), &["listed_twice"]),
        (|page, _| page.totals.clear(), &["group_totals", "manifest_totals"]),
        (
            |page, _| page.ends = Some(page.begins.clone()),
            &["listed_elsewhere", "manifest_incomplete", "manifest_torn"],
        ),
    ];
    for (change, rules) in pages {
        let (paid, _) = settled().await;
        let item = paid.items(CollectedPage::KIND)[0].clone();
        let mut page: CollectedPage = store::read(item.clone()).unwrap();
        change(&mut page, paid.other);
        paid.remove(&item).await;
        paid.put(page.to_item().unwrap()).await;
        assert_eq!(paid.rules().await, rules);
    }
}

#[tokio::test]
async fn what_two_settlements_have_or_none_is_named() {
    // Somebody forgets to leave out what the first line has.
    let paid = Paid::all().await;
    let mut chain = crate::settling::Chain::default();
    let today = paid.pay.now().business_day();
    for days in [0, 1] {
        chain.settle(&paid.pay, today.plus_days(days)).await;
    }
    let mut order = chain.order(&today, &today.plus_days(2));
    order.settled.clear();
    let manifest = crate::settling::collect(&paid.pay, &order).await;
    let line = crate::settling::Chain::line(order, manifest, paid.pay.now());
    crate::settling::finish(&paid.pay, &line).await.unwrap();
    let twice = ["manifest_overlaps", "settled_twice", "settled_twice", "settled_twice"];
    assert_eq!(paid.rules().await, twice, "two payments and a cancellation");

    // A record that comes when all windows are over is in no settlement, and stays so.
    let paid = Paid::all().await;
    let mut chain = crate::settling::Chain::default();
    let late = paid.item(paid.other).await;
    paid.remove(&late).await;
    for days in 0..3 {
        chain.settle(&paid.pay, today.plus_days(days)).await;
    }
    paid.put(late).await;
    assert_eq!(paid.rules().await, [""; 0], "the windows are not over");
    chain.settle(&paid.pay, today.plus_days(3)).await;
    assert_eq!(paid.found().await, [("left_behind".to_owned(), paid.other.to_string())]);
}

/// The functions that write records were broken for days: a settlement to come must still find what the ledger has
/// moved, and what is compared with the ledger goes by its own time.
#[tokio::test]
async fn what_is_recorded_days_late_is_settled_all_the_same() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 20_000).await;
    let path = pay.paid(5_000, "k").await;
    let lost = || pay.services.fail_as(vec![Fault::AnswerLost]);
    lost();
    let late = pay.pay(7_000, "late").await;
    lost();
    let back = pay.cancel(&path, "back", json!({})).await;
    assert_eq!((late.status, back.status), (202, 202));
    let (other, normal) = (id_of(late.header("location").unwrap()), id_of(&path));
    let entered_at = pay.entries(other)[0].time;
    let paid = Paid { pay, normal, other, failed: normal, waiting: normal, middle: entered_at };

    let (mut chain, today) = (crate::settling::Chain::default(), entered_at.business_day());
    for days in 0..4 {
        chain.settle(&paid.pay, today.plus_days(days)).await;
        paid.pay.bench.world.pass_seconds(86_400);
    }
    let now = paid.pay.now();
    paid.pay.sweep().await;
    let stored: Payment = store::read(paid.item(other).await).unwrap();
    assert_eq!((stored.approved_at, stored.entered_at), (Some(now), Some(entered_at)));
    let part = store::read::<Payment>(paid.item(normal).await).unwrap().cancellations.remove(0);
    assert_eq!((part.refunded_at, part.entered_at.is_some()), (Some(now), true));
    let listed = paid.pay.get("/v1/payments", payer(), "member").await.body;
    assert_eq!(listed["items"][0]["paymentId"], json!(other), "it is listed where it is settled");

    let mut lines = Vec::new();
    for days in 4..8 {
        lines.push(chain.settle(&paid.pay, today.plus_days(days)).await);
    }
    let totals = &lines[0].manifest.totals[0];
    assert_eq!((totals.paid, totals.canceled), (Money::won(7_000), Money::won(5_000)));
    assert!(lines[1..].iter().all(|line| line.manifest.totals.is_empty()));
    assert_eq!(paid.found().await, []);
    let shown = paid.pay.seen(late.header("location").unwrap()).await;
    assert_eq!(
        (&shown["state"], &shown["settlementId"]),
        (&json!("settled"), &json!(lines[0].settlement_id))
    );
    let sums = paid.sums(entered_at.plus_seconds(1)).await;
    assert_eq!((&sums["recorded.paid"], &sums["recorded.refunded"]), (&json!(12_000), &json!(5_000)));
}

/// Whoever dies between a cancellation's record and its payment's item is followed by one who finds the record's place.
#[tokio::test]
async fn a_late_cancellation_has_one_place_whoever_records_it() {
    let mut pay = Pay::new().await;
    pay.recharge(payer(), 20_000).await;
    let path = pay.paid(5_000, "k").await;
    pay.services.fail_as(vec![Fault::AnswerLost]);
    assert_eq!(pay.cancel(&path, "back", json!({})).await.status, 202);
    pay.bench.world.pass_seconds(86_400 * 3);
    let calm = pay.bench.context.table.clone();
    let plan = vec![Fault::None, Fault::None, Fault::Before];
    pay.bench.context.table = Arc::new(Trying { inner: pay.bench.twin.clone(), plan: Plan::of(plan) });
    let first = pay.now();
    let died = pay.cancel(&path, "back", json!({})).await;
    assert_eq!(died.status, 503, "the record is there, and its payment says nothing of it: {}", died.body);
    pay.bench.context.table = calm;
    pay.bench.world.pass_seconds(86_400 * 3);
    pay.sweep().await;
    let seen = pay.seen(&path).await;
    assert_eq!(seen["cancellations"][0]["refundedAt"], json!(first));
    let page = json!({ "cut": Timestamp::END, "slackSeconds": 0 });
    let audited = pay.bench.call("auditPayment", Caller::Platform, page).await.unwrap().body;
    assert_eq!(audited["findings"], json!([]));
}
