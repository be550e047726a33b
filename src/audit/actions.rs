//! What can be done with the audit: it is read, and added to.

use sqlx::PgConnection;

use super::{
    model::{Act, End, Entry, EntryFilter},
    store,
};
use crate::{app::App, auth::Admin, clock::micros, error::Result, page::Found};

/// Records an act as a whole, in its own transaction: what the transaction has changed so far is told by this and
/// by nothing else. Whose it is [`auth::begin`](crate::auth::begin) has said.
///
/// # Errors
/// When the database does not answer.
pub async fn record(transaction: &mut PgConnection, act: &Act) -> Result<()> {
    store::insert(transaction, act).await
}

/// A page of the log, newest first. Its count is, behind a cursor, what it was on the first page.
///
/// # Errors
/// 400 when the cursor is not of this list.
pub async fn page(app: &App, _: Admin, filter: &EntryFilter) -> Result<Found<Entry>> {
    let list = ("audit", &filter.which);
    let span = filter.place.open::<End>(&app.keys, &list)?;
    let entries = store::page(&app.web, &filter.which, span.after, span.offset, span.limit).await?;
    let count = match span.after {
        Some(end) => end.count,
        None => store::count(&app.web, &filter.which).await?.unsigned_abs(),
    };
    let end = |last: &Entry| End { at: micros(last.at), id: last.id, count };
    span.found(&app.keys, &list, entries, count.cast_signed(), end)
}
