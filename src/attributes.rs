//! Attributes: what a product or a variant says of itself in pairs of name and value.

use duka_index::AttributeValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

use crate::{
    body::Refusal,
    text::{Shape, clean},
};

/// Attributes by name.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// How many an object may have.
const MOST: usize = 250;
/// Characters of a name.
const NAME_LENGTH: usize = 100;
/// Characters of a text.
const TEXT_LENGTH: usize = 8_000;

/// An object of texts, numbers, booleans and lists of texts.
///
/// # Errors
/// Says which attribute is wrong.
pub fn attributes(value: Value) -> Result<Attributes, Refusal> {
    let Value::Object(map) = value else {
        return Err(("type", "must be an object of names and values".into()));
    };
    if map.len() > MOST {
        return Err(("length", format!("has {} attributes; at most {MOST} are allowed", map.len())));
    }
    map.into_iter().map(attribute).collect()
}

fn attribute((name, value): (String, Value)) -> Result<(String, AttributeValue), Refusal> {
    let wrong = |what: &str| ("format", format!("the attribute `{}` {what}", name.escape_debug()));
    let name_clean = clean(&name, Shape::Line).map_err(|bad| wrong(&bad.to_string()))?;
    if name_clean.is_empty() || name_clean.chars().count() > NAME_LENGTH {
        return Err(wrong("must have a name of 1 to 100 characters"));
    }
    let text = |text: String| match clean(&text, Shape::Long) {
        Ok(text) if text.chars().count() <= TEXT_LENGTH => Ok(text),
        Ok(_) => Err(wrong("is longer than 8000 characters")),
        Err(bad) => Err(wrong(&bad.to_string())),
    };
    let value = match value {
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(value) => AttributeValue::Number(value),
        Value::String(value) => AttributeValue::Text(text(value)?),
        Value::Array(items) => {
            let texts = items.into_iter().map(|item| match item {
                Value::String(item) => text(item),
                _ => Err(wrong("is a list of something else than texts")),
            });
            AttributeValue::List(texts.collect::<Result<_, _>>()?)
        }
        Value::Null | Value::Object(_) => {
            return Err(wrong("must be a text, a number, true, false or a list of texts"));
        }
    };
    Ok((name_clean, value))
}

/// As the database keeps them.
pub fn to_json(attributes: &Attributes) -> Value {
    let pairs =
        attributes.iter().filter_map(|(name, value)| Some((name.clone(), serde_json::to_value(value).ok()?)));
    Value::Object(pairs.collect())
}

/// From the database. What is neither text, number, boolean nor list of texts is left out: nothing that this
/// program writes is, and a row written by hand must not hold up everybody else's.
pub fn from_json(map: Map<String, Value>) -> Attributes {
    map.into_iter().filter_map(|(name, value)| Some((name, serde_json::from_value(value).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_four_kinds() {
        let read =
            attributes(json!({"colour": " Red ", "size": 42, "new": true, "for": ["a", "b"]})).unwrap();
        assert_eq!(to_json(&read), json!({"colour": "Red", "size": 42, "new": true, "for": ["a", "b"]}));
        for bad in [
            json!([]),
            json!({"a": null}),
            json!({"a": {}}),
            json!({"a": [1]}),
            json!({"": 1}),
            json!({"a": "\u{0}"}),
        ] {
            assert!(attributes(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn rows_written_by_hand_do_no_harm() {
        let Value::Object(map) = json!({"a": 1, "b": null, "c": {"d": 1}}) else { panic!("not an object") };
        assert_eq!(to_json(&from_json(map)), json!({"a": 1}));
    }
}
