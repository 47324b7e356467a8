//! On MembershipRegistered: opens the new member's wallet.
//!
//! A recharge may come before this fact does; then the wallet has begun already, and nothing is left to do.

use crate::create_member_money::open;
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by};
use events::{Envelope, Fact, membership::MembershipRegistered};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onMembershipRegistered",
    summary: "Opens a new member's wallet",
    triggers: &[Trigger::Fact(MembershipRegistered::TYPE)],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    ..handled_by!(on_membership_registered)
};

async fn on_membership_registered(
    context: &Context,
    call: Call<Envelope<MembershipRegistered>>,
) -> Result<Reply<()>, Problem> {
    open(context, &call, call.body.data.membership_id).await?;
    Ok(Reply::done())
}
