//! A walk along a franchise's journal, oldest entry first, like the one along a wallet's chain.

use crate::domain::{
    Entry, JournalEntry, JournalStep,
    audit::{Trail, Walk, add_legs},
    journal::Totals,
};
use contract::audit::Sums;
use kernel::{OutOfRange, Timestamp, id::FranchiseId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a journal is told to have done, entry by entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalWalk {
    franchise: FranchiseId,
    trail: Trail,
    #[schemars(with = "serde_json::Value")]
    totals: Totals,
}

impl JournalWalk {
    /// Before the first entry of the journal that stands under this name.
    pub fn of(name: &str, franchise: FranchiseId) -> JournalWalk {
        JournalWalk { franchise, trail: Trail::of(name), totals: Totals::default() }
    }
}

impl Walk for JournalWalk {
    type Entry = JournalEntry;

    fn trail(&mut self) -> &mut Trail {
        &mut self.trail
    }

    fn take(
        &mut self,
        entry: &JournalEntry,
        is_repeated: bool,
        cut: Timestamp,
        sums: &mut Sums,
    ) -> Result<(), OutOfRange> {
        self.trail.follow(entry, is_repeated);
        let step = JournalStep::between(entry.debit, entry.credit)
            .filter(|(franchise, _)| *franchise == self.franchise)
            .map(|(_, step)| step);
        let fits = step.is_some_and(|step| step.kind() == entry.purpose);
        self.trail.hold(
            entry,
            fits,
            "wrong_accounts",
            "its accounts are not those of its kind and franchise",
        );
        if let Some(step) = step {
            self.totals = self.totals.and(step, entry.amount)?;
        }
        let (told, own) = (&entry.totals, self.totals);
        for (holds, rule) in [
            (told.paid_out == own.paid_out, "wrong_paid_out"),
            (told.fee == own.fee, "wrong_fee"),
            (told.vat == own.vat, "wrong_vat"),
        ] {
            self.trail.hold(entry, holds, rule, "its total is not the sum of the entries");
        }
        if entry.time < cut {
            add_legs([Some(entry.debit), Some(entry.credit)], entry.amount, sums)?;
            if let Some(step) = step {
                sums.plus(&format!("booked.{}", step.sum()), entry.amount)?;
            }
        }
        Ok(())
    }

    fn of_wallet(_: &JournalEntry) -> Option<&Entry> {
        None
    }
}
