//! What merchants and operators read, and what other services ask.

use crate::support::{Mood, Town, day, id_of, owner, stranger, yesterday};
use contract::Caller;
use serde_json::{Value, json};

async fn some_days(town: &Town) -> kernel::id::FranchiseId {
    let bakery = town.daily("bakery");
    for (number, of) in
        ["2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"].into_iter().enumerate()
    {
        town.pay(bakery, &day(of), 1_000 + u32::try_from(number).unwrap(), false);
        town.run(&day(of)).await.unwrap();
    }
    bakery
}

#[tokio::test]
async fn a_settlement_is_its_owners_and_the_operators() {
    let town = Town::new();
    let bakery = some_days(&town).await;
    let line = format!("/v1/settlements/{}", town.id(bakery, 1));
    let list = format!("/v1/settlements?franchiseId={bakery}");
    for path in [line.clone(), format!("{line}/statement"), list] {
        assert_eq!(town.ask(owner(), &path).await.status, 200, "{path}");
        assert_eq!(town.operate("GET", &path, None, "").await.status, 200, "{path}");
        assert_eq!(town.ask(stranger(), &path).await.code(), "not_found", "{path}");
    }
    for path in ["/v1/settlements/2026-11-21", "/v1/settlements/stl_01J00000000000000000000000"] {
        assert_eq!(town.ask(owner(), path).await.code(), "not_found");
    }
    assert_eq!(town.operate("GET", "/v1/settlements/2026-11-01", None, "").await.code(), "not_found");
    let unnamed = town.ask(owner(), "/v1/settlements").await;
    assert_eq!(
        unnamed.body["errors"][0],
        json!({ "pointer": "/franchiseId", "code": "required", "detail": "is required" })
    );
    let plain = contract::testing::Request::new("GET", &line).caller(owner(), "member");
    assert_eq!(town.bench.send(plain).await.code(), "forbidden");
}

#[tokio::test]
async fn a_franchise_without_settlements_is_known_by_its_terms() {
    let town = Town::new();
    let young = town.daily("young");
    let path = format!("/v1/settlements?franchiseId={young}");
    assert_eq!(town.ask(owner(), &path).await.body, json!({ "items": [], "nextCursor": null }));
    assert_eq!(town.ask(stranger(), &path).await.code(), "not_found");
    let unknown = "/v1/settlements?franchiseId=frc_01J00000000000000000000000";
    assert_eq!(town.ask(owner(), unknown).await.code(), "not_found");
    assert_eq!(town.operate("GET", unknown, None, "").await.body["items"], json!([]));
}

/// Reads a list to its end.
async fn pages(town: &Town, path: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = town.operate("GET", &format!("{path}{cursor}"), None, "").await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let items = answer.body["items"].as_array().unwrap().clone();
        assert!(items.len() <= 2);
        found.extend(items);
        let Some(next) = answer.body["nextCursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_bounded_by_days() {
    let town = Town::new();
    let bakery = some_days(&town).await;
    let chain = format!("/v1/settlements?franchiseId={bakery}&limit=2");
    let throughs = |items: &[Value]| -> Vec<String> {
        items.iter().map(|item| item["through"].as_str().unwrap()["2026-11-".len()..].to_owned()).collect()
    };
    for (bounds, expected) in [
        ("", vec!["21", "20", "19", "18", "17"]),
        ("&to=2026-11-20", vec!["20", "19", "18", "17"]),
        ("&from=2026-11-18&to=2026-11-20", vec!["20", "19", "18"]),
        ("&from=2026-11-20", vec!["21", "20"]),
        ("&to=2026-11-16", vec![]),
        ("&from=2026-11-22", vec![]),
        ("&from=2026-11-19&to=2026-11-19", vec!["19"]),
    ] {
        assert_eq!(throughs(&pages(&town, &format!("{chain}{bounds}")).await), expected, "{bounds}");
    }
    for name in ["a", "b", "c", "d"] {
        town.daily(name);
    }
    town.bench.world.pass_seconds(86_400);
    town.run(&day("2026-11-22")).await.unwrap();
    let all = pages(&town, "/v1/settlements?limit=2").await;
    assert_eq!(all.len(), 5 + 5);
    let mut days: Vec<&str> = all.iter().map(|item| item["businessDay"].as_str().unwrap()).collect();
    assert!(days.is_sorted_by(|one, next| one >= next), "{days:?}");
    days.dedup();
    assert_eq!(days.len(), 6);
    assert_eq!(pages(&town, "/v1/settlements?limit=2&from=2026-11-17&to=2026-11-18").await.len(), 2);
    let first_of_all = "/v1/settlements?from=1970-01-01&to=1970-01-05";
    assert_eq!(town.operate("GET", first_of_all, None, "").await.body["items"], json!([]));
    for (query, pointer) in [
        ("from=2026-11-20&to=2026-11-19", "/to"),
        ("from=2026-01-01&to=2026-11-19", "/from"),
        ("limit=0", "/limit"),
        ("from=yesterday", "/from"),
        ("cursor=x", "/cursor"),
    ] {
        let refused = town.operate("GET", &format!("/v1/settlements?{query}"), None, "").await;
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{query}");
    }
    let first = town.operate("GET", &format!("{chain}&to=2026-11-20"), None, "").await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let mixed = town.operate("GET", &format!("{chain}&cursor={cursor}"), None, "").await;
    assert_eq!(mixed.body["errors"][0]["pointer"], "/cursor");
}

#[tokio::test]
async fn a_statement_lists_everything_and_its_sums() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &yesterday(), 10_000, false);
    town.pay(bakery, &yesterday(), 500, true);
    town.others().paid[0].row.order_id = "=cmd|'/C calc'!A0,\"x\"".to_owned();
    town.run(&yesterday()).await.unwrap();
    let path = format!("/v1/settlements/{}/statement", town.id(bakery, 1));
    let answer = town.ask(owner(), &path).await;
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(answer.header("link"), None);
    let rows: Vec<_> = town.others().paid.iter().map(|paid| paid.row.clone()).collect();
    let expected = format!(
        "\u{feff}kind,paymentId,cancellationId,orderId,at,feeBps,amount\r\n\
         payment,{},,\"'=cmd|'/C calc'!A0,\"\"x\"\"\",2026-11-20T15:30:00.000Z,250,10000\r\n\
         cancellation,{},{},order-1,2026-11-20T15:30:00.000Z,250,-500\r\n\
         paid,,,,,250,10000\r\n\
         canceled,,,,,250,-500\r\n\
         fee,,,,,250,-237\r\n\
         vat,,,,,,-23\r\n\
         net,,,,,,9240\r\n\
         carriedIn,,,,,,0\r\n\
         payout,,,,,,9240\r\n\
         carriedOut,,,,,,0\r\n",
        rows[0].payment_id,
        rows[1].payment_id,
        id_of(&rows[1]),
    );
    assert_eq!(answer.body, json!(expected));
}

