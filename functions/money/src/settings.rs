//! What Terraform may set for money.

use crate::domain::Limits;
use contract::{Context, Problem};
use serde::Deserialize;

/// Money's settings; unset ones have their defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How much may move.
    pub limits: Limits,
}

impl Settings {
    /// The settings of this function.
    pub fn of(context: &Context) -> Result<Settings, Problem> {
        context.settings.config()
    }
}
