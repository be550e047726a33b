//! Lists that can grow, walked by cursor: to their ends, while they are written, at one cost, and by nobody else's
//! token.

use duka::{auth::Role, config::Settings};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::support::{TestShop, User, with_settings, with_shop};

const VARIANTS: &str = "/api/variant/";
const DISCOUNTS: &str = "/api/discount/";
const CATEGORIES: &str = "/api/category/";

fn ids(page: &Value) -> Vec<i64> {
    page["results"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// Follows `next_cursor` to the end; `between` happens after each page, and is told what was seen so far.
async fn walk(
    shop: &TestShop,
    user: &User,
    list: &str,
    query: &str,
    mut between: impl AsyncFnMut(&[i64]),
) -> Vec<i64> {
    let mut page = shop.get_as(user, &format!("{list}?{query}")).await.expect(200).json;
    let (mut seen, mut pages) = (ids(&page), 1);
    while let Some(cursor) = page["next_cursor"].as_str().map(ToOwned::to_owned) {
        between(&seen).await;
        page = shop.get_as(user, &format!("{list}?{query}&cursor={cursor}")).await.expect(200).json;
        assert!(!ids(&page).is_empty(), "{list}?{query}: a cursor was given, so there is more");
        assert_eq!(page["previous"], Value::Null);
        match page["next_cursor"].as_str() {
            Some(next) => assert!(page["next"].as_str().unwrap().ends_with(&format!("&cursor={next}"))),
            None => assert_eq!(page["next"], Value::Null),
        }
        seen.extend(ids(&page));
        pages += 1;
        assert!(pages < 1_000, "{list}?{query} does not end");
    }
    assert_eq!(page.get("next_cursor"), Some(&Value::Null), "{list}?{query}");
    seen
}

/// Follows `next` from the first page to the last.
async fn pages(shop: &TestShop, user: &User, list: &str, query: &str) -> Vec<i64> {
    let mut page = shop.get_as(user, &format!("{list}?{query}")).await.expect(200).json;
    let mut seen = ids(&page);
    while let Some(next) = page["next"].as_str().map(ToOwned::to_owned) {
        page = shop.get_as(user, &next).await.expect(200).json;
        seen.extend(ids(&page));
    }
    assert_eq!(page["count"], seen.len(), "{list}?{query}");
    seen
}

/// Adds products of three variants each, half of them in stock, and a discount and a category for each.
async fn stock(shop: &TestShop, admin: &User, names: &[&str]) {
    for name in names {
        let body = json!({"name": format!("{name} things")});
        let root = shop.post_as(admin, CATEGORIES, body).await.expect(201).id();
        let body = json!({"name": format!("small {name}"), "parent_id": root});
        let leaf = shop.post_as(admin, CATEGORIES, body).await.expect(201).id();
        let variants = ["C", "A", "B"].map(
            |size| json!({"variant_name": size, "sku": format!("{name}-{size}"), "stock": i64::from(size == "A")}),
        );
        let body = json!({
            "category_id": leaf, "name": name, "price": "1.00", "sku": name, "variants": variants,
        });
        let product = shop.post_as(admin, "/api/product/", body).await.expect(201).id();
        let body = json!({
            "code": name, "discount_type": "fixed", "discount_value": "1", "product_ids": [product],
            "is_active": name.len() % 2 == 0,
        });
        shop.post_as(admin, DISCOUNTS, body).await.expect(201);
    }
}

const LISTS: [(&str, &str); 9] = [
    (VARIANTS, ""),
    (VARIANTS, "in_stock=true"),
    (VARIANTS, "in_stock=false"),
    (VARIANTS, "product_id=1"),
    (DISCOUNTS, ""),
    (DISCOUNTS, "is_active=true&activation=code"),
    (DISCOUNTS, "product_id=2"),
    (CATEGORIES, ""),
    (CATEGORIES, "tree=true"),
];

#[tokio::test]
async fn cursors_and_pages_show_the_same_rows_in_the_same_order() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        stock(shop, &admin, &["tea", "cup", "pots", "jars", "x", "Ärmel", "ärger"]).await;
        // As an import does, which gives variants their places anew.
        sqlx::query("update variant set position = 2 - position").execute(&shop.db).await.unwrap();
        for (list, query) in LISTS {
            let all = pages(shop, &admin, list, &format!("{query}&page_size=100")).await;
            assert!(!all.is_empty(), "{list}?{query}");
            for size in [1, 2, 3, 7] {
                let query = format!("{query}&page_size={size}");
                assert_eq!(walk(shop, &admin, list, &query, async |_| ()).await, all, "{list}?{query}");
                assert_eq!(pages(shop, &admin, list, &query).await, all, "{list}?{query}");
            }
            let page = shop.get_as(&admin, &format!("{list}?{query}&page=2&page_size=1")).await.expect(200);
            let Some(cursor) = page.json["next_cursor"].as_str() else { continue };
            let third = shop.get_as(&admin, &format!("{list}?{query}&page_size=1&cursor={cursor}")).await;
            assert_eq!(
                ids(&third.expect(200).json),
                all[2..3],
                "{list}?{query}: behind a page by its number"
            );
        }
        let nowhere = shop.get_as(&admin, &format!("{VARIANTS}?page=1000")).await.expect(200).json;
        assert_eq!((ids(&nowhere), &nowhere["next_cursor"]), (vec![], &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn what_stays_is_seen_once_while_rows_come_and_go() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        stock(shop, &admin, &["tea", "cup", "pots", "jars", "lids", "mugs"]).await;
        for (list, query) in [(VARIANTS, ""), (DISCOUNTS, ""), (CATEGORIES, ""), (CATEGORIES, "tree=true")] {
            let query = format!("{query}&page_size=2");
            let before = walk(shop, &admin, list, &query, async |_| ()).await;
            let mut gone = Vec::new();
            let seen = walk(shop, &admin, list, &query, async |seen| {
                if seen.len() <= 8 {
                    // The very row that the cursor names goes, and rows come before it and behind it.
                    gone.extend(remove(shop, &admin, list, *seen.last().unwrap()).await);
                    add(shop, &admin, list, &format!("{}{}", seen.len(), query.len())).await;
                }
            })
            .await;
            assert!(!gone.is_empty(), "{list}?{query}");
            let mut once = seen.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), seen.len(), "{list}?{query}: nothing comes twice");
            let stayed: Vec<i64> = before.iter().copied().filter(|id| !gone.contains(id)).collect();
            let seen: Vec<i64> = seen.into_iter().filter(|id| stayed.contains(id)).collect();
            assert_eq!(seen, stayed, "{list}?{query}: nothing is skipped, and the order is kept");
        }
    })
    .await;
}

