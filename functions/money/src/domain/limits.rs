//! How much may move: configuration, decided on the chain's own totals.

use kernel::Money;
use serde::Deserialize;

/// Limits in won. Days and months are Seoul's and follow the entries' times.
///
/// The wallet cap's default is the ceiling of a prepaid instrument without a name on it in Korea's Electronic
/// Financial Transactions Act and of the large wallets alike: 2 000 000 won.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// The most that a wallet may hold, what is expected included.
    #[serde(with = "kernel::money::won")]
    pub wallet_cap: Money,
    /// The most that one recharge may bring.
    #[serde(with = "kernel::money::won")]
    pub recharge_each: Money,
    /// The most that a day's recharges may bring.
    #[serde(with = "kernel::money::won")]
    pub recharge_per_day: Money,
    /// The most that a month's recharges may bring.
    #[serde(with = "kernel::money::won")]
    pub recharge_per_month: Money,
    /// The most that one transfer, withdrawal or hold may move out of a wallet.
    #[serde(with = "kernel::money::won")]
    pub transfer_each: Money,
    /// The most that may move out of a wallet in a day. What is held counts, on the day of its hold.
    #[serde(with = "kernel::money::won")]
    pub transfer_per_day: Money,
    /// The most that may move out of a wallet in a month, likewise.
    #[serde(with = "kernel::money::won")]
    pub transfer_per_month: Money,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wallet_cap: Money::won(2_000_000),
            recharge_each: Money::won(2_000_000),
            recharge_per_day: Money::won(5_000_000),
            recharge_per_month: Money::won(30_000_000),
            transfer_each: Money::won(2_000_000),
            transfer_per_day: Money::won(5_000_000),
            transfer_per_month: Money::won(30_000_000),
        }
    }
}
