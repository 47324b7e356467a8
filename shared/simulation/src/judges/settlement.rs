//! Whatever was paid or came back is settled exactly once, line after line to the won; and what a line says is what
//! manifests, ledger and bank say. Settlement's own sums are never asked: everything is reckoned anew.

use super::{Evidence, read};
use money::domain::{Account, JournalEntry};
use payment::items::{Canceled, CollectedPage, Payment, SettledGroup};
use serde::Deserialize;
use serde_json::Value;
use settlement::items::{Entry, EntryState, Line, LineState, Pointer, Run, RunState};
use std::collections::{BTreeMap, BTreeSet};

/// The tax on the fee, in basis points, where no setting says otherwise.
const VAT_BPS: i64 = 1_000;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let books = Books::of(evidence);
    let settled = books.manifests(evidence, findings);
    books.nothing_is_left(&settled, findings);
    books.chains(findings);
    books.ledger(evidence, findings);
    books.bank(findings);
    books.runs(findings);
    shown(evidence, &settled, findings);
}

/// What was settled under which id: a payment's or a cancellation's.
type Settled = BTreeMap<String, String>;

/// The items that settlements are about.
struct Books {
    payments: BTreeMap<String, Payment>,
    canceled: BTreeMap<String, Canceled>,
    groups: Vec<SettledGroup>,
    /// Each franchise's chain, in order.
    chains: BTreeMap<String, Vec<Line>>,
    entries: Vec<Entry>,
    runs: Vec<Run>,
    pointers: Vec<Pointer>,
    firmbankings: Vec<Firmbanking>,
    /// The tax on the fee, in basis points.
    vat_bps: i128,
}

/// What banking keeps of a transfer at the bank.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Firmbanking {
    bank_account_id: String,
    membership_id: String,
    direction: String,
    amount: u64,
    reference: String,
    state: String,
}

fn firmbankings(evidence: &Evidence<'_>) -> Vec<Firmbanking> {
    let items = evidence.items("banking", "firmbanking").iter().cloned();
    items.map(|item| serde_json::from_value(item).expect("a firmbanking can be read")).collect()
}

fn vat_bps(settings: &Value) -> i64 {
    settings["vatBps"].as_i64().unwrap_or(VAT_BPS)
}

impl Books {
    fn of(evidence: &Evidence<'_>) -> Books {
        let mut chains: BTreeMap<String, Vec<Line>> = BTreeMap::new();
        for line in read::<Line>(evidence.ended, "settlement") {
            chains.entry(line.franchise_id.to_string()).or_default().push(line);
        }
        chains.values_mut().for_each(|chain| chain.sort_by_key(|line| line.sequence));
        let payments = read::<Payment>(evidence.ended, "payment").into_iter();
        let canceled = read::<Canceled>(evidence.ended, "payment").into_iter();
        Books {
            payments: payments.map(|payment| (payment.payment_id.to_string(), payment)).collect(),
            canceled: canceled.map(|back| (back.cancellation_id.to_string(), back)).collect(),
            groups: read(evidence.ended, "payment"),
            chains,
            entries: read(evidence.ended, "settlement"),
            runs: read(evidence.ended, "settlement"),
            pointers: read(evidence.ended, "settlement"),
            firmbankings: firmbankings(evidence),
            vat_bps: evidence.ended.config.get("settlement").map_or(VAT_BPS, vat_bps).into(),
        }
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.chains.values().flatten()
    }

    /// Nothing is in two recorded manifests, nor twice in one; answers what is in which.
    fn manifests(&self, evidence: &Evidence<'_>, findings: &mut Vec<String>) -> Settled {
        let mut settled = Settled::new();
        for line in self.lines() {
            let id = line.settlement_id().to_string();
            let pages = evidence.manifest(line.franchise_id, &line.manifest()).unwrap_or_else(|why| {
                findings.push(format!("{id} is recorded {why}"));
                &[]
            });
            for (payment, cancellation) in pages.iter().flat_map(CollectedPage::ids) {
                let what = cancellation.map_or_else(|| payment.to_string(), |id| id.to_string());
                if let Some(other) = settled.insert(what.clone(), id.clone()) {
                    findings.push(format!("{what} is settled in {other} and in {id}"));
                }
            }
            self.reckon(line, pages, findings);
            let groups = self.groups.iter().filter(|group| group.settlement_id == line.settlement_id());
            let groups: Vec<_> = groups.collect();
            let says_so = groups.len() == 1
                && groups.iter().all(|group| {
                    (group.franchise_id, group.name(), group.settled_at)
                        == (line.franchise_id, line.manifest(), line.recorded_at)
                        && (group.payments, group.paid, group.cancellations, group.canceled)
                            == (
                                line.amounts.payments,
                                line.amounts.paid,
                                line.amounts.cancellations,
                                line.amounts.canceled,
                            )
                });
            if !says_so {
                findings.push(format!("{id} is recorded, and payment has finished {groups:?}"));
            }
        }
        let known: BTreeSet<_> = self.lines().map(Line::settlement_id).collect();
        for group in self.groups.iter().filter(|group| !known.contains(&group.settlement_id)) {
            findings.push(format!("{} is finished, and no line is recorded", group.settlement_id));
        }
        settled
    }

