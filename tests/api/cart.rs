//! Carts: what somebody means to buy, priced at every look like everywhere else.

use duka::{
    auth::Role,
    clock::{Clock, from_micros, micros},
    config::Settings,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::support::{TestShop, User, statements_of, with_clock, with_shop};

async fn stock(shop: &TestShop, variant: i64, stock: i32) {
    sqlx::query("update variant set stock = $2 where id = $1")
        .bind(variant)
        .bind(stock)
        .execute(&shop.db)
        .await
        .unwrap();
}

async fn coupon(shop: &TestShop, admin: &User, body: Value) -> i64 {
    shop.post_as(admin, "/api/discount/", body).await.expect(201).id()
}

#[tokio::test]
async fn a_cart_is_filled_changed_and_emptied() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (product, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let (_, mug) = shop.shelve(&admin, "MUG", "8.00", 2).await;
        let empty = shop.get_as(&ada, "/api/cart/").await.expect(200).json;
        assert_eq!((&empty["items"], &empty["total"], &empty["discount"]), (&json!([]), &json!("0.00"), &Value::Null));
        let first = shop.post_as(&ada, "/api/cart/add/", json!({"variant_id": tea})).await.expect(201).json;
        let item = first["items"][0]["id"].as_i64().unwrap();
        let line = json!({
            "id": item, "variant_id": tea, "product_id": product, "product_name": "TEA", "variant_name": "Default",
            "sku": "TEA", "image_url": null, "quantity": 1, "price": "2.50", "current_price": "2.50",
            "subtotal": "2.50", "in_stock": true, "warnings": [],
        });
        assert_eq!(first["items"], json!([line]));
        assert_eq!((&first["id"], &first["currency"]), (&empty["id"], &json!("USD")));

        shop.put(&ada, tea, 3).await.expect(201);
        let both = shop.put(&ada, mug, 2).await.expect(201).json;
        assert_eq!(both["items"][0]["quantity"], 4, "it adds up");
        assert_eq!((&both["subtotal"], &both["total"]), (&json!("26.00"), &json!("26.00")));
        let short = shop.put(&ada, tea, 7).await.expect(409);
        assert_eq!((&short.json["type"], &short.json["available"]), (&json!("/problems/out-of-stock"), &json!(10)));
        let path = format!("/api/cart/update/{item}/");
        let short = shop.patch_as(&ada, &path, json!({"quantity": 11})).await.expect(409);
        assert_eq!(short.json["available"], 10);
        let changed = shop.patch_as(&ada, &path, json!({"quantity": 10})).await.expect(200).json;
        assert_eq!(changed["subtotal"], "41.00");
        for quantity in [json!(0), json!(-1), json!(10_001), json!("1"), json!(1.5), Value::Null] {
            let refused = shop.patch_as(&ada, &path, json!({"quantity": quantity})).await.expect(422);
            assert_eq!(refused.faults(), ["/quantity"], "{quantity}");
            let refused = shop.post_as(&ada, "/api/cart/add/", json!({"variant_id": tea, "quantity": quantity}));
            assert_eq!(refused.await.expect(422).faults(), ["/quantity"], "{quantity}");
        }
        assert_eq!(shop.put(&ada, 999, 1).await.expect(404).faults(), ["/variant_id"]);
        shop.patch_as(&ada, "/api/cart/update/999/", json!({"quantity": 1})).await.expect(404);

        let eve = shop.user("eve", Role::Customer).await;
        shop.patch_as(&eve, &path, json!({"quantity": 1})).await.expect(404);
        shop.delete_as(&eve, &format!("/api/cart/remove/{item}/")).await.expect(404);
        shop.delete_as(&ada, &format!("/api/cart/remove/{item}/")).await.expect(204);
        shop.delete_as(&ada, &format!("/api/cart/remove/{item}/")).await.expect(404);
        let left = shop.get_as(&ada, "/api/cart/").await.expect(200).json;
        assert_eq!((left["items"].as_array().unwrap().len(), &left["total"]), (1, &json!("16.00")));
        for (method, path) in [
            (Method::GET, "/api/cart/"),
            (Method::POST, "/api/cart/add/"),
            (Method::PATCH, "/api/cart/update/1/"),
            (Method::DELETE, "/api/cart/remove/1/"),
            (Method::POST, "/api/cart/discount/"),
            (Method::DELETE, "/api/cart/discount/"),
        ] {
            shop.send_as(None, method, path, &json!({})).await.expect(401);
        }
    })
    .await;
}

