//! What operators and merchants do with settlements.

use super::{
    MERCHANT, end_troubles, linked,
    payment::{franchise_id, pay_a_little},
    read_pages,
};
use crate::{
    people::{Ask, Player},
    workflows,
};
use kernel::{SeoulDay, Timestamp};
use serde_json::{Value, json};

/// The weekdays as Pay writes them.
const WEEK: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

fn today(player: &Player) -> SeoulDay {
    Timestamp::from_millis(player.world.agenda.now_ms()).business_day()
}

/// The operator starts the settlement of a day.
async fn start(player: &Player, body: Value) {
    player.clone().as_person(0).ask(Ask::new("POST", "/v1/settlements").json(body)).await;
}

/// The operator starts the settlement of a day: the last one that has ended, an older one, or one that has hardly
/// begun, which is refused unless a setting allows it; now and then twice at once, or stopped and started again.
pub async fn settle_a_day(player: Player) {
    let chosen = player.dice().below(10);
    let body = match chosen {
        0..4 => json!({}),
        4..9 => {
            let ahead = player.dice().between(-3, 2);
            json!({ "businessDay": today(&player).plus_days(ahead) })
        }
        _ => json!({ "businessDay": today(&player).plus_days(400) }),
    };
    let (twice, is_stopped) = {
        let mut dice = player.dice();
        (dice.chance(3_000), dice.chance(3_000))
    };
    if twice {
        let (other, body) = (player.clone(), body.clone());
        player.world.agenda.spawn(async move { start(&other, body).await });
    }
    start(&player, body.clone()).await;
    if is_stopped {
        player.wait(0, 3_000).await;
        stop_every_execution(&player);
        start(&player, body).await;
    }
}

/// The operator starts the day that runs.
pub async fn settle_today(player: Player) {
    let day = today(&player);
    start(&player, json!({ "businessDay": day })).await;
}

/// The operator starts the day after, which a setting allows, twice at once.
pub async fn settle_tomorrow_twice(player: Player) {
    let body = json!({ "businessDay": today(&player).plus_days(1) });
    let (other, again) = (player.clone(), body.clone());
    player.world.agenda.spawn(async move { start(&other, again).await });
    start(&player, body).await;
}

/// The operator starts the day after that, which a setting allows by a fast clock only.
pub async fn settle_the_day_after_tomorrow(player: Player) {
    let day = today(&player).plus_days(2);
    start(&player, json!({ "businessDay": day })).await;
}

/// Several days at once, each a run of its own: the chain decides which of them settles what.
pub async fn settle_some_days_at_once(player: Player) {
    for ahead in [1, -2, 0] {
        let (other, day) = (player.clone(), today(&player).plus_days(ahead));
        player.world.agenda.spawn(async move { start(&other, json!({ "businessDay": day })).await });
    }
}

/// The operator starts a day that is far from over.
pub async fn settle_a_day_to_come(player: Player) {
    let day = today(&player).plus_days(30);
    start(&player, json!({ "businessDay": day })).await;
}

/// Somebody stops every execution that runs.
pub async fn stop_the_settlement(player: Player) {
    stop_every_execution(&player);
}

fn stop_every_execution(player: &Player) {
    for name in workflows::running(&player.world) {
        workflows::stop(&player.world, &name);
    }
}

