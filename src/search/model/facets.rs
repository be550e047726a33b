//! The facets that a search asks for, as one list in a text.
//!
//! Commas separate them. The name of an attribute may hold any sign, also a comma: there `\,` is a comma and `\\` a
//! backslash. Without the backslash it works too, as long as what stands behind the comma is no facet itself: a part
//! that names none belongs to the attribute before it.

use std::collections::BTreeSet;

use duka_index::Facet;

/// Facets of one query.
const MOST: usize = 10;

/// What an attribute's facet begins with.
const ATTRIBUTE: &str = "attr.";

/// No facets at all.
const NONE: &str = "none";

/// Reads a list of facets.
///
/// # Errors
/// Says what is none, or that there are too many.
pub(super) fn read(text: &str) -> Result<Vec<Facet>, String> {
    if text == NONE {
        return Ok(Vec::new());
    }
    let mut facets: Vec<Facet> = Vec::new();
    for part in parts(text) {
        match (facet(&part), facets.last_mut()) {
            (Some(facet), _) => facets.push(facet),
            (None, Some(Facet::Attribute(name))) if may_continue(&part) => {
                name.push(',');
                name.push_str(&part);
            }
            _ => {
                let known = "category, brand, price, availability, rating, attr.NAME, or none alone";
                return Err(format!("has `{part}`; there are {known}"));
            }
        }
    }
    let facets: BTreeSet<Facet> = facets.into_iter().collect();
    if facets.len() > MOST {
        return Err(format!("names {} facets; at most {MOST} are allowed", facets.len()));
    }
    Ok(facets.into_iter().collect())
}

/// Writes facets so that they read as themselves.
pub(in crate::search) fn write(facets: &[Facet]) -> String {
    if facets.is_empty() {
        return NONE.to_owned();
    }
    facets.iter().map(name).collect::<Vec<_>>().join(",")
}

/// The name of a facet as it stands in a list.
fn name(facet: &Facet) -> String {
    match facet {
        Facet::Category => "category".to_owned(),
        Facet::Brand => "brand".to_owned(),
        Facet::Price => "price".to_owned(),
        Facet::Availability => "availability".to_owned(),
        Facet::Rating => "rating".to_owned(),
        Facet::Attribute(name) => {
            format!("{ATTRIBUTE}{}", name.replace('\\', "\\\\").replace(',', "\\,"))
        }
    }
}

/// What stands between commas, each without its backslashes.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(sign) = rest.next() {
        let sign = match (sign, rest.peek()) {
            ('\\', Some(&escaped @ (',' | '\\'))) => {
                rest.next();
                escaped
            }
            (',', _) => {
                parts.push(String::new());
                continue;
            }
            _ => sign,
        };
        if let Some(part) = parts.last_mut() {
            part.push(sign);
        }
    }
    parts
}

fn facet(part: &str) -> Option<Facet> {
    match part {
        "category" => Some(Facet::Category),
        "brand" => Some(Facet::Brand),
        "price" => Some(Facet::Price),
        "availability" => Some(Facet::Availability),
        "rating" => Some(Facet::Rating),
        _ => part
            .strip_prefix(ATTRIBUTE)
            .filter(|name| !name.is_empty())
            .map(|name| Facet::Attribute(name.to_owned())),
    }
}

/// Whether a part may be more of an attribute's name. What only looks like a facet is a slip, and is refused.
fn may_continue(part: &str) -> bool {
    let bare = part.trim();
    !bare.is_empty() && bare != NONE && !bare.starts_with(ATTRIBUTE) && facet(bare).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(text: &str) -> Vec<String> {
        let name = |facet| match facet {
            Facet::Attribute(name) => name,
            other => format!("{other:?}"),
        };
        read(text).unwrap().into_iter().map(name).collect()
    }

    #[test]
    fn an_attribute_may_have_any_name() {
        for (text, names) in [
            ("attr.size,eu", vec!["size,eu"]),
            (r"attr.size\,eu", vec!["size,eu"]),
            ("attr.a,b,c,attr.d", vec!["a,b,c", "d"]),
            ("attr.width, height", vec!["width, height"]),
            (r"attr.a\,brand,brand", vec!["Brand", "a,brand"]),
            ("attr.a,brand", vec!["Brand", "a"]),
            (r"attr.a\\,attr.b", vec![r"a\", "b"]),
            (r"attr.a\b", vec![r"a\b"]),
            (r"attr.\,", vec![","]),
            ("attr.a=b&c d;é", vec!["a=b&c d;é"]),
        ] {
            assert_eq!(attributes(text), names, "{text}");
        }
    }

    #[test]
    fn what_is_no_facet_is_refused() {
        for text in [
            "",
            "brnad",
            "brand,brnad",
            "brand,",
            "attr.",
            "attr.a,",
            "attr.a,,b",
            "attr.a,attr.",
            "attr.a, brand",
            "attr.a,none",
            "none,brand",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_as_itself() {
        let names = ["a", "a,b", "a,brand", r"a\", r"a\,b", r"\\,", ",", "attr.a", "x, none", " a"];
        for name in names {
            let facets = vec![Facet::Rating, Facet::Attribute(name.to_owned())];
            assert_eq!(read(&write(&facets)), Ok(facets), "{name}");
        }
        let all: Vec<Facet> = names.map(|name| Facet::Attribute(name.to_owned())).into();
        let sorted: BTreeSet<Facet> = all.iter().cloned().collect();
        assert_eq!(read(&write(&all)), Ok(sorted.into_iter().collect()));
        assert_eq!(read(&write(&[])), Ok(Vec::new()));
    }
}
