//! The statement behind every signed-in request, and the one that says who writes.

use sqlx::{PgConnection, PgExecutor};

use super::Author;

/// The user's role now, if session and user are alive.
pub(super) async fn live_role(
    db: impl PgExecutor<'_>,
    session_id: i64,
    user_id: i64,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select live_role($1, $2)", session_id, user_id).fetch_one(db).await
}

/// Says until the end of the transaction who writes in it; the audit's triggers ask. What such a transaction reads and
/// writes it has to name by keys, for which one plan serves all (`$1 is null or …` reads everything then): making one anew
/// for each statement, those of triggers and foreign keys included, took a third of PostgreSQL's time.
pub(super) async fn sign(db: &mut PgConnection, author: &Author) -> sqlx::Result<()> {
    sqlx::query!(
        "select set_config('duka.audit', $1, true) as mode, set_config('duka.actor_id', $2, true) as actor_id,
                set_config('duka.request_id', $3, true) as request_id,
                set_config('plan_cache_mode', 'force_generic_plan', true) as plans",
        if author.is_privileged() { "user" } else { "shop" },
        author.user_id().map_or_else(String::new, |id| id.to_string()),
        author.request_id().unwrap_or_default(),
    )
    .fetch_one(db)
    .await
    .map(drop)
}
