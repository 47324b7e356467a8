//! A franchise's journal under random steps, repeated, in any order, by executors who know more or less of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

mod size;

use contract::Reference;
use kernel::{Id, Money, Timestamp, id::FranchiseId};
use money::domain::{
    Account, Journal, JournalEntry, JournalOrder, JournalStep, Link,
    journal::{Booking, decide},
    link::is_contiguous,
};
use proptest::prelude::*;
use size::size;
use std::collections::BTreeMap;
use store::Record;

fn shop() -> FranchiseId {
    Id::derive(&["shop"])
}

fn order(reference: String, birth: Timestamp, step: JournalStep, amount: u64) -> JournalOrder {
    JournalOrder {
        step,
        amount: Money::try_won(amount).unwrap(),
        reference: Reference { id: reference, birth },
        traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
    }
}

/// The steps of one settlement: what it asks for under each of its references is fixed with it.
fn orders(settlement: u8, begin: Timestamp) -> Vec<JournalOrder> {
    let birth = begin.plus_seconds(i64::from(settlement) * 1_000);
    let amount = 1 + u64::from(settlement) * 7;
    let (fee, vat) = match settlement % 3 {
        0 => (JournalStep::ReturnFee, JournalStep::ReturnVat),
        _ => (JournalStep::TakeFee, JournalStep::TakeVat),
    };
    [("fee", fee, amount), ("vat", vat, amount * 2), ("paid", JournalStep::PayOut, amount * 3)]
        .map(|(step, what, amount)| order(format!("stl_{settlement}/{step}"), birth, what, amount))
        .to_vec()
}

/// What one executor does: which step, when by its clock, and how many of the newest entries its first read misses.
#[derive(Clone, Debug)]
struct Attempt {
    settlement: u8,
    step: usize,
    jump: i64,
    misses: usize,
    answer_lost: bool,
}

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let one = (0..6_u8, 0..3_usize, -40_000..90_000_i64, 0..4_usize, any::<bool>()).prop_map(
        |(settlement, step, jump, misses, answer_lost)| Attempt {
            settlement,
            step,
            jump,
            misses,
            answer_lost,
        },
    );
    prop::collection::vec(one, 1..80)
}

/// The newest entries of a stored journal, back to a birth, but for the newest `misses`.
fn read(stored: &[JournalEntry], birth: Timestamp, misses: usize) -> Journal {
    let mut entries: Vec<JournalEntry> = Vec::new();
    for entry in stored.iter().rev().skip(misses) {
        entries.push(entry.clone());
        if entry.time < birth {
            break;
        }
    }
    Journal { franchise_id: shop(), entries }
}

/// Does what journals::append does, on a table that holds `stored`, oldest first. None if the answer was lost.
fn append(
    stored: &mut Vec<JournalEntry>,
    order: &JournalOrder,
    attempt: &Attempt,
    now: Timestamp,
) -> Option<JournalEntry> {
    let mut journal = read(stored, order.reference.birth, attempt.misses);
    loop {
        match decide(&journal, order, now).unwrap() {
            Booking::Done(entry) => return Some(entry),
            Booking::OtherTerms => panic!("a settlement asks for one thing under one reference"),
            Booking::Append(entry) => {
                // The put, if absent.
                if entry.sequence == u64::try_from(stored.len()).unwrap() + 1 {
                    stored.push(entry.clone());
                    return (!attempt.answer_lost).then_some(entry);
                }
            }
        }
        journal = read(stored, order.reference.birth, 0);
    }
}

fn sum(stored: &[JournalEntry], debit: Account, credit: Account) -> i64 {
    let amount = |entry: &JournalEntry| i64::try_from(entry.amount.amount()).unwrap();
    stored.iter().filter(|entry| (entry.debit, entry.credit) == (debit, credit)).map(amount).sum()
}

