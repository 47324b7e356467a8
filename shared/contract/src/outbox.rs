//! The outbox: a table's stream, relayed to the bus.
//!
//! Nobody publishes without having committed, because what is published is the committed item. The stream keeps 24
//! hours, so it is the fast path and not the record: [`republish`] rebuilds the same facts, under the same ids, from
//! the items themselves. The same batch tells which records are not final, and sends each a delayed message to be
//! advanced: recovery without an index on the hot path.

use crate::{Call, Context, Problem, Reply, Trace, ports::MOST_DELAY_SECONDS, sweeping};
use events::Envelope;
use futures_util::future::try_join_all;
use kernel::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use store::{AttributeValue, Item, Key, Query, Read, Unreadable};

/// How one service's items tell facts.
pub struct Outbox {
    /// The facts that this item states. An older version of the item states some of them already.
    pub facts: fn(&Item) -> Result<Vec<Envelope>, Unreadable>,
    /// What must be done later, if this item is not final.
    pub unfinished: fn(&Item) -> Result<Option<Later>, Unreadable>,
    /// The full name of the service's republish operation, which gets the keys of what could not be read.
    pub republish: &'static str,
}

/// A message to an operation's queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Later {
    /// The operation's full name.
    pub operation: &'static str,
    /// Its input.
    pub body: Value,
    /// How long to wait, in seconds, at most [`MOST_DELAY_SECONDS`].
    pub delay_seconds: u32,
    /// Until when somebody may be at work on it: a sweep for what was forgotten leaves it alone so long.
    pub busy_until: Timestamp,
}

/// How long a record's message waits, in seconds: twice as long with every time that it was tried in vain.
pub fn delay_seconds(first_seconds: u32, attempts: u32) -> u32 {
    first_seconds.saturating_mul(2_u32.saturating_pow(attempts)).min(MOST_DELAY_SECONDS)
}

/// Whether a record's message is not needed: more attempts at the record have failed since it was sent, so that a later
/// message is on its way. Every save of an open record sends one. By this rule a record has one chain of messages,
/// however often it is saved, asked for again or scanned. A message that does not say how many is always needed.
pub fn is_overtaken(attempts_when_sent: Option<u32>, attempts: u32) -> bool {
    attempts_when_sent.is_some_and(|sent| sent < attempts)
}

/// A batch of a table's stream, as serve() hands it over.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StreamBatch {
    /// In the stream's order.
    pub changes: Vec<StreamChange>,
}

/// One change of one item.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StreamChange {
    /// Its number in the stream.
    pub sequence: String,
    /// The item before.
    #[schemars(with = "Option<Value>")]
    pub old: Option<Item>,
    /// The item after.
    #[schemars(with = "Option<Value>")]
    pub new: Option<Item>,
}

/// What a relay answers: the first change that must be delivered again, with all after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Relayed {
    /// How many events were published.
    pub published: usize,
    /// The number of the first change that failed; none if all went well.
    pub failed_sequence: Option<String>,
}

/// Publishes what a batch of changes states, and sends what is not final to be advanced.
pub async fn relay(
    context: &Context,
    call: Call<StreamBatch>,
    outbox: &Outbox,
) -> Result<Reply<Relayed>, Problem> {
    let mut events = Vec::new();
    let mut origins = Vec::new();
    let mut last: BTreeMap<Key, &Item> = BTreeMap::new();
    let mut poison = BTreeSet::new();
    let mut tally = Tally::default();
    for (place, change) in call.body.changes.iter().enumerate() {
        let Some(new) = &change.new else { continue };
        last.insert(key_of(new), new);
        match news(outbox, change.old.as_ref(), new) {
            Ok(facts) => {
                tally.count(outbox, change.old.as_ref(), new, &facts);
                let wanted = facts.into_iter().filter(|fact| is_published(context, fact));
                events.extend(wanted.inspect(|_| origins.push(place)));
            }
            // A record that cannot be read must not hold up those behind it: its key goes to the queue.
            Err(error) => {
                tracing::error!(cause = %error, "a change cannot be relayed and its key is queued");
                poison.insert(key_of(new));
            }
        }
    }
    for key in poison {
        queue_key(context, outbox, &key, &call.trace).await?;
    }
    advance_later(context, outbox, last.values().copied(), &call.trace).await?;
    let failed = publish(context, &events).await?;
    // A batch that is delivered again is counted again: metrics are for people, sums are the audit's.
    tally.tell();
    let failed_sequence = failed
        .first()
        .and_then(|place| origins.get(*place))
        .and_then(|place| call.body.changes.get(*place))
        .map(|change| change.sequence.clone());
    Ok(Reply::ok(Relayed { published: events.len().saturating_sub(failed.len()), failed_sequence }))
}

