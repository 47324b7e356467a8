//! auditRemittance, called as money's auditLedger calls it: it sums up what is right and names each rule that somebody
//! breaks in the table.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "a test that fails should fail loudly"
)]

mod support;

use contract::Caller;
use kernel::{Timestamp, id::RemittanceId};
use remittance::items::{Remittance, RemittanceState};
use serde_json::{Value, json};
use store::{AttributeValue, Condition, Item, Read, Record, Write};
use support::*;

const SENT: u64 = 15_000;
const TO_BANK: u64 = 4_000;
const UNKNOWN: u64 = 3_000;
const DECLINED: u64 = 2_000;

/// One remittance to a member, one to the bank, one that the bank is silent about, and one that it declined.
struct Sent {
    town: Town,
    completed: RemittanceId,
    unknown: RemittanceId,
    failed: RemittanceId,
    /// A minute after the first, a minute before the second.
    middle: Timestamp,
}

impl Sent {
    async fn all() -> Sent {
        let town = Town::with(50_000).await;
        let completed = town.send("member", &to_member(dul()), SENT, "completed").await;
        let middle = town.now().plus_seconds(60);
        town.remittance.world.pass_seconds(120);
        town.send("bank", &to_shop(), TO_BANK, "completed").await;
        town.wires.others().outward = Mood::Unknown;
        let unknown = town.send("unknown", &to_shop(), UNKNOWN, "bankUnknown").await;
        town.wires.others().outward = Mood::Declines;
        let failed = town.send("declined", &to_shop(), DECLINED, "failed").await;
        town.remittance.world.pass_seconds(60);
        Sent { town, completed, unknown, failed, middle }
    }

    async fn item(&self, id: RemittanceId) -> Item {
        let table = &self.town.remittance.context.table;
        table.get(&Remittance::key_of(id), Read::Consistent).await.unwrap().unwrap()
    }

    async fn put(&self, item: Item) {
        let write = Write::Put(item, Condition::Always);
        self.town.remittance.context.table.commit(&[write]).await.unwrap();
    }

    /// Changes a record where it lies.
    async fn change(&self, id: RemittanceId, change: impl FnOnce(&mut Remittance)) {
        let mut record: Remittance = store::read(self.item(id).await).unwrap();
        change(&mut record);
        self.put(record.to_item().unwrap()).await;
    }

    async fn audit(&self, cut: Timestamp, slack_seconds: u32) -> Value {
        let caller = Caller::Service("money.auditLedger".to_owned());
        let page = json!({ "cut": cut, "slackSeconds": slack_seconds });
        let audited = self.town.remittance.call("auditRemittance", caller, page).await.unwrap().body;
        assert_eq!(audited["after"], Value::Null, "a table this small is one page");
        audited
    }

    async fn sums(&self, cut: Timestamp) -> Value {
        self.audit(cut, 0).await["sums"].clone()
    }

    /// What is found as of now: rules and subjects.
    async fn found(&self) -> Vec<(String, String)> {
        let audited = self.audit(self.town.now(), 0).await;
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        let findings = audited["findings"].as_array().unwrap().iter();
        findings.map(|finding| (text(finding, "rule"), text(finding, "subject"))).collect()
    }
}

impl Town {
    fn now(&self) -> Timestamp {
        self.remittance.context.clock.now()
    }

