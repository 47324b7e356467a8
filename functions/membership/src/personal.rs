//! A member's personal data at rest: sealed with a key of the member's own, which the service's key wraps.
//!
//! Destroying the wrapped key makes the person unreadable, wherever copies of the item lie.

use crate::domain::{email::Email, profile::Profile};
use contract::{Context, Problem};
use kernel::id::MembershipId;
use serde::{Deserialize, Serialize};
use store::seal::{DataKey, Sealed, ServiceKey};

/// The name of the secret that membership's keys derive from.
pub const SECRET: &str = "membership-key";

/// A member's name, email and address as the table keeps them.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedPersonal {
    /// The member's data key, wrapped.
    pub data_key: String,
    /// The name.
    pub name: String,
    /// The email, as its owner writes it.
    pub email: String,
    /// The address.
    pub address: String,
}

/// The same in the clear. It has no Debug, so that it cannot be logged.
pub struct Personal {
    /// The name.
    pub name: String,
    /// The email.
    pub email: String,
    /// The address.
    pub address: String,
}

/// The blind index of an email: the same for every way to capitalise it.
pub fn email_index(key: &ServiceKey, email: &Email) -> String {
    key.blind("email", &email.folded())
}

/// Seals a new member's data under a new key.
pub fn seal(
    context: &Context,
    key: &ServiceKey,
    member: MembershipId,
    profile: &Profile,
) -> Result<SealedPersonal, Problem> {
    let owner = member.to_string();
    let (data_key, wrapped) =
        key.wrap(&owner, context.random(), context.random()).map_err(Problem::internal)?;
    Ok(SealedPersonal {
        data_key: wrapped,
        name: seal_field(context, &data_key, Field::Name, &profile.name)?,
        email: seal_field(context, &data_key, Field::Email, profile.email.as_str())?,
        address: seal_field(context, &data_key, Field::Address, &profile.address.text)?,
    })
}

/// Opens a member's data.
pub fn open(key: &ServiceKey, member: MembershipId, sealed: &SealedPersonal) -> Result<Personal, Problem> {
    let data_key = key.unwrap(&member.to_string(), &sealed.data_key).map_err(Problem::internal)?;
    let open = |field: Field, text: &str| -> Result<String, Problem> {
        data_key.open(field.as_str(), text).map_err(Problem::internal)
    };
    Ok(Personal {
        name: open(Field::Name, &sealed.name)?,
        email: open(Field::Email, &sealed.email)?,
        address: open(Field::Address, &sealed.address)?,
    })
}

/// A field that is sealed. Its name is bound to the value, so that values cannot be swapped.
#[derive(Clone, Copy)]
pub enum Field {
    /// The name.
    Name,
    /// The email.
    Email,
    /// The address.
    Address,
}

impl Field {
    const fn as_str(self) -> &'static str {
        match self {
            Field::Name => "name",
            Field::Email => "email",
            Field::Address => "address",
        }
    }
}

/// Seals one field under a member's key.
pub fn seal_field(
    context: &Context,
    data_key: &DataKey,
    field: Field,
    text: &str,
) -> Result<String, Problem> {
    data_key.seal(field.as_str(), text, context.random()).map_err(|Sealed| Problem::internal(Sealed))
}
