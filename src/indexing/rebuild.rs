//! Building an index from one snapshot of the database.

use std::path::Path;

use duka_index::{Document, Engine, Writer};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{IndexingError, mirror::Payload, projection, store};

/// Products that are read and indexed at a time: enough to make a round trip cheap, few enough to hold.
pub(super) const CHUNK: usize = 1_000;
/// What the writer may hold before it writes a segment. Larger ones index no faster at 100,000 products.
pub(super) const WRITER_BYTES: usize = 64 << 20;

/// Builds an index of every live product in `folder`, which must be empty.
pub(super) async fn build(
    pool: &PgPool,
    folder: &Path,
    stop: &CancellationToken,
) -> Result<(Engine, Writer), IndexingError> {
    let begun = std::time::Instant::now();
    let engine = Engine::open(folder)?;
    let mut writer = engine.writer(WRITER_BYTES)?;
    super::analyze(pool).await;
    let mut snapshot = store::begin(pool).await?;
    let present = store::present(&mut snapshot).await?;
    let total = store::count_live(&mut snapshot).await?;
    tracing::info!(products = total, "building the index");

    let (mut after, mut done) = (i64::MIN, 0_usize);
    let mut ids = store::live_ids_after(&mut snapshot, after, CHUNK).await?;
    let mut documents = projection::documents(&mut snapshot, &ids).await?;
    while let Some(last) = ids.last() {
        if stop.is_cancelled() {
            return Err(IndexingError::Cancelled);
        }
        after = *last;
        done += documents.len();
        // The next rows are read while these are indexed.
        let indexed = tokio::task::spawn_blocking(move || add(writer, &documents));
        ids = store::live_ids_after(&mut snapshot, after, CHUNK).await?;
        documents = projection::documents(&mut snapshot, &ids).await?;
        writer = indexed.await??;
        if done.is_multiple_of(50 * CHUNK) {
            tracing::info!(done, total, "building the index");
        }
    }
    snapshot.rollback().await?;

    let payload = Payload::new(&present).to_text()?;
    let writer = tokio::task::spawn_blocking(move || {
        writer.commit(&payload)?;
        Ok::<_, duka_index::Error>(writer)
    });
    let writer = writer.await??;
    if engine.len() > done as u64 || i64::try_from(done) != Ok(total) {
        return Err(IndexingError::Outlived("the new index does not hold what the database counted"));
    }
    tracing::info!(products = done, seconds = begun.elapsed().as_secs_f64(), "built the index");
    Ok((engine, writer))
}

fn add(mut writer: Writer, documents: &[Document]) -> Result<Writer, duka_index::Error> {
    for document in documents {
        upsert(&mut writer, document)?;
    }
    Ok(writer)
}

/// Indexes a document. One that cannot be indexed is left out, and `verify` misses it: it must not hold up
/// everybody else's.
pub(super) fn upsert(writer: &mut Writer, document: &Document) -> Result<(), duka_index::Error> {
    match writer.upsert(document) {
        Err(error @ duka_index::Error::Document { id, .. }) => {
            tracing::error!(%error, "a product cannot be found by searches");
            metrics::counter!("duka_index_refused_documents_total").increment(1);
            writer.delete(id)
        }
        done => done,
    }
}
