//! Tables that behave as a bad day: everything at once, somebody in the way, an answer lost.

use async_trait::async_trait;
use contract::testing::Bench;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use store::{CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, twin::Twin};

/// Lets another task go on before each call, so that joined requests meet at every step.
pub struct Yielding(Arc<Twin>);

/// Puts a yielding table in place of the bench's.
pub fn yielding(bench: &mut Bench) {
    bench.context.table = Arc::new(Yielding(bench.twin.clone()));
}

#[async_trait]
impl Table for Yielding {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        tokio::task::yield_now().await;
        self.0.get(key, read).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        self.0.query(query).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        tokio::task::yield_now().await;
        self.0.commit(writes).await
    }
}

/// What goes wrong with a commit.
#[derive(Clone, Copy)]
pub enum Fault {
    /// Another transaction is in the way.
    Contended,
    /// It is made, and its answer is lost.
    AnswerLost,
    /// It is made, its answer is lost, and the SDK asks again.
    Repeated,
}

/// Goes wrong as told, commit by commit, and then no more; counts calls.
pub struct Faulty {
    twin: Arc<Twin>,
    faults: Mutex<Vec<Fault>>,
    reads: AtomicUsize,
    commits: AtomicUsize,
}

impl Faulty {
    /// How many reads and commits there were since the last time.
    pub fn take_counts(&self) -> (usize, usize) {
        (self.reads.swap(0, Ordering::SeqCst), self.commits.swap(0, Ordering::SeqCst))
    }

    pub fn fail_next(&self, fault: Fault) {
        self.faults.lock().unwrap().push(fault);
    }
}

/// Puts a faulty table in place of the bench's.
pub fn faulty(bench: &mut Bench) -> Arc<Faulty> {
    let table = Arc::new(Faulty {
        twin: bench.twin.clone(),
        faults: Mutex::default(),
        reads: AtomicUsize::new(0),
        commits: AtomicUsize::new(0),
    });
    bench.context.table = table.clone();
    table
}

#[async_trait]
impl Table for Faulty {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.twin.get(key, read).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        self.twin.query(query).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let fault = self.faults.lock().unwrap().pop();
        match fault {
            None => self.twin.commit(writes).await,
            Some(Fault::Contended) => Err(CommitError::Contended),
            Some(Fault::Repeated) => {
                self.twin.commit(writes).await?;
                self.twin.commit(writes).await
            }
            Some(Fault::AnswerLost) => {
                self.twin.commit(writes).await?;
                Err(Unavailable("the answer was lost".to_owned()).into())
            }
        }
    }
}
