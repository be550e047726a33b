//! How a cluster comes up, is shared, and goes.

use std::os::unix::fs::MetadataExt;

use super::*;

#[test]
fn the_first_start_makes_a_private_cluster_and_a_later_one_is_quick() {
    let Some(place) = Place::new() else { return };
    let begun = Instant::now();
    let cluster = place.start();
    eprintln!("first start: {:?}", begun.elapsed());
    let mut session = Session::open(cluster.endpoint());
    assert_eq!(session.ask("show listen_addresses"), "", "no TCP");
    assert_eq!(session.ask("show data_checksums"), "on");
    assert_eq!(session.ask("show server_encoding"), "UTF8");
    assert_eq!(session.ask("show fsync"), "off", "duka.conf is in force");
    assert_eq!(session.ask("show jit"), "off");
    assert_eq!(
        session.ask("select lower('ÄÖÜ') || ('Z' < 'a')"),
        "äöütrue",
        "Unicode letters, order of bytes"
    );
    session.ask("create table t (n int); insert into t values (7)");
    let uid = fs::metadata(format!("/proc/{}", place.server_pid().as_raw_pid())).map(|found| found.uid());
    assert_ne!(uid.unwrap_or(1), 0, "not as root");
    for dir in [place.data(), cluster.endpoint().socket_dir.clone()] {
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700, "{}", dir.display());
    }
    cluster.stop().unwrap();
    assert!(place.is_down());

    // The best of five: other programs share the machine.
    let warm = (0..5).map(|_| {
        let begun = Instant::now();
        let cluster = place.start();
        assert_eq!(ask(cluster.endpoint(), "select n from t"), "7");
        begun.elapsed()
    });
    let warm = warm.min().unwrap();
    eprintln!("warm start: {warm:?}");
    assert!(warm < Duration::from_millis(300), "{warm:?}");
}

#[test]
fn a_shop_is_durable_and_its_own_settings_win() {
    let Some(place) = Place::new() else { return };
    let cluster = Cluster::start(&place.data_dir()).unwrap();
    let mut session = Session::open(cluster.endpoint());
    for name in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(session.ask(&format!("show {name}")), "on", "{name}");
    }
    assert_eq!(session.ask("show max_connections"), "100");
    cluster.stop().unwrap();
    let conf = place.data().join("postgresql.conf");
    let own = fs::read_to_string(&conf).unwrap() + "max_connections = 42\nlisten_addresses = '*'\n";
    fs::write(&conf, own).unwrap();
    let cluster = Cluster::start(&place.data_dir()).unwrap();
    assert_eq!(ask(cluster.endpoint(), "show max_connections"), "42");
    assert_eq!(ask(cluster.endpoint(), "show listen_addresses"), "", "private whatever is set");
}

#[cfg(target_os = "linux")]
#[test]
fn sessions_stand_back_and_nobody_else() {
    let Some(place) = Place::new() else { return };
    // Bit 23 of what this process may: an ordinary user's database is its own, but root's is somebody else's.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let may = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    if rustix::process::geteuid().is_root() && u64::from_str_radix(may.trim(), 16).unwrap() >> 23 & 1 == 0 {
        eprintln!("skipped: this root may not move others' processes");
        return;
    }
    let priority = |pid| rustix::process::getpriority_process(Some(pid)).unwrap();
    // None where the system has no groups.
    let group = |pid: Pid| fs::read_to_string(format!("/proc/{}/autogroup", pid.as_raw_pid())).ok();
    let own = rustix::process::getpid();
    let before = (priority(own), group(own));
    let cluster = place.start();
    let mut session = Session::open(cluster.endpoint());
    let backend = Pid::from_raw(session.ask("select pg_backend_pid()").parse().unwrap()).unwrap();
    let is_behind = || {
        let is_group_behind = group(backend).is_none_or(|told| told.ends_with(" nice 16\n"));
        priority(backend) == (before.0 + 16).min(19) && is_group_behind
    };
    wait_until("the session to stand back", is_behind);
    assert_eq!((priority(own), group(own)), before);
    assert_eq!(
        (priority(place.server_pid()), group(place.server_pid())),
        before,
        "whoever takes connections"
    );
}

#[test]
fn the_last_of_two_holders_stops_the_server() {
    let Some(place) = Place::new() else { return };
    let first = place.start();
    let pid = place.server_pid();
    let second = place.start();
    assert_eq!((place.server_pid(), first.endpoint()), (pid, second.endpoint()));
    first.stop().unwrap();
    assert_eq!(ask(second.endpoint(), "select 1"), "1");
    drop(second);
    assert!(place.is_down());
}

