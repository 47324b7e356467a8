//! The clock and the randomness of the machine.

use async_trait::async_trait;
use contract::ports::{Clock, Entropy};
use kernel::Timestamp;
use std::time::{Duration, SystemTime};

/// The machine's clock.
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as 1970: the ledger's own rules keep times from going back.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn pause(&self, millis: u32) {
        tokio::time::sleep(Duration::from_millis(millis.into())).await;
    }
}

/// The operating system's random generator.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        #[allow(
            clippy::disallowed_methods,
            clippy::expect_used,
            reason = "this is the Entropy port itself; keys and ids from anything else would be guessable: better to die"
        )]
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pause_lets_the_time_pass() {
        let before = SystemClock.now();
        SystemClock.pause(30).await;
        assert!(SystemClock.now().millis_since(before) >= 29);
    }
}
