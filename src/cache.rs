//! Answers that are kept: ready bytes, by everything that they were computed from.
//!
//! A [`Key`] holds the question and the state that answered it, so nothing is ever invalidated: what is outdated is
//! not asked for any more, and is forgotten when its place is needed. The cache knows bytes, and neither what they
//! say nor how they are computed.

pub mod encoding;
pub mod rows;
pub mod spellings;

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use axum::{body::Bytes, http::HeaderValue};
use futures_util::FutureExt;
use moka::policy::EvictionPolicy;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tracing::Instrument;
use xxhash_rust::xxh3::xxh3_128;

use self::encoding::Encoding;
use crate::error::{Error, Result};

/// Bytes that an entry takes beside its body: key, entity tag, and the lists that it stands in.
const ENTRY_BYTES: usize = 512;
/// Shorter bodies are sent as they are: they fit into a packet either way.
const WORTH_CODING: usize = 512;

/// Stands for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question([u8; 32]);

impl Question {
    /// What stands for a question, which says all that is asked. Equal ones must serialise equally, and each kind of
    /// question begins with a name of its own, since fields are written down without theirs. It is a hash, of which
    /// nobody finds two that collide.
    ///
    /// # Errors
    /// When it cannot be serialised.
    pub fn new(question: &impl Serialize) -> Result<Self> {
        let text = postcard::to_allocvec(question).map_err(Error::internal)?;
        Ok(Self(Sha256::digest(text).into()))
    }
}

/// What an answer is computed from, beside the question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// The index's generation.
    pub generation: u64,
    /// The last instant at which a price changed.
    pub price_epoch: i64,
    /// The version of the search's settings.
    pub settings: i64,
}

/// Names an answer, in one coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    question: Question,
    state: State,
    encoding: Encoding,
}

impl Key {
    /// The key of the plain answer.
    pub fn new(question: Question, state: State) -> Self {
        Self { question, state, encoding: Encoding::Plain }
    }

    /// The key of the same answer in a coding.
    pub fn coded(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }
}

/// An answer's bytes, ready to be sent. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Body {
    /// What is sent.
    pub bytes: Bytes,
    /// A strong entity tag, quotes included: equal for equal bytes in the same coding alone.
    pub etag: HeaderValue,
    /// What the bytes are coded in.
    pub encoding: Encoding,
}

impl Body {
    /// A plain body.
    pub fn new(bytes: Vec<u8>) -> Self {
        // Tells versions of the shop's own bytes apart, against nobody's will: a hash that withstands attacks took as
        // long as finding what is on the page.
        let hash = xxh3_128(&bytes);
        Self::of_version(bytes, &format!("\"{hash:032x}\""))
    }

    /// A plain body under the entity tag (quotes included) of the version that it shows.
    pub fn of_version(bytes: Vec<u8>, etag: &str) -> Self {
        // Boxed, so that it takes no more memory than it is counted with.
        let bytes = Bytes::from(bytes.into_boxed_slice());
        Self { bytes, etag: header_value(etag), encoding: Encoding::Plain }
    }

    /// Its entity tag as text.
    pub fn tag(&self) -> &str {
        self.etag.to_str().unwrap_or_default()
    }

    /// This plain body in a coding, or as it is where that would not make it smaller.
    ///
    /// # Errors
    /// None that is known of.
    pub fn coded(&self, encoding: Encoding) -> Result<Self> {
        if encoding == Encoding::Plain || self.bytes.len() < WORTH_CODING {
            return Ok(self.clone());
        }
        let bytes = encoding.apply(&self.bytes).map_err(Error::internal)?;
        if bytes.len() >= self.bytes.len() {
            return Ok(self.clone());
        }
        let etag = header_value(&encoding.tag(self.tag()));
        Ok(Self { bytes: Bytes::from(bytes.into_boxed_slice()), etag, encoding })
    }

    fn weight(&self) -> u32 {
        u32::try_from(self.bytes.len() + ENTRY_BYTES).unwrap_or(u32::MAX)
    }
}

fn header_value(etag: &str) -> HeaderValue {
    HeaderValue::from_str(etag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there, or somebody else was just computing it.
    Hit,
    /// It had to be computed.
    Miss,
}

impl Outcome {
    /// `hit` or `miss`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// How useful the cache has been since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Answers that nothing was computed for.
    pub hits: u64,
    /// Answers that were computed.
    pub misses: u64,
    /// Bodies that are kept now: one of each answer in each coding that was asked for.
    pub entries: u64,
}

/// Keeps bodies up to a number of bytes; those that were not asked for the longest go first.
pub struct Cache {
    /// None: nothing is kept.
    bodies: Option<moka::future::Cache<Key, Body>>,
    hits: AtomicU64,
    misses: AtomicU64,
    hits_total: metrics::Counter,
    misses_total: metrics::Counter,
}

impl Cache {
    /// A cache of at most so many bytes; of none, it keeps nothing.
    pub fn new(bytes: u64) -> Self {
        let bodies = (bytes > 0).then(|| {
            moka::future::Cache::builder()
                .max_capacity(bytes)
                .weigher(|_: &Key, body: &Body| body.weight())
                // By age and not by use: after a commit all that is kept is outdated, however often it was used.
                .eviction_policy(EvictionPolicy::lru())
                .build()
        });
        let hits_total = metrics::counter!("duka_search_cache_hits_total");
        let misses_total = metrics::counter!("duka_search_cache_misses_total");
        Self { bodies, hits: AtomicU64::new(0), misses: AtomicU64::new(0), hits_total, misses_total }
    }

    /// What is kept under the key.
    pub async fn get(&self, key: &Key) -> Option<Body> {
        self.bodies.as_ref()?.get(key).await
    }

    /// What is kept under the key, where that can be told without waiting.
    pub fn get_now(&self, key: &Key) -> Option<Body> {
        self.get(key).now_or_never().flatten()
    }

    /// What is kept under the key, else what `make` makes, which is kept then. Of those who ask for it at the same
    /// time one makes it and the others wait. That is finished also when the one who began it leaves. An error is
    /// told to all who wait, and not kept.
    ///
    /// # Errors
    /// Those of `make`.
    pub async fn get_or_make(
        &self,
        key: Key,
        make: impl Future<Output = Result<Body>> + Send + 'static,
    ) -> Result<(Body, Outcome)> {
        let Some(bodies) = self.bodies.clone() else { return Ok((make.await?, Outcome::Miss)) };
        // A task of its own: a client that hangs up drops its request, and the request everything in it.
        let making = async move {
            let entry =
                bodies.entry(key).or_try_insert_with(make).await.map_err(|error| Error::clone(&error))?;
            if !entry.is_fresh() {
                return Ok((entry.into_value(), Outcome::Hit));
            }
            // At once, or a burst of large answers would stand above the bound until somebody tidied up.
            bodies.run_pending_tasks().await;
            metrics::gauge!("duka_search_cache_entries").set(bodies.entry_count() as f64);
            metrics::gauge!("duka_search_cache_bytes").set(bodies.weighted_size() as f64);
            Ok((entry.into_value(), Outcome::Miss))
        };
        tokio::spawn(making.in_current_span()).await.map_err(Error::internal)?
    }

    /// Counts an answer.
    pub fn count(&self, outcome: Outcome) {
        let (counted, total) = match outcome {
            Outcome::Hit => (&self.hits, &self.hits_total),
            Outcome::Miss => (&self.misses, &self.misses_total),
        };
        counted.fetch_add(1, Ordering::Relaxed);
        total.increment(1);
    }

    /// How useful it has been.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            entries: self.bodies.as_ref().map_or(0, moka::future::Cache::entry_count),
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
