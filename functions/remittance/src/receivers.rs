//! Who receives, settled before anything is stored: a refusal leaves nothing behind, so the key is free again.
//!
//! An email goes to membership and an account number to banking, which answer with an id; neither is kept here. A
//! member named by id needs no question at all: the ledger refuses one that does not exist.

use crate::{items::Receiver, refusals};
use contract::{
    Call, Context, FieldError, Problem, bank_codes, money_codes,
    peers::{MemberQuestion, PayeeOrder, REGISTER_PAYEE, RESOLVE_MEMBER},
    ports::CallError,
    problem,
};
use kernel::{
    Money,
    id::{BankAccountId, MembershipId},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a member asks for. It may have personal data, and has no Debug.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestRemittance {
    /// Who receives.
    pub to: Named,
    /// How much; at least 1 won.
    pub amount: Money,
    /// The caller's linked account that a recharge takes from if the balance is too low; the one that was linked
    /// first if none is named.
    #[serde(default, deserialize_with = "contract::call::given")]
    pub bank_account_id: Option<BankAccountId>,
}

/// A receiver, as the sender names them.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RemittanceTo")]
pub enum Named {
    /// A member, by id.
    #[serde(rename_all = "camelCase")]
    Member {
        /// Who.
        membership_id: MembershipId,
    },
    /// A member, by email.
    Email {
        /// The email, in whatever case.
        #[schemars(length(min = 1, max = 254))]
        email: String,
    },
    /// Any account at the bank.
    #[serde(rename_all = "camelCase")]
    BankAccount {
        /// The account's number: 8 to 20 digits; single hyphens between them are read and dropped.
        #[schemars(length(min = 8, max = 39), regex(pattern = r"^[0-9]+(-[0-9]+)*$"))]
        account_number: String,
        /// The holder's name, as the bank knows it.
        #[schemars(length(min = 1, max = 100))]
        holder: String,
    },
}

impl Named {
    /// The member, if that is all that is said.
    pub fn known(&self) -> Option<Receiver> {
        match self {
            Named::Member { membership_id } => Some(Receiver::Member { membership_id: *membership_id }),
            Named::Email { .. } | Named::BankAccount { .. } => None,
        }
    }
}

/// Finds the receiver, or refuses.
pub async fn settle(
    context: &Context,
    call: &Call<RequestRemittance>,
    sender: MembershipId,
) -> Result<Receiver, Problem> {
    let receiver = match &call.body.to {
        Named::Member { membership_id } => Receiver::Member { membership_id: *membership_id },
        Named::Email { email } => by_email(context, call, email).await?,
        Named::BankAccount { account_number, holder } => {
            let order = PayeeOrder {
                membership_id: sender,
                account_number: account_number.clone(),
                holder: holder.clone(),
            };
            let payee = context.call(&REGISTER_PAYEE, call, Some(sender), None, &order).await;
            let payee = payee.map_err(refused)?;
            Receiver::BankAccount {
                bank_account_id: payee.bank_account_id,
                masked_account_number: payee.masked_account_number,
            }
        }
    };
    if receiver == (Receiver::Member { membership_id: sender }) {
        return Err((&refusals::TO_ONESELF).into());
    }
    Ok(receiver)
}

async fn by_email(
    context: &Context,
    call: &Call<RequestRemittance>,
    email: &str,
) -> Result<Receiver, Problem> {
    let question = MemberQuestion::Email { email: email.to_owned() };
    let answer = context.call(&RESOLVE_MEMBER, call, None, None, &question).await.map_err(refused)?;
    let membership_id = answer.membership_id.ok_or(&money_codes::RECEIVER_NOT_FOUND)?;
    Ok(Receiver::Member { membership_id })
}

/// What another service says of a field of its input, said of the same field in ours.
fn refused(error: CallError) -> Problem {
    match error {
        CallError::Unanswered(error) => Problem::unavailable(error),
        CallError::Refused(problem) if problem.is(&problem::VALIDATION_FAILED) => {
            let within = |error: FieldError| FieldError { pointer: format!("/to{}", error.pointer), ..error };
            Problem::fields(problem.errors.into_iter().map(within).collect())
        }
        CallError::Refused(problem) => {
            let known = bank_codes::PAYEE.iter().find(|code| problem.is(code));
            let known = known.copied().or_else(|| money_codes::named(&problem.code));
            known.map_or_else(|| Problem::internal(&problem), Problem::from)
        }
    }
}
