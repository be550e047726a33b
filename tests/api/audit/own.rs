//! What people do to what is their own: of customers nothing of it is for the audit, of those who may more all.

use duka::auth::Role;
use serde_json::{Value, json};

use super::{
    count, log, of,
    operations::{EITHER, OWN, SELF, operations},
    writes::{Which, Write, send},
};
use crate::support::{PASSWORD, TestShop, User, with_shop};

#[tokio::test]
async fn what_is_one_s_own_is_nobody_else_s() {
    with_shop(async |shop| {
        let admin = &shop.admin().await;
        let customer = &shop.user("customer", Role::Customer).await;
        let before = count(shop).await;
        for operation in operations() {
            let answer = send(shop, Some(customer), &operation, &[], &json!({})).await;
            let own = OWN.iter().chain(&SELF).chain(&EITHER).any(|own| *own == operation);
            assert_eq!(answer.status != 403, own, "{operation}: {}", answer.text);
            assert_eq!(send(shop, None, &operation, &[], &json!({})).await.status, 401, "{operation}");
        }
        shelve_and_dwell(shop, admin, customer).await;
        let all = count(shop).await;
        for operation in SELF {
            let (ids, body) = own(shop, customer, operation).await;
            let answer = send(shop, Some(customer), operation, &ids, &body).await;
            assert!((200..300).contains(&answer.status), "{operation}: {}", answer.text);
        }
        assert_eq!(count(shop).await, all);
        let form = json!({"username": "newcomer", "email": "new@example.com", "password": PASSWORD});
        shop.post("/api/auth/register/", form).await.expect(201);
        assert_eq!(count(shop).await, all);
        assert_eq!(all, before + 2, "the product and its category");
        // But that somebody has left is told.
        shop.delete_as(customer, &format!("/api/users/{}/", customer.id)).await.expect(204);
        assert_eq!(count(shop).await, all + 1);
        assert_eq!(log(shop, admin, "action=user.delete").await[0]["actor"]["id"], customer.id);
    })
    .await;
}

/// A product to review, and an address of the user's own.
async fn shelve_and_dwell(shop: &TestShop, admin: &User, user: &User) {
    shop.home_of(user).await;
    let category = shop.category(admin, &user.name).await;
    let body = json!({"category_id": category, "name": "P", "price": "1.00", "sku": user.name});
    shop.post_as(admin, "/api/product/", body).await.expect(201);
}

/// What is asked for of the user's own: ids and body.
async fn own(shop: &TestShop, user: &User, operation: &str) -> (Vec<i64>, Value) {
    let id = async |query: &'static str| -> i64 {
        sqlx::query_scalar(query).bind(user.id).fetch_one(&shop.db).await.unwrap()
    };
    let address = "select max(id) from address where user_id = $1 and deleted_at is null";
    match operation {
        "PATCH /api/auth/me/" => (vec![], json!({"first_name": "Ada", "phone": "+254 712 345678"})),
        "POST /api/auth/password/" => {
            (vec![], json!({"old_password": PASSWORD, "new_password": "another long passphrase"}))
        }
        "POST /api/address/" => (vec![], json!({"street": "S", "city": "Nairobi", "country": "Kenya"})),
        "PATCH /api/address/{id}/" => {
            (vec![id(address).await], json!({"street": "T", "address_type": "work"}))
        }
        "DELETE /api/address/{id}/" => (vec![id(address).await], Value::Null),
        "POST /api/review/" => {
            let product = id("select max(id) from product where $1 > 0").await;
            (vec![], json!({"product_id": product, "rating": 4, "comment": "Fine"}))
        }
        "PATCH /api/review/{id}/" => {
            (vec![id("select max(id) from review where user_id = $1").await], json!({"rating": 5}))
        }
        _ => panic!("what is asked of {operation}?"),
    }
}

#[tokio::test]
async fn what_is_one_s_own_is_told_of_who_may_more() {
    with_shop(async |shop| {
        let admin = &shop.admin().await;
        let vendor = &shop.user("vendor-ann", Role::Vendor).await;
        for by in [vendor, admin] {
            shelve_and_dwell(shop, admin, by).await;
            for operation in SELF {
                let (action, before, after) = match operation {
                    "PATCH /api/auth/me/" => {
                        let named = json!({"first_name": null, "phone": null});
                        ("user.update", named.clone(), named)
                    }
                    "POST /api/auth/password/" => {
                        ("user.update", json!({"password": null}), json!({"password": null}))
                    }
                    "POST /api/address/" => (
                        "address.create",
                        Value::Null,
                        json!({"user_id": by.id, "street": null, "city": null, "address_type": "home"}),
                    ),
                    "PATCH /api/address/{id}/" => (
                        "address.update",
                        json!({"street": null, "address_type": "home"}),
                        json!({"street": null, "address_type": "work"}),
                    ),
                    "DELETE /api/address/{id}/" => {
                        ("address.delete", json!({"street": null, "address_type": "work"}), Value::Null)
                    }
                    "POST /api/review/" => (
                        "review.create",
                        Value::Null,
                        json!({"user_id": by.id, "rating": 4, "comment": null}),
                    ),
                    "PATCH /api/review/{id}/" => {
                        ("review.update", json!({"rating": 4}), json!({"rating": 5}))
                    }
                    _ => panic!("what is told of {operation}?"),
                };
                let (ids, body) = own(shop, by, operation).await;
                let entity_id = match operation {
                    "PATCH /api/auth/me/" | "POST /api/auth/password/" => Which::Known(by.id),
                    "DELETE /api/address/{id}/" => Which::Known(ids[0]),
                    _ => Which::Answered,
                };
                let write = Write { by, operation, ids, body, action, entity_id, before, after };
                write.done(shop, admin).await;
            }
        }
        // The addresses that go along are not lines of their own.
        let gone = shop.delete_as(vendor, &format!("/api/users/{}/", vendor.id)).await.expect(204);
        let lines = of(shop, admin, &gone).await;
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!((&lines[0]["action"], &lines[0]["after"]), (&json!("user.delete"), &Value::Null));
        let all: String = sqlx::query_scalar("select string_agg(a::text, ' ') from audit_log a")
            .fetch_one(&shop.db)
            .await
            .unwrap();
        for personal in ["Ada", "254 712", "Nairobi", "Moi Avenue", "Fine", "argon2", "passphrase"] {
            assert!(!all.contains(personal), "{personal} is in {all}");
        }
    })
    .await;
}
