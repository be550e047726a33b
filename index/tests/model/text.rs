//! How the model reads texts: words, stems, and what a shopper types. Good enough for the generator's signs.

use std::{collections::BTreeMap, ops::Range};

use duka_index::{AttributeValue, Document};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Words with their byte ranges.
pub(crate) fn words_at(text: &str) -> Vec<(String, Range<usize>)> {
    let mut words: Vec<(String, Range<usize>)> = Vec::new();
    let mut inside = false;
    for (at, sign) in text.char_indices() {
        let range = at..at + sign.len_utf8();
        let parts: String = if sign == '™' { " ".to_owned() } else { sign.nfkd().collect() };
        for part in parts.chars() {
            if is_combining_mark(part) || ('\u{200b}'..='\u{200d}').contains(&part) {
                continue;
            }
            if !part.is_alphanumeric() {
                if let Some((word, behind)) = words.last_mut().filter(|_| inside) {
                    let signs = signs_behind(word, &text[at..]);
                    word.push_str(&text[at..at + signs]);
                    behind.end = if signs > 0 { at + signs } else { behind.end };
                    inside = sign == '&' && signs > 0;
                }
                continue;
            }
            if !inside {
                words.push((String::new(), range.clone()));
            }
            inside = true;
            let last = words.len() - 1;
            let folded = part.to_lowercase().to_string().replace('ß', "ss").replace('ø', "o");
            words[last].0.push_str(&folded);
            words[last].1.end = range.end;
        }
    }
    words
}

/// How many signs behind a word belong to it: those of `C++`, of `C#` and of `AT&T`.
fn signs_behind(word: &str, text: &str) -> usize {
    let letters = word.replace('&', "");
    let Some(sign @ ('+' | '#' | '&')) = text.chars().next() else { return 0 };
    if !letters.chars().all(|letter| letter.is_ascii_alphabetic()) {
        return 0;
    }
    let run = text.chars().take_while(|next| *next == sign).count();
    let next = text[run..].chars().next();
    let is_end = next.is_none_or(|next| !next.is_alphanumeric());
    let part = text[1..].chars().take_while(|next| next.is_alphanumeric()).collect::<String>();
    let initials = [(1, 1), (1, 2), (2, 1)].contains(&(letters.len(), part.chars().count()));
    match sign {
        '+' if word.len() == 1 && run <= 3 && is_end => run,
        '#' if word.len() == 1 && run == 1 && is_end => 1,
        '&' if initials && part.starts_with(|letter: char| letter.is_ascii_alphabetic()) => 1,
        _ => 0,
    }
}

/// The inches that a text says in the word that ends at a place: how many, and where that begins and ends.
pub(crate) fn inches(text: &str, word: &Range<usize>) -> Option<(String, Range<usize>)> {
    let digits = text[word.start..].chars().take_while(char::is_ascii_digit).count();
    let (number, behind) = text[word.start..].split_at(digits);
    let glued = word.end > word.start + digits;
    let signs = ["\"", "″", "”", "''", "’’"].into_iter().find(|sign| behind.starts_with(sign)).map(str::len);
    let unit = signs.or_else(|| {
        let name = if glued { behind } else { behind.trim_start_matches([' ', '-', '\u{a0}']) };
        let letters: String = name.chars().take_while(|letter| letter.is_alphanumeric()).collect();
        let next = name[letters.len()..].trim_start_matches(['.', ' ', '\u{a0}']).chars().next();
        let is_two_in_one = next.is_some_and(|next| next.is_numeric() || next == '-');
        let is_unit = match letters.to_ascii_lowercase().as_str() {
            "inch" | "inches" => true,
            "in" => !is_two_in_one,
            _ => false,
        };
        (is_unit && (glued || name.len() < behind.len())).then_some(behind.len() - name.len() + letters.len())
    });
    let end = word.start + digits + unit.filter(|_| digits > 0)?;
    let before = &text[..word.start];
    let whole: String = match before.strip_suffix(['.', ',']) {
        Some(before) => before.chars().rev().take_while(char::is_ascii_digit).collect(),
        None => String::new(),
    };
    let start = word.start - if whole.is_empty() { 0 } else { whole.len() + 1 };
    if whole.is_empty() || text[..start].ends_with(char::is_alphanumeric) {
        return Some((number.to_owned(), word.start..end));
    }
    let whole: String = whole.chars().rev().collect();
    let value = format!("{whole}.{number}");
    Some((value.trim_end_matches('0').trim_end_matches('.').to_owned(), start..end))
}

