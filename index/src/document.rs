//! What is indexed: one [`Document`] a product, as plain data.
//!
//! A document is all that a search needs to find a product, to count it and to show it, so that no search ever
//! asks the database. It is complete in itself: the index stores it whole and gives it back equal.
//! Where it comes from (tables, snapshots) is the caller's business and never shows here.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor},
};

/// A product as the index knows it.
///
/// Money is in hundredths of the shop's currency, instants are in microseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Identifies the document: indexing the same id again replaces it.
    pub id: i64,
    /// The name that shoppers read. Sorts the way people expect (see [`SortField::Name`](crate::SortField)).
    pub name: String,
    /// The name as part of a URL; shown, not searched.
    pub slug: String,
    /// Free text, the weakest place for a word to match.
    pub description: String,
    /// The stock keeping unit, found by its words and, best of all, as a whole.
    pub sku: String,
    /// The brand; `""` for none. Empty brands are not counted as a facet value.
    pub brand: String,
    /// A picture to show.
    pub image_url: Option<String>,
    /// The category and its ancestors, from the root to the leaf; empty for none.
    pub category: Vec<Category>,
    /// Who sells it; `None` for the shop itself.
    pub vendor_id: Option<i64>,
    /// The list price, before discounts, in hundredths. Shown; filters and sorts use [`Document::prices`].
    pub price: i64,
    /// The price in time, sorted by [`PriceStep::from`]. The first step starts at `i64::MIN`.
    pub prices: Vec<PriceStep>,
    /// How many are left.
    pub stock: i64,
    /// Whether it can be bought now.
    pub in_stock: bool,
    /// Properties by name; their texts are searched, filtered and counted.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// Whether shoppers see it.
    pub is_active: bool,
    /// When it entered the catalog, in microseconds since the epoch.
    pub date_added: i64,
    /// When it last changed, in microseconds since the epoch. Shown only.
    pub updated_at: i64,
    /// The mean of its reviews, 1 to 5; `None` without any. Must be finite.
    pub rating: Option<f64>,
    /// How many reviews it has. Shown only.
    pub review_count: i64,
    /// How much it is wanted: larger is more popular, the unit is the caller's.
    pub popularity: i64,
    /// What is sold under it. Their names, SKUs and attributes count for the product.
    pub variants: Vec<Variant>,
}

/// One link of a document's category chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Category {
    /// Identifies the category.
    pub id: i64,
    /// Its name, searched and shown.
    pub name: String,
    /// Its slug, by which it can be asked for.
    pub slug: String,
}

/// A price that holds from an instant until the next step's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceStep {
    /// The first microsecond since the epoch at which it holds; `i64::MIN` for "since ever".
    pub from: i64,
    /// What is paid, in hundredths.
    pub effective_price: i64,
    /// The discount that makes it so, if one runs. The document is on sale while it does.
    pub discount: Option<Discount>,
}

/// A running discount, to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// Identifies the discount.
    pub id: i64,
    /// Its code.
    pub code: String,
    /// `percentage` or `fixed`.
    pub discount_type: String,
    /// Per cent or currency units, in hundredths.
    pub discount_value: i64,
    /// When it ends, in microseconds since the epoch, if ever.
    pub end_date: Option<i64>,
}

/// One sellable form of a product.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Identifies the variant.
    pub id: i64,
    /// Its name, searched.
    pub name: String,
    /// Its own stock keeping unit, found like the product's.
    pub sku: String,
    /// Its properties; they count for the product, once a value.
    pub attributes: BTreeMap<String, AttributeValue>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// Yes or no; its text is `true` or `false`.
    Bool(bool),
    /// A number; its text is the shortest that JSON writes: `17.5`, and `17` for 17.0, which is the same number.
    Number(serde_json::Number),
    /// A text.
    Text(String),
    /// Several texts, each a value of its own.
    List(Vec<String>),
}

impl Document {
    /// The price that holds at `at` (microseconds since the epoch): the last step that has begun.
    ///
    /// Before the first step its first one answers, and a document without any step costs nothing at all times,
    /// so this never panics; [`Writer::upsert`](crate::Writer::upsert) refuses such documents.
    pub fn price_at(&self, at: i64) -> &PriceStep {
        const FREE: &PriceStep = &PriceStep { from: i64::MIN, effective_price: 0, discount: None };
        let begun = self.prices.partition_point(|step| step.from <= at);
        self.prices.get(begun.saturating_sub(1)).unwrap_or(FREE)
    }

    /// One that shoppers see, for tests.
    #[cfg(test)]
    pub(crate) fn offered(id: i64, name: &str) -> Self {
        let prices = vec![PriceStep { from: i64::MIN, effective_price: 100, discount: None }];
        Self { id, name: name.to_owned(), prices, is_active: true, ..Self::default() }
    }

