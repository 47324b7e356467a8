//! The read model is what a simple fold of all chains and all moves gives, and nothing is left of what it was before;
//! built anew when all is over, it is the same.
//!
//! It looks at the ledger and at where members lived when, and knows nothing of facts, generations' histories or of
//! how the model counts.

use super::{Evidence, Items, number, text};
use kernel::{SeoulDay, Timestamp};
use money::domain::{Entry, Kind};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Regions in order of time; the first one holds from the beginning on.
type Homes<'a> = Vec<(Timestamp, &'a str)>;
/// A number for a region, or for its day.
type By<'a, K> = BTreeMap<(&'a str, K), i128>;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let live = look(evidence, &evidence.all, findings);
    let Some(rebuilt) = &evidence.rebuilt else { return };
    let mut texts = Vec::new();
    if look(evidence, rebuilt, &mut texts) <= live {
        texts.push("the rebuild came to no end".to_owned());
    }
    findings.extend(texts.into_iter().map(|text| format!("built anew: {text}")));
}

/// Looks at a read model; answers which generation it is.
fn look(evidence: &Evidence<'_>, model: &Items, findings: &mut Vec<String>) -> u64 {
    let live = generation(model, findings);
    let homes = homes(evidence);
    let cells: Vec<&Value> =
        model.of("money-query", "cell").iter().filter(|cell| number(cell, "generation") == live).collect();
    let mut days: BTreeSet<SeoulDay> = cells.iter().filter_map(|cell| day(cell)).collect();
    days.extend(evidence.chains.values().flatten().map(|entry| entry.time.seoul_day()));
    days.extend(homes.values().flatten().map(|(since, _)| since.seoul_day()));

    let mut expected: By<'_, String> = BTreeMap::new();
    let mut found: By<'_, String> = BTreeMap::new();
    for homes in homes.values() {
        *expected.entry((home(homes, |_| true), "wallets".to_owned())).or_default() += 1;
    }
    for chain in evidence.chains.values() {
        let Some(homes) = chain.first().and_then(|entry| homes.get(&entry.owner.to_string())) else {
            findings.push("a wallet belongs to nobody".to_owned());
            continue;
        };
        expect(chain, homes, &days, &mut expected);
    }
    for cell in &cells {
        count(cell, &days, &mut found);
    }
    let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    for key in keys {
        let [should, is] = [&expected, &found].map(|sums| sums.get(key).copied().unwrap_or_default());
        if should != is {
            findings.push(format!("{} of {} is {is} and should be {should}", key.1, key.0));
        }
    }
    live
}

/// The generation that answers. Nothing of another one is left, and nothing is half counted.
fn generation(model: &Items, findings: &mut Vec<String>) -> u64 {
    let generations = model.of("money-query", "generations").first();
    if generations.is_some_and(|generations| generations["building"].is_number()) {
        findings.push("a generation is still being built".to_owned());
    }
    let live = generations.map_or(1, |generations| number(generations, "live"));
    for kind in ["cell", "leg", "wallet"] {
        let items = model.of("money-query", kind).iter();
        let dead = items.filter(|item| number(item, "generation") != live).count();
        if dead > 0 {
            findings.push(format!("{dead} items of kind {kind} belong to no generation"));
        }
    }
    if model.of("money-query", "wallet").iter().any(|wallet| wallet["pending"].is_array()) {
        findings.push("a wallet's effect was not counted to its end".to_owned());
    }
    live
}

/// Where each member lived when.
fn homes<'a>(evidence: &'a Evidence<'_>) -> BTreeMap<String, Homes<'a>> {
    let mut moves: BTreeMap<&str, BTreeMap<u64, (Timestamp, &str)>> = BTreeMap::new();
    for moved in evidence.items("membership", "move") {
        let known = moves.entry(text(moved, "membershipId")).or_default();
        known.insert(number(moved, "version"), (time(&moved["at"]), text(moved, "region")));
    }
    let of = |member: &'a Value| {
        let first = member["registered"]["region"].as_str()?;
        let id = text(member, "membershipId");
        let later = moves.get(id).into_iter().flat_map(BTreeMap::values).copied();
        Some((id.to_owned(), [(Timestamp::EPOCH, first)].into_iter().chain(later).collect()))
    };
    evidence.items("membership", "member").iter().filter_map(of).collect()
}

/// The last home that counts.
fn home<'a>(homes: &Homes<'a>, counts: impl Fn(Timestamp) -> bool) -> &'a str {
    homes.iter().rfind(|(since, _)| counts(*since)).map_or("nowhere", |(_, region)| region)
}

/// What a wallet adds: its balance now, its recharges, and its balance at the end of each day.
fn expect<'a>(chain: &[Entry], homes: &Homes<'a>, days: &BTreeSet<SeoulDay>, expected: &mut By<'a, String>) {
    let mut add = |region, what: String, amount: u64| {
        *expected.entry((region, what)).or_default() += i128::from(amount);
    };
    let now = chain.last().map_or(0, |entry| entry.standing.balance.amount());
    add(home(homes, |_| true), "balance".to_owned(), now);
    let is_recharge =
        |entry: &&Entry| entry.purpose == Kind::Recharge && entry.credit == Some(entry.own_account());
    for entry in chain.iter().filter(is_recharge) {
        let (region, day) = (home(homes, |since| since <= entry.time), entry.time.seoul_day());
        add(region, format!("recharged on {day}"), entry.amount.amount());
        add(region, format!("recharges on {day}"), 1);
    }
    for day in days {
        let last = chain.iter().rfind(|entry| entry.time.seoul_day() <= *day);
        let balance = last.map_or(0, |entry| entry.standing.balance.amount());
        add(home(homes, |since| since.seoul_day() <= *day), format!("balance after {day}"), balance);
    }
}

/// What a cell says.
fn count<'a>(cell: &'a Value, days: &BTreeSet<SeoulDay>, found: &mut By<'a, String>) {
    let region = text(cell, "region");
    let mut add = |what: String, amount: i128| *found.entry((region, what)).or_default() += amount;
    let balance = i128::from(number(cell, "incoming")) - i128::from(number(cell, "outgoing"));
    let Some(own) = day(cell) else {
        add("balance".to_owned(), balance);
        add("wallets".to_owned(), number(cell, "wallets").into());
        return;
    };
    add(format!("recharged on {own}"), number(cell, "recharged").into());
    add(format!("recharges on {own}"), number(cell, "recharges").into());
    for day in days.iter().filter(|day| **day >= own) {
        add(format!("balance after {day}"), balance);
    }
}

fn day(cell: &Value) -> Option<SeoulDay> {
    cell["day"].as_str().map(|day| day.parse().expect("a day"))
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).expect("a time")
}
