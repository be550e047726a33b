//! The SQL that comes before any feature's.

use std::time::{Duration, Instant};

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgExecutor, migrate::Migrator, postgres::PgConnectOptions,
};
use tokio::time::sleep;

static MIGRATIONS: Migrator = sqlx::migrate!();

pub(super) async fn ping(options: &PgConnectOptions) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(options).await?;
    ask(&mut connection).await?;
    connection.close().await
}

pub(super) async fn ask(db: impl PgExecutor<'_>) -> sqlx::Result<()> {
    sqlx::query_scalar!("select 1").fetch_one(db).await.map(drop)
}

/// Begins a transaction with what the statements say.
pub(super) async fn begin(db: &mut PgConnection, statements: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(db).await.map(drop)
}

pub(super) async fn commit(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("commit").execute(db).await.map(drop)
}

pub(super) async fn rollback(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("rollback").execute(db).await.map(drop)
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

/// Which database of which server this is; a standby's are its primary's.
pub(super) async fn identity(options: &PgConnectOptions) -> sqlx::Result<(i64, i64)> {
    let mut connection = PgConnection::connect_with(options).await?;
    let row = sqlx::query!(
        r#"select s.system_identifier as "server!", d.oid::bigint as "database!"
           from pg_control_system() s, pg_database d where d.datname = current_database()"#
    );
    let row = row.fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok((row.server, row.database))
}

/// How far the server's log has come.
pub(super) async fn end_of_log(options: &PgConnectOptions) -> sqlx::Result<String> {
    let mut connection = PgConnection::connect_with(options).await?;
    let place = sqlx::query_scalar!(r#"select pg_current_wal_lsn()::text as "place!""#);
    let place = place.fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(place)
}

/// Waits until a standby has replayed its primary's log as far as this; false when it has not within `patience`. What is
/// no standby needs not.
pub(super) async fn replayed(
    options: &PgConnectOptions,
    place: &str,
    patience: Duration,
) -> sqlx::Result<bool> {
    let mut connection = PgConnection::connect_with(options).await?;
    let begun = Instant::now();
    let has_it = loop {
        let look = sqlx::query_scalar!(
            r#"select not pg_is_in_recovery()
                      or coalesce(pg_last_wal_replay_lsn() >= ($1::text)::pg_lsn, false) as "has_it!""#,
            place
        );
        let has_it = look.fetch_one(&mut connection).await?;
        if has_it || begun.elapsed() > patience {
            break has_it;
        }
        sleep(Duration::from_millis(50)).await;
    };
    connection.close().await?;
    Ok(has_it)
}

/// Says how fine prices are; where that changes, every mirror is built anew.
pub(super) async fn round_prices(options: &PgConnectOptions, unit: i64) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(options).await?;
    sqlx::query!("update price_rounding set unit = $1 where unit <> $1", unit)
        .execute(&mut connection)
        .await?;
    connection.close().await
}
