//! Values that every service shares: [`Money`], fees, ids, regions, time and checked text.
//!
//! Nothing here does I/O or reads a clock, and only a share of an amount is rounded. Arithmetic that could leave the
//! range answers an error instead of wrapping, because a wrapped balance is lost money.

pub mod fee;
pub mod id;
pub mod money;
pub mod region;
pub mod signed_money;
pub mod text;
pub mod time;

pub use fee::{BasisPoints, FeeSchedule, FeeTerms};
pub use id::{Id, IdKind};
pub use money::{Money, OutOfRange};
pub use region::Region;
pub use signed_money::SignedMoney;
pub use time::{SeoulDay, Timestamp};
