//! What Terraform may set for payment.

use contract::{Context, Problem};
use serde::Deserialize;

/// Payment's settings; unset ones have their defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How long a payment may take. What is not paid by then never will be.
    pub payable_seconds: u32,
    /// How large the ids of a manifest's page get, in bytes: 16 for a payment, 32 for a cancellation. 500 payments are
    /// one write of about 9 units.
    pub manifest_page_bytes: usize,
    /// About how many payments and cancellations one call of collectManifest looks at: any function can do so many in
    /// its time.
    pub manifest_call_items: usize,
    /// How many lists of a day it looks at, each of them in all its shards.
    pub manifest_call_lists: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            payable_seconds: 600,
            manifest_page_bytes: 8_000,
            manifest_call_items: 4_000,
            manifest_call_lists: 64,
        }
    }
}

impl Settings {
    /// The settings of this function.
    pub fn of(context: &Context) -> Result<Settings, Problem> {
        context.settings.config()
    }
}