/// What a batch counts for: every change of every record comes through here, and no request waits for it.
#[derive(Default)]
struct Tally {
    reached: BTreeMap<(String, String), u64>,
    won: BTreeMap<String, Vec<u64>>,
    fees: BTreeMap<String, Vec<u64>>,
}

/// The facts whose amounts are counted: each is a series of its own, so they are few.
pub const COUNTED: &[&str] = &[
    "payment.approved.v1",
    "payment.canceled.v1",
    "money.increased.v1",
    "money.decreased.v1",
    "remittance.completed.v1",
    "settlement.paidOut.v1",
];

/// How many numbers one line may give for one metric.
const MOST_NUMBERS: usize = 100;

impl Tally {
    fn count(&mut self, outbox: &Outbox, old: Option<&Item>, new: &Item, facts: &[Envelope]) {
        for fact in facts.iter().filter(|fact| COUNTED.contains(&fact.kind.as_str())) {
            let amount = |name| fact.data.get(name)?.get("amount")?.as_u64();
            let (won, fee) = (amount("amount"), amount("fee"));
            self.won.entry(fact.kind.clone()).or_default().extend(won);
            self.fees.entry(fact.kind.clone()).or_default().extend(fee);
        }
        let (Some(old), Some(state)) = (old, text_of(new, "state")) else { return };
        let is_open = |item| matches!((outbox.unfinished)(item), Ok(Some(_)));
        if text_of(old, "state") != Some(state) && (is_open(old) || is_open(new)) {
            let place = (store::kind_of(new).to_owned(), state.to_owned());
            let reached = self.reached.entry(place).or_default();
            *reached = reached.saturating_add(1);
        }
    }

    fn tell(&self) {
        for ((record, state), reached) in &self.reached {
            tracing::info!(record, state, reached, metrics = "reached", "records have come to a state");
        }
        for (fact, amounts) in &self.won {
            for some in amounts.chunks(MOST_NUMBERS) {
                tracing::info!(fact, won = numbers(some), metrics = "won", "amounts of facts");
            }
        }
        for (fact, amounts) in &self.fees {
            for some in amounts.chunks(MOST_NUMBERS) {
                tracing::info!(fact, fees = numbers(some), metrics = "fees", "fees of facts");
            }
        }
    }
}

fn numbers(amounts: &[u64]) -> String {
    Value::from(amounts).to_string()
}

/// The facts that the new item states and the old one did not.
fn news(outbox: &Outbox, old: Option<&Item>, new: &Item) -> Result<Vec<Envelope>, Unreadable> {
    let known: BTreeSet<String> = match old {
        Some(old) => (outbox.facts)(old)?.into_iter().map(|fact| fact.id).collect(),
        None => BTreeSet::new(),
    };
    Ok((outbox.facts)(new)?.into_iter().filter(|fact| !known.contains(&fact.id)).collect())
}

async fn advance_later(
    context: &Context,
    outbox: &Outbox,
    items: impl Iterator<Item = &Item>,
    trace: &Trace,
) -> Result<(), Problem> {
    for item in items {
        // Poison was queued above, where it shows.
        let Ok(Some(later)) = (outbox.unfinished)(item) else { continue };
        send(context, &later, item, trace).await?;
    }
    Ok(())
}

