//! A refusal for the receiver's sake, because it is too late, or because its hold was given up, has its reason: in the
//! receiver's own chain, in the time that the saga's record sets, and in what was released before.

use super::{
    CLOCKS_APART_MS, Evidence,
    model::{self, Limits},
    number, text,
};
use kernel::{Timestamp, id::WalletId};
use money::{
    domain::{Entry, Kind, Standing},
    refusals::Refusal,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Who is to receive how much, by the saga.
type Receivers<'a> = BTreeMap<&'a str, (String, u64)>;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let limits = model::limits(evidence);
    let receivers = receivers(evidence);
    let ends = ends(evidence);
    for (name, chain) in &evidence.chains {
        for entry in chain {
            let Some(refusal) = entry.refusal else { continue };
            let saga = entry.reference.split('/').next().unwrap_or_default();
            let is_right = match refusal {
                Refusal::ReceiverCapExceeded | Refusal::ReceiverClosed => {
                    let receiver = receivers.get(saga);
                    receiver.is_some_and(|receiver| cannot_take(evidence, entry, receiver, &limits))
                }
                Refusal::ReceiverNotFound => {
                    receivers.get(saga).is_some_and(|(wallet, _)| is_nobody(evidence, entry, wallet))
                }
                Refusal::Expired => ends.get(saga).is_some_and(|end| entry.time >= *end),
                Refusal::HoldClosed => {
                    let close = format!("{}/close", entry.reference);
                    let mut before = chain.iter().filter(|before| before.sequence < entry.sequence);
                    before.any(|it| it.reference == close && it.purpose == Kind::Release)
                }
                // The model knows what the wallet itself can do.
                _ => true,
            };
            if !is_right {
                findings.push(format!(
                    "{name} entry {}: it was refused without reason: {refusal:?}",
                    entry.sequence
                ));
            }
        }
    }
}

fn receivers<'a>(evidence: &'a Evidence<'_>) -> Receivers<'a> {
    let remittances = evidence.items("remittance", "remittance").iter().filter_map(|record| {
        let wallet = WalletId::of(record["to"]["membershipId"].as_str()?.parse().ok()?);
        Some((text(record, "remittanceId"), (wallet.to_string(), number(record, "amount"))))
    });
    let transfers = evidence.ended.seen.transfers.iter().map(|transfer| {
        let saga = transfer.reference.split('/').next().unwrap_or_default();
        (saga, (WalletId::of(transfer.payee).to_string(), transfer.amount))
    });
    remittances.chain(transfers).collect()
}

/// From when on it is too late for each saga.
fn ends<'a>(evidence: &'a Evidence<'_>) -> BTreeMap<&'a str, Timestamp> {
    let of = |service, kind, id, end| {
        let end_of = move |record: &'a Value| Some((text(record, id), text(record, end).parse().ok()?));
        evidence.items(service, kind).iter().filter_map(end_of)
    };
    let remittances = of("remittance", "remittance", "remittanceId", "expiresAt");
    remittances.chain(of("payment", "payment", "paymentId", "payableUntil")).collect()
}

/// Whether the receiver's wallet was closed, or would have held too much, at some moment near the refusal: what stood
/// there when it was decided may have changed until it was written, and clocks differ.
fn cannot_take(
    evidence: &Evidence<'_>,
    entry: &Entry,
    (wallet, amount): &(String, u64),
    limits: &Limits,
) -> bool {
    let chain = evidence.chains.get(wallet).map_or(&[][..], Vec::as_slice);
    let (first, last) = (entry.time.millis() - CLOCKS_APART_MS, entry.time.millis() + CLOCKS_APART_MS);
    let before = chain.iter().rfind(|other| other.time.millis() <= first);
    let near = chain.iter().filter(|other| (first..=last).contains(&other.time.millis()));
    let none = Standing::new(entry.standing.day.clone());
    let at_first = before.map_or(&none, |before| &before.standing);
    let mut standings = std::iter::once(at_first).chain(near.map(|other| &other.standing));
    let full = |standing: &Standing| {
        let holding = [standing.balance.amount(), standing.expected.amount(), *amount].map(u128::from);
        holding.iter().sum::<u128>() > u128::from(limits.wallet_cap)
    };
    match entry.refusal {
        Some(Refusal::ReceiverClosed) => standings.any(|standing| standing.closed),
        _ => standings.any(full),
    }
}

/// Whether there was no such member, or none any more: no wallet, and nobody who could have had one.
fn is_nobody(evidence: &Evidence<'_>, entry: &Entry, wallet: &str) -> bool {
    let since_ms = entry.time.millis() - CLOCKS_APART_MS;
    let begun = evidence.chains.get(wallet).and_then(|chain| chain.first());
    let is_theirs = |member: &&Value| {
        text(member, "membershipId").parse().is_ok_and(|id| WalletId::of(id).to_string() == wallet)
    };
    let member = evidence.items("membership", "member").iter().find(is_theirs);
    let was_there = member.is_some_and(|member| {
        let registered: Option<Timestamp> = text(&member["registered"], "at").parse().ok();
        // Whoever was leaving at that time was nobody for a while.
        registered.is_some_and(|at| at.millis() < since_ms) && number(member, "closings") == 0
    });
    begun.is_none_or(|first| first.time.millis() > since_ms) && !was_there
}
