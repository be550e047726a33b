//! The SQL that comes before any feature's.

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgExecutor, migrate::Migrator, postgres::PgConnectOptions,
};

static MIGRATIONS: Migrator = sqlx::migrate!();

pub(super) async fn ping(options: &PgConnectOptions) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(options).await?;
    ask(&mut connection).await?;
    connection.close().await
}

pub(super) async fn ask(db: impl PgExecutor<'_>) -> sqlx::Result<()> {
    sqlx::query_scalar!("select 1").fetch_one(db).await.map(drop)
}

/// Makes the database on the managed cluster's first start.
pub(super) async fn ensure_database(server: &PgConnectOptions, name: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(server).await?;
    let known = sqlx::query_scalar!(
        r#"select exists (select from pg_database where datname = $1) as "known!""#,
        name
    )
    .fetch_one(&mut connection)
    .await?;
    if !known {
        // Names cannot be parameters; this one is a constant of ours.
        let made =
            sqlx::query(AssertSqlSafe(format!("create database \"{name}\""))).execute(&mut connection).await;
        // 42P04 and 23505: another process made it at the same moment.
        let raced = |error: &sqlx::Error| {
            error
                .as_database_error()
                .and_then(sqlx::error::DatabaseError::code)
                .is_some_and(|code| code == "42P04" || code == "23505")
        };
        if let Err(error) = made
            && !raced(&error)
        {
            return Err(error);
        }
    }
    connection.close().await
}

pub(super) async fn migrate(options: &PgConnectOptions) -> Result<(), sqlx::migrate::MigrateError> {
    let mut connection = PgConnection::connect_with(options).await?;
    MIGRATIONS.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Says how fine prices are; where that changes, every mirror is built anew.
pub(super) async fn round_prices(options: &PgConnectOptions, unit: i64) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(options).await?;
    sqlx::query!("update price_rounding set unit = $1 where unit <> $1", unit)
        .execute(&mut connection)
        .await?;
    connection.close().await
}
