//! What members are shown: a membership, and a pair of tokens.

use crate::{
    items::{Member, MembershipState},
    personal,
};
use contract::{Problem, Reply, Scope};
use events::membership::MembershipKind;
use kernel::{Timestamp, id::MembershipId};
use schemars::JsonSchema;
use serde::Serialize;
use store::seal::ServiceKey;

/// A membership as its owner sees it.
// No Debug, so that it cannot be logged.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// Its id.
    pub membership_id: MembershipId,
    /// Person or company.
    pub kind: MembershipKind,
    /// How far it is.
    pub state: MembershipState,
    /// The name of the person or company.
    pub name: String,
    /// The email.
    pub email: String,
    /// The address.
    pub address: String,
    /// The region that the address is in, such as `seoul`.
    pub region: String,
    /// What the next access token allows.
    pub scopes: Vec<Scope>,
    /// When the membership began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Timestamp>,
    /// When name, email or address last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<Timestamp>,
    /// One more with each change; the ETag.
    pub version: u64,
}

impl Membership {
    /// Opens a member's data for somebody who may see it.
    pub fn of(member: &Member, key: &ServiceKey) -> Result<Membership, Problem> {
        let personal = personal::open(key, member.membership_id, &member.personal)?;
        Ok(Membership {
            membership_id: member.membership_id,
            kind: member.kind,
            state: member.state,
            name: personal.name,
            email: personal.email,
            address: personal.address,
            region: member.region.clone(),
            scopes: member.scopes(),
            registered_at: member.registered.as_ref().map(|registered| registered.at),
            modified_at: member.modified.as_ref().map(|modified| modified.at),
            version: member.version,
        })
    }

    /// 200 with the version.
    pub fn reply(member: &Member, key: &ServiceKey) -> Result<Reply<Membership>, Problem> {
        Ok(Reply::ok(Membership::of(member, key)?).version(member.version))
    }
}

/// Where a membership is to be found.
pub fn location(id: MembershipId) -> String {
    format!("/v1/memberships/{id}")
}

/// The tokens of a login.
// No Debug, so that it cannot be logged.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// Who logged in.
    pub membership_id: MembershipId,
    /// Goes into the Authorization header, after `Bearer `.
    pub access_token: String,
    /// Until when it holds.
    pub access_token_expires_at: Timestamp,
    /// Good for one exchange.
    pub refresh_token: String,
    /// Until when it can be exchanged.
    pub refresh_token_expires_at: Timestamp,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// How many seconds the access token holds.
    pub expires_in: i64,
    /// What it allows, separated by blanks.
    pub scope: String,
}
