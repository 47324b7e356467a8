//! `GET /v1/settlements`: a franchise's settlements, for its owner and the operator; or, without `franchiseId`, those
//! of all franchises in some business days' runs, for the operator.
//!
//! A franchise's list is its chain, which only grows at its newest end, so a page goes on exactly where the one
//! before ended. The days that bound it are the last days of its settlements; those of the runs bound the other list.

use crate::{
    KEY,
    answers::Summary,
    entries,
    items::{Line, SHARDS},
    lines, runs,
    settings::Settings,
};
use contract::{
    Access, Call, Context, FieldError, Grant, Limit, Listing, Method, Operation, Problem, Reply, Scope,
    Trigger, handled_by, page,
    peers::{FIND_FRANCHISE_TERMS, FranchiseQuestion},
    problem,
};
use kernel::{SeoulDay, id::FranchiseId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{AttributeValue, Item, Order, Query, Sort};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findSettlements",
    summary: "Lists a franchise's settlements, or those of some business days",
    triggers: &[Trigger::Route(Method::Get, "/v1/settlements")],
    access: Access::Scopes(&[Scope::Operator, Scope::Merchant]),
    grants: &[Grant::ReadTable, Grant::ReadSecret(KEY)],
    calls: &[FIND_FRANCHISE_TERMS.operation],
    refuses: &[&problem::NOT_FOUND],
    timeout_seconds: 20,
    ..handled_by!(find_settlements)
};

/// The longest window of the list of all franchises, and the usual one, in days.
const MOST_DAYS: i64 = 31;
const USUAL_DAYS: i64 = 7;

/// Whose settlements, when, and which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The franchise. Only an operator may leave it out.
    franchise_id: Option<FranchiseId>,
    /// From this business day on.
    from: Option<SeoulDay>,
    /// To this business day, which is included. The list of all franchises spans at most 31 days; the last seven if
    /// unsaid.
    to: Option<SeoulDay>,
    /// How many.
    #[serde(default)]
    limit: Limit,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// Where a page goes on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "list", rename_all = "camelCase")]
enum Position {
    /// Before this place of the chain.
    Chain { sequence: u64 },
    /// After this franchise of a shard of a day's run, down to a first day.
    #[serde(rename_all = "camelCase")]
    Runs { from: SeoulDay, day: SeoulDay, shard: u8, franchise_id: FranchiseId },
}

/// A page, and where the next one begins.
type Found = (Vec<Summary>, Option<Position>);

async fn find_settlements(context: &Context, call: Call<Wanted>) -> Result<Reply<Listing<Summary>>, Problem> {
    let Wanted { franchise_id, from, to, limit, cursor } = &call.body;
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(Problem::field("/to", "must not be before from"));
    }
    let written = |day: &Option<SeoulDay>| day.as_ref().map(SeoulDay::to_string).unwrap_or_default();
    let whose = franchise_id.map(|id| id.to_string()).unwrap_or_default();
    let query = [OPERATION.name, &call.caller.to_string(), &whose, &written(from), &written(to)];
    let key = context.service_key(KEY).await?;
    let place = cursor.as_deref().map(|cursor| page::position(&key, &query, cursor)).transpose()?;
    let place = place.as_ref().map(position_of).transpose()?;
    let (items, next) = match franchise_id {
        Some(franchise) => {
            let newest = hold_to_owner(context, &call, *franchise).await?;
            of_franchise(context, &call.body, *franchise, (newest, place)).await?
        }
        None if !call.caller.has(Scope::Operator) => return Err(required("/franchiseId")),
        None => {
            let (from, to) = window(context, &call)?;
            of_runs(context, from, to, limit.get(), place).await?
        }
    };
    let next = next.map(|next| item_of(&next)).transpose()?;
    let next_cursor = next.map(|next| page::cursor(&key, &query, &next)).transpose()?;
    Ok(Reply::ok(Listing { items, next_cursor }))
}

fn required(pointer: &str) -> Problem {
    let detail = "is required".to_owned();
    Problem::fields(vec![FieldError { pointer: pointer.to_owned(), code: "required".into(), detail }])
}

/// The attribute that a cursor's position has.
const PLACE: &str = "place";

fn item_of(position: &Position) -> Result<Item, Problem> {
    let text = serde_json::to_string(position).map_err(Problem::internal)?;
    let mut item = Item::default();
    item.insert(PLACE.to_owned(), AttributeValue::S(text));
    Ok(item)
}

fn position_of(item: &Item) -> Result<Position, Problem> {
    let odd = || Problem::internal("a cursor of ours has another form");
    let Some(AttributeValue::S(text)) = item.get(PLACE) else { return Err(odd()) };
    serde_json::from_str(text).map_err(|_| odd())
}

