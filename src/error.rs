//! What can go wrong for a client, and the one place that says so.
//!
//! [`Error`] has one variant for each thing that a client can do next; [`Kind`] is the table of slugs, titles
//! and statuses. Handlers return errors; [`finish`], the outermost layer, writes them as RFC 9457
//! `application/problem+json`, so that a refusal of the router's own (404, 405) reads the same as ours. A
//! cause (a database error, a broken index) is logged once, here, and never sent.

use std::{borrow::Cow, collections::BTreeMap};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

mod refusal;

pub use self::refusal::Error;

/// The result of everything that a request runs.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One field or query parameter that is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// JSON pointer into the request body, such as `/variants/0/price`; absent for a query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/price")]
    pub pointer: Option<String>,
    /// The query parameter's name; absent for a field of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What kind of fault, stable: `required`, `unknown`, `type`, `range`, `length`, `format`, `taken`, …
    #[schema(example = "range")]
    pub code: Cow<'static, str>,
    /// For a person: what is wrong and what would be right.
    pub detail: String,
}

impl Fault {
    /// A fault of the field at `pointer`.
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), parameter: None, code: code.into(), detail: detail.into() }
    }

    /// A fault of the query parameter `name`.
    pub fn parameter(name: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: Some(name.into()), code: code.into(), detail: detail.into() }
    }
}

/// The table: what a client sees of each kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body is not JSON.
    Malformed,
    /// A query parameter is unknown or cannot be read.
    InvalidParameter,
    /// No token, or one that does not hold.
    NotAuthenticated,
    /// Wrong user name or password.
    WrongCredentials,
    /// The role does not allow it.
    Forbidden,
    /// No such row, or not the caller's.
    NotFound,
    /// The path is there, the method is not.
    MethodNotAllowed,
    /// The client takes no coding that there is.
    NotAcceptable,
    /// Another row has this unique value.
    AlreadyTaken,
    /// Other rows need this one.
    InUse,
    /// A product keeps one variant.
    LastVariant,
    /// There are as many of them as there may be.
    TooMany,
    /// Another such job has not ended yet.
    AlreadyRunning,
    /// The job has ended.
    AlreadyFinished,
    /// The shop keeps one administrator.
    LastAdmin,
    /// The account is nobody's any more.
    AccountDeleted,
    /// Fewer pieces are in stock than are wanted.
    OutOfStock,
    /// It costs something else than the client thinks.
    PriceChanged,
    /// A first request with the same idempotency key has not been answered yet.
    KeyInUse,
    /// It has gone too far, or not far enough, for that.
    WrongState,
    /// Another attempt to pay the order has not ended yet.
    PaymentInProgress,
    /// The shop cannot be paid this way.
    PaymentMethodUnavailable,
    /// There is nothing in the cart.
    EmptyCart,
    /// The discount's code cannot be used for this cart.
    DiscountNotApplicable,
    /// The idempotency key was sent with another body.
    KeyReused,
    /// The row changed since it was read.
    PreconditionFailed,
    /// The body is over the limit.
    TooLarge,
    /// The body is of a type that the route does not take.
    UnsupportedMediaType,
    /// What a gateway is said to have sent is not its own.
    InvalidSignature,
    /// The body is JSON, and says something that cannot be.
    Invalid,
    /// It asks for more at once than one request may.
    TooComplex,
    /// The request took too long to arrive.
    RequestTimeout,
    /// Too many such requests lately.
    TooManyRequests,
    /// The index does not hold yet what the client has written.
    IndexBehind,
    /// Not now: overload, or the database is away.
    Unavailable,
    /// Our fault.
    Internal,
}

