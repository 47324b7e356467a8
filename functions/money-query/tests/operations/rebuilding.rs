//! Building the model anew: by one command, while facts come, whatever dies in between.

use crate::{
    ago, bench,
    facts::{increased, modified, registered},
    figures, hear,
    histories::content,
    sum,
};
use contract::{
    Caller,
    outbox::{FactsRead, KeyName},
    ports::{DirectAnswer, Unanswered},
    testing::Bench,
};
use events::Envelope;
use serde_json::{Value, json};

/// How many facts a service answers at once.
const PAGE: usize = 3;

/// Lets membership and money answer these facts, some at a time.
pub fn services_tell(bench: &Bench, facts: Vec<Envelope>) {
    bench.world.answer_calls(move |call| {
        let service = call.operation.strip_suffix(".readFacts").unwrap();
        let own: Vec<_> = facts.iter().filter(|fact| fact.source == format!("pay.{service}")).collect();
        let after = call.body["after"]["sort"].as_str().map_or(0, |place| place.parse().unwrap());
        let page = own.iter().skip(after).take(PAGE).map(|fact| (*fact).clone()).collect();
        let next = after + PAGE;
        let sort = next.to_string();
        let after = (next < own.len()).then(|| KeyName { partition: "place".to_owned(), sort });
        Ok(DirectAnswer::Done(serde_json::to_value(FactsRead { facts: page, skipped: 0, after }).unwrap()))
    });
}

async fn rebuild(bench: &Bench, task: Value) -> Value {
    bench.call("rebuildReadModel", Caller::Platform, task).await.unwrap().body
}

pub async fn begin(bench: &Bench) -> Value {
    rebuild(bench, json!({ "task": "begin" })).await
}

/// Delivers what the rebuild has put into its queue; answers what it was.
async fn deliver(bench: &Bench) -> Vec<(String, u32)> {
    let mut delivered = Vec::new();
    for message in bench.world.take_queued() {
        assert_eq!(message.operation, "money-query.rebuildReadModel");
        delivered.push((message.body["task"].as_str().unwrap().to_owned(), message.delay_seconds));
        rebuild(bench, message.body).await;
    }
    delivered
}

/// Delivers messages until the new generation answers, before the old one is deleted.
pub async fn to_the_read_end(bench: &Bench) {
    while rebuild(bench, json!({ "task": "look" })).await["building"].is_number() {
        assert!(!deliver(bench).await.is_empty(), "the rebuild has stopped");
    }
}

/// Delivers messages until there are none.
pub async fn to_the_end(bench: &Bench) {
    while !deliver(bench).await.is_empty() {}
}

fn some_facts() -> Vec<Envelope> {
    let mut facts = vec![registered("hana", "seoul", ago(90)), modified("hana", 2, "busan", ago(50))];
    facts.extend((1..30).map(|number| increased(number, "hana", 100, ago(70))));
    facts
}

#[tokio::test]
async fn the_new_generation_is_read_after_a_wait_and_the_old_one_deleted_after_another() {
    let bench = bench();
    services_tell(&bench, some_facts());
    assert_eq!(begin(&bench).await, json!({ "live": 1, "building": 2, "skipped": 0 }));
    assert_eq!(deliver(&bench).await, [("read".to_owned(), 180)]);
    assert_eq!(figures(&sum(&bench, "busan").await), [0, 0, 0, 0], "the old generation answers meanwhile");
    to_the_read_end(&bench).await;
    assert_eq!(figures(&sum(&bench, "busan").await), [2_900, 0, 0, 1]);
    assert_eq!(figures(&sum(&bench, "seoul").await), [0, 2_900, 29, 0]);
    assert_eq!(
        rebuild(&bench, json!({ "task": "look" })).await,
        json!({ "live": 2, "building": null, "skipped": 0 })
    );
    assert_eq!(deliver(&bench).await, [("clear".to_owned(), 180)]);
    assert!(bench.world.take_queued().is_empty());
}