/// Sends an item's message, in the item's own trace if it has one.
async fn send(context: &Context, later: &Later, item: &Item, trace: &Trace) -> Result<(), Problem> {
    let trace = trace_of(item).unwrap_or_else(|| trace.clone());
    let sent = context.queues.send(later.operation, &later.body, later.delay_seconds, &trace).await;
    sent.map_err(Problem::unavailable)
}

/// How many messages of a sweep are sent at once.
const SENT_AT_ONCE: usize = 20;

/// Sends the messages of all items that are not final and that nobody is at work on: those whose message from the relay
/// was lost. Each has a message of its own, since some at once would take longer than there is time. One run reads a
/// part of the table, and lets the next one go on by a message to `operation`'s own queue; none begins while one goes
/// on so. Answers how many were sent.
pub async fn sweep<I>(
    context: &Context,
    call: &Call<I>,
    outbox: &Outbox,
    operation: &str,
    after: Option<&KeyName>,
) -> Result<u32, Problem> {
    let Some(mut scan) = Scan::of_sweep(context, operation, after).await? else { return Ok(0) };
    let mut sent = 0_u32;
    while let Some(items) = scan.page(context).await? {
        sent = sent.saturating_add(remind(context, call, outbox, &items).await?);
    }
    scan.go_on(context, operation, &call.trace).await?;
    Ok(sent)
}

/// Sends the messages of those items of a page that are not final and that nobody is at work on.
pub async fn remind<I>(
    context: &Context,
    call: &Call<I>,
    outbox: &Outbox,
    items: &[Item],
) -> Result<u32, Problem> {
    let mut sent = 0_u32;
    for some in items.chunks(SENT_AT_ONCE) {
        let all = try_join_all(some.iter().map(|item| remind_of(context, call, outbox, item))).await?;
        sent = all.into_iter().fold(sent, u32::saturating_add);
    }
    Ok(sent)
}

async fn remind_of<I>(
    context: &Context,
    call: &Call<I>,
    outbox: &Outbox,
    item: &Item,
) -> Result<u32, Problem> {
    match (outbox.unfinished)(item) {
        Ok(Some(later)) if later.busy_until < call.now => {
            let now = Later { delay_seconds: 0, ..later };
            send(context, &now, item, &call.trace).await.map(|()| 1)
        }
        Ok(_) => Ok(0),
        // It must not hold up those behind it; the audit names it.
        Err(error) => {
            tracing::error!(cause = %error, "a record cannot be read and is passed over");
            Ok(0)
        }
    }
}

fn is_published(context: &Context, fact: &Envelope) -> bool {
    context.settings.published.contains(&fact.kind)
}

/// Publishes, and again what was not taken, three times in all; answers the places that were never taken.
async fn publish(context: &Context, events: &[Envelope]) -> Result<Vec<usize>, Problem> {
    let mut waiting: Vec<usize> = (0..events.len()).collect();
    for _ in 0..3 {
        if waiting.is_empty() {
            break;
        }
        let batch: Vec<Envelope> = waiting.iter().filter_map(|place| events.get(*place)).cloned().collect();
        let failed = context.bus.publish(&batch).await.map_err(Problem::unavailable)?;
        waiting = failed.iter().filter_map(|place| waiting.get(*place)).copied().collect();
    }
    Ok(waiting)
}

async fn queue_key(context: &Context, outbox: &Outbox, key: &Key, trace: &Trace) -> Result<(), Problem> {
    let body = json!({ "keys": [{ "partition": key.partition, "sort": key.sort }] });
    context.queues.send(outbox.republish, &body, 0, trace).await.map_err(Problem::unavailable)
}

/// What to publish again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Republish {
    /// Facts from this moment on; from the beginning if unsaid.
    pub from: Option<Timestamp>,
    /// Facts before this moment; to the end if unsaid.
    pub to: Option<Timestamp>,
    /// Only the items with these keys; the whole table if unsaid.
    pub keys: Option<Vec<KeyName>>,
    /// Where the answer before ended.
    pub after: Option<KeyName>,
}

