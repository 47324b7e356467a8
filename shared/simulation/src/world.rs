//! The world: everything outside the operations' own code, in memory.
//!
//! It holds each service's table with its lagging replica and its stream, the secrets, what the bus took, what was
//! given up, and the record of what happened. Operations reach it through the ports of a [`crate::run::Run`].

use crate::{
    agenda::Agenda,
    faults::{Call, Coverage, Fault, Plan, Site, Use},
    random::Dice,
};
use contract::{
    Operation, Service,
    outbox::StreamChange,
    ports::{SecretText, Stage},
};
use events::Envelope;
use futures_util::FutureExt as _;
use membership::domain::signing_keys::JsonWebKey;
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use store::{
    CommitError, Item, Key, Write,
    twin::{Change, Twin},
};

/// The services of the simulation. docs/adding-an-operation.md lists where else a new service is named.
pub static SERVICES: &[&Service] = &[
    &membership::SERVICE,
    &banking::SERVICE,
    &money::SERVICE,
    &money_query::SERVICE,
    &franchise::SERVICE,
    &remittance::SERVICE,
    &payment::SERVICE,
    &settlement::SERVICE,
    &bank_simulator::SERVICE,
];

/// How many shards a table's stream has.
const SHARDS: usize = 2;
/// How long a replica may lag, in milliseconds: longer than it ever does, since nobody promises that it will not.
const MOST_LAG_MS: i64 = 60_000;

/// Where tokens come from.
pub const ISSUER: &str = "https://pay.example";
/// Whom they are for.
pub const AUDIENCE: &str = "pay";
/// Where the bank is.
pub const BANK: &str = "https://bank.example";
/// The bank's secret: Pay's key there, and the number of Pay's own account.
pub const BANK_SECRET: &str = r#"{"apiKey":"open sesame","corporateAccount":"99900011122"}"#;

/// The world of one history.
pub struct World {
    /// The seed that everything comes from.
    pub seed: u64,
    /// Tasks and time.
    pub agenda: Arc<Agenda>,
    state: Mutex<State>,
}

/// What the world holds.
#[derive(Default)]
pub struct State {
    /// When faults strike.
    pub plan: Option<Plan>,
    /// Whether functions' clocks differ.
    pub skewed: bool,
    /// Whether a deployment is at work: functions of two versions run side by side.
    pub are_versions_mixed: bool,
    /// Calls made so far, over all operations.
    pub calls: u64,
    /// How often each operation has run.
    pub runs: BTreeMap<&'static str, u64>,
    /// The services' own settings.
    pub config: BTreeMap<&'static str, Value>,
    /// The tables.
    pub tables: BTreeMap<&'static str, Arc<ServiceTable>>,
    /// Secrets: what each version says, and what `Current` said before and until when.
    pub secrets: BTreeMap<(String, Stage), (String, SecretText)>,
    /// What a secret's current version was before, and since when it no longer is.
    pub outdated: BTreeMap<String, (SecretText, i64)>,
    /// Whether a secret is being rotated: Secrets Manager begins no other rotation of it meanwhile.
    pub is_rotating: bool,
    /// What happened beside the faults that no table remembers, and how often.
    pub happened: BTreeMap<&'static str, u64>,
    /// The keys that the gateway verifies tokens with, and until when it keeps them.
    pub gateway_keys: Option<(Vec<JsonWebKey>, i64)>,
    /// How often the gateway refused a token that a key in use had signed.
    pub refused_tokens: u64,
    /// What the bus took.
    pub published: Vec<Envelope>,
    /// Bodies of queues' messages.
    pub messages: Vec<String>,
    /// What queues, schedules and streams gave up.
    pub dead: Vec<DeadLetter>,
    /// Executions of state machines.
    pub executions: BTreeMap<crate::workflows::Name, crate::workflows::Started>,
    /// Operations × calls × faults.
    pub coverage: Coverage,
    /// What happened, for people; none if nobody listens.
    pub story: Option<Vec<Line>>,
    /// Whether every call is to be listed, while nothing is to strike.
    pub is_listing: bool,
    /// Every call with every fault that would change something there, if they are listed.
    pub places: Vec<(Call, Fault)>,
}

/// A line of a history's story.
#[derive(Clone, Debug)]
pub struct Line {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    pub text: String,
}

/// What a queue, a schedule or a stream gave up and a person can give another chance: not what nobody could ever read.
#[derive(Clone, Debug)]
pub enum DeadLetter {
    /// A message.
    Message {
        /// For which service.
        service: &'static str,
        /// For which operation.
        operation: &'static str,
        /// What it says.
        body: Value,
    },
    /// A run that was due by the clock.
    Run {
        /// Of which service.
        service: &'static str,
        /// Of which operation.
        operation: &'static str,
    },
    /// Changes of a table: pointers only, the changes themselves are gone.
    Changes {
        /// Whose table.
        service: &'static str,
    },
}

