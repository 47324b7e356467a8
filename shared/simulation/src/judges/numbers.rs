//! Which number at the bank each of banking's accounts stands for: as banking has sealed it, and as whoever linked it or
//! remitted to it has named it. What was sealed is gone when an account is unlinked; what was named never is.

use super::{Evidence, receivers::asked_to, text};
use kernel::{Id, id::BankAccountId};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use store::seal::ServiceKey;

/// Numbers by the account's id.
pub struct Numbers(BTreeMap<String, BTreeSet<String>>);

impl Numbers {
    /// All that can be known.
    pub fn of(evidence: &Evidence<'_>) -> Numbers {
        let key = ServiceKey::from_secret("secret of banking-key");
        let mut numbers = Numbers(BTreeMap::new());
        for account in evidence.items("banking", "bankAccount") {
            let id = text(account, "bankAccountId");
            if let Some(number) = opened(&key, account) {
                numbers.learn(id.to_owned(), number);
            }
        }
        for (id, number) in linked(evidence, &key) {
            numbers.learn(id.to_string(), number);
        }
        let asked = asked_to(evidence);
        for remittance in evidence.items("remittance", "remittance") {
            let named =
                asked.get(text(remittance, "remittanceId")).and_then(|to| to["accountNumber"].as_str());
            if let (Some(named), Some(id)) = (named, remittance["to"]["bankAccountId"].as_str()) {
                numbers.learn(id.to_owned(), named.to_owned());
            }
        }
        numbers
    }

    fn learn(&mut self, id: String, number: String) {
        self.0.entry(id).or_default().insert(number);
    }

    /// The one number that an account stands for; or why there is none.
    pub fn one(&self, id: &str) -> Result<&str, String> {
        let known: Vec<&String> = self.0.get(id).into_iter().flatten().collect();
        match known.as_slice() {
            [one] => Ok(one),
            [] => Err(format!("nobody knows which number {id} is")),
            several => Err(format!("{id} stands for {several:?}")),
        }
    }
}

/// The number that banking has sealed, if any key still opens it.
fn opened(key: &ServiceKey, account: &Value) -> Option<String> {
    let sealed = &account["sealed"];
    let data_key = key.unwrap(text(account, "bankAccountId"), sealed["dataKey"].as_str()?).ok()?;
    data_key.open("accountNumber", sealed["number"].as_str()?).ok()
}

/// What members named when they linked accounts: those of the beginning under their numbers as keys, and the others.
fn linked(evidence: &Evidence<'_>, key: &ServiceKey) -> Vec<(BankAccountId, String)> {
    let seen = &evidence.ended.seen;
    let id = |member: &str, operation: &str, asked_under: &str| -> BankAccountId {
        Id::derive(&[member, operation, &key.blind("registration", asked_under)])
    };
    let of_beginning = seen.people.iter().flat_map(|person| {
        let member = person.membership_id.to_string();
        let accounts = person.accounts.iter().map(|account| account.number.clone());
        accounts.map(move |number| (member.clone(), "banking.registerBankAccount", number.clone(), number))
    });
    let asked = seen.observations.iter().filter_map(|seen| {
        let operation = match (seen.ask.method, seen.ask.path.as_str()) {
            ("POST", "/v1/bank-accounts") => "banking.registerBankAccount",
            ("POST", "/v1/bank-accounts/by-event") => "banking.registerBankAccountByEvent",
            _ => return None,
        };
        let member = evidence.member(seen.person?);
        let number = seen.ask.body.as_ref()?["accountNumber"].as_str()?;
        Some((member, operation, seen.ask.key.clone()?, number.to_owned()))
    });
    let all = of_beginning.chain(asked);
    all.map(|(member, operation, under, number)| (id(&member, operation, &under), number)).collect()
}
