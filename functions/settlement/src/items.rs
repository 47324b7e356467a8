//! The items of settlement's table, and where they lie.
//!
//! A run is `run#{day}`, `run`; its entries lie beside it in 16 shards, `run#{day}#{shard}`, franchise id: what the
//! run has to do, and what became of it. A franchise's lines are one chain, `franchise#{id}`, `line#{sequence}`: each
//! is put once, at the next place. A line that was calculated from a line which is no longer the newest finds its place
//! taken, so it cannot be put. A pointer leads from a settlement's id to its line. A retry is kept under the id of its
//! key. How long a sweep is alive lies under `sweep#` and the operation's name, `alive`.

use crate::domain::{Carry, Reckoning};
use contract::{
    Reference,
    peers::{FeeTotals, ManifestName},
};
use kernel::{
    BasisPoints, Id, Money, SeoulDay, SignedMoney, Timestamp,
    id::{BankAccountId, FranchiseId, MembershipId, SettlementId},
    money::won,
    signed_money::signed_won,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Key, Record};

/// Every kind of record in the table.
pub const RECORDS: &[store::Kind] = &[
    store::Kind::of::<Run>(),
    store::Kind::of::<Entry>(),
    store::Kind::of::<Line>(),
    store::Kind::of::<Pointer>(),
    store::Kind::of::<RetryRequest>(),
    store::Kind::of::<Retry>(),
    store::Kind::of::<contract::sweeping::Sweeping>(),
];

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// Work goes on.
    Started,
    /// Every franchise that was due has its line. Some may still be on their way to the bank, or have failed there.
    Finished,
}

/// What had become of a run's franchises when it was finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// How many were settled.
    pub settled: u64,
    /// How many were still being paid out.
    pub pending: u64,
    /// How many could not be paid out.
    pub failed: u64,
    /// How much was paid out.
    #[serde(with = "won")]
    pub paid_out: Money,
    /// When.
    pub at: Timestamp,
}

/// The settlement of one business day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Of which day.
    pub business_day: SeoulDay,
    /// How far it is.
    pub state: RunState,
    /// Which execution of the state machine works on it: 1, 2, 3 …
    pub attempt: u32,
    /// When the day's settlement was asked for first.
    pub started_at: Timestamp,
    /// When this attempt began.
    pub attempted_at: Timestamp,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// Counts every change of this record; a change is conditional on it.
    pub version: u64,
    /// The trace of who asked first.
    pub traceparent: String,
}

impl Record for Run {
    const KIND: &'static str = "run";

    fn key(&self) -> Key {
        Run::key_of(&self.business_day)
    }
}

impl Run {
    /// Where the run of a day is.
    pub fn key_of(day: &SeoulDay) -> Key {
        Key::new(format!("run#{day}"), "run")
    }

    /// The name of its execution.
    pub fn execution(&self) -> String {
        format!("{}-{}", self.business_day, self.attempt)
    }

    /// Whether nothing will change any more.
    pub fn is_final(&self) -> bool {
        self.state == RunState::Finished
    }
}

/// Where a settlement can be read over HTTP: a line by its id, a run by its day.
pub fn location(name: impl std::fmt::Display) -> String {
    format!("/v1/settlements/{name}")
}

/// How many partitions a run's entries are spread over.
pub const SHARDS: u8 = 16;

/// What a run still has to do with a franchise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EntryState {
    /// It is to be settled.
    Due,
    /// Its line is recorded and not completed.
    Open,
    /// It is settled: by its line, or by one of another run that covers its days.
    Done,
    /// Its line cannot be paid out.
    Failed,
}

/// What a line comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// How many payments.
    pub payments: u64,
    /// Their sum.
    #[serde(with = "won")]
    pub paid: Money,
    /// How many cancellations.
    pub cancellations: u64,
    /// Their sum.
    #[serde(with = "won")]
    pub canceled: Money,
    /// The fee.
    #[serde(with = "signed_won")]
    pub fee: SignedMoney,
    /// The tax on it.
    #[serde(with = "signed_won")]
    pub vat: SignedMoney,
    /// What is left.
    #[serde(with = "signed_won")]
    pub net: SignedMoney,
    /// What the franchise owed before.
    #[serde(with = "won")]
    pub carried_in: Money,
    /// What is paid out.
    #[serde(with = "won")]
    pub payout: Money,
    /// What it owes now.
    #[serde(with = "won")]
    pub carried_out: Money,
}

