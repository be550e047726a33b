//! A document's way into the index and back: what is stored, what is searched, what is a column.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use tantivy::{TantivyDocument, schema::Value as _};

use crate::{
    collation::Collation,
    document::{AttributeValue, Document},
    error::Error,
    schema::{Fields, Lengths, TextField, attribute_term},
    text,
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
    stored.extend(crc32fast::hash(&stored).to_le_bytes());
    let mut record = TantivyDocument::with_capacity(stored.len() * 3);
    record.add_bytes(fields.document, &stored);
    add_texts(&mut record, document, fields);
    add_terms(&mut record, document, fields);
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

fn add_texts(record: &mut TantivyDocument, document: &Document, fields: &Fields) {
    let mut lengths = Lengths::default();
    let mut add = |field: TextField, text: &str| {
        if !text.is_empty() {
            record.add_text(fields.text[field as usize], text);
            lengths.add(field, text::count(text));
        }
    };
    add(TextField::Head, text::head(&document.name));
    add(TextField::Name, &document.name);
    add(TextField::Brand, &document.brand);
    add(TextField::Sku, &document.sku);
    document.category.iter().for_each(|category| add(TextField::Category, &category.name));
    add(TextField::Description, &document.description);
    for variant in &document.variants {
        add(TextField::Variants, &variant.name);
        // A single variant carries the product's own code.
        if variant.sku != document.sku {
            add(TextField::Sku, &variant.sku);
        }
    }
    // Variants repeat the product's values; a word counts once.
    let lists = std::iter::once(&document.attributes).chain(document.variants.iter().map(|v| &v.attributes));
    let mut texts = BTreeSet::new();
    for (name, value) in lists.flatten() {
        match value {
            // "waterproof" is what a shopper types, not "true".
            AttributeValue::Bool(true) => drop(texts.insert(name.into())),
            AttributeValue::Bool(false) => {}
            value => texts.extend(value.texts()),
        }
    }
    texts.iter().for_each(|text| add(TextField::Attributes, text));
    record.add_u64(fields.lengths, lengths.0);
}

fn add_terms(record: &mut TantivyDocument, document: &Document, fields: &Fields) {
    let skus = std::iter::once(&document.sku).chain(document.variants.iter().map(|variant| &variant.sku));
    let mut codes: BTreeSet<String> = skus.map(|sku| text::whole_code(sku)).collect();
    // Under whatever name a shop keeps them: EAN, UPC, ISBN, GTIN.
    let numbers = document.attribute_texts().filter(|(_, value)| text::is_trade_item_number(value));
    codes.extend(numbers.map(|(_, value)| text::whole_code(&value)));
    let attributes: BTreeSet<String> =
        document.attribute_texts().map(|(name, value)| attribute_term(name, &value)).collect();
    let kinds = kinds(document);
    let kinds = kinds.iter().map(|kind| (fields.kind, kind));
    let codes = codes.iter().map(|code| (fields.code, code));
    let attributes = attributes.iter().map(|term| (fields.attribute, term));
    for (field, term) in codes.chain(attributes).chain(kinds).filter(|(_, term)| fits(term)) {
        record.add_text(field, term);
    }
}

/// A description of so few words is a tagline, which says what the thing is as its name does.
const MAX_TAGLINE_WORDS: usize = 12;

/// What kind of thing it is called, by its type, by its name and by its tagline.
fn kinds(document: &Document) -> BTreeSet<String> {
    let is_type = |name: &str| TYPE_ATTRIBUTES.iter().any(|known| known.eq_ignore_ascii_case(name));
    let (types, others): (Vec<_>, Vec<_>) = document.attribute_texts().partition(|(name, _)| is_type(name));
    // A name that ends with a colour, a size or the maker says what it is before.
    let others =
        others.iter().map(|(_, value)| text::read(value)).filter(|words| words.len() <= MAX_QUALITY_WORDS);
    let qualities: BTreeSet<String> = others.flatten().chain(text::read(&document.brand)).collect();
    let types = types.iter().map(|(_, value)| text::whole_phrase(value));
    let tagline = Some(&document.description).filter(|text| text::count(text) <= MAX_TAGLINE_WORDS);
    let called =
        std::iter::once(&document.name).chain(tagline).flat_map(|text| text::nouns(text, &qualities));
    types.chain(called).collect()
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
