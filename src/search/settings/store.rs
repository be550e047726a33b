//! The SQL of the search's settings. The newest version is the one that holds.

use duka_index::Settings;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, types::Json};
use time::OffsetDateTime;

use crate::error::Result;

/// A version as it is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) version: i64,
    pub(super) settings: Value,
    pub(super) created_at: OffsetDateTime,
}

/// Makes those who set wait for each other, until the transaction ends.
pub(super) async fn lock(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('duka.search_settings', 0))")
        .execute(db)
        .await?;
    Ok(())
}

/// The newest version; none when nobody has set any.
pub(super) async fn newest(db: impl PgExecutor<'_>) -> Result<Option<Kept>> {
    let row = sqlx::query_as!(
        Kept,
        "select version, settings, created_at from search_settings order by version desc limit 1"
    );
    Ok(row.fetch_optional(db).await?)
}

/// Adds a version, one above the newest: [`lock`] first.
pub(super) async fn insert(
    db: &mut PgConnection,
    settings: &Settings,
    user_id: i64,
) -> Result<(i64, OffsetDateTime)> {
    let row = sqlx::query!(
        "insert into search_settings (version, settings, created_by)
         select coalesce(max(version), 0) + 1, $1, $2 from search_settings
         returning version, created_at",
        Json(settings) as _,
        user_id,
    )
    .fetch_one(db)
    .await?;
    Ok((row.version, row.created_at))
}
