//! Discounts, and the price in time: what a search shows, filters, sorts and counts, the detail and the variant
//! say too, at every microsecond.

mod in_time;

use std::collections::{BTreeMap, BTreeSet};

use duka::{
    auth::Role,
    clock::{Clock, from_micros, micros},
    config::Settings,
    indexing::verify,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use reqwest::Method;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::support::{Answer, TestShop, User, with_clock, with_shop};

const HOUR: i64 = 3_600_000_000;

/// A shop whose clock stands at a whole second of the present.
async fn with_present(settings: Settings, test: impl AsyncFnOnce(&TestShop, i64)) {
    let present = micros(OffsetDateTime::now_utc()) / 1_000_000 * 1_000_000;
    with_clock(settings, Clock::fixed(present), async |shop| test(shop, present).await).await;
}

fn written(at: i64) -> String {
    from_micros(at).format(&Rfc3339).unwrap()
}

/// Makes a product of one variant: its id and the variant's.
async fn shelve(shop: &TestShop, admin: &User, category: i64, sku: &str, price: &str) -> (i64, i64) {
    let body = json!({"category_id": category, "name": sku, "price": price, "sku": sku, "stock_quantity": 5});
    let made = shop.post_as(admin, "/api/product/", body).await.expect(201);
    (made.id(), made.json["variants"][0]["id"].as_i64().unwrap())
}

fn automatic(code: &str, value: &str, products: &[i64]) -> Value {
    json!({
        "code": code, "discount_type": "percentage", "discount_value": value, "activation": "automatic",
        "product_ids": products,
    })
}

/// The body with other fields over it.
fn with(mut body: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("no object") };
    body.as_object_mut().unwrap().extend(fields);
    body
}

fn ids(answer: &Answer) -> Vec<i64> {
    answer.json["results"].as_array().unwrap().iter().map(|p| p["id"].as_i64().unwrap()).collect()
}

/// What a search that has seen the write shows of one product: its price, and its discount's id.
async fn shown(shop: &TestShop, write: &Answer, product: i64) -> (String, Value) {
    let path = format!("/api/product/?min_version={}", write.header("x-catalog-version"));
    let found = shop.get(&path).await.expect(200);
    let products = found.json["results"].as_array().unwrap();
    let one = products.iter().find(|one| one["id"] == product).unwrap();
    (one["effective_price"].as_str().unwrap().to_owned(), one["discount"]["id"].clone())
}

async fn verified(shop: &TestShop) {
    shop.settled().await;
    let engine = verify::open(shop.data_dir.path()).await.unwrap();
    let report = verify::verify(&shop.db, engine, |_, _| {}).await.unwrap();
    assert!(report.is_clean() && report.pending == 0, "{report:?}");
}

