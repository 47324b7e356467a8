//! Payment's rules: pure, without clock, randomness or I/O.

pub mod cancellations;
pub mod lifecycle;
pub mod moved;
pub mod order_id;
pub mod position;
pub mod totals;

pub use moved::Moved;
pub use order_id::OrderId;
pub use position::Position;

/// Why an operation says no, in the order in which the rules are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such franchise.
    NoSuchFranchise,
    /// The franchise takes no payments any more.
    FranchiseClosed,
    /// The key was used with another request.
    KeyReused,
    /// The payment was never made, or is not yet.
    NotApproved,
    /// All of it was cancelled before.
    NothingLeft,
    /// More than is left of it.
    MoreThanIsLeft,
    /// It has been cancelled in so many parts that the next must be all that is left.
    TooManyParts,
    /// The payment is in no settlement that is recorded.
    NotSettled,
    /// The manifest was begun over other days, or beside other settlements.
    OtherManifest,
    /// The manifest is not collected to its end.
    ManifestIncomplete,
    /// The franchise's days through this one are settled in another settlement.
    SettledOtherwise,
}