    /// A line's amounts, from what its manifest lists.
    fn reckon(&self, line: &Line, pages: &[CollectedPage], findings: &mut Vec<String>) {
        let id = line.settlement_id();
        // Payments, their sum, cancellations, their sum; by fee.
        let mut by_fee: BTreeMap<i128, [i128; 4]> = BTreeMap::new();
        for (payment, cancellation) in pages.iter().flat_map(CollectedPage::ids) {
            let found = match cancellation {
                None => self
                    .payments
                    .get(&payment.to_string())
                    .filter(|payment| payment.is_approved())
                    .map(|payment| (payment.franchise_id, payment.fee_bps, payment.amount, 0)),
                Some(own) => self
                    .canceled
                    .get(&own.to_string())
                    .filter(|back| back.payment_id == payment)
                    .map(|back| (back.franchise_id, back.fee_bps, back.amount, 2)),
            };
            let Some((_, fee, amount, place)) = found.filter(|found| found.0 == line.franchise_id) else {
                findings.push(format!("{id} has {payment} {cancellation:?}, which is not the franchise's"));
                continue;
            };
            let sums = by_fee.entry(fee.get().into()).or_default();
            sums[place] += 1;
            sums[place + 1] += i128::from(amount.amount());
        }
        let totals: BTreeMap<i128, [i128; 4]> = line
            .totals
            .iter()
            .map(|of_fee| {
                let (paid, canceled) = (of_fee.paid.amount().into(), of_fee.canceled.amount().into());
                let sums = [of_fee.payments.into(), paid, of_fee.cancellations.into(), canceled];
                (i128::from(of_fee.fee_bps.get()), sums)
            })
            .collect();
        if by_fee != totals || totals.len() != line.totals.len() {
            findings.push(format!("{id} says {:?}, and its manifest lists {by_fee:?}", line.totals));
        }
        let sum = |place: usize| by_fee.values().map(|sums| sums[place]).sum::<i128>();
        // Whole numbers are divided toward zero.
        let fee: i128 = by_fee.iter().map(|(bps, sums)| (sums[1] - sums[3]) * bps / 10_000).sum();
        let vat = fee * self.vat_bps / 10_000;
        if i128::from(line.vat_bps.get()) != self.vat_bps {
            findings.push(format!("{id} has a tax of {:?}, and it is {}", line.vat_bps, self.vat_bps));
        }
        let net = sum(1) - sum(3) - fee - vat;
        let own = [sum(0), sum(1), sum(2), sum(3), fee, vat, net];
        let told = &line.amounts;
        let told = [
            told.payments.into(),
            told.paid.amount().into(),
            told.cancellations.into(),
            told.canceled.amount().into(),
            told.fee.amount().into(),
            told.vat.amount().into(),
            i128::from(told.net.amount()),
        ];
        if own != told {
            findings.push(format!("{id} comes to {own:?}, and says {told:?}"));
        }
    }

    /// Whatever was paid, and whatever came back, is settled.
    fn nothing_is_left(&self, settled: &Settled, findings: &mut Vec<String>) {
        for (id, payment) in &self.payments {
            if payment.is_approved() != settled.contains_key(id) {
                findings.push(format!(
                    "{id} is {:?}, and is settled in {:?}",
                    payment.state,
                    settled.get(id)
                ));
            }
            let back = payment.cancellations.iter().filter(|part| part.refunded_at.is_some());
            for part in back.map(|part| part.cancellation_id.to_string()) {
                if !settled.contains_key(&part) {
                    findings.push(format!("{part}, which came back of {id}, is not settled"));
                }
            }
        }
    }

