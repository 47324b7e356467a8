//! The cases that are measured: one file per service, in the order of a story.

pub mod audit;
pub mod banking;
pub mod franchise;
pub mod membership;
pub mod money;
pub mod money_query;
pub mod payment;
pub mod remittance;
pub mod settlement;

use crate::runner::{Caller, Runner};
use anyhow::{Context as _, Result};
use kernel::id::{BankAccountId, MembershipId};
use serde_json::{Value, json};

/// The member whose wallet and bank account the story is about.
pub struct Cast {
    /// Who.
    pub member: Caller,
    /// Another one.
    pub other: Caller,
    /// The member's linked account.
    pub account: BankAccountId,
}

/// The number of the member's account at the bank, and its holder.
pub const NUMBER: &str = "11012345678901";
/// As the bank knows the member.
pub const HOLDER: &str = "김하나";

/// Runs every operation of every service.
pub async fn all(runner: &mut Runner) -> Result<Cast> {
    let (member, other, operator) = membership::run(runner).await?;
    let account = banking::run(runner, &member, &operator).await?;
    let cast = Cast { member, other, account };
    money::run(runner, &cast).await?;
    banking::run_after_money(runner, &cast).await?;
    franchise::run(runner, &cast, &operator).await?;
    money_query::run(runner, &operator).await?;
    membership::leave(runner).await?;
    remittance::run(runner, &cast).await?;
    payment::run(runner, &cast, &operator).await?;
    settlement::run(runner, &cast, &operator).await?;
    audit::run(runner, &cast).await?;
    Ok(cast)
}

/// So many won, as the API spells it.
pub fn won(amount: u64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

/// A text of an answer.
pub fn text(answer: &Value, name: &str) -> Result<String> {
    let text = answer.get(name).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("the answer has no {name}: {answer}"))
}

fn member_of(answer: &Value) -> Result<MembershipId> {
    Ok(text(answer, "membershipId")?.parse()?)
}
