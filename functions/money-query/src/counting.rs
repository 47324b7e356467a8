//! Counts what is new about a wallet: load, decide, commit, in each generation of the model.
//!
//! The leg, its wallet and the cells that it changes are one commit, so that a leg that is there was counted, once.
//! Where a fact changes more cells than a commit holds, the wallet keeps the rest and it is written before anything
//! else is counted in that wallet. Whoever comes second decides again, some times; then the queue brings it again.

use crate::{
    domain::{Effect, Leg, OutOfCount, Residence},
    items::{CountedCell, CountedLeg, Generations, Pending, Wallet},
    news::{News, What},
};
use contract::{Context, Problem};
use store::{Condition, Write};

/// How often it is decided again in one run because somebody else changed the wallet or a cell first.
const TRIES: u32 = 8;
/// How many cells one commit changes: it holds a hundred writes, the wallet and the leg among them.
const CELLS: usize = 90;

/// Counts it in every generation.
pub async fn count(context: &Context, news: &[News]) -> Result<(), Problem> {
    if news.is_empty() {
        return Ok(());
    }
    for generation in Generations::load(context).await?.counting() {
        count_in(context, generation, news).await?;
    }
    Ok(())
}

/// Counts it in one generation.
pub async fn count_in(context: &Context, generation: u32, news: &[News]) -> Result<(), Problem> {
    for piece in news {
        count_piece(context, generation, piece).await?;
    }
    Ok(())
}

async fn count_piece(context: &Context, generation: u32, news: &News) -> Result<(), Problem> {
    let mut is_counted = false;
    let mut tries = 0_u32;
    while tries < TRIES {
        match advance(context, generation, news, is_counted).await {
            Ok(Progress::Done) => return Ok(()),
            Ok(Progress::Counted) => is_counted = true,
            // Writing what is left of a long effect is no try: it becomes less each time.
            Ok(Progress::LessLeft) => {}
            Err(Obstacle::Changed) => {
                tries = tries.saturating_add(1);
                // Facts of one region meet in few cells: those who have met wait differently long.
                let [random] = context.random();
                context.clock.pause(u32::from(random)).await;
            }
            Err(Obstacle::Problem(problem)) => return Err(problem),
        }
    }
    Err(Problem::unavailable("a wallet or a region kept changing, or a counter would leave its range"))
}

/// How far one commit came.
enum Progress {
    /// Everything is written.
    Done,
    /// The news is counted, now or before, and some of its effect may still be to be written.
    Counted,
    /// Some of what others had left is written.
    LessLeft,
}

/// What was in the way of a commit.
enum Obstacle {
    /// Something changed after it was read. It shows in a refused commit, or already in what was read: the wallet is
    /// older than its legs or cells, and the sum of both makes no sense.
    Changed,
    /// Anything else.
    Problem(Problem),
}

impl From<OutOfCount> for Obstacle {
    fn from(_: OutOfCount) -> Obstacle {
        Obstacle::Changed
    }
}

impl<E: Into<Problem>> From<E> for Obstacle {
    fn from(error: E) -> Obstacle {
        Obstacle::Problem(error.into())
    }
}

async fn advance(
    context: &Context,
    generation: u32,
    news: &News,
    is_counted: bool,
) -> Result<Progress, Obstacle> {
    let wallet = Wallet::load(context, generation, news.wallet_id).await?;
    let step = match &news.what {
        _ if !wallet.pending.is_empty() => Some(Step::of_rest(&wallet)),
        _ if is_counted => None,
        What::Leg(leg) => Some(Step::of_leg(&wallet, leg)?),
        What::Residence(residence) => of_residence(context, &wallet, residence).await?,
    };
    let Some(step) = step else { return Ok(Progress::Done) };
    match context.table.commit(&step.writes(context, &wallet).await?).await {
        Ok(()) if !step.is_news => Ok(Progress::LessLeft),
        Ok(()) if step.wallet.pending.is_empty() => Ok(Progress::Done),
        Ok(()) => Ok(Progress::Counted),
        // The leg comes last: if it is there, it was counted before, but perhaps not yet to its end.
        Err(error) if step.leg.is_some() && error.found(step.last_write()).is_some() => Ok(Progress::Counted),
        Err(error) if error.is_collision() => Err(Obstacle::Changed),
        Err(error) => Err(error.into()),
    }
}

/// A commit in the making.
struct Step {
    wallet: Wallet,
    changes: Vec<Pending>,
    leg: Option<CountedLeg>,
    /// Whether it counts the news at hand, and not what is left of others.
    is_news: bool,
}

impl Step {
    /// Writes what a long effect has left.
    fn of_rest(wallet: &Wallet) -> Step {
        let all = wallet.pending.clone();
        Step { is_news: false, ..Step::new(wallet.clone(), all, None) }
    }

    fn of_leg(wallet: &Wallet, leg: &Leg) -> Result<Step, OutOfCount> {
        let mut effect = Effect::of_leg(&wallet.timeline, leg)?;
        if wallet.is_new() {
            effect.wallet(wallet.timeline.now(), 1)?;
        }
        let next = Wallet {
            turnover: wallet.turnover.with(leg)?,
            last_leg_at: wallet.last_leg_at.max(Some(leg.time)),
            ..wallet.clone()
        };
        let (generation, wallet_id) = (wallet.generation, wallet.wallet_id);
        let leg = CountedLeg { generation, wallet_id, leg: leg.clone() };
        Ok(Step::new(next, pending(effect), Some(leg)))
    }

    fn of_timeline(wallet: &Wallet, next: Wallet, legs: &[Leg]) -> Result<Step, OutOfCount> {
        let opening = wallet.turnover.without(legs)?;
        let mut effect = Effect::of_timeline(&wallet.timeline, &next.timeline, opening, legs)?;
        if wallet.is_new() {
            effect.wallet(wallet.timeline.now(), 1)?;
        }
        Ok(Step::new(next, pending(effect), None))
    }

    fn new(wallet: Wallet, mut changes: Vec<Pending>, leg: Option<CountedLeg>) -> Step {
        let rest = changes.split_off(changes.len().min(CELLS));
        Step { wallet: Wallet { pending: rest, ..wallet }, changes, leg, is_news: true }
    }

    async fn writes(&self, context: &Context, read: &Wallet) -> Result<Vec<Write>, Obstacle> {
        let mut writes = vec![self.wallet.in_place_of(read)?];
        for Pending { cell, delta } in &self.changes {
            let stored = CountedCell::load(context, read.generation, read.shard(), cell.clone()).await?;
            writes.push(stored.changed(stored.counters.plus(*delta)?)?);
        }
        if let Some(leg) = &self.leg {
            writes.push(Write::put(leg, Condition::Absent)?);
        }
        Ok(writes)
    }

    fn last_write(&self) -> usize {
        self.changes.len().saturating_add(1)
    }
}

async fn of_residence(
    context: &Context,
    wallet: &Wallet,
    residence: &Residence,
) -> Result<Option<Step>, Obstacle> {
    let Some(timeline) = wallet.timeline.with(residence) else { return Ok(None) };
    let legs = match timeline.differs_from(&wallet.timeline) {
        Some(since) => wallet.legs_since(context, since).await?,
        None => Vec::new(),
    };
    let next = Wallet { timeline, ..wallet.clone() };
    Ok(Some(Step::of_timeline(wallet, next, &legs)?))
}

fn pending(effect: Effect) -> Vec<Pending> {
    effect.changes().map(|(cell, delta)| Pending { cell, delta }).collect()
}
