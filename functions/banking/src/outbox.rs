//! Which facts banking's items state, and which of them are not final.

use crate::{
    domain::progress::delay_seconds,
    inquire_firmbanking,
    items::{BankAccount, BankAccountState, Firmbanking},
    on_membership_closed, on_register_bank_account_requested,
};
use contract::{
    former::FormerMember,
    outbox::{Later, Outbox},
    peers::FirmbankingState,
};
use events::{
    Envelope,
    banking::{
        BankAccountRegistered, FirmbankingFailed, FirmbankingRequested, FirmbankingSucceeded,
        RegisterBankAccountRequested,
    },
};
use kernel::Timestamp;
use serde_json::json;
use store::{Item, Record, Unreadable, kind_of, read};

/// Banking's outbox.
pub const OUTBOX: Outbox = Outbox { facts, unfinished, republish: "banking.republish" };

/// How long the relay's own messages have before the scan counts a record as forgotten.
const FORGOTTEN_AFTER_SECONDS: i64 = 120;

fn facts(item: &Item) -> Result<Vec<Envelope>, Unreadable> {
    Ok(match kind_of(item) {
        BankAccount::KIND => account_facts(&read(item.clone())?),
        Firmbanking::KIND => firmbanking_facts(&read(item.clone())?),
        _ => Vec::new(),
    })
}

fn account_facts(account: &BankAccount) -> Vec<Envelope> {
    let requested = account.by_event.then(|| requested(account));
    let registered = account.linked_at.map(|registered_at| {
        let BankAccount { bank_account_id, membership_id, .. } = *account;
        let fact = BankAccountRegistered { bank_account_id, membership_id, registered_at };
        Envelope::of(&fact, "", registered_at, &account.traceparent)
    });
    requested.into_iter().chain(registered).collect()
}

fn requested(account: &BankAccount) -> Envelope {
    let fact = RegisterBankAccountRequested { bank_account_id: account.bank_account_id };
    Envelope::of(&fact, "", account.requested_at, &account.traceparent)
}

fn firmbanking_facts(entry: &Firmbanking) -> Vec<Envelope> {
    let Firmbanking { firmbanking_id, amount, .. } = *entry;
    let requested = entry.by_event.then(|| {
        Envelope::of(&FirmbankingRequested { firmbanking_id }, "", entry.requested_at, &entry.traceparent)
    });
    let reference = entry.reference.clone();
    let ended = entry.completed_at.and_then(|at| match entry.state {
        FirmbankingState::Succeeded => {
            let fact = FirmbankingSucceeded { firmbanking_id, reference, amount, succeeded_at: at };
            Some(Envelope::of(&fact, "", at, &entry.traceparent))
        }
        FirmbankingState::Failed => {
            let reason = entry.failure_reason.clone().unwrap_or_default();
            let fact = FirmbankingFailed { firmbanking_id, reference, amount, reason, failed_at: at };
            Some(Envelope::of(&fact, "", at, &entry.traceparent))
        }
        _ => None,
    });
    requested.into_iter().chain(ended).collect()
}

fn unfinished(item: &Item) -> Result<Option<Later>, Unreadable> {
    Ok(match kind_of(item) {
        BankAccount::KIND => ask_again(&read(item.clone())?),
        Firmbanking::KIND => inquire(&read(item.clone())?),
        FormerMember::KIND => {
            let former: FormerMember = read(item.clone())?;
            former.look_again(on_membership_closed::NAME)
        }
        _ => None,
    })
}

/// The same event again, for the handler to ask the bank.
fn ask_again(account: &BankAccount) -> Option<Later> {
    // The event itself is on its way; the message comes only if that is lost, or after the bank did not answer.
    let state = if account.inquiries == 0 { FirmbankingState::Requested } else { FirmbankingState::Unknown };
    (account.state == BankAccountState::Requested).then(|| Later {
        operation: on_register_bank_account_requested::NAME,
        body: json!(requested(account)),
        delay_seconds: delay_seconds(state, account.inquiries),
        busy_until: account_busy_until(account),
    })
}

/// When the relay's messages for an account have had their time, one after another. A fact cannot say that a later one
/// makes it superfluous, so a scan must not begin a second chain of them.
fn account_busy_until(account: &BankAccount) -> Timestamp {
    let waits = (1..=account.inquiries).map(|inquiries| delay_seconds(FirmbankingState::Unknown, inquiries));
    let waited = waits.fold(0, |sum: i64, wait| sum.saturating_add(i64::from(wait)));
    account.requested_at.plus_seconds(waited.saturating_add(FORGOTTEN_AFTER_SECONDS))
}

fn inquire(entry: &Firmbanking) -> Option<Later> {
    let Firmbanking { bank_account_id, sequence, inquiries, state, .. } = *entry;
    (!entry.is_final()).then(|| Later {
        operation: inquire_firmbanking::NAME,
        body: json!({ "bankAccountId": bank_account_id, "sequence": sequence, "inquiries": inquiries }),
        delay_seconds: delay_seconds(state, inquiries),
        busy_until: entry.requested_at.plus_seconds(FORGOTTEN_AFTER_SECONDS),
    })
}
