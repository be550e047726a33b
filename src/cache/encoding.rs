//! Content codings: which one a client wants, and how a body is put into it.

use std::io::{self, Write};

use axum::http::{HeaderMap, header};
use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, write::GzEncoder};
use serde::Serialize;

/// How a body is coded (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Encoding {
    /// As it is.
    Plain,
    /// `gzip`
    Gzip,
    /// `br`
    Brotli,
}

/// Measured on pages of products: the next levels take twice the time for a few per cent.
const BROTLI_QUALITY: i32 = 5;
const GZIP_LEVEL: u32 = 6;

impl Encoding {
    /// The word for it in `Content-Encoding`; `None` for the plain one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }

    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Gzip, Self::Brotli];

    /// The strong entity tag of a body in this coding, by that of the plain one: each names its own bytes.
    pub fn tag(self, plain: &str) -> String {
        self.name().map_or_else(|| plain.to_owned(), |name| format!("\"{}-{name}\"", plain.trim_matches('"')))
    }

    /// The coding that the request asks for; see [`wanted`](Self::wanted).
    pub fn asked_for(headers: &HeaderMap) -> Self {
        Self::wanted(&accepted(headers))
    }

    /// Whether the request takes any of the codings that there are. Where it names none, the plain one will do.
    pub fn is_possible(headers: &HeaderMap) -> bool {
        let accepted = accepted(headers);
        let plain = weight_of(&accepted, &["identity"]).or(weight_of(&accepted, &["*"]));
        plain != Some(0) || Self::wanted(&accepted) != Self::Plain
    }

    /// The coding that the client weighs most (`Accept-Encoding`, RFC 9110 §12.5.3); of equal ones the one that
    /// makes the smallest body. Where it wants none that there is, the plain one: it is always understood.
    pub fn wanted(accepted: &str) -> Self {
        let others = weight_of(accepted, &["*"]);
        let weight = |names: &[&str]| weight_of(accepted, names).or(others).unwrap_or(0);
        // Whoever accepts a coding prefers it to the plain body, unless that is listed as well.
        let plain = weight_of(accepted, &["identity"]).unwrap_or(0);
        let (brotli, gzip) = (weight(&["br"]), weight(&["gzip", "x-gzip"]));
        match () {
            () if brotli > 0 && brotli >= gzip.max(plain) => Self::Brotli,
            () if gzip > 0 && gzip >= plain => Self::Gzip,
            () => Self::Plain,
        }
    }

    /// The bytes, coded.
    ///
    /// # Errors
    /// None: both write into memory.
    pub fn apply(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(bytes.to_vec()),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Self::Brotli => {
                let mut coded = Vec::new();
                let parameters = BrotliEncoderParams { quality: BROTLI_QUALITY, ..Default::default() };
                brotli::BrotliCompress(&mut &*bytes, &mut coded, &parameters)?;
                Ok(coded)
            }
        }
    }
}

/// All that `Accept-Encoding` says.
fn accepted(headers: &HeaderMap) -> String {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}

/// The weight of the first entry that has one of the names, in thousandths.
fn weight_of(accepted: &str, names: &[&str]) -> Option<u16> {
    let is_named = |name: &str| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    let mut listed = accepted.split(',').filter_map(weighed).filter(|(name, _)| is_named(name));
    listed.next().map(|(_, weight)| weight)
}

/// An entry of `Accept-Encoding`, and its weight in thousandths. One that cannot be read says nothing, here as in the
/// layer that compresses other answers.
fn weighed(entry: &str) -> Option<(&str, u16)> {
    let Some((name, weight)) = entry.split_once(';') else { return Some((entry.trim(), 1000)) };
    let weight = weight.trim();
    let weight = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?;
    Some((name.trim(), thousandths(weight)?))
}

/// `0`, `0.5`, `1.000`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u16 = format!("{whole}{fraction:0<3}").parse().ok()?;
    (value <= 1000).then_some(value)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn weights_decide_then_size() {
        for (accepted, wanted) in [
            ("", Encoding::Plain),
            ("gzip", Encoding::Gzip),
            ("x-gzip", Encoding::Gzip),
            ("GZIP", Encoding::Gzip),
            ("gzip;level=9, br;q=1.5, br;x=1;q=0.5", Encoding::Plain),
            ("gzip, deflate, br, zstd", Encoding::Brotli),
            ("br;q=0.5, gzip;q=0.501", Encoding::Gzip),
            ("br;q=0, gzip", Encoding::Gzip),
            ("br; q=0 , gzip ; q=0", Encoding::Plain),
            ("br;q=0.0,gzip;q=0.000", Encoding::Plain),
            ("*", Encoding::Brotli),
            ("*;q=0", Encoding::Plain),
            ("br;q=0, *", Encoding::Gzip),
            ("gzip;q=0.5, *;q=0.1", Encoding::Gzip),
            ("identity", Encoding::Plain),
            ("identity;q=1, gzip;q=0.5", Encoding::Plain),
            ("identity, gzip", Encoding::Gzip),
            ("identity;q=0", Encoding::Plain),
            ("identity;q=0.5, br;q=0.4", Encoding::Plain),
            ("gzip;q=2, br;q=x", Encoding::Plain),
            ("gzip;q=nan, ;;;, =, br;", Encoding::Plain),
            ("deflate, zstd", Encoding::Plain),
        ] {
            assert_eq!(Encoding::wanted(accepted), wanted, "{accepted}");
        }
    }

    #[test]
    fn whoever_takes_nothing_can_be_told() {
        for (accepted, is_possible) in [
            ("", true),
            ("deflate", true),
            ("gzip;q=0", true),
            ("identity;q=0", false),
            ("*;q=0", false),
            ("identity;q=0, deflate", false),
            ("identity;q=0, br;q=0.1", true),
            ("*;q=0, identity", true),
            ("*;q=0, gzip", true),
            ("identity;q=0, *", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(Encoding::is_possible(&headers), is_possible, "{accepted}");
        }
    }

    #[test]
    fn what_is_coded_reads_back() {
        let text: String =
            (0..3000).map(|number| format!("{{\"id\":{number},\"name\":\"Ünique\"}}")).collect();
        for bytes in [text.as_bytes(), b"", b"x"] {
            assert_eq!(Encoding::Plain.apply(bytes).unwrap(), bytes);
            let gzip = Encoding::Gzip.apply(bytes).unwrap();
            let mut read = Vec::new();
            flate2::read::GzDecoder::new(&*gzip).read_to_end(&mut read).unwrap();
            assert_eq!(read, bytes);
            let brotli = Encoding::Brotli.apply(bytes).unwrap();
            read.clear();
            brotli::Decompressor::new(&*brotli, 4096).read_to_end(&mut read).unwrap();
            assert_eq!(read, bytes);
        }
        assert!(Encoding::Brotli.apply(text.as_bytes()).unwrap().len() < text.len() / 5);
    }
}
