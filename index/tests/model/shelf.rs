//! A catalog, read: where each word stands, and what a word in all its forms finds there.

use std::collections::{BTreeMap, BTreeSet};

use duka_index::{Document, Settings, Synonym, Weights};

use crate::text::{
    self, BRAND, FIELDS, SKU, Synonyms, edits, has_stems, held_besides, is_numeric, stem, words_at,
};

/// A document as texts: by field, the words of each text.
pub(crate) struct Item<'a> {
    pub(crate) document: &'a Document,
    fields: Vec<Vec<Vec<String>>>,
    /// By field, what its length leaves of a word.
    left: Vec<f32>,
    pub(crate) codes: Vec<String>,
    pub(crate) kinds: Vec<String>,
}

pub(crate) struct Shelf<'a> {
    pub(crate) items: Vec<Item<'a>>,
    /// By field and word, how often it stands in which item. Stems of inflected words stand apart, marked `~`.
    index: Vec<BTreeMap<String, BTreeMap<usize, f32>>>,
}

/// How queries are read: the settings, as the model uses them.
pub(crate) struct Rules {
    pub(crate) stop_words: Vec<String>,
    pub(crate) synonyms: Synonyms,
    pub(crate) weights: Weights,
    /// Words of phrases that find others.
    pub(crate) vocabulary: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    Whole(String),
    Stem(String),
    Apart(String),
    Phrase(Vec<String>),
    Begun(String),
    Inches(String),
}

/// Where a form was found: the field, and how often it stands in which item.
type Found = Vec<(usize, BTreeMap<usize, f32>)>;

/// A word in all its forms, as it was found.
#[derive(Default)]
pub(crate) struct Word {
    pub(crate) forms: Vec<Form>,
    pub(crate) documents: usize,
    pub(crate) worth: f32,
    /// Whether it is mostly a brand; whether it is mostly a brand or in a stock keeping unit.
    pub(crate) is_brand: bool,
    pub(crate) is_given: bool,
    /// By item, how much it is about the word.
    /// By item and field.
    pub(crate) about: BTreeMap<usize, [f32; FIELDS.len()]>,
}

impl Rules {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut synonyms = Synonyms::new();
        let mut vocabulary = BTreeSet::new();
        for rule in &settings.synonyms {
            let pairs: Vec<(&String, &String)> = match rule {
                Synonym::TwoWay { phrases } => {
                    phrases.iter().flat_map(|from| phrases.iter().map(move |to| (from, to))).collect()
                }
                Synonym::OneWay { from, to } => to.iter().map(|to| (from, to)).collect(),
            };
            for (from, to) in pairs {
                let (from, to) = (text::words(from), text::words(to));
                let known = synonyms.entry(text::spelling(&from)).or_default();
                if from != to && !known.contains(&to) {
                    vocabulary.extend(from.iter().cloned());
                    known.push(to);
                }
            }
        }
        let stop_words = settings.stop_words.iter().flat_map(|word| text::words(word)).collect();
        Self { stop_words, synonyms, weights: settings.weights, vocabulary }
    }
}

/// A form and its stem, worth a factor together; what English does not inflect is just itself.
pub(crate) fn either(word: &str, factor: f32) -> Vec<(Form, f32)> {
    let stem = 0.85_f32;
    if !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return vec![(Form::Whole(word.to_owned()), factor)];
    }
    vec![(Form::Whole(word.to_owned()), factor * (1.0 - stem)), (Form::Stem(word.to_owned()), factor * stem)]
}