#[tokio::test]
async fn a_discount_is_made_read_listed_changed_and_deleted() {
    with_present(Settings::default(), async |shop, present| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let (one, _) = shelve(shop, &admin, category, "A", "10.00").await;
        let (two, _) = shelve(shop, &admin, category, "B", "10.00").await;
        let body = json!({"code": "  Welcome ", "discount_type": "percentage", "discount_value": "12.5"});
        let made = shop.post_as(&admin, "/api/discount/", body).await.expect(201);
        assert!(!made.header("x-catalog-version").is_empty());
        let mut expected = json!({
            "id": made.id(), "code": "Welcome", "description": "", "discount_type": "percentage",
            "discount_value": "12.50", "minimum_purchase": null, "maximum_discount": null,
            "start_date": written(present), "end_date": null, "is_active": true, "activation": "code",
            "usage_limit": null, "usage_limit_per_user": null, "times_used": 0, "product_ids": [],
        });
        assert_eq!(made.json, expected);
        let path = format!("/api/discount/{}/", made.id());
        assert_eq!(shop.get_as(&admin, &path).await.expect(200).json, expected);

        let change = json!({
            "code": "WELCOME", "description": "For\nnew ones", "discount_type": "fixed", "discount_value": "5",
            "minimum_purchase": "20.00", "maximum_discount": "4", "start_date": "2026-01-01T02:00:00+02:00",
            "end_date": "2030-01-01T00:00:00.5Z", "is_active": false, "usage_limit": 10,
            "usage_limit_per_user": 1, "product_ids": [two, one, two],
        });
        let changed = shop.patch_as(&admin, &path, change.clone()).await.expect(200);
        expected = with(expected, change);
        expected = with(expected, json!({
            "discount_value": "5.00", "maximum_discount": "4.00", "start_date": "2026-01-01T00:00:00Z",
            "product_ids": [one, two],
        }));
        assert_eq!(changed.json, expected);
        assert_eq!(shop.patch_as(&admin, &path, json!({})).await.expect(200).json, expected);

        shop.post_as(&admin, "/api/discount/", automatic("Sale", "10", &[one])).await.expect(201);
        for (query, codes) in [
            ("", vec!["WELCOME", "Sale"]),
            ("?code=wELCOME", vec!["WELCOME"]),
            ("?code=WEL", vec![]),
            ("?is_active=true", vec!["Sale"]),
            ("?activation=code", vec!["WELCOME"]),
            ("?activation=automatic&is_active=false", vec![]),
            (&format!("?product_id={two}"), vec!["WELCOME"]),
            ("?page=2&page_size=1", vec!["Sale"]),
        ] {
            let listed = shop.get_as(&admin, &format!("/api/discount/{query}")).await.expect(200);
            let found: Vec<_> = listed.json["results"].as_array().unwrap().iter().map(|d| &d["code"]).collect();
            assert_eq!(found, codes, "{query}");
        }
        let first = shop.get_as(&admin, "/api/discount/?page_size=1").await.json;
        assert_eq!((first["count"].as_i64(), first["next"].as_str()), (Some(2), Some("/api/discount/?page_size=1&page=2")));

        let links = format!("{path}products/");
        for _ in 0..2 {
            let linked = shop.post_as(&admin, &links, json!({"product_ids": [one]})).await.expect(200);
            assert_eq!(linked.json["product_ids"], json!([one, two]), "linking again changes nothing");
        }
        shop.delete_as(&admin, &format!("{links}{one}/")).await.expect(204);
        shop.delete_as(&admin, &format!("{links}{one}/")).await.expect(404);
        shop.delete_as(&admin, &format!("{links}nothing/")).await.expect(404);
        shop.delete_as(&admin, &format!("/api/product/{two}/")).await.expect(204);
        let read = shop.get_as(&admin, &path).await.expect(200);
        assert_eq!(read.json["product_ids"], json!([]), "a deleted product is nobody's");

        shop.delete_as(&admin, &path).await.expect(204);
        for (method, path) in [
            (Method::GET, path.as_str()),
            (Method::PATCH, &path),
            (Method::DELETE, &path),
            (Method::POST, &links),
            (Method::GET, "/api/discount/x/"),
        ] {
            let request = shop.request(method, path).bearer_auth(&admin.access);
            shop.send(request.json(&json!({"product_ids": [one]}))).await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn only_admins_see_and_write_discounts() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let made = shop.post_as(&admin, "/api/discount/", automatic("X", "10", &[])).await.expect(201);
        let others =
            [shop.user("a-customer", Role::Customer).await, shop.user("a-vendor", Role::Vendor).await];
        let path = format!("/api/discount/{}/", made.id());
        for (method, path) in [
            (Method::GET, "/api/discount/".to_owned()),
            (Method::POST, "/api/discount/".to_owned()),
            (Method::GET, path.clone()),
            (Method::PATCH, path.clone()),
            (Method::POST, format!("{path}products/")),
            (Method::DELETE, format!("{path}products/1/")),
            (Method::DELETE, path),
        ] {
            let request = || shop.request(method.clone(), &path).json(&json!({}));
            let anonymous = shop.send(request()).await.expect(401);
            assert_eq!(anonymous.header("www-authenticate"), "Bearer");
            for user in &others {
                let answer = shop.send(request().bearer_auth(&user.access)).await.expect(403);
                assert_eq!(answer.json["type"], "/problems/forbidden", "{method} {path}");
            }
        }
        assert_eq!(shop.get_as(&admin, "/api/discount/").await.json["count"], 1);
    })
    .await;
}

