//! All routes, and what surrounds every one of them.
//!
//! From the outside in: a canonical path, a request id, a span and its figures, the problem body of whatever
//! was refused, compression, time limits, a task of its own for what changes something. Searches that ask for nothing unusual go past all of it (`short`).

mod in_time;
mod request_id;
mod short;

use std::{any::Any, convert::Infallible, future, net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request},
    http::{
        Extensions, HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, Version, header,
    },
    middleware::{self, Next},
    response::IntoResponse,
    routing::get,
};
use futures_util::{FutureExt, future::Either};
use hyper::body::Incoming;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, Predicate},
    },
    cors::CorsLayer,
};
use tracing::{Instrument, field::Empty};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

use self::{
    in_time::{Acts, in_time},
    request_id::request_id,
    short::Short,
};
use crate::{
    account, address, app::App, audit, cache::encoding::Encoding, cart, category, discount, error, export,
    gate::Other, graphql, health, import, openapi::QueryPaths, order, params, payment, product, review,
    search, server, shipment, storefront, telemetry, user, wishlist,
};

/// The largest body that a route takes unless it says otherwise.
const BODY_BYTES: usize = 64 * 1024;
/// The methods that operations have; HEAD is GET without its body.
static METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE];
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The shop as a service: what the accept loop calls. Searches that the runtime has no time for are turned away before
/// anything else, unless their answer is kept.
pub fn service(app: App) -> impl server::Service {
    let short = Arc::new(Short::new(app.clone()));
    let refusing = Arc::clone(&short);
    let refuse = tower::service_fn(move |request: Request| future::ready(Ok(refusing.refuse(&request))));
    let refuse = cors(app.config.cors_origins.clone()).layer(refuse);
    let (pulse, gate) = (app.pulse.clone(), app.searches.clone());
    // In one piece, which connections clone, and requests only where they have to.
    let shop = Arc::new((short, pulse, gate, refuse, router(app)));
    move |peer: SocketAddr, request: Request<Incoming>| {
        let (short, pulse, gate, refuse, router) = &*shop;
        if let Some(answer) = short.answer(peer, &request) {
            return Either::Left(Either::Left(future::ready(Ok::<_, Infallible>(answer))));
        }
        let is_search = search::http::is_search(&request);
        if is_search && !pulse.lets_in(gate) {
            return Either::Left(if request.headers().contains_key(header::ORIGIN) {
                Either::Right(refuse.clone().oneshot(request.map(Body::new)))
            } else {
                Either::Left(future::ready(Ok(short.refuse_outright(&request))))
            });
        }
        let request = match short.make(peer, request) {
            Either::Left(making) => return Either::Right(Either::Left(making.map(Ok))),
            Either::Right(request) => request,
        };
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(canonical) = with_slash(request.uri()) {
            *request.uri_mut() = canonical;
        }
        let other = (!is_search).then(Other::come);
        Either::Right(Either::Right(router.clone().oneshot(request).inspect(|_| drop(other))))
    }
}

/// The document that describes the API.
pub fn openapi() -> OpenApi {
    let mut document = api().into_openapi();
    crate::openapi::close_request_bodies(&mut document);
    crate::openapi::tell_what_is_common(&mut document);
    crate::openapi::name_operations(&mut document);
    document
}

fn api() -> OpenApiRouter<App> {
    let info = InfoBuilder::new()
        .title("duka")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("A search-first e-commerce backend."))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let mut document = OpenApiBuilder::new().info(info).build();
    document.components = Some(crate::openapi::components());
    OpenApiRouter::with_openapi(document)
        .merge(account::http::routes())
        .merge(address::http::routes())
        .merge(category::http::routes())
        .merge(search::http::routes())
        .merge(search::settings::http::routes())
        .merge(search::upkeep::http::routes())
        .merge(product::http::routes())
        .merge(discount::http::routes())
        .merge(audit::http::routes())
        .merge(review::http::routes())
        .merge(wishlist::http::routes())
        .merge(user::http::routes())
        .merge(import::http::routes())
        .merge(export::http::routes())
        .merge(cart::http::routes())
        .merge(order::http::routes())
        .merge(payment::http::routes())
        .merge(shipment::http::routes())
        .merge(health::routes())
}

