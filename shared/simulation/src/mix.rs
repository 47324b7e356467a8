//! What happens in histories beside the faults, counted: a history that never settles proves nothing of settlement.

use crate::judges::{Evidence, number, text};
use kernel::Timestamp;
use payment::items::CollectedPage;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A day, and the hours by which Seoul's clocks are ahead, in milliseconds.
const DAY_MS: i64 = 86_400_000;
const SEOUL_MS: i64 = 32_400_000;
/// When a business day ends, after Seoul's midnight, and how near to it is at the border.
const CUT_MS: i64 = 84_600_000;
const BORDER_MS: i64 = 600_000;

/// How far from the cut the wrongest clock still makes another day of it, in milliseconds: it is a minute and a half fast
/// or slow, or has jumped by two.
const CLOCKS_APART_MS: i64 = 210_000;

/// Seoul's month changed while people acted.
pub const MONTH_ENDED: &str = "months that ended";
/// Somebody left who had franchises.
pub const OWNER_LEFT: &str = "owners of franchises who left";
/// A closed franchise was given another account.
pub const ACCOUNT_CHANGED_WHEN_CLOSED: &str = "closed franchises given another account";
/// Signing keys were rotated.
pub const KEYS_ROTATED: &str = "signing keys rotated";
/// Somebody stopped an execution of a state machine.
pub const EXECUTION_STOPPED: &str = "executions stopped";
/// A fact came in its oldest form, or in a later one.
pub const EVENT_OF_ANOTHER_VERSION: &str = "events of another version";
/// An answer came from a callee of a later version.
pub const ANSWER_OF_ANOTHER_VERSION: &str = "answers of another version";
/// An item was read as a later version leaves it.
pub const ITEM_OF_ANOTHER_VERSION: &str = "items of another version";
/// A callee refused what a caller of a later version asks.
pub const LATER_CALL_REFUSED: &str = "calls of a later version refused";

/// What no table remembers: the world counts it where it happens.
const HAPPENED: &[&str] = &[
    MONTH_ENDED,
    KEYS_ROTATED,
    EXECUTION_STOPPED,
    EVENT_OF_ANOTHER_VERSION,
    ANSWER_OF_ANOTHER_VERSION,
    ITEM_OF_ANOTHER_VERSION,
    LATER_CALL_REFUSED,
];

/// How sagas end: a name for it, the service and the kind of its records, the field that tells them apart if one must,
/// and the state.
type End = (&'static str, &'static str, &'static str, Option<(&'static str, &'static str)>, &'static str);

const ENDS: &[End] = &[
    ("recharges made", "money", "moneyRequest", Some(("direction", "recharge")), "succeeded"),
    ("recharges failed", "money", "moneyRequest", Some(("direction", "recharge")), "failed"),
    ("withdrawals made", "money", "moneyRequest", Some(("direction", "withdrawal")), "succeeded"),
    ("withdrawals failed", "money", "moneyRequest", Some(("direction", "withdrawal")), "failed"),
    ("transfers at the bank made", "banking", "firmbanking", None, "succeeded"),
    ("transfers at the bank failed", "banking", "firmbanking", None, "failed"),
    ("accounts unlinked", "banking", "bankAccount", None, "unlinked"),
    ("accounts refused by event", "banking", "bankAccount", None, "refused"),
    ("remittances made", "remittance", "remittance", None, "completed"),
    ("remittances failed", "remittance", "remittance", None, "failed"),
    ("payments made", "payment", "payment", None, "normal"),
    ("payments failed", "payment", "payment", None, "failed"),
    ("franchises closed", "franchise", "franchise", None, "closed"),
    ("members who left", "membership", "member", None, "closed"),
    ("lines paid out", "settlement", "line", None, "paid"),
    ("lines carried on", "settlement", "line", None, "carried"),
    ("lines that come to nothing", "settlement", "line", None, "settled"),
    ("lines that failed", "settlement", "line", None, "failed"),
];

/// What happened in a history, and how often. Every situation is named, also what never happened.
pub fn of(evidence: &Evidence<'_>) -> BTreeMap<&'static str, u64> {
    let mut mix = BTreeMap::new();
    for (name, service, kind, of, end) in ENDS {
        let is_of = |record: &&Value| of.is_none_or(|(field, value)| text(record, field) == value);
        let records = evidence.items(service, kind).iter().filter(is_of);
        mix.insert(*name, count(records.filter(|record| text(record, "state") == *end)));
    }
    payments(evidence, &mut mix);
    settlements(evidence, &mut mix);
    let redirected =
        evidence.items("franchise", "franchise").iter().filter(|one| one["redirected"].is_object());
    mix.insert(ACCOUNT_CHANGED_WHEN_CLOSED, count(redirected));
    let generations = evidence.items("money-query", "generations").first();
    mix.insert("rebuilds of the read model", u64::from(generations.is_some()));
    let happened = |situation: &&'static str| {
        (*situation, evidence.ended.happened.get(situation).copied().unwrap_or_default())
    };
    mix.extend(HAPPENED.iter().map(happened));
    mix.insert(OWNER_LEFT, count(owners_who_left(evidence)));
    mix
}