#[tokio::test]
async fn what_a_discount_cannot_be_is_refused_and_changes_nothing() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let (product, _) = shelve(shop, &admin, category, "A", "10.00").await;
        let good = automatic("GOOD", "10", &[product]);
        let made = shop.post_as(&admin, "/api/discount/", good.clone()).await.expect(201);
        let path = format!("/api/discount/{}/", made.id());
        let past = json!({"end_date": "2001-01-01T00:00:00Z"});
        let nothing = json!({"start_date": "2027-01-01T00:00:00Z", "end_date": "2027-01-01T01:00:00+01:00"});
        for (change, pointers) in [
            (json!({"code": ""}), vec!["/code"]),
            (json!({"code": "x".repeat(65)}), vec!["/code"]),
            (json!({"code": "a\u{0}b"}), vec!["/code"]),
            (json!({"code": 7}), vec!["/code"]),
            (json!({"description": "x".repeat(2001)}), vec!["/description"]),
            (json!({"discount_type": "bogus"}), vec!["/discount_type"]),
            (json!({"discount_value": "0"}), vec!["/discount_value"]),
            (json!({"discount_value": "0.00"}), vec!["/discount_value"]),
            (json!({"discount_value": "-1"}), vec!["/discount_value"]),
            (json!({"discount_value": "100.01"}), vec!["/discount_value"]),
            (json!({"discount_value": "10.001"}), vec!["/discount_value"]),
            (json!({"discount_value": "ten"}), vec!["/discount_value"]),
            (json!({"discount_value": 10}), vec!["/discount_value"]),
            (json!({"discount_type": "fixed", "discount_value": "10000000000"}), vec!["/discount_value"]),
            (json!({"minimum_purchase": "-0.01"}), vec!["/minimum_purchase"]),
            (json!({"maximum_discount": "0"}), vec!["/maximum_discount"]),
            (json!({"start_date": null}), vec!["/start_date"]),
            (json!({"start_date": "tomorrow"}), vec!["/start_date"]),
            (json!({"end_date": "2030-01-01"}), vec!["/end_date"]),
            (json!({"end_date": "9999-12-31T23:59:59Z"}), vec!["/end_date"]),
            (json!({"start_date": "9999-12-31T00:00:01Z"}), vec!["/start_date"]),
            (past, vec!["/end_date"]),
            (nothing, vec!["/end_date"]),
            (json!({"is_active": "yes"}), vec!["/is_active"]),
            (json!({"activation": "magic"}), vec!["/activation"]),
            (json!({"usage_limit": 1}), vec!["/usage_limit"]),
            (json!({"activation": "code", "usage_limit": 0}), vec!["/usage_limit"]),
            (
                json!({"activation": "code", "usage_limit_per_user": 2_147_483_648_i64}),
                vec!["/usage_limit_per_user"],
            ),
            (json!({"product_ids": 1}), vec!["/product_ids"]),
            (json!({"product_ids": [product, 999, product, 998]}), vec!["/product_ids/1", "/product_ids/3"]),
            (json!({"product_ids": [product, 0, "1"]}), vec!["/product_ids/1", "/product_ids/2"]),
            (json!({"times_used": 3}), vec!["/times_used"]),
            (json!({"id": 3, "colour": "red"}), vec!["/colour", "/id"]),
            (
                json!({"code": "", "discount_value": "0", "usage_limit": 0}),
                vec!["/code", "/discount_value", "/usage_limit"],
            ),
        ] {
            let new = with(with(good.clone(), json!({"code": "NEW"})), change.clone());
            let refused = shop.post_as(&admin, "/api/discount/", new).await.expect(422);
            assert_eq!(refused.faults(), pointers, "POST {change}");
            let refused = shop.patch_as(&admin, &path, change.clone()).await.expect(422);
            assert_eq!(refused.faults(), pointers, "PATCH {change}");
        }
        let nothing = shop.post_as(&admin, "/api/discount/", json!({})).await.expect(422);
        assert_eq!(nothing.faults(), ["/code", "/discount_type", "/discount_value"]);
        for (body, pointers) in [
            (json!({}), vec!["/product_ids"]),
            (json!({"product_ids": [999]}), vec!["/product_ids/0"]),
            (json!({"product_ids": [product], "more": 1}), vec!["/more"]),
        ] {
            let refused = shop.post_as(&admin, &format!("{path}products/"), body).await.expect(422);
            assert_eq!(refused.faults(), pointers);
        }
        for query in ["activation=magic", "is_active=yes", "product_id=0", "colour=red", "page=0"] {
            shop.get_as(&admin, &format!("/api/discount/?{query}")).await.expect(400);
        }

        let taken = shop.post_as(&admin, "/api/discount/", automatic("gOOd", "5", &[])).await.expect(409);
        assert_eq!(
            (taken.json["type"].as_str(), taken.faults()),
            (Some("/problems/already-taken"), vec!["/code"])
        );
        shop.post_as(&admin, "/api/discount/", automatic("OTHER", "5", &[])).await.expect(201);
        shop.patch_as(&admin, &path, json!({"code": "other"})).await.expect(409);

        sqlx::query("update discount set activation = 'code', times_used = 5 where id = $1")
            .bind(made.id())
            .execute(&shop.db)
            .await
            .unwrap();
        let refused = shop.patch_as(&admin, &path, json!({"usage_limit": 4})).await.expect(422);
        assert_eq!(refused.faults(), ["/usage_limit"]);
        let allowed = shop.patch_as(&admin, &path, json!({"usage_limit": 5})).await.expect(200);
        let kept = json!({"activation": "code", "times_used": 5, "usage_limit": 5});
        assert_eq!(allowed.json, with(made.json, kept), "the refusals changed nothing");
        let refused = shop.patch_as(&admin, &path, json!({"activation": "automatic"})).await.expect(422);
        assert_eq!(refused.faults(), ["/usage_limit"]);
    })
    .await;
}

