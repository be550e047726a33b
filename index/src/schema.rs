//! The fields of the index below, and the fingerprint that says what their content means.
//!
//! Three kinds: the document itself, stored whole; searched text, one field for each weight it can have; and
//! columns, from which [`segment`](crate::segment) builds its views. Which part of a document goes where is
//! said in [`record`](crate::record).

use std::sync::LazyLock;

use tantivy::{
    schema::{
        BytesOptions, Field, INDEXED, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing,
        TextOptions,
    },
    tokenizer::{TextAnalyzer, TokenizerManager},
};

use crate::{collation::Collation, document::Document, text};

/// Raise it when the same document would be indexed differently by code that the probes below do not touch.
const REVISION: u32 = 5;

/// The kinds of searched text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TextField {
    /// The name up to what it is for, or comes with; see [`text::head`].
    Head,
    /// The whole name.
    Name,
    Brand,
    Sku,
    Category,
    Attributes,
    Variants,
    Description,
}

impl TextField {
    pub(crate) const ALL: [Self; 8] = [
        Self::Head,
        Self::Name,
        Self::Brand,
        Self::Sku,
        Self::Category,
        Self::Attributes,
        Self::Variants,
        Self::Description,
    ];

    /// Whether words of it have stems: names of makers and numbers of articles do not.
    pub(crate) const fn has_stems(self) -> bool {
        !matches!(self, Self::Brand | Self::Sku)
    }

    /// Whether it may run to hundreds of words.
    pub(crate) const fn is_prose(self) -> bool {
        matches!(self, Self::Attributes | Self::Variants | Self::Description)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Name => "name",
            Self::Brand => "brand",
            Self::Sku => "sku",
            Self::Category => "category",
            Self::Attributes => "attributes",
            Self::Variants => "variants",
            Self::Description => "description",
        }
    }
}

/// The names of the columns, by which tantivy opens them.
pub(crate) mod column {
    pub(crate) const ID: &str = "id";
    pub(crate) const ACTIVE: &str = "is_active";
    pub(crate) const IN_STOCK: &str = "in_stock";
    pub(crate) const VENDOR: &str = "vendor_id";
    pub(crate) const DATE_ADDED: &str = "date_added";
    pub(crate) const RATING: &str = "rating";
    pub(crate) const POPULARITY: &str = "popularity";
    /// Collation keys.
    pub(crate) const NAME_KEY: &str = "name_key";
    pub(crate) const BRAND: &str = "brand_value";
    /// The category chain as JSON, one term for each chain.
    pub(crate) const CATEGORY: &str = "category_chain";
    /// The price before the first step that is still ahead, and whether it is discounted.
    pub(crate) const PRICE: &str = "price";
    pub(crate) const SALE: &str = "on_sale";
    /// The later steps, in order: three lists of equal length, empty for most documents.
    pub(crate) const STEP_FROM: &str = "step_from";
    pub(crate) const STEP_PRICE: &str = "step_price";
    pub(crate) const STEP_SALE: &str = "step_on_sale";
    /// How many words each text has; see [`Lengths`](super::Lengths).
    pub(crate) const LENGTHS: &str = "lengths";
    /// Of the document as it is stored: other for other ones.
    pub(crate) const PRINT: &str = "print";
    /// Of all words by which it is found: other for other ones.
    pub(crate) const WORDING: &str = "wording";
}

/// The schema and its fields.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(crate) schema: Schema,
    pub(crate) document: Field,
    /// In the order of [`TextField::ALL`].
    pub(crate) text: [Field; 8],
    /// Stock keeping units and trade item numbers as wholes.
    pub(crate) code: Field,
    /// What kind of thing it is called, as [`text::whole_phrase`]s.
    pub(crate) kind: Field,
    /// Attributes as [`attribute_term`]s.
    pub(crate) attribute: Field,
    pub(crate) id: Field,
    pub(crate) active: Field,
    pub(crate) in_stock: Field,
    pub(crate) vendor: Field,
    pub(crate) date_added: Field,
    pub(crate) rating: Field,
    pub(crate) popularity: Field,
    pub(crate) name_key: Field,
    pub(crate) brand: Field,
    pub(crate) category: Field,
    pub(crate) price: Field,
    pub(crate) sale: Field,
    pub(crate) step_from: Field,
    pub(crate) step_price: Field,
    pub(crate) step_sale: Field,
    pub(crate) lengths: Field,
    pub(crate) print: Field,
    pub(crate) wording: Field,
}