/// Adds rows before all others and behind them, where the list's order has such places.
async fn add(shop: &TestShop, admin: &User, list: &str, name: &str) {
    if list == CATEGORIES {
        for name in [format!("a{name}"), format!("zz{name}")] {
            shop.post_as(admin, list, json!({"name": name})).await.expect(201);
        }
        return;
    }
    if list == VARIANTS {
        let body = json!({"product_id": 1, "variant_name": name, "sku": name});
        shop.post_as(admin, list, body).await.expect(201);
    }
    stock(shop, admin, &[&format!("{name}-{list}")]).await;
}

/// Deletes a row, where that may be, and what a category holds: the ids of those that are gone.
async fn remove(shop: &TestShop, admin: &User, list: &str, id: i64) -> Vec<i64> {
    let mut gone = vec![id];
    if list == CATEGORIES {
        let products: Vec<i64> = sqlx::query_scalar(
            "select p.id from product p join category c on c.id = p.category_id where $1 in (c.id, c.parent_id)",
        )
        .bind(id)
        .fetch_all(&shop.db)
        .await
        .unwrap();
        for product in products {
            shop.delete_as(admin, &format!("/api/product/{product}/")).await.expect(204);
        }
        let children = sqlx::query_scalar("delete from category where parent_id = $1 returning id");
        gone.extend(children.bind(id).fetch_all(&shop.db).await.unwrap() as Vec<i64>);
    }
    let deleted = shop.delete_as(admin, &format!("{list}{id}/")).await;
    // The last variant of a product stays.
    if deleted.status == 409 {
        Vec::new()
    } else {
        deleted.expect(204);
        gone
    }
}

