//! Begins a member's wallet. Called by other services; it has no route.
//!
//! Nobody needs it before the first step: whatever comes first begins the chain. A wallet that was closed stays closed.

use crate::create_member_money::open;
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{MemberMoney, WalletOwner},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "openMemberMoney",
    summary: "Begins a member's wallet",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    answers: &[201, 200],
    ..handled_by!(open_member_money)
};

async fn open_member_money(
    context: &Context,
    call: Call<WalletOwner>,
) -> Result<Reply<MemberMoney>, Problem> {
    let opened = open(context, &call, call.body.membership_id).await?;
    Ok(opened.reply())
}
