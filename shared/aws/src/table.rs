//! The Table port on DynamoDB.
//!
//! One write is a conditional `PutItem` or `DeleteItem`; several, or a check, are one `TransactWriteItems`. Either
//! way a refusal brings the item that stood in the way, so that a collision needs no second read. The SDK repeats a
//! call whose answer was lost: a transaction repeats under one token and is done once, and a single write that had
//! gone through meets its own item and is refused with it, as if another executor of the same step had been first.

#![allow(clippy::disallowed_types, reason = "the SDK's own maps")]

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, transact_write_items::TransactWriteItemsError,
    },
    types::{
        AttributeValue as Attribute, CancellationReason, ConditionCheck, Delete, Put,
        ReturnValuesOnConditionCheckFailure::AllOld, TransactWriteItem,
    },
};
use aws_types::SdkConfig;
use std::collections::HashMap;
use store::{
    AttributeValue, CommitError, Condition, Item, Key, Order, Page, Query, Read, Refused, Scope, Sort, Table,
    Unavailable, Write,
};

/// DynamoDB's limit on the writes of one transaction.
const MOST_WRITES: usize = 100;

/// One service's table in DynamoDB.
pub struct DynamoDb {
    client: Client,
    table: String,
}

impl DynamoDb {
    /// The table of this name. Nothing is connected before the first call, but the client is made at once: nearly
    /// every function needs its table, and while it starts nobody waits for it.
    pub fn new(config: SdkConfig, table: &str) -> DynamoDb {
        DynamoDb { client: Client::new(&config), table: table.to_owned() }
    }

    async fn put(&self, item: &Item, condition: &Condition) -> Result<(), CommitError> {
        let Guard { text, names, values } = guard(condition);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(attributes(item)))
            .set_condition_expression(text)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(AllOld);
        put.send().await.map(drop).map_err(|error| match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => refused(failed.item.as_ref()),
            Some(PutItemError::TransactionConflictException(_)) => CommitError::Contended,
            _ => unavailable(&error).into(),
        })
    }

    async fn delete(&self, key: &Key, condition: &Condition) -> Result<(), CommitError> {
        let Guard { text, names, values } = guard(condition);
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key_attributes(key)))
            .set_condition_expression(text)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(AllOld);
        delete.send().await.map(drop).map_err(|error| match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(failed)) => refused(failed.item.as_ref()),
            Some(DeleteItemError::TransactionConflictException(_)) => CommitError::Contended,
            _ => unavailable(&error).into(),
        })
    }

    /// The SDK gives every transaction a token of its own, and keeps it when it repeats the call. So a transaction that
    /// is said to be in progress is this one: it is not known how it ends.
    async fn transact(&self, writes: &[Write]) -> Result<(), CommitError> {
        let mut transaction = self.client.transact_write_items();
        for write in writes {
            transaction = transaction.transact_items(self.transacted(write)?);
        }
        transaction.send().await.map(drop).map_err(|error| match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                cancellation(cancelled.cancellation_reasons())
            }
            _ => unavailable(&error).into(),
        })
    }

    fn transacted(&self, write: &Write) -> Result<TransactWriteItem, CommitError> {
        let one = TransactWriteItem::builder();
        let built = match write {
            Write::Put(item, condition) => {
                let Guard { text, names, values } = guard(condition);
                let put = Put::builder()
                    .table_name(&self.table)
                    .set_item(Some(attributes(item)))
                    .set_condition_expression(text)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .return_values_on_condition_check_failure(AllOld);
                put.build().map(|put| one.put(put))
            }
            Write::Delete(key, condition) => {
                let Guard { text, names, values } = guard(condition);
                let delete = Delete::builder()
                    .table_name(&self.table)
                    .set_key(Some(key_attributes(key)))
                    .set_condition_expression(text)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .return_values_on_condition_check_failure(AllOld);
                delete.build().map(|delete| one.delete(delete))
            }
            Write::Check(key, condition) => {
                let Guard { text, names, values } = checked(condition);
                let check = ConditionCheck::builder()
                    .table_name(&self.table)
                    .set_key(Some(key_attributes(key)))
                    .set_condition_expression(text)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .return_values_on_condition_check_failure(AllOld);
                check.build().map(|check| one.condition_check(check))
            }
        };
        Ok(built.map_err(|error| Unavailable(error.to_string()))?.build())
    }

    async fn select(&self, query: &Query, selection: Selection) -> Result<Page, Unavailable> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .set_index_name(selection.index.map(str::to_owned))
            .set_key_condition_expression(selection.guard.text)
            .set_expression_attribute_names(selection.guard.names)
            .set_expression_attribute_values(selection.guard.values)
            .scan_index_forward(query.order == Order::Ascending)
            .set_limit(limit(query))
            .set_exclusive_start_key(query.after.as_ref().map(attributes))
            .consistent_read(selection.index.is_none() && query.read == Read::Consistent)
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(page(answer.items, answer.last_evaluated_key))
    }

    async fn scan(&self, query: &Query) -> Result<Page, Unavailable> {
        let answer = self
            .client
            .scan()
            .table_name(&self.table)
            .set_limit(limit(query))
            .set_exclusive_start_key(query.after.as_ref().map(attributes))
            .consistent_read(query.read == Read::Consistent)
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(page(answer.items, answer.last_evaluated_key))
    }
}

