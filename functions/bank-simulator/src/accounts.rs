//! Loading accounts and transfers, and the client's own account, which is there from the start.

use crate::{
    ACCOUNT_NOT_FOUND, BANK_DOWN, SECRET, TRANSFER_NOT_FOUND,
    domain::{self, Mode, USUAL_DELAY_MILLIS},
    items::{Account, Transfer},
};
use contract::{
    Context, Problem,
    ports::{SecretText, Stage},
};
use kernel::{Money, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{CommitError, Condition, Read, Write};

/// What the client's own account starts with: more than any test moves.
pub const OWN_BALANCE: u64 = 1_000_000_000_000;

/// An account as the bank shows it to its client.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// Its number.
    pub account_number: String,
    /// Whose it is.
    pub holder: String,
    /// What is in it.
    pub balance: Money,
    /// How many transfers moved it.
    pub transfers: u64,
    /// How transfers are treated.
    pub mode: Mode,
    /// For how many more transfer requests; absent = until changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode_transfers: Option<u32>,
    /// How long answers are held back.
    pub delay_millis: u32,
}

impl From<&Account> for AccountView {
    fn from(account: &Account) -> AccountView {
        AccountView {
            account_number: account.account_number.clone(),
            holder: account.holder.clone(),
            balance: account.balance,
            transfers: account.entries,
            mode: account.mode,
            mode_transfers: account.mode_transfers,
            delay_millis: account.delay_millis,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    corporate_account: String,
}

/// A new account.
pub fn fresh(number: &str, holder: &str, balance: Money, now: Timestamp) -> Account {
    Account {
        account_number: number.to_owned(),
        holder: holder.to_owned(),
        balance,
        mode: Mode::Normal,
        mode_transfers: None,
        delay_millis: USUAL_DELAY_MILLIS,
        entries: 0,
        moved_at: now,
        version: 1,
    }
}

/// The account with this number. The client's own one is opened when it is first needed.
pub async fn find(context: &Context, number: &str) -> Result<Option<Account>, Problem> {
    if let Some(item) = context.table.get(&Account::key_of(number), Read::Consistent).await? {
        return Ok(Some(store::read(item)?));
    }
    if own_number(context).await? != number {
        return Ok(None);
    }
    let account =
        fresh(number, "Pay", Money::try_won(OWN_BALANCE).map_err(Problem::internal)?, context.clock.now());
    match context.table.commit(&[Write::put(&account, Condition::Absent)?]).await {
        Ok(()) => Ok(Some(account)),
        Err(error) => match error.found(0) {
            Some(found) => Ok(Some(store::read(found.clone())?)),
            None => Err(error.into()),
        },
    }
}

/// The account with this number, or 404, or 503 if it is down.
pub async fn need(context: &Context, number: &str) -> Result<Account, Problem> {
    find(context, number).await?.ok_or_else(|| (&ACCOUNT_NOT_FOUND).into())
}

/// What became of this transfer id.
pub async fn transfer(context: &Context, id: &str) -> Result<Option<Transfer>, Problem> {
    let item = context.table.get(&Transfer::key_of(id), Read::Consistent).await?;
    Ok(item.map(store::read).transpose()?)
}

/// The transfer with this id, or 404.
pub async fn need_transfer(context: &Context, id: &str) -> Result<Transfer, Problem> {
    transfer(context, id).await?.ok_or_else(|| (&TRANSFER_NOT_FOUND).into())
}

/// Answers 503 if one of the accounts is down; if the client's own account is, the whole bank is.
pub async fn hold_to_up(context: &Context, numbers: &[&str]) -> Result<(), Problem> {
    let own = own_number(context).await?;
    for number in numbers.iter().copied().filter(|number| *number != own).chain([own.as_str()]) {
        if find(context, number).await?.is_some_and(|account| account.mode == Mode::Down) {
            return Err((&BANK_DOWN).into());
        }
    }
    Ok(())
}

/// Puts a changed account in place of the one that was loaded.
pub fn changed(account: &Account) -> Result<Write, Problem> {
    let next = Account { version: account.version.saturating_add(1), ..account.clone() };
    Ok(Write::put(&next, Condition::number("version", account.version))?)
}

/// Waits a little after a collision, so that those who collided do not again.
pub async fn step_back(context: &Context, error: CommitError) -> Result<(), Problem> {
    if !error.is_collision() {
        return Err(error.into());
    }
    let [random] = context.random();
    context.clock.pause(u32::from(random)).await;
    Ok(())
}

/// Refuses what is not an account number.
pub fn check_number(pointer: &str, number: &str) -> Result<(), Problem> {
    if domain::is_account_number(number) {
        return Ok(());
    }
    Err(Problem::field(pointer, "must be 8 to 20 digits"))
}

/// Refuses what cannot name a transfer.
pub fn check_transfer_id(id: &str) -> Result<(), Problem> {
    if domain::is_transfer_id(id) {
        return Ok(());
    }
    Err(Problem::field("/transferId", "must be 1 to 64 letters, digits, underscores or hyphens"))
}

async fn own_number(context: &Context) -> Result<String, Problem> {
    let text = context.secrets.read(SECRET, Stage::Current).await.map_err(Problem::unavailable)?;
    let SecretText(text) = text.ok_or_else(|| Problem::internal("the bank's secret is empty"))?;
    let client: Client =
        serde_json::from_str(&text).map_err(|_| Problem::internal("the bank's secret has another form"))?;
    Ok(client.corporate_account.replace('-', ""))
}
