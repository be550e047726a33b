//! What can be done with an account.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::{
    model::{Changes, Credentials, PasswordChange, Registration, User, weakness},
    store,
};
use crate::{
    app::App,
    auth::{self, Customer, Role, password::Passwords},
    client::Client,
    database,
    error::{Error, Kind, Result},
    throttle::Act,
};

/// A sign-in's two tokens.
pub struct Tokens {
    /// For `Authorization: Bearer`, ten minutes.
    pub access: String,
    /// For the next pair, once.
    pub refresh: String,
}

/// Makes a customer's account.
///
/// # Errors
/// 409 when the name or address is taken; 429.
pub async fn register(app: &App, client: Client, registration: Registration) -> Result<User> {
    app.throttle.count(Act::Register, client)?;
    let hash = app.passwords.hash(registration.password.clone()).await?;
    store::insert_user(&app.web, &registration, &hash, Role::Customer).await
}

/// Makes an account of any role: for the command line, whose user owns the database anyway.
///
/// # Errors
/// 409 when the name or address is taken.
pub async fn create(
    pool: &PgPool,
    passwords: &Passwords,
    account: &Registration,
    role: Role,
) -> Result<User> {
    let hash = passwords.hash(account.password.clone()).await?;
    store::insert_user(pool, account, &hash, role).await
}

/// Begins a session.
///
/// # Errors
/// 401, the same and after the same time whether or not the user exists; so it is with 429.
pub async fn login(app: &App, client: Client, credentials: Credentials, user_agent: &str) -> Result<Tokens> {
    app.throttle.count(Act::Login, client)?;
    let attempt = app.throttle.attempt(&credentials.username, client).await?;
    app.passwords.demand_room()?;
    let Some(user) = whose(app, &credentials).await? else {
        attempt.was_wrong();
        return Err(wrong_credentials());
    };
    drop(attempt);
    let (refresh, hash) = new_token();
    let user_agent: String = user_agent.chars().take(400).collect();
    // The password may have been changed since, which ends every session that there was then.
    let begun = store::begin_session(&app.web, &user, &user_agent, &hash).await?;
    let session_id = begun.ok_or_else(wrong_credentials)?;
    tokens(app, user.id, session_id, &user.role, refresh)
}

/// Exchanges a refresh token for a new pair.
///
/// # Errors
/// 401 when it is not good; its family ends when it was used before. 429.
pub async fn refresh(app: &App, client: Client, token: &str) -> Result<Tokens> {
    app.throttle.count(Act::Refresh, client)?;
    let mut transaction = database::begin(&app.web).await?;
    let Some(family) = store::use_token(&mut *transaction, &token_hash(token)).await? else {
        transaction.rollback().await?;
        if store::revoke_reused(&app.web, &token_hash(token)).await? {
            tracing::warn!("a used refresh token came back; its session is ended");
        }
        return Err(bad_token());
    };
    let (refresh, hash) = new_token();
    store::insert_token(&mut *transaction, family.session_id, &hash).await?;
    transaction.commit().await?;
    tokens(app, family.user_id, family.session_id, &family.role, refresh)
}

/// Whether a token, of either kind, is good.
///
/// # Errors
/// 401 when it is not.
pub async fn verify(app: &App, token: &str) -> Result<()> {
    let good = match app.keys.verify(token) {
        Some(claims) => auth::is_live(app, &claims).await?,
        None => store::is_good_token(&app.web, &token_hash(token)).await?,
    };
    good.then_some(()).ok_or_else(bad_token)
}

/// Ends the session of a refresh token.
///
/// # Errors
/// 422 when the token is not one of the user's.
pub async fn logout(app: &App, user: Customer, token: &str) -> Result<()> {
    let ended = store::revoke_family(&app.web, user.user_id(), &token_hash(token)).await?;
    ended.then_some(()).ok_or_else(|| Error::field("/refresh", "value", "is not a refresh token of yours"))
}

