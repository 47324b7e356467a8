//! Lists: `?limit=1..100&cursor=`, answered with `{items, nextCursor}`.
//!
//! A cursor is the table's own position, signed with the service's key for one query of one caller: it can be
//! neither forged nor used with another query. A list that is merged from several goes on by place: each item has one,
//! which never changes, so that a page goes on right behind the last item of the one before.

use crate::{Context, Problem};
use kernel::{Id, IdKind, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{borrow::Cow, cmp::Reverse};
use store::{AttributeValue, Item, Query, Record, seal::ServiceKey};

/// How many items a page may hold: 1 to 100, 20 if unsaid. A query's values are texts, so a text is read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Limit {
        Limit(20)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Limit, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = text.parse().ok().filter(|limit| plain && (1..=100).contains(limit));
        limit.map(Limit).ok_or_else(|| D::Error::custom("must be a whole number from 1 to 100"))
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 })
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ListingOf{T}")]
pub struct Listing<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// The cursor of a position, for one query: name everything that the query depends on, the caller too.
pub fn cursor(key: &ServiceKey, query: &[&str], position: &Item) -> Result<String, Problem> {
    // An item has no order of its own, a JSON value does: one position has one cursor.
    let value = serde_json::to_value(position).map_err(Problem::internal)?;
    Ok(key.sign(&purpose(query), &value.to_string()))
}

/// The position of a cursor that was made for the same query, or a problem that names the field.
pub fn position(key: &ServiceKey, query: &[&str], cursor: &str) -> Result<Item, Problem> {
    let refused = || Problem::field("/cursor", "is not a cursor of this query");
    let text = key.verify(&purpose(query), cursor).map_err(|_| refused())?;
    serde_json::from_str(&text).map_err(|_| refused())
}

fn purpose(query: &[&str]) -> String {
    store::seal::digest(&[&["cursor"], query].concat())
}

/// A place in a list: by time, and among those of one moment by id. Places are of one length and sort as texts.
pub fn place<K: IdKind>(at: Timestamp, id: Id<K>) -> String {
    format!("{at}#{id}")
}

/// The moment and the id of a place.
pub fn parse_place<K: IdKind>(place: &str) -> Option<(Timestamp, Id<K>)> {
    let (at, id) = place.split_once('#')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

/// The place right before another. None if there cannot be one.
pub fn place_before<K: IdKind>(place: &str) -> Option<String> {
    let (at, id) = parse_place::<K>(place)?;
    match id.bits().checked_sub(1) {
        Some(bits) => Some(self::place(at, Id::<K>::from_random(bits))),
        None => {
            let before = at.millis().checked_sub(1).filter(|millis| *millis >= 0)?;
            Some(self::place(Timestamp::from_millis(before), Id::<K>::from_random(u128::MAX)))
        }
    }
}

/// The first and the last place of a merged list that are still to be shown: all between two moments, if they are said,
/// that are behind where the page before ended. There may be none: then the last is before the first.
pub fn places<K: IdKind>(
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    after: Option<&Item>,
) -> Result<(String, String), Problem> {
    let first = place(from.unwrap_or(Timestamp::EPOCH), Id::<K>::from_random(0));
    let last = match after {
        None => {
            let last = to.map_or(Timestamp::END, |to| Timestamp::from_millis(to.millis().saturating_sub(1)));
            Some(place(last, Id::<K>::from_random(u128::MAX)))
        }
        Some(after) => match after.get(AFTER) {
            Some(AttributeValue::S(place)) => place_before::<K>(place),
            _ => None,
        },
    };
    Ok((first, last.ok_or_else(|| Problem::internal("a cursor of ours has another form"))?))
}

/// A page of several lists, which are asked for their newest: merged by place, and where the next page goes on.
pub async fn merged<R: Record>(
    context: &Context,
    lists: Vec<Query>,
    limit: u32,
    place_of: impl Fn(&R) -> String,
) -> Result<(Vec<R>, Option<Item>), Problem> {
    let (mut found, mut more) = (Vec::new(), false);
    for list in lists {
        let answer = context.table.query(&Query { limit: Some(limit), ..list }).await?;
        more |= answer.next.is_some();
        for item in answer.items {
            let record: R = store::read(item)?;
            found.push((place_of(&record), record));
        }
    }
    found.sort_by(|(one, _), (other, _)| Reverse(one).cmp(&Reverse(other)));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    more |= found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(place, _)| {
        let mut position = Item::default();
        position.insert(AFTER.to_owned(), AttributeValue::S(place.clone()));
        position
    });
    Ok((found.into_iter().map(|(_, record)| record).collect(), next))
}

/// The attribute of a merged list's position: the place of the last item shown.
const AFTER: &str = "after";

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::id::PaymentId;

    #[test]
    fn a_place_sorts_by_time_and_has_one_before_it() {
        let at = events::example_time();
        let place = |at, bits| super::place(at, PaymentId::from_random(bits));
        let before = |place: &str| place_before::<kernel::id::kinds::Payment>(place);
        assert_eq!(before(&place(at, 7)), Some(place(at, 6)));
        assert!(place(at, 6) < place(at, 7) && place(at, u128::MAX) < place(at.plus_seconds(1), 0));
        // One of a moment may have the lowest id of all.
        let earlier = Timestamp::from_millis(at.millis().saturating_sub(1));
        assert_eq!(before(&place(at, 0)), Some(place(earlier, u128::MAX)));
        assert_eq!(before(&place(Timestamp::EPOCH, 0)), None);
        assert_eq!(before("nothing"), None);
        assert_eq!(parse_place(&place(at, 7)), Some((at, PaymentId::from_random(7))));
    }

    #[test]
    fn a_page_goes_on_behind_the_lowest_id_of_a_moment() {
        let at = events::example_time();
        let mut position = Item::default();
        let lowest = place(at, PaymentId::from_random(0));
        position.insert(AFTER.to_owned(), AttributeValue::S(lowest.clone()));
        let (first, last) = places::<kernel::id::kinds::Payment>(None, None, Some(&position)).unwrap();
        assert!(first < last && last < lowest);
        let window = places::<kernel::id::kinds::Payment>(Some(at), Some(at.plus_seconds(1)), None).unwrap();
        let inside = |at| {
            window.0 <= place(at, PaymentId::from_random(9))
                && place(at, PaymentId::from_random(9)) <= window.1
        };
        assert_eq!([-1, 0, 1].map(|seconds| inside(at.plus_seconds(seconds))), [false, true, false]);
    }
}
