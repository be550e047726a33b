//! What must hold for any text at all.
#![allow(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "a test says what it expects by failing")]

use std::collections::BTreeMap;

use duka_index::{AttributeValue, Document, Engine, Facet, PriceStep, Query, SortField, SortKey, Variant};
use proptest::prelude::*;

fn value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        any::<bool>().prop_map(AttributeValue::Bool),
        any::<i64>().prop_map(|n| AttributeValue::Number(n.into())),
        any::<u64>().prop_map(|n| AttributeValue::Number(n.into())),
        any::<f64>()
            .prop_filter_map("finite", |n| Some(AttributeValue::Number(serde_json::Number::from_f64(n)?))),
        any::<String>().prop_map(AttributeValue::Text),
        prop::collection::vec(any::<String>(), 0..4).prop_map(AttributeValue::List),
    ]
}

prop_compose! {
    fn document()(
        texts in prop::array::uniform5(any::<String>()),
        attributes in prop::collection::btree_map(any::<String>(), value(), 0..4),
        variant in prop::collection::btree_map(any::<String>(), value(), 0..3),
        rating in prop::option::of(1.0..=5.0_f64),
        numbers in any::<[i64; 6]>(),
        discounts in any::<[bool; 2]>(),
        step in any::<(i64, i64)>(),
    ) -> Document {
        let [name, slug, description, sku, brand] = texts;
        let [price, stock, date_added, updated_at, popularity, effective_price] = numbers;
        let discount = |on: bool| on.then(Default::default);
        let mut prices = vec![PriceStep { from: i64::MIN, effective_price, discount: discount(discounts[0]) }];
        if step.0 > i64::MIN {
            prices.push(PriceStep { from: step.0, effective_price: step.1, discount: discount(discounts[1]) });
        }
        let variants = vec![Variant { name: sku.clone(), sku: name.clone(), attributes: variant, ..Variant::default() }];
        Document {
            name, slug, description, sku, brand, price, stock, date_added, updated_at, popularity, prices,
            attributes, variants, rating, is_active: true, ..Document::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any document comes back equal, sorts, counts and prices as itself, and is found by any of its names; and
    /// no text is an error.
    #[test]
    fn any_document_and_any_text_are_fine(
        documents in prop::collection::vec(document(), 1..8),
        text in any::<String>(),
        at in any::<i64>(),
    ) {
        let directory = tempfile::tempdir()?;
        let engine = Engine::open(directory.path())?;
        let mut writer = engine.writer(0)?;
        let documents: BTreeMap<i64, Document> =
            (0..).zip(documents).map(|(id, document)| (id, Document { id, ..document })).collect();
        for document in documents.values() {
            writer.upsert(document)?;
        }
        writer.commit("")?;
        let sort = vec![SortKey { field: SortField::Price, descending: false }];
        let mut query = Query { sort, at, limit: 100, facets: vec![Facet::Price, Facet::Brand], ..Query::default() };
        let hits = engine.search(&query)?;
        let mut expected: Vec<_> = documents.values().map(|d| (d.price_at(at).effective_price, d.id)).collect();
        expected.sort_unstable();
        let found: Vec<_> = hits.hits.iter().map(|hit| (hit.document.price_at(at).effective_price, hit.document.id)).collect();
        prop_assert_eq!(found, expected);
        for hit in hits.hits {
            prop_assert_eq!(Some(&hit.document), documents.get(&hit.document.id));
        }
        query.text = Some(text);
        engine.search(&query)?;
        for (id, document) in &documents {
            let has_words = document.name.chars().any(char::is_alphanumeric);
            let short = document.name.split(|c: char| !c.is_alphanumeric()).count() < 20;
            if has_words && short {
                // Signs with a meaning apart: `a -b` asks for names without `b`.
                query.text = Some(document.name.replace(['-', '"', '“', '„', '«'], " "));
                prop_assert!(engine.search(&query)?.hits.iter().any(|hit| hit.document.id == *id), "{:?}", document.name);
            }
        }
    }
}
