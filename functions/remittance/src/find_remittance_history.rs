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
use kernel::{Timestamp, id::kinds};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::borrow::Cow;
use store::{Index, Query, Sort};

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
    let (first, last) = page::places::<kinds::Remittance>(*from, *to, after.as_ref())?;
    let limit = limit.unwrap_or_default().get();

    let list = |index: &&'static Index| Query {
        sort: Sort::Between(first.clone(), last.clone()),
        ..Query::index(index, items::listed_under(member))
    };
    let lists = if first <= last { directions.indexes().iter().map(list).collect() } else { Vec::new() };
    let place_of = |record: &Remittance| {
        page::place(record.completed_at.unwrap_or(record.requested_at), record.remittance_id)
    };
    let (found, next) = page::merged(context, lists, limit, place_of).await?;

    let next_cursor = next.map(|next| page::cursor(&key, &query, &next)).transpose()?;
    let shown = |record: &Remittance| match record.membership_id == member {
        true => RemittanceView::sent(record),
        false => RemittanceView::received(record),
    };
    Ok(Reply::ok(Listing { items: found.iter().map(shown).collect(), next_cursor }))
}
