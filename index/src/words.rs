//! The words that were asked of a generation, and what they came to: kept within bounds, and gone with it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{bits::Bits, lookup::Form, rank, schema::TextField, settings::Weights, word::Known};

/// Looking a document up in a list costs so many times what passing one does.
const SPARSE: usize = 16;

/// Bytes that a generation's words may take. Beyond that they are forgotten, all at once: the frequent ones are back
/// within moments.
const MOST_BYTES: usize = 48 << 20;

/// The words that were asked of a generation.
#[derive(Default)]
pub(crate) struct Words {
    known: Mutex<HashMap<Asked, Arc<Known>>>,
    bytes: AtomicUsize,
}

/// What a word depends on, beside the generation. Floats as bits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    forms: Vec<(Form, u32)>,
    worths: Option<Vec<u32>>,
    weights: [u32; TextField::ALL.len()],
}

impl Asked {
    pub(crate) fn new(forms: &[(Form, f32)], worths: Option<&[f32]>, weights: &Weights) -> Self {
        Self {
            forms: forms.iter().map(|(form, factor)| (form.clone(), factor.to_bits())).collect(),
            worths: worths.map(|worths| worths.iter().map(|worth| worth.to_bits()).collect()),
            weights: TextField::ALL.map(|field| rank::weight(weights, field).to_bits()),
        }
    }
}

impl Words {
    /// What is known of a word.
    pub(crate) fn known(&self, asked: &Asked) -> Option<Arc<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(asked).cloned()
    }

    /// Keeps it for those who ask again.
    pub(crate) fn keep(&self, asked: Asked, known: &Arc<Known>) {
        if self.take(known.bytes()) {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(asked, Arc::clone(known));
        }
    }

    /// Whether there is room for so many bytes more; if not, all is forgotten, so that there will be. For what would
    /// drive out most of the others there never is.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        if bytes > MOST_BYTES / 2 {
            return false;
        }
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST_BYTES {
            return true;
        }
        let forgotten = std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        self.bytes.store(0, Ordering::Relaxed);
        // Outside of the lock: it may be much.
        drop(forgotten);
        false
    }
}

/// The documents of a segment that have a word, in order, and how much each is about it.
#[derive(Default)]
pub(crate) struct About {
    docs: Vec<u32>,
    about: Vec<f32>,
}

impl About {
    /// Adds a document behind those that are there.
    pub(crate) fn push(&mut self, doc: u32, about: f32) {
        self.docs.push(doc);
        self.about.push(about);
    }

    /// All of them.
    pub(crate) fn docs(&self) -> &[u32] {
        &self.docs
    }

    /// Visits those of a set.
    pub(crate) fn for_each_in(&self, set: &Bits, mut visit: impl FnMut(u32, f32)) {
        if (set.count() as usize).saturating_mul(SPARSE) < self.docs.len() {
            let mut start = 0;
            set.for_each(|doc| {
                start += self.docs[start..].partition_point(|other| *other < doc);
                if self.docs.get(start) == Some(&doc) {
                    visit(doc, self.about[start]);
                }
            });
            return;
        }
        let all = self.docs.iter().zip(&self.about);
        all.filter(|(doc, _)| set.contains(**doc)).for_each(|(doc, about)| visit(*doc, *about));
    }

    /// What it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.docs.len() * size_of::<(u32, f32)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_a_set_are_visited_however_few() {
        let mut all = About::default();
        (0..1_000).filter(|doc| doc % 3 == 0).for_each(|doc| all.push(doc, doc as f32));
        for step in [1, 2, 7, 90, 400, 999] {
            let mut set = Bits::none(1_000);
            (0..1_000).step_by(step).for_each(|doc| set.insert(doc));
            let mut seen = Vec::new();
            all.for_each_in(&set, |doc, about| seen.push((doc, about)));
            let expected = (0..1_000).step_by(step).filter(|doc| doc % 3 == 0).map(|doc| (doc, doc as f32));
            assert_eq!(seen, expected.collect::<Vec<_>>(), "{step}");
        }
    }

    #[test]
    fn what_is_too_much_is_forgotten_at_once() {
        let words = Words::default();
        assert!(!words.take(MOST_BYTES / 2 + 1), "too large");
        assert!(words.take(MOST_BYTES / 2) && words.take(MOST_BYTES / 2));
        assert!(!words.take(1), "it is full");
        assert!(words.take(MOST_BYTES / 2), "and then there is room again");
    }
}
