//! Histories of settlement: payments and cancellations whose place in the index shows late, several collectors at
//! once, of one run and of different runs, dying at any call; lines recorded by the chain's rule. Whatever happens,
//! each payment and each cancellation ends in the manifest of exactly one line, and no page ever changes.

use crate::{
    Pay, franchise, operator,
    services::Fault,
    settling::{Chain, collect, collect_once, finish, rows},
    shop,
};
use async_trait::async_trait;
use contract::{Caller, testing::Request};
use events::franchise::FranchiseRegistered;
use kernel::{BasisPoints, Id, Money, SeoulDay, Timestamp, id::PaymentId};
use payment::{
    domain::OrderId,
    items::{Canceled, Cancellation, CollectedPage, Payment, PaymentState},
};
use proptest::prelude::*;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use store::{
    AttributeValue, CommitError, Condition, Item, Key, Page, Query, Read, Record, Scope, Table, Unavailable,
    Write, kind_of, twin::Twin,
};

/// A payment as a history has it: everything in days, so that windows are easy to count.
#[derive(Clone, Debug)]
struct Sale {
    day: i64,
    second: i64,
    amount: u32,
    fee: u16,
    /// How many windows later the index shows it for certain.
    late: i64,
    /// Parts that are taken back: how many days later, and how late that shows.
    back: Vec<(i64, i64)>,
}

fn sales() -> impl Strategy<Value = Vec<Sale>> {
    let back = prop::collection::vec((0..3_i64, 0..3_i64), 0..3);
    let sale =
        (0..4_i64, 0..86_400_i64, 10..5_000_u32, prop::sample::select(vec![0_u16, 100, 250]), 0..3_i64, back);
    let sale =
        sale.prop_map(|(day, second, amount, fee, late, back)| Sale { day, second, amount, fee, late, back });
    prop::collection::vec(sale, 0..40)
}

/// The table as an executor of settlement sees it: what is late is in its index now and then at most, and any call may
/// fail or lose its answer.
struct Seen {
    twin: Arc<Twin>,
    plan: Mutex<std::vec::IntoIter<Fault>>,
    /// From when on the index shows an item for certain.
    shows: Arc<BTreeMap<Key, SeoulDay>>,
    today: Mutex<SeoulDay>,
    glimpses: Mutex<u64>,
}

impl Seen {
    fn next(&self) -> Fault {
        self.plan.lock().unwrap().next().unwrap_or(Fault::None)
    }

    /// A late item is glimpsed by one look and not by the next, as replicas of an index differ.
    fn is_shown(&self, item: &Item) -> bool {
        let key = |name: &str| match item.get(name) {
            Some(AttributeValue::S(text)) => text.clone(),
            _ => String::new(),
        };
        let due = self.shows.get(&Key::new(key("pk"), key("sk"))).cloned();
        let mut glimpses = self.glimpses.lock().unwrap();
        *glimpses = glimpses.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        due.is_none_or(|due| due <= *self.today.lock().unwrap()) || *glimpses >> 62 == 0
    }
}

#[async_trait]
impl Table for Seen {
    async fn get(&self, key: &Key, how: Read) -> Result<Option<Item>, Unavailable> {
        tokio::task::yield_now().await;
        match self.next() {
            Fault::Before | Fault::AnswerLost => Err(Unavailable("fault".to_owned())),
            _ => self.twin.get(key, how).await,
        }
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        tokio::task::yield_now().await;
        if matches!(self.next(), Fault::Before | Fault::AnswerLost) {
            return Err(Unavailable("fault".to_owned()));
        }
        let mut page = self.twin.query(query).await?;
        if matches!(query.scope, Scope::Index(_, _)) {
            page.items.retain(|item| self.is_shown(item));
        }
        Ok(page)
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        tokio::task::yield_now().await;
        match self.next() {
            Fault::Before => Err(Unavailable("fault".to_owned()).into()),
            Fault::Conflict => Err(CommitError::Contended),
            Fault::AnswerLost => {
                self.twin.commit(writes).await?;
                Err(Unavailable("fault".to_owned()).into())
            }
            _ => self.twin.commit(writes).await,
        }
    }
}

fn first_day() -> SeoulDay {
    events::example_time().business_day()
}

fn moment(day: i64, second: i64) -> Timestamp {
    first_day().plus_days(day).business_opens_at().plus_seconds(second)
}

