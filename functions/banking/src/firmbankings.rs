//! Storing a firmbanking and bringing it to its end: what the API, the event handler, inquiries and repetitions run.
//!
//! The record is put as sent before the wire, in one place of its account's chain. [`Teller::advance`] may be run by
//! anybody, at any time, at once with others: it takes the steps of [`crate::domain::progress`], and every change is
//! on condition of the record's version, so that executors converge on the bank's one word.

use crate::{
    bank::Bank,
    chain::{self, Chain},
    domain::{AccountNumber, Heard, Last, Outcome, Step, firmbanking_id, next},
    items::{self, BankAccount, BankAccountState, Direction, Firmbanking, Request},
    refusals,
    settings::Settings,
    vault,
};
use contract::{
    Call, Caller, Code, Context, Problem, Reference, Reply, Trace,
    peers::{self, BankParty, FirmbankingOrder, FirmbankingState},
    problem,
};
use kernel::{
    Money, Timestamp,
    id::{BankAccountId, MembershipId},
};
use store::{CommitError, Condition, Record, Write, seal, seal::ServiceKey};

/// How often a place in the chain is tried for that others took first.
const TRIES: u32 = 8;
/// How many steps one run takes at most: inquire, send, conclude, and some for others' changes in between.
const STEPS: u32 = 10;
/// How far ahead of this clock a reference's birth may lie.
const MOST_SKEW_MILLIS: i64 = 60_000;

/// Where a firmbanking's record came from.
pub enum Stored {
    /// This call put it.
    New(Firmbanking),
    /// An earlier call with the same reference put it.
    Known(Firmbanking),
}

/// Works on firmbankings: keys, credentials, and the number of the account at hand.
pub struct Teller<'a> {
    context: &'a Context,
    key: ServiceKey,
    bank: Bank<'a>,
    settings: Settings,
    number: Option<AccountNumber>,
}

/// Under which reference a call asks, and whether that is stored yet.
struct Asked {
    reference: Reference,
    /// What must be put before the record: an HTTP client's key, if it was not seen before.
    request: Option<Request>,
    /// Whether a refusal must be kept, so that a delayed twin of the call is refused alike.
    by_service: bool,
}

/// The linked side of an order.
#[derive(Clone, Copy)]
struct Side {
    direction: Direction,
    bank_account_id: BankAccountId,
    membership_id: MembershipId,
}

