//! `/api/admin/import/…`

use axum::{
    Json, RequestExt,
    extract::{
        DefaultBodyLimit, Multipart, RawQuery, Request, State,
        multipart::{Field, MultipartError},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions::Options,
    source::Format,
    upload::{Description, SILENCE, Slot, Upload, demand_size, unless_silent},
    worker,
};
use crate::{
    app::App,
    auth::Admin,
    error::{Error, Kind as ErrorKind, Result},
    extract::{Id, Query, header_text},
    job::model::{Job, Kind, Part, RowError},
    openapi::{JobEvent, ProblemResponse},
    page::{DeepList, Links, Place},
};

/// Where files are sent, for as long as they keep arriving.
pub const UPLOAD_PATH: &str = "/api/admin/import/";
/// What a multipart body has around its file.
const AROUND: u64 = 64 * 1024;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(submit))
        .routes(routes!(one, cancel))
        .routes(routes!(events))
        .routes(routes!(errors))
}

/// An import as a job.
#[derive(Debug, Serialize, ToSchema)]
struct ImportJob {
    #[serde(flatten)]
    job: Job,
    /// Whether everything is tried and nothing kept.
    dry_run: bool,
    /// `reject` or `skip`.
    #[schema(example = "reject")]
    on_error: String,
    /// Products made, or that would have been in a dry run. While it runs: so far. 0 where nothing was kept.
    rows_created: i64,
    /// Rows of products that were there, changed by it or not; counted as `rows_created`.
    rows_updated: i64,
    /// Rows refused.
    rows_refused: i64,
    /// The first hundred of them, in the order of the file; `errors/` below the job's path has ten thousand.
    #[schema(value_type = Vec<RowError>)]
    errors: Value,
    /// The last write that is kept, as in `X-Catalog-Version`: a search that sends it as `min_version` sees all of
    /// them.
    catalog_version: Option<String>,
}

impl ImportJob {
    fn new(job: Job) -> Self {
        Self {
            dry_run: job.parameters["dry_run"].as_bool().unwrap_or(false),
            on_error: job.parameters["on_error"].as_str().unwrap_or_default().to_owned(),
            rows_created: job.rows_created,
            rows_updated: job.rows_updated,
            rows_refused: job.rows_refused,
            errors: job.row_errors.clone(),
            catalog_version: job.catalog_version.clone(),
            job,
        }
    }
}

/// How a file is brought in.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Options` reads")]
struct OptionParams {
    /// `true`: everything is tried and nothing kept.
    #[param(default = false)]
    dry_run: Option<bool>,
    /// What becomes of the file when a row is refused: with `reject` nothing of it is kept, with `skip` everything
    /// else.
    #[param(default = "reject", pattern = "^(reject|skip)$")]
    on_error: Option<String>,
}

/// A form with one file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read piece by piece")]
struct ImportForm {
    /// Of any name. NDJSON or CSV by its content type, else by its file name, else by its beginning; gzip too.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Import a catalog
///
/// NDJSON, CSV or a form with one file, also as gzip. It is received whole, then brought in by a job, rows by SKU; imports
/// take turns. At `Location` is how far the job is.
#[utoipa::path(post, path = UPLOAD_PATH, tag = "administration", security(("bearer" = [])), params(
    OptionParams,
    ("Content-Encoding" = Option<String>, Header, description = "`gzip`, for a body that is")
), request_body(content(
    (String = "application/x-ndjson"),
    (String = "text/csv"),
    (ImportForm = "multipart/form-data")
)), responses(
    (status = 202, body = ImportJob, headers(("Location" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn submit(
    State(app): State<App>,
    admin: Admin,
    Query(options): Query<Options>,
    request: Request,
) -> Result<Response> {
    let upload = receive(&app, request).await?;
    let job = worker::submit(&app, admin, upload, options).await?;
    let location = format!("{}{}", app.config.public_url, Kind::Import.path(job.id));
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(ImportJob::new(job))).into_response())
}

async fn receive(app: &App, mut request: Request) -> Result<Upload> {
    let (most, gzip) = (app.config.import.bytes, is_gzip(request.headers())?);
    let length = header_text(request.headers(), "content-length").and_then(|length| length.parse().ok());
    let (folder, stopping) = (&app.config.data_dir, &app.stopping);
    let declared = header_text(request.headers(), "content-type").unwrap_or_default();
    if media_type(declared) != "multipart/form-data" {
        let format = Some(format_of(declared).ok_or_else(unsupported)?);
        demand_size(length.unwrap_or(0), most)?;
        let body = request.into_body().into_data_stream().map_err(broken_off);
        let description = Description { format, name: String::new(), gzip };
        return Upload::receive(Slot::take(app)?, folder, most, description, body, stopping).await;
    }
    if gzip {
        let detail = "A form is not unpacked as a whole; put the gzip file into it.";
        return Err(Error::new(ErrorKind::UnsupportedMediaType, detail));
    }
    let whole = most.saturating_add(AROUND);
    demand_size(length.unwrap_or(0).saturating_sub(AROUND), most)?;
    DefaultBodyLimit::max(usize::try_from(whole).unwrap_or(usize::MAX)).apply(&mut request);
    let form = request.extract::<Multipart, _>().await;
    let mut form = form.map_err(|rejected| Error::malformed(rejected.body_text()))?;
    let field = next_field(&mut form, stopping).await?.ok_or_else(one_file)?;
    let name = field.file_name().ok_or_else(one_file)?.to_owned();
    let format = field.content_type().and_then(format_of);
    let description = Description { format, name, gzip: false };
    let body = field.map_err(wrong_form);
    let upload = Upload::receive(Slot::take(app)?, folder, most, description, body, stopping).await?;
    match next_field(&mut form, stopping).await? {
        None => Ok(upload),
        Some(_) => Err(one_file()),
    }
}

/// The next part of a form that keeps arriving.
async fn next_field<'a>(form: &'a mut Multipart, stopping: &CancellationToken) -> Result<Option<Field<'a>>> {
    let next = unless_silent(form.next_field(), SILENCE, stopping).await?;
    next.map_err(wrong_form)
}

