//! Called by whoever must know that a closed franchise is owed nothing any more, such as before its owner leaves.
//!
//! No line to come may look through its last business day, because records come late, and whatever such a line finds
//! is paid to the account that the franchise has then: who has left can name no other. And every line must be paid out.
//! The whole chain is walked, the newest line first: a line a business day, some 1 000 of them in a page.

use crate::items::{Line, LineState};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{FranchiseSettled, SettledQuestion, last_look_at},
};
use store::{Order, Query};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "verifyFranchiseSettled",
    summary: "Says whether all that a closed franchise was owed is paid out",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable],
    ..handled_by!(verify_franchise_settled)
};

async fn verify_franchise_settled(
    context: &Context,
    call: Call<SettledQuestion>,
) -> Result<Reply<FranchiseSettled>, Problem> {
    let SettledQuestion { franchise_id, closed_at } = call.body;
    let last = last_look_at(&closed_at.business_day());
    let answer = |settled| Ok(Reply::ok(FranchiseSettled { settled }));
    let mut query = Query { order: Order::Descending, ..Query::partition(Line::chain_of(franchise_id)) };
    let mut newest = true;
    loop {
        let page = context.table.query(&query).await?;
        for item in page.items {
            let line: Line = store::read(item)?;
            if newest && line.through < last {
                return answer(false);
            }
            newest = false;
            if matches!(line.state, LineState::Open | LineState::Failed) {
                return answer(false);
            }
        }
        if page.next.is_none() {
            return answer(!newest);
        }
        query.after = page.next;
    }
}
