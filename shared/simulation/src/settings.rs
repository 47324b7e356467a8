//! Settings that histories draw beside those of their plan, from a stream of their own: what people do under a seed stays
//! what it was.

use crate::random::{Dice, Stream};
use kernel::Money;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rates of the tax on the fee: the usual one, none at all, and one that leaves fractions.
const VAT_BPS: [u64; 3] = [1_000, 0, 825];

/// Draws them. Some histories have another tax, and some of those without limits have one limit left: where all hold, the
/// nearest ones hide those that are further away.
pub fn draw(seed: u64, config: &mut BTreeMap<&'static str, Value>) {
    let mut dice = Dice::new(seed, Stream::Settings);
    let is_set = dice.chance(6_000);
    if let Some(vat_bps) = dice.pick(&VAT_BPS).filter(|_| is_set) {
        config.entry("settlement").or_insert_with(|| json!({}))["vatBps"] = json!(vat_bps);
    }
    let limits = config.get_mut("money").and_then(|money| money["limits"].as_object_mut());
    let Some(limits) = limits.filter(|limits| limits["walletCap"] == json!(Money::MAX.amount())) else {
        return;
    };
    if dice.chance(5_000) {
        let names: Vec<String> = limits.keys().cloned().collect();
        // One that is not set is what the service itself takes it to be.
        dice.pick(&names).map(|left| limits.remove(left));
    }
}
