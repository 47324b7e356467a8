//! Membership's own settings: what an operator of Pay may set, and what holds if nobody does.

use contract::{Context, Problem};
use serde::Deserialize;

const DAY_SECONDS: i64 = 86_400;

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// How long a key must be published before it signs.
    pub key_published_seconds: i64,
    /// How long a login session goes on at most, however often its tokens are exchanged.
    pub session_seconds: i64,
    /// The same for an operator's.
    pub operator_session_seconds: i64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            key_published_seconds: 7200,
            session_seconds: 30 * DAY_SECONDS,
            operator_session_seconds: DAY_SECONDS,
        }
    }
}

impl Config {
    /// As they are set.
    pub fn of(context: &Context) -> Result<Config, Problem> {
        context.settings.config()
    }

    /// How long a session of such a member goes on at most.
    pub const fn session_seconds_of(&self, is_operator: bool) -> i64 {
        if is_operator { self.operator_session_seconds } else { self.session_seconds }
    }
}