impl<'a> Teller<'a> {
    /// A teller with the credentials in use.
    pub async fn of(context: &'a Context, trace: &Trace) -> Result<Teller<'a>, Problem> {
        let settings = Settings::of(context)?;
        let key = vault::key(context).await?;
        let bank = Bank::of(context, &settings, trace).await?;
        Ok(Teller { context, key, bank, settings, number: None })
    }

    /// Stores an order in its account's chain in this state, or finds that the same reference was stored before.
    pub async fn store(
        &mut self,
        call: &Call<FirmbankingOrder>,
        state: FirmbankingState,
    ) -> Result<Stored, Problem> {
        let side = check(call)?;
        let mut asked = self.asked(call, side).await?;
        for _ in 0..TRIES {
            let chain = chain::end(self.context, side.bank_account_id, &asked.reference).await?;
            if let Some(known) = chain.known {
                return if known.order() == call.body {
                    Ok(Stored::Known(known))
                } else {
                    Err((&problem::IDEMPOTENCY_KEY_REUSED).into())
                };
            }
            let draft = self.draft(call, state, side, &asked, &chain)?;
            if let Some(request) = asked.request.take()
                && let Some(birth) = self.put_request(&request).await?
            {
                // The same key came at the same time: look where that one puts its record.
                asked.reference.birth = birth;
                continue;
            }
            match self.context.table.commit(&[Write::put(&draft, Condition::Absent)?]).await {
                Ok(()) => return Ok(Stored::New(draft)),
                Err(error) if error.is_collision() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::unavailable("others took every place in the account's chain"))
    }

    /// Brings a firmbanking as far as it will go now. Safe to run again, and at once with others.
    pub async fn advance(&mut self, entry: Firmbanking, mut last: Last) -> Result<Firmbanking, Problem> {
        let mut entry = entry;
        self.bank.follow(&entry.traceparent);
        for _ in 0..STEPS {
            match next(entry.state, &last, self.is_overdue(&entry)) {
                Step::Stop => return Ok(entry),
                Step::Claim => {
                    let sent = Firmbanking { state: FirmbankingState::Sent, ..entry.clone() };
                    let (now, ours) = self.save(sent).await?;
                    (entry, last) = (now, if ours { Last::Claimed } else { Last::Found });
                }
                Step::Inquire => last = Last::Asked(self.bank.inquire(&self.key, &entry).await),
                Step::Send => last = Last::Asked(self.send(&entry).await?),
                Step::Void => last = Last::Asked(self.void(&entry).await),
                Step::Conclude(outcome) => {
                    let ended = concluded(&entry, outcome, self.context.clock.now());
                    let state = ended.state;
                    let (now, _) = self.save(ended).await?;
                    if now.is_final() && now.state != state {
                        let firmbanking_id = now.firmbanking_id;
                        tracing::error!(about = %firmbanking_id, "the bank has told two executors different ends");
                    }
                    entry = now;
                }
                Step::Doubt => {
                    let inquiries = entry.inquiries.saturating_add(1);
                    let unknown = Firmbanking { state: FirmbankingState::Unknown, inquiries, ..entry };
                    return Ok(self.save(unknown).await?.0);
                }
            }
        }
        Ok(entry)
    }

    async fn asked(&self, call: &Call<FirmbankingOrder>, side: Side) -> Result<Asked, Problem> {
        if let Some(reference) = call.reference.clone() {
            if reference.birth.millis_since(call.now) > MOST_SKEW_MILLIS {
                return Err(Problem::unavailable("the reference's birth lies ahead of this clock"));
            }
            return Ok(Asked { reference, request: None, by_service: true });
        }
        let key = call.idempotency_key.as_ref().ok_or(&problem::IDEMPOTENCY_KEY_REQUIRED)?;
        let digest = seal::digest(&[&call.caller.to_string(), &call.operation, key.as_str()]);
        let id = format!("{}{digest}", Request::REFERENCE);
        let known: Option<Request> =
            items::load(self.context, &Request::key_of(firmbanking_id::hash(&id))).await?;
        match known {
            Some(known) if known.bank_account_id != side.bank_account_id => {
                Err((&problem::IDEMPOTENCY_KEY_REUSED).into())
            }
            Some(Request { reference: id, birth, .. }) => {
                Ok(Asked { reference: Reference { id, birth }, request: None, by_service: false })
            }
            None => {
                let request =
                    Request { reference: id.clone(), bank_account_id: side.bank_account_id, birth: call.now };
                let reference = Reference { id, birth: call.now };
                Ok(Asked { reference, request: Some(request), by_service: false })
            }
        }
    }

    /// Puts a request, or answers the birth of the one that was put at the same time.
    async fn put_request(&self, request: &Request) -> Result<Option<Timestamp>, Problem> {
        let written = self.context.table.commit(&[Write::put(request, Condition::Absent)?]).await;
        let Err(error) = written else { return Ok(None) };
        let Some(found) = error.found(0) else { return Err(error.into()) };
        let found: Request = store::read(found.clone())?;
        if found.bank_account_id == request.bank_account_id {
            Ok(Some(found.birth))
        } else {
            Err((&problem::IDEMPOTENCY_KEY_REUSED).into())
        }
    }

    /// The record to be put. A service's order that cannot be carried out is a record too: failed from the start.
    fn draft(
        &mut self,
        call: &Call<FirmbankingOrder>,
        state: FirmbankingState,
        side: Side,
        asked: &Asked,
        chain: &Chain,
    ) -> Result<Firmbanking, Problem> {
        let Reference { id: reference, birth } = &asked.reference;
        let requested_at = call.now.max(*birth).max(chain.tip.requested_at);
        let attempt = 1;
        let blank = Firmbanking {
            firmbanking_id: firmbanking_id::of(reference, requested_at),
            bank_account_id: side.bank_account_id,
            sequence: chain.tip.sequence.saturating_add(1),
            membership_id: side.membership_id,
            direction: side.direction,
            amount: call.body.amount,
            reference: reference.clone(),
            transfer_id: transfer_id(reference, attempt),
            attempt,
            terms: None,
            state,
            failure_reason: None,
            requested_at,
            completed_at: None,
            inquiries: 0,
            by_event: state == FirmbankingState::Requested,
            closed: chain.tip.closed,
            version: 1,
            traceparent: call.trace.traceparent().to_owned(),
        };
        match self.usable_number(side, chain)? {
            Ok(number) => {
                let terms = self.terms(side.direction, &number, blank.amount);
                self.number = Some(number);
                Ok(Firmbanking { terms: Some(terms), ..blank })
            }
            Err(code) if asked.by_service => Ok(Firmbanking {
                state: FirmbankingState::Failed,
                failure_reason: Some(code.code.to_owned()),
                completed_at: Some(requested_at),
                ..blank
            }),
            Err(code) => Err(code.into()),
        }
    }

    /// The number of the order's account, or why it cannot be used. A number that has become Pay's own since it was
    /// linked cannot: money would go from that account to itself.
    fn usable_number(
        &self,
        side: Side,
        chain: &Chain,
    ) -> Result<Result<AccountNumber, &'static Code>, Problem> {
        let account = match usable(side, chain) {
            Ok(account) => account,
            Err(code) => return Ok(Err(code)),
        };
        let number = vault::open_number(&self.key, account)?
            .ok_or_else(|| Problem::internal("a linked account has no number"))?;
        Ok(if number == *self.bank.corporate() { Err(&refusals::BANK_ACCOUNT_NOT_FOUND) } else { Ok(number) })
    }

    /// The blind index of what is asked of the bank now.
    fn terms(&self, direction: Direction, number: &AccountNumber, amount: Money) -> String {
        let (source, destination) = self.route(direction, number);
        vault::terms(&self.key, source.digits(), destination.digits(), amount)
    }

    async fn send(&mut self, entry: &Firmbanking) -> Result<Heard, Problem> {
        if self.number.is_none() {
            let key = BankAccount::key_of(entry.bank_account_id);
            let account: Option<BankAccount> = items::load(self.context, &key).await?;
            self.number = match account {
                Some(account) => vault::open_number(&self.key, &account)?,
                None => None,
            };
        }
        let Some(number) = self.number.clone() else {
            // Unlinking waits for the last firmbanking, so this does not happen; if it does, the id is voided.
            return Ok(self.void(entry).await);
        };
        // Pay's own account is a setting, and may be another one than when the transfer was stored. Under other terms
        // the bank's answer would never be taken for an end.
        if entry.terms.as_ref() != Some(&self.terms(entry.direction, &number, entry.amount)) {
            tracing::warn!(about = %entry.firmbanking_id, "the transfer's terms are no longer those stored: it is voided");
            return Ok(self.void(entry).await);
        }
        let (source, destination) = self.route(entry.direction, &number);
        Ok(self.bank.send(&self.key, entry, source, destination).await)
    }

    async fn void(&self, entry: &Firmbanking) -> Heard {
        self.bank.void(&self.key, entry).await
    }

    fn route<'n>(
        &'n self,
        direction: Direction,
        linked: &'n AccountNumber,
    ) -> (&'n AccountNumber, &'n AccountNumber) {
        match direction {
            Direction::ToCorporate => (linked, self.bank.corporate()),
            Direction::FromCorporate => (self.bank.corporate(), linked),
        }
    }

