//! `duka demo`: a shop to look at, within a minute.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    Outcome, import,
    output::{bar, complain, say},
    serve::{Serve, address},
    stand_in::StandIn,
    unless_interrupted,
};
use crate::{
    account::{actions, model::Registration},
    auth::Author,
    auth::{Role, password::Passwords},
    body,
    clock::Clock,
    config::Config,
    corpus::Corpus,
    database::Database,
    error::Kind,
    import::actions::{OnError, Options, run},
    lifecycle::{Interrupts, Shop},
    product,
};

/// Products of the demo's catalog.
const PRODUCTS: u64 = 10_000;

/// See the command's help.
#[derive(Args)]
pub(super) struct Demo {
    #[command(flatten)]
    serve: Serve,
    /// How many products the catalog gets when it is empty
    #[arg(long, default_value_t = PRODUCTS, value_name = "N")]
    products: u64,
    /// Where the sandbox listens that is paid at; a free port when it is taken
    #[arg(long, env = "DUKA_SANDBOX_LISTEN", default_value = "127.0.0.1:8001", value_name = "ADDRESS", value_parser = address)]
    sandbox_listen: String,
}

impl Demo {
    pub(super) async fn run(self, mut config: Config) -> Outcome {
        let mut interrupts = Interrupts::listen()?;
        let stand_in = StandIn::find(&mut config, &self.sandbox_listen)
            .await
            .map_err(|error| format!("the sandbox cannot listen on {}: {error}", self.sandbox_listen))?;
        let opening = async {
            let database = Database::open(&config).await?;
            let first = prepare(&config, &database, self.products).await?;
            // The shop opens the database for itself; until then this keeps a managed one running.
            let shop = Shop::open(config, &self.serve.listen, Clock::default()).await?;
            database.close().await;
            Ok((shop, first))
        };
        let (shop, first) = unless_interrupted(&mut interrupts, opening).await?;
        introduce(&shop.address.to_string(), first);
        let standing = stand_in.map(|stand_in| stand_in.open(shop.address)).transpose()?;
        say("\nCtrl-C stops it; a second `duka demo` finds everything in place.");
        interrupts.heard().await;
        tracing::info!("stopping");
        shop.close().await;
        if let Some(standing) = standing {
            standing.close().await?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The users, and a catalog if there was none. True when it is the first start.
async fn prepare(
    config: &Config,
    database: &Database,
    products: u64,
) -> Result<bool, Box<dyn std::error::Error>> {
    database.migrate().await?;
    let pool = database.work_pool("duka demo");
    let passwords = Passwords::new(1)?;
    let mut known = 0;
    for role in [Role::Customer, Role::Vendor, Role::Admin] {
        let name = format!("demo-{}", role.as_str());
        let password = format!("{:016x}", rand::random::<u64>());
        let form = json!({"username": name, "email": format!("{name}@example.com"), "password": password});
        let account: Registration = body::read(form, config.currency)?;
        match actions::create(&pool, &passwords, &account, role).await {
            // At once: whatever interrupts the rest, a password that is kept nowhere has been shown.
            Ok(_) => say(&format!("  {:<9} {name:<14} password {password}", role.as_str())),
            Err(error) if error.kind() == Kind::AlreadyTaken => known += 1,
            Err(error) => return Err(error.into()),
        }
    }
    if product::actions::is_catalog_empty(&pool).await? {
        complain(&format!("making a catalog of {products} products"));
        let bar = bar(products, "generating {wide_bar} {pos}/{len} ({per_sec}, {eta} left)");
        let feed = import::feed(Corpus::new(1, config.currency), products);
        let options = Options { on_error: OnError::Reject, dry_run: false };
        run(&pool, Author::SHOP, feed, options, &CancellationToken::new(), |done| {
            bar.set_position(done.report.rows);
        })
        .await?;
        bar.finish_and_clear();
    }
    pool.close().await;
    Ok(known == 0)
}

fn introduce(address: &str, first: bool) {
    let port = address.rsplit(':').next().unwrap_or("8000");
    let base = match address.split_once(':') {
        Some(("127.0.0.1" | "0.0.0.0", _)) => format!("http://localhost:{port}"),
        _ => format!("http://{address}"),
    };
    say(&format!("The shop is open at {base}\n"));
    if first {
        say("Its users and their passwords are above; they are not shown again.");
    } else {
        say(
            "Its users demo-customer, demo-vendor and demo-admin have the passwords that the first start printed.",
        );
        say("Lost? `duka admin create` makes another administrator.");
    }
    let try_this = [
        format!("open {base} in a browser: the shop; {base}/admin/: its console"),
        format!("curl '{base}/api/product/?q=headphones&price_max=100&sort=price'"),
        format!("curl '{base}/api/product/?in_stock=true&facets=category,brand,rating&page_size=1'"),
        format!("open {base}/swagger/ in a browser"),
    ];
    say("\nTry:");
    for line in try_this {
        say(&format!("  {line}"));
    }
}
