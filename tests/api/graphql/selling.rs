//! The catalog and its administration through the graph.

use duka::auth::Role;
use serde_json::json;

use crate::support::with_shop;

#[tokio::test]
async fn a_catalog_is_made_changed_and_taken_away() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let vendor = shop.user("vendor", Role::Vendor).await;
        let make = "mutation ($input: CategoryInput!) { createCategory(input: $input) { id slug parentId path } }";
        let kitchen = shop.data(Some(&admin), make, json!({"input": {"name": "Kitchen"}})).await["createCategory"].clone();
        let input = json!({"input": {"name": "Cups", "parentId": kitchen["id"]}});
        let cups = shop.data(Some(&admin), make, input).await["createCategory"].clone();
        assert_eq!(cups["path"], json!(["Kitchen", "Cups"]));
        let change = "mutation ($id: ID!, $input: CategoryChangesInput!) { updateCategory(id: $id, input: $input) { parentId name } }";
        let rooted = json!({"id": cups["id"], "input": {"parentId": null}});
        let rooted = shop.data(Some(&admin), change, rooted).await;
        assert_eq!(rooted["updateCategory"], json!({"parentId": null, "name": "Cups"}), "null is not absent");

        let make = "mutation ($input: ProductInput!) {
            createProduct(input: $input) {
                id vendorId brand attributes stockQuantity effectivePrice variants { id sku price attributes stock } reviews { id }
            }
        }";
        let input = json!({"input": {
            "categoryId": cups["id"], "name": "Tea cup", "price": "4.00", "sku": "CUP", "brand": "Acme",
            "attributes": {"dishwasherSafe": true, "inkColours": ["red", "blue"]},
            "variants": [
                {"variantName": "Small", "sku": "CUP-S", "stock": 2, "attributes": {"sizeName": "S"}},
                {"variantName": "Large", "sku": "CUP-L", "price": "5.50", "stock": 3},
            ],
        }});
        let made = shop.graph(Some(&vendor), make, input).await;
        assert!(made.json["errors"].is_null(), "{}", made.text);
        let product = made.json["data"]["createProduct"].clone();
        assert_eq!(product["attributes"], json!({"dishwasherSafe": true, "inkColours": ["red", "blue"]}));
        assert_eq!((&product["vendorId"], &product["stockQuantity"]), (&json!(vendor.id.to_string()), &json!(5)));
        let variants = product["variants"].as_array().unwrap();
        assert_eq!((&variants[0]["price"], &variants[1]["price"]), (&json!("4.00"), &json!("5.50")));
        assert_eq!(variants[0]["attributes"], json!({"sizeName": "S"}));
        // A search that names the write holds it.
        let version = made.header("x-catalog-version").to_owned();
        let find = "query ($version: String) { products(q: \"tea cup\", minVersion: $version) { totalCount nodes { id } } }";
        let found = shop.graph(None, find, json!({"version": version})).await;
        assert_eq!(found.json["data"]["products"]["nodes"][0]["id"], product["id"], "{}", found.text);
        assert!(!found.header("x-catalog-version").is_empty());
        let misread = shop.graph(None, find, json!({"version": "yesterday"})).await;
        assert_eq!(misread.json["errors"][0]["extensions"]["errors"][0]["argument"], "minVersion");

        let change = "mutation ($id: ID!, $input: ProductChangesInput!) { updateProduct(id: $id, input: $input) { brand name } }";
        let faulty = json!({"id": product["id"], "input": {"price": "4.005", "imageUrl": "ftp://x", "stockQuantity": -1}});
        let faulty = shop.graph(Some(&vendor), change, faulty).await;
        let faults = faulty.json["errors"][0]["extensions"]["errors"].as_array().unwrap();
        let pointers: Vec<&str> = faults.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/price", "/stockQuantity", "/imageUrl"]);
        let bare = json!({"id": product["id"], "input": {"brand": null}});
        let bare = shop.data(Some(&vendor), change, bare).await;
        assert_eq!(bare["updateProduct"], json!({"brand": null, "name": "Tea cup"}));
        let other = shop.user("other", Role::Vendor).await;
        let taken = json!({"id": product["id"], "input": {"name": "Mine"}});
        assert_eq!(shop.graph(Some(&other), change, taken).await.codes(), ["not-found"]);

        let steps = "mutation ($product: ID!, $small: ID!) {
            createVariant(input: {productId: $product, variantName: \"Huge\", sku: \"CUP-H\"}) { price stock }
            updateVariant(id: $small, input: {price: \"3.00\"}) { price effectivePrice }
            deleteVariant(id: $small)
        }";
        let ids = json!({"product": product["id"], "small": variants[0]["id"]});
        let stepped = shop.data(Some(&vendor), steps, ids).await;
        assert_eq!(stepped["createVariant"], json!({"price": "4.00", "stock": 0}));
        assert_eq!(stepped["updateVariant"]["effectivePrice"], "3.00");

        let make = "mutation ($input: DiscountInput!) { createDiscount(input: $input) { id discountValue activation endDate productIds } }";
        let input = json!({"input": {"code": "SALE", "discountType": "PERCENTAGE", "discountValue": "50", "activation": "AUTOMATIC",
                                     "endDate": "2999-01-01T00:00:00+03:00", "productIds": product["id"]}});
        let sale = shop.data(Some(&admin), make, input).await["createDiscount"].clone();
        assert_eq!((&sale["discountValue"], &sale["endDate"]), (&json!("50.00"), &json!("2998-12-31T21:00:00Z")));
        assert_eq!(sale["productIds"], json!([product["id"]]));
        shop.settled().await;
        let sold = "{ products(filter: {onSale: true}) { nodes { effectivePrice discount { code discountType } variants { sku effectivePrice } } } }";
        let sold = shop.data(None, sold, json!({})).await["products"]["nodes"][0].clone();
        assert_eq!(sold["discount"], json!({"code": "SALE", "discountType": "percentage"}));
        assert_eq!(sold["variants"][0], json!({"sku": "CUP-L", "effectivePrice": "2.75"}));
        assert_eq!(sold["effectivePrice"], "2.75", "one price");

        let seen = "{ users(role: VENDOR, search: \"vend\") { totalCount nodes { username role } }
                      discounts(filter: {activation: AUTOMATIC, productId: 1}) { totalCount }
                      indexStatus { documents version cache { misses } } }";
        let seen = shop.data(Some(&admin), seen, json!({})).await;
        assert_eq!(seen["users"]["nodes"], json!([{"username": "vendor", "role": "VENDOR"}]));
        assert_eq!((&seen["discounts"]["totalCount"], &seen["indexStatus"]["documents"]), (&json!(1), &json!(1)));
        let job = shop.data(Some(&admin), "mutation { reindex { id status } }", json!({})).await;
        let job = job["reindex"]["id"].as_str().unwrap().to_owned();
        shop.get_as(&admin, &format!("/api/admin/reindex/{job}/")).await.expect(200);
        let ends = "mutation ($p: ID!, $d: ID!, $c: ID!) {
            unlinkProduct(id: $d, productId: $p) deleteDiscount(id: $d) deleteProduct(id: $p) deleteCategory(id: $c) }";
        let ids = json!({"p": product["id"], "d": sale["id"], "c": cups["id"]});
        assert_eq!(shop.data(Some(&admin), ends, ids).await["deleteProduct"], true);
    })
    .await;
}