    fn is_overdue(&self, entry: &Firmbanking) -> bool {
        let age = self.context.clock.now().millis_since(entry.requested_at);
        age > i64::from(self.settings.void_after_seconds).saturating_mul(1000)
    }

    /// Saves a changed record if nobody changed it since it was read. Otherwise answers what is there now, and that it
    /// is not ours.
    async fn save(&self, changed: Firmbanking) -> Result<(Firmbanking, bool), Problem> {
        let unchanged = Condition::number("version", changed.version);
        let changed = Firmbanking { version: changed.version.saturating_add(1), ..changed };
        match self.context.table.commit(&[Write::put(&changed, unchanged)?]).await {
            Ok(()) => Ok((changed, true)),
            Err(error @ CommitError::Refused(_)) => match error.found(0) {
                Some(found) => Ok((store::read(found.clone())?, false)),
                None => Err(Problem::internal("a firmbanking has vanished")),
            },
            Err(CommitError::Contended) => match items::load(self.context, &changed.key()).await? {
                Some(found) => Ok((found, false)),
                None => Err(Problem::internal("a firmbanking has vanished")),
            },
            Err(error) => Err(error.into()),
        }
    }
}

/// The id at the bank: the same for every executor, and another one for every attempt.
pub fn transfer_id(reference: &str, attempt: u32) -> String {
    seal::digest(&["bank transfer", reference, &attempt.to_string()])
}