#[tokio::test]
async fn racing_requests_make_one_cart_and_lose_nothing() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let answers = join_all((0..20).map(async |turn| match turn % 2 {
            0 => shop.put(&ada, tea, 1).await,
            _ => shop.get_as(&ada, "/api/cart/").await,
        }))
        .await;
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)));
        assert!(answers.iter().all(|answer| answer.json["id"] == answers[0].json["id"]));
        let cart = shop.get_as(&ada, "/api/cart/").await.json;
        assert_eq!((cart["items"].as_array().unwrap().len(), &cart["items"][0]["quantity"]), (1, &json!(10)));
        let carts: i64 = sqlx::query_scalar("select count(*) from cart").fetch_one(&shop.db).await.unwrap();
        assert_eq!(carts, 1);
        let over = join_all((0..4).map(|_| shop.put(&ada, tea, 1))).await;
        assert!(over.iter().all(|answer| answer.status == 409));
    })
    .await;
}

#[tokio::test]
async fn what_has_changed_is_told() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (product, tea) = shop.shelve(&admin, "TEA", "2.00", 5).await;
        shop.put(&ada, tea, 5).await.expect(201);
        let look = async || {
            let cart = shop.get_as(&ada, "/api/cart/").await.expect(200).json;
            assert_eq!(cart["items"][0]["warnings"], cart["warnings"]);
            (
                cart["items"][0]["warnings"].clone(),
                cart["items"][0]["in_stock"].clone(),
                cart["total"].clone(),
            )
        };
        assert_eq!(look().await, (json!([]), json!(true), json!("10.00")));
        shop.patch_as(&admin, &format!("/api/variant/{tea}/"), json!({"price": "3.00"})).await.expect(200);
        assert_eq!(look().await, (json!(["price-changed"]), json!(true), json!("15.00")));
        shop.patch_as(&admin, &format!("/api/variant/{tea}/"), json!({"price": "2.00"})).await.expect(200);
        stock(shop, tea, 4).await;
        assert_eq!(look().await, (json!(["quantity-reduced"]), json!(true), json!("10.00")));
        stock(shop, tea, 0).await;
        assert_eq!(look().await, (json!(["out-of-stock"]), json!(false), json!("10.00")));
        stock(shop, tea, 5).await;
        let path = format!("/api/product/{product}/");
        shop.patch_as(&admin, &path, json!({"is_active": false})).await.expect(200);
        assert_eq!(look().await, (json!(["out-of-stock"]), json!(false), json!("10.00")));
        shop.put(&ada, tea, 1).await.expect(404);
        shop.patch_as(&admin, &path, json!({"is_active": true})).await.expect(200);
        assert_eq!(look().await, (json!([]), json!(true), json!("10.00")));
        shop.delete_as(&admin, &path).await.expect(204);
        assert_eq!(look().await, (json!(["out-of-stock"]), json!(false), json!("10.00")));
        let item = shop.get_as(&ada, "/api/cart/").await.json["items"][0]["id"].clone();
        let path = format!("/api/cart/update/{item}/");
        let told = shop.patch_as(&ada, &path, json!({"quantity": 1}));
        assert_eq!(told.await.expect(409).json["available"], 0);
        shop.delete_as(&ada, &format!("/api/cart/remove/{item}/")).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn a_code_says_why_it_does_not_apply() {
    let present = micros(OffsetDateTime::now_utc());
    with_clock(Settings::default(), Clock::fixed(present), async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (product, tea) = shop.shelve(&admin, "TEA", "10.01", 50).await;
        let (other, mug) = shop.shelve(&admin, "MUG", "5.00", 50).await;
        let (third, _) = shop.shelve(&admin, "POT", "5.00", 50).await;
        shop.put(&ada, tea, 1).await.expect(201);
        shop.put(&ada, mug, 1).await.expect(201);
        let at = |micros: i64| from_micros(micros).format(&Rfc3339).unwrap();
        let minute = 60_000_000;
        let cases = [
            ("AUTO", json!({"activation": "automatic"}), "unknown"),
            ("OFF", json!({"is_active": false}), "inactive"),
            ("SOON", json!({"start_date": at(present + 1)}), "not-started"),
            ("PAST", json!({"start_date": at(present - minute), "end_date": at(present)}), "ended"),
            ("BIG", json!({"minimum_purchase": "15.02"}), "minimum-not-reached"),
            ("THIRD", json!({"product_ids": [third]}), "no-product"),
            ("WORN", json!({"usage_limit": 1}), "used-up"),
        ];
        for (code, terms, reason) in cases {
            let mut body = json!({"code": code, "discount_type": "percentage", "discount_value": "10"});
            body.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
            let id = coupon(shop, &admin, body).await;
            if code == "WORN" {
                sqlx::query("update discount set times_used = 1 where id = $1").bind(id).execute(&shop.db).await.unwrap();
            }
            let told = shop.post_as(&ada, "/api/cart/discount/", json!({"code": code})).await.expect(422);
            assert_eq!(told.json["type"], "/problems/discount-not-applicable");
            assert_eq!((told.faults(), &told.json["errors"][0]["code"]), (vec!["/code"], &json!(reason)), "{code}");
        }
        let told = shop.post_as(&ada, "/api/cart/discount/", json!({"code": "NONE"})).await.expect(422);
        assert_eq!(told.json["errors"][0]["code"], "unknown");
        assert_eq!(shop.get_as(&ada, "/api/cart/").await.json["discount"], Value::Null);

        let tenth = json!({"code": "Tenth", "discount_type": "percentage", "discount_value": "10", "minimum_purchase": "15.01",
                           "product_ids": [product], "start_date": at(present), "end_date": at(present + minute)});
        coupon(shop, &admin, tenth).await;
        let cart = shop.post_as(&ada, "/api/cart/discount/", json!({"code": "tENTH"})).await.expect(200).json;
        assert_eq!(cart["discount"], json!({"code": "Tenth", "amount": "1.00"}));
        assert_eq!(
            (&cart["subtotal"], &cart["discount_total"], &cart["total"]),
            (&json!("15.01"), &json!("1.00"), &json!("14.01"))
        );
        assert_eq!(shop.get_as(&ada, "/api/cart/").await.json["discount"], cart["discount"]);
        shop.shop.app.clock.set(present + minute);
        let late = shop.get_as(&ada, "/api/cart/").await.json;
        assert_eq!((&late["warnings"], &late["total"]), (&json!(["discount-not-applicable"]), &json!("15.01")));
        assert_eq!(late["discount"], json!({"code": "Tenth", "amount": "0.00"}));
        shop.shop.app.clock.set(present + minute - 1);
        assert_eq!(shop.get_as(&ada, "/api/cart/").await.json["total"], "14.01");
        let whole = json!({"code": "ALL", "discount_type": "fixed", "discount_value": "99", "product_ids": [other]});
        coupon(shop, &admin, whole).await;
        let cart = shop.post_as(&ada, "/api/cart/discount/", json!({"code": "ALL"})).await.expect(200).json;
        assert_eq!(cart["total"], "10.01", "the other is replaced, and no line costs less than nothing");
        shop.delete_as(&ada, "/api/cart/discount/").await.expect(204);
        shop.delete_as(&ada, "/api/cart/discount/").await.expect(204);
        assert_eq!(shop.get_as(&ada, "/api/cart/").await.json["discount"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_becomes_automatic_is_told_of_before_the_whole_price_is_asked() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "10.00", 50).await;
        shop.put(&ada, tea, 1).await.expect(201);
        let tenth = json!({"code": "SAVE", "discount_type": "percentage", "discount_value": "10"});
        let id = coupon(shop, &admin, tenth).await;
        let cart = shop.post_as(&ada, "/api/cart/discount/", json!({"code": "SAVE"})).await.expect(200).json;
        assert_eq!(cart["total"], "9.00");
        let path = format!("/api/discount/{id}/");
        shop.patch_as(&admin, &path, json!({"activation": "automatic"})).await.expect(200);
        let cart = shop.get_as(&ada, "/api/cart/").await.json;
        assert_eq!(
            (&cart["warnings"], &cart["total"]),
            (&json!(["discount-not-applicable"]), &json!("10.00"))
        );
        let home = shop.home_of(&ada).await;
        let order = json!({"payment_method": "cash_on_delivery", "address_id": home});
        let refused = shop.post_as(&ada, "/api/order/", order).await.expect(422);
        assert_eq!(refused.json["type"], "/problems/discount-not-applicable");
        let again = shop.post_as(&ada, "/api/cart/discount/", json!({"code": "SAVE"})).await.expect(422);
        assert_eq!(again.json["errors"][0]["code"], "unknown");
    })
    .await;
}

