//! What merchants and operators are shown of settlements.

use crate::{
    domain::{Outcome, fee_of, outcome},
    entries::Tally,
    items::{Amounts, Entry, EntryState, Line, LineState, Run, RunState},
};
use contract::{Call, Problem, Scope, peers::FeeTotals, problem};
use kernel::{
    BasisPoints, Money, OutOfRange, SeoulDay, SignedMoney, Timestamp,
    id::{BankAccountId, FranchiseId, MembershipId, SettlementId},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::borrow::Cow;

/// What a settlement is called: a line by its id, a run by its business day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// What one run settles with one franchise.
    Line(SettlementId),
    /// The settlement of a business day.
    Run(SeoulDay),
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let line = text.parse().map(Name::Line);
        line.or_else(|_| text.parse().map(Name::Run))
            .map_err(|_| D::Error::custom("must be a settlement's id or a day such as 2026-11-22"))
    }
}

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "SettlementName".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A settlement's id, or the business day of a run",
            "anyOf": [generator.subschema_for::<SettlementId>(), generator.subschema_for::<SeoulDay>()]
        })
    }
}

/// Lets the operator and the franchise's owner through, and answers everyone else as if there were nothing.
pub fn hold_to_owner<I>(call: &Call<I>, owner: MembershipId) -> Result<(), Problem> {
    if call.caller.has(Scope::Operator) { Ok(()) } else { call.caller.owns(owner) }
}

/// Lets only the operator through; to everyone else there is nothing.
pub fn hold_to_operator<I>(call: &Call<I>) -> Result<(), Problem> {
    if call.caller.has(Scope::Operator) { Ok(()) } else { Err((&problem::NOT_FOUND).into()) }
}

/// A settlement: with one franchise, or of a whole business day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[schemars(rename = "AnySettlement")]
pub enum AnySettlement {
    /// With one franchise.
    Line(LineView),
    /// Of a business day.
    Run(RunView),
}

/// What was paid and cancelled under one fee.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SettlementFee")]
pub struct FeeLine {
    /// The fee.
    pub fee_bps: BasisPoints,
    /// How many payments.
    pub payments: u64,
    /// Their sum.
    pub paid: Money,
    /// How many cancellations.
    pub cancellations: u64,
    /// Their sum.
    pub canceled: Money,
    /// What Pay keeps of that; below zero if more was cancelled than paid.
    pub fee: SignedMoney,
}

impl FeeLine {
    fn of(totals: &FeeTotals) -> Result<FeeLine, OutOfRange> {
        let FeeTotals { fee_bps, payments, paid, cancellations, canceled } = *totals;
        Ok(FeeLine { fee_bps, payments, paid, cancellations, canceled, fee: fee_of(totals)? })
    }
}

/// What a settlement with one franchise comes to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SettlementTotals")]
pub struct Totals {
    /// How many payments.
    pub payments: u64,
    /// Their sum.
    pub paid: Money,
    /// How many cancellations.
    pub cancellations: u64,
    /// Their sum.
    pub canceled: Money,
    /// Pay's fee.
    pub fee: SignedMoney,
    /// The value-added tax on the fee.
    pub vat: SignedMoney,
    /// What is left: paid less cancelled, fee and tax.
    pub net: SignedMoney,
    /// What the franchise owed before.
    pub carried_in: Money,
    /// What is paid out: what is left less what was owed, if that is above zero.
    pub payout: Money,
    /// What the franchise owes now; the next settlement takes it off.
    pub carried_out: Money,
}

impl From<Amounts> for Totals {
    fn from(amounts: Amounts) -> Totals {
        let Amounts { payments, paid, cancellations, canceled, fee, vat, net, .. } = amounts;
        let Amounts { carried_in, payout, carried_out, .. } = amounts;
        Totals { payments, paid, cancellations, canceled, fee, vat, net, carried_in, payout, carried_out }
    }
}

/// A settlement with one franchise.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Settlement")]
pub struct LineView {
    /// Its id.
    pub settlement_id: SettlementId,
    /// The franchise.
    pub franchise_id: FranchiseId,
    /// Its place among the franchise's settlements: 1, 2, 3 …
    pub sequence: u64,
    /// The business day whose run settled it.
    pub business_day: SeoulDay,
    /// The last business day in it.
    pub through: SeoulDay,
    /// How far it is.
    pub state: LineState,
    /// What was paid and cancelled, by fee.
    pub lines: Vec<FeeLine>,
    /// The tax rate.
    pub vat_bps: BasisPoints,
    /// What it comes to.
    pub totals: Totals,
    /// How often it was tried to pay it out.
    pub payout_attempts: u32,
    /// The account of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_account_id: Option<BankAccountId>,
    /// Why the last attempt failed, as a stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When it was completed, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
}

