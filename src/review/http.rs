//! `/api/review/…`

use axum::{
    Json,
    extract::{RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions,
    model::{NewReview, Review, ReviewChanges, ReviewFilter, Scope},
};
use crate::{
    app::App,
    auth::{Customer, Viewer},
    catalog::version_header,
    error::Result,
    extract::{Body, Id, Query},
    openapi::ProblemResponse,
    page::{DeepList, Links, Page},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one, update, delete))
}

/// Which reviews are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `ReviewFilter` reads")]
struct FilterParams {
    /// Of this product.
    #[param(minimum = 1)]
    product_id: Option<i64>,
    /// With exactly this rating.
    #[param(minimum = 1, maximum = 5)]
    rating: Option<u8>,
    /// What `next_cursor` held: brings what stands behind that page. With the same other parameters, and without
    /// `page`.
    cursor: Option<String>,
}

/// The reviews
///
/// From the newest down. Those of products that are not on offer are seen by their authors and by admins.
#[utoipa::path(get, path = "/api/review/", tag = "reviews", params(FilterParams, Page), responses(
    (status = 200, body = DeepList<Review>),
    (status = "4XX", response = ProblemResponse)
))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    RawQuery(raw): RawQuery,
    Query(filter): Query<ReviewFilter>,
) -> Result<Json<DeepList<Review>>> {
    let found = actions::page(&app, viewer, &filter).await?;
    let raw = raw.unwrap_or_default();
    let links = Links { base: &app.config.public_url, path: "/api/review/", query: &raw };
    let list = filter.list(Scope::of(viewer));
    Ok(Json(filter.page.list(&app.keys, &list, found, |review| review.id, &links)?))
}

/// What a new review sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewReview` reads")]
#[schema(as = NewReview)]
struct NewBody {
    product_id: i64,
    #[schema(minimum = 1, maximum = 5)]
    rating: u8,
    /// May have several lines.
    #[schema(max_length = 5000)]
    comment: Option<String>,
}

/// Review a product
///
/// Once; afterwards the review can be changed.
#[utoipa::path(post, path = "/api/review/", tag = "reviews", security(("bearer" = [])), request_body = NewBody,
    responses(
    (status = 201, body = Review, headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn create(State(app): State<App>, user: Customer, Body(new): Body<NewReview>) -> Result<Response> {
    let (review, version) = actions::create(&app, user, &new).await?;
    Ok((StatusCode::CREATED, [version_header(version)], Json(review)).into_response())
}

/// One review
#[utoipa::path(get, path = "/api/review/{id}/", tag = "reviews", params(("id" = i64, Path)), responses(
    (status = 200, body = Review),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, viewer: Viewer, Id(id): Id) -> Result<Json<Review>> {
    Ok(Json(actions::one(&app, viewer, id).await?))
}

/// What changes of a review.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `ReviewChanges` reads")]
#[schema(as = ReviewChanges)]
struct ChangesBody {
    #[schema(minimum = 1, maximum = 5)]
    rating: Option<u8>,
    #[schema(max_length = 5000)]
    comment: Option<String>,
}

/// Change one's own review
#[utoipa::path(patch, path = "/api/review/{id}/", tag = "reviews", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = ChangesBody, responses(
    (status = 200, body = Review, headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn update(
    State(app): State<App>,
    user: Customer,
    Id(id): Id,
    Body(changes): Body<ReviewChanges>,
) -> Result<Response> {
    let (review, version) = actions::update(&app, user, id, &changes).await?;
    Ok(([version_header(version)], Json(review)).into_response())
}

/// Delete a review
///
/// One's own; admins delete any.
#[utoipa::path(delete, path = "/api/review/{id}/", tag = "reviews", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 204, description = "Gone", headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn delete(State(app): State<App>, user: Customer, Id(id): Id) -> Result<Response> {
    let version = actions::delete(&app, user, id).await?;
    Ok((StatusCode::NO_CONTENT, [version_header(version)]).into_response())
}
