//! The values of a row, one reader a kind: each says what it makes of a JSON value or a CSV cell, or why it
//! refuses it. [`Fields`] hands the values out by name and gathers the faults.
// over 400 lines: one reader a kind of value, read side by side

use std::{borrow::Cow, fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};
use time::OffsetDateTime;

use super::{Attributes, Fault, MAX_STOCK};
use crate::{
    clock,
    money::{Amount, Currency},
    text::{Shape, clean, scrub},
};

/// What stands between the names of a category's path in a text.
pub(super) const PATH_SEPARATOR: &str = " > ";

/// What is wrong with a value, to be read after its field's name.
type Detail = Cow<'static, str>;

/// One value as the file has it.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    /// A JSON value, unread: its digits are all there.
    Json(&'a RawValue),
    /// A cell of CSV.
    Text(&'a str),
}

impl<'a> Cell<'a> {
    fn is_absent(self) -> bool {
        match self {
            Cell::Json(raw) => raw.get() == "null",
            Cell::Text(text) => text.trim().is_empty(),
        }
    }

    fn text(self) -> Result<Cow<'a, str>, Detail> {
        match self {
            Cell::Text(text) => Ok(Cow::Borrowed(text)),
            Cell::Json(raw) if raw.get().starts_with('"') => {
                match serde_json::from_str::<Text<'_>>(raw.get()) {
                    Ok(Text(text)) => Ok(text),
                    Err(_) => Err("holds a broken escape; write each character as it is".into()),
                }
            }
            Cell::Json(_) => Err("must be text".into()),
        }
    }

    /// The digits of a number or of a text. A JSON number is its value: zeros at the end of its fraction are
    /// nothing.
    fn digits(self) -> Result<Cow<'a, str>, Detail> {
        match self {
            Cell::Text(text) => Ok(text.trim().into()),
            Cell::Json(raw) => match raw.get() {
                number if !number.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) => {
                    self.text().map_err(|_| "must be a number".into())
                }
                number if number.contains('.') && !number.contains(['e', 'E']) => {
                    Ok(number.trim_end_matches('0').trim_end_matches('.').into())
                }
                number => Ok(number.into()),
            },
        }
    }

    fn json(self) -> Result<&'a RawValue, Detail> {
        match self {
            Cell::Json(raw) => Ok(raw),
            Cell::Text(text) => {
                serde_json::from_str(text).map_err(|e| format!("is not valid JSON: {e}").into())
            }
        }
    }
}

/// One line of at most `max` characters; `None` where nothing visible is left.
pub(super) fn line(cell: Cell<'_>, max: usize) -> Result<Option<String>, Detail> {
    text(cell, Shape::Line, max)
}

/// Lines of at most `max` characters in all.
pub(super) fn long(cell: Cell<'_>, max: usize) -> Result<Option<String>, Detail> {
    text(cell, Shape::Long, max)
}

/// A SKU. It says which product a row is: what cannot be seen in it is refused, not left out.
pub(super) fn code(cell: Cell<'_>) -> Result<Option<String>, Detail> {
    if let Err(forbidden) = clean(&cell.text()?, Shape::Line) {
        return Err(forbidden.to_string().into());
    }
    line(cell, 64)
}

fn text(cell: Cell<'_>, shape: Shape, max: usize) -> Result<Option<String>, Detail> {
    let text = cell.text()?;
    // Other control characters are a writer's carelessness; a NUL says that this is not text.
    if text.contains('\0') {
        return Err("holds the character U+0000; remove it".into());
    }
    // Most texts are clean, which is cheap to see.
    let text = clean(&text, shape).unwrap_or_else(|_| scrub(&text, shape));
    // Bytes first: counting characters is the rare case.
    if text.len() > max && text.chars().count() > max {
        return Err(format!("is longer than {max} characters").into());
    }
    Ok((!text.is_empty()).then_some(text))
}

/// A price.
pub(super) fn amount(cell: Cell<'_>, currency: Currency) -> Result<Option<Amount>, Detail> {
    Amount::parse(&cell.digits()?, currency).map(Some).map_err(|e| e.to_string().into())
}

/// A whole number from 0 to `max`.
pub(super) fn whole(cell: Cell<'_>, max: i64) -> Result<Option<i64>, Detail> {
    let number = cell.digits()?.parse().ok().filter(|number| (0..=max).contains(number));
    number.map(Some).ok_or_else(|| format!("must be a whole number from 0 to {max}").into())
}

/// A number of units or of ratings.
pub(super) fn count(cell: Cell<'_>) -> Result<Option<i32>, Detail> {
    Ok(whole(cell, i64::from(MAX_STOCK))?.and_then(|number| i32::try_from(number).ok()))
}

/// A mean from 0 to 5, to six decimals: more than any mean means.
pub(super) fn rating(cell: Cell<'_>) -> Result<Option<Decimal>, Detail> {
    let digits = cell.digits()?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let mean = Decimal::from_str(&digits).ok().filter(|mean| plain && *mean <= Decimal::from(5));
    mean.map(|mean| Some(mean.round_dp(6))).ok_or_else(|| "must be a number from 0 to 5".into())
}

