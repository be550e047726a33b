//! A write to the catalog: one transaction, and the version that names it.

use axum::http::{HeaderName, HeaderValue};
use sqlx::{PgConnection, Postgres, Transaction};

use crate::{
    app::App,
    auth::{self, Author},
    database::Turn,
    error::Result,
    indexing::Version,
    reply,
};

mod store;

/// The header in which a write's version is sent.
pub const VERSION_HEADER: HeaderName = HeaderName::from_static("x-catalog-version");

/// The transaction of one write to the catalog.
pub struct CatalogWrite(On);

/// Where it is.
enum On {
    /// A connection of the catalog's own, which is the next one's afterwards.
    Turn(Turn),
    /// Any one.
    Pool(Transaction<'static, Postgres>),
}

impl CatalogWrite {
    /// Begins it, in the author's name, when it is its turn.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(app: &App, author: impl Into<Author>) -> Result<Self> {
        let author = author.into();
        if let Some(mut turn) = app.turns.next().await
            && auth::begin_in(&mut turn, author).await.is_ok()
        {
            return Ok(Self(On::Turn(turn)));
        }
        Self::begin_beside(app, author).await
    }

    /// Begins one that may wait long for what others have locked, and so takes no turn from those that do not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_beside(app: &App, author: impl Into<Author>) -> Result<Self> {
        Ok(Self(On::Pool(auth::begin(&app.web, author).await?)))
    }

    /// The version that this write will have, for an answer that is kept in it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn version(&mut self) -> Result<Version> {
        version(self).await
    }

    /// Takes everything back, and what it held is free when this returns. One that is dropped is taken back too, but
    /// later.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rollback(self) -> Result<()> {
        match self.0 {
            On::Turn(turn) => turn.rollback().await?,
            On::Pool(transaction) => transaction.rollback().await?,
        }
        Ok(())
    }

    /// Commits, tells the mirror, and returns the version that a search can wait for.
    ///
    /// # Errors
    /// When the database does not answer: then whether it is committed is unknown.
    pub async fn commit(mut self, app: &App) -> Result<Version> {
        let version = self.version().await?;
        self.commit_told(app).await?;
        Ok(version)
    }

    /// Commits what one of its own statements has read the version of, and tells the mirror.
    ///
    /// # Errors
    /// When the database does not answer: then whether it is committed is unknown.
    pub async fn commit_told(self, app: &App) -> Result<()> {
        match self.0 {
            On::Turn(turn) => turn.commit().await?,
            On::Pool(transaction) => transaction.commit().await?,
        }
        app.indexing.changed();
        Ok(())
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
        match &self.0 {
            On::Turn(turn) => turn,
            On::Pool(transaction) => transaction,
        }
    }
}

impl std::ops::DerefMut for CatalogWrite {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.0 {
            On::Turn(turn) => turn,
            On::Pool(transaction) => transaction,
        }
    }
}

/// The header of a write's answer.
pub fn version_header(version: Version) -> (HeaderName, HeaderValue) {
    (VERSION_HEADER, reply::short_value(format_args!("{version}")))
}
