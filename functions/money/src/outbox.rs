//! Which facts money's items state, and which of them are not final.

use crate::{
    domain::{Entry, Kind},
    items::MoneyRequest,
    sweep_money_requests,
};
use contract::{
    outbox::{Later, Outbox, delay_seconds},
    peers::Direction,
};
use events::{
    Envelope,
    money::{
        MoneyDecreaseRequested, MoneyDecreased, MoneyIncreaseRequested, MoneyIncreased, MoneyTransferred,
    },
};
use serde_json::json;
use store::{Item, Record, Unreadable, kind_of, read};

/// Money's outbox.
pub const OUTBOX: Outbox = Outbox { facts, unfinished, republish: "money.republish" };

/// The first message comes when the first worker's lease is over; later ones ever more slowly.
const FIRST_DELAY_SECONDS: u32 = 25;

fn facts(item: &Item) -> Result<Vec<Envelope>, Unreadable> {
    match kind_of(item) {
        Entry::KIND => Ok(entry_fact(&read(item.clone())?).into_iter().collect()),
        MoneyRequest::KIND => Ok(request_fact(&read(item.clone())?).into_iter().collect()),
        _ => Ok(Vec::new()),
    }
}

fn entry_fact(entry: &Entry) -> Option<Envelope> {
    let own = Some(entry.own_account());
    match entry.purpose {
        Kind::Recharge if entry.credit == own => {
            let fact = MoneyIncreased {
                money_request_id: saga(entry),
                membership_id: entry.owner,
                wallet_id: entry.wallet_id,
                sequence: entry.sequence,
                amount: entry.amount,
                balance: entry.standing.balance,
                recharged_total: entry.standing.recharged_total,
                increased_at: entry.time,
            };
            Some(Envelope::of(&fact, "", entry.time, &entry.traceparent))
        }
        Kind::Withdrawal => {
            let fact = MoneyDecreased {
                money_request_id: saga(entry),
                membership_id: entry.owner,
                wallet_id: entry.wallet_id,
                sequence: entry.sequence,
                amount: entry.amount,
                balance: entry.standing.balance,
                decreased_at: entry.time,
            };
            Some(Envelope::of(&fact, "", entry.time, &entry.traceparent))
        }
        Kind::Remittance | Kind::Payment | Kind::Post if entry.debit == own => transferred(entry),
        Kind::Cancellation => transferred(entry),
        _ => None,
    }
}

fn transferred(entry: &Entry) -> Option<Envelope> {
    let fact = MoneyTransferred {
        reference: entry.reference.clone(),
        debit_account: entry.debit?.to_string(),
        credit_account: entry.credit?.to_string(),
        wallet_id: entry.wallet_id,
        sequence: entry.sequence,
        amount: entry.amount,
        balance: entry.standing.balance,
        transferred_at: entry.time,
    };
    Some(Envelope::of(&fact, "", entry.time, &entry.traceparent))
}

/// The saga whose step an entry is: what its reference begins with.
fn saga(entry: &Entry) -> String {
    entry.reference.split('/').next().unwrap_or_default().to_owned()
}

fn request_fact(record: &MoneyRequest) -> Option<Envelope> {
    let MoneyRequest { money_request_id, requested_at, traceparent, .. } = record;
    let money_request_id = *money_request_id;
    record.by_event.then(|| match record.direction {
        Direction::Recharge => {
            Envelope::of(&MoneyIncreaseRequested { money_request_id }, "", *requested_at, traceparent)
        }
        Direction::Withdrawal => {
            Envelope::of(&MoneyDecreaseRequested { money_request_id }, "", *requested_at, traceparent)
        }
    })
}

fn unfinished(item: &Item) -> Result<Option<Later>, Unreadable> {
    if kind_of(item) != MoneyRequest::KIND {
        return Ok(None);
    }
    let record: MoneyRequest = read(item.clone())?;
    Ok((!record.is_final()).then(|| Later {
        operation: sweep_money_requests::NAME,
        body: json!({ "moneyRequestId": record.money_request_id, "attempts": record.attempts }),
        delay_seconds: delay_seconds(FIRST_DELAY_SECONDS, record.attempts),
        busy_until: record.leased_until,
    }))
}
