//! Moves won between two members' wallets, between a wallet and a franchise, or between what a franchise is owed and
//! Pay's own accounts. Called by other services; it has no route.
//!
//! Each wallet's chain gets one entry, both in one transaction: no reader sees money in flight, and asking twice
//! under one reference is asking once. A franchise has no item here, so that a payment is one put, however busy the
//! franchise is. What settlement moves is an entry of the franchise's journal, and no other service may move it.

use crate::{
    chains::{self, Moved, Payee},
    domain::{Entry, JournalOrder, JournalStep, Order, Step},
    journals, refusals,
    settings::Settings,
};
use contract::{
    Call, Caller, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{
        MemberQuestion, Posting, RESOLVE_MEMBER, ResolvedMember, TransferOrder, TransferParty as Party,
        Transferred,
    },
    ports::CallError,
    problem,
};
use events::{Fact, money::MoneyTransferred};
use kernel::id::{MembershipId, WalletId};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "transferMoney",
    summary: "Moves money between two wallets, a wallet and a franchise, or a franchise and Pay, atomically",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    calls: &[RESOLVE_MEMBER.operation],
    emits: &[MoneyTransferred::TYPE],
    refuses: &[
        &refusals::SAME_WALLET,
        &refusals::OTHER_TERMS,
        &refusals::BORN_LATER,
        &refusals::EXPIRED,
        &refusals::WALLET_CLOSED,
        &refusals::RECEIVER_CLOSED,
        &refusals::RECEIVER_NOT_FOUND,
        &refusals::EACH_LIMIT_EXCEEDED,
        &refusals::INSUFFICIENT_BALANCE,
        &refusals::DAY_LIMIT_EXCEEDED,
        &refusals::MONTH_LIMIT_EXCEEDED,
        &refusals::RECEIVER_CAP_EXCEEDED,
    ],
    ..handled_by!(transfer_money)
};

/// What the full names of settlement's operations begin with.
const SETTLEMENT: &str = "settlement.";

async fn transfer_money(context: &Context, call: Call<TransferOrder>) -> Result<Reply<Transferred>, Problem> {
    let TransferOrder { debit, credit, amount, expires_at } = call.body;
    let reference = call.reference.clone().ok_or(&problem::IDEMPOTENCY_KEY_REQUIRED)?;
    if amount.is_zero() {
        return Err(Problem::field("/amount/amount", "must be at least 1"));
    }
    let order = |step| Order {
        step,
        reference: reference.clone(),
        expires_at,
        traceparent: call.trace.traceparent().to_owned(),
    };
    let journal = JournalStep::between(debit.into(), credit.into());
    let has_wallet = [debit, credit].iter().any(|party| matches!(party, Party::Member { .. }));
    if has_wallet || journal.is_some() {
        check_caller(&call.caller, journal.is_some())?;
    }
    let transferred = match (debit, credit) {
        (Party::Member { membership_id: payer }, Party::Member { membership_id: payee }) => {
            let debit = order(Step::Send(amount, WalletId::of(payee)));
            let credit = order(Step::Receive(amount, WalletId::of(payer)));
            remit(context, &call, [&debit, &credit], [payer, payee]).await?
        }
        (Party::Member { membership_id: payer }, Party::Franchise { franchise_id }) => {
            let entry = append(context, payer, &order(Step::Pay(amount, franchise_id))).await?;
            Transferred { debit: Some(posting(&entry)), credit: None, amount, transferred_at: entry.time }
        }
        (Party::Franchise { franchise_id }, Party::Member { membership_id: payer }) => {
            // What comes back is never refused, so it cannot be late.
            let refund = Order { expires_at: None, ..order(Step::Refund(amount, franchise_id)) };
            let entry = append(context, payer, &refund).await?;
            Transferred { debit: None, credit: Some(posting(&entry)), amount, transferred_at: entry.time }
        }
        _ => {
            let Some((franchise_id, step)) = journal else {
                return Err(Problem::field("/credit", "cannot be moved there from this debit"));
            };
            if expires_at.is_some() {
                return Err(Problem::field("/expiresAt", "what is settled cannot be late"));
            }
            let traceparent = call.trace.traceparent().to_owned();
            let order = JournalOrder { step, amount, reference, traceparent };
            let entry = journals::append(context, franchise_id, &order).await?;
            Transferred { debit: None, credit: None, amount, transferred_at: entry.time }
        }
    };
    Ok(Reply::ok(transferred))
}

/// Settlement moves what stands in journals and nothing else, and nobody else does.
fn check_caller(caller: &Caller, is_for_journal: bool) -> Result<(), Problem> {
    let is_settlement = matches!(caller, Caller::Service(name) if name.starts_with(SETTLEMENT));
    if is_settlement == is_for_journal {
        return Ok(());
    }
    Err(Problem::new(
        &problem::FORBIDDEN,
        "Only settlement moves what is in a journal, and it moves nothing else.",
    ))
}

/// Moves money between two wallets. The ledger knows every member who has a wallet; membership knows the others.
async fn remit(
    context: &Context,
    call: &Call<TransferOrder>,
    orders: [&Order; 2],
    [payer, payee]: [MembershipId; 2],
) -> Result<Transferred, Problem> {
    if payer == payee {
        return Err((&refusals::SAME_WALLET).into());
    }
    let limits = Settings::of(context)?.limits;
    let mut standing = Payee::Unasked;
    loop {
        match chains::transfer(context, orders, [payer, payee], standing, &limits).await? {
            Moved::Done(entries) => {
                let [sent, received] = *entries;
                return Ok(Transferred {
                    debit: Some(posting(&sent)),
                    credit: Some(posting(&received)),
                    amount: sent.amount,
                    transferred_at: sent.time,
                });
            }
            Moved::PayeeUnknown => standing = ask_for(context, call, payee).await?,
        }
    }
}

/// Asks membership for a payee who has no wallet: the fact that opens it may still be on its way.
async fn ask_for(
    context: &Context,
    call: &Call<TransferOrder>,
    payee: MembershipId,
) -> Result<Payee, Problem> {
    let question = MemberQuestion::Id { membership_id: payee };
    match context.call(&RESOLVE_MEMBER, call, None, None, &question).await {
        Ok(ResolvedMember { membership_id: Some(_) }) => Ok(Payee::Member),
        Ok(ResolvedMember { membership_id: None }) => Ok(Payee::Nobody),
        Err(CallError::Unanswered(error)) => Err(Problem::unavailable(error)),
        Err(CallError::Refused(problem)) => Err(Problem::internal(problem)),
    }
}

/// Takes a step on one wallet's chain.
async fn append(context: &Context, owner: MembershipId, order: &Order) -> Result<Entry, Problem> {
    let limits = Settings::of(context)?.limits;
    let mut chain = chains::load(context, owner, order.reference.birth).await?;
    Ok(chains::append(context, &mut chain, order, &limits).await?)
}

fn posting(entry: &Entry) -> Posting {
    Posting { wallet_id: entry.wallet_id, sequence: entry.sequence, balance: entry.standing.balance }
}
