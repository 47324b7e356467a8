//! resolveMember and auditMembership, called as money and remittance call them.

use crate::{bench, hana, registered, with};
use contract::{Caller, testing::Bench};
use kernel::{Id, id::MembershipId};
use serde_json::{Value, json};
use store::{AttributeValue, Condition, Write, kind_of};

async fn internally(bench: &Bench, operation: &str, body: Value) -> Value {
    let caller = Caller::Service("remittance.requestRemittance".to_owned());
    bench.call(operation, caller, body).await.unwrap().body
}

#[tokio::test]
async fn a_member_is_found_by_id_and_by_email_in_any_case() {
    let bench = bench();
    let id = registered(&bench, &hana()).await;
    let nobody: MembershipId = Id::derive(&["nobody"]);
    let found = json!({ "membershipId": id });
    for (question, answer) in [
        (json!({ "by": "id", "membershipId": id }), found.clone()),
        (json!({ "by": "email", "email": "Hana@Pay.example" }), found),
        (json!({ "by": "id", "membershipId": nobody }), json!({})),
        (json!({ "by": "email", "email": "nobody@pay.example" }), json!({})),
    ] {
        assert_eq!(internally(&bench, "resolveMember", question.clone()).await, answer, "{question}");
    }
    let caller = Caller::Service("remittance.requestRemittance".to_owned());
    let odd = bench.call("resolveMember", caller, json!({ "by": "email", "email": "?" })).await.unwrap_err();
    assert_eq!(odd.code, "validation_failed");
    assert!(!format!("{odd:?}").contains('?'), "the email is not repeated");
}

async fn rules(bench: &Bench) -> Vec<String> {
    let cut = bench.context.clock.now();
    let audited = internally(bench, "auditMembership", json!({ "cut": cut, "slackSeconds": 0 })).await;
    let rule = |finding: &Value| finding["rule"].as_str().unwrap().to_owned();
    audited["findings"].as_array().unwrap().iter().map(rule).collect()
}

#[tokio::test]
async fn one_email_is_one_member_or_the_audit_says_who_breaks_it() {
    let bench = bench();
    let id = registered(&bench, &hana()).await;
    registered(&bench, &with(hana(), "email", "dul@pay.example")).await;
    assert_eq!(rules(&bench).await, [""; 0]);

    let items = bench.twin.items();
    let owner = items.iter().find(|item| {
        kind_of(item) == "emailOwner" && item.get("membershipId") == Some(&AttributeValue::S(id.to_string()))
    });
    let owner = owner.unwrap().clone();
    let mut other = owner.clone();
    let nobody: MembershipId = Id::derive(&["nobody"]);
    other.insert("membershipId".to_owned(), AttributeValue::S(nobody.to_string()));
    bench.context.table.commit(&[Write::Put(other, Condition::Always)]).await.unwrap();
    let mut found = rules(&bench).await;
    found.sort();
    assert_eq!(found, ["email_not_owned", "email_without_member"]);

    bench.context.table.commit(&[Write::Put(owner, Condition::Always)]).await.unwrap();
    let mut member = items.iter().find(|item| kind_of(item) == "member").unwrap().clone();
    member.remove("region");
    bench.context.table.commit(&[Write::Put(member, Condition::Always)]).await.unwrap();
    assert!(rules(&bench).await.contains(&"unreadable".to_owned()));
}
