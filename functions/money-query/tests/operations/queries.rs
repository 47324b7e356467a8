//! What is answered, to whom, and which days may be asked for.

use crate::{
    ago, ask, bench, day,
    facts::{decreased, increased, modified, registered, transferred},
    figures, hear, member, sum,
};
use contract::{Caller, testing::Request};
use serde_json::json;

#[tokio::test]
async fn a_region_sums_up_what_lies_there_and_what_was_recharged() {
    let bench = bench();
    hear(
        &bench,
        &[
            registered("hana", "seoul", ago(90)),
            registered("dul", "busan", ago(80)),
            increased(1, "hana", 15_000, ago(70)),
            transferred(2, "hana", Some("dul"), 4_000, ago(60)),
            decreased(3, "hana", 1_000, ago(50)),
            transferred(4, "dul", None, 500, ago(40)),
        ],
    )
    .await;
    let seoul = sum(&bench, "seoul").await;
    assert_eq!(figures(&seoul), [10_000, 15_000, 1, 1]);
    assert_eq!((&seoul["from"], &seoul["to"]), (&json!("2026-10-24"), &json!("2026-11-22")));
    assert_eq!(seoul["days"].as_array().unwrap().len(), 30);
    let won = |amount: u64| json!({ "amount": amount, "currency": "KRW" });
    assert_eq!(
        *day(&seoul, "2026-11-22"),
        json!({ "day": "2026-11-22", "recharged": won(15_000), "recharges": 1, "balance": won(10_000) })
    );
    assert_eq!(day(&seoul, "2026-11-21")["balance"], won(0));
    assert_eq!(figures(&sum(&bench, "busan").await), [3_500, 0, 0, 1]);
    assert_eq!(figures(&sum(&bench, "jeju").await), [0, 0, 0, 0]);
}

#[tokio::test]
async fn who_moves_takes_the_balance_along_and_leaves_the_history() {
    let bench = bench();
    let days = 24 * 60;
    hear(
        &bench,
        &[
            registered("hana", "seoul", ago(10 * days)),
            increased(1, "hana", 15_000, ago(5 * days)),
            modified("hana", 2, "busan", ago(3 * days)),
            increased(2, "hana", 1_000, ago(days)),
        ],
    )
    .await;
    let (seoul, busan) = (sum(&bench, "seoul").await, sum(&bench, "busan").await);
    assert_eq!((figures(&seoul), figures(&busan)), ([0, 15_000, 1, 0], [16_000, 1_000, 1, 1]));
    let at = |sum: &serde_json::Value, wanted: &str| day(sum, wanted)["balance"]["amount"].as_u64().unwrap();
    assert_eq!([at(&seoul, "2026-11-18"), at(&busan, "2026-11-18")], [15_000, 0]);
    assert_eq!([at(&seoul, "2026-11-19"), at(&busan, "2026-11-19")], [0, 15_000]);
    assert_eq!([at(&seoul, "2026-11-21"), at(&busan, "2026-11-21")], [0, 16_000]);

    // A recharge of before the move comes last: it stays in Seoul, and its money lies in Busan.
    hear(&bench, &[increased(3, "hana", 200, ago(4 * days))]).await;
    let (seoul, busan) = (sum(&bench, "seoul").await, sum(&bench, "busan").await);
    assert_eq!((figures(&seoul), figures(&busan)), ([0, 15_200, 2, 0], [16_200, 1_000, 1, 1]));
    let past = ask(&bench, "/v1/money/regions/seoul/sum?from=2026-11-17&to=2026-11-18").await.body;
    assert_eq!(past["balance"]["amount"], 0, "the balance is that of now, whichever days are asked for");
    assert_eq!([at(&past, "2026-11-17"), at(&past, "2026-11-18")], [15_000, 15_200]);
}

