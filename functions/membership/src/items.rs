//! The items of membership's table, and where they lie.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | [`Member`] | `member#mbr_…` | `profile` |
//! | [`Move`] | `member#mbr_…` | `move#` version, 12 digits |
//! | [`EmailOwner`] | `email#` blind index | `owner` |
//! | [`LoginAttempts`] | `attempts#` blind index of the email | `login` |
//! | [`Session`] | `session#…` | `family` |
//! | [`RefreshToken`] | `refresh#` hash of the token | `token` |
//! | [`PublishedKey`] | `signingKey#…` | `published` |
//! | how long a sweep is alive | `sweep#` and the operation's name | `alive` |
//!
//! No item has personal data in the clear: a member's is sealed with the member's own key, and found by blind index.

use contract::{Problem, Reference, Scope};
use events::membership::MembershipKind;
use kernel::{Timestamp, id::MembershipId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Key, Read, Record, Table};

/// Every kind of record in the table.
pub const RECORDS: &[store::Kind] = &[
    store::Kind::of::<Move>(),
    store::Kind::of::<Member>(),
    store::Kind::of::<EmailOwner>(),
    store::Kind::of::<LoginAttempts>(),
    store::Kind::of::<Session>(),
    store::Kind::of::<RefreshToken>(),
    store::Kind::of::<PublishedKey>(),
    store::Kind::of::<contract::sweeping::Sweeping>(),
];

/// How far a membership is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MembershipState {
    /// The request is stored and its email is taken; the member cannot log in yet.
    Requested,
    /// A member.
    Active,
    /// The member wants to leave, and their wallet is being closed. They cannot log in meanwhile; if the wallet cannot
    /// be closed, they are a member as before.
    Closing,
    /// Was a member. Whatever told who it was is gone.
    Closed,
}

/// A member, or the request to become one. It has no Debug, so that the password's hash cannot be logged.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Who.
    pub membership_id: MembershipId,
    /// How far the membership is.
    pub state: MembershipState,
    /// Person or company. The item's own `kind` says that it is a member.
    #[serde(rename = "membershipKind")]
    pub kind: MembershipKind,
    /// Name, email and address, sealed; gone when the membership is closed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub personal: Option<crate::personal::SealedPersonal>,
    /// The blind index of the email; gone likewise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email_index: Option<String>,
    /// The region that the address is in.
    pub region: String,
    /// The password's hash, in the PHC string format; gone likewise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub password_hash: Option<String>,
    /// Whether the member is one of Pay's own people.
    pub operator: bool,
    /// Only login sessions that began later go on: all others were ended at this moment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sessions_from: Option<Timestamp>,
    /// How often the member has lately asked for another email, whether or not it was free.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email_changes: Option<EmailChanges>,
    /// One more with each change.
    pub version: u64,
    /// The blinded fingerprint of the request that made it, if that had a key; gone when the membership is closed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fingerprint: Option<String>,
    /// When it was requested, if by event.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requested: Option<Requested>,
    /// When the membership began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub registered: Option<Registered>,
    /// The last change of name, email or address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub modified: Option<Modified>,
    /// How often the member has tried to leave: each time is another reference in the ledger.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub closings: u32,
    /// The try that is under way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub closing: Option<Closing>,
    /// The end of the membership.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub closed: Option<Closed>,
    /// The trace of the last change.
    pub traceparent: String,
}

/// Changes of email that were asked for since the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailChanges {
    /// How many.
    pub count: u32,
    /// When the first one was.
    pub since: Timestamp,
}

/// The request of a membership, as its fact tells it for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requested {
    /// When.
    pub at: Timestamp,
    /// By which request.
    pub traceparent: String,
}

/// The beginning of a membership, as its fact tells it for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// When.
    pub at: Timestamp,
    /// The region at that time.
    pub region: String,
    /// By which request.
    pub traceparent: String,
}

/// A change, as its fact tells it until the next one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Modified {
    /// When.
    pub at: Timestamp,
    /// The version that it made.
    pub version: u64,
    /// Whether the region changed too. Then the [`Move`] tells the fact, for ever, and the member does not.
    #[serde(skip_serializing_if = "is_false", default)]
    pub moved: bool,
    /// By which request.
    pub traceparent: String,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A change of region. An item of its own, because the member keeps only its last change: where a member lived when
