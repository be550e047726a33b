//! The rules of the house, enforced: who may import whom, and what may stand where.
//!
//! `ARCHITECTURE.md` gives the reasons. Each rule reads the sources as text and is a test of its own, which names
//! every file and line that breaks it and what to do instead; beside each rule in `house/`, made-up sources
//! that break it are refused, so that the rule itself cannot fall asleep. A rule that is in the way is changed
//! here and in `ARCHITECTURE.md`, never worked around.

#[path = "house/imports.rs"]
mod imports;
#[path = "house/places.rs"]
mod places;
#[path = "house/source.rs"]
mod source;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use self::source::Source;

/// One line that breaks a rule.
#[derive(Debug)]
struct Breach {
    path: String,
    line: usize,
    /// What is wrong, and what to do instead.
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

impl Source {
    fn breach(&self, line: usize, what: impl Into<String>) -> Breach {
        Breach { path: self.path.clone(), line, what: what.into() }
    }
}

/// Every Rust file of the repository.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let folders = ["src", "tests", "benches", "index/src", "index/tests", "index/benches"];
    let paths = folders.iter().flat_map(|folder| files(folder, "rs"));
    paths.map(|(path, text)| Source::new(path, text)).collect()
});

/// The files below a folder that end so, by path; a folder that is not there has none.
fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, extension, found);
            } else if path.extension().is_some_and(|given| given == extension) {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), extension, &mut found);
    found.sort();
    let named = |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).display().to_string();
    found.iter().map(|path| (named(path), fs::read_to_string(path).unwrap_or_default())).collect()
}

/// Holds a rule against every file whose path begins so.
#[track_caller]
fn keep(folders: &[&str], rule: impl Fn(&Source) -> Vec<Breach>) {
    let held = |source: &&Source| folders.iter().any(|folder| source.path.starts_with(folder));
    let held: Vec<&Source> = SOURCES.iter().filter(held).collect();
    assert!(held.len() > 10, "only {} files were found below {folders:?}", held.len());
    demand(&held.into_iter().flat_map(rule).collect::<Vec<_>>());
}

/// Holds a rule against every migration.
#[track_caller]
fn keep_in_migrations(rule: impl Fn(&str, &str) -> Vec<Breach>) {
    let migrations = files("migrations", "sql");
    assert!(!migrations.is_empty(), "no migrations were found");
    demand(&migrations.iter().flat_map(|(path, text)| rule(path, text)).collect::<Vec<_>>());
}

#[track_caller]
fn demand(breaches: &[Breach]) {
    let list: Vec<String> = breaches.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "the house's rule is broken {} times:\n{}\n", list.len(), list.join("\n"));
}

/// The rules are blind where the reader loses its way: then brackets would no longer pair.
#[test]
fn every_file_can_be_read() {
    keep(&[""], |source| {
        let count = |bracket| source.code.matches(bracket).count();
        let paired =
            [('(', ')'), ('[', ']'), ('{', '}')].iter().all(|(open, close)| count(*open) == count(*close));
        let what = "its strings and comments could not be told from its code; mend tests/house/source.rs";
        (!paired).then(|| source.breach(1, what)).into_iter().collect()
    });
}

// Who may import whom ----------------------------------------------------------------------------------------

#[test]
fn every_module_has_a_place() {
    keep(&["src/"], imports::everybody_has_a_place);
}

#[test]
fn the_ground_looks_at_the_ground() {
    keep(&["src/"], imports::ground_looks_at_ground);
}

#[test]
fn nobody_looks_at_the_top() {
    keep(&["src/"], imports::nobody_looks_at_the_top);
}

#[test]
fn strangers_and_the_shop_stay_strangers() {
    keep(&["src/"], imports::strangers_stay_strangers);
}

#[test]
fn features_look_left_at_models_and_actions() {
    keep(&["src/"], imports::features_look_left);
}

#[test]
fn within_a_feature_the_edge_is_above_actions_above_store_above_model() {
    keep(&["src/"], imports::layers_look_down);
}

#[test]
fn handlers_are_seen_by_the_router_alone() {
    keep(&["src/"], imports::the_edge_is_the_routers);
}

// What may stand where ---------------------------------------------------------------------------------------

#[test]
fn sql_stands_in_stores() {
    keep(&["src/", "index/src/"], places::sql_is_in_stores);
}

#[test]
fn sql_is_in_lower_case() {
    keep(&["src/"], places::statements_are_in_lower_case);
}

#[test]
fn migrations_are_in_lower_case() {
    keep_in_migrations(places::migrations_are_in_lower_case);
}

#[test]
fn whoever_writes_does_not_notify() {
    keep(&["src/"], places::one_place_notifies);
    keep_in_migrations(places::no_trigger_notifies);
}

#[test]
fn status_codes_stand_at_the_edge() {
    keep(&["src/"], places::status_codes_are_at_the_edge);
}

#[test]
fn whoever_writes_says_so() {
    keep(&["src/"], places::transactions_have_an_author);
}

#[test]
fn transactions_begin_in_one_place() {
    keep(&["src/"], places::transactions_begin_in_one_place);
}

#[test]
fn whoever_claims_a_key_gives_it_back() {
    keep(&["src/"], places::a_claimed_key_is_given_back);
}

#[test]
fn the_engine_stands_apart() {
    keep(&["src/", "index/"], places::the_engine_is_apart);
}

#[test]
fn the_engine_depends_on_no_server() {
    let manifests = ["Cargo.toml", "index/Cargo.toml"].map(|path| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default();
        assert!(text.contains("[dependencies]"), "{path} was not found");
        places::the_engine_depends_on_neither(path, &text)
    });
    demand(&manifests.into_iter().flatten().collect::<Vec<_>>());
}

// What every file owes its reader ----------------------------------------------------------------------------

#[test]
fn no_file_is_too_long() {
    keep(&["src/", "index/src/"], places::files_are_short);
}

#[test]
fn every_file_begins_with_its_purpose() {
    keep(&[""], places::files_begin_with_their_purpose);
}

#[test]
fn no_file_has_an_empty_name() {
    keep(&["src/", "index/src/"], places::names_say_something);
}
