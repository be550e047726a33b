//! Files of an index are written to by somebody else, one kind after the other. Whatever it does then, it never answers
//! what is not so.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use duka_index::{
    AttributeValue, Document, Engine, Error, Facet, PriceStep, Query, SortField, SortKey, damaged_files,
};

const DOCUMENTS: i64 = 600;
/// Every kind of file, by its ending.
const KINDS: [&str; 9] =
    ["store", "term", "idx", "pos", "fast", "fieldnorm", "del", "meta.json", ".managed.json"];

fn document(id: i64) -> Document {
    let size = AttributeValue::Text(format!("size {}", id % 5));
    Document {
        id,
        name: format!("Thing {id}"),
        brand: format!("Brand {}", id % 7),
        description: format!("{} of number {id}", if id % 3 == 0 { "kikoy weaving" } else { "plain" }),
        prices: vec![PriceStep { from: i64::MIN, effective_price: id, discount: None }],
        attributes: BTreeMap::from([("size".to_owned(), size)]),
        is_active: true,
        ..Document::default()
    }
}

fn filled(directory: &Path) -> Engine {
    let engine = Engine::open(directory).unwrap();
    let mut writer = engine.writer(15_000_000).unwrap();
    (0..DOCUMENTS).for_each(|id| writer.upsert(&document(id)).unwrap());
    writer.commit("first").unwrap();
    // Some of them anew, so that there are deletions.
    (0..10).for_each(|id| writer.upsert(&document(id)).unwrap());
    writer.commit("second").unwrap();
    writer.close().unwrap();
    engine
}

fn find(directory: &Path, kind: &str) -> PathBuf {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let found = files.filter(|path| path.to_str().unwrap().ends_with(kind));
    found.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

fn flip(path: &Path, place: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 0x11], place).unwrap();
}

/// Each answer is right or an error; how many are errors.
fn refusals(engine: &Engine) -> usize {
    let sort = vec![SortKey { field: SortField::Price, descending: false }];
    let all = Query { sort, limit: 1_000, ..Query::default() };
    let text = |text: &str| Query { text: Some(text.to_owned()), ..all.clone() };
    let attributes = BTreeMap::from([("size".to_owned(), vec!["size 2".to_owned()])]);
    type Belongs = fn(i64) -> bool;
    let asked: [(Query, Belongs); 6] = [
        (all.clone(), |_| true),
        (Query { brands: vec!["Brand 3".to_owned()], limit: 0, ..all.clone() }, |id| id % 7 == 3),
        (text("kikoy"), |id| id % 3 == 0),
        (text("\"kikoy weaving\""), |id| id % 3 == 0),
        (Query { attributes, ..all.clone() }, |id| id % 5 == 2),
        (Query { facets: vec![Facet::Attribute("size".to_owned())], limit: 0, ..all.clone() }, |_| true),
    ];
    let mut refused = 0;
    for (query, belongs) in asked {
        let expected: Vec<i64> = (0..DOCUMENTS).filter(|id| belongs(*id)).collect();
        match engine.search(&query) {
            Err(_) => refused += 1,
            Ok(hits) => {
                assert_eq!(hits.total, expected.len() as u64, "{query:?}");
                for (hit, id) in hits.hits.iter().zip(&expected) {
                    assert_eq!(hit.document, document(*id), "{query:?}");
                }
                assert!(query.limit == 0 || hits.hits.len() == expected.len());
                hits.facets.attributes.values().flatten().for_each(|value| assert_eq!(value.count, 120));
            }
        }
    }
    refused
}

#[test]
fn what_is_damaged_is_named_and_not_opened() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        drop(filled(directory.path()));
        assert_eq!(damaged_files(directory.path()).unwrap(), Vec::<String>::new());
        let file = find(directory.path(), kind);
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let length = file.metadata().unwrap().len();
        // The end of a file says which version wrote it, too: that is not told apart.
        for place in [0, 10, 20, length / 2 - 50, length - 1] {
            flip(&file, place);
            let damaged = damaged_files(directory.path()).unwrap();
            assert_eq!(damaged, [name.as_str()], "byte {place} of {length}");
            let opened = Engine::open_checked(directory.path());
            assert!(matches!(opened, Err(Error::Corrupt(said)) if said.contains(&name)), "{name}");
            flip(&file, place);
        }
        File::options().write(true).open(&file).unwrap().set_len(length / 2).unwrap();
        assert_eq!(damaged_files(directory.path()).unwrap(), [name.as_str()], "cut");
        fs::remove_file(&file).unwrap();
        match kind {
            // Without the one there is no index, and without the other nothing is missed.
            "meta.json" => assert!(damaged_files(directory.path()).is_err()),
            ".managed.json" => assert!(damaged_files(directory.path()).unwrap().is_empty()),
            _ => assert_eq!(damaged_files(directory.path()).unwrap(), [name.as_str()], "gone"),
        }
    }
}

/// Only where the system tells of writes is damage noticed before anybody reads it.
#[cfg(target_os = "linux")]
#[test]
fn what_is_damaged_while_it_is_open_is_never_answered() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        drop(filled(directory.path()));
        let engine = Engine::open_checked(directory.path()).unwrap();
        assert_eq!((refusals(&engine), engine.is_suspect()), (0, false));
        let file = find(directory.path(), kind);
        let length = file.metadata().unwrap().len();
        for place in [1, length / 3, length / 2, length - 20] {
            flip(&file, place);
        }
        let refused = refusals(&engine);
        let reads_words = ["term", "idx", "pos"].contains(&kind);
        assert_eq!(refused >= 4, reads_words, "{kind}: {refused} refused; what is in memory is answered");
        assert!(engine.is_suspect(), "{kind}");
        let damage = engine.examine().unwrap();
        assert_eq!(damage.files, [file.file_name().unwrap().to_str().unwrap()]);
        assert!(!damage.documents.is_empty() && engine.is_damaged());
        assert_eq!(refusals(&engine), refused, "it does not recover");
    }
}

/// What was written to and is as it was again is believed again.
#[cfg(target_os = "linux")]
#[test]
fn a_suspicion_is_dropped_when_all_is_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path()));
    let engine = Engine::open_checked(directory.path()).unwrap();
    let file = find(directory.path(), "idx");
    for _ in 0..2 {
        flip(&file, 10);
    }
    assert_eq!(refusals(&engine), 4, "nobody has looked yet");
    assert_eq!(engine.examine().unwrap().files, Vec::<String>::new());
    assert_eq!((refusals(&engine), engine.is_suspect(), engine.is_damaged()), (0, false, false));
    // Its own commits and merges are nobody else's.
    let mut writer = engine.writer(15_000_000).unwrap();
    for id in 0..40 {
        writer.upsert(&document(id)).unwrap();
        writer.commit("again").unwrap();
    }
    writer.close().unwrap();
    assert_eq!((refusals(&engine), engine.is_suspect()), (0, false));
    flip(&find(directory.path(), "term"), 10);
    assert!(engine.is_suspect(), "what was committed since is watched too");
}
