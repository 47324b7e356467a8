//! The ledger's invariants under random steps, repeated, interleaved and with clocks that jump.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use contract::Reference;
use kernel::{Id, Money, Timestamp, id::MembershipId};
use money::{
    domain::{Account, Chain, Decision, Entry, Kind, Limits, Order, Step, decide, refuse},
    items::wallet_of,
};
use proptest::prelude::*;
use store::Record;

fn owner() -> MembershipId {
    Id::derive(&["owner"])
}

fn other() -> MembershipId {
    Id::derive(&["other"])
}

fn limits() -> Limits {
    Limits {
        wallet_cap: Money::won(1_000),
        recharge_each: Money::won(600),
        recharge_per_day: Money::won(1_500),
        recharge_per_month: Money::won(3_000),
        transfer_each: Money::won(500),
        transfer_per_day: Money::won(900),
        transfer_per_month: Money::won(2_000),
    }
}

/// What a random history does: a saga's recharge, its end, or a transfer; at a clock that may go back.
#[derive(Clone, Debug)]
enum Move {
    Expect(u8, u32),
    Close(u8, bool),
    Send(u32),
    Receive(u32),
}

fn moves() -> impl Strategy<Value = Vec<(Move, i64)>> {
    let one = prop_oneof![
        (0..6_u8, 1..700_u32).prop_map(|(saga, amount)| Move::Expect(saga, amount)),
        (0..6_u8, any::<bool>()).prop_map(|(saga, succeeded)| Move::Close(saga, succeeded)),
        (1..700_u32).prop_map(Move::Send),
        (1..700_u32).prop_map(Move::Receive),
    ];
    prop::collection::vec((one, -40_000..90_000_i64), 1..60)
}

fn order(id: String, birth: Timestamp, step: Step) -> Order {
    Order { step, reference: Reference { id, birth }, traceparent: events::EXAMPLE_TRACEPARENT.to_owned() }
}

/// Runs a step as chains::append does, on a chain that nobody else writes to.
fn run(chain: &mut Chain, order: &Order, now: Timestamp) -> Decision {
    let decision = decide(chain, order, &limits(), now).expect("an invariant would break");
    match &decision {
        Decision::Append(entry) => chain.push(entry.clone()),
        Decision::Refuse(refusal) => {
            let entry = refuse(chain, order, *refusal, now).expect("a refusal is always possible");
            chain.push(entry);
        }
        _ => {}
    }
    decision
}

fn effect(entry: &Entry) -> i128 {
    let own = Some(Account::Wallet(entry.wallet_id));
    let amount = i128::from(entry.amount.amount());
    match (entry.debit == own, entry.credit == own) {
        (true, false) => -amount,
        (false, true) => amount,
        _ => 0,
    }
}

fn judge(chain: &Chain) {
    assert!(chain.is_contiguous());
    let mut references = std::collections::BTreeSet::new();
    let mut balance = 0_i128;
    for entry in chain.entries.iter().rev() {
        balance += effect(entry);
        assert_eq!(balance, i128::from(entry.standing.balance.amount()), "the running balance");
        assert!(entry.standing.available().is_ok(), "held is covered");
        assert_eq!(entry.debit.is_some(), entry.credit.is_some(), "both legs or none");
        assert!(entry.time >= entry.birth, "no entry before its birth");
        assert_eq!(entry.standing.day, entry.time.seoul_day());
        assert!(references.insert(entry.reference.clone()), "a reference has one effect");
        assert_eq!(entry.purpose == Kind::Refused, entry.refusal.is_some());
        let holding = entry.standing.balance.plus(entry.standing.expected).unwrap();
        assert!(holding <= limits().wallet_cap, "the cap holds, what is expected included");
        assert!(entry.standing.transferred_today <= limits().transfer_per_day);
        assert!(entry.standing.recharged_today <= limits().recharge_per_day);
        assert!(entry.standing.recharged_this_month <= limits().recharge_per_month);
    }
}

proptest! {
    #[test]
    fn every_history_keeps_every_invariant(history in moves(), repeat_each: bool) {
        let mut chain = Chain { wallet_id: wallet_of(owner()), owner: owner(), entries: Vec::new() };
        let mut clock = events::example_time();
        let mut births = std::collections::BTreeMap::new();
        let mut expected = std::collections::BTreeMap::new();
        for (number, (what, jump)) in history.into_iter().enumerate() {
            clock = clock.plus_seconds(jump);
            let order = match what {
                Move::Expect(saga, amount) => {
                    let birth = *births.entry(saga).or_insert(clock);
                    let amount = *expected.entry(saga).or_insert(Money::won(amount));
                    order(format!("mcr_{saga}/expect"), birth, Step::Expect(amount))
                }
                Move::Close(saga, succeeded) => {
                    // A saga closes only what its chain says was announced.
                    let announced = chain.find(&format!("mcr_{saga}/expect")).filter(|entry| entry.refusal.is_none());
                    let Some(amount) = announced.map(|entry| entry.amount) else { continue };
                    let step = if succeeded { Step::Recharge(amount) } else { Step::Release(amount) };
                    order(format!("mcr_{saga}/close"), births[&saga], step)
                }
                Move::Send(amount) => order(format!("send {number}"), clock, Step::Send(Money::won(amount), wallet_of(other()))),
                Move::Receive(amount) => order(format!("receive {number}"), clock, Step::Receive(Money::won(amount), wallet_of(other()))),
            };
            let before = chain.entries.len();
            run(&mut chain, &order, clock);
            prop_assert!(chain.entries.len() <= before + 1);
            if repeat_each {
                let length = chain.entries.len();
                let again = run(&mut chain, &order, clock.plus_seconds(100_000));
                prop_assert!(matches!(again, Decision::Done(_) | Decision::WasRefused(_) | Decision::OtherTerms));
                prop_assert_eq!(chain.entries.len(), length, "a repeated step appends nothing");
            }
        }
        judge(&chain);
    }

    #[test]
    fn an_entry_is_one_write_unit(amount in 0..=Money::MAX.amount()) {
        let money = Money::try_won(amount).unwrap();
        let mut chain = Chain { wallet_id: wallet_of(owner()), owner: owner(), entries: Vec::new() };
        let largest = Limits {
            wallet_cap: Money::MAX, recharge_each: Money::MAX, recharge_per_day: Money::MAX, recharge_per_month: Money::MAX,
            transfer_each: Money::MAX, transfer_per_day: Money::MAX, transfer_per_month: Money::MAX,
        };
        let id = format!("{}/expect", kernel::id::MoneyRequestId::derive(&["a"]));
        let order = order(id, events::example_time(), Step::Receive(money, wallet_of(other())));
        if let Decision::Append(entry) = decide(&chain, &order, &largest, events::example_time()).unwrap() {
            chain.push(entry);
        }
        let item = chain.tip().unwrap().to_item().unwrap();
        prop_assert!(size(&item) <= 1024, "{} bytes", size(&item));
    }
}

