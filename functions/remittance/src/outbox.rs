//! Which facts remittance's items state, and which of them are not final.

use crate::{
    items::{Receiver, Remittance, RemittanceState},
    sweep_remittances,
};
use contract::outbox::{Later, Outbox, delay_seconds};
use events::{
    Envelope,
    remittance::{RemittanceCompleted, RemittanceFailed},
};
use serde_json::json;
use store::{Item, Record, Unreadable, kind_of, read};

/// Remittance's outbox.
pub const OUTBOX: Outbox = Outbox { facts, unfinished, republish: "remittance.republish" };

/// The first message comes when the first worker's lease is over; later ones ever more slowly.
const FIRST_DELAY_SECONDS: u32 = 25;

fn facts(item: &Item) -> Result<Vec<Envelope>, Unreadable> {
    if kind_of(item) != Remittance::KIND {
        return Ok(Vec::new());
    }
    Ok(ended(&read(item.clone())?).into_iter().collect())
}

fn ended(record: &Remittance) -> Option<Envelope> {
    let Remittance { remittance_id, membership_id, amount, .. } = *record;
    let at = record.completed_at?;
    match record.state {
        RemittanceState::Completed => {
            let (receiver_id, bank_account_id) = match &record.to {
                Receiver::Member { membership_id } => (Some(*membership_id), None),
                Receiver::BankAccount { bank_account_id, .. } => (None, Some(*bank_account_id)),
            };
            let fact = RemittanceCompleted {
                remittance_id,
                membership_id,
                receiver_id,
                bank_account_id,
                amount,
                completed_at: at,
            };
            Some(Envelope::of(&fact, "", at, &record.traceparent))
        }
        RemittanceState::Failed => {
            let reason = record.failure_reason.clone().unwrap_or_default();
            let fact = RemittanceFailed { remittance_id, membership_id, amount, reason, failed_at: at };
            Some(Envelope::of(&fact, "", at, &record.traceparent))
        }
        RemittanceState::Requested | RemittanceState::Recharging | RemittanceState::BankUnknown => None,
    }
}

fn unfinished(item: &Item) -> Result<Option<Later>, Unreadable> {
    if kind_of(item) != Remittance::KIND {
        return Ok(None);
    }
    let record: Remittance = read(item.clone())?;
    Ok((!record.is_final()).then(|| Later {
        operation: sweep_remittances::NAME,
        body: json!({ "remittanceId": record.remittance_id, "attempts": record.attempts }),
        delay_seconds: delay_seconds(FIRST_DELAY_SECONDS, record.attempts),
        busy_until: record.leased_until,
    }))
}
