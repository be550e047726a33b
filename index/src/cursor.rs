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
    /// What the words of the query were worth when the first page was made. Later pages keep it, so that a
    /// document's score does not depend on what is written meanwhile.
    pub(crate) statistics: Option<Statistics>,
}

/// One sort key of a hit, as a number whose plain order is the order asked for; names as their collation keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Place {
    Number(u64),
    Name(Vec<u8>),
}

/// How a text was read, and what its words were worth.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Statistics {}
