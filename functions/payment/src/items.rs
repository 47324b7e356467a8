//! What payment stores, and where.
//!
//! | item | partition | sort |
//! |---|---|---|
//! | payment | its id | `payment` |
//! | cancellation, once its money is back | its payment's id | `cancellation#` and its id |
//! | page of a manifest | `manifest#`, franchise, `#`, sequence, `#`, last day | the position at which it begins |
//! | group of settled payments | `settled#` and the franchise | its last day |
//! | copy of a franchise | its id | `franchise` |
//! | how long a sweep is alive | `sweep#` and the operation's name | `alive` |
//!
//! Two sparse indexes list what was paid, newest first: a payer's, and a franchise's of one business day, which is
//! spread over shards so that no partition is hot. A payment enters both when it is approved, and its place in them
//! never changes. Cancellations have lists of their own beside a franchise's payments, by the day on which the money
//! came back. Settlement changes neither: what is settled is derived (settled.rs).

use crate::domain::{Moved, OrderId, Position};
use contract::{
    Reference,
    page::place,
    peers::{FeeTotals, ManifestName},
    top_up::TopUp,
};
use events::franchise::{Franchise, FranchiseState};
use kernel::{
    BasisPoints, FeeSchedule, Id, Money, SeoulDay, Timestamp,
    id::{BankAccountId, CancellationId, FranchiseId, MembershipId, PaymentId, SettlementId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use store::{Index, Key, Record};

/// Every kind of record in the table.
pub const RECORDS: &[store::Kind] = &[
    store::Kind::of::<Payment>(),
    store::Kind::of::<Canceled>(),
    store::Kind::of::<CollectedPage>(),
    store::Kind::of::<SettledGroup>(),
    store::Kind::of::<FranchiseCopy>(),
    store::Kind::of::<contract::sweeping::Sweeping>(),
];

/// A franchise's payments of a business day, and its cancellations, by shard.
pub static FRANCHISES_NEWEST_FIRST: Index =
    Index { name: "franchisesNewestFirst", partition: "paidTo", sort: "approvedPlace" };
/// A payer's payments, newest first.
pub static PAYERS_NEWEST_FIRST: Index =
    Index { name: "payersNewestFirst", partition: "paidBy", sort: "approvedPlace" };

/// How far a payment is. Whether it is settled is not its own to say: no payment is touched by its settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PaymentState {
    /// Stored; work goes on.
    Requested,
    /// Paid.
    Normal,
    /// Not paid, and never will be.
    Failed,
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
    /// When the wallet was debited: the entry's time. It places the payment among its franchise's days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// The entry's time, if this was recorded too late to be placed by it: see [`crate::domain::Moved`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_at: Option<Timestamp>,
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
    /// The entry's time, if this was recorded too late to be placed by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_at: Option<Timestamp>,
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
        let paid_to = Position::of_payment(approved_at, self.payment_id).partition(self.franchise_id);
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
        self.state == PaymentState::Normal
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

impl Cancellation {
    /// When the money came back; none if it is not known to be back.
    pub fn moved(&self) -> Option<Moved> {
        self.refunded_at.map(|at| Moved { at, entered_at: self.entered_at })
    }
}

/// Where a payer's payments are listed.
pub fn paid_by(payer: MembershipId) -> String {
    format!("payer#{payer}")
}

/// A cancellation whose money is back, as settlement takes it: an item of its own, put once and never changed, so
/// that it has a place in the day on which it happened. It is put before the payment's item says that it is back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Canceled {
    /// Its id.
    pub cancellation_id: CancellationId,
    /// Of which payment.
    pub payment_id: PaymentId,
    /// Who was paid.
    pub franchise_id: FranchiseId,
    /// The merchant's name for the order.
    pub order_id: OrderId,
    /// How much came back.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
    /// The payment's fee.
    pub fee_bps: BasisPoints,
    /// When the money came back: the entry's time.
    pub refunded_at: Timestamp,
    /// The entry's time, if this was recorded too late to be placed by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_at: Option<Timestamp>,
}

impl Record for Canceled {
    const KIND: &'static str = "cancellation";

    fn key(&self) -> Key {
        Canceled::key_of(self.payment_id, self.cancellation_id)
    }

    fn index_keys(&self) -> Vec<(&'static str, String)> {
        let position = Position::of_cancellation(self.refunded_at, self.cancellation_id);
        vec![
            (FRANCHISES_NEWEST_FIRST.partition, position.partition(self.franchise_id)),
            (FRANCHISES_NEWEST_FIRST.sort, place(self.refunded_at, self.cancellation_id)),
        ]
    }
}

impl Canceled {
    /// Where the record of this cancellation is.
    pub fn key_of(payment: PaymentId, id: CancellationId) -> Key {
        Key::new(payment.to_string(), format!("cancellation#{id}"))
    }

    /// A part of a payment that is back.
    pub fn of(payment: &Payment, part: &Cancellation, Moved { at, entered_at }: Moved) -> Canceled {
        Canceled {
            cancellation_id: part.cancellation_id,
            payment_id: payment.payment_id,
            franchise_id: payment.franchise_id,
            order_id: payment.order_id.clone(),
            amount: part.amount,
            fee_bps: payment.fee_bps,
            refunded_at: at,
            entered_at,
        }
    }

    /// When the money came back.
    pub const fn moved(&self) -> Moved {
        Moved { at: self.refunded_at, entered_at: self.entered_at }
    }
}

/// A page of a manifest: what was collected between two positions. It is put once and never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectedPage {
    /// Whose manifest.
    pub franchise_id: FranchiseId,
    /// For which settlement of the franchise's chain.
    pub sequence: u64,
    /// The last business day in it.
    pub through: SeoulDay,
    /// The first business day in it.
    pub from: SeoulDay,
    /// The manifests of earlier settlements whose content is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<ManifestName>,
    /// Where the page begins.
    pub begins: Position,
    /// Where the next page begins; none if this is the last, and the manifest complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Position>,
    /// The ids of the payments in it, 16 bytes each.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub payments: ByteBuf,
    /// The ids of the cancellations in it, each behind its payment's: 32 bytes together.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub cancellations: ByteBuf,
    /// What the manifest comes to up to the end of this page, by fee; the lowest fee first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub totals: Vec<FeeTotals>,
}

