//! Request bodies, read field by field, so that every fault is named at once.
//!
//! serde stops at the first field that it cannot read; a form with three mistakes would take three round
//! trips. Here a type implements [`Form`] by asking [`Fields`] for what it needs. A field that is missing,
//! unknown or wrong leaves a [`Fault`]; the value read in its place is never used, since [`read`] fails as a
//! whole. What a field may hold is a *rule*: a function from a JSON value to a value or a fault.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use unicode_normalization::UnicodeNormalization;

use crate::{
    clock,
    error::{Error, Fault, Result},
    money::{Amount, Currency},
    text::{Shape, clean},
};

/// What a rule says of a value: the stable code and the sentence.
pub type Refusal = (&'static str, String);

/// A request body.
pub trait Form: Sized {
    /// How large the body may be.
    const MOST_BYTES: usize = 64 * 1024;

    /// Takes every field that the body may have. Whatever is not taken is unknown.
    fn read(fields: &mut Fields) -> Self;
}

/// Reads a whole body.
///
/// # Errors
/// 422 with an entry for every fault.
pub fn read<T: Form>(value: Value, currency: Currency) -> Result<T> {
    let Value::Object(map) = value else {
        return Err(Error::field("", "type", "must be a JSON object"));
    };
    let mut fields = Fields { map, pointer: String::new(), faults: Vec::new(), currency };
    let form = T::read(&mut fields);
    let faults = fields.finish();
    if faults.is_empty() { Ok(form) } else { Err(Error::invalid(faults)) }
}

/// A body of which nothing is known yet but that it is an object: it is read once it is known who sent it, where
/// that decides which fields there are.
#[derive(Default)]
pub struct Unread(Map<String, Value>);

impl Form for Unread {
    fn read(fields: &mut Fields) -> Self {
        Self(std::mem::take(&mut fields.map))
    }
}

impl Unread {
    /// The same bytes for the same content, however it was spaced and in whatever order its fields came.
    pub fn canonical(&self) -> String {
        sorted(Value::Object(self.0.clone())).to_string()
    }

    /// [`read`]s it.
    ///
    /// # Errors
    /// 422 with an entry for every fault.
    pub fn read<T: Form>(self, currency: Currency) -> Result<T> {
        read(Value::Object(self.0), currency)
    }
}

/// The value with the fields of each object in order, which serde_json keeps as they came when any library asks it to.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> =
                fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}

/// The fields of one JSON object that nobody has taken yet, and the faults found so far.
pub struct Fields {
    map: Map<String, Value>,
    pointer: String,
    faults: Vec<Fault>,
    currency: Currency,
}

impl Fields {
    /// The shop's currency, for [`amount`].
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// A field that must be there.
    pub fn required<T: Default>(&mut self, name: &str, rule: impl FnOnce(Value) -> Result<T, Refusal>) -> T {
        match self.map.remove(name) {
            Some(value) => self.apply(name, value, rule).unwrap_or_default(),
            None => {
                self.fault(name, "required", "is required");
                T::default()
            }
        }
    }

    /// A field that may be absent, but is not null.
    pub fn optional<T>(&mut self, name: &str, rule: impl FnOnce(Value) -> Result<T, Refusal>) -> Option<T> {
        let value = self.map.remove(name)?;
        self.apply(name, value, rule)
    }

    /// A field that may be absent (`None`) or null (`Some(None)`).
    pub fn nullable<T>(
        &mut self,
        name: &str,
        rule: impl FnOnce(Value) -> Result<T, Refusal>,
    ) -> Option<Option<T>> {
        match self.map.remove(name)? {
            Value::Null => Some(None),
            value => self.apply(name, value, rule).map(Some),
        }
    }

    /// Notes a field that must be there and is not, before it is read as one that may be absent.
    pub fn demand(&mut self, name: &str) {
        if !self.map.contains_key(name) {
            self.fault(name, "required", "is required");
        }
    }

    /// A list of at most `most` values, each read by the rule; absent is `None`.
    pub fn list<T>(
        &mut self,
        name: &str,
        most: usize,
        rule: impl Fn(Value) -> Result<T, Refusal>,
    ) -> Option<Vec<T>> {
        let items = self.items(name, most)?;
        let mut list = Vec::with_capacity(items.len());
        for (position, item) in items.into_iter().enumerate() {
            match rule(item) {
                Ok(value) => list.push(value),
                Err((code, detail)) => self.fault_at(&[name, &position.to_string()], code, detail),
            }
        }
        Some(list)
    }