#[tokio::test]
async fn history_outlives_a_discount() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let body = json!({"code": "ONCE", "discount_type": "fixed", "discount_value": "1.00"});
        let discount = shop.post_as(&admin, "/api/discount/", body).await.expect(201).id();
        for statement in [
            "insert into cart (user_id, discount_id) values ($2, $1)",
            "with made as (
                 insert into orders (order_number, user_id, payment_method, currency, subtotal, discount_total,
                                     total_amount, discount_id, discount_code, shipping_street, shipping_city, shipping_country)
                 values ('N-1', $2, 'card', 'USD', 10, 1, 9, $1, 'ONCE', 'A', 'B', 'C') returning id
             )
             insert into discount_use (order_id, discount_id, user_id) select id, $1, $2 from made",
        ] {
            sqlx::query(statement).bind(discount).bind(admin.id).execute(&shop.db).await.unwrap();
        }
        shop.delete_as(&admin, &format!("/api/discount/{discount}/")).await.expect(204);
        let kept: (String, String, Option<i64>, i64) = sqlx::query_as(
            "select discount_code, discount_total::text, discount_id,
                    (select count(*) from cart where user_id = orders.user_id and discount_id is null)
             from orders",
        )
        .fetch_one(&shop.db)
        .await
        .unwrap();
        assert_eq!(kept, ("ONCE".to_owned(), "1.00".to_owned(), None, 1));
    })
    .await;
}

#[tokio::test]
async fn a_currency_without_decimals_rounds_to_whole_units() {
    let settings = Settings { currency: Some("JPY".to_owned()), ..Settings::default() };
    with_present(settings, async |shop, _| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let (product, _) = shelve(shop, &admin, category, "A", "1005").await;
        let made =
            shop.post_as(&admin, "/api/discount/", automatic("SALE", "12.5", &[product])).await.expect(201);
        assert_eq!(made.json["discount_value"], "12.50", "per cent are no money");
        // 12.5 % of 1005 is 125.625.
        assert_eq!(shown(shop, &made, product).await.0, "879");
        let found = shop.get("/api/product/?price_min=879&price_max=879").await.expect(200);
        assert_eq!(found.json["results"][0]["discount"]["discount_value"], "12.50");
        let detail = shop.get(&format!("/api/product/{product}/")).await.expect(200);
        let variant = &detail.json["variants"][0];
        assert_eq!(
            (&detail.json["effective_price"], &variant["effective_price"]),
            (&json!("879"), &json!("879"))
        );
        let fixed = json!({"discount_type": "fixed"});
        let refused =
            shop.patch_as(&admin, &format!("/api/discount/{}/", made.id()), fixed).await.expect(422);
        assert_eq!(refused.faults(), ["/discount_value"]);
        verified(shop).await;
    })
    .await;
}
