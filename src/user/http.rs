//! `/api/users/…`

use axum::{
    Json,
    extract::{RawQuery, State},
    http::StatusCode,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions::{self, Right},
    model::UserFilter,
};
use crate::{
    account::{self, model::User},
    app::App,
    auth::{Admin, Customer, Role},
    body::Unread,
    error::Result,
    extract::{Body, Id, Query},
    openapi::ProblemResponse,
    page::{DeepList, Links, Page},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one, update, delete))
}

/// Which users are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `UserFilter` reads")]
struct FilterParams {
    #[param(inline)]
    role: Option<Role>,
    /// Each word of it begins a word of the user name, the e-mail address, the first or the last name; case and
    /// accents do not matter.
    #[param(max_length = 256)]
    search: Option<String>,
    /// What `next_cursor` held: brings what stands behind that page. With the same other parameters, and without
    /// `page`.
    cursor: Option<String>,
}

/// The users
///
/// From the newest down. For admins.
#[utoipa::path(get, path = "/api/users/", tag = "users", security(("bearer" = [])), params(FilterParams, Page),
    responses(
    (status = 200, body = DeepList<User>),
    (status = "4XX", response = ProblemResponse)
))]
async fn list(
    State(app): State<App>,
    admin: Admin,
    RawQuery(raw): RawQuery,
    Query(filter): Query<UserFilter>,
) -> Result<Json<DeepList<User>>> {
    let found = actions::page(&app, admin, &filter).await?;
    let raw = raw.unwrap_or_default();
    let links = Links { base: &app.config.public_url, path: "/api/users/", query: &raw };
    Ok(Json(filter.page.list(&app.keys, &filter.list(), found, |user| user.id, &links)?))
}

/// One user
///
/// For admins, and for oneself.
#[utoipa::path(get, path = "/api/users/{id}/", tag = "users", security(("bearer" = [])), params(("id" = i64, Path)),
    responses(
    (status = 200, body = User),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, user: Customer, Id(id): Id) -> Result<Json<User>> {
    Ok(Json(match Right::to(id, user)? {
        Right::Admin(admin) => actions::one(&app, admin, id).await?,
        Right::Owner(owner) => account::actions::me(&app, owner).await?,
    }))
}

/// What changes of a user.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `UserChanges` and, for oneself, `account`'s `Changes` read")]
#[schema(as = AnyUserChanges)]
struct ChangesBody {
    #[schema(max_length = 150)]
    first_name: Option<String>,
    #[schema(max_length = 150)]
    last_name: Option<String>,
    #[schema(max_length = 32)]
    phone: Option<String>,
    #[schema(format = Email, max_length = 254)]
    email: Option<String>,
    /// For admins; an unknown field to others. Holds from the next request on; searches believe the access token for
    /// the rest of its ten minutes.
    #[schema(inline)]
    role: Option<Role>,
    /// For admins; an unknown field to others. Whoever is deactivated is out at once.
    is_active: Option<bool>,
}

/// Change a user
///
/// For admins, and for oneself as at `/api/auth/me/`. The last active admin stays one.
#[utoipa::path(patch, path = "/api/users/{id}/", tag = "users", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = ChangesBody, responses(
    (status = 200, body = User),
    (status = "4XX", response = ProblemResponse)
))]
async fn update(
    State(app): State<App>,
    user: Customer,
    Id(id): Id,
    Body(body): Body<Unread>,
) -> Result<Json<User>> {
    let currency = app.config.currency;
    Ok(Json(match Right::to(id, user)? {
        Right::Admin(admin) => actions::update(&app, admin, id, &body.read(currency)?).await?,
        Right::Owner(owner) => account::actions::update_me(&app, owner, &body.read(currency)?).await?,
    }))
}

/// Close an account
///
/// For admins, and for oneself. It ends at once and for ever: the names, the address and everything personal are
/// overwritten. Orders and reviews stay, as somebody's who is gone.
#[utoipa::path(delete, path = "/api/users/{id}/", tag = "users", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 204, description = "Closed"),
    (status = "4XX", response = ProblemResponse)
))]
async fn delete(State(app): State<App>, user: Customer, Id(id): Id) -> Result<StatusCode> {
    actions::delete(&app, Right::to(id, user)?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
