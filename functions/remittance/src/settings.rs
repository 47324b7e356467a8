//! What Terraform may set for remittance.

use contract::{Context, Problem};
use serde::Deserialize;

/// Remittance's settings; unset ones have their defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How long after it was asked for a remittance may still begin to move.
    pub expires_after_seconds: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { expires_after_seconds: 86_400 }
    }
}

impl Settings {
    /// The settings of this function.
    pub fn of(context: &Context) -> Result<Settings, Problem> {
        context.settings.config()
    }
}
