//! Facts as membership and money tell them.

use crate::{member, wallet};
use events::{
    EXAMPLE_TRACEPARENT, Envelope,
    membership::{MembershipKind, MembershipModified, MembershipRegistered},
    money::{MoneyDecreased, MoneyIncreased, MoneyTransferred},
};
use kernel::{Money, Timestamp};

/// An order by which no two facts are one.
type Number = u64;

pub fn registered(who: &str, region: &str, at: Timestamp) -> Envelope {
    let fact = MembershipRegistered {
        membership_id: member(who),
        kind: MembershipKind::Personal,
        region: region.to_owned(),
        registered_at: at,
    };
    Envelope::of(&fact, "", at, EXAMPLE_TRACEPARENT)
}

pub fn modified(who: &str, version: u64, region: &str, at: Timestamp) -> Envelope {
    let fact = MembershipModified {
        membership_id: member(who),
        region: region.to_owned(),
        version,
        modified_at: at,
    };
    Envelope::of(&fact, &version.to_string(), at, EXAMPLE_TRACEPARENT)
}

pub fn increased(number: Number, who: &str, amount: u32, at: Timestamp) -> Envelope {
    let fact = MoneyIncreased {
        money_request_id: format!("mcr_{number}"),
        membership_id: member(who),
        wallet_id: wallet(who),
        sequence: number,
        amount: Money::won(amount),
        balance: Money::won(amount),
        recharged_total: Money::won(amount),
        increased_at: at,
    };
    Envelope::of(&fact, "", at, EXAMPLE_TRACEPARENT)
}

pub fn decreased(number: Number, who: &str, amount: u32, at: Timestamp) -> Envelope {
    let fact = MoneyDecreased {
        money_request_id: format!("mcr_{number}"),
        membership_id: member(who),
        wallet_id: wallet(who),
        sequence: number,
        amount: Money::won(amount),
        balance: Money::ZERO,
        decreased_at: at,
    };
    Envelope::of(&fact, "", at, EXAMPLE_TRACEPARENT)
}

/// To another member, or, if none is named, to a franchise.
pub fn transferred(number: Number, from: &str, to: Option<&str>, amount: u32, at: Timestamp) -> Envelope {
    let fact = MoneyTransferred {
        reference: format!("txf_{number}"),
        debit_account: format!("wallet:{}", wallet(from)),
        credit_account: to.map_or("franchise:frc_01J00000000000000000000000".to_owned(), |to| {
            format!("wallet:{}", wallet(to))
        }),
        wallet_id: wallet(from),
        sequence: number,
        amount: Money::won(amount),
        balance: Money::ZERO,
        transferred_at: at,
    };
    Envelope::of(&fact, "", at, EXAMPLE_TRACEPARENT)
}