/// The answer to the one who asked: certain, or to be continued.
pub fn reply(entry: &Firmbanking, caller: &Caller) -> Reply<peers::Firmbanking> {
    if entry.is_final() {
        Reply::created(entry.location(), entry.view_for(caller))
    } else {
        Reply::accepted(entry.location(), entry.view_for(caller))
    }
}

fn check(call: &Call<FirmbankingOrder>) -> Result<Side, Problem> {
    let FirmbankingOrder { source, destination, amount } = &call.body;
    if amount.is_zero() {
        return Err(Problem::field("/amount/amount", "must be at least 1"));
    }
    let side = match (source, destination) {
        (BankParty::Linked { bank_account_id, membership_id }, BankParty::Corporate {}) => Side {
            direction: Direction::ToCorporate,
            bank_account_id: *bank_account_id,
            membership_id: *membership_id,
        },
        (BankParty::Corporate {}, BankParty::Linked { bank_account_id, membership_id }) => Side {
            direction: Direction::FromCorporate,
            bank_account_id: *bank_account_id,
            membership_id: *membership_id,
        },
        _ => return Err((&refusals::NOT_WITH_CORPORATE).into()),
    };
    // A service that acts for one member may not name another's account.
    if call.on_behalf_of.is_some_and(|member| member != side.membership_id) {
        return Err((&refusals::BANK_ACCOUNT_NOT_FOUND).into());
    }
    Ok(side)
}

fn usable(side: Side, chain: &Chain) -> Result<&BankAccount, &'static Code> {
    // A payee takes money and gives none.
    let state = |account: &BankAccount| match account.state {
        BankAccountState::Linked => true,
        BankAccountState::Payee => side.direction == Direction::FromCorporate,
        _ => false,
    };
    let fits = |account: &&BankAccount| {
        state(account) && account.membership_id == side.membership_id && !chain.tip.closed
    };
    chain.account.as_ref().filter(fits).ok_or(&refusals::BANK_ACCOUNT_NOT_FOUND)
}

fn concluded(entry: &Firmbanking, outcome: Outcome, now: Timestamp) -> Firmbanking {
    let (state, failure_reason) = match outcome {
        Outcome::Succeeded => (FirmbankingState::Succeeded, None),
        Outcome::Failed(reason) => (FirmbankingState::Failed, Some(reason.to_owned())),
    };
    let completed_at = Some(now.max(entry.requested_at));
    // The terms have done their duty: what is final keeps no trace of an account's number.
    Firmbanking { state, failure_reason, completed_at, terms: None, ..entry.clone() }
}
