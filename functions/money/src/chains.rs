//! Steps on wallets' chains.
//!
//! A step is decided on a chain read back to the step's birth and appended by one conditional put (links.rs). If
//! another executor was first, the put fails and the step is decided again on a fresh read. So a lost answer, a stale
//! read and a second executor are all the same case: the reference is found, or it is not.

use crate::{
    domain::{Chain, Decision, Entry, Kind, Limits, Order, decide, refuse},
    items::entry_key,
    links::{self, ATTEMPTS, broken, check_birth},
    refusals::{self, Refusal},
};
use contract::{Context, Problem};
use kernel::{
    Timestamp,
    id::{MembershipId, WalletId},
};
use store::{Order as Direction, Query, Read};

/// How a step ended.
#[derive(Debug)]
pub enum Failure {
    /// The ledger refused it, and an entry says so.
    Refused(Refusal),
    /// It is not known to have happened: ask again under the same reference.
    Problem(Problem),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::Problem(problem)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Problem(problem) => problem,
        }
    }
}

/// Reads a member's chain back to a step's birth. A page without gaps will do; otherwise it is read consistently.
pub async fn load(context: &Context, owner: MembershipId, birth: Timestamp) -> Result<Chain, Problem> {
    let wallet_id = WalletId::of(owner);
    let entries = links::load(context, &wallet_id.to_string(), birth).await?;
    Ok(Chain { wallet_id, owner, entries })
}

/// Reads a member's chain back to a step's birth, seeing every commit that was answered before.
pub async fn reload(context: &Context, owner: MembershipId, birth: Timestamp) -> Result<Chain, Problem> {
    let wallet_id = WalletId::of(owner);
    let entries = links::reload(context, &wallet_id.to_string(), birth).await?;
    Ok(Chain { wallet_id, owner, entries })
}

/// Takes a step on one chain, once.
pub async fn append(
    context: &Context,
    chain: &mut Chain,
    order: &Order,
    limits: &Limits,
) -> Result<Entry, Failure> {
    check_birth(context, order.reference.birth)?;
    let mut is_fresh = false;
    for _ in 0..ATTEMPTS {
        let now = context.clock.now();
        let (entry, outcome) = match decide(chain, order, limits, now).map_err(broken)? {
            Decision::Done(entry) => return Ok(entry),
            Decision::WasRefused(refusal) => return Err(Failure::Refused(refusal)),
            Decision::OtherTerms => return Err(Problem::from(&refusals::OTHER_TERMS).into()),
            // No put of ours would notice that the chain was read before the hold was made.
            Decision::NotHeld if is_fresh => return Err(Problem::from(&refusals::NOT_HELD).into()),
            Decision::NotHeld => {
                *chain = reload(context, chain.owner, order.reference.birth).await?;
                is_fresh = true;
                continue;
            }
            Decision::Append(entry) => (entry, None),
            Decision::Refuse(refusal) => (refuse(chain, order, refusal, now).map_err(broken)?, Some(refusal)),
        };
        if put(context, &[&entry]).await? {
            chain.push(entry.clone());
            return match outcome {
                None => Ok(entry),
                Some(refusal) => Err(Failure::Refused(refusal)),
            };
        }
        *chain = reload(context, chain.owner, order.reference.birth).await?;
        is_fresh = true;
    }
    Err(Problem::unavailable("others are writing to this wallet").into())
}

/// What is known of a payee who has no wallet yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payee {
    /// Membership was not asked.
    Unasked,
    /// There is such a member: the first entry opens the wallet.
    Member,
    /// There is none.
    Nobody,
}

/// How a transfer between two chains ended, or that it cannot be decided yet.
pub enum Moved {
    /// Both entries are there.
    Done(Box<[Entry; 2]>),
    /// The payee has no wallet, and membership must be asked whether there is such a member.
    PayeeUnknown,
}

