//! auditLedger: silent about a ledger as it is, and naming every invariant that somebody breaks in the table.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use contract::{
    Call, Caller, Reference,
    audit::{payable_bucket, payable_open, payable_recorded},
    peers::{Direction, MoneyRequestState},
    ports::{DirectAnswer, DirectCall, Unanswered},
    testing::{Bench, Log, Request},
};
use kernel::{
    Id, Money, SignedMoney, Timestamp,
    id::{FranchiseId, MembershipId, WalletId},
};
use money::{
    domain::{Account, Entry, JournalEntry, JournalKind, Kind},
    items::{MoneyRequest, entry_key, journal_key, journal_name},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use store::{AttributeValue, Condition, Read, Record, Write};

const OWN_FUNDS: u64 = 1_000_000;
const PAID_OUT: i64 = 2_500;

/// The rest of Pay, and the bank, as the audit sees them.
struct Outside {
    corporate: i64,
    for_sagas: i64,
    open_in: i64,
    open_out: i64,
    remitted: i64,
    open_remitted: i64,
    /// What the records of payments and settlements sum up to.
    recorded: BTreeMap<String, i64>,
}

impl Outside {
    /// A settlement's firmbanking.
    fn pay_out(&mut self, amount: i64) {
        self.corporate -= amount;
        self.for_sagas -= amount;
    }

    fn record(&mut self, name: &str, amount: i64) {
        *self.recorded.entry(name.to_owned()).or_default() += amount;
    }
}

/// What the records say if all is booked.
fn recorded() -> BTreeMap<String, i64> {
    let sums = [
        ("recorded.paid", 4_000),
        ("recorded.refunded", 1_000),
        ("recorded.feeTaken", 100),
        ("recorded.feeReturned", 40),
        ("recorded.vatTaken", 10),
        ("recorded.vatReturned", 4),
        ("recorded.paidOut", PAID_OUT),
        (&payable_recorded(shop()), 3_000 - 100 + 40 - 10 + 4 - PAID_OUT),
    ];
    sums.map(|(name, amount)| (name.to_owned(), amount)).into()
}

fn hana() -> MembershipId {
    Id::derive(&["hana"])
}

fn dul() -> MembershipId {
    Id::derive(&["dul"])
}

fn shop() -> FranchiseId {
    Id::derive(&["shop"])
}

fn wallet() -> WalletId {
    WalletId::of(hana())
}

fn won(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

struct Books {
    bench: Bench,
    outside: Arc<Mutex<Outside>>,
}

impl Books {
    /// A recharge of 50 000, a withdrawal of 10 000, 5 000 sent, 4 000 paid, 1 000 of it back, 3 000 held; of what the
    /// shop is owed a fee of 100 is kept, 40 of it given back, VAT likewise, and 2 500 are paid out.
    async fn kept() -> Books {
        let mut bench = Bench::new(&money::SERVICE);
        bench.context.settings.config = json!({ "ownFunds": OWN_FUNDS });
        let own = i64::try_from(OWN_FUNDS).unwrap();
        let outside = Arc::new(Mutex::new(Outside {
            corporate: own,
            for_sagas: 0,
            open_in: 0,
            open_out: 0,
            remitted: 5_000,
            open_remitted: 0,
            recorded: recorded(),
        }));
        let seen = outside.clone();
        bench.world.answer_calls(move |call| answer(call, &mut seen.lock().unwrap()));
        let books = Books { bench, outside };
        books.order("/v1/money/increases", 50_000).await;
        books.order("/v1/money/decreases", 10_000).await;
        let member = |id: MembershipId| json!({ "kind": "member", "membershipId": id });
        let shop = json!({ "kind": "franchise", "franchiseId": shop() });
        let own = |kind: &str| json!({ "kind": kind });
        for (reference, debit, credit, amount) in [
            ("rmt_1/move", member(hana()), member(dul()), 5_000),
            ("pmt_1/pay", member(hana()), shop.clone(), 4_000),
            ("pmt_1/back", shop.clone(), member(hana()), 1_000),
            ("stl_1/fee", shop.clone(), own("feeRevenue"), 100),
            ("stl_1/vat", shop.clone(), own("vatPayable"), 10),
            ("stl_1/paid", shop.clone(), own("bankCorporate"), PAID_OUT),
            ("stl_2/fee", own("feeRevenue"), shop.clone(), 40),
            ("stl_2/vat", own("vatPayable"), shop.clone(), 4),
        ] {
            let body = json!({ "debit": debit, "credit": credit, "amount": won(amount) });
            books.step("transferMoney", reference, body).await;
        }
        books.step("holdMoney", "rmt2/hold", json!({ "membershipId": hana(), "amount": won(3_000) })).await;
        books.outside.lock().unwrap().pay_out(PAID_OUT);
        books.bench.world.pass_seconds(3_600);
        books
    }

    async fn order(&self, path: &str, amount: i64) {
        let body =
            json!({ "bankAccountId": kernel::id::BankAccountId::derive(&["a"]), "amount": won(amount) });
        let request = Request::new("POST", path).caller(hana(), "member").key("key").json(&body);
        assert_eq!(self.bench.send(request).await.status, 201, "{path}");
    }

    async fn step(&self, operation: &str, reference: &str, body: Value) {
        let birth = self.bench.context.clock.now();
        let is_settlement = reference.starts_with("stl_");
        let caller = if is_settlement { "settlement.payOutSettlement" } else { "payment.requestPayment" };
        let call = Call {
            operation: format!("money.{operation}"),
            caller: Caller::Service(caller.to_owned()),
            on_behalf_of: Some(hana()),
            idempotency_key: None,
            reference: Some(Reference { id: reference.to_owned(), birth }),
            if_match: None,
            trace: self.bench.trace(),
            now: birth,
            fingerprint: String::new(),
            body,
        };
        self.bench.call_with(operation, call).await.unwrap();
    }

    async fn entry(&self, owner: MembershipId, sequence: u64) -> Entry {
        let key = entry_key(WalletId::of(owner), sequence);
        store::read(self.bench.context.table.get(&key, Read::Consistent).await.unwrap().unwrap()).unwrap()
    }

    /// The place of the first entry of this kind in a wallet.
    async fn place(&self, owner: MembershipId, kind: Kind) -> u64 {
        for sequence in 1..20 {
            if self.entry(owner, sequence).await.purpose == kind {
                return sequence;
            }
        }
        panic!("there is no {kind:?}")
    }

    async fn write(&self, write: Write) {
        self.bench.context.table.commit(&[write]).await.unwrap();
    }

    /// Changes an entry where it lies.
    async fn change(&self, kind: Kind, change: impl FnOnce(&mut Entry)) -> String {
        let place = self.place(hana(), kind).await;
        let mut entry = self.entry(hana(), place).await;
        change(&mut entry);
        self.write(Write::Put(entry.to_item().unwrap(), Condition::Always)).await;
        format!("{}/{place}", wallet())
    }

    async fn remove(&self, owner: MembershipId, sequence: u64) {
        self.write(Write::Delete(entry_key(WalletId::of(owner), sequence), Condition::Always)).await;
    }

    async fn journal_entry(&self, sequence: u64) -> JournalEntry {
        let key = journal_key(shop(), sequence);
        store::read(self.bench.context.table.get(&key, Read::Consistent).await.unwrap().unwrap()).unwrap()
    }

    /// Changes the shop's journal where it lies.
    async fn change_journal(&self, sequence: u64, change: impl FnOnce(&mut JournalEntry)) -> String {
        let mut entry = self.journal_entry(sequence).await;
        change(&mut entry);
        self.write(Write::Put(entry.to_item().unwrap(), Condition::Always)).await;
        format!("{}/{sequence}", journal_name(shop()))
    }

    /// What the audit finds: rules and subjects.
    async fn audit(&self) -> Vec<(String, String)> {
        let answer = self.audited().await;
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        let findings = answer["findings"].as_array().unwrap();
        assert_eq!(answer["found"], findings.len());
        findings.iter().map(|finding| (text(finding, "rule"), text(finding, "subject"))).collect()
    }

    /// The audit's last answer.
    async fn audited(&self) -> Value {
        let mut body = json!({ "slackSeconds": 0 });
        loop {
            let caller = Caller::Service("operations".to_owned());
            let answer = self.bench.call("auditLedger", caller, body).await.unwrap().body;
            if !answer["next"].is_object() {
                return answer;
            }
            body = json!({ "next": answer["next"] });
        }
    }

    async fn finds(&self, rule: &str, subject: &str) {
        let found = self.audit().await;
        let wanted = (rule.to_owned(), subject.to_owned());
        assert!(found.contains(&wanted), "{rule} of {subject} is not among {found:?}");
    }
}

fn answer(call: &DirectCall, outside: &mut Outside) -> Result<DirectAnswer, Unanswered> {
    let done = |answer: Value| Ok(DirectAnswer::Done(answer));
    match call.operation.as_str() {
        "membership.resolveMember" => done(json!({ "membershipId": call.body["membershipId"] })),
        "banking.requestFirmbanking" => {
            let amount = call.body["amount"]["amount"].as_i64().unwrap();
            let into = call.body["destination"]["kind"] == "corporate";
            let effect = if into { amount } else { -amount };
            outside.for_sagas += effect;
            outside.corporate += effect;
            let mut answer = call.body.clone();
            answer["firmbankingId"] = json!(kernel::id::FirmbankingId::derive(&["a"]));
            answer["state"] = json!("succeeded");
            answer["requestedAt"] = json!(events::example_time());
            done(answer)
        }
        "banking.getCorporateBalance" => done(json!({ "balance": won(outside.corporate) })),
        "remittance.auditRemittance" => {
            let sums =
                json!({ "recorded.remitted": outside.remitted, "open.remitted": outside.open_remitted });
            done(json!({ "checked": 1, "findings": [], "sums": sums }))
        }
        "payment.auditPayment" => done(json!({ "checked": 1, "findings": [], "sums": outside.recorded })),
        audit => {
            assert!(audit.contains(".audit"), "{audit}");
            let sums = if audit == "banking.auditBanking" {
                json!({
                    "banking.forSagas": outside.for_sagas,
                    "open.bankIn": outside.open_in,
                    "open.bankOut": outside.open_out,
                })
            } else {
                json!({})
            };
            done(json!({ "checked": 1, "findings": [], "sums": sums }))
        }
    }
}

#[tokio::test]
async fn nothing_is_found_in_books_that_are_right() {
    let books = Books::kept().await;
    assert_eq!(books.audit().await, []);
}

#[tokio::test]
async fn every_broken_rule_of_a_chain_is_named_with_its_place() {
    type Change = fn(&mut Entry);
    let rules: &[(&str, Kind, Change)] = &[
        ("wrong_balance", Kind::Recharge, |entry| entry.standing.balance = Money::won(1)),
        ("wrong_balance", Kind::Payment, |entry| entry.amount = Money::won(3_999)),
        ("wrong_held", Kind::Hold, |entry| entry.standing.held = Money::won(2_999)),
        ("wrong_expected", Kind::Expect, |entry| entry.standing.expected = Money::ZERO),
        ("wrong_recharged_total", Kind::Recharge, |entry| entry.standing.recharged_total = Money::won(1)),
        ("held_not_covered", Kind::Hold, |entry| entry.standing.held = Money::won(900_000)),
        ("time_reversed", Kind::Payment, |entry| entry.time = Timestamp::EPOCH),
        ("wrong_day", Kind::Payment, |entry| entry.standing.day = Timestamp::EPOCH.seoul_day()),
        ("reference_twice", Kind::Cancellation, |entry| entry.reference = "pmt_1/pay".to_owned()),
        ("one_leg", Kind::Payment, |entry| entry.credit = None),
        ("refusal_without_reason", Kind::Cancellation, |entry| entry.purpose = Kind::Refused),
        ("closes_nothing", Kind::Recharge, |entry| entry.reference = "mcr_other/close".to_owned()),
        ("closes_too_much", Kind::Withdrawal, |entry| entry.amount = Money::won(10_001)),
        ("credit_missing", Kind::Remittance, |entry| entry.counterpart = Some(17)),
        ("broken_hash", Kind::Payment, |entry| entry.previous = "another".to_owned()),
    ];
    for (rule, kind, change) in rules {
        let books = Books::kept().await;
        let subject = books.change(*kind, change).await;
        books.finds(rule, &subject).await;
    }
}

/// Fee, VAT, pay-out, fee given back, VAT given back.
#[tokio::test]
async fn every_broken_rule_of_a_journal_is_named_with_its_place() {
    type Change = fn(&mut JournalEntry);
    let rules: &[(&str, u64, Change)] = &[
        ("wrong_fee", 1, |entry| entry.totals.fee = SignedMoney::ZERO),
        ("wrong_fee", 4, |entry| entry.amount = Money::won(41)),
        ("wrong_vat", 5, |entry| entry.totals.vat = SignedMoney::ZERO),
        ("wrong_paid_out", 3, |entry| entry.totals.paid_out = Money::won(1)),
        ("wrong_paid_out", 5, |entry| entry.totals.paid_out = Money::won(1)),
        ("wrong_accounts", 1, |entry| entry.credit = Account::Suspense),
        ("wrong_accounts", 1, |entry| entry.credit = Account::Wallet(wallet())),
        ("wrong_accounts", 2, |entry| entry.purpose = JournalKind::Fee),
        ("wrong_accounts", 3, |entry| entry.debit = Account::Franchise(Id::derive(&["other"]))),
        ("time_reversed", 3, |entry| entry.time = Timestamp::EPOCH),
        ("reference_twice", 4, |entry| entry.reference = "stl_1/fee".to_owned()),
        ("broken_hash", 2, |entry| entry.previous = "another".to_owned()),
    ];
    for (rule, sequence, change) in rules {
        let books = Books::kept().await;
        let subject = books.change_journal(*sequence, *change).await;
        books.finds(rule, &subject).await;
    }
}

#[tokio::test]
async fn what_is_missing_in_a_journal_or_cannot_be_read_is_named() {
    for sequence in [1, 3] {
        let books = Books::kept().await;
        books.write(Write::Delete(journal_key(shop(), sequence), Condition::Always)).await;
        books.finds("sequence_gap", &format!("{}/{}", journal_name(shop()), sequence + 1)).await;
    }

    let books = Books::kept().await;
    let mut item = books.journal_entry(3).await.to_item().unwrap();
    item.remove("totals");
    books.write(Write::Put(item, Condition::Always)).await;
    books.finds("unreadable", &format!("{}/000000000003", journal_name(shop()))).await;

    let books = Books::kept().await;
    let mut item = books.journal_entry(1).await.to_item().unwrap();
    item.insert("pk".to_owned(), AttributeValue::S("journal#frc_1".to_owned()));
    books.write(Write::Put(item, Condition::Always)).await;
    books.finds("unreadable", "journal#frc_1").await;
}

/// The bank has paid out, and the ledger is told a moment later: settlement's records say so meanwhile.
#[tokio::test]
async fn a_pay_out_that_is_not_booked_yet_is_set_apart() {
    let books = Books::kept().await;
    // As far as anybody knows, what is held has left too.
    books.outside.lock().unwrap().pay_out(3_000 + 300);
    books.finds("ledger_differs_from_banking", "bank:corporate").await;
    books.outside.lock().unwrap().record("open.paidOut", 300);
    assert_eq!(books.audit().await, []);
    books.outside.lock().unwrap().pay_out(1);
    books.finds("ledger_differs_from_banking", "bank:corporate").await;
}

/// If nothing on the account is Pay's own, what leaves the bank first leaves less there than is owed.
#[tokio::test]
async fn what_is_owed_is_covered_while_a_pay_out_is_on_its_way() {
    let mut books = Books::kept().await;
    books.bench.context.settings.config = json!({});
    {
        let mut outside = books.outside.lock().unwrap();
        outside.corporate -= i64::try_from(OWN_FUNDS).unwrap();
        outside.pay_out(3_300);
    }
    books.finds("liabilities_not_covered", "bank:corporate").await;
    books.outside.lock().unwrap().record("open.paidOut", 3_300);
    assert_eq!(books.audit().await, []);
}

#[tokio::test]
async fn each_thing_that_settlement_has_recorded_is_held_to_what_is_booked() {
    for what in ["paidOut", "feeTaken", "feeReturned", "vatTaken", "vatReturned"] {
        let books = Books::kept().await;
        books.outside.lock().unwrap().record(&format!("recorded.{what}"), -1);
        books.finds("ledger_differs_from_records", what).await;
        books.outside.lock().unwrap().record(&format!("open.{what}"), 1);
        assert_eq!(books.audit().await, [], "the record of the last won of {what} is on its way");
        books.outside.lock().unwrap().record(&format!("recorded.{what}"), 2);
        books.finds("ledger_differs_from_records", what).await;
    }
}

/// Sums over all franchises are right, and what one is owed was recorded for another.
#[tokio::test]
async fn what_is_owed_to_each_franchise_is_held_to_its_payments_and_settlements() {
    let other = (0_u32..).map(|number| Id::derive(&[&number.to_string()]));
    let other = other.into_iter().find(|other| payable_bucket(*other) != payable_bucket(shop())).unwrap();
    for by in [-7, 7] {
        let books = Books::kept().await;
        {
            let mut outside = books.outside.lock().unwrap();
            outside.record(&payable_recorded(shop()), -by);
            outside.record(&payable_recorded(other), by);
        }
        for franchise in [shop(), other] {
            books.finds("payable_differs_from_records", &payable_bucket(franchise)).await;
            books.outside.lock().unwrap().record(&payable_open(franchise), 6);
            books.finds("payable_differs_from_records", &payable_bucket(franchise)).await;
            books.outside.lock().unwrap().record(&payable_open(franchise), 1);
        }
        assert_eq!(books.audit().await, []);
    }
}

#[tokio::test]
async fn what_is_missing_or_cannot_be_read_is_named() {
    let books = Books::kept().await;
    let place = books.place(hana(), Kind::Payment).await;
    books.remove(hana(), place).await;
    books.finds("sequence_gap", &format!("{}/{}", wallet(), place + 1)).await;

    let books = Books::kept().await;
    books.remove(hana(), 1).await;
    books.finds("sequence_gap", &format!("{}/2", wallet())).await;

    let books = Books::kept().await;
    let sent = books.place(hana(), Kind::Remittance).await;
    let received = books.entry(hana(), sent).await.counterpart.unwrap();
    assert_eq!(books.entry(dul(), received).await.counterpart, Some(sent), "both entries name each other");
    books.remove(dul(), received).await;
    books.finds("credit_missing", &format!("{}/{sent}", wallet())).await;
    books.finds("accounts_do_not_sum_to_zero", "ledger").await;

    let books = Books::kept().await;
    let mut item = books.entry(hana(), 3).await.to_item().unwrap();
    item.remove("standing");
    books.write(Write::Put(item, Condition::Always)).await;
    books.finds("unreadable", &format!("{}/000000000003", wallet())).await;
}

#[tokio::test]
async fn the_corporate_account_is_held_to_the_ledger_and_to_banking() {
    let books = Books::kept().await;
    books.outside.lock().unwrap().corporate -= 1;
    books.finds("bank_differs_from_banking", "bank:corporate").await;

    let books = Books::kept().await;
    books.outside.lock().unwrap().corporate = 20_000;
    books.finds("liabilities_not_covered", "bank:corporate").await;

    let books = Books::kept().await;
    {
        let mut outside = books.outside.lock().unwrap();
        outside.for_sagas += 7_000;
        outside.corporate += 7_000;
    }
    books.finds("ledger_differs_from_banking", "bank:corporate").await;

    // A recharge that the bank has made, and whose answer is on its way: open here, expected there.
    let books = Books::kept().await;
    {
        let mut outside = books.outside.lock().unwrap();
        outside.open_in += 7_000;
        outside.corporate += 7_000;
    }
    assert_eq!(books.audit().await, []);
}

#[tokio::test]
async fn records_are_held_to_what_is_booked() {
    let books = Books::kept().await;
    books.outside.lock().unwrap().remitted = 4_999;
    books.finds("ledger_differs_from_records", "remitted").await;
    books.outside.lock().unwrap().open_remitted = 1;
    assert_eq!(books.audit().await, [], "the record of the last won is on its way");
    books.outside.lock().unwrap().remitted = 5_001;
    books.finds("ledger_differs_from_records", "remitted").await;
}

#[tokio::test]
async fn the_schedules_audit_goes_on_by_itself_and_fails_if_it_finds_something() {
    let books = Books::kept().await;
    books.change(Kind::Payment, |entry| entry.credit = Some(Account::FeeRevenue)).await;
    let mut body = json!({});
    for waits in [300, 0, 0, 0, 0, 0, 0, 0, 0, 0] {
        let run = books.bench.call("auditLedger", Caller::Platform, body.clone()).await;
        match run {
            Ok(_) => {
                let message = books.bench.world.take_queued().remove(0);
                assert_eq!((message.operation.as_str(), message.delay_seconds), ("money.auditLedger", waits));
                body = message.body;
            }
            Err(problem) => {
                assert_eq!(problem.status, 500);
                assert!(books.bench.world.take_queued().is_empty());
                return;
            }
        }
    }
    panic!("the audit found nothing");
}

/// A franchise takes back more than it is still owed: the members whose money that is are covered as long as there is
/// enough of Pay's own at the bank.
#[tokio::test]
async fn wallets_are_covered_when_a_franchise_owes_pay_only_by_pays_own_funds() {
    let mut books = Books::kept().await;
    let shop_party = json!({ "kind": "franchise", "franchiseId": shop() });
    let body = json!({
        "debit": shop_party, "credit": { "kind": "member", "membershipId": hana() }, "amount": won(3_000),
    });
    books.step("transferMoney", "pmt_1/rest", body).await;
    {
        let mut outside = books.outside.lock().unwrap();
        outside.record("recorded.refunded", 3_000);
        outside.record(&payable_recorded(shop()), -3_000);
    }
    books.bench.world.pass_seconds(1);
    assert_eq!(books.audit().await, [], "a million of Pay's own stands in for it");
    // The wallets have 40 000, and 37 500 are left of what came in.
    let own = |books: &mut Books, funds: i64| {
        books.bench.context.settings.config = json!({ "ownFunds": funds });
        books.outside.lock().unwrap().corporate = 37_500 + funds;
    };
    own(&mut books, 2_500);
    assert_eq!(books.audit().await, []);
    own(&mut books, 2_499);
    assert_eq!(books.audit().await, [("wallets_uncovered".to_owned(), "bank:corporate".to_owned())]);
    // What a hold keeps has not left the bank by that.
    books.outside.lock().unwrap().open_out += 1;
    assert_eq!(books.audit().await, []);
    own(&mut books, 2_498);
    books.finds("wallets_uncovered", "bank:corporate").await;
}

impl Books {
    /// The one request in this direction.
    async fn request(&self, direction: Direction) -> MoneyRequest {
        let items = self.bench.twin.items();
        let requests = items.into_iter().filter(|item| store::kind_of(item) == MoneyRequest::KIND);
        let mut requests = requests.map(|item| store::read::<MoneyRequest>(item).unwrap());
        requests.find(|request| request.direction == direction).unwrap()
    }

    async fn change_request(&self, direction: Direction, change: impl FnOnce(&mut MoneyRequest)) -> String {
        let mut request = self.request(direction).await;
        change(&mut request);
        self.write(Write::put(&request, Condition::Always).unwrap()).await;
        request.money_request_id.to_string()
    }
}

fn fail(request: &mut MoneyRequest) {
    request.state = MoneyRequestState::Failed;
    request.failure_reason = Some("bank_declined".to_owned());
}

#[tokio::test]
async fn requests_are_held_to_the_entries_of_their_wallets() {
    type Change = fn(&mut MoneyRequest);
    let rules: &[(&str, Change)] = &[
        ("request_differs", fail),
        ("request_differs", |request| request.amount = Money::won(9_999)),
        ("request_differs", |request| request.membership_id = dul()),
        ("end_unsaid", |request| request.completed_at = None),
        ("end_unsaid", |request| request.failure_reason = Some("odd".to_owned())),
        ("request_unbooked", |request| {
            request.completed_at = request.completed_at.map(|at| at.plus_seconds(1));
        }),
    ];
    for direction in [Direction::Recharge, Direction::Withdrawal] {
        for (rule, change) in rules {
            let books = Books::kept().await;
            let id = books.change_request(direction, change).await;
            books.finds(rule, &id).await;
        }
    }
    let books = Books::kept().await;
    let id =
        books.change_request(Direction::Recharge, |request| request.direction = Direction::Withdrawal).await;
    books.finds("request_unbooked", &id).await;
}

#[tokio::test]
async fn a_request_without_entry_and_an_entry_without_request_are_named() {
    for (direction, kind) in
        [(Direction::Recharge, Kind::Recharge), (Direction::Withdrawal, Kind::Withdrawal)]
    {
        let books = Books::kept().await;
        let request = books.request(direction).await;
        let place = books.place(hana(), kind).await;
        books.remove(hana(), place).await;
        books.finds("request_unbooked", &request.money_request_id.to_string()).await;

        let books = Books::kept().await;
        books.write(Write::Delete(request.key(), Condition::Present)).await;
        books.finds("request_missing", &format!("{}/{place}", wallet())).await;
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_named_and_so_is_one_that_stays_open() {
    let books = Books::kept().await;
    let request = books.request(Direction::Recharge).await;
    let mut item = request.to_item().unwrap();
    item.remove("amount");
    books.write(Write::Put(item, Condition::Always)).await;
    books.finds("unreadable", &format!("{}/request", request.money_request_id)).await;

    let books = Books::kept().await;
    let id = books
        .change_request(Direction::Recharge, |request| {
            request.state = MoneyRequestState::BankUnknown;
            request.completed_at = None;
        })
        .await;
    books.bench.world.pass_seconds(86_400 - 3_600);
    assert_eq!(books.audit().await, [], "banks take their time");
    books.bench.world.pass_seconds(1);
    assert_eq!(books.audit().await, [("request_overdue".to_owned(), id)]);
}

/// Who has left gets money back: it is certain, and no wallet takes it.
#[tokio::test]
async fn what_stands_in_suspense_is_told_when_it_comes_and_named_by_every_audit() {
    let books = Books::kept().await;
    books.bench.stream();
    let log = Log::default();
    let place = {
        let _open = log.open();
        let place = books.place(hana(), Kind::Cancellation).await;
        let mut entry = books.entry(hana(), place).await;
        assert_eq!(entry.reference, "pmt_1/back");
        books.bench.relay().await.unwrap();
        assert!(log.lines().is_empty());
        entry.credit = Some(Account::Suspense);
        books.remove(hana(), place).await;
        books.write(Write::Put(entry.to_item().unwrap(), Condition::Absent)).await;
        books.bench.relay().await.unwrap();
        place
    };
    assert!(place > 1);
    let lines = log.lines();
    let told = lines.iter().find(|line| line["metrics"] == "suspended").unwrap();
    assert_eq!(
        (&told["level"], &told["about"], &told["suspended"]),
        (&json!("WARN"), &json!("pmt_1/back"), &json!(1_000))
    );
    assert!(!told.to_string().contains("mbr_") && !told.to_string().contains("wal_"), "{told}");

    let log = Log::default();
    let answer = {
        let _open = log.open();
        books.audited().await
    };
    assert_eq!(answer["suspended"], json!({ "entries": 1, "references": ["pmt_1/back"] }));
    assert_eq!(answer["sums"]["ledger.suspense"], 1_000);
    let lines = log.lines();
    let told = lines.iter().find(|line| line["level"] == "WARN").unwrap();
    assert_eq!((&told["about"], &told["detail"]), (&json!("pmt_1/back"), &json!("1 entries, 1000 won")));
    assert!(!answer["findings"].to_string().contains("suspense"), "it is a figure and no finding");
}
