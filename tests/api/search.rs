//! Searching: what is found, counted and shown equals what SQL finds in the same catalog.

use std::collections::BTreeMap;

use duka::{
    auth::Author,
    corpus::Corpus,
    import::{
        actions::{Feed, OnError, Options, run},
        source::Entry,
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use crate::support::{TestShop, with_shop};

/// Fills the shop with the first products of a corpus.
pub async fn generate(shop: &TestShop, products: u64) {
    let corpus = Corpus::new(7, shop.shop.app.config.currency);
    let entry = move |number| Ok(Entry { line: number + 1, bytes: 0, row: Ok(corpus.row(number)) });
    let options = Options { on_error: OnError::Reject, dry_run: false };
    let feed = Feed::start((0..products).map(entry));
    let report = run(&shop.db, Author::SHOP, feed, options, &CancellationToken::new(), |_| ()).await.unwrap();
    assert_eq!((report.created, report.kept), (products, true));
    shop.settled().await;
}

/// One filter: as a query parameter, and as SQL.
struct Filter {
    facet: &'static str,
    parameters: String,
    condition: String,
}

/// What SQL says of the active products, and the expressions that filters compare.
const PRODUCTS: &str = "
    with recursive up (category_id, ancestor) as (
        select id, id from category
        union all
        select u.category_id, c.parent_id from up u join category c on c.id = u.ancestor where c.parent_id is not null
    ),
    offer as (
        select product_id, bool_or(stock > 0) as in_stock,
               coalesce(min(price) filter (where stock > 0), min(price)) as price
        from variant where deleted_at is null group by product_id
    ),
    shown as (
        select p.id, p.name, p.brand, p.category_id, p.date_added, p.rating, p.popularity, p.attributes,
               o.price, o.in_stock
        from product p join offer o on o.product_id = p.id
        where p.is_active and p.deleted_at is null
    )";

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The values that filters are drawn from.
pub struct Values {
    brands: Vec<String>,
    categories: Vec<(i64, String)>,
    attributes: Vec<(String, String)>,
}

impl Values {
    pub async fn of(shop: &TestShop) -> Self {
        let brands = "select distinct brand from product where brand is not null order by brand limit 60";
        let categories = "select id, slug from category order by id";
        let attributes = "select key, value from (
             select distinct a.key, a.value from product p, jsonb_each_text(p.attributes) a
             where p.id % 50 = 0 and jsonb_typeof(p.attributes -> a.key) in ('string', 'boolean') and length(a.value) < 40
         ) s order by md5(key || value) limit 200";
        Self {
            brands: sqlx::query_scalar(brands).fetch_all(&shop.db).await.unwrap(),
            categories: sqlx::query_as(categories).fetch_all(&shop.db).await.unwrap(),
            attributes: sqlx::query_as(attributes).fetch_all(&shop.db).await.unwrap(),
        }
    }

    fn draw(&self, dice: &mut StdRng) -> Vec<Filter> {
        let mut filters = Vec::new();
        if dice.random_bool(0.4) && !self.categories.is_empty() {
            let (id, slug) = self.categories.choose(dice).unwrap();
            let value = if dice.random_bool(0.5) { id.to_string() } else { encoded(slug) };
            let condition = format!("category_id in (select category_id from up where ancestor = {id})");
            filters.push(Filter { facet: "category", parameters: format!("category={value}"), condition });
        }
        if dice.random_bool(0.4) {
            let count = dice.random_range(1..=3);
            let chosen: Vec<&String> = self.brands.sample(dice, count).collect();
            let parameters: Vec<String> =
                chosen.iter().map(|brand| format!("brand={}", encoded(brand))).collect();
            let list: Vec<String> = chosen.iter().map(|brand| quoted(brand)).collect();
            let condition = format!("brand in ({})", list.join(", "));
            filters.push(Filter { facet: "brand", parameters: parameters.join("&"), condition });
        }
        if dice.random_bool(0.5) {
            let low = dice.random_range(0..20_000_i64);
            let high = low + dice.random_range(0..30_000_i64);
            let money = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
            let parameters = format!("price_min={}&price_max={}", money(low), money(high));
            let condition = format!("price between {} and {}", money(low), money(high));
            filters.push(Filter { facet: "price", parameters, condition });
        }
        if dice.random_bool(0.4) {
            let wanted = dice.random_bool(0.7);
            let (parameters, condition) = (format!("in_stock={wanted}"), format!("in_stock = {wanted}"));
            filters.push(Filter { facet: "availability", parameters, condition });
        }
        if dice.random_bool(0.3) && !self.attributes.is_empty() {
            let (name, value) = self.attributes.choose(dice).unwrap();
            let parameters = format!("attr.{}={}", encoded(name), encoded(value));
            // A product has what any of its variants has.
            let condition = format!(
                "(attributes ->> {0} = {1} or exists (
                     select from variant v where v.product_id = shown.id and v.deleted_at is null
                       and v.attributes ->> {0} = {1}))",
                quoted(name),
                quoted(value)
            );
            filters.push(Filter { facet: "attribute", parameters, condition });
        }
        filters
    }
}