/// Moves money between two chains, once: both entries or none.
///
/// The debit chain carries the reference's outcome, so a refusal, whoever's, is an entry there. A refusal that comes
/// from the credit chain is decided on a consistent read, because no put of ours would notice that it was stale.
pub async fn transfer(
    context: &Context,
    [debit, credit]: [&Order; 2],
    [payer, payee]: [MembershipId; 2],
    standing: Payee,
    limits: &Limits,
) -> Result<Moved, Failure> {
    check_birth(context, debit.reference.birth)?;
    let birth = debit.reference.birth;
    let mut source = load(context, payer, birth).await?;
    let mut target = load(context, payee, birth).await?;
    let mut is_fresh = false;
    for _ in 0..ATTEMPTS {
        let now = context.clock.now();
        // Both entries of a transfer carry one time.
        let now =
            [&source, &target].iter().filter_map(|chain| chain.tip()).fold(now, |now, tip| now.max(tip.time));
        let outgoing = decide(&source, debit, limits, now).map_err(broken)?;
        let incoming = match standing {
            Payee::Nobody if target.entries.is_empty() => Decision::Refuse(Refusal::ReceiverNotFound),
            _ => decide(&target, credit, limits, now).map_err(broken)?,
        };
        let refusal = match (outgoing, incoming) {
            (Decision::Done(outgoing), Decision::Done(incoming)) => {
                return Ok(Moved::Done(Box::new([outgoing, incoming])));
            }
            (Decision::WasRefused(refusal), _) => return Err(Failure::Refused(refusal)),
            (Decision::Append(_), Decision::Append(incoming))
                if incoming.sequence == 1 && standing == Payee::Unasked =>
            {
                return Ok(Moved::PayeeUnknown);
            }
            (Decision::OtherTerms, _) | (_, Decision::OtherTerms) => {
                return Err(Problem::from(&refusals::OTHER_TERMS).into());
            }
            (Decision::Append(outgoing), Decision::Append(incoming)) => {
                let (sent, received) = (outgoing.sequence, incoming.sequence);
                let outgoing = Entry { counterpart: Some(received), ..outgoing };
                let incoming = Entry { counterpart: Some(sent), ..incoming };
                if put(context, &[&outgoing, &incoming]).await? {
                    return Ok(Moved::Done(Box::new([outgoing, incoming])));
                }
                None
            }
            (Decision::Refuse(refusal), _) | (Decision::Append(_), Decision::Refuse(refusal)) => {
                Some(refusal)
            }
            // One side was read before the transfer and the other after it.
            _ => None,
        };
        if let Some(refusal) = refusal.filter(|_| is_fresh) {
            let entry = refuse(&source, debit, refusal, now).map_err(broken)?;
            if put(context, &[&entry]).await? {
                return Err(Failure::Refused(refusal));
            }
        }
        source = reload(context, payer, birth).await?;
        target = reload(context, payee, birth).await?;
        is_fresh = true;
    }
    Err(Problem::unavailable("others are writing to these wallets").into())
}

/// Tries once to append to a chain that was read consistently; answers the entry if there is a new one. Losing to
/// somebody else is no failure.
pub async fn try_append(
    context: &Context,
    chain: &Chain,
    order: &Order,
    limits: &Limits,
) -> Result<Option<Entry>, Problem> {
    let decision = decide(chain, order, limits, context.clock.now()).map_err(broken)?;
    let Decision::Append(entry) = decision else { return Ok(None) };
    Ok(put(context, &[&entry]).await?.then_some(entry))
}

/// The first entry, or none if the wallet does not exist.
pub async fn first(context: &Context, owner: MembershipId) -> Result<Option<Entry>, Problem> {
    let item = context.table.get(&entry_key(WalletId::of(owner), 1), Read::Consistent).await?;
    Ok(item.map(store::read).transpose()?)
}

/// The newest entry, or none if the wallet does not exist.
pub async fn tip(context: &Context, owner: MembershipId) -> Result<Option<Entry>, Problem> {
    let query = Query {
        order: Direction::Descending,
        limit: Some(1),
        ..Query::partition(WalletId::of(owner).to_string())
    };
    let page = context.table.query(&query).await?;
    Ok(page.items.into_iter().next().map(store::read).transpose()?)
}

/// Puts entries in one commit. False if somebody else was first, or at the same time.
async fn put(context: &Context, entries: &[&Entry]) -> Result<bool, Problem> {
    debug_assert!(entries.iter().all(|entry| (entry.purpose == Kind::Refused) == entry.refusal.is_some()));
    links::put(context, entries).await
}
