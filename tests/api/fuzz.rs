//! What comes from outside and is read by hand, mangled for as long as one likes: nothing panics, and nothing takes long.
//!
//! Inputs are made from good ones by flipping, cutting, doubling and splicing, without looking at which code they reach.
//! `DUKA_FUZZ_SECONDS` says for how long each of them is tried (1).

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use duka::{
    auth::{Role, Viewer, token::Keys},
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
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use secrecy::SecretString;
use tempfile::TempDir;

/// What the slowest input may take of a processor. A debug build takes several times as long as what is shipped.
const SLOWEST: Duration = Duration::from_millis(if cfg!(debug_assertions) { 250 } else { 50 });

/// How often an input that was slower than all before is tried again; its best time counts. A machine that does other
/// things leaves caches cold, and what a virtual one waits for its host counts as had.
const AGAIN: usize = 10;

/// Words that are put in where they hurt.
const WORDS: [&str; 24] = [
    "&",
    "=",
    "%",
    "%00",
    "%ff",
    "\"",
    "\\u0000",
    "\u{202e}",
    "-",
    "-\"",
    "[]",
    "{}",
    "{\"",
    "null",
    "1e400",
    "-0",
    "99999999999999999999",
    "page=",
    "cursor=",
    "sort=-",
    "attr.",
    "\r\n",
    "\u{feff}",
    ",",
];

fn mangle(random: &mut StdRng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(1..8) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..16)).min(bytes.len());
        match random.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes.insert(at, random.random()),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].repeat(random.random_range(1..20));
                bytes.splice(at..at, piece);
            }
            4 => {
                let other = &corpus[random.random_range(0..corpus.len())];
                let from = random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            5 => {
                let word = WORDS[random.random_range(0..WORDS.len())];
                bytes.splice(at..at, word.bytes());
            }
            _ => {
                let mut noise = vec![0; random.random_range(0..32)];
                random.fill_bytes(&mut noise);
                bytes.splice(at..end, noise);
            }
        }
    }
    bytes.truncate(16 * 1024);
    bytes
}

/// What this thread has had of a processor; where the system does not say, the time.
fn processor_time(begun: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let had = told.and_then(|told| told.split(' ').next()?.parse().ok());
    had.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// Tries for as long as it is wanted.
fn try_all(what: &str, corpus: &[&str], target: impl Fn(&[u8])) {
    let seconds = std::env::var("DUKA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut random = StdRng::seed_from_u64(seconds);
    let corpus: Vec<Vec<u8>> = corpus.iter().map(|text| text.as_bytes().to_vec()).collect();
    let (begun, mut tried, mut slowest) = (Instant::now(), 0_u64, (Duration::ZERO, Vec::new()));
    for good in &corpus {
        target(good);
    }
    while begun.elapsed() < Duration::from_secs(seconds) {
        let input = mangle(&mut random, &corpus);
        let run = || {
            let before = processor_time(begun);
            let ran = catch_unwind(AssertUnwindSafe(|| target(&input)));
            assert!(ran.is_ok(), "{what} panics at {:?}", String::from_utf8_lossy(&input));
            processor_time(begun).saturating_sub(before)
        };
        let mut took = run();
        for _ in 0..AGAIN {
            if took > slowest.0 {
                took = took.min(run());
            }
        }
        assert!(took <= SLOWEST, "{what} takes {took:?} for {:?}", String::from_utf8_lossy(&input));
        if took > slowest.0 {
            slowest = (took, input);
        }
        tried += 1;
    }
    println!(
        "{what}: {tried} inputs, the slowest {:?}: {:?}",
        slowest.0,
        String::from_utf8_lossy(&slowest.1)
    );
    assert!(tried > 20, "{what}: only {tried}");
}

fn keys() -> Keys {
    Keys::new(&SecretString::from("a secret that is long enough for tests"), None)
}

/// An index of some products.
fn shelf() -> (TempDir, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path()).unwrap();
    let mut writer = engine.writer(15_000_000).unwrap();
    for id in 1..300 {
        let prices = vec![PriceStep { from: i64::MIN, effective_price: 100 + id, discount: None }];
        let (name, brand) = (format!("Wireless kettle {id} USB-C 4"), format!("Brand {}", id % 7));
        let (sku, description) =
            (format!("AB-{id}"), "A steel kettle for two, with a power cable".to_owned());
        let document =
            Document { id, name, brand, sku, description, prices, is_active: true, ..Document::default() };
        writer.upsert(&document).unwrap();
    }
    writer.commit("").unwrap();
    (folder, engine)
}

#[test]
fn searches_are_read() {
    let ((_folder, engine), keys, lexicon) = (shelf(), keys(), Lexicon::default());
    let corpus = [
        "q=wireless%20kettle&category=1&category=home&brand=Brand%201&price_min=1.00&price_max=99.99&in_stock=true",
        "search=%22power%20cable%22%20-steel&ordering=price,-rating,name&facets=category,brand,price,rating,attr.color",
        "q=usb-c+4&attr.color=red&attr.color=blue&rating_min=4&on_sale=true&highlight=true&page=3&page_size=100",
        "vendor_id=7&min_version=1:2&cursor=AAAA&sort=-date_added",
        "q=ketle+wireles&facets=none",
    ];
    try_all("a search", &corpus, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(suggest) = params::read::<Suggest>(&text) {
            engine.reader().suggest(&suggest.query, &lexicon).unwrap();
        }
        let Ok(search) = params::read::<Search>(&text) else { return };
        let Ok(query) = search.query(Viewer::default(), &keys) else { return };
        let hits = engine.reader().search(&query, &lexicon).unwrap();
        assert!(hits.hits.len() <= 100);
    });
}