/// Where a word can be two.
pub(crate) fn cuts(word: &str) -> Vec<(String, String)> {
    let letters: Vec<char> = word.chars().collect();
    let parts = (1..letters.len()).map(|at| letters.split_at(at));
    let fit = parts.filter(|(head, tail)| {
        let (before, behind) = (head[head.len() - 1].is_numeric(), tail[0].is_numeric());
        let initial = head.len() == 1 && head[0].is_ascii() && !"ai".contains(head[0]);
        let long = head.len() >= 2 && tail.len() >= 2;
        let last = tail.len() == 1 && tail[0].is_ascii() && !"ai".contains(tail[0]);
        before != behind || (!before && (long || (initial && tail.len() >= 3) || (last && head.len() >= 3)))
    });
    fit.map(|(head, tail)| (head.iter().collect(), tail.iter().collect())).collect()
}

impl<'a> Shelf<'a> {
    pub(crate) fn new<'b: 'a>(catalog: impl Iterator<Item = &'b Document>) -> Self {
        let mut shelf = Self { items: Vec::new(), index: vec![BTreeMap::new(); FIELDS.len()] };
        for (number, document) in catalog.enumerate() {
            let fields: Vec<Vec<Vec<String>>> = text::fields(document)
                .iter()
                .map(|texts| texts.iter().map(|text| text::words(text)).collect())
                .collect();
            let mut left = Vec::new();
            for (field, texts) in text::fields(document).iter().enumerate() {
                let length = fields[field].iter().flatten().count().min(255);
                let words =
                    texts.iter().flat_map(|text| words_at(text).into_iter().map(move |word| (text, word)));
                for (text, (word, range)) in words {
                    let mut add = |term: String| {
                        *shelf.index[field].entry(term).or_default().entry(number).or_default() += 1.0;
                    };
                    held_besides(text, &word, &range, has_stems(field)).into_iter().for_each(&mut add);
                    add(word);
                }
                let half = [5.0, 6.0, f32::INFINITY, f32::INFINITY, f32::INFINITY, 12.0, 12.0, 20.0][field];
                left.push(1.0 / (1.0 + length as f32 / half));
            }
            let (codes, kinds) = (text::codes(document), text::kinds(document));
            shelf.items.push(Item { document, fields, left, codes, kinds });
        }
        shelf
    }

    fn term(&self, field: usize, term: &str, found: &mut Found) {
        if let Some(items) = self.index[field].get(term) {
            found.push((field, items.clone()));
        }
    }

