//! Accounts: where won can be.
//!
//! A wallet is a chain of entries. The others are implicit: an entry names them, and their balances are projections
//! of the entries, so that no hot item stands on any path.

use kernel::id::WalletId;
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
    /// Money that is certain but that no wallet could take. A person looks at it.
    Suspense,
}

/// A text that names no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an account of the ledger")]
pub struct NotAnAccount;

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Wallet(id) => write!(formatter, "wallet:{id}"),
            Account::BankCorporate => formatter.write_str("bank:corporate"),
            Account::Suspense => formatter.write_str("suspense"),
        }
    }
}

impl FromStr for Account {
    type Err = NotAnAccount;

    fn from_str(text: &str) -> Result<Account, NotAnAccount> {
        match text {
            "bank:corporate" => Ok(Account::BankCorporate),
            "suspense" => Ok(Account::Suspense),
            _ => text
                .strip_prefix("wallet:")
                .and_then(|id| id.parse().ok())
                .map(Account::Wallet)
                .ok_or(NotAnAccount),
        }
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