    fn items(&mut self, name: &str, most: usize) -> Option<Vec<Value>> {
        match self.map.remove(name)? {
            Value::Array(items) if items.len() <= most => return Some(items),
            Value::Array(_) => self.fault(name, "length", format!("must have at most {most} entries")),
            _ => self.fault(name, "type", "must be a list"),
        }
        None
    }

    /// A list of objects, each read as a form; absent is `None`. An entry that is no object is a fault, and holds its
    /// place, for whoever counts them.
    pub fn forms<T: Form>(&mut self, name: &str, most: usize) -> Option<Vec<T>> {
        let items = self.items(name, most)?;
        let forms = items.into_iter().enumerate().map(|(position, item)| {
            let pointer = format!("{}/{name}/{position}", self.pointer);
            self.nested(pointer, Some(item))
        });
        Some(forms.collect())
    }

    /// [`forms`](Self::forms) of a list that must be there.
    pub fn required_forms<T: Form>(&mut self, name: &str, most: usize) -> Vec<T> {
        self.demand(name);
        self.forms(name, most).unwrap_or_default()
    }

    /// An object that must be there, read as a form.
    pub fn required_form<T: Form>(&mut self, name: &str) -> T {
        let value = self.map.remove(name);
        self.nested(format!("{}/{name}", self.pointer), value)
    }

    /// Reads a value as a form. Of one that is no object only that is said.
    fn nested<T: Form>(&mut self, pointer: String, value: Option<Value>) -> T {
        let (map, wrong) = match value {
            Some(Value::Object(map)) => (map, None),
            Some(_) => (Map::new(), Some(("type", "must be a JSON object"))),
            None => (Map::new(), Some(("required", "is required"))),
        };
        let mut fields = Self { map, pointer, faults: Vec::new(), currency: self.currency };
        let form = T::read(&mut fields);
        match wrong {
            Some((code, detail)) => self.faults.push(Fault::field(fields.pointer, code, detail)),
            None => self.faults.extend(fields.finish()),
        }
        form
    }

    /// Takes a field without reading it, to refuse it in words of one's own.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name)
    }

    /// Notes a fault that no single field's rule can see, such as two fields that contradict each other.
    pub fn fault(&mut self, name: &str, code: &'static str, detail: impl Into<String>) {
        self.fault_at(&[name], code, detail);
    }

    /// Whether there is no fault so far.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether something is wrong with a field, or with what is in it.
    pub fn is_at_fault(&self, name: &str) -> bool {
        let pointer = format!("{}/{name}", self.pointer);
        let is_in = |rest: &str| rest.is_empty() || rest.starts_with('/');
        let mut at = self.faults.iter().filter_map(|fault| fault.pointer.as_deref());
        at.any(|at| at.strip_prefix(&pointer).is_some_and(is_in))
    }

    /// [`fault`](Self::fault) of whatever is at the end of the path of names and positions.
    pub fn fault_at(&mut self, path: &[&str], code: &'static str, detail: impl Into<String>) {
        let mut pointer = self.pointer.clone();
        for part in path {
            pointer.push('/');
            pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        }
        self.faults.push(Fault::field(pointer, code, detail));
    }

    fn apply<T>(
        &mut self,
        name: &str,
        value: Value,
        rule: impl FnOnce(Value) -> Result<T, Refusal>,
    ) -> Option<T> {
        rule(value).map_err(|(code, detail)| self.fault(name, code, detail)).ok()
    }

    fn finish(mut self) -> Vec<Fault> {
        let names: Vec<String> = self.map.keys().cloned().collect();
        for name in names {
            self.fault(&name, "unknown", "is not a field that can be set here");
        }
        self.faults
    }
}

/// One line of text whose length in characters is in the range, as it is sent; what is left of it once it is cleaned must
/// not be nothing, where the range begins above 0.
pub fn line(length: RangeInclusive<usize>) -> impl FnOnce(Value) -> Result<String, Refusal> {
    move |value| text(value, &length, Shape::Line)
}

