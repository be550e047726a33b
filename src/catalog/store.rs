//! The statement that names a write.

use sqlx::PgConnection;

use crate::error::{Error, Result};

/// The catalog's epoch, and this transaction's id.
pub(super) async fn version(db: &mut PgConnection) -> Result<(i64, u64)> {
    let row = sqlx::query!(r#"select epoch, pg_current_xact_id()::text as "xid!" from index_epoch"#)
        .fetch_one(db)
        .await?;
    let xid = row.xid.parse().map_err(Error::internal)?;
    Ok((row.epoch, xid))
}
