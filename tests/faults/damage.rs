//! Files of the index are damaged, vanish, or are older than they were.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::support::{Asker, SOON, Shop, until};

/// What a rebuild of a few thousand products may take in a debug build, beside other tests.
const REBUILT: Duration = Duration::from_secs(30);

/// Turns one bit of the largest file with this ending around.
fn flip(index: &Path, extension: &str) -> PathBuf {
    let files = fs::read_dir(index).unwrap().flatten().map(|entry| entry.path());
    let found = files.filter(|path| path.extension().is_some_and(|found| found == extension));
    let path = found.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut file = File::options().read(true).write(true).open(&path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.write_all(&[byte[0] ^ 0x10]).unwrap();
    path
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_found_after_an_unclean_end() {
    let mut shop = Shop::open(2_000).await;
    for extension in ["store", "fast", "idx", "term"] {
        shop.node.kill();
        let damaged = flip(&shop.node.index(), extension);
        let before = shop.node.index();
        let started = shop.node.restart();
        assert_eq!(shop.node.count("").await, Some(2_000), "{}", damaged.display());
        let asker = Asker::of(&shop.node, 2_000);
        let clean = started + shop.clean(REBUILT).await;
        assert_ne!(shop.node.index(), before, "a damaged index is not believed");
        let fault = format!("a flipped bit in a .{extension} file");
        asker.done().await.tell_of_one_that_lived(&fault, clean);
    }
    shop.close().await;
}

/// The index from before a reindex is whole and can be caught up: it answers at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_index_is_replaced_by_the_one_before_it() {
    let mut shop = Shop::open(500).await;
    let before = shop.node.index();
    let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
    command.arg("reindex").env("DUKA_DATA_DIR", shop.dir.path()).env_remove("DATABASE_URL");
    assert!(command.output().unwrap().status.success());
    assert_ne!(shop.node.index(), before);
    shop.execute("update product set brand = 'news' where sku = 'SKU-3'").await;
    shop.clean(SOON).await;
    shop.node.kill();
    flip(&shop.node.index(), "store");
    shop.node.restart();
    assert_eq!(shop.node.index(), before, "it was there, and the log leads on from it");
    let asker = Asker::of(&shop.node, 500);
    let clean = shop.clean(SOON).await;
    shop.node.finds("brand=news", 1).await;
    asker.done().await.tell_of_one_that_lived("a flipped bit, with an index from before", clean);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_without_its_meta_is_built_anew() {
    let mut shop = Shop::open(1_000).await;
    shop.node.kill();
    fs::remove_file(shop.node.index().join("meta.json")).unwrap();
    let started = shop.node.restart();
    let asker = Asker::of(&shop.node, 1_000);
    let clean = started + shop.clean(REBUILT).await;
    asker.done().await.tell_of_one_that_lived("meta.json gone while the server was away", clean);

    // Under a server that runs: what it has open goes on answering.
    let asker = Asker::of(&shop.node, 1_000);
    fs::remove_file(shop.node.index().join("meta.json")).unwrap();
    shop.execute("update product set brand = 'after' where sku = 'SKU-1'").await;
    let clean = shop.clean(REBUILT).await;
    shop.node.finds("brand=after", 1).await;
    asker.done().await.tell_of_one_that_lived("meta.json gone under the server", clean);

    let asker = Asker::of(&shop.node, 1_000);
    fs::remove_dir_all(shop.node.index()).unwrap();
    shop.execute("update product set brand = 'afterwards' where sku = 'SKU-2'").await;
    let clean = shop.clean(REBUILT).await;
    shop.node.finds("brand=afterwards", 1).await;
    asker.done().await.tell_of_one_that_lived("the index's folder gone under the server", clean);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_of_the_index_is_caught_up() {
    let mut shop = Shop::open(1_000).await;
    let (index, older) = (shop.dir.path().join("index"), shop.dir.path().join("older"));
    assert!(shop.node.stop().success());
    // The database goes with its last holder, which is this test.
    copy(&index, &older);
    shop.node.restart();
    shop.execute("update product set brand = 'news' where id % 3 = 0").await;
    shop.execute("update product set deleted_at = now() where id % 50 = 1").await;
    shop.execute("insert into product (sku, name, slug, price) select 'N' || n, 'n', 'n', 1 from generate_series(1, 90) n")
        .await;
    shop.clean(SOON).await;
    let news = shop.node.count("brand=news").await.unwrap();
    for _ in 0..2 {
        shop.node.kill();
        fs::remove_dir_all(&index).unwrap();
        copy(&older, &index);
        let started = shop.node.restart();
        let asker = Asker::of(&shop.node, 980);
        let clean = started + shop.clean(SOON).await;
        shop.node.finds("brand=news", news).await;
        assert_eq!(shop.node.rebuilds().await, 0, "the log leads on from it");
        asker.done().await.tell_of_one_that_lived("an older copy of the index put back", clean);
    }
    shop.close().await;
}

/// The whole mirror can be deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_mirror_is_built_anew() {
    let mut shop = Shop::open(500).await;
    shop.node.kill();
    fs::remove_dir_all(shop.dir.path().join("index")).unwrap();
    let started = shop.node.restart();
    assert_eq!(shop.node.count("").await, Some(500), "a server is ready when its index is");
    println!("a deleted mirror: ready after {started:?}");
    shop.clean(SOON).await;

    // While it runs, too: all that it needs is made again.
    let asker = Asker::of(&shop.node, 500);
    fs::remove_dir_all(shop.dir.path().join("index")).unwrap();
    shop.execute("update product set brand = 'after' where sku = 'SKU-1'").await;
    let back =
        until("the mirror is back", REBUILT, async || shop.node.count("brand=after").await == Some(1)).await;
    shop.clean(SOON).await;
    asker.done().await.tell_of_one_that_lived("the mirror deleted under the server", back);
    shop.close().await;
}
