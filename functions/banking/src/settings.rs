//! What Terraform may set for banking.

use contract::{Context, Problem};
use serde::Deserialize;

/// Banking's settings; unset ones have their defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How long the bank has to answer one request.
    pub bank_timeout_ms: u32,
    /// How old a firmbanking that the bank has never seen may become before its id is voided.
    pub void_after_seconds: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { bank_timeout_ms: 5_000, void_after_seconds: 600 }
    }
}

impl Settings {
    /// The settings of this function.
    pub fn of(context: &Context) -> Result<Settings, Problem> {
        context.settings.config()
    }
}
