//! Remittances with a fault at any call: they converge, and money is neither made nor lost.
//!
//! Executors of the same and of other remittances run at once, and some are left to whoever sweeps; the table, money
//! and banking die before a call, lose its answer or conflict; the bank doubts. Afterwards the faults stop and the
//! sweepers run until all is final.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    dead_code,
    reason = "a test that fails should fail loudly"
)]

mod support;

use contract::testing::Request;
use kernel::id::RemittanceId;
use money::domain::{Entry, Kind};
use proptest::prelude::*;
use remittance::items::{Receiver, Remittance, RemittanceState};
use serde_json::Value;
use std::collections::BTreeMap;
use store::{Record, kind_of, read};
use support::*;

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let one = prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::Before),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Conflict),
        1 => Just(Fault::Repeated),
    ];
    prop::collection::vec(one, 0..80)
}

/// One of a few remittances: asking for the same one again is a repetition of its key.
#[derive(Clone, Debug)]
struct Ask {
    to: Value,
    kind: u64,
    key: u64,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let to = prop::sample::select(vec![
        (0, to_member(dul())),
        (1, to_email(DUL_EMAIL)),
        (2, to_shop()),
        (2, to_shop()),
    ]);
    let ask = (to, 0..3_u64).prop_map(|((kind, to), key)| Ask { to, kind, key });
    prop::collection::vec(ask, 1..9)
}

/// Some can be paid at once, and some are short.
fn request(ask: &Ask) -> Request {
    remit(&format!("{}-{}", ask.kind, ask.key), &ask.to, 1_000 + ask.key * 7_000)
}

/// Runs a history under faults, then lets the system come to rest.
async fn run(plan: Vec<Fault>, asks: Vec<Ask>, doubts: u32, declines_some: bool) -> Town {
    let mut town = Town::with(20_000).await;
    {
        let mut others = town.wires.others();
        others.doubts = doubts;
        others.declines_some = declines_some;
    }
    let calm = town.remittance.context.clone();
    town.plan(plan);
    for pair in asks.chunks(2) {
        match pair {
            [one, two] => {
                let (one, two) = (town.remittance.send(request(one)), town.remittance.send(request(two)));
                drop(tokio::join!(one, two));
            }
            one => drop(town.remittance.send(request(&one[0])).await),
        }
        town.remittance.world.pass_seconds(21);
        // The sweepers meddle while remittances are still being made, two at once.
        let sweep = || town.remittance.sweep("sweepRemittances");
        drop(tokio::join!(sweep(), sweep()));
    }
    town.wires.plan.set(Vec::new());
    town.remittance.context = calm;
    town.wires.others().doubts = 0;
    for _ in 0..4 {
        town.remittance.world.pass_seconds(1_000);
        town.money.sweep("sweepMoneyRequests").await.unwrap();
        town.sweep().await;
    }
    town
}

/// What the ledger did under the references of one saga, oldest first.
fn kinds(entries: &[Entry], saga: RemittanceId) -> Vec<Kind> {
    let of_saga = |entry: &&Entry| entry.reference.starts_with(&format!("{saga}/"));
    entries.iter().filter(of_saga).map(|entry| entry.purpose).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn remittances_converge_and_money_is_conserved(
        plan in faults(), asks in asks(), doubts in 0..4_u32, declines_some: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let town = runtime.block_on(run(plan, asks, doubts, declines_some));
        let (sender, receiver) = runtime.block_on(async { (town.standing(hana()).await, town.standing(dul()).await) });
        let mut sent: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for item in town.money.twin.items().into_iter().filter(|item| kind_of(item) == Entry::KIND) {
            let entry: Entry = read(item).unwrap();
            sent.entry(entry.owner.to_string()).or_default().push(entry);
        }
        let (of_hana, of_dul) = (&sent[&hana().to_string()], sent.get(&dul().to_string()).cloned().unwrap_or_default());

        let mut listed = 0;
        for item in town.remittance.twin.items() {
            let record: Remittance = read(item).unwrap();
            let id = record.remittance_id;
            let to_bank = matches!(record.to, Receiver::BankAccount { .. });
            let last: Vec<Kind> = kinds(of_hana, id).into_iter().filter(|kind| *kind != Kind::Refused).collect();
            let moved = town.wires.others().orders.get(&format!("{id}/bank")).and_then(|order| order.moved);
            match (record.state, to_bank) {
                (RemittanceState::Completed, false) => {
                    listed += 1;
                    prop_assert_eq!(last, [Kind::Remittance]);
                    prop_assert_eq!(kinds(&of_dul, id), [Kind::Remittance]);
                }
                (RemittanceState::Completed, true) => {
                    listed += 1;
                    prop_assert_eq!(last, [Kind::Hold, Kind::Post]);
                    prop_assert_eq!(moved, Some(true));
                }
                (RemittanceState::Failed, _) => {
                    prop_assert!(last.is_empty() || last == [Kind::Hold, Kind::Release], "{last:?}");
                    prop_assert!(moved != Some(true));
                }
                _ => prop_assert!(false, "{record:?} never ended"),
            }
        }
        let shown = runtime.block_on(town.get(hana(), "/v1/remittances?limit=100")).body;
        prop_assert_eq!(shown["items"].as_array().unwrap().len(), listed);
        prop_assert_eq!((sender.1, receiver.1), (0, 0), "nothing is held");
        prop_assert_eq!(i64::try_from(sender.0 + receiver.0).unwrap(), town.wires.others().moved());
    }
}

/// Nobody else has asked: a table that gave no answer is unavailable, and no other request is in progress.
#[tokio::test]
async fn a_first_request_is_never_told_to_wait_for_itself() {
    for place in 0..6 {
        for fault in [Fault::Before, Fault::AnswerLost] {
            let mut town = Town::with(20_000).await;
            town.plan(std::iter::repeat_n(Fault::None, place).chain([fault]).collect());
            let answer = town.remittance.send(remit("key", &to_member(dul()), 1_000)).await;
            assert!([200, 201, 202, 503].contains(&answer.status), "{place}: {}", answer.status);
        }
    }
    // Nor when the SDK has asked again, and the put has met what it had written itself.
    for fault in [Fault::Repeated, Fault::RepeatedInConflict] {
        let mut town = Town::with(20_000).await;
        town.plan(vec![fault]);
        let answer = town.remittance.send(remit("key", &to_member(dul()), 1_000)).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (201, None), "{}", answer.body);
        assert_eq!(town.balance(dul()).await, 1_000);
    }
}
