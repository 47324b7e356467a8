//! What people do. A new operation enters the histories as one line of [`ACTIONS`] and a function that asks for it.

mod leaving;
mod money_query;
mod payment;
mod remittance;
mod settlement;

use crate::{
    faults::Use,
    people::{Account, Ask, Hold, Person, Player, Transfer},
    platform::{self, Around},
    settings,
    world::find,
};
use contract::{
    Reference, Trigger,
    peers::{HOLD_MONEY, POST_HOLD, RELEASE_HOLD, TRANSFER_MONEY, TransferOrder, TransferParty},
    ports::{DirectAnswer, DirectCall},
};
use kernel::{Money, Timestamp};
use leaving::{close_a_membership, open_a_shop_and_leave};
use money_query::{ask_for_a_regions_sum, rebuild_the_read_model};
use payment::{
    ask_whether_it_is_finished, pay, pay_a_little, read_payments, take_back, take_back_as_merchant,
    take_everything_back,
};
use remittance::{
    read_remittances, remit, remit_by_email, remit_more_than_there_is, remit_to_a_bank_account,
};
use serde_json::{Value, json};
use settlement::{
    change_the_cycle, change_the_settlement_account, read_settlements, retry_a_settlement,
    retry_all_settlements, settle_a_day, settle_a_day_to_come, settle_some_days_at_once,
    settle_the_day_after_tomorrow, settle_today, settle_tomorrow_twice, settle_while_the_bank_is_in_trouble,
    stop_the_settlement, the_bank_closes_the_shops_accounts, unlink_the_settlement_account,
};
use std::{future::Future, pin::Pin};

/// Something that people do.
pub struct Action {
    /// Its name, as stories and scripts say it.
    pub name: &'static str,
    /// How often it is done, compared with the others.
    pub weight: u64,
    /// How it is done.
    pub play: fn(Player) -> Played,
}

/// An action at work.
pub type Played = Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! action {
    ($weight:literal, $name:ident) => {
        Action { name: stringify!($name), weight: $weight, play: |player| Box::pin($name(player)) }
    };
}

/// The member who is a company.
pub const MERCHANT: usize = 1;

/// Everything that people do.
pub const ACTIONS: &[Action] = &[
    // Money.
    action!(260, recharge),
    action!(90, recharge_by_event),
    action!(110, withdraw),
    action!(40, withdraw_by_event),
    action!(130, ask_again),
    action!(40, reuse_a_key),
    action!(30, open_a_wallet),
    action!(90, look_at_the_balance),
    action!(30, look_at_a_past_balance),
    action!(40, read_the_history),
    action!(40, look_where_it_was),
    action!(150, transfer),
    action!(80, hold),
    // Banking.
    action!(60, link_an_account),
    action!(30, link_an_account_by_event),
    action!(0, link_in_another_name_by_event),
    action!(35, unlink_an_account),
    action!(20, list_accounts),
    action!(40, move_money_at_the_bank),
    action!(25, move_money_at_the_bank_by_event),
    action!(25, list_firmbankings),
    // Franchise.
    action!(50, open_a_franchise),
    action!(90, change_a_franchise),
    action!(8, close_a_franchise),
    action!(15, read_franchises),
    // Region sums.
    action!(25, ask_for_a_regions_sum),
    action!(40, rebuild_the_read_model),
    // Remittance.
    action!(80, remit),
    action!(40, remit_by_email),
    action!(70, remit_to_a_bank_account),
    action!(60, remit_more_than_there_is),
    action!(40, read_remittances),
    // Payment.
    action!(110, pay),
    action!(80, pay_a_little),
    action!(70, take_back),
    action!(25, take_back_as_merchant),
    action!(10, ask_whether_it_is_finished),
    action!(15, read_payments),
    action!(12, take_everything_back),
    // Settlement.
    action!(80, settle_a_day),
    action!(10, settle_some_days_at_once),
    action!(60, settle_while_the_bank_is_in_trouble),
    action!(12, read_settlements),
    action!(40, retry_a_settlement),
    action!(30, change_the_settlement_account),
    action!(5, unlink_the_settlement_account),
    action!(8, the_bank_closes_the_shops_accounts),
    action!(8, change_the_cycle),
    action!(8, stop_the_settlement),
    action!(0, retry_all_settlements),
    action!(0, settle_today),
    action!(0, settle_tomorrow_twice),
    action!(0, settle_the_day_after_tomorrow),
    action!(0, settle_a_day_to_come),
    // The bank's own troubles.
    action!(140, trouble_at_the_bank),
    action!(30, no_more_trouble_at_the_bank),
    // The same one by one, for scripts.
    action!(0, the_bank_declines),
    action!(0, the_bank_is_slow),
    action!(0, the_bank_does_it_and_falls_silent),
    action!(0, the_bank_loses_it),
    action!(0, the_bank_gets_it_twice),
    action!(0, the_bank_is_down),
    // Membership. Passwords cost real time, so what needs one is rare.
    action!(6, register),
    action!(3, register_and_open_a_wallet_at_once),
    action!(20, close_a_membership),
    action!(18, open_a_shop_and_leave),
    action!(3, register_by_event),
    action!(2, log_in),
    action!(2, mistype_the_password),
    action!(6, log_out),
    action!(25, move_house),
    action!(8, change_the_email),
    action!(10, read_the_membership),
    action!(10, ask_who_one_is),
    action!(8, check_a_token),
    action!(3, appoint_an_operator),
    action!(2, dismiss_an_operator),
    action!(8, rotate_the_keys),
    action!(3, ensure_the_keys),
    action!(4, read_the_discovery_documents),
    action!(4, ask_at_an_unknown_path),
    // Pay's own people.
    action!(8, publish_again),
    action!(4, look_through_the_books),
    action!(0, publish_all_again),
    action!(6, stand_by),
];

