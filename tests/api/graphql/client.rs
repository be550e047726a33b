//! Through a public client of npm's, as front ends use it: search, sign in, put into the cart, order.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use duka::auth::Role;
use serde_json::{Value, json};

use crate::support::{PASSWORD, with_shop};

const PACKAGES: [&str; 2] = ["graphql-request@7.4.0", "graphql@16.11.0"];
/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs it in the folder: what it printed, or why it did not end well.
async fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<String, String> {
    let said = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default().trim().to_owned();
    let file = |name: &str| File::create(folder.join(name)).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
    let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
    let begun = Instant::now();
    loop {
        match child.try_wait().map_err(|error| format!("{program}: {error}"))? {
            Some(status) if status.success() => return Ok(said("out")),
            Some(_) => return Err(format!("{program}: {}", said("err"))),
            None if begun.elapsed() > PATIENCE => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{program} took longer than {PATIENCE:?}"));
            }
            // The shop, on this thread too, goes on meanwhile.
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Installs the client into the folder.
async fn install(folder: &Path) -> Result<String, String> {
    run(folder, "node", &["--version"]).await?;
    fs::write(folder.join("package.json"), "{\"private\": true, \"type\": \"module\"}").unwrap();
    let mut arguments = vec![
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--fetch-retries=0",
        "--fetch-timeout=20000",
    ];
    arguments.extend(PACKAGES);
    run(folder, "npm", &arguments).await
}

#[tokio::test]
async fn a_public_client_searches_signs_in_and_orders() {
    let folder = tempfile::tempdir().unwrap();
    if let Err(reason) = install(folder.path()).await {
        println!("skipped: npm's client cannot be had here: {reason}");
        return;
    }
    fs::write(folder.path().join("client.mjs"), include_str!("client.mjs")).unwrap();
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (_, variant) = shop.shelve(&admin, "Kettle", "12.50", 5).await;
        shop.shelve(&admin, "Cup", "2.50", 5).await;
        shop.user("asha", Role::Customer).await;
        shop.settled().await;
        let endpoint = format!("{}/graphql/", shop.base);
        let said = run(folder.path(), "node", &["client.mjs", &endpoint, "asha", PASSWORD]).await.unwrap();
        let told: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        assert_eq!((&told["found"], &told["name"]), (&json!(1), &json!("Kettle")));
        assert_eq!(told["wrong"], "wrong-credentials");
        assert_eq!(told["cart"], json!({"total": "25.00", "items": [{"quantity": 2}]}));
        let order = &told["order"];
        assert_eq!((&order["status"], &order["totalAmount"]), (&json!("CONFIRMED"), &json!("25.00")));
        assert_eq!(order["items"], json!([{"sku": "Kettle", "quantity": 2}]));
        assert_eq!(shop.stock_of(variant).await, 3);
        println!("ordered {} through {}", order["orderNumber"], PACKAGES[0]);
    })
    .await;
}
