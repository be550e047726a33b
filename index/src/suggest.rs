//! What somebody who has begun to type may want: texts to search for, products, categories and brands.
//!
//! All of them are what the catalog really holds: a completed text always finds something, a category or brand
//! always has active products.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use tantivy::schema::IndexRecordOption;

use crate::{
    bits::Bits,
    compile::Filtered,
    document::Document,
    error::Error,
    generation::Generation,
    hits::{CategoryCount, Suggestions, ValueCount},
    lookup::{Form, Source},
    parse::{Asked, parse},
    postings::{self, Counted},
    query::{Query, SortField, SortKey, SuggestQuery},
    read::Before,
    reading::{self, Among, TextMatches},
    schema::TextField,
    segment::SegmentView,
    settings::Lexicon,
    sort::Page,
    text,
};

/// How many completions of a word are looked at in a field: the commonest of the whole catalog.
const MAX_COMPLETIONS: usize = 40;

/// A completion that so many times fewer products have than the commonest one is a slip, or somebody's code; as many
/// times as in [`relax`](crate::relax).
const NOISE: u64 = 40;

/// How many times as many products are looked at as are suggested, for names that begin as was typed.
const LOOKED_AT: usize = 3;

/// Where what a product is called stands.
const CALLED: [TextField; 3] = [TextField::Name, TextField::Brand, TextField::Category];

/// What is typed: the words that are complete, and the last one, which may be the beginning of a longer one.
struct Typed {
    whole: Vec<String>,
    last: String,
}

impl Generation {
    /// See [`Reader::suggest`](crate::Reader::suggest).
    pub(crate) fn suggest(&self, query: &SuggestQuery, lexicon: &Lexicon) -> Result<Suggestions, Error> {
        let visible: Vec<_> = self.segments.iter().map(|segment| Cow::Borrowed(&segment.offered)).collect();
        let among = Among { visible: &visible, within: None };
        let answer = reading::answer(&query.text, lexicon, self, &among, Before::Nothing, true)?;
        let read = answer.corrected.as_deref().unwrap_or(&query.text);
        let Some(typed) = Typed::read(read) else { return Ok(Suggestions::default()) };
        let mut suggestions = Suggestions {
            queries: self.completions(&typed, lexicon)?,
            products: self.products(&typed, answer.matches, query.limit)?,
            categories: self.named_categories(&typed)?,
            brands: self.named_brands(&typed)?,
        };
        suggestions.queries.truncate(query.limit);
        suggestions.categories.truncate(query.limit);
        suggestions.brands.truncate(query.limit);
        Ok(suggestions)
    }

    /// Of what matches the best: first names that begin as was typed, then other names that hold it, then what name and
    /// maker together hold, then what only mentions it.
    fn products(
        &self,
        typed: &Typed,
        mut matches: Vec<TextMatches>,
        limit: usize,
    ) -> Result<Vec<Document>, Error> {
        let mut most = 0.0_f32;
        for TextMatches { docs, sheet } in &matches {
            let scores = sheet.as_ref().map_or(&[][..], |sheet| &sheet.scores);
            docs.for_each(|doc| most = most.max(scores[doc as usize]));
        }
        // Each of them raises above all that it is not of.
        for fields in [&CALLED[..1], &CALLED[..2]] {
            let called = self.called(typed, fields, true)?;
            for (TextMatches { docs, sheet }, mut called) in matches.iter_mut().zip(called) {
                called.and(docs);
                let Some(sheet) = sheet else { continue };
                called.for_each(|doc| sheet.scores[doc as usize] += most);
            }
        }
        let best_first = SortKey { field: SortField::Relevance, descending: false };
        let search =
            Query { sort: vec![best_first], limit: limit.saturating_mul(LOOKED_AT), ..Query::default() };
        let mut matching = Vec::with_capacity(matches.len());
        for (ordinal, found) in matches.into_iter().enumerate() {
            let segment = &self.segments[ordinal];
            let all = Filtered::new(&search, Cow::Borrowed(&segment.offered), self, ordinal)?;
            matching.push(all.matching(&search, Some(found), segment));
        }
        let page = Page::of(&search, self, &matching);
        let documents = page.candidates.iter().map(|hit| self.document(hit.segment, hit.doc));
        let mut documents = documents.collect::<Result<Vec<_>, _>>()?;
        documents.sort_by_key(|document| !typed.begins(&document.name));
        documents.truncate(limit);
        Ok(documents)
    }

