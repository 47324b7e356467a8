//! What can go wrong, where, and how often. A new fault is one line of [`FAULTS`] and its effect at its port.

use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Where an operation touches the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Port {
    /// Reads one item consistently.
    Get,
    /// Reads one item eventually consistently.
    GetEventually,
    /// Reads a page consistently.
    Query,
    /// Reads a page eventually consistently: of the table, of an index, or of everything.
    QueryEventually,
    /// Writes one item.
    CommitOne,
    /// Writes several items at once.
    Commit,
    /// Calls another service's operation.
    Invoke,
    /// Publishes on the bus.
    Publish,
    /// Puts a message into a queue.
    Enqueue,
    /// Starts an execution of a state machine.
    Workflow,
    /// Reads the current version of a secret, as a function may have kept it.
    ReadSecret,
    /// Reads any version of a secret, as it is.
    ReadSecretFresh,
    /// Writes a secret or moves its stages.
    WriteSecret,
    /// Asks the bank.
    Bank,
    /// Reads the clock.
    Clock,
    /// Gets a message from its queue.
    Message,
    /// Gets a batch of the table's stream.
    Batch,
    /// Is due by the clock.
    Schedule,
    /// Gets a step from a state machine.
    Step,
    /// Is a child of a state machine's execution.
    Child,
    /// Gets an HTTP request with a token.
    Request,
    /// Gets an HTTP request at a route that everybody may ask.
    PublicRequest,
}

impl Port {
    /// Whether something arrives there, and does not leave.
    pub fn is_arrival(self) -> bool {
        matches!(
            self,
            Port::Message
                | Port::Batch
                | Port::Schedule
                | Port::Step
                | Port::Child
                | Port::Request
                | Port::PublicRequest
        )
    }
}

/// What goes wrong there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// The process dies before the call leaves it.
    DiesBefore,
    /// The process dies when the call was done and before it hears so.
    DiesAfter,
    /// The call is done, and its answer does not come back.
    AnswerLost,
    /// The call is done, its answer is lost, and the SDK makes it again. A transaction is known by its token then.
    Repeated,
    /// The call is refused for being one too many; nothing was done.
    Throttled,
    /// Another transaction holds one of the items; nothing was done.
    Conflict,
    /// The call is done, its answer is lost, and the SDK's own repetition meets another transaction: it looks as if
    /// nothing was done.
    ConflictAfterwards,
    /// What was read is older than what was written.
    Stale,
    /// Some of the newest writes are visible and others, older, are not yet.
    Gapped,
    /// Some of the events are not taken.
    PartlyTaken,
    /// The other side gets it twice.
    ArrivesTwice,
    /// The other side gets it after its sender has given up.
    ArrivesLate,
    /// It is delivered again although it was done.
    Redelivered,
    /// It comes minutes late, behind younger ones.
    Delayed,
    /// With it comes a message that nobody can read.
    Poison,
    /// The function's clock jumps, back or ahead, and stays so.
    ClockJumps,
    /// The access token ends on the way.
    TokenExpires,
    /// Somebody stops the execution in the middle of the step.
    Stopped,
}

use Fault::{
    AnswerLost, ArrivesLate, ArrivesTwice, ClockJumps, Conflict, ConflictAfterwards, Delayed, DiesAfter,
    DiesBefore, Gapped, PartlyTaken, Poison, Redelivered, Repeated, Stale, Stopped, Throttled, TokenExpires,
};

