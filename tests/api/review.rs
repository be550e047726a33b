//! Reviews: once for each user and product.

mod ratings;

use duka::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop, User, with_shop};

/// A shop with an admin, a customer, and two products on offer.
async fn with_products(test: impl AsyncFnOnce(&TestShop, &User, &User, [i64; 2])) {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let ada = shop.user("ada", Role::Customer).await;
        let category = shop.category(&admin, "Things").await;
        let mut products = [0; 2];
        for (id, sku) in products.iter_mut().zip(["A", "B"]) {
            let body = json!({"category_id": category, "name": sku, "price": "1.00", "sku": sku});
            *id = shop.post_as(&admin, "/api/product/", body).await.expect(201).id();
        }
        test(shop, &admin, &ada, products).await;
    })
    .await;
}

fn review(product: i64, rating: i64) -> Value {
    json!({"product_id": product, "rating": rating, "comment": "Good.\nCame late."})
}

fn ids(answer: &Answer) -> Vec<i64> {
    let rows = answer.json["results"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
    rows.iter().map(|review| review["id"].as_i64().unwrap()).collect()
}

/// Every review there is, as the database has them.
async fn kept(shop: &TestShop) -> String {
    let all = "select coalesce(string_agg(r::text, '|' order by id), '') from review r";
    sqlx::query_scalar(all).fetch_one(&shop.db).await.unwrap()
}

#[tokio::test]
async fn a_review_is_written_read_listed_changed_and_deleted() {
    with_products(async |shop, admin, ada, [one, two]| {
        let made = shop.post_as(ada, "/api/review/", review(one, 4)).await.expect(201);
        let mut expected = json!({
            "id": made.id(), "user_id": ada.id, "username": "ada", "product_id": one, "rating": 4,
            "comment": "Good.\nCame late.", "verified_purchase": false, "created_at": made.json["created_at"],
        });
        assert_eq!(made.json, expected);
        assert!(made.json["created_at"].as_str().unwrap().ends_with('Z'));
        let path = format!("/api/review/{}/", made.id());
        assert_eq!(shop.get(&path).await.expect(200).json, expected);

        let change = json!({"rating": 1, "comment": "  Naja\u{308}.\r\n<b>漢字</b> "});
        let changed = shop.patch_as(ada, &path, change).await.expect(200);
        expected["rating"] = json!(1);
        expected["comment"] = json!("Najä.\n<b>漢字</b>");
        assert_eq!(changed.json, expected);
        assert_eq!(shop.patch_as(ada, &path, json!({})).await.expect(200).json, expected);
        assert_eq!(shop.patch_as(ada, &path, json!({"comment": ""})).await.expect(200).json["comment"], "");

        let bare = json!({"product_id": two, "rating": 5});
        let second = shop.post_as(ada, "/api/review/", bare).await.expect(201);
        assert_eq!(second.json["comment"], "");
        let other = shop.post_as(admin, "/api/review/", review(one, 5)).await.expect(201).id();
        let (first, second) = (made.id(), second.id());
        for (query, found) in [
            (String::new(), vec![other, second, first]),
            (format!("?product_id={one}"), vec![other, first]),
            ("?rating=5".to_owned(), vec![other, second]),
            (format!("?product_id={two}&rating=1"), vec![]),
            (format!("?product_id={}", i64::MAX), vec![]),
        ] {
            let listed = shop.get(&format!("/api/review/{query}")).await.expect(200);
            assert_eq!(
                (ids(&listed), &listed.json["count"]),
                (found.clone(), &json!(found.len())),
                "{query}"
            );
        }
        let numbered = shop.get("/api/review/?page_size=1&page=2").await.expect(200);
        assert_eq!(ids(&numbered), [second]);
        assert_eq!(numbered.json["next"], "/api/review/?page_size=1&page=3");

        shop.delete_as(ada, &path).await.expect(204);
        for (method, body) in
            [(Method::GET, json!({})), (Method::PATCH, json!({"rating": 1})), (Method::DELETE, json!({}))]
        {
            shop.send_as(Some(ada), method, &path, &body).await.expect(404);
        }
        let again = shop.post_as(ada, "/api/review/", review(one, 2)).await.expect(201);
        assert_ne!(again.id(), first);
    })
    .await;
}

#[tokio::test]
async fn everybody_reads_and_only_the_author_writes() {
    with_products(async |shop, admin, ada, [one, two]| {
        let made = shop.post_as(ada, "/api/review/", review(one, 4)).await.expect(201);
        let path = format!("/api/review/{}/", made.id());
        let (other, vendor) =
            (shop.user("another", Role::Customer).await, shop.user("a-vendor", Role::Vendor).await);
        let before = kept(shop).await;
        for (user, post, write, delete) in [
            (None, 401, 401, 401),
            (Some(&other), 409, 404, 404),
            (Some(&vendor), 409, 404, 404),
            (Some(admin), 409, 404, 204),
        ] {
            if let Some(user) = user {
                shop.post_as(user, "/api/review/", review(two, 3)).await.expect(201);
            }
            let told = shop.send_as(user, Method::POST, "/api/review/", &review(two, 3)).await;
            assert_eq!(told.status, post, "{}", told.text);
            assert_eq!(
                shop.send_as(user, Method::GET, &path, &Value::Null).await.expect(200).json,
                made.json
            );
            let listed = format!("/api/review/?product_id={one}");
            assert_eq!(
                shop.send_as(user, Method::GET, &listed, &Value::Null).await.expect(200).json["count"],
                1
            );
            shop.send_as(user, Method::PATCH, &path, &json!({"rating": 1})).await.expect(write);
            assert!(kept(shop).await.starts_with(&before));
            shop.send_as(user, Method::DELETE, &path, &Value::Null).await.expect(delete);
        }
        shop.get(&path).await.expect(404);
        for path in ["/api/review/", &path] {
            let bad = shop.request(Method::GET, path).bearer_auth("nonsense");
            shop.send(bad).await.expect(401);
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_review_cannot_be_is_refused_and_changes_nothing() {
    with_products(async |shop, _, ada, [one, two]| {
        let path = format!("/api/review/{}/", shop.post_as(ada, "/api/review/", review(one, 4)).await.id());
        let before = kept(shop).await;
        for (field, value) in [
            ("rating", json!(0)),
            ("rating", json!(6)),
            ("rating", json!(-1)),
            ("rating", json!(4.5)),
            ("rating", json!("4")),
            ("rating", json!(1e300)),
            ("rating", json!(u64::MAX)),
            ("rating", Value::Null),
            ("comment", json!("漢".repeat(5001))),
            ("comment", json!("a\u{0}b")),
            ("comment", json!("a\u{202e}b")),
            ("comment", Value::Null),
            ("comment", json!(["a"])),
            ("id", json!(1)),
            ("user_id", json!(1)),
            ("username", json!("root")),
            ("verified_purchase", json!(true)),
            ("created_at", json!("2020-01-01T00:00:00Z")),
        ] {
            let mut new = review(two, 4);
            new[field] = value.clone();
            let refused = shop.post_as(ada, "/api/review/", new).await.expect(422);
            assert_eq!(refused.faults(), [format!("/{field}")], "POST {value}");
            let refused = shop.patch_as(ada, &path, json!({field: value})).await.expect(422);
            assert_eq!(refused.faults(), [format!("/{field}")], "PATCH {value}");
        }
        let moved = shop.patch_as(ada, &path, json!({"product_id": two})).await.expect(422);
        assert_eq!(moved.faults(), ["/product_id"]);
        for product in [json!(0), json!(-1), json!("1"), json!(1.5), json!(u64::MAX), Value::Null] {
            let refused =
                shop.post_as(ada, "/api/review/", json!({"product_id": product, "rating": 1})).await;
            assert_eq!(refused.expect(422).faults(), ["/product_id"]);
        }
        let nothing = shop.post_as(ada, "/api/review/", json!({})).await.expect(422);
        assert_eq!(nothing.faults(), ["/product_id", "/rating"]);
        let twice = shop.post_as(ada, "/api/review/", review(one, 1)).await.expect(409);
        assert_eq!(
            (twice.json["type"].as_str(), twice.faults()),
            (Some("/problems/already-taken"), vec!["/product_id"])
        );
        for query in [
            "rating=0",
            "rating=6",
            "rating=4.5",
            "product_id=0",
            "product_id=-1",
            "product_id=x",
            "user_id=1",
            "cursor=x",
            "cursor=x&page=1",
        ] {
            shop.get(&format!("/api/review/?{query}")).await.expect(400);
        }
        for id in ["0", "-1", "x", "9223372036854775807", "9223372036854775808"] {
            shop.get(&format!("/api/review/{id}/")).await.expect(404);
            shop.delete_as(ada, &format!("/api/review/{id}/")).await.expect(404);
        }
        assert_eq!(kept(shop).await, before);
        let full = json!("漢".repeat(5000));
        let longest = shop.patch_as(ada, &path, json!({"comment": full})).await.expect(200);
        assert_eq!(longest.json["comment"], full);
    })
    .await;
}

#[tokio::test]
async fn only_what_is_on_offer_is_reviewed_and_its_reviews_are_seen() {
    with_products(async |shop, admin, ada, [one, two]| {
        let mine = shop.post_as(ada, "/api/review/", review(one, 4)).await.expect(201).id();
        let theirs = shop.post_as(admin, "/api/review/", review(one, 4)).await.expect(201).id();
        let other = shop.user("another", Role::Customer).await;
        shop.patch_as(admin, &format!("/api/product/{one}/"), json!({"is_active": false})).await.expect(200);
        shop.delete_as(admin, &format!("/api/product/{two}/")).await.expect(204);
        for product in [one, two, 999_999, i64::MAX] {
            for user in [&other, admin] {
                let refused = shop.post_as(user, "/api/review/", review(product, 4)).await.expect(404);
                assert_eq!(refused.faults(), ["/product_id"]);
                assert_eq!(refused.json["type"], "/problems/not-found");
            }
        }
        for (user, seen) in [
            (None, vec![]),
            (Some(&other), vec![]),
            (Some(ada), vec![mine]),
            (Some(admin), vec![theirs, mine]),
        ] {
            let listed = shop
                .send_as(user, Method::GET, &format!("/api/review/?product_id={one}"), &Value::Null)
                .await;
            assert_eq!(listed.json["count"], seen.len());
            assert_eq!(ids(&listed.expect(200)), seen);
            for id in [mine, theirs] {
                let one = shop.send_as(user, Method::GET, &format!("/api/review/{id}/"), &Value::Null).await;
                one.expect(if seen.contains(&id) { 200 } else { 404 });
            }
        }
        // It is still the author's.
        let path = format!("/api/review/{mine}/");
        assert_eq!(shop.patch_as(ada, &path, json!({"rating": 1})).await.expect(200).json["rating"], 1);
        shop.delete_as(ada, &path).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn a_purchase_is_verified_by_the_order_as_it_stands() {
    with_products(async |shop, _, ada, [one, two]| {
        let id = shop.post_as(ada, "/api/review/", review(one, 4)).await.expect(201).id();
        let other = shop.user("another", Role::Customer).await;
        let verified = async || {
            let one = shop.get(&format!("/api/review/{id}/")).await.expect(200).json;
            assert_eq!(shop.get("/api/review/").await.expect(200).json["results"][0], one);
            one["verified_purchase"].as_bool().unwrap()
        };
        let order = async |number: &str, user: i64, product: i64| {
            sqlx::query(
                "with made as (
                     insert into orders (order_number, user_id, payment_method, currency, subtotal, total_amount,
                                         shipping_street, shipping_city, shipping_country)
                     values ($1, $2, 'card', 'USD', 1, 1, 'A', 'B', 'C') returning id
                 )
                 insert into order_item (order_id, variant_id, product_id, product_name, variant_name, sku, quantity, price, subtotal)
                 select made.id, v.id, v.product_id, 'A', 'Default', 'A', 1, 1, 1
                 from made, variant v where v.product_id = $3",
            )
            .bind(number)
            .bind(user)
            .bind(product)
            .execute(&shop.db)
            .await
            .unwrap();
        };
        let move_to = async |number: &str, status: &str, payment: &str| {
            sqlx::query(
                "update orders set status = $2, payment_status = $3,
                                   cancelled_at = case when $2 = 'cancelled' then now() end
                 where order_number = $1",
            )
            .bind(number)
            .bind(status)
            .bind(payment)
            .execute(&shop.db)
            .await
            .unwrap();
        };
        // Somebody else's order, and an order of something else.
        order("OTHER", other.id, one).await;
        order("ELSE", ada.id, two).await;
        for number in ["OTHER", "ELSE"] {
            move_to(number, "delivered", "paid").await;
        }
        assert!(!verified().await);
        order("OWN", ada.id, one).await;
        for (status, payment, expected) in [
            ("pending", "pending", false),
            ("pending", "failed", false),
            ("confirmed", "pending", false),
            ("shipped", "pending", false),
            ("delivered", "pending", true),
            ("confirmed", "paid", true),
            ("shipped", "partially_refunded", true),
            ("cancelled", "paid", false),
            ("cancelled", "refunded", false),
            ("shipped", "refunded", false),
            ("delivered", "paid", true),
        ] {
            move_to("OWN", status, payment).await;
            assert_eq!(verified().await, expected, "{status} {payment}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_is_its_reader_s_and_its_filter_s() {
    with_products(async |shop, admin, ada, [one, two]| {
        for (user, product) in [(admin, one), (admin, two), (ada, one), (ada, two)] {
            shop.post_as(user, "/api/review/", review(product, 4)).await.expect(201);
        }
        let all = ids(&shop.get("/api/review/").await);
        let first = shop.get("/api/review/?rating=4&page_size=3").await.expect(200).json;
        let cursor = first["next_cursor"].as_str().unwrap();
        shop.delete_as(admin, &format!("/api/review/{}/", all[2])).await.expect(204);
        let rest = shop.get(&format!("/api/review/?rating=4&page_size=3&cursor={cursor}")).await.expect(200);
        assert_eq!(ids(&rest), all[3..], "what the cursor stood on is gone, and it leads on");
        assert_eq!((&rest.json["count"], &rest.json["next_cursor"]), (&json!(3), &Value::Null));
        for query in ["", "rating=5&", &format!("rating=4&product_id={one}&"), "rating=4&page=2&"] {
            shop.get(&format!("/api/review/?{query}cursor={cursor}")).await.expect(400);
        }
        shop.get_as(ada, &format!("/api/review/?rating=4&cursor={cursor}")).await.expect(400);
    })
    .await;
}

#[tokio::test]
async fn whoever_has_left_is_not_named() {
    with_products(async |shop, _, ada, [one, _]| {
        let id = shop.post_as(ada, "/api/review/", review(one, 4)).await.expect(201).id();
        shop.delete_as(ada, &format!("/api/users/{}/", ada.id)).await.expect(204);
        let left = shop.get(&format!("/api/review/{id}/")).await.expect(200).json;
        assert_eq!(left["username"], format!("deleted user {}", ada.id));
        assert_eq!((&left["rating"], &left["comment"]), (&json!(4), &json!("Good.\nCame late.")));
    })
    .await;
}
