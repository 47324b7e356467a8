//! Called by Pay's own people, and by its own queue: builds the model anew from the facts that membership's and
//! money's items state, while the old one still answers.
//!
//! It begins a generation, in which live facts are counted from then on, beside the one that answers. Some minutes
//! later it reads the facts page by page and counts them in the new generation by the same code, so that what was
//! counted live is not counted twice; then the new generation answers, and some minutes after that the old one's items
//! are deleted. The waits are what makes it whole: a fact that was counted by somebody who did not yet know of the new
//! generation is old enough to be read, and nobody still writes into a generation that is deleted. Each step goes on
//! by a message, so dying anywhere is a delay; only a beginning that is not answered has to be repeated, and beginning
//! twice is beginning once.

use crate::{
    counting,
    items::{Generations, generation_of, is_zero},
    news,
    settings::Settings,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trace, Trigger, handled_by,
    outbox::{FactsRead, KeyName, ReadFacts, Scan},
    peers::{Peer, READ_MEMBERSHIP_FACTS, READ_MONEY_FACTS},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Condition, Key, Write};

/// Its full name.
pub const NAME: &str = "money-query.rebuildReadModel";

/// How many pages of facts one run counts: it ends long before its function's time does.
const PAGES: u32 = 4;
/// How many items are deleted in one commit.
const DELETED_AT_ONCE: usize = 50;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "rebuildReadModel",
    summary: "Builds the read model anew from the facts, while the old one answers",
    triggers: &[Trigger::Call, Trigger::Queue],
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ScanTable, Grant::Enqueue(NAME)],
    calls: &[READ_MEMBERSHIP_FACTS.operation, READ_MONEY_FACTS.operation],
    timeout_seconds: 60,
    ..handled_by!(rebuild_read_model)
};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "task", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Task {
    /// Begin to build a generation, or go on with the one that is being built.
    Begin {},
    /// Only say which generations there are.
    Look {},
    /// Count the facts of a service in the generation that is being built. Its own queue says so.
    Read {
        /// Which generation.
        generation: u32,
        /// Whose facts.
        source: Source,
        /// Where the run before ended.
        after: Option<KeyName>,
        /// How many items could not be read until then.
        #[serde(default, skip_serializing_if = "is_zero")]
        skipped: u64,
    },
    /// Delete what belongs to generations before the live one. Its own queue says so.
    Clear {
        /// Where the run before ended.
        after: Option<KeyName>,
    },
}

/// Whose facts. Members come first: then it is known where a wallet lies before its money is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Who lives where.
    Membership,
    /// Money.
    Money,
}

/// Which generations there are.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The generation that answers.
    live: u32,
    /// The one that is being built.
    building: Option<u32>,
    /// How many items could not be read when the one that answers was built: their facts are missing in it.
    skipped: u64,
}

impl Source {
    fn peer(self) -> Peer<ReadFacts, FactsRead> {
        match self {
            Source::Membership => READ_MEMBERSHIP_FACTS,
            Source::Money => READ_MONEY_FACTS,
        }
    }

    fn next(self) -> Option<Source> {
        match self {
            Source::Membership => Some(Source::Money),
            Source::Money => None,
        }
    }
}

async fn rebuild_read_model(context: &Context, call: Call<Task>) -> Result<Reply<Standing>, Problem> {
    match call.body.clone() {
        Task::Begin {} => begin(context, &call.trace).await?,
        Task::Look {} => {}
        Task::Read { generation, source, after, skipped } => {
            read(context, &call, generation, (source, after), skipped).await?;
        }
        Task::Clear { after } => clear(context, &call.trace, after).await?,
    }
    let Generations { live, building, skipped, .. } = Generations::load(context).await?;
    Ok(Reply::ok(Standing { live, building, skipped }))
}

