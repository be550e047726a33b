//! Products: what may be written, by whom, and what is then read.

use std::collections::BTreeSet;

use duka::auth::Role;
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use crate::support::{decoded, with_shop};

fn product(category: i64) -> Value {
    json!({
        "category_id": category, "name": "Water bottle", "price": "12.50", "sku": "BOTTLE-1",
        "description": "Keeps water\ncold.", "stock_quantity": 7, "brand": "Kibo",
        "image_url": "https://example.com/bottle.jpg", "attributes": {"colour": "Blue", "litres": 0.75, "lids": ["a", "b"]},
    })
}

#[tokio::test]
async fn a_product_without_variants_gets_a_default_one() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Bottles").await;
        let made = shop.post_as(&admin, "/api/product/", product(category)).await.expect(201);
        let one = &made.json;
        assert_eq!((one["price"].as_str(), one["effective_price"].as_str()), (Some("12.50"), Some("12.50")));
        assert_eq!(
            one["category"],
            json!({"id": category, "name": "Bottles", "slug": "bottles", "path": ["Bottles"]})
        );
        assert_eq!(one["attributes"], json!({"colour": "Blue", "litres": 0.75, "lids": ["a", "b"]}));
        assert_eq!((one["stock_quantity"].as_i64(), one["in_stock"].as_bool()), (Some(7), Some(true)));
        assert_eq!(
            (&one["rating"], &one["discount"], &one["review_count"]),
            (&Value::Null, &Value::Null, &json!(0))
        );
        assert_eq!(one["vendor_id"], admin.id);
        assert_eq!(one["slug"], "water-bottle");
        let variant = &one["variants"][0];
        assert_eq!(
            (variant["variant_name"].as_str(), variant["sku"].as_str()),
            (Some("Default"), Some("BOTTLE-1"))
        );

        // As long as that is its only variant, the product's price, SKU and stock are that variant's.
        let path = format!("/api/product/{}/", made.id());
        let change = json!({"price": "9.99", "stock_quantity": 0, "sku": "BOTTLE-2", "brand": null});
        let changed = shop.patch_as(&admin, &path, change).await.expect(200);
        let variant = &changed.json["variants"][0];
        assert_eq!((variant["price"].as_str(), variant["sku"].as_str()), (Some("9.99"), Some("BOTTLE-2")));
        assert_eq!((changed.json["in_stock"].as_bool(), &changed.json["brand"]), (Some(false), &Value::Null));
        assert_eq!(shop.get(&path).await.expect(200).json, changed.json);
    })
    .await;
}

#[tokio::test]
async fn search_list_and_detail_show_the_same_product() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Bottles").await;
        let made = shop.post_as(&admin, "/api/product/", product(category)).await.expect(201);
        shop.indexed(&made).await;
        let listed = shop.get("/api/product/").await.json["results"][0].clone();
        let mut detail = made.json.clone();
        detail.as_object_mut().unwrap().remove("variants");
        assert_eq!(listed, detail);
    })
    .await;
}

