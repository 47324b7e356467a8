//! The decision of every step that touches a wallet's chain.
//!
//! Given the newest entries back to the step's birth, a step is done already, is refused, or is one more entry. The
//! invariants of the ledger hold after it, or the decision fails: both legs or none; balance less held never below
//! zero; time never goes back; a reference has at most one effect.

use crate::domain::{Account, Entry, Kind, Limits, Standing, link};
use crate::refusals::Refusal;
use contract::{Reference, peers::ImplicitAccount};
use kernel::{
    Money, OutOfRange, SeoulDay, Timestamp,
    id::{FranchiseId, MembershipId, WalletId},
};
use store::seal;

/// What a step asks of one wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Begin the wallet.
    Open,
    /// Announce a recharge, before the bank is asked.
    Expect(Money),
    /// Credit a recharge that is certain at the bank. Never refused.
    Recharge(Money),
    /// Give up an announced recharge that the bank has certainly not made. Never refused.
    Release(Money),
    /// Send money to another wallet.
    Send(Money, WalletId),
    /// Receive money from another wallet.
    Receive(Money, WalletId),
    /// Pay a franchise.
    Pay(Money, FranchiseId),
    /// Take back from a franchise what was paid. Never refused.
    Refund(Money, FranchiseId),
    /// Keep money for something on its way. Limits are counted now.
    Hold(Money),
    /// Close a hold whose money is certainly at the bank of its owner. Never refused.
    Withdraw(Money),
    /// Close a hold: this much of it goes to an account, and the rest is free again. Never refused.
    Post(Money, ImplicitAccount),
    /// Close a hold: all of it is free again. Never refused; if there is no such hold, there never will be.
    ReleaseHold,
    /// End the wallet, if nothing is left in it or on its way to it.
    Close,
}

impl Step {
    /// What it is about, in won, as far as it says itself: a hold is released as a whole.
    pub fn amount(self) -> Money {
        match self {
            Step::Open | Step::ReleaseHold | Step::Close => Money::ZERO,
            Step::Expect(amount)
            | Step::Recharge(amount)
            | Step::Release(amount)
            | Step::Send(amount, _)
            | Step::Receive(amount, _)
            | Step::Pay(amount, _)
            | Step::Refund(amount, _)
            | Step::Hold(amount)
            | Step::Withdraw(amount)
            | Step::Post(amount, _) => amount,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Step::Open => Kind::Open,
            Step::Expect(_) => Kind::Expect,
            Step::Recharge(_) => Kind::Recharge,
            Step::Release(_) | Step::ReleaseHold => Kind::Release,
            Step::Send(_, _) | Step::Receive(_, _) => Kind::Remittance,
            Step::Pay(_, _) => Kind::Payment,
            Step::Refund(_, _) => Kind::Cancellation,
            Step::Hold(_) => Kind::Hold,
            Step::Withdraw(_) => Kind::Withdrawal,
            Step::Post(_, _) => Kind::Post,
            Step::Close => Kind::Close,
        }
    }

    /// Whether it moves money out of a hold.
    fn posts(self) -> bool {
        matches!(self, Step::Withdraw(_) | Step::Post(_, _))
    }
}

/// A step and who asks for it.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is asked.
    pub step: Step,
    /// Under which reference, and since when.
    pub reference: Reference,
    /// When it is too late, if ever: from then on it is refused, so that what was abandoned is not done late.
    pub expires_at: Option<Timestamp>,
    /// In which trace.
    pub traceparent: String,
}

impl Order {
    /// The hash of what is asked, birth included: a reference stands for one such hash for ever.
    pub fn terms(&self) -> String {
        let counterpart = match self.step {
            Step::Send(_, wallet) => format!("to {wallet}"),
            Step::Receive(_, wallet) => format!("from {wallet}"),
            Step::Post(_, account) => format!("to {}", Account::from(account)),
            Step::Pay(_, franchise) => format!("to {}", Account::Franchise(franchise)),
            Step::Refund(_, franchise) => format!("from {}", Account::Franchise(franchise)),
            _ => String::new(),
        };
        let kind = format!("{:?}", self.step.kind());
        let amount = self.step.amount().amount().to_string();
        let birth = self.reference.birth.to_string();
        let end = self.expires_at.map(|end| end.to_string()).unwrap_or_default();
        seal::digest(&["terms", &kind, &amount, &counterpart, &birth, &end])
    }
}

