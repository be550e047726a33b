//! What a shopper typed, taken apart: words, quoted phrases, and what is not wanted.
//!
//! The only signs with a meaning are quotation marks around a phrase and a minus before a word or phrase, both
//! only where a word begins, so that `27"` is a size and `usb-c` one thing. Nothing is ever a syntax error:
//! brackets, colons, operators and marks without a partner just separate words. A number with its unit of inches is one
//! thing, however it is written.

use crate::text;

/// Words of a query beyond these are left out, which is said: a shopper never types more, and each costs a look-up in
/// every field of every segment.
pub(crate) const MAX_WORDS: usize = 32;

/// Letters of a compound's last part from which on it may be the beginning of a longer one.
const MIN_TAIL: usize = 3;

/// Signs of a stock keeping unit from which on it is found by its beginning.
const MIN_CODE_BEGUN: usize = 4;

/// A query's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// What is asked for, in order.
    pub(crate) asked: Vec<Asked>,
    /// By thing asked for, which run of signs without a space it comes from, counted from 0.
    pub(crate) chunks: Vec<usize>,
    /// Phrases of one word or more that must not occur.
    pub(crate) excluded: Vec<Vec<String>>,
    /// Whether the last of `asked` is a word that may be the beginning of a longer one: nothing stands behind it.
    pub(crate) begun: bool,
    /// Where that stands which was said once more at the end, so that it is no beginning.
    pub(crate) repeated: Option<usize>,
    /// The whole text as a code.
    pub(crate) code: String,
    /// Whether there were more words than are read.
    pub(crate) is_cut: bool,
}

/// One thing that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A word, in whatever form.
    Word(String),
    /// Words that must stand side by side, as they are.
    Phrase(Vec<String>),
    /// So many inches, as digits.
    Size(String),
}

/// Takes a text apart.
pub(crate) fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed { code: text::whole_code(text), ..Parsed::default() };
    let mut left = MAX_WORDS;
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            // A number of inches is no number of an article.
            let is_sized = parsed.asked.iter().any(|asked| matches!(asked, Asked::Size(_)));
            if is_sized && parsed.code.bytes().all(|byte| byte.is_ascii_digit()) {
                parsed.code.clear();
            }
            return parsed;
        }
        let unwanted = rest.strip_prefix('-').filter(|behind| behind.starts_with(is_beginning));
        let chunk = unwanted.unwrap_or(rest);
        let (mut said, behind) = match quoted(chunk) {
            Some((inside, behind)) => (Said::Phrase(text::read(inside)), behind),
            None => {
                let end = chunk.find(char::is_whitespace).unwrap_or(chunk.len());
                match unwanted {
                    Some(_) => (Said::Phrase(text::read(&chunk[..end])), &chunk[end..]),
                    None => said(chunk, end),
                }
            }
        };
        rest = behind;
        if said.len() == 0 {
            continue;
        }
        parsed.is_cut = said.len() > left;
        said.truncate(left);
        left -= said.len();
        if said.len() > 0 {
            parsed.take(said, unwanted.is_some());
        }
        if parsed.is_cut {
            // What is said to have been read is then read in the same way again, its last word too.
            return parsed;
        }
    }
}

/// What stands between two blanks, or in quotation marks.
enum Said {
    Phrase(Vec<String>),
    Words(Vec<Asked>),
}

impl Said {
    fn len(&self) -> usize {
        match self {
            Self::Phrase(words) => words.len(),
            Self::Words(words) => words.len(),
        }
    }

    fn truncate(&mut self, most: usize) {
        match self {
            Self::Phrase(words) => words.truncate(most),
            Self::Words(words) => words.truncate(most),
        }
    }
}