    async fn send(&self, key: &str, to: &Value, amount: u64, state: &str) -> RemittanceId {
        let answer = self.remittance.send(remit(key, to, amount)).await;
        let place = answer.header("location").unwrap();
        let found = self.get(hana(), place).await.body;
        assert_eq!(found["state"], state, "{found}");
        place.rsplit('/').next().unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn what_was_completed_is_summed_up_and_what_was_open_is_set_apart() {
    let sent = Sent::all().await;
    let audited = sent.audit(sent.town.now(), 0).await;
    assert_eq!(audited["findings"], json!([]));
    assert_eq!(audited["checked"], 4);
    let sums = json!({ "recorded.remitted": SENT + TO_BANK, "open.remitted": UNKNOWN });
    assert_eq!(audited["sums"], sums, "what failed is in neither");
}

/// A record has its ledger entry's own time, so that clocks' differences put it on the same side as the entry.
#[tokio::test]
async fn sums_are_as_of_the_cut() {
    let sent = Sent::all().await;
    assert_eq!(sent.sums(sent.middle).await, json!({ "recorded.remitted": SENT }));
    assert_eq!(sent.audit(sent.middle, 300).await["sums"], json!({ "recorded.remitted": SENT }));
    assert_eq!(sent.sums(Timestamp::EPOCH).await, json!({}));

    // What was asked for before the cut and completed exactly at it: the ledger books it after the cut.
    let record: Remittance = store::read(sent.item(sent.completed).await).unwrap();
    let completed_at = record.completed_at.unwrap();
    sent.change(sent.completed, |record| {
        record.requested_at = completed_at.plus_seconds(-1);
    })
    .await;
    assert_eq!(sent.sums(completed_at).await, json!({}));

    // The bank says at last that it moved the money: it is booked from then on, and open no longer.
    let before = sent.town.now();
    sent.town.wires.others().outward = Mood::Moves;
    sent.town.remittance.world.pass_seconds(3_600);
    sent.town.sweep().await;
    sent.town.remittance.world.pass_seconds(1);
    let all = json!({ "recorded.remitted": SENT + TO_BANK + UNKNOWN });
    assert_eq!(sent.sums(sent.town.now()).await, all);
    assert_eq!(sent.sums(before).await, json!({ "recorded.remitted": SENT + TO_BANK }));
}

#[tokio::test]
async fn every_broken_rule_is_named_with_its_id() {
    type Change = fn(&mut Remittance);
    type Of = fn(&Sent) -> RemittanceId;
    let at = |record: &Remittance| Some(record.requested_at);
    let rules: &[(Of, Change)] = &[
        (|sent| sent.completed, |record| record.completed_at = None),
        (|sent| sent.completed, |record| record.failure_reason = Some("limit_exceeded".to_owned())),
        (|sent| sent.completed, |record| record.state = RemittanceState::Requested),
        (|sent| sent.failed, |record| record.failure_reason = None),
        (|sent| sent.failed, |record| record.completed_at = None),
        (|sent| sent.failed, |record| record.state = RemittanceState::Completed),
        (|sent| sent.unknown, |record| record.failure_reason = Some("declined_by_bank".to_owned())),
        (|sent| sent.unknown, |record| record.state = RemittanceState::Completed),
    ];
    for (number, (of, change)) in rules.iter().enumerate() {
        let sent = Sent::all().await;
        let id = of(&sent);
        sent.change(id, change).await;
        assert_eq!(sent.found().await, [("end_unsaid".to_owned(), id.to_string())], "rule {number}");
    }
    let sent = Sent::all().await;
    sent.change(sent.unknown, |record| record.completed_at = at(record)).await;
    assert_eq!(sent.found().await, [("end_unsaid".to_owned(), sent.unknown.to_string())]);
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_hides_nothing_else() {
    let sent = Sent::all().await;
    let mut item = sent.item(sent.completed).await;
    item.insert("state".to_owned(), AttributeValue::S("sideways".to_owned())).unwrap();
    sent.put(item).await;
    sent.change(sent.failed, |record| record.failure_reason = None).await;
    let mut found = sent.found().await;
    found.sort();
    let subject = format!("{}/remittance", sent.completed);
    let ends = ("end_unsaid".to_owned(), sent.failed.to_string());
    assert_eq!(found, [ends, ("unreadable".to_owned(), subject)]);
    let sums = json!({ "recorded.remitted": TO_BANK, "open.remitted": UNKNOWN });
    assert_eq!(sent.sums(sent.town.now()).await, sums);
}
