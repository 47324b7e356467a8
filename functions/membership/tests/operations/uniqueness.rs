//! Whatever members do, one email is one member: random histories against a model that is a map.

use crate::{attribute, bench, hana, items_of, own, register, with};
use kernel::id::MembershipId;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// After a day, another email may be asked for as often as before.
const DAY: i64 = 86_400;

const EMAILS: [&str; 4] = ["one@pay.example", "two@pay.example", "ONE@pay.example", "Three@pay.example"];

/// What somebody does.
#[derive(Clone, Debug)]
enum Deed {
    /// Registers with this email.
    Register(usize),
    /// The member of this place takes this email.
    Change(usize, usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (0..EMAILS.len()).prop_map(Deed::Register),
        (0..4_usize, 0..EMAILS.len()).prop_map(|(who, email)| Deed::Change(who, email)),
    ]
}

async fn play(deeds: Vec<Deed>) {
    let bench = bench();
    let mut owners: BTreeMap<String, MembershipId> = BTreeMap::new();
    let mut members: Vec<MembershipId> = Vec::new();
    for deed in deeds {
        match deed {
            Deed::Register(email) => {
                let answer = bench.send(register(&with(hana(), "email", EMAILS[email]))).await;
                let taken = owners.contains_key(&EMAILS[email].to_lowercase());
                assert_eq!(answer.status, if taken { 409 } else { 201 });
                if !taken {
                    let id = answer.body["membershipId"].as_str().unwrap().parse().unwrap();
                    owners.insert(EMAILS[email].to_lowercase(), id);
                    members.push(id);
                }
            }
            Deed::Change(who, email) => {
                let Some(id) = members.get(who).copied() else { continue };
                let change = json!({ "email": EMAILS[email] });
                bench.world.pass_seconds(DAY);
                let answer = bench.send(own("PATCH", id).json(&change)).await;
                let owner = owners.get(&EMAILS[email].to_lowercase()).copied();
                let taken = owner.is_some_and(|owner| owner != id);
                assert_eq!(answer.status, if taken { 409 } else { 200 });
                if !taken {
                    owners.retain(|_, owner| *owner != id);
                    owners.insert(EMAILS[email].to_lowercase(), id);
                }
            }
        }
        let claimed: BTreeSet<(String, String)> = items_of(&bench, "emailOwner")
            .iter()
            .map(|item| (attribute(item, "emailIndex"), attribute(item, "membershipId")))
            .collect();
        let held: BTreeSet<(String, String)> = items_of(&bench, "member")
            .iter()
            .map(|item| (attribute(item, "emailIndex"), attribute(item, "membershipId")))
            .collect();
        assert_eq!(claimed, held, "each member owns the email that it has, and nobody else does");
        assert_eq!(claimed.len(), owners.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn one_email_is_one_member_after_any_history(deeds in prop::collection::vec(deed(), 1..20)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(play(deeds));
    }
}