    fn side_by_side(&self, field: usize, words: &[String], fits_last: impl Fn(&str) -> bool) -> Found {
        let holds = |item: &Item<'_>| {
            item.fields[field].iter().any(|text| {
                text.windows(words.len()).any(|window| {
                    let last = words.len() - 1;
                    window[..last] == words[..last] && fits_last(&window[last])
                })
            })
        };
        let begins = self.index[field].get(&words[0]);
        let items = begins.into_iter().flat_map(BTreeMap::keys).filter(|item| holds(&self.items[**item]));
        let items: BTreeMap<usize, f32> = items.map(|item| (*item, 1.0)).collect();
        if items.is_empty() { Vec::new() } else { vec![(field, items)] }
    }

    /// The items of a form, by field.
    pub(crate) fn find(&self, form: &Form) -> Found {
        let mut found = Vec::new();
        for field in 0..FIELDS.len() {
            match form {
                Form::Stem(word) if has_stems(field) => {
                    self.term(field, &stem(word), &mut found);
                    self.term(field, &format!("~{}", stem(word)), &mut found);
                }
                Form::Whole(word) | Form::Stem(word) => self.term(field, word, &mut found),
                Form::Inches(inches) => self.term(field, &format!("~\"{inches}"), &mut found),
                Form::Phrase(words) if words.len() == 1 => self.term(field, &words[0], &mut found),
                Form::Phrase(words) => {
                    found.extend(self.side_by_side(field, words, |last| last == words[words.len() - 1]));
                }
                // Attributes, variants and description.
                Form::Begun(word) if word.len() == 1 && field >= 5 => {}
                Form::Begun(word) => {
                    let longer =
                        self.index[field].range(word.clone()..).skip_while(|(term, _)| *term == word);
                    let longer = longer.take_while(|(term, _)| term.starts_with(word.as_str()));
                    found.extend(longer.map(|(_, items)| (field, items.clone())));
                }
                Form::Apart(word) => found.extend(self.apart(field, word)),
            }
        }
        found
    }

    /// The second part in all forms: as it is, by its stem as a word, by its stem.
    fn apart(&self, field: usize, word: &str) -> Found {
        let mut found = Vec::new();
        for (head, tail) in cuts(word) {
            let parts = [head, tail.clone()];
            found.extend(self.side_by_side(field, &parts, |last| last == tail));
            if has_stems(field) {
                let root = stem(&tail);
                if root != tail {
                    found.extend(self.side_by_side(field, &parts, |last| last == root));
                }
                let inflected = |last: &str| stem(last) == root && last != root;
                found.extend(self.side_by_side(field, &parts, inflected));
            }
        }
        found
    }

    /// A word in all its forms, each with a factor; and its worth, if that is known.
    pub(crate) fn word(&self, forms: &[(Form, f32)], worth: Option<f32>, weights: &Weights) -> Word {
        let weight = [
            weights.name * 2.0 / 3.0,
            weights.name / 3.0,
            weights.brand,
            weights.sku,
            weights.category,
            weights.attributes,
            weights.variants,
            weights.description,
        ];
        let mut word = Word::default();
        let (mut common, mut is_name) = (0, false);
        let mut before = 0.0;
        let (mut itself, mut begun) = (BTreeMap::new(), BTreeMap::new());
        for (form, factor) in forms {
            let form = match form {
                Form::Stem(word) if is_name => Form::Whole(word.clone()),
                form => form.clone(),
            };
            let found = self.find(&form);
            let mut by_field = [0; FIELDS.len()];
            found.iter().for_each(|(field, items)| by_field[*field] += items.len());
            let commonest = by_field.iter().copied().max().unwrap_or(0);
            common = if matches!(form, Form::Begun(_)) { common + commonest } else { common.max(commonest) };
            if word.forms.is_empty() {
                let mostly = |field: usize| commonest > 0 && by_field[field] * 2 >= commonest;
                let is_whole = matches!(form, Form::Whole(_));
                word.is_brand = is_whole && mostly(BRAND);
                word.is_given = is_whole && (mostly(BRAND) || mostly(SKU));
            }
            // Not what was a stem until just now.
            if matches!(forms[word.forms.len()].0, Form::Whole(_)) {
                is_name = by_field[BRAND] * 2 >= commonest && commonest > 0;
            }
            let here = worth.unwrap_or_else(|| {
                if found.is_empty() { 0.0 } else { factor * rarity(common, self.items.len()) }
            });
            // A word and its stem are one form.
            let together = match (
                word.forms.len().checked_sub(1).map(|last| &forms[last].0),
                &forms[word.forms.len()].0,
            ) {
                (Some(Form::Whole(whole)), Form::Stem(stem)) if whole == stem => here + before,
                _ => here,
            };
            before = here;
            word.worth = word.worth.max(together);
            for (field, items) in &found {
                word.documents += items.len();
                let said = if matches!(form, Form::Begun(_)) { &mut begun } else { &mut itself };
                for (item, times) in items {
                    let saying = 1.0 + 0.9 * times.ln();
                    // The head of a name is in the name.
                    *said.entry((*item, (*field).max(1))).or_insert(0.0) +=
                        here * weight[*field] * saying * self.items[*item].left[*field];
                }
            }
            word.forms.push(form);
            if found.is_empty() {
                // Kept for its place; it marks nothing.
                *word.forms.last_mut().unwrap() = Form::Phrase(Vec::new());
            }
        }
        // What is only begun counts where the word itself does not stand.
        begun.extend(itself);
        for ((item, text), said) in begun {
            word.about.entry(item).or_default()[text] = said;
        }
        word
    }

    /// What that of some forms is worth which is found most.
    pub(crate) fn rarity_of_commonest(&self, forms: &[(Form, f32)]) -> f32 {
        let mut commonest = 0;
        for (form, _) in forms {
            let mut by_field = [0; FIELDS.len()];
            self.find(form).iter().for_each(|(field, items)| by_field[*field] += items.len());
            commonest = by_field.into_iter().fold(commonest, usize::max);
        }
        if commonest == 0 { 0.0 } else { rarity(commonest, self.items.len()) }
    }

    /// What a word may have been meant as, the commonest first: no stop words, and nothing that is not common enough.
    pub(crate) fn meant(
        &self,
        word: &str,
        begun: bool,
        rules: &Rules,
        is_common: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let letters: Vec<char> = word.chars().collect();
        if is_numeric(word) || word.chars().any(|sign| sign >= '\u{530}') {
            return Vec::new();
        }
        let is_word = |term: &String| term != word && !is_numeric(term) && !rules.stop_words.contains(term);
        let vocabulary = rules.vocabulary.iter().filter(|term| is_word(term));
        let mut known: BTreeMap<&String, usize> = vocabulary.map(|term| (term, 0)).collect();
        for field in (0..FIELDS.len()).filter(|field| *field != SKU) {
            for (term, items) in &self.index[field] {
                if !term.starts_with('~') && is_word(term) {
                    let most = known.entry(term).or_default();
                    *most = items.len().max(*most);
                }
            }
        }
        let first = |term: &str| term.chars().next() == letters.first().copied();
        let commonest = |fits: &dyn Fn(&str) -> bool| -> Vec<String> {
            let found = known.iter().filter(|(term, _)| fits(term));
            let mut found: Vec<(usize, &String)> = found.map(|(term, most)| (*most, *term)).collect();
            found.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
            found.truncate(8);
            found.into_iter().map(|(_, term)| term.clone()).filter(|term| is_common(term)).collect()
        };
        let edits_to = |term: &str| edits(&letters, &term.chars().collect::<Vec<_>>());
        for first_letter in [true, false] {
            for (allowed, least) in [(1, 4), (2, 8)] {
                let fits = |term: &str| {
                    letters.len() >= least && (!first_letter || first(term)) && edits_to(term) <= allowed
                };
                let found = commonest(&fits);
                if !found.is_empty() {
                    return found;
                }
            }
        }
        // The beginning of a longer word, with a letter in its midst missing, wrong, or swapped with the next.
        let is_begun = |term: &str| {
            let term: Vec<char> = term.chars().collect();
            let lengths = [letters.len(), letters.len() + 1].into_iter();
            let mut beginnings = lengths.filter_map(|length| term.get(..length));
            !term.starts_with(&letters)
                && beginnings.any(|beginning| {
                    beginning.first() == letters.first()
                        && beginning.last() == letters.last()
                        && edits(&letters, beginning) == 1
                })
        };
        let is_begun = |term: &str| {
            is_begun(term)
                && (0..FIELDS.len()).any(|field| field != SKU && self.index[field].contains_key(term))
        };
        if begun && letters.len() >= 6 { commonest(&is_begun) } else { Vec::new() }
    }
}

impl Word {
    pub(crate) fn has(&self, item: usize) -> bool {
        self.about.contains_key(&item)
    }

    /// What a share of it adds to an item's score.
    pub(crate) fn score(&self, item: usize, share: f32) -> f32 {
        let about = self.about.get(&item).map_or(0.0, |fields| {
            let (best, all) = (fields.iter().copied().fold(0.0, f32::max), fields.iter().sum::<f32>());
            (best * 0.9 + all * 0.1) / self.worth
        });
        (share * self.worth * about / (about + 24.0) * 2048.0).round() / 2048.0
    }
}

fn rarity(documents: usize, all: usize) -> f32 {
    let (documents, all) = (documents.min(all) as f32, all as f32);
    let rarity = ((all - documents + 0.5) / (documents + 0.5)).ln_1p();
    (rarity * 32.0).round().max(1.0) / 32.0
}
