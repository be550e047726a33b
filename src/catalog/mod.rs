//! A write to the catalog: one transaction, and the version that names it.

use axum::http::{HeaderName, HeaderValue};
use sqlx::{PgConnection, Postgres, Transaction};

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

/// The transaction of one write to the catalog.
pub struct CatalogWrite {
    transaction: Transaction<'static, Postgres>,
    // Behind the transaction, whose connection is free by then.
    _turn: Option<Turn>,
}

impl CatalogWrite {
    /// Begins it, in the author's name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(app: &App, author: impl Into<Author>) -> Result<Self> {
        let (connections, turn) = app.turns.next().await.unzip();
        let transaction = auth::begin(connections.unwrap_or(&app.web), author).await?;
        Ok(Self { transaction, _turn: turn })
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
