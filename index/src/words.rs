//! The words and texts that were asked of a generation, and what they came to: kept within bounds, and gone with it.
//!
//! How a text is read depends on the text, the generation and the lexicon, not on filters, order or page. Finding out
//! that a word is a slip, and of what, takes ten times what matching it does: so that is kept as well.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    bits::Bits,
    cursor::Reading,
    error::Error,
    generation::Generation,
    lookup::{Form, Found, Source},
    rank,
    schema::TextField,
    settings::Weights,
    word::{Known, Occurring},
};

/// Looking a document up in a list costs so many times what passing one does.
const SPARSE: usize = 16;

/// Bytes that a generation's words may take. Beyond that they are forgotten, all at once: the frequent ones are back
/// within moments.
const MOST_BYTES: usize = 24 << 20;

/// And those that what words come to in one segment may take: so many at most; in a small one so many, and more by
/// document.
const MOST_WEIGHED: (usize, usize, usize) = (24 << 20, 1 << 20, 256);

/// What an entry takes beside what it holds: its letters, and its place.
const ENTRY_BYTES: usize = 256;

/// The words that were asked of a generation.
#[derive(Default)]
pub(crate) struct Words {
    kept: Mutex<Kept>,
    bytes: AtomicUsize,
}

#[derive(Default)]
struct Kept {
    places: HashMap<Form, Arc<Places>>,
    known: HashMap<Arc<Asked>, Arc<Known>>,
    /// How whole texts were read, under which lexicon.
    readings: HashMap<(u64, String), KeptReading>,
}

/// How a text was read.
#[derive(Clone)]
pub(crate) struct KeptReading {
    pub(crate) reading: Arc<Reading>,
    /// How many places of words that took at most.
    pub(crate) steps: usize,
    /// Where it is one word, that.
    pub(crate) alone: Option<Arc<Asked>>,
}

/// Where a form occurs.
pub(crate) struct Places {
    pub(crate) found: Vec<Found>,
    /// In how many documents, by field.
    pub(crate) by_field: [u64; TextField::ALL.len()],
}

/// What a word depends on, beside what is indexed. Floats as bits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Of the others, so that they are hashed once.
    hash: u64,
    /// Those that occur.
    forms: Vec<(Form, u32)>,
    weights: [u32; TextField::ALL.len()],
}

impl Hash for Asked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Asked {
    pub(crate) fn new(occurring: &[Occurring], weights: &Weights) -> Self {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let forms: Vec<_> =
            occurring.iter().map(|found| (found.form.clone(), found.worth.to_bits())).collect();
        let weights = TextField::ALL.map(|field| rank::weight(weights, field).to_bits());
        Self { hash: KEYS.hash_one((&forms, &weights)), forms, weights }
    }

    fn bytes(&self) -> usize {
        (self.forms.len() + 1) * ENTRY_BYTES
    }
}

impl Places {
    fn find(form: &Form, generation: &Generation) -> Result<Self, Error> {
        let found = form.find(generation)?;
        let mut by_field = [0; TextField::ALL.len()];
        found.iter().for_each(|found| by_field[found.field as usize] += found.source.documents());
        Ok(Self { found, by_field })
    }

    fn bytes(&self) -> usize {
        let phrases = self.found.iter().map(|found| match &found.source {
            Source::Term(_) => 0,
            Source::Docs(docs) => size_of_val::<[u32]>(docs),
        });
        ENTRY_BYTES + self.found.len() * size_of::<Found>() + phrases.sum::<usize>()
    }
}

impl Words {
    /// Where a form occurs.
    pub(crate) fn places(&self, form: &Form, generation: &Generation) -> Result<Arc<Places>, Error> {
        if let Some(places) = self.kept().places.get(form) {
            return Ok(Arc::clone(places));
        }
        // Outside of the lock: two may look it up at once, and nobody waits.
        let places = Arc::new(Places::find(form, generation)?);
        if generation.is_whole() && self.take(places.bytes()) {
            self.kept().places.insert(form.clone(), Arc::clone(&places));
        }
        Ok(places)
    }

    /// What is known of a word.
    pub(crate) fn known(&self, asked: &Asked) -> Option<Arc<Known>> {
        self.kept().known.get(asked).cloned()
    }

