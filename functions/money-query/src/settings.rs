//! What Terraform may set for money-query.

use contract::{Context, Problem};
use serde::Deserialize;

/// Money-query's settings; unset ones have their defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How long a rebuild waits until everybody knows of it: longer than a function runs and than a table's replica
    /// lags, both together. At most 900.
    pub settle_seconds: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { settle_seconds: 180 }
    }
}

impl Settings {
    /// The settings of this function.
    pub fn of(context: &Context) -> Result<Settings, Problem> {
        context.settings.config()
    }
}
