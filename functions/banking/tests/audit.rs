//! auditBanking, getCorporateBalance and findRechargeAccount, called as money and payment call them.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use contract::{Caller, ports::Unanswered};
use serde_json::{Value, json};
use store::{AttributeValue, Condition, Item, Write, kind_of};
use support::{DUL, HANA, Town, dul, hana, recharge};

impl Town {
    async fn internally(&self, operation: &str, body: Value) -> Value {
        let caller = Caller::Service("money.auditLedger".to_owned());
        self.banking.call(operation, caller, body).await.unwrap().body
    }

    /// The audit of the table, as of now or as of a moment long before.
    async fn audit(&self, slack_seconds: u32) -> Value {
        let cut = self.banking.context.clock.now();
        self.internally("auditBanking", json!({ "cut": cut, "slackSeconds": slack_seconds })).await
    }

    async fn corporate_balance(&self) -> u64 {
        let answer = self.internally("getCorporateBalance", json!({})).await;
        answer["balance"]["amount"].as_u64().unwrap()
    }

    async fn rules(&self) -> Vec<String> {
        let audited = self.audit(0).await;
        let rule = |finding: &Value| finding["rule"].as_str().unwrap().to_owned();
        audited["findings"].as_array().unwrap().iter().map(rule).collect()
    }

    fn item(&self, kind: &str) -> Item {
        self.banking.twin.items().into_iter().find(|item| kind_of(item) == kind).unwrap()
    }

    async fn write(&self, write: Write) {
        self.banking.context.table.commit(&[write]).await.unwrap();
    }

    /// Changes an attribute of an item where it lies.
    async fn change(&self, kind: &str, attribute: &str, value: &str) {
        let mut item = self.item(kind);
        assert!(item.insert(attribute.to_owned(), AttributeValue::S(value.to_owned())).is_some());
        self.write(Write::Put(item, Condition::Always)).await;
    }

    async fn remove(&self, item: &Item) {
        let text = |name| match item.get(name) {
            Some(AttributeValue::S(text)) => text.clone(),
            _ => panic!("an item without {name}"),
        };
        self.write(Write::Delete(store::Key::new(text("pk"), text("sk")), Condition::Always)).await;
    }
}

/// A linked account that was recharged from twice.
async fn town() -> (Town, String) {
    let (town, account) = Town::linked().await;
    for (reference, amount) in [("mcr_1/bank", 10_000), ("mcr_2/bank", 5_000)] {
        town.order(reference, recharge(&account, hana(), amount)).await.unwrap();
    }
    town.banking.world.pass_seconds(60);
    (town, account)
}

#[tokio::test]
async fn what_is_right_is_summed_up_and_what_is_near_the_cut_is_open() {
    let (town, _) = town().await;
    let audited = town.audit(0).await;
    assert_eq!(audited["findings"], json!([]));
    assert_eq!(audited["sums"], json!({ "banking.forSagas": 15_000 }));
    assert_eq!(town.audit(300).await["sums"], json!({ "open.bankIn": 15_000 }));
    town.wire.tell(HANA, "timeout", None).await;
    let account = town.item("bankAccount");
    let Some(AttributeValue::S(account)) = account.get("bankAccountId") else { panic!("no id") };
    town.order("mcr_3/bank", recharge(account, hana(), 1_000)).await.unwrap();
    town.banking.world.pass_seconds(60);
    let sums = json!({ "banking.forSagas": 15_000, "open.bankIn": 1_000 });
    assert_eq!(town.audit(0).await["sums"], sums);
}

#[tokio::test]
async fn one_call_looks_up_no_more_than_there_is_time_for() {
    let (town, _) = town().await;
    let mut item = town.item("claim");
    for number in 0..600 {
        item.insert("pk".to_owned(), AttributeValue::S(format!("more#{number}")));
        item.insert("kind".to_owned(), AttributeValue::S("other".to_owned()));
        town.write(Write::Put(item.clone(), store::Condition::Absent)).await;
    }
    let first = town.audit(0).await;
    assert_eq!(first["checked"], 500);
    assert!(first["after"].is_object(), "the next call goes on behind it");
}

#[tokio::test]
async fn every_broken_rule_is_named() {
    let (town, account) = town().await;
    assert_eq!(town.rules().await, [""; 0]);
    let claim = town.item("claim");
    town.remove(&claim).await;
    assert_eq!(town.rules().await, ["number_not_claimed"]);
    let subject = town.audit(0).await["findings"][0]["subject"].clone();
    assert_eq!(subject, json!(account));

    let (town, _) = Town::linked().await;
    town.change("bankAccount", "state", "unlinked").await;
    assert_eq!(town.rules().await, ["number_claimed_by_nobody"]);

    let (town, account) = self::town().await;
    let first = town.banking.twin.items().into_iter().find(|item| kind_of(item) == "firmbanking").unwrap();
    town.remove(&first).await;
    let audited = town.audit(0).await;
    assert_eq!(audited["findings"][0]["rule"], "sequence_gap");
    assert_eq!(audited["findings"][0]["subject"], format!("{account}/2"));

    let (town, _) = self::town().await;
    town.change("firmbanking", "direction", "sideways").await;
    assert_eq!(town.rules().await, ["unreadable"]);
}

#[tokio::test]
async fn the_corporate_balance_is_what_the_bank_says_now() {
    let (mut town, account) = Town::linked().await;
    let before = town.corporate_balance().await;
    town.order("mcr_1/bank", recharge(&account, hana(), 10_000)).await.unwrap();
    assert_eq!(town.corporate_balance().await, before + 10_000);
    town.banking.context.egress = town.banking.world.clone();
    town.banking.world.answer_bank(|_| Err(Unanswered("silence".to_owned())));
    let caller = Caller::Service("money.auditLedger".to_owned());
    let silent = town.banking.call("getCorporateBalance", caller, json!({})).await.unwrap_err();
    assert_eq!(silent.status, 503);
}

#[tokio::test]
async fn a_recharge_takes_the_account_that_was_linked_first() {
    let (town, first) = Town::linked().await;
    town.wire.open_account("33045678901", "김하나").await;
    town.banking.world.pass_seconds(1);
    assert_eq!(town.register(hana(), "33045678901", "김하나", "second").await.status, 201);
    let asked =
        async |member| town.internally("findRechargeAccount", json!({ "membershipId": member })).await;
    assert_eq!(asked(hana()).await, json!({ "bankAccountId": first }));
    assert_eq!(asked(dul()).await, json!({}));
    assert_eq!(town.unlink(hana(), &first).await.status, 204);
    let next = asked(hana()).await["bankAccountId"].clone();
    assert!(next.is_string() && next != json!(first), "{next}");
    assert_eq!(town.register(dul(), DUL, "이둘", "k").await.status, 201);
    assert_eq!(asked(hana()).await["bankAccountId"], next, "nobody else's");
}