/// A payment and the records of its parts, each with the day from which on the index shows it.
fn stored(place: usize, sale: &Sale) -> Vec<(Item, Key, SeoulDay)> {
    let approved_at = moment(sale.day, sale.second);
    let part = |(number, (days, _)): (usize, &(i64, i64))| Cancellation {
        cancellation_id: Id::derive(&[&format!("{place}/{number}")]),
        amount: Money::won(1 + sale.amount / 4),
        reason: None,
        requested_at: approved_at,
        refunded_at: Some(approved_at.plus_seconds(days * 86_400)),
        entered_at: None,
        fingerprint: String::new(),
        traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
    };
    let payment = Payment {
        payment_id: PaymentId::derive(&[&place.to_string()]),
        membership_id: crate::payer(),
        franchise_id: shop(),
        order_id: OrderId::parse(&format!("order-{place}")).unwrap(),
        amount: Money::won(sale.amount),
        fee_bps: BasisPoints::try_new(sale.fee).unwrap(),
        bank_account_id: None,
        requested_at: approved_at,
        payable_until: approved_at,
        fingerprint: String::new(),
        state: PaymentState::Normal,
        top_up: None,
        failure_reason: None,
        approved_at: Some(approved_at),
        entered_at: None,
        cancellations: sale.back.iter().enumerate().map(part).collect(),
        version: 1,
        attempts: 0,
        leased_until: approved_at,
        traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
    };
    let shown = |at: Timestamp, late: i64| at.business_day().plus_days(late);
    let mut all = vec![(payment.to_item().unwrap(), payment.key(), shown(approved_at, sale.late))];
    for (part, (_, late)) in payment.cancellations.iter().zip(&sale.back) {
        let refunded_at = part.refunded_at.unwrap();
        let canceled = Canceled::of(&payment, part, part.moved().unwrap());
        all.push((canceled.to_item().unwrap(), canceled.key(), shown(refunded_at, *late)));
    }
    all
}

/// One executor of a run: it stands on the line that it saw last, collects, and records if nobody else has meanwhile;
/// otherwise it begins anew. It gives up when it dies.
async fn attempt(pay: &Pay, chain: &Mutex<Chain>, through: &SeoulDay, patience: u32) {
    let mut patience = patience;
    loop {
        if !chain.lock().unwrap().is_after(through.as_str()) {
            return;
        }
        let order = chain.lock().unwrap().order(&first_day(), through);
        let manifest = loop {
            tokio::task::yield_now().await;
            match collect_once(pay, &order).await {
                Ok(manifest) if manifest.complete => break manifest,
                Ok(_) => {}
                Err(problem) => {
                    assert!(problem.status >= 500, "{problem}");
                    patience -= 1;
                }
            }
            if patience == 0 {
                return;
            }
        };
        // Put if absent at the next sequence.
        let mut chain = chain.lock().unwrap();
        if u64::try_from(chain.lines.len()).unwrap() + 1 == order.name.sequence {
            chain.lines.push(Chain::line(order, manifest, Timestamp::EPOCH));
            return;
        }
    }
}

/// A run: its last day, in days after the last one's, and how long each of its executors lives.
type Run = (i64, Vec<u32>);

struct History {
    pay: Pay,
    seen: Arc<Seen>,
    chain: Chain,
}

async fn history(sales: &[Sale], runs: &[Run], faults: Vec<Fault>, config: (u32, u32, u32)) -> History {
    let mut pay = Pay::without_shop();
    pay.tell(&FranchiseRegistered { franchise: franchise(1), registered_at: pay.now() }).await;
    let mut shows = BTreeMap::new();
    for (place, sale) in sales.iter().enumerate() {
        for (item, key, shown) in stored(place, sale) {
            pay.bench.twin.commit(&[Write::Put(item, Condition::Absent)]).await.unwrap();
            shows.insert(key, shown);
        }
    }
    let seen = Arc::new(Seen {
        twin: pay.bench.twin.clone(),
        plan: Mutex::new(faults.into_iter()),
        shows: Arc::new(shows),
        today: Mutex::new(first_day()),
        glimpses: Mutex::new(1),
    });
    pay.bench.context.table = seen.clone();
    let (bytes, items, lists) = config;
    pay.bench.context.settings.config =
        json!({ "manifestPageBytes": bytes, "manifestCallItems": items, "manifestCallLists": lists });
    let chain = Mutex::new(Chain::default());
    let mut through = first_day();
    for (days, lives) in runs {
        let last = through.clone();
        through = through.plus_days(*days);
        *seen.today.lock().unwrap() = through.clone();
        // Executors of this run, and one of the run before that was forgotten.
        let mut executors: Vec<_> = lives.iter().map(|life| (through.clone(), *life)).collect();
        executors.push((last, 1));
        let all = executors.iter().map(|(through, life)| attempt(&pay, &chain, through, *life));
        futures_util::future::join_all(all).await;
    }
    // From then on every day is settled, in peace, until the last windows are over.
    *seen.plan.lock().unwrap() = Vec::new().into_iter();
    for _ in 0..8 {
        through = through.plus_days(1);
        *seen.today.lock().unwrap() = through.clone();
        attempt(&pay, &chain, &through, 1).await;
    }
    let chain = chain.into_inner().unwrap();
    History { pay, seen, chain }
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let lives = prop::collection::vec(1..6_u32, 0..4);
    prop::collection::vec((0..3_i64, lives), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_settled_exactly_once(
        sales in sales(),
        runs in runs(),
        faults in prop::collection::vec(crate::faults::fault(), 0..200),
        bytes in prop::sample::select(vec![16_u32, 48, 160, 8_000]),
        items in prop::sample::select(vec![2_u32, 5, 4_000]),
        lists in prop::sample::select(vec![1_u32, 3, 64]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let history = history(&sales, &runs, faults, (bytes, items, lists)).await;
            judge(&sales, &history).await;
        });
    }
}

