//! What counts as plain text from outside.
//!
//! Two texts that look the same must be the same, and no text may hide or reorder what a person reads: so text is
//! in Unicode normalisation form C and has no control, format (zero-width, right-to-left override), private or
//! unassigned characters.

use unicode_normalization::is_nfc;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Why a text was refused. Its display form is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPlain {
    /// Nothing but blanks.
    #[error("must not be blank")]
    Blank,
    /// More characters than allowed.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// Blanks at its start or end.
    #[error("must not start or end with a blank")]
    Untrimmed,
    /// Not in normalisation form C.
    #[error("must be in Unicode normalisation form C")]
    NotNormalised,
    /// Has a control, format, private or unassigned character.
    #[error("must not have invisible or control characters")]
    Invisible,
    /// Has the replacement character, which stands where something on the way could not read the text.
    #[error("must be in UTF-8")]
    Damaged,
}

/// Checks one line of text of at most `max_chars` Unicode scalar values.
pub fn check(text: &str, max_chars: usize) -> Result<(), NotPlain> {
    if text.chars().nth(max_chars).is_some() {
        return Err(NotPlain::TooLong(max_chars));
    }
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(NotPlain::Damaged);
    }
    if text.chars().any(is_invisible) {
        return Err(NotPlain::Invisible);
    }
    if text.trim().is_empty() {
        return Err(NotPlain::Blank);
    }
    if text.trim() != text {
        return Err(NotPlain::Untrimmed);
    }
    if is_nfc(text) { Ok(()) } else { Err(NotPlain::NotNormalised) }
}

fn is_invisible(character: char) -> bool {
    use GeneralCategory as Category;
    // The Hangul fillers are letters by category, and invisible.
    matches!(character, '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{2800}')
        || matches!(
            character.general_category(),
            Category::Control
                | Category::Format
                | Category::Surrogate
                | Category::PrivateUse
                | Category::Unassigned
                | Category::LineSeparator
                | Category::ParagraphSeparator
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_passes_and_the_rest_says_why() {
        let cases = [
            ("김하나", Ok(())),
            ("O’Neil, 12-3 (B)", Ok(())),
            ("", Err(NotPlain::Blank)),
            ("  ", Err(NotPlain::Blank)),
            (" a", Err(NotPlain::Untrimmed)),
            ("a\u{200B}b", Err(NotPlain::Invisible)),
            ("a\u{202E}b", Err(NotPlain::Invisible)),
            ("a\nb", Err(NotPlain::Invisible)),
            ("a\0b", Err(NotPlain::Invisible)),
            ("a\u{FFFD}b", Err(NotPlain::Damaged)),
            ("\u{3164}", Err(NotPlain::Invisible)),
            ("\u{1112}\u{1161}\u{11AB}", Err(NotPlain::NotNormalised)),
            ("123456789012", Err(NotPlain::TooLong(10))),
        ];
        for (text, expected) in cases {
            assert_eq!(check(text, 10 + usize::from(text.starts_with('O')) * 10), expected, "{text:?}");
        }
    }
}