#[tokio::test]
async fn a_cursor_opens_for_its_own_list_alone() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        stock(shop, &admin, &["tea", "cup"]).await;
        let own = [
            (VARIANTS, "in_stock=false", "page_size=2"),
            (VARIANTS, "product_id=1", "page_size=1"),
            (DISCOUNTS, "is_active=false", "page_size=1"),
            (CATEGORIES, "", "page_size=1"),
            (CATEGORIES, "tree=true", "page_size=1"),
        ];
        for (list, query, size) in own {
            let first = shop.get_as(&admin, &format!("{list}?{query}&{size}")).await.expect(200).json;
            let cursor = first["next_cursor"].as_str().unwrap();
            let larger = shop.get_as(&admin, &format!("{list}?page_size=9&{query}&cursor={cursor}")).await;
            assert!(!ids(&larger.expect(200).json).is_empty(), "the size of a page is free");
            for (other, strange) in [
                (VARIANTS, ""),
                (VARIANTS, "in_stock=true"),
                (VARIANTS, "sku=tea-A"),
                (DISCOUNTS, ""),
                (DISCOUNTS, "is_active=true"),
                (DISCOUNTS, "activation=code"),
                (DISCOUNTS, "code=x"),
                (CATEGORIES, "tree=true"),
                (CATEGORIES, ""),
                ("/api/product/", ""),
            ] {
                if (other, strange) == (list, query) {
                    continue;
                }
                let refused = shop.get_as(&admin, &format!("{other}?{strange}&cursor={cursor}")).await;
                let refused = refused.expect(400);
                assert_eq!(refused.faults(), ["cursor"], "of {list}?{query}, for {other}?{strange}");
                assert_eq!(refused.json["type"], "/problems/invalid-parameter");
            }
            for at in 0..cursor.len() {
                let other = if &cursor[at..=at] == "A" { "B" } else { "A" };
                let forged = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
                let refused = shop.get_as(&admin, &format!("{list}?{query}&cursor={forged}")).await;
                assert_eq!(refused.expect(400).faults(), ["cursor"], "{forged}");
            }
            for bad in ["cursor=", "cursor=a&page=1", "page=1&cursor=", "cursor=a&cursor=b"] {
                let refused = shop.get_as(&admin, &format!("{list}?{query}&{bad}")).await.expect(400);
                assert_eq!(refused.faults(), ["cursor"], "{bad}");
            }
            let both =
                shop.get_as(&admin, &format!("{list}?{query}&cursor={cursor}&page=1")).await.expect(400);
            assert!(both.json["detail"].as_str().unwrap().contains("`page`"), "{}", both.text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_is_its_reader_s() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        stock(shop, &admin, &["tea"]).await;
        let (one, other) =
            (shop.user("vendor-1", Role::Vendor).await, shop.user("vendor-2", Role::Vendor).await);
        let customer = shop.user("customer", Role::Customer).await;
        for (user, name) in [(&one, "draft 1"), (&other, "draft 2")] {
            let body =
                json!({"name": name, "price": "1.00", "sku": name, "category_id": 1, "is_active": false});
            shop.post_as(user, "/api/product/", body).await.expect(201);
        }
        let path = format!("{VARIANTS}?page_size=1");
        let readers = [Some(&admin), Some(&one), Some(&other), Some(&customer), None];
        for (from, reader) in readers.into_iter().enumerate() {
            let get = async |reader: Option<&User>, path: &str| match reader {
                Some(user) => shop.get_as(user, path).await,
                None => shop.get(path).await,
            };
            let page = get(reader, &path).await.expect(200).json;
            assert_eq!(page["count"], [5, 4, 4, 3, 3][from]);
            let next = format!("{path}&cursor={}", page["next_cursor"].as_str().unwrap());
            for (to, opener) in readers.into_iter().enumerate() {
                // Customers and strangers see the same, and so share a list.
                let same = from == to || from.min(to) >= 3;
                get(opener, &next).await.expect(if same { 200 } else { 400 });
            }
        }
    })
    .await;
}

#[tokio::test]
async fn links_lead_on_however_the_parameters_were_written() {
    let settings = Settings { public_url: Some("https://shop.example/".into()), ..Settings::default() };
    with_settings(settings, async |shop| {
        let admin = shop.admin().await;
        stock(shop, &admin, &["tea", "cup"]).await;
        let page =
            shop.get(&format!("{VARIANTS}?%70age=2&page_size=1&in%5fstock=false")).await.expect(200).json;
        assert_eq!(page["next"], "https://shop.example/api/variant/?page_size=1&in%5fstock=false&page=3");
        let cursor = page["next_cursor"].as_str().unwrap();
        let page =
            shop.get(&format!("{VARIANTS}?in_stock=false&page_size=1&%63ursor={cursor}")).await.expect(200);
        let next =
            page.json["next"].as_str().unwrap().strip_prefix("https://shop.example").unwrap().to_owned();
        let fourth = shop.get(&next).await.expect(200).json;
        assert_eq!((fourth["count"].as_u64(), ids(&fourth).len()), (Some(4), 1));
    })
    .await;
}

