//! One cluster for several test processes.

use super::super::{join_test_cluster, supervise};
use super::*;

fn spawn_supervisor(dir: &Path) -> std::io::Result<Child> {
    use std::os::unix::process::CommandExt;
    let mut command = part("shared::part_supervises", dir);
    command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()
}

#[test]
#[ignore = "another process of a test"]
fn part_supervises() {
    if let Some(dir) = part_dir() {
        supervise(&dir).unwrap();
    }
}

#[test]
#[ignore = "another process of a test"]
fn part_joins() {
    let Some(dir) = part_dir() else { return };
    let (_lock, endpoint) = join_test_cluster(&dir, || spawn_supervisor(&dir).map(drop)).unwrap();
    println!("system {}", ask(&endpoint, "select system_identifier from pg_control_system()"));
    thread::sleep(Duration::from_secs(60));
}

fn has_supervisor(dir: &Path) -> bool {
    let Ok(file) = fs::File::open(dir.join("supervisor.lock")) else { return false };
    file.try_lock_shared().is_err()
}

#[test]
fn tests_that_join_at_once_share_a_cluster_which_ends_after_the_last() {
    let Some(place) = Place::new() else { return };
    let dir = place.data_dir();
    let mut parts: Vec<(Child, String)> = thread::scope(|scope| {
        let joins: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| run_until(&mut part("shared::part_joins", &dir), "system")))
            .collect();
        joins.into_iter().map(|join| join.join().unwrap()).collect()
    });
    let system = parts[0].1.clone();
    assert!(parts.iter().all(|(_, seen)| *seen == system), "{parts:?}");
    let (mut last, _) = parts.pop().unwrap();
    for (child, _) in &mut parts {
        kill(child);
    }
    thread::sleep(Duration::from_millis(2500));
    assert!(!place.is_down() && has_supervisor(&dir), "one test still runs");
    // Killed, not ended: nothing can be tidied up by the test itself.
    kill(&mut last);
    let begun = Instant::now();
    wait_until("the supervisor to end", || !has_supervisor(&dir));
    let lingered = begun.elapsed();
    assert!(lingered > Duration::from_millis(1500) && lingered < Duration::from_secs(5), "{lingered:?}");
    assert!(place.is_down());
    assert!(!dir.join("endpoint").exists());

    let (mut again, seen) = run_until(&mut part("shared::part_joins", &dir), "system");
    assert_eq!(seen, system, "the next run finds the cluster");
    kill(&mut again);
    wait_until("the supervisor to end", || !has_supervisor(&dir));
}

#[test]
fn a_supervisor_that_was_killed_is_replaced() {
    let Some(place) = Place::new() else { return };
    let dir = place.data_dir();
    let mut first = None;
    let join = |slot: &mut Option<Child>| {
        join_test_cluster(&dir, || {
            *slot = Some(spawn_supervisor(&dir)?);
            Ok(())
        })
    };
    let (lock, endpoint) = join(&mut first).unwrap();
    let server = place.server_pid();
    kill(first.as_mut().expect("nobody supervised"));
    let mut second = None;
    let (other, found) = join(&mut second).unwrap();
    assert_eq!((found, place.server_pid()), (endpoint, server), "the living server is adopted");
    drop((lock, other));
    assert!(second.expect("nobody supervised").wait().unwrap().success());
    assert!(place.is_down());
}

#[test]
fn a_second_supervisor_steps_back() {
    let Some(place) = Place::new() else { return };
    let dir = place.data_dir();
    let mut first = None;
    let (lock, _) = join_test_cluster(&dir, || {
        first = Some(spawn_supervisor(&dir)?);
        Ok(())
    })
    .unwrap();
    let begun = Instant::now();
    supervise(&dir).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(!place.is_down());
    drop(lock);
    assert!(first.expect("nobody supervised").wait().unwrap().success());
}

#[test]
fn the_reason_of_a_failed_supervisor_reaches_the_tests() {
    let Some(place) = Place::new() else { return };
    let dir = place.data_dir();
    let outcome = join_test_cluster(&dir, || {
        let mut command = part("shared::part_supervises", &dir);
        command
            .env("DUKA_PG_BINDIR", "/nowhere")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(drop)
    });
    let text = outcome.unwrap_err().to_string();
    assert!(text.contains("DUKA_PG_BINDIR is /nowhere"), "{text}");
}
