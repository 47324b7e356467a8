//! Called by money's auditLedger: looks through settlement's table, a page at a time.
//!
//! Lines are held to the line before them, to their own totals and to their entry in the run; entries to their run
//! and to the chain. Sums are as of the cut, by the ledger entries' own times, to be compared with the ledger's, with
//! payment's manifests and with what the ledger owes each franchise; what was open then is set apart.

use crate::{
    domain::{carry, reckon},
    items::{Amounts, Entry, EntryState, Line, LineState, Pointer, Recorded, Run},
    lines,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger,
    audit::{self, AuditPage, Audited, Finding, Inspection, OWED_BY_FRANCHISES, Sums},
    handled_by,
};
use kernel::{Money, OutOfRange, SignedMoney, Timestamp};
use store::{Item, Record, kind_of};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "auditSettlement",
    summary: "Checks settlement's table, and sums up what was settled",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::ScanTable],
    timeout_seconds: 30,
    ..handled_by!(audit_settlement)
};

async fn audit_settlement(context: &Context, call: Call<AuditPage>) -> Result<Reply<Audited>, Problem> {
    let mut inspection = Inspection::looking_up(&call.body);
    while let Some(items) = inspection.items(context).await? {
        for item in &items {
            match inspect(context, item, &call.body, inspection.sums()).await? {
                Ok(findings) => inspection.find(findings),
                Err(unreadable) => inspection.find([unreadable]),
            }
        }
    }
    Ok(Reply::ok(inspection.end()))
}

/// What an item shows; an error names one that cannot be read.
async fn inspect(
    context: &Context,
    item: &Item,
    page: &AuditPage,
    sums: &mut Sums,
) -> Result<Result<Vec<Finding>, Finding>, Problem> {
    Ok(match kind_of(item) {
        Line::KIND => match audit::readable::<Line>(item) {
            Ok(line) => {
                count(&line, page, sums).map_err(Problem::internal)?;
                let mut findings = arithmetic(&line);
                findings.extend(ended(&line));
                findings.extend(chained(context, &line).await?);
                findings.extend(entered(context, &line).await?);
                Ok(findings)
            }
            Err(finding) => Err(finding),
        },
        Entry::KIND => match audit::readable::<Entry>(item) {
            Ok(entry) => Ok(followed(context, &entry).await?.into_iter().collect()),
            Err(finding) => Err(finding),
        },
        Run::KIND => audit::readable::<Run>(item).map(|run| {
            let is_dated = run.is_final() == run.ended.is_some();
            let detail = "a run says when it ended if and only if it has";
            let finding = || Finding::new("end_unsaid", run.business_day.to_string(), detail);
            (!is_dated).then(finding).into_iter().collect()
        }),
        _ => Ok(Vec::new()),
    })
}

fn broken(line: &Line, rule: &str, detail: &str) -> Finding {
    Finding::new(rule, line.settlement_id().to_string(), detail)
}

/// The line's amounts are what its totals come to.
fn arithmetic(line: &Line) -> Vec<Finding> {
    let reckoned = reckon(&line.totals, line.vat_bps);
    let amounts = reckoned.and_then(|it| Ok(Amounts::new(it, carry(it.net, line.amounts.carried_in)?)));
    let is_right = amounts == Ok(line.amounts);
    let finding = || broken(line, "line_arithmetic", "its amounts are not what its totals come to");
    (!is_right).then(finding).into_iter().collect()
}

/// A final line says when, a failed one why, a paid one when it was booked; what it took is booked.
fn ended(line: &Line) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_dated = line.is_final() == line.completed_at.is_some();
    let is_reasoned = (line.state == LineState::Failed) == line.failure_reason.is_some();
    if !is_dated || !is_reasoned {
        let detail = "it says when it ended if and only if it has, and why if and only if it failed";
        findings.push(broken(line, "end_unsaid", detail));
    }
    let booked = |amount: SignedMoney, at: Option<Timestamp>| at.is_some() == (amount != SignedMoney::ZERO);
    let is_taken = booked(line.amounts.fee, line.fee_at) && booked(line.amounts.vat, line.vat_at);
    let is_paid = line.paid_at.is_some() == (line.state == LineState::Paid);
    if line.is_final() && !(is_taken && is_paid && line.finished) {
        findings.push(broken(line, "line_unbooked", "it is final, and not all of it is booked"));
    }
    findings
}

/// The line follows the one before it.
async fn chained(context: &Context, line: &Line) -> Result<Option<Finding>, Problem> {
    let pointer: Option<Pointer> = audit::find(context, &Pointer::key_of(line.settlement_id())).await?;
    if pointer.is_none_or(|it| (it.franchise_id, it.sequence) != (line.franchise_id, line.sequence)) {
        return Ok(Some(broken(line, "line_pointer", "its id does not lead to it")));
    }
    let before = line.sequence.checked_sub(1).filter(|sequence| *sequence > 0);
    let Some(before) = before else {
        let finding = || broken(line, "line_chain", "it is the first and something is carried in");
        return Ok((!line.amounts.carried_in.is_zero()).then(finding));
    };
    let before: Option<Line> = audit::find(context, &Line::key_of(line.franchise_id, before)).await?;
    Ok(match before {
        None => Some(broken(line, "line_chain", "there is no line before it")),
        Some(before) if before.through >= line.through => {
            Some(broken(line, "line_chain", "it ends no later than the line before it"))
        }
        Some(before) if before.amounts.carried_out != line.amounts.carried_in => {
            Some(broken(line, "line_carry", "it takes off what the line before it does not carry out"))
        }
        Some(_) => None,
    })
}

