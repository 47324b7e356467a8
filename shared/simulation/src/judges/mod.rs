//! What must be true when a history has come to rest. A judge reads the tables as anybody could and trusts no service.

mod answers;
mod audit;
mod bank;
mod franchises;
mod ledger;
mod model;
mod numbers;
mod outbox;
mod payments;
mod privacy;
mod receivers;
mod records;
mod refusals;
mod regions;
mod remittances;
mod settlement;
mod statements;
mod traces;

use crate::{
    history::Ended,
    people::{Answer, Observation},
};
use contract::peers::ManifestName;
use kernel::{Timestamp, id::FranchiseId};
use money::domain::{Account, Entry, JournalEntry};
use payment::items::CollectedPage;
use serde_json::Value;
use std::collections::BTreeMap;
use store::{AttributeValue, Item, Record, kind_of};

/// How far clocks may be apart, in milliseconds: what is further apart than that comes one after the other for everybody.
const CLOCKS_APART_MS: i64 = 300_000;

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Who says so.
    pub judge: &'static str,
    /// What.
    pub text: String,
}

/// A judge: its name, and what it looks at.
pub struct Judge {
    /// Its name.
    pub name: &'static str,
    look: fn(&Evidence<'_>, &mut Vec<String>),
}

/// Every judge. A new invariant is one line here and its function.
pub const JUDGES: &[Judge] = &[
    Judge { name: "ledger", look: ledger::judge },
    Judge { name: "model", look: model::judge },
    Judge { name: "refusals", look: refusals::judge },
    Judge { name: "records", look: records::judge },
    Judge { name: "payments", look: payments::judge },
    Judge { name: "settlement", look: settlement::judge },
    Judge { name: "franchises", look: franchises::judge },
    Judge { name: "statements", look: statements::judge },
    Judge { name: "bank", look: bank::judge },
    Judge { name: "remittances", look: remittances::judge },
    Judge { name: "receivers", look: receivers::judge },
    Judge { name: "answers", look: answers::judge },
    Judge { name: "outbox", look: outbox::judge },
    Judge { name: "regions", look: regions::judge },
    Judge { name: "traces", look: traces::judge },
    Judge { name: "privacy", look: privacy::judge },
    Judge { name: "audit", look: audit::judge },
];

/// What judges look at: a history's end, its items read once.
pub struct Evidence<'a> {
    /// The end.
    pub ended: &'a Ended,
    /// The ledger: each wallet's entries in order of sequence.
    pub chains: BTreeMap<String, Vec<Entry>>,
    /// Each franchise's journal, likewise.
    pub journals: BTreeMap<String, Vec<JournalEntry>>,
    /// Each manifest of payments: its pages from the first to the last, by franchise and name.
    pub manifests: BTreeMap<(FranchiseId, ManifestName), Vec<CollectedPage>>,
    /// Every other item.
    all: Items,
    /// The items of the read model when it was built anew after all this, if it was.
    rebuilt: Option<Items>,
}