/// An item's size as DynamoDB counts it: names and values; a number takes about half its digits, plus one.
fn size(item: &store::Item) -> usize {
    fn value(value: &store::AttributeValue) -> usize {
        use store::AttributeValue as V;
        match value {
            V::S(text) => text.len(),
            V::N(digits) => digits.len().div_ceil(2) + 1,
            V::M(map) => {
                3 + map.iter().map(|(name, inner)| name.len() + value_size(inner) + 1).sum::<usize>()
            }
            _ => 1,
        }
    }
    fn value_size(inner: &store::AttributeValue) -> usize {
        value(inner)
    }
    item.inner().iter().map(|(name, inner)| name.len() + value(inner)).sum()
}

fn wallet_with(balance: u32) -> Chain {
    let mut chain = Chain { wallet_id: wallet_of(owner()), owner: owner(), entries: Vec::new() };
    let receive = Step::Receive(Money::won(balance), wallet_of(other()));
    run(&mut chain, &order("first".to_owned(), events::example_time(), receive), events::example_time());
    chain
}

#[test]
fn a_refused_step_stays_refused_when_the_balance_has_grown() {
    let mut chain = wallet_with(5);
    let now = events::example_time();
    let send = order("txf_1".to_owned(), now, Step::Send(Money::won(100), wallet_of(other())));
    assert!(matches!(run(&mut chain, &send, now), Decision::Refuse(_)));
    run(&mut chain, &order("more".to_owned(), now, Step::Receive(Money::won(500), wallet_of(other()))), now);
    assert!(matches!(run(&mut chain, &send, now), Decision::WasRefused(_)));
    assert_eq!(chain.tip().unwrap().standing.balance, Money::won(505));
}

#[test]
fn a_reference_with_other_terms_changes_nothing() {
    let mut chain = wallet_with(500);
    let now = events::example_time();
    let send =
        |amount, birth| order("txf_1".to_owned(), birth, Step::Send(Money::won(amount), wallet_of(other())));
    assert!(matches!(run(&mut chain, &send(100, now), now), Decision::Append(_)));
    assert_eq!(run(&mut chain, &send(200, now), now), Decision::OtherTerms);
    assert_eq!(run(&mut chain, &send(100, now.plus_seconds(1)), now), Decision::OtherTerms);
    assert_eq!(chain.tip().unwrap().standing.balance, Money::won(400));
}

#[test]
fn certain_money_that_a_closed_wallet_cannot_take_goes_to_suspense() {
    let mut chain = wallet_with(5);
    let now = events::example_time();
    run(&mut chain, &order("mcr_1/expect".to_owned(), now, Step::Expect(Money::won(50))), now);
    chain.entries[0].standing.closed = true;
    let Decision::Append(entry) =
        run(&mut chain, &order("mcr_1/close".to_owned(), now, Step::Recharge(Money::won(50))), now)
    else {
        panic!("certain money was refused");
    };
    assert_eq!((entry.debit, entry.credit), (Some(Account::BankCorporate), Some(Account::Suspense)));
    assert_eq!(entry.standing.balance, Money::won(5));
}

#[test]
fn a_release_gives_back_only_what_its_own_day_used() {
    let begin = "2026-11-22T14:00:00Z".parse::<Timestamp>().unwrap();
    for (later_seconds, left_today, left_this_month) in [(60, 0, 0), (7_200, 100, 100), (9 * 86_400, 0, 0)] {
        let mut chain = wallet_with(0);
        chain.entries.clear();
        run(&mut chain, &order("mcr_1/expect".to_owned(), begin, Step::Expect(Money::won(50))), begin);
        let later = begin.plus_seconds(later_seconds);
        if left_today > 0 {
            run(&mut chain, &order("mcr_2/expect".to_owned(), later, Step::Expect(Money::won(100))), later);
        }
        run(&mut chain, &order("mcr_1/close".to_owned(), begin, Step::Release(Money::won(50))), later);
        let standing = &chain.tip().unwrap().standing;
        assert_eq!(standing.recharged_today, Money::won(left_today), "{later_seconds} s later");
        assert_eq!(standing.recharged_this_month, Money::won(left_this_month), "{later_seconds} s later");
    }
}