#[tokio::test]
async fn a_large_statement_comes_in_pages_that_make_one_file() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    for _ in 0..4_500 {
        town.pay(bakery, &yesterday(), 10, false);
    }
    town.run(&yesterday()).await.unwrap();
    let (mut file, mut answers) = (String::new(), 0);
    let mut path = format!("/v1/settlements/{}/statement", town.id(bakery, 1));
    loop {
        let answer = town.ask(owner(), &path).await;
        assert_eq!(answer.status, 200);
        file.push_str(answer.body.as_str().unwrap());
        answers += 1;
        let Some(link) = answer.header("link") else { break };
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        assert_eq!(town.ask(stranger(), &path).await.code(), "not_found");
        assert_eq!(town.operate("GET", &path, None, "").await.body["errors"][0]["pointer"], "/cursor");
    }
    assert_eq!(answers, 3);
    assert_eq!(file.lines().count(), 1 + 4_500 + 8);
    assert_eq!(file.matches('\u{feff}').count(), 1);
    assert_eq!(file.matches("order-").count(), 4_500);
}

#[tokio::test]
async fn a_closed_franchise_is_settled_when_all_is_paid_out() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    let ask = |closed: &'static str| {
        let body = json!({ "franchiseId": bakery, "closedAt": closed });
        town.bench.call(
            "verifyFranchiseSettled",
            Caller::Service("membership.closeMembership".to_owned()),
            body,
        )
    };
    // Business day 2026-11-20, in Seoul.
    let closed = "2026-11-20T03:00:00Z";
    let settled = |reply: contract::Reply<Value>| reply.body["settled"].as_bool().unwrap();
    assert!(!settled(ask(closed).await.unwrap()));
    town.pay(bakery, &day("2026-11-19"), 1_000, false);
    town.mood(Mood::Declines);
    town.run(&day("2026-11-20")).await.unwrap();
    town.mood(Mood::Moves);
    assert!(!settled(ask(closed).await.unwrap()));
    // What it owes stops nobody.
    town.pay(bakery, &day("2026-11-20"), 100, true);
    town.run(&yesterday()).await.unwrap();
    assert_eq!(town.line(bakery, 2).await["state"], "carried");
    assert!(!settled(ask(closed).await.unwrap()), "the first line has failed");
    let path = format!("/v1/settlements/{}/retry", town.id(bakery, 1));
    town.operate("POST", &path, None, "one").await;
    assert!(!settled(ask(closed).await.unwrap()), "the next line looks through the last day again");
    // So it pays out what came late; its owner must still be there to say where to.
    town.pay(bakery, &day("2026-11-20"), 5_000, false);
    town.bench.world.pass_seconds(86_400);
    town.run(&day("2026-11-22")).await.unwrap();
    assert_eq!(town.line(bakery, 3).await["state"], "paid");
    assert!(settled(ask(closed).await.unwrap()));
    assert!(!settled(ask("2026-11-20T14:30:00Z").await.unwrap()), "that is the next business day");
}
