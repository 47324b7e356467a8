//! Accounts: where won can be.
//!
//! A wallet is a chain of entries. The others are implicit: an entry names them, and their balances are projections
//! of the entries, so that no hot item stands on any path.

use contract::peers::{ImplicitAccount, TransferParty};
use kernel::id::{FranchiseId, WalletId};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt, str::FromStr};

/// An account of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// A member's wallet.
    Wallet(WalletId),
    /// Pay's account at the bank, where the members' money lies.
    BankCorporate,
    /// What Pay owes a franchise.
    Franchise(FranchiseId),
    /// What Pay has earned in fees.
    FeeRevenue,
    /// What Pay owes the tax office.
    VatPayable,
    /// Money that is certain but that no wallet could take. A person looks at it.
    Suspense,
}

/// A text that names no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an account of the ledger")]
pub struct NotAnAccount;

impl From<ImplicitAccount> for Account {
    fn from(account: ImplicitAccount) -> Account {
        match account {
            ImplicitAccount::BankCorporate {} => Account::BankCorporate,
            ImplicitAccount::Franchise { franchise_id } => Account::Franchise(franchise_id),
            ImplicitAccount::FeeRevenue {} => Account::FeeRevenue,
            ImplicitAccount::VatPayable {} => Account::VatPayable,
        }
    }
}

impl From<TransferParty> for Account {
    fn from(party: TransferParty) -> Account {
        match party {
            TransferParty::Member { membership_id } => Account::Wallet(WalletId::of(membership_id)),
            TransferParty::BankCorporate {} => Account::BankCorporate,
            TransferParty::Franchise { franchise_id } => Account::Franchise(franchise_id),
            TransferParty::FeeRevenue {} => Account::FeeRevenue,
            TransferParty::VatPayable {} => Account::VatPayable,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Wallet(id) => write!(formatter, "wallet:{id}"),
            Account::BankCorporate => formatter.write_str("bank:corporate"),
            Account::Franchise(id) => write!(formatter, "franchise:{id}"),
            Account::FeeRevenue => formatter.write_str("fee:revenue"),
            Account::VatPayable => formatter.write_str("vat:payable"),
            Account::Suspense => formatter.write_str("suspense"),
        }
    }
}

impl FromStr for Account {
    type Err = NotAnAccount;

    fn from_str(text: &str) -> Result<Account, NotAnAccount> {
        let account = match text.split_once(':') {
            None if text == "suspense" => Some(Account::Suspense),
            Some(("bank", "corporate")) => Some(Account::BankCorporate),
            Some(("fee", "revenue")) => Some(Account::FeeRevenue),
            Some(("vat", "payable")) => Some(Account::VatPayable),
            Some(("wallet", id)) => id.parse().ok().map(Account::Wallet),
            Some(("franchise", id)) => id.parse().ok().map(Account::Franchise),
            _ => None,
        };
        account.ok_or(NotAnAccount)
    }
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Account, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Account {
    fn schema_name() -> Cow<'static, str> {
        "Account".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["bank:corporate"] })
    }
}
