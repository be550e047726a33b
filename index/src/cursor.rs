//! Where a page ended, so that the next one begins there however deep it is.

use serde::{Deserialize, Serialize};

/// The place of a hit in its order: what a page's last hit was compared by, and its id.
///
/// A page [after](crate::Query::after) it costs what the first one does, and documents that were put in or taken
/// out meanwhile move nothing: whatever stands behind the place comes, whatever stands before it does not. It is
/// only meaningful for the query that it was made for (filters and order alike), which the caller sees to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// The sort keys in the query's order.
    pub(crate) keys: Vec<Place>,
    /// Decides last.
    pub(crate) id: i64,
    /// How the text was read when the first page was made.
    pub(crate) reading: Option<Reading>,
}

/// One sort key of a hit, as a number whose plain order is the order asked for; names as their collation keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Place {
    /// Anything but a name.
    Number(u64),
    /// A collation key.
    Name(Vec<u8>),
}

/// How a text was read, and what its words were worth. Later pages keep to it, so that neither which documents
/// match nor a document's score depends on what is written meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// By word asked for: what it was read as, where that differs from what was written.
    pub(crate) read: Vec<Option<String>>,
    /// The words that need not occur: stop words, and those in `dropped`.
    pub(crate) optional: Vec<bool>,
    /// The words without which more was found.
    pub(crate) dropped: Vec<bool>,
    /// By word and form, [`Word::worths`](crate::word::Word), as bits.
    pub(crate) worths: Vec<Vec<u32>>,
    /// By pair of neighbours, what it was worth, as bits.
    pub(crate) pairs: Vec<u32>,
}
