//! Questions by the words in which they were asked: whoever asks in the same words again asks the same, and need not be
//! read again.
//!
//! What words mean must not depend on anything but themselves here: neither on who asks nor on when.

use std::{hash::RandomState, sync::Arc};

use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle},
};

use super::Question;

/// Longer ones are rarely asked twice.
const LONGEST: usize = 1024;
/// All that is kept, in bytes: some twenty thousand spellings.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes that an entry takes beside its text.
const ENTRY_BYTES: usize = 160;
/// Bytes that most entries take, about: so many are prepared for.
const TYPICAL_BYTES: u64 = 256;

/// Remembers which question a text has asked.
pub struct Spellings(Option<Cache<Arc<str>, Question, Bytes, RandomState>>);

/// Weighs texts by what they take.
#[derive(Clone)]
struct Bytes;

impl Weighter<Arc<str>, Question> for Bytes {
    fn weight(&self, text: &Arc<str>, _: &Question) -> u64 {
        (text.len() + ENTRY_BYTES) as u64
    }
}

impl Spellings {
    /// With room, or, where answers are not kept either, without.
    pub fn new(is_kept: bool) -> Self {
        let typical = usize::try_from(MOST_BYTES / TYPICAL_BYTES).unwrap_or(usize::MAX);
        // Clients choose what is hashed: none may find texts that collide.
        let hasher = RandomState::new();
        Self(is_kept.then(|| Cache::with(typical, MOST_BYTES, Bytes, hasher, DefaultLifecycle::default())))
    }

    /// The question that the text has asked before.
    pub fn get(&self, text: &str) -> Option<Question> {
        if text.len() > LONGEST {
            return None;
        }
        self.0.as_ref()?.get(text)
    }

    /// Remembers what the text asks.
    pub fn keep(&self, text: &str, question: Question) {
        let Some(spellings) = &self.0 else { return };
        if text.len() <= LONGEST && !spellings.contains_key(text) {
            spellings.insert(text.into(), question);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_question_that_it_asked() {
        let (one, other) = (Question::new(&1).unwrap(), Question::new(&2).unwrap());
        let spellings = Spellings::new(true);
        assert_eq!(spellings.get("q=1"), None);
        spellings.keep("q=1", one);
        spellings.keep("q=2", other);
        assert_eq!(
            [spellings.get("q=1"), spellings.get("q=2"), spellings.get("q=%31")],
            [Some(one), Some(other), None]
        );
    }

    #[test]
    fn nothing_long_is_kept_nor_anything_where_answers_are_not() {
        let question = Question::new(&1).unwrap();
        let (long, spellings) = ("x".repeat(LONGEST + 1), Spellings::new(true));
        spellings.keep(&long, question);
        spellings.keep(&long[1..], question);
        assert_eq!([spellings.get(&long), spellings.get(&long[1..])], [None, Some(question)]);
        let spellings = Spellings::new(false);
        spellings.keep("q=1", question);
        assert_eq!(spellings.get("q=1"), None);
    }
}
