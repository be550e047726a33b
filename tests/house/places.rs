//! What may stand where: SQL, status codes, the engine's library; and what every file owes its reader.

use crate::{
    Breach,
    source::{Source, line_of},
};

/// Files that have SQL in them, beside what is below a `store`.
const STORES: [&str; 2] = ["store.rs", "projection.rs"];
/// What runs SQL.
const RUNNERS: [&str; 10] = [
    "query!",
    "query_as!",
    "query_scalar!",
    "query_file!",
    "query_file_as!",
    "sqlx::query(",
    "sqlx::query_as(",
    "sqlx::query_scalar(",
    "raw_sql(",
    "QueryBuilder",
];
/// Files at the edge, beside every `http.rs`.
const EDGE: [&str; 7] = [
    "src/error.rs",
    "src/extract.rs",
    "src/health.rs",
    "src/reply.rs",
    "src/router.rs",
    "src/router/short.rs",
    "src/server.rs",
];
/// Files whose transactions have no author.
const UNSIGNED: [&str; 4] = [
    // People's own sessions and passwords, which are nobody else's.
    "src/account/actions.rs",
    // Where they get one.
    "src/auth/author.rs",
    // Where any begins.
    "src/database/mod.rs",
    // It reads.
    "src/indexing/store.rs",
];
/// Where the nodes are told that the catalog changed, on a connection of its own.
const NOTIFIER: &str = "src/indexing/store.rs";
/// What is wrong with telling them elsewhere.
const NOTIFYING: &str = "a notification in a writer's transaction makes all writers commit one after another; call \
                         `Indexing::changed` after the commit";
/// A file is read in one sitting.
const LONGEST: usize = 400;
/// How a file says why it is longer.
const REASON: &str = "// over 400 lines: ";
/// Words that say nothing of what is in a file.
const EMPTY_WORDS: [&str; 8] =
    ["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"];

/// SQL stands in stores.
pub(crate) fn sql_is_in_stores(source: &Source) -> Vec<Breach> {
    if STORES.contains(&source.name()) || source.module().iter().any(|name| name == "store") {
        return Vec::new();
    }
    let run = RUNNERS.iter().flat_map(|runner| source.lines_with(runner));
    let written = source.strings.iter().filter(|string| is_statement(&string.text)).map(|string| string.line);
    let mut lines: Vec<usize> = run.chain(written).collect();
    lines.sort_unstable();
    lines.dedup();
    let breach = |line| {
        source.breach(line, "SQL stands in a `store.rs` (or `projection.rs`); move the statement there")
    };
    lines.into_iter().map(breach).collect()
}

/// Not just the word: "update the row" is a sentence.
fn is_statement(text: &str) -> bool {
    let text: Vec<&str> = text.split_whitespace().collect();
    match text.as_slice() {
        ["select", ..] | ["insert", "into", ..] | ["delete", "from", ..] => true,
        ["update", rest @ ..] => rest.contains(&"set"),
        _ => false,
    }
}

/// SQL in the source is in lower case.
pub(crate) fn statements_are_in_lower_case(source: &Source) -> Vec<Breach> {
    let loud = |text: &str| {
        let first = text.split_whitespace().next().unwrap_or_default();
        let verb = ["select", "insert", "update", "delete", "with", "truncate", "create", "begin"];
        verb.contains(&first.to_ascii_lowercase().as_str()) && is_loud(first)
    };
    let found = source.strings.iter().filter(|string| loud(&string.text));
    found.map(|string| source.breach(string.line, "SQL is written in lower case")).collect()
}

/// A migration, comments and quoted text aside, is in lower case.
pub(crate) fn migrations_are_in_lower_case(path: &str, text: &str) -> Vec<Breach> {
    let breach = |(line, code): (usize, String)| {
        let loud: Vec<&str> = words(&code).filter(|word| is_loud(word)).collect();
        let what = format!("SQL is written in lower case, not {}", loud.join(" "));
        (!loud.is_empty()).then(|| Breach { path: path.to_owned(), line, what })
    };
    migration_code(text).into_iter().filter_map(breach).collect()
}