/// Items that are not the ledger's as JSON, by service and kind.
#[derive(Default)]
pub struct Items {
    chains: BTreeMap<String, Vec<Entry>>,
    journals: BTreeMap<String, Vec<JournalEntry>>,
    items: BTreeMap<(&'static str, String), Vec<Value>>,
}

impl<'a> Evidence<'a> {
    /// Reads a history's end.
    pub fn of(ended: &'a Ended) -> Evidence<'a> {
        let mut all = Items::default();
        for (service, items) in &ended.items {
            items.iter().for_each(|item| all.take(service, item));
        }
        let mut chains = std::mem::take(&mut all.chains);
        for chain in chains.values_mut() {
            chain.sort_by_key(|entry| entry.sequence);
        }
        let mut journals = std::mem::take(&mut all.journals);
        for journal in journals.values_mut() {
            journal.sort_by_key(|entry| entry.sequence);
        }
        let rebuilt = ended.rebuilt.as_ref().map(|items| {
            let mut all = Items::default();
            items.iter().for_each(|item| all.take("money-query", item));
            all
        });
        let mut manifests: BTreeMap<_, Vec<CollectedPage>> = BTreeMap::new();
        for page in read::<CollectedPage>(ended, "payment") {
            manifests.entry((page.franchise_id, page.name())).or_default().push(page);
        }
        for pages in manifests.values_mut() {
            pages.sort_by(|one, other| one.begins.cmp(&other.begins));
        }
        Evidence { ended, chains, journals, manifests, all, rebuilt }
    }

    /// The pages of a manifest, if they are one: each begins where the one before ends, up to the last.
    pub fn manifest(&self, franchise: FranchiseId, name: &ManifestName) -> Result<&[CollectedPage], String> {
        let pages = self.manifests.get(&(franchise, name.clone())).map_or(&[][..], Vec::as_slice);
        let is_chain = pages.windows(2).all(|two| two[0].ends.as_ref() == Some(&two[1].begins));
        if is_chain && pages.last().is_some_and(CollectedPage::is_last) {
            Ok(pages)
        } else {
            Err(format!("over {} pages that are no manifest", pages.len()))
        }
    }

    /// The items of a service that are of this kind.
    pub fn items(&self, service: &'static str, kind: &str) -> &[Value] {
        self.all.of(service, kind)
    }

    /// What each franchise is owed, by all the entries that name it.
    pub fn owed(&self) -> BTreeMap<String, i128> {
        let mut owed: BTreeMap<String, i128> = BTreeMap::new();
        let mut count = |debit: Option<Account>, credit: Option<Account>, amount: u64| {
            for (account, effect) in [(debit, -i128::from(amount)), (credit, i128::from(amount))] {
                if let Some(Account::Franchise(franchise)) = account {
                    *owed.entry(franchise.to_string()).or_default() += effect;
                }
            }
        };
        for entry in self.chains.values().flatten() {
            count(entry.debit, entry.credit, entry.amount.amount());
        }
        for entry in self.journals.values().flatten() {
            count(Some(entry.debit), Some(entry.credit), entry.amount.amount());
        }
        owed
    }

    /// Whether somebody may have been refused, without being told of anything that is kept, though this was made under
    /// their key: another attempt made it, at the same time or later.
    fn is_made_by_another(&self, seen: &Observation, made: &Value) -> bool {
        let made_at: Option<Timestamp> = text(made, "requestedAt").parse().ok();
        if made_at.is_none_or(|at| at.millis() + CLOCKS_APART_MS < seen.sent_ms) {
            return false;
        }
        let is_other = |other: &&Observation| {
            !std::ptr::eq(*other, seen)
                && (other.person, &other.ask.path, &other.ask.key)
                    == (seen.person, &seen.ask.path, &seen.ask.key)
        };
        let others: Vec<_> = self.ended.seen.observations.iter().filter(is_other).collect();
        let has_made = |answer: &Answer| answer.is_success() || answer.location.is_some();
        let is_before = |other: &&Observation| {
            let certain = other.answer.as_ref().is_some_and(|answer| answer.is_certain() && has_made(answer));
            certain && other.answered_ms < seen.sent_ms
        };
        let may_have_made = |other: &&Observation| {
            other.answer.as_ref().is_none_or(|answer| !answer.is_certain() || has_made(answer))
        };
        !others.iter().copied().any(|other| is_before(&other))
            && others.iter().copied().any(|other| may_have_made(&other))
    }

    /// The id of one of the people as a member.
    pub fn member(&self, person: usize) -> String {
        self.ended.seen.people[person].membership_id.to_string()
    }
}

impl Items {
    fn take(&mut self, service: &'static str, item: &Item) {
        let kind = kind_of(item).to_owned();
        if service == "money" && kind == Entry::KIND {
            let entry: Entry = store::read(item.clone()).expect("an entry can be read");
            self.chains.entry(entry.wallet_id.to_string()).or_default().push(entry);
            return;
        }
        if service == "money" && kind == JournalEntry::KIND {
            let entry: JournalEntry = store::read(item.clone()).expect("a journal's entry can be read");
            self.journals.entry(entry.franchise_id.to_string()).or_default().push(entry);
            return;
        }
        let json = json_of(item);
        self.items.entry((service, kind)).or_default().push(json);
    }

    /// The items of a service that are of this kind.
    pub fn of(&self, service: &'static str, kind: &str) -> &[Value] {
        self.items.get(&(service, kind.to_owned())).map_or(&[], Vec::as_slice)
    }
}

/// Every record of a kind that a service has, as the service reads it.
fn read<R: Record>(ended: &Ended, service: &str) -> Vec<R> {
    let items = ended.items.get(service).map_or(&[][..], Vec::as_slice);
    let of_kind = items.iter().filter(|item| kind_of(item) == R::KIND);
    of_kind.map(|item| store::read(item.clone()).expect("an item can be read")).collect()
}

/// Whether every saga has ended.
pub fn nothing_is_open(items: &BTreeMap<&'static str, Vec<Item>>) -> bool {
    let mut all = Items::default();
    for (service, items) in items {
        let can_be_open = items.iter().filter(|item| records::can_be_open(kind_of(item)));
        can_be_open.for_each(|item| all.take(service, item));
    }
    records::open(&all).is_empty()
}

/// Everything that is not as it must be.
pub fn judge(ended: &Ended) -> Vec<Finding> {
    look(&Evidence::of(ended))
}

/// Everything that is not as it must be in this evidence.
pub fn look(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for judge in JUDGES {
        let mut texts = Vec::new();
        (judge.look)(evidence, &mut texts);
        findings.extend(texts.into_iter().map(|text| Finding { judge: judge.name, text }));
    }
    findings
}

/// An item as JSON. Bytes, which JSON has none of, are shown by how many they are.
pub fn json_of(item: &Item) -> Value {
    let mut written = item.clone();
    for (name, value) in item.iter() {
        if let AttributeValue::B(bytes) = value {
            written.insert(name.clone(), AttributeValue::S(format!("{} bytes", bytes.len())));
        }
    }
    serde_dynamo::from_item(written).expect("an item has a JSON form")
}

/// The field of an item as a text, or an empty one.
pub fn text<'a>(item: &'a Value, field: &str) -> &'a str {
    item[field].as_str().unwrap_or_default()
}

/// The field of an item as a number, or 0.
pub fn number(item: &Value, field: &str) -> u64 {
    item[field].as_u64().unwrap_or_default()
}
