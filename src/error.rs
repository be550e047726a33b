//! What can go wrong for a client, and the one place that says so.
//!
//! [`Error`] has one variant for each thing that a client can do next; [`Kind`] is the table of slugs, titles
//! and statuses. Handlers return errors; [`finish`], the outermost layer, writes them as RFC 9457
//! `application/problem+json`, so that a refusal of the router's own (404, 405) reads the same as ours. A
//! cause (a database error, a broken index) is logged once, here, and never sent.

use std::{borrow::Cow, fmt, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

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
    /// The row changed since it was read.
    PreconditionFailed,
    /// The body is over the limit.
    TooLarge,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The body is JSON, and says something that cannot be.
    Invalid,
    /// The request took too long to arrive.
    RequestTimeout,
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
            Self::PreconditionFailed => {
                ("precondition-failed", StatusCode::PRECONDITION_FAILED, "It has changed since it was read")
            }
            Self::TooLarge => ("too-large", StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large"),
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send JSON")
            }
            Self::Invalid => ("invalid", StatusCode::UNPROCESSABLE_ENTITY, "Some fields are not valid"),
            Self::RequestTimeout => {
                ("request-timeout", StatusCode::REQUEST_TIMEOUT, "The request took too long to arrive")
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

/// A refusal, or a failure. A clone is for another request that the same thing befell.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    detail: String,
    faults: Vec<Fault>,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a sentence for a person.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), faults: Vec::new(), cause: None }
    }

    /// 422 with one entry for each fault.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            ..Self::new(Kind::Invalid, "Correct the fields that `errors` names and send it again.")
        }
    }

    /// 422 for one field.
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Fault::field(pointer, code, detail)])
    }

    /// 400 with one entry for each query parameter at fault; the detail names them too.
    pub fn parameters(faults: Vec<Fault>) -> Self {
        let detail = faults.iter().map(|fault| {
            format!("Query parameter `{}` {}.", fault.parameter.as_deref().unwrap_or_default(), fault.detail)
        });
        Self { detail: detail.collect::<Vec<_>>().join(" "), faults, ..Self::new(Kind::InvalidParameter, "") }
    }

    /// 409: the value of the field at `pointer` belongs to another row.
    pub fn taken(pointer: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let faults = vec![Fault::field(pointer, "taken", detail.clone())];
        Self { faults, ..Self::new(Kind::AlreadyTaken, detail) }
    }

    /// 409: other rows need this one.
    pub fn in_use(detail: impl Into<String>) -> Self {
        Self::new(Kind::InUse, detail)
    }

    /// 409: the product would be left without a variant.
    pub fn last_variant() -> Self {
        Self::new(Kind::LastVariant, "It is the product's last variant; delete the product instead.")
    }

    /// 404 for the named thing, whether it is not there or not the caller's.
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, format!("There is no such {what}."))
    }

    /// 400: what was sent cannot be read.
    pub fn malformed(why: impl fmt::Display) -> Self {
        Self::new(Kind::Malformed, why.to_string())
    }

    /// 503, to be tried again in a second.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, detail)
    }

    /// 500; the cause is logged and not sent.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "The error is logged under this request's id; trying again may help.";
        Self::new(Kind::Internal, detail).with_cause(cause)
    }

    /// What is wrong this time, for a person.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Which row of the table it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    fn with_cause(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into().into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.slug(), self.detail)?;
        for fault in &self.faults {
            let name = fault.pointer.as_deref().or(fault.parameter.as_deref()).unwrap_or_default();
            write!(f, "\n  {name}: {}", fault.detail)?;
        }
        self.cause.iter().try_for_each(|cause| write!(f, "\n  caused by: {cause}"))
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as Db;
        // query_canceled, lock_not_available, and the classes "insufficient resources" and "operator
        // intervention": the statement may be sent again as it is.
        let passing = |code: &str| {
            matches!(code, "57014" | "55P03" | "40001" | "40P01")
                || code.starts_with("53")
                || code.starts_with("57P")
        };
        let away = match &error {
            Db::PoolTimedOut | Db::PoolClosed | Db::Io(_) | Db::Tls(_) | Db::WorkerCrashed => true,
            Db::Database(db) => db.code().is_some_and(|code| passing(&code)),
            _ => false,
        };
        if away {
            Self::unavailable("The database cannot answer right now.").with_cause(error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<duka_index::Error> for Error {
    fn from(error: duka_index::Error) -> Self {
        Self::internal(error)
    }
}

/// `sqlx::Error`'s constraint name, where one was violated.
pub fn violated(error: &sqlx::Error) -> Option<&str> {
    match error {
        sqlx::Error::Database(db) => db.constraint(),
        _ => None,
    }
}

impl IntoResponse for Error {
    /// An empty body; [`finish`] writes the problem once it knows the request's id.
    fn into_response(self) -> Response {
        match (&self.cause, self.kind) {
            (Some(cause), Kind::Internal) => tracing::error!(error = %cause, "request failed"),
            (Some(cause), _) => tracing::warn!(error = %cause, "request refused"),
            (None, _) => {}
        }
        let mut response = self.kind.status().into_response();
        let problem = Problem::new(self.kind, self.detail, self.faults);
        response.extensions_mut().insert(problem);
        response
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
}

impl Problem {
    fn new(kind: Kind, detail: String, errors: Vec<Fault>) -> Self {
        let (slug, status, title) = kind.row();
        let instance = String::new();
        Self { kind: format!("/problems/{slug}"), title, status: status.as_u16(), detail, instance, errors }
    }

    fn of_status(status: StatusCode) -> Self {
        let (kind, detail) = match status {
            StatusCode::NOT_FOUND => {
                (Kind::NotFound, "No route has this path; see /swagger/ for those there are.")
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                (Kind::MethodNotAllowed, "The `Allow` header lists its methods.")
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

/// Writes the problem of a refused request, whoever refused it; leaves any other answer as it is.
pub fn finish(response: Response, request_id: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let mut problem = parts.extensions.remove::<Problem>().unwrap_or_else(|| Problem::of_status(status));
    request_id.clone_into(&mut problem.instance);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
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
