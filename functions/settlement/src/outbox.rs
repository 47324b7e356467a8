//! Which facts settlement's items state, and which of them are not final.

use crate::{
    items::{Line, LineState, Retry, Run},
    sweep_settlements,
};
use contract::outbox::{Later, Outbox, delay_seconds};
use events::{
    Envelope,
    settlement::{SettlementFailed, SettlementFinished, SettlementPaidOut, SettlementStarted},
};
use serde_json::json;
use store::{Item, Record, Unreadable, kind_of, read};

/// Settlement's outbox.
pub const OUTBOX: Outbox = Outbox { facts, unfinished, republish: "settlement.republish" };

/// When it is first looked whether an execution works on a run.
const RUN_DELAY_SECONDS: u32 = 60;
/// A line's first message comes when the step that recorded it has had its time; later ones ever more slowly.
const FIRST_DELAY_SECONDS: u32 = 30;

fn facts(item: &Item) -> Result<Vec<Envelope>, Unreadable> {
    Ok(match kind_of(item) {
        Run::KIND => of_run(&read(item.clone())?),
        Line::KIND => of_line(&read(item.clone())?).into_iter().collect(),
        Retry::KIND => vec![of_retry(read(item.clone())?)],
        _ => Vec::new(),
    })
}

fn of_run(run: &Run) -> Vec<Envelope> {
    let business_day = run.business_day.clone();
    let started = SettlementStarted { business_day, started_at: run.started_at };
    let mut facts = vec![Envelope::of(&started, "", run.started_at, &run.traceparent)];
    facts.extend(run.ended.map(|ended| {
        let fact = SettlementFinished {
            business_day: run.business_day.clone(),
            settled: ended.settled,
            pending: ended.pending,
            failed: ended.failed,
            paid_out: ended.paid_out,
            finished_at: ended.at,
        };
        Envelope::of(&fact, "", ended.at, &run.traceparent)
    }));
    facts
}

fn of_line(line: &Line) -> Option<Envelope> {
    let at = line.completed_at?;
    match line.state {
        LineState::Paid => {
            let fact = SettlementPaidOut {
                settlement_id: line.settlement_id(),
                franchise_id: line.franchise_id,
                business_day: line.business_day.clone(),
                through: line.through.clone(),
                amount: line.amounts.payout,
                fee: line.amounts.fee,
                vat: line.amounts.vat,
                paid_at: at,
            };
            Some(Envelope::of(&fact, "", at, &line.traceparent))
        }
        LineState::Failed => {
            let fact = SettlementFailed {
                settlement_id: line.settlement_id(),
                franchise_id: line.franchise_id,
                business_day: line.business_day.clone(),
                amount: line.amounts.payout,
                attempt: line.payout.map_or(0, |payout| payout.attempt),
                reason: line.failure_reason.clone().unwrap_or_default(),
                failed_at: at,
            };
            Some(failed(&fact, &line.traceparent))
        }
        LineState::Open | LineState::Carried | LineState::Settled | LineState::Empty => None,
    }
}

/// A retried line no longer says how it had failed before: its retry does.
fn of_retry(retry: Retry) -> Envelope {
    let fact = SettlementFailed {
        settlement_id: retry.settlement_id,
        franchise_id: retry.franchise_id,
        business_day: retry.business_day,
        amount: retry.amount,
        attempt: retry.attempt,
        reason: retry.reason,
        failed_at: retry.failed_at,
    };
    failed(&fact, &retry.traceparent)
}

fn failed(fact: &SettlementFailed, traceparent: &str) -> Envelope {
    Envelope::of(fact, &fact.attempt.to_string(), fact.failed_at, traceparent)
}

fn unfinished(item: &Item) -> Result<Option<Later>, Unreadable> {
    let later = |body, delay_seconds, busy_until| Later {
        operation: sweep_settlements::NAME,
        body,
        delay_seconds,
        busy_until,
    };
    Ok(match kind_of(item) {
        Run::KIND => {
            let run: Run = read(item.clone())?;
            let body = || json!({ "businessDay": run.business_day });
            (!run.is_final()).then(|| {
                later(body(), RUN_DELAY_SECONDS, run.attempted_at.plus_seconds(i64::from(RUN_DELAY_SECONDS)))
            })
        }
        Line::KIND => {
            let line: Line = read(item.clone())?;
            let body = || json!({ "settlementId": line.settlement_id(), "attempts": line.attempts });
            (!line.is_final()).then(|| {
                later(
                    body(),
                    delay_seconds(FIRST_DELAY_SECONDS, line.attempts),
                    line.recorded_at.plus_seconds(i64::from(FIRST_DELAY_SECONDS)),
                )
            })
        }
        _ => None,
    })
}