    /// Each franchise's lines follow each other, in time and in what is owed, and each has ended as its amounts say.
    fn chains(&self, findings: &mut Vec<String>) {
        let pointers: BTreeMap<_, _> = self
            .pointers
            .iter()
            .map(|pointer| (pointer.settlement_id, (pointer.franchise_id, pointer.sequence)))
            .collect();
        if pointers.len() != self.lines().count() {
            findings.push(format!("{} pointers lead to {} lines", pointers.len(), self.lines().count()));
        }
        for chain in self.chains.values() {
            let (mut owed, mut before): (i128, Option<&Line>) = (0, None);
            for (place, line) in (1_u64..).zip(chain) {
                let id = line.settlement_id();
                let mut hold = |holds: bool, what: &str| {
                    if !holds {
                        findings.push(format!("{id}: {what}: {line:?}"));
                    }
                };
                hold(line.sequence == place, "its chain has a gap");
                hold(
                    before.is_none_or(|before| before.through < line.through),
                    "its days are settled before",
                );
                hold(line.through <= line.business_day, "it reaches beyond its run");
                let leads = pointers.get(&id) == Some(&(line.franchise_id, line.sequence));
                hold(leads, "no pointer leads to it");
                let told = &line.amounts;
                let total = i128::from(told.net.amount()) - owed;
                hold(i128::from(told.carried_in.amount()) == owed, "it takes off what was not owed");
                hold(i128::from(told.payout.amount()) == total.max(0), "it pays out something else");
                owed = (-total).max(0);
                hold(i128::from(told.carried_out.amount()) == owed, "it leaves something else owed");
                let paid_out = [LineState::Paid, LineState::Failed];
                hold(paid_out.contains(&line.state) == (total > 0), "it has ended in another way");
                hold((line.state == LineState::Carried) == (total < 0), "it has ended in another way");
                hold(line.state != LineState::Open, "it has not ended");
                hold(line.payout.is_some() == (total > 0), "it has an account for nothing, or none");
                let why = line.failure_reason.as_ref().is_some_and(|why| !why.is_empty());
                hold(
                    why == (line.state == LineState::Failed),
                    "it says a reason without having failed, or none",
                );
                hold(line.finished && line.completed_at.is_some(), "it has ended without its steps");
                before = Some(line);
            }
        }
    }

    /// The journals have each line's steps, once, and nothing else; what a franchise is owed then is what failed
    /// lines would have paid out, less what is carried.
    fn ledger(&self, evidence: &Evidence<'_>, findings: &mut Vec<String>) {
        let mut booked: BTreeMap<&str, &JournalEntry> =
            evidence.journals.values().flatten().map(|entry| (entry.reference.as_str(), entry)).collect();
        for line in self.lines() {
            let id = line.settlement_id();
            let paid = if line.state == LineState::Paid { line.amounts.payout.amount() } else { 0 };
            let steps = [
                ("fee", i128::from(line.amounts.fee.amount()), Account::FeeRevenue, line.fee_at),
                ("vat", i128::from(line.amounts.vat.amount()), Account::VatPayable, line.vat_at),
                ("paid", i128::from(paid), Account::BankCorporate, line.paid_at),
            ];
            for (step, amount, account, at) in steps {
                let own = Account::Franchise(line.franchise_id);
                let entry = booked.remove(format!("{id}/{step}").as_str());
                let legs = if amount < 0 { (account, own) } else { (own, account) };
                let holds = match entry {
                    None => amount == 0 && at.is_none(),
                    Some(entry) => {
                        i128::from(entry.amount.amount()) == amount.abs()
                            && (entry.debit, entry.credit) == legs
                            && at == Some(entry.time)
                    }
                };
                if !holds {
                    findings.push(format!("{id}'s {step} is {amount} at {at:?}, and is booked as {entry:?}"));
                }
            }
        }
        if !booked.is_empty() {
            findings.push(format!("the journals have {booked:?}, which no line asks for"));
        }
        self.owed(evidence, findings);
    }

    fn owed(&self, evidence: &Evidence<'_>, findings: &mut Vec<String>) {
        for (franchise, owed) in evidence.owed() {
            let chain = self.chains.get(&franchise).map_or(&[][..], Vec::as_slice);
            let failed = chain.iter().filter(|line| line.state == LineState::Failed);
            let failed: i128 = failed.map(|line| i128::from(line.amounts.payout.amount())).sum();
            let carried = chain.last().map_or(0, |line| line.amounts.carried_out.amount());
            if owed != failed - i128::from(carried) {
                findings.push(format!(
                    "{franchise} is owed {owed}, and {failed} could not be paid out, {carried} are carried"
                ));
            }
        }
    }