fn condition(filters: &[Filter], but: &str) -> String {
    let kept: Vec<&str> = filters.iter().filter(|f| f.facet != but).map(|f| f.condition.as_str()).collect();
    if kept.is_empty() { "true".to_owned() } else { kept.join(" and ") }
}

async fn counts(shop: &TestShop, select: &str) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as(AssertSqlSafe(format!("{PRODUCTS} {select}"))).fetch_all(&shop.db).await.unwrap();
    rows.into_iter().collect()
}

fn facet(answer: &Value, name: &str, key: &str) -> BTreeMap<String, i64> {
    let values = answer["facets"][name].as_array().unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    values.iter().map(|value| (text(&value[key]), value["count"].as_i64().unwrap())).collect()
}

/// Compares one random combination of filters with SQL: total, first page, and every default facet.
pub async fn compare(shop: &TestShop, values: &Values, dice: &mut StdRng) {
    let filters = values.draw(dice);
    let (sort, order) = *[
        ("price", "price, id"),
        ("-price", "price desc, id"),
        ("-date_added", "date_added desc, id"),
        ("rating", "rating asc nulls last, id"),
        ("-rating,price", "rating desc nulls last, price, id"),
        ("-popularity", "popularity desc, id"),
    ]
    .choose(dice)
    .unwrap();
    let parameters: Vec<&str> = filters.iter().map(|filter| filter.parameters.as_str()).collect();
    let page = dice.random_range(1..=3);
    let query = format!("/api/product/?{}&sort={sort}&page={page}&page_size=20", parameters.join("&"));
    let answer = shop.get(&query).await.expect(200).json;

    let all = condition(&filters, "");
    let total = counts(shop, &format!("select 'n', count(*) from shown where {all}")).await["n"];
    assert_eq!(answer["count"], total, "{query}\n{all}");
    let offset = (page - 1) * 20;
    let select =
        format!("{PRODUCTS} select id from shown where {all} order by {order} offset {offset} limit 20");
    let ids: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(&shop.db).await.unwrap();
    let found: Vec<i64> =
        answer["results"].as_array().unwrap().iter().map(|p| p["id"].as_i64().unwrap()).collect();
    assert_eq!(found, ids, "{query}");

    let but = condition(&filters, "category");
    let select = format!(
        "select u.ancestor::text, count(*) from shown join up u using (category_id) where {but} group by 1"
    );
    assert_eq!(facet(&answer, "category", "id"), counts(shop, &select).await, "{query}");
    let but = condition(&filters, "brand");
    let selected = filters.iter().find(|f| f.facet == "brand").map_or("false", |f| f.condition.as_str());
    let select = format!(
        "select brand, n from (
             select brand, count(*) n, row_number() over (order by count(*) desc, brand collate \"C\") as place
             from shown where {but} and brand is not null group by brand
         ) ranked where place <= 100 or {selected}"
    );
    assert_eq!(facet(&answer, "brand", "value"), counts(shop, &select).await, "{query}");
    let but = condition(&filters, "availability");
    let select = format!(
        "select case when in_stock then 'in_stock' else 'out_of_stock' end, count(*) from shown where {but} group by 1"
    );
    let available = counts(shop, &select).await;
    for name in ["in_stock", "out_of_stock"] {
        let expected = available.get(name).copied().unwrap_or_default();
        assert_eq!(answer["facets"]["availability"][name], expected, "{query}");
    }
    compare_prices(shop, &answer, &condition(&filters, "price"), &query).await;
}

