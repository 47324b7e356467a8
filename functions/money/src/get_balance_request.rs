//! `GET /v1/money/wallets/{membershipId}/balance`: balance, held and available, now or at a past time.
//!
//! The newest entry is the balance, so this is one consistent read. Times never go back in a chain, so a past time
//! is a binary search over sequence numbers. Reading never creates: a wallet that the first fact of its member has not
//! opened yet is answered as the empty one that it will be, so that nobody fails because a fact is on its way.

use crate::{
    chains,
    domain::{Entry, Standing},
    items::entry_key,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    peers::{Balance, BalanceQuestion},
    problem,
};
use kernel::{Timestamp, id::WalletId};
use store::Read;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "getBalanceRequest",
    summary: "Shows a wallet's balance, now or at a past time",
    triggers: &[Trigger::Route(Method::Get, "/v1/money/wallets/{membershipId}/balance"), Trigger::Call],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable],
    refuses: &[&problem::NOT_FOUND],
    ..handled_by!(get_balance_request)
};

async fn get_balance_request(
    context: &Context,
    call: Call<BalanceQuestion>,
) -> Result<Reply<Balance>, Problem> {
    let BalanceQuestion { membership_id: owner, at } = call.body;
    if call.member()? != owner {
        return Err((&problem::NOT_FOUND).into());
    }
    if at.is_some_and(|at| at > call.now) {
        return Err(Problem::field("/at", "must not lie in the future"));
    }
    let entry = match (chains::tip(context, owner).await?, at) {
        (Some(tip), Some(at)) if tip.time > at => last_until(context, &tip, at).await?,
        (tip, _) => tip,
    };
    let day = call.now.seoul_day();
    let standing = entry.as_ref().map_or(Standing::new(day), |entry| entry.standing.clone());
    Ok(Reply::ok(Balance {
        wallet_id: WalletId::of(owner),
        balance: standing.balance,
        held: standing.held,
        available: standing.available().map_err(Problem::internal)?,
        expected: standing.expected,
        sequence: entry.as_ref().map_or(0, |entry| entry.sequence),
        as_of: entry.map(|entry| entry.time),
    }))
}

/// The last entry whose time is not after `at`, between none and the newest, whose time is.
async fn last_until(context: &Context, tip: &Entry, at: Timestamp) -> Result<Option<Entry>, Problem> {
    let (mut until, mut after) = (None, tip.sequence);
    let mut known: u64 = 0;
    while after.saturating_sub(known) > 1 {
        let middle = known.midpoint(after);
        let item = context.table.get(&entry_key(tip.wallet_id, middle), Read::Consistent).await?;
        let item =
            item.ok_or_else(|| Problem::internal(format!("{} lacks entry {middle}", tip.wallet_id)))?;
        let entry: Entry = store::read(item)?;
        if entry.time <= at {
            (until, known) = (Some(entry), middle);
        } else {
            after = middle;
        }
    }
    Ok(until)
}
