//! What becomes of the segments that a build leaves.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use duka_index::Engine;

use crate::{document, filled};

#[test]
fn what_a_build_leaves_is_merged_without_any_change() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(directory.path()).unwrap();
    let bulk = engine.bulk(8, 0).unwrap();
    // Each thread that takes any writes a segment.
    (0..24_000).for_each(|id| bulk.add(&document(id, "Steel kettle")).unwrap());
    let built = bulk.commit("built").unwrap();
    let segments = engine.status().segments;
    assert!(segments >= 4, "{segments}");
    let mut writer = engine.writer(0).unwrap();
    writer.merge().unwrap();
    writer.upsert(&document(24_000, "Steel pan")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let merged = loop {
        if let Some(merged) = writer.take_merged().unwrap() {
            break merged;
        }
        assert_eq!(engine.status().segments, segments, "until it is told to");
        assert!(Instant::now() < deadline, "they are never merged");
        thread::sleep(Duration::from_millis(10));
    };
    assert!(
        merged > built && engine.generation() == merged,
        "answers of the one before are not taken for its"
    );
    assert!(engine.status().segments < segments, "those that are large enough are one");
    assert_eq!(engine.len(), 24_000, "what is not committed is not seen");
    assert_eq!(engine.payload().as_deref(), Some("built"));
    assert_eq!(writer.take_merged().unwrap(), None);
    writer.commit("changed").unwrap();
    assert_eq!((engine.len(), engine.payload().as_deref()), (24_001, Some("changed")));
}

#[test]
fn what_a_writer_has_left_on_the_disk_is_removed_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), &[document(1, "Steel kettle")]);
    let bytes = || -> u64 {
        let files = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap());
        files.map(|file| file.metadata().unwrap().len()).sum()
    };
    let before = bytes();
    let mut writer = engine.writer(0).unwrap();
    // More than it gathers in memory, so that a segment is written which no commit names.
    for id in 2..20_000 {
        writer.upsert(&document(id, &format!("{id} {}", "long name ".repeat(100)))).unwrap();
    }
    drop(writer);
    assert!(bytes() > 2 * before, "{} from {before}", bytes());
    let mut writer = engine.writer(0).unwrap();
    assert!(bytes() < 2 * before, "{} from {before}", bytes());
    writer.upsert(&document(2, "Steel pan")).unwrap();
    writer.commit("").unwrap();
    assert_eq!((engine.len(), Engine::open(directory.path()).unwrap().len()), (2, 2));
}
