//! Who is asking: roles, and proofs of them.
//!
//! [`Customer`], [`Vendor`] and [`Admin`] have private fields: only an [`Actor`] makes one, from a token that holds and
//! a session that is alive; handlers get theirs by the extractors here, resolvers from the request's actor. An action that takes a proof as its argument cannot be called
//! without the right. [`Viewer`] is for searches, which never ask the database: it believes the token alone.
//!
//! Whoever writes does it in a transaction that [`begin`] has begun with the proof, and is in the audit.

mod actor;
mod author;
mod extract;
pub mod password;
mod store;
pub mod token;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    actor::Actor,
    author::{Author, RequestId, begin, begin_in},
};

use crate::{app::App, error::Result};

/// What a user may do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, sqlx::Type,
)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Role {
    /// Buys.
    Customer,
    /// Buys, and sells products of its own.
    Vendor,
    /// Everything.
    Admin,
}

impl Role {
    /// The word that the database and clients use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Vendor => "vendor",
            Self::Admin => "admin",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Customer, Self::Vendor, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

/// A signed-in user of any role.
#[derive(Clone, Copy, Debug)]
pub struct Customer {
    user_id: i64,
    session_id: i64,
    role: Role,
    request_id: Option<RequestId>,
}

impl Customer {
    /// The user's id.
    pub fn user_id(&self) -> i64 {
        self.user_id
    }

    /// The session that the token belongs to.
    pub fn session_id(&self) -> i64 {
        self.session_id
    }

    /// The user's role now.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The same user as an admin, if it is one: for what an admin may do and others may do to their own.
    pub fn admin(self) -> Option<Admin> {
        (self.role == Role::Admin).then_some(Admin(self))
    }
}

/// A signed-in vendor or admin.
#[derive(Clone, Copy, Debug)]
pub struct Vendor(Customer);

impl Vendor {
    /// The user's id.
    pub fn user_id(&self) -> i64 {
        self.0.user_id
    }

    /// What this user sees.
    pub fn viewer(&self) -> Viewer {
        Viewer { user: Some((self.0.user_id, self.0.role)) }
    }

    /// Whose rows may be written: the vendor's own, or everybody's (`None`) for an admin.
    pub fn owner(&self) -> Option<i64> {
        (self.0.role != Role::Admin).then_some(self.0.user_id)
    }
}

/// A signed-in admin.
#[derive(Clone, Copy, Debug)]
pub struct Admin(Customer);

impl Admin {
    /// The user's id.
    pub fn user_id(&self) -> i64 {
        self.0.user_id
    }
}

/// Whoever looks: anonymous, or what an unexpired token says. It decides what is *seen*, never what is
/// written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Viewer {
    /// The user's id and role; `None` is anonymous.
    pub user: Option<(i64, Role)>,
}

/// Whether the session of a token's claims is alive.
///
/// # Errors
/// When the database does not answer.
pub async fn is_live(app: &App, claims: &token::Claims) -> Result<bool> {
    let Ok(user_id) = claims.sub.parse() else { return Ok(false) };
    Ok(live_role(app, claims.sid, user_id).await?.is_some())
}

/// The user's role now, if session and user are alive.
async fn live_role(app: &App, session_id: i64, user_id: i64) -> Result<Option<String>> {
    // A connection that has ended since is no answer.
    if let Some(mut turn) = app.sessions.next().await
        && let Ok(role) = store::live_role(&mut *turn, session_id, user_id).await
    {
        turn.done();
        return Ok(role);
    }
    Ok(store::live_role(&app.web, session_id, user_id).await?)
}
