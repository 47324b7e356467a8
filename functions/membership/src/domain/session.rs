//! What a refresh token is good for when it comes.
//!
//! A token is exchanged once. Coming again it is either stolen or its answer was lost; nobody can tell which, so the
//! whole session ends. Only an exchange that is repeated under its Idempotency-Key, before its successor was used,
//! is answered again: whoever knows that key sent the first request too.
//!
//! However often its tokens are exchanged, a session ends: at an age that is counted from its login, or because all
//! sessions of its member were ended.

use super::Refusal;
use crate::items::{Member, RefreshToken, Session, SessionState};
use kernel::Timestamp;

/// How long a refresh token lives.
pub const REFRESH_SECONDS: i64 = 86_400;

/// What to do with a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Exchange it.
    Exchange,
    /// It was exchanged by this very request: answer its successor again, unless that was used too.
    AnswerAgain,
    /// It was exchanged by another request: end the session.
    Revoke,
}

/// Judges a token that is known, with its session, by the blinded key of the request.
pub fn judge(
    token: &RefreshToken,
    session: Option<&Session>,
    request_key: Option<&str>,
    now: Timestamp,
) -> Result<Verdict, Refusal> {
    let live = session.is_some_and(|session| session.state == SessionState::Live);
    if !live || now >= token.valid_until {
        return Err(Refusal::UnknownToken);
    }
    Ok(match &token.spent {
        None => Verdict::Exchange,
        Some(spent) if request_key.is_some() && spent.key.as_deref() == request_key => Verdict::AnswerAgain,
        Some(_) => Verdict::Revoke,
    })
}

/// Whether a session is this member's and was not ended. One that began in the very moment when all were ended was.
pub fn is_live(session: &Session, member: &Member) -> bool {
    session.state == SessionState::Live
        && session.membership_id == member.membership_id
        && member.sessions_from.is_none_or(|from| session.began_at > from)
}

/// When a refresh token made now ends: after a day, or when the session does.
pub fn refresh_end(began_at: Timestamp, age_seconds: i64, now: Timestamp) -> Timestamp {
    now.plus_seconds(REFRESH_SECONDS).min(began_at.plus_seconds(age_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::Spent;
    use kernel::Id;

    #[test]
    fn only_a_live_session_and_the_same_request_go_on() {
        let now = events::example_time();
        let session = |state| Session {
            session_id: "s".to_owned(),
            membership_id: Id::derive(&["m"]),
            state,
            began_at: now,
            valid_until: now.plus_seconds(REFRESH_SECONDS),
        };
        let token = |spent: Option<Option<&str>>| RefreshToken {
            hash: "h".to_owned(),
            session_id: "s".to_owned(),
            valid_until: now.plus_seconds(REFRESH_SECONDS),
            spent: spent.map(|key| Spent { at: now, key: key.map(str::to_owned) }),
        };
        let (live, revoked) = (session(SessionState::Live), session(SessionState::Revoked));
        let end = now.plus_seconds(REFRESH_SECONDS);
        let cases = [
            (token(None), Some(&live), None, now, Ok(Verdict::Exchange)),
            (token(None), Some(&live), Some("k"), now, Ok(Verdict::Exchange)),
            (token(Some(Some("k"))), Some(&live), Some("k"), now, Ok(Verdict::AnswerAgain)),
            (token(Some(Some("k"))), Some(&live), Some("other"), now, Ok(Verdict::Revoke)),
            (token(Some(Some("k"))), Some(&live), None, now, Ok(Verdict::Revoke)),
            (token(Some(None)), Some(&live), None, now, Ok(Verdict::Revoke)),
            (token(Some(None)), Some(&live), Some("k"), now, Ok(Verdict::Revoke)),
            (token(None), Some(&revoked), None, now, Err(Refusal::UnknownToken)),
            (token(None), None, None, now, Err(Refusal::UnknownToken)),
            (token(None), Some(&live), None, end, Err(Refusal::UnknownToken)),
        ];
        for (token, session, key, now, expected) in cases {
            assert_eq!(judge(&token, session, key, now), expected, "{token:?} {session:?} {key:?}");
        }
    }
}