/// Which faults strike at which port, each with its share: of a history's faults at that port, so many parts.
pub const FAULTS: &[(Port, &[(Fault, u64)])] = &[
    (Port::Get, &[(DiesBefore, 1), (Throttled, 2)]),
    (Port::GetEventually, &[(DiesBefore, 1), (Throttled, 1), (Stale, 6)]),
    (Port::Query, &[(DiesBefore, 1), (Throttled, 2)]),
    (Port::QueryEventually, &[(DiesBefore, 1), (Throttled, 1), (Stale, 6), (Gapped, 6)]),
    (
        Port::CommitOne,
        &[
            (DiesBefore, 2),
            (DiesAfter, 3),
            (AnswerLost, 3),
            (Repeated, 2),
            (Throttled, 1),
            (Conflict, 2),
            (ConflictAfterwards, 2),
        ],
    ),
    (
        Port::Commit,
        &[
            (DiesBefore, 2),
            (DiesAfter, 3),
            (AnswerLost, 3),
            (Throttled, 1),
            (Conflict, 2),
            (ConflictAfterwards, 2),
        ],
    ),
    (Port::Invoke, &[(DiesBefore, 1), (DiesAfter, 2), (AnswerLost, 3), (Throttled, 1), (ArrivesTwice, 2)]),
    (Port::Publish, &[(DiesBefore, 1), (DiesAfter, 2), (AnswerLost, 2), (PartlyTaken, 3)]),
    (Port::Enqueue, &[(DiesBefore, 1), (DiesAfter, 1), (AnswerLost, 1), (Throttled, 1), (ArrivesTwice, 1)]),
    (Port::Workflow, &[(DiesBefore, 1), (DiesAfter, 2), (AnswerLost, 2), (Throttled, 1)]),
    (Port::ReadSecret, &[(DiesBefore, 1), (Throttled, 1), (Stale, 1)]),
    (Port::ReadSecretFresh, &[(DiesBefore, 1), (Throttled, 1)]),
    (Port::WriteSecret, &[(DiesBefore, 1), (DiesAfter, 1), (AnswerLost, 1)]),
    (
        Port::Bank,
        &[
            (DiesBefore, 1),
            (DiesAfter, 2),
            (AnswerLost, 3),
            (Throttled, 1),
            (ArrivesTwice, 2),
            (ArrivesLate, 3),
        ],
    ),
    (Port::Clock, &[(ClockJumps, 1)]),
    (Port::Message, &[(Redelivered, 2), (Delayed, 2), (Poison, 1)]),
    (Port::Batch, &[(Redelivered, 1), (Delayed, 1)]),
    (Port::Schedule, &[(DiesBefore, 1), (ArrivesTwice, 1), (Redelivered, 1)]),
    (Port::Step, &[(DiesBefore, 1), (AnswerLost, 2), (ArrivesTwice, 2), (Delayed, 1), (Stopped, 1)]),
    (Port::Child, &[(ArrivesTwice, 1)]),
    (Port::Request, &[(TokenExpires, 1), (AnswerLost, 2), (ArrivesTwice, 2), (Delayed, 1)]),
    (Port::PublicRequest, &[(AnswerLost, 2), (ArrivesTwice, 2), (Delayed, 1)]),
];

impl Fault {
    /// Whether it can strike and change nothing: a stale read of what nobody writes. Then the port says whether it did.
    pub fn may_change_nothing(self) -> bool {
        matches!(self, Stale | Gapped | Repeated | ConflictAfterwards | Redelivered)
    }
}

/// The faults that can strike at a port.
pub fn at(port: Port) -> &'static [(Fault, u64)] {
    FAULTS.iter().find(|(known, _)| *known == port).map_or(&[], |(_, faults)| faults)
}

/// How many calls of one port by one run are told apart; later ones count as the last.
const TOLD_APART: u32 = 3;

/// One call that an operation makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// The operation's service.
    pub service: &'static str,
    /// The operation.
    pub operation: &'static str,
    /// Where it touches the world.
    pub port: Port,
    /// For the how-manieth time in its run.
    pub nth: u32,
}

impl Site {
    /// A call.
    pub fn new(service: &'static str, operation: &'static str, port: Port, nth: u32) -> Site {
        Site { service, operation, port, nth: nth.min(TOLD_APART) }
    }

    /// Whether an operation makes it: a state machine's child is none.
    pub fn is_of_operation(&self) -> bool {
        self.port != Port::Child
    }
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.nth == TOLD_APART { "+" } else { "" };
        write!(formatter, "{}.{} {:?}#{}{more}", self.service, self.operation, self.port, self.nth)
    }
}

/// A call that is made, and what strikes it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Which.
    pub site: Site,
    /// As the how-manieth of its history.
    pub number: u64,
    /// How it is struck.
    pub fault: Option<Fault>,
}

