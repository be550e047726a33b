//! The SQL of the administration of users.

use sqlx::{PgConnection, PgExecutor};

use super::model::UserChanges;
use crate::{
    account::model::User,
    auth::Role,
    error::{Error, Kind, Result, violated},
    page::newest::Span,
};

fn refused(error: sqlx::Error) -> Error {
    match violated(&error) {
        Some("users_email_key") => Error::taken("/email", "This e-mail address has an account; use another."),
        Some("users_last_admin_check") => {
            Error::new(Kind::LastAdmin, "This is the last active administrator; make another one first.")
        }
        _ => error.into(),
    }
}

pub(super) async fn page(db: impl PgExecutor<'_>, role: Option<Role>, span: Span) -> Result<Vec<User>> {
    let rows = sqlx::query_as!(
        User,
        r#"select id, username, email, first_name, last_name, phone, role as "role: Role", is_active, date_joined
           from users
           where id < $2 and ($1::text is null or role = $1)
           order by id desc
           offset $3 limit $4"#,
        role.map(Role::as_str),
        span.below,
        span.offset,
        span.limit
    );
    Ok(rows.fetch_all(db).await?)
}

pub(super) async fn count(db: impl PgExecutor<'_>, role: Option<Role>) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from users where $1::text is null or role = $1"#,
        role.map(Role::as_str)
    );
    Ok(count.fetch_one(db).await?)
}

/// [`page`] of those that are found. Found first and sorted then: a planner that takes a rare word for a frequent one
/// would read the whole table from its end, looking for a page of them.
pub(super) async fn search(
    db: impl PgExecutor<'_>,
    text: &str,
    role: Option<Role>,
    span: Span,
) -> Result<Vec<User>> {
    let rows = sqlx::query_as!(
        User,
        r#"with found as materialized (
               select id from users where search_words @@ user_query($1) and ($2::text is null or role = $2)
           )
           select id, username, email, first_name, last_name, phone, role as "role: Role", is_active, date_joined
           from users
           where id in (select id from found where id < $3 order by id desc offset $4 limit $5)
           order by id desc"#,
        text,
        role.map(Role::as_str),
        span.below,
        span.offset,
        span.limit
    );
    Ok(rows.fetch_all(db).await?)
}

/// How many [`search`] finds.
pub(super) async fn count_found(db: impl PgExecutor<'_>, text: &str, role: Option<Role>) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from users
           where search_words @@ user_query($1) and ($2::text is null or role = $2)"#,
        text,
        role.map(Role::as_str)
    );
    Ok(count.fetch_one(db).await?)
}

pub(super) async fn one(db: impl PgExecutor<'_>, id: i64) -> Result<Option<User>> {
    let row = sqlx::query_as!(
        User,
        r#"select id, username, email, first_name, last_name, phone, role as "role: Role", is_active, date_joined
           from users where id = $1"#,
        id
    );
    Ok(row.fetch_optional(db).await?)
}

/// `None` when there is no such user, or one that is nobody any more.
pub(super) async fn update(db: &mut PgConnection, id: i64, changes: &UserChanges) -> Result<Option<User>> {
    let row = sqlx::query_as!(
        User,
        r#"update users
           set first_name = coalesce($2, first_name), last_name = coalesce($3, last_name),
               phone = coalesce($4, phone), email = coalesce($5, email), role = coalesce($6, role),
               is_active = coalesce($7, is_active)
           where id = $1 and anonymised_at is null
           returning id, username, email, first_name, last_name, phone, role as "role: Role", is_active, date_joined"#,
        id,
        changes.own.first_name.as_deref(),
        changes.own.last_name.as_deref(),
        changes.own.phone.as_deref(),
        changes.own.email.as_deref(),
        changes.role.map(Role::as_str),
        changes.is_active,
    );
    row.fetch_optional(db).await.map_err(refused)
}

/// Makes the user nobody: a name and an address that none can register, a hash that no password has. False when
/// there is no such user, or none any more.
pub(super) async fn anonymise(db: &mut PgConnection, id: i64) -> Result<bool> {
    let done = sqlx::query!(
        "update users
         set username = 'deleted user ' || id, email = 'deleted-' || id || '@invalid',
             password_hash = '$argon2id$v=19$m=19456,t=2,p=1', first_name = '', last_name = '', phone = '',
             is_active = false, anonymised_at = now()
         where id = $1 and anonymised_at is null",
        id
    );
    Ok(done.execute(db).await.map_err(refused)?.rows_affected() > 0)
}

/// Ends every session of the user and forgets what it was opened with.
pub(super) async fn end_sessions(db: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!(
        "update session set revoked_at = now(), user_agent = '' where user_id = $1 and revoked_at is null",
        id
    )
    .execute(db)
    .await?;
    Ok(())
}
