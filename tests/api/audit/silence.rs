//! What leaves no line, and who leaves one without a request.

use duka::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{count, log, told};
use crate::support::with_shop;

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let vendor = shop.user("vendor-ann", Role::Vendor).await;
        let category = shop.category(&admin, "C").await;
        let body = json!({"category_id": category, "name": "P", "price": "1.00", "sku": "P"});
        let product = shop.post_as(&admin, "/api/product/", body.clone()).await.expect(201).id();
        let (before, path) = (count(shop).await, format!("/api/product/{product}/"));
        shop.post_as(&admin, "/api/product/", body.clone()).await.expect(409);
        // The product is made before its variant's name is found taken.
        let mut twin = body;
        twin["sku"] = json!("Q");
        twin["variants"] = json!([{"variant_name": "X", "sku": "P"}]);
        shop.post_as(&admin, "/api/product/", twin).await.expect(409);
        shop.patch_as(&vendor, &path, json!({"name": "Mine"})).await.expect(404);
        shop.patch_as(&admin, &path, json!({"price": "-1.00"})).await.expect(422);
        let stale = shop.request(Method::PATCH, &path).bearer_auth(&admin.access).header("if-match", "\"x\"");
        shop.send(stale.json(&json!({"name": "Late"}))).await.expect(412);
        shop.delete_as(&admin, &format!("/api/category/{category}/")).await.expect(409);
        // The terms are written before the links are found wrong.
        let discount = json!({"code": "D", "discount_type": "fixed", "discount_value": "1.00", "product_ids": [999_999]});
        shop.post_as(&admin, "/api/discount/", discount).await.expect(422);
        assert_eq!(count(shop).await, before);
        let noted: i64 =
            sqlx::query_scalar("select count(*) from audit_note").fetch_one(&shop.db).await.unwrap();
        assert_eq!(noted, 0, "what is noted goes with its transaction");
    })
    .await;
}

#[tokio::test]
async fn a_prompt_counts_too() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "C").await;
        let body = json!({"category_id": category, "name": "P", "price": "1.00", "sku": "P", "stock_quantity": 9});
        let product = shop.post_as(&admin, "/api/product/", body).await.expect(201);
        let start = log(shop, &admin, "").await.len();
        for transaction in [
            "update product set price = 2",
            "update variant set stock = stock - 1",
            "update product set name = 'Q'; update variant set price = 3",
            "update product set name = 'R'; update product set name = 'Q'",
            "begin; update product set name = 'S'; rollback",
            "begin; update product set name = 'T'; savepoint s; update category set name = 'D'; rollback to s; commit",
            "begin; savepoint s; update product set name = 'U'; rollback to s; update category set name = 'E'; commit",
            "begin; set constraints all immediate; update product set name = 'V'; update category set name = 'F'; commit",
            "begin; update product set name = 'W'; savepoint s; rollback to s; update category set name = 'G'; \
             set constraints all immediate; update product set name = 'X'; commit",
            "update product set popularity = 7",
            "update users set first_name = first_name, role = role",
        ] {
            shop.at_a_prompt(transaction).await.unwrap();
        }
        let mut all = log(shop, &admin, "").await;
        all.truncate(all.len() - start);
        let said: Vec<_> = all.iter().rev().map(told).collect();
        let variant = &product.json["variants"][0]["id"];
        assert_eq!(
            said,
            [
                ("product.update", &json!({"price": "1.00"}), &json!({"price": "2.00"})),
                ("variant.update", &json!({"stock": 9}), &json!({"stock": 8})),
                (
                    "product.update",
                    &json!({"name": "P", "variants": [{"id": variant, "price": "1.00"}]}),
                    &json!({"name": "Q", "variants": [{"id": variant, "price": "3.00"}]}),
                ),
                ("product.update", &json!({"name": "Q"}), &json!({"name": "T"})),
                ("category.update", &json!({"name": "C"}), &json!({"name": "E"})),
                ("product.update", &json!({"name": "T"}), &json!({"name": "V"})),
                ("category.update", &json!({"name": "E"}), &json!({"name": "F"})),
                ("product.update", &json!({"name": "V"}), &json!({"name": "W"})),
                ("category.update", &json!({"name": "F"}), &json!({"name": "G"})),
                ("product.update", &json!({"name": "W"}), &json!({"name": "X"})),
            ]
        );
        for line in &all {
            assert_eq!((&line["actor"], &line["request_id"], &line["address"]), (&Value::Null, &Value::Null, &Value::Null));
        }
        shop.at_a_prompt("truncate category cascade").await.unwrap();
        let gone = log(shop, &admin, "action=category.truncate").await;
        assert_eq!((gone.len(), &gone[0]["entity_id"]), (1, &Value::Null));
    })
    .await;
}

/// A sale is the ledger's to tell, and a rating its author's.
#[tokio::test]
async fn what_the_shop_itself_moves_is_not_an_act_of_anybody() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "C").await;
        let body =
            json!({"category_id": category, "name": "P", "price": "1.00", "sku": "P", "stock_quantity": 9});
        shop.post_as(&admin, "/api/product/", body).await.expect(201);
        let body = json!({"code": "D", "discount_type": "fixed", "discount_value": "1.00"});
        shop.post_as(&admin, "/api/discount/", body).await.expect(201);
        shop.user("somebody", Role::Customer).await;
        let before = count(shop).await;
        let own = &shop.shop.app.web;
        for statement in [
            "update variant set stock = stock - 1",
            "update discount set times_used = times_used + 1",
            "insert into review (user_id, product_id, rating) select u.id, p.id, 4 from users u, product p",
            "update product set popularity = popularity + 1",
        ] {
            sqlx::raw_sql(statement).execute(own).await.unwrap();
            assert_eq!(count(shop).await, before, "{statement}");
        }
        // Whatever only privileged people should write is told, also when nobody says who it was.
        sqlx::raw_sql("update variant set price = 2").execute(own).await.unwrap();
        sqlx::raw_sql("update users set is_active = not is_active where username = 'somebody'")
            .execute(own)
            .await
            .unwrap();
        assert_eq!(count(shop).await, before + 2);
    })
    .await;
}