fn router(app: App) -> Router {
    let (routes, _) = api().split_for_parts();
    let document = openapi();
    let with_parameters = Arc::new(crate::openapi::paths_with_query(&document));
    let document = serde_json::to_vec(&document).unwrap_or_default();
    let swagger = utoipa_swagger_ui::SwaggerUi::new("/swagger")
        .config(utoipa_swagger_ui::Config::from("/api/openapi.json"));
    let origins = app.config.cors_origins.clone();
    let refuse = move |request, next| refuse_query(Arc::clone(&with_parameters), request, next);
    let is_secure = app.config.public_url.starts_with("https://");
    // In one piece: each that is added by itself is one more box, which every request clones with all that are in it.
    let around = ServiceBuilder::new()
        .layer(middleware::from_fn(observe))
        .layer(middleware::from_fn(protect))
        .layer(cors(origins))
        .layer(middleware::from_fn(refuse_hosts))
        .layer(middleware::from_fn(refuse_codings))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(is_uncoded)))
        .layer(middleware::from_fn_with_state(Acts::new(app.acts.clone()), in_time))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| panicked(&*panic).into_response()));
    let router = routes
        .merge(graphql::routes(&app))
        .route(
            "/api/openapi.json",
            get(|| async move { ([(header::CONTENT_TYPE, "application/json")], document) }),
        )
        .layer(middleware::from_fn(refuse))
        .merge(swagger)
        .merge(storefront::routes(&app.config))
        .layer(around)
        .with_state(app);
    if is_secure { router.layer(middleware::from_fn(over_tls)) } else { router }
}

/// An answer whose coding was chosen with its entity tag stays as it is: another coding of it would have another.
fn is_uncoded(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<Encoding>().is_none()
}

/// What a browser may do with an answer that is not a page: nothing.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What Swagger's page needs: its own files, this server to ask, and the styles that its script makes.
const SWAGGER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                              connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What browsers may not do with any answer.
const PROTECTION: [(HeaderName, &str); 3] = [
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Tells browsers what they may do with the answer, where it does not say so itself.
async fn protect(request: Request, next: Next) -> Response<Body> {
    let is_swagger = request.uri().path().starts_with("/swagger");
    let is_from_page = request.headers().contains_key(header::ORIGIN);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = if is_swagger { SWAGGER_POLICY } else { POLICY };
    for (name, value) in PROTECTION.into_iter().chain([(header::CONTENT_SECURITY_POLICY, policy)]) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if !is_from_page {
        // There is no page of another origin that may read anything.
        headers.remove(header::ACCESS_CONTROL_EXPOSE_HEADERS);
    }
    join_vary(headers);
    response
}

/// Lines of `Vary` by several layers, as one.
fn join_vary(headers: &mut HeaderMap) {
    let lines: Vec<_> = headers.get_all(header::VARY).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() < 2 {
        return;
    }
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b", "[..])) {
        headers.insert(header::VARY, joined);
    }
}

/// Two years, as browsers' lists want it: a shop that is reached over TLS is reached so for good.
const TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Tells browsers to come over TLS alone, where the shop's address says that it is reached so.
async fn over_tls(request: Request, next: Next) -> Response<Body> {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, TRANSPORT);
    response
}

/// What pages of other origins may read of an answer's header.
const EXPOSED: [&str; 7] = [
    "x-request-id",
    "x-catalog-version",
    "etag",
    "server-timing",
    "location",
    "retry-after",
    "idempotency-replayed",
];

fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    let allowed = [
        "authorization",
        "content-type",
        "if-match",
        "if-none-match",
        "idempotency-key",
        "x-catalog-min-version",
        "x-request-id",
    ];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE])
        .allow_headers(allowed.map(HeaderName::from_static))
        .expose_headers(EXPOSED.map(HeaderName::from_static))
}

/// The canonical path, where the request's lacks its slash: both are answered alike, without a redirect. A path
/// whose last part has a dot names a file.
fn with_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if path == "/metrics/" {
        return format!("/metrics{query}").parse().ok();
    }
    // The page's own files are relative to its folder: here the library redirects.
    if matches!(path, "/metrics" | "/swagger") {
        return None;
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.is_empty() || last.contains('.') {
        return None;
    }
    format!("{path}/{query}").parse().ok()
}

