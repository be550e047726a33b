//! Walking a catalog by cursor: to its end, while it is written, and by nobody's else token.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::{
    search::{generate, shelve},
    support::{TestShop, with_shop},
};
use duka::auth::Role;

fn ids(page: &Value) -> Vec<i64> {
    page["results"].as_array().unwrap().iter().map(|found| found["id"].as_i64().unwrap()).collect()
}

async fn first_page(shop: &TestShop, query: &str) -> Value {
    shop.get(&format!("/api/product/?{query}&facets=none")).await.expect(200).json
}

/// Follows `next` from a page to the end; `between` happens after each page.
async fn walk(shop: &TestShop, query: &str, first: &Value, mut between: impl AsyncFnMut(usize)) -> Vec<i64> {
    let (mut seen, mut cursor, mut pages) = (ids(first), first["next_cursor"].clone(), 1);
    while let Some(token) = cursor.as_str() {
        between(pages).await;
        let page =
            shop.get(&format!("/api/product/?{query}&facets=none&cursor={token}")).await.expect(200).json;
        assert!(!ids(&page).is_empty(), "{query}: a cursor was given, so there is more");
        assert_eq!(page["previous"], Value::Null);
        match page["next_cursor"].as_str() {
            Some(next) => assert!(page["next"].as_str().unwrap().ends_with(&format!("&cursor={next}"))),
            None => assert_eq!(page["next"], Value::Null),
        }
        seen.extend(ids(&page));
        cursor = page["next_cursor"].clone();
        pages += 1;
        assert!(pages < 1_000, "{query} does not end");
    }
    seen
}

const ORDERS: [&str; 9] = [
    "",
    "sort=price",
    "sort=-price,name",
    "sort=name",
    "sort=-name",
    "sort=rating,-popularity",
    "sort=-rating,date_added",
    "q=the",
    "q=the&sort=-relevance,-name",
];

#[tokio::test]
async fn cursors_and_pages_show_the_same_products_in_the_same_order() {
    with_shop(async |shop| {
        generate(shop, 400).await;
        for order in ORDERS {
            let query = format!("{order}&page_size=7");
            let by_cursor = walk(shop, &query, &first_page(shop, &query).await, async |_| ()).await;
            let mut by_page = Vec::new();
            for number in 1.. {
                let path = format!("/api/product/?{order}&page_size=100&facets=none&page={number}");
                let page = shop.get(&path).await.expect(200).json;
                by_page.extend(ids(&page));
                if page["next"].is_null() {
                    break;
                }
            }
            assert_eq!(by_cursor, by_page, "{order}");
            assert!(by_page.len() > 50, "{order}: {}", by_page.len());
        }
    })
    .await;
}

#[tokio::test]
async fn what_stays_is_seen_once_while_the_catalog_is_written() {
    with_shop(async |shop| {
        generate(shop, 300).await;
        let admin = shop.admin().await;
        let category = shop.category(&admin, "New").await;
        for (round, order) in ORDERS.iter().enumerate() {
            let query = format!("{order}&page_size=9");
            // Both walks go on from one page: what words are worth is decided with the first one.
            let first = first_page(shop, &query).await;
            let before = walk(shop, &query, &first, async |_| ()).await;
            let gone = format!("id % 11 = {round} and deleted_at is null");
            let seen = walk(shop, &query, &first, async |page| {
                // Now and then some go and some come, before the cursor and behind it.
                if page % 4 == 0 {
                    for name in ["!", "the middle", "zzz"] {
                        let sku = format!("NEW-{round}-{page}-{}", name.len());
                        let body =
                            json!({"category_id": category, "name": name, "price": "7.00", "sku": sku});
                        shop.post_as(&admin, "/api/product/", body).await.expect(201);
                    }
                    let delete = format!(
                        "update product set deleted_at = now() where id in
                             (select id from product where {gone} order by random() limit 3)"
                    );
                    sqlx::query(AssertSqlSafe(delete)).execute(&shop.db).await.unwrap();
                    shop.settled().await;
                }
            })
            .await;
            let mut once = seen.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), seen.len(), "{order}: nothing comes twice");
            let deleted: Vec<i64> = sqlx::query_scalar("select id from product where deleted_at is not null")
                .fetch_all(&shop.db)
                .await
                .unwrap();
            let stayed: Vec<i64> = before.iter().copied().filter(|id| !deleted.contains(id)).collect();
            let seen: Vec<i64> = seen.into_iter().filter(|id| stayed.contains(id)).collect();
            assert_eq!(seen, stayed, "{order}: nothing is skipped, and the order is kept");
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_opens_for_its_own_search_and_reader() {
    with_shop(async |shop| {
        shelve(shop, &["kettle a", "kettle b", "kettle c"]).await;
        let search = "q=kettle&sort=name&price_max=5";
        let token = async |query: &str| {
            let page = shop.get(&format!("/api/product/?{query}&page_size=1")).await.expect(200).json;
            page["next_cursor"].as_str().unwrap().to_owned()
        };
        let cursor = token(search).await;
        for same in [
            "price_max=5.0&ordering=name&search=kettle",
            "q=kettle&sort=name&price_max=5&page_size=2&facets=none&highlight=true",
        ] {
            let page = shop.get(&format!("/api/product/?{same}&cursor={cursor}")).await.expect(200).json;
            assert_eq!(page["results"][0]["name"], "kettle b", "{same}");
        }
        for other in ["q=kettle&sort=name", "q=kettle&sort=-name&price_max=5", "sort=name&price_max=5", ""] {
            let refused = shop.get(&format!("/api/product/?{other}&cursor={cursor}")).await.expect(400);
            assert_eq!(refused.faults(), ["cursor"], "{other}");
        }
        shop.get(&format!("/api/product/?{search}&cursor={cursor}&page=1")).await.expect(400);
        for at in 0..cursor.len() {
            let other = if &cursor[at..=at] == "A" { "B" } else { "A" };
            let forged = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
            let refused = shop.get(&format!("/api/product/?{search}&cursor={forged}")).await.expect(400);
            assert_eq!(refused.faults(), ["cursor"], "{forged}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_vendor_s_cursor_is_no_other_vendor_s() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let (one, other) =
            (shop.user("vendor-1", Role::Vendor).await, shop.user("vendor-2", Role::Vendor).await);
        for (user, sku) in [(&one, "A"), (&one, "B"), (&other, "C"), (&other, "D")] {
            let body = json!({
                "category_id": category, "name": sku, "price": "1.00", "sku": sku, "is_active": false,
            });
            shop.post_as(user, "/api/product/", body).await.expect(201);
        }
        shop.settled().await;
        let path = "/api/product/?is_active=false&sort=name&page_size=1";
        let page = shop.get_as(&one, path).await.expect(200).json;
        let next = page["next_cursor"].as_str().unwrap();
        let second = shop.get_as(&one, &format!("{path}&cursor={next}")).await.expect(200).json;
        assert_eq!(second["results"][0]["name"], "B");
        shop.get_as(&other, &format!("{path}&cursor={next}")).await.expect(400);
        shop.get(&format!("{path}&cursor={next}")).await.expect(400);
    })
    .await;
}
