//! Tables that behave as on a bad day: everything at once, somebody in the way, an answer lost, a process that dies.

use crate::{
    ago, bench,
    facts::{increased, modified, registered},
    figures, hear,
    histories::content,
    sum,
};
use async_trait::async_trait;
use contract::{Caller, testing::Bench};
use events::Envelope;
use std::sync::{Arc, Mutex};
use store::{CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, twin::Twin};

/// What goes wrong with a commit.
#[derive(Clone, Copy)]
enum Fault {
    /// It goes well.
    None,
    /// Another transaction is in the way.
    Contended,
    /// It is made, and its answer is lost.
    AnswerLost,
    /// The process dies before it.
    Dies,
}

/// Lets another task go on before each call, so that joined handlers meet at every step, and goes wrong as told.
struct Trying {
    twin: Arc<Twin>,
    faults: Mutex<Vec<Fault>>,
}

/// Puts a trying table in place of the bench's; the last fault comes first.
fn trying(bench: &mut Bench, faults: &[Fault]) {
    let faults = faults.iter().rev().copied().collect();
    bench.context.table = Arc::new(Trying { twin: bench.twin.clone(), faults: Mutex::new(faults) });
}

#[async_trait]
impl Table for Trying {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        tokio::task::yield_now().await;
        self.twin.get(key, read).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        tokio::task::yield_now().await;
        self.twin.query(query).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        tokio::task::yield_now().await;
        let fault = self.faults.lock().unwrap().pop().unwrap_or(Fault::None);
        match fault {
            Fault::None => self.twin.commit(writes).await,
            Fault::Contended => Err(CommitError::Contended),
            Fault::AnswerLost => {
                self.twin.commit(writes).await?;
                Err(Unavailable("the answer was lost".to_owned()).into())
            }
            Fault::Dies => Err(Unavailable("the process is dead".to_owned()).into()),
        }
    }
}

async fn try_to_hear(bench: &Bench, fact: &Envelope) -> bool {
    let body = serde_json::to_value(fact).unwrap();
    bench.call("onCountedFact", Caller::Platform, body).await.is_ok()
}

/// A registration that moves a hundred and fifty days, so that it takes several commits.
fn long_history() -> (Vec<Envelope>, Envelope) {
    let day = 24 * 60;
    let recharge = |number: i64| increased(number.unsigned_abs(), "hana", 10, ago(number * day));
    ((1..150).map(recharge).collect(), registered("hana", "seoul", ago(500 * day)))
}

#[tokio::test]
async fn facts_that_meet_are_all_counted_once() {
    let mut bench = bench();
    trying(&mut bench, &[]);
    let facts = [
        registered("hana", "seoul", ago(90)),
        modified("hana", 2, "busan", ago(60)),
        increased(1, "hana", 10, ago(70)),
        increased(2, "hana", 200, ago(50)),
        increased(2, "hana", 200, ago(50)),
    ];
    let [a, b, c, d, e] = &facts;
    let met = tokio::join!(
        try_to_hear(&bench, a),
        try_to_hear(&bench, b),
        try_to_hear(&bench, c),
        try_to_hear(&bench, d),
        try_to_hear(&bench, e),
    );
    assert_eq!(met, (true, true, true, true, true));
    assert_eq!(figures(&sum(&bench, "busan").await), [210, 200, 1, 1]);
    assert_eq!(figures(&sum(&bench, "seoul").await), [0, 10, 1, 0]);
}

/// One of them reads the wallet before the other one's commit and the regions after it.
#[tokio::test]
async fn a_move_that_meets_itself_is_counted_once_wherever_they_meet() {
    for steps_behind in 0..12 {
        let mut bench = bench();
        hear(&bench, &[registered("hana", "seoul", ago(90)), increased(1, "hana", 10, ago(70))]).await;
        trying(&mut bench, &[]);
        let moved = modified("hana", 2, "busan", ago(60));
        let later = async {
            for _ in 0..steps_behind {
                tokio::task::yield_now().await;
            }
            try_to_hear(&bench, &moved).await
        };
        assert_eq!(tokio::join!(try_to_hear(&bench, &moved), later), (true, true), "{steps_behind} behind");
        assert_eq!(figures(&sum(&bench, "busan").await), [10, 0, 0, 1]);
        assert_eq!(figures(&sum(&bench, "seoul").await), [0, 10, 1, 0]);
    }
}

#[tokio::test]
async fn a_commit_in_the_way_or_without_an_answer_counts_nothing_twice() {
    let mut bench = bench();
    trying(&mut bench, &[Fault::Contended, Fault::Contended, Fault::AnswerLost]);
    let fact = increased(1, "hana", 10, ago(70));
    assert!(!try_to_hear(&bench, &fact).await);
    assert!(try_to_hear(&bench, &fact).await);
    hear(&bench, &[registered("hana", "seoul", ago(90))]).await;
    assert_eq!(figures(&sum(&bench, "seoul").await), [10, 10, 1, 1]);
}

#[tokio::test]
async fn who_is_always_in_the_way_leaves_the_fact_to_the_queue() {
    let mut bench = bench();
    trying(&mut bench, &[Fault::Contended; 8]);
    let fact = registered("hana", "seoul", ago(90));
    assert!(!try_to_hear(&bench, &fact).await);
    assert!(try_to_hear(&bench, &fact).await);
}

#[tokio::test]
async fn a_long_effect_that_was_left_unfinished_is_finished_by_whoever_comes_next() {
    let (recharges, registration) = long_history();
    let fresh = increased(999, "hana", 7, ago(1));
    for next in [&registration, &recharges[0], &modified("hana", 2, "busan", ago(1)), &fresh] {
        let ordered = bench();
        hear(&ordered, std::slice::from_ref(&registration)).await;
        hear(&ordered, &recharges).await;
        hear(&ordered, std::slice::from_ref(next)).await;
        let mut bench = bench();
        hear(&bench, &recharges).await;
        trying(&mut bench, &[Fault::None, Fault::Dies]);
        assert!(!try_to_hear(&bench, &registration).await);
        let is_unfinished =
            |bench: &Bench| bench.twin.items().iter().any(|item| item.contains_key("pending"));
        assert!(is_unfinished(&bench));
        assert!(try_to_hear(&bench, next).await);
        assert!(!is_unfinished(&bench));
        assert_eq!(content(&bench, 1), content(&ordered, 1), "{}", next.kind);
    }
}
