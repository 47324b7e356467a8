//! Lists: a payer's and a franchise's, newest first, page by page, while others write.

use crate::{Pay, merchant, operator, order, payer, pointers, settling::Chain, shop, stranger, won};
use contract::testing::{Answer, Request};
use kernel::id::FranchiseId;
use serde_json::{Value, json};

fn by_payer(request: Request) -> Request {
    request.caller(payer(), "member")
}

fn by_merchant(request: Request) -> Request {
    request.caller(merchant(), "member merchant")
}

fn by_operator(request: Request) -> Request {
    request.caller(operator(), "member operator")
}

/// Who sends a request.
type Asks = fn(Request) -> Request;

/// All pages, with something done before each of them.
async fn pages(pay: &Pay, path: &str, ask: Asks, between: impl AsyncFn(usize)) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut next = path.to_owned();
    // Far more than any list here has.
    for page in 0..60 {
        between(page).await;
        let answer = pay.bench.send(ask(Request::new("GET", &next))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        seen.extend(answer.body["items"].as_array().unwrap().iter().cloned());
        let Some(cursor) = answer.body["nextCursor"].as_str() else { return seen };
        next = format!("{path}&cursor={cursor}");
    }
    panic!("{path} never comes to its end");
}

async fn quietly(_: usize) {}

fn ids(list: &[Value]) -> Vec<String> {
    list.iter().map(|one| one["paymentId"].as_str().unwrap().to_owned()).collect()
}

fn normal(from: &str, to: &str, limit: u32) -> String {
    format!("/v1/payments/normal?franchiseId={}&from={from}&to={to}&limit={limit}", shop())
}

const FROM: &str = "2026-11-22T10:00:00Z";
const TO: &str = "2026-11-29T10:00:00Z";

/// So many payments, a few hours apart, the newest first; some at one moment.
async fn several(pay: &Pay, count: usize) -> Vec<String> {
    pay.recharge(payer(), 1_000_000).await;
    let mut paths = Vec::new();
    for place in 0..count {
        paths.push(pay.paid(1_000 + u64::try_from(place).unwrap(), &format!("{place}")).await);
        if place % 3 != 0 {
            pay.bench.world.pass_seconds(5 * 3_600);
        }
    }
    paths
}

#[tokio::test]
async fn payer_merchant_and_operator_see_what_was_paid_newest_first() {
    let pay = Pay::new().await;
    several(&pay, 13).await;
    let own = pages(&pay, "/v1/payments?limit=100", by_payer, quietly).await;
    assert_eq!(own.len(), 13);
    let times: Vec<_> = own.iter().map(|one| one["approvedAt"].as_str().unwrap()).collect();
    assert!(times.windows(2).all(|two| two[0] >= two[1]));
    for limit in [1, 2, 5, 13, 100] {
        assert_eq!(pages(&pay, &format!("/v1/payments?limit={limit}"), by_payer, quietly).await, own);
        let shops = format!("/v1/payments?franchiseId={}&limit={limit}", shop());
        assert_eq!(pages(&pay, &shops, by_merchant, quietly).await, own);
        let readers: [Asks; 2] = [by_merchant, by_operator];
        for ask in readers {
            assert_eq!(pages(&pay, &normal(FROM, TO, limit), ask, quietly).await, own);
        }
    }
    // What failed is in no list; what is settled leaves the normal ones.
    *pay.services.is_linked.lock().unwrap() = false;
    assert_eq!(pay.pay(1_999_999, "poor").await.status, 422);
    let day = own[4]["businessDay"].as_str().unwrap();
    Chain::default().settle(&pay, day.parse().unwrap()).await;
    let left: Vec<Value> =
        own.iter().filter(|one| one["businessDay"].as_str() > Some(day)).cloned().collect();
    let left = ids(&left);
    assert!(!left.is_empty() && left.len() < 9);
    assert_eq!(ids(&pages(&pay, &normal(FROM, TO, 3), by_operator, quietly).await), left);
    let lists: [(String, Asks); 2] = [
        ("/v1/payments?limit=3".to_owned(), by_payer),
        (format!("/v1/payments?franchiseId={}&limit=3", shop()), by_merchant),
    ];
    for (list, ask) in lists {
        let seen = pages(&pay, &list, ask, quietly).await;
        assert_eq!(ids(&seen), ids(&own));
        for (place, one) in seen.iter().enumerate() {
            let state = if place < left.len() { "normal" } else { "settled" };
            assert_eq!((&one["state"], one["settledAt"].is_string()), (&json!(state), state == "settled"));
        }
    }
}

