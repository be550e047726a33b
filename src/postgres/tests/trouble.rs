//! Crashes, leftovers and misuse.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;

use super::*;

#[test]
fn a_server_that_was_killed_is_started_again_where_it_was() {
    let Some(place) = Place::new() else { return };
    let cluster = place.start();
    ask(cluster.endpoint(), "create table t (n int)");
    ask(cluster.endpoint(), "insert into t values (7)");
    let before = place.crash_server();
    cluster.ensure_running().unwrap();
    assert_ne!(place.server_pid(), before);
    assert_eq!(ask(cluster.endpoint(), "select n from t"), "7");
    let after = place.server_pid();
    cluster.ensure_running().unwrap();
    assert_eq!(place.server_pid(), after, "a living server is left alone");
}

/// Puts `pid` where the dead server's was, in both of the files by which PostgreSQL recognises a rival.
fn blame(place: &Place, socket_dir: &Path, pid: u32) {
    for path in [place.data().join("postmaster.pid"), socket_dir.join(".s.PGSQL.5432.lock")] {
        let text = fs::read_to_string(&path).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        fs::write(&path, format!("{pid}\n{rest}")).unwrap();
    }
}

/// A program of the server's user, for which PostgreSQL would take the pid file's word.
fn bystander(place: &Place, program: &str, argument: &str) -> Child {
    let user = place.user();
    let mut command = Command::new(program);
    if user.switch {
        command.uid(user.uid).gid(user.gid);
    }
    command.arg(argument).current_dir("/").spawn().unwrap()
}

#[test]
fn a_stale_pid_that_another_program_has_now_does_not_matter() {
    let Some(place) = Place::new() else { return };
    let cluster = place.start();
    place.crash_server();
    let mut other = bystander(&place, "sleep", "60");
    blame(&place, &cluster.endpoint().socket_dir, other.id());
    cluster.ensure_running().unwrap();
    assert_eq!(ask(cluster.endpoint(), "select 1"), "1");
    cluster.stop().unwrap();
    assert!(other.try_wait().unwrap().is_none(), "the other program was left alone");
    kill(&mut other);
}

#[test]
fn a_stale_pid_that_a_zombie_has_does_not_matter() {
    let Some(place) = Place::new() else { return };
    let cluster = place.start();
    place.crash_server();
    let mut zombie = bystander(&place, "true", "");
    let stat = format!("/proc/{}/stat", zombie.id());
    if Path::new("/proc/self/stat").exists() {
        wait_until("a zombie", || fs::read_to_string(&stat).is_ok_and(|text| text.contains(") Z ")));
    }
    blame(&place, &cluster.endpoint().socket_dir, zombie.id());
    cluster.ensure_running().unwrap();
    assert_eq!(ask(cluster.endpoint(), "select 1"), "1");
    zombie.wait().unwrap();
}

#[test]
fn a_start_waits_for_the_last_statement_of_a_killed_server() {
    let Some(place) = Place::new() else { return };
    let cluster = place.start();
    let mut busy = Session::open(cluster.endpoint());
    busy.ask("set statement_timeout = '1500ms'");
    // Computes, so it does not notice that the server is gone.
    busy.send("select count(*) from generate_series(1, 1000000000) as a");
    thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    place.crash_server();
    cluster.ensure_running().unwrap();
    assert!(begun.elapsed() > Duration::from_millis(800), "two servers on one memory: {:?}", begun.elapsed());
    assert_eq!(ask(cluster.endpoint(), "select 1"), "1");
}

#[test]
fn another_version_is_refused_by_name_and_left_untouched() {
    let Some(place) = Place::new() else { return };
    place.start().stop().unwrap();
    let path = place.data().join("PG_VERSION");
    let real = fs::read_to_string(&path).unwrap();
    fs::write(&path, "11\n").unwrap();
    let error = place.try_start().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::VersionMismatch { .. }), "{text}");
    assert!(text.contains("made by PostgreSQL 11") && text.contains(real.trim()), "{text}");
    fs::write(&path, real).unwrap();
    place.start().stop().unwrap();
}

#[test]
fn what_stands_in_the_way_is_named() {
    let Some(place) = Place::new() else { return };
    fs::write(place.data_dir(), "").unwrap();
    assert!(matches!(place.try_start().unwrap_err(), Error::NotADirectory(path) if path.ends_with("shop")));
    fs::remove_file(place.data_dir()).unwrap();

    fs::create_dir_all(place.data_dir().join("postgres")).unwrap();
    fs::set_permissions(place.data_dir(), Permissions::from_mode(0o711)).unwrap();
    let user = place.user();
    fs::write(place.data(), "").unwrap();
    // As root, a file of root's own would be refused for its owner already.
    chown(place.data(), Some(user.uid), Some(user.gid)).unwrap();
    let error = place.try_start().unwrap_err();
    assert!(matches!(&error, Error::NotADirectory(path) if path.ends_with("data")), "{error}");
}

