//! Query parameters, read name by name: nothing is ignored, every fault is named at once.
//!
//! A type implements [`QueryForm`] by asking [`Params`] for each name that it knows. Unknown names, repeated
//! single values and values that cannot be read are faults (400).

use std::{fmt::Display, str::FromStr};

use crate::{
    error::{Error, Fault, Result},
    text::{Shape, clean},
};

/// The query parameters of one route.
pub trait QueryForm: Sized {
    /// Takes every parameter that the route has. Whatever is not taken is unknown.
    fn read(params: &mut Params) -> Self;
}

/// The parameters of a route that has none.
pub struct NoQuery;

impl QueryForm for NoQuery {
    fn read(_: &mut Params) -> Self {
        Self
    }
}

/// Reads a query string (without its question mark).
///
/// # Errors
/// 400 with an entry for every fault.
pub fn read<T: QueryForm>(query: &str) -> Result<T> {
    let mut params = Params::parse(query);
    let form = T::read(&mut params);
    params.finish()?;
    Ok(form)
}

/// Reads parameters that came by other ways than a query string, under the same rules.
///
/// # Errors
/// 400 with an entry for every fault.
pub fn read_pairs<T: QueryForm>(pairs: impl IntoIterator<Item = (String, String)>) -> Result<T> {
    let mut params = Params { pairs: Vec::new(), faults: Vec::new() };
    pairs.into_iter().for_each(|(name, value)| params.take(name, &value));
    let form = T::read(&mut params);
    params.finish()?;
    Ok(form)
}

/// The parameters that nobody has taken yet, and the faults found so far.
pub struct Params {
    pairs: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl Params {
    fn parse(query: &str) -> Self {
        let mut params = Self { pairs: Vec::new(), faults: Vec::new() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => params.take(name, &value),
                _ => params.fault(name, "format", "is not percent-encoded UTF-8"),
            }
        }
        params
    }

    /// Puts a parameter among those that nobody has taken yet.
    fn take(&mut self, name: String, value: &str) {
        if clean(&name, Shape::Line).is_err() {
            return self.fault(
                &name.escape_debug().to_string(),
                "unknown",
                "is not a parameter of this path",
            );
        }
        match clean(value, Shape::Line) {
            Ok(value) => self.pairs.push((name, value)),
            Err(bad) => self.fault(&name, "format", &bad.to_string()),
        }
    }

    /// Every value of `name`, in order.
    pub fn all(&mut self, name: &str) -> Vec<String> {
        self.pairs.extract_if(.., |(key, _)| key == name).map(|(_, value)| value).collect()
    }

    /// Whether `name` was given and nobody has taken it yet.
    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// Whether something is wrong with `name` already: what was given and cannot be read is not missing as well.
    pub fn is_at_fault(&self, name: &str) -> bool {
        self.faults.iter().any(|fault| fault.parameter.as_deref() == Some(name))
    }

    /// The one value of `name`, if given; several are a fault.
    pub fn one(&mut self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        if values.len() > 1 {
            self.fault(name, "repeated", "may be given once");
        }
        values.pop()
    }

    /// The one value under either name, and under which: an alias, not a second parameter.
    pub fn either<'a>(&mut self, name: &'a str, alias: &'a str) -> Option<(&'a str, String)> {
        match (self.one(name), self.one(alias)) {
            (Some(_), Some(_)) => {
                self.fault(alias, "repeated", &format!("is another name of `{name}`; give one of them"));
                None
            }
            (value, other) => value.map(|value| (name, value)).or(other.map(|other| (alias, other))),
        }
    }

    /// The one value of `name`, read by `rule`.
    pub fn parsed<T, E: Display>(
        &mut self,
        name: &str,
        rule: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.one(name)?;
        rule(&value).map_err(|error| self.fault(name, "value", &error.to_string())).ok()
    }

    /// Every value of `name`, each read by `rule`.
    pub fn all_parsed<T>(&mut self, name: &str, rule: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let values = self.all(name);
        values
            .iter()
            .filter_map(|v| rule(v).map_err(|error| self.fault(name, "value", &error)).ok())
            .collect()
    }

    /// Every parameter whose name starts with `prefix`: the rest of the name, and the value.
    pub fn prefixed(&mut self, prefix: &str) -> Vec<(String, String)> {
        let taken = self.pairs.extract_if(.., |(key, _)| key.len() > prefix.len() && key.starts_with(prefix));
        taken.map(|(key, value)| (key[prefix.len()..].to_owned(), value)).collect()
    }

    /// Notes a fault of the parameter `name`.
    pub fn fault(&mut self, name: &str, code: &'static str, detail: &str) {
        self.faults.push(Fault::parameter(name, code, detail));
    }

    fn finish(mut self) -> Result<()> {
        let names: Vec<String> = self.pairs.drain(..).map(|(name, _)| name).collect();
        for name in names {
            self.fault(&name, "unknown", "is not a parameter of this path");
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Error::parameters(self.faults)) }
    }
}

/// `application/x-www-form-urlencoded`: plus is a space, `%xx` a byte.
///
/// `None` where it is not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A name or a value as it stands in a query string: the inverse of how it is read.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            // What RFC 3986 never reserves, and the comma, which separates nothing there.
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// `true` or `false`.
///
/// # Errors
/// Says so.
pub fn boolean(value: &str) -> Result<bool, &'static str> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false"),
    }
}

/// A whole number in the range.
///
/// # Errors
/// Says which range.
pub fn integer<T>(least: T, most: T) -> impl Fn(&str) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display + Copy,
{
    move |value| {
        let digits = value.bytes().all(|b| b.is_ascii_digit());
        let number = value.parse().ok().filter(|n| digits && *n >= least && *n <= most);
        number.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Example {
        page: Option<u32>,
        brands: Vec<String>,
        attributes: Vec<(String, String)>,
    }

    impl QueryForm for Example {
        fn read(params: &mut Params) -> Self {
            Self {
                page: params.parsed("page", integer(1, 100)),
                brands: params.all("brand"),
                attributes: params.prefixed("attr."),
            }
        }
    }

    #[test]
    fn reads_repeated_and_prefixed_names() {
        let read: Example = read("page=2&brand=A%26B&brand=C+D&attr.size=XL&").unwrap();
        assert_eq!(read.page, Some(2));
        assert_eq!(read.brands, ["A&B", "C D"]);
        assert_eq!(read.attributes, [("size".to_owned(), "XL".to_owned())]);
    }

    #[test]
    fn what_is_encoded_is_read_again() {
        let text = "a b+c&d=e%20#?/\"<ü, 漢字>~";
        assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        assert_eq!(encode("a b+c&d=é,-._~"), "a%20b%2Bc%26d%3D%C3%A9,-._~");
    }

    #[test]
    fn names_every_fault() {
        for (query, name) in [
            ("page=0", "page"),
            ("page=%2B1", "page"),
            ("page=1&page=2", "page"),
            ("page=99999999999999999999", "page"),
            ("pages=1", "pages"),
            ("brand=%ff", "brand"),
            ("brand=%0", "brand"),
            ("brand=%00", "brand"),
            ("attr.%00=x", "attr.\\0"),
            ("attr.=1", "attr."),
        ] {
            let error = read::<Example>(query).unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{query}: {error}");
        }
    }
}
