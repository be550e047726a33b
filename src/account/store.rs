//! The SQL of accounts.

use sqlx::PgExecutor;

use super::model::{Changes, Registration, User};
use crate::{
    auth::Role,
    error::{Error, Result, violated},
};

fn taken(error: sqlx::Error) -> Error {
    match violated(&error) {
        Some("users_username_key") => Error::taken("/username", "This user name is taken; choose another."),
        Some("users_email_key") => {
            Error::taken("/email", "This e-mail address has an account; sign in, or use another.")
        }
        _ => error.into(),
    }
}

pub(super) async fn insert_user(
    db: impl PgExecutor<'_>,
    new: &Registration,
    password_hash: &str,
    role: Role,
) -> Result<User> {
    let row = sqlx::query_as!(
        User,
        r#"insert into users (username, email, password_hash, first_name, last_name, phone, role)
           values ($1, $2, $3, $4, $5, $6, $7)
           returning id, username, email, first_name, last_name, phone, role as "role: Role", is_active, date_joined"#,
        new.username,
        new.email,
        password_hash,
        new.first_name,
        new.last_name,
        new.phone,
        role.as_str(),
    )
    .fetch_one(db)
    .await;
    row.map_err(taken)
}

pub(super) async fn user(db: impl PgExecutor<'_>, id: i64) -> Result<Option<User>> {
    let row = sqlx::query_as!(
        User,
        r#"select id, username, email, first_name, last_name, phone, role as "role: Role", is_active, date_joined
           from users where id = $1"#,
        id
    );
    Ok(row.fetch_optional(db).await?)
}

pub(super) async fn update_user(db: impl PgExecutor<'_>, id: i64, changes: &Changes) -> Result<Option<User>> {
    let row = sqlx::query_as!(
        User,
        r#"update users
           set first_name = coalesce($2, first_name), last_name = coalesce($3, last_name),
               phone = coalesce($4, phone), email = coalesce($5, email)
           where id = $1 and anonymised_at is null
           returning id, username, email, first_name, last_name, phone, role as "role: Role", is_active, date_joined"#,
        id,
        changes.first_name.as_deref(),
        changes.last_name.as_deref(),
        changes.phone.as_deref(),
        changes.email.as_deref(),
    )
    .fetch_optional(db)
    .await;
    row.map_err(taken)
}

pub(super) struct Login {
    pub(super) id: i64,
    pub(super) username: String,
    pub(super) role: String,
    pub(super) password_hash: String,
}

/// Whose address this is, and whose name, in this order: `@` may stand in a name, so that they may be two.
pub(super) async fn logins(db: impl PgExecutor<'_>, address: &str, username: &str) -> Result<Vec<Login>> {
    let rows = sqlx::query_as!(
        Login,
        "select id, username, role, password_hash
         from users
         where (lower(email) = lower($1) or lower(username) = lower($2)) and is_active
         order by lower(email) = lower($1) desc",
        address,
        username
    );
    Ok(rows.fetch_all(db).await?)
}

pub(super) async fn login_of(db: impl PgExecutor<'_>, user_id: i64) -> Result<Option<Login>> {
    let row = sqlx::query_as!(
        Login,
        "select id, username, role, password_hash from users where id = $1 and is_active",
        user_id
    );
    Ok(row.fetch_optional(db).await?)
}

/// False when the user's password is no more the one that was compared.
pub(super) async fn set_password(db: impl PgExecutor<'_>, user: &Login, hash: &str) -> Result<bool> {
    let set = sqlx::query!(
        "update users set password_hash = $2 where id = $1 and is_active and password_hash = $3",
        user.id,
        hash,
        user.password_hash
    );
    Ok(set.execute(db).await?.rows_affected() > 0)
}

