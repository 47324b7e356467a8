//! Since when a signing key is published.
//!
//! The moment is known only after the secret's version became the current one, when that version cannot be changed
//! any more; so it is an item of the table, put once. A rotation that was interrupted before it was put counts from
//! the first time that anybody looks: late, and never early.

use crate::items::{self, PublishedKey};
use contract::{Context, Problem};
use kernel::Timestamp;
use store::{CommitError, Condition, Write};

/// Since when a key is published, if anybody has noted it.
pub async fn since(context: &Context, key_id: &str) -> Result<Option<Timestamp>, Problem> {
    let noted: Option<PublishedKey> = items::load(&*context.table, &PublishedKey::key_of(key_id)).await?;
    Ok(noted.map(|noted| noted.at))
}

/// Notes that a key is published now, if nobody has noted it before.
pub async fn note(context: &Context, key_id: &str, now: Timestamp) -> Result<(), Problem> {
    let noted = PublishedKey { key_id: key_id.to_owned(), at: now };
    match context.table.commit(&[Write::put(&noted, Condition::Absent)?]).await {
        Ok(()) | Err(CommitError::Refused(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
