//! `/api/auth/…`

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions::{self, Tokens},
    model::{Changes, Credentials, PasswordChange, Registration, User},
};
use crate::{
    app::App,
    auth::Customer,
    body::{Fields, Form, secret},
    client::Client,
    error::Result,
    extract::{Body, header_text},
    openapi::ProblemResponse,
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(verify))
        .routes(routes!(logout))
        .routes(routes!(me, update_me))
        .routes(routes!(change_password))
}

#[derive(Serialize, ToSchema)]
struct TokenPair {
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

/// What a registration sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Registration` reads")]
#[schema(as = Registration)]
struct RegistrationBody {
    /// Letters, digits and `@.+-_`; unique without regard to case.
    #[schema(min_length = 3, max_length = 150)]
    username: String,
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// Neither the user name nor a common one.
    #[schema(format = Password, min_length = 8, max_length = 128)]
    password: String,
    #[schema(max_length = 150)]
    first_name: Option<String>,
    #[schema(max_length = 150)]
    last_name: Option<String>,
    #[schema(max_length = 32)]
    phone: Option<String>,
}

/// Make an account
///
/// It is always a customer's.
#[utoipa::path(post, path = "/api/auth/register/", tag = "users", request_body = RegistrationBody, responses(
    (status = 201, description = "Made", body = User),
    (status = "4XX", response = ProblemResponse)
))]
async fn register(
    State(app): State<App>,
    client: Client,
    Body(registration): Body<Registration>,
) -> Result<(StatusCode, Json<User>)> {
    let user = actions::register(&app, client, registration).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Credentials` reads")]
#[schema(as = Credentials)]
struct CredentialsBody {
    /// The user name or the e-mail address.
    #[schema(min_length = 1)]
    username: String,
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    password: String,
}

/// Sign in
#[utoipa::path(post, path = "/api/auth/jwt/login/", tag = "users", request_body = CredentialsBody, responses(
    (status = 200, body = TokenPair),
    (status = "4XX", response = ProblemResponse)
))]
async fn login(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(credentials): Body<Credentials>,
) -> Result<Json<TokenPair>> {
    let user_agent = header_text(&headers, "user-agent").unwrap_or_default();
    Ok(Json(actions::login(&app, client, credentials, user_agent).await?.into()))
}

#[derive(ToSchema)]
#[schema(as = RefreshToken)]
pub(super) struct RefreshBody {
    #[schema(min_length = 1, max_length = 4096)]
    pub(super) refresh: String,
}

impl Form for RefreshBody {
    fn read(fields: &mut Fields) -> Self {
        Self { refresh: fields.required("refresh", secret(1..=4096)) }
    }
}

/// Exchange a refresh token for a new pair
///
/// A refresh token is good once. One that comes back ends its session.
#[utoipa::path(post, path = "/api/auth/jwt/refresh/", tag = "users", request_body = RefreshBody, responses(
    (status = 200, body = TokenPair),
    (status = "4XX", response = ProblemResponse)
))]
async fn refresh(
    State(app): State<App>,
    client: Client,
    Body(body): Body<RefreshBody>,
) -> Result<Json<TokenPair>> {
    Ok(Json(actions::refresh(&app, client, &body.refresh).await?.into()))
}

#[derive(ToSchema)]
#[schema(as = Token)]
struct TokenBody {
    #[schema(min_length = 1, max_length = 4096)]
    token: String,
}

impl Form for TokenBody {
    fn read(fields: &mut Fields) -> Self {
        Self { token: fields.required("token", secret(1..=4096)) }
    }
}

/// Nothing to say.
#[derive(Serialize, ToSchema)]
struct Empty {}

/// Ask whether a token is good
#[utoipa::path(post, path = "/api/auth/jwt/verify/", tag = "users", request_body = TokenBody, responses(
    (status = 200, description = "It is", body = Empty),
    (status = "4XX", response = ProblemResponse)
))]
async fn verify(State(app): State<App>, Body(body): Body<TokenBody>) -> Result<Json<Empty>> {
    actions::verify(&app, &body.token).await?;
    Ok(Json(Empty {}))
}

/// Sign out
///
/// Ends the session that the refresh token belongs to, its access tokens included.
#[utoipa::path(post, path = "/api/auth/jwt/logout/", tag = "users", security(("bearer" = [])),
    request_body = RefreshBody, responses(
    (status = 204, description = "Ended"),
    (status = "4XX", response = ProblemResponse)
))]
async fn logout(State(app): State<App>, user: Customer, Body(body): Body<RefreshBody>) -> Result<StatusCode> {
    actions::logout(&app, user, &body.refresh).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One's own account
#[utoipa::path(get, path = "/api/auth/me/", tag = "users", security(("bearer" = [])), responses(
    (status = 200, body = User),
    (status = "4XX", response = ProblemResponse)
))]
async fn me(State(app): State<App>, user: Customer) -> Result<Json<User>> {
    Ok(Json(actions::me(&app, user).await?))
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Changes` reads")]
#[schema(as = UserChanges)]
struct ChangesBody {
    #[schema(max_length = 150)]
    first_name: Option<String>,
    #[schema(max_length = 150)]
    last_name: Option<String>,
    #[schema(max_length = 32)]
    phone: Option<String>,
    #[schema(format = Email, max_length = 254)]
    email: Option<String>,
}

/// Change one's own account
#[utoipa::path(patch, path = "/api/auth/me/", tag = "users", security(("bearer" = [])),
    request_body = ChangesBody, responses(
    (status = 200, body = User),
    (status = "4XX", response = ProblemResponse)
))]
async fn update_me(
    State(app): State<App>,
    user: Customer,
    Body(changes): Body<Changes>,
) -> Result<Json<User>> {
    Ok(Json(actions::update_me(&app, user, &changes).await?))
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `PasswordChange` reads")]
#[schema(as = PasswordChange)]
struct PasswordBody {
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    old_password: String,
    #[schema(format = Password, min_length = 8, max_length = 128)]
    new_password: String,
}

/// Change one's password
///
/// Every other session ends.
#[utoipa::path(post, path = "/api/auth/password/", tag = "users", security(("bearer" = [])),
    request_body = PasswordBody, responses(
    (status = 204, description = "Changed"),
    (status = "4XX", response = ProblemResponse)
))]
async fn change_password(
    State(app): State<App>,
    client: Client,
    user: Customer,
    Body(change): Body<PasswordChange>,
) -> Result<StatusCode> {
    actions::change_password(&app, client, user, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
