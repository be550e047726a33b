//! PostgreSQL as it answers such searches best: one wide table with an index for each class.
//!
//! The table is filled once from the documents, in a schema of its own beside the shop's. Each answer is one statement
//! of one round trip: the exact count, and the page as ready JSON. Words are not weighed by field, and a typo is found
//! by the trigrams of names.

use std::ops::ControlFlow;

use duka::load::mix::Class;
use duka_index::{CategoryKey, Document, Query as Asked};
use sqlx::{PgPool, Row};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::stage::Stage;

/// Rows that are sent at a time.
const BATCH: usize = 2_000;

/// The table.
pub(crate) struct Relational {
    db: PgPool,
}

impl Relational {
    /// Opens it, and makes it the first time.
    pub(crate) async fn open(stage: &Stage) -> Self {
        let this = Self { db: stage.db.clone() };
        let made: bool = sqlx::query_scalar("select to_regclass('bench.made') is not null")
            .fetch_one(&this.db)
            .await
            .unwrap();
        if !made {
            this.make(stage).await;
        }
        this
    }

    async fn make(&self, stage: &Stage) {
        sqlx::raw_sql(
            "drop schema if exists bench cascade; create schema bench;
             create extension if not exists pg_trgm with schema public;
             create table bench.product (
                 id bigint primary key, name text, brand text, categories bigint[], price bigint, in_stock boolean,
                 date_added bigint, words tsvector, shown jsonb
             );",
        )
        .execute(&self.db)
        .await
        .unwrap();
        // A few batches at a time: all of them may be more than memory holds.
        let (sender, mut batches) = mpsc::channel(2);
        let engine = stage.shop.app.indexing.engine();
        let reading = spawn_blocking(move || {
            let mut batch = Vec::with_capacity(BATCH);
            engine.reader().for_each(|document| {
                batch.push(document);
                if batch.len() == BATCH {
                    sender.blocking_send(std::mem::take(&mut batch)).unwrap();
                }
                ControlFlow::Continue(())
            })?;
            sender.blocking_send(batch).unwrap();
            Ok::<_, duka_index::Error>(())
        });
        while let Some(batch) = batches.recv().await {
            self.insert(&batch).await;
        }
        reading.await.unwrap().unwrap();
        sqlx::raw_sql(
            "create index on bench.product (date_added desc, id);
             create index on bench.product (price, id);
             create index on bench.product (brand, in_stock, name, id);
             create index on bench.product using gin (categories);
             create index on bench.product using gin (words);
             create index on bench.product using gin (name gin_trgm_ops);
             analyze bench.product;
             create table bench.made ();",
        )
        .execute(&self.db)
        .await
        .unwrap();
    }

    async fn insert(&self, documents: &[Document]) {
        let rows: Vec<serde_json::Value> = documents
            .iter()
            .map(|document| {
                let texts = serde_json::to_string(&document.attributes).unwrap();
                let categories: Vec<i64> = document.category.iter().map(|category| category.id).collect();
                let names: Vec<&str> = document.category.iter().map(|category| category.name.as_str()).collect();
                serde_json::json!({
                    "id": document.id, "name": document.name, "brand": document.brand, "categories": categories,
                    "price": document.price_at(0).effective_price, "in_stock": document.in_stock,
                    "date_added": document.date_added, "shown": document,
                    "text": format!("{} {} {} {} {texts}", document.name, document.brand, document.description, names.join(" ")),
                })
            })
            .collect();
        sqlx::query(
            "insert into bench.product
             select id, name, brand, array(select jsonb_array_elements_text(categories)::bigint), price, in_stock,
                    date_added, to_tsvector('english', text), shown
             from jsonb_to_recordset($1) as row(id bigint, name text, brand text, categories jsonb, price bigint,
                  in_stock boolean, date_added bigint, shown jsonb, text text)",
        )
        .bind(serde_json::Value::from(rows))
        .execute(&self.db)
        .await
        .unwrap();
    }

