//! Addresses: everybody's own, nobody else's.

use duka::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestShop, User, with_shop};

fn home() -> Value {
    json!({"street": "Moi Avenue 1", "city": "Nairobi", "country": "Kenya"})
}

/// Everybody whom the shop knows, and a stranger, for whom it is `None`.
async fn everybody(shop: &TestShop) -> [Option<User>; 4] {
    [
        None,
        Some(shop.user("another-customer", Role::Customer).await),
        Some(shop.user("a-vendor", Role::Vendor).await),
        Some(shop.admin().await),
    ]
}

/// Every address that was ever kept, as the database has them.
async fn kept(shop: &TestShop) -> String {
    let all = "select coalesce(string_agg(a::text, '|' order by id), '') from address a";
    sqlx::query_scalar(all).fetch_one(&shop.db).await.unwrap()
}

#[tokio::test]
async fn an_address_is_kept_read_listed_changed_and_deleted() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let made = shop.post_as(&ada, "/api/address/", home()).await.expect(201);
        let mut expected = json!({
            "id": made.id(), "user_id": ada.id, "street": "Moi Avenue 1", "city": "Nairobi", "region": "",
            "country": "Kenya", "postal_code": "", "address_type": "home",
        });
        assert_eq!(made.json, expected);
        let path = format!("/api/address/{}/", made.id());
        assert_eq!(shop.get_as(&ada, &path).await.expect(200).json, expected);

        let change = json!({
            "street": "  Cafe\u{301}straße 漢字 1 ", "city": "São Paulo", "region": "SP", "country": "Brasil",
            "postal_code": "01310-100", "address_type": "work",
        });
        let changed = shop.patch_as(&ada, &path, change.clone()).await.expect(200);
        expected.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        expected["street"] = json!("Caféstraße 漢字 1");
        assert_eq!(changed.json, expected);
        assert_eq!(shop.patch_as(&ada, &path, json!({})).await.expect(200).json, expected);
        let emptied = shop.patch_as(&ada, &path, json!({"region": "", "postal_code": ""})).await.expect(200);
        assert_eq!((&emptied.json["region"], &emptied.json["postal_code"]), (&json!(""), &json!("")));

        let second = shop.post_as(&ada, "/api/address", home()).await.expect(201).id();
        let listed = shop.get_as(&ada, "/api/address/").await.expect(200).json;
        assert_eq!((listed["count"].as_i64(), &listed["results"][0]), (Some(2), &emptied.json));
        let first = shop.get_as(&ada, "/api/address/?page_size=1").await.expect(200).json;
        assert_eq!(first["next"], "/api/address/?page_size=1&page=2");
        let next = shop.get_as(&ada, first["next"].as_str().unwrap()).await.expect(200).json;
        assert_eq!((&next["results"][0]["id"], &next["next"]), (&json!(second), &Value::Null));

        shop.delete_as(&ada, &path).await.expect(204);
        for (method, body) in [(Method::GET, json!({})), (Method::PATCH, home()), (Method::DELETE, json!({}))]
        {
            shop.send_as(Some(&ada), method, &path, &body).await.expect(404);
        }
        assert_eq!(shop.get_as(&ada, "/api/address/").await.json["count"], 1);
        assert!(!kept(shop).await.contains("Paulo"), "what is deleted says nothing any more");
    })
    .await;
}

