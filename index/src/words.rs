//! The words and texts that were asked of a generation, and what they came to: kept within bounds, and gone with it, but
//! for what texts took, and how they were read.
//!
//! How a text is read depends on the text, the lexicon and the words that documents have, not on filters, order or page.
//! Finding out that a word is a slip, and of what, takes ten times what matching it does: so that is kept as well. And
//! it stays as long as those words do: most of what is written to a catalog are prices and stock.

use std::{
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, LazyLock},
};

use quick_cache::Equivalent;

use crate::{
    about::About,
    bits::Bits,
    bounded::Bounded,
    error::Error,
    generation::Generation,
    known::Known,
    lookup::{Form, Here},
    rank,
    read::Read,
    schema::TextField,
    segment::SegmentView,
    settings::Weights,
    taken::Taken,
    word::Occurring,
};

/// Bytes that what is known of a generation's words may take: where their forms are, those of words, and readings of
/// texts.
const MOST_BYTES: [usize; 3] = [12 << 20, 12 << 20, 32 << 20];

/// And those that what texts took may.
const MOST_TAKEN: usize = 4 << 20;

/// Those that what words come to in one segment may take: so many, and more by document.
const MOST_WEIGHED: (usize, usize) = (1 << 20, 96);

/// And those that sets of the documents that have them may: 128 sets.
const MOST_SETS: (usize, usize) = (64 << 10, 16);

/// What an entry takes beside what it holds: its letters, and its place.
const ENTRY_BYTES: usize = 256;

/// The words that were asked of a generation.
pub(crate) struct Words {
    places: Bounded<Form, Arc<Places>>,
    known: Bounded<Arc<Asked>, Arc<Known>>,
    /// How whole texts were read, under which lexicon.
    readings: Arc<Bounded<Text<String>, Arc<Read>>>,
    /// What that took when they were asked last, in this generation or in one before it.
    taken: Arc<Bounded<Text<String>, Taken>>,
}

impl Default for Words {
    fn default() -> Self {
        let [places, known, readings] = MOST_BYTES;
        Self {
            places: Bounded::new(places),
            known: Bounded::new(known),
            readings: Arc::new(Bounded::new(readings)),
            taken: Arc::new(Bounded::new(MOST_TAKEN)),
        }
    }
}

/// A text, under a lexicon of this number.
#[derive(PartialEq, Eq, Hash)]
struct Text<T>(u64, T);

impl Equivalent<Text<String>> for Text<&str> {
    fn equivalent(&self, key: &Text<String>) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}

/// Where a form occurs.
pub(crate) struct Places {
    /// By segment.
    pub(crate) found: Vec<Arc<Here>>,
    /// In how many documents, by field.
    pub(crate) by_field: [u64; TextField::ALL.len()],
    /// Which longer words were chosen, where there are too many: 0 where there are not, and else equal for equal ones.
    chosen: u64,
    /// Whether nobody wrote to the files while it was looked up: only then it may be kept, and what is made of it.
    pub(crate) is_whole: bool,
}

/// What a word depends on, beside what is indexed. Floats as bits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Of the others, so that they are hashed once.
    hash: u64,
    /// Those that occur, what they are worth, and which longer words were chosen for what is only begun: that is decided
    /// over all segments, while what a word comes to is kept by each.
    pub(crate) forms: Vec<(Form, u32, u64)>,
    pub(crate) weights: [u32; TextField::ALL.len()],
}

impl Hash for Asked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Asked {
    pub(crate) fn new(occurring: &[Occurring], weights: &Weights) -> Self {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let form = |found: &Occurring| (found.form.clone(), found.worth.to_bits(), found.places.chosen);
        let forms: Vec<_> = occurring.iter().map(form).collect();
        let weights = TextField::ALL.map(|field| rank::weight(weights, field).to_bits());
        Self { hash: KEYS.hash_one((&forms, &weights)), forms, weights }
    }

    pub(crate) fn bytes(&self) -> usize {
        (self.forms.len() + 1) * ENTRY_BYTES
    }

    /// Whether the list of a segment's words says that it is not there.
    pub(crate) fn is_unlisted(&self, segment: &SegmentView) -> bool {
        self.forms.iter().all(|(form, ..)| form.is_unlisted(segment))
    }

    /// Whether it begins so many words that it is decided over all segments which of them count.
    pub(crate) fn is_chosen(&self) -> bool {
        self.forms.iter().any(|(.., chosen)| *chosen != 0)
    }
}

impl Places {
    pub(crate) fn new(found: Vec<Arc<Here>>, chosen: u64, is_whole: bool) -> Self {
        let mut by_field = [0; TextField::ALL.len()];
        for here in &found {
            by_field.iter_mut().zip(here.by_field).for_each(|(sum, documents)| *sum += documents);
        }
        Self { found, by_field, chosen, is_whole }
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.found.iter().map(|here| size_of::<Here>() + here.bytes()).sum::<usize>()
    }
}

impl Words {
    /// Those of the generation that follows: nothing of them is known yet but what texts took before; and how those are
    /// read, where the same documents are found by the same words.
    pub(crate) fn next(&self, is_worded_alike: bool) -> Self {
        let next = Self { taken: Arc::clone(&self.taken), ..Self::default() };
        if is_worded_alike { Self { readings: Arc::clone(&self.readings), ..next } } else { next }
    }

