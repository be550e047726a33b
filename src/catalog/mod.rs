//! A write to the catalog: one transaction, and the version that names it.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use sqlx::{PgConnection, Postgres, Transaction};
use tokio::time::timeout;

use crate::{
    app::App,
    auth::{self, Author},
    database::Turn,
    error::Result,
    indexing::Version,
};

mod store;

/// The header in which a write's version is sent.
pub const VERSION_HEADER: HeaderName = HeaderName::from_static("x-catalog-version");

/// How long the connection of a turn may let a write wait: one that was left in the middle of a statement is busy until
/// that ends.
const BEGUN: Duration = Duration::from_millis(100);

/// The transaction of one write to the catalog.
pub struct CatalogWrite {
    transaction: Transaction<'static, Postgres>,
    // Behind the transaction in the order of dropping.
    _turn: Option<Turn>,
}

impl CatalogWrite {
    /// Begins it, in the author's name, when it is its turn.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(app: &App, author: impl Into<Author>) -> Result<Self> {
        let author = author.into();
        if let Some((connections, turn)) = app.turns.next().await
            && let Ok(Ok(transaction)) = timeout(BEGUN, auth::begin(connections, author)).await
        {
            return Ok(Self { transaction, _turn: Some(turn) });
        }
        Self::begin_beside(app, author).await
    }

    /// Begins one that may wait long for what others have locked, and so takes no turn from those that do not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_beside(app: &App, author: impl Into<Author>) -> Result<Self> {
        Ok(Self { transaction: auth::begin(&app.web, author).await?, _turn: None })
    }

    /// The version that this write will have, for an answer that is kept in it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn version(&mut self) -> Result<Version> {
        version(&mut self.transaction).await
    }

    /// Takes everything back, and what it held is free when this returns. One that is dropped is taken back too, but
    /// later.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.transaction.rollback().await?)
    }

    /// Commits, tells the mirror, and returns the version that a search can wait for.
    ///
    /// # Errors
    /// When the database does not answer: then whether it is committed is unknown.
    pub async fn commit(mut self, app: &App) -> Result<Version> {
        let version = self.version().await?;
        self.transaction.commit().await?;
        app.indexing.changed();
        Ok(version)
    }
}

/// What names the writes of this transaction, once it is committed.
///
/// # Errors
/// When the database does not answer.
pub async fn version(transaction: &mut PgConnection) -> Result<Version> {
    let (epoch, xid) = store::version(transaction).await?;
    Ok(Version { epoch, xid })
}

impl std::ops::Deref for CatalogWrite {
    type Target = sqlx::PgConnection;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

impl std::ops::DerefMut for CatalogWrite {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.transaction
    }
}

/// The header of a write's answer.
pub fn version_header(version: Version) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::from_str(&version.to_string());
    (VERSION_HEADER, value.unwrap_or(HeaderValue::from_static("")))
}
