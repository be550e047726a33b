//! Lists: one envelope, two ways to ask for a page: by its number, or by where the one before it ended (`cursor`).

pub mod cursor;
pub mod newest;
mod place;

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

pub use self::place::{Found, Place, Span};
use crate::params::{Params, QueryForm, decode, integer};

/// How many rows a page has when the client does not say.
pub const DEFAULT_SIZE: u32 = 24;
/// How many rows a page has at most.
pub const MAX_SIZE: u32 = 100;
/// The last page that can be asked for: offsets stay far from overflow.
const MAX_PAGE: u32 = 10_000_000;

/// Which page of a list, by its number. What can grow takes a [`Place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// From 1.
    #[param(minimum = 1, maximum = 10_000_000, default = 1, required = false)]
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

/// One page of a list that can be followed to any depth at one cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeepList<T> {
    /// The page.
    #[serde(flatten)]
    pub list: List<T>,
    /// Sent as `cursor`, brings what stands behind this page, also while rows come and go; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> DeepList<T> {
    /// The envelope of the page at `place`. One that was asked for by cursor leads on, not back.
    pub fn new(found: Found<T>, place: &Place, links: &Links<'_>) -> Self {
        let Found { rows: results, count, next_cursor } = found;
        let list = if place.is_behind() {
            let next = next_cursor.as_deref().map(|cursor| links.with("cursor", cursor));
            List { count, next, previous: None, results }
        } else {
            List::new(results, count, place.page, links)
        };
        Self { list, next_cursor }
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

impl Links<'static> {
    /// Of a list that has no address.
    pub const NONE: Self = Self { base: "", path: "", query: "" };
}

impl Links<'_> {
    fn to(&self, page: u32) -> String {
        self.with("page", &page.to_string())
    }

    /// The same list, at another place: `value` must not need to be encoded.
    fn with(&self, name: &str, value: &str) -> String {
        let is_place = |pair: &str| {
            let name = pair.split('=').next().and_then(decode);
            matches!(name.as_deref(), Some("page" | "cursor"))
        };
        let kept = self.query.split('&').filter(|pair| !pair.is_empty() && !is_place(pair));
        let mut url = format!("{}{}?", self.base, self.path);
        for pair in kept {
            url.push_str(pair);
            url.push('&');
        }
        url.push_str(&format!("{name}={value}"));
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
    fn a_cursor_leads_on_and_not_back() {
        let links =
            Links { base: "https://shop.example", path: "/api/x/", query: "%70age=&page_size=10&cursor=a" };
        let place = crate::params::read("page_size=10&cursor=a").unwrap();
        let page = |next_cursor| {
            DeepList::<()>::new(Found { rows: Vec::new(), count: 31, next_cursor }, &place, &links)
        };
        let list = page(Some("b-_".into()));
        assert_eq!(list.list.next.as_deref(), Some("https://shop.example/api/x/?page_size=10&cursor=b-_"));
        assert_eq!((list.list.previous, list.next_cursor.as_deref()), (None, Some("b-_")));
        assert_eq!(page(None).list.next, None);
    }

    #[test]
    fn the_ends_have_no_neighbour() {
        assert_eq!(envelope(31, 4).next, None);
        assert_eq!(envelope(40, 4).next, None);
        assert_eq!(envelope(0, 1).previous, None);
        assert!(envelope(31, 90).previous.unwrap().ends_with("page=4"));
    }
}