    /// Where a form occurs.
    pub(crate) fn places(&self, form: &Form, generation: &Generation) -> Result<Arc<Places>, Error> {
        if let Some(places) = self.places.get(form) {
            return Ok(places);
        }
        // Two may look it up at once, and nobody waits.
        let places = Arc::new(form.find(generation)?);
        if places.is_whole {
            self.places.keep(form.clone(), Arc::clone(&places), places.bytes());
        }
        Ok(places)
    }

    /// What is known of a word.
    pub(crate) fn known(&self, asked: &Asked) -> Option<Arc<Known>> {
        self.known.get(asked)
    }

    /// Keeps it for those who ask again.
    pub(crate) fn keep(&self, asked: &Arc<Asked>, known: &Arc<Known>) {
        self.known.keep(Arc::clone(asked), Arc::clone(known), asked.bytes() + known.bytes());
    }

    /// How a text was read under a lexicon, by those who see what shoppers see.
    pub(crate) fn reading(&self, lexicon: u64, text: &str) -> Option<Arc<Read>> {
        self.readings.get(&Text(lexicon, text))
    }

    /// What that took, in this generation or in one before it.
    pub(crate) fn taken(&self, lexicon: u64, text: &str) -> Option<Taken> {
        self.taken.get(&Text(lexicon, text))
    }

    /// Keeps how a text was read, and what that took, unless both is known of the generation, which is that of these words.
    pub(crate) fn keep_reading(
        &self,
        (lexicon, text): (u64, &str),
        read: &Arc<Read>,
        taken: Taken,
        generation: &Generation,
    ) {
        let before = self.taken(lexicon, text);
        let is_read = self.reading(lexicon, text).is_some_and(|read| read.is_of(generation));
        let is_known = is_read && before.as_ref().is_some_and(|before| before.is_of(generation));
        if is_known || !generation.is_whole() {
            return;
        }
        if !is_read {
            let read = read.kept();
            let bytes = ENTRY_BYTES * (2 + read.reading.read.len()) + text.len() + read.bytes();
            self.readings.keep(Text(lexicon, text.to_owned()), read, bytes);
        }
        // Who asks for more of the same text does not make it another one.
        let was_alone = before.is_some_and(|before| before.is_alone());
        let taken = if was_alone { taken.alone() } else { taken };
        let bytes = ENTRY_BYTES + text.len() + taken.bytes();
        self.taken.keep(Text(lexicon, text.to_owned()), taken, bytes);
    }
}

/// Which documents of a segment have a word, of those that many have: it never changes, so that this outlasts the
/// generation.
#[derive(Debug)]
pub(crate) struct Sets(Bounded<Arc<Asked>, Arc<Bits>>);

impl Sets {
    /// For a segment of so many documents.
    pub(crate) fn new(documents: u32) -> Self {
        let (least, by_document) = MOST_SETS;
        Self(Bounded::new(least + by_document * documents as usize))
    }

    /// The documents that have a word, if that is known.
    pub(crate) fn get(&self, asked: &Asked) -> Option<Arc<Bits>> {
        self.0.get(asked)
    }

    /// Keeps which documents have a word.
    pub(crate) fn keep(&self, asked: &Arc<Asked>, docs: &Arc<Bits>) {
        self.0.keep(Arc::clone(asked), Arc::clone(docs), asked.bytes() + docs.bound() as usize / 8);
    }
}

/// What words come to in one segment: it never changes, so that this outlasts the generation.
#[derive(Debug)]
pub(crate) struct Weighed(Bounded<Valued<Arc<Asked>>, Arc<About>>);

/// A word, and whether each of its forms is valued alike.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Valued<A>(A, bool);

impl Equivalent<Valued<Arc<Asked>>> for Valued<&Asked> {
    fn equivalent(&self, key: &Valued<Arc<Asked>>) -> bool {
        self.1 == key.1 && *self.0 == *key.0
    }
}

impl Weighed {
    /// For a segment of so many documents.
    pub(crate) fn new(documents: u32) -> Self {
        let (least, by_document) = MOST_WEIGHED;
        Self(Bounded::new(least + by_document * documents as usize))
    }

    /// What a word comes to, if that is known.
    pub(crate) fn get(&self, asked: &Asked, is_even: bool) -> Option<Arc<About>> {
        self.0.get(&Valued(asked, is_even))
    }

    /// Keeps what a word comes to. What would drive out most of the others is not kept.
    pub(crate) fn keep(&self, asked: &Arc<Asked>, is_even: bool, about: &Arc<About>) {
        let bytes = asked.bytes() + about.bytes();
        self.0.keep(Valued(Arc::clone(asked), is_even), Arc::clone(about), bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_by_how_it_is_valued() {
        let asked = |word: &str| {
            let forms = vec![(Form::Whole(word.to_owned()), 0, 0)];
            Arc::new(Asked { hash: word.len() as u64, forms, weights: [0; TextField::ALL.len()] })
        };
        let weighed = Weighed::new(0);
        let about = Arc::new(About::new(&Bits::all(7), |_| 1.0));
        weighed.keep(&asked("one"), false, &about);
        assert_eq!(weighed.get(&asked("one"), false).unwrap().len(), 7);
        assert!(weighed.get(&asked("one"), true).is_none(), "otherwise valued");
        assert!(weighed.get(&asked("two"), false).is_none(), "equally hashed");
    }
}
