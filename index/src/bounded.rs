//! What was derived from a segment, kept for those who ask again: within bounds, since what is asked has none.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Values by what was asked, up to so many bytes. Beyond that they are forgotten, all at once: what is asked often is
/// back within moments.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    kept: Mutex<Kept<K, V>>,
    most: usize,
}

#[derive(Debug)]
struct Kept<K, V> {
    values: HashMap<K, V>,
    bytes: usize,
}

impl<K: Hash + Eq, V: Clone> Bounded<K, V> {
    /// Of at most so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self { kept: Mutex::new(Kept { values: HashMap::new(), bytes: 0 }), most }
    }

    /// Whether anything is kept.
    pub(crate) fn has<Q: Hash + Eq + ?Sized>(&self, asked: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.kept().values.contains_key(asked)
    }

    /// What is kept.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, asked: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.kept().values.get(asked).cloned()
    }

    /// Keeps a value that takes so many bytes, its key included. What would drive out most of the others is not kept.
    pub(crate) fn keep(&self, asked: K, value: V, bytes: usize) {
        if bytes > self.most / 2 {
            return;
        }
        let mut kept = self.kept();
        let is_full = kept.bytes + bytes > self.most;
        let forgotten = is_full.then(|| {
            kept.bytes = 0;
            std::mem::take(&mut kept.values)
        });
        if kept.values.insert(asked, value).is_none() {
            kept.bytes += bytes;
        }
        drop(kept);
        // Outside of the lock: it may be much.
        drop(forgotten);
    }

    fn kept(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_forgotten_at_once() {
        let bounded: Bounded<String, u8> = Bounded::new(100);
        bounded.keep("one".to_owned(), 1, 40);
        bounded.keep("one".to_owned(), 2, 40);
        bounded.keep("two".to_owned(), 3, 50);
        assert_eq!([bounded.get("one"), bounded.get("two"), bounded.get("three")], [Some(2), Some(3), None]);
        bounded.keep("large".to_owned(), 4, 51);
        assert!(!bounded.has("large") && bounded.has("one"), "too large");
        bounded.keep("three".to_owned(), 5, 20);
        assert!(bounded.has("three") && !bounded.has("one") && !bounded.has("two"));
        bounded.keep("four".to_owned(), 6, 50);
        assert!(bounded.has("three"), "there is room again");
    }
}
