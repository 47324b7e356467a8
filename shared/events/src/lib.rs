//! Facts: what has happened, in the past tense, one struct per version.
//!
//! A fact is published only from the committed item that states it, under an id derived from that item: relaying
//! twice gives the same event. A published version is frozen: add a field with a default, or add a version. No fact
//! carries personal data.

pub mod banking;
pub mod franchise;
pub mod membership;
pub mod money;
pub mod payment;
pub mod remittance;
pub mod settlement;

use kernel::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// One version of one fact.
pub trait Fact: Serialize + DeserializeOwned + JsonSchema {
    /// The event's type, such as `money.increased.v1`: service, what happened, version.
    const TYPE: &'static str;

    /// What it is about: an id.
    fn subject(&self) -> String;

    /// A fact of this type as documentation shows it.
    fn example() -> Self;
}

/// A CloudEvents 1.0 envelope; its `type` is EventBridge's `detail-type`, and the whole of it is the `detail`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope<D = Value> {
    /// The same for the same fact, however often it is relayed.
    pub id: String,
    /// `pay.money`
    pub source: String,
    /// `money.increased.v1`
    #[serde(rename = "type")]
    pub kind: String,
    /// `1.0`
    pub specversion: String,
    /// When it happened.
    pub time: Timestamp,
    /// The id of what it is about.
    pub subject: String,
    /// The W3C trace context of the request that made it happen.
    pub traceparent: String,
    /// The fact.
    pub data: D,
}

impl Envelope {
    /// Wraps a fact. `occasion` tells apart facts of one type and subject, such as versions of a profile; it is
    /// empty for what happens once.
    pub fn of<F: Fact>(fact: &F, occasion: &str, time: Timestamp, traceparent: &str) -> Envelope {
        let subject = fact.subject();
        let service = F::TYPE.split('.').next().unwrap_or_default();
        Envelope {
            id: store::seal::digest(&[F::TYPE, &subject, occasion]),
            source: format!("pay.{service}"),
            kind: F::TYPE.to_owned(),
            specversion: "1.0".to_owned(),
            time,
            traceparent: traceparent.to_owned(),
            // A fact is a struct of texts and numbers, which always has a JSON form.
            data: serde_json::to_value(fact).unwrap_or_default(),
            subject,
        }
    }
}

/// What documentation and checks need to know of a fact's type.
pub struct FactType {
    /// `money.increased.v1`
    pub name: &'static str,
    /// The JSON Schema of its data.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// A whole event as an example.
    pub example: fn() -> Envelope,
    /// Whether a JSON text is an event of this type that loses nothing when read and written again.
    pub round_trips: fn(&str) -> bool,
    /// Whether a JSON text can be read as an event of this type, as a consumer reads it.
    pub reads: fn(&str) -> bool,
}

impl FactType {
    const fn of<F: Fact>() -> FactType {
        FactType {
            name: F::TYPE,
            schema: |generator| generator.subschema_for::<F>(),
            example: || Envelope::of(&F::example(), "", example_time(), EXAMPLE_TRACEPARENT),
            round_trips: |text| {
                let read: Option<Envelope<F>> = serde_json::from_str(text).ok();
                let written = read.and_then(|event| serde_json::to_value(event).ok());
                written.is_some() && written == serde_json::from_str(text).ok()
            },
            reads: |text| serde_json::from_str::<Envelope<F>>(text).is_ok(),
        }
    }
}

/// Every fact and command that the services publish.
pub const ALL: &[FactType] = &[
    FactType::of::<membership::RegisterMembershipRequested>(),
    FactType::of::<membership::MembershipRegistered>(),
    FactType::of::<membership::MembershipModified>(),
    FactType::of::<membership::MembershipClosed>(),
    FactType::of::<banking::RegisterBankAccountRequested>(),
    FactType::of::<banking::BankAccountRegistered>(),
    FactType::of::<banking::FirmbankingRequested>(),
    FactType::of::<banking::FirmbankingSucceeded>(),
    FactType::of::<banking::FirmbankingFailed>(),
    FactType::of::<franchise::FranchiseRegistered>(),
    FactType::of::<franchise::FranchiseModified>(),
    FactType::of::<franchise::FranchiseClosed>(),
    FactType::of::<money::MoneyIncreaseRequested>(),
    FactType::of::<money::MoneyIncreased>(),
    FactType::of::<money::MoneyDecreaseRequested>(),
    FactType::of::<money::MoneyDecreased>(),
    FactType::of::<money::MoneyTransferred>(),
    FactType::of::<remittance::RemittanceCompleted>(),
    FactType::of::<remittance::RemittanceFailed>(),
    FactType::of::<payment::PaymentApproved>(),
    FactType::of::<payment::PaymentCanceled>(),
    FactType::of::<payment::PaymentFinished>(),
    FactType::of::<settlement::SettlementStarted>(),
    FactType::of::<settlement::SettlementPaidOut>(),
    FactType::of::<settlement::SettlementFailed>(),
    FactType::of::<settlement::SettlementFinished>(),
];

/// The trace context in examples: the one of the W3C recommendation.
pub const EXAMPLE_TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The moment in examples: 2026-11-22T10:15:30Z.
pub fn example_time() -> Timestamp {
    Timestamp::from_millis(1_795_342_530_000)
}