/// What else documents hold, beside a word.
pub(crate) fn held_besides(text: &str, word: &str, range: &Range<usize>, is_prose: bool) -> Option<String> {
    if word.contains('&') {
        return Some(word.replace('&', ""));
    }
    if !is_prose {
        return None;
    }
    if word.starts_with(|sign: char| sign.is_ascii_digit()) {
        return inches(text, range).map(|(inches, _)| format!("~\"{inches}"));
    }
    Some(stem(word)).filter(|stem| stem != word).map(|stem| format!("~{stem}"))
}

pub(crate) fn words(text: &str) -> Vec<String> {
    words_at(text).into_iter().map(|(word, _)| word).collect()
}

/// The stem of a word, or the word.
pub(crate) fn stem(word: &str) -> String {
    if word.len() < 4 || word.bytes().any(|byte| !byte.is_ascii_lowercase()) {
        return word.to_owned();
    }
    frostem::Stemmer::new(frostem::Algorithm::English).stem(word).into_owned()
}

pub(crate) fn is_numeric(word: &str) -> bool {
    word.chars().any(char::is_numeric)
}

pub(crate) const FIELDS: [&str; 8] =
    ["head", "name", "brand", "sku", "category", "attributes", "variants", "description"];
pub(crate) const BRAND: usize = 2;
pub(crate) const SKU: usize = 3;

pub(crate) fn has_stems(field: usize) -> bool {
    field != BRAND && field != SKU
}

/// The texts of each field.
pub(crate) fn fields(document: &Document) -> [Vec<String>; 8] {
    let mut attributes: Vec<String> = Vec::new();
    for (name, value) in attribute_lists(document) {
        match value {
            AttributeValue::Bool(true) => attributes.push(name.clone()),
            AttributeValue::Bool(false) => {}
            AttributeValue::Number(value) => attributes.push(number(value)),
            AttributeValue::Text(value) => attributes.push(value.clone()),
            AttributeValue::List(values) => attributes.extend(values.iter().cloned()),
        }
    }
    attributes.sort();
    attributes.dedup();
    let others = document.variants.iter().map(|variant| variant.sku.clone());
    let skus = others.filter(|sku| *sku != document.sku);
    [
        vec![head(&document.name).to_owned()],
        vec![document.name.clone()],
        vec![document.brand.clone()],
        std::iter::once(document.sku.clone()).chain(skus).collect(),
        document.category.iter().map(|category| category.name.clone()).collect(),
        attributes,
        document.variants.iter().map(|variant| variant.name.clone()).collect(),
        vec![document.description.clone()],
    ]
}

pub(crate) fn attribute_lists(document: &Document) -> impl Iterator<Item = (&String, &AttributeValue)> {
    document.variants.iter().map(|variant| &variant.attributes).chain([&document.attributes]).flatten()
}

/// By attribute name, each value as filters know it.
pub(crate) fn attribute_texts(document: &Document) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (name, value) in attribute_lists(document) {
        let values = match value {
            AttributeValue::Bool(value) => vec![value.to_string()],
            AttributeValue::Number(value) => vec![number(value)],
            AttributeValue::Text(value) => vec![value.clone()],
            AttributeValue::List(values) => values.clone(),
        };
        texts.extend(values.into_iter().filter(|value| !value.is_empty()).map(|value| (name.clone(), value)));
    }
    texts.sort();
    texts.dedup();
    texts
}

/// 17 is 17.0.
fn number(number: &serde_json::Number) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn head(name: &str) -> &str {
    let behind = ["for", "with", "w", "fits", "compatible"];
    let end = words_at(name).into_iter().skip(1).find(|(word, _)| behind.contains(&word.as_str()));
    end.map_or(name, |(_, range)| &name[..range.start])
}

