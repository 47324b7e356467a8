//! Records: Rust types that are items.
//!
//! An item is the record's own fields plus `pk`, `sk`, the keys of the indexes that it is in, and `kind`, by which
//! the relay and the sweepers tell one kind of item from another.

use crate::table::Key;
use serde::{Serialize, de::DeserializeOwned};
use serde_dynamo::{AttributeValue, Item};

/// A type that is stored as one item.
pub trait Record: Serialize + DeserializeOwned {
    /// The value of the item's `kind` attribute.
    const KIND: &'static str;

    /// Where it is stored.
    fn key(&self) -> Key;

    /// Attributes by which indexes find it. The default is none.
    fn index_keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// When DynamoDB may remove it, in seconds since 1970. The default is never.
    fn expires_at_seconds(&self) -> Option<i64> {
        None
    }

    /// The whole item.
    fn to_item(&self) -> Result<Item, Unreadable> {
        let mut item: Item =
            serde_dynamo::to_item(self).map_err(|error| Unreadable::new(Self::KIND, &error))?;
        let Key { partition, sort } = self.key();
        let texts = [("pk", partition), ("sk", sort), ("kind", Self::KIND.to_owned())];
        for (name, text) in texts.into_iter().chain(self.index_keys()) {
            item.insert(name.to_owned(), AttributeValue::S(text));
        }
        if let Some(seconds) = self.expires_at_seconds() {
            item.insert("expiresAt".to_owned(), AttributeValue::N(seconds.to_string()));
        }
        Ok(item)
    }
}

/// An item that is not the record it should be. It names the kind and the field, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an item of kind {kind} cannot be coded: {detail}")]
pub struct Unreadable {
    kind: String,
    detail: String,
}

impl Unreadable {
    fn new(kind: &str, error: &serde_dynamo::Error) -> Unreadable {
        Unreadable { kind: kind.to_owned(), detail: error.to_string() }
    }
}

/// A kind of record, for what must hold of all of them.
#[derive(Clone, Copy)]
pub struct Kind {
    /// The value of the items' `kind` attribute.
    pub name: &'static str,
    /// The item as the record would write it that is read from it.
    pub rewritten: fn(Item) -> Result<Item, Unreadable>,
}

impl Kind {
    /// The kind of this record.
    pub const fn of<R: Record>() -> Kind {
        Kind { name: R::KIND, rewritten: |item| read::<R>(item)?.to_item() }
    }
}

/// Reads a record from its item.
pub fn read<R: Record>(item: Item) -> Result<R, Unreadable> {
    serde_dynamo::from_item(item).map_err(|error| Unreadable::new(R::KIND, &error))
}

/// The item's kind, or an empty text.
pub fn kind_of(item: &Item) -> &str {
    match item.get("kind") {
        Some(AttributeValue::S(kind)) => kind,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        text: String,
    }

    impl Record for Note {
        const KIND: &'static str = "note";

        fn key(&self) -> Key {
            Key::new("notes", &self.text)
        }
    }

    #[test]
    fn a_record_is_its_fields_its_key_and_its_kind_and_is_read_again() {
        let note = Note { text: "a".to_owned() };
        let item = note.to_item().unwrap();
        let texts = [("kind", "note"), ("pk", "notes"), ("sk", "a"), ("text", "a")];
        let written = texts.map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())));
        let mut expected = Item::default();
        expected.extend(written);
        assert_eq!(item, expected);
        assert_eq!(kind_of(&item), Note::KIND);
        assert_eq!(read::<Note>(item), Ok(note));
        assert_eq!(kind_of(&Item::default()), "");
    }
}
