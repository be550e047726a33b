//! A document's way into the index and back: what is stored, what is searched, what is a column.

use std::{
    borrow::Cow,
    hash::{BuildHasher as _, Hash as _, Hasher as _},
    rc::Rc,
};

use foldhash::quality::FixedState;
use serde::Deserialize as _;
use tantivy::{
    TantivyDocument,
    schema::{Field, Value as _},
};

use crate::{
    collation::Collation,
    document::{AttributeValue, Document},
    error::Error,
    schema::{self, Fields, Lengths, TextField, attribute_term},
    text::{self, Held},
};

/// Terms beyond this length are left out of the index below, which holds 65,530 bytes a term at most. Such an
/// attribute value is found by its words, but neither filtered nor counted.
const MAX_TERM_BYTES: usize = 32_000;

/// Attributes whose value says what kind of thing it is; others that happen to be called like one (`compatible with:
/// keyboard`) do not.
const TYPE_ATTRIBUTES: [&str; 4] = ["type", "product_type", "product type", "kind"];

/// A longer attribute describes the thing, and may well say what it is.
const MAX_QUALITY_WORDS: usize = 2;

/// The document as the index below takes it.
pub(crate) fn encode(
    document: &Document,
    fields: &Fields,
    collation: &Collation,
) -> Result<TantivyDocument, Error> {
    let unfit = |reason| Error::Document { id: document.id, reason };
    check(document).map_err(unfit)?;
    let mut stored = serde_json::to_vec(document).map_err(|_| unfit("it cannot be written as JSON"))?;
    let print = schema::hash(&stored);
    stored.extend(crc32fast::hash(&stored).to_le_bytes());
    let mut record = TantivyDocument::with_capacity(stored.len() * 3);
    record.add_bytes(fields.document, &stored);
    record.add_u64(fields.print, print);
    let reading = Reading::of(document);
    add_texts(&mut record, &reading, fields);
    add_terms(&mut record, &reading, fields);
    record.add_u64(fields.wording, wording(&record, fields));
    add_columns(&mut record, document, fields, collation).map_err(unfit)?;
    Ok(record)
}

/// The document that was stored, if it is as it was: behind it stands its checksum.
pub(crate) fn decode(record: &TantivyDocument, fields: &Fields) -> Result<Document, Error> {
    let stored = record
        .get_first(fields.document)
        .and_then(|value| value.as_bytes())
        .ok_or_else(|| Error::Corrupt("a record holds no document".to_owned()))?;
    let (stored, _) = stored
        .split_last_chunk::<4>()
        .filter(|(stored, checksum)| crc32fast::hash(stored).to_le_bytes() == **checksum)
        .ok_or_else(|| Error::Corrupt("a stored document differs from its checksum".to_owned()))?;
    let mut json = serde_json::Deserializer::from_slice(stored);
    Document::deserialize(&mut json)
        .and_then(|document| json.end().map(|()| document))
        .map_err(|error| Error::Corrupt(format!("a stored document cannot be read: {error}")))
}

fn check(document: &Document) -> Result<(), &'static str> {
    match document.prices.first() {
        None => return Err("it has no price step; give it one from i64::MIN on"),
        Some(first) if first.from != i64::MIN => {
            return Err("its first price step begins too late; let it begin at i64::MIN");
        }
        Some(_) => {}
    }
    if !document.prices.is_sorted_by(|step, next| step.from < next.from) {
        return Err("its price steps are not in ascending order; sort them by their beginning");
    }
    if document.rating.is_some_and(|rating| !rating.is_finite()) {
        return Err("its rating is not a finite number; give the mean or none");
    }
    Ok(())
}

/// What the attributes of a document and of its variants say: each text with its attribute's name, once, in order.
struct Said<'a>(Vec<(&'a str, Cow<'a, str>, Kind)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Of texts and numbers, which are what a shopper types.
    Text,
    /// "waterproof" is what a shopper types, not "true".
    Flag,
}

