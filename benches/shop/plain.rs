//! The same products in a tantivy index as its own documentation would have it: fast fields, `TopDocs`, `Count`.
//!
//! It is asked for less: words are not stemmed, weighed by field or mended, prices do not change with time, facets are
//! counted by one aggregation and not without their own filter. Its documents are read too.

use std::ops::{Bound, ControlFlow};

use duka::load::mix::Class;
use duka_index::{CategoryKey, Document, Query as Asked};
use tantivy::{
    DocAddress, Index, Order, Searcher, TantivyDocument,
    collector::{Count, FacetCollector, MultiCollector, TopDocs},
    query::{AllQuery, BooleanQuery, BoostQuery, FuzzyTermQuery, Occur, Query, RangeQuery, TermQuery},
    schema::{
        FAST, Facet, FacetOptions, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TEXT, Term,
    },
};

use super::stage::Stage;

struct Fields {
    id: Field,
    name: Field,
    text: Field,
    brand: Field,
    category: Field,
    facet: Field,
    price: Field,
    in_stock: Field,
    stored: Field,
    /// The name as it sorts.
    key: Field,
}

/// The index, and what it is asked with.
pub(crate) struct Plain {
    searcher: Searcher,
    fields: Fields,
}

impl Plain {
    /// Opens it beside the shop, and builds it the first time.
    pub(crate) fn open(stage: &Stage) -> Self {
        let mut schema = Schema::builder();
        let fields = Fields {
            id: schema.add_i64_field("id", FAST | INDEXED),
            name: schema.add_text_field("name", TEXT),
            text: schema.add_text_field("text", TEXT),
            brand: schema.add_text_field("brand", STRING | FAST),
            category: schema.add_i64_field("category", INDEXED | FAST),
            facet: schema.add_facet_field("facet", FacetOptions::default()),
            price: schema.add_i64_field("price", FAST | INDEXED),
            in_stock: schema.add_bool_field("in_stock", FAST | INDEXED),
            stored: schema.add_bytes_field("stored", STORED),
            key: schema.add_text_field("key", STRING | FAST),
        };
        schema.add_i64_field("date", FAST | INDEXED);
        let folder = stage.folder.join("plain");
        let schema = schema.build();
        let index = match Index::open_in_dir(&folder) {
            Ok(index)
                if index.schema() == schema && index.load_metas().is_ok_and(|meta| meta.opstamp > 0) =>
            {
                index
            }
            _ => {
                let _ = std::fs::remove_dir_all(&folder);
                std::fs::create_dir_all(&folder).unwrap();
                let index = Index::create_in_dir(&folder, schema).unwrap();
                fields.fill(&index, stage);
                index
            }
        };
        Self { searcher: index.reader().unwrap().searcher(), fields }
    }

    /// The answer's count and its documents.
    pub(crate) fn search(&self, class: Class, asked: &Asked) -> (usize, Vec<TantivyDocument>) {
        let query = self.query(class, asked);
        let (limit, offset) = (asked.limit, asked.offset);
        let top = TopDocs::with_limit(limit).and_offset(offset);
        let (count, places): (usize, Vec<DocAddress>) = match class {
            Class::Newest | Class::DeepPage => {
                let newest = top.order_by_fast_field::<i64>("date", Order::Desc);
                let (count, found) = self.searcher.search(&query, &(Count, newest)).unwrap();
                (count, found.into_iter().map(|(_, place)| place).collect())
            }
            Class::PriceRange => {
                let cheapest = top.order_by_fast_field::<i64>("price", Order::Asc);
                let (count, found) = self.searcher.search(&query, &(Count, cheapest)).unwrap();
                (count, found.into_iter().map(|(_, place)| place).collect())
            }
            Class::InStock => {
                let by_name = top.order_by_string_fast_field("key", Order::Asc);
                let (count, found) = self.searcher.search(&query, &(Count, by_name)).unwrap();
                (count, found.into_iter().map(|(_, place)| place).collect())
            }
            _ => {
                let mut all = MultiCollector::new();
                let (top, count) = (all.add_collector(top.order_by_score()), all.add_collector(Count));
                if class == Class::Facets {
                    let mut facets = FacetCollector::for_field("facet");
                    facets.add_facet("/brand");
                    facets.add_facet("/category");
                    all.add_collector(facets);
                }
                let mut fruits = self.searcher.search(&query, &all).unwrap();
                let found = top.extract(&mut fruits);
                (count.extract(&mut fruits), found.into_iter().map(|(_, place)| place).collect())
            }
        };
        (count, places.into_iter().map(|place| self.searcher.doc(place).unwrap()).collect())
    }

