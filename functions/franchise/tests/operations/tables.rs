//! Tables that behave as a bad day: everything at once, somebody in the way, an answer lost.

use async_trait::async_trait;
use contract::testing::Bench;
use std::sync::{Arc, Mutex};
use store::{CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, twin::Twin};

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

/// Lets another task go on before each call, so that joined requests meet at every step, and goes wrong as told.
pub struct Trying {
    twin: Arc<Twin>,
    faults: Mutex<Vec<Fault>>,
}

/// Puts a trying table in place of the bench's.
pub fn trying(bench: &mut Bench, faults: &[Fault]) {
    let table = Trying { twin: bench.twin.clone(), faults: Mutex::new(faults.to_vec()) };
    bench.context.table = Arc::new(table);
}

#[async_trait]
impl Table for Trying {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        tokio::task::yield_now().await;
        self.twin.get(key, read).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        self.twin.query(query).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        tokio::task::yield_now().await;
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