#[test]
fn a_directory_that_initdb_did_not_make_is_left_alone() {
    let Some(place) = Place::new() else { return };
    place.start().stop().unwrap();
    fs::remove_file(place.data().join("PG_VERSION")).unwrap();
    assert!(matches!(place.try_start().unwrap_err(), Error::NotACluster(path) if path.ends_with("data")));
    assert!(place.data().join("base").exists());
}

#[test]
fn a_cluster_that_others_can_read_is_closed_again() {
    let Some(place) = Place::new() else { return };
    place.start().stop().unwrap();
    fs::set_permissions(place.data(), Permissions::from_mode(0o755)).unwrap();
    place.start().stop().unwrap();
    assert_eq!(fs::metadata(place.data()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn what_a_killed_initdb_left_is_removed() {
    let Some(place) = Place::new() else { return };
    let left = place.data_dir().join("postgres/data.init-0123456789abcdef");
    fs::create_dir_all(left.join("base")).unwrap();
    fs::set_permissions(place.data_dir(), Permissions::from_mode(0o711)).unwrap();
    place.start().stop().unwrap();
    assert!(!left.exists());
}

#[test]
fn a_server_that_refuses_to_start_is_quoted() {
    let Some(place) = Place::new() else { return };
    place.start().stop().unwrap();
    let conf = place.data().join("postgresql.conf");
    let good = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, format!("{good}\nshared_bufers = 1\n")).unwrap();
    let error = place.try_start().unwrap_err();
    assert!(matches!(error, Error::DidNotStart { .. }), "{error}");
    assert!(error.to_string().contains("unrecognized configuration parameter \"shared_bufers\""), "{error}");
    fs::write(&conf, good).unwrap();
    place.start().stop().unwrap();
}

#[test]
fn a_place_without_access_is_named_with_its_remedy() {
    let Some(place) = Place::new() else { return };
    let shut = place.dir.path().join("shut");
    fs::create_dir(&shut).unwrap();
    let root = rustix::process::geteuid().is_root();
    fs::set_permissions(&shut, Permissions::from_mode(if root { 0o700 } else { 0o500 })).unwrap();
    let error = Cluster::start(&shut.join("shop")).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("shut"), "{text}");
    if root {
        assert!(matches!(error, Error::Unreachable { .. }), "{text}");
        assert!(text.contains("chmod o+x"), "{text}");
    } else {
        assert!(text.contains("Permission denied"), "{text}");
    }
    assert!(Command::new("chmod").arg("700").arg(&shut).status().unwrap().success());
}

#[test]
fn a_large_log_is_moved_aside() {
    let Some(place) = Place::new() else { return };
    let cluster = place.start();
    let log = place.data_dir().join("postgres/postgres.log");
    let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(9 << 20).unwrap();
    cluster.ensure_running().unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    assert_eq!(fs::metadata(log.with_extension("log.1")).unwrap().len(), 9 << 20);
    place.crash_server();
    cluster.ensure_running().unwrap();
    assert!(fs::read_to_string(&log).unwrap().contains("database system was interrupted"));
}

#[test]
fn a_test_cluster_of_another_boot_is_made_anew() {
    let Some(place) = Place::new() else { return };
    let cluster = place.start();
    ask(cluster.endpoint(), "create table t (n int)");
    cluster.stop().unwrap();
    let cluster = place.start();
    assert_eq!(ask(cluster.endpoint(), "select count(*) from t"), "0");
    cluster.stop().unwrap();
    fs::write(place.data_dir().join("postgres/boot"), "another").unwrap();
    let cluster = place.start();
    assert_eq!(ask(cluster.endpoint(), "select to_regclass('t') is null"), "t");
}

#[test]
fn tests_refuse_the_cluster_of_a_shop() {
    let Some(place) = Place::new() else { return };
    Cluster::start(&place.data_dir()).unwrap().stop().unwrap();
    let conf = place.data_dir().join("postgres/duka.conf");
    let before = fs::read_to_string(&conf).unwrap();
    assert!(matches!(place.try_start().unwrap_err(), Error::NotForTests(path) if path.ends_with("data")));
    assert_eq!(fs::read_to_string(&conf).unwrap(), before);
}
