//! Audits: every service looks through its own table, page by page, and money's auditLedger asks them all.
//!
//! A page is answered with what was checked, with what is not as it must be, and with sums that others' sums are
//! compared with. Sums are as of one moment, the cut, so that they can be compared while money moves.

use crate::{
    Context, Problem,
    outbox::{KeyName, Scan},
    peers::Peer,
};
use kernel::{Money, OutOfRange, Timestamp, id::FranchiseId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Item, Key, Read, Record};

/// Which page of a service's table to look through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditPage {
    /// The moment that sums are of.
    pub cut: Timestamp,
    /// How far functions' clocks may be apart, in seconds: what happened so near to the cut counts as open.
    pub slack_seconds: u32,
    /// Where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<KeyName>,
}

impl AuditPage {
    /// Whether this was before the cut, by any clock.
    pub fn is_before(&self, moment: Timestamp) -> bool {
        moment < self.cut.plus_seconds(i64::from(self.slack_seconds).saturating_neg())
    }

    /// Whether this was not before the cut, by any clock.
    pub fn is_after(&self, moment: Timestamp) -> bool {
        moment >= self.cut.plus_seconds(i64::from(self.slack_seconds))
    }
}

/// What a page has shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audited {
    /// How many items were looked at.
    pub checked: u64,
    /// What is not as it must be.
    pub findings: Vec<Finding>,
    /// Sums in won over the page, as of the cut.
    pub sums: Sums,
    /// Where to go on; none at the table's end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<KeyName>,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule that is broken, in snake case.
    pub rule: String,
    /// Where: the id of what breaks it.
    pub subject: String,
    /// How, for people. Never personal data.
    pub detail: String,
}

impl Finding {
    /// A broken rule.
    pub fn new(rule: &str, subject: impl Into<String>, detail: impl Into<String>) -> Finding {
        Finding { rule: rule.to_owned(), subject: subject.into(), detail: detail.into() }
    }
}

/// Reads a record, or says that it cannot be read.
pub fn readable<R: Record>(item: &Item) -> Result<R, Finding> {
    store::read(item.clone()).map_err(|error| {
        let KeyName { partition, sort } = KeyName::of(item);
        Finding::new("unreadable", format!("{partition}/{sort}"), error.to_string())
    })
}

/// The record at this key as of now, if there is one. One that cannot be read is none: its own visit names it.
pub async fn find<R: Record>(context: &Context, key: &Key) -> Result<Option<R>, Problem> {
    let item = context.table.get(key, Read::Consistent).await?;
    Ok(item.and_then(|item| store::read(item).ok()))
}

/// Named sums in won, which may be negative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Sums(BTreeMap<String, i64>);

impl Sums {
    /// The sum of this name; zero if nothing was added to it.
    pub fn of(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// All sums whose names begin so.
    pub fn starting_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, i64)> {
        let known = self.0.iter().map(|(name, sum)| (name.as_str(), *sum));
        known.filter(move |(name, _)| name.starts_with(prefix))
    }

    /// Adds to a sum.
    pub fn add(&mut self, name: &str, amount: i64) -> Result<(), OutOfRange> {
        let sum = self.of(name).checked_add(amount).ok_or(OutOfRange)?;
        self.0.insert(name.to_owned(), sum);
        Ok(())
    }

    /// Adds an amount of money to a sum.
    pub fn plus(&mut self, name: &str, amount: Money) -> Result<(), OutOfRange> {
        self.add(name, signed(amount)?)
    }

    /// Takes an amount of money from a sum.
    pub fn minus(&mut self, name: &str, amount: Money) -> Result<(), OutOfRange> {
        self.add(name, signed(amount)?.checked_neg().ok_or(OutOfRange)?)
    }

    /// Adds all of another's sums.
    pub fn take(&mut self, other: &Sums) -> Result<(), OutOfRange> {
        other.0.iter().try_for_each(|(name, amount)| self.add(name, *amount))
    }
}

fn signed(amount: Money) -> Result<i64, OutOfRange> {
    i64::try_from(amount.amount()).map_err(|_| OutOfRange)
}

/// The sum of what franchises owe Pay: what their newest settlements carry into the next ones, because more was taken
/// back than paid.
pub const OWED_BY_FRANCHISES: &str = "owed.byFranchises";

/// What Pay owes franchises is compared in so many buckets: few enough to be carried along, and enough that what is
/// one franchise's is hardly ever taken for another's without a difference.
const PAYABLE_BUCKETS: u128 = 64;

/// The names of all buckets.
pub fn payable_buckets() -> impl Iterator<Item = String> {
    (0..PAYABLE_BUCKETS).map(|bucket| format!("{bucket:02}"))
}