/// A wallet's newest entries without gap, back to the first that is older than a step's birth or to the first of all.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Which wallet.
    pub wallet_id: WalletId,
    /// Whose.
    pub owner: MembershipId,
    /// Newest first.
    pub entries: Vec<Entry>,
}

impl Chain {
    /// The newest entry.
    pub fn tip(&self) -> Option<&Entry> {
        self.entries.first()
    }

    /// The effect of a reference, if it has one.
    pub fn find(&self, reference: &str) -> Option<&Entry> {
        link::find(&self.entries, reference)
    }

    /// Takes a new newest entry.
    pub fn push(&mut self, entry: Entry) {
        self.entries.insert(0, entry);
    }

    /// Whether the entries follow on each other.
    pub fn is_contiguous(&self) -> bool {
        link::is_contiguous(&self.entries)
    }
}

/// What becomes of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It was done before: this is its entry.
    Done(Entry),
    /// It was refused before.
    WasRefused(Refusal),
    /// This entry must be appended.
    Append(Entry),
    /// It must be refused; [`refuse`] makes the entry that says so.
    Refuse(Refusal),
    /// The reference stands for something else.
    OtherTerms,
    /// There is no hold that could be posted so. No entry says it: a hold is never changed, so asking again can only
    /// end otherwise if the chain was read before the hold was made.
    NotHeld,
}

/// Decides a step.
pub fn decide(chain: &Chain, order: &Order, limits: &Limits, now: Timestamp) -> Result<Decision, OutOfRange> {
    if let Some(known) = chain.find(&order.reference.id) {
        return Ok(match known.refusal {
            _ if known.terms != order.terms() => Decision::OtherTerms,
            Some(refusal) => Decision::WasRefused(refusal),
            None => Decision::Done(known.clone()),
        });
    }
    let time = entry_time(chain, order, now);
    let before = standing_at(chain, time);
    let hold = hold_to_close(chain, order);
    if hold.is_some_and(|hold| hold.birth != order.reference.birth) {
        return Ok(Decision::OtherTerms);
    }
    if order.step.posts() && hold.is_none_or(|hold| hold.amount < order.step.amount()) {
        return Ok(Decision::NotHeld);
    }
    if let Err(refusal) = check(chain, &before, order, time, limits)? {
        return Ok(Decision::Refuse(refusal));
    }
    let legs = legs(chain.wallet_id, &before, order.step);
    let standing = apply(chain, before, order, legs)?;
    // The invariant that everything else serves: what is held is there.
    standing.available()?;
    let (debit, credit) = legs.unzip();
    let entry = new_entry(chain, order, time, standing)?;
    let amount = match order.step {
        Step::ReleaseHold => hold.map_or(Money::ZERO, |hold| hold.amount),
        step => step.amount(),
    };
    Ok(Decision::Append(Entry { purpose: order.step.kind(), amount, debit, credit, ..entry }))
}

/// The entry that fences a refused step: every later attempt finds it.
pub fn refuse(chain: &Chain, order: &Order, refusal: Refusal, now: Timestamp) -> Result<Entry, OutOfRange> {
    let time = entry_time(chain, order, now);
    let entry = new_entry(chain, order, time, standing_at(chain, time))?;
    Ok(Entry { refusal: Some(refusal), ..entry })
}

fn entry_time(chain: &Chain, order: &Order, now: Timestamp) -> Timestamp {
    link::time_after(chain.tip(), order.reference.birth, now)
}

fn standing_at(chain: &Chain, time: Timestamp) -> Standing {
    let day = time.seoul_day();
    match chain.tip() {
        Some(tip) => tip.standing.clone().on(day),
        None => Standing::new(day),
    }
}

