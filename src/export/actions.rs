//! An export from its snapshot to its last row.
//!
//! One read-only transaction sees the catalog as it is at one moment, however long its reader takes; memory holds a
//! few hundred rows. What comes out, an import takes in as it is.

use std::time::Duration;

use axum::body::Bytes;
use futures_util::TryStreamExt;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::{sync::mpsc, time::timeout};

use super::store;
use crate::{
    app::App,
    auth::Admin,
    database::begin_snapshot,
    error::{Error, Result},
    import::{
        row::{Row, to_csv},
        source::Format,
    },
    money::Currency,
};

/// Products that one statement reads.
const STRETCH: i64 = 250;
/// Bytes of a piece, or a row more. Rows are a kilobyte or two; where they are large, fewer of them make a piece.
const LARGEST: usize = 1 << 19;
/// How long a reader may not read.
const PATIENCE: Duration = Duration::from_secs(60);

/// The catalog at one moment, on its way out.
pub struct Export {
    snapshot: Transaction<'static, Postgres>,
    format: Format,
    currency: Currency,
    /// The id of the last product that was written; 0 before the first.
    last: i64,
    /// Products that the next statement reads.
    stretch: i64,
    is_over: bool,
}

/// A few rows of an export, written.
pub struct Piece {
    /// Whole lines.
    pub text: Bytes,
    /// How many products.
    pub products: u64,
}

impl Export {
    /// Takes the snapshot.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(pool: &PgPool, format: Format, currency: Currency) -> Result<Self> {
        let mut snapshot = begin_snapshot(pool).await?;
        store::plan_afresh(&mut snapshot).await?;
        Ok(Self { snapshot, format, currency, last: 0, stretch: STRETCH, is_over: false })
    }

    /// How many products there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count(&mut self) -> Result<u64> {
        Ok(store::count(&mut self.snapshot).await?.unsigned_abs())
    }

    /// The next piece, in the order of ids, of CSV the header row first; `None` at the end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next(&mut self) -> Result<Option<Piece>> {
        if self.is_over {
            return Ok(None);
        }
        let is_first = self.last == 0;
        let mut text =
            if is_first && self.format == Format::Csv { to_csv(None, self.currency) } else { Vec::new() };
        let mut products = 0;
        let mut rows = store::rows_after(&mut self.snapshot, self.last, self.stretch);
        while text.len() < LARGEST
            && let Some((id, row)) = rows.try_next().await?
        {
            put(&mut text, &row, self.format, self.currency);
            (self.last, products) = (id, products + 1);
        }
        drop(rows);
        if text.len() >= LARGEST {
            // So that the next statement reads little that is not written.
            self.stretch = products.max(1);
        } else {
            self.is_over = products < self.stretch;
            self.stretch = STRETCH.min(self.stretch * 2);
        }
        Ok(Some(Piece { text: text.into(), products: products.unsigned_abs() }))
    }
}

fn put(text: &mut Vec<u8>, row: &Row, format: Format, currency: Currency) {
    match format {
        Format::Ndjson => {
            text.extend_from_slice(row.to_json(currency).as_bytes());
            text.push(b'\n');
        }
        Format::Csv => text.extend_from_slice(&to_csv(Some(row), currency)),
    }
}

/// An export whose pieces come one after the other, read ahead by one. Dropping it ends it. An error is the last that
/// comes.
///
/// # Errors
/// When the database does not answer, or 503 when as many exports run as may.
pub async fn stream(app: &App, _: Admin, format: Format) -> Result<mpsc::Receiver<Result<Bytes>>> {
    let export = Export::begin(&app.exports, format, app.config.currency).await?;
    let (sender, receiver) = mpsc::channel(1);
    let stopping = app.stopping.clone();
    tokio::spawn(async move {
        let done = tokio::select! {
            done = send(export, &sender) => done,
            () = sender.closed() => Err(gone()),
            () = stopping.cancelled() => Err(Error::unavailable("The server shuts down; ask again.")),
        };
        if let Err(error) = done {
            tracing::debug!(%error, "an export ended early");
            // Not to end like one that is whole.
            let _ = timeout(PATIENCE, sender.send(Err(error))).await;
        }
    });
    Ok(receiver)
}

async fn send(mut export: Export, sender: &mpsc::Sender<Result<Bytes>>) -> Result<()> {
    while let Some(piece) = export.next().await? {
        let sent = timeout(PATIENCE, sender.send(Ok(piece.text))).await;
        if !matches!(sent, Ok(Ok(()))) {
            return Err(gone());
        }
    }
    Ok(())
}

fn gone() -> Error {
    Error::unavailable("Nobody reads any more.")
}
