//! Settlement on its twin; payment, money, banking and franchise are played by what they know, as idempotent as they
//! are themselves. What goes wrong is planned by number: every commit and every call is a place.

use async_trait::async_trait;
use contract::{
    Caller, Problem,
    peers::{
        BankParty, FeeTotals, FinishedGroup, FirmbankingOrder, FirmbankingState, FranchisePageQuestion,
        FranchiseQuestion, ListedFranchise, ManifestName, ManifestOrder, ManifestPageQuestion, ManifestRow,
        TransferOrder, TransferParty,
    },
    ports::{Calls, Clock as _, DirectAnswer, DirectCall, Unanswered},
    testing::{Answer, Bench, Request, World},
};
use events::franchise::{Franchise, FranchiseState, SettlementCycle};
use kernel::{
    BasisPoints, FeeSchedule, Id, Money, SeoulDay, Timestamp,
    id::{BankAccountId, FranchiseId, MembershipId, SettlementId},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};
use store::{CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, twin::Twin};

pub fn day(text: &str) -> SeoulDay {
    text.parse().unwrap()
}

/// The last business day that is over when a test begins.
pub fn yesterday() -> SeoulDay {
    day("2026-11-21")
}

pub fn owner() -> MembershipId {
    Id::derive(&["owner"])
}

pub fn stranger() -> MembershipId {
    Id::derive(&["stranger"])
}

pub fn account(name: &str) -> BankAccountId {
    Id::derive(&["account", name])
}

pub fn shop(name: &str) -> FranchiseId {
    Id::derive(&["shop", name])
}

/// What the bank does with an order that is not certain yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    Moves,
    Declines,
    Unknown,
    Silent,
    /// Banking says no without a record, which it should never do.
    Faulty,
}

/// A payment or cancellation, and the business day in which it lies.
#[derive(Clone, Debug)]
pub struct Paid {
    pub franchise: FranchiseId,
    pub day: SeoulDay,
    pub row: ManifestRow,
}

/// An order at the bank.
#[derive(Clone, Debug)]
pub struct Order {
    pub body: FirmbankingOrder,
    pub moved: Option<bool>,
}

/// Where the execution dies: at which place, and whether what it did there was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Death {
    pub place: Option<u64>,
    pub done: bool,
    /// Only that one call fails, and everything after it goes well.
    pub only_there: bool,
}

#[derive(Default)]
pub struct Others {
    pub franchises: Vec<ListedFranchise>,
    pub paid: Vec<Paid>,
    pub manifests: BTreeMap<(FranchiseId, ManifestName), Vec<ManifestRow>>,
    /// How often a manifest is asked for before it is complete.
    pub patience: u32,
    pub asked_for: BTreeMap<(FranchiseId, ManifestName), u32>,
    /// How long payment takes to collect a part.
    pub collecting_seconds: i64,
    pub groups: BTreeMap<(FranchiseId, ManifestName), FinishedGroup>,
    pub ledger: BTreeMap<String, (TransferOrder, Timestamp)>,
    pub mood: Option<Mood>,
    pub orders: BTreeMap<String, Order>,
    /// Accounts that banking knows no more.
    pub unlinked: BTreeSet<BankAccountId>,
    pub silent: Option<&'static str>,
    pub rows_a_page: usize,
    /// How many items a page of the table has at most, however many are asked for.
    pub items_a_page: Option<u32>,
    pub seen: Vec<String>,
    // What goes wrong.
    pub death: Death,
    pub dead: bool,
    pub places: u64,
    /// How the tasks of a test take turns.
    pub turns: Vec<u8>,
    pub turn: usize,
}

pub struct Wires {
    twin: Arc<Twin>,
    pub others: Mutex<Others>,
    world: Arc<World>,
}

pub struct Town {
    pub bench: Bench,
    pub wires: Arc<Wires>,
}

/// What happens at a place.
enum Fate {
    Lives,
    DiesBefore,
    DiesAfter,
}

impl Wires {
    pub fn others(&self) -> MutexGuard<'_, Others> {
        self.others.lock().unwrap()
    }

    async fn take_turns(&self) {
        let times = {
            let mut others = self.others();
            others.turn += 1;
            let turn = others.turn;
            if others.turns.is_empty() { 0 } else { others.turns[turn % others.turns.len()] }
        };
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    }

    fn fate(&self) -> Fate {
        let mut others = self.others();
        if others.dead {
            return Fate::DiesBefore;
        }
        let here = others.places;
        others.places += 1;
        if others.death.place != Some(here) {
            return Fate::Lives;
        }
        others.dead = !others.death.only_there;
        if others.death.done { Fate::DiesAfter } else { Fate::DiesBefore }
    }
}