/// The words and sizes of a text up to a blank, and what comes behind: a size's unit may stand behind the blank.
fn said(text: &str, end: usize) -> (Said, &str) {
    let mut said = Vec::new();
    let mut behind = end;
    let mut passed = 0;
    for (word, range) in text::read_with_ranges(&text[..end]) {
        if range.start < passed {
            continue;
        }
        match text::size_at(text, range) {
            Some(size) => {
                said.truncate(said.len().saturating_sub(size.before));
                said.push(Asked::Size(size.inches));
                passed = size.end;
                behind = behind.max(size.end);
            }
            None => said.push(Asked::Word(word)),
        }
    }
    (Said::Words(said), &text[behind..])
}

impl Parsed {
    fn take(&mut self, said: Said, unwanted: bool) {
        (self.begun, self.repeated) = (false, None);
        match said {
            said if said.len() == 0 => {}
            Said::Phrase(words) if unwanted => self.excluded.push(words),
            Said::Phrase(words) => self.asked.push(Asked::Phrase(words)),
            Said::Words(words) => {
                let is_beginning = match words.as_slice() {
                    [Asked::Word(word)] => !text::is_signed(word),
                    [.., Asked::Word(last)] => !text::is_signed(last) && !is_short_tail(last),
                    _ => false,
                };
                let last = words.last().cloned();
                // Said twice is asked for once.
                for word in words {
                    if !self.asked.contains(&word) {
                        self.asked.push(word);
                    }
                }
                // A last word that was said before stands elsewhere.
                let place = self.asked.iter().position(|asked| Some(asked) == last.as_ref());
                self.repeated = place.filter(|place| place + 1 < self.asked.len());
                self.begun = is_beginning && self.repeated.is_none();
            }
        }
        let chunk = self.chunks.last().map_or(0, |last| last + 1);
        self.chunks.resize(self.asked.len(), chunk);
    }

    /// Whether a word would be the beginning of a longer one if nothing stood behind it.
    pub(crate) fn may_be_begun(&self, place: usize, word: &str) -> bool {
        let is_tail = place > 0 && self.chunks[place - 1] == self.chunks[place] && is_short_tail(word);
        (self.excluded.is_empty() || self.begun) && !is_tail && !text::is_signed(word)
    }

    /// The beginning of a code that was not written in full: what stands in one piece, but with signs in it. What is one
    /// word is looked for as a beginning anyway.
    pub(crate) fn code_begun(&self) -> Option<&str> {
        let is_piece = self.chunks.len() > 1 && self.chunks.iter().all(|chunk| *chunk == self.chunks[0]);
        let is_word = self.asked.iter().all(|asked| matches!(asked, Asked::Word(_)));
        let is_long = self.code.len() >= MIN_CODE_BEGUN;
        (is_piece && is_word && is_long && self.excluded.is_empty()).then_some(self.code.as_str())
    }

    /// Whether it asks for nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.excluded.is_empty()
    }
}

/// What stands between quotation marks, the first of which begins the chunk and the last of which ends one, and
/// what comes behind.
fn quoted(chunk: &str) -> Option<(&str, &str)> {
    let (open, inside) = chunk.split_at_checked(chunk.chars().next()?.len_utf8())?;
    let close = match open {
        "\"" => '"',
        "“" | "„" => '”',
        "«" => '»',
        _ => return None,
    };
    if inside.starts_with(char::is_whitespace) {
        return None;
    }
    let ends = inside.char_indices().filter(|(_, c)| *c == close || (open == "„" && *c == '“'));
    let end = ends.map(|(at, c)| (at, at + c.len_utf8()));
    let (end, behind) = end
        .into_iter()
        .find(|(_, behind)| inside[*behind..].chars().next().is_none_or(char::is_whitespace))?;
    Some((&inside[..end], &inside[behind..]))
}

/// The `c` of `usb-c` is no beginning.
fn is_short_tail(word: &str) -> bool {
    word.chars().count() < MIN_TAIL && !word.contains(char::is_numeric)
}

