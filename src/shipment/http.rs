//! `/api/shipments/…`

use axum::{Json, extract::State, http::StatusCode};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{actions, model::Said};
use crate::{
    app::App,
    auth::{Admin, Customer},
    error::Result,
    extract::{Body, Id, Ids},
    openapi::ProblemResponse,
    order::model::{Shipment, ShipmentStatus},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(update))
}

/// The parcels of an order
///
/// Of one's own; an admin sees any.
#[utoipa::path(get, path = "/api/shipments/{order_id}/", tag = "shipments", security(("bearer" = [])),
    params(("order_id" = i64, Path)), responses(
    (status = 200, body = Vec<Shipment>),
    (status = "4XX", response = ProblemResponse)
))]
async fn list(State(app): State<App>, user: Customer, Id(id): Id) -> Result<Json<Vec<Shipment>>> {
    Ok(Json(actions::list(&app, user, id).await?))
}

/// What is said of a parcel.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Said` reads")]
#[schema(as = ShipmentChanges)]
struct SaidBody {
    #[schema(max_length = 100)]
    tracking_number: Option<String>,
    #[schema(max_length = 100)]
    carrier: Option<String>,
    /// `pending` for a new one.
    #[schema(inline)]
    status: Option<ShipmentStatus>,
}

/// Make a parcel of an order
///
/// For an order that is paid, or to be paid on delivery. The first parcel that leaves makes the order `shipped`; the
/// last that arrives, `delivered`.
#[utoipa::path(post, path = "/api/shipments/{order_id}/", tag = "shipments", security(("bearer" = [])),
    params(("order_id" = i64, Path)), request_body = SaidBody, responses(
    (status = 201, body = Shipment),
    (status = "4XX", response = ProblemResponse)
))]
async fn create(
    State(app): State<App>,
    admin: Admin,
    Id(order_id): Id,
    Body(said): Body<Said>,
) -> Result<(StatusCode, Json<Shipment>)> {
    Ok((StatusCode::CREATED, Json(actions::create(&app, admin, order_id, &said).await?)))
}

/// Change a parcel
#[utoipa::path(patch, path = "/api/shipments/{order_id}/{id}/", tag = "shipments", security(("bearer" = [])),
    params(("order_id" = i64, Path), ("id" = i64, Path)), request_body = SaidBody, responses(
    (status = 200, body = Shipment),
    (status = "4XX", response = ProblemResponse)
))]
async fn update(
    State(app): State<App>,
    admin: Admin,
    Ids(order_id, id): Ids,
    Body(said): Body<Said>,
) -> Result<Json<Shipment>> {
    Ok(Json(actions::update(&app, admin, order_id, id, &said).await?))
}
