//! Reading: one franchise, an owner's, everybody's, page by page.

use crate::{
    account, bench, by_merchant, by_operator, dul, get, hana, pointers, register, registered, shop, with,
};
use contract::testing::{Answer, Bench, Request};
use kernel::id::{FranchiseId, MembershipId};
use serde_json::{Value, json};
use store::{Condition, Key, Table, Write};

async fn open_shop(bench: &Bench, owner: MembershipId, name: &str) -> Value {
    let linked = account(if owner == hana() { "hana" } else { "dul" });
    let body = with(with(shop(), "name", name), "bankAccountId", json!(linked));
    let answer = bench.send(by_merchant(register(&body).key(&store::seal::digest(&[name])), owner)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body
}

/// Who sends a request.
type Asks = fn(Request) -> Request;

/// All pages, with something done before each of them.
async fn pages(
    bench: &Bench,
    path: &str,
    ask: impl Fn(Request) -> Request,
    between: impl AsyncFn(),
) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut next = path.to_owned();
    // Far more than any list here has.
    for _ in 0..50 {
        between().await;
        let page = bench.send(ask(Request::new("GET", &next))).await;
        assert_eq!(page.status, 200, "{}", page.body);
        seen.extend(page.body["items"].as_array().unwrap().iter().cloned());
        let Some(cursor) = page.body["nextCursor"].as_str() else { return seen };
        next = format!("{path}{}cursor={cursor}", if path.contains('?') { '&' } else { '?' });
    }
    panic!("{path} never comes to its end");
}

#[tokio::test]
async fn a_franchise_is_its_owners_and_operators_business() {
    let bench = bench();
    let path = registered(&bench).await;
    let ask = |path: &str| Request::new("GET", path);
    let own = bench.send(by_merchant(ask(&path), hana())).await;
    assert_eq!((own.status, own.header("cache-control")), (200, Some("no-store")));
    assert_eq!(get(&bench, &path).await.body, own.body);
    let nobodys = format!("/v1/franchises/{}", FranchiseId::from_random(7));
    let not_found = |answer: Answer| (answer.status, answer.body["detail"].clone());
    let foreign = not_found(bench.send(by_merchant(ask(&path), dul())).await);
    assert_eq!(foreign.0, 404);
    assert_eq!(foreign, not_found(bench.send(by_merchant(ask(&nobodys), dul())).await));
    assert_eq!(get(&bench, &nobodys).await.code(), "not_found");
    assert_eq!(bench.send(ask(&path).caller(hana(), "member")).await.code(), "forbidden");
    assert_eq!(bench.send(ask(&path)).await.code(), "unauthorized");
    assert_eq!(pointers(&get(&bench, "/v1/franchises/frc_x").await), ["/franchiseId"]);
    assert_eq!(pointers(&get(&bench, &format!("{path}?limit=1")).await), ["/limit"]);
}

#[tokio::test]
async fn owners_see_their_own_and_operators_everybodys_newest_first() {
    let bench = bench();
    let mut hanas = Vec::new();
    let mut all = Vec::new();
    for place in 0..9 {
        let owner = if place % 3 == 0 { dul() } else { hana() };
        let franchise = open_shop(&bench, owner, &format!("가게 {place}")).await;
        all.insert(0, franchise.clone());
        if owner == hana() {
            hanas.insert(0, franchise);
        }
        bench.world.pass_seconds(1);
    }
    let merchant = |request| by_merchant(request, hana());
    let quietly = async || ();
    for limit in [1, 2, 4, 100] {
        assert_eq!(pages(&bench, &format!("/v1/franchises?limit={limit}"), merchant, quietly).await, hanas);
        assert_eq!(pages(&bench, &format!("/v1/franchises?limit={limit}"), by_operator, quietly).await, all);
        let narrowed = format!("/v1/franchises?limit={limit}&membershipId={}", hana());
        assert_eq!(pages(&bench, &narrowed, by_operator, quietly).await, hanas);
        assert_eq!(pages(&bench, &narrowed, merchant, quietly).await, hanas);
    }
    let foreign = Request::new("GET", &format!("/v1/franchises?membershipId={}", dul()));
    assert_eq!(bench.send(merchant(foreign)).await.code(), "not_found");
    let nobody = Request::new("GET", "/v1/franchises").caller(crate::operator(), "member merchant");
    assert_eq!(bench.send(nobody).await.body, json!({ "items": [], "nextCursor": null }));
    assert_eq!(bench.send(Request::new("GET", "/v1/franchises").caller(hana(), "member")).await.status, 403);
}