/// Text of several lines, at most `most` characters.
pub fn long(most: usize) -> impl FnOnce(Value) -> Result<String, Refusal> {
    move |value| text(value, &(0..=most), Shape::Long)
}

fn text(value: Value, length: &RangeInclusive<usize>, shape: Shape) -> Result<String, Refusal> {
    let Value::String(raw) = value else { return Err(("type", "must be a string".into())) };
    let text = clean(&raw, shape).map_err(|bad| ("format", bad.to_string()))?;
    let (least, most) = (*length.start(), *length.end());
    let left = text.chars().count();
    // The document's `maxLength` is of the text as it is sent, blanks around it included.
    let sent = left.max(raw.chars().count());
    if left >= least && sent <= most {
        return Ok(text);
    }
    let count = if left < least { left } else { sent };
    let detail = match count {
        0 => "must not be empty".into(),
        _ if least <= 1 => format!("has {count} characters; at most {most} are allowed"),
        _ => format!("has {count} characters; {least} to {most} are allowed"),
    };
    Err(("length", detail))
}

/// A secret: a string of `length` characters in NFC, since keyboards differ in how they compose; else as typed.
pub fn secret(length: RangeInclusive<usize>) -> impl FnOnce(Value) -> Result<String, Refusal> {
    move |value| {
        let Value::String(raw) = value else { return Err(("type", "must be a string".into())) };
        if raw.contains('\0') {
            return Err(("format", "holds the character U+0000, which is not allowed here".into()));
        }
        if !length.contains(&raw.chars().count()) {
            let (least, most) = (length.start(), length.end());
            return Err(("length", format!("must have {least} to {most} characters")));
        }
        Ok(raw.nfc().collect())
    }
}

/// A whole number in the range, as JSON Schema has it: 2.0 is one.
pub fn integer(range: RangeInclusive<i64>) -> impl FnOnce(Value) -> Result<i64, Refusal> {
    move |value| {
        let Value::Number(number) = value else { return Err(("type", "must be a whole number".into())) };
        let float = number.as_f64().filter(|_| number.is_f64());
        if float.is_some_and(|float| float.fract() != 0.0) {
            return Err(("type", "must be a whole number".into()));
        }
        // Above, a float may stand for several whole numbers.
        let exact = float.filter(|float| float.abs() < 2_f64.powi(53));
        let whole = number.as_i64().or(exact.map(|float| float as i64));
        whole.filter(|whole| range.contains(whole)).ok_or_else(|| {
            ("range", format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }
}

/// A row's id.
pub fn id(value: Value) -> Result<i64, Refusal> {
    integer(1..=i64::MAX)(value)
}

/// `true` or `false`.
pub fn boolean(value: Value) -> Result<bool, Refusal> {
    value.as_bool().ok_or_else(|| ("type", "must be true or false".into()))
}

/// An amount of money: a string such as `"12.50"`.
pub fn amount(currency: Currency) -> impl FnOnce(Value) -> Result<Amount, Refusal> {
    decimal(currency.decimals())
}

/// [`amount`] with at most so many decimals (0 or 2), whatever the currency's are.
pub fn decimal(decimals: u32) -> impl FnOnce(Value) -> Result<Amount, Refusal> {
    move |value| {
        let Value::String(text) = value else {
            return Err(("type", "must be a string with a decimal number, such as \"12.50\"".into()));
        };
        Amount::parse_to(text.trim(), decimals).map_err(|error| ("range", error.to_string()))
    }
}

/// An instant of RFC 3339, such as `"2026-11-22T10:00:00Z"`: in UTC, to the microsecond.
pub fn instant(value: Value) -> Result<OffsetDateTime, Refusal> {
    let Value::String(text) = value else { return Err(("type", "must be a string".into())) };
    clock::parse_kept(&text).map_err(|detail| ("format", detail.to_owned()))
}

/// An `http` or `https` URL with a host, at most 2,000 characters. It is kept and never fetched.
pub fn url(value: Value) -> Result<String, Refusal> {
    let text = text(value, &(1..=2000), Shape::Line)?;
    let wrong = || ("format", "must be an http or https URL, such as https://example.com/a.jpg".to_owned());
    let uri: axum::http::Uri = text.parse().map_err(|_| wrong())?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_host = uri.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'));
    if web && has_host { Ok(text) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests;