fn new_entry(chain: &Chain, order: &Order, time: Timestamp, standing: Standing) -> Result<Entry, OutOfRange> {
    let (sequence, previous) = link::after(chain.tip())?;
    Ok(Entry {
        wallet_id: chain.wallet_id,
        owner: chain.owner,
        sequence,
        purpose: Kind::Refused,
        amount: Money::ZERO,
        debit: None,
        credit: None,
        reference: order.reference.id.clone(),
        birth: order.reference.birth,
        terms: order.terms(),
        counterpart: None,
        refusal: None,
        time,
        standing,
        previous,
        traceparent: order.traceparent.clone(),
        hash: None,
    })
}

/// The rules, in the order in which they are documented.
fn check(
    chain: &Chain,
    before: &Standing,
    order: &Order,
    time: Timestamp,
    limits: &Limits,
) -> Result<Result<(), Refusal>, OutOfRange> {
    let amount = order.step.amount();
    let exceeds = |used: Money, limit: Money| used.plus(amount).map_or(true, |total| total > limit);
    let holding = before.balance.plus(before.expected)?;
    let is_late = order.expires_at.is_some_and(|end| time >= end);
    let rules: Vec<(bool, Refusal)> = match order.step {
        // What is certain at the bank or comes back is never refused, what is held can be posted, and the rest moves
        // nothing.
        Step::Open
        | Step::Recharge(_)
        | Step::Release(_)
        | Step::Refund(_, _)
        | Step::Withdraw(_)
        | Step::Post(_, _)
        | Step::ReleaseHold => vec![],
        Step::Expect(_) => vec![
            (before.closed, Refusal::WalletClosed),
            (amount > limits.recharge_each, Refusal::EachLimitExceeded),
            (exceeds(before.recharged_today, limits.recharge_per_day), Refusal::DayLimitExceeded),
            (exceeds(before.recharged_this_month, limits.recharge_per_month), Refusal::MonthLimitExceeded),
            (exceeds(holding, limits.wallet_cap), Refusal::WalletCapExceeded),
        ],
        Step::Send(_, _) | Step::Pay(_, _) | Step::Hold(_) => vec![
            (is_released(chain, order), Refusal::HoldClosed),
            (is_late, Refusal::Expired),
            (before.closed, Refusal::WalletClosed),
            (amount > limits.transfer_each, Refusal::EachLimitExceeded),
            (amount > before.available()?, Refusal::InsufficientBalance),
            (exceeds(before.transferred_today, limits.transfer_per_day), Refusal::DayLimitExceeded),
            (exceeds(before.transferred_this_month, limits.transfer_per_month), Refusal::MonthLimitExceeded),
        ],
        Step::Receive(_, _) => vec![
            (before.closed, Refusal::ReceiverClosed),
            (exceeds(holding, limits.wallet_cap), Refusal::ReceiverCapExceeded),
        ],
        Step::Close => vec![
            (!before.held.is_zero(), Refusal::MoneyHeld),
            (!before.expected.is_zero(), Refusal::RechargeExpected),
            (!before.balance.is_zero(), Refusal::WalletNotEmpty),
        ],
    };
    Ok(rules.iter().find(|(broken, _)| *broken).map_or(Ok(()), |(_, refusal)| Err(*refusal)))
}

/// Debit and credit. Certain money that the wallet cannot take goes to suspense.
fn legs(wallet: WalletId, before: &Standing, step: Step) -> Option<(Account, Account)> {
    let own = Account::Wallet(wallet);
    let takes = |amount| !before.closed && before.balance.plus(amount).is_ok();
    match step {
        Step::Open | Step::Expect(_) | Step::Release(_) | Step::Hold(_) | Step::ReleaseHold | Step::Close => {
            None
        }
        Step::Recharge(amount) if !takes(amount) => Some((Account::BankCorporate, Account::Suspense)),
        Step::Recharge(_) => Some((Account::BankCorporate, own)),
        Step::Send(_, to) => Some((own, Account::Wallet(to))),
        Step::Receive(_, from) => Some((Account::Wallet(from), own)),
        Step::Pay(_, franchise) => Some((own, Account::Franchise(franchise))),
        Step::Refund(amount, franchise) if !takes(amount) => {
            Some((Account::Franchise(franchise), Account::Suspense))
        }
        Step::Refund(_, franchise) => Some((Account::Franchise(franchise), own)),
        Step::Withdraw(_) => Some((own, Account::BankCorporate)),
        Step::Post(_, account) => Some((own, account.into())),
    }
}