#[tokio::test]
async fn paging_neither_skips_nor_repeats_what_was_there_when_it_began() {
    let bench = bench();
    // All at the same moment: their ids decide.
    for place in 0..12 {
        open_shop(&bench, hana(), &format!("가게 {place}")).await;
    }
    let lists: [(&str, Asks); 2] =
        [("everybody's", by_operator), ("hana's", |request| by_merchant(request, hana()))];
    for (name, ask) in lists {
        let began = pages(&bench, "/v1/franchises?limit=100", ask, async || ()).await;
        bench.world.pass_seconds(1);
        let busy = async || {
            let count = bench.twin.items().len();
            open_shop(&bench, hana(), &format!("새 가게 {count}")).await;
            let path =
                format!("/v1/franchises/{}", began[count % began.len()]["franchiseId"].as_str().unwrap());
            bench
                .send(by_operator(Request::new("PATCH", &path).json(&json!({ "name": format!("{count}") }))))
                .await;
        };
        let seen = pages(&bench, "/v1/franchises?limit=5", ask, busy).await;
        let ids = |list: &[Value]| list.iter().map(|one| one["franchiseId"].clone()).collect::<Vec<_>>();
        // The one that opened before the first page is the newest there.
        assert_eq!(ids(&seen)[1..], ids(&began)[..], "{name}");
    }
}

#[tokio::test]
async fn a_list_that_lies_in_one_shard_goes_on_to_its_end() {
    let bench = bench();
    let shard_of = |franchise: &Value| {
        let id: FranchiseId = franchise["franchiseId"].as_str().unwrap().parse().unwrap();
        (id, id.bits() % 4)
    };
    let mut kept = Vec::new();
    for place in 0..40 {
        let franchise = open_shop(&bench, hana(), &format!("가게 {place}")).await;
        let (id, shard) = shard_of(&franchise);
        if shard == 0 {
            kept.insert(0, id);
        } else {
            let gone = Write::Delete(Key::new(format!("franchise#{id}"), "head"), Condition::Always);
            bench.twin.commit(&[gone]).await.unwrap();
        }
        bench.world.pass_seconds(1);
    }
    assert!(kept.len() > 2);
    let seen = pages(&bench, "/v1/franchises?limit=2", by_operator, async || ()).await;
    let seen: Vec<_> = seen.iter().map(|franchise| shard_of(franchise).0).collect();
    assert_eq!(seen, kept);
}

#[tokio::test]
async fn a_cursor_holds_for_its_query_and_its_caller() {
    let bench = bench();
    for place in 0..4 {
        open_shop(&bench, if place % 2 == 0 { hana() } else { dul() }, &format!("가게 {place}")).await;
    }
    let cursor =
        async |request: Request| bench.send(request).await.body["nextCursor"].as_str().unwrap().to_owned();
    let path = "/v1/franchises?limit=1";
    let own = cursor(by_merchant(Request::new("GET", path), hana())).await;
    let everybodys = cursor(by_operator(Request::new("GET", path))).await;
    let ask = |cursor: &str| Request::new("GET", &format!("{path}&cursor={cursor}"));
    assert_eq!(bench.send(by_merchant(ask(&own), hana())).await.status, 200);
    assert_eq!(bench.send(by_operator(ask(&everybodys))).await.status, 200);
    let narrowed =
        |cursor: &str| Request::new("GET", &format!("{path}&membershipId={}&cursor={cursor}", hana()));
    for request in [
        by_merchant(ask(&own), dul()),
        by_operator(ask(&own)),
        by_merchant(ask(&everybodys), hana()),
        by_operator(narrowed(&everybodys)),
        by_operator(narrowed(&own)),
        ask(&everybodys).caller(hana(), "member operator"),
        by_operator(ask(&everybodys[1..])),
        by_operator(ask("x")),
    ] {
        assert_eq!(pointers(&bench.send(request).await), ["/cursor"]);
    }
    for (bad, pointer) in [
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=x", "/limit"),
        ("page=2", "/page"),
        ("membershipId=x", "/membershipId"),
    ] {
        assert_eq!(pointers(&get(&bench, &format!("/v1/franchises?{bad}")).await), [pointer], "{bad}");
    }
}