/// How many words each searched text of a document has, a byte each: beyond 255 nothing would change. tantivy's own
/// lengths count stems as well, so that inflected words would make a text longer than numbers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lengths(pub(crate) u64);

impl Lengths {
    /// Adds words to a text.
    pub(crate) fn add(&mut self, field: TextField, words: usize) {
        let shift = 8 * field as u32;
        let length = usize::from(self.of(field)).saturating_add(words).min(usize::from(u8::MAX));
        self.0 = self.0 & !(u64::from(u8::MAX) << shift) | (length as u64) << shift;
    }

    /// The words of a text.
    pub(crate) const fn of(self, field: TextField) -> u8 {
        self.0.to_le_bytes()[field as usize]
    }
}

impl Fields {
    pub(crate) fn new() -> Self {
        let mut schema = Schema::builder();
        let fast = || NumericOptions::default().set_fast();
        let words = |field: TextField| {
            TextOptions::default().set_indexing_options(
                TextFieldIndexing::default()
                    .set_tokenizer(if field.has_stems() { WORDS_AND_STEMS } else { WORDS })
                    // Positions tell phrases apart.
                    .set_index_option(IndexRecordOption::WithFreqsAndPositions)
                    .set_fieldnorms(false),
            )
        };
        let term = TextOptions::default().set_indexing_options(
            TextFieldIndexing::default()
                .set_tokenizer(WHOLE)
                .set_index_option(IndexRecordOption::Basic)
                .set_fieldnorms(false),
        );
        let value = TextOptions::default().set_fast(WHOLE);
        Self {
            document: schema.add_bytes_field(&document_field_name(), BytesOptions::default().set_stored()),
            text: TextField::ALL.map(|field| schema.add_text_field(field.name(), words(field))),
            code: schema.add_text_field("code", term.clone()),
            kind: schema.add_text_field("kind", term.clone()),
            attribute: schema.add_text_field("attribute", term),
            id: schema.add_i64_field(column::ID, fast() | INDEXED),
            active: schema.add_bool_field(column::ACTIVE, fast()),
            in_stock: schema.add_bool_field(column::IN_STOCK, fast()),
            vendor: schema.add_i64_field(column::VENDOR, fast()),
            date_added: schema.add_i64_field(column::DATE_ADDED, fast()),
            rating: schema.add_f64_field(column::RATING, fast()),
            popularity: schema.add_i64_field(column::POPULARITY, fast()),
            name_key: schema.add_bytes_field(column::NAME_KEY, BytesOptions::default().set_fast()),
            brand: schema.add_text_field(column::BRAND, value.clone()),
            category: schema.add_text_field(column::CATEGORY, value),
            price: schema.add_i64_field(column::PRICE, fast()),
            sale: schema.add_bool_field(column::SALE, fast()),
            step_from: schema.add_i64_field(column::STEP_FROM, fast()),
            step_price: schema.add_i64_field(column::STEP_PRICE, fast()),
            step_sale: schema.add_bool_field(column::STEP_SALE, fast()),
            lengths: schema.add_u64_field(column::LENGTHS, fast()),
            print: schema.add_u64_field(column::PRINT, fast()),
            wording: schema.add_u64_field(column::WORDING, fast()),
            schema: schema.build(),
        }
    }
}

const WORDS: &str = "words";
const WORDS_AND_STEMS: &str = "words_and_stems";