/// What cannot be read is left out, and everybody who looks is told so until a rebuilding has found nothing of the kind.
#[tokio::test]
async fn a_model_that_lacks_something_says_how_much() {
    let bench = bench();
    let facts = some_facts();
    let skipped = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(2));
    let left_out = skipped.clone();
    bench.world.answer_calls(move |call| {
        let service = call.operation.strip_suffix(".readFacts").unwrap();
        let own = facts.iter().filter(|fact| fact.source == format!("pay.{service}")).cloned().collect();
        let skipped = left_out.load(std::sync::atomic::Ordering::SeqCst);
        let read = FactsRead { facts: own, skipped, after: None };
        Ok(DirectAnswer::Done(serde_json::to_value(read).unwrap()))
    });
    begin(&bench).await;
    to_the_read_end(&bench).await;
    let standing = rebuild(&bench, json!({ "task": "look" })).await;
    assert_eq!(standing, json!({ "live": 2, "building": null, "skipped": 4 }), "two of each service");
    to_the_end(&bench).await;
    skipped.store(0, std::sync::atomic::Ordering::SeqCst);
    begin(&bench).await;
    to_the_read_end(&bench).await;
    let standing = rebuild(&bench, json!({ "task": "look" })).await;
    assert_eq!(standing, json!({ "live": 3, "building": null, "skipped": 0 }));
}

#[tokio::test]
async fn what_is_wrong_is_right_again_after_a_rebuild() {
    let bench = bench();
    hear(&bench, &some_facts()).await;
    hear(&bench, &[increased(99, "hana", 777, ago(60))]).await;
    services_tell(&bench, some_facts());
    begin(&bench).await;
    to_the_end(&bench).await;
    assert_eq!(figures(&sum(&bench, "busan").await), [2_900, 0, 0, 1]);
    assert!(content(&bench, 1).is_empty());
    begin(&bench).await;
    to_the_end(&bench).await;
    assert_eq!(
        rebuild(&bench, json!({ "task": "look" })).await,
        json!({ "live": 3, "building": null, "skipped": 0 })
    );
    assert_eq!(figures(&sum(&bench, "busan").await), [2_900, 0, 0, 1]);
    assert!(content(&bench, 2).is_empty());
}

#[tokio::test]
async fn beginning_twice_is_beginning_once() {
    let bench = bench();
    services_tell(&bench, some_facts());
    assert_eq!(begin(&bench).await, begin(&bench).await);
    to_the_end(&bench).await;
    assert_eq!(
        rebuild(&bench, json!({ "task": "look" })).await,
        json!({ "live": 2, "building": null, "skipped": 0 })
    );
    assert_eq!(figures(&sum(&bench, "busan").await), [2_900, 0, 0, 1]);
}

#[tokio::test]
async fn a_message_that_comes_again_changes_nothing_and_leaves_nothing_behind() {
    let bench = bench();
    services_tell(&bench, some_facts());
    begin(&bench).await;
    let mut all = Vec::new();
    loop {
        let messages = bench.world.take_queued();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            rebuild(&bench, message.body.clone()).await;
            all.push(message.body);
        }
    }
    let before = content(&bench, 2);
    for body in all {
        rebuild(&bench, body).await;
    }
    assert_eq!((content(&bench, 2), content(&bench, 1).len()), (before, 0));
    to_the_end(&bench).await;
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_asked_again_by_the_same_message() {
    let bench = bench();
    bench.world.answer_calls(|_| Err(Unanswered("not now".to_owned())));
    begin(&bench).await;
    let [message] = bench.world.take_queued().try_into().unwrap();
    let failed = bench.call("rebuildReadModel", Caller::Platform, message.body.clone()).await;
    assert_eq!(failed.unwrap_err().status, 503);
    services_tell(&bench, some_facts());
    rebuild(&bench, message.body).await;
    to_the_end(&bench).await;
    assert_eq!(figures(&sum(&bench, "busan").await), [2_900, 0, 0, 1]);
}

#[tokio::test]
async fn a_member_whose_long_history_becomes_known_late_is_counted_in_several_commits() {
    let bench = bench();
    let days = 24 * 60;
    let recharges: Vec<_> = (1..150_u64)
        .map(|number| increased(number, "hana", 10, ago(i64::try_from(number).unwrap() * days)))
        .collect();
    hear(&bench, &recharges).await;
    hear(&bench, &[registered("hana", "seoul", ago(500 * days))]).await;
    let seoul = crate::ask(&bench, "/v1/money/regions/seoul/sum?from=2026-01-01").await.body;
    assert_eq!(figures(&seoul), [1_490, 1_490, 149, 1]);
    let ordered = crate::bench();
    hear(&ordered, &[registered("hana", "seoul", ago(500 * days))]).await;
    hear(&ordered, &recharges).await;
    assert_eq!(content(&bench, 1), content(&ordered, 1));
}
