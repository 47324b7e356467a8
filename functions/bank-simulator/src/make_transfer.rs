//! `PUT /v1/transfers/{transferId}`: moves money between two accounts, once per id.
//!
//! The outcome of an id, a decline too, is stored in the same transaction as the two entries, and never changes:
//! asking again under the id answers it again, with other terms it is refused. The account's mode acts around that,
//! so that the bank may be rude to its client but never untruthful.

use crate::{
    ACCESS, BANK_DOWN, NO_ANSWER, SECRET, TIMEOUT_SECONDS, TRANSFER_TERMS_DIFFER,
    accounts::{self, changed, step_back},
    domain::{self, Decline, Mode, Terms, TransferState},
    items::{Account, Direction, Entry, StoredTerms, Transfer},
};
use contract::{Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by};
use kernel::{Money, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Condition, Write};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "makeTransfer",
    summary: "Moves money between two accounts of the simulated bank, once per id",
    triggers: &[Trigger::Route(Method::Put, "/v1/transfers/{transferId}")],
    access: ACCESS,
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(SECRET)],
    refuses: &[&TRANSFER_TERMS_DIFFER, &BANK_DOWN, &NO_ANSWER],
    timeout_seconds: TIMEOUT_SECONDS,
    ..handled_by!(make_transfer)
};

/// How often a transfer is tried against others who move the same accounts.
const ATTEMPTS: usize = 20;

/// A transfer to make.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// The client's id.
    transfer_id: String,
    /// The account to debit.
    source: String,
    /// The account to credit.
    destination: String,
    /// How much.
    amount: Money,
}

/// What became of a transfer id.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferView {
    /// The client's id.
    transfer_id: String,
    /// How it ended.
    state: TransferState,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Decline>,
    /// What was asked; absent if the id was voided before a transfer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    terms: Option<StoredTerms>,
    /// When it ended.
    ended_at: Timestamp,
}

impl From<Transfer> for TransferView {
    fn from(transfer: Transfer) -> TransferView {
        let Transfer { transfer_id, state, reason, terms, ended_at } = transfer;
        TransferView { transfer_id, state, reason, terms, ended_at }
    }
}

async fn make_transfer(context: &Context, call: Call<Order>) -> Result<Reply<TransferView>, Problem> {
    let Order { transfer_id, source, destination, amount } = call.body;
    accounts::check_transfer_id(&transfer_id)?;
    accounts::check_number("/source", &source)?;
    accounts::check_number("/destination", &destination)?;
    if amount.is_zero() {
        return Err(Problem::field("/amount/amount", "must be at least 1"));
    }
    let terms = Terms { source, destination, amount };
    let (mode, delay_millis) = take_mode(context, &terms).await?;
    let decline = mode == Mode::Decline;
    let transfer = match mode {
        Mode::Normal | Mode::Decline => settle(context, &transfer_id, &terms, decline).await?,
        Mode::Slow => {
            context.clock.pause(delay_millis).await;
            settle(context, &transfer_id, &terms, false).await?
        }
        Mode::Timeout => {
            settle(context, &transfer_id, &terms, false).await?;
            context.clock.pause(delay_millis).await;
            return Err((&NO_ANSWER).into());
        }
        Mode::Lost => {
            context.clock.pause(delay_millis).await;
            return Err((&NO_ANSWER).into());
        }
        Mode::AnswerTwice => {
            settle(context, &transfer_id, &terms, false).await?;
            settle(context, &transfer_id, &terms, false).await?
        }
        Mode::Down => return Err((&BANK_DOWN).into()),
    };
    if transfer.is_for(&terms) {
        Ok(Reply::ok(transfer.into()))
    } else {
        Err((&TRANSFER_TERMS_DIFFER).into())
    }
}

/// The mode for this request: the source's, or else the destination's. A mode for a number of requests counts down.
async fn take_mode(context: &Context, terms: &Terms) -> Result<(Mode, u32), Problem> {
    for number in [&terms.source, &terms.destination] {
        for _ in 0..ATTEMPTS {
            let Some(account) = accounts::find(context, number).await? else { break };
            if account.mode == Mode::Normal {
                break;
            }
            let taken = (account.mode, account.delay_millis);
            let Some(left) = account.mode_transfers else { return Ok(taken) };
            let counted = match left.saturating_sub(1) {
                0 => Account { mode: Mode::Normal, mode_transfers: None, ..account },
                left => Account { mode_transfers: Some(left), ..account },
            };
            match context.table.commit(&[changed(&counted)?]).await {
                Ok(()) => return Ok(taken),
                Err(error) => step_back(context, error).await?,
            }
        }
    }
    Ok((Mode::Normal, 0))
}

/// The outcome of the id: the one that it has, or the one that it gets now.
async fn settle(context: &Context, id: &str, terms: &Terms, decline: bool) -> Result<Transfer, Problem> {
    for _ in 0..ATTEMPTS {
        if let Some(known) = accounts::transfer(context, id).await? {
            return Ok(known);
        }
        let source = accounts::find(context, &terms.source).await?;
        let destination = accounts::find(context, &terms.destination).await?;
        let (transfer, writes) = decide(context.clock.now(), id, terms, source, destination, decline)?;
        match context.table.commit(&writes).await {
            Ok(()) => return Ok(transfer),
            Err(error) => step_back(context, error).await?,
        }
    }
    Err(Problem::unavailable("the accounts are too busy"))
}

fn decide(
    now: Timestamp,
    id: &str,
    terms: &Terms,
    source: Option<Account>,
    destination: Option<Account>,
    decline: bool,
) -> Result<(Transfer, Vec<Write>), Problem> {
    let balance = |account: &Option<Account>| account.as_ref().map(|account| account.balance);
    let settled = domain::settle(terms, balance(&source), balance(&destination), decline);
    let transfer = Transfer {
        transfer_id: id.to_owned(),
        state: if settled.is_ok() { TransferState::Done } else { TransferState::Declined },
        reason: settled.err(),
        terms: Some(terms.into()),
        ended_at: now,
    };
    let mut writes = vec![Write::put(&transfer, Condition::Absent)?];
    if let (Ok((less, more)), Some(source), Some(destination)) = (settled, source, destination) {
        let amount = terms.amount;
        writes.extend(leg(now, id, source, Direction::Debit, &terms.destination, amount, less)?);
        writes.extend(leg(now, id, destination, Direction::Credit, &terms.source, amount, more)?);
    }
    Ok((transfer, writes))
}

/// One leg: the account with its new balance, and the entry that says why.
fn leg(
    now: Timestamp,
    id: &str,
    account: Account,
    direction: Direction,
    counterparty: &str,
    amount: Money,
    balance: Money,
) -> Result<[Write; 2], Problem> {
    let moved_at = domain::not_before(now, account.moved_at);
    let sequence = account.entries.saturating_add(1);
    let entry = Entry {
        account_number: account.account_number.clone(),
        sequence,
        transfer_id: id.to_owned(),
        direction,
        counterparty: counterparty.to_owned(),
        amount,
        balance_after: balance,
        moved_at,
    };
    let account = Account { balance, entries: sequence, moved_at, ..account };
    Ok([changed(&account)?, Write::put(&entry, Condition::Absent)?])
}