/// `true` or `false`.
pub(super) fn boolean(cell: Cell<'_>) -> Result<Option<bool>, Detail> {
    let text = match cell {
        Cell::Text(text) => text.trim(),
        Cell::Json(raw) => raw.get(),
    };
    match text {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        // What spreadsheets make of them.
        "TRUE" if matches!(cell, Cell::Text(_)) => Ok(Some(true)),
        "FALSE" if matches!(cell, Cell::Text(_)) => Ok(Some(false)),
        _ => Err("must be true or false".into()),
    }
}

/// An address that a browser may be sent to.
pub(super) fn url(cell: Cell<'_>) -> Result<Option<String>, Detail> {
    let Some(url) = line(cell, 2_000)? else { return Ok(None) };
    let scheme =
        |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let rest = ["https://", "http://"].into_iter().find(|s| scheme(s)).and_then(|s| url.get(s.len()..));
    let forbidden = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\');
    match rest {
        Some(rest)
            if !rest.starts_with(['/', '?', '#', ':']) && !rest.is_empty() && !url.contains(forbidden) =>
        {
            Ok(Some(url))
        }
        _ => Err("must be an http or https address, such as https://example.com/a.jpg".into()),
    }
}

/// Names of categories from the root: a list, or a text with ` > ` between them. A text may be a list in JSON too, for
/// names that have ` > ` in them.
pub(super) fn path(cell: Cell<'_>) -> Result<Option<Vec<String>>, Detail> {
    const WANTED: &str = "must name 1 to 32 categories of at most 120 characters, from the root";
    let names: Vec<Cell<'_>> = match cell {
        Cell::Text(text) => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(names) if !names.is_empty() && names.iter().all(|name| name.get().starts_with('"')) => {
                names.into_iter().map(Cell::Json).collect()
            }
            _ => text.split(PATH_SEPARATOR).map(Cell::Text).collect(),
        },
        Cell::Json(raw) => list(raw).ok_or(WANTED)?.into_iter().map(Cell::Json).collect(),
    };
    if !(1..=32).contains(&names.len()) {
        return Err(WANTED.into());
    }
    let name = |cell| line(cell, 120).ok().flatten().ok_or(Detail::from(WANTED));
    names.into_iter().map(name).collect::<Result<_, _>>().map(Some)
}

/// An instant of RFC 3339, in UTC.
pub(super) fn instant(cell: Cell<'_>) -> Result<Option<OffsetDateTime>, Detail> {
    let text = cell.text()?;
    clock::parse_kept(&text).map(Some).map_err(Into::into)
}

/// The value of an attribute; `None` where it is empty.
fn attribute(raw: &RawValue) -> Result<Option<Value>, Detail> {
    let text = |raw| long(Cell::Json(raw), 8_000);
    match raw.get().as_bytes().first() {
        Some(b'"') => Ok(text(raw)?.map(Value::from)),
        Some(b't') => Ok(Some(Value::Bool(true))),
        Some(b'f') => Ok(Some(Value::Bool(false))),
        Some(b'-' | b'0'..=b'9') => number(raw.get()).map(Some).ok_or("is too large a number".into()),
        Some(b'[') => {
            let items = list(raw).unwrap_or_default();
            let texts = items.into_iter().filter_map(|item| text(item).transpose());
            let texts: Vec<String> =
                texts.collect::<Result<_, _>>().map_err(|e| format!("has an item that {e}"))?;
            Ok((!texts.is_empty()).then(|| Value::from(texts)))
        }
        _ => Err("must be text, a number, true, false or a list of texts".into()),
    }
}

/// A JSON number as exactly as `serde_json` can keep it: its own reader of floats may miss the nearest one.
fn number(digits: &str) -> Option<Value> {
    if let Ok(number) = digits.parse::<i64>() {
        return Some(number.into());
    }
    if let Ok(number) = digits.parse::<u64>() {
        return Some(number.into());
    }
    // `None` for what is infinite in a float.
    digits.parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
}