fn gone() -> Unavailable {
    Unavailable("dead".to_owned())
}

#[async_trait]
impl Table for Wires {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        self.take_turns().await;
        if self.others().dead { Err(gone()) } else { self.twin.get(key, read).await }
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        self.take_turns().await;
        let Others { dead, items_a_page: most, .. } = *self.others();
        let limit = most.map_or(query.limit, |most| Some(query.limit.map_or(most, |limit| limit.min(most))));
        if dead { Err(gone()) } else { self.twin.query(&Query { limit, ..query.clone() }).await }
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        self.take_turns().await;
        match self.fate() {
            Fate::Lives => self.twin.commit(writes).await,
            Fate::DiesBefore => Err(gone().into()),
            Fate::DiesAfter => {
                let _ = self.twin.commit(writes).await;
                Err(gone().into())
            }
        }
    }
}

#[async_trait]
impl Calls for Wires {
    async fn invoke(&self, call: &DirectCall, _: u32) -> Result<DirectAnswer, Unanswered> {
        self.take_turns().await;
        let lost = || Err(Unanswered("dead".to_owned()));
        let now = self.world.now();
        if call.operation == "payment.collectManifest" {
            self.world.pass_seconds(self.others().collecting_seconds);
        }
        match self.fate() {
            Fate::Lives => self.others().answer(call, now),
            Fate::DiesBefore => lost(),
            Fate::DiesAfter => {
                let _ = self.others().answer(call, now);
                lost()
            }
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(call: &DirectCall) -> T {
    serde_json::from_value(call.body.clone()).unwrap()
}

impl Others {
    fn answer(&mut self, call: &DirectCall, now: Timestamp) -> Result<DirectAnswer, Unanswered> {
        self.seen.push(call.operation.clone());
        if self.silent == Some(call.operation.as_str()) {
            return Err(Unanswered("silent".to_owned()));
        }
        match call.operation.as_str() {
            "franchise.listFranchiseTerms" => Ok(self.list_franchises(&read(call))),
            "franchise.findFranchiseTerms" => {
                let FranchiseQuestion { franchise_id } = read(call);
                let found = self.franchises.iter().find(|it| it.franchise.franchise_id == franchise_id);
                Ok(done(json!({ "franchise": found.map(|it| &it.franchise) })))
            }
            "payment.collectManifest" => Ok(self.collect(read(call))),
            "payment.finishPayments" => {
                let group: FinishedGroup = read(call);
                let key = (group.franchise_id, group.name.clone());
                let payments = self.manifests.get(&key).map_or(0, Vec::len);
                let first = self.groups.entry(key).or_insert_with(|| group.clone());
                assert_eq!(*first, group);
                Ok(done(json!({ "payments": payments })))
            }
            "payment.listManifest" => Ok(self.list_manifest(&read(call))),
            "money.transferMoney" => {
                let order: TransferOrder = read(call);
                let reference = call.reference.clone().unwrap();
                let at = now.max(reference.birth);
                let (known, at) = self.ledger.entry(reference.id).or_insert((order.clone(), at)).clone();
                assert_eq!(known, order, "one reference, one transfer");
                Ok(done(json!({ "amount": known.amount, "transferredAt": at })))
            }
            "banking.requestFirmbanking" => self.firmbanking(call, now),
            other => panic!("{other} is not played here"),
        }
    }

    fn list_franchises(&self, question: &FranchisePageQuestion) -> DirectAnswer {
        let from = question.after.as_ref().map_or(0, |after| after.parse::<usize>().unwrap());
        let page: Vec<_> = self.franchises.iter().skip(from).take(2).collect();
        let end = from + page.len();
        let after = (end < self.franchises.len()).then(|| end.to_string());
        done(json!({ "franchises": page, "after": after }))
    }

    fn collect(&mut self, order: ManifestOrder) -> DirectAnswer {
        let ManifestOrder { franchise_id, name, from, settled } = order;
        let key = (franchise_id, name.clone());
        let asked = self.asked_for.entry(key.clone()).or_default();
        *asked += 1;
        if *asked <= self.patience {
            return done(json!({ "complete": false, "totals": [] }));
        }
        if !self.manifests.contains_key(&key) {
            let known: BTreeSet<String> = settled
                .iter()
                .flat_map(|name| {
                    self.manifests.get(&(franchise_id, name.clone())).cloned().unwrap_or_default()
                })
                .map(|row| id_of(&row))
                .collect();
            let rows = self
                .paid
                .iter()
                .filter(|it| it.franchise == franchise_id && from <= it.day && it.day <= name.through)
                .map(|it| it.row.clone())
                .filter(|row| !known.contains(&id_of(row)))
                .collect();
            self.manifests.insert(key.clone(), rows);
        }
        done(json!({ "complete": true, "totals": totals(&self.manifests[&key]) }))
    }

    fn list_manifest(&self, question: &ManifestPageQuestion) -> DirectAnswer {
        let rows = &self.manifests[&(question.franchise_id, question.name.clone())];
        let from = question.after.as_ref().map_or(0, |after| after.parse::<usize>().unwrap());
        let page: Vec<_> = rows.iter().skip(from).take(self.rows_a_page).collect();
        let end = from + page.len();
        let after = (end < rows.len()).then(|| end.to_string());
        done(json!({ "rows": page, "after": after }))
    }

    fn firmbanking(&mut self, call: &DirectCall, now: Timestamp) -> Result<DirectAnswer, Unanswered> {
        let reference = call.reference.clone().unwrap();
        let body: FirmbankingOrder = read(call);
        let mood = self.mood.unwrap_or(Mood::Moves);
        if mood == Mood::Faulty {
            return Ok(DirectAnswer::Refused(Problem::field("/amount", "is odd")));
        }
        let order =
            self.orders.entry(reference.id.clone()).or_insert(Order { body: body.clone(), moved: None });
        assert_eq!(order.body, body, "one reference, one order");
        let is_unlinked = matches!(
            body.destination, BankParty::Linked { bank_account_id, .. } if self.unlinked.contains(&bank_account_id)
        );
        if order.moved.is_none() {
            order.moved = match mood {
                _ if is_unlinked => Some(false),
                Mood::Moves => Some(true),
                Mood::Declines => Some(false),
                Mood::Unknown | Mood::Silent | Mood::Faulty => None,
            };
        }
        if mood == Mood::Silent {
            return Err(Unanswered("the bank is silent".to_owned()));
        }
        let (state, reason) = match order.moved {
            Some(true) => (FirmbankingState::Succeeded, None),
            Some(false) if is_unlinked => (FirmbankingState::Failed, Some("bank_account_not_found")),
            Some(false) => (FirmbankingState::Failed, Some("account_closed")),
            None => (FirmbankingState::Unknown, None),
        };
        Ok(done(json!({
            "firmbankingId": Id::<kernel::id::kinds::Firmbanking>::derive(&[&reference.id]),
            "source": body.source, "destination": body.destination, "amount": body.amount,
            "state": state, "failureReason": reason, "requestedAt": now,
        })))
    }
}

fn done(body: Value) -> DirectAnswer {
    DirectAnswer::Done(body)
}

pub fn id_of(row: &ManifestRow) -> String {
    row.cancellation_id.map_or_else(|| row.payment_id.to_string(), |id| id.to_string())
}

fn totals(rows: &[ManifestRow]) -> Vec<FeeTotals> {
    let mut by_fee: BTreeMap<BasisPoints, FeeTotals> = BTreeMap::new();
    for row in rows {
        let it = by_fee.entry(row.fee_bps).or_insert(FeeTotals {
            fee_bps: row.fee_bps,
            payments: 0,
            paid: Money::ZERO,
            cancellations: 0,
            canceled: Money::ZERO,
        });
        if row.cancellation_id.is_some() {
            it.cancellations += 1;
            it.canceled = it.canceled.plus(row.amount).unwrap();
        } else {
            it.payments += 1;
            it.paid = it.paid.plus(row.amount).unwrap();
        }
    }
    by_fee.into_values().collect()
}

impl Town {
    pub fn new() -> Town {
        let mut bench = Bench::new(&settlement::SERVICE);
        let wires = Arc::new(Wires {
            twin: bench.twin.clone(),
            others: Mutex::new(Others { rows_a_page: 100, ..Others::default() }),
            world: bench.world.clone(),
        });
        bench.context.table = wires.clone();
        bench.context.calls = wires.clone();
        Town { bench, wires }
    }

    pub fn others(&self) -> MutexGuard<'_, Others> {
        self.wires.others()
    }

    pub fn open_shop(&self, name: &str, cycle: SettlementCycle, registered: &str) -> FranchiseId {
        let registered_at = day(registered).business_opens_at().plus_seconds(3_600);
        let fee_bps = BasisPoints::try_new(250).unwrap();
        let franchise = Franchise {
            franchise_id: shop(name),
            membership_id: owner(),
            bank_account_id: account(name),
            fee_terms: FeeSchedule::starting(registered_at, fee_bps),
            settlement_cycle: cycle,
            state: FranchiseState::Open,
            version: 1,
        };
        self.others().franchises.push(ListedFranchise { franchise, registered_at, closed_at: None });
        shop(name)
    }

    pub fn daily(&self, name: &str) -> FranchiseId {
        self.open_shop(name, SettlementCycle::Daily {}, "2026-11-10")
    }

    /// A payment of a day; with `canceled`, its amount comes back on that day instead.
    pub fn pay(&self, franchise: FranchiseId, on: &SeoulDay, amount: u32, canceled: bool) {
        let mut others = self.others();
        let number = others.paid.len().to_string();
        let row = ManifestRow {
            payment_id: Id::derive(&["payment", &number]),
            cancellation_id: canceled.then(|| Id::derive(&["cancellation", &number])),
            order_id: format!("order-{number}"),
            amount: Money::won(amount),
            fee_bps: BasisPoints::try_new(250).unwrap(),
            at: on.business_opens_at().plus_seconds(3_600),
        };
        others.paid.push(Paid { franchise, day: on.clone(), row });
    }

    pub fn mood(&self, mood: Mood) {
        self.others().mood = Some(mood);
    }

    /// A step, as the state machine takes it.
    pub async fn step(&self, name: &str, input: Value) -> Result<Value, Problem> {
        Ok(self.bench.call(name, Caller::Platform, input).await?.body)
    }

    /// A step of which one write or call fails, the first one at place 0, and nothing else.
    pub async fn stumbling_step(&self, name: &str, input: Value, place: u64) -> Result<Value, Problem> {
        {
            let mut others = self.others();
            let place = Some(others.places + place);
            others.death = Death { place, done: false, only_there: true };
        }
        self.step(name, input).await
    }

    /// Enlists every franchise, page by page.
    pub async fn enlist(&self, of: &SeoulDay) -> Result<(), Problem> {
        let mut after = Value::Null;
        loop {
            let answer = self.step("enlistFranchises", json!({ "businessDay": of, "after": after })).await?;
            after = answer["after"].clone();
            if after.is_null() {
                return Ok(());
            }
        }
    }

    /// An execution of the state machine, but for its waits: it looks at what is open a few times.
    pub async fn execute(&self, of: &SeoulDay) -> Result<(), Problem> {
        self.enlist(of).await?;
        for _ in 0..4 {
            for shard in 0..16 {
                self.settle_shard(of, shard).await?;
            }
            let counted = self.step("countOpenLines", json!({ "businessDay": of })).await?;
            if counted["due"] == 0 {
                break;
            }
        }
        self.step("finishSettlement", json!({ "businessDay": of })).await?;
        Ok(())
    }

    async fn settle_shard(&self, of: &SeoulDay, shard: u8) -> Result<(), Problem> {
        let mut after = Value::Null;
        loop {
            let question = json!({ "businessDay": of, "shard": shard, "after": after });
            let due = self.step("listDueFranchises", question).await?;
            for franchise in due["franchises"].as_array().unwrap() {
                self.settle(of, &franchise["franchiseId"]).await?;
            }
            after = due["after"].clone();
            if after.is_null() {
                return Ok(());
            }
        }
    }

    async fn settle(&self, of: &SeoulDay, franchise: &Value) -> Result<(), Problem> {
        let place = json!({ "businessDay": of, "franchiseId": franchise });
        loop {
            let next = self.step("collectPayments", place.clone()).await?;
            match next["next"].as_str().unwrap() {
                "collect" => {}
                "calculate" => break,
                _ => return Ok(()),
            }
        }
        let calculated = self.step("calculateSettlement", place).await?;
        let order = json!({ "businessDay": of, "calculation": calculated["calculation"] });
        let recorded = self.step("recordSettlement", order).await?;
        let order = json!({ "businessDay": of, "settlementId": recorded["settlementId"] });
        self.step("payOutSettlement", order).await?;
        Ok(())
    }

    /// Starts a day's run and carries it out.
    pub async fn run(&self, of: &SeoulDay) -> Result<(), Problem> {
        let started =
            self.bench.call("startSettlement", Caller::Platform, json!({ "businessDay": of })).await?;
        if started.status == 202 { self.execute(of).await } else { Ok(()) }
    }

    /// The operator's request.
    pub async fn operate(&self, method: &str, path: &str, body: Option<Value>, key: &str) -> Answer {
        let request = Request::new(method, path).caller(Id::derive(&["operator"]), "operator");
        let request = body.iter().fold(request, |request, body| request.json(body));
        let request = if key.is_empty() { request } else { request.key(key) };
        self.bench.send(request).await
    }

    /// A merchant's question.
    pub async fn ask(&self, member: MembershipId, path: &str) -> Answer {
        self.bench.send(Request::new("GET", path).caller(member, "member merchant")).await
    }

    /// Takes up all messages that wait for the sweeper, and all that those send, a few times.
    pub async fn sweep(&self) {
        for _ in 0..4 {
            self.bench.relay().await.unwrap();
            for message in self.bench.world.take_queued() {
                assert_eq!(message.operation, "settlement.sweepSettlements");
                self.bench.call("sweepSettlements", Caller::Platform, message.body).await.unwrap();
            }
        }
    }

    pub fn id(&self, franchise: FranchiseId, sequence: u64) -> SettlementId {
        settlement::items::Line::id_of(franchise, sequence)
    }

    pub async fn line(&self, franchise: FranchiseId, sequence: u64) -> Value {
        let path = format!("/v1/settlements/{}", self.id(franchise, sequence));
        self.operate("GET", &path, None, "").await.body
    }

    /// What the ledger moved under references with this end, over all lines.
    pub fn moved(&self, step: &str) -> u64 {
        let others = self.others();
        let ours = others.ledger.iter().filter(|(reference, _)| reference.ends_with(step));
        ours.map(|(_, (order, _))| order.amount.amount()).sum()
    }

    /// What the bank moved to an account, and how often.
    pub fn banked(&self, to: BankAccountId) -> (u64, usize) {
        let others = self.others();
        let ours: Vec<u64> = others
            .orders
            .values()
            .filter(|order| order.moved == Some(true))
            .filter(|order| matches!(order.body.destination, BankParty::Linked { bank_account_id, .. } if bank_account_id == to))
            .map(|order| order.body.amount.amount())
            .collect();
        (ours.iter().sum(), ours.len())
    }

    /// The audit finds nothing; answers its sums.
    pub async fn audit(&self) -> Value {
        let cut = contract::ports::Clock::now(self.bench.world.as_ref()).plus_seconds(86_400);
        let body = json!({ "cut": cut, "slackSeconds": 300 });
        let audited = self.bench.call("auditSettlement", Caller::Platform, body).await.unwrap().body;
        assert_eq!(audited["findings"], json!([]));
        audited["sums"].clone()
    }

    /// Every payment of a franchise is in exactly one manifest of a recorded line, and what the lines say was moved.
    pub fn assert_settled(&self, franchise: FranchiseId, lines: &[Value]) {
        let others = self.others();
        let mut counted: BTreeMap<String, u32> = BTreeMap::new();
        let (mut sales, mut kept) = (0_i64, 0_i64);
        for line in lines {
            let sequence = line["sequence"].as_u64().unwrap();
            let name = ManifestName { sequence, through: day(line["through"].as_str().unwrap()) };
            for row in &others.manifests[&(franchise, name.clone())] {
                *counted.entry(id_of(row)).or_default() += 1;
            }
            assert!(others.groups.contains_key(&(franchise, name)), "{line}");
            let amount = |name: &str| line["totals"][name]["amount"].as_i64().unwrap();
            sales += amount("paid") - amount("canceled");
            kept += amount("fee") + amount("vat");
        }
        let ours: Vec<_> = others.paid.iter().filter(|paid| paid.franchise == franchise).collect();
        assert_eq!(counted.len(), ours.len());
        assert!(counted.values().all(|times| *times == 1), "{counted:?}");
        let won = |paid: &&Paid| {
            let won = i64::try_from(paid.row.amount.amount()).unwrap();
            if paid.row.cancellation_id.is_some() { -won } else { won }
        };
        assert_eq!(sales, ours.iter().map(won).sum::<i64>());
        // What left the franchise's account in the ledger is fee, tax and what was paid out.
        let me = TransferParty::Franchise { franchise_id: franchise };
        let mut left = 0_i64;
        for (order, _) in others.ledger.values() {
            let won = i64::try_from(order.amount.amount()).unwrap();
            left += if order.debit == me { won } else { 0 };
            left -= if order.credit == me { won } else { 0 };
        }
        let last = lines.last().unwrap();
        let owed = last["totals"]["carriedOut"]["amount"].as_i64().unwrap();
        let paid: i64 = lines
            .iter()
            .filter(|line| line["state"] == "paid")
            .map(|line| line["totals"]["payout"]["amount"].as_i64().unwrap())
            .sum();
        assert_eq!(left, kept + paid);
        if lines.iter().all(|line| line["state"] != "failed" && line["state"] != "open") {
            assert_eq!(sales, left - owed);
        }
    }
}