/// An item's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeyName {
    /// `pk`
    pub partition: String,
    /// `sk`
    pub sort: String,
}

impl KeyName {
    /// The key of an item.
    pub fn of(item: &Item) -> KeyName {
        let Key { partition, sort } = key_of(item);
        KeyName { partition, sort }
    }

    /// Where a scan goes on after the item with this key.
    pub fn position(&self) -> Item {
        let mut position = Item::default();
        position.insert("pk".to_owned(), AttributeValue::S(self.partition.clone()));
        position.insert("sk".to_owned(), AttributeValue::S(self.sort.clone()));
        position
    }
}

/// What was published again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Republished {
    /// How many events.
    pub published: usize,
    /// How many items could not be read and were passed over.
    #[serde(default)]
    pub skipped: usize,
    /// Where to go on; none if the end was reached.
    pub after: Option<KeyName>,
}

/// A walk through the whole table. One run reads a few pages, so that it ends before its function's time does; the
/// next run goes on where it ended.
pub struct Scan {
    query: Query,
    pages_left: u32,
    is_first: bool,
}

impl Scan {
    /// How many pages of the table one run reads.
    const PAGES: u32 = 5;

    /// A run that begins after this place, or at the beginning.
    pub fn after(place: Option<&KeyName>) -> Scan {
        let after = place.map(KeyName::position);
        let query = Query { after, ..Query::everything() };
        Scan { query, pages_left: Scan::PAGES, is_first: place.is_none() }
    }

    /// A run of the sweep that this operation makes; none if it would be the first run while another sweep is alive.
    pub async fn of_sweep(
        context: &Context,
        operation: &str,
        place: Option<&KeyName>,
    ) -> Result<Option<Scan>, Problem> {
        let is_another = place.is_none() && sweeping::is_alive(context, operation).await?;
        Ok((!is_another).then(|| Scan::after(place)))
    }

    /// The same walk, seeing every commit that was answered before each page; costs twice.
    pub fn consistent(mut self) -> Scan {
        self.query.read = Read::Consistent;
        self
    }

    /// The same run with so many pages of so many items.
    pub fn in_pages_of(self, items: u32, pages: u32) -> Scan {
        Scan { query: Query { limit: Some(items), ..self.query }, pages_left: pages, ..self }
    }

    /// The next page; none when the table or the run is at its end.
    pub async fn page(&mut self, context: &Context) -> Result<Option<Vec<Item>>, Problem> {
        let Some(pages_left) = self.pages_left.checked_sub(1) else { return Ok(None) };
        let page = context.table.query(&self.query).await?;
        // Behind the table's last page there is no further one.
        self.pages_left = if page.next.is_some() { pages_left } else { 0 };
        self.query.after = page.next;
        Ok(Some(page.items))
    }

    /// Where the next run begins; none if there is nothing left.
    pub fn rest(&self) -> Option<KeyName> {
        self.query.after.as_ref().map(KeyName::of)
    }

    /// Lets the next run begin by a message `{"after": …}` to the operation's own queue, if there is something left,
    /// and notes that the sweep is alive, or has ended.
    pub async fn go_on(self, context: &Context, operation: &str, trace: &Trace) -> Result<(), Problem> {
        match self.rest() {
            Some(after) => {
                let body = json!({ "after": after });
                context.queues.send(operation, &body, 0, trace).await.map_err(Problem::unavailable)?;
                sweeping::goes_on(context, operation, 0).await
            }
            None => {
                if !self.is_first {
                    sweeping::ends(context, operation).await;
                }
                Ok(())
            }
        }
    }
}

