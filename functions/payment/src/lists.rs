//! Lists of what was paid, newest first, page by page.
//!
//! A payment's place is its approval's time and its id, and never changes once it is listed; so a page goes on from
//! the place where the one before ended, whatever was paid, cancelled or settled meanwhile. A franchise's list is
//! merged from the shards of each business day, the newest day first.

use crate::{
    KEY, answers,
    domain::{Position, position::SHARDS},
    items::{self, FRANCHISES_NEWEST_FIRST, PAYERS_NEWEST_FIRST, Payment},
    settled,
};
use contract::{
    Code, Context, Grant, Listing, Operation, Problem,
    page::{self, parse_place, place},
    peers::FIND_FRANCHISE_TERMS,
    problem,
};
use kernel::{
    SeoulDay, Timestamp,
    id::{FranchiseId, MembershipId, PaymentId, kinds},
};
use store::{AttributeValue, Item, Query, Sort};

/// Whose franchise it is not, is told of none.
static REFUSES: &[&Code] = &[&problem::NOT_FOUND];

/// The declaration of an operation that lists payments: what that needs.
pub const fn lists(operation: Operation) -> Operation {
    Operation {
        grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(KEY)],
        calls: &[FIND_FRANCHISE_TERMS.operation],
        refuses: REFUSES,
        ..operation
    }
}

/// The longest window of a franchise's list, in days.
const MOST_DAYS: i64 = 31;
/// The window of a franchise's list if none is said, in days.
const USUAL_DAYS: i64 = 7;
const DAY_SECONDS: i64 = 86_400;

/// A window of time: from its first moment to before its last.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    /// The window of a payer's list: all if unsaid.
    pub fn of_payer(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Window, Problem> {
        Window::new(from.unwrap_or(Timestamp::EPOCH), to.unwrap_or(Timestamp::END))
    }

    /// The window of a franchise's list: the last days if unsaid.
    pub fn of_franchise(
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Window, Problem> {
        // The clock of who approved may be ahead of this one.
        let to = to.unwrap_or_else(|| from.map_or(now, |from| now.max(from)).plus_seconds(60));
        let window = Window::new(from.unwrap_or_else(|| to.plus_seconds(-USUAL_DAYS * DAY_SECONDS)), to)?;
        if window.to > window.from.plus_seconds(MOST_DAYS * DAY_SECONDS) {
            return Err(Problem::field("/from", format!("must be at most {MOST_DAYS} days before to")));
        }
        Ok(window)
    }

    fn new(from: Timestamp, to: Timestamp) -> Result<Window, Problem> {
        if from < to {
            Ok(Window { from, to })
        } else {
            Err(Problem::field("/to", "must be later than from"))
        }
    }

    /// The first place in it.
    fn first(&self) -> String {
        place(self.from, PaymentId::from_random(0))
    }

    /// The last place in it.
    fn last(&self) -> String {
        let last = if self.to == Timestamp::END { None } else { before_all_of(self.to) };
        last.unwrap_or_else(|| place(self.to, PaymentId::from_random(u128::MAX)))
    }
}

/// The place before all those of a moment.
fn before_all_of(moment: Timestamp) -> Option<String> {
    page::place_before::<kinds::Payment>(&place(moment, PaymentId::from_random(0)))
}

/// What a page is asked for by: it is signed into the cursor, with the caller's name.
pub struct Asked<'a> {
    /// The query: the operation, the caller, and everything that narrows the list.
    pub query: &'a [&'a str],
    /// How many payments.
    pub limit: u32,
    /// The cursor that the page before ended with.
    pub cursor: Option<&'a str>,
}

/// A page of what somebody has paid.
pub async fn of_payer(
    context: &Context,
    payer: MembershipId,
    window: Window,
    asked: &Asked<'_>,
) -> Result<Listing<answers::Payment>, Problem> {
    let key = context.service_key(KEY).await?;
    let after = asked.cursor.map(|cursor| page::position(&key, asked.query, cursor)).transpose()?;
    let query = Query {
        sort: Sort::Between(window.first(), window.last()),
        limit: Some(asked.limit),
        after,
        ..Query::index(&PAYERS_NEWEST_FIRST, items::paid_by(payer))
    };
    let found = context.table.query(&query).await?;
    let next_cursor = found.next.map(|next| page::cursor(&key, asked.query, &next)).transpose()?;
    let items = settled::show_all(context, &read(found.items)?).await?;
    Ok(Listing { items, next_cursor })
}

