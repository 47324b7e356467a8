//! Account numbers at rest: sealed under a key of the account's own, which the service's key wraps.
//!
//! Unlinking throws the wrapped key away: the number is unreadable from then on, wherever copies of the item lie.

use crate::{
    domain::{AccountNumber, Holder},
    items::{BankAccount, SealedNumber},
};
use contract::{Context, Problem};
use kernel::{Money, id::BankAccountId};
use store::seal::ServiceKey;

/// The name of the secret that banking's keys derive from.
pub const SECRET: &str = "banking-key";

const NUMBER: &str = "accountNumber";
const HOLDER: &str = "holder";

/// Banking's keys.
pub async fn key(context: &Context) -> Result<ServiceKey, Problem> {
    context.service_key(SECRET).await
}

/// The blind index of a number.
pub fn number_index(key: &ServiceKey, number: &AccountNumber) -> String {
    key.blind(NUMBER, number.digits())
}

/// The blind index of a transfer's terms.
pub fn terms(key: &ServiceKey, source: &str, destination: &str, amount: Money) -> String {
    key.blind("transferTerms", &format!("{source}|{destination}|{}", amount.amount()))
}

/// Seals an account's number under a new key, and the holder's name if it is still needed.
pub fn seal(
    context: &Context,
    key: &ServiceKey,
    id: BankAccountId,
    number: &AccountNumber,
    holder: Option<&Holder>,
) -> Result<SealedNumber, Problem> {
    let (data_key, wrapped) =
        key.wrap(&id.to_string(), context.random(), context.random()).map_err(Problem::internal)?;
    let seal =
        |field: &str, text: &str| data_key.seal(field, text, context.random()).map_err(Problem::internal);
    Ok(SealedNumber {
        data_key: wrapped,
        number: seal(NUMBER, number.digits())?,
        number_index: number_index(key, number),
        holder: holder.map(|holder| seal(HOLDER, holder.as_str())).transpose()?,
    })
}

/// An account's number, if it still has one.
pub fn open_number(key: &ServiceKey, account: &BankAccount) -> Result<Option<AccountNumber>, Problem> {
    let Some(sealed) = &account.sealed else { return Ok(None) };
    let text = open(key, account, sealed, NUMBER, &sealed.number)?;
    AccountNumber::parse(&text).map(Some).map_err(Problem::internal)
}

/// The holder's name, if it is still kept.
pub fn open_holder(key: &ServiceKey, account: &BankAccount) -> Result<Option<Holder>, Problem> {
    let Some((sealed, holder)) =
        account.sealed.as_ref().and_then(|sealed| Some((sealed, sealed.holder.as_ref()?)))
    else {
        return Ok(None);
    };
    let text = open(key, account, sealed, HOLDER, holder)?;
    Holder::parse(&text).map(Some).map_err(Problem::internal)
}

fn open(
    key: &ServiceKey,
    account: &BankAccount,
    sealed: &SealedNumber,
    field: &str,
    text: &str,
) -> Result<String, Problem> {
    let owner = account.bank_account_id.to_string();
    let data_key = key.unwrap(&owner, &sealed.data_key).map_err(Problem::internal)?;
    data_key.open(field, text).map_err(Problem::internal)
}
