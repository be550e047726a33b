//! One's own account and its sessions in the graph.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use serde::Deserialize;

use super::{
    actions::{self, Tokens},
    http::RefreshBody,
    model::{Credentials, Registration},
};
use crate::{
    auth, body,
    error::Result,
    extract::header_text,
    resolver::{DateTime, Id, app, caller, form, user, view},
};

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[graphql(remote = "auth::Role")]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buys.
    Customer,
    /// Buys, and sells products of its own.
    Vendor,
    /// Everything.
    Admin,
}

/// A user. Never the password.
#[derive(SimpleObject, Deserialize)]
pub struct User {
    id: Id,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    phone: String,
    role: Role,
    is_active: bool,
    date_joined: DateTime,
}

/// A sign-in's two tokens.
#[derive(SimpleObject)]
pub struct TokenPair {
    /// For `Authorization: Bearer`; lives ten minutes.
    access: String,
    /// For the next pair; good once.
    refresh: String,
}

impl From<Tokens> for TokenPair {
    fn from(tokens: Tokens) -> Self {
        Self { access: tokens.access, refresh: tokens.refresh }
    }
}

/// The token, if it can be one.
fn token(ctx: &Context<'_>, refresh: String) -> Result<String> {
    let body: RefreshBody = body::read(serde_json::json!({"refresh": refresh}), app(ctx)?.config.currency)?;
    Ok(body.refresh)
}

/// What is read of accounts.
#[derive(Default)]
pub struct Query;

#[Object(name = "AccountQuery")]
impl Query {
    /// One's own account.
    async fn me(&self, ctx: &Context<'_>) -> Result<User> {
        view(&actions::me(app(ctx)?, user(ctx).await?).await?)
    }
}

/// An account to be made.
#[derive(InputObject)]
pub struct RegistrationInput {
    /// 3 to 150 of letters, digits and `@.+-_`; unique without regard to case.
    username: String,
    email: String,
    /// 8 to 128 characters; neither the user name nor a common one.
    password: String,
    first_name: Option<String>,
    last_name: Option<String>,
    phone: Option<String>,
}

/// A user name and a password.
#[derive(InputObject)]
pub struct CredentialsInput {
    /// The user name or the e-mail address.
    username: String,
    password: String,
}

/// What is done with accounts.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "AccountMutation")]
impl Mutation {
    /// Makes an account. It is always a customer's.
    async fn register(&self, ctx: &Context<'_>, input: RegistrationInput) -> Result<User> {
        let registration: Registration = form(ctx, "input", &input)?;
        view(&actions::register(app(ctx)?, caller(ctx)?.client, registration).await?)
    }

    /// Signs in.
    async fn login(&self, ctx: &Context<'_>, input: CredentialsInput) -> Result<TokenPair> {
        let credentials: Credentials = form(ctx, "input", &input)?;
        let caller = caller(ctx)?;
        let user_agent = header_text(&caller.headers, "user-agent").unwrap_or_default();
        Ok(actions::login(app(ctx)?, caller.client, credentials, user_agent).await?.into())
    }

    /// Exchanges a refresh token for a new pair. It is good once; one that comes back ends its session.
    async fn refresh(&self, ctx: &Context<'_>, refresh: String) -> Result<TokenPair> {
        Ok(actions::refresh(app(ctx)?, caller(ctx)?.client, &token(ctx, refresh)?).await?.into())
    }

    /// Signs out: ends the session that the refresh token belongs to, its access tokens included.
    async fn logout(&self, ctx: &Context<'_>, refresh: String) -> Result<bool> {
        let user = user(ctx).await?;
        actions::logout(app(ctx)?, user, &token(ctx, refresh)?).await.map(|()| true)
    }
}
