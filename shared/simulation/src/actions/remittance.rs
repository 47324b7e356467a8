//! What people do with remittance: by id, by email, to any account at the bank, and with more than they have.

use super::{amount, linked, read_pages, somebody_else, won};
use crate::people::{Account, Ask, Player};
use serde_json::{Value, json};

/// Pay's own number, which takes no remittances.
const CORPORATE: &str = "99900011122";

/// Asks for a remittance; now and then an account to recharge from is named.
async fn ask(player: &Player, to: Value, amount: u64) {
    let mut body = json!({ "to": to, "amount": won(amount) });
    if let Some(account) = linked(player)
        && player.dice().chance(3_000)
    {
        body["bankAccountId"] = json!(account.linked);
    }
    let key = player.new_key();
    let ask = Ask::new("POST", "/v1/remittances").key(key).json(body);
    // The same request from another device, at the same moment.
    if player.dice().chance(1_000) {
        let (twin, ask) = (player.clone(), ask.clone());
        player.world.agenda.spawn(async move {
            twin.ask(ask).await;
        });
    }
    player.ask(ask).await;
}

fn to_member(player: &Player) -> Option<Value> {
    let other = somebody_else(player)?;
    let id = player.crowd.seen().people[other].membership_id.to_string();
    // Oneself, and somebody who does not exist.
    let id = match player.dice().below(20) {
        0 => player.person().membership_id.to_string(),
        1 => kernel::id::MembershipId::derive(&["nobody"]).to_string(),
        _ => id,
    };
    Some(json!({ "kind": "member", "membershipId": id }))
}

pub async fn remit(player: Player) {
    let Some(to) = to_member(&player) else { return };
    let amount = amount(&player);
    ask(&player, to, amount).await;
}

pub async fn remit_by_email(player: Player) {
    let Some(other) = somebody_else(&player) else { return };
    let mut email = player.crowd.seen().people[other].email.clone();
    match player.dice().below(20) {
        0 => email = player.person().email,
        1 => email = "nobody@mail.example".to_owned(),
        2 => email = email.to_uppercase(),
        _ => {}
    }
    let amount = amount(&player);
    ask(&player, json!({ "kind": "email", "email": email }), amount).await;
}

pub async fn remit_to_a_bank_account(player: Player) {
    let amount = amount(&player);
    let Some(to) = to_account(&player) else { return };
    ask(&player, to, amount).await;
}

fn to_account(player: &Player) -> Option<Value> {
    let other = somebody_else(player)?;
    let (accounts, mut holder) = {
        let seen = player.crowd.seen();
        (seen.people[other].accounts.clone(), seen.people[other].name.clone())
    };
    let Account { mut number, .. } = player.dice().pick(&accounts).cloned()?;
    match player.dice().below(20) {
        0 => holder = player.person().name,
        1 => number = "55566677788".to_owned(),
        2 => number = CORPORATE.to_owned(),
        _ => {}
    }
    Some(json!({ "kind": "bankAccount", "accountNumber": number, "holder": holder }))
}

/// More than the wallet has, and no more than a recharge may bring.
pub async fn remit_more_than_there_is(player: Player) {
    let path = format!("/v1/money/wallets/{}/balance", player.person().membership_id);
    let balance = player.ask(Ask::new("GET", path)).await;
    let balance = balance.and_then(|answer| answer.body["available"]["amount"].as_u64()).unwrap_or_default();
    let amount = balance.min(1_000_000_000) + 1 + player.dice().below(60_000);
    let to_bank = player.dice().chance(5_000);
    let to = if to_bank { to_account(&player) } else { to_member(&player) };
    let Some(to) = to else { return };
    ask(&player, to, amount).await;
}

pub async fn read_remittances(player: Player) {
    let query = *player.dice().pick(&["", "?direction=sent", "?direction=received"]).expect("there are some");
    read_pages(&player, &format!("/v1/remittances{query}")).await;
    // Somebody else's, which may be one that the player has received.
    let all: Vec<String> =
        player.crowd.seen().people.iter().flat_map(|person| person.locations.clone()).collect();
    let all: Vec<String> = all.into_iter().filter(|path| path.starts_with("/v1/remittances/")).collect();
    let Some(place) = player.dice().pick(&all).cloned() else { return };
    player.ask(Ask::new("GET", place)).await;
}
