//! Every write of a vendor or an administrator leaves one line, and nothing else leaves any.

use std::{collections::BTreeSet, time::Duration};

use duka::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    count, log, of,
    operations::{ASKED, ELSEWHERE, OWN, SELF, operations},
};
use crate::support::{Answer, TestShop, User, with_shop};

/// Which thing a line names.
#[derive(Clone, Copy)]
pub(super) enum Which {
    /// The one that the answer says.
    Answered,
    Known(i64),
    NoOne,
}

/// A write, and the line that it must leave.
pub(super) struct Write<'a> {
    pub(super) by: &'a User,
    pub(super) operation: &'static str,
    /// In the place of the path's ids.
    pub(super) ids: Vec<i64>,
    pub(super) body: Value,
    pub(super) action: &'static str,
    pub(super) entity_id: Which,
    /// All that the line says of an update; of others some of it.
    pub(super) before: Value,
    pub(super) after: Value,
}

fn path_of(operation: &str, ids: &[i64]) -> String {
    let (_, template) = operation.split_once(' ').unwrap();
    let mut ids = ids.iter();
    let parts = template.split('/').map(|part| match part.strip_prefix('{') {
        Some(_) => ids.next().map_or("1".to_owned(), ToString::to_string),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

pub(super) async fn send(
    shop: &TestShop,
    by: Option<&User>,
    operation: &str,
    ids: &[i64],
    body: &Value,
) -> Answer {
    let method: Method = operation.split(' ').next().unwrap().parse().unwrap();
    let mut request = shop.request(method.clone(), &path_of(operation, ids));
    if let Some(by) = by {
        request = request.bearer_auth(&by.access);
    }
    shop.send(if method == Method::DELETE { request } else { request.json(body) }).await
}

/// Stands for whatever is there.
const ANY: &str = "*";

/// Whether the fields named are among the others, and as they say.
fn holds(all: &Value, some: &Value) -> bool {
    match (all, some) {
        (Value::Object(all), Value::Object(some)) => {
            some.iter().all(|(name, value)| all.get(name).is_some_and(|field| holds(field, value)))
        }
        (Value::Array(all), Value::Array(some)) => {
            all.len() == some.len() && all.iter().zip(some).all(|(all, some)| holds(all, some))
        }
        (there, some) => there == some || some == ANY && !there.is_null(),
    }
}

impl Write<'_> {
    /// Does it, and reads its line.
    pub(super) async fn done(&self, shop: &TestShop, admin: &User) -> Answer {
        let before = count(shop).await;
        let answer = send(shop, Some(self.by), self.operation, &self.ids, &self.body).await;
        let what = self.operation;
        assert!((200..300).contains(&answer.status), "{what}: {}", answer.text);
        let lines = of(shop, admin, &answer).await;
        assert_eq!(lines.len(), 1, "{what}: {lines:#?}");
        assert_eq!(count(shop).await, before + 1, "{what}: and no other");
        let line = &lines[0];
        assert_eq!(line["actor"], json!({"id": self.by.id, "username": self.by.name}), "{what}");
        assert_eq!(line["request_id"], answer.header("x-request-id"), "{what}");
        assert_eq!(line["action"], self.action, "{what}");
        assert_eq!(line["entity"], self.action.split('.').next().unwrap(), "{what}");
        let id = match self.entity_id {
            Which::Answered => json!(answer.id()),
            Which::Known(id) => json!(id),
            Which::NoOne => Value::Null,
        };
        assert_eq!(line["entity_id"], id, "{what}");
        let said = |said: &Value, wanted: &Value| {
            let exact = self.action.ends_with(".update");
            let fields = |value: &Value| value.as_object().map(serde_json::Map::len);
            let right = holds(said, wanted) && (!exact || fields(said) == fields(wanted));
            assert!(right, "{what}: {said:#}\nis not\n{wanted:#}");
        };
        said(&line["before"], &self.before);
        said(&line["after"], &self.after);
        answer
    }

    /// Does it once more, which changes nothing.
    async fn done_again(&self, shop: &TestShop) {
        let before = count(shop).await;
        let answer = send(shop, Some(self.by), self.operation, &self.ids, &self.body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(count(shop).await, before, "{}: nothing changed", self.operation);
    }
}

fn settings(word: &str) -> Value {
    json!({
        "synonyms": [{"type": "two_way", "phrases": [word, "television"]}],
        "stop_words": ["the"],
        "weights": {"name": 8.0, "brand": 5.0, "sku": 5.0, "category": 3.0, "attributes": 2.0, "variants": 2.5, "description": 1.0},
    })
}

#[tokio::test]
async fn every_write_leaves_one_line() {
    with_shop(async |shop| {
        let admin = &shop.admin().await;
        let vendor = &shop.user("vendor-ann", Role::Vendor).await;
        let mut done = BTreeSet::new();
        let mut write = async |write: Write<'_>| {
            done.insert(write.operation.to_owned());
            let answer = write.done(shop, admin).await;
            if matches!(write.operation.split(' ').next(), Some("PATCH" | "PUT")) {
                write.done_again(shop).await;
            }
            answer
        };
        let none = Value::Null;

        let category = write(Write {
            by: admin, operation: "POST /api/category/", ids: vec![], body: json!({"name": "Shirts"}),
            action: "category.create", entity_id: Which::Answered, before: none.clone(),
            after: json!({"name": "Shirts", "slug": "shirts", "description": "", "parent_id": null}),
        }).await.id();
        write(Write {
            by: admin, operation: "PATCH /api/category/{id}/", ids: vec![category],
            body: json!({"name": "Shirts", "description": "Warm"}),
            action: "category.update", entity_id: Which::Known(category),
            before: json!({"description": ""}), after: json!({"description": "Warm"}),
        }).await;

        // Its default variant is part of it.
        let product = write(Write {
            by: vendor, operation: "POST /api/product/", ids: vec![],
            body: json!({"category_id": category, "name": "Shirt", "price": "12.50", "sku": "S", "stock_quantity": 3}),
            action: "product.create", entity_id: Which::Answered, before: none.clone(),
            after: json!({
                "name": "Shirt", "price": "12.50", "sku": "S", "vendor_id": vendor.id, "brand": null, "attributes": {},
                "is_active": true, "variants": [{"variant_name": "Default", "sku": "S", "price": "12.50", "stock": 3}],
            }),
        }).await;
        let (id, default) = (product.id(), product.json["variants"][0]["id"].as_i64().unwrap());
        write(Write {
            by: admin, operation: "PATCH /api/product/{id}/", ids: vec![id],
            body: json!({"name": "Shirt", "price": "10.00", "brand": "Kibo"}),
            action: "product.update", entity_id: Which::Known(id),
            before: json!({"price": "12.50", "brand": null, "variants": [{"id": default, "price": "12.50"}]}),
            after: json!({"price": "10.00", "brand": "Kibo", "variants": [{"id": default, "price": "10.00"}]}),
        }).await;
        write(Write {
            by: vendor, operation: "PATCH /api/product/{id}/", ids: vec![id], body: json!({"stock_quantity": 9}),
            action: "product.update", entity_id: Which::Known(id),
            before: json!({"variants": [{"id": default, "stock": 3}]}),
            after: json!({"variants": [{"id": default, "stock": 9}]}),
        }).await;
        let variant = write(Write {
            by: vendor, operation: "POST /api/variant/", ids: vec![],
            body: json!({"product_id": id, "variant_name": "Large", "sku": "S-L", "stock": 4}),
            action: "variant.create", entity_id: Which::Answered, before: none.clone(),
            after: json!({"product_id": id, "variant_name": "Large", "sku": "S-L", "stock": 4, "price": "10.00"}),
        }).await.id();
        write(Write {
            by: vendor, operation: "PATCH /api/variant/{id}/", ids: vec![variant],
            body: json!({"stock": 5, "sku": "S-L", "attributes": {"size": "L"}}),
            action: "variant.update", entity_id: Which::Known(variant),
            before: json!({"stock": 4, "attributes": {}}), after: json!({"stock": 5, "attributes": {"size": "L"}}),
        }).await;

        let discount = write(Write {
            by: admin, operation: "POST /api/discount/", ids: vec![],
            body: json!({"code": "Sale", "discount_type": "fixed", "discount_value": "2", "product_ids": [id],
                         "start_date": "2026-01-01T02:00:00+02:00"}),
            action: "discount.create", entity_id: Which::Answered, before: none.clone(),
            after: json!({"code": "Sale", "discount_value": "2.00", "product_ids": [id], "end_date": null,
                          "start_date": "2026-01-01T00:00:00.000000Z"}),
        }).await.id();
        let body = json!({"category_id": category, "name": "Sock", "price": "1.00", "sku": "SOCK"});
        let sock = shop.post_as(admin, "/api/product/", body).await.expect(201).id();
        write(Write {
            by: admin, operation: "PATCH /api/discount/{id}/", ids: vec![discount],
            body: json!({"discount_value": "3.00", "maximum_discount": "2.50", "product_ids": [sock]}),
            action: "discount.update", entity_id: Which::Known(discount),
            before: json!({"discount_value": "2.00", "maximum_discount": null, "product_ids": [id]}),
            after: json!({"discount_value": "3.00", "maximum_discount": "2.50", "product_ids": [sock]}),
        }).await;
        write(Write {
            by: admin, operation: "POST /api/discount/{id}/products/", ids: vec![discount],
            body: json!({"product_ids": [id, sock]}),
            action: "discount.update", entity_id: Which::Known(discount),
            before: json!({"product_ids": []}), after: json!({"product_ids": [id]}),
        }).await;
        write(Write {
            by: admin, operation: "DELETE /api/discount/{id}/products/{product_id}/", ids: vec![discount, sock],
            body: none.clone(), action: "discount.update", entity_id: Which::Known(discount),
            before: json!({"product_ids": [sock]}), after: json!({"product_ids": []}),
        }).await;

        write(Write {
            by: admin, operation: "PUT /api/admin/search-settings/", ids: vec![], body: settings("tv"),
            action: "search_settings.update", entity_id: Which::Known(1),
            before: json!({"synonyms": null, "stop_words": null, "weights": null}),
            after: settings("tv"),
        }).await;
        write(Write {
            by: admin, operation: "PUT /api/admin/search-settings/", ids: vec![], body: settings("telly"),
            action: "search_settings.update", entity_id: Which::Known(2),
            before: json!({"synonyms": settings("tv")["synonyms"]}),
            after: json!({"synonyms": settings("telly")["synonyms"]}),
        }).await;

        write(Write {
            by: admin, operation: "DELETE /api/discount/{id}/", ids: vec![discount], body: none.clone(),
            action: "discount.delete", entity_id: Which::Known(discount),
            before: json!({"code": "Sale", "discount_value": "3.00", "product_ids": [id]}), after: none.clone(),
        }).await;
        write(Write {
            by: vendor, operation: "DELETE /api/variant/{id}/", ids: vec![variant], body: none.clone(),
            action: "variant.delete", entity_id: Which::Known(variant),
            before: json!({"product_id": id, "sku": "S-L", "stock": 5}), after: none.clone(),
        }).await;
        write(Write {
            by: vendor, operation: "DELETE /api/product/{id}/", ids: vec![id], body: none.clone(),
            action: "product.delete", entity_id: Which::Known(id),
            before: json!({"sku": "S", "category_id": category, "variants": [{"id": default, "stock": 9}]}),
            after: none.clone(),
        }).await;
        shop.delete_as(admin, &format!("/api/product/{sock}/")).await.expect(204);
        write(Write {
            by: admin, operation: "DELETE /api/category/{id}/", ids: vec![category], body: none.clone(),
            action: "category.delete", entity_id: Which::Known(category),
            before: json!({"name": "Shirts", "description": "Warm"}), after: none.clone(),
        }).await;

        let reindex = write(Write {
            by: admin,
            operation: "POST /api/admin/reindex/",
            ids: vec![],
            body: json!({}),
            action: "job.create",
            entity_id: Which::Answered,
            before: none.clone(),
            after: json!({"kind": "reindex", "parameters": {}, "cancel_requested_at": null}),
        })
        .await;
        let path = format!("/api/admin/reindex/{}/", reindex.id());
        while shop.get_as(admin, &path).await.json["finished_at"].is_null() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        write(Write {
            by: admin,
            operation: "POST /api/admin/index/rollback/",
            ids: vec![],
            body: json!({}),
            action: "index.rollback",
            entity_id: Which::NoOne,
            before: none.clone(),
            after: json!({}),
        })
        .await;
        let customer = &shop.user("reader", Role::Customer).await;
        let offer = json!({"category_id": shop.category(admin, "Read").await, "name": "Book", "price": "5.00", "sku": "BOOK"});
        let product = shop.post_as(vendor, "/api/product/", offer).await.expect(201).id();
        let said = json!({"product_id": product, "rating": 2, "comment": "Too small"});
        let review = shop.post_as(customer, "/api/review/", said).await.expect(201).id();
        write(Write {
            by: admin,
            operation: "DELETE /api/review/{id}/",
            ids: vec![review],
            body: none.clone(),
            action: "review.delete",
            entity_id: Which::Known(review),
            before: json!({"product_id": product, "rating": 2, "comment": null}),
            after: none.clone(),
        })
        .await;
        write(Write {
            by: admin,
            operation: "PATCH /api/users/{id}/",
            ids: vec![customer.id],
            body: json!({"role": "vendor"}),
            action: "user.update",
            entity_id: Which::Known(customer.id),
            before: json!({"role": "customer"}),
            after: json!({"role": "vendor"}),
        })
        .await;
        write(Write {
            by: admin,
            operation: "DELETE /api/users/{id}/",
            ids: vec![customer.id],
            body: none.clone(),
            action: "user.delete",
            entity_id: Which::Known(customer.id),
            before: json!({"is_active": true, "role": "vendor", "email": null, "username": null}),
            after: none.clone(),
        })
        .await;
        // Of another node, so that it does not end by itself.
        shop.at_a_prompt(
            "insert into job (kind, node_id, heartbeat_at) values ('reindex', 'elsewhere', now())",
        )
        .await
        .unwrap();
        let waiting = log(shop, admin, "action=job.create").await[0]["entity_id"].as_i64().unwrap();
        let cancelled = write(Write {
            by: admin,
            operation: "DELETE /api/admin/reindex/{id}/",
            ids: vec![waiting],
            body: none.clone(),
            action: "job.update",
            entity_id: Which::Known(waiting),
            before: json!({"cancel_requested_at": null}),
            after: json!({"cancel_requested_at": ANY}),
        })
        .await;
        assert_eq!(cancelled.status, 202);

        let known: BTreeSet<String> = done.into_iter().chain(OWN.into_iter().chain(SELF).chain(ASKED).chain(ELSEWHERE).chain(["POST /api/order/{id}/cancel/"]).map(ToOwned::to_owned)).collect();
        let operations = operations();
        let forgotten: Vec<_> = operations.difference(&known).collect();
        assert!(forgotten.is_empty(), "do these leave a line in the audit? say so above: {forgotten:?}");
        let gone: Vec<_> = known.difference(&operations).collect();
        assert!(gone.is_empty(), "these are no operations any more: {gone:?}");
    })
    .await;
}