#[tokio::test]
async fn a_taken_sku_is_refused_until_it_is_free_again() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Bottles").await;
        let made = shop.post_as(&admin, "/api/product/", product(category)).await.expect(201);
        let before = shop.fingerprint().await;
        let again = shop.post_as(&admin, "/api/product/", product(category)).await.expect(409);
        assert_eq!(
            (again.json["type"].as_str(), again.faults()),
            (Some("/problems/already-taken"), vec!["/sku"])
        );
        // A variant's SKU is as unique as a product's.
        let mut other = product(category);
        other["sku"] = json!("OTHER");
        other["variants"] = json!([{"variant_name": "X", "sku": "BOTTLE-1"}]);
        other.as_object_mut().unwrap().remove("stock_quantity");
        shop.post_as(&admin, "/api/product/", other).await.expect(409);
        assert_eq!(shop.fingerprint().await, before, "a refused write leaves nothing behind");

        let gone = shop.delete_as(&admin, &format!("/api/product/{}/", made.id())).await.expect(204);
        shop.indexed(&gone).await;
        assert_eq!(shop.get("/api/product/").await.json["count"], 0);
        shop.get(&format!("/api/product/{}/", made.id())).await.expect(404);
        shop.post_as(&admin, "/api/product/", product(category)).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn bad_products_are_refused_field_by_field_and_change_nothing() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Bottles").await;
        let before = shop.fingerprint().await;
        let long = "x".repeat(300);
        for (field, value) in [
            ("name", json!("")),
            ("name", json!(long)),
            ("name", json!("a\u{0}b")),
            ("name", json!("a\u{202e}b")),
            ("name", json!("a\nb")),
            ("name", json!(7)),
            ("name", Value::Null),
            ("price", json!("-1.00")),
            ("price", json!("1.005")),
            ("price", json!("1e2")),
            ("price", json!("99999999999999999999")),
            ("price", json!("NaN")),
            ("price", json!("")),
            ("price", json!(12.5)),
            ("price", json!([])),
            ("sku", json!(" ")),
            ("sku", json!("x".repeat(65))),
            ("category_id", json!("1")),
            ("category_id", json!(0)),
            ("category_id", json!(999_999)),
            ("category_id", json!(1.5)),
            ("stock_quantity", json!(-1)),
            ("stock_quantity", json!(1_000_000_001)),
            ("stock_quantity", json!(1e300)),
            ("stock_quantity", json!("7")),
            ("image_url", json!("javascript:alert(1)")),
            ("image_url", json!("ftp://example.com/a")),
            ("attributes", json!([])),
            ("attributes", json!({"a": null})),
            ("attributes", json!({"a": {"b": 1}})),
            ("is_active", json!("yes")),
            ("variants", json!({})),
            ("variants", json!([1])),
            ("description", json!("x".repeat(20_001))),
            ("id", json!(1)),
            ("vendor_id", json!(1)),
            ("effective_price", json!("1.00")),
            ("rating", json!(5)),
        ] {
            let mut body = product(category);
            body[field] = value.clone();
            let answer = shop.post_as(&admin, "/api/product/", body).await;
            assert_eq!(answer.status, 422, "{field} = {value}: {}", answer.text);
            let pointer = format!("/{field}");
            assert!(
                answer.faults().iter().all(|fault| fault.starts_with(&pointer)),
                "{field}: {}",
                answer.text
            );
            assert!(!answer.faults().is_empty());
        }
        for field in ["category_id", "name", "price", "sku"] {
            let mut body = product(category);
            body.as_object_mut().unwrap().remove(field);
            let answer = shop.post_as(&admin, "/api/product/", body).await.expect(422);
            assert_eq!(answer.faults(), [format!("/{field}")]);
        }
        let huge = product(category)
            .to_string()
            .replace("\"stock_quantity\":7", "\"stock_quantity\":123456789012345678901234567890");
        let request = shop.request(Method::POST, "/api/product/").bearer_auth(&admin.access);
        let answer =
            shop.send(request.header("content-type", "application/json").body(huge)).await.expect(422);
        assert_eq!(answer.faults(), ["/stock_quantity"]);
        assert_eq!(shop.fingerprint().await, before);
    })
    .await;
}

