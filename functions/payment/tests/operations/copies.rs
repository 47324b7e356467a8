//! The copies of franchises: whatever order facts come in, and before the first has come.

use crate::{Pay, bps, franchise, merchant, payer, shop};
use contract::Caller;
use events::{
    Envelope, Fact,
    franchise::{Franchise, FranchiseClosed, FranchiseModified, FranchiseRegistered, FranchiseState},
};
use kernel::{FeeTerms, Timestamp};
use payment::items::FranchiseCopy;
use proptest::prelude::*;
use serde_json::json;
use store::{Record, kind_of, read};

fn with_fee(version: u64, fee: u16) -> Franchise {
    let mut changed = franchise(version);
    let since = Timestamp::EPOCH.plus_seconds(1);
    changed.fee_terms = changed.fee_terms.with(FeeTerms { since, fee_bps: bps(fee) });
    changed
}

fn copies(pay: &Pay) -> Vec<FranchiseCopy> {
    let items = pay.bench.twin.items().into_iter().filter(|item| kind_of(item) == FranchiseCopy::KIND);
    items.map(|item| read(item).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_highest_version_wins_in_any_order(order in prop::collection::vec(0..5_usize, 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let pay = Pay::without_shop();
            let closed = |version| Franchise { state: FranchiseState::Closed, ..with_fee(version, 300) };
            // It is paid out to another account since its end.
            let redirected = FranchiseModified { franchise: closed(5), modified_at: pay.now() };
            let now = pay.now();
            let modified = |version, fee| FranchiseModified { franchise: with_fee(version, fee), modified_at: now };
            for told in &order {
                match told {
                    0 => pay.tell(&FranchiseRegistered { franchise: franchise(1), registered_at: now }).await,
                    1 => pay.tell(&modified(2, 200)).await,
                    2 => pay.tell(&modified(3, 300)).await,
                    3 => pay.tell(&FranchiseClosed { franchise: closed(4), closed_at: now }).await,
                    _ => pay.tell(&redirected).await,
                }
            }
            let newest = order.iter().max().unwrap();
            let versions = [franchise(1), with_fee(2, 200), with_fee(3, 300), closed(4), closed(5)];
            let expected = &versions[*newest];
            assert_eq!(copies(&pay), [FranchiseCopy::from(expected)]);
        });
    }
}

#[tokio::test]
async fn a_franchise_whose_first_fact_is_on_its_way_is_asked_for_once() {
    let pay = Pay::without_shop();
    pay.recharge(payer(), 50_000).await;
    pay.services.franchises.lock().unwrap().insert(shop(), with_fee(2, 310));
    assert_eq!(pay.pay(1_000, "1").await.body["feeBps"], 310);
    assert_eq!(pay.pay(1_000, "2").await.body["feeBps"], 310);
    assert_eq!(pay.services.count("franchise.findFranchiseTerms"), 1);
    // The fact that was on its way is older than the answer.
    pay.tell(&FranchiseRegistered { franchise: franchise(1), registered_at: pay.now() }).await;
    assert_eq!(copies(&pay)[0].version, 2);
}

#[tokio::test]
async fn a_franchise_that_does_not_answer_is_asked_again() {
    let pay = Pay::without_shop();
    pay.recharge(payer(), 50_000).await;
    pay.services.franchises.lock().unwrap().insert(shop(), franchise(1));
    pay.services.fail_as(vec![crate::services::Fault::AnswerLost]);
    let answer = pay.pay(1_000, "k").await;
    assert_eq!((answer.status, answer.code()), (503, "temporarily_unavailable"));
    assert_eq!(pay.pay(1_000, "k").await.status, 201);
    // A merchant reads before the fact has come, too.
    let pay = Pay::without_shop();
    pay.services.franchises.lock().unwrap().insert(shop(), franchise(1));
    let path = format!("/v1/payments?franchiseId={}", shop());
    assert_eq!(pay.get(&path, merchant(), "member merchant").await.status, 200);
}

#[tokio::test]
async fn a_fact_that_cannot_be_kept_comes_again() {
    let mut pay = Pay::without_shop();
    let plan = crate::services::Plan::of(vec![crate::services::Fault::Conflict]);
    pay.bench.context.table =
        std::sync::Arc::new(crate::services::Trying { inner: pay.bench.twin.clone(), plan });
    let fact = FranchiseRegistered { franchise: franchise(1), registered_at: pay.now() };
    let event = json!(Envelope::of(&fact, "", pay.now(), events::EXAMPLE_TRACEPARENT));
    let refused = pay.bench.call("onFranchiseRegistered", Caller::Platform, event.clone()).await;
    assert_eq!(refused.unwrap_err().status, 503);
    pay.bench.call("onFranchiseRegistered", Caller::Platform, event).await.unwrap();
    assert_eq!(copies(&pay).len(), 1);
    assert_eq!(FranchiseRegistered::TYPE, "franchise.registered.v1");
}
