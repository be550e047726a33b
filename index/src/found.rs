//! What matches a query, before its documents are read.
//!
//! Most of what a page costs is reading its documents. Whoever has kept what it made of one need not read it again:
//! an [`Edition`] says whether it is still the same.

use std::{fmt, sync::Arc};

use crate::{
    cursor::Cursor,
    document::Document,
    error::Error,
    generation::Generation,
    highlight::Highlighter,
    hits::{Facets, Highlights, Hit, Hits},
    lookup::Form,
    segment::SegmentView,
    writer::LEVELLED,
};

/// A document at an interval of time: equal ones are equal documents whose prices stand equally, in whatever segment they
/// are. Others need not differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edition {
    id: i64,
    /// Of the document as it is stored.
    print: u64,
    /// Since when it costs what it costs, at most.
    since: i64,
}

impl Edition {
    /// That of a document of a segment at an instant.
    pub(crate) fn new(view: &SegmentView, doc: u32, at: i64) -> Self {
        let since = view.last_price_change(at).unwrap_or(i64::MIN);
        Self { id: view.ids[doc as usize], print: view.prints[doc as usize], since }
    }
}

/// The answer to a query, with its documents still in the index.
pub struct Found {
    /// See [`Hits::total`].
    pub total: u64,
    /// The page that was asked for, in order.
    pub rows: Vec<Row>,
    /// See [`Hits::facets`].
    pub facets: Facets,
    /// See [`Hits::corrected_query`].
    pub corrected_query: Option<String>,
    /// See [`Hits::next`].
    pub next: Option<Cursor>,
    /// When highlights were asked for, every form of every word.
    pub(crate) forms: Option<Vec<Form>>,
    pub(crate) generation: Arc<Generation>,
}

/// One place on a page.
#[derive(Clone, Debug)]
pub struct Row {
    /// What stands there.
    pub edition: Edition,
    pub(crate) segment: u32,
    pub(crate) doc: u32,
    pub(crate) score: f32,
    /// See [`Hit::place`].
    pub place: Option<Cursor>,
}

impl Found {
    /// Reads the document of a row.
    ///
    /// # Errors
    /// When the index below cannot be read.
    pub fn document(&self, row: &Row) -> Result<Document, Error> {
        self.generation.document(row.segment, row.doc)
    }

    /// Whether the document of a row is in a small segment, which most likely was written lately or is read often, so that
    /// reading it does not wait for the disk.
    pub fn is_recent(&self, row: &Row) -> bool {
        self.generation.segments[row.segment as usize].view.documents() < LEVELLED
    }

    /// Which of a document's words matched, when that was asked for.
    pub fn highlights(&self, document: &Document) -> Option<Highlights> {
        self.forms.as_ref().map(|forms| Highlighter::new(forms).of(document))
    }

    /// Reads all of them.
    ///
    /// # Errors
    /// As [`document`](Self::document).
    pub fn read(self) -> Result<Hits, Error> {
        let highlighter = self.forms.as_ref().map(|forms| Highlighter::new(forms));
        let hit = |row: &Row| {
            let document = self.document(row)?;
            let highlights = highlighter.as_ref().map(|highlighter| highlighter.of(&document));
            Ok(Hit { highlights, score: row.score, place: row.place.clone(), document })
        };
        let hits = self.rows.iter().map(hit).collect::<Result<_, Error>>()?;
        Ok(Hits {
            total: self.total,
            hits,
            facets: self.facets,
            corrected_query: self.corrected_query,
            next: self.next,
            generation: self.generation.number,
        })
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("total", &self.total).field("rows", &self.rows).finish_non_exhaustive()
    }
}