/// The line's entry in the run tells the same as the line. One that changes meanwhile is left to its next audit.
async fn entered(context: &Context, line: &Line) -> Result<Option<Finding>, Problem> {
    let entry: Option<Entry> =
        audit::find(context, &Entry::key_of(&line.business_day, line.franchise_id)).await?;
    let expected = match line.state {
        LineState::Open => EntryState::Open,
        LineState::Failed => EntryState::Failed,
        _ => EntryState::Done,
    };
    let recorded = Recorded { sequence: line.sequence, amounts: line.amounts };
    let agrees = |entry: &Entry| {
        entry.recorded == Some(recorded) && entry.state == expected && entry.through == line.through
    };
    if entry.as_ref().is_some_and(agrees) {
        return Ok(None);
    }
    let now: Option<Line> = audit::find(context, &line.key()).await?;
    let is_same = now.is_some_and(|now| now.version == line.version);
    let detail = "its entry in the run tells something else";
    Ok(is_same.then(|| broken(line, "line_entry", detail)))
}

/// The entry has the line that it names, or one that covers it; and nothing is due in a finished run.
async fn followed(context: &Context, entry: &Entry) -> Result<Option<Finding>, Problem> {
    let finding = |rule: &str, detail: &str| {
        let subject = format!("{} {}", entry.business_day, entry.franchise_id);
        Finding::new(rule, subject, detail)
    };
    if let Some(recorded) = entry.recorded {
        let line: Option<Line> =
            audit::find(context, &Line::key_of(entry.franchise_id, recorded.sequence)).await?;
        let agrees = line.is_some_and(|line| line.business_day == entry.business_day);
        return Ok((!agrees).then(|| finding("entry_line", "the line that it names is not this run's")));
    }
    match entry.state {
        EntryState::Due => {
            let run: Option<Run> = audit::find(context, &Run::key_of(&entry.business_day)).await?;
            let now: Option<Entry> = audit::find(context, &entry.key()).await?;
            // The run is read before the entry: one that was finished then has nothing due now.
            let is_due = now.is_some_and(|now| now.state == EntryState::Due);
            let is_left = is_due && run.is_none_or(|run| run.is_final());
            Ok(is_left.then(|| finding("entry_due", "its run is finished and it is not settled")))
        }
        EntryState::Done => {
            let newest = lines::newest(context, entry.franchise_id, 1).await?.pop();
            let is_covered = newest.is_some_and(|line| line.through >= entry.through);
            Ok((!is_covered).then(|| finding("entry_uncovered", "no line has its days")))
        }
        EntryState::Open | EntryState::Failed => {
            Ok(Some(finding("entry_line", "it is recorded and names no line")))
        }
    }
}

/// Counts a line as of the cut. What the ledger booked has the ledger entries' own times; a step whose time is not
/// known may have been booked or not.
fn count(line: &Line, page: &AuditPage, sums: &mut Sums) -> Result<(), OutOfRange> {
    if line.recorded_at >= page.cut {
        return Ok(());
    }
    let Amounts { fee, vat, payout, paid, canceled, carried_in, carried_out, .. } = line.amounts;
    // Each line takes off what the one before it carries, so what is left over all lines is what the newest ones carry.
    sums.plus(OWED_BY_FRANCHISES, carried_out)?;
    sums.minus(OWED_BY_FRANCHISES, carried_in)?;
    if line.finished {
        sums.minus("manifest.paid", paid)?;
        sums.minus("manifest.canceled", canceled)?;
    } else {
        sums.plus("open.manifest", paid.plus(canceled)?)?;
    }
    let certainly_unpaid = line.state == LineState::Failed;
    let payout = if certainly_unpaid { Money::ZERO } else { payout };
    for (taken, returned, amount, at) in [
        ("feeTaken", "feeReturned", fee, line.fee_at),
        ("vatTaken", "vatReturned", vat, line.vat_at),
        ("paidOut", "", payout.into(), line.paid_at),
    ] {
        let name = if amount.is_negative() { returned } else { taken };
        let size = amount.above_zero().plus(amount.below_zero())?;
        match at {
            _ if size.is_zero() => {}
            Some(at) if at < page.cut => {
                sums.plus(&format!("recorded.{name}"), size)?;
                let owed = amount.amount().checked_neg().ok_or(OutOfRange)?;
                sums.add(&audit::payable_recorded(line.franchise_id), owed)?;
            }
            Some(_) => {}
            None => {
                sums.plus(&format!("open.{name}"), size)?;
                sums.plus(&audit::payable_open(line.franchise_id), size)?;
            }
        }
    }
    Ok(())
}
