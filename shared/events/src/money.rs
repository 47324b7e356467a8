//! What money publishes.

use crate::Fact;
use kernel::{
    Id, Money, Timestamp,
    id::{MembershipId, MoneyRequestId, WalletId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Command: advance the recharge that is stored under this id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MoneyIncreaseRequested {
    /// The recharge.
    pub money_request_id: MoneyRequestId,
}

impl Fact for MoneyIncreaseRequested {
    const TYPE: &'static str = "money.increaseRequested.v1";

    fn subject(&self) -> String {
        self.money_request_id.to_string()
    }

    fn example() -> Self {
        MoneyIncreaseRequested { money_request_id: Id::derive(&["example"]) }
    }
}

/// Command: advance the withdrawal that is stored under this id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MoneyDecreaseRequested {
    /// The withdrawal.
    pub money_request_id: MoneyRequestId,
}

impl Fact for MoneyDecreaseRequested {
    const TYPE: &'static str = "money.decreaseRequested.v1";

    fn subject(&self) -> String {
        self.money_request_id.to_string()
    }

    fn example() -> Self {
        MoneyDecreaseRequested { money_request_id: Id::derive(&["example"]) }
    }
}

/// A wallet was recharged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MoneyIncreased {
    /// The recharge that did it: the ledger entry's reference.
    pub money_request_id: String,
    /// Whose wallet.
    pub membership_id: MembershipId,
    /// Which wallet.
    pub wallet_id: WalletId,
    /// The entry's place in the wallet's chain. Consumers order by it; the highest wins.
    pub sequence: u64,
    /// What was added.
    pub amount: Money,
    /// The wallet's balance after it.
    pub balance: Money,
    /// All that was ever recharged into this wallet, this amount included.
    pub recharged_total: Money,
    /// The entry's time.
    pub increased_at: Timestamp,
}

impl Fact for MoneyIncreased {
    const TYPE: &'static str = "money.increased.v1";

    fn subject(&self) -> String {
        self.money_request_id.clone()
    }

    fn example() -> Self {
        MoneyIncreased {
            money_request_id: MoneyRequestId::derive(&["example"]).to_string(),
            membership_id: Id::derive(&["example"]),
            wallet_id: Id::derive(&["example"]),
            sequence: 3,
            amount: Money::won(15_000),
            balance: Money::won(25_000),
            recharged_total: Money::won(25_000),
            increased_at: crate::example_time(),
        }
    }
}

/// Money went from a wallet to its owner's bank account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MoneyDecreased {
    /// The withdrawal that did it: what the ledger entry's reference begins with.
    pub money_request_id: String,
    /// Whose wallet.
    pub membership_id: MembershipId,
    /// Which wallet.
    pub wallet_id: WalletId,
    /// The entry's place in the wallet's chain. Consumers order by it; the highest wins.
    pub sequence: u64,
    /// What was taken.
    pub amount: Money,
    /// The wallet's balance after it.
    pub balance: Money,
    /// The entry's time.
    pub decreased_at: Timestamp,
}

impl Fact for MoneyDecreased {
    const TYPE: &'static str = "money.decreased.v1";

    fn subject(&self) -> String {
        self.money_request_id.clone()
    }

    fn example() -> Self {
        MoneyDecreased {
            money_request_id: MoneyRequestId::derive(&["example"]).to_string(),
            membership_id: Id::derive(&["example"]),
            wallet_id: Id::derive(&["example"]),
            sequence: 5,
            amount: Money::won(10_000),
            balance: Money::won(10_000),
            decreased_at: crate::example_time(),
        }
    }
}

/// Money went from one account of the ledger to another, and at least one of them is a wallet. Published once: from the
/// debited wallet's entry, or from the credited one's if the debited account is no wallet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MoneyTransferred {
    /// The reference of the transfer.
    pub reference: String,
    /// The account debited, such as `wallet:wal_…`.
    pub debit_account: String,
    /// The account credited, such as `franchise:frc_…`.
    pub credit_account: String,
    /// The wallet whose entry says so.
    pub wallet_id: WalletId,
    /// That entry's place in its chain.
    pub sequence: u64,
    /// What was moved.
    pub amount: Money,
    /// That wallet's balance after it.
    pub balance: Money,
    /// The entries' time.
    pub transferred_at: Timestamp,
}

impl Fact for MoneyTransferred {
    const TYPE: &'static str = "money.transferred.v1";

    fn subject(&self) -> String {
        self.reference.clone()
    }

    fn example() -> Self {
        let wallet_id = WalletId::derive(&["debit"]);
        MoneyTransferred {
            reference: kernel::id::TransferId::derive(&["example"]).to_string(),
            debit_account: format!("wallet:{wallet_id}"),
            credit_account: format!("wallet:{}", WalletId::derive(&["credit"])),
            wallet_id,
            sequence: 4,
            amount: Money::won(5_000),
            balance: Money::won(20_000),
            transferred_at: crate::example_time(),
        }
    }
}
