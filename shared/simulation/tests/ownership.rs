//! Another's things are answered as things that are not there: every id that a route takes, in path, query or body, is
//! asked for by those whom it does not belong to, and the answer must be the one that an id of nobody's gets.
//!
//! Where ids stand is read from openapi.json, so that a new operation fails here until it has a case. That a case is
//! one at all is shown by the owner, who must be answered otherwise. Who may use another's id has an exception with its
//! reason, and must be answered otherwise too, so that no exception outlives its cause.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails should fail loudly"
)]

use kernel::Timestamp;
use serde_json::{Map, Value, json};
use simulation::{
    actions::{newcomer, register_at},
    history::{Plot, Rehearsal},
    judges,
    people::{Answer, Ask, Player},
};
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = include_str!("../../../infra/terraform/openapi.json");

/// The people: whose things are asked for, and who asks.
const OPERATOR: usize = 0;
const SHOP: usize = 1;
const CUSTOMER: usize = 2;
const STRANGER: usize = 3;
const RIVAL: usize = 4;
const OWNERS: [usize; 3] = [OPERATOR, SHOP, CUSTOMER];
const ASKERS: [usize; 3] = [OPERATOR, STRANGER, RIVAL];

/// Where an id stands: in which operation, there in which part, and what kind of id it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    method: String,
    path: String,
    part: Part,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Path(String),
    Query(String),
    Body(String),
}

/// Who may use another's id, where, and why.
const EXCEPTIONS: &[(&str, &str, &[usize], &str)] = &[
    ("POST /v1/payments", "frc", &[OPERATOR, STRANGER, RIVAL], "everybody may pay at any franchise"),
    ("POST /v1/remittances", "mbr", &[OPERATOR, STRANGER, RIVAL], "everybody may remit to any member"),
    ("GET /v1/memberships/{membershipId}", "mbr", &[OPERATOR], "operators look after members"),
    ("GET /v1/firmbankings", "bka", &[OPERATOR], "operators look after transfers at the bank"),
    (
        "GET /v1/firmbankings/{firmbankingId}",
        "fbk",
        &[OPERATOR],
        "operators look after transfers at the bank",
    ),
    ("GET /v1/franchises", "mbr", &[OPERATOR], "operators look after franchises"),
    ("GET /v1/franchises/{franchiseId}", "frc", &[OPERATOR], "operators look after franchises"),
    ("PATCH /v1/franchises/{franchiseId}", "frc", &[OPERATOR], "operators look after franchises"),
    ("DELETE /v1/franchises/{franchiseId}", "frc", &[OPERATOR], "operators look after franchises"),
    ("GET /v1/payments/normal", "frc", &[OPERATOR], "operators look after settlements"),
    ("POST /v1/payments/{paymentId}/finish", "pmt", &[OPERATOR], "operators look after settlements"),
    ("GET /v1/settlements", "frc", &[OPERATOR], "operators look after settlements"),
    ("GET /v1/settlements/{settlementId}", "stl", &[OPERATOR], "operators look after settlements"),
    ("GET /v1/settlements/{settlementId}", "day", &[OPERATOR], "operators look after settlements"),
    ("GET /v1/settlements/{settlementId}/statement", "stl", &[OPERATOR], "operators look after settlements"),
    ("GET /v1/settlements/{settlementId}/statement", "day", &[OPERATOR], "operators look after settlements"),
    ("POST /v1/settlements/{settlementId}/retry", "stl", &[OPERATOR], "operators look after settlements"),
    ("POST /v1/settlements/{settlementId}/retry", "day", &[OPERATOR], "operators look after settlements"),
];

/// Ids by their kind.
type Ids = BTreeMap<&'static str, String>;

