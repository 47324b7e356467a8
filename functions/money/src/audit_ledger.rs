//! Looks through the whole of Pay: every wallet's chain and franchise's journal, every service's own audit, and the
//! corporate account at the bank. Scheduled once a day, and by hand: `make audit`.
//!
//! One run looks at a part of one table, or of one long chain, and says how to go on; the schedule's runs go on by
//! messages to this operation's own queue. Sums are as of one moment, the cut, so that they can be compared while money
//! moves; what was open at the bank then is set apart, and comparisons allow for it.

use crate::{
    auditing::{self, Looked, Suspended, Walking},
    domain::JournalStep,
    settings::Settings,
};
use contract::{
    Call, Caller, Context, Grant, Operation, Problem, Reply, Trigger,
    audit::{
        AUDIT_BANKING, AUDIT_FRANCHISE, AUDIT_MEMBERSHIP, AUDIT_PAYMENT, AUDIT_REMITTANCE, AUDIT_SETTLEMENT,
        AuditPage, Audited, Auditor, Finding, PAYABLE_BOOKED, PAYABLE_OPEN, PAYABLE_RECORDED, Sums, payable,
        payable_buckets,
    },
    handled_by,
    outbox::KeyName,
    peers::{CorporateQuestion, GET_CORPORATE_BALANCE},
    ports::{CallError, MOST_DELAY_SECONDS},
    sweeping,
};
use kernel::{Money, OutOfRange, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "auditLedger",
    summary: "Checks the ledger's invariants over all tables, and the corporate account against the ledger",
    triggers: &[Trigger::Call, Trigger::Queue, Trigger::Schedule("rate(1 day)")],
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ScanTable, Grant::Enqueue(NAME)],
    calls: &[
        GET_CORPORATE_BALANCE.operation,
        AUDIT_MEMBERSHIP.operation,
        AUDIT_BANKING.operation,
        AUDIT_FRANCHISE.operation,
        AUDIT_REMITTANCE.operation,
        AUDIT_PAYMENT.operation,
        AUDIT_SETTLEMENT.operation,
    ],
    memory_mb: 256,
    timeout_seconds: 60,
    ..handled_by!(audit_ledger)
};

/// The operation's full name.
const NAME: &str = "money.auditLedger";

/// The other services' audits, in the order in which they are asked.
const AUDITORS: &[&Auditor] = &[
    &AUDIT_BANKING,
    &AUDIT_PAYMENT,
    &AUDIT_SETTLEMENT,
    &AUDIT_REMITTANCE,
    &AUDIT_FRANCHISE,
    &AUDIT_MEMBERSHIP,
];

/// How far clocks may be apart if nobody says: as far as the ledger lets a step's birth lie ahead.
const SLACK_SECONDS: u32 = 300;
/// A message can wait no longer.
const MOST_SLACK_SECONDS: u32 = MOST_DELAY_SECONDS;

/// How many findings are kept; the rest are only counted.
const MOST_FINDINGS: usize = 100;

/// Where to go on; from the beginning if unsaid.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AuditLedger {
    /// What the run before answered.
    pub next: Option<Progress>,
    /// How far functions' clocks may be apart, in seconds; 300 if unsaid. What happened so near to the cut counts as
    /// open, and sums are compared the less exactly.
    pub slack_seconds: Option<u32>,
}

/// How far an audit is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Progress {
    /// The moment that its sums are of.
    cut: Timestamp,
    /// How far functions' clocks may be apart, in seconds.
    slack_seconds: u32,
    /// What was on the corporate account then.
    corporate_balance: Money,
    /// How many of the other services' tables are done; none until the ledger is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    services_done: Option<usize>,
    /// Where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    after: Option<KeyName>,
    /// The chain that the run before has begun and not ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    walking: Option<Walking>,
    /// What was found until now.
    report: Report,
}

/// What an audit has found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How many items were looked at.
    pub checked: u64,
    /// How many things are not as they must be.
    pub found: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
    /// Sums in won, as of the cut.
    pub sums: Sums,
    /// What stands in suspense; its sum is among the others.
    #[serde(default)]
    pub suspended: Suspended,
}

/// An audit's answer.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// What was found until now.
    #[serde(flatten)]
    pub report: Report,
    /// What to send as `next` to go on; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Progress>,
}

async fn audit_ledger(context: &Context, call: Call<AuditLedger>) -> Result<Reply<Answer>, Problem> {
    let is_scheduled = call.caller == Caller::Platform;
    if is_scheduled && call.body.next.is_none() && sweeping::is_alive(context, NAME).await? {
        return Ok(Reply::ok(Answer { report: Report::default(), next: None }));
    }
    // What is written from now on by the slowest clock is from after the cut when the first page is read.
    let (progress, wait) = match call.body.next.clone() {
        Some(progress) => (go_on(context, &call, progress).await?, 0),
        None => {
            let progress = begin(context, &call).await?;
            let wait = progress.slack_seconds;
            (progress, wait)
        }
    };
    if progress.services_done != Some(AUDITORS.len()) {
        if is_scheduled {
            let body = json!({ "next": progress });
            context.queues.send(NAME, &body, wait, &call.trace).await.map_err(Problem::unavailable)?;
            sweeping::goes_on(context, NAME, wait).await?;
        }
        return Ok(Reply::ok(Answer { report: progress.report.clone(), next: Some(progress) }));
    }
    let mut report = progress.report;
    let own_funds = Settings::of(context)?.own_funds;
    report.take_all(compare(&report.sums, progress.corporate_balance, own_funds).map_err(Problem::internal)?);
    tell(&report);
    if is_scheduled {
        sweeping::ends(context, NAME).await;
    }
    if report.found > 0 && is_scheduled {
        // The function fails, so that its alarm rings.
        return Err(Problem::internal(format!("the audit found {} differences", report.found)));
    }
    Ok(Reply::ok(Answer { report, next: None }))
}

