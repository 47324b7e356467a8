//! `GET /v1/remittances?direction=sent,received&from=&to=`: what the caller has sent and received, newest first.
//!
//! Each direction is a partition of an index; both are merged by their places, which sort by the time of completion.
//! A place never changes once it is there, so that paging neither skips nor repeats a remittance.

use crate::{
    KEY,
    answers::RemittanceView,
    items::{self, RECEIVED_NEWEST_FIRST, Remittance, SENT_NEWEST_FIRST},
};
use contract::{
    Access, Call, Context, Grant, Limit, Listing, Method, Operation, Problem, Reply, Scope, Trigger,
    handled_by, page,
};
use kernel::{Id, Timestamp, id::MembershipId};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{borrow::Cow, cmp::Reverse};
use store::{AttributeValue, Index, Item, Query, Sort};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findRemittanceHistory",
    summary: "Lists what the caller has sent and received, newest first",
    triggers: &[Trigger::Route(Method::Get, "/v1/remittances")],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable, Grant::ReadSecret(KEY)],
    ..handled_by!(find_remittance_history)
};

/// Which directions are listed: one of them, or both with a comma between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directions {
    /// What the caller has sent.
    Sent,
    /// What the caller has received.
    Received,
    /// Both.
    Both,
}

impl Directions {
    fn name(self) -> &'static str {
        match self {
            Directions::Sent => "sent",
            Directions::Received => "received",
            Directions::Both => "sent,received",
        }
    }

    /// The indexes to read.
    fn indexes(self) -> Vec<&'static Index> {
        match self {
            Directions::Sent => vec![&SENT_NEWEST_FIRST],
            Directions::Received => vec![&RECEIVED_NEWEST_FIRST],
            Directions::Both => vec![&SENT_NEWEST_FIRST, &RECEIVED_NEWEST_FIRST],
        }
    }
}

impl<'de> Deserialize<'de> for Directions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Directions, D::Error> {
        match Cow::<'de, str>::deserialize(deserializer)?.as_ref() {
            "sent" => Ok(Directions::Sent),
            "received" => Ok(Directions::Received),
            "sent,received" | "received,sent" => Ok(Directions::Both),
            _ => Err(D::Error::custom("must be sent, received, or both with a comma between them")),
        }
    }
}

impl JsonSchema for Directions {
    fn schema_name() -> Cow<'static, str> {
        "RemittanceDirections".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "enum": ["sent", "received", "sent,received", "received,sent"],
            "default": "sent,received"
        })
    }
}

/// Which of the caller's remittances, and which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// Which way; both if unsaid.
    direction: Option<Directions>,
    /// Completed at this time or later.
    from: Option<Timestamp>,
    /// Completed before this time.
    to: Option<Timestamp>,
    /// How many.
    limit: Option<Limit>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// Places from the first to the last, both included.
struct Window {
    first: String,
    last: String,
}

async fn find_remittance_history(
    context: &Context,
    call: Call<Wanted>,
) -> Result<Reply<Listing<RemittanceView>>, Problem> {
    let member = call.caller.member()?;
    let Wanted { direction, from, to, limit, cursor } = &call.body;
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Problem::field("/to", "must be later than from"));
    }
    let directions = direction.unwrap_or(Directions::Both);
    let said = |time: &Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let (caller, from_said, to_said) = (member.to_string(), said(from), said(to));
    let query = [OPERATION.name, &caller, directions.name(), &from_said, &to_said];
    let key = context.service_key(KEY).await?;
    let after = cursor.as_ref().map(|cursor| page::position(&key, &query, cursor)).transpose()?;
    let window = window(*from, *to, after.as_ref())?;
    let limit = limit.unwrap_or_default().get();

    let (found, next) = newest(context, member, directions, &window, limit).await?;

    let next_cursor = next.map(|next| page::cursor(&key, &query, &next)).transpose()?;
    let shown = |record: &Remittance| match record.membership_id == member {
        true => RemittanceView::sent(record),
        false => RemittanceView::received(record),
    };
    Ok(Reply::ok(Listing { items: found.iter().map(shown).collect(), next_cursor }))
}

/// What is asked for, less what the pages before have shown.
fn window(from: Option<Timestamp>, to: Option<Timestamp>, after: Option<&Item>) -> Result<Window, Problem> {
    let first = items::place(from.unwrap_or(Timestamp::EPOCH), Id::from_random(0));
    let last = match after {
        None => {
            let last = to.map_or(Timestamp::END, |to| Timestamp::from_millis(to.millis().saturating_sub(1)));
            items::place(last, Id::from_random(u128::MAX))
        }
        Some(after) => match after.get(NEXT) {
            Some(AttributeValue::S(place)) => items::place_before(place),
            _ => None,
        }
        .ok_or_else(|| Problem::internal("a cursor of ours has another form"))?,
    };
    Ok(Window { first, last })
}

/// A page of the directions asked for: the newest of each, merged by place.
async fn newest(
    context: &Context,
    member: MembershipId,
    directions: Directions,
    window: &Window,
    limit: u32,
) -> Result<(Vec<Remittance>, Option<Item>), Problem> {
    let mut found: Vec<(String, Remittance)> = Vec::new();
    let mut more = false;
    if window.first > window.last {
        return Ok((Vec::new(), None));
    }
    for index in directions.indexes() {
        let query = Query {
            sort: Sort::Between(window.first.clone(), window.last.clone()),
            limit: Some(limit),
            ..Query::index(index, items::listed_under(member))
        };
        let answer = context.table.query(&query).await?;
        more |= answer.next.is_some();
        for item in answer.items {
            let record: Remittance = store::read(item)?;
            let completed_at = record.completed_at.unwrap_or(record.requested_at);
            found.push((items::place(completed_at, record.remittance_id), record));
        }
    }
    found.sort_by(|(one, _), (other, _)| Reverse(one).cmp(&Reverse(other)));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    more |= found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(place, _)| {
        let mut position = Item::default();
        position.insert(NEXT.to_owned(), AttributeValue::S(place.clone()));
        position
    });
    Ok((found.into_iter().map(|(_, record)| record).collect(), next))
}

/// The attribute of a position: the place of the last remittance shown.
const NEXT: &str = "after";
