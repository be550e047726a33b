//! The SQL of following the change log.

use sqlx::{PgConnection, PgExecutor, PgPool, postgres::PgListener};

use super::snapshot::Snapshot;
use crate::database;

/// The channel on which nodes tell each other that the catalog changed.
const CHANNEL: &str = "duka_catalog";

/// Which history a snapshot belongs to, and how far its log has been cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) snapshot: String,
    pub(super) epoch: i64,
    pub(super) system_identifier: i64,
    /// The database, and the table that the epoch stands in: a dump that is restored over itself brings the epoch back,
    /// but in a table of its own.
    pub(super) database: i64,
    /// Until its first checkpoint, minutes later, a server that was promoted tells it where its recovery ended.
    pub(super) timeline: i32,
    pub(super) floor: String,
    pub(super) is_standby: bool,
    /// Where the server's own log ended right after the snapshot was taken, unless it is written to disk that far.
    pub(super) unwritten: Option<String>,
    /// The newest version of the search settings; 0 when nobody has set any.
    pub(super) settings_version: i64,
}

/// Counts the catalog anew for the planner.
pub(super) async fn analyze(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("analyze product, variant, category, discount, discount_product, price_rounding")
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn present(db: &mut PgConnection) -> sqlx::Result<Present> {
    sqlx::query_as!(
        Present,
        r#"select pg_current_snapshot()::text as "snapshot!",
                  e.epoch,
                  s.system_identifier as "system_identifier!",
                  ((select oid::bigint from pg_database where datname = current_database()) << 32)
                      | e.tableoid::bigint as "database!",
                  greatest(c.timeline_id, r.min_recovery_end_timeline) as "timeline!",
                  f.floor::text as "floor!",
                  pg_is_in_recovery() as "is_standby!",
                  case when not pg_is_in_recovery() then (
                      select inserted::text
                      from (
                          select pg_current_wal_flush_lsn() as flushed, pg_current_wal_insert_lsn() as inserted
                          offset 0
                      ) w
                      where inserted > flushed
                  ) end as unwritten,
                  (select coalesce(max(version), 0) from search_settings) as "settings_version!"
           from index_epoch e, change_floor f, pg_control_system() s, pg_control_checkpoint() c,
                pg_control_recovery() r"#
    )
    .fetch_one(db)
    .await
}

/// What has ended on a standby, as a snapshot that whatever begins after this reaches. There `pg_current_snapshot` lists
/// no open transactions (PostgreSQL keeps those of a recovery as subtransactions, which it does not print), so that each
/// of them seems to have ended before it commits. Its status does not lie.
pub(super) async fn ended_on_standby(db: impl PgExecutor<'_>) -> sqlx::Result<String> {
    sqlx::query_scalar!(
        r#"with present as materialized (
               select pg_snapshot_xmin(now)::text::bigint as xmin, pg_snapshot_xmax(now)::text::bigint as xmax
               from pg_current_snapshot() now
           )
           select format(
               '%s:%s:%s',
               xmin,
               xmax,
               (select string_agg(xid::text, ',' order by xid)
                from generate_series(xmin, xmax - 1) xid
                where pg_xact_status(xid::text::xid8) = 'in progress')
           ) as "snapshot!"
           from present"#
    )
    .fetch_one(db)
    .await
}

/// Whether the server has written its own log to disk as far as this.
pub(super) async fn is_written(db: &mut PgConnection, place: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select pg_current_wal_flush_lsn() >= ($1::text)::pg_lsn as "written!""#, place)
        .fetch_one(db)
        .await
}

/// Makes the server write its own log to disk, by a commit of nothing.
pub(super) async fn write_log(db: impl PgExecutor<'_>) -> sqlx::Result<()> {
    sqlx::query!("select pg_logical_emit_message(true, 'duka', '')::text as place")
        .fetch_one(db)
        .await
        .map(drop)
}

/// The search settings of a version, as they are kept.
pub(super) async fn settings(db: &mut PgConnection, version: i64) -> sqlx::Result<Option<serde_json::Value>> {
    sqlx::query_scalar!("select settings from search_settings where version = $1", version)
        .fetch_optional(db)
        .await
}

/// Whether the log speaks of transactions that this server has not had: it came with a dump of another one.
pub(super) async fn has_foreign_log(db: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from change_log where xid >= pg_snapshot_xmax(pg_current_snapshot()))
               or exists (select from change_floor where floor >= pg_snapshot_xmax(pg_current_snapshot())) as "foreign!""#
    )
    .fetch_one(db)
    .await
}

/// Forgets a foreign log. Truncating renews the epoch, so that every mirror starts anew.
pub(super) async fn forget_log(pool: &PgPool) -> sqlx::Result<()> {
    let mut transaction = database::begin(pool).await?;
    sqlx::query!("truncate change_log").execute(&mut *transaction).await?;
    sqlx::query!("delete from index_consumer").execute(&mut *transaction).await?;
    sqlx::query!("update change_floor set floor = '0', cut_at = now()").execute(&mut *transaction).await?;
    transaction.commit().await
}

/// What the log holds that a snapshot does not see: how many products, and for how many seconds the oldest of these
/// changes has waited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backlog {
    pub(super) changes: i64,
    pub(super) seconds: f64,
    /// For how many seconds the oldest transaction has been open that may still write: nothing after it is forgotten
    /// from a cursor.
    pub(super) horizon_seconds: f64,
}

