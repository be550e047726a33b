//! The SQL of the log.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::model::{Act, Actor, End, Entry, Which};
use crate::{clock::from_micros, error::Result};

/// Writes an act down, in place of what has been noted of its parts so far. Who and in which request the
/// transaction knows.
pub(super) async fn insert(db: &mut PgConnection, act: &Act) -> Result<()> {
    sqlx::query!(
        "with told as (
             delete from audit_note where xid = pg_current_xact_id()
         )
         insert into audit_log (action, entity, entity_id, before, after) values ($1, $2, $3, $4, $5)",
        act.action,
        act.entity,
        act.entity_id,
        act.before.as_ref(),
        act.after.as_ref(),
    )
    .execute(db)
    .await?;
    Ok(())
}

struct Row {
    id: i64,
    at: OffsetDateTime,
    actor_id: Option<i64>,
    username: Option<String>,
    action: String,
    entity: String,
    entity_id: Option<i64>,
    before: Option<Value>,
    after: Option<Value>,
    request_id: Option<String>,
    address: Option<String>,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor: row.actor_id.zip(row.username).map(|(id, username)| Actor { id, username }),
            action: row.action,
            entity: row.entity,
            entity_id: row.entity_id,
            before: row.before,
            after: row.after,
            request_id: row.request_id,
            address: row.address,
        }
    }
}

/// At most `limit` lines, newest first: those behind the place, else behind the first `offset`.
pub(super) async fn page(
    db: impl PgExecutor<'_>,
    which: &Which,
    behind: Option<End>,
    offset: i64,
    limit: i64,
) -> Result<Vec<Entry>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select a.id, a.at, a.actor_id, u.username as "username?", a.action, a.entity, a.entity_id, a.before,
                  a.after, a.request_id, a.address
           from audit_log a left join users u on u.id = a.actor_id
           where ($1::bigint is null or a.actor_id = $1)
             and ($2::text is null or a.action = $2)
             and ($3::text is null or a.entity = $3)
             and ($4::bigint is null or a.entity_id = $4)
             and ($5::timestamptz is null or a.at >= $5)
             and ($6::timestamptz is null or a.at < $6)
             and ($7::text is null or a.request_id = $7)
             and ($8::timestamptz is null or (a.at, a.id) < ($8, $9::bigint))
           order by a.at desc, a.id desc
           offset $10 limit $11"#,
        which.actor_id,
        which.action.as_deref(),
        which.entity.as_deref(),
        which.entity_id,
        which.since,
        which.until,
        which.request_id.as_deref(),
        behind.map(|place| from_micros(place.at)),
        behind.map(|place| place.id),
        offset,
        limit,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Into::into).collect())
}

pub(super) async fn count(db: impl PgExecutor<'_>, which: &Which) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from audit_log
           where ($1::bigint is null or actor_id = $1)
             and ($2::text is null or action = $2)
             and ($3::text is null or entity = $3)
             and ($4::bigint is null or entity_id = $4)
             and ($5::timestamptz is null or at >= $5)
             and ($6::timestamptz is null or at < $6)
             and ($7::text is null or request_id = $7)"#,
        which.actor_id,
        which.action.as_deref(),
        which.entity.as_deref(),
        which.entity_id,
        which.since,
        which.until,
        which.request_id.as_deref(),
    );
    Ok(count.fetch_one(db).await?)
}
