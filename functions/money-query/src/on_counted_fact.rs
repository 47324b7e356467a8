//! On every fact that the model counts: where a member lives, and what came into a wallet or left it.
//!
//! One handler for five facts and not five: each queue costs its pollers, up to 0.26 dollars in an idle month, and
//! what they would do is the same. A fact may come before those that it builds on, and more than once.

use crate::{counting, news};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by};
use events::{
    Envelope, Fact,
    membership::{MembershipModified, MembershipRegistered},
    money::{MoneyDecreased, MoneyIncreased, MoneyTransferred},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onCountedFact",
    summary: "Counts a fact in the region where its member lived at its time",
    triggers: &[
        Trigger::Fact(MembershipRegistered::TYPE),
        Trigger::Fact(MembershipModified::TYPE),
        Trigger::Fact(MoneyIncreased::TYPE),
        Trigger::Fact(MoneyDecreased::TYPE),
        Trigger::Fact(MoneyTransferred::TYPE),
    ],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    ..handled_by!(on_counted_fact)
};

async fn on_counted_fact(context: &Context, call: Call<Envelope>) -> Result<Reply<()>, Problem> {
    counting::count(context, &news::of(&call.body)?).await?;
    Ok(Reply::done())
}
