//! Called by settlement: all that a manifest lists is settled.
//!
//! One item says so for all of them, however many they are; no payment is touched. It is put once: the same group
//! again is answered the same, and no other settlement can have the same last day.

use crate::{
    domain::{Refusal, totals},
    items::SettledGroup,
    manifests, refusals,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{FinishedGroup, PaymentsFinished},
};
use events::{Fact, payment::PaymentFinished};
use store::{Condition, Read, Write};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "finishPayments",
    summary: "Makes all payments and cancellations of a manifest settled",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    emits: &[PaymentFinished::TYPE],
    refuses: &[&refusals::MANIFEST_INCOMPLETE, &refusals::SETTLED_OTHERWISE],
    ..handled_by!(finish_payments)
};

async fn finish_payments(
    context: &Context,
    call: Call<FinishedGroup>,
) -> Result<Reply<PaymentsFinished>, Problem> {
    let asked = &call.body;
    let manifest = manifests::complete(context, asked.franchise_id, &asked.name).await?;
    let whole = totals::whole(&manifest.totals).map_err(Problem::internal)?;
    let group = SettledGroup {
        franchise_id: asked.franchise_id,
        through: asked.name.through.clone(),
        sequence: asked.name.sequence,
        settlement_id: asked.settlement_id,
        settled_at: asked.settled_at,
        payments: whole.payments,
        paid: whole.paid,
        cancellations: whole.cancellations,
        canceled: whole.canceled,
        traceparent: call.trace.traceparent().to_owned(),
    };
    let group = match put(context, &group).await? {
        None => group,
        Some(known) if is_same(&known, &group) => known,
        Some(_) => return Err(Refusal::SettledOtherwise.into()),
    };
    Ok(Reply::ok(PaymentsFinished { payments: group.payments }))
}

/// Puts the group; answers the one that was there before, if there was one.
async fn put(context: &Context, group: &SettledGroup) -> Result<Option<SettledGroup>, Problem> {
    let error = match context.table.commit(&[Write::put(group, Condition::Absent)?]).await {
        Ok(()) => return Ok(None),
        Err(error) if error.is_collision() => error,
        Err(error) => return Err(error.into()),
    };
    if let Some(found) = error.found(0) {
        return Ok(Some(store::read(found.clone())?));
    }
    let key = SettledGroup::key_of(group.franchise_id, &group.through);
    let found = context.table.get(&key, Read::Consistent).await?;
    let found = found.ok_or_else(|| Problem::unavailable("a contended put"))?;
    Ok(Some(store::read(found)?))
}

/// Whether two callers ask for one settlement, in whatever trace.
fn is_same(known: &SettledGroup, asked: &SettledGroup) -> bool {
    SettledGroup { traceparent: asked.traceparent.clone(), ..known.clone() } == *asked
}
