//! Somebody writes to the index's files: while the server is away, or under it.
//!
//! Every answer is compared with the database meanwhile: one that is late, or refused, is better than one that is wrong.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::support::{Judge, SOON, Shop, Truth, admin, blocking, client, until};

/// What a rebuild of a few thousand products may take in a debug build, beside other tests.
const REBUILT: Duration = Duration::from_secs(60);
/// Every kind of file that an index has.
const KINDS: [&str; 9] = ["store", "term", "idx", "pos", "fast", "fieldnorm", "del", "meta", "managed"];

/// The largest file of a kind, if there is one.
fn find(index: &Path, kind: &str) -> Option<PathBuf> {
    if let "meta" | "managed" = kind {
        return Some(index.join(if kind == "meta" { "meta.json" } else { ".managed.json" }));
    }
    let files = fs::read_dir(index).unwrap().flatten().map(|entry| entry.path());
    let found = files.filter(|path| path.extension().is_some_and(|found| found == kind));
    found.max_by_key(|path| fs::metadata(path).map_or(0, |file| file.len()))
}

/// Turns bits around in three places of a file, in place: whoever has it open, or mapped, has them too.
fn damage(path: &Path) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    for place in [length / 4, length / 2, length * 3 / 4] {
        let mut byte = [0];
        file.read_exact_at(&mut byte, place).unwrap();
        file.write_all_at(&[byte[0] ^ 0x11], place).unwrap();
    }
}

async fn shop(products: i32) -> (Shop, Truth) {
    let shop = Shop::open(products).await;
    let truth = Truth::of(&shop.db).await;
    shop.clean(REBUILT).await;
    (shop, truth)
}

/// Writes a few products anew as they are, so that a segment has deletions, which lie in a file of their own.
async fn leave_deletions(shop: &Shop) {
    shop.execute("update product set updated_at = updated_at + interval '1 second' where id % 50 = 0").await;
    shop.clean(REBUILT).await;
}

fn run(shop: &Shop, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
    command.args(arguments).env("DUKA_DATA_DIR", shop.dir.path()).env_remove("DATABASE_URL");
    let output = blocking(|| command.output()).unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_damaged_while_the_server_was_away_is_noticed_at_its_start() {
    let (mut shop, truth) = shop(2_000).await;
    for kind in KINDS {
        leave_deletions(&shop).await;
        assert!(shop.node.stop().success());
        let before = shop.node.index();
        damage(&find(&before, kind).unwrap());
        let started = shop.node.restart();
        let judge = Judge::of(&shop.node, &truth);
        let clean = started + shop.clean(REBUILT).await;
        assert_ne!(shop.node.index(), before, "an index with a damaged .{kind} is not believed");
        tokio::time::sleep(Duration::from_millis(300)).await;
        let verdict = judge.done().await;
        verdict.tell(&format!("a damaged {kind}, between a stop and a start"), clean);
        assert_eq!(verdict.failed + verdict.unreachable, 0, "it was ready");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_under_the_server_is_never_answered() {
    let (shop, truth) = shop(2_000).await;
    for kind in KINDS {
        leave_deletions(&shop).await;
        let before = shop.node.index();
        let known = shop.node.metric("duka_index_damaged_total").await;
        let judge = Judge::of(&shop.node, &truth);
        tokio::time::sleep(Duration::from_millis(300)).await;
        damage(&find(&before, kind).unwrap());
        let what = format!("the index with a damaged .{kind} is replaced");
        let replaced = async || shop.node.index() != before;
        let clean = until(&what, REBUILT, replaced).await + shop.clean(REBUILT).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let verdict = judge.done().await;
        verdict.tell(&format!("a damaged {kind}, under the server"), clean);
        assert_eq!(verdict.unreachable, 0, "the server was away");
        assert!(shop.node.metric("duka_index_damaged_total").await > known, "it is told");
    }
    shop.close().await;
}

/// The index from before a reindex is whole and can be caught up: it takes over at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_before_it_takes_over_from_a_damaged_one() {
    let (shop, truth) = shop(2_000).await;
    let before = shop.node.index();
    assert!(run(&shop, &["reindex"]).0);
    let damaged = shop.node.index();
    assert_ne!(damaged, before);
    let judge = Judge::of(&shop.node, &truth);
    damage(&find(&damaged, "idx").unwrap());
    let clean = until("the index before takes over", REBUILT, async || shop.node.index() == before).await;
    shop.clean(SOON).await;
    let verdict = judge.done().await;
    verdict.tell("a damaged idx under the server, with an index from before", clean);
    until("nobody can go back to it", SOON, async || !damaged.exists()).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comparing_says_which_file_is_damaged_and_repairs_it() {
    let (mut shop, truth) = shop(500).await;
    // At a prompt, while no server runs.
    assert!(shop.node.stop().success());
    let file = find(&shop.node.index(), "term").unwrap();
    damage(&file);
    let name = file.file_name().unwrap().to_str().unwrap();
    let (is_clean, said) = run(&shop, &["verify"]);
    assert!(!is_clean && said.contains(name), "{said}");
    let (is_repaired, said) = run(&shop, &["verify", "--repair"]);
    assert!(is_repaired && said.contains(name), "{said}");
    let (is_clean, said) = run(&shop, &["verify"]);
    assert!(is_clean, "{said}");
    shop.node.restart();

    // Of the server.
    let admin = admin(&shop).await;
    let url = format!("{}/api/admin/index/verify/?repair=true", shop.node.base);
    let judge = Judge::of(&shop.node, &truth);
    damage(&find(&shop.node.index(), "idx").unwrap());
    for _ in 0..2 {
        let answer = client().post(&url).bearer_auth(&admin).timeout(REBUILT).send().await.unwrap();
        let status = answer.status();
        let report: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(status, 200, "{report}");
        println!("repaired: {report}");
        let is_told = report["damaged_files"][0].as_str().is_some_and(|name| name.ends_with(".idx"));
        // It may have been replaced before the question arrived.
        assert_eq!(is_told, report["stale"].as_u64() > Some(0), "{report}");
    }
    let clean = shop.clean(SOON).await;
    judge.done().await.tell("a damaged idx, repaired on demand", clean);
    shop.close().await;
}

/// Whoever reads behind the end of a mapped file is killed by the system. So be it: what starts next does better.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shortened_file_may_end_the_server_and_not_the_next_one() {
    let (mut shop, truth) = shop(2_000).await;
    for kind in ["store", "idx", "term", "fast"] {
        let before = shop.node.index();
        let judge = Judge::of(&shop.node, &truth);
        tokio::time::sleep(Duration::from_millis(100)).await;
        File::options().write(true).open(find(&before, kind).unwrap()).unwrap().set_len(100).unwrap();
        let what = format!("the index with a shortened .{kind} is replaced, or the server has ended");
        let mut has_ended = false;
        let replaced = async || {
            has_ended = shop.node.has_ended();
            has_ended || shop.node.index() != before
        };
        let mut clean = until(&what, REBUILT, replaced).await;
        if has_ended {
            clean += shop.node.restart();
        }
        clean += shop.clean(REBUILT).await;
        assert_ne!(shop.node.index(), before);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let how = if has_ended { "which ended the server" } else { "which lived" };
        judge.done().await.tell(&format!("a shortened {kind} under the server, {how}"), clean);
    }
    shop.close().await;
}
