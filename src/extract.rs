//! What handlers are given: bodies, query parameters, ids and preconditions that have been checked.

use axum::{
    Json as AxumJson, RequestExt,
    body::HttpBody,
    extract::{
        DefaultBodyLimit, FromRequest, FromRequestParts, OptionalFromRequest, Path as AxumPath, Request,
        rejection::JsonRejection,
    },
    http::{HeaderMap, header, request::Parts},
};
use serde_json::Value;

use crate::{
    app::App,
    body::{self, Fields, Form},
    cache::encoding::Encoding,
    error::{Error, Kind, Result},
    params::{self, QueryForm},
};

/// A JSON body, read as a [`Form`]: 400, 413, 415 or 422 when it is not one.
pub struct Body<T>(pub T);

impl<T: Form> FromRequest<App> for Body<T> {
    type Rejection = Error;

    async fn from_request(mut request: Request, app: &App) -> Result<Self> {
        let coding = request.headers().get(header::CONTENT_ENCODING);
        if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            let detail = "Send the body as it is, without `Content-Encoding`.";
            return Err(Error::new(Kind::UnsupportedMediaType, detail));
        }
        let too_large =
            || Error::new(Kind::TooLarge, format!("The body may have at most {} KiB.", T::MOST_BYTES / 1024));
        // To somebody who asks before sending it. Of what is on its way already the answer might be lost.
        let length = header_text(request.headers(), "content-length").and_then(|length| length.parse().ok());
        let asks = request.headers().contains_key(header::EXPECT);
        if asks && length.is_some_and(|length: usize| length > T::MOST_BYTES) {
            return Err(too_large());
        }
        DefaultBodyLimit::max(T::MOST_BYTES).apply(&mut request);
        let value = request.extract::<AxumJson<Value>, _>().await.map_err(|rejection| match rejection {
            JsonRejection::MissingJsonContentType(_) => {
                Error::new(Kind::UnsupportedMediaType, "Send `Content-Type: application/json`.")
            }
            JsonRejection::BytesRejection(rejected) if rejected.status() == Kind::TooLarge.status() => {
                too_large()
            }
            rejected => {
                Error::new(Kind::Malformed, format!("The body is not JSON: {}", rejected.body_text()))
            }
        })?;
        Ok(Self(body::read(value.0, app.config.currency)?))
    }
}

/// Where a body need not be sent: `None` when none was, whatever its type would have been.
impl<T: Form> OptionalFromRequest<App> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Option<Self>> {
        if request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<App>>::from_request(request, app).await.map(Some)
    }
}

/// The body of a request that has nothing to say: none, or an empty JSON object. Nothing that is sent is ignored.
pub struct NoBody;

struct Nothing;

impl Form for Nothing {
    fn read(_: &mut Fields) -> Self {
        Self
    }
}

impl FromRequest<App> for NoBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        <Body<Nothing> as OptionalFromRequest<App>>::from_request(request, app).await.map(|_| Self)
    }
}

/// The query parameters, read as a [`QueryForm`]: 400 when they are not one.
pub struct Query<T>(pub T);

impl<T: QueryForm, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self(params::read(parts.uri.query().unwrap_or_default())?))
    }
}

/// A row's id in the path: 404 when it is not a number that an id can be.
pub struct Id(pub i64);

impl<S: Sync + Send> FromRequestParts<S> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let AxumPath(text): AxumPath<String> =
            AxumPath::from_request_parts(parts, state).await.map_err(|_| not_an_id())?;
        id(&text).map(Self)
    }
}

/// Two rows' ids in the path, in its order: 404 as [`Id`].
pub struct Ids(pub i64, pub i64);

impl<S: Sync + Send> FromRequestParts<S> for Ids {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let AxumPath((first, second)): AxumPath<(String, String)> =
            AxumPath::from_request_parts(parts, state).await.map_err(|_| not_an_id())?;
        Ok(Self(id(&first)?, id(&second)?))
    }
}

fn id(text: &str) -> Result<i64> {
    params::integer(1, i64::MAX)(text).map_err(|_| not_an_id())
}

fn not_an_id() -> Error {
    Error::new(Kind::NotFound, "The path's id is not the id of anything.")
}

/// The `If-Match` header, if any (RFC 9110 §13.1.1).
#[derive(Clone, Debug, Default)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// Whether a row may be written whose plain body has this strong entity tag (quotes included). Whoever read
    /// it in a coding has that one's tag, and has read the same.
    ///
    /// # Errors
    /// 412 when the client saw another version.
    pub fn demand(&self, etag: &str) -> Result<()> {
        let Some(wanted) = &self.0 else { return Ok(()) };
        let own = Encoding::ALL.map(|encoding| encoding.tag(etag));
        let holds =
            wanted.trim() == "*" || wanted.split(',').any(|tag| own.iter().any(|own| own == tag.trim()));
        let stale =
            || Error::new(Kind::PreconditionFailed, format!("Its ETag is now {etag}; read it again."));
        holds.then_some(()).ok_or_else(stale)
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let given = parts.headers.get(header::IF_MATCH);
        // One that is not text names no version: it must not pass for none.
        Ok(Self(given.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())))
    }
}

/// A header's value, where there is one and it is readable.
pub fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_compares_strongly() {
        let given = |text: &str| IfMatch(Some(text.to_owned()));
        assert!(IfMatch(None).demand("\"1\"").is_ok());
        assert!(given("*").demand("\"1\"").is_ok());
        assert!(given("\"0\", \"1\"").demand("\"1\"").is_ok());
        for coded in ["\"1-gzip\"", "\"0\", \"1-br\""] {
            assert!(given(coded).demand("\"1\"").is_ok(), "{coded}");
        }
        for other in ["W/\"1\"", "W/\"1-gzip\"", "\"1-zstd\"", "\"1-\"", "1-gzip", "\"2-gzip\""] {
            assert!(given(other).demand("\"1\"").is_err(), "{other}");
        }
        assert!(given("\"2\"").demand("\"1\"").is_err());
    }
}
