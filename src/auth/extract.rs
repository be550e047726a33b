//! The extractors that make proofs from a request's bearer token.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Admin, Customer, Role, Vendor, Viewer, store, token::Claims};
use crate::{
    app::App,
    error::{Error, Kind, Result},
    extract::header_text,
};

/// The claims of the request's token; `None` where it has none.
fn claims(parts: &Parts, app: &App) -> Result<Option<Claims>> {
    if !parts.headers.contains_key("authorization") {
        return Ok(None);
    }
    let bearer = header_text(&parts.headers, "authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let claims = bearer.and_then(|token| app.keys.verify(token));
    claims.map(Some).ok_or_else(|| {
        Error::new(Kind::NotAuthenticated, "The token does not hold or has expired; sign in or refresh it.")
    })
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let claims = claims(parts, app)?;
        let user = claims.and_then(|claims| Some((claims.sub.parse().ok()?, claims.role)));
        Ok(Self { user })
    }
}

impl FromRequestParts<App> for Customer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let refuse = |detail: &str| Error::new(Kind::NotAuthenticated, detail);
        let claims = claims(parts, app)?.ok_or_else(|| {
            refuse("Send `Authorization: Bearer <access token>`; see /api/auth/jwt/login/.")
        })?;
        let over = || refuse("This session has ended; sign in again.");
        let user_id: i64 = claims.sub.parse().map_err(|_| over())?;
        let role = store::live_role(&app.web, claims.sid, user_id).await?.ok_or_else(over)?;
        let role = Role::parse(&role).ok_or_else(|| Error::internal(format!("unknown role {role}")))?;
        Ok(Self { user_id, session_id: claims.sid, role })
    }
}

impl FromRequestParts<App> for Vendor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let user = Customer::from_request_parts(parts, app).await?;
        let allowed = user.role >= Role::Vendor;
        allowed.then_some(Self(user)).ok_or_else(|| forbidden("vendors and admins"))
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let user = Customer::from_request_parts(parts, app).await?;
        user.admin().ok_or_else(|| forbidden("admins"))
    }
}

fn forbidden(who: &str) -> Error {
    Error::new(Kind::Forbidden, format!("Only {who} may do this."))
}
