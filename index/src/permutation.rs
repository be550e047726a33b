//! The documents of a segment in the order of one of their keys: what makes a page of a whole catalog cheap.
//!
//! Two lists for each key, since equal documents stand in the order of their ids in both: one is not the other
//! backwards.

use crate::bits::Bits;

/// All documents of a segment, by a key and then by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permutation {
    /// Smallest key first.
    pub(crate) ascending: Vec<u32>,
    /// Largest key first.
    pub(crate) descending: Vec<u32>,
}

impl Permutation {
    /// Sorts the documents, which are given in the order of their ids. Those without a key come last both ways.
    pub(crate) fn new(by_id: &[u32], key: impl Fn(u32) -> Option<u64>) -> Self {
        let (mut keyed, mut last) = (Vec::with_capacity(by_id.len()), Vec::new());
        for &doc in by_id {
            match key(doc) {
                Some(key) => keyed.push((key, doc)),
                None => last.push(doc),
            }
        }
        // Stable: what is equal stays in the order of the ids.
        keyed.sort_by_key(|(key, _)| *key);
        Self::of(&keyed, &last)
    }

    /// The same after some of the documents have changed their keys; all have one.
    pub(crate) fn changed(&self, changed: &Bits, ids: &[i64], key: impl Fn(u32) -> u64) -> Self {
        let docs =
            |moved: bool| self.ascending.iter().copied().filter(move |&doc| changed.contains(doc) == moved);
        let mut keyed: Vec<(u64, u32)> = docs(false).chain(docs(true)).map(|doc| (key(doc), doc)).collect();
        // Those that stay are in order: the sort finds that out, and merges the others in.
        keyed.sort_by(|(one_key, one), (other_key, other)| {
            one_key.cmp(other_key).then_with(|| ids[*one as usize].cmp(&ids[*other as usize]))
        });
        Self::of(&keyed, &[])
    }

    /// In the direction asked for.
    pub(crate) fn by(&self, descending: bool) -> &[u32] {
        if descending { &self.descending } else { &self.ascending }
    }

    fn of(keyed: &[(u64, u32)], last: &[u32]) -> Self {
        let doc = |(_, doc): &(u64, u32)| *doc;
        let runs = keyed.chunk_by(|(one, _), (other, _)| one == other);
        Self {
            ascending: keyed.iter().map(doc).chain(last.iter().copied()).collect(),
            descending: runs.rev().flatten().map(doc).chain(last.iter().copied()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_stand_by_id_both_ways_and_none_is_last() {
        let keys = [Some(5), None, Some(u64::MAX), Some(5), Some(0), None];
        let by_id = [3, 5, 0, 1, 4, 2];
        let permutation = Permutation::new(&by_id, |doc| keys[doc as usize]);
        assert_eq!(permutation.ascending, [4, 3, 0, 2, 5, 1]);
        assert_eq!(permutation.descending, [2, 3, 0, 4, 5, 1]);
    }

    #[test]
    fn what_changes_finds_its_place() {
        let ids: Vec<i64> = (0..100).map(|doc| doc * 37 % 101).collect();
        let mut by_id: Vec<u32> = (0..100).collect();
        by_id.sort_by_key(|doc| ids[*doc as usize]);
        let mut keys: Vec<u64> = (0..100).map(|doc| doc % 7).collect();
        let before = Permutation::new(&by_id, |doc| Some(keys[doc as usize]));
        let mut changed = Bits::none(100);
        for doc in [0, 1, 7, 50, 99] {
            keys[doc as usize] = 6 - keys[doc as usize];
            changed.insert(doc);
        }
        let after = before.changed(&changed, &ids, |doc| keys[doc as usize]);
        assert_eq!(after, Permutation::new(&by_id, |doc| Some(keys[doc as usize])));
    }
}