/// Rebuilds facts from the stored items and publishes them under their old ids. An item that cannot be read holds up
/// nobody behind it: it is counted, and the audit names it. One that was asked for by its key fails the call, after all
/// others, so that its message waits among the dead letters until it can be read.
pub async fn republish(
    context: &Context,
    call: Call<Republish>,
    outbox: &Outbox,
) -> Result<Reply<Republished>, Problem> {
    let Republish { from, to, keys, after } = call.body;
    let wanted = |event: &Envelope| {
        from.is_none_or(|from| event.time >= from)
            && to.is_none_or(|to| event.time < to)
            && is_published(context, event)
    };
    let mut all = Republished { published: 0, skipped: 0, after: None };
    if let Some(keys) = keys {
        for KeyName { partition, sort } in keys {
            let item = context.table.get(&Key::new(partition, sort), Read::Consistent).await?;
            all.republish(context, outbox, item.as_slice(), wanted).await?;
        }
        if all.skipped > 0 {
            return Err(Problem::internal(format!("{} of these items cannot be read", all.skipped)));
        }
        return Ok(Reply::ok(all));
    }
    let mut scan = Scan::after(after.as_ref());
    while let Some(items) = scan.page(context).await? {
        all.republish(context, outbox, &items, wanted).await?;
    }
    Ok(Reply::ok(Republished { after: scan.rest(), ..all }))
}

impl Republished {
    async fn republish(
        &mut self,
        context: &Context,
        outbox: &Outbox,
        items: &[Item],
        wanted: impl Fn(&Envelope) -> bool,
    ) -> Result<(), Problem> {
        let (facts, skipped) = facts_of(outbox, items);
        let events: Vec<Envelope> = facts.into_iter().filter(wanted).collect();
        if !publish(context, &events).await?.is_empty() {
            return Err(Problem::unavailable("the bus did not take every event"));
        }
        self.published = self.published.saturating_add(events.len());
        self.skipped = self.skipped.saturating_add(skipped);
        Ok(())
    }
}

/// The facts of those items that can be read, and how many cannot.
fn facts_of(outbox: &Outbox, items: &[Item]) -> (Vec<Envelope>, usize) {
    let (mut facts, mut skipped) = (Vec::new(), 0_usize);
    for item in items {
        match (outbox.facts)(item) {
            Ok(stated) => facts.extend(stated),
            Err(error) => {
                tracing::error!(cause = %error, "an item cannot be read, and its facts are left out");
                skipped = skipped.saturating_add(1);
            }
        }
    }
    (facts, skipped)
}

/// Which facts to read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReadFacts {
    /// Where the answer before ended; the beginning if unsaid.
    pub after: Option<KeyName>,
}

/// Some of the facts that a table states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FactsRead {
    /// The facts, in no order.
    pub facts: Vec<Envelope>,
    /// How many items could not be read, so that their facts are missing.
    #[serde(default)]
    pub skipped: usize,
    /// Where to go on; none if the end was reached.
    pub after: Option<KeyName>,
}

/// How many items one reading looks at: their facts fit into the answer of a direct call, and whoever asks can do
/// with them what it does before its own time ends.
const ITEMS_READ: u32 = 100;

/// Rebuilds facts from the stored items, as [`republish`] does, and answers them instead of publishing: for a read
/// model that is built anew. It needs no subscription, and it is a scan: a commit of the last moments may be missing.
/// So are the facts of what cannot be read, which is counted: whoever builds from them must say so.
pub async fn read_facts(
    context: &Context,
    call: Call<ReadFacts>,
    outbox: &Outbox,
) -> Result<Reply<FactsRead>, Problem> {
    let mut scan = Scan::after(call.body.after.as_ref()).in_pages_of(ITEMS_READ, 1);
    let mut read = FactsRead { facts: Vec::new(), skipped: 0, after: None };
    while let Some(items) = scan.page(context).await? {
        let (facts, skipped) = facts_of(outbox, &items);
        read.facts.extend(facts);
        read.skipped = read.skipped.saturating_add(skipped);
    }
    Ok(Reply::ok(FactsRead { after: scan.rest(), ..read }))
}

fn key_of(item: &Item) -> Key {
    let text = |name| text_of(item, name).unwrap_or_default();
    Key::new(text("pk"), text("sk"))
}

fn trace_of(item: &Item) -> Option<Trace> {
    text_of(item, "traceparent").and_then(Trace::parse)
}

fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name) {
        Some(AttributeValue::S(text)) => Some(text),
        _ => None,
    }
}
