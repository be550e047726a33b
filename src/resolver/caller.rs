//! Who asks: what a request to the graph carries besides its query.

use std::sync::Arc;

use async_graphql::{
    Context,
    dataloader::{DataLoader, HashMapCache},
};
use axum::http::HeaderMap;
use tokio::sync::OnceCell;

use crate::{
    app::App,
    auth::{Actor, Admin, Customer, Vendor, Viewer},
    catalog::version_header,
    client::Client,
    error::{Error, Result},
    indexing::Version,
};

/// The request that resolvers work for.
#[derive(Debug)]
pub struct Caller {
    actor: Actor,
    /// Of a query, which is one reading: its user is asked for once. A mutation's steps each ask anew, since one of
    /// them may end the session.
    user: Option<OnceCell<Result<Customer>>>,
    /// Where it comes from.
    pub client: Client,
    /// The request's headers.
    pub headers: HeaderMap,
}

impl Caller {
    /// Whoever sent these headers.
    pub fn new(app: &App, client: Client, headers: HeaderMap, is_mutation: bool) -> Self {
        let user = (!is_mutation).then(OnceCell::new);
        Self { actor: Actor::of(&headers, app), user, client, headers }
    }

    /// Who looks.
    ///
    /// # Errors
    /// 401 for a token that does not hold.
    pub fn viewer(&self) -> Result<Viewer> {
        self.actor.viewer()
    }

    async fn user(&self, app: &App) -> Result<Customer> {
        match &self.user {
            Some(known) => known.get_or_init(|| self.actor.customer(app)).await.clone(),
            None => self.actor.customer(app).await,
        }
    }
}

/// The shop.
///
/// # Errors
/// None that a client can cause.
pub fn app<'a>(ctx: &Context<'a>) -> Result<&'a App> {
    ctx.data_opt().ok_or_else(|| Error::internal("the schema was built without a shop"))
}

/// Who asks.
///
/// # Errors
/// None that a client can cause.
pub fn caller<'a>(ctx: &Context<'a>) -> Result<&'a Arc<Caller>> {
    ctx.data_opt().ok_or_else(|| Error::internal("nobody asks"))
}

/// Who looks.
///
/// # Errors
/// 401 for a token that does not hold.
pub fn viewer(ctx: &Context<'_>) -> Result<Viewer> {
    caller(ctx)?.viewer()
}

/// The signed-in user.
///
/// # Errors
/// 401.
pub async fn user(ctx: &Context<'_>) -> Result<Customer> {
    caller(ctx)?.user(app(ctx)?).await
}

/// The signed-in vendor or admin.
///
/// # Errors
/// 401, 403.
pub async fn vendor(ctx: &Context<'_>) -> Result<Vendor> {
    user(ctx).await?.try_into()
}

/// The signed-in admin.
///
/// # Errors
/// 401, 403.
pub async fn admin(ctx: &Context<'_>) -> Result<Admin> {
    user(ctx).await?.try_into()
}

/// The request's loader: what is asked of it by the children of a list is read in one statement.
///
/// # Errors
/// None that a client can cause.
pub fn loader<'a, L: Send + Sync + 'static>(ctx: &Context<'a>) -> Result<&'a DataLoader<L, HashMapCache>> {
    ctx.data_opt().ok_or_else(|| Error::internal("the request has no such loader"))
}

/// Says in the answer's header which write it made.
pub fn wrote(ctx: &Context<'_>, version: Version) {
    let (name, value) = version_header(version);
    ctx.insert_http_header(name, value);
}