/// The media type without its parameters.
fn media_type(declared: &str) -> String {
    declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn format_of(declared: &str) -> Option<Format> {
    match media_type(declared).as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Format::Ndjson),
        "text/csv" => Some(Format::Csv),
        _ => None,
    }
}

/// Whether the body is gzip.
fn is_gzip(headers: &HeaderMap) -> Result<bool> {
    match header_text(headers, "content-encoding").unwrap_or("identity").trim().to_ascii_lowercase().as_str()
    {
        "identity" | "" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        other => {
            let detail =
                format!("`Content-Encoding: {other}` is not taken here; send gzip, or the file as it is.");
            Err(Error::new(ErrorKind::UnsupportedMediaType, detail))
        }
    }
}

fn unsupported() -> Error {
    let detail =
        "Send `Content-Type: application/x-ndjson`, `text/csv`, or `multipart/form-data` with one file.";
    Error::new(ErrorKind::UnsupportedMediaType, detail)
}

fn broken_off(error: axum::Error) -> Error {
    Error::malformed(format!("The body broke off: {error}"))
}

fn wrong_form(error: MultipartError) -> Error {
    if error.status() == ErrorKind::TooLarge.status() {
        return Error::new(ErrorKind::TooLarge, "The form has more around its file than it may.");
    }
    Error::malformed(format!("The form cannot be read: {}", error.body_text()))
}

fn one_file() -> Error {
    Error::field("", "format", "must be a form with one part: the file")
}

/// An import's job
#[utoipa::path(get, path = "/api/admin/import/{id}/", tag = "administration", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 200, body = ImportJob),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, admin: Admin, Id(id): Id) -> Result<Json<ImportJob>> {
    Ok(Json(ImportJob::new(app.jobs.one(admin, Kind::Import, id).await?)))
}

/// Cancel an import
///
/// It stops at the next opportunity. With `reject` nothing is kept then, with `skip` what `rows_created` and `rows_updated`
/// count.
#[utoipa::path(delete, path = "/api/admin/import/{id}/", tag = "administration", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 202, body = ImportJob),
    (status = "4XX", response = ProblemResponse)
))]
async fn cancel(State(app): State<App>, admin: Admin, Id(id): Id) -> Result<Response> {
    let job = app.jobs.cancel(admin, Kind::Import, id).await?;
    Ok((StatusCode::ACCEPTED, Json(ImportJob::new(job))).into_response())
}

/// Follow an import
///
/// Server-sent events without a name: the job, now and whenever it has changed. The last one is how it ended.
#[utoipa::path(get, path = "/api/admin/import/{id}/events/", tag = "administration", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 200, description = "An event for each change, its data a job as above", body = JobEvent,
        content_type = "text/event-stream"),
    (status = "4XX", response = ProblemResponse)
))]
async fn events(State(app): State<App>, admin: Admin, Id(id): Id) -> Result<Response> {
    app.jobs.events(admin, Kind::Import, id, ImportJob::new).await
}

/// Rows that an import refused
///
/// In the order of the file, while it runs too; of more than ten thousand the first.
#[utoipa::path(get, path = "/api/admin/import/{id}/errors/", tag = "administration", security(("bearer" = [])),
    params(("id" = i64, Path), Place), responses(
    (status = 200, body = DeepList<RowError>),
    (status = "4XX", response = ProblemResponse)
))]
async fn errors(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
    RawQuery(raw): RawQuery,
    Query(place): Query<Place>,
) -> Result<Json<DeepList<RowError>>> {
    let list = ("import-errors", id);
    let span = place.open::<i64>(&app.keys, &list)?;
    let part = Part { after_line: span.after.unwrap_or(0), offset: span.offset, limit: span.limit };
    let (rows, count) = app.jobs.row_errors(admin, Kind::Import, id, part).await?;
    let found = span.found(&app.keys, &list, rows, count, |row| row.line)?;
    let (path, raw) = (format!("{}errors/", Kind::Import.path(id)), raw.unwrap_or_default());
    let links = Links { base: &app.config.public_url, path: &path, query: &raw };
    Ok(Json(DeepList::new(found, &place, &links)))
}
