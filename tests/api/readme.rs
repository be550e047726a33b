//! The README's walk from the search to the door: the test runs its lines, as they stand there.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{TestDatabase, http_client, send};

const HEADING: &str = "## From the search to the door";

/// The shell's lines under the heading.
fn lines() -> String {
    let readme = include_str!("../../README.md");
    let section = readme.split(HEADING).nth(1).expect("the README has the walk");
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.collect()
}

/// A demo, and what it has printed.
struct Demo {
    process: Child,
    told: Vec<String>,
}

impl Demo {
    /// Opens one on free ports, with the settings; returns once it has printed everything.
    fn open(database: &TestDatabase, dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
        command.args([
            "demo",
            "--listen",
            "127.0.0.1:0",
            "--sandbox-listen",
            "127.0.0.1:0",
            "--products",
            "400",
        ]);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir(dir);
        command.env("DATABASE_URL", &database.url).env("DUKA_DATA_DIR", dir.join("data"));
        command.envs(settings.iter().copied());
        let log = File::create(dir.join("log")).unwrap();
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut told = vec![];
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            told.push(line.unwrap());
            if told.last().unwrap().starts_with("Ctrl-C stops it") {
                break;
            }
        }
        let demo = Self { process, told };
        assert!(
            demo.word_after("open at").is_some(),
            "{:?}\n{}",
            demo.told,
            fs::read_to_string(dir.join("log")).unwrap()
        );
        demo
    }

    /// The first word after these in what was printed.
    fn word_after(&self, what: &str) -> Option<String> {
        let rest = self.told.iter().find_map(|line| line.split_once(what).map(|(_, rest)| rest))?;
        rest.split_whitespace().next().map(str::to_owned)
    }

    fn password_of(&self, user: &str) -> Option<String> {
        let line = self.told.iter().find(|line| line.contains(user) && line.contains(" password "))?;
        line.split(" password ").nth(1).map(str::to_owned)
    }

    fn close(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success(), "the demo does not end well");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the lines: what they print, or what went wrong.
fn run(script: &str, dir: &Path) -> Result<String, String> {
    let path = dir.join("walk.sh");
    fs::write(&path, format!("set -euo pipefail\n{script}")).unwrap();
    let mut command = Command::new("timeout");
    command.args(["120", "bash", "-x"]).arg(&path).env("no_proxy", "*").stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{}\n{}\n{}", output.status, text(&output.stderr), text(&output.stdout)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_walk_from_the_search_to_the_door_leads_there() {
    let (database, dir) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    let open = |settings: &[(&str, &str)]| {
        tokio::task::block_in_place(|| Demo::open(&database, dir.path(), settings))
    };
    let demo = open(&[]);
    let (shop, sandbox) = (demo.word_after("open at").unwrap(), demo.word_after("a sandbox at").unwrap());
    let mut script = lines();
    for (written, real) in [
        ("http://localhost:8000", &shop),
        ("http://localhost:8001", &sandbox),
        ("THE CUSTOMER PASSWORD", &demo.password_of("demo-customer").unwrap()),
        ("THE ADMIN PASSWORD", &demo.password_of("demo-admin").unwrap()),
    ] {
        assert_eq!(script.matches(written).count(), 1, "{written}");
        script = script.replace(written, real);
    }
    let printed = tokio::task::block_in_place(|| run(&script, dir.path())).unwrap();
    assert!(printed.contains("\"card\"") && printed.contains("\"mpesa\""), "{printed}");

    let orders: Vec<(String, String, String, bool)> = sqlx::query_as(
        "select o.payment_method, o.status, o.payment_status,
                (select sum(l.amount) >= o.total_amount from payment_ledger l join payment p on p.id = l.payment_id
                 where p.order_id = o.id and l.account = o.payment_method)
         from orders o order by o.id",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    let end = |method: &str| (method.to_owned(), "delivered".to_owned(), "paid".to_owned(), true);
    assert_eq!(orders, [end("card"), end("mpesa")]);
    let client = http_client().timeout(Duration::from_secs(10)).build().unwrap();
    let ledger = send(client.get(format!("{sandbox}/sandbox/ledger/"))).await.expect(200).json;
    assert_eq!(ledger["entries"].as_array().map(Vec::len), Some(2), "{ledger}");

    // A line that fails fails the walk, wherever it stands.
    for (right, wrong) in [
        ("4242424242424242", "4000000000000002"),
        ("api/cart/add", "api/cart/ad"),
        ("value id", "value nothing"),
    ] {
        let wrong = script.replace(right, wrong).replace("sleep 1", "exit 7");
        assert!(tokio::task::block_in_place(|| run(&wrong, dir.path())).is_err(), "{right} as {wrong}");
    }
    tokio::task::block_in_place(|| demo.close());

    // A second demo finds everything in place, and real accounts win over the sandbox.
    let real = [
        ("DUKA_CARD_SECRET_KEY", "sk"),
        ("DUKA_CARD_WEBHOOK_SECRET", "whsec"),
        ("DUKA_CARD_BASE_URL", "http://127.0.0.1:9"),
    ];
    let demo = open(&real);
    assert_eq!(demo.password_of("demo-customer"), None, "it is shown once");
    assert!(demo.told.iter().any(|line| line.contains("telephones")));
    assert!(!demo.told.iter().any(|line| line.contains("4242")), "cards are not the sandbox's");
    let event = client.post(format!("{}/api/payment/webhook/card/", demo.word_after("open at").unwrap()));
    send(event.body("{}")).await.expect(400);
    tokio::task::block_in_place(|| demo.close());
    database.drop().await;
}
