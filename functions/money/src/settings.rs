//! What Terraform may set for money.

use crate::domain::Limits;
use contract::{Context, Problem};
use kernel::Money;
use serde::Deserialize;

/// Money's settings; unset ones have their defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How much may move.
    pub limits: Limits,
    /// What on the corporate account is Pay's own and no member's or franchise's, in won. The audit sets it apart.
    #[serde(with = "kernel::money::won")]
    pub own_funds: Money,
}

impl Settings {
    /// The settings of this function.
    pub fn of(context: &Context) -> Result<Settings, Problem> {
        context.settings.config()
    }
}