    fn query(&self, class: Class, asked: &Asked) -> Box<dyn Query> {
        let Fields { brand, category, price, in_stock, .. } = self.fields;
        let exact = |term| Box::new(TermQuery::new(term, IndexRecordOption::Basic)) as Box<dyn Query>;
        // What only filters must not score.
        let filter = |query| Box::new(BoostQuery::new(query, 0.0)) as Box<dyn Query>;
        let mut all: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for asked in &asked.categories {
            let CategoryKey::Id(id) = asked else { continue };
            all.push((Occur::Must, filter(exact(Term::from_field_i64(category, *id)))));
        }
        if asked.price_min.is_some() || asked.price_max.is_some() {
            let bound = |limit: Option<i64>| {
                limit.map_or(Bound::Unbounded, |limit| Bound::Included(Term::from_field_i64(price, limit)))
            };
            let range = RangeQuery::new(bound(asked.price_min), bound(asked.price_max));
            all.push((Occur::Must, filter(Box::new(range))));
        }
        if let Some(is) = asked.in_stock {
            all.push((Occur::Must, filter(exact(Term::from_field_bool(in_stock, is)))));
        }
        for name in &asked.brands {
            all.push((Occur::Must, filter(exact(Term::from_field_text(brand, name)))));
        }
        for word in asked.text.iter().flat_map(|text| text.split(' ')) {
            all.push((Occur::Must, self.word(class, &word.to_lowercase())));
        }
        if all.is_empty() { Box::new(AllQuery) } else { Box::new(BooleanQuery::new(all)) }
    }

    /// A word in the name or anywhere.
    fn word(&self, class: Class, word: &str) -> Box<dyn Query> {
        let fields = [(self.fields.name, 8.0), (self.fields.text, 1.0)];
        let either = fields.map(|(field, weight)| {
            let term = Term::from_field_text(field, word);
            let query: Box<dyn Query> = match class {
                Class::Typo => Box::new(FuzzyTermQuery::new(term, 1, true)),
                Class::Prefix => Box::new(FuzzyTermQuery::new_prefix(term, 0, true)),
                _ => Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)),
            };
            (Occur::Should, Box::new(BoostQuery::new(query, weight)) as Box<dyn Query>)
        });
        Box::new(BooleanQuery::new(either.into()))
    }
}

impl Fields {
    fn fill(&self, index: &Index, stage: &Stage) {
        let mut writer = index.writer(256 << 20).unwrap();
        let add = |document: Document| {
            writer.add_document(self.document(index, &document)).unwrap();
            ControlFlow::Continue(())
        };
        stage.shop.app.indexing.engine().reader().for_each(add).unwrap();
        writer.commit().unwrap();
        writer.wait_merging_threads().unwrap();
    }

    fn document(&self, index: &Index, document: &Document) -> TantivyDocument {
        let mut record = TantivyDocument::new();
        record.add_i64(self.id, document.id);
        record.add_text(self.name, &document.name);
        record.add_text(self.key, document.name.to_lowercase());
        record.add_text(self.text, &document.description);
        record.add_text(self.text, &document.brand);
        record.add_text(self.brand, &document.brand);
        record.add_facet(self.facet, Facet::from_path(["brand", document.brand.as_str()]));
        for category in &document.category {
            record.add_i64(self.category, category.id);
            record.add_text(self.text, &category.name);
            record.add_facet(self.facet, Facet::from_path(["category", category.name.as_str()]));
        }
        // Names of attributes and all.
        record.add_text(self.text, serde_json::to_string(&document.attributes).unwrap());
        record.add_i64(self.price, document.price_at(0).effective_price);
        record.add_bool(self.in_stock, document.in_stock);
        record.add_i64(index.schema().get_field("date").unwrap(), document.date_added);
        record.add_bytes(self.stored, &serde_json::to_vec(document).unwrap());
        record
    }
}
