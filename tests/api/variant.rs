//! Variants: what is put in a cart.

use duka::auth::Role;
use serde_json::json;

use crate::support::with_shop;

#[tokio::test]
async fn variants_set_the_product_s_price_and_stock() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Shirts").await;
        let product = json!({
            "category_id": category, "name": "Shirt", "price": "20.00", "sku": "SHIRT",
            "variants": [
                {"variant_name": "S", "sku": "SHIRT-S", "stock": 0, "price": "5.00"},
                {"variant_name": "M", "sku": "SHIRT-M", "stock": 3},
                {"variant_name": "L", "sku": "SHIRT-L", "stock": 2, "price": "30.00", "attributes": {"size": "L"}},
            ],
        });
        let made = shop.post_as(&admin, "/api/product/", product).await.expect(201);
        assert_eq!(made.json["effective_price"], "20.00", "what is sold out does not set the price");
        assert_eq!((made.json["stock_quantity"].as_i64(), made.json["variant_count"].as_i64()), (Some(5), Some(3)));
        let names: Vec<_> = made.json["variants"].as_array().unwrap().iter().map(|v| v["variant_name"].clone()).collect();
        assert_eq!(names, ["S", "M", "L"]);

        let small = made.json["variants"][0]["id"].as_i64().unwrap();
        let stocked = shop.patch_as(&admin, &format!("/api/variant/{small}/"), json!({"stock": 1})).await.expect(200);
        assert_eq!((stocked.json["in_stock"].as_bool(), stocked.json["price"].as_str()), (Some(true), Some("5.00")));
        shop.indexed(&stocked).await;
        let found = shop.get("/api/product/?attr.size=L&price_max=5.00").await.expect(200);
        assert_eq!(found.json["results"][0]["effective_price"], "5.00");
        assert_eq!(found.json["results"][0]["stock_quantity"], 6);

        let listed = shop.get(&format!("/api/variant/?product_id={}&in_stock=true", made.id())).await.expect(200);
        assert_eq!(listed.json["count"], 3);
        assert_eq!(shop.get("/api/variant/?sku=SHIRT-M").await.json["results"][0]["stock"], 3);
        let moved: i64 = sqlx::query_scalar("select sum(quantity) from stock_movement").fetch_one(&shop.db).await.unwrap();
        assert_eq!(moved, 6, "the ledger's sum is the stock");
    })
    .await;
}

#[tokio::test]
async fn a_product_keeps_its_last_variant() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "C").await;
        let product = json!({"category_id": category, "name": "P", "price": "1.00", "sku": "P"});
        let product = shop.post_as(&admin, "/api/product/", product).await.expect(201);
        let first = product.json["variants"][0]["id"].as_i64().unwrap();
        let last = shop.delete_as(&admin, &format!("/api/variant/{first}/")).await.expect(409);
        assert_eq!(last.json["type"], "/problems/last-variant");
        let body = json!({"product_id": product.id(), "variant_name": "Blue", "sku": "P-BLUE", "stock": 4});
        let second = shop.post_as(&admin, "/api/variant/", body.clone()).await.expect(201);
        assert_eq!(second.json["price"], "1.00", "the product's price when it has none of its own");
        shop.post_as(&admin, "/api/variant/", body).await.expect(409);
        shop.delete_as(&admin, &format!("/api/variant/{first}/")).await.expect(204);
        shop.get(&format!("/api/variant/{first}/")).await.expect(404);
        let read = shop.get(&format!("/api/product/{}/", product.id())).await.expect(200);
        assert_eq!(
            (read.json["variant_count"].as_i64(), read.json["stock_quantity"].as_i64()),
            (Some(1), Some(4))
        );
    })
    .await;
}

#[tokio::test]
async fn an_only_variant_and_its_product_share_price_and_sku_both_ways() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "C").await;
        let body = |sku: &str| json!({"category_id": category, "name": "P", "price": "1.00", "sku": sku});
        let product = shop.post_as(&admin, "/api/product/", body("P")).await.expect(201);
        let other = shop.post_as(&admin, "/api/product/", body("Q")).await.expect(201);
        let (path, only) = (format!("/api/product/{}/", product.id()), &product.json["variants"][0]["id"]);
        let only = format!("/api/variant/{only}/");
        shop.patch_as(&admin, &only, json!({"price": "12.00", "sku": "P-12"})).await.expect(200);
        let read = shop.get(&path).await.expect(200).json;
        assert_eq!(
            (&read["price"], &read["effective_price"], &read["sku"]),
            (&json!("12.00"), &json!("12.00"), &json!("P-12"))
        );
        shop.patch_as(&admin, &path, json!({"price": "13.00"})).await.expect(200);
        assert_eq!(shop.get(&only).await.json["price"], "13.00");
        let taken = shop.patch_as(&admin, &only, json!({"sku": "Q"})).await.expect(409);
        assert_eq!(taken.faults(), ["/sku"]);
        // Beside another one it is on its own.
        let second =
            json!({"product_id": product.id(), "variant_name": "Blue", "sku": "P-BLUE", "price": "3.00"});
        shop.post_as(&admin, "/api/variant/", second).await.expect(201);
        shop.patch_as(&admin, &only, json!({"price": "14.00"})).await.expect(200);
        assert_eq!(shop.get(&path).await.json["price"], "13.00");
        assert_eq!(shop.get(&format!("/api/product/{}/", other.id())).await.json["sku"], "Q");
    })
    .await;
}

#[tokio::test]
async fn vendors_write_their_own_and_see_no_other_s_drafts() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "C").await;
        let (ann, ben) =
            (shop.user("vendor-ann", Role::Vendor).await, shop.user("vendor-ben", Role::Vendor).await);
        let draft =
            json!({"category_id": category, "name": "P", "price": "1.00", "sku": "P", "is_active": false});
        let product = shop.post_as(&ann, "/api/product/", draft).await.expect(201);
        let path = format!("/api/variant/{}/", product.json["variants"][0]["id"]);
        shop.get(&path).await.expect(404);
        shop.get_as(&ben, &path).await.expect(404);
        shop.get_as(&ann, &path).await.expect(200);
        shop.get_as(&admin, &path).await.expect(200);
        shop.patch_as(&ben, &path, json!({"stock": 9})).await.expect(404);
        shop.delete_as(&ben, &path).await.expect(404);
        let body = json!({"product_id": product.id(), "variant_name": "X", "sku": "X"});
        let refused = shop.post_as(&ben, "/api/variant/", body).await.expect(404);
        assert_eq!(refused.faults(), ["/product_id"]);
        assert_eq!(shop.get("/api/variant/").await.json["count"], 0);
        assert_eq!(shop.get_as(&ann, "/api/variant/").await.json["count"], 1);
    })
    .await;
}
