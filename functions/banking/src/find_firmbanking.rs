//! `GET /v1/firmbankings` and `/v1/firmbankings/{firmbankingId}`: transfers at the bank (거래내역 조회).
//!
//! A member sees the transfers of one of their own accounts, read from its chain; an operator may see those of all
//! accounts, merged from the index's shards, whose ids sort by time.

use crate::{
    chain::{self, Tip},
    domain::firmbanking_id,
    items::{self, BankAccount, Firmbanking, NEWEST_FIRST, Request},
    vault,
};
use contract::{
    Access, Call, Caller, Context, Grant, Limit, Listing, Method, Operation, Problem, Reference, Reply,
    Scope, Trigger, handled_by, page, peers, problem,
};
use kernel::{
    Timestamp,
    id::{BankAccountId, FirmbankingId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{AttributeValue, Item, Query, Record, Sort, seal::ServiceKey};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findFirmbanking",
    summary: "Shows transfers at the bank, or one of them",
    triggers: &[
        Trigger::Route(Method::Get, "/v1/firmbankings"),
        Trigger::Route(Method::Get, "/v1/firmbankings/{firmbankingId}"),
    ],
    access: Access::Scopes(&[Scope::Member, Scope::Merchant, Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::ReadSecret(vault::SECRET)],
    refuses: &[&problem::NOT_FOUND],
    ..handled_by!(find_firmbanking)
};

/// Which firmbanking, or which page of which window of which account's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The one firmbanking.
    firmbanking_id: Option<FirmbankingId>,
    /// One of the caller's accounts; an operator may leave it out.
    bank_account_id: Option<BankAccountId>,
    /// Asked for at this time or later.
    from: Option<Timestamp>,
    /// Asked for before this time.
    to: Option<Timestamp>,
    /// How many.
    limit: Option<Limit>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// One firmbanking, or a page of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "FirmbankingOrListing")]
pub enum Found {
    /// The one that was asked for.
    One(peers::Firmbanking),
    /// Newest first.
    Page(Listing<peers::Firmbanking>),
}

/// A list to be paged.
struct Page {
    caller: Caller,
    key: ServiceKey,
    query: [String; 5],
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    limit: u32,
    after: Option<Item>,
}

async fn find_firmbanking(context: &Context, call: Call<Wanted>) -> Result<Reply<Found>, Problem> {
    let operator = call.caller.has(Scope::Operator);
    let Wanted { firmbanking_id, bank_account_id, from, to, limit, cursor } = &call.body;
    if let Some(id) = firmbanking_id {
        if bank_account_id.is_some() || from.is_some() || to.is_some() || limit.is_some() || cursor.is_some()
        {
            return Err(Problem::field("/firmbankingId", "is one firmbanking: it has no pages"));
        }
        let entry = by_id(context, *id).await?.ok_or(&problem::NOT_FOUND)?;
        if !operator {
            call.caller.owns(entry.membership_id)?;
        }
        return Ok(Reply::ok(Found::One(entry.view_for(&call.caller))));
    }
    let page = Page::of(context, &call).await?;
    Ok(Reply::ok(Found::Page(match bank_account_id {
        Some(id) => {
            let account: BankAccount =
                items::load(context, &BankAccount::key_of(*id)).await?.ok_or(&problem::NOT_FOUND)?;
            if !operator {
                call.caller.owns(account.membership_id)?;
            }
            of_account(context, &account, page).await?
        }
        None if operator => of_all(context, page).await?,
        None => return Err(Problem::field("/bankAccountId", "must be one of your accounts")),
    })))
}

/// The firmbanking with this id, as of now.
///
/// An id that came from an HTTP request leads over that request to the chain, consistently, so that the Location of
/// an answer can be read at once; the others are found by the index.
pub async fn by_id(context: &Context, id: FirmbankingId) -> Result<Option<Firmbanking>, Problem> {
    let request = Request::key_of(firmbanking_id::hash_of(id));
    if let Some(Request { reference, bank_account_id, birth }) = items::load(context, &request).await? {
        let reference = Reference { id: reference, birth };
        let known = chain::end(context, bank_account_id, &reference).await?.known;
        return Ok(known.filter(|entry| entry.firmbanking_id == id));
    }
    let shard = Firmbanking::listed_under(firmbanking_id::shard_of(id));
    let text = id.to_string();
    let query = Query { sort: Sort::Between(text.clone(), text), ..Query::index(&NEWEST_FIRST, shard) };
    let Some(item) = context.table.query(&query).await?.items.pop() else { return Ok(None) };
    let listed: Firmbanking = store::read(item)?;
    items::load(context, &listed.key()).await
}

impl Page {
    async fn of(context: &Context, call: &Call<Wanted>) -> Result<Page, Problem> {
        let Wanted { bank_account_id, from, to, limit, cursor, .. } = &call.body;
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(Problem::field("/to", "must be later than from"));
        }
        let key = vault::key(context).await?;
        let said = |text: Option<String>| text.unwrap_or_default();
        let query = [
            OPERATION.name.to_owned(),
            call.caller.to_string(),
            said(bank_account_id.map(|id| id.to_string())),
            said(from.map(|time| time.to_string())),
            said(to.map(|time| time.to_string())),
        ];
        let mut page = Page {
            caller: call.caller.clone(),
            key,
            query,
            from: *from,
            to: *to,
            limit: limit.unwrap_or_default().get(),
            after: None,
        };
        page.after = match cursor {
            Some(cursor) => Some(page::position(&page.key, &page.parts(), cursor)?),
            None => None,
        };
        Ok(page)
    }

    fn parts(&self) -> [&str; 5] {
        self.query.each_ref().map(String::as_str)
    }

    fn answer(
        &self,
        entries: &[Firmbanking],
        next: Option<&Item>,
    ) -> Result<Listing<peers::Firmbanking>, Problem> {
        let next_cursor = next.map(|next| page::cursor(&self.key, &self.parts(), next)).transpose()?;
        Ok(Listing { items: entries.iter().map(|entry| entry.view_for(&self.caller)).collect(), next_cursor })
    }
}

/// A page of an account's chain. Its times never go back, so the window's end is found by halving.
async fn of_account(
    context: &Context,
    account: &BankAccount,
    page: Page,
) -> Result<Listing<peers::Firmbanking>, Problem> {
    let id = account.bank_account_id;
    let newest = newest(context, id).await?;
    let up_to = match page.to {
        Some(to) if newest.requested_at >= to => chain::last_before(context, id, newest, to).await?,
        _ => newest.sequence,
    };
    let (mut entries, mut next) = chain::page(context, id, up_to, page.limit, page.after.clone()).await?;
    let within = |entry: &Firmbanking| page.from.is_none_or(|from| entry.requested_at >= from);
    if !entries.iter().all(within) {
        next = None;
    }
    // An order of another member for this account was refused, and is not the owner's business.
    entries.retain(|entry| within(entry) && entry.membership_id == account.membership_id);
    page.answer(&entries, next.as_ref())
}

async fn newest(context: &Context, id: BankAccountId) -> Result<Tip, Problem> {
    // Nothing has this reference, and it was born at the end of time: one read of the chain's end.
    let nothing = Reference { id: String::new(), birth: Timestamp::END };
    Ok(chain::end(context, id, &nothing).await?.tip)
}

/// A page of all firmbankings: the newest of every shard, merged by id.
async fn of_all(context: &Context, page: Page) -> Result<Listing<peers::Firmbanking>, Problem> {
    let first = firmbanking_id::first_at(page.from.unwrap_or(Timestamp::EPOCH));
    let window_end =
        page.to.map_or(firmbanking_id::last(), |to| firmbanking_id::before(firmbanking_id::first_at(to)));
    let last = match &page.after {
        None => window_end,
        Some(after) => match after.get(NEXT) {
            Some(AttributeValue::S(id)) => firmbanking_id::before(id.parse().map_err(Problem::internal)?),
            _ => return Err(Problem::internal("a cursor of ours has another form")),
        },
    };
    let mut found = Vec::new();
    let mut more = false;
    for shard in 0..firmbanking_id::SHARDS {
        let query = Query {
            sort: Sort::Between(first.to_string(), last.to_string()),
            limit: Some(page.limit),
            ..Query::index(&NEWEST_FIRST, Firmbanking::listed_under(shard))
        };
        let answer = context.table.query(&query).await?;
        more |= answer.next.is_some();
        for item in answer.items {
            found.push(store::read::<Firmbanking>(item)?);
        }
    }
    found.sort_by_key(|entry| std::cmp::Reverse(entry.firmbanking_id));
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    more |= found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| {
        let mut position = Item::default();
        position.insert(NEXT.to_owned(), AttributeValue::S(last.firmbanking_id.to_string()));
        position
    });
    page.answer(&found, next.as_ref())
}

/// The attribute of a merged list's position: the id of the last one shown.
const NEXT: &str = "after";