/// Which of a franchise's payments a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// All that were approved.
    Approved,
    /// Those that are not settled yet.
    NotSettled,
}

/// How many payments a page looks at that leaves settled ones out: it may show fewer than asked for, and still not be
/// the last.
const MOST_LOOKED_AT: usize = 100;

/// A page of what a franchise was paid.
pub async fn of_franchise(
    context: &Context,
    franchise: FranchiseId,
    which: Shown,
    window: Window,
    asked: &Asked<'_>,
) -> Result<Listing<answers::Payment>, Problem> {
    let key = context.service_key(KEY).await?;
    let after = asked.cursor.map(|cursor| page::position(&key, asked.query, cursor)).transpose()?;
    // Where the window begins and the page before ended; a window that was not said moves with the clock.
    let (first, last) = match &after {
        None => (window.first(), Some(window.last())),
        Some(after) => {
            let (first, shown) = (text(after, FIRST)?, text(after, AFTER)?);
            (first.to_owned(), page::place_before::<kinds::Payment>(shown))
        }
    };
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let most = if which == Shown::Approved { limit } else { limit.max(MOST_LOOKED_AT) };
    // One more tells whether there is a next page.
    let mut found = match last.filter(|last| *last >= first) {
        Some(last) => newest(context, franchise, (&first, &last), most.saturating_add(1)).await?,
        None => Vec::new(),
    };
    let more = found.len() > most;
    found.truncate(most);
    let mut shown = settled::show_all(context, &found).await?;
    shown.retain(|payment| which == Shown::Approved || !payment.is_settled());
    // The next page goes on behind the last one shown, or, if all that were looked at are, behind those.
    let end = if shown.len() > limit {
        shown.truncate(limit);
        shown.last().and_then(|last| Some((last.approved_at?, last.payment_id)))
    } else {
        found.last().filter(|_| more).and_then(|last| Some((last.approved_at?, last.payment_id)))
    };
    let next_cursor = end.map(|(at, id)| {
        let mut position = Item::default();
        position.insert(FIRST.to_owned(), AttributeValue::S(first.clone()));
        position.insert(AFTER.to_owned(), AttributeValue::S(place(at, id)));
        page::cursor(&key, asked.query, &position)
    });
    Ok(Listing { items: shown, next_cursor: next_cursor.transpose()? })
}

/// A merged list's position: where its window begins, and the place of the last payment shown.
const FIRST: &str = "first";
const AFTER: &str = "after";

fn text<'a>(position: &'a Item, name: &str) -> Result<&'a str, Problem> {
    match position.get(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(Problem::internal("a cursor of ours has another form")),
    }
}

/// The newest payments between two places, at most so many.
async fn newest(
    context: &Context,
    franchise: FranchiseId,
    (first, last): (&str, &str),
    most: usize,
) -> Result<Vec<Payment>, Problem> {
    let parsed = parse_place::<kinds::Payment>;
    let bounds = parsed(first).zip(parsed(last));
    let ((from, _), (to, _)) = bounds.ok_or_else(|| Problem::internal("a place of ours has another form"))?;
    let (oldest, mut day) = (from.business_day(), to.business_day());
    let mut found: Vec<Payment> = Vec::new();
    loop {
        let left = most.saturating_sub(found.len());
        found.extend(newest_of_day(context, franchise, &day, (first, last), left).await?);
        if found.len() >= most || day <= oldest {
            return Ok(found);
        }
        day = day.business_opens_at().plus_seconds(-1).business_day();
    }
}

async fn newest_of_day(
    context: &Context,
    franchise: FranchiseId,
    day: &SeoulDay,
    (first, last): (&str, &str),
    most: usize,
) -> Result<Vec<Payment>, Problem> {
    let mut found: Vec<Payment> = Vec::new();
    for shard in 0..SHARDS {
        let paid_to = Position::first(day.clone()).in_shard(shard).partition(franchise);
        let query = Query {
            sort: Sort::Between(first.to_owned(), last.to_owned()),
            limit: Some(u32::try_from(most).unwrap_or(u32::MAX)),
            ..Query::index(&FRANCHISES_NEWEST_FIRST, paid_to)
        };
        found.extend(read(context.table.query(&query).await?.items)?);
    }
    found.sort_by_key(|payment| std::cmp::Reverse((payment.approved_at, payment.payment_id)));
    found.truncate(most);
    Ok(found)
}

fn read(items: Vec<Item>) -> Result<Vec<Payment>, Problem> {
    let payments: Result<Vec<Payment>, _> = items.into_iter().map(store::read).collect();
    Ok(payments?)
}