    /// A document with nothing left out, whose JSON shows every field there is.
    pub(crate) fn specimen() -> Self {
        let discount = Some(Discount { end_date: Some(1), ..Discount::default() });
        let values = [
            AttributeValue::Bool(true),
            AttributeValue::Number(17.into()),
            AttributeValue::Text("Blue".to_owned()),
            AttributeValue::List(vec!["S".to_owned()]),
        ];
        let attributes: BTreeMap<_, _> = ('a'..).map(String::from).zip(values).collect();
        Self {
            image_url: Some(String::new()),
            category: vec![Category::default()],
            vendor_id: Some(1),
            prices: vec![PriceStep { from: i64::MIN, effective_price: 1, discount }],
            attributes: attributes.clone(),
            rating: Some(4.5),
            variants: vec![Variant { attributes, ..Variant::default() }],
            ..Self::default()
        }
    }
}

impl AttributeValue {
    /// The value as facets and filters know it: one text, or one for each entry of a list.
    pub fn texts(&self) -> Vec<Cow<'_, str>> {
        match self {
            Self::Bool(value) => vec![Cow::Borrowed(if *value { "true" } else { "false" })],
            Self::Number(value) => vec![Cow::Owned(number_text(value))],
            Self::Text(value) => vec![Cow::Borrowed(value)],
            Self::List(values) => values.iter().map(|value| Cow::Borrowed(value.as_str())).collect(),
        }
    }
}

/// A number that is whole has no decimals, however it was written.
pub(crate) fn number_text(number: &serde_json::Number) -> String {
    let text = number.to_string();
    match text.strip_suffix(".0") {
        // `-0.0` is zero.
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// Written by hand, since what serde derives for an untagged enum copies each value before it tries the variants:
/// a page of products with hundreds of attributes spent most of its time there.
impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = AttributeValue;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a boolean, a number, a text or a list of texts")
            }

            fn visit_bool<E>(self, value: bool) -> Result<AttributeValue, E> {
                Ok(AttributeValue::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<AttributeValue, E> {
                Ok(AttributeValue::Number(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<AttributeValue, E> {
                Ok(AttributeValue::Number(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<AttributeValue, E> {
                let number = serde_json::Number::from_f64(value);
                number.map(AttributeValue::Number).ok_or_else(|| E::custom("a number must be finite"))
            }

            fn visit_str<E>(self, value: &str) -> Result<AttributeValue, E> {
                Ok(AttributeValue::Text(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<AttributeValue, E> {
                Ok(AttributeValue::Text(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<AttributeValue, A::Error> {
                let mut list = Vec::with_capacity(entries.size_hint().unwrap_or(0).min(64));
                while let Some(entry) = entries.next_element()? {
                    list.push(entry);
                }
                Ok(AttributeValue::List(list))
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: i64, effective_price: i64) -> PriceStep {
        PriceStep { from, effective_price, discount: None }
    }

    #[test]
    fn a_price_holds_from_its_microsecond_on() {
        let steps = vec![step(i64::MIN, 500), step(1_000, 400), step(2_000, 500)];
        let document = Document { prices: steps, ..Document::default() };
        let price = |at| document.price_at(at).effective_price;
        assert_eq!([price(i64::MIN), price(999)], [500, 500]);
        assert_eq!([price(1_000), price(1_999)], [400, 400]);
        assert_eq!([price(2_000), price(i64::MAX)], [500, 500]);
    }

    #[test]
    fn a_price_is_found_even_in_a_broken_document() {
        assert_eq!(Document::default().price_at(0).effective_price, 0);
        let late = Document { prices: vec![step(10, 7)], ..Document::default() };
        assert_eq!(late.price_at(0).effective_price, 7);
    }

    #[test]
    fn attribute_values_read_as_texts() {
        let texts = |json: &str| {
            let value: AttributeValue = serde_json::from_str(json).unwrap();
            value.texts().into_iter().map(Cow::into_owned).collect::<Vec<_>>()
        };
        assert_eq!(texts("true"), ["true"]);
        assert_eq!(texts("17"), ["17"]);
        assert_eq!(texts("17.5"), ["17.5"]);
        assert_eq!(texts("17.0"), ["17"]);
        assert_eq!(texts("1.70e1"), ["17"]);
        assert_eq!(texts("-0.0"), ["0"]);
        assert_eq!(texts("\"17.0\""), ["17.0"], "a text is as it is");
        assert_eq!(texts("\"Blue\""), ["Blue"]);
        assert_eq!(texts("[\"S\", \"M\"]"), ["S", "M"]);
    }
}
