//! What payment stores, and where.
//!
//! | item | partition | sort |
//! |---|---|---|
//! | payment | its id | `payment` |
//! | copy of a franchise | its id | `franchise` |
//!
//! Two sparse indexes list what was paid, newest first: a payer's, and a franchise's of one business day, which is
//! spread over shards so that no partition is hot. A payment enters both when it is approved, and its place in them
//! never changes; when it is settled it goes over to the settled ones of its franchise's day.

use crate::domain::OrderId;
use contract::{Reference, top_up::TopUp};
use events::franchise::{Franchise, FranchiseState};
use kernel::{
    BasisPoints, FeeSchedule, Id, Money, SeoulDay, Timestamp,
    id::{BankAccountId, CancellationId, FranchiseId, MembershipId, PaymentId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Index, Key, Record};

/// A franchise's payments of a business day, by shard and state, newest first.
pub static FRANCHISES_NEWEST_FIRST: Index =
    Index { name: "franchisesNewestFirst", partition: "paidTo", sort: "approvedPlace" };
/// A payer's payments, newest first.
pub static PAYERS_NEWEST_FIRST: Index =
    Index { name: "payersNewestFirst", partition: "paidBy", sort: "approvedPlace" };

/// How many partitions of the index a franchise's business day is spread over.
pub const SHARDS: u128 = 8;

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PaymentState {
    /// Stored; work goes on.
    Requested,
    /// Paid, and not settled yet.
    Normal,
    /// Not paid, and never will be.
    Failed,
    /// Paid and settled.
    Settled,
}

/// Why a payment is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CancellationReason {
    /// The customer has changed their mind.
    CustomerRequest,
    /// The merchant cannot deliver.
    OutOfStock,
    /// The same order was paid twice.
    DuplicatePayment,
    /// Too much was paid.
    WrongAmount,
    /// Something else.
    Other,
}

/// A payment: the saga's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Its id, derived from caller, operation and key.
    pub payment_id: PaymentId,
    /// Who pays.
    pub membership_id: MembershipId,
    /// Who is paid.
    pub franchise_id: FranchiseId,
    /// The merchant's name for the order.
    pub order_id: OrderId,
    /// How much.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
    /// What Pay keeps of it: the franchise's fee when the payment was asked for.
    pub fee_bps: BasisPoints,
    /// The linked account to recharge a shortfall from, if the payer named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_account_id: Option<BankAccountId>,
    /// When it was asked for: the birth of all steps that make it.
    pub requested_at: Timestamp,
    /// From when on the ledger refuses it.
    pub payable_until: Timestamp,
    /// The hash of the request, to tell a repetition from a reuse of its key.
    pub fingerprint: String,
    /// How far it is.
    pub state: PaymentState,
    /// The recharge that was planned because money was short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_up: Option<TopUp>,
    /// Why it failed: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When the wallet was debited: the entry's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    /// What was taken back of it, or is being taken back; their sum is never more than the amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancellations: Vec<Cancellation>,
    /// One more with each change; a change is conditional on it.
    pub version: u64,
    /// How often nobody could say how it ends: the delay of the next look grows with it.
    pub attempts: u32,
    /// Until when the one who works on it may not be disturbed by a repetition.
    pub leased_until: Timestamp,
    /// The trace of the request.
    pub traceparent: String,
}

/// A payment, or a part of it, taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancellation {
    /// Its id, derived from caller, payment and key.
    pub cancellation_id: CancellationId,
    /// How much.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CancellationReason>,
    /// When it was asked for: the birth of its step.
    pub requested_at: Timestamp,
    /// When the money came back: the entry's time. None as long as nobody knows that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded_at: Option<Timestamp>,
    /// The hash of the request.
    pub fingerprint: String,
    /// The trace of the request.
    pub traceparent: String,
}

impl Record for Payment {
    const KIND: &'static str = "payment";

    fn key(&self) -> Key {
        Payment::key_of(self.payment_id)
    }

    fn index_keys(&self) -> Vec<(&'static str, String)> {
        let Some(approved_at) = self.approved_at else { return Vec::new() };
        let paid_to =
            paid_to(self.franchise_id, &approved_at.business_day(), self.state, shard_of(self.payment_id));
        vec![
            (FRANCHISES_NEWEST_FIRST.partition, paid_to),
            (PAYERS_NEWEST_FIRST.partition, paid_by(self.membership_id)),
            (PAYERS_NEWEST_FIRST.sort, place(approved_at, self.payment_id)),
        ]
    }
}

