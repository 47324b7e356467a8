//! What membership publishes.

use crate::Fact;
use kernel::{Id, Timestamp, id::MembershipId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a member is a person or a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MembershipKind {
    /// A person.
    Personal,
    /// A company, which may own franchises.
    Corporate,
}

/// Command: register the membership whose request is stored under this id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegisterMembershipRequested {
    /// The member to be.
    pub membership_id: MembershipId,
}

impl Fact for RegisterMembershipRequested {
    const TYPE: &'static str = "membership.registrationRequested.v1";

    fn subject(&self) -> String {
        self.membership_id.to_string()
    }

    fn example() -> Self {
        RegisterMembershipRequested { membership_id: Id::derive(&["example"]) }
    }
}

/// A person or company became a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembershipRegistered {
    /// The member.
    pub membership_id: MembershipId,
    /// Person or company.
    pub kind: MembershipKind,
    /// The region that the address is in, such as `seoul`.
    pub region: String,
    /// When the membership began.
    pub registered_at: Timestamp,
}

impl Fact for MembershipRegistered {
    const TYPE: &'static str = "membership.registered.v1";

    fn subject(&self) -> String {
        self.membership_id.to_string()
    }

    fn example() -> Self {
        MembershipRegistered {
            membership_id: Id::derive(&["example"]),
            kind: MembershipKind::Personal,
            region: "seoul".to_owned(),
            registered_at: crate::example_time(),
        }
    }
}

/// A member changed name, email or address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembershipModified {
    /// The member.
    pub membership_id: MembershipId,
    /// The region after the change.
    pub region: String,
    /// Which version of the membership this is; the highest wins.
    pub version: u64,
    /// When it changed.
    pub modified_at: Timestamp,
}

impl Fact for MembershipModified {
    const TYPE: &'static str = "membership.modified.v1";

    fn subject(&self) -> String {
        self.membership_id.to_string()
    }

    fn example() -> Self {
        MembershipModified {
            membership_id: Id::derive(&["example"]),
            region: "busan".to_owned(),
            version: 2,
            modified_at: crate::example_time(),
        }
    }
}

/// A membership ended. Whoever keeps something of the person forgets it now; the ledger stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembershipClosed {
    /// Who was the member.
    pub membership_id: MembershipId,
    /// The region that the address was in at the end.
    pub region: String,
    /// When it ended. Nothing of the member comes after it.
    pub closed_at: Timestamp,
}

impl Fact for MembershipClosed {
    const TYPE: &'static str = "membership.closed.v1";

    fn subject(&self) -> String {
        self.membership_id.to_string()
    }

    fn example() -> Self {
        MembershipClosed {
            membership_id: Id::derive(&["example"]),
            region: "busan".to_owned(),
            closed_at: crate::example_time(),
        }
    }
}
