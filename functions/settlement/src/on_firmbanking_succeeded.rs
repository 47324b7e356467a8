//! On FirmbankingSucceeded: the bank moved the money, so the settlement that asked for it goes on.
//!
//! The fact only says that it is worth asking: the saga reads the outcome from banking under its own reference, so
//! that a repeated, late or reordered fact changes nothing.

use crate::lines;
use contract::{Call, Context, Operation, Problem, Reply, Trigger, handled_by};
use events::{Envelope, Fact, banking::FirmbankingSucceeded};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onFirmbankingSucceeded",
    summary: "Goes on with the settlement whose firmbanking has succeeded",
    triggers: &[Trigger::Fact(FirmbankingSucceeded::TYPE)],
    ..lines::advances(handled_by!(on_firmbanking_succeeded))
};

async fn on_firmbanking_succeeded(
    context: &Context,
    call: Call<Envelope<FirmbankingSucceeded>>,
) -> Result<Reply<()>, Problem> {
    lines::advance_by_reference(context, &call, &call.body.data.reference).await?;
    Ok(Reply::done())
}