#[tokio::test]
async fn search_detail_and_cart_have_one_price_to_the_microsecond() {
    let present = micros(OffsetDateTime::now_utc()) / 1_000_000 * 1_000_000;
    with_clock(Settings::default(), Clock::fixed(present), async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (product, tea) = shop.shelve(&admin, "TEA", "9.99", 50).await;
        let (start, end) = (present + 60_123_456, present + 120_654_321);
        let at = |micros: i64| from_micros(micros).format(&Rfc3339).unwrap();
        let body = json!({"code": "SALE", "discount_type": "percentage", "discount_value": "25", "activation": "automatic",
                          "product_ids": [product], "start_date": at(start), "end_date": at(end)});
        let made = shop.post_as(&admin, "/api/discount/", body).await.expect(201);
        shop.indexed(&made).await;
        shop.put(&ada, tea, 2).await.expect(201);
        for (instant, price, total) in [
            (start - 1, "9.99", "19.98"),
            (start, "7.49", "14.98"),
            (start + 1, "7.49", "14.98"),
            (end - 1, "7.49", "14.98"),
            (end, "9.99", "19.98"),
        ] {
            shop.shop.app.clock.set(instant);
            let cart = shop.get_as(&ada, "/api/cart/").await.expect(200).json;
            let found = shop.get("/api/product/").await.expect(200).json;
            let detail = shop.get(&format!("/api/product/{product}/")).await.expect(200).json;
            assert_eq!((&cart["items"][0]["current_price"], &cart["total"]), (&json!(price), &json!(total)));
            assert_eq!((&found["results"][0]["effective_price"], &detail["effective_price"]), (&json!(price), &json!(price)));
        }
    })
    .await;
}