    /// The text with its last word completed by words of names and makers: those completions first that most products
    /// have, which are called by the other words too, or, if none are, have them anywhere. Of words with one stem only
    /// the commonest, and no numbers of models for a word without digits.
    fn completions(&self, typed: &Typed, lexicon: &Lexicon) -> Result<Vec<String>, Error> {
        let mut counted = self.completions_within(&self.having(&typed.whole, &CALLED)?, typed, lexicon)?;
        if counted.is_empty() && !typed.whole.is_empty() {
            let anywhere = self.having(&typed.whole, &TextField::ALL)?;
            counted = self.completions_within(&anywhere, typed, lexicon)?;
        }
        counted.sort_unstable();
        let most = counted.first().map_or(0, |(Reverse(most), _)| *most);
        let mut stems = HashSet::new();
        counted.retain(|(Reverse(count), word)| {
            count * NOISE > most && stems.insert(text::stem(word).unwrap_or_else(|| word.clone()))
        });
        let begin = typed.whole.iter().map(|word| format!("{word} ")).collect::<String>();
        Ok(counted.into_iter().map(|(_, word)| format!("{begin}{word}")).collect())
    }

    /// Words that complete the last one, and in how many of the products.
    fn completions_within(
        &self,
        within: &[Bits],
        typed: &Typed,
        lexicon: &Lexicon,
    ) -> Result<Vec<(Reverse<u64>, String)>, Error> {
        let is_wanted = |word: &String| {
            !lexicon.stop_words.contains(word)
                && !typed.whole.contains(word)
                && (typed.last.contains(char::is_numeric) || !word.contains(char::is_numeric))
        };
        let mut counts: HashMap<String, u64> = HashMap::new();
        if within.iter().all(Bits::is_empty) {
            return Ok(Vec::new());
        }
        for field in [TextField::Name, TextField::Brand] {
            let indexes = self.indexes(self.fields.text[field as usize], |_| true)?;
            let mut commonest: Vec<(Reverse<u64>, String, Vec<postings::Found>)> = Vec::new();
            postings::for_each_term(&indexes, typed.last.as_bytes(), |rest, found| {
                let word = format!("{}{}", typed.last, String::from_utf8_lossy(rest));
                if is_wanted(&word) {
                    let documents = found.iter().map(|(_, term)| u64::from(term.doc_freq)).sum();
                    commonest.push((Reverse(documents), word, found.to_vec()));
                }
            })?;
            if commonest.len() > MAX_COMPLETIONS {
                commonest.select_nth_unstable_by(MAX_COMPLETIONS, |one, other| {
                    (&one.0, &one.1).cmp(&(&other.0, &other.1))
                });
                commonest.truncate(MAX_COMPLETIONS);
            }
            let within: Vec<Counted<'_>> = within.iter().map(Counted::from).collect();
            for (_, word, found) in commonest {
                let mut count = 0;
                for (ordinal, term) in found {
                    count += postings::count_in(&indexes[ordinal].1, &term, &within[ordinal])?;
                }
                if count > 0 {
                    let known = counts.entry(word).or_default();
                    *known = count.max(*known);
                }
            }
        }
        Ok(counts.into_iter().map(|(word, count)| (Reverse(count), word)).collect())
    }

    /// Offered documents that hold all words, or others of their stems, in some fields.
    fn having(&self, words: &[String], fields: &[TextField]) -> Result<Vec<Bits>, Error> {
        let mut having = self.offered();
        for word in words {
            if having.iter().all(Bits::is_empty) {
                break;
            }
            having = self.holding(&[Form::Whole(word.clone()), Form::Stem(word.clone())], fields, &having)?;
        }
        Ok(having)
    }

    /// Those of some documents that hold one of the forms in some fields.
    fn holding(&self, forms: &[Form], fields: &[TextField], within: &[Bits]) -> Result<Vec<Bits>, Error> {
        let mut sets: Vec<Bits> =
            self.segments.iter().map(|segment| Bits::none(segment.view.documents())).collect();
        let within: Vec<Counted<'_>> = within.iter().map(Counted::from).collect();
        for form in forms {
            for found in form.find_in(fields, self)? {
                let (set, within) = (&mut sets[found.ordinal], &within[found.ordinal]);
                match found.source {
                    Source::Docs(docs) => {
                        docs.iter().filter(|doc| within.contains(**doc)).for_each(|&doc| set.insert(doc));
                    }
                    Source::Term(term) => {
                        let field = self.fields.text[found.field as usize];
                        let index = self.index(found.ordinal, field)?;
                        let add = |doc, _| set.insert(doc);
                        postings::for_each_in(&index, &term, IndexRecordOption::Basic, within, add)?;
                    }
                }
            }
        }
        Ok(sets)
    }