impl Amounts {
    /// What a line comes to.
    pub fn new(reckoning: Reckoning, carry: Carry) -> Amounts {
        let Reckoning { payments, paid, cancellations, canceled, fee, vat, net } = reckoning;
        let Carry { carried_in, payout, carried_out } = carry;
        Amounts { payments, paid, cancellations, canceled, fee, vat, net, carried_in, payout, carried_out }
    }

    /// What its payments come to.
    pub fn reckoning(&self) -> Reckoning {
        let Amounts { payments, paid, cancellations, canceled, fee, vat, net, .. } = *self;
        Reckoning { payments, paid, cancellations, canceled, fee, vat, net }
    }

    /// What becomes of its net.
    pub fn carry(&self) -> Carry {
        let Amounts { carried_in, payout, carried_out, .. } = *self;
        Carry { carried_in, payout, carried_out }
    }
}

/// The line that a run recorded for a franchise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// Its place in the franchise's chain.
    pub sequence: u64,
    /// What it comes to.
    pub amounts: Amounts,
}

/// A franchise in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The run's day.
    pub business_day: SeoulDay,
    /// Which franchise.
    pub franchise_id: FranchiseId,
    /// Who owns it.
    pub membership_id: MembershipId,
    /// The last business day to settle.
    pub through: SeoulDay,
    /// The business day on which the franchise began.
    pub registered: SeoulDay,
    /// What is still to do.
    pub state: EntryState,
    /// Its line in this run, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// Counts every change of this record; a change is conditional on it.
    pub version: u64,
}

impl Record for Entry {
    const KIND: &'static str = "entry";

    fn key(&self) -> Key {
        Entry::key_of(&self.business_day, self.franchise_id)
    }
}

impl Entry {
    /// The partition of a shard of a run.
    pub fn partition(day: &SeoulDay, shard: u8) -> String {
        format!("run#{day}#{shard:02}")
    }

    /// The shard of a franchise.
    pub fn shard_of(franchise: FranchiseId) -> u8 {
        u8::try_from(franchise.bits().rem_euclid(u128::from(SHARDS))).unwrap_or_default()
    }

    /// Where a franchise in a run is.
    pub fn key_of(day: &SeoulDay, franchise: FranchiseId) -> Key {
        Key::new(Entry::partition(day, Entry::shard_of(franchise)), franchise.to_string())
    }

    /// Its line's id.
    pub fn settlement_id(&self) -> Option<SettlementId> {
        self.recorded.as_ref().map(|line| Line::id_of(self.franchise_id, line.sequence))
    }
}

/// How far a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LineState {
    /// It is being carried out.
    Open,
    /// The franchise has the money in its bank account.
    Paid,
    /// More was cancelled than paid: the next line takes it off.
    Carried,
    /// It comes to nothing exactly.
    Settled,
    /// There was nothing to settle.
    Empty,
    /// The bank has certainly not moved the money.
    Failed,
}

/// An attempt to pay a line out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payout {
    /// Which: 1, 2, 3 …
    pub attempt: u32,
    /// The owner's account that the money goes to.
    pub bank_account_id: BankAccountId,
    /// When this attempt was stored: the birth of its reference.
    pub born_at: Timestamp,
}

/// What one run settles with one franchise: the saga's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Whose.
    pub franchise_id: FranchiseId,
    /// Its place in the franchise's chain: 1, 2, 3 …
    pub sequence: u64,
    /// Who owns the franchise.
    pub membership_id: MembershipId,
    /// The run's day.
    pub business_day: SeoulDay,
    /// The last business day in it.
    pub through: SeoulDay,
    /// What its manifest lists, by fee.
    pub totals: Vec<FeeTotals>,
    /// The tax on the fee.
    pub vat_bps: BasisPoints,
    /// What it comes to.
    pub amounts: Amounts,
    /// How far it is.
    pub state: LineState,
    /// When it was recorded: the birth of its steps.
    pub recorded_at: Timestamp,
    /// When the ledger booked the fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_at: Option<Timestamp>,
    /// When the ledger booked the tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_at: Option<Timestamp>,
    /// Whether its payments are known to be settled.
    pub finished: bool,
    /// The attempt to pay it out, if there is something to pay out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout: Option<Payout>,
    /// When the ledger booked what was paid out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// Why the last attempt failed: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it became final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Counts every change of this record; a change is conditional on it.
    pub version: u64,
    /// How often it was left waiting.
    pub attempts: u32,
    /// The trace of the run.
    pub traceparent: String,
}

