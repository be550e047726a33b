//! What is read by hand of what comes from outside: each of these takes any bytes, and may not panic or take long.
//!
//! `tests/api/fuzz.rs` tries them for a moment whenever the tests run; the programs beside this file for as long as one
//! likes, led by which code an input reaches. How they are begun from is in `corpus`.

use std::{io::Cursor, time::SystemTime};

use duka::{
    auth::{
        Role, Viewer,
        token::{Claims, Keys},
    },
    import::{
        row::parse_json,
        source::{Format, Source},
    },
    money::Currency,
    page::{Place, Span},
    params,
    payment::gateway::{card::event, mpesa::callback},
    search::model::{Search, Suggest},
};
use duka_index::{Document, Engine, Lexicon, PriceStep};
use secrecy::SecretString;

fn keys() -> Keys {
    Keys::new(&SecretString::from("a secret that is long enough for tests"), None)
}

/// An index of some products, which searches are tried on once they are read.
pub struct Searches {
    engine: Engine,
    keys: Keys,
    lexicon: Lexicon,
}

impl Searches {
    /// With its index in a directory that is empty.
    pub fn new(folder: &std::path::Path) -> Self {
        let engine = Engine::open(folder).unwrap();
        let mut writer = engine.writer(15_000_000).unwrap();
        for id in 1..300 {
            let prices = vec![PriceStep { from: i64::MIN, effective_price: 100 + id, discount: None }];
            let (name, brand) = (format!("Wireless kettle {id} USB-C 4"), format!("Brand {}", id % 7));
            let (sku, description) =
                (format!("AB-{id}"), "A steel kettle for two, with a power cable".to_owned());
            let document = Document {
                id,
                name,
                brand,
                sku,
                description,
                prices,
                is_active: true,
                ..Document::default()
            };
            writer.upsert(&document).unwrap();
        }
        writer.commit("").unwrap();
        Self { engine, keys: keys(), lexicon: Lexicon::default() }
    }

    pub fn read(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(suggest) = params::read::<Suggest>(&text) {
            self.engine.reader().suggest(&suggest.query, &self.lexicon).unwrap();
        }
        let Ok(search) = params::read::<Search>(&text) else { return };
        let Ok(query) = search.query(Viewer::default(), &self.keys) else { return };
        let hits = self.engine.reader().search(&query, &self.lexicon).unwrap();
        assert!(hits.hits.len() <= 100);
    }
}

/// The one cursor that is known to have been sealed; any other is refused.
pub struct Cursors {
    keys: Keys,
    place: (i64, String),
    pub good: String,
}

impl Cursors {
    pub fn new() -> Self {
        let (keys, place) = (keys(), (7_i64, "kettle".to_owned()));
        let span = Span { after: None::<(i64, String)>, offset: 0, limit: 2 };
        let found = span.found(&keys, &"a list", vec![(), ()], 2, |()| place.clone()).unwrap();
        let good = format!("cursor={}", found.next_cursor.unwrap());
        Self { keys, place, good }
    }

    pub fn read(&self, bytes: &[u8]) {
        let Ok(read) = params::read::<Place>(&String::from_utf8_lossy(bytes)) else { return };
        if let Ok(Span { after: Some(after), .. }) = read.open::<(i64, String)>(&self.keys, &"a list") {
            assert_eq!(after, self.place, "nobody has sealed it");
        }
    }
}

/// The one token that is known to have been issued; any other is nobody's.
pub struct Tokens {
    keys: Keys,
    claims: Claims,
    pub good: String,
}

impl Tokens {
    pub fn new() -> Self {
        let keys = keys();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let good = keys.issue(7, 3, Role::Customer, i64::try_from(now).unwrap()).unwrap();
        let claims = keys.verify(&good).unwrap();
        Self { keys, claims, good }
    }

    pub fn read(&self, bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        // The last letter of a signature has bits that say nothing.
        if let Some(read) = self.keys.verify(text) {
            assert_eq!(read, self.claims, "{text}");
        }
    }
}

/// What begins as something good does, up to where the first byte says, and goes on as the others do.
pub fn forged(good: &str, bytes: &[u8]) -> Vec<u8> {
    let Some((first, rest)) = bytes.split_first() else { return good.into() };
    let kept = good.len() * usize::from(*first) / 255;
    [&good.as_bytes()[..kept], rest].concat()
}

/// Reads rows of an import in each format, and what is exported of them again.
pub fn rows(bytes: &[u8]) {
    let currency: Currency = "USD".parse().unwrap();
    for format in [Format::Ndjson, Format::Csv, Format::detect(bytes, "")] {
        let Ok(source) = Source::open(Cursor::new(bytes), format, currency) else { continue };
        for entry in source {
            let Ok(entry) = entry else { break };
            if let Ok(row) = entry.row {
                let again = parse_json(&row.to_json(currency), currency);
                assert_eq!(again.as_ref().ok(), Some(&row), "{again:?}");
            }
        }
    }
}

/// Reads what gateways send once its signature is checked.
pub fn messages(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice(bytes) else { return };
    let _ = event::id(&value);
    let _ = event::subject(&value);
    let _ = callback::read(&value);
}
