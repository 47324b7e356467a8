//! Facts: what is told of a franchise, in which versions, and that telling it again tells the same.

use crate::{account, bench, by_merchant, by_operator, hana, registered};
use contract::{
    Caller,
    testing::{Bench, Request},
};
use events::{
    Envelope, Fact,
    franchise::{Franchise, FranchiseClosed, FranchiseModified, FranchiseRegistered, FranchiseState},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::AttributeValue;

fn modify(path: &str, body: &Value) -> Request {
    by_operator(Request::new("PATCH", path).json(body))
}

fn close(path: &str) -> Request {
    by_merchant(Request::new("DELETE", path), hana())
}

/// What a listener reads from an event, whichever of the three it is.
fn read(event: &Envelope) -> Franchise {
    let data = event.data.clone();
    match event.kind.as_str() {
        FranchiseRegistered::TYPE => serde_json::from_value::<FranchiseRegistered>(data).unwrap().franchise,
        FranchiseModified::TYPE => serde_json::from_value::<FranchiseModified>(data).unwrap().franchise,
        FranchiseClosed::TYPE => serde_json::from_value::<FranchiseClosed>(data).unwrap().franchise,
        other => panic!("{other} is no fact of a franchise"),
    }
}

#[tokio::test]
async fn each_change_is_told_once_with_the_whole_of_what_others_keep() {
    let bench = bench();
    let path = registered(&bench).await;
    let events = bench.relay().await.unwrap();
    assert_eq!(events.len(), 1);
    let id = path.rsplit('/').next().unwrap();
    let expected = json!({
        "franchiseId": id,
        "membershipId": hana(),
        "bankAccountId": account("hana"),
        "feeTerms": [{ "since": "2026-11-22T10:15:30.000Z", "feeBps": 250 }],
        "settlementCycle": { "kind": "daily" },
        "state": "open",
        "version": 1,
        "registeredAt": "2026-11-22T10:15:30.000Z",
    });
    assert_eq!((events[0].kind.as_str(), &events[0].data), ("franchise.registered.v1", &expected));
    assert_eq!((events[0].subject.as_str(), events[0].source.as_str()), (id, "pay.franchise"));

    bench.world.pass_seconds(60);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let change = json!({ "feeBps": 180, "feeFrom": "2026-11-25", "bankAccountId": account("hana's second") });
    bench.send(modify(&path, &change).header("traceparent", trace)).await;
    let events = bench.relay().await.unwrap();
    assert_eq!((events.len(), events[0].kind.as_str()), (1, "franchise.modified.v1"));
    assert_eq!((events[0].traceparent.as_str(), events[0].time), (trace, bench.context.clock.now()));
    let planned = json!([
        { "since": "2026-11-22T10:15:30.000Z", "feeBps": 250 },
        { "since": "2026-11-24T14:30:00.000Z", "feeBps": 180 },
    ]);
    assert_eq!((&events[0].data["feeTerms"], &events[0].data["version"]), (&planned, &json!(2)));
    assert_eq!(events[0].data["bankAccountId"], json!(account("hana's second")));

    bench.world.pass_seconds(60);
    bench.send(close(&path)).await;
    let events = bench.relay().await.unwrap();
    assert_eq!((events.len(), events[0].kind.as_str()), (1, "franchise.closed.v1"));
    assert_eq!((&events[0].data["state"], &events[0].data["version"]), (&json!("closed"), &json!(3)));
    assert_eq!(events[0].data["feeTerms"], planned);
    bench.send(close(&path)).await;
    assert_eq!(bench.relay().await.unwrap(), []);
}

#[tokio::test]
async fn several_changes_in_one_batch_are_all_told_and_a_batch_again_tells_the_same() {
    let bench = bench();
    let path = registered(&bench).await;
    for name in ["하나", "둘"] {
        bench.send(modify(&path, &json!({ "name": name }))).await;
    }
    bench.send(close(&path)).await;
    let batch = json!(bench.stream());
    let mut told = Vec::new();
    for _ in 0..2 {
        let before = bench.world.published().len();
        bench.call("relayOutbox", Caller::Platform, batch.clone()).await.unwrap();
        told.push(bench.world.published().split_off(before));
    }
    assert_eq!(told[0], told[1]);
    let versions: Vec<u64> = told[0].iter().map(|event| read(event).version).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
    let ids: std::collections::BTreeSet<_> = told[0].iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn republishing_tells_the_beginning_the_last_change_and_the_end_as_they_were() {
    let bench = bench();
    let path = registered(&bench).await;
    for change in [json!({ "name": "하나" }), json!({ "feeBps": 180, "feeFrom": "2026-12-01" })] {
        bench.world.pass_seconds(60);
        bench.send(modify(&path, &change)).await;
    }
    bench.world.pass_seconds(60);
    bench.send(close(&path)).await;
    let told = bench.relay().await.unwrap();
    let again = async |body: Value| {
        let before = bench.world.published().len();
        let reply = bench.call("republish", Caller::Platform, body).await.unwrap();
        let events = bench.world.published().split_off(before);
        assert_eq!(reply.body["published"], json!(events.len()));
        events
    };
    let kept = [told[0].clone(), told[2].clone(), told[3].clone()];
    assert_eq!(again(json!({})).await, kept);
    let id = path.rsplit('/').next().unwrap();
    let key = json!({ "partition": format!("franchise#{id}"), "sort": "head" });
    assert_eq!(again(json!({ "keys": [key] })).await, kept);
    assert_eq!(again(json!({ "from": told[3].time })).await, kept[2..]);
}

#[tokio::test]
async fn another_account_after_the_end_is_told_as_a_change_of_a_closed_franchise() {
    let bench = bench();
    let path = registered(&bench).await;
    bench.world.pass_seconds(60);
    bench.send(modify(&path, &json!({ "bankAccountId": account("hana's second") }))).await;
    bench.world.pass_seconds(60);
    bench.send(close(&path)).await;
    let until_the_end = bench.relay().await.unwrap();
    let mut since_then = Vec::new();
    for name in ["hana", "hana's second", "hana"] {
        bench.world.pass_seconds(60);
        let change = modify(&path, &json!({ "bankAccountId": account(name) }));
        assert_eq!(bench.send(change).await.status, 200);
        let told = bench.relay().await.unwrap();
        assert_eq!((told.len(), told[0].kind.as_str()), (1, "franchise.modified.v1"));
        assert_eq!((&told[0].data["state"], told[0].time), (&json!("closed"), bench.context.clock.now()));
        assert_eq!(told[0].data["bankAccountId"], json!(account(name)));
        since_then.extend(told);
    }
    let versions: Vec<u64> = since_then.iter().map(|event| read(event).version).collect();
    assert_eq!(versions, [4, 5, 6], "above the end's");
    let mut bare = since_then[2].data.clone();
    bare.as_object_mut().unwrap().remove("modifiedAt");
    let id = path.rsplit('/').next().unwrap();
    let asked = bench.call("findFranchiseTerms", Caller::Platform, json!({ "franchiseId": id })).await;
    assert_eq!(asked.unwrap().body, json!({ "franchise": bare }));

    // What was told until the end is told again as it was, with the accounts of then.
    let known = bench.world.published().len();
    bench.call("republish", Caller::Platform, json!({})).await.unwrap();
    let again = bench.world.published().split_off(known);
    assert_eq!(again[..3], until_the_end);
    assert_eq!(again[3..], since_then[2..]);
}

#[tokio::test]
async fn an_item_that_cannot_be_read_goes_to_republishs_queue_and_holds_up_nobody() {
    let bench = bench();
    registered(&bench).await;
    let mut batch = bench.stream();
    let mut broken = batch.changes[0].clone();
    let new = broken.new.as_mut().unwrap();
    new.insert("feeTerms".to_owned(), AttributeValue::L(Vec::new()));
    new.insert("pk".to_owned(), AttributeValue::S("franchise#broken".to_owned()));
    batch.changes.insert(0, broken);
    let reply = bench.call("relayOutbox", Caller::Platform, json!(batch)).await.unwrap();
    assert_eq!(reply.body, json!({ "published": 1, "failedSequence": null }));
    let queued = bench.world.take_queued();
    assert_eq!((queued.len(), queued[0].operation.as_str()), (1, "franchise.republish"));
    assert_eq!(queued[0].body["keys"][0]["partition"], "franchise#broken");
}

/// What an operator or the owner may do next.
fn deeds() -> impl Strategy<Value = Vec<(u8, u16, i64)>> {
    prop::collection::vec((0..5_u8, 0..4_u16, 0..30_i64), 0..14)
}

async fn live(bench: &Bench, path: &str, deeds: &[(u8, u16, i64)]) {
    for (deed, fee, days) in deeds {
        bench.world.pass_seconds(days * 40_000);
        let from = bench.context.clock.now().plus_seconds(days * 86_400).business_day();
        let second = if *fee % 2 == 0 { "hana" } else { "hana's second" };
        let request = match deed {
            0 | 1 => modify(path, &json!({ "feeBps": fee, "feeFrom": from })),
            2 => modify(path, &json!({ "bankAccountId": account(second) })),
            3 => modify(path, &json!({ "name": format!("가게 {fee}") })),
            _ => modify(path, &json!({ "settlementCycle": { "kind": "weekly", "weekday": "monday" } })),
        };
        assert_eq!(bench.send(request).await.status, 200);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However facts come, twice or in another order, the highest version is the franchise as it is, and what each
    /// says of the fees that were then in force is true of the last one too.
    #[test]
    fn a_copy_that_keeps_the_highest_version_is_the_franchise(
        deeds in deeds(),
        // Whether it closes, and to which accounts it is paid out after that.
        end in prop::option::of(prop::collection::vec(any::<bool>(), 0..4)),
        order in prop::collection::vec(any::<prop::sample::Index>(), 40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bench = bench();
            let path = registered(&bench).await;
            live(&bench, &path, &deeds).await;
            if let Some(accounts) = &end {
                bench.send(close(&path)).await;
                for is_second in accounts {
                    bench.world.pass_seconds(60);
                    let name = if *is_second { "hana's second" } else { "hana" };
                    let change = modify(&path, &json!({ "bankAccountId": account(name) }));
                    assert_eq!(bench.send(change).await.status, 200);
                }
            }
            let told = bench.relay().await.unwrap();
            bench.call("republish", Caller::Platform, json!({})).await.unwrap();
            let again = bench.world.published().split_off(told.len());
            assert!(again.iter().all(|event| told.contains(event)), "{again:?}");
            let mut copies: BTreeMap<String, Franchise> = BTreeMap::new();
            let shuffled = order.iter().map(|place| &told[place.index(told.len())]);
            for event in shuffled.chain(&told) {
                let fact = read(event);
                let newer = copies.get(&event.subject).is_none_or(|copy| copy.version < fact.version);
                if newer {
                    copies.insert(event.subject.clone(), fact);
                }
            }
            let copy = &copies[path.rsplit('/').next().unwrap()];
            let shown = crate::get(&bench, &path).await.body;
            assert_eq!(json!(copy.version), shown["version"]);
            assert_eq!(json!(copy.bank_account_id), shown["bankAccountId"]);
            assert_eq!(json!(copy.settlement_cycle), shown["settlementCycle"]);
            assert_eq!(copy.state == FranchiseState::Closed, end.is_some());
            let terms: Vec<_> = copy.fee_terms.terms().map(|terms| json!(terms.since)).collect();
            let shown: Vec<_> = shown["feeTerms"].as_array().unwrap().iter().map(|fee| fee["since"].clone()).collect();
            assert_eq!(terms, shown);
            for event in &told {
                let just_before = event.time.plus_seconds(-1);
                let kept = copy.fee_terms.terms().next().unwrap().since;
                if just_before >= kept {
                    assert_eq!(read(event).fee_terms.in_force(just_before), copy.fee_terms.in_force(just_before));
                }
            }
        });
    }
}

#[tokio::test]
async fn payment_is_told_the_same_terms_directly_as_by_the_facts() {
    let bench = bench();
    let path = registered(&bench).await;
    let told = bench.relay().await.unwrap().pop().unwrap();
    let id = path.rsplit('/').next().unwrap();
    let ask = async |id: &str| {
        let caller = Caller::Service("payment.requestPayment".to_owned());
        bench.call("findFranchiseTerms", caller, json!({ "franchiseId": id })).await.unwrap().body
    };
    let mut expected = told.data;
    expected.as_object_mut().unwrap().remove("registeredAt");
    assert_eq!(ask(id).await, json!({ "franchise": expected }));
    assert_eq!(ask("frc_01J00000000000000000000000").await, json!({}));
}