/// must be known for ever, or a read model that is built anew would count old money elsewhere than the first one did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// Who moved.
    pub membership_id: MembershipId,
    /// The region after it.
    pub region: String,
    /// The version of the member that it made.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// By which request.
    pub traceparent: String,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// A try to end a membership: a saga's record, in the member's own item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// Which try.
    pub attempt: u32,
    /// When it began: the birth of its step.
    pub birth: Timestamp,
    /// How often money was asked in vain.
    pub asked: u32,
}

/// The end of a membership, as its fact tells it for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// By which request.
    pub traceparent: String,
}

impl Record for Move {
    const KIND: &'static str = "move";

    fn key(&self) -> Key {
        let Key { partition, .. } = member_key(&self.membership_id.to_string());
        Key::new(partition, format!("move#{:012}", self.version))
    }
}

impl Member {
    /// When something of it last changed: what comes next is not earlier, whatever a function's clock says.
    pub fn changed_at(&self) -> Timestamp {
        let registered = self.registered.as_ref().map(|registered| registered.at);
        let modified = self.modified.as_ref().map(|modified| modified.at);
        registered.max(modified).unwrap_or(Timestamp::EPOCH)
    }

    /// The same member on the way out.
    pub fn leaving(self, birth: Timestamp, traceparent: &str) -> Member {
        let attempt = self.closings.saturating_add(1);
        Member {
            state: MembershipState::Closing,
            closings: attempt,
            closing: Some(Closing { attempt, birth, asked: 0 }),
            traceparent: traceparent.to_owned(),
            ..self.next()
        }
    }

    /// The same member, whose wallet could not be closed.
    pub fn staying(self) -> Member {
        Member { state: MembershipState::Active, closing: None, ..self.next() }
    }

    /// What is left of the member: nothing that tells who it was, nor what any key could open.
    pub fn left(self, at: Timestamp) -> Member {
        let closed = Closed { at, traceparent: self.traceparent.clone() };
        Member {
            state: MembershipState::Closed,
            personal: None,
            email_index: None,
            password_hash: None,
            fingerprint: None,
            operator: false,
            closing: None,
            closed: Some(closed),
            ..self.next()
        }
    }

    /// The same member as another version.
    fn next(self) -> Member {
        Member { version: self.version.saturating_add(1), ..self }
    }

    /// The same member, with money asked once more in vain.
    pub fn waiting(self) -> Member {
        let closing = self.closing.clone();
        let closing = closing.map(|closing| Closing { asked: closing.asked.saturating_add(1), ..closing });
        Member { closing, ..self.next() }
    }

    /// The same member with the membership begun.
    pub fn activated(self, at: Timestamp, traceparent: &str) -> Member {
        let registered = Registered { at, region: self.region.clone(), traceparent: traceparent.to_owned() };
        Member {
            state: MembershipState::Active,
            registered: Some(registered),
            traceparent: traceparent.to_owned(),
            ..self
        }
    }

    /// The same member without the rights of an operator, and with every session ended that has begun by now.
    pub fn revoked(self, now: Timestamp, traceparent: &str) -> Member {
        let sessions_from = Some(self.sessions_from.map_or(now, |before| before.max(now)));
        Member { operator: false, sessions_from, traceparent: traceparent.to_owned(), ..self.next() }
    }

    /// The same member as one of Pay's own people.
    pub fn granted(self, traceparent: &str) -> Member {
        Member { operator: true, traceparent: traceparent.to_owned(), ..self.next() }
    }

    /// The same member, with one more change of email asked for and refused.
    pub fn refused_email(self, email_changes: Option<EmailChanges>) -> Member {
        Member { email_changes, ..self.next() }
    }

    /// What the member's next access token allows.
    pub fn scopes(&self) -> Vec<Scope> {
        let mut scopes = vec![Scope::Member];
        scopes.extend((self.kind == MembershipKind::Corporate).then_some(Scope::Merchant));
        scopes.extend(self.operator.then_some(Scope::Operator));
        scopes
    }
}

impl Closing {
    /// The reference of its step. It does not end in `/close`, which in the ledger closes what was held or announced.
    pub fn reference(&self, member: MembershipId) -> Reference {
        Reference { id: format!("{member}/closing/{}", self.attempt), birth: self.birth }
    }
}

impl Record for Member {
    const KIND: &'static str = "member";

    fn key(&self) -> Key {
        member_key(&self.membership_id.to_string())
    }
}

/// Where a member lies. Login also asks for ids that nobody has, so this takes any text.
pub fn member_key(id: &str) -> Key {
    Key::new(format!("member#{id}"), "profile")
}

/// Whose an email is: one email, one member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailOwner {
    /// The blind index of the email.
    pub email_index: String,
    /// Whose.
    pub membership_id: MembershipId,
}

