//! Categories: the tree and its rules.

use duka::auth::Role;
use serde_json::json;

use crate::support::with_shop;

#[tokio::test]
async fn a_tree_grows_and_is_read() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let kitchen = shop.category(&admin, "Kitchen, Garden & Pets").await;
        let body = json!({"name": "Bottles", "parent_id": kitchen, "description": "For\nwater"});
        let bottles = shop.post_as(&admin, "/api/category/", body).await.expect(201);
        assert_eq!(bottles.json["path"], json!(["Kitchen, Garden & Pets", "Bottles"]));
        assert_eq!(bottles.json["slug"], "bottles");
        assert!(!bottles.header("x-catalog-version").is_empty());

        let one = shop.get(&format!("/api/category/{}/", bottles.id())).await.expect(200);
        assert_eq!(one.json, bottles.json);
        let list = shop.get("/api/category/").await.expect(200);
        assert_eq!(list.json["count"], 2);
        let tree = shop.get("/api/category/?tree=true").await.expect(200);
        assert_eq!(tree.json["count"], 1);
        assert_eq!(tree.json["results"][0]["children"][0]["name"], "Bottles");
        assert_eq!(tree.json["results"][0]["children"][0]["children"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn slugs_are_unique_and_made_when_absent() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let first = shop.category(&admin, "Oils").await;
        let body = json!({"name": "Oils", "parent_id": first});
        let second = shop.post_as(&admin, "/api/category/", body).await.expect(201);
        assert_eq!(second.json["slug"], "oils-2");
        let taken = shop.post_as(&admin, "/api/category/", json!({"name": "Other", "slug": "oils"})).await;
        assert_eq!(taken.expect(409).faults(), ["/slug"]);
        let twin = shop.post_as(&admin, "/api/category/", json!({"name": "OILS"})).await;
        assert_eq!(twin.expect(409).faults(), ["/name"]);
        let digits = shop.post_as(&admin, "/api/category/", json!({"name": "2024"})).await.expect(201);
        assert_eq!(digits.json["slug"], "category-2024", "a slug is never mistaken for an id");
    })
    .await;
}

#[tokio::test]
async fn no_category_is_its_own_ancestor() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let a = shop.category(&admin, "A").await;
        let body = json!({"name": "B", "parent_id": a});
        let b = shop.post_as(&admin, "/api/category/", body).await.id();
        for (id, parent) in [(a, a), (a, b)] {
            let answer =
                shop.patch_as(&admin, &format!("/api/category/{id}/"), json!({"parent_id": parent})).await;
            assert_eq!(answer.expect(422).faults(), ["/parent_id"]);
        }
        let unknown =
            shop.patch_as(&admin, &format!("/api/category/{b}/"), json!({"parent_id": 999_999})).await;
        assert_eq!(unknown.expect(422).faults(), ["/parent_id"]);
        let root = shop.patch_as(&admin, &format!("/api/category/{b}/"), json!({"parent_id": null})).await;
        assert_eq!(root.expect(200).json["path"], json!(["B"]));
    })
    .await;
}

#[tokio::test]
async fn what_is_needed_cannot_be_deleted() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let parent = shop.category(&admin, "Parent").await;
        let child =
            shop.post_as(&admin, "/api/category/", json!({"name": "Child", "parent_id": parent})).await.id();
        let product = json!({"category_id": child, "name": "P", "price": "1.00", "sku": "P"});
        let product = shop.post_as(&admin, "/api/product/", product).await.expect(201).id();
        for id in [parent, child] {
            let answer = shop.delete_as(&admin, &format!("/api/category/{id}/")).await.expect(409);
            assert_eq!(answer.json["type"], "/problems/in-use");
        }
        shop.delete_as(&admin, &format!("/api/product/{product}/")).await.expect(204);
        shop.delete_as(&admin, &format!("/api/category/{child}/")).await.expect(204);
        shop.delete_as(&admin, &format!("/api/category/{child}/")).await.expect(404);
        shop.delete_as(&admin, &format!("/api/category/{parent}/")).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn only_admins_write() {
    with_shop(async |shop| {
        let body = json!({"name": "A"});
        shop.post("/api/category/", body.clone()).await.expect(401);
        for role in [Role::Customer, Role::Vendor] {
            let user = shop.user(&format!("user-{}", role.as_str()), role).await;
            let answer = shop.post_as(&user, "/api/category/", body.clone()).await.expect(403);
            assert_eq!(answer.json["type"], "/problems/forbidden");
        }
    })
    .await;
}

#[tokio::test]
async fn a_renamed_category_is_renamed_in_search() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let root = shop.category(&admin, "Garten").await;
        let leaf =
            shop.post_as(&admin, "/api/category/", json!({"name": "Tools", "parent_id": root})).await.id();
        let product = json!({"category_id": leaf, "name": "Spade", "price": "1.00", "sku": "P"});
        shop.post_as(&admin, "/api/product/", product).await.expect(201);
        let renamed =
            shop.patch_as(&admin, &format!("/api/category/{root}/"), json!({"name": "Garden"})).await;
        shop.indexed(&renamed.expect(200)).await;
        let found = shop.get("/api/product/?q=garden").await.expect(200);
        assert_eq!(found.json["results"][0]["category"]["path"], json!(["Garden", "Tools"]));
        assert_eq!(found.json["facets"]["category"][0]["name"], "Garden");
        // Quoted, or it would be read as the new name, one letter off.
        assert_eq!(shop.get("/api/product/?q=%22garten%22").await.json["count"], 0);
        assert_eq!(shop.get("/api/product/?q=garten").await.json["corrected_query"], "garden");
    })
    .await;
}