#[tokio::test]
async fn a_window_holds_from_its_first_moment_to_before_its_last() {
    let pay = Pay::new().await;
    several(&pay, 13).await;
    let all = pages(&pay, &normal(FROM, TO, 100), by_operator, quietly).await;
    let at = |place: usize| all[place]["approvedAt"].as_str().unwrap();
    for (newest, oldest) in [(0, 12), (3, 9), (5, 6), (7, 8)] {
        let expected: Vec<_> = all
            .iter()
            .filter(|one| {
                let time = one["approvedAt"].as_str().unwrap();
                time >= at(oldest) && time < at(newest)
            })
            .cloned()
            .collect();
        for limit in [1, 4] {
            let path = normal(at(oldest), at(newest), limit);
            if at(oldest) == at(newest) {
                continue;
            }
            assert_eq!(pages(&pay, &path, by_operator, quietly).await, expected);
            let path = format!("/v1/payments?from={}&to={}&limit={limit}", at(oldest), at(newest));
            assert_eq!(pages(&pay, &path, by_payer, quietly).await, expected);
        }
    }
    // Seven days if nothing is said, and no longer than a month.
    pay.bench.world.pass_seconds(6 * 86_400);
    let recent = format!("/v1/payments?franchiseId={}&limit=2", shop());
    let seen = pages(&pay, &recent, by_merchant, quietly).await;
    assert!(!seen.is_empty() && seen.len() < 13);
    assert_eq!(ids(&seen), ids(&all)[..seen.len()]);
    let ask = async |path: &str| pay.bench.send(by_merchant(Request::new("GET", path))).await;
    for (bad, pointer) in [
        (normal(TO, FROM, 1), "/to"),
        (normal(FROM, FROM, 1), "/to"),
        (normal("2026-10-01T00:00:00Z", TO, 1), "/from"),
        (normal("yesterday", TO, 1), "/from"),
        (normal(FROM, TO, 0), "/limit"),
        (normal(FROM, TO, 101), "/limit"),
        (format!("/v1/payments/normal?franchiseId={}&from={FROM}", shop()), "/to"),
        (format!("/v1/payments/normal?from={FROM}&to={TO}"), "/franchiseId"),
        (format!("{recent}&from=2026-01-01T00:00:00Z&to={TO}"), "/from"),
        (format!("{recent}&page=2"), "/page"),
        ("/v1/payments?franchiseId=x".to_owned(), "/franchiseId"),
        (format!("/v1/payments?from={TO}&to={FROM}"), "/to"),
    ] {
        let answer = ask(&bad).await;
        assert_eq!((answer.status, pointers(&answer)), (400, vec![pointer]), "{bad}");
    }
}

#[tokio::test]
async fn others_see_nothing() {
    let pay = Pay::new().await;
    several(&pay, 2).await;
    let not_found = |answer: Answer| (answer.status, answer.code().to_owned());
    let shops = format!("/v1/payments?franchiseId={}", shop());
    let nobodys = format!("/v1/payments?franchiseId={}", FranchiseId::derive(&["nobody's"]));
    for path in [&shops, &nobodys, &normal(FROM, TO, 9)] {
        let answer = pay.get(path, stranger(), "member merchant").await;
        assert_eq!(not_found(answer), (404, "not_found".to_owned()), "{path}");
    }
    assert_eq!(pay.get(&shops, merchant(), "member").await.status, 404);
    assert_eq!(pay.get(&normal(FROM, TO, 9), payer(), "member").await.code(), "forbidden");
    assert_eq!(pay.get("/v1/payments", payer(), "operator").await.code(), "forbidden");
    let own = pay.get("/v1/payments", stranger(), "member").await;
    assert_eq!(own.body, json!({ "items": [], "nextCursor": null }));
    // A literal path wins over an id.
    assert_eq!(pay.bench.send(Request::new("GET", "/v1/payments/normal")).await.code(), "unauthorized");
}