fn tell(report: &Report) {
    for Finding { rule, subject, detail } in &report.findings {
        tracing::error!(rule, subject, detail, "the audit found what must not be");
    }
    let Suspended { entries, references } = &report.suspended;
    if *entries > 0 {
        let (won, about) = (report.sums.of("ledger.suspense"), references.join(" "));
        let detail = format!("{entries} entries, {won} won");
        tracing::warn!(about, detail, "money that no wallet could take waits in suspense for a person");
    }
    // Nothing found is no metric: a ledger that is right costs none.
    let findings = (report.found > 0).then_some(report.found);
    tracing::info!(checked = report.checked, findings, metrics = findings.map(|_| "findings"), "audited");
}

/// The bank is asked first: what it says is as of the cut.
async fn begin(context: &Context, call: &Call<AuditLedger>) -> Result<Progress, Problem> {
    let answer = context.call(&GET_CORPORATE_BALANCE, call, None, None, &CorporateQuestion {}).await;
    let corporate_balance = answer.map_err(unanswered)?.balance;
    let cut = context.clock.now();
    let slack_seconds = call.body.slack_seconds.unwrap_or(SLACK_SECONDS).min(MOST_SLACK_SECONDS);
    Ok(Progress {
        cut,
        slack_seconds,
        corporate_balance,
        services_done: None,
        after: None,
        walking: None,
        report: Report::default(),
    })
}

/// Looks at the next page.
async fn go_on(context: &Context, call: &Call<AuditLedger>, progress: Progress) -> Result<Progress, Problem> {
    let mut progress = progress;
    let Progress { cut, slack_seconds, .. } = progress;
    let page = AuditPage { cut, slack_seconds, after: progress.after.take() };
    let audited = match progress.services_done {
        None => {
            let walking = progress.walking.take();
            let Looked { audited, walking, suspended } = auditing::look(context, &page, walking).await?;
            progress.walking = walking;
            progress.report.suspended.take(suspended);
            audited
        }
        Some(done) => match AUDITORS.get(done) {
            Some(auditor) => context.call(auditor, call, None, None, &page).await.map_err(unanswered)?,
            None => Audited::default(),
        },
    };
    progress.report.checked = progress.report.checked.saturating_add(audited.checked);
    progress.report.sums.take(&audited.sums).map_err(Problem::internal)?;
    progress.report.take_all(audited.findings);
    progress.after = audited.after;
    if progress.after.is_none() {
        progress.services_done = Some(progress.services_done.map_or(0, |done| done.saturating_add(1)));
    }
    Ok(progress)
}

fn unanswered(error: CallError) -> Problem {
    match error {
        CallError::Unanswered(error) => Problem::unavailable(error),
        CallError::Refused(problem) => Problem::internal(problem),
    }
}

impl Report {
    /// Counts findings, and keeps the first.
    fn take_all(&mut self, findings: Vec<Finding>) {
        self.found = self.found.saturating_add(u64::try_from(findings.len()).unwrap_or(u64::MAX));
        let room = MOST_FINDINGS.saturating_sub(self.findings.len());
        self.findings.extend(findings.into_iter().take(room));
    }
}

/// Holds sums to each other.
fn compare(sums: &Sums, corporate: Money, own_funds: Money) -> Result<Vec<Finding>, OutOfRange> {
    let mut findings = Vec::new();
    compare_with_bank(sums, corporate, own_funds, &mut findings)?;
    compare_with_funds(sums, corporate, &mut findings)?;
    compare_with_records(sums, &mut findings)?;
    Ok(findings)
}

fn hold(findings: &mut Vec<Finding>, holds: bool, rule: &str, subject: &str, detail: String) {
    if !holds {
        findings.push(Finding::new(rule, subject, detail));
    }
}

fn add(amounts: &[i64]) -> Result<i64, OutOfRange> {
    amounts.iter().try_fold(0_i64, |sum, amount| sum.checked_add(*amount)).ok_or(OutOfRange)
}

fn won(amount: Money) -> Result<i64, OutOfRange> {
    i64::try_from(amount.amount()).map_err(|_| OutOfRange)
}

fn less(amount: i64, other: i64) -> Result<i64, OutOfRange> {
    amount.checked_sub(other).ok_or(OutOfRange)
}