impl Place {
    fn route(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn may_be_used_by(&self, asker: usize) -> bool {
        let holds = |(route, kind, whom, _): &&(&str, &str, &[usize], &str)| {
            *route == self.route() && *kind == self.kind && whom.contains(&asker)
        };
        EXCEPTIONS.iter().any(|exception| holds(&exception))
    }
}

/// Every place in openapi.json where an id of Pay's stands.
fn places(document: &Value) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut add = |part: Part, kind: String| {
                places.insert(Place { method: method.to_uppercase(), path: path.clone(), part, kind });
            };
            for parameter in operation["parameters"].as_array().unwrap() {
                let name = parameter["name"].as_str().unwrap().to_owned();
                for kind in kinds(document, &parameter["schema"]) {
                    match parameter["in"].as_str().unwrap() {
                        "path" => add(Part::Path(name.clone()), kind),
                        "query" => add(Part::Query(name.clone()), kind),
                        other => panic!("an id in a {other}"),
                    }
                }
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            let mut found = Vec::new();
            fields(document, body, "", &mut found);
            found.into_iter().for_each(|(pointer, kind)| add(Part::Body(pointer), kind));
        }
    }
    places
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(name) => document.pointer(name.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// The kinds of ids that a value may be. A settlement may be called by its business day.
fn kinds(document: &Value, schema: &Value) -> Vec<String> {
    let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
    if let Some(kind) = name.strip_prefix("Id_") {
        return vec![kind.to_owned()];
    }
    let of_all = |schemas: &Value| {
        let schemas = schemas.as_array().into_iter().flatten();
        schemas.flat_map(|schema| kinds(document, schema)).collect::<Vec<_>>()
    };
    let mut found = of_all(&resolved(document, schema)["anyOf"]);
    if name == "SettlementName" {
        found.push("day".to_owned());
    }
    found
}

fn fields(document: &Value, schema: &Value, at: &str, found: &mut Vec<(String, String)>) {
    let schema = resolved(document, schema);
    for alternatives in ["oneOf", "anyOf", "allOf"] {
        for schema in schema[alternatives].as_array().into_iter().flatten() {
            fields(document, schema, at, found);
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        let kinds = kinds(document, schema);
        let is_named_so = name.ends_with("Id") && name != "orderId"; // the merchant's own text
        assert!(!is_named_so || !kinds.is_empty(), "{at} is called an id and has another schema");
        found.extend(kinds.into_iter().map(|kind| (at.clone(), kind)));
        fields(document, schema, &at, found);
    }
}

fn won(amount: u64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

/// A body with which an operation would do what it is asked, by somebody who has these ids; null if it takes none.
fn body(place: &Place, own: &Ids, price: u64) -> Value {
    let linked = || json!({ "kind": "linked", "bankAccountId": own["bka"], "membershipId": own["mbr"] });
    let corporate = json!({ "kind": "corporate" });
    let amount = won(price);
    match place.route().as_str() {
        "POST /v1/firmbankings" | "POST /v1/firmbankings/by-event" => match &place.part {
            Part::Body(at) if at.starts_with("/destination") => {
                json!({ "source": corporate, "destination": linked(), "amount": amount })
            }
            _ => json!({ "source": linked(), "destination": corporate, "amount": amount }),
        },
        "POST /v1/franchises" => json!({
            "membershipId": own["mbr"], "name": "하나 커피", "contact": contact(), "bankAccountId": own["bka"],
            "settlementCycle": { "kind": "daily" },
        }),
        "PATCH /v1/franchises/{franchiseId}" => match &place.part {
            Part::Body(_) => json!({ "bankAccountId": own["bka"] }),
            _ => json!({ "settlementCycle": { "kind": "weekly", "weekday": "friday" } }),
        },
        "PATCH /v1/memberships/{membershipId}" => json!({ "name": "Hong Another" }),
        "POST /v1/money/increases"
        | "POST /v1/money/increases/by-event"
        | "POST /v1/money/decreases"
        | "POST /v1/money/decreases/by-event" => json!({ "bankAccountId": own["bka"], "amount": amount }),
        "POST /v1/payments" => json!({
            "franchiseId": own["frc"], "amount": amount, "orderId": "order-1", "bankAccountId": own["bka"],
        }),
        "POST /v1/payments/{paymentId}/cancellations" => {
            json!({ "amount": won(1), "reason": "customerRequest" })
        }
        "POST /v1/remittances" => json!({
            "to": { "kind": "member", "membershipId": own["friend"] }, "amount": amount,
            "bankAccountId": own["bka"],
        }),
        "POST /v1/payments/{paymentId}/finish" | "POST /v1/settlements/{settlementId}/retry" => json!({}),
        route => {
            assert!(route.starts_with("GET ") || route.starts_with("DELETE "), "{route} has no case here");
            Value::Null
        }
    }
}

fn contact() -> Value {
    json!({ "name": "Hong Marker", "email": "shop@mail.example", "phone": "02-1234-5678" })
}

/// The request that has this id at its place, and everything else as it should be.
fn ask(place: &Place, own: &Ids, id: &str, key: &str) -> Ask {
    // What is short is recharged from the account that is named, so that an account of another's would be asked.
    let is_top_up = matches!(&place.part, Part::Body(at) if at == "/bankAccountId")
        && ["/v1/payments", "/v1/remittances"].contains(&place.path.as_str());
    let mut body = body(place, own, if is_top_up { 150_000 } else { 1_000 });
    let mut path = place.path.clone();
    match &place.part {
        Part::Path(name) => path = path.replace(&format!("{{{name}}}"), id),
        Part::Query(name) => path = format!("{path}?{name}={id}"),
        Part::Body(at) => *body.pointer_mut(at).unwrap() = json!(id),
    }
    path = path.replace("{franchiseId}", &own["frc"]);
    if place.path == "/v1/payments/normal" {
        path.push_str("&from=2026-11-20T00:00:00Z&to=2026-11-24T00:00:00Z");
    }
    assert!(!path.contains('{'), "{path}: which one?");
    let method = ["GET", "POST", "PATCH", "DELETE"].into_iter().find(|known| *known == place.method).unwrap();
    let ask = Ask::new(method, path).key(key);
    if body.is_null() { ask } else { ask.json(body) }
}

/// An id that nobody has.
fn nobodys(kind: &str) -> String {
    match kind {
        "day" => "2026-10-09".to_owned(),
        _ => format!("{kind}_01J00000000000000000000000"),
    }
}

/// An answer without what differs from one request to the next: traces, times, and the ids of what was made.
fn told(value: &Value) -> Value {
    let is_id = |text: &str| text.len() == 30 && text.is_char_boundary(4) && text[..4].ends_with('_');
    match value {
        Value::String(text) if is_id(text) => json!(text[..4]),
        Value::Array(parts) => parts.iter().map(told).collect(),
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| *name != "traceId" && !name.ends_with("At"));
            Value::Object(kept.map(|(name, value)| (name.clone(), told(value))).collect::<Map<_, _>>())
        }
        _ => value.clone(),
    }
}

fn in_short(answer: &Answer) -> Value {
    let location = answer.location.as_ref().map(|location| location.rsplit_once('/').unwrap().0.to_owned());
    json!({ "status": answer.status, "location": location, "body": told(&answer.body) })
}

/// Asks, with a new token if the old one has ended.
async fn asked(player: &Player, ask: &Ask) -> Answer {
    let answer = player.ask_once(ask).await.expect("nothing is in the way of an answer");
    if answer.status != 401 {
        return answer;
    }
    assert!(player.log_in().await);
    player.ask_once(ask).await.expect("nothing is in the way of an answer")
}

/// Asks, and if something was begun, reads how it has ended.
async fn answered(player: &Player, ask: Ask) -> Value {
    let answer = asked(player, &ask).await;
    assert!(answer.status < 500, "{answer:?}");
    let mut short = in_short(&answer);
    if let Some(location) = &answer.location {
        player.world.agenda.sleep(5_000).await;
        let end = asked(player, &Ask::new("GET", location.clone())).await;
        short["end"] = in_short(&end);
    }
    short
}

async fn succeed(player: &Player, ask: Ask) -> Value {
    let told = format!("{ask:?}");
    let answer = player.ask(ask).await.expect("nothing is in the way");
    assert!(answer.is_success(), "{told}: {answer:?}");
    answer.body
}

async fn pay(payer: &Player, franchise: &str) -> Value {
    let order = json!({ "franchiseId": franchise, "amount": won(2_000), "orderId": "order-1" });
    succeed(
        payer,
        Ask::new("POST", "/v1/payments").key(format!("pay at {franchise}").replace(' ', "-")).json(order),
    )
    .await
}

fn id_of(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

/// Gives everybody one of everything: account, recharge, transfer at the bank, franchise, remittance and payment.
async fn settle_in(player: Player) -> Vec<Ids> {
    let mut rival = newcomer(900);
    rival.accounts.push(newcomer(901).accounts.remove(0));
    assert_eq!(register_at(&player, "/v1/memberships", rival, "corporate").await, Some(RIVAL));
    let as_person = |who: usize| player.clone().as_person(who);
    assert!(as_person(RIVAL).log_in().await);
    let mut belongings = Vec::new();
    for who in 0..=RIVAL {
        let me = as_person(who);
        let person = me.person();
        let mut own = Ids::from([("mbr", person.membership_id.to_string()), ("email", person.email.clone())]);
        let account = match person.accounts.iter().find_map(|account| account.linked.clone()) {
            Some(linked) => linked,
            None => {
                let body = json!({ "accountNumber": person.accounts[0].number, "holder": person.name });
                id_of(
                    &succeed(&me, Ask::new("POST", "/v1/bank-accounts").key("link").json(body)).await,
                    "bankAccountId",
                )
            }
        };
        own.insert("bka", account.clone());
        let order = json!({ "bankAccountId": account, "amount": won(100_000) });
        let made = succeed(&me, Ask::new("POST", "/v1/money/increases").key("recharge").json(order)).await;
        own.insert("mcr", id_of(&made, "moneyRequestId"));
        let listed = succeed(&me, Ask::new("GET", format!("/v1/firmbankings?bankAccountId={account}"))).await;
        own.insert("fbk", id_of(&listed["items"][0], "firmbankingId"));
        let franchise = json!({
            "membershipId": own["mbr"], "name": format!("Shop Marker{who}"), "contact": contact(),
            "bankAccountId": account, "settlementCycle": { "kind": "daily" },
        });
        let ask = Ask::new("POST", "/v1/franchises").key(format!("shop-{who}")).json(franchise);
        own.insert("frc", id_of(&succeed(&as_person(OPERATOR), ask).await, "franchiseId"));
        belongings.push(own);
    }
    for who in 0..=RIVAL {
        let me = as_person(who);
        let friend = if who == SHOP { CUSTOMER } else { SHOP };
        let friend = belongings[friend]["mbr"].clone();
        let order = json!({ "to": { "kind": "member", "membershipId": friend }, "amount": won(1_000) });
        let made = succeed(&me, Ask::new("POST", "/v1/remittances").key("remit").json(order)).await;
        // Nobody pays where somebody else asks later, but the stranger, whose payment nobody asks for.
        let paid = pay(&me, &belongings[if who == SHOP { CUSTOMER } else { SHOP }]["frc"]).await;
        if who == STRANGER {
            pay(&me, &belongings[RIVAL]["frc"]).await;
        }
        let own = &mut belongings[who];
        own.extend([
            ("friend", friend),
            ("rmt", id_of(&made, "remittanceId")),
            ("pmt", id_of(&paid, "paymentId")),
        ]);
    }
    belongings
}

/// Settles the day, and gives the owners of franchises the ids of their settlements.
async fn settle(player: Player, belongings: &mut [Ids]) {
    let day = Timestamp::from_millis(player.world.agenda.now_ms()).business_day();
    let operator = player.clone().as_person(OPERATOR);
    succeed(&operator, Ask::new("POST", "/v1/settlements").json(json!({ "businessDay": day }))).await;
    player.world.agenda.sleep(1_200_000).await;
    for who in [SHOP, RIVAL] {
        let own = &mut belongings[who];
        let listed = Ask::new("GET", format!("/v1/settlements?franchiseId={}", own["frc"]));
        let listed = succeed(&player.clone().as_person(who), listed).await;
        own.insert("stl", id_of(&listed["items"][0], "settlementId"));
        own.insert("day", day.to_string());
    }
}

/// Whose id of a kind is asked for: everybody's who has one; of franchises and settlements the shop's.
fn owners_of(kind: &str) -> Vec<usize> {
    match kind {
        "frc" | "stl" | "day" => vec![SHOP],
        _ => OWNERS.to_vec(),
    }
}

/// What somebody is answered at each place: to the ids of each of these people, and to nobody's.
type Said = Vec<(Place, Vec<(usize, Value)>, Value)>;

/// Asks at every place for the ids that those people have, and for nobody's.
async fn ask_everywhere(
    player: Player,
    places: Vec<Place>,
    of: fn(&Place, usize) -> Vec<usize>,
    all: Vec<Ids>,
) -> Said {
    let mut said = Vec::new();
    for (number, place) in places.into_iter().enumerate() {
        let mut answers = Vec::new();
        for owner in of(&place, player.who) {
            let ask = ask(
                &place,
                &all[player.who],
                &all[owner][place.kind.as_str()],
                &format!("{number}-of-{owner}"),
            );
            answers.push((owner, answered(&player, ask).await));
        }
        let nobodys = ask(&place, &all[player.who], &nobodys(&place.kind), &format!("{number}-of-nobody"));
        let nobodys = answered(&player, nobodys).await;
        said.push((place, answers, nobodys));
    }
    said
}

/// Every list, with what it must be asked with, by somebody who has these ids.
fn lists(document: &Value) -> Vec<String> {
    let is_list = |operation: &Value| {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        parameters.filter(|parameter| parameter["name"] == "limit").count() > 0
    };
    let paths = document["paths"].as_object().unwrap();
    paths.iter().filter(|(_, methods)| is_list(&methods["get"])).map(|(path, _)| path.clone()).collect()
}

/// Nothing of the operator's or the customer's is in anybody else's lists; and where a page is not the last, its cursor
/// is of no use to somebody else, or changed.
async fn read_every_list(player: Player, lists: Vec<String>, all: Vec<Ids>) {
    let foreign = [OPERATOR, CUSTOMER].map(|owner| &all[owner]);
    let foreign: Vec<_> = foreign
        .iter()
        .flat_map(|own| ["mbr", "bka", "fbk", "mcr", "rmt", "pmt"].map(|kind| &own[kind]))
        .collect();
    let (own, other) = (&all[player.who], player.clone().as_person(SHOP));
    let mut continued = 0;
    for list in lists {
        let path = list.replace("{membershipId}", &own["mbr"]);
        let query = match list.as_str() {
            "/v1/firmbankings" => format!("bankAccountId={}&", own["bka"]),
            "/v1/payments/normal" => {
                format!("franchiseId={}&from=2026-11-20T00:00:00Z&to=2026-11-24T00:00:00Z&", own["frc"])
            }
            "/v1/settlements" => format!("franchiseId={}&", own["frc"]),
            _ => String::new(),
        };
        let page = asked(&player, &Ask::new("GET", format!("{path}?{query}limit=100"))).await;
        let text = page.body.to_string();
        assert!(foreign.iter().all(|id| !text.contains(id.as_str())), "{list} shows another's: {text}");
        let first = asked(&player, &Ask::new("GET", format!("{path}?{query}limit=1"))).await;
        let Some(cursor) = first.body["nextCursor"].as_str() else { continue };
        continued += 1;
        let next = Ask::new("GET", format!("{path}?{query}limit=1&cursor={cursor}"));
        assert_eq!(asked(&player, &next).await.status, 200, "{list}");
        assert!((400..500).contains(&asked(&other, &next).await.status), "{list} goes on for somebody else");
        let changed = cursor.char_indices().map(|(at, known)| {
            if at == cursor.len() / 2 { if known == 'A' { 'B' } else { 'A' } } else { known }
        });
        let changed: String = changed.collect();
        for changed in [changed.as_str(), &cursor[1..], "x"] {
            let next = Ask::new("GET", format!("{path}?{query}limit=1&cursor={changed}"));
            assert_eq!(asked(&player, &next).await.code(), "validation_failed", "{list} takes {changed}");
        }
    }
    assert!(continued >= 1, "there is too little to be listed");
}

fn others(place: &Place, asker: usize) -> Vec<usize> {
    owners_of(&place.kind).into_iter().filter(|owner| *owner != asker).collect()
}

fn oneself(place: &Place, asker: usize) -> Vec<usize> {
    owners_of(&place.kind).into_iter().filter(|owner| *owner == asker).collect()
}

#[test]
fn anothers_things_are_answered_as_things_that_are_not_there() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let mut places: Vec<Place> = places(&document).into_iter().collect();
    // What is read first is changed and ended last.
    places.sort_by_key(|place| {
        ["GET", "POST", "PATCH", "DELETE"].iter().position(|known| *known == place.method)
    });
    let mut rehearsal = Rehearsal::new(&Plot::of_script(&[]));
    let mut belongings = rehearsal.turn(settle_in(rehearsal.player(0, OPERATOR)));
    let player = rehearsal.player(1, OPERATOR);
    belongings = rehearsal.turn(async move {
        settle(player, &mut belongings).await;
        belongings
    });

    for (number, asker) in [(8, STRANGER), (9, RIVAL)] {
        rehearsal.turn(read_every_list(
            rehearsal.player(number, asker),
            lists(&document),
            belongings.clone(),
        ));
    }

    let mut wrong = Vec::new();
    let mut requests = 0;
    // Whoever may change another's things asks last.
    for (number, asker) in [(2, STRANGER), (3, RIVAL), (4, OPERATOR)] {
        let player = rehearsal.player(number, asker);
        for (place, answers, nobodys) in
            rehearsal.turn(ask_everywhere(player, places.clone(), others, belongings.clone()))
        {
            requests += answers.len();
            for (owner, answer) in answers {
                if place.may_be_used_by(asker) == (answer == nobodys) {
                    wrong.push(format!(
                        "{place:?}: {asker} asks for {owner}'s: {answer}, and for nobody's: {nobodys}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {requests}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(requests > 250, "only {requests} requests for another's things");

    let mut shown: BTreeSet<Place> = places
        .iter()
        .filter(|place| ASKERS.iter().any(|asker| place.may_be_used_by(*asker)))
        .cloned()
        .collect();
    for (number, owner) in [(5, CUSTOMER), (6, SHOP), (7, OPERATOR)] {
        let player = rehearsal.player(number, owner);
        let said = rehearsal.turn(ask_everywhere(player, places.clone(), oneself, belongings.clone()));
        shown.extend(
            said.into_iter()
                .filter(|(_, own, nobodys)| own.iter().any(|(_, own)| own != nobodys))
                .map(|(place, ..)| place),
        );
    }
    let never: Vec<_> = places.iter().filter(|place| !shown.contains(place)).collect();
    assert!(never.is_empty(), "even its owner is answered as if there were nothing: {never:?}");
    // What was paid since the run is not settled any more.
    let findings = judges::judge(&rehearsal.end());
    let findings: Vec<_> = findings.iter().filter(|finding| finding.judge != "settlement").collect();
    assert!(findings.is_empty(), "{findings:?}");
    println!("{} places, {requests} requests for another's things", places.len());
}
