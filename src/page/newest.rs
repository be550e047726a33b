//! Lists from the newest row down: a page by its number, or by cursor what stands behind a row.

use serde::Serialize;

use super::{DeepList, Links, List, Page, cursor};
use crate::{
    auth::token::Keys,
    error::Result,
    params::{Params, QueryForm},
};

/// Which page of a list that is read by descending id.
#[derive(Debug, Default)]
pub struct Newest {
    page: Page,
    cursor: Option<String>,
}

impl QueryForm for Newest {
    fn read(params: &mut Params) -> Self {
        let has_page = params.has("page");
        let cursor = params.one("cursor");
        if cursor.is_some() && has_page {
            params.fault("cursor", "contradiction", "and `page` say two places; give one of them");
        }
        Self { page: Page::read(params), cursor }
    }
}

/// The rows to be read: `where id < below order by id desc offset … limit …`.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Above every id where the list begins: the statement is the same one, and walks the same index.
    pub below: i64,
    /// Rows to leave out.
    pub offset: i64,
    /// One more than the page shows: it tells whether there is a next one.
    pub limit: i64,
}

impl Newest {
    /// The rows of the page. `list` is all that decides which rows there are, as [`cursor::seal`] says.
    ///
    /// # Errors
    /// 400 for a cursor of another list.
    pub fn span(&self, keys: &Keys, list: &impl Serialize) -> Result<Span> {
        let limit = self.page.limit() + 1;
        match &self.cursor {
            Some(token) => Ok(Span { below: cursor::open(keys, list, token)?, offset: 0, limit }),
            None => Ok(Span { below: i64::MAX, offset: self.page.offset(), limit }),
        }
    }

    /// The page's envelope, of the rows that were read and how many there are in all.
    ///
    /// # Errors
    /// None that a client can cause.
    pub fn list<T>(
        &self,
        keys: &Keys,
        list: &impl Serialize,
        (mut rows, count): (Vec<T>, u64),
        id: impl Fn(&T) -> i64,
        links: &Links<'_>,
    ) -> Result<DeepList<T>> {
        let shown = self.page.page_size as usize;
        let has_more = rows.len() > shown;
        rows.truncate(shown);
        let last = rows.last().filter(|_| has_more).map(id);
        let next_cursor = last.map(|id| cursor::seal(keys, list, &id)).transpose()?;
        Ok(if self.cursor.is_some() {
            DeepList::behind(rows, count, next_cursor, links)
        } else {
            DeepList { list: List::new(rows, count, self.page, links), next_cursor }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::read;

    /// The ids 9 to 1, two a page, as SQL would read them.
    fn page(keys: &Keys, query: &str) -> DeepList<i64> {
        let newest: Newest = read(query).unwrap();
        let span = newest.span(keys, &"list").unwrap();
        let rows = (1..=9).rev().filter(|id| *id < span.below);
        let rows =
            rows.skip(usize::try_from(span.offset).unwrap()).take(usize::try_from(span.limit).unwrap());
        let links = Links { base: "", path: "/api/x/", query };
        newest.list(keys, &"list", (rows.collect(), 9), |id| *id, &links).unwrap()
    }

    #[test]
    fn pages_and_cursors_tell_the_same_list() {
        let keys = Keys::new(&"a".repeat(32).as_str().into(), None);
        let numbered: Vec<_> =
            (1..=5).map(|n| page(&keys, &format!("page_size=2&page={n}")).list.results).collect();
        assert_eq!(numbered, [vec![9, 8], vec![7, 6], vec![5, 4], vec![3, 2], vec![1]]);
        let mut walked = vec![page(&keys, "page_size=2")];
        while let Some(cursor) = walked.last().and_then(|page| page.next_cursor.clone()) {
            walked.push(page(&keys, &format!("page_size=2&cursor={cursor}")));
        }
        assert!(walked.iter().map(|page| &page.list.results).eq(&numbered));
        assert_eq!(walked.last().unwrap().list.next, None);
        assert_eq!(page(&keys, "page_size=3&page=3").next_cursor, None, "a last page that is full");
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let keys = Keys::new(&"a".repeat(32).as_str().into(), None);
        let cursor = page(&keys, "page_size=2").next_cursor.unwrap();
        let newest: Newest = read(&format!("cursor={cursor}")).unwrap();
        assert!(newest.span(&keys, &"list").is_ok() && newest.span(&keys, &"another").is_err());
        assert!(read::<Newest>(&format!("cursor={cursor}&page=1")).is_err());
    }
}
