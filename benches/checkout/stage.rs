//! A shop on a PostgreSQL of its own, with things, buyers and pgbench's tables.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use duka::{
    auth::Role,
    clock::Clock,
    config::{Config, Settings},
    lifecycle::Shop,
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use time::OffsetDateTime;

/// Somebody with an address and something in the cart.
pub(crate) struct Buyer {
    pub(crate) id: i64,
    pub(crate) home: i64,
    pub(crate) access: String,
}

pub(crate) struct Stage {
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
    /// For looking at the database behind the shop's back.
    pub(crate) db: PgPool,
    /// The variants of the things.
    pub(crate) things: Vec<i64>,
    socket: PathBuf,
    shop: Shop,
    _data_dir: TempDir,
}

impl Stage {
    /// Opens it with so many things.
    pub(crate) async fn open(things: i32) -> Self {
        let data_dir = tempfile::Builder::new().prefix("duka-bench-").tempdir().unwrap();
        // Of root's, the server's own user must get in.
        fs::set_permissions(data_dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let settings = Settings { data_dir: Some(data_dir.path().to_owned()), ..Settings::default() };
        let shop =
            Shop::open(Config::new(&settings).unwrap(), "127.0.0.1:0", Clock::default()).await.unwrap();
        let base = format!("http://{}", shop.address);
        let socket = data_dir.path().join("postgres/socket");
        let url = format!("postgres:///duka?host={}&user=duka", socket.display());
        let db = PgPoolOptions::new().max_connections(4).connect(&url).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let things = sqlx::query_scalar(
            "with shelf as (insert into category (name, slug) values ('Things', 'things') returning id),
             thing as (
                 insert into product (category_id, name, slug, price, sku)
                 select shelf.id, 'Thing ' || n, 'thing-' || n, 2.50, 'T' || n from shelf, generate_series(1, $1) n
                 returning id, sku
             ), variants as (
                 insert into variant (product_id, variant_name, sku, price, stock)
                 select id, 'Default', sku, 2.50, 1000000 from thing returning id, stock
             ), noted as (
                 insert into stock_movement (variant_id, quantity, reason) select id, stock, 'initial' from variants
             )
             select id from variants order by id",
        )
        .bind(things)
        .fetch_all(&db)
        .await
        .unwrap();
        let stage = Self { base, client, db, things, socket, shop, _data_dir: data_dir };
        sqlx::query("create database pgbench").execute(&stage.db).await.unwrap();
        stage.run_pgbench(&["--initialize", "--quiet", "--scale", "10"]).await;
        stage
    }

    /// So many buyers, each with one of the things in the cart, in turn.
    pub(crate) async fn buyers(&self, count: usize, things: &[i64]) -> Vec<Buyer> {
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "with started as (select coalesce(max(id), 0) as last from users),
             person as (
                 insert into users (username, email, password_hash)
                 select 'buyer-' || last + n, 'buyer-' || last + n || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1'
                 from started, generate_series(1, $1) n returning id
             ), opened as (
                 insert into session (user_id, user_agent, expires_at)
                 select id, '', now() + interval '1 day' from person returning id, user_id
             ), home as (
                 insert into address (user_id, street, city, country)
                 select id, 'Moi Avenue 1', 'Nairobi', 'Kenya' from person returning id, user_id
             ), baskets as (
                 insert into cart (user_id) select id from person returning id
             ), filled as (
                 insert into cart_item (cart_id, variant_id, quantity, price)
                 select id, $2[1 + id % array_length($2, 1)], 1, 2.50 from baskets
             )
             select p.id, o.id, h.id
             from person p join opened o on o.user_id = p.id join home h on h.user_id = p.id order by p.id",
        )
        .bind(i32::try_from(count).unwrap())
        .bind(things)
        .fetch_all(&self.db)
        .await
        .unwrap();
        sqlx::query("analyze").execute(&self.db).await.unwrap();
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let buyer = |(id, session, home)| {
            let access = self.shop.app.keys.issue(id, session, Role::Customer, now).unwrap();
            Buyer { id, home, access }
        };
        rows.into_iter().map(buyer).collect()
    }

    /// How many orders these have placed.
    pub(crate) async fn orders_of(&self, buyers: &[Buyer]) -> usize {
        let ids: Vec<i64> = buyers.iter().map(|buyer| buyer.id).collect();
        let count: i64 = sqlx::query_scalar("select count(*) from orders where user_id = any($1)")
            .bind(ids)
            .fetch_one(&self.db)
            .await
            .unwrap();
        usize::try_from(count).unwrap()
    }

    /// Simple updates a second: a select, an update and an insert in a transaction.
    pub(crate) async fn pgbench(&self, sessions: usize, seconds: u64) -> f64 {
        let (sessions, seconds) = (sessions.to_string(), seconds.to_string());
        let told = self
            .run_pgbench(&["--builtin", "simple-update", "-c", &sessions, "-j", "2", "-T", &seconds])
            .await;
        let rate = told.lines().find_map(|line| line.strip_prefix("tps = "));
        rate.and_then(|rate| rate.split(' ').next()?.parse().ok())
            .unwrap_or_else(|| panic!("no rate: {told}"))
    }

    async fn run_pgbench(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("pgbench");
        command.arg("-h").arg(&self.socket).args(["-U", "duka"]).args(arguments).arg("pgbench");
        let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        let done = done.expect("pgbench, which comes with PostgreSQL, is not in PATH");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    pub(crate) async fn close(self) {
        self.db.close().await;
        self.shop.close().await;
    }
}
