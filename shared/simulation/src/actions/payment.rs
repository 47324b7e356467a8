//! What payers, merchants and operators do with payments.

use super::{MERCHANT, amount, linked, open_a_franchise, read_pages, won};
use crate::people::{Ask, Player};
use kernel::Timestamp;
use serde_json::json;

/// A place of this kind that somebody was told of.
fn place(player: &Player, kind: &str) -> Option<String> {
    let seen = player.crowd.seen();
    let all = seen.people.iter().flat_map(|person| person.locations.clone());
    let mut all: Vec<String> = all.filter(|location| location.starts_with(kind)).collect();
    drop(seen);
    all.dedup();
    player.dice().pick(&all).cloned()
}

pub fn franchise_id(player: &Player) -> Option<String> {
    place(player, "/v1/franchises/")?.rsplit('/').next().map(str::to_owned)
}

/// Pays any franchise there is, opened first if there is none, with an account of one's own for a shortfall or without;
/// now and then twice at once under one key.
pub async fn pay(player: Player) {
    let amount = amount(&player);
    pay_amount(player, amount).await;
}

/// The same of an amount that everybody can pay, and odd, so that its fee is not whole.
pub async fn pay_a_little(player: Player) {
    let amount = 1 + player.dice().below(40_000);
    pay_amount(player, amount).await;
}

async fn pay_amount(player: Player, amount: u64) {
    if franchise_id(&player).is_none() {
        open_a_franchise(player.clone().as_person(MERCHANT)).await;
    }
    let Some(franchise) = franchise_id(&player) else { return };
    let mut body = json!({
        "franchiseId": franchise, "amount": won(amount), "orderId": format!("order-{}", player.action),
    });
    let is_named = player.dice().chance(3_000);
    if is_named && let Some(account) = linked(&player) {
        body["bankAccountId"] = json!(account.linked);
    }
    let ask = Ask::new("POST", "/v1/payments").key(player.new_key()).json(body);
    if player.dice().chance(1_500) {
        let (other, ask) = (player.clone(), ask.clone());
        player.world.agenda.spawn(async move {
            other.ask(ask).await;
        });
    }
    player.ask(ask).await;
}

/// Takes a payment back by its payer, or whoever is chosen: in full, in part, or more than there is; now and then by
/// the merchant at the same moment.
pub async fn take_back(player: Player) {
    let Some(payment) = place(&player, "/v1/payments/") else { return };
    if player.dice().chance(4_000) {
        let (other, payment) = (player.clone().as_person(MERCHANT), payment.clone());
        player.world.agenda.spawn(async move { cancel(&other, &payment).await });
    }
    let owner = owner_of(&player, &payment);
    cancel(&player.as_person(owner), &payment).await;
}

/// Takes a payment back as the merchant, in several parts at once.
pub async fn take_back_as_merchant(player: Player) {
    let Some(payment) = place(&player, "/v1/payments/") else { return };
    let merchant = player.as_person(MERCHANT);
    for _ in 0..2 {
        let (other, payment) = (merchant.clone(), payment.clone());
        merchant.world.agenda.spawn(async move { cancel(&other, &payment).await });
    }
    cancel(&merchant, &payment).await;
}

fn owner_of(player: &Player, payment: &str) -> usize {
    let seen = player.crowd.seen();
    let has = |asked: &Ask| asked.path == "/v1/payments";
    let knows = |person: &crate::people::Person| {
        person.asked.iter().any(has) && person.locations.iter().any(|location| location == payment)
    };
    seen.people.iter().position(knows).unwrap_or(player.who)
}

async fn cancel(player: &Player, payment: &str) {
    let chosen = player.dice().below(10);
    let body = match chosen {
        0..4 => json!({}),
        4..7 => {
            let small = 1 + player.dice().below(500);
            json!({ "amount": won(small), "reason": "wrongAmount" })
        }
        _ => json!({ "amount": won(amount(player)), "reason": "outOfStock" }),
    };
    let path = format!("{payment}/cancellations");
    let key = player.new_key();
    player.ask(Ask::new("POST", path).key(key).json(body)).await;
}

/// The operator asks whether a payment is finished; now and then twice at once.
pub async fn ask_whether_it_is_finished(player: Player) {
    let Some(payment) = place(&player, "/v1/payments/") else { return };
    let operator = player.as_person(0);
    let ask = Ask::new("POST", format!("{payment}/finish")).json(json!({}));
    if operator.dice().chance(3_000) {
        let (other, ask) = (operator.clone(), ask.clone());
        operator.world.agenda.spawn(async move {
            other.ask(ask).await;
        });
    }
    operator.ask(ask).await;
}

/// Everybody takes back all that they know of, in full: more than a day's sales may be.
pub async fn take_everything_back(player: Player) {
    let places: Vec<String> = {
        let seen = player.crowd.seen();
        let all = seen.people.iter().flat_map(|person| person.locations.clone());
        all.filter(|location| location.starts_with("/v1/payments/")).collect()
    };
    for payment in places {
        let owner = player.clone().as_person(owner_of(&player, &payment));
        let key = owner.new_key();
        owner.ask(Ask::new("POST", format!("{payment}/cancellations")).key(key).json(json!({}))).await;
    }
}

/// One's own payments, a franchise's as its merchant, and what is not settled of it as the operator.
pub async fn read_payments(player: Player) {
    read_pages(&player, "/v1/payments").await;
    if let Some(payment) = place(&player, "/v1/payments/") {
        player.ask(Ask::new("GET", payment.clone())).await;
        player.clone().as_person(MERCHANT).ask(Ask::new("GET", payment)).await;
    }
    let Some(franchise) = franchise_id(&player) else { return };
    let merchant = player.clone().as_person(MERCHANT);
    read_pages(&merchant, &format!("/v1/payments?franchiseId={franchise}")).await;
    let now = Timestamp::from_millis(player.world.agenda.now_ms());
    let (from, to) = (now.plus_seconds(-2 * 86_400), now.plus_seconds(3_600));
    let normal = format!("/v1/payments/normal?franchiseId={franchise}&from={from}&to={to}");
    read_pages(&player.as_person(0), &normal).await;
}
