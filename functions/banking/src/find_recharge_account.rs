//! Called by remittance and payment: which of a member's linked accounts a recharge takes if the member names none.
//!
//! It is the one that was linked first, so that linking another account changes nothing for a member who never chose.

use crate::items::{BankAccount, BankAccountState, NEWEST_FIRST};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{RechargeAccount, RechargeAccountQuestion},
    problem,
};
use store::{Order, Query, Record, kind_of};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findRechargeAccount",
    summary: "Says which linked account a member's recharge takes if none is named",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable],
    refuses: &[&problem::NOT_FOUND],
    timeout_seconds: 5,
    ..handled_by!(find_recharge_account)
};

async fn find_recharge_account(
    context: &Context,
    call: Call<RechargeAccountQuestion>,
) -> Result<Reply<RechargeAccount>, Problem> {
    let owner = call.body.membership_id;
    if call.on_behalf_of.is_some_and(|member| member != owner) {
        return Err((&problem::NOT_FOUND).into());
    }
    let listed = Query::index(&NEWEST_FIRST, BankAccount::listed_under(owner));
    let mut query = Query { order: Order::Ascending, ..listed };
    loop {
        let page = context.table.query(&query).await?;
        for item in page.items.into_iter().filter(|item| kind_of(item) == BankAccount::KIND) {
            let account: BankAccount = store::read(item)?;
            if account.state == BankAccountState::Linked {
                return Ok(Reply::ok(RechargeAccount { bank_account_id: Some(account.bank_account_id) }));
            }
        }
        query.after = page.next;
        if query.after.is_none() {
            return Ok(Reply::ok(RechargeAccount { bank_account_id: None }));
        }
    }
}