async fn compare_prices(shop: &TestShop, answer: &Value, but: &str, query: &str) {
    let price = &answer["facets"]["price"];
    let select = format!("{PRODUCTS} select min(price)::text, max(price)::text from shown where {but}");
    let (min, max): (Option<String>, Option<String>) =
        sqlx::query_as(AssertSqlSafe(select)).fetch_one(&shop.db).await.unwrap();
    assert_eq!((price["min"].as_str(), price["max"].as_str()), (min.as_deref(), max.as_deref()), "{query}");
    let buckets = price["buckets"].as_array().unwrap();
    assert!(buckets.len() <= 10, "{query}");
    let mut sum = 0;
    for bucket in buckets {
        let (from, to) = (bucket["from"].as_str().unwrap(), bucket["to"].as_str().unwrap());
        let select =
            format!("select 'n', count(*) from shown where {but} and price >= {from} and price < {to}");
        let count = counts(shop, &select).await["n"];
        assert_eq!(bucket["count"], count, "{query} {from}–{to}");
        sum += count;
    }
    let total = counts(shop, &format!("select 'n', count(*) from shown where {but}")).await["n"];
    assert_eq!(sum, total, "{query}: the buckets hold every product");
}

#[tokio::test]
async fn random_filters_equal_sql() {
    with_shop(async |shop| {
        generate(shop, 1_500).await;
        let values = Values::of(shop).await;
        let dice = &mut StdRng::seed_from_u64(1);
        for _ in 0..150 {
            compare(shop, &values, dice).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_search_never_asks_the_database() {
    with_shop(async |shop| {
        generate(shop, 50).await;
        let admin = shop.admin().await;
        let app = &shop.shop.app;
        app.web.close().await;
        app.health.close().await;
        for query in ["", "?q=the&sort=name", "?category=1&facets=category,rating,attr.material", "?page=2"] {
            shop.get(&format!("/api/product/{query}")).await.expect(200);
            shop.get_as(&admin, &format!("/api/product/{query}")).await.expect(200);
        }
        shop.get("/api/product/suggest/?q=the").await.expect(200);
        let other = shop.get("/api/category/").await.expect(503);
        assert_eq!(other.json["type"], "/problems/unavailable");
        assert!(!other.header("retry-after").is_empty());
    })
    .await;
}

pub async fn shelve(shop: &TestShop, names: &[&str]) {
    let admin = shop.admin().await;
    let category = shop.category(&admin, "Things").await;
    for (number, name) in names.iter().enumerate() {
        let body =
            json!({"category_id": category, "name": name, "price": "1.00", "sku": format!("SKU-{number}")});
        shop.post_as(&admin, "/api/product/", body).await.expect(201);
    }
    shop.settled().await;
}

pub async fn names(shop: &TestShop, query: &str) -> Vec<String> {
    let answer = shop.get(&format!("/api/product/?{query}")).await.expect(200).json;
    let products = answer["results"].as_array().unwrap();
    products.iter().map(|product| product["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn names_sort_the_way_people_expect() {
    with_shop(async |shop| {
        shelve(shop, &["item 10", "Äpfel", "Item 2", "zebra", "apfel", "Banane", "item 2"]).await;
        let sorted = ["apfel", "Äpfel", "Banane", "Item 2", "item 2", "item 10", "zebra"];
        assert_eq!(names(shop, "sort=name").await, sorted);
        let reversed = ["zebra", "item 10", "Item 2", "item 2", "Banane", "Äpfel", "apfel"];
        assert_eq!(names(shop, "ordering=-name").await, reversed, "ties end on the id in both directions");
    })
    .await;
}

#[tokio::test]
async fn words_are_found_wherever_they_stand_and_names_first() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Kettles").await;
        for (sku, name, brand, description, colour) in [
            ("A-1", "Camping stove", "Kibo", "Boils a kettle in no time", "red"),
            ("A-2", "Steel kettle", "Mawenzi", "", "blue"),
            ("A-3", "Tea cosy", "Kettle & Co", "Keeps warm", "green"),
        ] {
            let body = json!({
                "category_id": category, "name": name, "price": "1.00", "sku": sku, "brand": brand,
                "description": description, "attributes": {"colour": colour},
            });
            shop.post_as(&admin, "/api/product/", body).await.expect(201);
        }
        shop.settled().await;
        assert_eq!(names(shop, "q=kettle").await, ["Steel kettle", "Tea cosy", "Camping stove"]);
        assert_eq!(names(shop, "q=KETTLE%20blue").await, ["Steel kettle"], "every word must be there");
        assert_eq!(names(shop, "q=a-3").await, ["Tea cosy"]);
        assert_eq!(names(shop, "q=mawe").await, ["Steel kettle"], "the last word may be a beginning");
        let begun = shop.get("/api/product/?q=mawe%20kettle").await.expect(200).json;
        assert_eq!(begun["corrected_query"], "kettle", "another word may not");
        assert_eq!(names(shop, "q=%22%29%28%2A%3A").await, [""; 0], "no operator breaks a query");
        assert_eq!(names(shop, "q=kettle%20-steel%20-%22tea%20cosy%22").await, ["Camping stove"]);
        assert_eq!(names(shop, "q=%22boils%20a%20kettle%22").await, ["Camping stove"]);
        assert_eq!(names(shop, "q=%22kettle%20boils%22").await, [""; 0], "a phrase is never relaxed");
        assert_eq!(names(shop, "q=%2Bkettle%20name%3Asteel").await[0], "Steel kettle", "no operators");
    })
    .await;
}

#[tokio::test]
async fn pages_link_to_each_other_and_end() {
    with_shop(async |shop| {
        let names = ["a", "b", "c", "d", "e"];
        shelve(shop, &names).await;
        let mut next = Some("/api/product/?sort=name&page_size=2&facets=none".to_owned());
        let mut seen = Vec::new();
        while let Some(path) = next {
            let answer = shop.get(&path).await.expect(200).json;
            assert_eq!((answer["count"].as_i64(), &answer["facets"]), (Some(5), &json!({})));
            seen.extend(answer["results"].as_array().unwrap().iter().map(|p| p["name"].clone()));
            next = answer["next"].as_str().map(ToOwned::to_owned);
        }
        assert_eq!(seen, names);
        let beyond = shop.get("/api/product/?page=9000000&page_size=100").await.expect(200).json;
        assert_eq!(
            (beyond["count"].as_i64(), &beyond["results"], &beyond["next"]),
            (Some(5), &json!([]), &Value::Null)
        );
    })
    .await;
}

#[tokio::test]
async fn an_unchanged_answer_is_not_sent_again() {
    with_shop(async |shop| {
        shelve(shop, &["a"]).await;
        let first = shop.get("/api/product/?q=a").await.expect(200);
        assert!(first.header("server-timing").contains("search;dur="));
        let again = async |etag: &str| {
            let request =
                shop.request(reqwest::Method::GET, "/api/product/?q=a").header("if-none-match", etag);
            shop.send(request).await
        };
        let unchanged = again(first.header("etag")).await.expect(304);
        assert_eq!((unchanged.text.as_str(), unchanged.header("etag")), ("", first.header("etag")));
        again("\"other\"").await.expect(200);
        sqlx::query("update product set name = 'a b'").execute(&shop.db).await.unwrap();
        shop.settled().await;
        again(first.header("etag")).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_client_reads_its_own_write() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        for round in 1..=10 {
            let body =
                json!({"category_id": category, "name": "P", "price": "1.00", "sku": format!("SKU-{round}")});
            let written = shop.post_as(&admin, "/api/product/", body).await.expect(201);
            let version = written.header("x-catalog-version").to_owned();
            let path = if round % 2 == 0 {
                format!("/api/product/?min_version={version}")
            } else {
                "/api/product/".into()
            };
            let mut request = shop.request(reqwest::Method::GET, &path);
            if round % 2 == 1 {
                request = request.header("x-catalog-min-version", &version);
            }
            let answer = shop.send(request).await.expect(200);
            assert_eq!(answer.json["count"], round);
        }
        let (epoch, xid) = (shop.shop.app.indexing.applied().epoch, u64::MAX);
        let behind = shop.get(&format!("/api/product/?min_version={epoch}:{xid}")).await.expect(503);
        assert_eq!(behind.json["type"], "/problems/index-behind");
        assert!(!behind.header("retry-after").is_empty());
        shop.get("/api/product/?min_version=nonsense").await.expect(400);
    })
    .await;
}
