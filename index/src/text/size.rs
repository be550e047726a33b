//! Sizes in inches, which people write in as many ways as there are keyboards.

use std::ops::Range;

/// A size in inches, as it stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// How many, as digits: `27`, `15.6`.
    pub(crate) inches: String,
    /// How many words before the last one of the number belong to it: the `15` of `15.6`.
    pub(crate) before: usize,
    /// Where the unit ends in the text.
    pub(crate) end: usize,
}

/// The signs that mean inches right behind a number, in the shapes that keyboards and editors give them.
const INCH_SIGNS: [&str; 5] = ["\"", "″", "”", "''", "’’"];

/// The size whose number ends with the word at a place of a text. `27"`, `27 inch`, `27-inch`, `27in` and `27 in` are
/// the same; behind an `in` comes no further number, since a thing may be two in one.
pub(crate) fn size_at(text: &str, word: Range<usize>) -> Option<Size> {
    let (before, behind) = (&text[..word.start], &text[word.start..]);
    let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let end = word.start + digits;
    let end = end + unit(&text[end..], word.end > end)?;
    let number = &behind[..digits];
    let whole = before.strip_suffix(['.', ',']).unwrap_or_default();
    let (others, whole) = whole.split_at(whole.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    let whole = if others.ends_with(char::is_alphanumeric) { "" } else { whole };
    let fraction = number.trim_end_matches('0');
    let inches = match (whole, fraction) {
        ("", _) => number.to_owned(),
        (whole, "") => whole.to_owned(),
        (whole, fraction) => format!("{whole}.{fraction}"),
    };
    Some(Size { inches, before: usize::from(!whole.is_empty()), end })
}

/// How long the unit of inches is that a text begins with; `is_word` where it goes on with letters.
fn unit(text: &str, is_word: bool) -> Option<usize> {
    if let Some(sign) = INCH_SIGNS.iter().find(|sign| text.starts_with(**sign)) {
        return Some(sign.len());
    }
    let is_between = |c: char| !is_word && (c == ' ' || c == '-' || c == '\u{a0}');
    let word = text.trim_start_matches(is_between);
    if !is_word && text.len() == word.len() {
        return None;
    }
    let letters = word.find(|c: char| !c.is_alphanumeric()).unwrap_or(word.len());
    let (name, behind) = word.split_at(letters);
    let name = name.to_ascii_lowercase();
    let next = behind.trim_start_matches(['.', ' ', '\u{a0}']);
    let is_two_in_one = name == "in" && next.starts_with(|c: char| c.is_numeric() || c == '-');
    (is_unit(&name) && !is_two_in_one).then_some(text.len() - behind.len())
}

/// Whether a word, behind a number, may be its unit.
pub(crate) fn is_unit(word: &str) -> bool {
    matches!(word, "inch" | "inches" | "in")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::read_with_ranges;

    #[test]
    fn sizes_are_the_same_however_they_are_written() {
        let sizes = |text: &str| -> Vec<String> {
            let words = read_with_ranges(text).into_iter();
            words.filter_map(|(_, range)| size_at(text, range)).map(|size| size.inches).collect()
        };
        for text in [
            "27\"",
            "27″ x",
            "27” x",
            "27''",
            "27 inch",
            "27-inch",
            "27 Inches",
            "27in",
            "27inch",
            "27 in",
            "27-in. x",
        ] {
            assert_eq!(sizes(text), ["27"], "{text}");
        }
        for text in ["15.6\"", "15,6 inch", "15.60-inch", "15.6in"] {
            assert_eq!(sizes(text), ["15.6"], "{text}");
        }
        assert_eq!(sizes("27.0\" v1.5\" 3.15.6\""), ["27", "5", "15.6"]);
        for text in [
            "27",
            "2 in 1",
            "2-in-1",
            "27 \"x\"",
            "27 inchworms",
            "27 ink",
            "inch 27",
            "½\"",
            "x27\"",
            "27 cm",
        ] {
            assert!(sizes(text).is_empty(), "{text}");
        }
    }
}