fn count<T>(all: impl Iterator<Item = T>) -> u64 {
    u64::try_from(all.count()).expect("few enough")
}

fn owners_who_left<'a>(evidence: &'a Evidence<'_>) -> impl Iterator<Item = &'a str> {
    let franchises = evidence.items("franchise", "franchise").iter();
    let owners: BTreeSet<&str> = franchises.map(|franchise| text(franchise, "membershipId")).collect();
    let members = evidence.items("membership", "member").iter();
    let left = members.filter(|member| text(member, "state") == "closed");
    left.map(|member| text(member, "membershipId")).filter(move |member| owners.contains(member))
}

/// How far from the end of a business day a moment is, in milliseconds.
fn from_the_cut_ms(moment: &str) -> Option<i64> {
    let at: Timestamp = moment.parse().ok()?;
    Some(((at.millis() + SEOUL_MS).rem_euclid(DAY_MS) - CUT_MS).abs())
}

fn payments(evidence: &Evidence<'_>, mix: &mut BTreeMap<&'static str, u64>) {
    let first_fees: BTreeMap<&str, u64> = evidence
        .items("franchise", "franchise")
        .iter()
        .map(|franchise| (text(franchise, "franchiseId"), number(&franchise["feeTerms"][0], "feeBps")))
        .collect();
    let payments =
        || evidence.items("payment", "payment").iter().filter(|one| text(one, "state") == "normal");
    let has_new_fee = |payment: &&Value| {
        first_fees.get(text(payment, "franchiseId")).is_some_and(|fee| *fee != number(payment, "feeBps"))
    };
    let is_at_border = |payment: &&Value| {
        from_the_cut_ms(text(payment, "approvedAt")).is_some_and(|apart_ms| apart_ms <= BORDER_MS)
    };
    let parts = |payment: &Value| payment["cancellations"].as_array().map_or(0, Vec::len);
    mix.insert("payments at a business day's border", count(payments().filter(is_at_border)));
    mix.insert("payments under a changed fee", count(payments().filter(has_new_fee)));
    mix.insert("payments after a recharge", count(payments().filter(|one| one["topUp"].is_object())));
    mix.insert("cancellations", count(payments().flat_map(|payment| 0..parts(payment))));
    let sent = || evidence.items("remittance", "remittance").iter();
    mix.insert("remittances after a recharge", count(sent().filter(|one| one["topUp"].is_object())));
    let to_bank = sent().filter(|one| text(&one["to"], "kind") == "bankAccount");
    mix.insert("remittances to the bank", count(to_bank));
}

fn settlements(evidence: &Evidence<'_>, mix: &mut BTreeMap<&'static str, u64>) {
    let lines = evidence.items("settlement", "line");
    let is_retried = |line: &&Value| number(&line["payout"], "attempt") > 1;
    mix.insert("settlements tried again", count(lines.iter().filter(is_retried)));
    let begins_at_cut = |run: &&Value| {
        from_the_cut_ms(text(run, "startedAt")).is_some_and(|apart_ms| apart_ms <= CLOCKS_APART_MS)
    };
    let runs = evidence.items("settlement", "run").iter();
    mix.insert("settlements that begin at a day's end", count(runs.filter(begins_at_cut)));
    let real = |line: &&Value| text(line, "state") != "empty";
    let franchises: BTreeSet<&str> =
        lines.iter().filter(real).map(|line| text(line, "franchiseId")).collect();
    let more = franchises.iter().filter(|franchise| {
        lines.iter().filter(real).filter(|line| text(line, "franchiseId") == **franchise).count() > 1
    });
    mix.insert("franchises settled more than once", count(more));
    // A cancellation in a manifest without its payment came after the payment's own settlement.
    let manifests =
        evidence.manifests.values().map(|pages| pages.iter().flat_map(CollectedPage::ids).collect());
    let later = |ids: Vec<_>| {
        let paid: BTreeSet<_> =
            ids.iter().filter(|(_, part)| Option::is_none(part)).map(|(id, _)| *id).collect();
        count(ids.iter().filter(|(id, part)| part.is_some() && !paid.contains(id)))
    };
    mix.insert("cancellations after their settlement", manifests.map(later).sum());
}