/// Makes sure that a generation is being built, and that its facts will be read.
async fn begin(context: &Context, trace: &Trace) -> Result<(), Problem> {
    let generations = Generations::load(context).await?;
    let generation = match generations.building {
        Some(generation) => generation,
        None => {
            let generation =
                generations.live.checked_add(1).ok_or_else(|| Problem::internal("no number is left"))?;
            let begun = Generations { building: Some(generation), ..generations.clone() };
            // Whoever else was first began the same one.
            context.table.commit(&[begun.in_place_of(&generations)?]).await?;
            generation
        }
    };
    let settle_seconds = Settings::of(context)?.settle_seconds;
    let first = Task::Read { generation, source: Source::Membership, after: None, skipped: 0 };
    send(context, &first, settle_seconds, trace).await
}

/// Counts some pages of facts, and lets the next run go on; at the end the generation answers from then on.
async fn read(
    context: &Context,
    call: &Call<Task>,
    generation: u32,
    (source, mut after): (Source, Option<KeyName>),
    mut skipped: u64,
) -> Result<(), Problem> {
    let generations = Generations::load(context).await?;
    if generations.building != Some(generation) {
        // The last run may have died between its commit and its message.
        return clear_later(context, &generations, generation, &call.trace).await;
    }
    for _ in 0..PAGES {
        let page: FactsRead = context
            .call(&source.peer(), call, None, None, &ReadFacts { after })
            .await
            .map_err(Problem::unavailable)?;
        for fact in &page.facts {
            counting::count_in(context, generation, &news::of(fact)?).await?;
        }
        skipped = skipped.saturating_add(u64::try_from(page.skipped).unwrap_or(u64::MAX));
        after = page.after;
        if after.is_none() {
            break;
        }
    }
    let next = match (after, source.next()) {
        (Some(after), _) => Task::Read { generation, source, after: Some(after), skipped },
        (None, Some(source)) => Task::Read { generation, source, after: None, skipped },
        (None, None) => return promote(context, &generations, (generation, skipped), &call.trace).await,
    };
    send(context, &next, 0, &call.trace).await
}

/// Lets the generation answer from now on, and says how much is missing in it: what cannot be read must not keep all
/// else from being right.
async fn promote(
    context: &Context,
    read: &Generations,
    (generation, skipped): (u32, u64),
    trace: &Trace,
) -> Result<(), Problem> {
    let promoted = Generations { live: generation, building: None, skipped, ..read.clone() };
    context.table.commit(&[promoted.in_place_of(read)?]).await?;
    if skipped > 0 {
        tracing::error!(
            detail = format!("{skipped} items"),
            "the read model lacks the facts of what cannot be read"
        );
    }
    clear_later(context, &promoted, generation, trace).await
}

/// Lets the generations before this one be deleted, if it is the live one.
async fn clear_later(
    context: &Context,
    generations: &Generations,
    generation: u32,
    trace: &Trace,
) -> Result<(), Problem> {
    if generations.live != generation {
        return Ok(());
    }
    let settle_seconds = Settings::of(context)?.settle_seconds;
    send(context, &Task::Clear { after: None }, settle_seconds, trace).await
}

/// Deletes some of what no generation needs any more, and lets the next run go on. A number is never used again, so
/// what lies below the live one is dead whatever else goes on.
async fn clear(context: &Context, trace: &Trace, after: Option<KeyName>) -> Result<(), Problem> {
    let live = Generations::load(context).await?.live;
    let mut scan = Scan::after(after.as_ref());
    while let Some(items) = scan.page(context).await? {
        let keys = items.iter().map(KeyName::of);
        let dead = keys.filter(|key| generation_of(&key.partition).is_some_and(|number| number < live));
        let deletes: Vec<Write> = dead
            .map(|KeyName { partition, sort }| Write::Delete(Key::new(partition, sort), Condition::Always))
            .collect();
        for some in deletes.chunks(DELETED_AT_ONCE) {
            context.table.commit(some).await?;
        }
    }
    let Some(after) = scan.rest() else { return Ok(()) };
    send(context, &Task::Clear { after: Some(after) }, 0, trace).await
}

async fn send(context: &Context, task: &Task, delay_seconds: u32, trace: &Trace) -> Result<(), Problem> {
    context.queues.send(NAME, &json!(task), delay_seconds, trace).await.map_err(Problem::unavailable)
}
