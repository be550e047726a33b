//! The binary as a person calls it: results on standard output, complaints on standard error, exit codes.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::support::{TestShop, with_shop};

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn ran(output: &Output) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
    command.args(arguments).env_clear().current_dir(std::env::temp_dir());
    command
}

fn duka(arguments: &[&str]) -> Ran {
    ran(&command(arguments).output().unwrap())
}

/// Runs against the shop's own database and data directory.
async fn on(shop: &TestShop, arguments: &[&str], input: &str) -> Ran {
    let mut command = command(arguments);
    command.env("DATABASE_URL", &shop.database_url).env("DUKA_DATA_DIR", shop.data_dir.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        // A command that fails early closes its end.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    });
    ran(&output.await.unwrap())
}

#[test]
fn misuse_exits_with_two_and_says_how() {
    for arguments in
        [&["nonsense"] as &[&str], &["serve", "--port", "1"], &["import"], &[], &["admin", "create"]]
    {
        let ran = duka(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert!(ran.out.is_empty() && !ran.err.is_empty());
    }
    let mut wrong = command(&["openapi"]);
    wrong.env("DUKA_CURRENCY", "dollars").env("DUKA_LOG_FORMAT", "xml").env("DUKA_JWT_SECRET", "hunter2");
    let ran = ran(&wrong.output().unwrap());
    assert_eq!(ran.code, 2);
    for name in ["DUKA_CURRENCY", "DUKA_LOG_FORMAT", "DUKA_JWT_SECRET"] {
        assert!(ran.err.contains(name), "{name} is missing in: {}", ran.err);
    }
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
}

#[test]
fn help_lists_commands_and_settings() {
    let help = duka(&["help"]);
    assert_eq!(help.code, 0);
    for word in [
        "serve",
        "demo",
        "migrate",
        "import",
        "export",
        "generate",
        "verify",
        "relevance",
        "admin",
        "openapi",
        "DUKA_DATA_DIR",
        "DATABASE_URL",
    ] {
        assert!(help.out.contains(word), "{word} is missing in: {}", help.out);
    }
    assert!(!help.out.contains("supervise"));
}

#[test]
fn a_misspelt_variable_is_noticed() {
    let mut misspelt = command(&["openapi"]);
    misspelt.env("DUKA_LISTN", "x");
    let ran = ran(&misspelt.output().unwrap());
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("DUKA_LISTN"), "{}", ran.err);
}

#[test]
fn openapi_prints_the_document() {
    let document: Value = serde_json::from_str(&duka(&["openapi"]).out).unwrap();
    assert_eq!(document["info"]["title"], "duka");
}

#[test]
fn a_generated_catalog_is_the_same_every_time() {
    let first = duka(&["generate", "--products", "20", "--seed", "5", "--out", "-"]);
    assert_eq!((first.code, first.out.lines().count()), (0, 20), "{}", first.err);
    assert_eq!(first.out, duka(&["generate", "--products", "20", "--seed", "5", "--out", "-"]).out);
    assert_ne!(first.out, duka(&["generate", "--products", "20", "--seed", "6", "--out", "-"]).out);
}

#[tokio::test]
async fn an_admin_is_made_once() {
    with_shop(async |shop| {
        let create =
            ["admin", "create", "--username", "boss", "--email", "boss@example.com", "--password-stdin"];
        let weak = on(shop, &create, "short\n").await;
        assert_eq!(weak.code, 1);
        assert!(weak.err.contains("/password"), "{}", weak.err);
        let made = on(shop, &create, "a passphrase of mine\n").await;
        assert_eq!(made.code, 0, "{}", made.err);
        assert!(!made.out.contains("passphrase"));
        let boss = shop.sign_in(0, "boss", "a passphrase of mine").await;
        assert_eq!(shop.get_as(&boss, "/api/auth/me/").await.json["role"], "admin");
        assert_eq!(on(shop, &create, "a passphrase of mine\n").await.code, 1);
    })
    .await;
}

#[tokio::test]
async fn import_generate_and_verify_work_beside_a_server() {
    with_shop(async |shop| {
        let rows = [
            json!({"sku": "A", "name": "Kettle", "price": "1.00"}),
            json!({"sku": "B", "name": "", "price": "1.00"}),
        ];
        let text = format!("{}\n{}\n", rows[0], rows[1]);
        let rejected = on(shop, &["import", "-"], &text).await;
        assert_eq!(rejected.code, 1, "{}", rejected.err);
        assert!(rejected.out.contains("line 2 (B): /name"), "{}", rejected.out);
        assert!(rejected.out.contains("nothing was kept"), "{}", rejected.out);
        let tried = on(shop, &["import", "-", "--dry-run"], &text).await;
        assert_eq!((tried.code, tried.out.contains("tried only")), (1, true), "{}", tried.out);
        let tried = on(shop, &["import", "-", "--dry-run", "--on-error", "skip"], &text).await;
        assert_eq!((tried.code, tried.out.contains("tried only")), (0, true), "{}", tried.out);
        let skipped = on(shop, &["import", "-", "--on-error", "skip"], &text).await;
        assert_eq!(
            (skipped.code, skipped.out.lines().last()),
            (0, Some("2 rows read: 1 created, 0 updated, 1 refused")),
            "{}",
            skipped.err
        );
        let generated = on(shop, &["generate", "--products", "30"], "").await;
        assert_eq!(generated.code, 0, "{}", generated.err);
        shop.settled().await;
        assert_eq!(shop.get("/api/product/").await.json["count"], 31);

        let clean = on(shop, &["verify"], "").await;
        assert_eq!(clean.code, 0, "{}", clean.err);
        assert!(clean.out.contains("\"compared\":31"), "{}", clean.out);
        sqlx::raw_sql(
            "begin; set local session_replication_role = replica; update product set name = 'x'; commit",
        )
        .execute(&shop.db)
        .await
        .unwrap();
        let stale = on(shop, &["verify"], "").await;
        assert_eq!(stale.code, 1);
        assert!(stale.out.contains("\"stale\":31"), "{}", stale.out);
    })
    .await;
}

#[tokio::test]
async fn relevance_measures_the_shop() {
    with_shop(async |shop| {
        let rows = [
            json!({"sku": "K-1", "name": "Electric kettle", "price": "1.00"}),
            json!({"sku": "K-2", "name": "Kettle descaler", "price": "1.00"}),
            json!({"sku": "T-1", "name": "Television", "price": "1.00"}),
        ];
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        assert_eq!(on(shop, &["import", "-"], &text).await.code, 0);
        sqlx::raw_sql("update product set is_active = false where sku = 'T-1'").execute(&shop.db).await.unwrap();
        shop.settled().await;

        let header = "query_id\tquery\texternal_id\tgrade\n";
        let file = format!(
            "{header}1\telectric kettle\tK-1\t3\n1\telectric kettle\tGONE\t3\n2\tkettle\tK-2\t1\n3\twhisk\tK-1\t1\n\
             4\ttelevision\tT-1\t3\n"
        );
        let command = ["relevance", "--judgments", "-"];
        let measured = on(shop, &[&command[..], &["--json"]].concat(), &file).await;
        assert_eq!(measured.code, 0, "{}", measured.err);
        assert!(measured.err.contains("GONE, T-1"), "{}", measured.err);
        let report: Value = serde_json::from_str(&measured.out).unwrap();
        let counts = ["queries", "judgments", "unknown_judgments", "without_relevant"].map(|name| &report[name]);
        assert_eq!(counts, [4, 5, 2, 1]);
        assert_eq!(report["zero_result_rate"], 0.5);
        assert_eq!(report["details"][0]["query"], "whisk");
        let of = |id: &str| report["details"].as_array().unwrap().iter().find(|q| q["query_id"] == id).unwrap();
        assert_eq!((&of("1")["ndcg_at_10"], &of("1")["top"]), (&json!(1.0), &json!(["Electric kettle"])));
        assert_eq!((&of("2")["total"], &of("2")["recall_at_100"]), (&json!(2), &json!(1.0)));

        let told = on(shop, &[&command[..], &["--verbose"]].concat(), &file).await;
        let lines: Vec<&str> = told.out.lines().collect();
        assert!(lines[0].starts_with("nDCG@10") && lines[7] == "0.0000       0 found  whisk  →  nothing", "{}", told.out);

        let broken = on(shop, &command, &format!("{header}1\tkettle\tK-1\tgood\n1\tkettle\n")).await;
        assert_eq!((broken.code, broken.out.as_str()), (1, ""));
        assert!(broken.err.contains("line 2: the grade") && broken.err.contains("line 3: has 2"), "{}", broken.err);
        let missing = on(shop, &["relevance", "--judgments", "/nowhere.tsv"], "").await;
        assert!(missing.code == 1 && missing.err.contains("/nowhere.tsv cannot be read"), "{}", missing.err);
        assert_eq!(on(shop, &[&command[..], &["--json", "--verbose"]].concat(), &file).await.code, 2);
    })
    .await;
}

#[tokio::test]
async fn a_second_server_on_one_data_directory_says_why_not() {
    with_shop(async |shop| {
        let second = on(shop, &["serve", "--listen", "127.0.0.1:0"], "").await;
        assert_eq!(second.code, 1);
        assert!(second.err.contains("another duka already serves"), "{}", second.err);
    })
    .await;
}

#[tokio::test]
async fn an_unreachable_database_is_named_without_its_password() {
    let mut command = command(&["migrate"]);
    command.env("DATABASE_URL", "postgres://duka:hunter2@127.0.0.1:9/duka");
    let ran = ran(&command.output().unwrap());
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("DATABASE_URL") && !ran.err.contains("hunter2"), "{}", ran.err);
}
