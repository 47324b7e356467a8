//! A franchise's name and contact at rest: sealed under a key of the franchise's own, which the service's key wraps.
//!
//! Destroying the wrapped key makes them unreadable, wherever copies of the item lie.

use crate::{
    domain::{Contact, Name},
    items::{Franchise, SealedDetails},
};
use contract::{Context, Problem};
use kernel::id::FranchiseId;
use store::seal::ServiceKey;

/// The name of the secret that franchise's keys derive from.
pub const SECRET: &str = "franchise-key";

const NAME: &str = "name";
const CONTACT: &str = "contact";

/// Franchise's keys.
pub async fn key(context: &Context) -> Result<ServiceKey, Problem> {
    context.service_key(SECRET).await
}

/// Seals a new franchise's details under a new key.
pub fn seal(
    context: &Context,
    key: &ServiceKey,
    id: FranchiseId,
    name: &Name,
    contact: &Contact,
) -> Result<SealedDetails, Problem> {
    let (data_key, wrapped) =
        key.wrap(&id.to_string(), context.random(), context.random()).map_err(Problem::internal)?;
    let seal = |field, text: &str| data_key.seal(field, text, context.random()).map_err(Problem::internal);
    Ok(SealedDetails {
        data_key: wrapped,
        name: seal(NAME, name.as_str())?,
        contact: seal(CONTACT, &written(contact)?)?,
    })
}

/// A franchise's details in the clear, if it still has any.
pub fn open(key: &ServiceKey, franchise: &Franchise) -> Result<Option<(Name, Contact)>, Problem> {
    franchise.details.as_ref().map(|details| open_details(key, franchise.franchise_id, details)).transpose()
}

fn open_details(
    key: &ServiceKey,
    id: FranchiseId,
    details: &SealedDetails,
) -> Result<(Name, Contact), Problem> {
    let data_key = key.unwrap(&id.to_string(), &details.data_key).map_err(Problem::internal)?;
    let name = data_key.open(NAME, &details.name).map_err(Problem::internal)?;
    let contact = data_key.open(CONTACT, &details.contact).map_err(Problem::internal)?;
    // What serde says may quote the contact.
    let contact =
        serde_json::from_str(&contact).map_err(|_| Problem::internal("a sealed contact has another form"))?;
    Ok((Name::parse(&name).map_err(Problem::internal)?, contact))
}

/// The sealed details with what is given in place of what was there. What is the same stays as it was sealed.
pub fn change(
    context: &Context,
    key: &ServiceKey,
    franchise: &Franchise,
    name: Option<&Name>,
    contact: Option<&Contact>,
) -> Result<SealedDetails, Problem> {
    let id = franchise.franchise_id;
    let mut details =
        franchise.details.clone().ok_or_else(|| Problem::internal("a franchise without a name changes"))?;
    let (old_name, old_contact) = open_details(key, id, &details)?;
    let data_key = key.unwrap(&id.to_string(), &details.data_key).map_err(Problem::internal)?;
    if let Some(name) = name.filter(|name| **name != old_name) {
        details.name = data_key.seal(NAME, name.as_str(), context.random()).map_err(Problem::internal)?;
    }
    if let Some(contact) = contact.filter(|contact| **contact != old_contact) {
        let text = written(contact)?;
        details.contact = data_key.seal(CONTACT, &text, context.random()).map_err(Problem::internal)?;
    }
    Ok(details)
}

fn written(contact: &Contact) -> Result<String, Problem> {
    serde_json::to_string(contact).map_err(Problem::internal)
}
