//! What can be done with the audit: it is read, and added to.

use sqlx::PgConnection;

use super::{
    model::{Act, Entry, EntryFilter, Place},
    store,
};
use crate::{app::App, auth::Admin, clock::micros, error::Result, page::cursor};

/// A page of the log.
#[derive(Debug)]
pub struct Entries {
    /// Its lines.
    pub entries: Vec<Entry>,
    /// Lines in the whole list; of a page behind a cursor, when its first page was asked for.
    pub count: u64,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<String>,
}

/// Records an act as a whole, in its own transaction: what the transaction has changed so far is told by this and
/// by nothing else. Whose it is [`auth::begin`](crate::auth::begin) has said.
///
/// # Errors
/// When the database does not answer.
pub async fn record(transaction: &mut PgConnection, act: &Act) -> Result<()> {
    store::insert(transaction, act).await
}

/// A page of the log, newest first.
///
/// # Errors
/// 400 when the cursor is not of this list.
pub async fn page(app: &App, _: Admin, filter: &EntryFilter) -> Result<Entries> {
    let list = ("audit", &filter.which);
    let behind: Option<Place> =
        filter.cursor.as_deref().map(|token| cursor::open(&app.keys, &list, token)).transpose()?;
    let limit = filter.page.limit();
    let offset = if behind.is_some() { 0 } else { filter.page.offset() };
    // One more than is shown: it tells whether there is more.
    let mut entries = store::page(&app.web, &filter.which, behind, offset, limit + 1).await?;
    let count = match behind {
        Some(place) => place.count,
        None => store::count(&app.web, &filter.which).await?.unsigned_abs(),
    };
    let more = entries.len() > filter.page.page_size as usize;
    entries.truncate(filter.page.page_size as usize);
    let last = entries.last().filter(|_| more).map(|last| Place { at: micros(last.at), id: last.id, count });
    let next_cursor = last.map(|place| cursor::seal(&app.keys, &list, &place)).transpose()?;
    Ok(Entries { entries, count, next_cursor })
}