impl Kind {
    const fn row(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Malformed => ("malformed-request", StatusCode::BAD_REQUEST, "The request cannot be read"),
            Self::InvalidParameter => {
                ("invalid-parameter", StatusCode::BAD_REQUEST, "A query parameter is not valid")
            }
            Self::NotAuthenticated => ("not-authenticated", StatusCode::UNAUTHORIZED, "Sign in first"),
            Self::WrongCredentials => {
                ("wrong-credentials", StatusCode::UNAUTHORIZED, "User name or password is wrong")
            }
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN, "This role may not do that"),
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND, "There is nothing here"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "This path has no such method")
            }
            Self::NotAcceptable => {
                ("not-acceptable", StatusCode::NOT_ACCEPTABLE, "There is no answer of that kind")
            }
            Self::AlreadyTaken => ("already-taken", StatusCode::CONFLICT, "Somebody else has this value"),
            Self::InUse => ("in-use", StatusCode::CONFLICT, "Other things depend on this"),
            Self::LastVariant => {
                ("last-variant", StatusCode::CONFLICT, "A product keeps at least one variant")
            }
            Self::TooMany => ("too-many", StatusCode::CONFLICT, "There are as many as there may be"),
            Self::AlreadyRunning => {
                ("already-running", StatusCode::CONFLICT, "Another one has not come to its end yet")
            }
            Self::AlreadyFinished => {
                ("already-finished", StatusCode::CONFLICT, "It has come to its end already")
            }
            Self::LastAdmin => {
                ("last-admin", StatusCode::CONFLICT, "The shop keeps at least one active administrator")
            }
            Self::AccountDeleted => ("account-deleted", StatusCode::CONFLICT, "The account has been deleted"),
            Self::OutOfStock => ("out-of-stock", StatusCode::CONFLICT, "Not that many are in stock"),
            Self::PriceChanged => ("price-changed", StatusCode::CONFLICT, "The total is another one now"),
            Self::KeyInUse => {
                ("idempotency-key-in-use", StatusCode::CONFLICT, "The first such request is still running")
            }
            Self::WrongState => ("wrong-state", StatusCode::CONFLICT, "Its state does not allow that"),
            Self::PaymentInProgress => (
                "payment-in-progress",
                StatusCode::CONFLICT,
                "Another attempt to pay has not come to its end yet",
            ),
            Self::PaymentMethodUnavailable => {
                ("payment-method-unavailable", StatusCode::CONFLICT, "The shop cannot be paid this way")
            }
            Self::EmptyCart => ("empty-cart", StatusCode::UNPROCESSABLE_ENTITY, "The cart is empty"),
            Self::DiscountNotApplicable => (
                "discount-not-applicable",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The discount does not apply to this cart",
            ),
            Self::KeyReused => (
                "idempotency-key-reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key belongs to another request",
            ),
            Self::PreconditionFailed => {
                ("precondition-failed", StatusCode::PRECONDITION_FAILED, "It has changed since it was read")
            }
            Self::TooLarge => ("too-large", StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large"),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This type of body is not taken here",
            ),
            Self::InvalidSignature => {
                ("invalid-signature", StatusCode::BAD_REQUEST, "The signature does not hold")
            }
            Self::Invalid => ("invalid", StatusCode::UNPROCESSABLE_ENTITY, "Some fields are not valid"),
            Self::TooComplex => {
                ("too-complex", StatusCode::UNPROCESSABLE_ENTITY, "The request asks for too much at once")
            }
            Self::RequestTimeout => {
                ("request-timeout", StatusCode::REQUEST_TIMEOUT, "The request took too long to arrive")
            }
            Self::TooManyRequests => {
                ("too-many-requests", StatusCode::TOO_MANY_REQUESTS, "Too many requests; wait a while")
            }
            Self::IndexBehind => {
                ("index-behind", StatusCode::SERVICE_UNAVAILABLE, "The index does not hold that write yet")
            }
            Self::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "Try again shortly"),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "Something broke on our side"),
        }
    }

    /// The last part of the problem's `type`; GraphQL's `extensions.code`.
    pub const fn slug(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        self.row().1
    }
}

/// `sqlx::Error`'s constraint name, where one was violated.
pub fn violated(error: &sqlx::Error) -> Option<&str> {
    match error {
        sqlx::Error::Database(db) => db.constraint(),
        _ => None,
    }
}

/// The body of an error (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A stable identifier of the kind of error.
    #[serde(rename = "type")]
    #[schema(example = "/problems/invalid")]
    kind: String,
    /// The kind of error in words, the same for all of its kind.
    title: &'static str,
    /// The HTTP status, repeated.
    status: u16,
    /// What is wrong this time, and what to do.
    detail: String,
    /// The request's id, as in `X-Request-Id`.
    instance: String,
    /// The fields or parameters at fault, if any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    /// What else programs need to go on, by the kind of error: `available`, `total`, …
    #[serde(flatten)]
    #[schema(ignore)]
    members: BTreeMap<&'static str, Value>,
}

impl Problem {
    fn new(kind: Kind, detail: String, errors: Vec<Fault>) -> Self {
        let (slug, status, title) = kind.row();
        let instance = String::new();
        let (kind, status, members) = (format!("/problems/{slug}"), status.as_u16(), BTreeMap::new());
        Self { kind, title, status, detail, instance, errors, members }
    }

    fn of_status(status: StatusCode) -> Self {
        let (kind, detail) = match status {
            StatusCode::NOT_FOUND => {
                (Kind::NotFound, "No route has this path; see /swagger/ for those there are.")
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                (Kind::MethodNotAllowed, "The `Allow` header lists its methods.")
            }
            StatusCode::NOT_ACCEPTABLE => {
                (Kind::NotAcceptable, "`Accept-Encoding` refuses all of gzip, br and identity.")
            }
            StatusCode::PAYLOAD_TOO_LARGE => (Kind::TooLarge, "Send less in one request."),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => (Kind::UnsupportedMediaType, "Send application/json."),
            StatusCode::REQUEST_TIMEOUT => {
                (Kind::RequestTimeout, "Send the whole request within the time allowed.")
            }
            StatusCode::SERVICE_UNAVAILABLE => (Kind::Unavailable, "The server is busy."),
            status if status.is_client_error() => (Kind::Malformed, "The request is not valid."),
            _ => (Kind::Internal, "The error is logged under this request's id; trying again may help."),
        };
        Self::new(kind, detail.to_owned(), Vec::new())
    }
}

/// Marks an answer that is no problem in spite of its status, since its body tells a person what is wrong: a page.
#[derive(Clone, Copy, Debug)]
pub struct OwnBody;

/// Writes the problem of a refused request, whoever refused it; leaves any other answer as it is.
pub fn finish(response: Response, request_id: &str) -> Response {
    let status = response.status();
    let is_told = response.extensions().get::<OwnBody>().is_some();
    if is_told || !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let mut problem = parts.extensions.remove::<Problem>().unwrap_or_else(|| Problem::of_status(status));
    request_id.clone_into(&mut problem.instance);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    if let Some(seconds) = problem.members.get("retry_after").and_then(Value::as_u64) {
        parts.headers.insert(header::RETRY_AFTER, seconds.into());
    }
    set_headers(&mut parts.headers, status);
    Response::from_parts(parts, Body::from(body))
}

fn set_headers(headers: &mut HeaderMap, status: StatusCode) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::CONTENT_ENCODING);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            headers.entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
        }
        _ => {}
    }
}