/// tantivy's own: the text is the term.
const WHOLE: &str = "raw";

/// Adds the tokenizers that the schema names beside tantivy's own.
pub(crate) fn register_tokenizers(tokenizers: &TokenizerManager) {
    // Which texts have stems is known where they are read.
    for name in [WORDS, WORDS_AND_STEMS] {
        tokenizers.register(name, TextAnalyzer::from(text::HeldTokenizer));
    }
}

/// The term of an attribute's value, and (with an empty value) the common beginning of all its values' terms.
/// No name is the beginning of another one here: the separator is escaped inside names.
pub(crate) fn attribute_term(name: &str, value: &str) -> String {
    let mut term = String::with_capacity(name.len() + 1 + value.len());
    for c in name.chars() {
        match c {
            '\u{1e}' => term.push_str("\u{1e}0"),
            '\u{1f}' => term.push_str("\u{1e}1"),
            c => term.push(c),
        }
    }
    term.push('\u{1f}');
    term.push_str(value);
    term
}

/// Identifies the schema and the way documents and texts are read: an index is only opened by a program with
/// the same fingerprint, and only an equal one means equal answers.
pub fn fingerprint() -> &'static str {
    static FINGERPRINT: LazyLock<String> = LazyLock::new(|| fingerprint_of(&Fields::new().schema));
    &FINGERPRINT
}

/// The fingerprint of any schema.
pub(crate) fn fingerprint_of(schema: &Schema) -> String {
    // A schema of strings and numbers always serialises.
    format!("{:016x}", hash(serde_json::to_string(schema).unwrap_or_default().as_bytes()))
}

/// The stored field's name carries what the schema itself does not show: the outcome of reading, collating and
/// storing probes. A changed tokenizer, collation table or document shape thus changes the schema, by itself.
fn document_field_name() -> String {
    const PROBE: &str = "Crème-BRÛLÉE №12, Straße ½ m² ガラス हिन्दी שָׁלוֹם İΣς item 2 item 10 USB-C™";
    const PROBED_STEMS: &str =
        "shoes batteries running coffee skis studies generously leaves glasses universal news";
    let mut probes = text::read(PROBE).join(" ").into_bytes();
    let stems = PROBED_STEMS.split(' ').map(|word| text::stem(word).unwrap_or_default());
    probes.extend(stems.collect::<String>().into_bytes());
    probes.extend_from_slice(&REVISION.to_le_bytes());
    if let Ok(collation) = Collation::new() {
        probes.extend(collation.key(PROBE));
    }
    probes.extend(serde_json::to_vec(&Document::specimen()).unwrap_or_default());
    format!("document_{:016x}", hash(&probes))
}

/// FNV-1a: stable between releases and platforms, which the standard library's hasher does not promise.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_stable_and_tells_schemas_apart() {
        assert_eq!(fingerprint(), fingerprint_of(&Fields::new().schema));
        assert_ne!(fingerprint(), fingerprint_of(&Schema::builder().build()));
    }

    #[test]
    fn lengths_stand_side_by_side() {
        let mut lengths = Lengths::default();
        lengths.add(TextField::Name, 7);
        lengths.add(TextField::Description, 200);
        lengths.add(TextField::Description, 200);
        lengths.add(TextField::Name, 1);
        let of = TextField::ALL.map(|field| lengths.of(field));
        assert_eq!(of, [0, 8, 0, 0, 0, 0, 0, 255]);
    }

    #[test]
    fn attribute_names_do_not_run_into_each_other() {
        assert!(attribute_term("color", "red").starts_with(&attribute_term("color", "")));
        assert!(!attribute_term("color\u{1f}x", "red").starts_with(&attribute_term("color", "")));
        assert_ne!(attribute_term("a\u{1f}b", "c"), attribute_term("a", "b\u{1f}c"));
        assert_ne!(attribute_term("a\u{1f}", ""), attribute_term("a\u{1e}1", ""));
    }
}