async fn judge(sales: &[Sale], history: &History) {
    let History { pay, seen, chain } = history;
    let mut missing: BTreeMap<String, u64> = BTreeMap::new();
    for (place, sale) in sales.iter().enumerate() {
        let payment = PaymentId::derive(&[&place.to_string()]);
        missing.insert(format!("{payment}"), u64::from(sale.amount));
        for number in 0..sale.back.len() {
            let id = kernel::id::CancellationId::derive(&[&format!("{place}/{number}")]);
            missing.insert(format!("{payment}/{id}"), u64::from(1 + sale.amount / 4));
        }
    }
    let mut listed = Vec::new();
    for line in &chain.lines {
        let (mut paid, mut canceled) = (0, 0);
        let mut payments = BTreeSet::new();
        for row in rows(pay, &line.order.name).await {
            if row.cancellation_id.is_none() {
                payments.insert(row.payment_id.to_string());
            }
            let id = row
                .cancellation_id
                .map_or_else(|| row.payment_id.to_string(), |id| format!("{}/{id}", row.payment_id));
            let amount = row.amount.amount();
            assert_eq!(missing.remove(&id), Some(amount), "{id} is settled twice");
            *if row.cancellation_id.is_some() { &mut canceled } else { &mut paid } += amount;
        }
        let sum = |of: fn(&contract::peers::FeeTotals) -> Money| {
            line.manifest.totals.iter().map(of).map(Money::amount).sum::<u64>()
        };
        assert_eq!((sum(|fee| fee.paid), sum(|fee| fee.canceled)), (paid, canceled));
        assert_eq!(collect(pay, &line.order).await, line.manifest, "asked again, it is the same");
        listed.push(payments);
    }
    assert!(missing.is_empty(), "never settled: {missing:?}");
    for change in pay.bench.twin.take_changes() {
        let is_page = change.new.as_ref().is_some_and(|item| kind_of(item) == CollectedPage::KIND);
        assert!(!is_page || change.old.is_none(), "a page was changed");
    }
    // The lines are finished one by one; what is not yet is normal, and the audit finds nothing.
    let mut open: BTreeSet<String> =
        (0..sales.len()).map(|place| PaymentId::derive(&[&place.to_string()]).to_string()).collect();
    for (line, payments) in chain.lines.iter().zip(listed) {
        finish(pay, line).await.unwrap();
        open.retain(|payment| !payments.contains(payment));
        if !payments.is_empty() {
            assert_eq!(normal(pay).await, open, "after {:?}", line.order);
        }
    }
    let page = json!({ "cut": Timestamp::END, "slackSeconds": 0 });
    let audited = pay.bench.call("auditPayment", Caller::Platform, page).await.unwrap().body;
    assert_eq!(audited["findings"], json!([]), "{:?}", seen.today);
}

/// Everything that is listed as not settled yet.
async fn normal(pay: &Pay) -> BTreeSet<String> {
    let (from, to) = (moment(-1, 0), moment(20, 0));
    let list = format!("/v1/payments/normal?franchiseId={}&from={from}&to={to}&limit=7", shop());
    let (mut found, mut next) = (BTreeSet::new(), list.clone());
    for _ in 0..40 {
        let request = Request::new("GET", &next).caller(operator(), "member operator");
        let answer = pay.bench.send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        for one in answer.body["items"].as_array().unwrap() {
            assert_eq!(one["state"], "normal");
            assert!(found.insert(one["paymentId"].as_str().unwrap().to_owned()), "shown twice");
        }
        let Some(cursor) = answer.body["nextCursor"].as_str() else { return found };
        next = format!("{list}&cursor={cursor}");
    }
    panic!("the list never ends");
}
