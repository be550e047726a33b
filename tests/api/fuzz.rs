//! What comes from outside and is read by hand, mangled for as long as one likes: nothing panics, and nothing takes long.
//!
//! Inputs are made from good ones by flipping, cutting, doubling and splicing, without looking at which code they reach.
//! `DUKA_FUZZ_SECONDS` says for how long each of them is tried (1).

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

use self::targets::{Cursors, Searches, Tokens};

#[allow(dead_code, reason = "one of them is for the programs alone")]
#[path = "../fuzz/targets.rs"]
mod targets;

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

/// What is known to reach far, in the order of its files' names.
fn corpus(what: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(what);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Tries for as long as it is wanted, beginning from its corpus and one more that is good.
fn try_all(what: &str, good: Option<&str>, target: impl Fn(&[u8])) {
    let seconds = std::env::var("DUKA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut random = StdRng::seed_from_u64(seconds);
    let corpus: Vec<Vec<u8>> = corpus(what).into_iter().chain(good.map(Into::into)).collect();
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

#[test]
fn searches_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let searches = Searches::new(folder.path());
    try_all("searches", None, |bytes| searches.read(bytes));
}

#[test]
fn cursors_are_opened() {
    let cursors = Cursors::new();
    try_all("cursors", Some(&cursors.good), |bytes| cursors.read(bytes));
}

#[test]
fn tokens_are_verified() {
    let tokens = Tokens::new();
    try_all("tokens", Some(&tokens.good), |bytes| tokens.read(bytes));
}

#[test]
fn rows_of_imports_are_read() {
    try_all("rows", None, targets::rows);
}

#[test]
fn messages_of_gateways_are_read() {
    try_all("messages", None, targets::messages);
}
