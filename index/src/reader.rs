//! One generation of the index, held: what a caller asks several questions of, and keeps answers by.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use tantivy::TantivyDocument;

use crate::{
    document::Document,
    error::Error,
    found::Found,
    generation::Generation,
    hits::{Hits, Suggestions},
    query::{Query, SuggestQuery},
    record, search,
    settings::Lexicon,
};

/// A generation of the index, which answers as long as it is held, whatever is committed meanwhile. Cheap to
/// clone. Hold it for one answer, not for long: what it holds cannot be freed.
#[derive(Clone)]
pub struct Reader(pub(crate) Arc<Generation>);

impl Reader {
    /// The generation's number; see [`Engine::generation`](crate::Engine::generation).
    pub fn generation(&self) -> u64 {
        self.0.number
    }

    /// What the generation's commit was given to remember; `None` before the first one.
    pub fn payload(&self) -> Option<String> {
        self.0.payload.clone()
    }

    /// How many documents it holds.
    pub fn len(&self) -> u64 {
        self.0.documents()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Visits every document of the generation, in no particular order, until `visit` breaks. What is stored is what is
    /// visited: should the index hold an id twice, it comes twice.
    ///
    /// # Errors
    /// [`Error::Corrupt`] at the first document that cannot be read.
    pub fn for_each(&self, mut visit: impl FnMut(Document) -> ControlFlow<()>) -> Result<(), Error> {
        for segment in &self.0.segments {
            self.0.health.trust_documents()?;
            // One block at a time is all that reading in order needs.
            let store = segment.reader.get_store_reader(1)?;
            for stored in store.iter::<TantivyDocument>(segment.reader.alive_bitset()) {
                if visit(record::decode(&stored?, &self.0.fields)?).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The last instant up to `at` (microseconds since the epoch) at which the price of any document changed;
    /// `i64::MIN` when none ever did. Two searches of one generation, equal but for their instants, have equal
    /// answers when this is equal for both: it is what an answer is kept by.
    pub fn price_epoch(&self, at: i64) -> i64 {
        self.0.price_epoch(at)
    }

    /// Answers a query.
    ///
    /// # Errors
    /// Only when the index below cannot be read: no query is wrong in itself.
    pub fn search(&self, query: &Query, lexicon: &Lexicon) -> Result<Hits, Error> {
        self.find(query, lexicon)?.read()
    }

    /// Answers a query, and leaves its documents where they are.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub fn find(&self, query: &Query, lexicon: &Lexicon) -> Result<Found, Error> {
        if query.reads_words() {
            return self.trusting_words(|| search::find(&self.0, query, lexicon));
        }
        self.0.health.look();
        search::find(&self.0, query, lexicon)
    }

    /// Only what was whole before and is whole afterwards has been read rightly.
    fn trusting_words<T>(&self, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.0.health.trust_words()?;
        let answer = read();
        self.0.health.trust_words()?;
        answer
    }

    /// Whether a query is found within so long, about, whatever is in the index, without reading what may not be in memory:
    /// a caller that has a thread to itself only by waiting for it need not. Of texts it is known of those that were
    /// asked before, of this generation or of one before it that this one holds most of.
    pub fn is_brief(&self, query: &Query, lexicon: &Lexicon, within: Duration) -> bool {
        search::is_brief(&self.0, query, lexicon, within)
    }

    /// What somebody who has begun to type may want. An empty text suggests nothing.
    ///
    /// # Errors
    /// Only when the index below cannot be read.
    pub fn suggest(&self, query: &SuggestQuery, lexicon: &Lexicon) -> Result<Suggestions, Error> {
        self.trusting_words(|| self.0.suggest(query, lexicon))
    }

    /// Active documents like the one of this id, most alike first, never itself; `None` when there is none of
    /// this id, or it is not active. Their number is [`Hits::total`], and their scores say how much they are alike;
    /// no facets are given.
    ///
    /// # Errors
    /// Only when the index below cannot be read.
    pub fn similar(&self, id: i64, limit: usize) -> Result<Option<Hits>, Error> {
        self.trusting_words(|| self.0.similar(id, limit))
    }
}
