//! How a firmbanking goes on: the whole protocol of the bank's unknown, as one function.
//!
//! A firmbanking ends only on the bank's definite word: done, declined, or voided. Silence is doubt, and "never seen"
//! is not an answer, because whoever has stored the record as sent may be about to send it. So what was never seen is
//! sent again under the same id, or, when it is overdue, its id is voided, so that a late arrival is refused. Every
//! executor may stop after any step and any number may run at once: no step undoes another's.

use contract::{outbox, peers::FirmbankingState};

/// What the bank says of a transfer id. The first three never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The money has moved, with our terms.
    Done,
    /// The money has not moved and will not under this id; why.
    Declined(&'static str),
    /// The id is void: a transfer that comes later is refused.
    Voided,
    /// No transfer has come under this id so far.
    NeverSeen,
    /// Nothing, or nothing that could be understood.
    Nothing,
}

/// What this executor did last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Last {
    /// Nothing yet: it found the record.
    Found,
    /// It stored the record as sent, and nobody has sent it before.
    Claimed,
    /// It asked the bank, and heard this.
    Asked(Heard),
}

/// How a firmbanking ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The bank moved the money.
    Succeeded,
    /// The bank never will; why.
    Failed(&'static str),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is final.
    Stop,
    /// Store it as sent, before the wire.
    Claim,
    /// Send the transfer under its id.
    Send,
    /// Ask the bank what became of the id.
    Inquire,
    /// Ask the bank to void the id.
    Void,
    /// Store the bank's definite word.
    Conclude(Outcome),
    /// Store that nobody knows, and leave it to a later inquiry.
    Doubt,
}

/// Why a firmbanking failed whose id was voided: the bank had not received it for too long.
pub const NOT_RECEIVED: &str = "bank_did_not_receive";

/// The next step. `overdue`: so old that it is voided rather than sent again.
pub fn next(state: FirmbankingState, last: &Last, overdue: bool) -> Step {
    match (state, last) {
        (FirmbankingState::Succeeded | FirmbankingState::Failed, _) => Step::Stop,
        (_, Last::Asked(Heard::Done)) => Step::Conclude(Outcome::Succeeded),
        (_, Last::Asked(Heard::Declined(reason))) => Step::Conclude(Outcome::Failed(reason)),
        (_, Last::Asked(Heard::Voided)) => Step::Conclude(Outcome::Failed(NOT_RECEIVED)),
        (_, Last::Asked(Heard::NeverSeen)) if overdue => Step::Void,
        (_, Last::Asked(Heard::NeverSeen)) => Step::Send,
        (_, Last::Asked(Heard::Nothing)) => Step::Doubt,
        (FirmbankingState::Requested, _) => Step::Claim,
        (FirmbankingState::Sent | FirmbankingState::Unknown, Last::Claimed) => Step::Send,
        (FirmbankingState::Sent | FirmbankingState::Unknown, Last::Found) => Step::Inquire,
    }
}

/// How long to wait before the next inquiry, in seconds: doubled with every one that was in vain.
pub fn delay_seconds(state: FirmbankingState, inquiries: u32) -> u32 {
    match state {
        // Whoever stored it so is at work; these come only if that one has stopped.
        FirmbankingState::Requested => 60,
        FirmbankingState::Sent => 15,
        _ => outbox::delay_seconds(5, inquiries.saturating_sub(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state() -> impl Strategy<Value = FirmbankingState> {
        prop::sample::select(vec![
            FirmbankingState::Requested,
            FirmbankingState::Sent,
            FirmbankingState::Unknown,
            FirmbankingState::Succeeded,
            FirmbankingState::Failed,
        ])
    }

    fn last() -> impl Strategy<Value = Last> {
        prop::sample::select(vec![
            Last::Found,
            Last::Claimed,
            Last::Asked(Heard::Done),
            Last::Asked(Heard::Declined("declined_by_bank")),
            Last::Asked(Heard::Voided),
            Last::Asked(Heard::NeverSeen),
            Last::Asked(Heard::Nothing),
        ])
    }

    proptest! {
        #[test]
        fn only_a_definite_word_ends_it_and_nothing_follows_an_end(state in state(), last in last(), overdue: bool) {
            let is_final = matches!(state, FirmbankingState::Succeeded | FirmbankingState::Failed);
            let step = next(state, &last, overdue);
            prop_assert_eq!(step == Step::Stop, is_final);
            match step {
                Step::Conclude(Outcome::Succeeded) => prop_assert_eq!(last, Last::Asked(Heard::Done)),
                Step::Conclude(Outcome::Failed(_)) => prop_assert!(
                    matches!(last, Last::Asked(Heard::Declined(_) | Heard::Voided))
                ),
                Step::Send => prop_assert!(
                    last == Last::Claimed || (last == Last::Asked(Heard::NeverSeen) && !overdue)
                ),
                Step::Void => prop_assert!(overdue && last == Last::Asked(Heard::NeverSeen)),
                _ => {}
            }
        }

        #[test]
        fn the_wait_grows_and_stays_within_what_a_queue_can_delay(inquiries: u32) {
            let now = delay_seconds(FirmbankingState::Unknown, inquiries);
            prop_assert!((5..=900).contains(&now));
            prop_assert!(now <= delay_seconds(FirmbankingState::Unknown, inquiries.saturating_add(1)));
        }
    }

    #[test]
    fn who_is_at_work_is_given_more_time_than_who_has_only_to_ask() {
        let wait = |state| delay_seconds(state, 1);
        assert!(wait(FirmbankingState::Requested) > wait(FirmbankingState::Sent));
        assert!(wait(FirmbankingState::Sent) > wait(FirmbankingState::Unknown));
    }

    /// What a bank does with a transfer id may be slow, but it is one of these.
    #[test]
    fn an_unsent_requested_firmbanking_is_never_sent_before_it_is_stored() {
        for last in [Last::Found, Last::Claimed] {
            assert_eq!(next(FirmbankingState::Requested, &last, true), Step::Claim);
        }
    }
}
