//! A job that another process does: how a command line asks the server that holds the data directory.

use serde_json::json;
use sqlx::PgPool;

use super::{
    model::{Job, Kind, New},
    store,
};
use crate::{
    auth::Author,
    error::{Error, Result},
};

/// Asks the server of a node for a job, and returns its number. The server takes it up within a second.
///
/// # Errors
/// 409 when there is one already of a kind that allows one at a time.
pub async fn ask(pool: &PgPool, node: &str, kind: Kind) -> Result<i64> {
    let new = New { kind, author: Author::SHOP, parameters: json!({ "unclaimed": true }) };
    store::insert(pool, &new, node).await.map_err(|error| match store::is_second(&error) {
        true => Error::in_use(format!("A {} waits or runs already.", kind.as_str())),
        false => error.into(),
    })
}

/// How far it is.
///
/// # Errors
/// 404.
pub async fn look(pool: &PgPool, kind: Kind, id: i64) -> Result<Job> {
    store::one(pool, kind, id).await?.ok_or_else(|| Error::not_found(kind.as_str()))
}

/// Asks it to stop.
///
/// # Errors
/// When the database does not answer.
pub async fn cancel(pool: &PgPool, kind: Kind, id: i64) -> Result<()> {
    store::request_cancel(pool, kind, id).await?;
    Ok(())
}
