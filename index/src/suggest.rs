//! What somebody who has begun to type may want: texts to search for, products, categories and brands.
//!
//! All of them are what the catalog really holds: a completed text always finds something, a category or brand
//! always has active products.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    bits::Bits,
    error::Error,
    generation::Generation,
    hits::{CategoryCount, Suggestions, ValueCount},
    lookup::{Form, Source},
    parse::{Asked, parse},
    postings,
    query::{Query, SortField, SortKey, SuggestQuery},
    schema::TextField,
    search,
    segment::SegmentView,
    settings::Lexicon,
    text,
};

/// How many completions of a word are looked at: the commonest of the whole catalog.
const MAX_COMPLETIONS: usize = 40;

/// What is typed: the words that are complete, and the last one, which may be the beginning of a longer one.
struct Typed {
    whole: Vec<String>,
    last: String,
}

impl Generation {
    /// See [`Reader::suggest`](crate::Reader::suggest).
    pub(crate) fn suggest(
        self: &Arc<Self>,
        query: &SuggestQuery,
        lexicon: &Lexicon,
    ) -> Result<Suggestions, Error> {
        let best_first = SortKey { field: SortField::Relevance, descending: false };
        let search = Query {
            text: Some(query.text.clone()),
            sort: vec![best_first],
            limit: query.limit,
            ..Query::default()
        };
        let hits = search::find(self, &search, lexicon)?.read()?;
        let read = hits.corrected_query.as_deref().unwrap_or(&query.text);
        let Some(typed) = Typed::read(read) else { return Ok(Suggestions::default()) };
        let mut suggestions = Suggestions {
            queries: self.completions(&typed, lexicon)?,
            products: hits.hits.into_iter().map(|hit| hit.document).collect(),
            categories: self.named_categories(&typed)?,
            brands: self.named_brands(&typed)?,
        };
        suggestions.queries.truncate(query.limit);
        suggestions.categories.truncate(query.limit);
        suggestions.brands.truncate(query.limit);
        Ok(suggestions)
    }

    /// The text with its last word completed: those completions first that most products have in their name,
    /// together with the other words wherever they are.
    fn completions(&self, typed: &Typed, lexicon: &Lexicon) -> Result<Vec<String>, Error> {
        let mut within: Vec<Bits> = self.segments.iter().map(|segment| segment.offered.clone()).collect();
        for word in &typed.whole {
            let has = self.holding(&[Form::Whole(word.clone()), Form::Stem(word.clone())], None)?;
            within.iter_mut().zip(&has).for_each(|(within, has)| within.and(has));
        }
        let indexes = self.indexes(self.fields.text[TextField::Name as usize], |_| true)?;
        let mut commonest: Vec<(Reverse<u64>, String, Vec<postings::Found>)> = Vec::new();
        postings::for_each_term(&indexes, typed.last.as_bytes(), |rest, found| {
            let word = format!("{}{}", typed.last, String::from_utf8_lossy(rest));
            if !lexicon.stop_words.contains(&word) && !typed.whole.contains(&word) {
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
        let mut counted = Vec::with_capacity(commonest.len());
        for (_, word, found) in commonest {
            let mut count = 0;
            for (ordinal, term) in found {
                let index = &indexes[ordinal].1;
                count += postings::count_in(index, &term, &within[ordinal])?;
            }
            counted.push((Reverse(count), word));
        }
        counted.retain(|(Reverse(count), _)| *count > 0);
        counted.sort_unstable();
        let begin = typed.whole.iter().map(|word| format!("{word} ")).collect::<String>();
        Ok(counted.into_iter().map(|(_, word)| format!("{begin}{word}")).collect())
    }

    /// Offered documents that hold one of the forms; in one field, if given.
    fn holding(&self, forms: &[Form], field: Option<TextField>) -> Result<Vec<Bits>, Error> {
        let mut sets: Vec<Bits> =
            self.segments.iter().map(|segment| Bits::none(segment.view.documents())).collect();
        for form in forms {
            let found = match field {
                Some(field) => form.find_in(&[field], self)?,
                None => form.find(self)?,
            };
            for found in found {
                let set = &mut sets[found.ordinal];
                match found.source {
                    Source::Docs(docs) => docs.iter().for_each(|&doc| set.insert(doc)),
                    Source::Term(term) => {
                        let field = self.fields.text[found.field as usize];
                        let index = self.segments[found.ordinal].reader.inverted_index(field)?;
                        postings::collect(&index, &term, set)?;
                    }
                }
            }
        }
        sets.iter_mut().zip(&self.segments).for_each(|(set, segment)| set.and(&segment.offered));
        Ok(sets)
    }

    /// Offered documents whose field holds all words, the last one as a beginning too.
    fn named(&self, typed: &Typed, field: TextField) -> Result<Vec<Bits>, Error> {
        let last = [Form::Whole(typed.last.clone()), Form::Begun(typed.last.clone())];
        let mut named = self.holding(&last, Some(field))?;
        for word in &typed.whole {
            let has = self.holding(&[Form::Whole(word.clone())], Some(field))?;
            named.iter_mut().zip(&has).for_each(|(named, has)| named.and(has));
        }
        Ok(named)
    }

    fn named_brands(&self, typed: &Typed) -> Result<Vec<ValueCount>, Error> {
        let named = self.named(typed, TextField::Brand)?;
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
        let below = self.named(typed, TextField::Category)?;
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
            })
            .collect();
        let last = words.pop()?;
        Some(Self { whole: words, last })
    }

    /// Whether a name holds all of it.
    fn names(&self, name: &str) -> bool {
        let words = text::read(name);
        self.whole.iter().all(|word| words.contains(word))
            && words.iter().any(|word| word.starts_with(&self.last))
    }
}