impl EmailOwner {
    /// Where the owner of an email lies.
    pub fn key_of(email_index: &str) -> Key {
        Key::new(format!("email#{email_index}"), "owner")
    }
}

impl Record for EmailOwner {
    const KIND: &'static str = "emailOwner";

    fn key(&self) -> Key {
        EmailOwner::key_of(&self.email_index)
    }
}

/// Login attempts with one email since the last success, whether or not anybody has that email.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginAttempts {
    /// The blind index of the email.
    pub email_index: String,
    /// How many.
    pub count: u32,
    /// When the last one was.
    pub last_at: Timestamp,
    /// One more with each attempt. The count begins anew after a day; this never does, so that no attempt is lost.
    pub version: u64,
}

impl LoginAttempts {
    /// Where the attempts with an email lie.
    pub fn key_of(email_index: &str) -> Key {
        Key::new(format!("attempts#{email_index}"), "login")
    }
}

impl Record for LoginAttempts {
    const KIND: &'static str = "loginAttempts";

    fn key(&self) -> Key {
        LoginAttempts::key_of(&self.email_index)
    }

    fn expires_at_seconds(&self) -> Option<i64> {
        Some(self.last_at.plus_seconds(crate::domain::lockout::FORGOTTEN_SECONDS).seconds())
    }
}

/// Whether a login session may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SessionState {
    /// It goes on.
    Live,
    /// It was ended, by logging out or because a spent refresh token came back.
    Revoked,
}

/// A login session: the family of the refresh tokens that came from one login.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The `sid` of its tokens.
    pub session_id: String,
    /// Whose.
    pub membership_id: MembershipId,
    /// Whether it may go on.
    pub state: SessionState,
    /// When it began.
    pub began_at: Timestamp,
    /// When its last refresh token ends.
    pub valid_until: Timestamp,
}

impl Session {
    /// Where a session lies.
    pub fn key_of(session_id: &str) -> Key {
        Key::new(format!("session#{session_id}"), "family")
    }
}

impl Record for Session {
    const KIND: &'static str = "session";

    fn key(&self) -> Key {
        Session::key_of(&self.session_id)
    }

    fn expires_at_seconds(&self) -> Option<i64> {
        Some(self.valid_until.seconds())
    }
}

/// A refresh token, by its hash: the token itself is stored nowhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshToken {
    /// The hash.
    pub hash: String,
    /// The session that it belongs to.
    pub session_id: String,
    /// When it ends.
    pub valid_until: Timestamp,
    /// Set when it was exchanged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spent: Option<Spent>,
}

/// How a refresh token was exchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    /// When.
    pub at: Timestamp,
    /// The blinded Idempotency-Key of the exchange, if it had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
}

impl RefreshToken {
    /// The hash of a token. It has 256 random bits, so that a plain hash cannot be searched backwards.
    pub fn hash_of(token: &str) -> String {
        store::seal::digest(&["refresh token", token])
    }

    /// Where a token lies, by its hash.
    pub fn key_of(hash: &str) -> Key {
        Key::new(format!("refresh#{hash}"), "token")
    }
}

impl Record for RefreshToken {
    const KIND: &'static str = "refreshToken";

    fn key(&self) -> Key {
        RefreshToken::key_of(&self.hash)
    }

    fn expires_at_seconds(&self) -> Option<i64> {
        Some(self.valid_until.seconds())
    }
}

/// Since when a signing key has been in the published set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedKey {
    /// Which key.
    pub key_id: String,
    /// Since when at the latest.
    pub at: Timestamp,
}

impl PublishedKey {
    /// Where a key's publication lies.
    pub fn key_of(key_id: &str) -> Key {
        Key::new(format!("signingKey#{key_id}"), "published")
    }
}

impl Record for PublishedKey {
    const KIND: &'static str = "publishedKey";

    fn key(&self) -> Key {
        PublishedKey::key_of(&self.key_id)
    }
}

/// The record at this key, with every commit that was answered before.
pub async fn load<R: Record>(table: &dyn Table, key: &Key) -> Result<Option<R>, Problem> {
    match table.get(key, Read::Consistent).await? {
        Some(item) => Ok(Some(store::read(item)?)),
        None => Ok(None),
    }
}

/// A member who is one, as far as the table knows.
pub async fn active_member(table: &dyn Table, id: MembershipId) -> Result<Option<Member>, Problem> {
    let member: Option<Member> = load(table, &member_key(&id.to_string())).await?;
    Ok(member.filter(|member| member.state == MembershipState::Active))
}