impl Record for Line {
    const KIND: &'static str = "line";

    fn key(&self) -> Key {
        Line::key_of(self.franchise_id, self.sequence)
    }
}

impl Line {
    /// The partition of a franchise's chain.
    pub fn chain_of(franchise: FranchiseId) -> String {
        format!("franchise#{franchise}")
    }

    /// Where the line at a place of a chain is.
    pub fn key_of(franchise: FranchiseId, sequence: u64) -> Key {
        Key::new(Line::chain_of(franchise), format!("line#{sequence:012}"))
    }

    /// The id of the line at a place of a chain.
    pub fn id_of(franchise: FranchiseId, sequence: u64) -> SettlementId {
        Id::derive(&["settlement", &franchise.to_string(), &sequence.to_string()])
    }

    /// Its id.
    pub fn settlement_id(&self) -> SettlementId {
        Line::id_of(self.franchise_id, self.sequence)
    }

    /// Its manifest.
    pub fn manifest(&self) -> ManifestName {
        ManifestName { sequence: self.sequence, through: self.through.clone() }
    }

    /// Whether nothing will change by itself any more. Only a failed line can be opened again.
    pub fn is_final(&self) -> bool {
        self.state != LineState::Open
    }

    /// The reference of one of its steps.
    pub fn reference(&self, step: &str) -> Reference {
        Reference { id: format!("{}/{step}", self.settlement_id()), birth: self.recorded_at }
    }

    /// The reference of an attempt to pay it out.
    pub fn payout_reference(&self, payout: &Payout) -> Reference {
        let id = format!("{}/payout/{}", self.settlement_id(), payout.attempt);
        Reference { id, birth: payout.born_at }
    }
}

/// Where a settlement's line is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pointer {
    /// Which settlement.
    pub settlement_id: SettlementId,
    /// Whose chain.
    pub franchise_id: FranchiseId,
    /// The place in it.
    pub sequence: u64,
}

impl Record for Pointer {
    const KIND: &'static str = "pointer";

    fn key(&self) -> Key {
        Pointer::key_of(self.settlement_id)
    }
}

impl Pointer {
    /// Where the pointer of a settlement is.
    pub fn key_of(id: SettlementId) -> Key {
        Key::new(id.to_string(), "pointer")
    }
}

/// A request to try failed lines again: what its key was used for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryRequest {
    /// Its id, derived from caller, operation and key.
    pub retry_id: SettlementId,
    /// The hash of the request, to tell a repetition from a reuse of its key.
    pub fingerprint: String,
    /// When it came.
    pub requested_at: Timestamp,
}

impl Record for RetryRequest {
    const KIND: &'static str = "retryRequest";

    fn key(&self) -> Key {
        Key::new(Retry::partition(self.retry_id), "request")
    }
}

/// The attempt that failed and for which a retry has begun another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// The request's id.
    pub retry_id: SettlementId,
    /// The line.
    pub settlement_id: SettlementId,
    /// Whose.
    pub franchise_id: FranchiseId,
    /// The run's day.
    pub business_day: SeoulDay,
    /// What was to be paid out.
    #[serde(with = "won")]
    pub amount: Money,
    /// The attempt that failed.
    pub attempt: u32,
    /// Why.
    pub reason: String,
    /// When.
    pub failed_at: Timestamp,
    /// The trace of the run.
    pub traceparent: String,
}

impl Record for Retry {
    const KIND: &'static str = "retry";

    fn key(&self) -> Key {
        Retry::key_of(self.retry_id, self.settlement_id)
    }
}

impl Retry {
    fn partition(id: SettlementId) -> String {
        format!("retry#{id}")
    }