#[tokio::test]
async fn an_address_is_its_owner_s_alone() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let id = shop.post_as(&ada, "/api/address/", home()).await.expect(201).id();
        let path = format!("/api/address/{id}/");
        let before = kept(shop).await;
        for user in everybody(shop).await {
            let (status, slug) = match user {
                None => (401, "not-authenticated"),
                Some(_) => (404, "not-found"),
            };
            let unknown = format!("/api/address/{}/", id + 1);
            for method in [Method::GET, Method::PATCH, Method::DELETE] {
                let told =
                    shop.send_as(user.as_ref(), method.clone(), &path, &json!({"city": "Elsewhere"})).await;
                let other =
                    shop.send_as(user.as_ref(), method, &unknown, &json!({"city": "Elsewhere"})).await;
                let told = told.expect(status);
                assert_eq!(told.json["type"], format!("/problems/{slug}"));
                assert_eq!(
                    told.json["detail"],
                    other.expect(status).json["detail"],
                    "nobody learns that it is there"
                );
            }
            assert_eq!(kept(shop).await, before);
            match &user {
                None => {
                    shop.get("/api/address/").await.expect(401);
                    shop.post("/api/address/", home()).await.expect(401);
                }
                Some(user) => {
                    assert_eq!(
                        shop.get_as(user, "/api/address/").await.expect(200).json["results"],
                        json!([])
                    );
                    let own = shop.post_as(user, "/api/address/", home()).await.expect(201);
                    assert_eq!(own.json["user_id"], user.id);
                    shop.delete_as(user, &format!("/api/address/{}/", own.id())).await.expect(204);
                }
            }
            sqlx::query("delete from address where id <> $1").bind(id).execute(&shop.db).await.unwrap();
        }
        shop.get_as(&ada, &path).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn what_an_address_cannot_be_is_refused_and_changes_nothing() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let path = format!("/api/address/{}/", shop.post_as(&ada, "/api/address/", home()).await.id());
        let before = kept(shop).await;
        let long = |length: usize| json!("漢".repeat(length));
        for (field, value) in [
            ("street", json!("")),
            ("street", json!(" \t ")),
            ("street", long(256)),
            ("street", json!("a\nb")),
            ("street", json!("a\u{0}b")),
            ("street", json!("a\u{202e}b")),
            ("street", Value::Null),
            ("street", json!(7)),
            ("city", long(121)),
            ("region", long(121)),
            ("country", json!("")),
            ("country", long(121)),
            ("postal_code", long(33)),
            ("postal_code", json!(12345)),
            ("address_type", json!("HOME")),
            ("address_type", json!("office")),
            ("address_type", Value::Null),
            ("address_type", json!(["home"])),
            ("id", json!(1)),
            ("user_id", json!(1)),
            ("created_at", json!("2026-01-01T00:00:00Z")),
            ("deleted_at", Value::Null),
            ("colour", json!("red")),
        ] {
            let mut new = home();
            new[field] = value.clone();
            let refused = shop.post_as(&ada, "/api/address/", new).await.expect(422);
            assert_eq!(refused.faults(), [format!("/{field}")], "POST {value}");
            let refused = shop.patch_as(&ada, &path, json!({field: value})).await.expect(422);
            assert_eq!(refused.faults(), [format!("/{field}")], "PATCH {value}");
        }
        let nothing = shop.post_as(&ada, "/api/address/", json!({})).await.expect(422);
        assert_eq!(nothing.faults(), ["/street", "/city", "/country"]);
        for id in ["0", "-1", "+1", "1.0", "x", "9223372036854775807", "9223372036854775808", "%31%00"] {
            shop.get_as(&ada, &format!("/api/address/{id}/")).await.expect(404);
            shop.delete_as(&ada, &format!("/api/address/{id}/")).await.expect(404);
        }
        for query in ["user_id=1", "page=0", "page_size=101", "cursor=x"] {
            shop.get_as(&ada, &format!("/api/address/?{query}")).await.expect(400);
        }
        assert_eq!(kept(shop).await, before);
        let full = json!({"street": long(255), "city": long(120), "region": long(120), "country": long(120), "postal_code": long(32)});
        assert_eq!(shop.patch_as(&ada, &path, full.clone()).await.expect(200).json["street"], full["street"]);
    })
    .await;
}

#[tokio::test]
async fn a_book_holds_a_hundred_however_many_write_at_once() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        sqlx::query("insert into address (user_id, street, city, country) select $1, 'A', 'B', 'C' from generate_series(1, 95)")
            .bind(ada.id)
            .execute(&shop.db)
            .await
            .unwrap();
        let racing = (0..12).map(|_| shop.post_as(&ada, "/api/address/", home()));
        let answers = futures_util::future::join_all(racing).await;
        let of = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((of(201), of(409)), (5, 7));
        let full = shop.post_as(&ada, "/api/address/", home()).await.expect(409);
        assert_eq!(full.json["type"], "/problems/too-many");
        assert!(full.json["detail"].as_str().unwrap().contains("100"), "{}", full.text);

        let id = shop.get_as(&ada, "/api/address/").await.json["results"][0]["id"].as_i64().unwrap();
        shop.delete_as(&ada, &format!("/api/address/{id}/")).await.expect(204);
        shop.post_as(&ada, "/api/address/", home()).await.expect(201);
        let another = shop.user("another-customer", Role::Customer).await;
        shop.post_as(&another, "/api/address/", home()).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn an_order_keeps_the_address_it_went_to() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let id = shop.post_as(&ada, "/api/address/", home()).await.expect(201).id();
        sqlx::query(
            "insert into orders (order_number, user_id, payment_method, currency, subtotal, total_amount, address_id,
                                 shipping_street, shipping_city, shipping_country)
             select 'N-1', user_id, 'card', 'USD', 10, 10, id, street, city, country from address where id = $1",
        )
        .bind(id)
        .execute(&shop.db)
        .await
        .unwrap();
        let path = format!("/api/address/{id}/");
        shop.patch_as(&ada, &path, json!({"street": "Elsewhere 2"})).await.expect(200);
        shop.delete_as(&ada, &path).await.expect(204);
        let copy: (i64, String) =
            sqlx::query_as("select address_id, shipping_street from orders").fetch_one(&shop.db).await.unwrap();
        assert_eq!(copy, (id, "Moi Avenue 1".to_owned()));
    })
    .await;
}
