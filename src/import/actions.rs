//! An import from its first row to its report.
//!
//! A thread reads and checks rows ahead; batches of them are written, one statement for each step of a batch.
//! With [`OnError::Reject`] all batches are one transaction, so that a file comes in whole or not at all; with
//! [`OnError::Skip`] each batch is its own. Memory holds a few batches, whatever the file holds.
// over 400 lines: an import is one story, from its first row to its line in the audit

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde_json::json;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
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
    catalog, category,
    error::{Error, Result},
    indexing::{self, Version},
    params::{Params, QueryForm, boolean},
};

/// Rows that are written at a time.
const BATCH: usize = 1_000;
/// And fewer where so many bytes of the file make fewer: rows may be large.
const BATCH_BYTES: u64 = 8 << 20;
/// How often an import asks whether its turn has come.
const TURN: Duration = Duration::from_millis(100);

/// What becomes of the file when a row is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Nothing of it is kept.
    Reject,
    /// Everything else is kept.
    Skip,
}

impl OnError {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Skip => "skip",
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let known = [Self::Reject, Self::Skip].into_iter().find(|word| word.as_str() == text);
        known.ok_or("must be reject or skip")
    }
}

/// How a file is brought in.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What becomes of the file when a row is refused.
    pub on_error: OnError,
    /// Everything is tried and nothing kept.
    pub dry_run: bool,
}

impl QueryForm for Options {
    fn read(params: &mut Params) -> Self {
        Self {
            on_error: params.parsed("on_error", OnError::parse).unwrap_or(OnError::Reject),
            dry_run: params.parsed("dry_run", boolean).unwrap_or(false),
        }
    }
}

/// What an import did, or would have done; while it runs, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// The last write to the catalog that is in the database.
    pub version: Option<Version>,
}

/// How far an import is, after each of its steps.
#[derive(Debug)]
pub struct Progress {
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// What it has done.
    pub report: Report,
    /// The rows that this step refused, in the order of the file.
    pub refused: Vec<RowError>,
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
            let (mut rows, mut begun) = (rows, 0);
            loop {
                let mut chunk = Chunk::default();
                let (mut end, mut last) = (0, true);
                for entry in rows.by_ref() {
                    match entry {
                        Ok(entry) => {
                            end = entry.bytes;
                            chunk.entries.push(entry);
                        }
                        Err(error) => chunk.failure = Some(error),
                    }
                    if chunk.entries.len() == BATCH || end.saturating_sub(begun) >= BATCH_BYTES {
                        last = false;
                        break;
                    }
                }
                last |= chunk.failure.is_some();
                begun = end;
                if sender.blocking_send(chunk).is_err() || last {
                    return;
                }
            }
        });
        Self { chunks, reader }
    }
}

/// Brings all rows in, in the author's name, and tells `progress` of every step. The audit has one line of each
/// transaction that changed something, with its counts: one of the whole import, or with [`OnError::Skip`] one of each
/// batch.
///
/// # Errors
/// As [`Import::step`].
pub async fn run(
    pool: &PgPool,
    author: impl Into<Author>,
    feed: Feed,
    options: Options,
    stop: &CancellationToken,
    mut progress: impl FnMut(Progress),
) -> Result<Report> {
    let mut import = Import::begin(pool, author, feed, options, stop).await?;
    while let Some(step) = import.step().await? {
        progress(step);
    }
    import.finish().await
}

/// An import between two of its steps. Dropped, it keeps nothing more.
pub struct Import<'a> {
    pool: &'a PgPool,
    author: Author,
    feed: Feed,
    options: Options,
    stop: &'a CancellationToken,
    /// `None` only between two batches.
    transaction: Option<Transaction<'static, Postgres>>,
    categories: HashMap<Vec<String>, i64>,
    bytes: u64,
    report: Report,
    /// The part of the report that the audit has already.
    recorded: Report,
    refused: Vec<RowError>,
}

impl<'a> Import<'a> {
    /// Waits for its turn.
    ///
    /// # Errors
    /// When the database does not answer, or `stop` is cancelled.
    pub async fn begin(
        pool: &'a PgPool,
        author: impl Into<Author>,
        feed: Feed,
        options: Options,
        stop: &'a CancellationToken,
    ) -> Result<Self> {
        let author = author.into();
        Ok(Self {
            pool,
            author,
            feed,
            options,
            stop,
            transaction: Some(begin(pool, author, stop).await?),
            categories: HashMap::new(),
            bytes: 0,
            report: Report::default(),
            recorded: Report::default(),
            refused: Vec::new(),
        })
    }

