//! The disk that the index lies on is full.
//!
//! A small tmpfs is mounted where the index will be, which needs root: without, these tests say so and do nothing.
//! (A limit on the size of files would be another error, and a limit of a user's quota another setting.)

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::support::{Asker, SOON, Shop, until};

/// A file system of its own for a folder, unmounted when it is dropped.
struct Small(PathBuf);

impl Small {
    /// `None`, and a line that says why, where this user may not mount one.
    fn mount(path: &Path, mib: u32) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "duka-faults"]).arg(path);
        match mount.output() {
            Ok(done) if done.status.success() => Some(Self(path.to_owned())),
            Ok(refused) => {
                println!("skipped, for want of a tmpfs: {}", String::from_utf8_lossy(&refused.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped, for want of a tmpfs: {error}");
                None
            }
        }
    }

    /// Takes all the space but so much.
    fn fill(&self, but: usize) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).unwrap();
        let piece = vec![7_u8; 1 << 12];
        let mut written = 0;
        while file.write_all(&piece).is_ok() {
            written += piece.len();
        }
        file.set_len(u64::try_from(written.saturating_sub(but)).unwrap()).unwrap();
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_the_mirror_and_not_the_searches() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Small::mount(&dir.path().join("index"), 48) else { return };
    let mut shop = Shop::open_in(dir, 2_000).await;
    for left in [0, 64 << 10, 1 << 20] {
        let asker = Asker::of(&shop.node, 2_000);
        let filler = disk.fill(left);
        let failed = shop.node.metric("duka_index_errors_total").await;
        let brand = format!("full-{left}");
        sqlx::query("update product set brand = $1, description = description || md5(random()::text)")
            .bind(&brand)
            .execute(&shop.db)
            .await
            .unwrap();
        // With some space left, it may be enough for a small segment, which is as well.
        if left == 0 {
            until("the mirror notices", SOON, async || {
                shop.node.metric("duka_index_errors_total").await > failed
            })
            .await;
            assert_eq!(shop.node.count(&format!("brand={brand}")).await, Some(0));
            until("the lag is told", SOON, async || {
                shop.node.metric("duka_index_lag_seconds").await > 1.0
                    && shop.node.metric("duka_index_pending_changes").await >= 2_000.0
            })
            .await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        fs::remove_file(filler).unwrap();
        let clean = shop.clean(SOON).await;
        shop.node.finds(&format!("brand={brand}"), 2_000).await;
        let fault = format!("a full disk ({} KiB left)", left >> 10);
        asker.done().await.tell_of_one_that_lived(&fault, clean);
    }
    let used = used(&disk.0);
    assert!(used < 24 << 20, "what failed was left behind: {} MiB", used >> 20);

    // Started on a full disk, it answers from what is there.
    shop.node.kill();
    let filler = disk.fill(0);
    shop.execute("update product set brand = 'restarted'").await;
    shop.node.restart();
    let asker = Asker::of(&shop.node, 2_000);
    tokio::time::sleep(Duration::from_secs(1)).await;
    fs::remove_file(filler).unwrap();
    let clean = shop.clean(SOON).await;
    asker.done().await.tell_of_one_that_lived("started on a full disk", clean);

    // An index that does not fit is not built by half.
    let before = shop.node.index();
    let filler = disk.fill(64 << 10);
    let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
    command.arg("reindex").env("DUKA_DATA_DIR", shop.dir.path()).env_remove("DATABASE_URL");
    let asker = Asker::of(&shop.node, 2_000);
    let refused = tokio::task::block_in_place(|| command.output()).unwrap();
    assert!(!refused.status.success());
    println!("a reindex on a full disk: {}", String::from_utf8_lossy(&refused.stderr).trim());
    fs::remove_file(filler).unwrap();
    let clean = shop.clean(SOON).await;
    assert_eq!(shop.node.index(), before);
    asker.done().await.tell_of_one_that_lived("a reindex on a full disk", clean);
    shop.close().await;
}

fn used(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let size =
        |path: PathBuf| if path.is_dir() { used(&path) } else { fs::metadata(path).map_or(0, |m| m.len()) };
    entries.map(|entry| size(entry.path())).sum()
}