    /// Keeps it for those who ask again.
    pub(crate) fn keep(&self, asked: &Arc<Asked>, known: &Arc<Known>) {
        if self.take(asked.bytes() + known.bytes()) {
            self.kept().known.insert(Arc::clone(asked), Arc::clone(known));
        }
    }

    /// How a text was read under a lexicon, by those who see what shoppers see.
    pub(crate) fn reading(&self, lexicon: u64, text: &str) -> Option<KeptReading> {
        self.kept().readings.get(&(lexicon, text.to_owned())).cloned()
    }

    /// Keeps how a text was read.
    pub(crate) fn keep_reading(
        &self,
        lexicon: u64,
        text: &str,
        reading: &Reading,
        steps: usize,
        alone: Option<Arc<Asked>>,
    ) {
        if self.take(ENTRY_BYTES * (2 + reading.read.len()) + text.len()) {
            let kept = KeptReading { reading: Arc::new(reading.clone()), steps, alone };
            self.kept().readings.insert((lexicon, text.to_owned()), kept);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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
        let forgotten = std::mem::take(&mut *self.kept());
        self.bytes.store(0, Ordering::Relaxed);
        // Outside of the lock: it may be much.
        drop(forgotten);
        false
    }
}

/// What words come to in one segment: it never changes, so that this outlasts the generation. Kept within bounds, like
/// [`Words`].
#[derive(Debug)]
pub(crate) struct Weighed {
    kept: Mutex<Abouts>,
    most: usize,
}

#[derive(Debug, Default)]
struct Abouts {
    /// As words are, and if each form were worth 1.
    by_evenness: [HashMap<Arc<Asked>, Arc<About>>; 2],
    bytes: usize,
}

impl Weighed {
    /// For a segment of so many documents.
    pub(crate) fn new(documents: u32) -> Self {
        let (most, least, by_document) = MOST_WEIGHED;
        Self { kept: Mutex::default(), most: most.min(least + by_document * documents as usize) }
    }

    /// What a word comes to, if that is known.
    pub(crate) fn get(&self, asked: &Asked, is_even: bool) -> Option<Arc<About>> {
        self.kept().by_evenness[usize::from(is_even)].get(asked).cloned()
    }

    /// Keeps what a word comes to. What would drive out most of the others is not kept.
    pub(crate) fn keep(&self, asked: &Arc<Asked>, is_even: bool, about: &Arc<About>) {
        let bytes = asked.bytes() + about.bytes();
        if bytes > self.most / 2 {
            return;
        }
        let mut kept = self.kept();
        let is_full = kept.bytes + bytes > self.most;
        let forgotten = is_full.then(|| std::mem::take(&mut *kept));
        let same = &mut kept.by_evenness[usize::from(is_even)];
        if same.insert(Arc::clone(asked), Arc::clone(about)).is_none() {
            kept.bytes += bytes;
        }
        drop(kept);
        // Outside of the lock: it may be much.
        drop(forgotten);
    }

    fn kept(&self) -> MutexGuard<'_, Abouts> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The documents of a segment that have a word, deleted ones included, in order, and how much each is about it.
#[derive(Debug, Default)]
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
    fn what_words_come_to_is_kept_until_it_is_too_much() {
        let asked = |word: &str| {
            let forms = vec![(Form::Whole(word.to_owned()), 0)];
            Arc::new(Asked { hash: word.len() as u64, forms, weights: [0; TextField::ALL.len()] })
        };
        let about = |documents: u32| {
            let mut about = About::default();
            (0..documents).for_each(|doc| about.push(doc, 1.0));
            Arc::new(about)
        };
        let weighed = Weighed::new(0);
        let most = u32::try_from(weighed.most / size_of::<(u32, f32)>()).unwrap();
        weighed.keep(&asked("one"), false, &about(7));
        assert_eq!(weighed.get(&asked("one"), false).unwrap().docs().len(), 7);
        assert!(weighed.get(&asked("one"), true).is_none(), "otherwise valued");
        assert!(weighed.get(&asked("two"), false).is_none(), "equally hashed");
        weighed.keep(&asked("large"), false, &about(most));
        assert!(weighed.get(&asked("large"), false).is_none(), "too large");
        for word in ["second", "third"] {
            weighed.keep(&asked(word), true, &about(most / 2 - 70));
        }
        assert!(weighed.get(&asked("third"), true).is_some());
        assert!(weighed.get(&asked("one"), false).is_none(), "all were forgotten at once");
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