proptest! {
    #[test]
    fn each_reference_has_one_effect_however_it_is_asked_for(history in attempts()) {
        let begin = events::example_time();
        let mut stored = Vec::new();
        let mut answers: BTreeMap<String, JournalEntry> = BTreeMap::new();
        let mut clock = begin;
        for attempt in &history {
            clock = clock.plus_seconds(attempt.jump);
            let order = &orders(attempt.settlement, begin)[attempt.step];
            if let Some(entry) = append(&mut stored, order, attempt, clock) {
                let first = answers.entry(order.reference.id.clone()).or_insert_with(|| entry.clone());
                prop_assert_eq!(&*first, &entry, "one answer for ever");
                prop_assert_eq!((entry.amount, entry.birth), (order.amount, order.reference.birth));
            }
        }
        let asked: std::collections::BTreeSet<_> =
            history.iter().map(|attempt| (attempt.settlement, attempt.step)).collect();
        prop_assert_eq!(stored.len(), asked.len(), "as many entries as references");
        let newest_first: Vec<JournalEntry> = stored.iter().rev().cloned().collect();
        prop_assert!(is_contiguous(&newest_first));
        prop_assert!(stored.iter().all(|entry| entry.time >= entry.birth));
        // Totals are the sums of the entries up to each.
        let own = Account::Franchise(shop());
        for length in 1..=stored.len() {
            let told = &stored[length - 1].totals;
            let sum = |debit, credit| sum(&stored[..length], debit, credit);
            let paid_out = i64::try_from(told.paid_out.amount()).unwrap();
            prop_assert_eq!(paid_out, sum(own, Account::BankCorporate));
            prop_assert_eq!(told.fee.amount(), sum(own, Account::FeeRevenue) - sum(Account::FeeRevenue, own));
            prop_assert_eq!(told.vat.amount(), sum(own, Account::VatPayable) - sum(Account::VatPayable, own));
        }
    }

    #[test]
    fn every_entry_is_one_write_unit(amount in (1 << 40)..=Money::MAX.amount() / 2) {
        let mut journal = Journal { franchise_id: shop(), entries: Vec::new() };
        for (number, step) in JournalStep::ALL.into_iter().enumerate() {
            let reference = format!("{}/adjusted/{number}", kernel::id::SettlementId::derive(&["a"]));
            let order = order(reference, events::example_time(), step, amount);
            let Booking::Append(entry) = decide(&journal, &order, events::example_time()).unwrap() else {
                panic!("{step:?} was not new");
            };
            let size = size(&entry.to_item().unwrap());
            prop_assert!(size <= 1024, "{step:?}: {size} bytes");
            journal.entries.insert(0, entry);
        }
    }
}

#[test]
fn other_terms_under_a_reference_change_nothing() {
    let now = events::example_time();
    let mut stored = Vec::new();
    let once = Attempt { settlement: 0, step: 0, jump: 0, misses: 0, answer_lost: false };
    let fee = |birth, step, amount| order("stl_1/fee".to_owned(), birth, step, amount);
    append(&mut stored, &fee(now, JournalStep::TakeFee, 500), &once, now);
    let journal = read(&stored, now, 0);
    for other in [
        fee(now, JournalStep::TakeFee, 501),
        fee(now, JournalStep::ReturnFee, 500),
        fee(now, JournalStep::TakeVat, 500),
        fee(now.plus_seconds(1), JournalStep::TakeFee, 500),
    ] {
        assert_eq!(decide(&journal, &other, now).unwrap(), Booking::OtherTerms, "{other:?}");
    }
    let same = decide(&journal, &fee(now, JournalStep::TakeFee, 500), now).unwrap();
    assert_eq!(same, Booking::Done(stored[0].clone()));
}

#[test]
fn one_franchises_entry_follows_on_none_of_anothers() {
    let now = events::example_time();
    let taken = |franchise_id, entries| {
        let journal = Journal { franchise_id, entries };
        match decide(&journal, &order(format!("{now}"), now, JournalStep::TakeFee, 1), now).unwrap() {
            Booking::Append(entry) => entry,
            other => panic!("{other:?}"),
        }
    };
    let first = taken(shop(), Vec::new());
    let forged =
        JournalEntry { reference: "another".to_owned(), ..taken(Id::derive(&["other"]), Vec::new()) };
    let forged = JournalEntry { sequence: 2, previous: first.hash(), ..forged };
    assert!(!first.is_followed_by(&forged));
    assert!(first.is_followed_by(&JournalEntry { franchise_id: shop(), ..forged }));
}

#[test]
fn only_a_franchise_and_pays_own_accounts_have_a_step_between_them() {
    let accounts = [
        Account::Wallet(Id::derive(&["wallet"])),
        Account::BankCorporate,
        Account::Franchise(shop()),
        Account::FeeRevenue,
        Account::VatPayable,
        Account::Suspense,
    ];
    let pairs = accounts.iter().flat_map(|debit| accounts.map(|credit| (*debit, credit)));
    let steps: Vec<JournalStep> = pairs
        .filter_map(|(debit, credit)| JournalStep::between(debit, credit))
        .map(|(_, step)| step)
        .collect();
    assert_eq!(steps.len(), JournalStep::ALL.len(), "{steps:?}");
    for step in JournalStep::ALL {
        let (debit, credit) = step.legs(shop());
        assert_eq!(JournalStep::between(debit, credit), Some((shop(), step)));
    }
}