impl<'a> Said<'a> {
    fn of(document: &'a Document) -> Self {
        let lists =
            std::iter::once(&document.attributes).chain(document.variants.iter().map(|v| &v.attributes));
        let mut said = Vec::new();
        for (name, value) in lists.flatten() {
            let kind = if matches!(value, AttributeValue::Bool(_)) { Kind::Flag } else { Kind::Text };
            let texts = value.texts().into_iter().filter(|text| !text.is_empty());
            said.extend(texts.map(|text| (name.as_str(), text, kind)));
        }
        // Variants repeat the product's, and each other's.
        said.sort_unstable();
        said.dedup();
        Self(said)
    }

    fn iter(&self) -> impl Iterator<Item = (&'a str, &str)> {
        self.0.iter().map(|(name, text, _)| (*name, &**text))
    }

    /// What is searched of it, each text once, in order.
    fn searched(&self) -> Vec<&str> {
        let searched = self.0.iter().filter_map(|(name, text, kind)| match kind {
            Kind::Text => Some(&**text),
            Kind::Flag => (text == "true").then_some(*name),
        });
        let mut searched: Vec<&str> = searched.collect();
        searched.sort_unstable();
        searched.dedup();
        searched
    }
}

/// A document whose texts have been read.
struct Reading<'a> {
    document: &'a Document,
    said: Said<'a>,
    name: Rc<Held>,
    /// The name's, which mostly is all there is of it.
    head: (&'a str, Rc<Held>),
    description: Held,
}

impl<'a> Reading<'a> {
    fn of(document: &'a Document) -> Self {
        let name = Rc::new(Held::read(&document.name, true));
        let head = text::head(&document.name);
        let is_all = head.len() == document.name.len();
        let held = if is_all { Rc::clone(&name) } else { Rc::new(Held::read(head, true)) };
        let description = Held::read(&document.description, true);
        Self { document, said: Said::of(document), name, head: (head, held), description }
    }
}

/// The searched texts of a document as they are gathered, by field.
#[derive(Default)]
struct Texts {
    fields: [String; 8],
    lengths: Lengths,
}

impl Texts {
    fn add(&mut self, field: TextField, held: &Held) {
        held.add_to(&mut self.fields[field as usize]);
        self.lengths.add(field, held.count());
    }
}

fn add_texts(record: &mut TantivyDocument, reading: &Reading<'_>, fields: &Fields) {
    let (document, mut texts) = (reading.document, Texts::default());
    texts.add(TextField::Head, &reading.head.1);
    texts.add(TextField::Name, &reading.name);
    texts.add(TextField::Brand, &Held::read(&document.brand, false));
    texts.add(TextField::Sku, &Held::read(&document.sku, false));
    for category in &document.category {
        texts.add(TextField::Category, &Held::read_again(&category.name));
    }
    texts.add(TextField::Description, &reading.description);
    for variant in &document.variants {
        texts.add(TextField::Variants, &Held::read_again(&variant.name));
        if variant.sku != document.sku {
            texts.add(TextField::Sku, &Held::read(&variant.sku, false));
        }
    }
    for text in reading.said.searched() {
        texts.add(TextField::Attributes, &Held::read_again(text));
    }
    for (field, text) in fields.text.into_iter().zip(texts.fields) {
        if !text.is_empty() {
            record.add_text(field, text);
        }
    }
    record.add_u64(fields.lengths, texts.lengths.0);
}

fn add_terms(record: &mut TantivyDocument, reading: &Reading<'_>, fields: &Fields) {
    let Reading { document, said, .. } = reading;
    // A single variant carries the product's own code.
    let others = document.variants.iter().map(|variant| &variant.sku).filter(|sku| **sku != document.sku);
    let skus = std::iter::once(&document.sku).chain(others);
    let mut codes: Vec<String> = skus.map(|sku| text::whole_code(sku)).collect();
    // Under whatever name a shop keeps them: EAN, UPC, ISBN, GTIN.
    let numbers = said.iter().filter(|(_, text)| text::is_trade_item_number(text));
    codes.extend(numbers.map(|(_, text)| text::whole_code(text)));
    add_all(record, fields.code, codes);
    add_all(record, fields.kind, kinds(reading));
    let attributes = said.iter().map(|(name, text)| attribute_term(name, text));
    add_all(record, fields.attribute, attributes.collect());
}