#[test]
fn starts_at_once_on_nothing_share_one_server() {
    let Some(place) = Place::new() else { return };
    let clusters: Vec<Cluster> = thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| place.start())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let pid = place.server_pid();
    for cluster in clusters {
        assert_eq!(ask(cluster.endpoint(), "select 1"), "1");
        assert_eq!(place.server_pid(), pid);
        drop(cluster);
    }
    assert!(place.is_down());
}

#[test]
fn the_server_of_a_killed_duka_is_adopted() {
    let Some(place) = Place::new() else { return };
    let (mut duka, pid) =
        run_until(&mut part("life::part_holds_the_cluster", &place.data_dir()), "server pid");
    kill(&mut duka);
    let cluster = place.start();
    assert_eq!(place.server_pid().as_raw_pid().to_string(), pid);
    assert_eq!(ask(cluster.endpoint(), "select 1"), "1");
    cluster.stop().unwrap();
    assert!(place.is_down(), "the dead holder does not count");
}

#[test]
fn a_server_that_another_process_holds_is_not_stopped() {
    let Some(place) = Place::new() else { return };
    let (mut duka, pid) =
        run_until(&mut part("life::part_holds_the_cluster", &place.data_dir()), "server pid");
    place.start().stop().unwrap();
    assert_eq!(place.server_pid().as_raw_pid().to_string(), pid);
    kill(&mut duka);
    place.start().stop().unwrap();
    assert!(place.is_down());
}

#[test]
#[ignore = "another process of a test"]
fn part_holds_the_cluster() {
    let Some(dir) = part_dir() else { return };
    let _cluster = Cluster::start_for(Purpose::Tests, &dir).unwrap();
    let Server::Ready(file) = postmaster::probe(&dir.join(DATA)).unwrap() else { panic!("not ready") };
    println!("server pid {}", file.pid.as_raw_pid());
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_long_path_gets_a_short_private_socket_elsewhere() {
    let Some(place) = Place::new() else { return };
    let long = place.dir.path().join("d".repeat(120));
    let cluster = Cluster::start_for(Purpose::Tests, &long).unwrap();
    let socket = cluster.endpoint().socket_dir.clone();
    assert!(!socket.starts_with(&long), "{}", socket.display());
    let found = fs::symlink_metadata(&socket).unwrap();
    assert_eq!((found.mode() & 0o777, found.uid()), (0o700, place.user().uid));
    assert_eq!(ask(cluster.endpoint(), "select 1"), "1");

    let file = match postmaster::probe(&long.join(DATA)).unwrap() {
        Server::Ready(file) => file,
        other => panic!("{other:?}"),
    };
    kill_process(file.pid, Signal::KILL).unwrap();
    wait_until("the killed server to end", || !postmaster::is_server_on(file.pid, &long.join(DATA)));
    cluster.ensure_running().unwrap();
    assert_eq!(ask(cluster.endpoint(), "select 1"), "1", "still at the same place");
    cluster.stop().unwrap();
    assert!(!socket.exists());
}

#[test]
fn a_planted_socket_directory_is_not_used() {
    let Some(place) = Place::new() else { return };
    let long = place.dir.path().join("d".repeat(120));
    Cluster::start_for(Purpose::Tests, &long).unwrap().stop().unwrap();
    let planted = place.dir.path().join("planted");
    fs::create_dir(&planted).unwrap();
    fs::set_permissions(&planted, Permissions::from_mode(0o777)).unwrap();
    fs::write(long.join("postgres/socket.path"), planted.to_str().unwrap()).unwrap();
    let cluster = Cluster::start_for(Purpose::Tests, &long).unwrap();
    assert_ne!(cluster.endpoint().socket_dir, planted);
}

#[test]
fn the_default_data_directory_is_one_that_the_database_user_can_reach() {
    let open = tempfile::tempdir().unwrap();
    let root = rustix::process::geteuid().is_root();
    for (mode, as_root) in [(0o700, "/var/lib/duka"), (0o755, ".duka")] {
        fs::set_permissions(open.path(), Permissions::from_mode(mode)).unwrap();
        let mut command = part("life::part_tells_the_default", open.path());
        let (mut child, told) = run_until(command.current_dir(open.path()), "default dir");
        child.wait().unwrap();
        assert_eq!(told, if root { as_root } else { ".duka" }, "{mode:o}");
    }
}

#[test]
#[ignore = "another process of a test"]
fn part_tells_the_default() {
    println!("default dir {}", super::super::default_data_dir().display());
}
