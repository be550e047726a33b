//! The one statement behind every signed-in request.

use sqlx::PgExecutor;

/// The user's role now, if session and user are alive.
pub(super) async fn live_role(
    db: impl PgExecutor<'_>,
    session_id: i64,
    user_id: i64,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "select u.role
         from session s join users u on u.id = s.user_id
         where s.id = $1 and u.id = $2 and s.revoked_at is null and s.expires_at > now() and u.is_active",
        session_id,
        user_id
    )
    .fetch_optional(db)
    .await
}
