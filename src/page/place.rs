//! Lists that can grow: which page of one is asked for, what is read for it, and how its next page is named.
//!
//! What a new list does:
//!
//! 1. Its filter holds a [`Place`], which reads `page`, `page_size` and `cursor`. Its handler describes them by
//!    `params(…, Place)`.
//! 2. Its action [opens](Place::open) the place for the list: all that decides which rows there are and in which
//!    order, the reader's scope included. A filter can say that itself, by serialising with its place skipped.
//! 3. Its store reads what the [`Span`] says: `where (a, id) > ($1, $2) order by a, id offset $3 limit $4`, the
//!    values that stand before every row where there is no `after`, over an index in that order. A comparison that
//!    is always there uses the index under every plan; `$1 is null or …` does not.
//! 4. The action makes [`Found`] of the rows, and the handler a [`DeepList`](super::DeepList) of that.

use serde::{Serialize, de::DeserializeOwned};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::{Page, cursor};
use crate::{
    auth::token::Keys,
    error::Result,
    params::{Params, QueryForm},
};

/// Which page of a list that can grow: by its number, or behind the one whose `next_cursor` is sent back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its number, which is 1 behind a cursor, and its size.
    pub page: Page,
    cursor: Option<String>,
}

impl QueryForm for Place {
    fn read(params: &mut Params) -> Self {
        let has_page = params.has("page");
        let cursor = params.one("cursor");
        if cursor.is_some() && has_page {
            params.fault("cursor", "contradiction", "and `page` say two places; give one of them");
        }
        Self { page: Page::read(params), cursor }
    }
}

/// The other way to ask for a page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Place` reads")]
struct CursorParam {
    /// What `next_cursor` held: brings what stands behind that page, at one cost however deep. With the same other
    /// parameters, and without `page`.
    #[param(min_length = 1)]
    cursor: Option<String>,
}

impl IntoParams for Place {
    fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut params = Page::into_params(&parameter_in);
        params.extend(CursorParam::into_params(&parameter_in));
        params
    }
}

impl Place {
    /// What is read of the list. `T` is where a row stands in it: the values that its order compares.
    ///
    /// # Errors
    /// 400 when the cursor is not of this list; see [`cursor::open`].
    pub fn open<T: DeserializeOwned>(&self, keys: &Keys, list: &impl Serialize) -> Result<Span<T>> {
        let after = self.cursor.as_deref().map(|token| cursor::open(keys, list, token)).transpose()?;
        // One more than is shown says whether there is more.
        Ok(Span { after, offset: self.page.offset(), limit: self.page.limit() + 1 })
    }

    /// Whether it is named by a cursor.
    pub fn is_behind(&self) -> bool {
        self.cursor.is_some()
    }
}

/// The rows to be read of a list, in its order.
#[derive(Debug)]
pub struct Span<T> {
    /// Those behind this place; from the first one on when there is none.
    pub after: Option<T>,
    /// How many of them are left out.
    pub offset: i64,
    /// How many are read at most.
    pub limit: i64,
}

impl<T: Serialize> Span<T> {
    /// The page: `rows` are what was read, `count` is how many the whole list has, `place` where a row stands.
    ///
    /// # Errors
    /// None that a client can cause.
    pub fn found<R>(
        &self,
        keys: &Keys,
        list: &impl Serialize,
        mut rows: Vec<R>,
        count: i64,
        place: impl FnOnce(&R) -> T,
    ) -> Result<Found<R>> {
        let shown = usize::try_from(self.limit - 1).unwrap_or(usize::MAX);
        let more = rows.len() > shown;
        rows.truncate(shown);
        let last = rows.last().filter(|_| more);
        let next_cursor = last.map(|last| cursor::seal(keys, list, &place(last))).transpose()?;
        Ok(Found { rows, count: count.unsigned_abs(), next_cursor })
    }
}

/// A page as it was found.
#[derive(Debug)]
pub struct Found<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// Rows in the whole list.
    pub count: u64,
    /// Names the place behind the last row; none at the end.
    pub next_cursor: Option<String>,
}

impl<T> Found<T> {
    /// The same page of other shapes.
    pub fn map<U>(self, shape: impl FnMut(T) -> U) -> Found<U> {
        let Self { rows, count, next_cursor } = self;
        Found { rows: rows.into_iter().map(shape).collect(), count, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;

    fn keys() -> Keys {
        Keys::new(&"0".repeat(32).as_str().into(), None)
    }

    fn place(query: &str) -> Place {
        params::read(query).unwrap()
    }

    /// The page of a list of the numbers from 1 to 5.
    fn found(place: &Place) -> Result<Found<i64>> {
        let span: Span<i64> = place.open(&keys(), &"numbers")?;
        let behind = (1..=5).filter(|number| *number > span.after.unwrap_or_default());
        let (offset, limit) = (usize::try_from(span.offset).unwrap(), usize::try_from(span.limit).unwrap());
        let rows = behind.skip(offset).take(limit).collect();
        span.found(&keys(), &"numbers", rows, 5, |number| *number)
    }

    #[test]
    fn a_list_is_walked_to_its_end() {
        let (mut query, mut seen) = ("page_size=2".to_owned(), Vec::new());
        loop {
            let page = found(&place(&query)).unwrap();
            assert_eq!(page.count, 5);
            seen.push(page.rows);
            let Some(cursor) = page.next_cursor else { break };
            query = format!("page_size=2&cursor={cursor}");
        }
        assert_eq!(seen, [vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(found(&place("page=2&page_size=4")).unwrap().rows, [5]);
        assert!(found(&place("page_size=5")).unwrap().next_cursor.is_none(), "nothing is behind the last");
        assert!(found(&place("page=7")).unwrap().next_cursor.is_none());
    }

    #[test]
    fn a_place_is_named_once_and_of_its_own_list() {
        for query in ["cursor=a&page=1", "page=1&cursor=", "cursor=a&cursor=b"] {
            assert!(params::read::<Place>(query).unwrap_err().to_string().contains("`cursor`"), "{query}");
        }
        let cursor = found(&place("page_size=1")).unwrap().next_cursor.unwrap();
        let place = place(&format!("cursor={cursor}"));
        assert!(place.open::<i64>(&keys(), &"numbers").is_ok());
        assert!(place.open::<i64>(&keys(), &"letters").is_err());
    }
}
