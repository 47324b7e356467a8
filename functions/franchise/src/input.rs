//! How optional fields are read.

use serde::{Deserialize, Deserializer};

/// A field that may be missing but not null: null could mean "wipe it", which nothing here does.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