    /// The count, and how many bytes the page has.
    pub(crate) async fn search(&self, class: Class, asked: &Asked) -> (i64, usize) {
        let text = asked.text.clone().unwrap_or_default();
        let category = asked.categories.iter().find_map(|key| match key {
            CategoryKey::Id(id) => Some(*id),
            CategoryKey::Slug(_) => None,
        });
        let page = |rows| i64::try_from(rows).unwrap_or(i64::MAX);
        let (limit, offset) = (page(asked.limit), page(asked.offset));
        let query = match class {
            Class::Newest | Class::DeepPage => sqlx::query(
                "select (select count(*) from bench.product), array(
                     select shown::text from bench.product order by date_added desc, id limit $1 offset $2)",
            )
            .bind(limit)
            .bind(offset),
            Class::PriceRange => sqlx::query(
                "with found as materialized (
                     select id, price from bench.product
                     where ($2::bigint is null or categories @> array[$2]) and price between $3 and $4)
                 select (select count(*) from found), array(
                     select shown::text from (select id, price from found order by price, id limit $1) f
                     join bench.product using (id) order by f.price, id)",
            )
            .bind(limit)
            .bind(category)
            .bind(asked.price_min)
            .bind(asked.price_max),
            Class::InStock => sqlx::query(
                "select (select count(*) from bench.product where brand = $2 and in_stock), array(
                     select shown::text from bench.product where brand = $2 and in_stock order by name, id limit $1)",
            )
            .bind(limit)
            .bind(asked.brands.first().cloned().unwrap_or_default()),
            Class::Typo => sqlx::query(
                "with found as materialized (
                     select id, word_similarity($2, name) as fit from bench.product where $2 <% name)
                 select (select count(*) from found), array(
                     select shown::text from (select id, fit from found order by fit desc, id limit $1) f
                     join bench.product using (id) order by f.fit desc, id)",
            )
            .bind(limit)
            .bind(text),
            Class::OneWord | Class::Prefix => sqlx::query(
                // Of a stop word alone nothing is left.
                "with asked as (select (nullif(plainto_tsquery('english', $2)::text, '') || ':*')::tsquery as q),
                 found as materialized (
                     select id, ts_rank(words, q) as fit from bench.product, asked where words @@ q)
                 select (select count(*) from found), array(
                     select shown::text from (select id, fit from found order by fit desc, id limit $1) f
                     join bench.product using (id) order by f.fit desc, id)",
            )
            .bind(limit)
            .bind(text),
            Class::TwoWords => sqlx::query(
                "with asked as (select plainto_tsquery('english', $2) as q),
                 found as materialized (
                     select id, ts_rank(words, q) as fit from bench.product, asked
                     where words @@ q and ($3::bigint is null or categories @> array[$3]))
                 select (select count(*) from found), array(
                     select shown::text from (select id, fit from found order by fit desc, id limit $1) f
                     join bench.product using (id) order by f.fit desc, id)",
            )
            .bind(limit)
            .bind(text)
            .bind(category),
            // The category's facet is counted without the category, the others with it.
            Class::Facets => sqlx::query(
                "with asked as (select plainto_tsquery('english', $2) as q),
                 wide as materialized (
                     select id, brand, price, in_stock, categories, ts_rank(words, q) as fit
                     from bench.product, asked where words @@ q),
                 found as materialized (
                     select * from wide where $3::bigint is null or categories @> array[$3])
                 select (select count(*) from found), array(
                     select shown::text from (select id, fit from found order by fit desc, id limit $1) f
                     join bench.product using (id) order by f.fit desc, id),
                     (select jsonb_object_agg(c, n) from (
                         select c, count(*) n from wide, unnest(categories) c group by c) counted),
                     (select jsonb_object_agg(brand, n) from (
                         select brand, count(*) n from found group by brand) counted),
                     (select jsonb_object_agg(b, n) from (
                         select width_bucket(price, 0, 100000, 10) b, count(*) n from found group by 1) counted),
                     (select jsonb_build_object('in', count(*) filter (where in_stock), 'all', count(*)) from found)",
            )
            .bind(limit)
            .bind(text)
            .bind(category),
        };
        let row = query.fetch_one(&self.db).await.unwrap();
        let page: Vec<String> = row.get(1);
        (row.get(0), page.iter().map(String::len).sum())
    }
}