/// Refuses parameters where a route has none: nothing that is sent is ignored. That a path lacks the method is the
/// router's to say, and comes first.
async fn refuse_query(with_parameters: Arc<QueryPaths>, request: Request, next: Next) -> Response<Body> {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    // A method that no path has is refused as such, with or without them.
    let is_none = !METHODS.contains(method) && method != Method::OPTIONS;
    let is_refused = match with_parameters.get(path) {
        Some(methods) => methods.get(method) == Some(&false),
        None => !is_none,
    };
    if query.is_empty() || !is_refused {
        return next.run(request).await;
    }
    match params::read::<params::NoQuery>(query) {
        Ok(_) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Whether it names one host, as HTTP/1.1 wants it: of two, a proxy before us may have believed the other.
fn names_one_host<B>(request: &axum::http::Request<B>) -> bool {
    match request.headers().get_all(header::HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        hosts => hosts == 1,
    }
}

async fn refuse_hosts(request: Request, next: Next) -> Response<Body> {
    if names_one_host(&request) {
        return next.run(request).await;
    }
    error::Error::malformed("A request has one `Host`; send it once.").into_response()
}

/// Refuses who takes no coding of the answer, before anything is done for it.
async fn refuse_codings(request: Request, next: Next) -> Response<Body> {
    if Encoding::is_possible(request.headers()) {
        return next.run(request).await;
    }
    StatusCode::NOT_ACCEPTABLE.into_response()
}

/// Names the request, measures it, and writes the problem of what was refused.
async fn observe(mut request: Request, next: Next) -> Response<Body> {
    let begun = Instant::now();
    let value = request_id(&request);
    let id = value.to_str().unwrap_or_default().to_owned();
    request.headers_mut().insert(REQUEST_ID, value.clone());
    let method = request.method().clone();
    let route =
        request.extensions().get::<MatchedPath>().map_or("unmatched".to_owned(), |p| p.as_str().to_owned());
    // Of the highest level, so that warnings and errors have it whatever else is written.
    let span = tracing::error_span!("request", %id, %method, route, otel.name = Empty, otel.kind = Empty);
    telemetry::begin_request(&span, &method, &route, request.headers());

    let response = next.run(request).instrument(span.clone()).await;
    let mut response = error::finish(response, &id);
    response.headers_mut().insert(REQUEST_ID, value);

    let (seconds, status) = (begun.elapsed().as_secs_f64(), response.status().as_u16());
    let (route, method) = labels(route, &method, response.status());
    metrics::histogram!("duka_http_request_seconds", "route" => route, "method" => method).record(seconds);
    metrics::counter!("duka_http_responses_total", "status" => status.to_string()).increment(1);
    telemetry::end_request(&span, status);
    span.in_scope(|| tracing::debug!(status, seconds, "answered"));
    response
}

/// What a request is counted under: an operation that there is, else nothing in particular. Clients may send any word
/// for a method, and each pair of labels is kept for ever.
fn labels(route: String, method: &Method, status: StatusCode) -> (String, &'static str) {
    let asked = if method == Method::HEAD { &Method::GET } else { method };
    match METHODS.iter().find(|known| *known == asked) {
        Some(known) if status != StatusCode::METHOD_NOT_ALLOWED => (route, known.as_str()),
        _ => ("unmatched".to_owned(), "other"),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> error::Error {
    let said =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    error::Error::internal(format!("panicked: {}", said.unwrap_or("without a word")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_without_a_slash_are_canonicalised() {
        let canonical = |path: &str| with_slash(&path.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(canonical("/api/product?q=a%2Fb").as_deref(), Some("/api/product/?q=a%2Fb"));
        assert_eq!(canonical("/api/product/"), None);
        assert_eq!(canonical("/api/openapi.json"), None);
        assert_eq!(canonical("/metrics/?x=1").as_deref(), Some("/metrics?x=1"));
        assert_eq!(canonical("/"), None);
    }
}
