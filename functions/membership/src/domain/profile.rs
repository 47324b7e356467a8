//! What a member tells of themselves, checked; and how it may change.

use super::{Fault, Refusal, email::Email, region};

const NAME_CHARS: usize = 100;
const ADDRESS_CHARS: usize = 200;

/// A member's own data. It is personal data and has no Debug, so that it cannot be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// The name of the person or company.
    pub name: String,
    /// The email.
    pub email: Email,
    /// The address.
    pub address: Address,
}

/// An address and the region that it is in.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// As it was written.
    pub text: String,
    /// The region's code, such as `seoul`.
    pub region: &'static str,
}

/// What a member wants changed: only what is given.
#[derive(Default)]
pub struct Changes {
    /// A new name.
    pub name: Option<String>,
    /// A new email.
    pub email: Option<Email>,
    /// A new address.
    pub address: Option<Address>,
}

/// Checks everything that a registration tells, and names all that is wrong at once.
pub fn check(name: &str, email: &str, address: &str, password: &str) -> Result<Profile, Refusal> {
    let password = super::password::check(password);
    match (check_name(name), Email::parse(email), check_address(address), password) {
        (Ok(name), Ok(email), Ok(address), Ok(())) => Ok(Profile { name, email, address }),
        (name, email, address, password) => {
            let faults = [name.err(), email.err(), address.err(), password.err()];
            Err(Refusal::Invalid(faults.into_iter().flatten().collect()))
        }
    }
}

/// Checks what a modification gives.
pub fn check_changes(
    name: Option<&str>,
    email: Option<&str>,
    address: Option<&str>,
) -> Result<Changes, Refusal> {
    let name = name.map(check_name).transpose();
    let email = email.map(Email::parse).transpose();
    let address = address.map(check_address).transpose();
    match (name, email, address) {
        (Ok(name), Ok(email), Ok(address)) => Ok(Changes { name, email, address }),
        (name, email, address) => {
            let faults = [name.err(), email.err(), address.err()];
            Err(Refusal::Invalid(faults.into_iter().flatten().collect()))
        }
    }
}

fn check_name(name: &str) -> Result<String, Fault> {
    kernel::text::check(name, NAME_CHARS).map_err(|error| Fault::at("/name", error))?;
    Ok(name.to_owned())
}

fn check_address(address: &str) -> Result<Address, Fault> {
    kernel::text::check(address, ADDRESS_CHARS).map_err(|error| Fault::at("/address", error))?;
    let unknown = || Fault::at("/address", "must name its province or city, such as 서울특별시 or Seoul");
    let region = region::of(address).ok_or_else(unknown)?;
    Ok(Address { text: address.to_owned(), region })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_named_at_once() {
        let refused = check(" ", "hana", "Mars", "short").err().unwrap();
        let Refusal::Invalid(faults) = refused else { panic!("not a validation error") };
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/name", "/email", "/address", "/password"]);
        assert!(check("김하나", "hana@pay.example", "서울 중구", "password").is_ok());
    }

    #[test]
    fn changes_hold_what_was_given_and_nothing_else() {
        let changes = check_changes(None, None, Some("부산 중구")).ok().unwrap();
        assert!(changes.name.is_none() && changes.email.is_none());
        assert_eq!(changes.address.unwrap().region, "busan");
        assert!(check_changes(Some("\u{202E}"), None, None).is_err());
    }
}