    /// The bank has moved each paid line's amount to its account, once; and every attempt before had failed.
    fn bank(&self, findings: &mut Vec<String>) {
        let mut asked: BTreeMap<&str, Vec<&Firmbanking>> = BTreeMap::new();
        for firmbanking in &self.firmbankings {
            if let Some((line, _)) = firmbanking.reference.split_once("/payout/") {
                asked.entry(line).or_default().push(firmbanking);
            }
        }
        for line in self.lines() {
            let id = line.settlement_id().to_string();
            let attempts = asked.remove(id.as_str()).unwrap_or_default();
            let reference = |number: u32| format!("{id}/payout/{number}");
            let is_done = |firmbanking: &&Firmbanking| firmbanking.state == "succeeded";
            let done: Vec<_> = attempts.iter().copied().filter(is_done).collect();
            let moved: u64 = done.iter().map(|firmbanking| firmbanking.amount).sum();
            let expected = if line.state == LineState::Paid { line.amounts.payout.amount() } else { 0 };
            if moved != expected || done.len() > 1 {
                findings.push(format!("{id} is {:?}: the bank has moved {moved}, {done:?}", line.state));
            }
            let Some(payout) = line.payout else {
                if !attempts.is_empty() {
                    findings.push(format!("{id} pays nothing out, and asked the bank for {attempts:?}"));
                }
                continue;
            };
            for firmbanking in &attempts {
                let to_them = firmbanking.direction != "toCorporate"
                    && firmbanking.membership_id == line.membership_id.to_string()
                    && firmbanking.amount == line.amounts.payout.amount();
                let is_last = firmbanking.reference == reference(payout.attempt);
                let as_stored = !is_last || firmbanking.bank_account_id == payout.bank_account_id.to_string();
                let has_failed = is_last || firmbanking.state == "failed";
                if !to_them || !as_stored || !has_failed {
                    findings
                        .push(format!("{id} is to be paid out by {payout:?}, and asked for {firmbanking:?}"));
                }
            }
            for number in 1..=payout.attempt {
                if !attempts.iter().any(|firmbanking| firmbanking.reference == reference(number)) {
                    findings.push(format!("{id} never asked the bank in its attempt {number}"));
                }
            }
        }
        if !asked.is_empty() {
            findings.push(format!("the bank was asked for {asked:?}, which no line says"));
        }
    }

    /// Every run is finished, and its entries say what became of its lines.
    fn runs(&self, findings: &mut Vec<String>) {
        for run in &self.runs {
            if run.state != RunState::Finished || run.ended.is_none() {
                findings.push(format!("the run of {} is not finished", run.business_day));
            }
        }
        let mut recorded = BTreeMap::new();
        for entry in &self.entries {
            let name = (entry.business_day.clone(), entry.franchise_id);
            if !self.runs.iter().any(|run| run.business_day == entry.business_day) {
                findings.push(format!("{name:?} is in no run"));
            }
            let chain = self.chains.get(&entry.franchise_id.to_string()).map_or(&[][..], Vec::as_slice);
            let Some(own) = entry.recorded else {
                let is_covered = chain.last().is_some_and(|line| line.through >= entry.through);
                if entry.state != EntryState::Done || !is_covered {
                    findings.push(format!("{name:?} is {:?} and has no line", entry.state));
                }
                continue;
            };
            let line = chain.iter().find(|line| line.sequence == own.sequence);
            let same = line.is_some_and(|line| {
                let has_failed = line.state == LineState::Failed;
                (&line.business_day, &line.through, line.amounts)
                    == (&entry.business_day, &entry.through, own.amounts)
                    && has_failed == (entry.state == EntryState::Failed)
                    && has_failed != (entry.state == EntryState::Done)
            });
            if !same || recorded.insert((entry.franchise_id, own.sequence), ()).is_some() {
                findings.push(format!("{entry:?} says something else than {line:?}"));
            }
        }
        for line in self.lines() {
            if !recorded.contains_key(&(line.franchise_id, line.sequence)) {
                findings.push(format!("{} is in no run's entry", line.settlement_id()));
            }
        }
    }
}

/// Everybody is shown as settled what is, and in which settlement.
fn shown(evidence: &Evidence<'_>, settled: &Settled, findings: &mut Vec<String>) {
    let mut looked_at = BTreeSet::new();
    let same =
        |shown: &Value, id: &str| shown["settlementId"].as_str() == settled.get(id).map(String::as_str);
    for payment in &evidence.ended.shown {
        let id = super::text(payment, "paymentId");
        looked_at.insert(id.to_owned());
        let is_settled = super::text(payment, "state") == "settled";
        if is_settled != settled.contains_key(id) || !same(payment, id) {
            findings.push(format!("{id} is shown as {payment}, and is in {:?}", settled.get(id)));
        }
        for part in payment["cancellations"].as_array().into_iter().flatten() {
            let own = super::text(part, "cancellationId");
            if !same(part, own) {
                findings.push(format!("{own} is shown as {part}, and is in {:?}", settled.get(own)));
            }
        }
    }
    for id in settled.keys().filter(|id| id.starts_with("pmt_") && !looked_at.contains(*id)) {
        findings.push(format!("{id} is settled and could not be looked at"));
    }
}
