//! Called by money's auditLedger: looks through banking's table, a page at a time.
//!
//! An account number is linked in one place, a chain of firmbankings has no gap, and what was moved is summed up: for
//! the ledger's sagas, for operators, and what was open at the bank at the cut.

use crate::items::{self, BankAccount, BankAccountState, Claim, Direction, Firmbanking};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger,
    audit::{self, AuditPage, Audited, Finding, Inspection, Sums},
    handled_by,
};
use kernel::OutOfRange;
use store::{Item, Read, Record, kind_of};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "auditBanking",
    summary: "Checks banking's table, and sums up what was moved at the bank",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::ScanTable],
    timeout_seconds: 30,
    ..handled_by!(audit_banking)
};

async fn audit_banking(context: &Context, call: Call<AuditPage>) -> Result<Reply<Audited>, Problem> {
    let mut inspection = Inspection::looking_up(&call.body);
    while let Some(items) = inspection.items(context).await? {
        for item in items {
            let findings = audit(context, &item, &call.body, inspection.sums()).await?;
            inspection.find(findings);
        }
    }
    Ok(Reply::ok(inspection.end()))
}

async fn audit(
    context: &Context,
    item: &Item,
    page: &AuditPage,
    sums: &mut Sums,
) -> Result<Option<Finding>, Problem> {
    match kind_of(item) {
        Firmbanking::KIND => match audit::readable::<Firmbanking>(item) {
            Ok(entry) => {
                count(&entry, page, sums).map_err(Problem::internal)?;
                follow(context, &entry).await
            }
            Err(finding) => Ok(Some(finding)),
        },
        BankAccount::KIND => match audit::readable::<BankAccount>(item) {
            Ok(account) => hold_to_claim(context, &account).await,
            Err(finding) => Ok(Some(finding)),
        },
        Claim::KIND => match audit::readable::<Claim>(item) {
            Ok(claim) => hold_to_account(context, &claim).await,
            Err(finding) => Ok(Some(finding)),
        },
        _ => Ok(None),
    }
}

/// Adds a firmbanking to what was moved before the cut, or was open then.
fn count(entry: &Firmbanking, page: &AuditPage, sums: &mut Sums) -> Result<(), OutOfRange> {
    let failed = entry.is_final() && !entry.is_done();
    if failed || page.is_after(entry.requested_at) {
        return Ok(());
    }
    if !entry.completed_at.is_some_and(|completed| page.is_before(completed)) {
        let open = match entry.direction {
            Direction::ToCorporate => "open.bankIn",
            Direction::FromCorporate => "open.bankOut",
        };
        return sums.plus(open, entry.amount);
    }
    let whom = if entry.is_by_service() { "banking.forSagas" } else { "banking.forOperators" };
    match entry.direction {
        Direction::ToCorporate => sums.plus(whom, entry.amount),
        Direction::FromCorporate => sums.minus(whom, entry.amount),
    }
}

/// The entry before it in its account's chain is there.
async fn follow(context: &Context, entry: &Firmbanking) -> Result<Option<Finding>, Problem> {
    let Some(before) = entry.sequence.checked_sub(1).filter(|before| *before > 0) else { return Ok(None) };
    let key = items::entry_key(entry.bank_account_id, before);
    let found = context.table.get(&key, Read::Consistent).await?;
    let subject = format!("{}/{}", entry.bank_account_id, entry.sequence);
    Ok(found.is_none().then(|| Finding::new("sequence_gap", subject, "the entry before it is missing")))
}

/// A linked account has claimed its number.
async fn hold_to_claim(context: &Context, account: &BankAccount) -> Result<Option<Finding>, Problem> {
    // What was scanned may be older than what is.
    let account: Option<BankAccount> = audit::find(context, &account.key()).await?;
    let Some(account) = account.filter(|account| account.state == BankAccountState::Linked) else {
        return Ok(None);
    };
    let subject = account.bank_account_id.to_string();
    let Some(sealed) = &account.sealed else {
        return Ok(Some(Finding::new("number_missing", subject, "it is linked and has no number")));
    };
    let claim: Option<Claim> = audit::find(context, &Claim::key_of(&sealed.number_index)).await?;
    let is_own = claim.is_some_and(|claim| claim.bank_account_id == account.bank_account_id);
    if is_own || is_unlinked(context, &account).await? {
        return Ok(None);
    }
    Ok(Some(Finding::new(
        "number_not_claimed",
        subject,
        "it is linked, and its number is claimed by another or none",
    )))
}

/// A claimed number is that of a linked account.
async fn hold_to_account(context: &Context, claim: &Claim) -> Result<Option<Finding>, Problem> {
    let account: Option<BankAccount> =
        audit::find(context, &BankAccount::key_of(claim.bank_account_id)).await?;
    let is_own = account.is_some_and(|account| {
        account.state == BankAccountState::Linked
            && account.sealed.is_some_and(|sealed| sealed.number_index == claim.number_index)
    });
    if is_own {
        return Ok(None);
    }
    // It may have been given back since it was scanned.
    let still: Option<Claim> = audit::find(context, &claim.key()).await?;
    let subject = claim.bank_account_id.to_string();
    let is_stale = still.is_some_and(|still| still.bank_account_id == claim.bank_account_id);
    Ok(is_stale
        .then(|| Finding::new("number_claimed_by_nobody", subject, "it claims a number and is not linked")))
}

/// Whether an account was unlinked since it was read.
async fn is_unlinked(context: &Context, account: &BankAccount) -> Result<bool, Problem> {
    let now: Option<BankAccount> = audit::find(context, &account.key()).await?;
    Ok(now.is_none_or(|now| now.state != BankAccountState::Linked))
}