#[test]
fn cursors_are_opened() {
    let keys = keys();
    let place = (7_i64, "kettle".to_owned());
    let span = Span { after: None::<(i64, String)>, offset: 0, limit: 2 };
    let found = span.found(&keys, &"a list", vec![(), ()], 2, |()| place.clone()).unwrap();
    let good = format!("cursor={}", found.next_cursor.unwrap());
    let corpus = [good.as_str(), "cursor=", "page=2&page_size=24"];
    try_all("a cursor", &corpus, |bytes| {
        let Ok(read) = params::read::<Place>(&String::from_utf8_lossy(bytes)) else { return };
        if let Ok(Span { after: Some(after), .. }) = read.open::<(i64, String)>(&keys, &"a list") {
            assert_eq!(after, place, "nobody has sealed it");
        }
    });
}

#[test]
fn tokens_are_verified() {
    let keys = keys();
    let now =
        i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs());
    let good = keys.issue(7, 3, Role::Customer, now.unwrap()).unwrap();
    let claims = keys.verify(&good).unwrap();
    let corpus = [good.as_str(), "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "a.b.c"];
    try_all("a token", &corpus, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        // The last letter of a signature has bits that say nothing.
        if let Some(read) = keys.verify(text) {
            assert_eq!(read, claims, "{text}");
        }
    });
}

#[test]
fn rows_of_imports_are_read() {
    let currency: Currency = "USD".parse().unwrap();
    let corpus = [
        "{\"sku\": \"A\", \"name\": \"Kanga, pair\", \"price\": \"12.50\", \"category_path\": [\"A\", \"B\"], \"stock\": 3}\n{\"sku\": \"B\", \"name\": \"n\", \"price\": 1e2, \"attributes\": {\"a\": [\"x\", 1.5, true]}, \"variants\": [{\"variant_name\": \"M\", \"sku\": \"B-M\"}]}",
        "sku,name,price,category_path,attr.color,variants\nA,\"Kanga, \"\"pair\"\"\",12.50,A > B,red,\"[{\"\"variant_name\"\":\"\"M\"\",\"\"sku\"\":\"\"B\"\"}]\"\n'=B,n,1,,,\n",
        "{\"external_id\": \"7\", \"name\": \"x\", \"price\": \"0.01\", \"rating\": 4.5, \"rating_count\": 3, \"date_added\": \"2026-01-01T00:00:00Z\"}",
    ];
    try_all("rows", &corpus, |bytes| {
        for format in [Format::Ndjson, Format::Csv, Format::detect(bytes, "")] {
            let Ok(source) = Source::open(Cursor::new(bytes), format, currency) else { continue };
            for entry in source {
                let Ok(entry) = entry else { break };
                if let Ok(row) = entry.row {
                    // What is exported is what was read.
                    let again = parse_json(&row.to_json(currency), currency);
                    assert_eq!(again.as_ref().ok(), Some(&row), "{again:?}");
                }
            }
        }
    });
}

#[test]
fn messages_of_gateways_are_read() {
    let corpus = [
        r#"{"id":"evt_1","object":"event","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","amount_received":1250,"currency":"usd","status":"succeeded"}}}"#,
        r#"{"id":"evt_2","type":"charge.refunded","data":{"object":{"payment_intent":"pi_1","amount_refunded":100,"refunds":{"data":[{"status":"failed"}]}}}}"#,
        r#"{"Body":{"stkCallback":{"MerchantRequestID":"1","CheckoutRequestID":"ws_CO_1","ResultCode":0,"ResultDesc":"ok","CallbackMetadata":{"Item":[{"Name":"Amount","Value":1.00},{"Name":"MpesaReceiptNumber","Value":"R"}]}}}}"#,
        r#"{"Result":{"ResultType":0,"ResultCode":"0","ConversationID":"AG_1","TransactionID":"T","ResultParameters":{"ResultParameter":[{"Key":"Amount","Value":"1"}]}}}"#,
    ];
    try_all("a message of a gateway", &corpus, |bytes| {
        let Ok(value) = serde_json::from_slice(bytes) else { return };
        let _ = event::id(&value);
        let _ = event::subject(&value);
        let _ = callback::read(&value);
    });
}
