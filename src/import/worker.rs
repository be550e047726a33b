//! Imports as jobs: a file that was received is brought in when nobody waits for it.

use serde_json::json;

use super::{
    actions::{Feed, Import, OnError, Options, Report},
    row::RowError,
    upload::Upload,
};
use crate::{
    app::App,
    auth::Admin,
    error::{Error, Kind as ErrorKind, Result},
    job::{
        Run,
        model::{Job, Kind, New, Progress, RowError as Refused},
    },
    text::{self, Shape},
};

/// Refused rows of a job that can be read; the others are counted.
const MAX_ERRORS: usize = 10_000;
/// Characters of a file's name.
const NAME_LENGTH: usize = 200;
/// Characters of a reason.
const REASON_LENGTH: usize = 1_000;

/// Makes a job that brings the file in, in its turn.
///
/// # Errors
/// None of its own.
pub async fn submit(app: &App, admin: Admin, upload: Upload, options: Options) -> Result<Job> {
    let name: String = upload.name().chars().filter(|sign| !sign.is_control()).take(NAME_LENGTH).collect();
    let parameters = json!({
        "dry_run": options.dry_run,
        "on_error": options.on_error.as_str(),
        "file": (!name.is_empty()).then_some(name),
        "bytes": upload.bytes(),
    });
    let new = New { kind: Kind::Import, author: admin.into(), parameters };
    let run = app.jobs.create(new).await?;
    let id = run.id();
    let shop = app.clone();
    app.jobs.spawn(run, async move |run| {
        let done = bring_in(&shop, &run, admin, upload, options).await;
        // Some of it may be kept, whatever became of the rest.
        shop.indexing.changed();
        done
    });
    app.jobs.one(admin, Kind::Import, id).await
}

async fn bring_in(app: &App, run: &Run, admin: Admin, upload: Upload, options: Options) -> Result<()> {
    let (limits, currency, stop) = (app.config.import, app.config.currency, run.stop().clone());
    let opened = tokio::task::spawn_blocking(move || {
        let total = upload.count(limits, &stop)?;
        let rows = upload.rows(currency).map_err(Error::malformed)?;
        // With the rows, so that its place is taken until they are read.
        Ok::<_, Error>((rows, total, upload))
    });
    let (rows, total, _upload) = opened.await.map_err(Error::internal)??;
    run.progress(Progress { total: Some(total), ..Progress::default() });

    let mut latest = Report::default();
    let done = steps(app, run, admin, Feed::start(rows), options, |report| {
        latest = report;
        run.progress(progress(&report, total));
    })
    .await;
    match done {
        Ok(report) if report.refused > 0 && options.on_error == OnError::Reject => {
            run.progress(progress(&nothing_of(report), report.rows));
            let path = Kind::Import.path(run.id());
            let detail = format!(
                "{} of {} rows were refused, so that nothing was kept. Read {path}errors/, mend them and send the file \
                 again, or send it with on_error=skip.",
                report.refused, report.rows
            );
            Err(Error::new(ErrorKind::Invalid, detail))
        }
        Ok(report) => {
            run.progress(progress(&report, report.rows));
            Ok(())
        }
        Err(error) => {
            if options.on_error == OnError::Reject || options.dry_run {
                run.progress(progress(&nothing_of(latest), total));
            }
            Err(error)
        }
    }
}

async fn steps(
    app: &App,
    run: &Run,
    admin: Admin,
    feed: Feed,
    options: Options,
    mut tell: impl FnMut(Report),
) -> Result<Report> {
    let mut import = Import::begin(&app.imports, admin, feed, options, run.stop()).await?;
    let mut room = MAX_ERRORS;
    while let Some(step) = import.step().await? {
        tell(step.report);
        let refused: Vec<Refused> = step.refused.iter().take(room).map(refused).collect();
        room -= refused.len();
        if !refused.is_empty() {
            run.refuse(&refused).await?;
        }
    }
    import.finish().await
}

fn progress(report: &Report, total: u64) -> Progress {
    Progress {
        done: report.rows,
        total: Some(total),
        rows_created: report.created,
        rows_updated: report.updated,
        rows_refused: report.refused,
        catalog_version: report.version.map(|version| version.to_string()),
    }
}

/// What was read, and nothing of it kept.
fn nothing_of(report: Report) -> Report {
    Report { created: 0, updated: 0, ..report }
}

fn refused(error: &RowError) -> Refused {
    let faults: Vec<String> = error.faults.iter().map(ToString::to_string).collect();
    // Names of fields are the file's own, with whatever is in them.
    let reason = text::scrub(&faults.join("; "), Shape::Line);
    Refused {
        line: error.line.cast_signed(),
        sku: error.sku.clone(),
        reason: reason.chars().take(REASON_LENGTH).collect(),
    }
}
