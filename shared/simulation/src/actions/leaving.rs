//! Leaving Pay, and coming back as somebody new.

use super::{MERCHANT, internally, link, newcomer, open_a_franchise, register_at, won};
use crate::people::{Ask, Person, Player};
use serde_json::json;

/// How often somebody who was told to wait asks whether they are out by now.
const MOST_LOOKS: u32 = 8;

/// A member closes their membership; now and then they take everything out before, and whoever has left registers
/// anew with the same email.
pub async fn close_a_membership(player: Player) {
    if player.dice().chance(6_000) {
        take_everything(&player).await;
    }
    let path = format!("/v1/memberships/{}", player.person().membership_id);
    let Some(answer) = player.ask(Ask::new("DELETE", path)).await else { return };
    match answer.status {
        204 => {}
        202 => player.wait(1_000, 60_000).await,
        // They stay, with everything that is left.
        _ => return,
    }
    if answer.status == 204 {
        // Somebody has kept the token.
        let body = json!({ "refreshToken": player.person().refresh_token.unwrap_or_default() });
        player.ask_once(&Ask::new("POST", "/v1/auth/refresh").public().json(body)).await;
    }
    // Somebody wants to send them money.
    let question = json!({ "by": "id", "membershipId": player.person().membership_id });
    internally(&player, "membership.resolveMember", question).await;
    come_back(&player).await;
}

/// Somebody new opens a shop where hardly anybody pays, gives it up, and leaves when it is settled.
pub async fn open_a_shop_and_leave(player: Player) {
    let person = newcomer(9_000 + player.action);
    let Some(who) = register_at(&player, "/v1/memberships", person, "personal").await else { return };
    let owner = player.as_person(who);
    link(owner.clone(), "/v1/bank-accounts").await;
    open_a_franchise(owner.clone()).await;
    owner.wait(0, 60_000).await;
    take_everything(&owner).await;
    // The day on which it was closed is settled by then.
    owner.wait(90_000_000, 108_000_000).await;
    close_a_membership(owner).await;
}

/// Closes every franchise and withdraws what the wallet holds, as far as limits and the bank let them.
async fn take_everything(player: &Player) {
    let member = player.person().membership_id;
    let operator = player.clone().as_person(0);
    let listed = operator.ask(Ask::new("GET", format!("/v1/franchises?membershipId={member}"))).await;
    let franchises = listed.map(|answer| answer.body["items"].clone()).unwrap_or_default();
    for franchise in franchises.as_array().into_iter().flatten() {
        if let (Some(id), Some("open")) = (franchise["franchiseId"].as_str(), franchise["state"].as_str()) {
            operator.ask(Ask::new("DELETE", format!("/v1/franchises/{id}"))).await;
        }
    }
    let balance = player.ask(Ask::new("GET", format!("/v1/money/wallets/{member}/balance"))).await;
    let available =
        balance.and_then(|answer| answer.body["available"]["amount"].as_u64()).unwrap_or_default();
    let question = json!({ "membershipId": member });
    let found = internally(player, "banking.findRechargeAccount", question).await;
    let account = found.and_then(Result::ok).map(|reply| reply.body["bankAccountId"].clone());
    let Some(account) = account.filter(|account| account.is_string() && available > 0) else { return };
    let body = json!({ "bankAccountId": account, "amount": won(available) });
    let key = player.new_key();
    player.ask(Ask::new("POST", "/v1/money/decreases").key(key).json(body)).await;
}

/// Registers with the same email, once it is free, and links an account again.
async fn come_back(player: &Player) {
    let before = player.person();
    let kind = if player.who == MERCHANT { "corporate" } else { "personal" };
    let accounts = before.accounts.iter().cloned();
    let accounts: Vec<_> =
        accounts.map(|account| crate::people::Account { linked: None, ..account }).collect();
    for _ in 0..MOST_LOOKS {
        let anew = Person {
            // Whoever still acts as the old one cannot log in as the new one.
            password: format!("{} again", before.password),
            accounts: accounts.clone(),
            access_token: None,
            refresh_token: None,
            is_refreshing: false,
            asked: Vec::new(),
            locations: Vec::new(),
            successor: None,
            ..before.clone()
        };
        if let Some(successor) = register_at(player, "/v1/memberships", anew, kind).await {
            player.learn(|person| person.successor = Some(successor));
            let player = player.clone().as_person(successor);
            link(player.clone(), "/v1/bank-accounts").await;
            link(player, "/v1/bank-accounts").await;
            return;
        }
        player.wait(1_000, 900_000).await;
    }
}
