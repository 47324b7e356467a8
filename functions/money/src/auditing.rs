//! One run of the audit over money's own table.
//!
//! A run reads small pages and looks up so many things and no more, so that it ends before its function's time does,
//! however long a chain is and however many wallets there are: what it has begun and not ended is answered, and the
//! next run goes on with it.

use crate::{
    domain::{
        Account, Entry, JournalEntry, Kind, Link,
        audit::{Walk, WalletWalk},
        journal_audit::JournalWalk,
    },
    items::{MoneyRequest, entry_key, journal_owner},
};
use contract::{
    Context, Problem,
    audit::{self, AuditPage, Audited, Finding},
    outbox::{KeyName, Scan},
    peers::{Direction, MoneyRequestState},
};
use kernel::{
    Timestamp,
    id::{MoneyRequestId, WalletId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Item, Order, Query, Read, Record, Sort, kind_of};

/// How many times one run asks the table, all in all: at 20 milliseconds each, a third of its function's time.
const LOOK_UPS: u32 = 1_000;
/// How many items are read at a time.
const PAGE: u32 = 100;
/// How many pages back to its birth an entry's reference is looked for among earlier ones. An append reads as far back
/// as that, by smaller pages and in less time, so an entry that needs more was not appended by Pay.
const MOST_PAGES_BACK: u32 = 1_000;
/// How old a request may be without being final, in seconds. Banks say within a day what they have done.
const OPEN_SECONDS: i64 = 86_400;
/// How many entries in suspense are named.
const MOST_NAMED: usize = 20;

/// A chain that a run has begun and not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Walking {
    /// A wallet's.
    Wallet(Box<WalletWalk>),
    /// A franchise's journal.
    Journal(Box<JournalWalk>),
}

/// Certain money that no wallet could take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspended {
    /// How many entries went to suspense before the cut.
    pub entries: u64,
    /// The first references among them.
    pub references: Vec<String>,
}

impl Suspended {
    fn see(&mut self, entry: &Entry, cut: Timestamp) {
        if entry.credit != Some(Account::Suspense) || entry.time >= cut {
            return;
        }
        self.entries = self.entries.saturating_add(1);
        if self.references.len() < MOST_NAMED {
            self.references.push(entry.reference.clone());
        }
    }

    /// Adds what another run has seen.
    pub fn take(&mut self, other: Suspended) {
        self.entries = self.entries.saturating_add(other.entries);
        let room = MOST_NAMED.saturating_sub(self.references.len());
        self.references.extend(other.references.into_iter().take(room));
    }
}

/// What one run has shown.
#[derive(Debug, Default)]
pub struct Looked {
    /// What every service's page shows.
    pub audited: Audited,
    /// The chain that it has not ended.
    pub walking: Option<Walking>,
    /// What stands in suspense.
    pub suspended: Suspended,
}

/// Goes on with a chain that was begun, and then with the table, as far as one run goes.
pub async fn look(context: &Context, page: &AuditPage, walking: Option<Walking>) -> Result<Looked, Problem> {
    let mut look = Look { context, cut: page.cut, left: LOOK_UPS, looked: Looked::default() };
    look.looked.audited.after.clone_from(&page.after);
    if let Some(walking) = walking {
        look.walk(walking).await?;
    }
    if look.looked.walking.is_none() {
        look.through_table().await?;
    }
    Ok(look.looked)
}

/// A run at work.
struct Look<'a> {
    context: &'a Context,
    cut: Timestamp,
    left: u32,
    looked: Looked,
}