impl LineView {
    /// Shows a line.
    pub fn of(line: &Line) -> Result<LineView, Problem> {
        let lines: Result<Vec<FeeLine>, OutOfRange> = line.totals.iter().map(FeeLine::of).collect();
        Ok(LineView {
            settlement_id: line.settlement_id(),
            franchise_id: line.franchise_id,
            sequence: line.sequence,
            business_day: line.business_day.clone(),
            through: line.through.clone(),
            state: line.state,
            lines: lines.map_err(Problem::internal)?,
            vat_bps: line.vat_bps,
            totals: line.amounts.into(),
            payout_attempts: line.payout.map_or(0, |payout| payout.attempt),
            bank_account_id: line.payout.map(|payout| payout.bank_account_id),
            failure_reason: line.failure_reason.clone(),
            recorded_at: line.recorded_at,
            completed_at: line.completed_at,
        })
    }
}

/// How a run's franchises stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SettlementRunTotals")]
pub struct RunTotals {
    /// How many are still to be settled.
    pub due: u64,
    /// How many are being paid out.
    pub open: u64,
    /// How many are settled.
    pub done: u64,
    /// How many could not be paid out.
    pub failed: u64,
    /// What was paid less what was cancelled.
    pub sales: SignedMoney,
    /// The fees.
    pub fee: SignedMoney,
    /// The value-added tax on them.
    pub vat: SignedMoney,
    /// What was paid out.
    pub paid_out: SignedMoney,
    /// What is still to be paid out.
    pub unpaid: SignedMoney,
}

impl From<Tally> for RunTotals {
    fn from(tally: Tally) -> RunTotals {
        let Tally { due, open, done, failed, sales, fee, vat, paid_out, unpaid } = tally;
        RunTotals { due, open, done, failed, sales, fee, vat, paid_out, unpaid }
    }
}

/// The settlement of a business day, without its franchises.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StartedSettlementRun")]
pub struct RunHead {
    /// The day.
    pub business_day: SeoulDay,
    /// How far it is.
    pub state: RunState,
    /// How often it was begun: once, unless it was interrupted.
    pub attempt: u32,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it was finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

impl RunHead {
    /// Shows a run.
    pub fn of(run: &Run) -> RunHead {
        RunHead {
            business_day: run.business_day.clone(),
            state: run.state,
            attempt: run.attempt,
            started_at: run.started_at,
            finished_at: run.ended.map(|ended| ended.at),
        }
    }
}

/// The settlement of a business day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SettlementRun")]
pub struct RunView {
    /// The run.
    #[serde(flatten)]
    pub run: RunHead,
    /// How its franchises stand now.
    pub totals: RunTotals,
    /// Franchises that are not settled yet, at most 100.
    pub pending: Vec<Summary>,
    /// Franchises that could not be paid out, at most 100.
    pub failed: Vec<Summary>,
}

/// How far the settlement with a franchise is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SettlementState")]
pub enum SummaryState {
    /// It is to be settled.
    Due,
    /// It is being carried out.
    Open,
    /// The franchise has the money.
    Paid,
    /// The next settlement takes it off.
    Carried,
    /// It comes to nothing exactly.
    Settled,
    /// There was nothing to settle.
    Empty,
    /// The bank has certainly not moved the money.
    Failed,
    /// A settlement of another run has the franchise's days.
    Covered,
}

/// A settlement with a franchise, in a list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SettlementSummary")]
pub struct Summary {
    /// Its id; none if it is not recorded, or another run's settlement has the franchise's days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_id: Option<SettlementId>,
    /// The franchise.
    pub franchise_id: FranchiseId,
    /// The business day of the run.
    pub business_day: SeoulDay,
    /// The last business day in it.
    pub through: SeoulDay,
    /// How far it is.
    pub state: SummaryState,
    /// What it comes to, once it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
}

impl From<&Entry> for Summary {
    fn from(entry: &Entry) -> Summary {
        let amounts = entry.recorded.map(|line| line.amounts);
        let state = match (entry.state, amounts) {
            (EntryState::Due, _) => SummaryState::Due,
            (EntryState::Open, _) => SummaryState::Open,
            (EntryState::Failed, _) => SummaryState::Failed,
            (EntryState::Done, None) => SummaryState::Covered,
            (EntryState::Done, Some(amounts)) => match outcome(&amounts.reckoning(), &amounts.carry()) {
                Outcome::PayOut => SummaryState::Paid,
                Outcome::Carried => SummaryState::Carried,
                Outcome::Empty => SummaryState::Empty,
                Outcome::Settled => SummaryState::Settled,
            },
        };
        Summary {
            settlement_id: entry.settlement_id(),
            franchise_id: entry.franchise_id,
            business_day: entry.business_day.clone(),
            through: entry.through.clone(),
            state,
            totals: amounts.map(Totals::from),
        }
    }
}

impl From<&Line> for Summary {
    fn from(line: &Line) -> Summary {
        let state = match line.state {
            LineState::Open => SummaryState::Open,
            LineState::Paid => SummaryState::Paid,
            LineState::Carried => SummaryState::Carried,
            LineState::Settled => SummaryState::Settled,
            LineState::Empty => SummaryState::Empty,
            LineState::Failed => SummaryState::Failed,
        };
        Summary {
            settlement_id: Some(line.settlement_id()),
            franchise_id: line.franchise_id,
            business_day: line.business_day.clone(),
            through: line.through.clone(),
            state,
            totals: Some(line.amounts.into()),
        }
    }
}