fn is_beginning(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '"' | '“' | '„' | '«')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let parsed = parse(text);
        let asked = parsed.asked.iter().map(|asked| match asked {
            Asked::Word(word) => word.clone(),
            Asked::Phrase(words) => format!("[{}]", words.join(" ")),
            Asked::Size(inches) => format!("{inches}\""),
        });
        let excluded = parsed.excluded.iter().map(|words| format!("-{}", words.join("+")));
        let all: Vec<String> = asked.chain(excluded).collect();
        all.join(" ") + if parsed.begun { "*" } else { "" }
    }

    #[test]
    fn words_phrases_and_what_is_unwanted() {
        assert_eq!(shown("Red  SHOE"), "red shoe*");
        assert_eq!(shown("\"red shoe\" size"), "[red shoe] size*");
        assert_eq!(shown("shoe -red"), "shoe -red");
        assert_eq!(shown("shoe -\"dark red\" -usb-c"), "shoe -dark+red -usb+c");
        assert_eq!(shown("“red shoe”"), "[red shoe]");
        assert_eq!(shown("-red"), "-red");
        assert_eq!(shown("\"red\""), "[red]");
        assert_eq!(shown("red shoe red"), "red shoe");
        assert_eq!(shown("shoe shoe"), "shoe*");
    }

    #[test]
    fn signs_elsewhere_only_separate() {
        assert_eq!(shown("usb-c"), "usb c");
        assert_eq!(shown("usb-cab"), "usb cab*");
        assert_eq!(
            (shown("C++"), shown("write C#"), shown("at&t")),
            ("c++".into(), "write c#".into(), "at&t".into())
        );
        assert_eq!(shown("a - b"), "a b*");
        assert_eq!(shown("--red"), "red*");
        assert_eq!(shown("\"red shoe"), "red shoe*");
        assert_eq!(shown("name:(red OR blue)^2 [a TO b] *"), "name red or blue 2 a to b*");
        assert_eq!(shown(".*[a-z]+\\w{2}"), "a z w 2*");
        assert!(parse("!? -- \" \"").is_empty());
    }

    #[test]
    fn a_number_of_inches_is_one_thing() {
        for text in
            ["27\" monitor 24\"", "27 inch monitor 24in", "27-inch monitor 24-inches", "27 in monitor 24″"]
        {
            assert_eq!(shown(text), "27\" monitor 24\"", "{text}");
        }
        assert_eq!(shown("27\"-monitor"), "27\" monitor*");
        assert_eq!(shown("sony 15.6\" lap"), "sony 15.6\" lap*");
        assert_eq!(shown("27\" 27 inch 27"), "27\" 27*");
        assert_eq!(shown("2 in 1 laptop"), "2 in 1 laptop*");
        assert_eq!(shown("\"27 inch\" -27 inch"), "[27 inch] inch -27*");
        assert_eq!([parse("27\"").code, parse("27 inch").code, parse("27").code], ["", "27inch", "27"]);
    }

    #[test]
    fn a_code_is_begun_where_it_is_in_one_piece() {
        let begun = |text| parse(text).code_begun().map(str::to_owned);
        assert_eq!(begun("ZQ-PS"), Some("zqps".to_owned()));
        assert_eq!(begun("zq/ps-1"), Some("zqps1".to_owned()));
        for text in ["zqps", "zq ps", "z-q", "zq-ps -x", "\"zq-ps\"", "zq-27\"", "-zq-ps"] {
            assert_eq!(begun(text), None, "{text}");
        }
    }

    #[test]
    fn a_query_is_capped() {
        let letter = |i: u8| char::from(b'a' + i);
        let long: String = (0..40).map(|i| format!("w{}{} ", letter(i / 10), letter(i % 10))).collect();
        let parsed = parse(&long);
        assert_eq!((parsed.asked.len(), parsed.begun, parsed.is_cut), (MAX_WORDS, true, true));
        assert!(!parse(&long[..4 * MAX_WORDS]).is_cut);
    }
}
