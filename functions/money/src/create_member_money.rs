//! `POST /v1/money/wallets`: opens the caller's wallet.
//!
//! A member has one wallet, and its id derives from the member's, so asking again is harmless and needs no key.

use crate::{
    chains,
    domain::{Chain, Entry, Order, Step},
    settings::Settings,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reference, Reply, Scope, Trigger, handled_by,
    peers::MemberMoney,
};
use kernel::id::{MembershipId, WalletId};
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "createMemberMoney",
    summary: "Opens the caller's wallet",
    triggers: &[Trigger::Route(Method::Post, "/v1/money/wallets")],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable, Grant::WriteTable],
    answers: &[201, 200],
    ..handled_by!(create_member_money)
};

/// Nothing is to be said.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

async fn create_member_money(context: &Context, call: Call<Nothing>) -> Result<Reply<MemberMoney>, Problem> {
    let owner = call.caller.member()?;
    open(context, &call, owner).await.map(Opened::reply)
}

/// A wallet's first entry, and who made it.
pub enum Opened {
    /// This call.
    Now(Entry),
    /// Somebody before it.
    Before(Entry),
}

impl Opened {
    /// The wallet, made now or known before.
    pub fn reply(self) -> Reply<MemberMoney> {
        let (Opened::Now(first) | Opened::Before(first)) = &self;
        let owner = first.owner;
        let wallet = MemberMoney { wallet_id: first.wallet_id, membership_id: owner, opened_at: first.time };
        match self {
            Opened::Before(_) => Reply::ok(wallet).replayed(),
            Opened::Now(_) => Reply::created(format!("/v1/money/wallets/{owner}/balance"), wallet),
        }
    }
}

/// Makes sure that a member's wallet has a first entry. A wallet that was closed has one, so it stays closed.
pub async fn open<I>(context: &Context, call: &Call<I>, owner: MembershipId) -> Result<Opened, Problem> {
    if let Some(first) = chains::first(context, owner).await? {
        return Ok(Opened::Before(first));
    }
    let limits = Settings::of(context)?.limits;
    let wallet_id = WalletId::of(owner);
    let reference = Reference { id: format!("{wallet_id}/open"), birth: call.now };
    let traceparent = call.trace.traceparent().to_owned();
    let order = Order { step: Step::Open, reference, expires_at: None, traceparent };
    // The read was consistent, so a chain without a first entry is a chain without any.
    let chain = Chain { wallet_id, owner, entries: Vec::new() };
    if let Some(entry) = chains::try_append(context, &chain, &order, &limits).await? {
        return Ok(Opened::Now(entry));
    }
    // Losing this race is as good as winning it: the wallet is open.
    let first = chains::first(context, owner).await?;
    first.map(Opened::Before).ok_or_else(|| Problem::unavailable("the wallet's first entry is not there yet"))
}