#[tokio::test]
async fn a_full_cart_costs_as_many_statements_as_a_small_one() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (product, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        coupon(shop, &admin, json!({"code": "X", "discount_type": "fixed", "discount_value": "1"})).await;
        shop.put(&ada, tea, 1).await.expect(201);
        shop.post_as(&ada, "/api/cart/discount/", json!({"code": "X"})).await.expect(200);
        let small =
            statements_of(&["cart"], async || drop(shop.get_as(&ada, "/api/cart/").await.expect(200))).await;
        sqlx::query(
            "with made as (
                 insert into variant (product_id, variant_name, sku, price, stock)
                 select $1, 'V' || n, 'V' || n, 1, 5 from generate_series(1, 100) n returning id
             )
             insert into cart_item (cart_id, variant_id, quantity, price)
             select (select id from cart), made.id, 1, 1 from made order by made.id limit 99",
        )
        .bind(product)
        .execute(&shop.db)
        .await
        .unwrap();
        let large = statements_of(&["cart"], async || {
            let cart = shop.get_as(&ada, "/api/cart/").await.expect(200).json;
            assert_eq!((cart["items"].as_array().unwrap().len(), &cart["total"]), (100, &json!("100.50")));
        })
        .await;
        assert!(small > 0 && small == large, "{small} and {large}");
        let last: i64 = sqlx::query_scalar("select max(id) from variant").fetch_one(&shop.db).await.unwrap();
        assert_eq!(shop.put(&ada, last, 1).await.expect(409).json["type"], "/problems/too-many");
        shop.put(&ada, tea, 1).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_has_lapsed_is_ordered_without_by_whoever_knows_the_total() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let home = shop.home_of(&ada).await;
        shop.put(&ada, tea, 4).await.expect(201);
        let code = json!({"code": "ONE", "discount_type": "fixed", "discount_value": "1"});
        let code = coupon(shop, &admin, code).await;
        shop.post_as(&ada, "/api/cart/discount/", json!({"code": "ONE"})).await.expect(200);
        let path = format!("/api/discount/{code}/");
        shop.patch_as(&admin, &path, json!({"is_active": false})).await.expect(200);
        let cart = shop.get_as(&ada, "/api/cart/").await.expect(200).json;
        assert_eq!(
            (&cart["total"], &cart["warnings"]),
            (&json!("10.00"), &json!(["discount-not-applicable"]))
        );
        let order = |fields: Value| {
            let mut body = json!({"address_id": home, "payment_method": "card"});
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            shop.post_as(&ada, "/api/order/", body)
        };
        assert_eq!(order(json!({})).await.expect(422).faults(), ["/discount_code"]);
        let named = json!({"discount_code": "ONE", "expected_total": "10.00"});
        assert_eq!(order(named).await.expect(422).faults(), ["/discount_code"]);
        let changed = order(json!({"expected_total": "9.00"})).await.expect(409).json;
        assert_eq!(
            (&changed["type"], &changed["total"]),
            (&json!("/problems/price-changed"), &json!("10.00"))
        );
        let placed = order(json!({"expected_total": "10.00"})).await.expect(201).json;
        assert_eq!((&placed["total_amount"], &placed["discount_code"]), (&json!("10.00"), &Value::Null));
        assert_eq!(shop.get_as(&admin, &path).await.json["times_used"], 0);
    })
    .await;
}
