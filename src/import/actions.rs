//! An import from its first row to its report.
//!
//! A thread reads and checks rows ahead; batches of them are written, one statement for each step of a batch.
//! With [`OnError::Reject`] all batches are one transaction, so that a file comes in whole or not at all; with
//! [`OnError::Skip`] each batch is its own. Memory holds a few batches, whatever the file holds.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::json;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    batch::{Batch, variant_skus},
    row::{Fault, Row, RowError},
    source::{Entry, SourceError},
    store,
};
use crate::{
    audit::{self, model::Act},
    auth::{self, Author},
    category,
    error::{Error, Result},
    indexing,
};

/// Rows that are written at a time.
const BATCH: usize = 1_000;
/// Refused rows whose faults a report holds; the others are counted.
pub const MAX_ERRORS: usize = 1_000;

/// What becomes of the file when a row is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Nothing of it is kept.
    Reject,
    /// Everything else is kept.
    Skip,
}

/// How a file is brought in.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What becomes of the file when a row is refused.
    pub on_error: OnError,
    /// Everything is tried and nothing kept.
    pub dry_run: bool,
}

/// What an import did, or would have done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows of the file.
    pub rows: u64,
    /// Products made.
    pub created: u64,
    /// Rows of products that were there, changed by it or not.
    pub updated: u64,
    /// Rows refused.
    pub refused: u64,
    /// Whether what was created and updated is in the database.
    pub kept: bool,
    /// The first thousand refused rows, in the order of the file.
    pub errors: Vec<RowError>,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Rows read and written or refused.
    pub rows: u64,
    /// Bytes of the file that they took.
    pub bytes: u64,
}

/// A few rows on their way from the reader.
#[derive(Default)]
pub struct Chunk {
    entries: Vec<Entry>,
    failure: Option<SourceError>,
}

/// Rows, read ahead by a thread of their own.
pub struct Feed {
    chunks: mpsc::Receiver<Chunk>,
    reader: JoinHandle<()>,
}

impl Feed {
    /// Starts to read. The thread ends with the rows, or with the feed.
    pub fn start<I>(rows: I) -> Self
    where
        I: Iterator<Item = Result<Entry, SourceError>> + Send + 'static,
    {
        let (sender, chunks) = mpsc::channel(2);
        let reader = tokio::task::spawn_blocking(move || {
            let mut rows = rows;
            loop {
                let mut chunk = Chunk::default();
                for entry in rows.by_ref().take(BATCH) {
                    match entry {
                        Ok(entry) => chunk.entries.push(entry),
                        Err(error) => chunk.failure = Some(error),
                    }
                }
                let last = chunk.failure.is_some() || chunk.entries.len() < BATCH;
                if sender.blocking_send(chunk).is_err() || last {
                    return;
                }
            }
        });
        Self { chunks, reader }
    }
}

/// Brings the rows in, in the author's name. The audit has one line of each transaction that changed something, with
/// its counts: one of the whole import, or with [`OnError::Skip`] one of each batch.
///
/// # Errors
/// When the file breaks off, the database does not answer, somebody else writes the same products meanwhile,
/// or `stop` is cancelled. What had been written is then not kept, but for earlier batches with
/// [`OnError::Skip`].
pub async fn run(
    pool: &PgPool,
    author: impl Into<Author>,
    mut feed: Feed,
    options: Options,
    stop: &CancellationToken,
    mut progress: impl FnMut(Progress),
) -> Result<Report> {
    let mut import = Import::begin(pool, author.into(), options).await?;
    let mut done = Progress::default();
    while let Some(chunk) = feed.chunks.recv().await {
        if stop.is_cancelled() {
            return Err(Error::unavailable("The import was cancelled."));
        }
        done.rows += chunk.entries.len() as u64;
        done.bytes = chunk.entries.last().map_or(done.bytes, |entry| entry.bytes);
        import.take(chunk.entries).await?;
        if let Some(failure) = chunk.failure {
            return Err(Error::malformed(failure));
        }
        progress(done);
    }
    feed.reader.await.map_err(Error::internal)?;
    import.finish().await
}

struct Import<'a> {
    pool: &'a PgPool,
    author: Author,
    options: Options,
    /// `None` only between two batches.
    transaction: Option<Transaction<'static, Postgres>>,
    categories: HashMap<Vec<String>, i64>,
    report: Report,
    /// The part of the report that the audit has already.
    recorded: Report,
}

impl<'a> Import<'a> {
    async fn begin(pool: &'a PgPool, author: Author, options: Options) -> Result<Self> {
        let transaction = begin_turn(pool, author).await?;
        Ok(Self {
            pool,
            author,
            options,
            transaction: Some(transaction),
            categories: HashMap::new(),
            report: Report::default(),
            recorded: Report::default(),
        })
    }

    /// Writes what can be written of a chunk. A SKU that stands in it twice is written twice, in order.
    async fn take(&mut self, entries: Vec<Entry>) -> Result<()> {
        let mut rows = Vec::with_capacity(entries.len());
        let mut skus: HashSet<String> = HashSet::new();
        self.report.rows += entries.len() as u64;
        for entry in entries {
            let row = match entry.row {
                Ok(row) => row,
                Err(error) => {
                    self.refuse(error);
                    continue;
                }
            };
            let repeated = skus_of(&row).any(|sku| skus.contains(sku));
            if repeated {
                self.write(std::mem::take(&mut rows)).await?;
                skus.clear();
            }
            skus.extend(skus_of(&row).map(ToOwned::to_owned));
            rows.push((entry.line, row));
        }
        self.write(rows).await?;
        if self.options.on_error == OnError::Skip && !self.options.dry_run {
            self.record().await?;
            // Committed first: the next transaction waits for this one's turn to end.
            if let Some(done) = self.transaction.take() {
                done.commit().await?;
            }
            self.transaction = Some(begin_turn(self.pool, self.author).await?);
        }
        Ok(())
    }