/// The action of this name.
pub fn named(name: &str) -> &'static Action {
    ACTIONS.iter().find(|action| action.name == name).unwrap_or_else(|| panic!("nobody does {name}"))
}

fn won(amount: u64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

/// An amount as people choose it: round ones, odd ones, and some that no limit allows.
fn amount(player: &Player) -> u64 {
    let (generous, one_is_left) = {
        let state = player.world.state();
        (settings::is_generous(&state.config), settings::leaves_one_limit(&state.config))
    };
    let mut dice = player.dice();
    match dice.below(20) {
        0 => 1,
        1..4 => 1 + dice.below(999),
        4..12 => 1_000 * (1 + dice.below(60)),
        // About what the limit is that is left.
        12..16 if one_is_left => 10_000_000 * (1 + dice.below(60)),
        12..16 => 100_000 * (1 + dice.below(9)),
        16..18 if generous => Money::MAX.amount() - dice.below(3),
        16..19 => 1_000_000 + 500_000 * dice.below(3),
        _ => 2_000_001,
    }
}

fn linked(player: &Player) -> Option<Account> {
    let linked: Vec<Account> =
        player.person().accounts.into_iter().filter(|account| account.linked.is_some()).collect();
    player.dice().pick(&linked).cloned()
}

/// Another member than the player and the operator.
fn somebody_else(player: &Player) -> Option<usize> {
    let others: Vec<usize> = (1..player.crowd.seen().people.len()).filter(|who| *who != player.who).collect();
    player.dice().pick(&others).copied()
}

async fn recharge(player: Player) {
    ask_for_money(player, "/v1/money/increases").await;
}

async fn recharge_by_event(player: Player) {
    ask_for_money(player, "/v1/money/increases/by-event").await;
}

async fn withdraw(player: Player) {
    ask_for_money(player, "/v1/money/decreases").await;
}

async fn withdraw_by_event(player: Player) {
    ask_for_money(player, "/v1/money/decreases/by-event").await;
}

async fn ask_for_money(player: Player, path: &str) {
    let Some(account) = linked(&player) else { return };
    let body = json!({ "bankAccountId": account.linked, "amount": won(amount(&player)) });
    let key = player.new_key();
    player.ask(Ask::new("POST", path).key(key).json(body)).await;
}

/// The same request again: from another device, or because the answer was not believed.
async fn ask_again(player: Player) {
    let asked = player.person().asked;
    let Some(ask) = player.dice().pick(&asked).cloned() else { return };
    player.ask(ask).await;
}

/// A key that was used, with another body.
async fn reuse_a_key(player: Player) {
    let asked = player.person().asked;
    let Some(mut ask) = player.dice().pick(&asked).cloned() else { return };
    let Some(body) = ask.body.as_mut().filter(|body| body["amount"].is_object()) else { return };
    body["amount"] = won(amount(&player));
    player.ask(ask).await;
}

async fn open_a_wallet(player: Player) {
    let body = json!({ "membershipId": player.person().membership_id });
    internally(&player, "money.openMemberMoney", body).await;
    player.ask(Ask::new("POST", "/v1/money/wallets").json(json!({}))).await;
}

async fn look_at_the_balance(player: Player) {
    let path = format!("/v1/money/wallets/{}/balance", player.person().membership_id);
    player.ask(Ask::new("GET", path)).await;
}

async fn look_at_a_past_balance(player: Player) {
    let ago_ms = player.dice().between(1, 7_200_000);
    let at = Timestamp::from_millis(player.world.agenda.now_ms() - ago_ms);
    let path = format!("/v1/money/wallets/{}/balance?at={at}", player.person().membership_id);
    player.ask(Ask::new("GET", path)).await;
}

/// All of it, page by page.
async fn read_the_history(player: Player) {
    let path = format!("/v1/money/wallets/{}/transactions", player.person().membership_id);
    read_pages(&player, &path).await;
}

async fn read_pages(player: &Player, path: &str) {
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut place = format!("{path}{joint}limit={}", player.dice().between(1, 7));
    for _ in 0..20 {
        let Some(page) = player.ask(Ask::new("GET", place)).await else { return };
        let Some(cursor) = page.body["nextCursor"].as_str() else { return };
        place = format!("{path}{joint}limit=5&cursor={cursor}");
    }
}

async fn look_where_it_was(player: Player) {
    let locations = player.person().locations;
    let Some(location) = player.dice().pick(&locations).cloned() else { return };
    player.ask(Ask::new("GET", location)).await;
}

/// A direct transfer by a saga of another service, whose executors may be two at once.
async fn transfer(player: Player) {
    let Some(other) = somebody_else(&player) else { return };
    let (payer, payee) = {
        let seen = player.crowd.seen();
        (seen.people[player.who].membership_id, seen.people[other].membership_id)
    };
    let amount = amount(&player);
    let (reference, birth) = (format!("sim_{}/move", player.action), player.world.agenda.now_ms());
    let transfer = Transfer { reference: reference.clone(), payer, payee, amount, answers: Vec::new() };
    let place = {
        let mut seen = player.crowd.seen();
        seen.transfers.push(transfer);
        seen.transfers.len() - 1
    };
    let order = TransferOrder {
        debit: TransferParty::Member { membership_id: payer },
        credit: TransferParty::Member { membership_id: payee },
        amount: Money::try_won(amount).expect("people ask for what there can be"),
        expires_at: None,
    };
    let call = DirectCall {
        operation: TRANSFER_MONEY.operation.to_owned(),
        caller: "remittance.requestRemittance".to_owned(),
        on_behalf_of: Some(payer),
        reference: Some(Reference { id: reference, birth: Timestamp::from_millis(birth) }),
        traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
        body: serde_json::to_value(&order).expect("an order has a JSON form"),
    };
    player.world.tell(|| format!("#{} a saga transfers {amount} won to member {other}", player.action));
    if player.dice().chance(2_000) {
        let (twin, call) = (player.clone(), call.clone());
        player.world.agenda.spawn(async move { carry_out(&twin, &call, place).await });
    }
    carry_out(&player, &call, place).await;
}

async fn carry_out(player: &Player, call: &DirectCall, place: usize) {
    if let Some(answer) = persist(player, call).await {
        player.crowd.seen().transfers[place].answers.push(answer);
    }
}

/// Asks again until there is an answer; now and then the one who asks is gone before.
async fn persist(player: &Player, call: &DirectCall) -> Option<Result<(), String>> {
    for _ in 0..8 {
        let answer = match platform::direct(&player.world, call.clone()).await {
            Ok(DirectAnswer::Done(_)) => Ok(()),
            // An older callee that does not know a field of ours yet has said nothing.
            Ok(DirectAnswer::Refused(problem)) if problem.status < 500 && !problem.has_unknown_field() => {
                Err(problem.code.to_string())
            }
            _ if player.dice().chance(1_000) => return None,
            _ => {
                player.wait(10, 20_000).await;
                continue;
            }
        };
        player.world.tell(|| format!("#{} {} is answered: {answer:?}", player.action, call.operation));
        return Some(answer);
    }
    None
}

/// A saga of another service holds money and then posts a part of it or gives it up; now and then it gives up before
/// its hold has arrived.
async fn hold(player: Player) {
    let membership_id = player.person().membership_id;
    let held = amount(&player);
    let posted = {
        let mut dice = player.dice();
        dice.chance(6_000).then(|| 1 + dice.below(held))
    };
    let reference = Reference {
        id: format!("sim_{}/hold", player.action),
        birth: Timestamp::from_millis(player.world.agenda.now_ms()),
    };
    let call = |operation: &str, body: Value| DirectCall {
        operation: operation.to_owned(),
        caller: "payment.requestPayment".to_owned(),
        on_behalf_of: Some(membership_id),
        reference: Some(reference.clone()),
        traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
        body,
    };
    let member = membership_id.to_string();
    let hold = call(HOLD_MONEY.operation, json!({ "membershipId": member, "amount": won(held) }));
    let close = match posted {
        Some(posted) => {
            let credit = json!({ "kind": "feeRevenue" });
            call(
                POST_HOLD.operation,
                json!({ "membershipId": member, "amount": won(posted), "credit": credit }),
            )
        }
        None => call(RELEASE_HOLD.operation, json!({ "membershipId": member })),
    };
    let place = {
        let mut seen = player.crowd.seen();
        let reference = reference.id.clone();
        seen.holds.push(Hold { reference, membership_id, held, posted, made: None, closed: Vec::new() });
        seen.holds.len() - 1
    };
    player.world.tell(|| format!("#{} a saga holds {held} won and then posts {posted:?}", player.action));
    if posted.is_none() && player.dice().chance(3_000) {
        let closed = persist(&player, &close).await;
        player.crowd.seen().holds[place].closed.extend(closed);
    }
    let made = persist(&player, &hold).await;
    player.crowd.seen().holds[place].made.clone_from(&made);
    // What was not made, or may not have been, is given up and not posted.
    let close = if made == Some(Ok(())) {
        close
    } else {
        call(RELEASE_HOLD.operation, json!({ "membershipId": member }))
    };
    let closed = persist(&player, &close).await;
    player.crowd.seen().holds[place].closed.extend(closed);
}

/// The place of somebody's franchise: one's own, or anybody's for the operator.
fn franchise(player: &Player) -> Option<String> {
    let all: Vec<String> = player
        .crowd
        .seen()
        .people
        .iter()
        .flat_map(|person| person.locations.clone())
        .filter(|location| location.starts_with("/v1/franchises/"))
        .collect();
    player.dice().pick(&all).cloned()
}

fn contact(player: &Player) -> Value {
    let number = 8_000 + player.action;
    let (name, email) = (format!("Contact Marker{number}"), format!("contact{number}@mail.example"));
    player.crowd.seen().private.extend([name.clone(), email.clone()]);
    json!({ "name": name, "email": email, "phone": "02-1234-5678" })
}

/// A merchant opens a shop, or the operator opens one for a member.
async fn open_a_franchise(player: Player) {
    let Some(account) = linked(&player) else { return };
    let is_merchant = player.who == MERCHANT;
    let owner = player.person().membership_id.to_string();
    let name = format!("Shop Marker{}", player.action);
    player.crowd.seen().private.push(name.clone());
    let mut body = json!({
        "name": name, "contact": contact(&player), "bankAccountId": account.linked,
        "settlementCycle": { "kind": "daily" },
    });
    if !is_merchant {
        body["membershipId"] = json!(owner);
        body["feeBps"] = json!(player.dice().below(1_001));
    }
    let who = if is_merchant { player.who } else { 0 };
    let key = player.new_key();
    player.as_person(who).ask(Ask::new("POST", "/v1/franchises").key(key).json(body)).await;
}

/// One change, and now and then another one by somebody else at the same moment.
async fn change_a_franchise(player: Player) {
    let Some(place) = franchise(&player) else { return };
    if player.dice().chance(4_000) {
        let (other, place) = (player.clone().as_person(0), place.clone());
        let cycle = json!({ "settlementCycle": { "kind": "weekly", "weekday": "friday" } });
        player.world.agenda.spawn(async move {
            other.ask(Ask::new("PATCH", place).json(cycle)).await;
        });
    }
    // Soon enough, mostly, for somebody to pay under the new fee.
    let most = if player.dice().chance(7_000) { 1 } else { 40 };
    let day = player.dice().between(0, most) * 86_400;
    let day = Timestamp::from_millis(player.world.agenda.now_ms()).plus_seconds(day).seoul_day();
    let (is_contact, fee) = {
        let mut dice = player.dice();
        (dice.chance(5_000), dice.below(1_001))
    };
    let body = if is_contact {
        json!({ "contact": contact(&player) })
    } else {
        json!({ "feeBps": fee, "feeFrom": day })
    };
    player.as_person(0).ask(Ask::new("PATCH", place).json(body)).await;
}

/// Now and then its owner has it paid out elsewhere afterwards.
async fn close_a_franchise(player: Player) {
    let Some(place) = franchise(&player) else { return };
    player.clone().as_person(0).ask(Ask::new("DELETE", place.clone())).await;
    if player.dice().chance(5_000) {
        player.wait(0, 600_000).await;
        let owner = player.as_person(MERCHANT);
        for account in owner.person().accounts.into_iter().filter_map(|account| account.linked) {
            owner.ask(Ask::new("PATCH", place.clone()).json(json!({ "bankAccountId": account }))).await;
        }
    }
}

async fn read_franchises(player: Player) {
    let who = if player.who == MERCHANT { player.who } else { 0 };
    let reader = player.as_person(who);
    read_pages(&reader, "/v1/franchises").await;
    if let Some(place) = franchise(&reader) {
        reader.ask(Ask::new("GET", place)).await;
    }
}

async fn link_an_account(player: Player) {
    link(player, "/v1/bank-accounts").await;
}

async fn link_an_account_by_event(player: Player) {
    link(player, "/v1/bank-accounts/by-event").await;
}

async fn link(player: Player, path: &str) {
    let Person { accounts, name, .. } = player.person();
    let numbers = |of: &mut dyn Iterator<Item = &Account>| of.map(|account| account.number.clone()).collect();
    let mut free: Vec<String> = numbers(&mut accounts.iter().filter(|account| account.linked.is_none()));
    if free.is_empty() || player.dice().chance(1_000) {
        free = numbers(&mut accounts.iter());
    }
    // Now and then somebody else's, whose holder has another name.
    if let Some(other) = somebody_else(&player)
        && player.dice().chance(1_000)
    {
        free = numbers(&mut player.crowd.seen().people[other].accounts.iter());
    }
    let Some(number) = player.dice().pick(&free).cloned() else { return };
    let body = json!({ "accountNumber": number, "holder": name });
    let key = player.new_key();
    let Some(answer) = player.ask(Ask::new("POST", path).key(key).json(body)).await else { return };
    if let (true, Some(id)) = (answer.is_success(), answer.body["bankAccountId"].as_str()) {
        player.learn(|person| {
            if let Some(account) = person.accounts.iter_mut().find(|account| account.number == number) {
                account.linked = Some(id.to_owned());
            }
        });
    }
}

/// The bank knows another holder, which it says only when it is asked.
async fn link_in_another_name_by_event(player: Player) {
    let accounts = player.person().accounts;
    let Some(free) = accounts.iter().find(|account| account.linked.is_none()) else { return };
    let body = json!({ "accountNumber": free.number, "holder": "Somebody Else" });
    let key = player.new_key();
    player.ask(Ask::new("POST", "/v1/bank-accounts/by-event").key(key).json(body)).await;
}

async fn unlink_an_account(player: Player) {
    let Some(account) = linked(&player) else { return };
    let path = format!("/v1/bank-accounts/{}", account.linked.unwrap_or_default());
    player.ask(Ask::new("DELETE", path)).await;
}

async fn list_accounts(player: Player) {
    read_pages(&player, "/v1/bank-accounts").await;
}

async fn move_money_at_the_bank(player: Player) {
    operate(player, "/v1/firmbankings").await;
}

async fn move_money_at_the_bank_by_event(player: Player) {
    operate(player, "/v1/firmbankings/by-event").await;
}

/// The operator moves money between the corporate account and a member's.
async fn operate(player: Player, path: &str) {
    let owner = player.who;
    let Some(account) = linked(&player) else { return };
    let membership_id = player.crowd.seen().people[owner].membership_id;
    let operator = player.as_person(0);
    let theirs = json!({ "kind": "linked", "bankAccountId": account.linked, "membershipId": membership_id });
    let corporate = json!({ "kind": "corporate" });
    let (source, destination) =
        if operator.dice().chance(5_000) { (theirs, corporate) } else { (corporate, theirs) };
    let amount = won(1_000 * (1 + operator.dice().below(50)));
    let body = json!({ "source": source, "destination": destination, "amount": amount });
    let key = operator.new_key();
    operator.ask(Ask::new("POST", path).key(key).json(body)).await;
}

async fn list_firmbankings(player: Player) {
    let Some(account) = linked(&player) else { return };
    let path = format!("/v1/firmbankings?bankAccountId={}", account.linked.unwrap_or_default());
    read_pages(&player, &path).await;
    let operator = player.as_person(0);
    read_pages(&operator, "/v1/firmbankings").await;
    let moved = operator.person().locations.into_iter().find(|place| place.starts_with("/v1/firmbankings/"));
    if let Some(place) = moved {
        operator.ask(Ask::new("GET", place)).await;
    }
}

async fn trouble_at_the_bank(player: Player) {
    let numbers: Vec<String> = player.person().accounts.into_iter().map(|account| account.number).collect();
    let Some(number) = player.dice().pick(&numbers).cloned() else { return };
    let modes = ["decline", "slow", "timeout", "lost", "answerTwice", "down"];
    let mode = *player.dice().pick(&modes).expect("there are some");
    tell_the_bank(&player, &number, mode).await;
}

async fn tell_the_bank(player: &Player, number: &str, mode: &str) {
    let transfers = player.dice().between(1, 3);
    let delay = player.dice().between(100, 12_000);
    player.world.tell(|| format!("#{} the bank: {mode} for the next {transfers}, {delay} ms", player.action));
    let body = json!({ "mode": mode, "transfers": transfers, "delayMillis": delay });
    player.ask_bank("PUT", &format!("/v1/accounts/{number}/mode"), body).await;
}

async fn every_account(player: Player, mode: &str) {
    for account in player.person().accounts {
        tell_the_bank(&player, &account.number, mode).await;
    }
}

async fn the_bank_declines(player: Player) {
    every_account(player, "decline").await;
}

async fn the_bank_is_slow(player: Player) {
    every_account(player, "slow").await;
}

async fn the_bank_does_it_and_falls_silent(player: Player) {
    every_account(player, "timeout").await;
}

async fn the_bank_loses_it(player: Player) {
    every_account(player, "lost").await;
}

async fn the_bank_gets_it_twice(player: Player) {
    every_account(player, "answerTwice").await;
}

async fn the_bank_is_down(player: Player) {
    every_account(player, "down").await;
}

async fn no_more_trouble_at_the_bank(player: Player) {
    end_troubles(&player).await;
}

/// Sets every account of a person to normal.
pub async fn end_troubles(player: &Player) {
    for account in player.person().accounts {
        let body = json!({ "mode": "normal" });
        player.ask_bank("PUT", &format!("/v1/accounts/{}/mode", account.number), body).await;
    }
}

/// A person who is not there yet: names, an account at the bank, nothing with Pay. Numbers of different people share
/// their last four digits, and one person's differ: what is left of a number when it is masked tells no two apart.
pub fn newcomer(world_number: u64) -> Person {
    let number = 70_000_000_000 + world_number * 10_000 + world_number % 3;
    Person {
        membership_id: kernel::Id::derive(&["nobody"]),
        name: format!("Hong Marker{world_number}"),
        email: format!("marker{world_number}@mail.example"),
        address: format!("서울특별시 표식{world_number}로 1"),
        password: format!("marked password {world_number}"),
        accounts: vec![Account { number: number.to_string(), linked: None }],
        access_token: None,
        refresh_token: None,
        is_refreshing: false,
        asked: Vec::new(),
        locations: Vec::new(),
        successor: None,
    }
}

async fn register(player: Player) {
    join(player, "/v1/memberships").await;
}

async fn register_by_event(player: Player) {
    join(player, "/v1/memberships/by-event").await;
}

/// Somebody new does not wait until their wallet is opened for them.
async fn register_and_open_a_wallet_at_once(player: Player) {
    let person = newcomer(7_000 + player.action);
    let Some(who) = register_at(&player, "/v1/memberships", person, "personal").await else { return };
    let newcomer = player.as_person(who);
    if newcomer.dice().chance(5_000) {
        let body = json!({ "membershipId": newcomer.person().membership_id });
        internally(&newcomer, "money.openMemberMoney", body).await;
    }
    newcomer.ask(Ask::new("POST", "/v1/money/wallets").json(json!({}))).await;
}

/// Somebody new registers; now and then with the email of somebody who is there.
async fn join(player: Player, path: &str) {
    let mut person = newcomer(1_000 + player.action);
    if player.dice().chance(2_000) {
        person.email = player.person().email.to_uppercase();
    }
    // Somebody else wants the same email at the same moment.
    if player.dice().chance(3_000) {
        let rival = Person { email: person.email.clone(), ..newcomer(3_000 + player.action) };
        let (other, path) = (player.clone(), path.to_owned());
        player.world.agenda.spawn(async move {
            register_at(&other, &path, rival, "personal").await;
        });
    }
    register_at(&player, path, person, "personal").await;
}

/// Opens the person's account at the bank and registers them; answers their place among the people.
pub async fn register_at(player: &Player, path: &str, person: Person, kind: &str) -> Option<usize> {
    for account in &person.accounts {
        let body =
            json!({ "accountNumber": account.number, "holder": person.name, "balance": won(BANK_BALANCE) });
        player.ask_bank("POST", "/v1/accounts", body).await;
    }
    let Person { name, email, address, password, .. } = person.clone();
    let private = [name.clone(), email.clone(), address.clone(), password.clone()];
    player.crowd.seen().private.extend(private);
    player.crowd.seen().private.extend(person.accounts.iter().map(|account| account.number.clone()));
    let body =
        json!({ "name": name, "email": email, "address": address, "password": password, "kind": kind });
    let ask = Ask::new("POST", path).public().key(player.new_key()).json(body);
    let answer = player.ask(ask).await.filter(|answer| answer.is_success())?;
    let membership_id = answer.body["membershipId"].as_str()?.parse().ok()?;
    let mut seen = player.crowd.seen();
    seen.people.push(Person { membership_id, ..person });
    Some(seen.people.len() - 1)
}

/// What each account at the bank holds at first, in won.
pub const BANK_BALANCE: u64 = 20_000_000;

async fn log_in(player: Player) {
    player.log_in().await;
}

async fn mistype_the_password(player: Player) {
    let body = json!({ "email": player.person().email, "password": "not the password" });
    player.ask_once(&Ask::new("POST", "/v1/auth/login").public().json(body)).await;
}

async fn log_out(player: Player) {
    player.ask(Ask::new("POST", "/v1/auth/logout").json(json!({}))).await;
}

async fn move_house(player: Player) {
    let id = player.person().membership_id;
    let region = *player
        .dice()
        .pick(&["부산광역시", "서울특별시", "제주도", "경기도 광주시"])
        .expect("there are some");
    let address = format!("{region} 표식{}로 2", 5_000 + player.action);
    player.crowd.seen().private.push(address.clone());
    let ask = Ask::new("PATCH", format!("/v1/memberships/{id}")).json(json!({ "address": address }));
    player.ask(ask).await;
}

async fn change_the_email(player: Player) {
    let id = player.person().membership_id;
    let mut email = format!("marker{}@mail.example", 5_000 + player.action);
    if let Some(other) = somebody_else(&player)
        && player.dice().chance(3_000)
    {
        email.clone_from(&player.crowd.seen().people[other].email);
    }
    player.crowd.seen().private.push(email.clone());
    let ask = Ask::new("PATCH", format!("/v1/memberships/{id}")).json(json!({ "email": email }));
    if player.ask(ask).await.is_some_and(|answer| answer.is_success()) {
        player.learn(|person| person.email = email);
    }
}

async fn read_the_membership(player: Player) {
    let id = player.person().membership_id;
    let who = if player.dice().chance(3_000) { 0 } else { player.who };
    player.as_person(who).ask(Ask::new("GET", format!("/v1/memberships/{id}"))).await;
}

async fn ask_who_one_is(player: Player) {
    player.ask(Ask::new("GET", "/v1/auth/membership")).await;
}

async fn check_a_token(player: Player) {
    let token = player.person().access_token.unwrap_or_else(|| "none".to_owned());
    player.ask(Ask::new("POST", "/v1/auth/validate").public().json(json!({ "token": token }))).await;
}

/// Calls an operation as Pay's own people do.
pub async fn internally(player: &Player, operation: &str, body: Value) -> Option<platform::Outcome> {
    let found = find(operation).unwrap_or_else(|| panic!("there is no {operation}"));
    for trigger in found.1.triggers {
        match trigger {
            Trigger::Call => player.world.used(found.0, found.1, Use::By("call", "")),
            Trigger::Rotation(secret) => player.world.used(found.0, found.1, Use::By("rotation", secret)),
            _ => {}
        }
    }
    player.world.tell(|| format!("#{} {operation} is called", player.action));
    platform::run(&player.world, found, Around::platform(events::EXAMPLE_TRACEPARENT), body).await.ok()
}

async fn appoint_an_operator(player: Player) {
    let body = json!({ "email": player.person().email });
    internally(&player, "membership.grantOperator", body).await;
}

/// Whoever has the rights of an operator or not; but the histories cannot do without the first one.
async fn dismiss_an_operator(player: Player) {
    if player.who != 0 {
        let body = json!({ "email": player.person().email });
        internally(&player, "membership.revokeOperator", body).await;
    }
}

async fn ensure_the_keys(player: Player) {
    internally(&player, "membership.ensureSigningKey", json!({})).await;
}

/// One rotation, and now and then another one soon after: somebody has pressed the button twice.
async fn rotate_the_keys(player: Player) {
    rotate(&player, 1).await;
    if player.dice().chance(5_000) {
        player.wait(1_000, 1_800_000).await;
        rotate(&player, 2).await;
    }
}

/// One rotation, unless another one is at work.
async fn rotate(player: &Player, turn: u64) {
    if std::mem::replace(&mut player.world.state().is_rotating, true) {
        return;
    }
    take_the_steps_of_a_rotation(player, turn).await;
    player.world.state().is_rotating = false;
}

/// Secrets Manager's four steps, each repeated until it ends well, as it does.
async fn take_the_steps_of_a_rotation(player: &Player, turn: u64) {
    // A version's id; another rotation has another one.
    let token = format!("00000000-0000-4000-800{turn}-{:012}", player.action);
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        let body = json!({ "Step": step, "SecretId": "arn:signing-keys", "ClientRequestToken": token });
        let mut done = false;
        for _ in 0..5 {
            done =
                matches!(internally(player, "membership.rotateSigningKey", body.clone()).await, Some(Ok(_)));
            if done {
                break;
            }
            player.wait(1_000, 60_000).await;
        }
        if !done {
            return;
        }
    }
}

