//! Money that is short: the recharge that a remittance or a payment makes before it moves.
//!
//! The saga tries to move first, because there is enough most of the time. Refused for the balance, it stores a
//! [`TopUp`] in its record, recharges by it, and moves again under another reference. All of it is idempotent: the
//! recharge by its reference, the plan by the record that keeps it.

use crate::{
    Call, Context, Problem, Reference, money_codes,
    peers::{
        BalanceQuestion, FIND_RECHARGE_ACCOUNT, GET_BALANCE_REQUEST, INCREASE_MONEY_REQUEST, MoneyOrder,
        MoneyRequestState, RechargeAccountQuestion,
    },
    ports::CallError,
};
use kernel::{
    Money,
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

/// How far a planned recharge is.
#[derive(Clone, Debug, PartialEq)]
pub enum Recharged {
    /// It is in the wallet.
    Done,
    /// It certainly is not and will not be.
    Refused(Problem),
    /// Nobody knows yet: ask again later, under the same reference.
    Waiting,
}

/// What a member lacks of an amount, as a recharge from the account named, or from the one that was linked first.
/// None if there is no account to take it from, or no such amount.
pub async fn plan<I>(
    context: &Context,
    call: &Call<I>,
    member: MembershipId,
    amount: Money,
    named: Option<BankAccountId>,
) -> Result<Option<TopUp>, Problem> {
    let question = BalanceQuestion { membership_id: member, at: None };
    let available = match context.call(&GET_BALANCE_REQUEST, call, Some(member), None, &question).await {
        Ok(balance) => balance.available,
        Err(CallError::Refused(problem)) if problem.code == money_codes::WALLET_NOT_FOUND.code => Money::ZERO,
        Err(error) => return Err(passing(error)),
    };
    let account = match named {
        Some(account) => Some(account),
        None => {
            let question = RechargeAccountQuestion { membership_id: member };
            let answer = context.call(&FIND_RECHARGE_ACCOUNT, call, Some(member), None, &question).await;
            answer.map_err(passing)?.bank_account_id
        }
    };
    let shortfall = in_steps(amount.minus_or_zero(available));
    Ok(account.zip(shortfall).map(|(bank_account_id, amount)| TopUp { bank_account_id, amount }))
}

/// The shortfall, rounded up to whole steps; none beyond what money can be.
fn in_steps(shortfall: Money) -> Option<Money> {
    let steps = shortfall.amount().div_ceil(STEP_WON);
    Money::try_won(steps.saturating_mul(STEP_WON)).ok()
}

/// Recharges as planned, once.
pub async fn recharge<I>(
    context: &Context,
    call: &Call<I>,
    member: MembershipId,
    reference: Reference,
    top_up: &TopUp,
) -> Recharged {
    if top_up.amount.is_zero() {
        return Recharged::Done;
    }
    let order = MoneyOrder { bank_account_id: top_up.bank_account_id, amount: top_up.amount };
    match context.call(&INCREASE_MONEY_REQUEST, call, Some(member), Some(reference), &order).await {
        Ok(answer) if answer.state == MoneyRequestState::Succeeded => Recharged::Done,
        Ok(_) | Err(CallError::Unanswered(_)) => Recharged::Waiting,
        Err(CallError::Refused(problem)) => Recharged::Refused(problem),
    }
}

/// A question that got no answer can be asked again.
fn passing(error: CallError) -> Problem {
    match error {
        CallError::Unanswered(error) => Problem::unavailable(error),
        CallError::Refused(problem) => Problem::internal(problem),
    }
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
