//! What Terraform may set for payment.

use contract::{Context, Problem};
use serde::Deserialize;

/// Payment's settings; unset ones have their defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How long a payment may take. What is not paid by then never will be.
    pub payable_seconds: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { payable_seconds: 600 }
    }
}

impl Settings {
    /// The settings of this function.
    pub fn of(context: &Context) -> Result<Settings, Problem> {
        context.settings.config()
    }
}
