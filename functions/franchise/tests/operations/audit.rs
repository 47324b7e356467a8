//! auditFranchise, called as money calls it.

use crate::{bench, registered};
use contract::Caller;
use serde_json::json;
use store::{AttributeValue, Condition, Write, kind_of};

#[tokio::test]
async fn a_franchise_that_is_not_as_it_must_be_is_named() {
    let bench = bench();
    let path = registered(&bench).await;
    let id = path.rsplit('/').next().unwrap();
    let audit = async || {
        let body = json!({ "cut": bench.context.clock.now(), "slackSeconds": 0 });
        let caller = Caller::Service("money.auditLedger".to_owned());
        bench.call("auditFranchise", caller, body).await.unwrap().body
    };
    assert_eq!(audit().await, json!({ "checked": 1, "findings": [], "sums": {} }));
    let item = bench.twin.items().into_iter().find(|item| kind_of(item) == "franchise").unwrap();
    for (attribute, value, rule) in [("state", "closed", "end_unsaid"), ("feeTerms", "none", "unreadable")] {
        let mut changed = item.clone();
        changed.insert(attribute.to_owned(), AttributeValue::S(value.to_owned()));
        bench.context.table.commit(&[Write::Put(changed, Condition::Always)]).await.unwrap();
        let found = audit().await["findings"].clone();
        assert_eq!(found[0]["rule"], rule);
        assert!(found[0]["subject"].as_str().unwrap().contains(id), "{found}");
    }
}