/// A service's table with what surrounds it.
#[derive(Default)]
pub struct ServiceTable {
    name: &'static str,
    /// The table.
    pub twin: Twin,
    lagging: Twin,
    pending: Mutex<VecDeque<(i64, Change)>>,
    stream: Mutex<Stream>,
}

#[derive(Default)]
struct Stream {
    shard_of: BTreeMap<String, usize>,
    written: u64,
    shards: [Shard; SHARDS],
}

#[derive(Default)]
struct Shard {
    changes: VecDeque<StreamChange>,
    is_read: bool,
}

/// Locks. Nobody leaves a lock in disorder: a panic ends the history.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// An empty world.
    pub fn new(seed: u64, now_ms: i64) -> Arc<World> {
        let mut state = State::default();
        for service in SERVICES {
            state.tables.insert(service.name, Arc::new(ServiceTable::of(service)));
        }
        for name in SERVICES.iter().map(|service| format!("{}-key", service.name)) {
            let text = SecretText(format!("secret of {name}"));
            state.secrets.insert((name, Stage::Current), ("initial".to_owned(), text));
        }
        let bank = ("initial".to_owned(), SecretText(BANK_SECRET.to_owned()));
        state.secrets.insert(("bank".to_owned(), Stage::Current), bank);
        Arc::new(World { seed, agenda: Agenda::new(now_ms), state: Mutex::new(state) })
    }

    /// What it holds.
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A service's table.
    pub fn table(&self, service: &str) -> Arc<ServiceTable> {
        self.state().tables[service].clone()
    }

    /// Adds a line to the story, if somebody listens.
    pub fn tell(&self, text: impl FnOnce() -> String) {
        self.tell_some(|| Some(text()));
    }

    /// Adds a line to the story, if somebody listens and there is one.
    pub fn tell_some(&self, text: impl FnOnce() -> Option<String>) {
        let at_ms = self.agenda.now_ms();
        if self.state().story.is_none() {
            return;
        }
        let line = text().map(|text| Line { at_ms, text });
        self.state().story.iter_mut().for_each(|story| story.extend(line.clone()));
    }

    /// Makes a call, and decides whether a fault strikes it.
    pub fn strike(&self, site: Site, dice: &mut Dice) -> Call {
        let mut guard = self.state();
        let state = &mut *guard;
        state.calls += 1;
        let mut call = Call { site, number: state.calls, fault: None };
        let Some(plan) = state.plan.as_ref() else { return call };
        let known = crate::faults::at(site.port);
        state.coverage.reached(&call);
        if state.is_listing {
            let certain = known.iter().filter(|(fault, _)| !fault.may_change_nothing());
            state.places.extend(certain.map(|(fault, _)| (call, *fault)));
        }
        call.fault = struck_by(plan, call.number, known, dice);
        drop(guard);
        if let Some(fault) = call.fault.filter(|fault| !fault.may_change_nothing()) {
            self.struck(&call, fault);
        }
        call
    }

    /// This fault would change something at this call: if it strikes there, it does so.
    pub fn matters(&self, call: &Call, fault: Fault) {
        {
            let mut state = self.state();
            if state.plan.is_none() {
                return;
            }
            state.coverage.matters(call, fault);
            if state.is_listing {
                state.places.push((*call, fault));
            }
        }
        if call.fault == Some(fault) {
            self.struck(call, fault);
        }
    }

    fn struck(&self, call: &Call, fault: Fault) {
        self.state().coverage.struck(call.site, fault);
        self.tell(|| format!("    ⚡ {}: {}", call.site, crate::story::of_fault(fault)));
    }

    /// Something happens that the mix counts.
    pub fn happened(&self, situation: &'static str) {
        *self.state().happened.entry(situation).or_default() += 1;
    }

    /// An operation does what it declares.
    pub fn used(&self, service: &Service, operation: &Operation, what: Use) {
        let mut state = self.state();
        // What is done for the judges' sake is no part of the history.
        if state.plan.is_some() {
            state.coverage.used(service.name, operation.name, what);
        }
    }
}

/// Whether a plan lets a fault strike at the call with this number, where these faults are known.
fn struck_by(plan: &Plan, number: u64, known: &[(Fault, u64)], dice: &mut Dice) -> Option<Fault> {
    match plan {
        Plan::Never => None,
        Plan::AtChance { in_ten_thousand, only } => {
            if dice.chance(*in_ten_thousand) {
                pick(known, only.as_deref(), dice)
            } else {
                None
            }
        }
        Plan::Placed { plan, call, fault } => {
            // It draws here too: the call takes its time as it does without the placed fault.
            let otherwise = struck_by(plan, number, known, dice);
            let is_here = *call == number && known.iter().any(|(known, _)| known == fault);
            if is_here { Some(*fault) } else { otherwise }
        }
    }
}

