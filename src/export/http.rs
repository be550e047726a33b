//! `GET /api/admin/export/`

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::actions;
use crate::{
    app::App,
    auth::Admin,
    error::Result,
    extract::{Query, header_text},
    import::source::Format,
    openapi::ProblemResponse,
    params::{Params, QueryForm},
};

/// The route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export))
}

/// How the catalog is wanted; `None`: as `Accept` says.
struct Wanted(Option<Format>);

impl QueryForm for Wanted {
    fn read(params: &mut Params) -> Self {
        Self(params.parsed("format", |text| match text {
            "ndjson" => Ok(Format::Ndjson),
            "csv" => Ok(Format::Csv),
            _ => Err("must be ndjson or csv"),
        }))
    }
}

/// How the catalog is written.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Wanted` reads")]
struct FormatParams {
    /// `ndjson` or `csv`; when absent, the one that `Accept` names first, and else NDJSON.
    #[param(default = "ndjson", pattern = "^(ndjson|csv)$")]
    format: Option<String>,
}

/// Export the catalog
///
/// Every product that is not deleted, at one moment, in the order of ids, as an import takes it in. In CSV a cell that
/// a spreadsheet would take for a formula has an apostrophe before it, which an import takes away.
#[utoipa::path(get, path = "/api/admin/export/", tag = "administration", security(("bearer" = [])),
    params(FormatParams), responses(
    (status = 200, content((String = "application/x-ndjson"), (String = "text/csv"))),
    (status = "4XX", response = ProblemResponse)
))]
async fn export(
    State(app): State<App>,
    admin: Admin,
    Query(Wanted(format)): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response> {
    let accepted = header_text(&headers, "accept").unwrap_or_default();
    let format = format.unwrap_or_else(|| accepted_format(accepted));
    let pieces = actions::stream(&app, admin, format).await?;
    // Whoever compresses it asks once more after its end.
    let body = stream::unfold(pieces, |mut pieces| async { Some((pieces.recv().await?, pieces)) }).fuse();
    let (media_type, name) = match format {
        Format::Ndjson => ("application/x-ndjson", "catalog.ndjson"),
        Format::Csv => ("text/csv; charset=utf-8", "catalog.csv"),
    };
    let head = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::VARY, "accept, authorization".to_owned()),
    ];
    Ok((head, Body::from_stream(body)).into_response())
}

/// The first of the two that is named and not refused.
fn accepted_format(accepted: &str) -> Format {
    let is_csv = accepted.split(',').find_map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let is_refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        match name.as_str() {
            _ if is_refused => None,
            "text/csv" => Some(true),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(false),
            _ => None,
        }
    });
    if is_csv == Some(true) { Format::Csv } else { Format::Ndjson }
}
