//! What was derived from a segment or a generation, kept for those who ask again: within bounds, since what is asked has none.

use std::{fmt, hash::Hash};

use foldhash::fast::RandomState;
use quick_cache::{
    Equivalent, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

/// Entries that are about as many as most segments keep: half as many that were driven out are remembered.
const TYPICAL: usize = 1_000;

/// Values by what was asked, up to so many bytes. Beyond that those go first that were asked for once.
pub(crate) struct Bounded<K, V> {
    /// Never missing: its options are whole.
    kept: Option<Cache<K, (V, usize), Bytes, RandomState>>,
    most: usize,
}

/// Weighs values by what they are said to take.
#[derive(Clone, Debug)]
struct Bytes;

impl<K, V> Weighter<K, (V, usize)> for Bytes {
    fn weight(&self, _: &K, (_, bytes): &(V, usize)) -> u64 {
        *bytes as u64
    }
}

impl<K: Hash + Eq, V: Clone> Bounded<K, V> {
    /// Of at most so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        let mut options = OptionsBuilder::new();
        // Of several shards each would be too small for the largest values.
        options.shards(1).estimated_items_capacity(TYPICAL).weight_capacity(most as u64);
        let with = |options| {
            Cache::with_options(options, Bytes, RandomState::default(), DefaultLifecycle::default())
        };
        Self { kept: options.build().ok().map(with), most }
    }

    /// Whether anything is kept.
    pub(crate) fn has<Q: Hash + Equivalent<K> + ?Sized>(&self, asked: &Q) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.contains_key(asked))
    }

    /// What is kept.
    pub(crate) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, asked: &Q) -> Option<V> {
        let (value, _) = self.kept.as_ref()?.get(asked)?;
        Some(value)
    }

    /// Keeps a value that takes so many bytes, its key included. What would drive out most of the others is not kept.
    pub(crate) fn keep(&self, asked: K, value: V, bytes: usize) {
        if let Some(kept) = self.kept.as_ref().filter(|_| bytes <= self.most / 2) {
            kept.insert(asked, (value, bytes));
        }
    }
}

impl<K, V> fmt::Debug for Bounded<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Bounded").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_again_outlasts_what_was_asked_once() {
        let bounded: Bounded<String, u32> = Bounded::new(1_000);
        bounded.keep("often".to_owned(), 1, 100);
        bounded.keep("often".to_owned(), 2, 100);
        bounded.keep("large".to_owned(), 3, 501);
        assert_eq!(["often", "large", "none"].map(|asked| bounded.get(asked)), [Some(2), None, None]);
        for once in 0..100 {
            bounded.keep(format!("once {once}"), once, 100);
            assert_eq!(bounded.get("often"), Some(2), "after {once}");
        }
        let kept = (0..100).filter(|once| bounded.has(format!("once {once}").as_str())).count();
        assert!((1..10).contains(&kept), "{kept} more are within the bound");
    }
}