/// The name of the bucket that a franchise falls into: two digits.
pub fn payable_bucket(franchise: FranchiseId) -> String {
    // An id is a hash, so any part of it spreads.
    format!("{:02}", franchise.bits() % PAYABLE_BUCKETS)
}

/// The first part of [`payable_booked`].
pub const PAYABLE_BOOKED: &str = "payable.booked";
/// The first part of [`payable_recorded`].
pub const PAYABLE_RECORDED: &str = "payable.recorded";
/// The first part of [`payable_open`].
pub const PAYABLE_OPEN: &str = "payable.open";

/// A bucket's sum.
pub fn payable(what: &str, bucket: &str) -> String {
    format!("{what}.{bucket}")
}

/// The sum of what the ledger owes the franchises of this one's bucket: booked by wallets' entries and by journals'.
pub fn payable_booked(franchise: FranchiseId) -> String {
    payable(PAYABLE_BOOKED, &payable_bucket(franchise))
}

/// The sum of what records say is owed them: payments add what was paid and take off what is back; settlements take
/// off fee, VAT and what was paid out, and add what was given back of the first two.
pub fn payable_recorded(franchise: FranchiseId) -> String {
    payable(PAYABLE_RECORDED, &payable_bucket(franchise))
}

/// By how much the two may differ, because a record is written after its entry: amounts, never below zero.
pub fn payable_open(franchise: FranchiseId) -> String {
    payable(PAYABLE_OPEN, &payable_bucket(franchise))
}

/// A service's audit.
pub type Auditor = Peer<AuditPage, Audited>;

/// How long a page may take, in milliseconds.
const PAGE_MS: u32 = 30_000;

/// membership
pub const AUDIT_MEMBERSHIP: Auditor = Peer::new("membership.auditMembership", PAGE_MS);
/// banking
pub const AUDIT_BANKING: Auditor = Peer::new("banking.auditBanking", PAGE_MS);
/// franchise
pub const AUDIT_FRANCHISE: Auditor = Peer::new("franchise.auditFranchise", PAGE_MS);

/// remittance
pub const AUDIT_REMITTANCE: Auditor = Peer::new("remittance.auditRemittance", PAGE_MS);
/// payment
pub const AUDIT_PAYMENT: Auditor = Peer::new("payment.auditPayment", PAGE_MS);
/// settlement
pub const AUDIT_SETTLEMENT: Auditor = Peer::new("settlement.auditSettlement", PAGE_MS);

/// A page of a table under audit: it reads items and gathers what they show.
pub struct Inspection {
    scan: Scan,
    audited: Audited,
}

impl Inspection {
    /// Begins where the page before ended.
    pub fn of(page: &AuditPage) -> Inspection {
        Inspection { scan: Scan::after(page.after.as_ref()).consistent(), audited: Audited::default() }
    }

    /// Begins where the page before ended, and reads few enough items that there is time to look something up for each.
    pub fn looking_up(page: &AuditPage) -> Inspection {
        Inspection::in_pages_of(page, 100, 5)
    }

    /// Begins where the page before ended, and reads so many items at a time, so many times.
    pub fn in_pages_of(page: &AuditPage, items: u32, pages: u32) -> Inspection {
        let scan = Scan::after(page.after.as_ref()).consistent().in_pages_of(items, pages);
        Inspection { scan, audited: Audited::default() }
    }

    /// The next items; none when the table or the page is at its end.
    pub async fn items(&mut self, context: &Context) -> Result<Option<Vec<Item>>, Problem> {
        let items = self.scan.page(context).await?;
        let read = items.as_ref().map_or(0, Vec::len);
        self.audited.checked = self.audited.checked.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(items)
    }

    /// Notes what is not as it must be.
    pub fn find(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.audited.findings.extend(findings);
    }

    /// The page's sums.
    pub fn sums(&mut self) -> &mut Sums {
        &mut self.audited.sums
    }

    /// What the page has shown.
    pub fn end(self) -> Audited {
        Audited { after: self.scan.rest(), ..self.audited }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_franchise_falls_into_one_of_64_buckets() {
        let names: Vec<String> = payable_buckets().collect();
        assert_eq!((names.len(), names[0].as_str(), names[63].as_str()), (64, "00", "63"));
        for bits in (0..200).chain([u128::MAX]) {
            let franchise = FranchiseId::from_random(bits);
            let bucket = payable_bucket(franchise);
            assert!(names.contains(&bucket));
            assert_eq!(payable_recorded(franchise), payable(PAYABLE_RECORDED, &bucket));
        }
    }
}
