//! Moves won between two members' wallets. Called by other services; it has no route.
//!
//! Each wallet's chain gets one entry, both in one transaction: no reader sees money in flight, and asking twice
//! under one reference is asking once.

use crate::{
    chains,
    domain::{Order, Step},
    refusals,
    settings::Settings,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{TransferOrder, Transferred},
    problem,
};
use events::{Fact, money::MoneyTransferred};
use kernel::id::WalletId;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "transferMoney",
    summary: "Moves money between two wallets, atomically",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    emits: &[MoneyTransferred::TYPE],
    refuses: &[
        &refusals::SAME_WALLET,
        &refusals::OTHER_TERMS,
        &refusals::BORN_LATER,
        &refusals::WALLET_CLOSED,
        &refusals::RECEIVER_CLOSED,
        &refusals::EACH_LIMIT_EXCEEDED,
        &refusals::INSUFFICIENT_BALANCE,
        &refusals::DAY_LIMIT_EXCEEDED,
        &refusals::MONTH_LIMIT_EXCEEDED,
        &refusals::RECEIVER_CAP_EXCEEDED,
    ],
    ..handled_by!(transfer_money)
};

async fn transfer_money(context: &Context, call: Call<TransferOrder>) -> Result<Reply<Transferred>, Problem> {
    let TransferOrder { debit_membership_id: payer, credit_membership_id: payee, amount } = call.body;
    let reference = call.reference.clone().ok_or(&problem::IDEMPOTENCY_KEY_REQUIRED)?;
    if amount.is_zero() {
        return Err(Problem::field("/amount/amount", "must be at least 1"));
    }
    if payer == payee {
        return Err((&refusals::SAME_WALLET).into());
    }
    let limits = Settings::of(context)?.limits;
    let order =
        |step| Order { step, reference: reference.clone(), traceparent: call.trace.traceparent().to_owned() };
    let debit = order(Step::Send(amount, WalletId::of(payee)));
    let credit = order(Step::Receive(amount, WalletId::of(payer)));

    let [sent, received] = chains::transfer(context, [&debit, &credit], [payer, payee], &limits).await?;

    Ok(Reply::ok(Transferred {
        debit_wallet_id: sent.wallet_id,
        debit_sequence: sent.sequence,
        debit_balance: sent.standing.balance,
        credit_wallet_id: received.wallet_id,
        credit_sequence: received.sequence,
        amount,
        transferred_at: sent.time,
    }))
}
