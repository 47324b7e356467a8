//! Settings that histories draw beside those of their plan, from a stream of their own: what people do under a seed stays
//! what it was.

use crate::random::{Dice, Stream};
use kernel::Money;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Rates of the tax on the fee: the usual one, none at all, and one that leaves fractions.
const VAT_BPS: [u64; 3] = [1_000, 0, 825];

/// How many limits there are.
const LIMITS: usize = 7;

/// Draws them. Some histories have another tax, and some of those without limits have one limit left: where all hold, the
/// nearest ones hide those that are further away.
pub fn draw(seed: u64, config: &mut BTreeMap<&'static str, Value>) {
    let mut dice = Dice::new(seed, Stream::Settings);
    let is_set = dice.chance(6_000);
    if let Some(vat_bps) = dice.pick(&VAT_BPS).filter(|_| is_set) {
        config.entry("settlement").or_insert_with(|| json!({}))["vatBps"] = json!(vat_bps);
    }
    if !is_generous(config) {
        return;
    }
    let Some(limits) = config.get_mut("money").and_then(|money| money["limits"].as_object_mut()) else {
        return;
    };
    if dice.chance(7_500) {
        let names: Vec<String> = limits.keys().cloned().collect();
        // One that is not set is what the service itself takes it to be.
        dice.pick(&names).map(|left| limits.remove(left));
    }
}

fn limits<'a>(config: &'a BTreeMap<&'static str, Value>) -> Option<&'a Map<String, Value>> {
    config.get("money")?["limits"].as_object()
}

/// Whether a wallet may hold whatever can be counted.
pub fn is_generous(config: &BTreeMap<&'static str, Value>) -> bool {
    limits(config).is_some_and(|limits| limits.get("walletCap") == Some(&json!(Money::MAX.amount())))
}

/// Whether one limit is as usual, and all the others are as high as can be.
pub fn leaves_one_limit(config: &BTreeMap<&'static str, Value>) -> bool {
    is_generous(config) && limits(config).is_some_and(|limits| limits.len() < LIMITS)
}