impl Look<'_> {
    /// Counts a question to the table.
    fn ask(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    fn is_spent(&self) -> bool {
        self.left == 0
    }

    fn find(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.looked.audited.findings.extend(findings);
    }

    /// Looks at item after item. A table's items come partition by partition, so a chain begins where the item before
    /// it is another's.
    async fn through_table(&mut self) -> Result<(), Problem> {
        loop {
            let after = self.looked.audited.after.clone();
            let mut last = after.as_ref().map(|after| after.partition.clone());
            let mut scan = Scan::after(after.as_ref()).consistent().in_pages_of(PAGE, 1);
            self.ask();
            for item in scan.page(self.context).await?.unwrap_or_default() {
                let name = KeyName::of(&item);
                if last.as_ref() != Some(&name.partition) {
                    if self.is_spent() {
                        return Ok(());
                    }
                    self.look_at(&item, &name.partition).await?;
                    last = Some(name.partition.clone());
                }
                self.looked.audited.checked = self.looked.audited.checked.saturating_add(1);
                self.looked.audited.after = Some(name);
                if self.looked.walking.is_some() {
                    return Ok(());
                }
            }
            if scan.rest().is_none() {
                self.looked.audited.after = None;
                return Ok(());
            }
            if self.is_spent() {
                return Ok(());
            }
        }
    }

    /// Looks at the first item of a partition, and at all that belongs to it.
    async fn look_at(&mut self, item: &Item, name: &str) -> Result<(), Problem> {
        let unreadable = |detail| Finding::new("unreadable", name, detail);
        match kind_of(item) {
            Entry::KIND => match name.parse::<WalletId>() {
                Ok(wallet) => self.walk(Walking::Wallet(Box::new(WalletWalk::of(wallet)))).await?,
                Err(_) => self.find([unreadable("it has an entry and is no wallet")]),
            },
            JournalEntry::KIND => match journal_owner(name) {
                Some(franchise) => {
                    self.walk(Walking::Journal(Box::new(JournalWalk::of(name, franchise)))).await?;
                }
                None => self.find([unreadable("it has a journal's entry and is no journal")]),
            },
            MoneyRequest::KIND => match audit::readable::<MoneyRequest>(item) {
                Ok(request) => self.look_at_request(&request).await?,
                Err(finding) => self.find([finding]),
            },
            _ => {}
        }
        Ok(())
    }

    /// Walks on along a chain.
    async fn walk(&mut self, walking: Walking) -> Result<(), Problem> {
        self.looked.walking = match walking {
            Walking::Wallet(walk) => self.along(walk).await?.map(Walking::Wallet),
            Walking::Journal(walk) => self.along(walk).await?.map(Walking::Journal),
        };
        Ok(())
    }

    /// Walks until the chain ends, or what one run may look up does: then the walk is answered.
    async fn along<W: Walk>(&mut self, mut walk: Box<W>) -> Result<Option<Box<W>>, Problem> {
        loop {
            let (name, after) = (walk.trail().name().to_owned(), walk.trail().after().map(str::to_owned));
            let after = after.map(|sort| KeyName { partition: name.clone(), sort }.position());
            self.ask();
            let query = Query { after, limit: Some(PAGE), ..Query::partition(name) };
            let page = self.context.table.query(&query).await?;
            for item in &page.items {
                match audit::readable::<W::Entry>(item) {
                    Ok(entry) => self.take(&mut *walk, &entry).await?,
                    Err(finding) => walk.trail().find(finding),
                }
                walk.trail().looked_at(KeyName::of(item).sort);
                if self.is_spent() {
                    self.find(walk.trail().take_findings());
                    return Ok(Some(walk));
                }
            }
            if page.next.is_none() {
                self.find(walk.trail().take_findings());
                return Ok(None);
            }
        }
    }

    /// Takes one entry, with all that is said of it elsewhere.
    async fn take<W: Walk>(&mut self, walk: &mut W, entry: &W::Entry) -> Result<(), Problem> {
        let is_repeated = match walk.trail().unknown_before(entry) {
            Some(place) => self.is_before(walk, entry, place).await?,
            None => false,
        };
        if let Some(entry) = W::of_wallet(entry) {
            let findings = [self.check_counterpart(entry).await?, self.check_request(entry).await?];
            self.find(findings.into_iter().flatten());
            self.looked.suspended.see(entry, self.cut);
        }
        let sums = &mut self.looked.audited.sums;
        walk.take(entry, is_repeated, self.cut, sums).map_err(Problem::internal)
    }

    /// Whether an entry's reference stands before this place of its chain, as far back as its birth.
    async fn is_before<W: Walk>(
        &mut self,
        walk: &mut W,
        entry: &W::Entry,
        place: u64,
    ) -> Result<bool, Problem> {
        let name = walk.trail().name().to_owned();
        let position = KeyName { partition: name.clone(), sort: format!("{place:012}") }.position();
        let mut query = Query {
            order: Order::Descending,
            limit: Some(PAGE),
            after: Some(position),
            ..Query::partition(name)
        };
        let (birth, reference) = (entry.place().birth, entry.place().reference);
        for _ in 0..MOST_PAGES_BACK {
            self.ask();
            let page = self.context.table.query(&query).await?;
            for item in page.items {
                // One that cannot be read is named when the walk comes to it.
                let Ok(earlier) = store::read::<W::Entry>(item) else { continue };
                if earlier.place().reference == reference {
                    return Ok(true);
                }
                if earlier.place().time < birth {
                    return Ok(false);
                }
            }
            if page.next.is_none() {
                return Ok(false);
            }
            query.after = page.next;
        }
        let detail = "its birth lies further back than any append could have read";
        walk.trail().hold(entry, false, "birth_out_of_reach", detail);
        Ok(false)
    }

    /// A debit in one wallet is a credit in another. Both were written in one commit, so the one is there if the other
    /// is.
    async fn check_counterpart(&mut self, entry: &Entry) -> Result<Option<Finding>, Problem> {
        let own = Some(entry.own_account());
        let (Some(place), true) = (entry.counterpart, entry.debit == own) else { return Ok(None) };
        let Some(Account::Wallet(other)) = entry.credit else { return Ok(None) };
        self.ask();
        let found = self.context.table.get(&entry_key(other, place), Read::Consistent).await?;
        let is_counterpart = |found: Item| {
            store::read::<Entry>(found).is_ok_and(|found| {
                found.reference == entry.reference
                    && found.amount == entry.amount
                    && found.time == entry.time
                    && (found.debit, found.credit) == (entry.debit, entry.credit)
            })
        };
        let subject = format!("{}/{}", entry.wallet_id, entry.sequence);
        let missing =
            || Finding::new("credit_missing", subject, format!("entry {place} of {other} is not its credit"));
        Ok((!found.is_some_and(is_counterpart)).then(missing))
    }

    /// A recharge or withdrawal was asked for by a request that has not failed. The request comes before its first
    /// entry, and fails only when an entry has closed the way to this one.
    async fn check_request(&mut self, entry: &Entry) -> Result<Option<Finding>, Problem> {
        let direction = match entry.purpose {
            Kind::Recharge => Direction::Recharge,
            Kind::Withdrawal => Direction::Withdrawal,
            _ => return Ok(None),
        };
        let saga = entry.reference.split('/').next().unwrap_or_default();
        let missing = || {
            let subject = format!("{}/{}", entry.wallet_id, entry.sequence);
            Some(Finding::new("request_missing", subject, "no request has asked for what it has moved"))
        };
        let Ok(id) = saga.parse::<MoneyRequestId>() else { return Ok(missing()) };
        self.ask();
        let item = self.context.table.get(&MoneyRequest::key_of(id), Read::Consistent).await?;
        let Some(item) = item else { return Ok(missing()) };
        // One that cannot be read is named by its own visit.
        let Ok(request) = store::read::<MoneyRequest>(item) else { return Ok(None) };
        let asked = (request.direction, request.amount, WalletId::of(request.membership_id));
        let detail = if request.state == MoneyRequestState::Failed {
            "it has failed, and its money has moved"
        } else if asked != (direction, entry.amount, entry.wallet_id) {
            "something else has moved than was asked for"
        } else {
            return Ok(None);
        };
        Ok(Some(Finding::new("request_differs", saga, detail)))
    }

    /// A request that has succeeded has its entry, and none stays open for long.
    async fn look_at_request(&mut self, request: &MoneyRequest) -> Result<(), Problem> {
        let broken = |rule, detail| Finding::new(rule, request.money_request_id.to_string(), detail);
        let is_dated = request.is_final() == request.completed_at.is_some();
        let is_reasoned = (request.state == MoneyRequestState::Failed) == request.failure_reason.is_some();
        if !is_dated || !is_reasoned {
            let detail = "it says when it ended if and only if it has, and why if and only if it failed";
            self.find([broken("end_unsaid", detail)]);
        }
        let is_old = request.requested_at.plus_seconds(OPEN_SECONDS) < self.cut;
        if !request.is_final() && is_old {
            self.find([broken("request_overdue", "it is more than a day old, and neither done nor failed")]);
        }
        if let (MoneyRequestState::Succeeded, Some(at)) = (request.state, request.completed_at)
            && !self.is_booked(request, at).await?
        {
            self.find([broken("request_unbooked", "it has succeeded, and its wallet lacks the entry")]);
        }
        Ok(())
    }

    /// Whether the wallet has the entry of this request, which has the time that the request says. Times never go back
    /// in a chain, so it is found by halves.
    async fn is_booked(&mut self, request: &MoneyRequest, at: Timestamp) -> Result<bool, Problem> {
        let wallet = WalletId::of(request.membership_id);
        let reference = match request.direction {
            Direction::Recharge => request.reference("close").id,
            Direction::Withdrawal => request.reference("hold/close").id,
        };
        let newest =
            Query { order: Order::Descending, limit: Some(1), ..Query::partition(wallet.to_string()) };
        let newest = self.entries(&newest).await?;
        // All entries up to the first place are older, and all after the second one are not.
        let (mut older, mut last) = (0, newest.first().map_or(0, |newest| newest.sequence));
        while older < last {
            let middle = older.midpoint(last);
            let next = Query { limit: Some(1), ..between(wallet, middle.saturating_add(1), last) };
            match self.entries(&next).await?.first() {
                Some(entry) if entry.time < at => older = entry.sequence,
                _ => last = middle,
            }
        }
        let mut query = Query { limit: Some(PAGE), ..between(wallet, older.saturating_add(1), u64::MAX) };
        loop {
            self.ask();
            let page = self.context.table.query(&query).await?;
            for item in page.items {
                match store::read::<Entry>(item) {
                    Ok(entry) if entry.time > at => return Ok(false),
                    Ok(entry) if entry.reference == reference => return Ok(entry.time == at),
                    _ => {}
                }
            }
            if page.next.is_none() {
                return Ok(false);
            }
            query.after = page.next;
        }
    }

    /// The readable entries of a page.
    async fn entries(&mut self, query: &Query) -> Result<Vec<Entry>, Problem> {
        self.ask();
        let page = self.context.table.query(query).await?;
        Ok(page.items.into_iter().filter_map(|item| store::read(item).ok()).collect())
    }
}

/// The entries between two places of a wallet's chain, both included.
fn between(wallet: WalletId, first: u64, last: u64) -> Query {
    let last = last.min(999_999_999_999);
    let sort = Sort::Between(entry_key(wallet, first).sort, entry_key(wallet, last).sort);
    Query { sort, ..Query::partition(wallet.to_string()) }
}