#[tokio::test]
async fn a_stock_is_written_where_it_lives() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Bottles").await;
        let mut body = product(category);
        body["variants"] = json!([{"variant_name": "A", "sku": "A", "stock": 1}, {"variant_name": "B", "sku": "B", "stock": 2}]);
        let contradiction = shop.post_as(&admin, "/api/product/", body.clone()).await.expect(422);
        assert_eq!(contradiction.faults(), ["/stock_quantity"]);
        // What is wrong with a variant is said of it alone, and where it stands.
        for (variants, faults) in [
            (json!([{"variant_name": "A"}, {"variant_name": "B"}]), vec!["/variants/0/sku", "/variants/1/sku"]),
            (json!([{"variant_name": "A", "sku": "A", "stock": -1}]), vec!["/variants/0/stock"]),
            (
                json!([5, {"variant_name": "A", "sku": "A"}, {"variant_name": "B", "sku": "A"}]),
                vec!["/variants/0", "/variants/2/sku"],
            ),
        ] {
            let mut wrong = body.clone();
            wrong["variants"] = variants;
            assert_eq!(shop.post_as(&admin, "/api/product/", wrong).await.expect(422).faults(), faults);
        }
        body["stock_quantity"] = json!(3);
        let made = shop.post_as(&admin, "/api/product/", body).await.expect(201);
        let path = format!("/api/product/{}/", made.id());
        let answer = shop.patch_as(&admin, &path, json!({"stock_quantity": 9})).await.expect(422);
        assert!(answer.text.contains("/api/variant/"), "the error says where: {}", answer.text);
        let answer = shop.patch_as(&admin, &path, json!({"variants": []})).await.expect(422);
        assert_eq!(answer.faults(), ["/variants"]);
    })
    .await;
}

#[tokio::test]
async fn vendors_write_their_own_products_only() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Bottles").await;
        let (ann, ben) =
            (shop.user("vendor-ann", Role::Vendor).await, shop.user("vendor-ben", Role::Vendor).await);
        let customer = shop.user("customer", Role::Customer).await;
        shop.post("/api/product/", product(category)).await.expect(401);
        shop.post_as(&customer, "/api/product/", product(category)).await.expect(403);
        let mut draft = product(category);
        draft["is_active"] = json!(false);
        let made = shop.post_as(&ann, "/api/product/", draft).await.expect(201);
        assert_eq!(made.json["vendor_id"], ann.id);
        let path = format!("/api/product/{}/", made.id());
        for (user, read, written) in
            [(&ben, 404, 404), (&customer, 404, 403), (&ann, 200, 200), (&admin, 200, 200)]
        {
            shop.get_as(user, &path).await.expect(read);
            shop.patch_as(user, &path, json!({"brand": user.name})).await.expect(written);
        }
        shop.get(&path).await.expect(404);
        shop.delete_as(&ben, &path).await.expect(404);

        shop.settled().await;
        let found = async |user: Option<&_>, query: &str| {
            let path = format!("/api/product/?{query}");
            let answer = match user {
                Some(user) => shop.get_as(user, &path).await,
                None => shop.get(&path).await,
            };
            answer.expect(200).json["count"].as_u64().unwrap()
        };
        assert_eq!(found(None, "is_active=false").await, 0);
        assert_eq!(found(Some(&customer), "is_active=false").await, 0);
        assert_eq!(found(Some(&ben), "is_active=false").await, 0);
        assert_eq!(found(Some(&ann), "is_active=false").await, 1);
        assert_eq!(found(Some(&admin), "is_active=false").await, 1);
        assert_eq!(found(Some(&ann), "").await, 0, "a draft is not on sale, even to its vendor");
    })
    .await;
}

