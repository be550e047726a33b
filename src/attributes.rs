//! Attributes: what a product or a variant says of itself in pairs of name and value.

use std::collections::BTreeMap;

use duka_index::AttributeValue;
use serde_json::{Value, value::RawValue};

use crate::{
    body::{Fields, Refusal},
    text::{Shape, clean},
};

/// Attributes by name.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// How many an object may have.
pub const MOST: usize = 250;
/// Characters of a name.
pub const NAME_LENGTH: usize = 100;
/// Characters of a text.
pub const TEXT_LENGTH: usize = 8_000;

/// Takes the field `name` of a body: an object of texts, numbers, booleans and lists of texts. Each attribute at
/// fault is named by itself.
pub fn read(fields: &mut Fields, name: &str) -> Option<Attributes> {
    let Value::Object(map) = fields.take(name)? else {
        fields.fault(name, "type", "must be an object of names and values");
        return None;
    };
    if map.len() > MOST {
        fields.fault(name, "length", format!("has {} attributes; at most {MOST} are allowed", map.len()));
        return None;
    }
    let mut attributes = Attributes::new();
    for (key, value) in map {
        match attribute(&key, value) {
            Ok((key, value)) if attributes.contains_key(&key) => {
                drop(value);
                fields.fault_at(&[name, &key], "repeated", "is given twice");
            }
            Ok((key, value)) => drop(attributes.insert(key, value)),
            Err((code, detail)) => fields.fault_at(&[name, &key], code, detail),
        }
    }
    Some(attributes)
}

fn attribute(name: &str, value: Value) -> Result<(String, AttributeValue), Refusal> {
    let name = clean(name, Shape::Line).map_err(|bad| ("format", bad.to_string()))?;
    if name.is_empty() || name.chars().count() > NAME_LENGTH {
        return Err(("length", format!("must have a name of 1 to {NAME_LENGTH} characters")));
    }
    let text = |text: String| match clean(&text, Shape::Long) {
        Ok(text) if text.chars().count() <= TEXT_LENGTH => Ok(text),
        Ok(_) => Err(("length", format!("is longer than {TEXT_LENGTH} characters"))),
        Err(bad) => Err(("format", bad.to_string())),
    };
    let value = match value {
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(value) => AttributeValue::Number(value),
        Value::String(value) => AttributeValue::Text(text(value)?),
        Value::Array(items) => {
            let texts = items.into_iter().map(|item| match item {
                Value::String(item) => text(item),
                _ => Err(("type", "must be a list of texts alone".to_owned())),
            });
            AttributeValue::List(texts.collect::<Result<_, _>>()?)
        }
        Value::Null | Value::Object(_) => {
            return Err(("type", "must be a text, a number, true, false or a list of texts".to_owned()));
        }
    };
    Ok((name, value))
}

/// As the database keeps them.
pub fn to_json(attributes: &Attributes) -> Value {
    let pairs =
        attributes.iter().filter_map(|(name, value)| Some((name.clone(), serde_json::to_value(value).ok()?)));
    Value::Object(pairs.collect())
}

/// Attributes as they come from the database, each value unread.
pub type RawAttributes = BTreeMap<String, Box<RawValue>>;

/// From the database. What is neither text, number, boolean nor list of texts is left out: nothing that this
/// program writes is, and a row written by hand must not hold up everybody else's.
pub fn from_raw(map: RawAttributes) -> Attributes {
    let known = map.into_iter().filter_map(|(name, raw)| Some((name, serde_json::from_str(raw.get()).ok()?)));
    known.collect()
}

/// The same, of the whole object as JSON. Nearly always everything in it is known, and read at once.
pub fn from_json(object: &RawValue) -> Attributes {
    serde_json::from_str(object.get())
        .unwrap_or_else(|_| serde_json::from_str(object.get()).map(from_raw).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::body::{self, Form};

    struct Described(Option<Attributes>);

    impl Form for Described {
        fn read(fields: &mut Fields) -> Self {
            Self(read(fields, "attributes"))
        }
    }

    fn described(attributes: Value) -> crate::error::Result<Described> {
        body::read(json!({"attributes": attributes}), "USD".parse().unwrap())
    }

    #[test]
    fn of_four_kinds() {
        let read = described(json!({"colour": " Red ", "size": 42, "new": true, "for": ["a", "b"]})).unwrap();
        let kept = to_json(&read.0.unwrap());
        assert_eq!(kept, json!({"colour": "Red", "size": 42, "new": true, "for": ["a", "b"]}));
    }

    #[test]
    fn each_fault_is_named() {
        let given = json!({"a": null, "b": {}, "c": [1], "": 1, "d": "\u{0}", "e": 1, " e": 2});
        let error = described(given).err().unwrap().to_string();
        for pointer in [
            "/attributes/a",
            "/attributes/b",
            "/attributes/c",
            "/attributes/:",
            "/attributes/d",
            "/attributes/e",
        ] {
            assert!(error.contains(pointer), "{pointer} is missing in {error}");
        }
        assert!(described(json!([])).is_err());
    }

    #[test]
    fn rows_written_by_hand_do_no_harm() {
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        let text = format!(r#"{{"a": 1, "b": null, "c": {{"d": 1}}, "e": 1e400, "f": {deep}}}"#);
        let raw: RawAttributes = serde_json::from_str(&text).unwrap();
        assert_eq!(to_json(&from_raw(raw)), json!({"a": 1}));
        let raw: &RawValue = serde_json::from_str(&text).unwrap();
        assert_eq!(to_json(&from_json(raw)), json!({"a": 1}));
    }
}
