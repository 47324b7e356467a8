//! How large an item is.

/// An item's size as DynamoDB counts it: names and values; a number takes about half its digits, plus one.
pub fn size(item: &store::Item) -> usize {
    fn value(value: &store::AttributeValue) -> usize {
        use store::AttributeValue as V;
        match value {
            V::S(text) => text.len(),
            V::N(digits) => digits.len().div_ceil(2) + 1,
            V::M(map) => {
                3 + map.iter().map(|(name, inner)| name.len() + value_size(inner) + 1).sum::<usize>()
            }
            _ => 1,
        }
    }
    fn value_size(inner: &store::AttributeValue) -> usize {
        value(inner)
    }
    item.inner().iter().map(|(name, inner)| name.len() + value(inner)).sum()
}