/// The settlements that the operator is shown: ids of lines, or days of runs.
async fn known_settlements(player: &Player) -> Vec<String> {
    let Some(franchise) = franchise_id(player) else { return Vec::new() };
    let operator = player.clone().as_person(0);
    let path = format!("/v1/settlements?franchiseId={franchise}");
    let Some(page) = operator.ask(Ask::new("GET", path)).await else { return Vec::new() };
    let items = page.body["items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["settlementId"].as_str().map(str::to_owned)).collect()
}

/// The operator, the owner and a stranger look at settlements: lists, a run, a line and its statement.
pub async fn read_settlements(player: Player) {
    let (operator, owner) = (player.clone().as_person(0), player.clone().as_person(MERCHANT));
    let today = today(&player);
    read_pages(&operator, &format!("/v1/settlements?to={}", today.plus_days(1))).await;
    operator.ask(Ask::new("GET", format!("/v1/settlements/{today}"))).await;
    operator.ask(Ask::new("GET", format!("/v1/settlements/{}", today.plus_days(-1)))).await;
    let known = known_settlements(&player).await;
    if let Some(franchise) = franchise_id(&player) {
        read_pages(&owner, &format!("/v1/settlements?franchiseId={franchise}")).await;
    }
    let chosen = player.dice().pick(&known).cloned();
    let Some(id) = chosen else { return };
    for reader in [operator, owner, player.clone()] {
        reader.ask(Ask::new("GET", format!("/v1/settlements/{id}"))).await;
        reader.ask(Ask::new("GET", format!("/v1/settlements/{id}/statement"))).await;
    }
}

/// The operator tries a failed settlement again, or all of a day; now and then twice under one key at once.
pub async fn retry_a_settlement(player: Player) {
    let mut known = known_settlements(&player).await;
    known.extend([today(&player).to_string(), today(&player).plus_days(-1).to_string()]);
    let chosen = player.dice().pick(&known).cloned();
    let Some(name) = chosen else { return };
    let operator = player.as_person(0);
    let ask =
        Ask::new("POST", format!("/v1/settlements/{name}/retry")).key(operator.new_key()).json(json!({}));
    if operator.dice().chance(4_000) {
        let (other, ask) = (operator.clone(), ask.clone());
        operator.world.agenda.spawn(async move {
            other.ask(ask).await;
        });
    }
    operator.ask(ask).await;
}

/// The operator tries every settlement of a franchise again, each under two keys at once.
pub async fn retry_all_settlements(player: Player) {
    let operator = player.clone().as_person(0);
    for name in known_settlements(&player).await {
        let path = format!("/v1/settlements/{name}/retry");
        let other = operator.clone();
        let ask = Ask::new("POST", path).key(other.new_key()).json(json!({}));
        let again = Ask { key: Some(other.new_key()), ..ask.clone() };
        operator.world.agenda.spawn(async move {
            other.ask(again).await;
        });
        operator.ask(ask).await;
    }
    let day = today(&player);
    let path = format!("/v1/settlements/{day}/retry");
    operator.ask(Ask::new("POST", path).key(operator.new_key()).json(json!({}))).await;
}

/// A day is settled while the bank does with the merchant's accounts as it likes, and the operator has little patience.
pub async fn settle_while_the_bank_is_in_trouble(player: Player) {
    let merchant = player.clone().as_person(MERCHANT);
    if player.dice().chance(7_000) {
        // Of nothing there is nothing to be paid out.
        pay_a_little(player.clone()).await;
        player.wait(1_000, 20_000).await;
    }
    // What it declines can be tried again soonest.
    let modes = ["decline", "decline", "decline", "timeout", "lost", "answerTwice", "down"];
    let mode = *player.dice().pick(&modes).expect("there are some");
    for account in merchant.person().accounts {
        let path = format!("/v1/accounts/{}/mode", account.number);
        merchant.ask_bank("PUT", &path, json!({ "mode": mode })).await;
    }
    let ahead = player.dice().pick(&[-1, 0, 0, 0, 1]).copied().unwrap_or_default();
    let day = today(&player).plus_days(ahead);
    start(&player, json!({ "businessDay": day })).await;
    // Sometimes they wait until the bank has said what became of it.
    let most_ms = if player.dice().chance(5_000) { 20_000 } else { 1_800_000 };
    player.wait(500, most_ms).await;
    retry_all_settlements(player.clone()).await;
    if player.dice().chance(8_000) {
        end_troubles(&merchant).await;
        player.wait(500, 600_000).await;
        retry_all_settlements(player).await;
    }
}

/// The franchise is paid out to another account from now on, closed or not.
pub async fn change_the_settlement_account(player: Player) {
    let owner = player.as_person(MERCHANT);
    let (Some(franchise), Some(account)) = (franchise_id(&owner), linked(&owner)) else { return };
    let body = json!({ "bankAccountId": account.linked });
    owner.ask(Ask::new("PATCH", format!("/v1/franchises/{franchise}")).json(body)).await;
}

/// The owner unlinks the very account that the franchise is paid out to.
pub async fn unlink_the_settlement_account(player: Player) {
    let owner = player.as_person(MERCHANT);
    let Some(franchise) = franchise_id(&owner) else { return };
    let found = owner.ask(Ask::new("GET", format!("/v1/franchises/{franchise}"))).await;
    let account = found.and_then(|answer| answer.body["bankAccountId"].as_str().map(str::to_owned));
    let Some(account) = account else { return };
    owner.ask(Ask::new("DELETE", format!("/v1/bank-accounts/{account}"))).await;
}

/// The bank has closed the merchant's accounts: it declines whatever goes there until further notice.
pub async fn the_bank_closes_the_shops_accounts(player: Player) {
    let merchant = player.as_person(MERCHANT);
    for account in merchant.person().accounts {
        let path = format!("/v1/accounts/{}/mode", account.number);
        merchant.ask_bank("PUT", &path, json!({ "mode": "decline" })).await;
    }
}

/// A franchise is settled weekly from now on, or daily again.
pub async fn change_the_cycle(player: Player) {
    let Some(franchise) = franchise_id(&player) else { return };
    let (weekday, is_weekly) = {
        let mut dice = player.dice();
        (dice.pick(&WEEK).copied(), dice.chance(7_000))
    };
    let cycle = match weekday {
        Some(weekday) if is_weekly => json!({ "kind": "weekly", "weekday": weekday }),
        _ => json!({ "kind": "daily" }),
    };
    let ask =
        Ask::new("PATCH", format!("/v1/franchises/{franchise}")).json(json!({ "settlementCycle": cycle }));
    player.as_person(0).ask(ask).await;
}
