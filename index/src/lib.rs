//! duka's search engine: documents in, exact hits and counts out.
//!
//! An [`Engine`] keeps one index directory. Its [`Writer`] takes [`Document`]s (complete products, as plain
//! data) and commits them together; every commit is a new generation, which searches see at once. A [`Query`]
//! says which documents, in which order, which page, and what to count; [`Hits`] answer it from one generation.
//!
//! ```
//! use duka_index::{Document, Engine, Facet, PriceStep, Query, SortField, SortKey};
//!
//! let directory = tempfile::tempdir()?;
//! let engine = Engine::open(directory.path())?;
//! let mut writer = engine.writer(15_000_000)?;
//! for (id, name, brand, price) in
//!     [(1, "Trail running shoe", "Kifaru", 89_00), (2, "Running socks", "Kifaru", 9_50), (3, "Teapot", "Chai", 30_00)]
//! {
//!     let prices = vec![PriceStep { from: i64::MIN, effective_price: price, discount: None }];
//!     let (name, brand) = (name.to_owned(), brand.to_owned());
//!     writer.upsert(&Document { id, name, brand, prices, is_active: true, ..Document::default() })?;
//! }
//! writer.commit("a word to remember")?;
//!
//! let text = Some("RUNNING sho".to_owned());
//! let hits = engine.search(&Query { text, limit: 10, ..Query::default() })?;
//! assert_eq!((hits.total, hits.hits[0].document.id), (1, 1));
//!
//! let sort = vec![SortKey { field: SortField::Price, descending: false }];
//! let facets = vec![Facet::Brand];
//! let hits = engine.search(&Query { price_max: Some(50_00), sort, facets, limit: 1, ..Query::default() })?;
//! assert_eq!((hits.total, hits.hits[0].document.id), (2, 2));
//! assert_eq!(hits.facets.brand.unwrap()[0].value, "Chai");
//!
//! let text = Some("teapto".to_owned());
//! let hits = engine.search(&Query { text, limit: 10, ..Query::default() })?;
//! assert_eq!(hits.corrected_query.as_deref(), Some("teapot"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//! - **Exact numbers.** Totals and counts are those of a full scan, and each facet leaves out its own filter.
//! - **One order.** The id decides last, so equal queries on one generation give equal pages.
//! - **One price.** What is filtered, sorted and counted is [`Document::price_at`] the query's instant, to the
//!   microsecond.
//! - **All or nothing.** A commit shows wholly or not at all, also after a crash, and remembers a payload.
//! - **Nothing false from damaged files.** What somebody has written to is not read on; see [`Engine::is_suspect`].
//! - **Any depth.** A page behind a [`Cursor`] costs what the first one does, and in all pages together nothing that
//!   stays comes twice or not at all, whatever is committed meanwhile.
//! - **No surprise.** No query is an error: but for quotation marks and a leading minus, signs are just separators.
//!
//! # How it answers
//! Below lies tantivy: term dictionaries, postings, a document store, atomic commits. On top, every segment is
//! unpacked into plain columns once it becomes visible ([`segment`]); each filter of a query becomes a bitset
//! ([`compile`]), their intersection is what matches, a facet counts the intersection without its own filter
//! ([`facets`]), and a page is walked to where the segments are sorted already, or selected ([`sort`]). Text is a filter like the
//! others, with scores on the side: taken apart ([`parse`]), each word looked up in all its forms ([`forms`],
//! [`lookup`]), slips read as what was meant ([`typo`]), words left out where all of them find nothing ([`relax`]), the
//! rest matched ([`reading`]) and weighed ([`word`], [`rank`]).
//!
//! It knows documents, queries and segments, and will never know the database they come from, the protocol they
//! are asked over, or who may ask.
#![warn(missing_docs)]
// The page names the modules that hold each step, for whoever reads the source.
#![allow(rustdoc::private_intra_doc_links)]

mod cursor;
mod document;
mod hits;
mod query;
mod settings;

mod codes;
mod collation;
mod record;
mod schema;
mod taken;
mod text;

mod bulk;
mod damage;
mod engine;
mod error;
mod files;
mod found;
mod generation;
mod health;
mod reader;
mod search;
mod stored;
mod writer;

mod best;
mod bits;
mod bounded;
mod category;
mod groups;
mod permutation;
mod postings;
mod prefixes;
mod price;
mod segment;

mod about;
mod attribute_facet;
mod compile;
mod facets;
mod filter;
mod order;
mod price_facet;
mod ranks;
mod sort;
mod walk;

mod forms;
mod known;
mod lookup;
mod pairs;
mod parse;
mod rank;
mod read;
mod reading;
mod relax;
mod sheet;
mod typo;
mod vocabulary;
mod word;
mod words;

mod highlight;
mod similar;
mod suggest;

pub use bulk::Bulk;
pub use cursor::Cursor;
pub use damage::{Damage, damaged_files};
pub use document::{AttributeValue, Category, Discount, Document, PriceStep, Variant};
pub use engine::Engine;
pub use error::Error;
pub use found::{Edition, Found, Row};
pub use hits::{
    Availability, CategoryCount, Facets, Highlights, Hit, Hits, PriceBucket, PriceFacet, RatingCount, Status,
    Suggestions, ValueCount,
};
pub use query::{CategoryKey, Facet, Query, SortField, SortKey, SuggestQuery, Visibility};
pub use reader::Reader;
pub use schema::fingerprint;
pub use settings::{
    Lexicon, MAX_PHRASE_WORDS, MAX_PHRASES, MAX_STOP_WORDS, MAX_SYNONYMS, MAX_WEIGHT, Settings,
    SettingsFault, Synonym, Weights,
};
pub use writer::Writer;