/// Lets the operator and the franchise's owner through; answers the chain's newest line, if there is one.
async fn hold_to_owner(
    context: &Context,
    call: &Call<Wanted>,
    franchise_id: FranchiseId,
) -> Result<Option<Line>, Problem> {
    let newest = lines::newest(context, franchise_id, 1).await?.pop();
    if call.caller.has(Scope::Operator) {
        return Ok(newest);
    }
    let owner = match &newest {
        Some(line) => line.membership_id,
        None => {
            let question = FranchiseQuestion { franchise_id };
            let terms = context.call(&FIND_FRANCHISE_TERMS, call, None, None, &question).await;
            let franchise = terms.map_err(Problem::unavailable)?.franchise;
            franchise.ok_or(&problem::NOT_FOUND)?.membership_id
        }
    };
    call.caller.owns(owner)?;
    Ok(newest)
}

/// The days of the list of all franchises.
fn window(context: &Context, call: &Call<Wanted>) -> Result<(SeoulDay, SeoulDay), Problem> {
    let Wanted { from, to, .. } = &call.body;
    let latest = || Settings::of(context).map(|settings| settings.last_day(call.now));
    let to = match (to, from) {
        (Some(to), _) => to.clone(),
        (None, Some(from)) => latest()?.max(from.clone()),
        (None, None) => latest()?,
    };
    let from = from.clone().unwrap_or_else(|| to.plus_days(USUAL_DAYS.saturating_sub(1).saturating_neg()));
    if to.days_since(&from) >= MOST_DAYS {
        return Err(Problem::field("/from", format!("must be less than {MOST_DAYS} days before to")));
    }
    Ok((from, to))
}

/// A page of a franchise's chain, the newest line first.
async fn of_franchise(
    context: &Context,
    wanted: &Wanted,
    franchise: FranchiseId,
    (newest, place): (Option<Line>, Option<Position>),
) -> Result<Found, Problem> {
    let newest = newest.map_or(0, |line| line.sequence);
    let start = match (place, &wanted.to) {
        (Some(Position::Chain { sequence }), _) => sequence.saturating_sub(1),
        (_, Some(to)) => last_through(context, franchise, newest, to).await?,
        (_, None) => newest,
    };
    let limit = usize::try_from(wanted.limit.get()).unwrap_or(usize::MAX);
    if start == 0 {
        return Ok((Vec::new(), None));
    }
    let sort = |sequence| Line::key_of(franchise, sequence).sort;
    let query = Query {
        sort: Sort::Between(sort(1), sort(start)),
        order: Order::Descending,
        // One more tells whether there is a next page.
        limit: Some(wanted.limit.get().saturating_add(1)),
        ..Query::partition(Line::chain_of(franchise))
    };
    let found = context.table.query(&query).await?;
    let lines: Result<Vec<Line>, _> = found.items.into_iter().map(store::read).collect();
    let mut lines = lines?;
    lines.retain(|line| wanted.from.as_ref().is_none_or(|from| line.through >= *from));
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| more).map(|last| Position::Chain { sequence: last.sequence });
    Ok((lines.iter().map(Summary::from).collect(), next))
}

/// The place of the newest line that ends on this day or before; zero if there is none. Days only grow along a chain,
/// so the half that cannot have it is left out at each look.
async fn last_through(
    context: &Context,
    franchise: FranchiseId,
    newest: u64,
    to: &SeoulDay,
) -> Result<u64, Problem> {
    let (mut low, mut high) = (0_u64, newest);
    while low < high {
        let middle = high.saturating_sub(high.saturating_sub(low).div_euclid(2));
        let line = lines::at(context, franchise, middle).await?;
        if line.is_some_and(|line| line.through <= *to) {
            low = middle;
        } else {
            high = middle.saturating_sub(1);
        }
    }
    Ok(low)
}

/// A page of runs' entries, the newest day first.
async fn of_runs(
    context: &Context,
    from: SeoulDay,
    to: SeoulDay,
    limit: u32,
    place: Option<Position>,
) -> Result<Found, Problem> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (from, mut day, first_shard, mut after) = match place {
        Some(Position::Runs { from, day, shard, franchise_id }) => (from, day, shard, Some(franchise_id)),
        _ => (from, to, 0, None),
    };
    let mut shards = first_shard..SHARDS;
    let mut found = Vec::new();
    while found.len() <= most {
        if runs::find(context, &day).await?.is_some() {
            for shard in shards {
                // One more tells whether there is a next page.
                let page =
                    entries::page(context, &day, shard, after.take(), Some(limit.saturating_add(1))).await?;
                found.extend(page.entries);
                if found.len() > most {
                    break;
                }
            }
        }
        // There is no day before the first of all days: whoever steps back from it stays there.
        if day <= from {
            break;
        }
        shards = 0..SHARDS;
        after = None;
        day = day.plus_days(-1);
    }
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(|last| Position::Runs {
        from,
        day: last.business_day.clone(),
        shard: crate::items::Entry::shard_of(last.franchise_id),
        franchise_id: last.franchise_id,
    });
    Ok((found.iter().map(Summary::from).collect(), next))
}