/// Adds terms, each once.
fn add_all(record: &mut TantivyDocument, field: Field, mut terms: Vec<String>) {
    terms.sort_unstable();
    terms.dedup();
    terms.iter().filter(|term| fits(term)).for_each(|term| record.add_text(field, term));
}

/// A description of so few words is a tagline, which says what the thing is as its name does.
const MAX_TAGLINE_WORDS: usize = 12;

/// What kind of thing it is called, by its type, by its name and by its tagline.
fn kinds(reading: &Reading<'_>) -> Vec<String> {
    let Reading { document, said, .. } = reading;
    let is_type = |name: &str| TYPE_ATTRIBUTES.iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut kinds = Vec::new();
    // A name that ends with a colour, a size or the maker says what it is before.
    let mut qualities = vec![Held::read_again(&document.brand)];
    for (name, text) in said.iter() {
        if is_type(name) {
            kinds.push(text::whole_phrase(text));
        } else {
            qualities.push(Held::read_again(text));
        }
    }
    let maker = qualities.iter().take(1);
    let others = qualities.iter().skip(1).filter(|held| held.count() <= MAX_QUALITY_WORDS);
    let qualities: Vec<&str> = maker.chain(others).flat_map(|held| held.words()).collect();
    let is_quality = |word: &str| qualities.contains(&word);
    kinds.extend(text::nouns(reading.head.0, is_quality));
    if reading.description.count() <= MAX_TAGLINE_WORDS {
        kinds.extend(text::nouns(text::head(&document.description), is_quality));
    }
    kinds
}

/// By what texts are read, whatever it costs and however much of it there is: what a record holds of words, as wholes too.
/// Releases may differ in it, and then a document counts as one whose words have changed.
fn wording(record: &TantivyDocument, fields: &Fields) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    let is_word = |field: &Field| fields.text.contains(field) || [fields.code, fields.kind].contains(field);
    for (field, value) in record.field_values().filter(|(field, _)| is_word(field)) {
        (field.field_id(), value.as_str()).hash(&mut hasher);
    }
    hasher.finish()
}

fn add_columns(
    record: &mut TantivyDocument,
    document: &Document,
    fields: &Fields,
    collation: &Collation,
) -> Result<(), &'static str> {
    record.add_i64(fields.id, document.id);
    record.add_bool(fields.active, document.is_active);
    record.add_bool(fields.in_stock, document.in_stock);
    if let Some(vendor) = document.vendor_id {
        record.add_i64(fields.vendor, vendor);
    }
    record.add_i64(fields.date_added, document.date_added);
    if let Some(rating) = document.rating {
        record.add_f64(fields.rating, rating);
    }
    record.add_i64(fields.popularity, document.popularity);
    record.add_bytes(fields.name_key, &collation.key(&document.name));
    if fits(&document.brand) {
        record.add_text(fields.brand, &document.brand);
    }
    if !document.category.is_empty() {
        let chain = serde_json::to_string(&document.category)
            .map_err(|_| "its category cannot be written as JSON")?;
        record.add_text(fields.category, chain);
    }
    for (position, step) in document.prices.iter().enumerate() {
        let sale = step.discount.is_some();
        if position == 0 {
            record.add_i64(fields.price, step.effective_price);
            record.add_bool(fields.sale, sale);
        } else {
            record.add_i64(fields.step_from, step.from);
            record.add_i64(fields.step_price, step.effective_price);
            record.add_bool(fields.step_sale, sale);
        }
    }
    Ok(())
}

fn fits(term: &str) -> bool {
    !term.is_empty() && term.len() <= MAX_TERM_BYTES
}
