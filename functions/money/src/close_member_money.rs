//! Ends a member's wallet. Called by membership; it has no route.
//!
//! The chain gets its `close`, even as the first entry of all, and takes nothing any more; what is certain at the bank
//! and still comes goes to suspense. While money, holds or expected recharges are left it is refused, and the refusal
//! is an entry too: under this reference the wallet will never close, whatever happens to it later.

use crate::{
    chains::{self, Failure},
    domain::{Order, Step},
    refusals::{self, Refusal},
    settings::Settings,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{MoneyClosing, WalletOwner, WhatIsLeft},
    problem,
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "closeMemberMoney",
    summary: "Ends a member's wallet, if nothing is left in it or on its way",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    refuses: &[&refusals::OTHER_TERMS, &refusals::BORN_LATER],
    ..handled_by!(close_member_money)
};

async fn close_member_money(
    context: &Context,
    call: Call<WalletOwner>,
) -> Result<Reply<MoneyClosing>, Problem> {
    let owner = call.body.membership_id;
    let reference = call.reference.clone().ok_or(&problem::IDEMPOTENCY_KEY_REQUIRED)?;
    let traceparent = call.trace.traceparent().to_owned();
    let order = Order { step: Step::Close, reference, expires_at: None, traceparent };
    let limits = Settings::of(context)?.limits;
    let mut chain = chains::load(context, owner, order.reference.birth).await?;

    let closing = match chains::append(context, &mut chain, &order, &limits).await {
        Ok(entry) => MoneyClosing::Closed {
            wallet_id: entry.wallet_id,
            sequence: entry.sequence,
            closed_at: entry.time,
        },
        Err(Failure::Refused(refusal)) => MoneyClosing::Refused { reason: what_is_left(refusal)? },
        Err(Failure::Problem(problem)) => return Err(problem),
    };
    Ok(Reply::ok(closing))
}

/// Nothing else stands against the end of a wallet.
fn what_is_left(refusal: Refusal) -> Result<WhatIsLeft, Problem> {
    match refusal {
        Refusal::MoneyHeld => Ok(WhatIsLeft::Held),
        Refusal::RechargeExpected => Ok(WhatIsLeft::Expected),
        Refusal::WalletNotEmpty => Ok(WhatIsLeft::Balance),
        other => Err(Problem::internal(format!("a wallet was not closed, because: {other}"))),
    }
}