#[async_trait]
impl Table for DynamoDb {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key_attributes(key)))
            .consistent_read(read == Read::Consistent)
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(answer.item.map(Item::from))
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        match Selection::of(query) {
            Select::Everything => self.scan(query).await,
            Select::Some(selection) => self.select(query, selection).await,
            Select::Nothing => Ok(Page::default()),
        }
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        match writes {
            [Write::Put(item, condition)] => self.put(item, condition).await,
            [Write::Delete(key, condition)] => self.delete(key, condition).await,
            writes if writes.is_empty() || writes.len() > MOST_WRITES => {
                Err(Unavailable("a commit needs 1 to 100 writes with different keys".to_owned()).into())
            }
            writes => self.transact(writes).await,
        }
    }
}

/// A condition as DynamoDB spells it. Every name goes through a placeholder, because many are reserved words.
#[derive(Default)]
struct Guard {
    text: Option<String>,
    names: Option<HashMap<String, String>>,
    values: Option<HashMap<String, Attribute>>,
}

impl Guard {
    fn of(text: &str, names: &[(&str, &str)], values: Vec<(&str, Attribute)>) -> Guard {
        let names = names.iter().map(|(mark, name)| ((*mark).to_owned(), (*name).to_owned())).collect();
        let values: HashMap<_, _> =
            values.into_iter().map(|(mark, value)| (mark.to_owned(), value)).collect();
        // DynamoDB refuses an empty map of values.
        let values = (!values.is_empty()).then_some(values);
        Guard { text: Some(text.to_owned()), names: Some(names), values }
    }
}

fn guard(condition: &Condition) -> Guard {
    let key = ("#key", "pk");
    let value = |value: &AttributeValue| vec![(":value", Attribute::from(value.clone()))];
    match condition {
        Condition::Always => Guard::default(),
        Condition::Absent => Guard::of("attribute_not_exists(#key)", &[key], Vec::new()),
        Condition::Present => Guard::of("attribute_exists(#key)", &[key], Vec::new()),
        Condition::Equals(name, wanted) => Guard::of("#name = :value", &[("#name", name)], value(wanted)),
        Condition::AbsentOrBelow(name, bound) => {
            Guard::of("attribute_not_exists(#key) OR #name < :value", &[key, ("#name", name)], value(bound))
        }
        Condition::Without(name) => Guard::of(
            "attribute_exists(#key) AND attribute_not_exists(#name)",
            &[key, ("#name", name)],
            Vec::new(),
        ),
    }
}

/// A check must say something, even if it holds always.
fn checked(condition: &Condition) -> Guard {
    match condition {
        Condition::Always => {
            let text = "attribute_exists(#key) OR attribute_not_exists(#key)";
            Guard::of(text, &[("#key", "pk")], Vec::new())
        }
        condition => guard(condition),
    }
}

/// A query as DynamoDB spells it.
struct Selection {
    index: Option<&'static str>,
    guard: Guard,
}

enum Select {
    Everything,
    Some(Selection),
    /// No key can fit. DynamoDB would refuse the question.
    Nothing,
}

impl Selection {
    fn of(query: &Query) -> Select {
        let (index, partition, sort, wanted) = match &query.scope {
            Scope::Everything => return Select::Everything,
            Scope::Partition(wanted) => (None, "pk", "sk", wanted),
            Scope::Index(index, wanted) => (Some(index.name), index.partition, index.sort, wanted),
        };
        let text = |text: &String| Attribute::S(text.clone());
        let of_partition = (":partition", text(wanted));
        let names = [("#partition", partition), ("#sort", sort)];
        // DynamoDB takes no empty text as a bound; every sort key is above it and starts with it.
        let guard = match &query.sort {
            _ if wanted.is_empty() => return Select::Nothing,
            Sort::Between(first, last) if first > last || last.is_empty() => return Select::Nothing,
            Sort::Between(first, last) if first.is_empty() => Guard::of(
                "#partition = :partition AND #sort <= :last",
                &names,
                vec![of_partition, (":last", text(last))],
            ),
            Sort::Between(first, last) => Guard::of(
                "#partition = :partition AND #sort BETWEEN :first AND :last",
                &names,
                vec![of_partition, (":first", text(first)), (":last", text(last))],
            ),
            Sort::StartsWith(start) if !start.is_empty() => Guard::of(
                "#partition = :partition AND begins_with(#sort, :start)",
                &names,
                vec![of_partition, (":start", text(start))],
            ),
            Sort::All | Sort::StartsWith(_) => {
                Guard::of("#partition = :partition", &[("#partition", partition)], vec![of_partition])
            }
        };
        Select::Some(Selection { index, guard })
    }
}

