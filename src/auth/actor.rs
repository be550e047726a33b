//! Whoever sent a request: what its token says, and the proofs that come of it.

use axum::http::HeaderMap;

use super::{Admin, Customer, RequestId, Role, Vendor, Viewer, live_role, token::Claims};
use crate::{
    app::App,
    error::{Error, Kind, Result},
    extract::header_text,
};

/// The sender of a request. Its token is read once; whether its session lives is asked for each proof.
#[derive(Debug)]
pub struct Actor {
    /// None for a request without a token.
    claims: Result<Option<Claims>>,
    request_id: Option<RequestId>,
}

impl Actor {
    /// Reads the request's token. One that does not hold is refused by whatever asks for a proof.
    pub fn of(headers: &HeaderMap, app: &App) -> Self {
        // Every request has an id by now, its own or a new one.
        let request_id = header_text(headers, "x-request-id").and_then(RequestId::new);
        Self { claims: claims(headers, app), request_id }
    }

    /// Who looks.
    ///
    /// # Errors
    /// 401 for a token that does not hold.
    pub fn viewer(&self) -> Result<Viewer> {
        let claims = self.claims.clone()?;
        Ok(Viewer { user: claims.and_then(|claims| Some((claims.sub.parse().ok()?, claims.role))) })
    }

    /// The user, whose session is alive at this moment.
    ///
    /// # Errors
    /// 401.
    pub async fn customer(&self, app: &App) -> Result<Customer> {
        let refuse = |detail: &str| Error::new(Kind::NotAuthenticated, detail);
        let claims = self.claims.clone()?.ok_or_else(|| {
            refuse("Send `Authorization: Bearer <access token>`; see /api/auth/jwt/login/.")
        })?;
        let over = || refuse("This session has ended; sign in again.");
        let user_id: i64 = claims.sub.parse().map_err(|_| over())?;
        let role = live_role(app, claims.sid, user_id).await?.ok_or_else(over)?;
        let role = Role::parse(&role).ok_or_else(|| Error::internal(format!("unknown role {role}")))?;
        Ok(Customer { user_id, session_id: claims.sid, role, request_id: self.request_id })
    }
}

impl TryFrom<Customer> for Vendor {
    type Error = Error;

    fn try_from(user: Customer) -> Result<Self> {
        let allowed = user.role >= Role::Vendor;
        allowed.then_some(Self(user)).ok_or_else(|| forbidden("vendors and admins"))
    }
}

impl TryFrom<Customer> for Admin {
    type Error = Error;

    fn try_from(user: Customer) -> Result<Self> {
        user.admin().ok_or_else(|| forbidden("admins"))
    }
}

fn forbidden(who: &str) -> Error {
    Error::new(Kind::Forbidden, format!("Only {who} may do this."))
}

/// The claims of the request's token; `None` where it has none.
fn claims(headers: &HeaderMap, app: &App) -> Result<Option<Claims>> {
    if !headers.contains_key("authorization") {
        return Ok(None);
    }
    let bearer = header_text(headers, "authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let claims = bearer.and_then(|token| app.keys.verify(token));
    claims.map(Some).ok_or_else(|| {
        Error::new(Kind::NotAuthenticated, "The token does not hold or has expired; sign in or refresh it.")
    })
}