/// The user's own account.
///
/// # Errors
/// None of its own.
pub async fn me(app: &App, user: Customer) -> Result<User> {
    store::user(&app.web, user.user_id()).await?.ok_or_else(|| Error::not_found("user"))
}

/// Changes the user's own account.
///
/// # Errors
/// 409 when the address is taken.
pub async fn update_me(app: &App, user: Customer, changes: &Changes) -> Result<User> {
    let mut transaction = auth::begin(&app.web, user).await?;
    let updated = store::update_user(&mut *transaction, user.user_id(), changes).await?;
    let updated = updated.ok_or_else(|| Error::not_found("user"))?;
    transaction.commit().await?;
    Ok(updated)
}

/// Changes the user's password and ends every other session.
///
/// # Errors
/// 422 when the old one is wrong or the new one is weak; 429 when too many were.
pub async fn change_password(
    app: &App,
    client: Client,
    user: Customer,
    change: PasswordChange,
) -> Result<()> {
    // It hashes twice what a sign-in hashes once, also for who knows the password.
    app.throttle.count(Act::Login, client)?;
    app.passwords.demand_room()?;
    let login = store::login_of(&app.web, user.user_id()).await?.ok_or_else(|| Error::not_found("user"))?;
    if let Some((code, detail)) = weakness(change.new_password.expose_secret(), &login.username) {
        return Err(Error::field("/new_password", code, detail));
    }
    let attempt = app.throttle.attempt(&login.username, client).await?;
    let is_another = || Error::field("/old_password", "value", "is not the present password");
    if !app.passwords.verify(change.old_password, Some(login.password_hash.clone())).await? {
        attempt.was_wrong();
        return Err(is_another());
    }
    drop(attempt);
    let hash = app.passwords.hash(change.new_password).await?;
    let mut transaction = auth::begin(&app.web, user).await?;
    // Another session may have changed it since, and ended this one.
    if !store::set_password(&mut *transaction, &login, &hash).await? {
        return Err(is_another());
    }
    store::revoke_others(&mut *transaction, login.id, user.session_id()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Whose name or address it is with this password. Somebody may have taken another's address as a name, or the
/// other way round; the password tells who is meant, so that neither keeps the other out. What may be both is tried
/// twice before it is refused, however many there are: the time it takes tells nobody.
async fn whose(app: &App, credentials: &Credentials) -> Result<Option<store::Login>> {
    let known = store::logins(&app.web, &credentials.address, &credentials.username).await?;
    let tries: usize = if credentials.address.contains('@') { 2 } else { 1 };
    let missing = tries.saturating_sub(known.len());
    for login in known {
        let hash = Some(login.password_hash.clone());
        if app.passwords.verify(credentials.password.clone(), hash).await? {
            return Ok(Some(login));
        }
    }
    for _ in 0..missing {
        app.passwords.verify(credentials.password.clone(), None).await?;
    }
    Ok(None)
}

fn tokens(app: &App, user_id: i64, session_id: i64, role: &str, refresh: String) -> Result<Tokens> {
    let role = Role::parse(role).ok_or_else(|| Error::internal(format!("unknown role {role}")))?;
    let now = app.clock.micros() / 1_000_000;
    let access = app.keys.issue(user_id, session_id, role, now).map_err(Error::internal)?;
    Ok(Tokens { access, refresh })
}

/// 256 random bits, and what is kept of them.
fn new_token() -> (String, [u8; 32]) {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes);
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let hash = token_hash(&token);
    (token, hash)
}

/// A plain hash is enough for a random token: there is nothing to guess.
fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn wrong_credentials() -> Error {
    Error::new(Kind::WrongCredentials, "Check both; names and addresses are not case-sensitive.")
}

fn bad_token() -> Error {
    Error::new(Kind::NotAuthenticated, "The token is not good any more; sign in again.")
}
