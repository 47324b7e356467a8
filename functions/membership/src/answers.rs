//! What members are shown: a membership, and a pair of tokens.

use crate::{
    items::{Member, MembershipState},
    personal::{self, Personal},
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
    /// The name of the person or company; a closed membership has none of the next three any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
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
    /// When the membership ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// One more with each change; the ETag.
    pub version: u64,
}

impl Membership {
    /// Opens a member's data for somebody who may see it.
    pub fn of(member: &Member, key: &ServiceKey) -> Result<Membership, Problem> {
        let open = |sealed| personal::open(key, member.membership_id, sealed);
        let (name, email, address) = match member.personal.as_ref().map(open).transpose()? {
            Some(Personal { name, email, address }) => (Some(name), Some(email), Some(address)),
            None => (None, None, None),
        };
        Ok(Membership {
            membership_id: member.membership_id,
            kind: member.kind,
            state: member.state,
            name,
            email,
            address,
            region: member.region.clone(),
            scopes: member.scopes(),
            registered_at: member.registered.as_ref().map(|registered| registered.at),
            modified_at: member.modified.as_ref().map(|modified| modified.at),
            closed_at: member.closed.as_ref().map(|closed| closed.at),
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
