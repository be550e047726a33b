//! Lists: one envelope, one way to ask for a page.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::params::{Params, QueryForm, integer};

/// How many rows a page has when the client does not say.
pub const DEFAULT_SIZE: u32 = 24;
/// How many rows a page has at most.
pub const MAX_SIZE: u32 = 100;
/// The last page that can be asked for: offsets stay far from overflow.
const MAX_PAGE: u32 = 10_000_000;

/// Which page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// From 1.
    #[param(minimum = 1, default = 1, required = false)]
    pub page: u32,
    /// Rows a page.
    #[param(minimum = 1, maximum = 100, default = 24, required = false)]
    pub page_size: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { page: 1, page_size: DEFAULT_SIZE }
    }
}

impl QueryForm for Page {
    fn read(params: &mut Params) -> Self {
        Self {
            page: params.parsed("page", integer(1, MAX_PAGE)).unwrap_or(1),
            page_size: params.parsed("page_size", integer(1, MAX_SIZE)).unwrap_or(DEFAULT_SIZE),
        }
    }
}

impl Page {
    /// Rows before this page.
    pub fn offset(self) -> i64 {
        i64::from(self.page - 1) * i64::from(self.page_size)
    }

    /// Rows of this page at most.
    pub fn limit(self) -> i64 {
        i64::from(self.page_size)
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// Rows in the whole list.
    pub count: u64,
    /// The next page, as a reference relative to the server; null on the last one.
    pub next: Option<String>,
    /// The page before; null on the first one.
    pub previous: Option<String>,
    /// The rows of this page.
    pub results: Vec<T>,
}

impl<T> List<T> {
    /// The page's envelope. `path` is the list's canonical path, `query` the request's query string.
    pub fn new(results: Vec<T>, count: u64, page: Page, links: &Links<'_>) -> Self {
        let pages = count.div_ceil(u64::from(page.page_size));
        let next = (u64::from(page.page) < pages).then(|| links.to(page.page + 1));
        let previous = (page.page > 1).then(|| {
            // A page beyond the last one points back to the last one there is.
            let last = u32::try_from(pages.max(1)).unwrap_or(u32::MAX);
            links.to((page.page - 1).min(last))
        });
        Self { count, next, previous, results }
    }
}

/// Makes the references to other pages of the same list.
pub struct Links<'a> {
    /// The public base URL without a slash at its end, or nothing.
    pub base: &'a str,
    /// The list's canonical path.
    pub path: &'a str,
    /// The request's query string.
    pub query: &'a str,
}

impl Links<'_> {
    fn to(&self, page: u32) -> String {
        let kept = self
            .query
            .split('&')
            .filter(|pair| !pair.is_empty() && *pair != "page" && !pair.starts_with("page="));
        let mut url = format!("{}{}?", self.base, self.path);
        for pair in kept {
            url.push_str(pair);
            url.push('&');
        }
        url.push_str(&format!("page={page}"));
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(count: u64, page: u32) -> List<()> {
        let links = Links { base: "", path: "/api/x/", query: "q=a%20b&page=7&page_size=10" };
        List::new(Vec::new(), count, Page { page, page_size: 10 }, &links)
    }

    #[test]
    fn links_keep_the_query() {
        let list = envelope(31, 2);
        assert_eq!(list.next.as_deref(), Some("/api/x/?q=a%20b&page_size=10&page=3"));
        assert_eq!(list.previous.as_deref(), Some("/api/x/?q=a%20b&page_size=10&page=1"));
    }

    #[test]
    fn the_ends_have_no_neighbour() {
        assert_eq!(envelope(31, 4).next, None);
        assert_eq!(envelope(40, 4).next, None);
        assert_eq!(envelope(0, 1).previous, None);
        assert!(envelope(31, 90).previous.unwrap().ends_with("page=4"));
    }
}