#[tokio::test]
async fn paging_neither_skips_nor_repeats_while_others_write() {
    let pay = Pay::new().await;
    let paths = several(&pay, 30).await;
    let lists: [(String, Asks); 3] = [
        ("/v1/payments?limit=4".to_owned(), by_payer),
        (format!("/v1/payments?franchiseId={}&from={FROM}&to={TO}&limit=4", shop()), by_merchant),
        (normal(FROM, TO, 4), by_operator),
    ];
    let chain = std::cell::RefCell::new(Chain::default());
    for (turn, (list, ask)) in lists.iter().enumerate() {
        let began = pages(&pay, list, *ask, quietly).await;
        // Before each page somebody pays, one of the old ones is taken back in part, and now and then a day is settled.
        let settled = std::cell::RefCell::new(String::new());
        let busy = async |page: usize| {
            pay.bench.world.pass_seconds(1);
            let mut body = order(1);
            body["orderId"] = json!(format!("{turn}-{page}"));
            let request = Request::new("POST", "/v1/payments").json(&body).key(&format!("{turn}-{page}"));
            assert_eq!(pay.bench.send(request.caller(payer(), "member")).await.status, 201);
            let path = &paths[(page * 7 + turn) % paths.len()];
            let back = pay.cancel(path, &format!("{turn}-{page}"), json!({ "amount": won(1) })).await;
            assert_eq!(back.status, 201);
            let through = began[began.len() - 1 - page]["businessDay"].as_str().unwrap();
            if page % 2 == 1 && chain.borrow().is_after(through) {
                let mut grown = chain.borrow().clone();
                grown.settle(&pay, through.parse().unwrap()).await;
                chain.replace(grown);
                *settled.borrow_mut() = through.to_owned();
            }
        };
        let seen = ids(&pages(&pay, list, *ask, busy).await);
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{list} repeats");
        let leaves = list.contains("/normal");
        for (id, one) in ids(&began).into_iter().zip(&began) {
            let may_be_gone = leaves && one["businessDay"].as_str().unwrap() <= settled.borrow().as_str();
            assert!(seen.contains(&id) || may_be_gone, "{list} skips {id}");
        }
        // And the order holds.
        let order: Vec<_> = ids(&began).into_iter().filter(|id| seen.contains(id)).collect();
        let kept: Vec<_> = seen.into_iter().filter(|id| order.contains(id)).collect();
        assert_eq!(kept, order);
    }
}

#[tokio::test]
async fn a_cursor_holds_for_its_query_and_its_caller() {
    let pay = Pay::new().await;
    several(&pay, 6).await;
    let cursor = async |path: &str, ask: Asks| {
        let answer = pay.bench.send(ask(Request::new("GET", path))).await;
        answer.body["nextCursor"].as_str().unwrap().to_owned()
    };
    let list = normal(FROM, TO, 2);
    let own = "/v1/payments?limit=2".to_owned();
    let shops = format!("/v1/payments?franchiseId={}&limit=2", shop());
    let operators = cursor(&list, by_operator).await;
    let merchants = cursor(&shops, by_merchant).await;
    let payers = cursor(&own, by_payer).await;
    let (other, cut) = (normal(FROM, "2026-11-28T10:00:00Z", 2), payers[1..].to_owned());
    let foreign: [(&String, &String, Asks); 7] = [
        (&list, &operators, by_merchant),
        (&list, &merchants, by_merchant),
        (&shops, &operators, by_merchant),
        (&own, &merchants, by_merchant),
        (&own, &payers, by_merchant),
        (&own, &cut, by_payer),
        (&other, &operators, by_operator),
    ];
    for (path, cursor, ask) in foreign {
        let request = Request::new("GET", &format!("{path}&cursor={cursor}"));
        assert_eq!(pointers(&pay.bench.send(ask(request)).await), ["/cursor"], "{path}");
    }
}