#[tokio::test]
async fn a_stale_writer_is_told() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Bottles").await;
        let made = shop.post_as(&admin, "/api/product/", product(category)).await.expect(201);
        let path = format!("/api/product/{}/", made.id());
        let etag = shop.get(&path).await.header("etag").to_owned();
        assert_eq!(made.header("etag"), etag);
        let write = async |method, etag: &str, body: Value| {
            let request = shop.request(method, &path).bearer_auth(&admin.access).header("if-match", etag);
            shop.send(request.json(&body)).await
        };
        let first = write(Method::PATCH, &etag, json!({"name": "First"})).await.expect(200);
        assert_ne!(first.header("etag"), etag);
        let second = write(Method::PATCH, &etag, json!({"name": "Second"})).await.expect(412);
        assert_eq!(second.json["type"], "/problems/precondition-failed");
        // A variant's write is a change of the detail too.
        let variant = made.json["variants"][0]["id"].as_i64().unwrap();
        shop.patch_as(&admin, &format!("/api/variant/{variant}/"), json!({"stock": 1})).await.expect(200);
        write(Method::DELETE, first.header("etag"), json!({})).await.expect(412);
        write(Method::DELETE, "*", json!({})).await.expect(204);
        shop.get(&path).await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn each_coding_of_the_detail_has_a_tag_of_its_own_and_all_of_them_permit_a_write() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Bottles").await;
        let made = shop.post_as(&admin, "/api/product/", product(category)).await.expect(201);
        let path = format!("/api/product/{}/", made.id());
        let read = async |accepted: &str, known: &str| {
            let request = shop.request(Method::GET, &path).header("if-none-match", known);
            decoded(request.header("accept-encoding", accepted)).await
        };
        let tag = |headers: &HeaderMap| headers["etag"].to_str().unwrap().to_owned();
        let mut tags = Vec::new();
        for (accepted, coding) in [("identity", None), ("gzip", Some("gzip")), ("gzip, br", Some("br"))] {
            let (status, headers, body) = read(accepted, "\"other\"").await;
            assert_eq!((status, &*String::from_utf8(body).unwrap()), (200, &*made.text));
            assert_eq!(headers.get("content-encoding").map(|coding| coding.to_str().unwrap()), coding);
            assert_eq!(headers["vary"], "accept-encoding, authorization, origin", "{accepted}");
            assert_eq!(
                (&headers["cache-control"], &headers["content-type"]),
                (&"no-cache".parse().unwrap(), &"application/json".parse().unwrap())
            );
            let own = tag(&headers);
            assert!(own.starts_with('"') && own.ends_with('"'), "{own} is strong");
            for known in [own.clone(), format!("\"x\", W/{own}"), "*".to_owned()] {
                let (status, headers, body) = read(accepted, &known).await;
                assert_eq!((status, body.len(), tag(&headers)), (304, 0, own.clone()), "{accepted} {known}");
                assert_eq!(headers["vary"], "accept-encoding, authorization, origin");
            }
            tags.push(own);
        }
        assert_eq!(made.header("etag"), tags[0]);
        assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), 3, "{tags:?}");
        assert_eq!(read("gzip", &format!("{}, {}", tags[0], tags[2])).await.0, 200, "another coding's tag");

        let write = async |method: Method, known: &str, body: Value| {
            let request = shop.request(method, &path).bearer_auth(&admin.access).header("if-match", known);
            decoded(request.header("accept-encoding", "br").json(&body)).await
        };
        for (number, accepted) in ["identity", "gzip", "br"].into_iter().enumerate() {
            let (_, headers, _) = read(accepted, "").await;
            let change = json!({"name": format!("Bottle {number}")});
            for bad in [
                format!("W/{}", tag(&headers)),
                tag(&headers).replace('"', ""),
                tag(&headers).replace("\"", "\"-"),
            ] {
                assert_eq!(write(Method::PATCH, &bad, change.clone()).await.0, 412, "{bad}");
            }
            let known = format!("\"x\", {}", tag(&headers));
            let (status, written, body) = write(Method::PATCH, &known, change.clone()).await;
            assert_eq!((status, &written["content-encoding"]), (200, &"br".parse().unwrap()), "{accepted}");
            assert_eq!(read("br", &tag(&written)).await.0, 304, "a write's tag is that of what it answers");
            assert_eq!(read("br", "").await.2, body);
            assert_eq!(write(Method::PATCH, &known, change).await.0, 412, "{accepted}: it was written since");
        }
        let (_, headers, _) = read("gzip", "").await;
        assert_eq!(write(Method::DELETE, &tag(&headers), json!({})).await.0, 204);
    })
    .await;
}

#[tokio::test]
async fn text_is_normalised_on_its_way_in() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Bottles").await;
        let mut body = product(category);
        body["name"] = json!("  Cafe\u{301} ");
        let made = shop.post_as(&admin, "/api/product/", body).await.expect(201);
        assert_eq!(made.json["name"], "Café");
        shop.indexed(&made).await;
        assert_eq!(shop.get("/api/product/?q=cafe").await.json["count"], 1);
    })
    .await;
}
