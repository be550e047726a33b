//! Those who write while things are killed, and remember what they were promised.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use sqlx::PgPool;
use tokio::task::JoinHandle;

/// What one product may be called: the name that was acknowledged last, and one whose commit nobody answered.
#[derive(Debug, Default)]
struct Promise {
    acknowledged: Option<String>,
    in_doubt: Vec<String>,
}

/// Many who write at once, in transactions of random length, some of them rolled back.
pub struct Writers {
    stop: Arc<AtomicBool>,
    promises: Arc<Mutex<BTreeMap<String, Promise>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    pub fn start(db: &PgPool, count: u64) -> Self {
        let (stop, promises) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let spawn =
            |writer| tokio::spawn(write(db.clone(), writer, Arc::clone(&stop), Arc::clone(&promises)));
        let tasks = (0..count).map(spawn).collect();
        Self { stop, promises, tasks }
    }

    /// Ends them, and demands of the database what they were promised. How many products they wrote.
    pub async fn kept(self, db: &PgPool) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        let rows: Vec<(String, String)> =
            sqlx::query_as("select sku, name from product where sku like 'W%'").fetch_all(db).await.unwrap();
        let rows: BTreeMap<String, String> = rows.into_iter().collect();
        let promises = self.promises.lock().unwrap();
        for (sku, promise) in &*promises {
            let name = rows.get(sku);
            let kept = name == promise.acknowledged.as_ref()
                || name.is_some_and(|name| promise.in_doubt.contains(name));
            assert!(kept, "{sku} is called {name:?}, and was to be {promise:?}");
        }
        assert!(rows.keys().all(|sku| promises.contains_key(sku)), "what was rolled back is there");
        rows.len()
    }
}

async fn write(
    db: PgPool,
    writer: u64,
    stop: Arc<AtomicBool>,
    promises: Arc<Mutex<BTreeMap<String, Promise>>>,
) {
    let mut dice = StdRng::seed_from_u64(writer);
    let mut round = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let mut written = BTreeMap::new();
        let Some(committed) = transaction(&db, writer, round, &mut dice, &mut written).await else {
            // The database was killed before there was anything to commit.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let mut promises = promises.lock().unwrap();
        for (sku, name) in written {
            let promise = promises.entry(sku).or_default();
            if committed {
                *promise = Promise { acknowledged: Some(name), in_doubt: Vec::new() };
            } else {
                promise.in_doubt.push(name);
            }
        }
    }
}

/// Whether it was acknowledged; `None` when it certainly was not committed.
async fn transaction(
    db: &PgPool,
    writer: u64,
    round: u64,
    dice: &mut StdRng,
    written: &mut BTreeMap<String, String>,
) -> Option<bool> {
    let mut transaction = db.begin().await.ok()?;
    for step in 0..dice.random_range(1..5) {
        // Each product is one writer's: so it is known who was last.
        let sku = format!("W{writer}-{}", dice.random_range(0..40));
        let name = format!("{round}.{step}");
        sqlx::query(
            "with p as (
                 insert into product (sku, name, slug, price) values ($1, $2, 'x', $3)
                 on conflict (sku) where deleted_at is null do update set name = excluded.name
                 returning id, sku
             )
             insert into variant (product_id, variant_name, sku, price, stock)
             select id, 'Default', sku, $3, 1 from p
             on conflict (sku) where deleted_at is null do update set stock = variant.stock + 1",
        )
        .bind(&sku)
        .bind(&name)
        .bind(rust_decimal::Decimal::new(dice.random_range(100..10_000), 2))
        .execute(&mut *transaction)
        .await
        .ok()?;
        written.insert(sku, name);
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..30))).await;
    }
    if dice.random_bool(0.2) {
        let _ = transaction.rollback().await;
        return None;
    }
    Some(transaction.commit().await.is_ok())
}