    async fn write(&mut self, rows: Vec<(u64, Row)>) -> Result<()> {
        // The rest of a file that is rejected anyway is only read, for its faults.
        let rejected = self.options.on_error == OnError::Reject && self.report.refused > 0;
        if rows.is_empty() || rejected {
            return Ok(());
        }
        store::plan(self.db()?, "force_custom_plan").await?;
        let rows = self.refuse_foreign_variants(rows).await?;
        let mut batch = Batch::default();
        for (_, row) in rows {
            let category_id = self.category(row.category_path.as_deref()).await?;
            batch.push(row, category_id);
        }
        let (created, updated) = batch.write(self.db()?).await?;
        self.report.created += created;
        self.report.updated += updated;
        Ok(())
    }

    /// A variant's SKU that another product has cannot come in with this row.
    async fn refuse_foreign_variants(&mut self, rows: Vec<(u64, Row)>) -> Result<Vec<(u64, Row)>> {
        let products: Vec<String> = rows.iter().map(|(_, row)| row.sku.clone()).collect();
        let variants: Vec<String> =
            rows.iter().flat_map(|(_, row)| variant_skus(row)).map(ToOwned::to_owned).collect();
        let known = store::known(self.db()?, &products).await?;
        let known: HashMap<String, i64> = known.into_iter().map(|known| (known.sku, known.id)).collect();
        let owners = store::owners(self.db()?, &variants).await?;
        let owners: HashMap<String, i64> =
            owners.into_iter().map(|owned| (owned.sku, owned.product_id)).collect();
        let mut kept = Vec::with_capacity(rows.len());
        for (line, row) in rows {
            let own = known.get(&row.sku);
            let foreign =
                variant_skus(&row).find(|sku| owners.get(*sku).is_some_and(|owner| Some(owner) != own));
            match foreign {
                None => kept.push((line, row)),
                Some(sku) => {
                    let detail = format!("belongs to a variant of another product: {sku}");
                    let fault = Fault { field: "/sku".to_owned(), detail };
                    self.refuse(RowError { line, sku: Some(row.sku.clone()), faults: vec![fault] });
                }
            }
        }
        Ok(kept)
    }

    fn refuse(&mut self, error: RowError) {
        self.report.refused += 1;
        if self.report.errors.len() < MAX_ERRORS {
            self.report.errors.push(error);
        }
    }

    /// The category at the end of a path of names, made where it is missing.
    async fn category(&mut self, path: Option<&[String]>) -> Result<Option<i64>> {
        let Some(path) = path else { return Ok(None) };
        if let Some(id) = self.categories.get(path) {
            return Ok(Some(*id));
        }
        let mut parent = None;
        for depth in 1..=path.len() {
            let id = match self.categories.get(&path[..depth]) {
                Some(id) => *id,
                None => category::actions::ensure(self.db()?, parent, &path[depth - 1]).await?,
            };
            self.categories.insert(path[..depth].to_vec(), id);
            parent = Some(id);
        }
        Ok(parent)
    }

    fn db(&mut self) -> Result<&mut PgConnection> {
        self.transaction.as_deref_mut().ok_or_else(ended)
    }

    /// Tells the audit what the transaction has done, if it has.
    async fn record(&mut self) -> Result<()> {
        if !store::has_changed(self.db()?).await? {
            return Ok(());
        }
        let (all, told) = (&self.report, &self.recorded);
        let counts = json!({
            "rows": all.rows - told.rows,
            "created": all.created - told.created,
            "updated": all.updated - told.updated,
            "refused": all.refused - told.refused,
        });
        self.recorded = Report { errors: Vec::new(), ..*all };
        let act = Act {
            action: "catalog.import",
            entity: "catalog",
            entity_id: None,
            before: None,
            after: Some(counts),
        };
        audit::actions::record(self.db()?, &act).await
    }

    async fn finish(mut self) -> Result<Report> {
        let rejected = self.options.on_error == OnError::Reject && self.report.refused > 0;
        let kept = !rejected && !self.options.dry_run;
        if kept {
            self.record().await?;
        }
        let Some(transaction) = self.transaction else { return Err(ended()) };
        if !kept {
            // An import that keeps nothing may have sat idle for too long: its report counts.
            let _ = transaction.rollback().await;
        } else {
            transaction.commit().await?;
            indexing::analyze(self.pool).await;
            self.report.kept = true;
        }
        Ok(self.report)
    }
}

/// The transaction of a whole import, or of one batch.
async fn begin_turn(pool: &PgPool, author: Author) -> Result<Transaction<'static, Postgres>> {
    let mut transaction = auth::begin(pool, author).await?;
    store::take_turn(&mut transaction).await?;
    Ok(transaction)
}

fn ended() -> Error {
    Error::internal("the import's transaction had ended")
}

fn skus_of(row: &Row) -> impl Iterator<Item = &str> {
    std::iter::once(row.sku.as_str()).chain(row.variants.iter().flatten().map(|variant| variant.sku.as_str()))
}