#[tokio::test]
async fn money_of_nobody_known_lies_nowhere_until_its_member_is() {
    let bench = bench();
    hear(&bench, &[increased(1, "hana", 15_000, ago(70)), decreased(2, "hana", 5_000, ago(60))]).await;
    assert_eq!(figures(&sum(&bench, "seoul").await), [0, 0, 0, 0]);
    assert_eq!(ask(&bench, "/v1/money/regions/unknown/sum").await.status, 400);
    hear(&bench, &[registered("hana", "seoul", ago(90))]).await;
    assert_eq!(figures(&sum(&bench, "seoul").await), [10_000, 15_000, 1, 1]);
}

#[tokio::test]
async fn a_debit_before_its_credit_is_never_shown_as_less_than_nothing() {
    let bench = bench();
    hear(&bench, &[registered("hana", "seoul", ago(90)), decreased(2, "hana", 5_000, ago(60))]).await;
    assert_eq!(figures(&sum(&bench, "seoul").await), [0, 0, 0, 1]);
    hear(&bench, &[increased(1, "hana", 15_000, ago(70))]).await;
    assert_eq!(figures(&sum(&bench, "seoul").await), [10_000, 15_000, 1, 1]);
}

#[tokio::test]
async fn sums_beyond_what_an_answer_can_say_are_said_as_the_most() {
    let bench = bench();
    let most = kernel::Money::MAX;
    let mut facts = vec![registered("hana", "seoul", ago(90))];
    for number in 1..4 {
        let mut fact = increased(number, "hana", 1, ago(70));
        fact.data["amount"] = serde_json::to_value(most).unwrap();
        facts.push(fact);
    }
    hear(&bench, &facts).await;
    assert_eq!(figures(&sum(&bench, "seoul").await), [most.amount(), most.amount(), 3, 1]);
}

#[tokio::test]
async fn only_operators_may_ask() {
    let bench = bench();
    let path = "/v1/money/regions/seoul/sum";
    let asked = Request::new("GET", path).caller(member("hana"), "member merchant");
    assert_eq!(bench.send(asked).await.code(), "forbidden");
    assert_eq!(bench.send(Request::new("GET", path)).await.code(), "unauthorized");
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let bench = bench();
    for (path, pointer) in [
        ("/v1/money/regions/atlantis/sum", "/region"),
        ("/v1/money/regions/Seoul/sum", "/region"),
        ("/v1/money/regions/seoul/sum?from=yesterday", "/from"),
        ("/v1/money/regions/seoul/sum?to=2026-02-30", "/to"),
        ("/v1/money/regions/seoul/sum?from=2026-11-23", "/from"),
        ("/v1/money/regions/seoul/sum?from=2026-01-02&to=2026-01-01", "/from"),
        ("/v1/money/regions/seoul/sum?from=2025-11-21&to=2026-11-22", "/from"),
        ("/v1/money/regions/seoul/sum?day=2026-11-22", "/day"),
    ] {
        let answer = ask(&bench, path).await;
        let errors = answer.body["errors"].as_array().unwrap();
        let pointers: Vec<_> = errors.iter().map(|error| &error["pointer"]).collect();
        assert_eq!((answer.status, pointers), (400, vec![&json!(pointer)]), "{path}");
    }
    let longest = ask(&bench, "/v1/money/regions/seoul/sum?from=2025-11-22&to=2026-11-22").await;
    assert_eq!(longest.body["days"].as_array().unwrap().len(), 366);
    let ends = ["1970-01-01", "9999-12-31"];
    for end in ends {
        let path = format!("/v1/money/regions/seoul/sum?from={end}&to={end}");
        assert_eq!(ask(&bench, &path).await.body["days"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_fact_that_cannot_be_read_is_refused_and_others_are_passed_over() {
    let bench = bench();
    let hear = async |fact: events::Envelope| {
        bench.call("onCountedFact", Caller::Platform, serde_json::to_value(fact).unwrap()).await
    };
    let mut spoilt = increased(1, "hana", 15_000, ago(70));
    spoilt.data["amount"] = json!("much");
    assert_eq!(hear(spoilt).await.unwrap_err().code, "validation_failed");
    let mut other = increased(1, "hana", 15_000, ago(70));
    other.kind = "money.counted.v1".to_owned();
    assert_eq!(hear(other).await.unwrap().status, 204);
    assert_eq!(bench.twin.items(), Vec::new());
}