fn is_empty(bytes: &ByteBuf) -> bool {
    bytes.is_empty()
}

/// How many bytes an id is.
const ID_BYTES: usize = 16;

impl Record for CollectedPage {
    const KIND: &'static str = "manifestPage";

    fn key(&self) -> Key {
        let partition = CollectedPage::partition(self.franchise_id, &self.name());
        Key::new(partition, self.begins.to_string())
    }
}

impl CollectedPage {
    /// Where the pages of a manifest are.
    pub fn partition(franchise: FranchiseId, name: &ManifestName) -> String {
        format!("manifest#{franchise}#{}#{}", name.sequence, name.through)
    }

    /// The name of its manifest.
    pub fn name(&self) -> ManifestName {
        ManifestName { sequence: self.sequence, through: self.through.clone() }
    }

    /// Whether it is the last page.
    pub const fn is_last(&self) -> bool {
        self.ends.is_none()
    }

    /// Whether what stands at this position would be in this page.
    pub fn covers(&self, position: &Position) -> bool {
        self.begins <= *position && self.ends.as_ref().is_none_or(|ends| position < ends)
    }

    /// Adds a payment, or a cancellation of it.
    pub fn push(&mut self, payment: PaymentId, cancellation: Option<CancellationId>) {
        match cancellation {
            None => self.payments.extend(payment.bits().to_be_bytes()),
            Some(id) => {
                self.cancellations.extend(payment.bits().to_be_bytes());
                self.cancellations.extend(id.bits().to_be_bytes());
            }
        }
    }

    /// How many bytes the ids in it are.
    pub fn id_bytes(&self) -> usize {
        self.payments.len().saturating_add(self.cancellations.len())
    }

    /// The ids in it: payments, then cancellations, each in the order in which they were collected.
    pub fn ids(&self) -> impl Iterator<Item = (PaymentId, Option<CancellationId>)> {
        let payments = self.payments.chunks_exact(ID_BYTES).map(|id| (Id::from_random(bits(id)), None));
        let two = self.cancellations.chunks_exact(ID_BYTES.saturating_mul(2));
        let cancellations = two.map(|two| {
            let (payment, own) = two.split_at(ID_BYTES);
            (Id::from_random(bits(payment)), Some(Id::from_random(bits(own))))
        });
        payments.chain(cancellations)
    }

    /// Whether this payment, or this cancellation of it, is in it.
    pub fn has(&self, payment: PaymentId, cancellation: Option<CancellationId>) -> bool {
        self.ids().any(|known| known == (payment, cancellation))
    }
}

fn bits(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |bits, byte| bits.wrapping_shl(8) | u128::from(*byte))
}

/// Payments and cancellations that were settled together: all that a manifest lists. It is put once and never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettledGroup {
    /// Whose.
    pub franchise_id: FranchiseId,
    /// The last business day in it.
    pub through: SeoulDay,
    /// The settlement's place in the franchise's chain; with the last day it names the manifest.
    pub sequence: u64,
    /// The settlement.
    pub settlement_id: SettlementId,
    /// When that was recorded.
    pub settled_at: Timestamp,
    /// How many payments.
    pub payments: u64,
    /// Their sum.
    #[serde(with = "kernel::money::won")]
    pub paid: Money,
    /// How many cancellations.
    pub cancellations: u64,
    /// Their sum.
    #[serde(with = "kernel::money::won")]
    pub canceled: Money,
    /// The trace of the run.
    pub traceparent: String,
}

impl Record for SettledGroup {
    const KIND: &'static str = "settledGroup";

    fn key(&self) -> Key {
        Key::new(SettledGroup::partition(self.franchise_id), self.through.to_string())
    }
}

impl SettledGroup {
    /// Where the groups of a franchise are, by their last day.
    pub fn partition(franchise: FranchiseId) -> String {
        format!("settled#{franchise}")
    }

    /// Where the group of a franchise with this last day is.
    pub fn key_of(franchise: FranchiseId, through: &SeoulDay) -> Key {
        Key::new(SettledGroup::partition(franchise), through.to_string())
    }

    /// The name of its manifest.
    pub fn name(&self) -> ManifestName {
        ManifestName { sequence: self.sequence, through: self.through.clone() }
    }
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