/// A new family with its first refresh token, as long as the user's password is still the one that was compared.
/// Returns the session's id.
pub(super) async fn begin_session(
    db: impl PgExecutor<'_>,
    user: &Login,
    user_agent: &str,
    token_hash: &[u8],
) -> Result<Option<i64>> {
    // A change that is under way is waited for, and one that comes after it finds the session.
    let id = sqlx::query_scalar!(
        "with unchanged as (
             select id from users where id = $1 and is_active and password_hash = $4 for share
         ), begun as (
             insert into session (user_id, user_agent, expires_at)
             select id, $2, now() + interval '90 days' from unchanged
             returning id
         )
         insert into refresh_token (session_id, token_hash, expires_at)
         select id, $3, now() + interval '14 days' from begun
         returning session_id",
        user.id,
        user_agent,
        token_hash,
        user.password_hash,
    );
    Ok(id.fetch_optional(db).await?)
}

pub(super) struct Family {
    pub(super) session_id: i64,
    pub(super) user_id: i64,
    pub(super) role: String,
}

/// Uses up a refresh token. `None`: it is not good (any more), whoever came first.
pub(super) async fn use_token(db: impl PgExecutor<'_>, token_hash: &[u8]) -> Result<Option<Family>> {
    let family = sqlx::query_as!(
        Family,
        r#"with used as (
               update refresh_token t set used_at = now()
               from session s join users u on u.id = s.user_id
               where t.token_hash = $1 and t.used_at is null and t.expires_at > now()
                 and s.id = t.session_id and s.revoked_at is null and s.expires_at > now() and u.is_active
               returning s.id as session_id, u.id as user_id, u.role
           ), touched as (
               update session s set last_used_at = now() from used where s.id = used.session_id
           )
           select session_id as "session_id!", user_id as "user_id!", role as "role!" from used"#,
        token_hash
    );
    Ok(family.fetch_optional(db).await?)
}

pub(super) async fn insert_token(db: impl PgExecutor<'_>, session_id: i64, token_hash: &[u8]) -> Result<()> {
    sqlx::query!(
        "insert into refresh_token (session_id, token_hash, expires_at)
         values ($1, $2, now() + interval '14 days')",
        session_id,
        token_hash
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the family of a token that was used before: somebody has a copy. True when it was alive.
pub(super) async fn revoke_reused(db: impl PgExecutor<'_>, token_hash: &[u8]) -> Result<bool> {
    let revoked = sqlx::query!(
        "update session s set revoked_at = now()
         from refresh_token t
         where t.token_hash = $1 and t.used_at is not null and s.id = t.session_id and s.revoked_at is null",
        token_hash
    );
    Ok(revoked.execute(db).await?.rows_affected() > 0)
}

/// Whether a refresh token could be used now.
pub(super) async fn is_good_token(db: impl PgExecutor<'_>, token_hash: &[u8]) -> Result<bool> {
    let good = sqlx::query_scalar!(
        r#"select exists (
               select from refresh_token t join session s on s.id = t.session_id join users u on u.id = s.user_id
               where t.token_hash = $1 and t.used_at is null and t.expires_at > now()
                 and s.revoked_at is null and s.expires_at > now() and u.is_active
           ) as "good!""#,
        token_hash
    );
    Ok(good.fetch_one(db).await?)
}

/// Ends the family of the user's token. False when the token is not the user's.
pub(super) async fn revoke_family(db: impl PgExecutor<'_>, user_id: i64, token_hash: &[u8]) -> Result<bool> {
    let ended = sqlx::query!(
        "update session s set revoked_at = coalesce(s.revoked_at, now())
         from refresh_token t
         where t.token_hash = $2 and s.id = t.session_id and s.user_id = $1",
        user_id,
        token_hash
    );
    Ok(ended.execute(db).await?.rows_affected() > 0)
}

pub(super) async fn revoke_others(db: impl PgExecutor<'_>, user_id: i64, kept_session: i64) -> Result<()> {
    sqlx::query!(
        "update session set revoked_at = now() where user_id = $1 and id <> $2 and revoked_at is null",
        user_id,
        kept_session
    )
    .execute(db)
    .await?;
    Ok(())
}