    /// Where what a request did to a line is.
    pub fn key_of(id: SettlementId, line: SettlementId) -> Key {
        Key::new(Retry::partition(id), line.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::AttributeValue;

    /// What DynamoDB counts: names and values, and some more for a map or list and each member of it. A number has
    /// half a byte a digit, and one more.
    fn value(it: &AttributeValue) -> usize {
        let inside = match it {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(number) => number.len().div_ceil(2).saturating_add(1),
            AttributeValue::M(inner) => {
                inner.iter().map(|(name, it)| name.len().saturating_add(value(it))).sum::<usize>()
            }
            AttributeValue::L(inner) => inner.iter().map(value).sum(),
            _ => 1,
        };
        match it {
            AttributeValue::M(_) | AttributeValue::L(_) => inside.saturating_add(3),
            _ => inside.saturating_add(1),
        }
    }

    fn size<R: Record>(record: &R) -> usize {
        let item = record.to_item().unwrap();
        item.iter().map(|(name, it)| name.len().saturating_add(value(it))).sum()
    }

    fn day() -> SeoulDay {
        events::example_time().business_day()
    }

    fn amounts() -> Amounts {
        let most = Money::MAX;
        let signed = SignedMoney::from(most);
        Amounts {
            payments: 1_000_000,
            paid: most,
            cancellations: 1_000_000,
            canceled: most,
            fee: signed,
            vat: signed,
            net: signed,
            carried_in: most,
            payout: most,
            carried_out: most,
        }
    }

    #[test]
    fn a_line_with_two_fees_is_one_write_unit() {
        let at = events::example_time();
        let totals = FeeTotals {
            fee_bps: BasisPoints::WHOLE,
            payments: 1_000_000,
            paid: Money::MAX,
            cancellations: 1_000_000,
            canceled: Money::MAX,
        };
        let longest = Line {
            franchise_id: Id::derive(&["example"]),
            sequence: 999_999,
            membership_id: Id::derive(&["example"]),
            business_day: day(),
            through: day(),
            totals: vec![totals.clone(), totals],
            vat_bps: BasisPoints::WHOLE,
            amounts: amounts(),
            state: LineState::Carried,
            recorded_at: at,
            fee_at: Some(at),
            vat_at: Some(at),
            finished: true,
            payout: Some(Payout { attempt: 99, bank_account_id: Id::derive(&["example"]), born_at: at }),
            paid_at: Some(at),
            failure_reason: Some("insufficient_bank_balance".to_owned()),
            completed_at: Some(at),
            version: 9_999,
            attempts: 999,
            traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
        };
        let size = size(&longest);
        assert!(size <= 1024, "{size} bytes");
    }

    #[test]
    fn everything_else_is_one_write_unit() {
        let at = events::example_time();
        let ended = Ended { settled: 1, pending: 1, failed: 1, paid_out: Money::MAX, at };
        let run = Run {
            business_day: day(),
            state: RunState::Finished,
            attempt: 99,
            started_at: at,
            attempted_at: at,
            ended: Some(ended),
            version: 999,
            traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
        };
        let entry = Entry {
            business_day: day(),
            franchise_id: Id::derive(&["example"]),
            membership_id: Id::derive(&["example"]),
            through: day(),
            registered: day(),
            state: EntryState::Failed,
            recorded: Some(Recorded { sequence: 999_999, amounts: amounts() }),
            version: 99,
        };
        let pointer = Pointer {
            settlement_id: Id::derive(&["example"]),
            franchise_id: Id::derive(&["example"]),
            sequence: 999_999,
        };
        let retry = Retry {
            retry_id: Id::derive(&["example"]),
            settlement_id: Id::derive(&["example"]),
            franchise_id: Id::derive(&["example"]),
            business_day: day(),
            amount: Money::MAX,
            attempt: 99,
            reason: "insufficient_bank_balance".to_owned(),
            failed_at: at,
            traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
        };
        for size in [size(&run), size(&entry), size(&pointer), size(&retry)] {
            assert!(size <= 1024, "{size} bytes");
        }
    }

    #[test]
    fn a_franchise_has_one_shard_and_its_lines_sort_by_place() {
        let franchise = FranchiseId::derive(&["example"]);
        assert!(Entry::shard_of(franchise) < SHARDS);
        assert_eq!(Entry::shard_of(Id::from_random(35)), 3);
        assert!(Line::key_of(franchise, 9).sort < Line::key_of(franchise, 10).sort);
        assert_ne!(Line::id_of(franchise, 1), Line::id_of(franchise, 2));
    }
}
