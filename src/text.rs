//! Text from outside, made safe to keep: one normal form, no invisible characters.
//!
//! Every string that a client or a catalog file sends passes through [`clean`] before it is stored, compared
//! or indexed. Lengths and formats of single fields are their features' business.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Which control characters a text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A name, a code: one line, no control character at all.
    Line,
    /// A description, a comment: newline and tab are welcome.
    Long,
}

/// A character that a text must not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("holds the character U+{:04X}, which is not allowed here; remove it", u32::from(*.0))]
pub struct Forbidden(pub char);

/// The text in NFC, without white space at its ends; in [`Shape::Long`] a carriage return before a newline is
/// left out, as a form on Windows sends it.
///
/// # Errors
/// [`Forbidden`] names the first NUL, control character (but newline and tab in [`Shape::Long`]) or
/// bidirectional control.
pub fn clean(text: &str, shape: Shape) -> Result<String, Forbidden> {
    let unix = if shape == Shape::Long && text.contains("\r\n") {
        Cow::Owned(text.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(text)
    };
    let trimmed = unix.trim();
    check(trimmed, shape)?;
    Ok(if is_nfc(trimmed) { trimmed.to_owned() } else { trimmed.nfc().collect() })
}

/// Looks for what [`clean`] refuses, and leaves the text as it is: for passwords.
///
/// # Errors
/// As [`clean`].
pub fn check(text: &str, shape: Shape) -> Result<(), Forbidden> {
    text.chars().find(|&c| is_forbidden(c, shape)).map_or(Ok(()), |bad| Err(Forbidden(bad)))
}

/// The text as [`clean`] would have it, with what it would refuse taken out: for catalog files, whose authors
/// are not there to be asked (real ones hold stray C1 controls and directional marks). In a
/// [`Shape::Line`], line breaks and tabs become spaces.
pub fn scrub(text: &str, shape: Shape) -> String {
    let kept = text.chars().filter_map(|c| match c {
        '\n' | '\r' | '\t' if shape == Shape::Line => Some(' '),
        c if is_forbidden(c, shape) => None,
        c => Some(c),
    });
    let text: String = kept.nfc().collect();
    text.trim().to_owned()
}

fn is_forbidden(c: char, shape: Shape) -> bool {
    match c {
        '\n' | '\t' => shape == Shape::Line,
        // Unicode Standard Annex #9: the explicit directional formatting characters, which can make a name
        // read as another one.
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    }
}

/// The text as part of a URL: lower case letters and digits of any script, single hyphens between them,
/// at most 100 characters; `"item"` where nothing is left.
pub fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)) {
        if c.is_alphanumeric() {
            slug.extend(c.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug: String = slug.nfc().take(100).collect();
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "item".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composes_and_trims() {
        assert_eq!(clean("  Cafe\u{301}\n", Shape::Line), Ok("Café".to_owned()));
    }

    #[test]
    fn refuses_what_cannot_be_seen() {
        for bad in ['\0', '\u{7}', '\u{7f}', '\u{85}', '\u{202E}', '\u{2066}'] {
            let text = format!("a{bad}b");
            assert_eq!(clean(&text, Shape::Line), Err(Forbidden(bad)));
            assert_eq!(clean(&text, Shape::Long), Err(Forbidden(bad)));
        }
        assert_eq!(clean("a\tb", Shape::Line), Err(Forbidden('\t')));
        assert_eq!(clean("a\r\n\tb", Shape::Long), Ok("a\n\tb".to_owned()));
        assert_eq!(clean("a\rb", Shape::Long), Err(Forbidden('\r')));
    }

    #[test]
    fn scrubbing_leaves_what_clean_accepts() {
        let dirty = "\u{84}Fujitsu\nLIFE\u{200E}BOOK ";
        assert_eq!(scrub(dirty, Shape::Line), "Fujitsu LIFEBOOK");
        assert_eq!(clean(&scrub(dirty, Shape::Long), Shape::Long), Ok("Fujitsu\nLIFEBOOK".to_owned()));
    }

    #[test]
    fn slugs_read_like_the_name() {
        assert_eq!(slug("Water & Fridge  Bottles"), "water-fridge-bottles");
        assert_eq!(slug("Crème brûlée 2×"), "creme-brulee-2");
        assert_eq!(slug("水筒"), "水筒");
        assert_eq!(slug("!!!"), "item");
    }
}