fn apply(
    chain: &Chain,
    before: Standing,
    order: &Order,
    legs: Option<(Account, Account)>,
) -> Result<Standing, OutOfRange> {
    let own = Account::Wallet(chain.wallet_id);
    let amount = order.step.amount();
    let mut after = before;
    match legs {
        Some((debit, _)) if debit == own => after.balance = after.balance.minus(amount)?,
        Some((_, credit)) if credit == own => after.balance = after.balance.plus(amount)?,
        _ => {}
    }
    match order.step {
        Step::Open | Step::Receive(_, _) | Step::Refund(_, _) => {}
        Step::Close => after.closed = true,
        Step::Expect(_) => {
            after.expected = after.expected.plus(amount)?;
            after.recharged_today = after.recharged_today.plus(amount)?;
            after.recharged_this_month = after.recharged_this_month.plus(amount)?;
        }
        Step::Recharge(_) => {
            after.expected = after.expected.minus(amount)?;
            after.recharged_total = after.recharged_total.plus(amount)?;
        }
        Step::Release(_) => {
            after.expected = after.expected.minus(amount)?;
            if let Some(used) = chain.find(&expect_reference(&order.reference.id)) {
                let totals = [&mut after.recharged_today, &mut after.recharged_this_month];
                give_back(used, &after.day, totals, amount)?;
            }
        }
        Step::Hold(_) => {
            after.held = after.held.plus(amount)?;
            after.transferred_today = after.transferred_today.plus(amount)?;
            after.transferred_this_month = after.transferred_this_month.plus(amount)?;
        }
        Step::Withdraw(_) | Step::Post(_, _) | Step::ReleaseHold => {
            if let Some(hold) = hold_to_close(chain, order) {
                after.held = after.held.minus(hold.amount)?;
                let totals = [&mut after.transferred_today, &mut after.transferred_this_month];
                give_back(hold, &after.day, totals, hold.amount.minus(amount)?)?;
            }
        }
        Step::Send(_, _) | Step::Pay(_, _) => {
            after.transferred_today = after.transferred_today.plus(amount)?;
            after.transferred_this_month = after.transferred_this_month.plus(amount)?;
        }
    }
    Ok(after)
}

/// A release gives limits back to the day and month that its announcement or its hold used, if they are not over.
fn give_back(
    used: &Entry,
    day: &SeoulDay,
    [today, this_month]: [&mut Money; 2],
    amount: Money,
) -> Result<(), OutOfRange> {
    if used.standing.day == *day {
        *today = today.minus(amount)?;
    }
    if used.standing.day.month() == day.month() {
        *this_month = this_month.minus(amount)?;
    }
    Ok(())
}

/// The reference under which a recharge is announced, from the one under which it is closed.
fn expect_reference(close: &str) -> String {
    format!("{}/expect", close.strip_suffix("/close").unwrap_or(close))
}

/// The reference under which a hold is closed, whichever way: so it is closed once.
pub fn close_reference(hold: &Reference) -> Reference {
    Reference { id: format!("{}/close", hold.id), birth: hold.birth }
}

/// The hold that a step closes, if it was made. Both have one birth, so the chain reaches back to it.
fn hold_to_close<'a>(chain: &'a Chain, order: &Order) -> Option<&'a Entry> {
    let hold = chain.find(order.reference.id.strip_suffix("/close")?)?;
    (hold.purpose == Kind::Hold).then_some(hold)
}

/// Whether a step is a hold that was given up before it was made.
fn is_released(chain: &Chain, order: &Order) -> bool {
    matches!(order.step, Step::Hold(_)) && chain.find(&close_reference(&order.reference).id).is_some()
}
