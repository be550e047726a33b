//! A text as it was read, for whoever asked, for those who ask again, and to see: what is shown is read in the same way
//! again.

use std::{borrow::Cow, sync::Arc};

use super::{Answer, TextMatches, TextReader};
use crate::{cursor::Reading, parse::Asked, read::Read, taken::Taken, text};

impl TextReader<'_> {
    /// What is asked for at a place, as somebody would type it.
    fn shown(&self, place: usize) -> Cow<'_, str> {
        match (&self.parsed.asked[place], self.word(place)) {
            (_, Some(word)) => Cow::Borrowed(word),
            (Asked::Word(word), None) => Cow::Borrowed(word),
            (Asked::Phrase(words), None) => Cow::Owned(format!("\"{}\"", words.join(" "))),
            (Asked::Size(inches), None) => Cow::Owned(format!("{inches}\"")),
        }
    }

    /// The text as it was read, so written that it is read in the same way again: what was written without a space
    /// stays together, and what is not wanted stands where it leaves the last word the last, or not.
    fn text(&self) -> String {
        let mut text = String::new();
        let mut before = None;
        for place in (0..self.words.len()).filter(|&place| !self.dropped[place]) {
            let chunk = Some(self.parsed.chunks[place]);
            if self.word(place).is_some_and(text::is_unit) && text.ends_with(|c: char| c.is_ascii_digit()) {
                // It was not typed as a size, and is none.
                text.push(',');
            }
            text.push_str(if chunk == before { "-" } else { " " });
            before = chunk;
            text.push_str(&self.shown(place));
        }
        let is_kept = |place: &usize| self.parsed.excluded.is_empty() && !self.dropped[*place];
        if let Some(repeated) = self.parsed.repeated.filter(is_kept) {
            text.push_str(&format!(" {}", self.shown(repeated)));
        }
        let excluded = self.parsed.excluded.iter().map(|words| match words.as_slice() {
            [word] => format!("-{word}"),
            words => format!("-\"{}\"", words.join(" ")),
        });
        let excluded = excluded.collect::<Vec<_>>().join(" ");
        let text = if self.parsed.begun { format!("{excluded}{text}") } else { format!("{text} {excluded}") };
        text.trim().to_owned()
    }

    /// The answer, by segment; whether anything was found.
    pub(crate) fn finish(self, matches: Vec<TextMatches>, is_found: bool) -> Answer {
        let changed = self.is_changed() || self.parsed.is_cut;
        let is_meant = |place: &usize| !self.optional[*place] || self.dropped[*place];
        let forms = (0..self.words.len()).filter(is_meant).flat_map(|place| {
            let worths = self.words[place].worths.clone();
            self.forms(place).into_iter().zip(worths).filter(|(_, worth)| *worth != 0.0)
        });
        Answer {
            taken: Taken::by(&self, is_found),
            corrected: (changed && is_found).then(|| self.text()),
            forms: forms.map(|((form, _), worth)| if worth < 0.0 { form.as_it_is() } else { form }).collect(),
            read: self.into_read(),
            matches,
        }
    }

    fn into_read(self) -> Arc<Read> {
        if let Some(read) = self.read_before {
            return read;
        }
        let bits = |worths: &Vec<f32>| worths.iter().map(|worth| worth.to_bits()).collect();
        let reading = Reading {
            worths: self.words.iter().map(|word| bits(&word.worths)).collect(),
            pairs: self.pairs.iter().map(|pair| pair.worth.to_bits()).collect(),
            read: self.read,
            optional: self.optional,
            dropped: self.dropped,
        };
        Arc::new(Read::new(reading, self.words, self.pairs, self.generation))
    }
}