pub(super) async fn backlog(db: impl PgExecutor<'_>, since: &Snapshot) -> sqlx::Result<Backlog> {
    sqlx::query_as!(
        Backlog,
        r#"select count(distinct product_id) as "changes!",
                  coalesce(extract(epoch from clock_timestamp() - min(at)), 0)::float8 as "seconds!",
                  (select coalesce(extract(epoch from clock_timestamp() - min(xact_start)), 0)::float8
                   from pg_stat_activity
                   where backend_xid is not null and datname = current_database()) as "horizon_seconds!"
           from catalog_change
           where xid >= ($1::text)::xid8
             and not pg_visible_in_snapshot(xid, ($2::text)::pg_snapshot)"#,
        since.xmin().to_string(),
        since.to_string(),
    )
    .fetch_one(db)
    .await
}

/// The products that changed after `since`, each once, in id order.
pub(super) async fn changed_since(db: &mut PgConnection, since: &Snapshot) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"select distinct product_id as "product_id!"
           from catalog_change
           where xid >= ($1::text)::xid8
             and not pg_visible_in_snapshot(xid, ($2::text)::pg_snapshot)
           order by 1"#,
        since.xmin().to_string(),
        since.to_string(),
    )
    .fetch_all(db)
    .await
}

/// The next ids of live products after `after`, ascending.
pub(super) async fn live_ids_after(
    db: &mut PgConnection,
    after: i64,
    limit: usize,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select id from product where id > $1 and deleted_at is null order by id limit $2",
        after,
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_all(db)
    .await
}

/// Up to `count` ids of live products from all over the catalog, in id order.
pub(super) async fn some_live_ids(db: &mut PgConnection, count: i32) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"with bound as (select min(id) as first, max(id) as last from product),
                guess as (
                    select first + floor(random() * (last - first + 1))::bigint as id
                    from bound, generate_series(1, $1)
                )
           select distinct near.id as "id!"
           from guess g
           cross join lateral (
               select p.id from product p where p.id >= g.id and p.deleted_at is null order by p.id limit 1
           ) near
           order by 1"#,
        count
    )
    .fetch_all(db)
    .await
}

/// Lets other transactions see what this one sees, as long as it lasts.
pub(super) async fn export_snapshot(db: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar!(r#"select pg_export_snapshot() as "snapshot!""#).fetch_one(db).await
}

/// Begins a transaction that sees what another one exported.
pub(super) async fn begin_with(db: &mut PgConnection, exported: &str) -> sqlx::Result<()> {
    // These statements take no parameters; names of snapshots are hexadecimal digits and hyphens.
    let name: String = exported.chars().filter(|c| c.is_ascii_hexdigit() || *c == '-').collect();
    let begin = format!(
        "begin transaction isolation level repeatable read read only; set transaction snapshot '{name}'"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(db).await.map(drop)
}

/// How many products are live: exact, for progress and for checking a rebuild.
pub(super) async fn count_live(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from product where deleted_at is null"#)
        .fetch_one(db)
        .await
}

/// Tells the other nodes. On a connection of its own and after the write: inside the writing transaction it
/// would make all writers commit one after another.
pub(super) async fn notify(db: impl PgExecutor<'_>) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify($1, '')", CHANNEL).execute(db).await.map(drop)
}

pub(super) async fn listen(pool: &PgPool) -> sqlx::Result<PgListener> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Says how far this node has come, so that the log is kept for it.
pub(super) async fn heartbeat(db: impl PgExecutor<'_>, node: &str, applied: &Snapshot) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into index_consumer (node_id, cursor, snapshot)
         values ($1, ($2::text)::xid8, $3)
         on conflict (node_id) do update
         set cursor = excluded.cursor, snapshot = excluded.snapshot, heartbeat_at = now()",
        node,
        applied.xmin().to_string(),
        applied.to_string(),
    )
    .execute(db)
    .await
    .map(drop)
}

/// Cuts a piece of the log, and says how many entries it had: below the lowest cursor of a node heard of within a
/// week, and only what is older than a week. The floor and the cut move together. Looks at the log's oldest entries alone:
/// of a million young ones it took four seconds to find that there is nothing to cut.
pub(super) async fn cut_log(db: impl PgExecutor<'_>) -> sqlx::Result<u64> {
    let cut = sqlx::query_scalar!(
        r#"with target as (
             select min(cursor) as floor from index_consumer where heartbeat_at > now() - interval '7 days'
         ), first as (
             select xid, seq, at from change_log order by xid, seq limit 100000
         ), old as (
             select f.xid, f.seq from first f, target t
             where f.xid < t.floor and f.at < now() - interval '7 days'
         ), cut as (
             delete from change_log l using old o where (l.xid, l.seq) = (o.xid, o.seq)
             returning l.xid
         ), forgotten as (
             delete from index_consumer where heartbeat_at <= now() - interval '7 days'
         ), raised as (
             update change_floor f
             set floor = greatest(f.floor, ((select max(xid)::text::numeric from cut) + 1)::text::xid8),
                 cut_at = now()
             where exists (select from cut)
         )
         select count(*) as "cut!" from cut"#
    )
    .fetch_one(db)
    .await?;
    Ok(cut.unsigned_abs())
}