/// The values of a row or of a variant by name, and what turned out to be wrong with them.
pub(super) struct Fields<'a> {
    /// JSON pointer to the object.
    at: String,
    /// What nobody asked for yet.
    cells: Vec<(Cow<'a, str>, Cell<'a>)>,
    /// Cells of CSV under `attr.NAME`.
    attributes: Vec<(&'a str, &'a str)>,
    faults: Vec<Fault>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(at: String, cells: Vec<(Cow<'a, str>, Cell<'a>)>) -> Self {
        Self { at, cells, attributes: Vec::new(), faults: Vec::new() }
    }

    pub(super) fn push(&mut self, name: &'a str, cell: Cell<'a>) {
        self.cells.push((name.into(), cell));
    }

    pub(super) fn push_attribute(&mut self, name: &'a str, cell: &'a str) {
        self.attributes.push((name, cell));
    }

    pub(super) fn fault(&mut self, name: &str, detail: impl Into<Detail>) {
        let detail = detail.into().into_owned();
        self.faults.push(Fault { field: child(&self.at, name), detail });
    }

    pub(super) fn is_faulty(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Takes over the faults of a part.
    pub(super) fn adopt(&mut self, faults: Vec<Fault>) {
        self.faults.extend(faults);
    }

    fn take(&mut self, name: &str) -> Option<Cell<'a>> {
        let at = self.cells.iter().position(|(key, _)| key == name)?;
        Some(self.cells.swap_remove(at).1).filter(|cell| !cell.is_absent())
    }

    pub(super) fn ignore(&mut self, name: &str) {
        self.take(name);
    }

    /// What `read` makes of the value; `None` where it is absent, `null`, empty or at fault.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Cell<'a>) -> Result<Option<T>, Detail>,
    ) -> Option<T> {
        let cell = self.take(name)?;
        read(cell).unwrap_or_else(|detail| {
            self.fault(name, detail);
            None
        })
    }

    /// As [`Self::optional`], but `None` always leaves a fault.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Cell<'a>) -> Result<Option<T>, Detail>,
    ) -> Option<T> {
        let faults = self.faults.len();
        let value = self.optional(name, read);
        if value.is_none() && self.faults.len() == faults {
            self.fault(name, "is required");
        }
        value
    }

    /// The objects of a list of at most `max`; those that are none are faults.
    pub(super) fn items(&mut self, name: &str, max: usize) -> Option<Vec<Fields<'a>>> {
        let items = self.optional(name, |cell| match list(cell.json()?) {
            Some(items) if items.len() <= max => Ok(Some(items)),
            Some(_) => Err(format!("has more than {max} items").into()),
            None => Err("must be a list of objects".into()),
        })?;
        let list_at = child(&self.at, name);
        let mut objects = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            let at = format!("{list_at}/{i}");
            match entries(item.get()) {
                Ok(entries) => {
                    let cells = entries.into_iter().map(|(name, value)| (name, Cell::Json(value))).collect();
                    objects.push(Fields::new(at, cells));
                }
                Err(_) => self.faults.push(Fault { field: at, detail: "must be an object".to_owned() }),
            }
        }
        Some(objects)
    }

    /// The attributes of the object `name` and of the columns `attr.NAME`; `None` where neither is given.
    pub(super) fn attributes(&mut self, name: &str) -> Option<Attributes> {
        let object = self.optional(name, |cell| {
            let not_an_object = |_| Detail::from("must be an object of names and values");
            entries(cell.json()?.get()).map(Some).map_err(not_an_object)
        });
        let columns = std::mem::take(&mut self.attributes);
        if object.is_none() && columns.iter().all(|(_, cell)| cell.trim().is_empty()) {
            return None;
        }
        let at = child(&self.at, name);
        let mut attributes = Attributes::new();
        for (name, raw) in object.into_iter().flatten() {
            self.put_attribute(&mut attributes, &at, &name, attribute(raw));
        }
        for (name, cell) in columns {
            let value = long(Cell::Text(cell), 8_000).map(|text| text.map(Value::from));
            self.put_attribute(&mut attributes, &at, name, value);
        }
        if attributes.len() > 250 {
            self.fault(name, "has more than 250 names");
        }
        Some(attributes)
    }

    fn put_attribute(
        &mut self,
        into: &mut Attributes,
        at: &str,
        name: &str,
        value: Result<Option<Value>, Detail>,
    ) {
        let value = value.and_then(|value| {
            let clean = line(Cell::Text(name), 100).map_err(|e| format!("has a name that {e}"))?;
            let clean = clean.ok_or("has an empty name")?;
            match value.map(|value| into.insert(clean, value)) {
                Some(Some(_)) => Err("is given twice".into()),
                _ => Ok(()),
            }
        });
        if let Err(detail) = value {
            self.faults.push(Fault { field: child(at, name), detail: detail.into_owned() });
        }
    }

    /// Nothing may be left over: what is, is either not one of the `known` names or one of them for the
    /// second time.
    pub(super) fn finish(mut self, known: &[&str]) -> Result<(), Vec<Fault>> {
        for (name, _) in std::mem::take(&mut self.cells) {
            let twice = known.contains(&name.as_ref());
            let unknown = || format!("is not known here; the fields are {}", known.join(", "));
            self.fault(&name, if twice { "is given twice".to_owned() } else { unknown() });
        }
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }
}

/// The JSON pointer to `name` below `at`.
fn child(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The names and values of a JSON object, in its order and with all repetitions.
pub(super) fn entries(json: &str) -> serde_json::Result<Vec<(Cow<'_, str>, &RawValue)>> {
    serde_json::from_str::<Entries<'_>>(json).map(|entries| entries.0)
}

fn list(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// A text that is borrowed where it has no escapes, as `Cow` alone never is.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    entries.push((name, value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
