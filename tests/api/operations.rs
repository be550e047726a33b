//! What is beside the code for those who run it, in `.ops`: it speaks of figures that there are, and has a chapter for
//! each alert.

use std::{collections::BTreeSet, fs, path::Path};

use duka::auth::Role;

use reqwest::Method;

use crate::{rights::operations, support::with_shop};

fn operating(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ops").join(name)).unwrap()
}

/// The names of duka's figures in a text.
fn figures(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("duka_")).map(base).collect()
}

/// A histogram is exported as three.
fn base(name: &str) -> String {
    let parts = ["_bucket", "_sum", "_count"];
    parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name).to_owned()
}

/// What the source measures: the first argument of each macro of measures, and names that are handed on.
fn measured() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("telemetry.rs") {
                let text = fs::read_to_string(&path).unwrap();
                for kind in ["counter!(\"", "gauge!(\"", "histogram!(\"", "(\"duka_payment"] {
                    for (at, _) in text.match_indices(kind) {
                        let name = text[at..].split('"').nth(1).unwrap_or_default();
                        found.insert(name.to_owned());
                    }
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.retain(|name| name.starts_with("duka_"));
    assert!(found.len() > 30, "{found:?}");
    found
}

#[tokio::test]
async fn alerts_watch_what_is_exported() {
    with_shop(async |shop| {
        shop.user("ada", Role::Customer).await;
        shop.get("/api/product/").await.expect(200);
        // Taken every few seconds.
        let alerts = operating("alerts.yml");
        let watched = figures(&alerts);
        assert!(watched.len() > 10, "{watched:?}");
        let mut missing = watched.clone();
        for _ in 0..100 {
            let exported = figures(&shop.get("/metrics").await.expect(200).text);
            missing = watched.difference(&exported).cloned().collect();
            if missing.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(missing.is_empty(), "a server that has done nothing wrong does not export {missing:?}");
    })
    .await;
}

/// Each pair of labels is kept for ever: clients make none.
#[tokio::test]
async fn only_operations_have_series_of_their_own() {
    with_shop(async |shop| {
        for path in ["/api/product/", "/api/order/1/", "/api/nothing/", "/graphql/", "/swagger/", "/"] {
            for method in ["OPTIONS", "HEAD", "TRACE", "PURGE", "DELETE", "LOOK-AT-ME"] {
                shop.send(shop.request(method.parse::<Method>().unwrap(), path)).await;
            }
        }
        let known = operations();
        let metrics = shop.get("/metrics").await.expect(200).text;
        let counts = metrics.lines().filter_map(|line| line.strip_prefix("duka_http_request_seconds_count{"));
        let mut seen = 0;
        for line in counts {
            let label = |name: &str| line.split(&format!("{name}=\"")).nth(1)?.split('"').next();
            let (route, method) = (label("route").unwrap(), label("method").unwrap());
            let is_document = !route.starts_with("/api/") || route == "/api/openapi.json";
            let is_page = is_document && matches!(method, "GET" | "POST");
            let is_other = route == "unmatched" && !matches!(method, "TRACE" | "PURGE" | "LOOK-AT-ME");
            assert!(is_page || is_other || known.contains(&format!("{method} {route}")), "{line}");
            seen += 1;
        }
        assert!(seen > 2, "{seen}");
        assert!(metrics.len() < 256 * 1024, "{} bytes", metrics.len());
    })
    .await;
}

#[test]
fn the_dashboard_shows_what_is_measured() {
    let dashboard = operating("dashboard.json");
    let read: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = read["panels"].as_array().unwrap();
    assert!(
        panels.iter().all(|panel| panel["targets"][0]["expr"].as_str().is_some_and(|e| e.contains("duka_")))
    );
    let (shown, measured) = (figures(&dashboard), measured());
    let unknown: Vec<_> = shown.difference(&measured).collect();
    assert!(shown.len() > 20 && unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_figure_says_what_it_is() {
    let telemetry =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/telemetry.rs")).unwrap();
    let (described, measured) = (figures(&telemetry), measured());
    let silent: Vec<_> = measured.difference(&described).collect();
    assert!(silent.is_empty(), "say in src/telemetry.rs what these are: {silent:?}");
    let gone: Vec<_> = described.difference(&measured).collect();
    assert!(gone.is_empty(), "nothing measures {gone:?}");
}

#[test]
fn every_alert_has_its_chapter() {
    let (alerts, book) = (operating("alerts.yml"), operating("RUNBOOK.md"));
    let names: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in &names {
        assert!(book.contains(&format!("\n## {name}\n")), "RUNBOOK.md does not say what to do about {name}");
        let link = format!("runbook: RUNBOOK.md#{}", name.to_lowercase());
        assert!(alerts.contains(&link), "{name} does not name its chapter");
    }
    let chapters = book.lines().filter_map(|line| line.strip_prefix("## Duka")).count();
    assert_eq!(chapters, names.len(), "a chapter without an alert");
}