    /// Offered documents that hold all words in some fields, the last one as a beginning too; with stems, also others
    /// of the same stem.
    fn called(&self, typed: &Typed, fields: &[TextField], stems: bool) -> Result<Vec<Bits>, Error> {
        let last = [Form::Whole(typed.last.clone()), Form::Begun(typed.last.clone())];
        let mut called = self.holding(&last, fields, &self.offered())?;
        for word in &typed.whole {
            if called.iter().all(Bits::is_empty) {
                break;
            }
            let form = if stems { Form::Stem(word.clone()) } else { Form::Whole(word.clone()) };
            called = self.holding(&[Form::Whole(word.clone()), form], fields, &called)?;
        }
        Ok(called)
    }

    /// What is offered, by segment.
    fn offered(&self) -> Vec<Bits> {
        self.segments.iter().map(|segment| segment.offered.clone()).collect()
    }

    fn named_brands(&self, typed: &Typed) -> Result<Vec<ValueCount>, Error> {
        let named = self.called(typed, &[TextField::Brand], false)?;
        let mut counts: HashMap<&[u8], u64> = HashMap::new();
        for (segment, named) in self.segments.iter().zip(&named) {
            let SegmentView { brands, by_brand, .. } = segment.view.as_ref();
            named.for_each(|doc| *counts.entry(brands.get(by_brand.ords[doc as usize])).or_default() += 1);
        }
        let mut counts: Vec<ValueCount> = counts
            .into_iter()
            .map(|(value, count)| ValueCount { value: String::from_utf8_lossy(value).into_owned(), count })
            .collect();
        counts.sort_unstable_by(|one, other| {
            (Reverse(one.count), &one.value).cmp(&(Reverse(other.count), &other.value))
        });
        Ok(counts)
    }

    fn named_categories(&self, typed: &Typed) -> Result<Vec<CategoryCount>, Error> {
        // What is below a category that is called so holds the name as well.
        let below = self.called(typed, &[TextField::Category], false)?;
        let mut counts: BTreeMap<i64, CategoryCount> = BTreeMap::new();
        for (segment, below) in self.segments.iter().zip(&below) {
            let tree = &segment.view.categories;
            let by_chain = tree.by_chain.count(below);
            for (chain, &count) in tree.chains.iter().zip(&by_chain).filter(|(_, count)| **count > 0) {
                for node in chain.iter().map(|&node| &tree.nodes[node as usize]) {
                    if typed.names(&node.category.name) {
                        let known = counts.entry(node.category.id).or_insert_with(|| node.counted(0));
                        known.count += count;
                    }
                }
            }
        }
        let mut counts: Vec<CategoryCount> = counts.into_values().collect();
        counts.sort_by(|one, other| {
            (Reverse(one.count), &one.name, one.id).cmp(&(Reverse(other.count), &other.name, other.id))
        });
        Ok(counts)
    }
}

impl Typed {
    fn read(text: &str) -> Option<Self> {
        let parsed = parse(text);
        let mut words: Vec<String> = parsed
            .asked
            .into_iter()
            .flat_map(|asked| match asked {
                Asked::Word(word) => vec![word],
                Asked::Phrase(words) => words,
                Asked::Size(inches) => inches.split('.').map(str::to_owned).collect(),
            })
            .collect();
        let last = words.pop()?;
        Some(Self { whole: words, last })
    }

    /// Whether a name begins with it.
    fn begins(&self, name: &str) -> bool {
        let mut words = text::read(name).into_iter();
        self.whole.iter().all(|word| words.next().as_ref() == Some(word))
            && words.next().is_some_and(|word| word.starts_with(&self.last))
    }

    /// Whether a name holds all of it.
    fn names(&self, name: &str) -> bool {
        let words = text::read(name);
        self.whole.iter().all(|word| words.contains(word))
            && words.iter().any(|word| word.starts_with(&self.last))
    }
}