async fn read_the_discovery_documents(player: Player) {
    player.ask(Ask::new("GET", "/.well-known/openid-configuration").public()).await;
    player.ask(Ask::new("GET", "/.well-known/jwks.json").public()).await;
}

async fn ask_at_an_unknown_path(player: Player) {
    player.ask(Ask::new("POST", "/v1/nothing/here").public().json(json!({}))).await;
}

/// Who publishes.
const PUBLISHERS: &[&str] =
    &["membership", "banking", "money", "franchise", "remittance", "payment", "settlement"];

/// Publishes everybody's facts again, for scripts.
async fn publish_all_again(player: Player) {
    for service in PUBLISHERS {
        republish(&player, service, json!({})).await;
    }
}

/// Publishes a service's facts of the last hours again, as one does after a disaster.
async fn publish_again(player: Player) {
    let service = *player.dice().pick(PUBLISHERS).expect("there are some");
    let from = Timestamp::from_millis(player.world.agenda.now_ms() - 7_200_000);
    republish(&player, service, json!({ "from": from })).await;
}

/// Runs a service's republish to its end.
pub async fn republish(player: &Player, service: &str, mut body: Value) {
    for _ in 0..50 {
        match internally(player, &format!("{service}.republish"), body.clone()).await {
            Some(Ok(reply)) if reply.body["after"].is_object() => body["after"] = reply.body["after"].clone(),
            Some(Ok(_)) => return,
            _ => player.wait(100, 5_000).await,
        }
    }
}

/// Pay's audit begins in the middle of it all, as by its schedule; what it finds makes it fail, which is judged.
async fn look_through_the_books(player: Player) {
    internally(&player, "money.auditLedger", json!({})).await;
}

/// Pay's audit by hand, page after page; none if it comes to no end.
pub async fn audit(player: &Player, mut body: Value) -> Option<Value> {
    for _ in 0..100 {
        let call = DirectCall {
            operation: "money.auditLedger".to_owned(),
            caller: "operations".to_owned(),
            on_behalf_of: None,
            reference: None,
            traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
            body: body.clone(),
        };
        match platform::direct(&player.world, call).await {
            Ok(DirectAnswer::Done(answer)) if answer["next"].is_object() => {
                body = json!({ "next": answer["next"] });
            }
            Ok(DirectAnswer::Done(answer)) => return Some(answer),
            _ => player.wait(100, 5_000).await,
        }
    }
    None
}

/// Nothing: time passes.
async fn stand_by(player: Player) {
    player.wait(1, 1_000).await;
}
