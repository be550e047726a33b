//! `/api/category/…`

use axum::{
    Json,
    extract::{RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions,
    model::{Category, CategoryChanges, NewCategory, Node},
};
use crate::{
    app::App,
    auth::Admin,
    catalog::version_header,
    error::Result,
    extract::{Body, Id, Query},
    openapi::ProblemResponse,
    page::{DeepList, Links, Place},
    params::{Params, QueryForm, boolean},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one, update, delete))
}

/// A category.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Category)]
pub struct CategoryJson {
    id: i64,
    name: String,
    slug: String,
    description: String,
    parent_id: Option<i64>,
    /// Names from the root, its own last.
    path: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// Only with `tree=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    children: Option<Vec<CategoryJson>>,
}

impl From<Category> for CategoryJson {
    fn from(category: Category) -> Self {
        Self {
            id: category.id,
            name: category.name,
            slug: category.slug,
            description: category.description,
            parent_id: category.parent_id,
            path: category.path,
            created_at: category.created_at,
            children: None,
        }
    }
}

impl From<Node> for CategoryJson {
    fn from(node: Node) -> Self {
        let children = node.children.into_iter().map(Into::into).collect();
        Self { children: Some(children), ..node.category.into() }
    }
}

/// How the list is asked for, beside its page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `ListQuery` reads")]
struct TreeParam {
    /// Nest `children`; the pages are then of roots.
    #[param(default = false)]
    tree: Option<bool>,
}

struct ListQuery {
    tree: bool,
    place: Place,
}

impl QueryForm for ListQuery {
    fn read(params: &mut Params) -> Self {
        Self { tree: params.parsed("tree", boolean).unwrap_or(false), place: Place::read(params) }
    }
}

/// The categories
#[utoipa::path(get, path = "/api/category/", tag = "categories", params(TreeParam, Place), responses(
    (status = 200, body = DeepList<CategoryJson>),
    (status = "4XX", response = ProblemResponse)
))]
async fn list(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    Query(query): Query<ListQuery>,
) -> Result<Json<DeepList<CategoryJson>>> {
    let raw = raw.unwrap_or_default();
    let links = Links { base: &app.config.public_url, path: "/api/category/", query: &raw };
    let found = if query.tree {
        actions::trees(&app, &query.place).await?.map(CategoryJson::from)
    } else {
        actions::page(&app, &query.place).await?.map(CategoryJson::from)
    };
    Ok(Json(DeepList::new(found, &query.place, &links)))
}

/// What a new category sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewCategory` reads")]
#[schema(as = NewCategory)]
struct NewBody {
    /// Unique among siblings without regard to case.
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// Unique; made from the name when absent.
    #[schema(min_length = 1, max_length = 100)]
    slug: Option<String>,
    #[schema(max_length = 5000)]
    description: Option<String>,
    parent_id: Option<i64>,
}

/// Make a category
#[utoipa::path(post, path = "/api/category/", tag = "categories", security(("bearer" = [])),
    request_body = NewBody, responses(
    (status = 201, body = CategoryJson, headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn create(State(app): State<App>, admin: Admin, Body(new): Body<NewCategory>) -> Result<Response> {
    let (category, version) = actions::create(&app, admin, &new).await?;
    let body = Json(CategoryJson::from(category));
    Ok((StatusCode::CREATED, [version_header(version)], body).into_response())
}

/// One category
#[utoipa::path(get, path = "/api/category/{id}/", tag = "categories", params(("id" = i64, Path)), responses(
    (status = 200, body = CategoryJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, Id(id): Id) -> Result<Json<CategoryJson>> {
    Ok(Json(actions::one(&app, id).await?.into()))
}

/// What changes of a category.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `CategoryChanges` reads")]
#[schema(as = CategoryChanges)]
struct ChangesBody {
    #[schema(min_length = 1, max_length = 120)]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    slug: Option<String>,
    #[schema(max_length = 5000)]
    description: Option<String>,
    /// Null makes it a root.
    parent_id: Option<i64>,
}

/// Change a category
#[utoipa::path(patch, path = "/api/category/{id}/", tag = "categories", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = ChangesBody, responses(
    (status = 200, body = CategoryJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn update(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
    Body(changes): Body<CategoryChanges>,
) -> Result<Response> {
    let (category, version) = actions::update(&app, admin, id, &changes).await?;
    Ok(([version_header(version)], Json(CategoryJson::from(category))).into_response())
}

/// Delete an empty category
#[utoipa::path(delete, path = "/api/category/{id}/", tag = "categories", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 204, description = "Gone", headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn delete(State(app): State<App>, admin: Admin, Id(id): Id) -> Result<Response> {
    let version = actions::delete(&app, admin, id).await?;
    Ok((StatusCode::NO_CONTENT, [version_header(version)]).into_response())
}