/// The names of a category's ancestors may be more than a request's header holds.
#[tokio::test]
async fn the_deepest_tree_with_the_longest_names_is_walked() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let mut parent = Value::Null;
        for depth in 0..32 {
            let name = "𝄞".repeat(118) + &format!("{depth:02}");
            let body = json!({"name": name, "parent_id": parent});
            parent = shop.post_as(&admin, CATEGORIES, body).await.expect(201).id().into();
        }
        let all = pages(shop, &admin, CATEGORIES, "page_size=100").await;
        assert_eq!(all.len(), 32);
        assert_eq!(walk(shop, &admin, CATEGORIES, "page_size=1", async |_| ()).await, all);
        assert_eq!(walk(shop, &admin, CATEGORIES, "page_size=5", async |_| ()).await, all);
    })
    .await;
}

/// The checked query that reads a list, from the cache of all of them.
pub(crate) fn cached_query(beginning: &str, part: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let queries = std::fs::read_dir(folder).unwrap().map(|entry| {
        let cached: Value =
            serde_json::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        cached["query"].as_str().unwrap().to_owned()
    });
    let found: Vec<String> =
        queries.filter(|query| query.starts_with(beginning) && query.contains(part)).collect();
    assert_eq!(found.len(), 1, "{beginning} … {part}: {found:?}");
    found.into_iter().next().unwrap()
}

/// How many of the database's blocks the prepared query touches.
pub(crate) async fn blocks(db: &mut PgConnection, arguments: &str) -> i64 {
    let explain = format!("explain (analyze, buffers, format json) execute page ({arguments})");
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(db).await.unwrap();
    let plan = &plan[0]["Plan"];
    plan["Shared Hit Blocks"].as_i64().unwrap() + plan["Shared Read Blocks"].as_i64().unwrap()
}

#[tokio::test]
async fn the_last_page_costs_what_the_first_does() {
    with_shop(async |shop| {
        // Without triggers: the index need not hold them.
        let fill = "
            set session_replication_role = replica;
            insert into product (name, slug, sku, price, is_active)
                select 'P', 'p', 'P-' || n, 1, n % 2 = 0 from generate_series(1, 20000) n;
            insert into variant (product_id, position, variant_name, sku, price)
                select id, n, 'V', id || '-' || n, 1 from product, generate_series(0, 1) n;
            insert into discount (code, discount_type, discount_value)
                select 'D-' || n, 'fixed', 1 from generate_series(1, 20000) n;
            analyze";
        let mut filling = shop.db.acquire().await.unwrap().detach();
        sqlx::raw_sql(fill).execute(&mut filling).await.unwrap();
        let db = &mut *shop.shop.app.web.acquire().await.unwrap();
        for (query, deep, pages) in [
            (
                cached_query("select v.id", "offset"),
                "false, null, null, null, null, 0, 0, 0, 19900, 25",
                [
                    "false, null, null, null, null, 0, 0, 0, 0, 25",
                    "false, null, null, null, null, 10000, 1, 20000, 0, 25",
                    "false, null, null, null, null, 19900, 1, 39800, 0, 25",
                    "false, null, 15000, null, null, 0, 0, 0, 0, 25",
                    "false, null, null, '15000-1', null, 0, 0, 0, 0, 25",
                ],
            ),
            (
                cached_query("select id, code", "offset"),
                "null, null, null, null, 0, 19900, 25",
                [
                    "null, null, null, null, 0, 0, 25",
                    "null, null, null, null, 10000, 0, 25",
                    "null, null, null, null, 19900, 0, 25",
                    "null, null, null, null, 19990, 0, 25",
                    "'d-15000', null, null, null, 0, 0, 25",
                ],
            ),
        ] {
            let prepare = format!("prepare page as {query}");
            sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *db).await.unwrap();
            // Deep pages by their number, as many as it takes to make PostgreSQL think of other plans.
            for _ in 0..6 {
                blocks(db, deep).await;
            }
            for page in pages {
                let touched = blocks(db, page).await;
                assert!(touched < 400, "{touched} blocks for {page}: {query}");
            }
            db.execute("deallocate page").await.unwrap();
        }
    })
    .await;
}
