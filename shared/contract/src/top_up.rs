//! Money that is short: the recharge that a remittance or a payment makes before it moves.
//!
//! The saga tries to move first, because there is enough most of the time. Refused for the balance, it asks [`next`],
//! stores the [`TopUp`] that it is given in its record, asks again, and moves again under another reference. All of it
//! is idempotent: the recharge by its reference, the plan by the record that keeps it. Once the saga's time is over,
//! nobody's bank account is debited for it any more: the second try tells the ledger, which refuses it for ever.

use crate::{
    Call, Code, Context, Problem, Reference,
    money_codes::{self, EACH_LIMIT_EXCEEDED, EXPIRED, INSUFFICIENT_BALANCE},
    peers::{
        BalanceQuestion, FIND_RECHARGE_ACCOUNT, GET_BALANCE_REQUEST, INCREASE_MONEY_REQUEST, MoneyOrder,
        MoneyRequestState, RechargeAccountQuestion,
    },
    ports::CallError,
    problem,
};
use kernel::{
    Money, Timestamp,
    id::{BankAccountId, MembershipId},
};
use serde::{Deserialize, Serialize};

/// A shortfall is recharged in steps of so many won.
pub const STEP_WON: u64 = 10_000;

/// A recharge that a saga has planned; its record keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopUp {
    /// The linked account that it takes from.
    pub bank_account_id: BankAccountId,
    /// How much; zero if the balance has grown meanwhile.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
}

/// What a saga wants to move, and is refused for the balance.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose wallet is short.
    pub member: MembershipId,
    /// What is to be moved out of it.
    pub amount: Money,
    /// The account to recharge from, if the member named one.
    pub named: Option<BankAccountId>,
    /// When it is too late.
    pub until: Timestamp,
    /// The reference of the recharge.
    pub recharge: Reference,
}

/// How a saga goes on that is refused for the balance.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// The record must keep this plan before anything is done by it; then ask again.
    Keep(TopUp),
    /// Move again, under the second try's reference: the money is there, or it is too late and the ledger says so.
    TryAgain,
    /// It ends, for this reason.
    GiveUp(&'static Code),
    /// Nobody can say yet: ask again later.
    Wait,
}

/// How a saga that is refused for the balance goes on, by the plan that its record keeps.
pub async fn next<I>(context: &Context, call: &Call<I>, wanted: &Wanted, planned: Option<&TopUp>) -> Next {
    let is_late = context.clock.now() >= wanted.until;
    match planned {
        // Whoever plans a recharge stores it before anything is done by it, so nothing is on its way.
        None if is_late => Next::GiveUp(&EXPIRED),
        None => match plan(context, call, wanted).await {
            Ok(Some(planned)) => Next::Keep(planned),
            Ok(None) => Next::GiveUp(&INSUFFICIENT_BALANCE),
            Err(error) => waiting("a recharge cannot be planned now", &error),
        },
        // What was recharged before stays in the wallet.
        Some(_) if is_late => Next::TryAgain,
        Some(planned) => recharge(context, call, wanted, planned).await,
    }
}

/// What a member lacks, as a recharge from the account named, or from the one that was linked first. None if there is
/// no account to take it from, or no such amount.
async fn plan<I>(context: &Context, call: &Call<I>, wanted: &Wanted) -> Result<Option<TopUp>, CallError> {
    let member = wanted.member;
    let question = BalanceQuestion { membership_id: member, at: None };
    let available = match context.call(&GET_BALANCE_REQUEST, call, Some(member), None, &question).await {
        Ok(balance) => balance.available,
        Err(CallError::Refused(problem)) if problem.is(&money_codes::WALLET_NOT_FOUND) => Money::ZERO,
        Err(error) => return Err(error),
    };
    let account = match wanted.named {
        Some(account) => Some(account),
        None => {
            let question = RechargeAccountQuestion { membership_id: member };
            let answer = context.call(&FIND_RECHARGE_ACCOUNT, call, Some(member), None, &question).await;
            answer?.bank_account_id
        }
    };
    let shortfall = in_steps(wanted.amount.minus_or_zero(available));
    Ok(account.zip(shortfall).map(|(bank_account_id, amount)| TopUp { bank_account_id, amount }))
}

/// The shortfall, rounded up to whole steps; none beyond what money can be.
fn in_steps(shortfall: Money) -> Option<Money> {
    let steps = shortfall.amount().div_ceil(STEP_WON);
    Money::try_won(steps.saturating_mul(STEP_WON)).ok()
}

/// Recharges as planned, once.
async fn recharge<I>(context: &Context, call: &Call<I>, wanted: &Wanted, planned: &TopUp) -> Next {
    if planned.amount.is_zero() {
        return Next::TryAgain;
    }
    let order = MoneyOrder { bank_account_id: planned.bank_account_id, amount: planned.amount };
    let (member, reference) = (Some(wanted.member), Some(wanted.recharge.clone()));
    match context.call(&INCREASE_MONEY_REQUEST, call, member, reference, &order).await {
        Ok(answer) if answer.state == MoneyRequestState::Succeeded => Next::TryAgain,
        Ok(_) => Next::Wait,
        Err(CallError::Refused(problem)) => match end_of(&problem) {
            Some(code) => Next::GiveUp(code),
            None => waiting("a planned recharge", &CallError::Refused(problem)),
        },
        Err(error) => waiting("a planned recharge", &error),
    }
}

/// The reason that a recharge ends for, if it does so for ever.
fn end_of(problem: &Problem) -> Option<&'static Code> {
    // Money stores no recharge of more than one may bring: it is refused as an input.
    if problem.is(&problem::VALIDATION_FAILED) {
        return Some(&EACH_LIMIT_EXCEEDED);
    }
    money_codes::named(&problem.code)
}

/// A refusal that is not known to be for ever is a fault on our side, and says nothing of the wallet.
fn waiting(what: &str, error: &CallError) -> Next {
    match error {
        CallError::Refused(problem) => {
            tracing::error!(code = %problem.code, "{what}: refused in words unknown here")
        }
        CallError::Unanswered(error) => tracing::warn!(cause = %error, "{what}"),
    }
    Next::Wait
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortfall_is_rounded_up_to_whole_steps() {
        for (shortfall, expected) in
            [(0, 0), (1, 10_000), (9_999, 10_000), (10_000, 10_000), (10_001, 20_000)]
        {
            assert_eq!(in_steps(Money::won(shortfall)), Some(Money::won(expected)), "{shortfall}");
        }
        assert_eq!(in_steps(Money::MAX), None, "beyond what money can be");
    }
}