/// The ledger, banking and the bank have moved the same.
fn compare_with_bank(
    sums: &Sums,
    corporate: Money,
    own_funds: Money,
    findings: &mut Vec<Finding>,
) -> Result<(), OutOfRange> {
    let all: Vec<i64> = sums.starting_with("ledger.").map(|(_, sum)| sum).collect();
    let total = add(&all)?;
    let detail = format!("all accounts sum up to {total} won");
    hold(findings, total == 0, "accounts_do_not_sum_to_zero", "ledger", detail);

    let booked = less(0, sums.of("ledger.bank:corporate"))?;
    let moved = sums.of("banking.forSagas");
    let (open_in, open_out) = (sums.of("open.bankIn"), sums.of("open.bankOut"));
    // What has left the bank and not the ledger: withdrawals hold it, and settlement says what it is paying out.
    let leaving = add(&[sums.of("open.held"), sums.of("open.paidOut")])?;
    // What the bank has done may not be booked yet, and what was booked a moment before the cut may be open there.
    let unbooked = less(moved, booked)?;
    let most = add(&[sums.of("open.expected"), open_out])?;
    let least = less(0, add(&[leaving, open_in])?)?;
    let detail = format!("banking moved {moved} won for the ledger, which has booked {booked}");
    let is_within = (least..=most).contains(&unbooked);
    hold(findings, is_within, "ledger_differs_from_banking", "bank:corporate", detail);

    let at_bank = less(won(corporate)?, won(own_funds)?)?;
    let all_moved = add(&[moved, sums.of("banking.forOperators")])?;
    let unknown = less(at_bank, all_moved)?;
    let detail =
        format!("the bank has {at_bank} won above Pay's own, and banking has moved {all_moved} there");
    let is_within = (less(0, open_out)?..=open_in).contains(&unknown);
    hold(findings, is_within, "bank_differs_from_banking", "bank:corporate", detail);
    Ok(())
}

/// What is owed is at the bank, Pay's own funds there included: they stand in for franchises that owe Pay.
fn compare_with_funds(sums: &Sums, corporate: Money, findings: &mut Vec<Finding>) -> Result<(), OutOfRange> {
    let corporate = won(corporate)?;
    let (held, open_in) = (sums.of("open.held"), sums.of("open.bankIn"));
    // Of what wallets hold, as much has left the bank before them as banking has moved and the ledger has not booked,
    // or as the bank has not said the outcome of. A hold whose bank call has not begun is at the bank like any balance.
    let booked = less(0, sums.of("ledger.bank:corporate"))?;
    let gone = less(booked, sums.of("banking.forSagas"))?.max(0);
    let leaving = held.min(add(&[gone, sums.of("open.bankOut")])?);
    let wallets = add(&[sums.of("ledger.wallets"), sums.of("ledger.suspense")])?;
    // What came in a moment before the cut may not have been there yet when the bank was asked.
    let covered = wallets <= add(&[corporate, leaving, open_in])?;
    let detail =
        format!("wallets and suspense have {wallets} won, {corporate} are at the bank and {leaving} leaving");
    hold(findings, covered, "wallets_uncovered", "bank:corporate", detail);

    // In all, what Pay keeps of fees aside. A franchise that owes Pay lessens this sum; how much all of them owed when they
    // were last settled is a figure of its own, too old by hours to be held to anything.
    let owed = add(&[wallets, sums.of("ledger.franchises"), sums.of("ledger.vat:payable")])?;
    let covered = owed <= add(&[corporate, held, sums.of("open.paidOut"), open_in])?;
    let detail = format!("{owed} won are owed in all, and {corporate} are at the bank");
    hold(findings, covered, "liabilities_not_covered", "bank:corporate", detail);
    Ok(())
}

/// What the services' sagas have recorded is what was booked for them: in all, and for each bucket of franchises.
fn compare_with_records(sums: &Sums, findings: &mut Vec<Finding>) -> Result<(), OutOfRange> {
    let settled = JournalStep::ALL.map(JournalStep::sum);
    // A record says what was moved after the ledger does, and with the entry's time.
    for what in ["remitted", "paid", "refunded"].into_iter().chain(settled) {
        let (booked, recorded) = (sums.of(&format!("booked.{what}")), sums.of(&format!("recorded.{what}")));
        let unrecorded = less(booked, recorded)?;
        let open = sums.of(&format!("open.{what}"));
        let detail = format!("{booked} won were booked as {what}, and {recorded} are recorded");
        let is_within = (0..=open).contains(&unrecorded);
        hold(findings, is_within, "ledger_differs_from_records", what, detail);
    }
    for bucket in payable_buckets() {
        let of = |what: &str| sums.of(&payable(what, &bucket));
        let (booked, recorded) = (of(PAYABLE_BOOKED), of(PAYABLE_RECORDED));
        let is_within = less(booked, recorded)?.unsigned_abs() <= of(PAYABLE_OPEN).unsigned_abs();
        let detail =
            format!("{booked} won are owed by the ledger, and {recorded} by payments and settlements");
        hold(findings, is_within, "payable_differs_from_records", &bucket, detail);
    }
    Ok(())
}
