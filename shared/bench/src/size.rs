//! The size of an item as DynamoDB charges it: names and values, by its documented rules.

use store::{AttributeValue, Item};

/// Bytes of an item.
pub fn item(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len().saturating_add(attribute(value))).sum()
}

fn attribute(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => self::number(number),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::L(values) => {
            3_usize.saturating_add(values.iter().map(|value| attribute(value).saturating_add(1)).sum())
        }
        AttributeValue::M(fields) => {
            let field = |(name, value): (&String, &AttributeValue)| {
                name.len().saturating_add(attribute(value)).saturating_add(1)
            };
            3_usize.saturating_add(fields.iter().map(field).sum())
        }
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|number| self::number(number)).sum(),
        AttributeValue::Bs(many) => many.iter().map(Vec::len).sum(),
    }
}

/// About one byte for two significant digits, and one more.
fn number(text: &str) -> usize {
    let digits = text.trim_start_matches('-').trim_matches('0').bytes().filter(u8::is_ascii_digit).count();
    digits.div_ceil(2).saturating_add(1)
}

/// Write units of an item of so many bytes: each KB begun, and one at least.
pub fn write_units(bytes: usize) -> usize {
    bytes.div_ceil(1024).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_count() {
        let mut known = Item::default();
        known.insert("pk".to_owned(), AttributeValue::S("wallet".to_owned()));
        known.insert("count".to_owned(), AttributeValue::N("1200".to_owned()));
        known.insert("open".to_owned(), AttributeValue::Bool(true));
        assert_eq!(item(&known), 8 + (5 + 2) + (4 + 1));
        let standing = AttributeValue::M([("held".to_owned(), AttributeValue::N("0".to_owned()))].into());
        assert_eq!(attribute(&standing), 3 + 1 + 4 + 1);
    }

    #[test]
    fn every_kilobyte_begun_is_a_unit() {
        let units = [0, 1, 1024, 1025, 2048].map(write_units);
        assert_eq!(units, [1, 1, 1, 2, 2]);
    }
}