    /// Brings the next rows in; `None` when there are no more.
    ///
    /// # Errors
    /// When the file breaks off, the database does not answer, somebody else writes the same products meanwhile, or
    /// `stop` is cancelled. What had been written is then not kept, but for earlier steps with [`OnError::Skip`].
    pub async fn step(&mut self) -> Result<Option<Progress>> {
        let Some(chunk) = self.feed.chunks.recv().await else { return Ok(None) };
        self.bytes = chunk.entries.last().map_or(self.bytes, |entry| entry.bytes);
        self.take(chunk.entries).await?;
        if let Some(failure) = chunk.failure {
            return Err(Error::malformed(failure));
        }
        let mut refused = std::mem::take(&mut self.refused);
        // Some are found when rows are read, and others when they are written.
        refused.sort_by_key(|error| error.line);
        Ok(Some(Progress { bytes: self.bytes, report: self.report, refused }))
    }

    /// Writes what can be written of a chunk. A SKU that stands in it twice is written twice, in order.
    async fn take(&mut self, entries: Vec<Entry>) -> Result<()> {
        demand_going(self.stop)?;
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
            // Committed first: the next transaction waits for this one's turn to end.
            self.commit().await?;
            self.transaction = Some(begin(self.pool, self.author, self.stop).await?);
        }
        Ok(())
    }

    /// Commits, unless the import is to stop: then nothing more is kept.
    async fn commit(&mut self) -> Result<()> {
        demand_going(self.stop)?;
        self.record().await?;
        let version = catalog::version(self.db()?).await?;
        let Some(transaction) = self.transaction.take() else { return Err(ended()) };
        transaction.commit().await?;
        self.report.version = Some(version);
        Ok(())
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
        self.recorded = self.report;
        let act = Act {
            action: "catalog.import",
            entity: "catalog",
            entity_id: None,
            before: None,
            after: Some(counts),
        };
        audit::actions::record(self.db()?, &act).await
    }

    async fn write(&mut self, rows: Vec<(u64, Row)>) -> Result<()> {
        // Those of a file that is rejected anyway too: what stands in the way of a later row is known no sooner.
        if rows.is_empty() {
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
            let is_foreign = |sku: &str| owners.get(sku).is_some_and(|owner| Some(owner) != own);
            let faults: Vec<Fault> = match &row.variants {
                // One that is there keeps its own variants, or writes the one that it has of this SKU.
                None if own.is_some() => Vec::new(),
                None => {
                    is_foreign(&row.sku).then(|| foreign("/sku".to_owned(), &row.sku)).into_iter().collect()
                }
                Some(variants) => {
                    let skus = variants.iter().map(|variant| &variant.sku).enumerate();
                    let skus = skus.filter(|(_, sku)| is_foreign(sku));
                    skus.map(|(place, sku)| foreign(format!("/variants/{place}/sku"), sku)).collect()
                }
            };
            if faults.is_empty() {
                kept.push((line, row));
            } else {
                self.refuse(RowError { line, sku: Some(row.sku), faults });
            }
        }
        Ok(kept)
    }

    fn refuse(&mut self, error: RowError) {
        self.report.refused += 1;
        self.refused.push(error);
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

    /// Keeps what was brought in, if it is to be kept.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub async fn finish(mut self) -> Result<Report> {
        (&mut self.feed.reader).await.map_err(Error::internal)?;
        let rejected = self.options.on_error == OnError::Reject && self.report.refused > 0;
        if rejected || self.options.dry_run {
            demand_going(self.stop)?;
            let Some(transaction) = self.transaction else { return Err(ended()) };
            // An import that keeps nothing may have sat idle for too long: its report counts.
            let _ = transaction.rollback().await;
            if !self.options.dry_run {
                (self.report.created, self.report.updated) = (0, 0);
            }
        } else {
            self.commit().await?;
            indexing::analyze(self.pool).await;
            self.report.kept = true;
        }
        Ok(self.report)
    }
}

/// The transaction of a whole import, or of one batch, once its turn has come.
async fn begin(
    pool: &PgPool,
    author: Author,
    stop: &CancellationToken,
) -> Result<Transaction<'static, Postgres>> {
    let mut transaction = auth::begin(pool, author).await?;
    while !store::take_turn(&mut transaction).await? {
        let _ = timeout(TURN, stop.cancelled()).await;
        demand_going(stop)?;
    }
    Ok(transaction)
}

fn demand_going(stop: &CancellationToken) -> Result<()> {
    let stopped = || Error::unavailable("The import was stopped before it was done.");
    (!stop.is_cancelled()).then_some(()).ok_or_else(stopped)
}

fn ended() -> Error {
    Error::internal("the import's transaction had ended")
}

fn foreign(field: String, sku: &str) -> Fault {
    Fault { field, detail: format!("belongs to a variant of another product: {sku}") }
}

fn skus_of(row: &Row) -> impl Iterator<Item = &str> {
    std::iter::once(row.sku.as_str()).chain(row.variants.iter().flatten().map(|variant| variant.sku.as_str()))
}