/// The lines of a migration by number, without comments and quoted text.
fn migration_code(text: &str) -> Vec<(usize, String)> {
    let mut quote = None;
    let line = |(number, line): (usize, &str)| {
        let mut code = String::new();
        for (at, c) in line.char_indices() {
            match quote {
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None if line[at..].starts_with("--") => break,
                None if c == '\'' || c == '"' => quote = Some(c),
                None => code.push(c),
            }
        }
        (number + 1, code)
    };
    text.lines().enumerate().map(line).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

fn is_loud(word: &str) -> bool {
    word.len() > 1
        && word.bytes().any(|b| b.is_ascii_uppercase())
        && !word.bytes().any(|b| b.is_ascii_lowercase())
}

/// Whoever writes does not notify: in a transaction that writes it makes all who do so commit one after another.
pub(crate) fn one_place_notifies(source: &Source) -> Vec<Breach> {
    if source.path == NOTIFIER {
        return Vec::new();
    }
    let notifies = |text: &str| {
        words(text).any(|word| word == "pg_notify")
            || text.split(';').any(|statement| words(statement.trim_start()).next() == Some("notify"))
    };
    let found = source.strings.iter().filter(|string| notifies(&string.text.to_ascii_lowercase()));
    found.map(|string| source.breach(string.line, NOTIFYING)).collect()
}

/// The same of a migration, whose triggers run in the writer's transaction.
pub(crate) fn no_trigger_notifies(path: &str, text: &str) -> Vec<Breach> {
    let notifies = |code: &str| words(code).any(|word| matches!(word, "notify" | "pg_notify"));
    let found = migration_code(text).into_iter().filter(|(_, code)| notifies(code));
    found.map(|(line, _)| Breach { path: path.to_owned(), line, what: NOTIFYING.to_owned() }).collect()
}

/// Status codes are chosen at the edge.
pub(crate) fn status_codes_are_at_the_edge(source: &Source) -> Vec<Breach> {
    if source.name() == "http.rs" || EDGE.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let what =
        "a status code is chosen in an `http.rs`, or by an error's `Kind`; return an error or a plain value";
    source.lines_with("StatusCode").into_iter().map(|line| source.breach(line, what)).collect()
}

/// The service does not know what the engine is made of, and the engine not what it serves.
pub(crate) fn the_engine_is_apart(source: &Source) -> Vec<Breach> {
    let (strangers, what): (&[&str], _) = if source.path.starts_with("index/") {
        (
            &["sqlx", "axum", "tokio"],
            "the engine knows neither PostgreSQL nor HTTP nor a runtime; hand it plain data",
        )
    } else {
        (&["tantivy"], "tantivy is the engine's own; add what is missing to `duka_index`'s interface")
    };
    let lines = strangers.iter().flat_map(|stranger| source.lines_with(stranger));
    lines.map(|line| source.breach(line, what)).collect()
}

/// A transaction whose beginning is given up is left to the next one on its connection, unless it begins on a task of its
/// own.
pub(crate) fn transactions_begin_in_one_place(source: &Source) -> Vec<Breach> {
    if !source.path.starts_with("src/") || source.path == "src/database/mod.rs" {
        return Vec::new();
    }
    let what = "begun where it may be given up; begin it with `auth::begin`, `database::begin` or \
                `database::begin_snapshot`";
    let lines = [".begin()", ".begin_with("].into_iter().flat_map(|begin| source.lines_with(begin));
    lines.map(|line| source.breach(line, what)).collect()
}

/// Whoever writes says so: nothing reaches the audit without its author.
pub(crate) fn transactions_have_an_author(source: &Source) -> Vec<Breach> {
    if UNSIGNED.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let what = "nobody's transaction; begin it with `auth::begin(pool, proof)` or `CatalogWrite::begin(app, proof)`, so \
                that the audit knows who wrote";
    let lines = [".begin()", ".begin_with(", "database::begin("]
        .into_iter()
        .flat_map(|begin| source.lines_with(begin));
    lines.map(|line| source.breach(line, what)).collect()
}

/// Whoever claims a key and then refuses gives it back before the answer, and does not leave it to chance.
pub(crate) fn a_claimed_key_is_given_back(source: &Source) -> Vec<Breach> {
    if !source.lines_with(".rollback()").is_empty() {
        return Vec::new();
    }
    let what = "a key is claimed and never given back by a `rollback()`: who is refused and asks again at once is told \
                that it is in use";
    source.lines_with("idempotency::begin").into_iter().map(|line| source.breach(line, what)).collect()
}

/// The same of a manifest's dependencies.
pub(crate) fn the_engine_depends_on_neither(path: &str, manifest: &str) -> Vec<Breach> {
    let strangers: &[&str] =
        if path.starts_with("index/") { &["sqlx", "axum", "tokio"] } else { &["tantivy"] };
    let name = |line: &str| line.split(['=', '.', ' ']).next().unwrap_or_default().to_owned();
    // What is only measured against stands among the dependencies of benches.
    let built = manifest.lines().enumerate().take_while(|(_, line)| *line != "[dev-dependencies]");
    let lines = built.filter(|(_, line)| strangers.contains(&name(line).as_str()));
    let breach = |(at, line): (usize, &str)| {
        let what = format!(
            "`{}` does not belong to this package: tantivy is `index`'s alone, and only it",
            name(line)
        );
        Breach { path: path.to_owned(), line: at + 1, what }
    };
    lines.map(breach).collect()
}

/// A file is short, or says why it is not.
pub(crate) fn files_are_short(source: &Source) -> Vec<Breach> {
    let lines = source.text.lines().count();
    let excused = source
        .text
        .lines()
        .any(|line| line.trim().strip_prefix(REASON.trim_end()).is_some_and(|r| r.len() > 8));
    if lines <= LONGEST || excused {
        return Vec::new();
    }
    let what = format!("{lines} lines; split it by what it tells, or say `{REASON}<reason>` on a line");
    vec![source.breach(LONGEST + 1, what)]
}

/// A file says what it is for.
pub(crate) fn files_begin_with_their_purpose(source: &Source) -> Vec<Breach> {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![source.breach(1, "begins without `//!`; say in its first line what lives here")]
}

/// A file's name says what is in it.
pub(crate) fn names_say_something(source: &Source) -> Vec<Breach> {
    let inner = source.path.trim_end_matches(".rs");
    let empty = inner.split(['/', '_']).find(|word| EMPTY_WORDS.contains(word));
    let breach = |word| {
        source.breach(1, format!("`{word}` says nothing; name the file after the word that it is about"))
    };
    empty.map(breach).into_iter().collect()
}

/// Where a rule was broken, for the tests below.
fn lines(breaches: &[Breach]) -> Vec<usize> {
    breaches.iter().map(|breach| breach.line).collect()
}

// Made-up houses that are refused ------------------------------------------------------------------------------

#[test]
fn sql_elsewhere_is_refused() {
    let text = "fn f() {\n    sqlx::query!(\"truncate x\");\n    let s = \"select 1\";\n    let t = r#\"\n  update a set b = 1\"#;\n    \
                say(\"update your .env\");\n    // select 2\n    query_as!(A, \"x\")\n}\n";
    let at = text.find("update a").map_or(0, |at| line_of(text, at)) - 1;
    assert_eq!(lines(&sql_is_in_stores(&Source::new("src/cart/actions.rs", text))), [2, 3, at, 8]);
    assert!(sql_is_in_stores(&Source::new("src/cart/store.rs", text)).is_empty());
    assert!(sql_is_in_stores(&Source::new("src/cart/tests.rs", text)).is_empty());
}

#[test]
fn shouted_sql_is_refused() {
    let source = Source::new(
        "src/cart/store.rs",
        "const A: [&str; 3] = [\n\"SELECT 1\",\n\"select 1\",\n\"Update it\"];",
    );
    assert_eq!(lines(&statements_are_in_lower_case(&source)), [2]);
    let migration = "-- A TABLE\ncreate table a (b text default 'X');\ncomment on table a is 'Has\nTWO lines';\nCREATE INDEX ON a (b);\n";
    assert_eq!(lines(&migrations_are_in_lower_case("migrations/1.sql", migration)), [5]);
}

#[test]
fn a_notification_of_the_writer_s_is_refused() {
    let text = "// pg_notify\nfn f() {\nquery!(\"select pg_notify($1, '')\");\nraw_sql(\"commit; NOTIFY a\");\n\
                say(\"they notify you\");\nwake.notify_one();\n}\n";
    assert_eq!(lines(&one_place_notifies(&Source::new("src/cart/store.rs", text))), [3, 4]);
    assert!(one_place_notifies(&Source::new(NOTIFIER, text)).is_empty());
    let migration = "-- notify\ncomment on table a is 'notify';\ncreate function f() as $$\nbegin\n    perform \
                     pg_notify('a', '');\n    notify a;\nend $$;\n";
    assert_eq!(lines(&no_trigger_notifies("migrations/1.sql", migration)), [5, 6]);
}

#[test]
fn a_status_code_inside_is_refused() {
    let text = "use axum::http::Method;\nfn f() -> u16 { StatusCode::OK.as_u16() }\n";
    assert_eq!(lines(&status_codes_are_at_the_edge(&Source::new("src/cart/actions.rs", text))), [2]);
    assert_eq!(lines(&status_codes_are_at_the_edge(&Source::new("src/cart/error.rs", text))), [2]);
    assert!(status_codes_are_at_the_edge(&Source::new("src/cart/http.rs", text)).is_empty());
}

#[test]
fn a_transaction_of_nobody_s_is_refused() {
    let text = "fn f() {\n    let a = app.web.begin().await?;\n    let b = auth::begin(&app.web, admin).await?;\n    \
                let c = pool.begin_with(\"x\").await?;\n    let d = database::begin(&app.web).await?;\n}\n";
    assert_eq!(lines(&transactions_have_an_author(&Source::new("src/cart/actions.rs", text))), [2, 4, 5]);
    assert!(transactions_have_an_author(&Source::new("src/auth/author.rs", text)).is_empty());
}

#[test]
fn a_transaction_that_may_be_given_up_as_it_begins_is_refused() {
    let text = "fn f() {\n    let a = app.web.begin().await?;\n    let b = auth::begin(&app.web, admin).await?;\n    \
                let c = pool.begin_with(READING).await?;\n    let d = database::begin_snapshot(&pool).await?;\n}\n";
    assert_eq!(lines(&transactions_begin_in_one_place(&Source::new("src/indexing/store.rs", text))), [2, 4]);
    assert!(transactions_begin_in_one_place(&Source::new("src/database/mod.rs", text)).is_empty());
    assert!(transactions_begin_in_one_place(&Source::new("tests/api/a.rs", text)).is_empty());
}

#[test]
fn a_key_that_is_kept_by_a_refusal_is_refused() {
    let claims = "fn f() {\n    // rollback()\n    idempotency::begin(db, request).await?;\n}\n";
    let refused =
        |text: &str| lines(&a_claimed_key_is_given_back(&Source::new("src/order/actions.rs", text)));
    assert_eq!(refused(claims), [3]);
    assert!(refused(&claims.replace("// ", "write.")).is_empty());
}

#[test]
fn a_stranger_in_the_engine_is_refused() {
    let text = "// tantivy and sqlx\nuse tantivy::Index;\nuse sqlx::PgPool;\n";
    assert_eq!(lines(&the_engine_is_apart(&Source::new("src/search/actions.rs", text))), [2]);
    assert_eq!(lines(&the_engine_is_apart(&Source::new("index/src/engine.rs", text))), [3]);
    let manifest = "[dependencies]\ntokio.workspace = true\ntantivy = \"0.27\"\n";
    assert_eq!(lines(&the_engine_depends_on_neither("index/Cargo.toml", manifest)), [2]);
    assert_eq!(lines(&the_engine_depends_on_neither("Cargo.toml", manifest)), [3]);
}

#[test]
fn a_long_file_is_refused() {
    let long = "x\n".repeat(401);
    assert_eq!(lines(&files_are_short(&Source::new("src/a.rs", long.clone()))), [401]);
    assert_eq!(lines(&files_are_short(&Source::new("src/a/tests.rs", format!("{long}{REASON}\n")))), [401]);
    assert!(
        files_are_short(&Source::new("src/a.rs", format!("{long}{REASON}one table, read as one\n")))
            .is_empty()
    );
    assert!(files_are_short(&Source::new("index/src/a.rs", "x\n".repeat(400))).is_empty());
}

#[test]
fn a_file_without_purpose_or_name_is_refused() {
    assert_eq!(files_begin_with_their_purpose(&Source::new("src/a.rs", "use b;\n//! Late.")).len(), 1);
    for path in ["src/utils.rs", "src/common/mod.rs", "src/cart/cart_manager.rs", "index/src/helpers.rs"] {
        assert_eq!(names_say_something(&Source::new(path, "")).len(), 1, "{path}");
    }
    assert!(names_say_something(&Source::new("src/cart/commonplace.rs", "")).is_empty());
}