pub(crate) fn code(text: &str) -> String {
    let code = words(text).concat().replace('&', "");
    if is_trade_item_number(&code) { code.trim_start_matches('0').to_owned() } else { code }
}

fn is_trade_item_number(text: &str) -> bool {
    (8..=14).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(crate) fn codes(document: &Document) -> Vec<String> {
    let variants = document.variants.iter().map(|variant| code(&variant.sku));
    let numbers = attribute_texts(document).into_iter().map(|(_, value)| value);
    let numbers = numbers.filter(|value| is_trade_item_number(value)).map(|value| code(&value));
    let mut codes: Vec<String> = variants.chain([code(&document.sku)]).chain(numbers).collect();
    codes.retain(|code| !code.is_empty());
    codes
}

/// A name of a kind of thing, whatever its inflection; none for what is too long for one.
pub(crate) fn kind(text: &str) -> Option<String> {
    let stems: Vec<String> = words(text).iter().map(|word| stem(word)).collect();
    (1..=4).contains(&stems.len()).then(|| stems.join(" "))
}

/// What kind of thing a document is called.
pub(crate) fn kinds(document: &Document) -> Vec<String> {
    let types = ["type", "product_type", "product type", "kind"];
    let (types, others): (Vec<_>, Vec<_>) = attribute_texts(document)
        .into_iter()
        .partition(|(name, _)| types.contains(&name.to_ascii_lowercase().as_str()));
    let mut qualities = words(&document.brand);
    for (_, value) in others {
        let value = words(&value);
        qualities.extend(if value.len() <= 2 { value } else { Vec::new() });
    }
    let mut kinds: Vec<String> = types.into_iter().filter_map(|(_, value)| kind(&value)).collect();
    let is_tagline = words(&document.description).len() <= 12;
    for text in [Some(&document.name), is_tagline.then_some(&document.description)].into_iter().flatten() {
        let beginning = head(text).split([',', '(', ';', '|']).next().unwrap_or_default();
        let mut called = words(beginning);
        while called
            .last()
            .is_some_and(|word| word.len() <= 2 || is_numeric(word) || qualities.contains(word))
        {
            called.pop();
        }
        let nouns = (1..=called.len().min(3)).map(|count| called[called.len() - count..].join(" "));
        kinds.extend(nouns.filter_map(|text| kind(&text)));
    }
    kinds
}

/// One thing that is asked for: a word, or words in quotation marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Word(String),
    Phrase(Vec<String>),
    Inches(String),
}

/// What a shopper typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    /// Each with the number of the run of signs without a space that it stands in.
    pub(crate) asked: Vec<(Asked, usize)>,
    pub(crate) excluded: Vec<Vec<String>>,
    pub(crate) begun: bool,
    /// What was said before, where it is said at the end again.
    pub(crate) again: Option<usize>,
}

