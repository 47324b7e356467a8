//! The ledger's invariants under random steps, repeated, interleaved and with clocks that jump.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

mod size;

use contract::{Reference, peers::ImplicitAccount};
use kernel::{
    Id, Money, Timestamp,
    id::{MembershipId, WalletId},
};
use money::{
    domain::{
        Account, Chain, Decision, Entry, Kind, Limits, Link, Order, Standing, Step, close_reference, decide,
        refuse,
    },
    refusals::Refusal,
};
use proptest::prelude::*;
use size::size;
use store::Record;

fn owner() -> MembershipId {
    Id::derive(&["owner"])
}

fn other() -> MembershipId {
    Id::derive(&["other"])
}

/// The limits that hold where nobody sets any are a promise to members and to the law, so they stand here once more.
#[test]
fn the_usual_limits_are_these() {
    let usual = Limits {
        wallet_cap: Money::won(2_000_000),
        recharge_each: Money::won(2_000_000),
        recharge_per_day: Money::won(5_000_000),
        recharge_per_month: Money::won(30_000_000),
        transfer_each: Money::won(2_000_000),
        transfer_per_day: Money::won(5_000_000),
        transfer_per_month: Money::won(30_000_000),
    };
    assert_eq!(Limits::default(), usual);
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

/// What a random history does: a saga's recharge or hold, its end, or a transfer; at a clock that may go back.
#[derive(Clone, Debug)]
enum Move {
    Expect(u8, u32),
    Close(u8, bool),
    Send(u32),
    Receive(u32),
    Pay(u32),
    Refund(u32),
    Hold(u8, u32),
    Post(u8, u32),
    Withdraw(u8, u32),
    Release(u8),
    End,
}

fn moves() -> impl Strategy<Value = Vec<(Move, i64)>> {
    let one = prop_oneof![
        (0..6_u8, 1..700_u32).prop_map(|(saga, amount)| Move::Expect(saga, amount)),
        (0..6_u8, any::<bool>()).prop_map(|(saga, succeeded)| Move::Close(saga, succeeded)),
        (1..700_u32).prop_map(Move::Send),
        (1..700_u32).prop_map(Move::Receive),
        (1..700_u32).prop_map(Move::Pay),
        (1..300_u32).prop_map(Move::Refund),
        (0..9_u8, 1..700_u32).prop_map(|(hold, amount)| Move::Hold(hold, amount)),
        (0..9_u8, 1..400_u32).prop_map(|(hold, amount)| Move::Post(hold, amount)),
        (0..9_u8, 1..400_u32).prop_map(|(hold, amount)| Move::Withdraw(hold, amount)),
        (0..9_u8).prop_map(Move::Release),
        Just(Move::End),
    ];
    prop::collection::vec((one, -40_000..90_000_i64), 1..80)
}

fn shop() -> kernel::id::FranchiseId {
    Id::derive(&["shop"])
}

fn order(id: String, birth: Timestamp, step: Step) -> Order {
    asked(Reference { id, birth }, step)
}

fn asked(reference: Reference, step: Step) -> Order {
    Order { step, reference, expires_at: None, traceparent: events::EXAMPLE_TRACEPARENT.to_owned() }
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

/// The hold that an entry closes.
fn closes(entry: &Entry) -> Option<&str> {
    entry.reference.strip_suffix("/close").filter(|reference| reference.starts_with("hold"))
}

/// What all entries up to one, oldest first, say about holds and about what has gone out: told again from the start,
/// without a look at any standing but the day labels of entries.
#[derive(Debug, PartialEq)]
struct Told {
    held: u64,
    today: u64,
    this_month: u64,
}

fn tell(entries: &[&Entry]) -> Told {
    let newest = &entries.last().unwrap().standing.day;
    let mut told = Told { held: 0, today: 0, this_month: 0 };
    for entry in entries {
        let amount = entry.amount.amount();
        let gone = match entry.purpose {
            Kind::Payment => amount,
            Kind::Remittance if entry.debit == Some(entry.own_account()) => amount,
            // What is held has gone out, until it is closed; then what was posted has.
            Kind::Hold => match entries.iter().find(|other| closes(other) == Some(&entry.reference)) {
                None => {
                    told.held += amount;
                    amount
                }
                Some(close) if close.purpose == Kind::Release => {
                    assert_eq!(close.amount, entry.amount, "a release frees the whole hold");
                    0
                }
                Some(close) => {
                    assert!(close.amount <= entry.amount, "more was posted than was held");
                    close.amount.amount()
                }
            },
            _ => 0,
        };
        told.today += if entry.standing.day == *newest { gone } else { 0 };
        told.this_month += if entry.standing.day.month() == newest.month() { gone } else { 0 };
    }
    told
}

fn judge(chain: &Chain) {
    assert!(chain.is_contiguous());
    let oldest_first: Vec<&Entry> = chain.entries.iter().rev().collect();
    for length in 1..=oldest_first.len() {
        let standing = &oldest_first[length - 1].standing;
        let shown = Told {
            held: standing.held.amount(),
            today: standing.transferred_today.amount(),
            this_month: standing.transferred_this_month.amount(),
        };
        assert_eq!(tell(&oldest_first[..length]), shown, "at entry {length}");
    }
    let mut references = std::collections::BTreeSet::new();
    let mut balance = 0_i128;
    let mut is_closed = false;
    let mut above = 0;
    for entry in chain.entries.iter().rev() {
        balance += effect(entry);
        assert_eq!(balance, i128::from(entry.standing.balance.amount()), "the running balance");
        assert!(entry.standing.available().is_ok(), "held is covered");
        assert_eq!(entry.debit.is_some(), entry.credit.is_some(), "both legs or none");
        assert!(entry.time >= entry.birth, "no entry before its birth");
        assert_eq!(entry.standing.day, entry.time.seoul_day());
        assert!(references.insert(entry.reference.clone()), "a reference has one effect");
        assert_eq!(entry.purpose == Kind::Refused, entry.refusal.is_some());
        is_closed |= entry.purpose == Kind::Close;
        assert_eq!(entry.standing.closed, is_closed, "closed from its close on, and for ever");
        if is_closed {
            let Standing { balance, held, expected, .. } = &entry.standing;
            assert!(
                [balance, held, expected].iter().all(|left| left.is_zero()),
                "nothing is in a closed wallet"
            );
        }
        let holding = entry.standing.balance.plus(entry.standing.expected).unwrap();
        // What comes back from a franchise is taken above the cap too.
        if entry.purpose == Kind::Cancellation {
            above += entry.amount.amount();
        }
        assert!(
            holding.amount() <= limits().wallet_cap.amount() + above,
            "the cap holds, what is expected included"
        );
        if entry.purpose == Kind::Payment {
            assert!(entry.time < entry.birth.plus_seconds(1), "a payment is never late");
        }
        assert!(entry.standing.transferred_today <= limits().transfer_per_day);
        assert!(entry.standing.transferred_this_month <= limits().transfer_per_month);
        assert!(entry.standing.recharged_today <= limits().recharge_per_day);
        assert!(entry.standing.recharged_this_month <= limits().recharge_per_month);
    }
}

proptest! {
    #[test]
    fn every_history_keeps_every_invariant(history in moves(), repeat_each: bool) {
        let mut chain = Chain { wallet_id: WalletId::of(owner()), owner: owner(), entries: Vec::new() };
        let mut clock = events::example_time();
        let mut births = std::collections::BTreeMap::new();
        let mut expected = std::collections::BTreeMap::new();
        let mut hold_births = std::collections::BTreeMap::new();
        for (number, (what, jump)) in history.into_iter().enumerate() {
            clock = clock.plus_seconds(jump);
            let mut of_hold = |hold: u8| {
                // One may be given up before it is asked for, under the birth that it was going to have.
                let birth = *hold_births.entry(hold).or_insert(clock);
                Reference { id: format!("hold {hold}"), birth }
            };
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
                Move::Send(amount) => order(format!("send {number}"), clock, Step::Send(Money::won(amount), WalletId::of(other()))),
                Move::Receive(amount) => order(format!("receive {number}"), clock, Step::Receive(Money::won(amount), WalletId::of(other()))),
                // Its time is over when its clock says a second more.
                Move::Pay(amount) => Order {
                    expires_at: Some(clock.plus_seconds(1)),
                    ..order(format!("pay {number}"), clock, Step::Pay(Money::won(amount), shop()))
                },
                Move::Refund(amount) => order(format!("refund {number}"), clock, Step::Refund(Money::won(amount), shop())),
                Move::Hold(hold, amount) => asked(of_hold(hold), Step::Hold(Money::won(amount))),
                Move::Post(hold, amount) => {
                    asked(close_reference(&of_hold(hold)), Step::Post(Money::won(amount), ImplicitAccount::FeeRevenue {}))
                }
                Move::Withdraw(hold, amount) => asked(close_reference(&of_hold(hold)), Step::Withdraw(Money::won(amount))),
                Move::End => order(format!("mbr/closing/{number}"), clock, Step::Close),
                Move::Release(hold) => asked(close_reference(&of_hold(hold)), Step::ReleaseHold),
            };
            let before = chain.entries.len();
            run(&mut chain, &order, clock);
            prop_assert!(chain.entries.len() <= before + 1);
            if repeat_each {
                let length = chain.entries.len();
                let again = run(&mut chain, &order, clock.plus_seconds(100_000));
                prop_assert!(matches!(
                    again,
                    Decision::Done(_) | Decision::WasRefused(_) | Decision::OtherTerms | Decision::NotHeld
                ));
                prop_assert_eq!(chain.entries.len(), length, "a repeated step appends nothing");
            }
        }
        judge(&chain);
    }

    #[test]
    fn every_entry_is_one_write_unit(amount in (1 << 40)..=Money::MAX.amount() / 4) {
        let money = Money::try_won(amount).unwrap();
        let mut chain = Chain { wallet_id: WalletId::of(owner()), owner: owner(), entries: Vec::new() };
        let largest = Limits {
            wallet_cap: Money::MAX, recharge_each: Money::MAX, recharge_per_day: Money::MAX, recharge_per_month: Money::MAX,
            transfer_each: Money::MAX, transfer_per_day: Money::MAX, transfer_per_month: Money::MAX,
        };
        let id = |step: &str| format!("{}/{step}", kernel::id::MoneyRequestId::derive(&["a"]));
        let franchise = ImplicitAccount::Franchise { franchise_id: Id::derive(&["franchise"]) };
        let steps = [
            (id("move"), Step::Receive(money, WalletId::of(other()))),
            (id("expect"), Step::Expect(money)),
            (id("close"), Step::Recharge(money)),
            (id("hold"), Step::Hold(money)),
            (id("hold/close"), Step::Post(money, franchise)),
            (id("paid"), Step::Refund(money, shop())),
            (id("refused"), Step::Send(Money::MAX, WalletId::of(other()))),
        ];
        for (id, step) in steps {
            let order = order(id, events::example_time(), step);
            let decision = decide(&chain, &order, &largest, events::example_time()).unwrap();
            let entry = match decision {
                Decision::Append(entry) => entry,
                Decision::Refuse(refusal) => refuse(&chain, &order, refusal, events::example_time()).unwrap(),
                other => panic!("{other:?}"),
            };
            let item = entry.to_item().unwrap();
            prop_assert!(size(&item) <= 1024, "{step:?}: {} bytes", size(&item));
            chain.push(entry);
        }
    }
}

fn wallet_with(balance: u32) -> Chain {
    let mut chain = Chain { wallet_id: WalletId::of(owner()), owner: owner(), entries: Vec::new() };
    let receive = Step::Receive(Money::won(balance), WalletId::of(other()));
    run(&mut chain, &order("first".to_owned(), events::example_time(), receive), events::example_time());
    chain
}

#[test]
fn a_refused_step_stays_refused_when_the_balance_has_grown() {
    let mut chain = wallet_with(5);
    let now = events::example_time();
    let send = order("txf_1".to_owned(), now, Step::Send(Money::won(100), WalletId::of(other())));
    assert!(matches!(run(&mut chain, &send, now), Decision::Refuse(_)));
    run(
        &mut chain,
        &order("more".to_owned(), now, Step::Receive(Money::won(500), WalletId::of(other()))),
        now,
    );
    assert!(matches!(run(&mut chain, &send, now), Decision::WasRefused(_)));
    assert_eq!(chain.tip().unwrap().standing.balance, Money::won(505));
}

#[test]
fn a_reference_with_other_terms_changes_nothing() {
    let mut chain = wallet_with(500);
    let now = events::example_time();
    let send = |amount, birth| {
        order("txf_1".to_owned(), birth, Step::Send(Money::won(amount), WalletId::of(other())))
    };
    assert!(matches!(run(&mut chain, &send(100, now), now), Decision::Append(_)));
    assert_eq!(run(&mut chain, &send(200, now), now), Decision::OtherTerms);
    assert_eq!(run(&mut chain, &send(100, now.plus_seconds(1)), now), Decision::OtherTerms);
    assert_eq!(chain.tip().unwrap().standing.balance, Money::won(400));
}

#[test]
fn a_wallet_ends_only_when_nothing_is_in_it_or_on_its_way() {
    let now = events::example_time();
    let end = |number: u32| order(format!("mbr/closing/{number}"), now, Step::Close);
    let mut chain = wallet_with(100);
    assert_eq!(run(&mut chain, &end(1), now), Decision::Refuse(Refusal::WalletNotEmpty));
    run(&mut chain, &hold(100, now), now);
    assert_eq!(run(&mut chain, &end(2), now), Decision::Refuse(Refusal::MoneyHeld));
    run(&mut chain, &close(post(100), now), now);
    run(&mut chain, &order("mcr_1/expect".to_owned(), now, Step::Expect(Money::won(50))), now);
    assert_eq!(run(&mut chain, &end(3), now), Decision::Refuse(Refusal::RechargeExpected));
    run(&mut chain, &order("mcr_1/close".to_owned(), now, Step::Release(Money::won(50))), now);
    assert_eq!(run(&mut chain, &end(1), now), Decision::WasRefused(Refusal::WalletNotEmpty));
    assert!(matches!(run(&mut chain, &end(4), now), Decision::Append(entry) if entry.standing.closed));
    let late = [
        (Step::Expect(Money::won(1)), Refusal::WalletClosed),
        (Step::Hold(Money::won(1)), Refusal::WalletClosed),
        (Step::Receive(Money::won(1), WalletId::of(other())), Refusal::ReceiverClosed),
    ];
    for (step, refusal) in late {
        let order = order(format!("late {step:?}"), now, step);
        assert_eq!(run(&mut chain, &order, now), Decision::Refuse(refusal));
    }
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

fn hold(amount: u32, birth: Timestamp) -> Order {
    order("hold".to_owned(), birth, Step::Hold(Money::won(amount)))
}

fn close(step: Step, birth: Timestamp) -> Order {
    order("hold/close".to_owned(), birth, step)
}

fn post(amount: u32) -> Step {
    Step::Post(Money::won(amount), ImplicitAccount::BankCorporate {})
}

#[test]
fn what_is_held_cannot_be_spent_and_can_always_be_posted() {
    let now = events::example_time();
    let mut chain = wallet_with(500);
    run(&mut chain, &hold(300, now), now);
    let spend = |amount, name: &str| {
        order(name.to_owned(), now, Step::Send(Money::won(amount), WalletId::of(other())))
    };
    assert!(matches!(run(&mut chain, &spend(201, "too much"), now), Decision::Refuse(_)));
    assert!(matches!(run(&mut chain, &spend(200, "the rest"), now), Decision::Append(_)));
    // Not even a wallet that was closed in between keeps certain money back.
    chain.entries[0].standing.closed = true;
    let Decision::Append(entry) = run(&mut chain, &close(post(300), now), now) else {
        panic!("held money was not posted");
    };
    assert_eq!((entry.debit, entry.credit), (Some(entry.own_account()), Some(Account::BankCorporate)));
    assert_eq!((entry.standing.balance, entry.standing.held), (Money::ZERO, Money::ZERO));
}

#[test]
fn a_partial_post_frees_the_rest_in_the_same_entry() {
    let now = events::example_time();
    let mut chain = wallet_with(500);
    run(&mut chain, &hold(300, now), now);
    assert_eq!(chain.tip().unwrap().standing.transferred_today, Money::won(300));
    run(&mut chain, &close(post(100), now), now);
    let standing = chain.tip().unwrap().standing.clone();
    assert_eq!((standing.balance, standing.held), (Money::won(400), Money::ZERO));
    assert_eq!(
        (standing.transferred_today, standing.transferred_this_month),
        (Money::won(100), Money::won(100))
    );
}

#[test]
fn a_hold_is_closed_once_and_by_its_first_terms_only() {
    let now = events::example_time();
    let ways = [post(300), post(200), Step::Withdraw(Money::won(300)), Step::ReleaseHold];
    for first in ways {
        for second in ways {
            let mut chain = wallet_with(500);
            run(&mut chain, &hold(300, now), now);
            assert!(matches!(run(&mut chain, &close(first, now), now), Decision::Append(_)));
            let length = chain.entries.len();
            let again = run(&mut chain, &close(second, now), now);
            if first == second {
                assert!(matches!(again, Decision::Done(_)), "{first:?} twice: {again:?}");
            } else {
                assert_eq!(again, Decision::OtherTerms, "{first:?}, then {second:?}");
            }
            assert_eq!(chain.entries.len(), length);
        }
    }
}

#[test]
fn nothing_is_posted_that_is_not_held() {
    let now = events::example_time();
    let mut chain = wallet_with(500);
    assert_eq!(run(&mut chain, &close(post(1), now), now), Decision::NotHeld, "before the hold");
    run(&mut chain, &hold(300, now), now);
    assert_eq!(run(&mut chain, &close(post(301), now), now), Decision::NotHeld, "more than the hold");
    let born_otherwise = close(post(300), now.plus_seconds(-1));
    assert_eq!(run(&mut chain, &born_otherwise, now), Decision::OtherTerms, "with another birth");
    assert!(matches!(run(&mut chain, &close(post(300), now), now), Decision::Append(_)));

    let mut poor = wallet_with(5);
    assert!(matches!(run(&mut poor, &hold(300, now), now), Decision::Refuse(_)));
    assert_eq!(run(&mut poor, &close(post(5), now), now), Decision::NotHeld, "a refused hold");
}

#[test]
fn a_hold_that_was_given_up_before_it_came_is_refused_for_ever() {
    let now = events::example_time();
    let mut chain = wallet_with(500);
    let Decision::Append(release) = run(&mut chain, &close(Step::ReleaseHold, now), now) else {
        panic!("nobody can give up");
    };
    assert_eq!((release.purpose, release.amount), (Kind::Release, Money::ZERO));
    assert_eq!(run(&mut chain, &hold(300, now), now), Decision::Refuse(Refusal::HoldClosed));
    assert_eq!(run(&mut chain, &hold(300, now), now), Decision::WasRefused(Refusal::HoldClosed));
    assert_eq!(chain.tip().unwrap().standing.held, Money::ZERO);
}

#[test]
fn a_release_of_a_hold_gives_back_only_what_its_own_day_used() {
    // An hour before midnight in Seoul, eight days before the month's end.
    let begin = "2026-11-22T14:00:00Z".parse::<Timestamp>().unwrap();
    for (later_seconds, left_today, left_this_month) in
        [(60, 0, 0), (7_200, 100, 100), (9 * 86_400, 100, 100)]
    {
        let mut chain = wallet_with(0);
        chain.entries.clear();
        let receive = Step::Receive(Money::won(500), WalletId::of(other()));
        run(&mut chain, &order("first".to_owned(), begin, receive), begin);
        run(&mut chain, &hold(50, begin), begin);
        let later = begin.plus_seconds(later_seconds);
        if left_today > 0 {
            let send = Step::Send(Money::won(100), WalletId::of(other()));
            run(&mut chain, &order("later".to_owned(), later, send), later);
        }
        run(&mut chain, &close(Step::ReleaseHold, begin), later);
        let standing = &chain.tip().unwrap().standing;
        assert_eq!(standing.transferred_today, Money::won(left_today), "{later_seconds} s later");
        assert_eq!(standing.transferred_this_month, Money::won(left_this_month), "{later_seconds} s later");
    }
}

#[test]
fn every_account_has_one_spelling() {
    let franchise = kernel::id::FranchiseId::derive(&["a"]);
    let accounts = [
        Account::Wallet(WalletId::of(owner())),
        Account::BankCorporate,
        Account::Franchise(franchise),
        Account::FeeRevenue,
        Account::VatPayable,
        Account::Suspense,
    ];
    for account in accounts {
        assert_eq!(account.to_string().parse(), Ok(account));
    }
    for odd in
        ["", "bank", "bank:", "bank:corporate:", "suspense:", "franchise:", &format!("wallet:{franchise}")]
    {
        assert!(odd.parse::<Account>().is_err(), "{odd}");
    }
}

#[test]
fn entries_from_before_holds_keep_their_hash() {
    // An entry as the first version wrote it; its hash stands in the chains.
    let text = r#"{"walletId":"WALLET","owner":"OWNER","sequence":1,"purpose":"open","amount":0,"reference":"WALLET/open","birth":"2026-11-22T10:15:30.000Z","terms":"t","time":"2026-11-22T10:15:30.000Z","standing":{"balance":0,"held":0,"expected":0,"rechargedTotal":0,"day":"2026-11-22","rechargedToday":0,"rechargedThisMonth":0,"transferredToday":0,"transferredThisMonth":0},"previous":"","traceparent":"p"}"#;
    let text =
        text.replace("WALLET", &WalletId::of(owner()).to_string()).replace("OWNER", &owner().to_string());
    let entry: Entry = serde_json::from_str(&text).unwrap();
    assert_eq!(entry.hash(), store::seal::digest(&["entry", &text]));
}

/// During a deployment an older function reads what a later one has stored, and drops what it does not know.
#[test]
fn an_older_version_goes_on_from_an_entry_that_it_knows_in_part() {
    let now = events::example_time();
    let mut chain = wallet_with(1_000);
    let mut later = serde_json::to_value(chain.entries[0].clone()).unwrap();
    later["memo"] = serde_json::json!("of a later version");
    later["hash"] = serde_json::json!("what the later version has computed over all of it");
    chain.entries[0] = serde_json::from_value(later).unwrap();
    let send = Step::Send(Money::won(10), WalletId::of(other()));
    assert!(matches!(run(&mut chain, &order("step".to_owned(), now, send), now), Decision::Append(_)));
    assert_eq!(chain.entries[0].previous, "what the later version has computed over all of it");
    assert!(chain.entries[1].is_followed_by(&chain.entries[0]), "both versions find the chain whole");
}

#[test]
fn an_entry_that_was_changed_after_it_was_stored_is_told_apart() {
    let chain = wallet_with(1_000);
    let stored = chain.entries[0].with_hash();
    assert_eq!(stored.hash.as_deref(), Some(stored.computed_hash().as_str()));
    assert_eq!(stored.hash(), chain.entries[0].hash(), "an entry's hash is not part of itself");
    assert!(stored.is_unchanged() && chain.entries[0].is_unchanged());
    let changed = Entry { amount: Money::won(1), ..stored };
    assert!(!changed.is_unchanged());
}

/// What a step comes to on a wallet whose newest standing was changed so.
fn decided(step: Step, change: impl Fn(&mut Standing)) -> Option<Refusal> {
    let now = events::example_time();
    let mut chain = wallet_with(0);
    change(&mut chain.entries[0].standing);
    match run(&mut chain, &order("step".to_owned(), now, step), now) {
        Decision::Append(_) => None,
        Decision::Refuse(refusal) => Some(refusal),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_limit_holds_to_the_won_and_says_its_name() {
    type Change = fn(&mut Standing);
    let expect = |amount| Step::Expect(Money::won(amount));
    let receive = |amount| Step::Receive(Money::won(amount), WalletId::of(other()));
    let rich: Change = |standing| standing.balance = Money::won(1_000);
    let recharges: [(Change, u32, Refusal); 5] = [
        (|_| {}, 600, Refusal::EachLimitExceeded),
        (|it| it.recharged_today = Money::won(1_100), 400, Refusal::DayLimitExceeded),
        (|it| it.recharged_this_month = Money::won(2_600), 400, Refusal::MonthLimitExceeded),
        (|it| it.balance = Money::won(600), 400, Refusal::WalletCapExceeded),
        (|it| it.expected = Money::won(600), 400, Refusal::WalletCapExceeded),
    ];
    for (change, most, refusal) in recharges {
        assert_eq!(decided(expect(most), change), None, "{refusal:?}");
        assert_eq!(decided(expect(most + 1), change), Some(refusal));
    }
    let outgoing: [(Change, u32, Refusal); 5] = [
        (|_| {}, 500, Refusal::EachLimitExceeded),
        (|it| it.balance = Money::won(400), 400, Refusal::InsufficientBalance),
        (|it| it.held = Money::won(600), 400, Refusal::InsufficientBalance),
        (|it| it.transferred_today = Money::won(500), 400, Refusal::DayLimitExceeded),
        (|it| it.transferred_this_month = Money::won(1_600), 400, Refusal::MonthLimitExceeded),
    ];
    for (change, most, refusal) in outgoing {
        let ways = |amount| {
            let amount = Money::won(amount);
            [Step::Send(amount, WalletId::of(other())), Step::Pay(amount, shop()), Step::Hold(amount)]
        };
        let change = |standing: &mut Standing| {
            rich(standing);
            change(standing);
        };
        for (allowed, refused) in ways(most).into_iter().zip(ways(most + 1)) {
            assert_eq!(decided(allowed, change), None, "{allowed:?} {refusal:?}");
            assert_eq!(decided(refused, change), Some(refusal), "{refused:?}");
        }
    }
    let fuller: [Change; 2] = [|it| it.balance = Money::won(600), |it| it.expected = Money::won(600)];
    for change in fuller {
        assert_eq!(decided(receive(400), change), None);
        assert_eq!(decided(receive(401), change), Some(Refusal::ReceiverCapExceeded));
    }
}

#[test]
fn a_step_is_late_from_its_end_on() {
    let now = events::example_time();
    let end = Timestamp::from_millis(now.millis() + 1);
    for (expires_at, refusal) in [(end, None), (now, Some(Refusal::Expired))] {
        let mut chain = wallet_with(100);
        let pay = order("pay".to_owned(), now, Step::Pay(Money::won(1), shop()));
        let decision = run(&mut chain, &Order { expires_at: Some(expires_at), ..pay }, now);
        assert_eq!(matches!(decision, Decision::Append(_)), refusal.is_none(), "{decision:?}");
        assert_eq!(chain.tip().unwrap().refusal, refusal);
    }
}

#[test]
fn a_new_day_and_a_new_month_count_anew() {
    let all = Standing {
        recharged_today: Money::won(1),
        recharged_this_month: Money::won(2),
        transferred_today: Money::won(3),
        transferred_this_month: Money::won(4),
        ..Standing::new("2026-11-29".parse().unwrap())
    };
    for (day, expected) in
        [("2026-11-29", [1, 2, 3, 4]), ("2026-11-30", [0, 2, 0, 4]), ("2026-12-01", [0, 0, 0, 0])]
    {
        let Standing {
            recharged_today, recharged_this_month, transferred_today, transferred_this_month, ..
        } = all.clone().on(day.parse().unwrap());
        let counted = [recharged_today, recharged_this_month, transferred_today, transferred_this_month];
        assert_eq!(counted, expected.map(Money::won), "{day}");
    }
}

#[test]
fn what_comes_back_to_a_closed_wallet_goes_to_suspense() {
    let now = events::example_time();
    let mut chain = wallet_with(5);
    chain.entries[0].standing.closed = true;
    let refund = order("refund".to_owned(), now, Step::Refund(Money::won(50), shop()));
    let Decision::Append(entry) = run(&mut chain, &refund, now) else {
        panic!("what comes back was refused");
    };
    assert_eq!((entry.debit, entry.credit), (Some(Account::Franchise(shop())), Some(Account::Suspense)));
    assert_eq!((entry.purpose, entry.amount), (Kind::Cancellation, Money::won(50)));
}

#[test]
fn an_entry_is_read_as_it_was_stored() {
    let now = events::example_time();
    let mut chain = wallet_with(0);
    let steps =
        [("mcr_1/expect", Step::Expect(Money::won(50))), ("mcr_1/close", Step::Recharge(Money::won(50)))];
    for (reference, step) in steps {
        run(&mut chain, &order(reference.to_owned(), now, step), now);
    }
    run(&mut chain, &order("away".to_owned(), now, Step::Pay(Money::won(50), shop())), now);
    run(&mut chain, &order("too much".to_owned(), now, Step::Pay(Money::won(50), shop())), now);
    run(&mut chain, &order("end".to_owned(), now, Step::Close), now);
    assert!(chain.tip().unwrap().standing.closed);
    for entry in &chain.entries {
        assert_eq!(&store::read::<Entry>(entry.to_item().unwrap()).unwrap(), entry);
    }
}

#[test]
fn entries_follow_on_each_other_or_it_shows() {
    let now = events::example_time();
    let mut chain = wallet_with(100);
    let receive = Step::Receive(Money::won(1), WalletId::of(other()));
    run(&mut chain, &order("next".to_owned(), now, receive), now.plus_seconds(1));
    assert!(chain.is_contiguous());
    assert_eq!(chain.find("next").map(|entry| entry.sequence), Some(2));
    assert_eq!(chain.find("other"), None);
    let damages: [fn(&mut Entry); 5] = [
        |entry| entry.sequence = 3,
        |entry| entry.sequence = 1,
        |entry| entry.time = entry.time.plus_seconds(-2),
        |entry| entry.previous = String::new(),
        |entry| entry.wallet_id = WalletId::of(other()),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let mut damaged = chain.clone();
        damage(&mut damaged.entries[0]);
        assert!(!damaged.is_contiguous(), "damage {number}");
    }
}

#[test]
fn the_accounts_that_others_name_are_the_ledgers() {
    use contract::peers::TransferParty as Party;
    let franchise_id = shop();
    let implicit = [
        (ImplicitAccount::BankCorporate {}, Account::BankCorporate),
        (ImplicitAccount::Franchise { franchise_id }, Account::Franchise(franchise_id)),
        (ImplicitAccount::FeeRevenue {}, Account::FeeRevenue),
        (ImplicitAccount::VatPayable {}, Account::VatPayable),
    ];
    for (named, account) in implicit {
        assert_eq!(Account::from(named), account);
    }
    let parties = [
        (Party::Member { membership_id: owner() }, Account::Wallet(WalletId::of(owner()))),
        (Party::BankCorporate {}, Account::BankCorporate),
        (Party::Franchise { franchise_id }, Account::Franchise(franchise_id)),
        (Party::FeeRevenue {}, Account::FeeRevenue),
        (Party::VatPayable {}, Account::VatPayable),
    ];
    for (named, account) in parties {
        assert_eq!(Account::from(named), account);
    }
}

#[test]
fn a_reference_stands_for_one_counterpart_too() {
    let now = events::example_time();
    let amount = Money::won(10);
    let third = WalletId::of(Id::derive(&["third"]));
    let shops = [shop(), Id::derive(&["another shop"])];
    let owed = shops.map(|franchise_id| Step::Post(amount, ImplicitAccount::Franchise { franchise_id }));
    let pairs = [
        ("step", [Step::Send(amount, WalletId::of(other())), Step::Send(amount, third)]),
        ("step", [Step::Receive(amount, WalletId::of(other())), Step::Receive(amount, third)]),
        ("step", shops.map(|shop| Step::Pay(amount, shop))),
        ("step", shops.map(|shop| Step::Refund(amount, shop))),
        ("hold/close", owed),
    ];
    for (reference, [first, second]) in pairs {
        let mut chain = wallet_with(100);
        run(&mut chain, &hold(10, now), now);
        let ask = |step| order(reference.to_owned(), now, step);
        assert!(matches!(run(&mut chain, &ask(first), now), Decision::Append(_)), "{first:?}");
        assert_eq!(run(&mut chain, &ask(second), now), Decision::OtherTerms, "{first:?}");
        assert!(matches!(run(&mut chain, &ask(first), now), Decision::Done(_)), "{first:?}");
    }
    // A step that may come too late is another one than the same step with more time.
    let mut chain = wallet_with(100);
    let pay = |seconds| Order {
        expires_at: Some(now.plus_seconds(seconds)),
        ..order("pay".to_owned(), now, Step::Pay(amount, shop()))
    };
    assert!(matches!(run(&mut chain, &pay(1), now), Decision::Append(_)));
    assert_eq!(run(&mut chain, &pay(2), now), Decision::OtherTerms);
}
