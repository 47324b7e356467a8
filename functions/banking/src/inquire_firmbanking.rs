//! From its queue, and on a schedule: asks the bank about firmbankings that are not final, until it is certain.
//!
//! The relay sends a message for every firmbanking that it sees and that is not final, later with each inquiry that
//! was in vain: no index is needed on the hot path. The schedule's scan finds those whose message was lost; it
//! sends the same messages, and goes on by a message to this operation's own queue.

use crate::{
    bank,
    domain::Last,
    firmbankings::Teller,
    items::{self, Firmbanking},
    on_membership_closed, on_register_bank_account_requested,
    outbox::OUTBOX,
    vault,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, KeyName, Scan},
    peers::{self, FirmbankingState},
};
use events::{
    Fact,
    banking::{FirmbankingFailed, FirmbankingSucceeded},
};
use kernel::{Timestamp, id::BankAccountId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Item, Record, kind_of};

/// The operation's full name.
pub const NAME: &str = "banking.inquireFirmbanking";

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "inquireFirmbanking",
    summary: "Asks the bank about transfers whose outcome is not certain",
    triggers: &[Trigger::Queue, Trigger::Schedule("rate(15 minutes)")],
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ScanTable,
        Grant::ReadSecret(vault::SECRET),
        Grant::ReadSecret(bank::SECRET),
        Grant::Enqueue(NAME),
        Grant::Enqueue(on_register_bank_account_requested::NAME),
        Grant::Enqueue(on_membership_closed::NAME),
    ],
    emits: &[FirmbankingSucceeded::TYPE, FirmbankingFailed::TYPE],
    timeout_seconds: 30,
    ..handled_by!(inquire_firmbanking)
};

/// What to inquire about: one firmbanking, or all from a place in the table on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Inquiry {
    /// The account of the one firmbanking.
    pub bank_account_id: Option<BankAccountId>,
    /// Its place in the account's chain.
    pub sequence: Option<u64>,
    /// How often the bank had been asked in vain when the message was sent. If it was since, this one is not needed.
    pub inquiries: Option<u32>,
    /// Where the scan before ended.
    pub after: Option<KeyName>,
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Inquired {
    /// The one firmbanking as it is now.
    pub firmbanking: Option<peers::Firmbanking>,
    /// How many messages were sent for records that were forgotten.
    pub queued: u32,
}

async fn inquire_firmbanking(context: &Context, call: Call<Inquiry>) -> Result<Reply<Inquired>, Problem> {
    let Inquiry { bank_account_id, sequence, inquiries, .. } = call.body;
    let (Some(id), Some(sequence)) = (bank_account_id, sequence) else {
        return Ok(Reply::ok(Inquired { firmbanking: None, queued: scan(context, &call).await? }));
    };
    let entry: Firmbanking = items::load(context, &items::entry_key(id, sequence))
        .await?
        .ok_or_else(|| Problem::internal(format!("{id} has no entry {sequence}")))?;
    if outbox::is_overtaken(inquiries, entry.inquiries) {
        return Ok(Reply::ok(Inquired { firmbanking: Some(entry.view()), queued: 0 }));
    }
    let entry = Teller::of(context, &call.trace).await?.advance(entry, Last::Found).await?;
    Ok(Reply::ok(Inquired { firmbanking: Some(entry.view()), queued: 0 }))
}

/// Sends a message for every record that is not final and not young.
async fn scan(context: &Context, call: &Call<Inquiry>) -> Result<u32, Problem> {
    let after = call.body.after.as_ref();
    let Some(mut scan) = Scan::of_sweep(context, NAME, after).await? else { return Ok(0) };
    let mut queued = 0_u32;
    let mut open = Open::default();
    while let Some(items) = scan.page(context).await? {
        items.iter().for_each(|item| open.see(item, call.now));
        queued = queued.saturating_add(outbox::remind(context, call, &OUTBOX, &items).await?);
    }
    scan.go_on(context, NAME, &call.trace).await?;
    open.tell();
    Ok(queued)
}

/// Firmbankings of which nobody knows for certain how they end.
#[derive(Default)]
struct Open {
    count: u32,
    oldest_seconds: i64,
}

impl Open {
    /// What cannot be read is told by the sweep.
    fn see(&mut self, item: &Item, now: Timestamp) {
        if kind_of(item) != Firmbanking::KIND {
            return;
        }
        let entry = store::read(item.clone());
        let Ok(Firmbanking { state: FirmbankingState::Unknown, requested_at, .. }) = entry else { return };
        let seconds = now.seconds().saturating_sub(requested_at.seconds());
        self.oldest_seconds = self.oldest_seconds.max(seconds);
        self.count = self.count.saturating_add(1);
    }

    /// Says so where there are some: a bank that answers costs no metric.
    fn tell(&self) {
        if self.count > 0 {
            let (unknowns, unknown_age) = (self.count, self.oldest_seconds);
            tracing::warn!(
                unknowns,
                unknown_age,
                metrics = "unknowns,unknown_age",
                "the bank owes certainty"
            );
        }
    }
}
