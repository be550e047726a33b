//! What it took to search for a text, by which it is told what it would take again, also after a commit: then most
//! segments are the same, and what was looked up in them is still known. It decides who does the work and changes no
//! answer.

use std::sync::Arc;

use tantivy::index::SegmentId;

use crate::{
    best,
    generation::{Generation, Segment},
    read::Read,
    reading::TextReader,
    vocabulary::MOST_DOCUMENTS,
    words::Asked,
};

/// Steps that it takes to look a word up in a segment, in all its forms, where those were looked up before or stand in
/// no list.
const LOOKED_UP: usize = 300;

/// What a text took.
#[derive(Clone)]
pub(crate) struct Taken {
    /// How many places of words were looked at, at most.
    steps: usize,
    /// How many documents matched, at most.
    left: usize,
    /// The words that were looked up.
    asked: Arc<[Arc<Asked>]>,
    /// Whether more than those words was looked for: slips, what can be left out.
    is_searching: bool,
    /// Whether it was answered from the best documents of its one word.
    is_alone: bool,
    /// Where it was looked for.
    segments: Arc<[SegmentId]>,
}

impl Taken {
    /// What a text has taken that was read, and whether anything was found.
    pub(crate) fn by(reader: &TextReader<'_>, is_found: bool) -> Self {
        let generation = reader.generation;
        let all = usize::try_from(generation.documents()).unwrap_or(usize::MAX);
        let count = |documents: u64| usize::try_from(documents).unwrap_or(usize::MAX);
        let words = || reader.words.iter().chain(&reader.pairs);
        let needed = (0..reader.words.len()).filter(|place| !reader.optional[*place]);
        let rarest = needed.map(|place| count(reader.words[place].documents)).min();
        // What only leaves out, and what begins a code, may match anything.
        let rarest = rarest.filter(|_| reader.parsed.code_begun().is_none());
        let steps = words().map(|word| count(word.documents)).fold(0, usize::saturating_add);
        Self {
            steps: steps.saturating_add(if rarest.is_none() { all } else { 0 }),
            left: rarest.unwrap_or(all),
            asked: words().map(|word| Arc::clone(&word.asked)).collect(),
            // Whoever knew what had been found out did not look for it, and who comes next may have to.
            is_searching: reader.is_relaxed || reader.is_changed() || !is_found,
            is_alone: false,
            segments: Arc::clone(&generation.segment_ids),
        }
    }

    /// The same of one that was answered from the best documents of its one word.
    pub(crate) fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// What it takes beside what it holds: shared lists too, since nobody else may hold them.
    pub(crate) fn bytes(&self) -> usize {
        let asked: usize = self.asked.iter().map(|asked| asked.bytes()).sum();
        asked + size_of_val::<[SegmentId]>(&self.segments)
    }

    /// Whether it was taken in these segments.
    pub(crate) fn is_of(&self, generation: &Generation) -> bool {
        Arc::ptr_eq(&self.segments, &generation.segment_ids)
    }

    /// Whether it was ever answered from the best documents of its one word.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// How many steps it takes in a generation, and how many documents it leaves, at most; nothing where it may take more
    /// than what it took. `read` is how it is read, known of the generation or of one before it.
    pub(crate) fn again(&self, generation: &Generation, read: Option<&Read>) -> Option<(usize, usize)> {
        let looked_up = self.looked_up(generation, read)?;
        // In segments that have come since, words are in memory too: those were just written.
        let is_new = |segment: &&Segment| !self.segments.contains(&segment.id);
        let new = generation.segments.iter().filter(is_new).map(|segment| segment.view.documents() as usize);
        let new: usize = new.sum();
        let steps = self.steps.saturating_add(new * self.asked.len().max(1) + looked_up);
        Some((steps, self.left.saturating_add(new)))
    }

    /// How many steps it takes from the best documents of its one word.
    pub(crate) fn again_alone(&self, generation: &Generation, read: Option<&Read>) -> Option<usize> {
        let looked_up = self.looked_up(generation, read)?;
        let [asked] = &*self.asked else { return None };
        // Who asks first counts those that are still there; and where it is not known what the word was worth, rarely its
        // rarity is rounded otherwise after a commit, and everything that has it is looked at.
        let is_first = !read.is_some_and(|read| read.is_of(generation));
        let counted = usize::try_from(generation.documents() / 32).unwrap_or(usize::MAX);
        let counted = if is_first { counted } else { 0 };
        let first = if read.is_none() { self.steps.saturating_add(counted) } else { counted };
        Some(first.saturating_add(best::unkept(generation, asked) + looked_up))
    }

    /// How many steps it takes to look its words up; nothing where more than those has to be looked for.
    fn looked_up(&self, generation: &Generation, read: Option<&Read>) -> Option<usize> {
        if read.is_some_and(|read| read.is_of(generation)) {
            return Some(0);
        }
        let is_chosen = self.asked.iter().any(|asked| asked.is_chosen());
        if is_chosen || (self.is_searching && read.is_none()) {
            return None;
        }
        let is_new = |segment: &&Segment| !read.is_some_and(|read| read.has(&segment.id));
        let new: Vec<&Segment> = generation.segments.iter().filter(is_new).collect();
        let is_held = |segment: &Segment| self.asked.iter().all(|asked| segment.view.held.has(asked));
        let is_large = |segment: &&&Segment| segment.view.documents() > MOST_DOCUMENTS;
        let mut large = new.iter().filter(is_large);
        let is_known = large.all(|segment| !self.segments.contains(&segment.id) || is_held(segment));
        is_known.then_some(self.asked.len() * new.len() * LOOKED_UP)
    }
}
