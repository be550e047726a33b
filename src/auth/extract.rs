//! The extractors that make proofs for handlers, of the request's [`Actor`].

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Actor, Admin, Customer, Vendor, Viewer};
use crate::{
    app::App,
    error::{Error, Result},
};

impl FromRequestParts<App> for Viewer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        Actor::of(&parts.headers, app).viewer()
    }
}

impl FromRequestParts<App> for Customer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        Actor::of(&parts.headers, app).customer(app).await
    }
}

impl FromRequestParts<App> for Vendor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        Customer::from_request_parts(parts, app).await?.try_into()
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        Customer::from_request_parts(parts, app).await?.try_into()
    }
}