fn pick(known: &[(Fault, u64)], only: Option<&[Fault]>, dice: &mut Dice) -> Option<Fault> {
    let all: u64 = known.iter().map(|(_, share)| share).sum();
    let mut left = dice.below(all.max(1));
    for (fault, share) in known {
        if left < *share {
            return only.is_none_or(|only| only.contains(fault)).then_some(*fault);
        }
        left -= share;
    }
    None
}

/// The operation of this full name.
pub fn find(full_name: &str) -> Option<(&'static Service, &'static Operation)> {
    let (service, operation) = full_name.split_once('.')?;
    let service = SERVICES.iter().find(|known| known.name == service)?;
    Some((service, service.operation(operation)?))
}

impl ServiceTable {
    /// A service's empty table, with its indexes.
    fn of(service: &Service) -> ServiceTable {
        ServiceTable { name: service.name, twin: Twin::indexed(service.indexes), ..ServiceTable::default() }
    }

    /// Moves what was committed since into the stream and the replica's backlog; answers the shards to be read.
    pub fn take_changes(&self, now_ms: i64) -> Vec<usize> {
        let mut to_read = Vec::new();
        let mut stream = lock(&self.stream);
        for change in self.twin.take_changes() {
            if let Some(item) = &change.new {
                crate::forms::seen(self.name, item);
            }
            lock(&self.pending).push_back((now_ms, change.clone()));
            let known = stream.shard_of.len();
            // By turn, not by hash: a partition's name may hold a key's id, which no seed decides.
            let shard = *stream.shard_of.entry(change.key.partition.clone()).or_insert(known % SHARDS);
            stream.written += 1;
            let sequence = stream.written.to_string();
            let shard_state = &mut stream.shards[shard];
            shard_state.changes.push_back(StreamChange { sequence, old: change.old, new: change.new });
            if !std::mem::replace(&mut shard_state.is_read, true) {
                to_read.push(shard);
            }
        }
        to_read
    }

    /// The next changes of a shard, at most so many; none ends its reading.
    pub fn peek(&self, shard: usize, most: usize) -> Vec<StreamChange> {
        let mut stream = lock(&self.stream);
        let shard = &mut stream.shards[shard];
        shard.is_read = !shard.changes.is_empty();
        shard.changes.iter().take(most).cloned().collect()
    }

    /// Forgets the changes of a shard that come before this sequence, or so many if none is said.
    pub fn forget(&self, shard: usize, read: usize, until: Option<&str>) {
        let mut stream = lock(&self.stream);
        let changes = &mut stream.shards[shard].changes;
        for _ in 0..read {
            if changes.front().is_some_and(|change| Some(change.sequence.as_str()) != until) {
                changes.pop_front();
            } else {
                break;
            }
        }
    }

    /// The replica when it lags as far as it may; none if it lags nowhere.
    pub fn oldest(&self, now_ms: i64) -> Option<&Twin> {
        let mut pending = lock(&self.pending);
        while let Some((_, change)) = pending.pop_front_if(|(at_ms, _)| *at_ms + MOST_LAG_MS < now_ms) {
            apply(&self.lagging, change);
        }
        (!pending.is_empty()).then_some(&self.lagging)
    }

    /// The table as a lagging reader sees it: without some of the newest changes; with gaps, any of them, though
    /// each item still changes in order.
    pub fn lagging(&self, gapped: bool, dice: &mut Dice) -> &Twin {
        let mut left = VecDeque::new();
        let mut held: Vec<Key> = Vec::new();
        let pending = std::mem::take(&mut *lock(&self.pending));
        for (at_ms, change) in pending {
            let is_behind = if gapped { held.contains(&change.key) } else { !held.is_empty() };
            if is_behind || dice.chance(5_000) {
                held.push(change.key.clone());
                left.push_back((at_ms, change));
            } else {
                apply(&self.lagging, change);
            }
        }
        *lock(&self.pending) = left;
        &self.lagging
    }

    /// Puts these items into table and replica as they are, without a stream.
    pub fn restore(&self, items: &[Item]) {
        for item in items {
            for twin in [&self.twin, &self.lagging] {
                commit(twin, &[Write::Put(item.clone(), store::Condition::Always)])
                    .expect("it was stored before");
                twin.take_changes();
            }
        }
    }
}

fn apply(twin: &Twin, change: Change) {
    let write = match change.new {
        Some(item) => Write::Put(item, store::Condition::Always),
        None => Write::Delete(change.key, store::Condition::Always),
    };
    commit(twin, &[write]).expect("an unconditional write of a stored item");
    twin.take_changes();
}

/// Writes to a table in memory.
pub fn commit(twin: &Twin, writes: &[Write]) -> Result<(), CommitError> {
    at_once(store::Table::commit(twin, writes))
}

/// What a table in memory answers: it never waits.
pub fn at_once<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("the twin never waits")
}