/// What an operation declares: what sets it going, what it reaches, what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// It is set going so: by a method and path, by a fact, or by anything else of which there is one.
    By(&'static str, &'static str),
    /// It reads its table.
    ReadsTable,
    /// It writes its table.
    WritesTable,
    /// It reads all of its table.
    ScansTable,
    /// It reads this secret.
    ReadsSecret(&'static str),
    /// It writes this secret.
    WritesSecret(&'static str),
    /// It publishes.
    Publishes,
    /// It puts messages into this operation's queue.
    Enqueues(&'static str),
    /// It starts this state machine.
    Starts(&'static str),
    /// It calls this operation.
    Calls(&'static str),
}

/// Which (operation × call × fault) cells histories have been through.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Each cell of each call that was made, with the first call where the fault would change something: its number in
    /// that history. None: everywhere it would change nothing.
    cells: BTreeMap<(Site, Fault), Option<u64>>,
    struck: BTreeMap<(Site, Fault), u64>,
    uses: BTreeSet<(&'static str, &'static str, Use)>,
    situations: BTreeMap<&'static str, u64>,
}

impl Coverage {
    /// A call was made.
    pub fn reached(&mut self, call: &Call) {
        for (fault, _) in at(call.site.port) {
            let place = (!fault.may_change_nothing()).then_some(call.number);
            self.cells.entry((call.site, *fault)).or_insert(place);
        }
    }

    /// This fault would change something at this call.
    pub fn matters(&mut self, call: &Call, fault: Fault) {
        self.cells.entry((call.site, fault)).or_default().get_or_insert(call.number);
    }

    /// An operation did what it declares.
    pub fn used(&mut self, service: &'static str, operation: &'static str, what: Use) {
        self.uses.insert((service, operation, what));
    }

    /// What operations did of what they declare.
    pub fn uses(&self) -> &BTreeSet<(&'static str, &'static str, Use)> {
        &self.uses
    }

    /// The cells of the calls that were made, each with the number of the first call where the fault would change
    /// something, if there is one.
    pub fn cells(&self) -> impl Iterator<Item = ((Site, Fault), Option<u64>)> {
        self.cells.iter().map(|(cell, call)| (*cell, *call))
    }

    /// Whether a fault struck at this call.
    pub fn has_struck(&self, cell: (Site, Fault)) -> bool {
        self.struck.contains_key(&cell)
    }

    /// A fault struck at it, and changed something.
    pub fn struck(&mut self, site: Site, fault: Fault) {
        *self.struck.entry((site, fault)).or_default() += 1;
    }

    /// What happened in a history, and how often.
    pub fn happened(&mut self, situation: &'static str, times: u64) {
        *self.situations.entry(situation).or_default() += times;
    }

    /// What happened in the histories, and how often.
    pub fn situations(&self) -> &BTreeMap<&'static str, u64> {
        &self.situations
    }

    /// Takes in another history's.
    pub fn join(&mut self, other: &Coverage) {
        for (cell, call) in &other.cells {
            let known = self.cells.entry(*cell).or_default();
            *known = known.or(*call);
        }
        self.uses.extend(&other.uses);
        for (situation, times) in &other.situations {
            self.happened(situation, *times);
        }
        for (cell, times) in &other.struck {
            *self.struck.entry(*cell).or_default() += times;
        }
    }

    /// How often each fault struck.
    pub fn by_fault(&self) -> BTreeMap<Fault, u64> {
        let mut sums = BTreeMap::new();
        for ((_, fault), times) in &self.struck {
            *sums.entry(*fault).or_default() += times;
        }
        sums
    }

    /// How many faults struck.
    pub fn faults(&self) -> u64 {
        self.struck.values().sum()
    }

    /// How many cells were struck, and of how many.
    pub fn share(&self) -> (usize, usize) {
        (self.struck.len(), self.cells.values().flatten().count())
    }

    /// What operations called or were reached by, however often: which operation, and where.
    pub fn calls(&self) -> BTreeSet<(&'static str, &'static str, Port)> {
        self.cells.keys().map(|(site, _)| (site.service, site.operation, site.port)).collect()
    }

    /// The operations that were reached, by full name.
    pub fn operations(&self) -> BTreeSet<(&'static str, &'static str)> {
        let calls = self.cells.keys().map(|(site, _)| site).filter(|site| site.is_of_operation());
        calls.map(|site| (site.service, site.operation)).collect()
    }
}

/// When faults strike.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Never.
    Never,
    /// At chance.
    AtChance {
        /// At so many of ten thousand calls.
        in_ten_thousand: u64,
        /// Only these kinds, if any are named.
        only: Option<Vec<Fault>>,
    },
    /// As another plan says, and once more.
    Placed {
        /// The other plan.
        plan: Box<Plan>,
        /// At the call with this number, counted over the whole history.
        call: u64,
        /// In this way.
        fault: Fault,
    },
}

impl Plan {
    /// This plan, and this fault at this call.
    pub fn and(self, call: u64, fault: Fault) -> Plan {
        Plan::Placed { plan: self.into(), call, fault }
    }

    /// Whether it strikes by chance.
    pub fn has_chance(&self) -> bool {
        match self {
            Plan::Never => false,
            Plan::AtChance { .. } => true,
            Plan::Placed { plan, .. } => plan.has_chance(),
        }
    }

    /// This plan without chance: what was placed at one call strikes there however late the call comes.
    pub fn without_chance(self) -> Plan {
        match self {
            Plan::AtChance { .. } => Plan::Never,
            Plan::Placed { plan, call, fault } => plan.without_chance().and(call, fault),
            Plan::Never => Plan::Never,
        }
    }
}
