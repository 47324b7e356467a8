//! What Terraform may set for franchise.

use contract::{Context, Problem};
use kernel::BasisPoints;
use serde::Deserialize;

/// Franchise's settings; unset ones have their defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// The fee of a franchise for which no operator has named another.
    pub default_fee_bps: BasisPoints,
    /// The most that an operator may name.
    pub most_fee_bps: BasisPoints,
}

const DEFAULT_FEE: BasisPoints = known(250);
const MOST_FEE: BasisPoints = known(1_000);

impl Default for Settings {
    fn default() -> Settings {
        Settings { default_fee_bps: DEFAULT_FEE, most_fee_bps: MOST_FEE }
    }
}

impl Settings {
    /// The settings of this function.
    pub fn of(context: &Context) -> Result<Settings, Problem> {
        context.settings.config()
    }
}

const fn known(basis_points: u16) -> BasisPoints {
    match BasisPoints::try_new(basis_points) {
        Ok(share) => share,
        Err(_) => BasisPoints::WHOLE,
    }
}
