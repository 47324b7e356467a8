//! What facts say to the model: the one place that reads them, for those that come by the bus and those that a
//! rebuild reads.
//!
//! Only wallets are counted. Money that goes to, or comes from, another account of the ledger is a leg of the wallet
//! alone.

use crate::domain::{Leg, Residence, Side};
use contract::Problem;
use events::{
    Envelope, Fact,
    membership::{MembershipModified, MembershipRegistered},
    money::{MoneyDecreased, MoneyIncreased, MoneyTransferred},
};
use kernel::{Money, Timestamp, id::WalletId};

/// Something new about a wallet.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// Which.
    pub wallet_id: WalletId,
    /// What.
    pub what: What,
}

/// What is new.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Its member lives somewhere.
    Residence(Residence),
    /// Money came or left.
    Leg(Leg),
}

/// What an event says; nothing if it is not counted.
pub fn of(event: &Envelope) -> Result<Vec<News>, Problem> {
    match event.kind.as_str() {
        MembershipRegistered::TYPE => Ok(registered(&read(event)?)),
        MembershipModified::TYPE => Ok(modified(&read(event)?)),
        MoneyIncreased::TYPE => Ok(increased(event, &read(event)?)),
        MoneyDecreased::TYPE => Ok(decreased(event, &read(event)?)),
        MoneyTransferred::TYPE => Ok(transferred(event, &read(event)?)),
        _ => Ok(Vec::new()),
    }
}

fn read<F: Fact>(event: &Envelope) -> Result<F, Problem> {
    let unreadable = |_| Problem::field("/data", format!("is not a fact of the type {}", F::TYPE));
    serde_json::from_value(event.data.clone()).map_err(unreadable)
}

fn registered(fact: &MembershipRegistered) -> Vec<News> {
    let residence = Residence { version: 1, since: fact.registered_at, region: fact.region.clone() };
    vec![News { wallet_id: WalletId::of(fact.membership_id), what: What::Residence(residence) }]
}

fn modified(fact: &MembershipModified) -> Vec<News> {
    let MembershipModified { membership_id, region, version, modified_at } = fact;
    let residence = Residence { version: *version, since: *modified_at, region: region.clone() };
    vec![News { wallet_id: WalletId::of(*membership_id), what: What::Residence(residence) }]
}

fn increased(event: &Envelope, fact: &MoneyIncreased) -> Vec<News> {
    vec![leg(event, fact.wallet_id, fact.increased_at, Side::Recharge, fact.amount)]
}

fn decreased(event: &Envelope, fact: &MoneyDecreased) -> Vec<News> {
    vec![leg(event, fact.wallet_id, fact.decreased_at, Side::Debit, fact.amount)]
}

/// Wallets on either side; other accounts have no region.
fn transferred(event: &Envelope, fact: &MoneyTransferred) -> Vec<News> {
    let sides = [(&fact.debit_account, Side::Debit), (&fact.credit_account, Side::Credit)];
    let of_wallet = |(account, side): (&String, Side)| {
        let wallet = account.strip_prefix("wallet:")?.parse().ok()?;
        Some(leg(event, wallet, fact.transferred_at, side, fact.amount))
    };
    sides.into_iter().filter_map(of_wallet).collect()
}

fn leg(event: &Envelope, wallet_id: WalletId, time: Timestamp, side: Side, amount: Money) -> News {
    let leg = Leg { event_id: event.id.clone(), time, side, amount };
    News { wallet_id, what: What::Leg(leg) }
}
