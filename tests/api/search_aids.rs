//! What helps a shopper on: marks on what matched, suggestions, products like one.

use serde_json::{Value, json};

use crate::{
    search::generate,
    support::{TestShop, User, with_shop},
};

/// Three kettles of two makers, and a stove that mentions them.
async fn kitchen(shop: &TestShop) -> User {
    let admin = shop.admin().await;
    let category = shop.category(&admin, "Kettles").await;
    for (sku, name, brand, description) in [
        ("K-1", "Steel kettle", "Kettler", "A <b>kettle</b> & its lid"),
        ("K-2", "Glass kettle", "Mawenzi", "Boils in no time"),
        ("K-3", "Travel kettle", "Mawenzi", "Small"),
        ("S-1", "Camping stove", "Kibo", "For any kettle"),
    ] {
        let body = json!({
            "category_id": category, "name": name, "brand": brand, "price": "12.50", "sku": sku,
            "description": description, "image_url": "https://img.example/1.png",
        });
        shop.post_as(&admin, "/api/product/", body).await.expect(201);
    }
    shop.settled().await;
    admin
}

async fn id_of(shop: &TestShop, name: &str) -> i64 {
    sqlx::query_scalar("select id from product where name = $1").bind(name).fetch_one(&shop.db).await.unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_matched_is_marked_and_nothing_else_is_html() {
    with_shop(async |shop| {
        kitchen(shop).await;
        let page = shop.get("/api/product/?q=steel%20kettles&highlight=true").await.expect(200).json;
        assert_eq!(
            page["results"][0]["highlights"],
            json!({
                "name": "<mark>Steel</mark> <mark>kettle</mark>",
                "description": "A &lt;b&gt;<mark>kettle</mark>&lt;/b&gt; &amp; its lid",
            })
        );
        let page = shop.get("/api/product/?q=trav&highlight=true").await.expect(200).json;
        let marked = page["results"][0]["highlights"]["name"].as_str().unwrap();
        assert!(marked.contains("<mark>Trav") && marked.ends_with(" kettle"), "{marked}");
    })
    .await;
}

#[tokio::test]
async fn a_beginning_is_completed_by_words_products_categories_and_brands() {
    with_shop(async |shop| {
        kitchen(shop).await;
        let found = shop.get("/api/product/suggest/?q=kett").await.expect(200).json;
        assert!(found["queries"].as_array().unwrap().contains(&json!("kettle")), "{found}");
        let products = found["products"].as_array().unwrap();
        assert!(products.iter().any(|product| product["name"] == "Steel kettle"), "{found}");
        for product in products {
            assert_eq!(product["effective_price"], "12.50");
            assert_eq!(product["image_url"], "https://img.example/1.png");
            let fields: Vec<&String> = product.as_object().unwrap().keys().collect();
            assert_eq!(fields.len(), 4, "{fields:?}");
        }
        let category = &found["categories"][0];
        assert_eq!(
            (&category["name"], &category["slug"], &category["path"], &category["count"]),
            (&json!("Kettles"), &json!("kettles"), &json!(["Kettles"]), &json!(4))
        );
        assert_eq!(found["brands"], json!([{"value": "Kettler", "count": 1}]));
    })
    .await;
}

#[tokio::test]
async fn suggestions_follow_the_catalog_and_end_after_ten() {
    with_shop(async |shop| {
        generate(shop, 500).await;
        let found = shop.get("/api/product/suggest/?q=s").await.expect(200).json;
        for list in ["queries", "products", "categories", "brands"] {
            assert!(found[list].as_array().unwrap().len() <= 10, "{list}");
        }
        assert_eq!(found["products"].as_array().unwrap().len(), 10);
        sqlx::query("update product set is_active = false").execute(&shop.db).await.unwrap();
        shop.settled().await;
        let nothing = shop.get("/api/product/suggest/?q=s").await.expect(200).json;
        assert_eq!((&nothing["products"], &nothing["brands"]), (&json!([]), &json!([])));
    })
    .await;
}

#[tokio::test]
async fn similar_products_are_one_page_of_others() {
    with_shop(async |shop| {
        kitchen(shop).await;
        let id = id_of(shop, "Steel kettle").await;
        let path = format!("/api/product/{id}/similar/");
        let answer = shop.get(&path).await.expect(200);
        assert!(answer.header("server-timing").ends_with("miss"), "{}", answer.header("server-timing"));
        let list = &answer.json;
        assert_eq!((&list["next"], &list["previous"]), (&Value::Null, &Value::Null));
        let found = names(&list["results"]);
        assert_eq!(list["count"], found.len());
        assert!(found.contains(&"Glass kettle") && !found.contains(&"Steel kettle"), "{found:?}");
        assert!(list["results"][0].get("effective_price").is_some() && list.get("next_cursor").is_none());
        assert!(shop.get(&path).await.expect(200).header("server-timing").ends_with("hit"));
        let one = shop.get(&format!("{path}?page_size=1")).await.expect(200).json;
        assert_eq!(names(&one["results"]), found[..1]);
        sqlx::query("update product set is_active = false where id = $1")
            .bind(id)
            .execute(&shop.db)
            .await
            .unwrap();
        shop.settled().await;
        shop.get(&path).await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn a_catalog_full_of_likes_shows_two_dozen() {
    with_shop(async |shop| {
        generate(shop, 400).await;
        let id: i64 = sqlx::query_scalar("select min(id) from product").fetch_one(&shop.db).await.unwrap();
        shop.shop.app.web.close().await;
        let list = shop.get(&format!("/api/product/{id}/similar")).await.expect(200).json;
        assert_eq!(list["results"].as_array().unwrap().len(), 24);
    })
    .await;
}