fn limit(query: &Query) -> Option<i32> {
    query.limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX))
}

fn page(items: Option<Vec<HashMap<String, Attribute>>>, next: Option<HashMap<String, Attribute>>) -> Page {
    let items = items.unwrap_or_default().into_iter().map(Item::from).collect();
    Page { items, next: next.filter(|next| !next.is_empty()).map(Item::from) }
}

fn attributes(item: &Item) -> HashMap<String, Attribute> {
    item.clone().into()
}

fn key_attributes(key: &Key) -> HashMap<String, Attribute> {
    HashMap::from([
        ("pk".to_owned(), Attribute::S(key.partition.clone())),
        ("sk".to_owned(), Attribute::S(key.sort.clone())),
    ])
}

fn found(item: Option<&HashMap<String, Attribute>>) -> Option<Item> {
    item.filter(|item| !item.is_empty()).cloned().map(Item::from)
}

fn refused(item: Option<&HashMap<String, Attribute>>) -> CommitError {
    CommitError::Refused(vec![Refused { write: 0, found: found(item) }])
}

/// Reasons stand in the order of the writes. A refusal tells more than a conflict, so it goes first.
fn cancellation(reasons: &[CancellationReason]) -> CommitError {
    let refused: Vec<Refused> = reasons
        .iter()
        .enumerate()
        .filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"))
        .map(|(write, reason)| Refused { write, found: found(reason.item()) })
        .collect();
    if !refused.is_empty() {
        return CommitError::Refused(refused);
    }
    let codes: Vec<&str> =
        reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None").collect();
    if codes.contains(&"TransactionConflict") {
        return CommitError::Contended;
    }
    Unavailable(format!("the transaction was cancelled: {}", codes.join(", "))).into()
}

/// Names what went wrong by its code alone: messages of DynamoDB quote values.
fn unavailable<E: ProvideErrorMetadata + std::fmt::Debug>(error: &SdkError<E>) -> Unavailable {
    Unavailable(crate::config::reason(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: &str, item: Option<&str>) -> CancellationReason {
        let item = item.map(|sort| key_attributes(&Key::new("p", sort)));
        CancellationReason::builder().code(code).set_item(item).build()
    }

    /// No engine on this machine makes conflicts or throttles, so what they mean is held here.
    #[test]
    fn a_cancelled_transaction_says_why() {
        let refused = [
            reason("None", None),
            reason("ConditionalCheckFailed", Some("a")),
            reason("TransactionConflict", None),
            reason("ConditionalCheckFailed", None),
        ];
        let found = Item::from(key_attributes(&Key::new("p", "a")));
        assert_eq!(
            cancellation(&refused),
            CommitError::Refused(vec![
                Refused { write: 1, found: Some(found) },
                Refused { write: 3, found: None },
            ])
        );
        let contended =
            [reason("None", None), reason("TransactionConflict", None), reason("ThrottlingError", None)];
        assert_eq!(cancellation(&contended), CommitError::Contended);
        let throttled = [reason("ThrottlingError", None), reason("None", None)];
        let told = Unavailable("the transaction was cancelled: ThrottlingError".to_owned());
        assert_eq!(cancellation(&throttled), CommitError::Unavailable(told));
    }

    #[test]
    fn names_never_stand_in_an_expression_themselves() {
        let value = AttributeValue::N("1".to_owned());
        for condition in [
            Condition::Absent,
            Condition::Present,
            Condition::Equals("size", value.clone()),
            Condition::AbsentOrBelow("size", value),
            Condition::Without("size"),
        ] {
            let Guard { text, names, values } = guard(&condition);
            let text = text.unwrap();
            assert!(!text.contains("size") && !text.contains("pk"), "{text}");
            // DynamoDB refuses placeholders that are not used.
            for name in names.unwrap().keys().chain(values.unwrap_or_default().keys()) {
                assert!(text.contains(name), "{text}: {name}");
            }
        }
    }
}