impl Payment {
    /// Where the payment with this id is.
    pub fn key_of(id: PaymentId) -> Key {
        Key::new(id.to_string(), "payment")
    }

    /// Where it can be read over HTTP.
    pub fn location(&self) -> String {
        format!("/v1/payments/{}", self.payment_id)
    }

    /// Whether the wallet was debited for it.
    pub fn is_approved(&self) -> bool {
        matches!(self.state, PaymentState::Normal | PaymentState::Settled)
    }

    /// Whether nothing is left to be done: until somebody asks for something.
    pub fn is_at_rest(&self) -> bool {
        self.state != PaymentState::Requested
            && self.cancellations.iter().all(|part| part.refunded_at.is_some())
    }

    /// The reference of one of the steps that make it.
    pub fn reference(&self, step: &str) -> Reference {
        Reference { id: format!("{}/{step}", self.payment_id), birth: self.requested_at }
    }

    /// The reference under which a part of it is paid back. It is born with the cancellation, not with the payment.
    pub fn refund_reference(&self, part: &Cancellation) -> Reference {
        let id = format!("{}/cancellation/{}", self.payment_id, part.cancellation_id);
        Reference { id, birth: part.requested_at }
    }
}

/// In which shard of its franchise's day a payment is listed.
pub fn shard_of(id: PaymentId) -> u128 {
    // An id is a hash, so any part of it spreads.
    id.bits() % SHARDS
}

/// Where a franchise's payments of a business day are listed.
pub fn paid_to(franchise: FranchiseId, day: &SeoulDay, state: PaymentState, shard: u128) -> String {
    let state = if state == PaymentState::Settled { "settled" } else { "normal" };
    format!("{franchise}#{day}#{state}#{shard}")
}

/// Where a payer's payments are listed.
pub fn paid_by(payer: MembershipId) -> String {
    format!("payer#{payer}")
}

/// A payment's place in a list: by time, and among those of one moment by id.
pub fn place(approved_at: Timestamp, id: PaymentId) -> String {
    format!("{approved_at}#{id}")
}

/// The place before all those of a moment.
pub fn place_of_first(approved_at: Timestamp) -> String {
    place(approved_at, Id::from_random(0))
}

/// The place right before another. None if there cannot be one.
pub fn place_before(place: &str) -> Option<String> {
    let (approved_at, id) = parse_place(place)?;
    match id.bits().checked_sub(1) {
        Some(bits) => Some(self::place(approved_at, Id::from_random(bits))),
        None => {
            let before = approved_at.millis().checked_sub(1).filter(|millis| *millis >= 0)?;
            Some(self::place(Timestamp::from_millis(before), Id::from_random(u128::MAX)))
        }
    }
}

/// The moment and the payment of a place.
pub fn parse_place(place: &str) -> Option<(Timestamp, PaymentId)> {
    let (approved_at, id) = place.split_once('#')?;
    Some((approved_at.parse().ok()?, id.parse().ok()?))
}

/// A franchise as payment keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FranchiseCopy {
    /// Which.
    pub franchise_id: FranchiseId,
    /// Its owner.
    pub membership_id: MembershipId,
    /// What Pay keeps of a payment, and from when on.
    pub fee_terms: FeeSchedule,
    /// Whether it takes payments.
    pub state: FranchiseState,
    /// Which version of the franchise this is; the highest wins.
    pub version: u64,
}

impl From<&Franchise> for FranchiseCopy {
    fn from(franchise: &Franchise) -> FranchiseCopy {
        FranchiseCopy {
            franchise_id: franchise.franchise_id,
            membership_id: franchise.membership_id,
            fee_terms: franchise.fee_terms.clone(),
            state: franchise.state,
            version: franchise.version,
        }
    }
}

impl Record for FranchiseCopy {
    const KIND: &'static str = "franchise";

    fn key(&self) -> Key {
        FranchiseCopy::key_of(self.franchise_id)
    }
}

impl FranchiseCopy {
    /// Where the copy of this franchise is.
    pub fn key_of(id: FranchiseId) -> Key {
        Key::new(id.to_string(), "franchise")
    }
}