pub(crate) fn typed(text: &str) -> Typed {
    let mut typed = Typed::default();
    let mut left = 32;
    let signs: Vec<char> = text.chars().collect();
    let (mut at, mut run) = (0, 0);
    while at < signs.len() {
        if signs[at].is_whitespace() {
            at += 1;
            continue;
        }
        run += 1;
        let next = signs.get(at + 1).copied().unwrap_or(' ');
        let unwanted = signs[at] == '-' && (next.is_alphanumeric() || "\"“„«".contains(next));
        at += usize::from(unwanted);
        let is_end = |at: &usize| signs.get(*at).is_none_or(|sign| sign.is_whitespace());
        let closing = |sign: char| match signs[at] {
            '"' => sign == '"',
            '“' => sign == '”',
            '„' => sign == '”' || sign == '“',
            '«' => sign == '»',
            _ => false,
        };
        let close = (at + 1..signs.len()).find(|place| closing(signs[*place]) && is_end(&(place + 1)));
        let close = close.filter(|_| !is_end(&(at + 1)));
        let end = close.unwrap_or_else(|| (at..).find(is_end).unwrap_or(signs.len()));
        let said: String = signs[at + usize::from(close.is_some())..end].iter().collect();
        let mut found: Vec<Asked> = words(&said).into_iter().map(Asked::Word).collect();
        let start = at;
        at = end + usize::from(close.is_some());
        if !unwanted && close.is_none() {
            let rest: String = signs[start..].iter().collect();
            let passed;
            (found, passed) = with_sizes(&rest, said.len());
            at = at.max(start + rest[..passed].chars().count());
        }
        if found.is_empty() {
            continue;
        }
        let is_cut = found.len() > left;
        found.truncate(left);
        left -= found.len();
        let is_beginning = match found.last() {
            Some(Asked::Word(last)) => {
                let is_tail = found.len() > 1 && last.chars().count() < 3 && !is_numeric(last);
                !is_tail && !is_signed(last)
            }
            _ => false,
        };
        typed.begun = !is_cut && !unwanted && close.is_none() && is_beginning;
        typed.again = None;
        let plain = |found: Vec<Asked>| -> Vec<String> {
            let word =
                |asked| if let Asked::Word(word) = asked { word } else { unreachable!("it has no sizes") };
            found.into_iter().map(word).collect()
        };
        match (unwanted, close) {
            _ if found.is_empty() => {}
            (true, _) => typed.excluded.push(plain(found)),
            (false, Some(_)) => typed.asked.push((Asked::Phrase(plain(found)), run)),
            (false, None) => {
                let last = found.last().cloned();
                for word in found {
                    if !typed.asked.iter().any(|(asked, _)| *asked == word) {
                        typed.asked.push((word, run));
                    }
                }
                let place = typed.asked.iter().rposition(|(asked, _)| Some(asked) == last.as_ref());
                typed.again = place.filter(|place| *place < typed.asked.len() - 1);
                typed.begun &= typed.again.is_none();
            }
        }
        if is_cut {
            break;
        }
    }
    typed
}

/// The words of what stands before a place, numbers of inches as one; and where the last of those ends.
fn with_sizes(text: &str, end: usize) -> (Vec<Asked>, usize) {
    let words = words_at(&text[..end]);
    let sizes: Vec<(String, Range<usize>)> = words
        .iter()
        .filter_map(|(_, range)| inches(text, range).filter(|_| is_numeric(&text[range.clone()])))
        .collect();
    let mut asked: Vec<(usize, Asked)> = Vec::new();
    for (word, range) in words {
        if !sizes.iter().any(|(_, size)| size.start <= range.start && range.start < size.end) {
            asked.push((range.start, Asked::Word(word)));
        }
    }
    asked.extend(sizes.iter().map(|(size, range)| (range.start, Asked::Inches(size.clone()))));
    asked.sort_by_key(|(start, _)| *start);
    let passed = sizes.iter().map(|(_, range)| range.end).max().unwrap_or(0);
    (asked.into_iter().map(|(_, asked)| asked).collect(), passed)
}

pub(crate) fn is_signed(word: &str) -> bool {
    word.chars().any(|sign| "&+#".contains(sign))
}

impl Typed {
    /// The word at a place; none for a phrase.
    pub(crate) fn word(&self, place: usize) -> Option<&String> {
        match &self.asked.get(place)?.0 {
            Asked::Word(word) => Some(word),
            Asked::Phrase(_) | Asked::Inches(_) => None,
        }
    }
}

/// Which phrase finds which, in the order of the rules.
pub(crate) type Synonyms = BTreeMap<String, Vec<Vec<String>>>;

/// Phrases that are spelt alike but for blanks and endings share it.
pub(crate) fn spelling(words: &[String]) -> String {
    words.iter().fold(String::new(), |spelt, word| spelt + &stem(word))
}

/// The least number of edits (a letter more, less, another, or two neighbours swapped) between two words.
pub(crate) fn edits(one: &[char], other: &[char]) -> usize {
    let mut rows = vec![vec![0; other.len() + 1]; one.len() + 1];
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            if i == 0 || j == 0 {
                rows[i][j] = i + j;
                continue;
            }
            let changed = usize::from(one[i - 1] != other[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[one.len()][other.len()]
}
