//! What a word comes to in one segment: its documents, and how much each is about it.
//!
//! The words of a shop's searches come to millions of documents, and what is not kept is weighed again, at ten times
//! the cost. So a document takes four bytes: its number within a block of them, as compressed bitmaps have it (Chambi,
//! Lemire et al., "Better bitmap performance with Roaring bitmaps", 2016), and the number of its value among the
//! distinct ones, of which there are few, since texts are short. Nothing is rounded.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::bits::Bits;

/// Looking a document up in a list costs so many times what passing one does.
const SPARSE: usize = 16;

/// Documents that are numbered together. A block whose values begin a new table, or continue one of at most so many,
/// counts no more values than a `u16` can.
const BLOCK: u32 = 1 << 15;

/// The documents of a segment that have a word, deleted ones included, in order, and how much each is about it.
#[derive(Debug, Default)]
pub(crate) struct About {
    blocks: Vec<Block>,
    /// By document: which one of its block.
    docs: Vec<u16>,
    /// By document: which value of its block's.
    codes: Vec<u16>,
    /// Distinct, by table.
    values: Vec<f32>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    /// The first number that may be in it.
    base: u32,
    /// Where its documents begin, and where its table of values does.
    start: usize,
    table: usize,
}

impl About {
    /// Those of a set; `of` says how much each is about it.
    pub(crate) fn new(docs: &Bits, mut of: impl FnMut(u32) -> f32) -> Self {
        let mut about = Self::default();
        let mut known = HashMap::default();
        docs.for_each(|doc| about.push(doc, of(doc), &mut known));
        about.docs.shrink_to_fit();
        about.codes.shrink_to_fit();
        about.values.shrink_to_fit();
        about
    }

    /// Adds a document behind those that are there. `known` are the values of the last table.
    fn push(&mut self, doc: u32, value: f32, known: &mut HashMap<u32, u16, RandomState>) {
        let base = doc - doc % BLOCK;
        let mut table = self.blocks.last().map_or(0, |block| block.table);
        if self.blocks.last().is_none_or(|block| block.base != base) {
            if known.len() > BLOCK as usize {
                known.clear();
                table = self.values.len();
            }
            self.blocks.push(Block { base, start: self.docs.len(), table });
        }
        let code = *known.entry(value.to_bits()).or_insert_with(|| {
            self.values.push(value);
            (self.values.len() - 1 - table) as u16
        });
        self.docs.push((doc - base) as u16);
        self.codes.push(code);
    }

    /// How many documents.
    pub(crate) fn len(&self) -> usize {
        self.docs.len()
    }

    /// Visits all of them.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u32, f32)) {
        for (place, block) in self.blocks.iter().enumerate() {
            let documents = block.start..self.end(place);
            let values = &self.values[block.table..];
            let all = self.docs[documents.clone()].iter().zip(&self.codes[documents]);
            all.for_each(|(&doc, &code)| visit(block.base + u32::from(doc), values[usize::from(code)]));
        }
    }

    /// Visits those of a set.
    pub(crate) fn for_each_in(&self, set: &Bits, mut visit: impl FnMut(u32, f32)) {
        if (set.count() as usize).saturating_mul(SPARSE) >= self.len() {
            self.for_each(|doc, about| {
                if set.contains(doc) {
                    visit(doc, about);
                }
            });
            return;
        }
        let (mut place, mut start) = (0, 0);
        set.for_each(|doc| {
            while self.blocks.get(place).is_some_and(|block| block.base + BLOCK <= doc) {
                place += 1;
                start = self.blocks.get(place).map_or(start, |block| block.start);
            }
            let Some(block) = self.blocks.get(place).filter(|block| block.base <= doc) else { return };
            let (wanted, rest) = ((doc - block.base) as u16, &self.docs[start..self.end(place)]);
            let passed = rest.partition_point(|other| *other < wanted);
            start += passed;
            if rest.get(passed) == Some(&wanted) {
                visit(doc, self.values[block.table + usize::from(self.codes[start])]);
            }
        });
    }

    /// Where the documents of a block end.
    fn end(&self, place: usize) -> usize {
        self.blocks.get(place + 1).map_or(self.docs.len(), |next| next.start)
    }

    /// What it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.docs.len() * size_of::<(u16, u16)>()
            + self.values.len() * size_of::<f32>()
            + self.blocks.len() * size_of::<Block>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Documents at each step, and the value of each.
    fn stepping(bound: u32, step: usize, of: impl Fn(u32) -> f32) -> (Bits, Vec<(u32, f32)>) {
        let mut docs = Bits::none(bound);
        (0..bound).step_by(step).for_each(|doc| docs.insert(doc));
        (docs, (0..bound).step_by(step).map(|doc| (doc, of(doc))).collect())
    }

    fn visited(about: &About) -> Vec<(u32, f32)> {
        let mut visited = Vec::new();
        about.for_each(|doc, about| visited.push((doc, about)));
        visited
    }

    #[test]
    fn every_value_is_kept_to_the_last_bit() {
        type Of = fn(u32) -> f32;
        let all_differ: Of = |doc| doc as f32 / 7.0;
        let few_differ: Of = |doc| (doc % 5) as f32 / 3.0;
        for (step, of) in [(1, all_differ), (1, few_differ), (3, all_differ), (40_000, all_differ)] {
            let (docs, expected) = stepping(5 * BLOCK + 7, step, of);
            let about = About::new(&docs, of);
            assert_eq!(about.len(), expected.len());
            assert!(visited(&about) == expected, "each {step}");
        }
    }

    #[test]
    fn many_documents_of_few_values_take_four_bytes_each() {
        let (docs, _) = stepping(100_000, 1, |_| 0.0);
        let about = About::new(&docs, |doc| (doc % 100) as f32);
        assert!((400_000..401_000).contains(&about.bytes()), "{}", about.bytes());
    }

    #[test]
    fn those_of_a_set_are_visited_however_few() {
        let bound = 3 * BLOCK + 100;
        // The second block has none.
        let mut docs = stepping(bound, 3, |_| 0.0).0;
        (BLOCK..2 * BLOCK).for_each(|doc| docs.set(doc, false));
        let about = About::new(&docs, |doc| doc as f32);
        for step in [1, 2, 7, 90, 400, 999, 50_000] {
            let (set, all) = stepping(bound, step, |doc| doc as f32);
            let mut seen = Vec::new();
            about.for_each_in(&set, |doc, about| seen.push((doc, about)));
            let expected: Vec<_> = all.into_iter().filter(|(doc, _)| docs.contains(*doc)).collect();
            assert!(seen == expected, "{step}");
        }
        about.for_each_in(&Bits::none(bound), |_, _| panic!("there is none"));
    }
}
