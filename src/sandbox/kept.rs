//! What is remembered: by id, in order, and no more than so much.

use std::collections::{HashMap, VecDeque};

/// The newest rows by their ids. One more than the limit makes the oldest forgotten.
pub(super) struct Kept<T> {
    rows: HashMap<String, T>,
    order: VecDeque<String>,
    limit: usize,
}

impl<T> Kept<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self { rows: HashMap::new(), order: VecDeque::new(), limit }
    }

    /// Remembers a row under an id, in the place of what was there.
    pub(super) fn insert(&mut self, id: &str, row: T) {
        if self.rows.insert(id.to_owned(), row).is_none() {
            self.order.push_back(id.to_owned());
        }
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.rows.remove(&oldest);
            }
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.rows.get_mut(id)
    }

    /// Every row, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &T> {
        self.order.iter().rev().filter_map(|id| self.rows.get(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut kept = Kept::new(2);
        for (id, row) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            kept.insert(id, row);
        }
        assert_eq!((kept.get("a"), kept.get("b"), kept.get("c")), (None, Some(&2), Some(&4)));
        assert_eq!(kept.newest().collect::<Vec<_>>(), [&4, &2]);
    }
}
