//! Every consumer of a fact takes the form of it that an older or a later version publishes.
//!
//! During a deployment, and from queues and archives long after it, a consumer gets what another version has said. The
//! histories of the simulator mix the forms at random (simulation::versions); here each consumer gets each once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where it is surprised")]

use contract::{Caller, Operation, Service, Trigger, problem, testing::Bench};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use xtask::{SERVICES, generate::facts};

/// Each consumer with each fact that it listens to.
fn consumers() -> Vec<(&'static Service, &'static Operation, &'static str)> {
    let operations =
        SERVICES.iter().flat_map(|service| service.operations.iter().map(move |one| (*service, one)));
    let heard = operations.flat_map(|(service, operation)| {
        let facts = operation.triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Fact(name) => Some(*name),
            _ => None,
        });
        facts.map(move |fact| (service, operation, fact))
    });
    heard.collect()
}

/// The example of a fact as it is, in its oldest form, and in a later one.
fn forms(name: &str) -> [(&'static str, Value); 3] {
    let fact = events::ALL.iter().find(|fact| fact.name == name).unwrap();
    let schema = facts::schema(fact).unwrap();
    let example = serde_json::to_value((fact.example)()).unwrap();
    let required: BTreeSet<&str> =
        schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let mut oldest = example.clone();
    oldest["data"].as_object_mut().unwrap().retain(|field, _| required.contains(field.as_str()));
    let mut later = example.clone();
    later["data"]["addedLater"] = json!({ "by": "a later version" });
    later["addedlater"] = json!("a later attribute of the envelope");
    [("this", example), ("an older", oldest), ("a later", later)]
}

#[tokio::test]
async fn every_consumer_takes_a_fact_of_this_of_an_older_and_of_a_later_version() {
    let consumers = consumers();
    assert!(consumers.len() > 10);
    for (service, operation, fact) in consumers {
        for (version, event) in forms(fact) {
            let bench = Bench::new(service);
            let bank = json!({ "apiKey": "example", "corporateAccount": "110-000-000000" });
            bench.world.set_secret("bank", &bank.to_string());
            let outcome = bench.call(operation.name, Caller::Platform, event).await;
            // What it then finds in its empty table is another matter.
            let refused = outcome.err().filter(|problem| problem.is(&problem::VALIDATION_FAILED));
            assert_eq!(refused, None, "{} of {version} version, by {}", fact, operation.name);
        }
    }
}

/// A fact of version 2 does not end version 1, which lies in queues and archives and is published by the old producer.
#[test]
fn whoever_listens_to_a_version_of_a_fact_listens_to_every_version_that_is_published() {
    for (service, operation, fact) in consumers() {
        let (name, _) = fact.rsplit_once(".v").unwrap();
        let published = events::ALL.iter().map(|known| known.name);
        for version in published.filter(|known| known.rsplit_once(".v").unwrap().0 == name) {
            let listens = consumers()
                .into_iter()
                .any(|(other, _, heard)| other.name == service.name && heard == version);
            assert!(
                listens,
                "{}.{} listens to {fact}, but nobody there to {version}",
                service.name, operation.name
            );
        }
    }
}
