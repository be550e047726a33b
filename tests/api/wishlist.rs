//! Wishlists: everybody's own, with products as the search shows them.

use std::{collections::BTreeSet, time::Duration};

use duka::auth::Role;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop, User, statements, with_shop};

const LIST: &str = "/api/wishlist/";
const ADD: &str = "/api/wishlist/add/";

/// A shop with an admin, a customer, and so many products on offer.
async fn with_products<const N: usize>(test: impl AsyncFnOnce(&TestShop, &User, &User, [i64; N])) {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let ada = shop.user("ada", Role::Customer).await;
        let category = shop.category(&admin, "Things").await;
        let mut products = [0; N];
        for (n, id) in products.iter_mut().enumerate() {
            let body = json!({
                "category_id": category, "name": format!("Thing {n}"), "price": "10.00", "sku": format!("SKU-{n}"),
                "brand": "Kibo", "stock_quantity": n, "attributes": {"colour": "red"},
            });
            *id = shop.post_as(&admin, "/api/product/", body).await.expect(201).id();
        }
        test(shop, &admin, &ada, products).await;
    })
    .await;
}

fn wish(product: i64) -> Value {
    json!({"product_id": product})
}

/// The products of the list, in its order.
fn products(list: &Answer) -> Vec<i64> {
    let items = list.json["items"].as_array().unwrap_or_else(|| panic!("{}", list.text));
    items.iter().map(|item| item["product_id"].as_i64().unwrap()).collect()
}

/// Wishes behind the shop's back for products of their own, which are on offer or not.
async fn fill(shop: &TestShop, user: &User, wishes: i64, is_active: bool) {
    sqlx::query(
        "with made as (
             insert into product (name, slug, price, sku, is_active)
             select 'P', 'p', 1, 'FILL-' || $3 || i, $3 from generate_series(1, $2) i returning id
         )
         insert into wishlist_item (wishlist_id, product_id)
         select w.id, made.id from made, wishlist w where w.user_id = $1 order by made.id",
    )
    .bind(user.id)
    .bind(wishes)
    .bind(is_active)
    .execute(&shop.db)
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_wished_for_is_shown_as_the_search_shows_it() {
    with_products(async |shop, admin, ada, [one, two, three]| {
        let discount = json!({
            "code": "SALE", "discount_type": "percentage", "discount_value": "25", "activation": "automatic",
            "product_ids": [two],
        });
        shop.post_as(admin, "/api/discount/", discount).await.expect(201);
        let review = json!({"product_id": one, "rating": 4});
        shop.post_as(ada, "/api/review/", review).await.expect(201);

        let empty = shop.get_as(ada, LIST).await.expect(200).json;
        let fields: BTreeSet<_> = empty.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((fields, &empty["items"]), (["id", "items", "created_at"].into(), &json!([])));

        let added = shop.post_as(ada, ADD, wish(one)).await.expect(201);
        for product in [two, three] {
            shop.post_as(ada, ADD, wish(product)).await.expect(201);
        }
        let again = shop.post_as(ada, ADD, wish(one)).await.expect(200);
        assert_eq!(again.json, added.json, "it stays where it is");

        let list = shop.get_as(ada, LIST).await.expect(200);
        assert_eq!(products(&list), [three, two, one], "the newest first");
        assert_eq!((&list.json["id"], &list.json["created_at"]), (&empty["id"], &empty["created_at"]));
        assert_eq!(list.json["items"][2], added.json);
        let fields: BTreeSet<_> = added.json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["id", "product_id", "product", "created_at"].into());

        shop.settled().await;
        let found = shop.get("/api/product/").await.expect(200).json;
        for item in list.json["items"].as_array().unwrap() {
            let found =
                found["results"].as_array().unwrap().iter().find(|one| one["id"] == item["product_id"]);
            assert_eq!(&item["product"], found.unwrap());
        }
        let (second, third) = (&list.json["items"][1]["product"], &list.json["items"][2]["product"]);
        assert_eq!(
            (&second["effective_price"], &second["discount"]["code"]),
            (&json!("7.50"), &json!("SALE"))
        );
        assert_eq!((&third["rating"], &third["in_stock"]), (&json!(4.0), &json!(false)));

        let path = format!("/api/wishlist/remove/{}/", added.id());
        shop.delete_as(ada, &path).await.expect(204);
        shop.delete_as(ada, &path).await.expect(404);
        assert_eq!(products(&shop.get_as(ada, LIST).await), [three, two]);
        let anew = shop.post_as(ada, ADD, wish(one)).await.expect(201);
        assert_ne!(anew.id(), added.id());
        assert_eq!(products(&shop.get_as(ada, LIST).await), [one, three, two]);
    })
    .await;
}

#[tokio::test]
async fn a_list_takes_as_many_statements_however_long_it_is() {
    with_products(async |shop, _, ada, products: [i64; 12]| {
        shop.post_as(ada, ADD, wish(products[0])).await.expect(201);
        shop.settled().await;
        let (short, few) = statements(shop.get_as(ada, LIST)).await;
        assert_eq!(short.json["items"].as_array().unwrap().len(), 1);
        for product in &products[1..] {
            shop.post_as(ada, ADD, wish(*product)).await.expect(201);
        }
        shop.settled().await;
        let (long, many) = statements(shop.get_as(ada, LIST)).await;
        assert_eq!(long.json["items"].as_array().unwrap().len(), 12);
        // Who asks, the list, its wishes, their products.
        assert_eq!((few.len(), many.len()), (4, 4), "{few:#?} {many:#?}");
    })
    .await;
}

#[tokio::test]
async fn a_wishlist_is_its_owner_s_alone() {
    with_products(async |shop, admin, ada, [one, two]| {
        let id = shop.post_as(ada, ADD, wish(one)).await.expect(201).id();
        let remove = format!("/api/wishlist/remove/{id}/");
        let (other, vendor) =
            (shop.user("another", Role::Customer).await, shop.user("a-vendor", Role::Vendor).await);
        shop.get(LIST).await.expect(401);
        shop.post(ADD, wish(one)).await.expect(401);
        shop.send_as(None, Method::DELETE, &remove, &Value::Null).await.expect(401);
        let mine = shop.get_as(ada, LIST).await.json;
        for user in [&other, &vendor, admin] {
            let list = shop.get_as(user, LIST).await.expect(200);
            assert_eq!(products(&list), [] as [i64; 0]);
            assert_ne!(list.json["id"], mine["id"]);
            shop.delete_as(user, &remove).await.expect(404);
            let own = shop.post_as(user, ADD, wish(two)).await.expect(201);
            assert_eq!(products(&shop.get_as(user, LIST).await), [two]);
            shop.delete_as(ada, &format!("/api/wishlist/remove/{}/", own.id())).await.expect(404);
        }
        assert_eq!(shop.get_as(ada, LIST).await.json, mine);
        for id in ["0", "-1", "x", "9223372036854775807", "9223372036854775808"] {
            shop.delete_as(ada, &format!("/api/wishlist/remove/{id}/")).await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_wished_for_is_refused_and_changes_nothing() {
    with_products(async |shop, admin, ada, [one, two]| {
        shop.patch_as(admin, &format!("/api/product/{one}/"), json!({"is_active": false})).await.expect(200);
        shop.delete_as(admin, &format!("/api/product/{two}/")).await.expect(204);
        for product in [one, two, 999_999, i64::MAX] {
            for user in [ada, admin] {
                let refused = shop.post_as(user, ADD, wish(product)).await.expect(404);
                assert_eq!(refused.faults(), ["/product_id"]);
            }
        }
        for (body, faults) in [
            (json!({}), vec!["/product_id"]),
            (json!({"product_id": null}), vec!["/product_id"]),
            (json!({"product_id": 0}), vec!["/product_id"]),
            (json!({"product_id": -1}), vec!["/product_id"]),
            (json!({"product_id": "1"}), vec!["/product_id"]),
            (json!({"product_id": 1.5}), vec!["/product_id"]),
            (json!({"product_id": [1]}), vec!["/product_id"]),
            (json!({"product_id": u64::MAX}), vec!["/product_id"]),
            (
                json!({"product_id": one, "user_id": admin.id, "id": 1, "wishlist_id": 1}),
                vec!["/id", "/user_id", "/wishlist_id"],
            ),
        ] {
            let refused = shop.post_as(ada, ADD, body).await.expect(422);
            assert_eq!(refused.faults(), faults);
        }
        shop.get_as(ada, "/api/wishlist/?page=1").await.expect(400);
        assert_eq!(products(&shop.get_as(ada, LIST).await), [] as [i64; 0]);
        let lists: i64 =
            sqlx::query_scalar("select count(*) from wishlist_item").fetch_one(&shop.db).await.unwrap();
        assert_eq!(lists, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_on_offer_is_hidden_until_it_is() {
    with_products(async |shop, admin, ada, [one, two, three]| {
        let mut ids = Vec::new();
        for product in [one, two, three] {
            ids.push(shop.post_as(ada, ADD, wish(product)).await.expect(201).id());
        }
        let active = async |product: i64, is_active: bool| {
            let path = format!("/api/product/{product}/");
            shop.patch_as(admin, &path, json!({"is_active": is_active, "name": "A secret draft"}))
                .await
                .expect(200);
        };
        active(one, false).await;
        shop.delete_as(admin, &format!("/api/product/{two}/")).await.expect(204);
        let list = shop.get_as(ada, LIST).await.expect(200);
        assert_eq!(products(&list), [three]);
        assert!(!list.text.contains("secret"));
        active(one, true).await;
        assert_eq!(products(&shop.get_as(ada, LIST).await), [three, one], "it is where it was");
        active(one, false).await;
        shop.delete_as(ada, &format!("/api/wishlist/remove/{}/", ids[0])).await.expect(204);
        active(one, true).await;
        assert_eq!(products(&shop.get_as(ada, LIST).await), [three]);
    })
    .await;
}

#[tokio::test]
async fn a_list_holds_a_hundred_and_lets_go_of_what_nobody_sees() {
    with_products(async |shop, _, ada, mut new: [i64; 12]| {
        shop.get_as(ada, LIST).await.expect(200);
        // Five wishes for what is not on offer, older than the ninety that are.
        fill(shop, ada, 5, false).await;
        fill(shop, ada, 90, true).await;
        let racing = new.iter().map(async |one| shop.insist(ada, Method::POST, ADD, &wish(*one)).await);
        let answers = join_all(racing).await;
        let of = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((of(201), of(409)), (10, 2));
        let full = answers.iter().find(|answer| answer.status == 409).unwrap();
        assert_eq!(full.json["type"], "/problems/too-many");
        assert!(full.json["detail"].as_str().unwrap().contains("100"), "{}", full.text);
        let list = shop.get_as(ada, LIST).await.expect(200);
        assert_eq!(products(&list).len(), 100);
        let kept: i64 =
            sqlx::query_scalar("select count(*) from wishlist_item").fetch_one(&shop.db).await.unwrap();
        assert_eq!(kept, 100, "five made room");

        // What is on the list already is no new one, and one that goes makes room for one.
        let known = products(&list);
        shop.post_as(ada, ADD, wish(known[50])).await.expect(200);
        new.sort_unstable_by_key(|product| known.contains(product));
        shop.post_as(ada, ADD, wish(new[0])).await.expect(409);
        let last = list.json["items"][99]["id"].as_i64().unwrap();
        shop.delete_as(ada, &format!("/api/wishlist/remove/{last}/")).await.expect(204);
        shop.post_as(ada, ADD, wish(new[0])).await.expect(201);
        shop.post_as(ada, ADD, wish(new[1])).await.expect(409);
    })
    .await;
}

#[tokio::test]
async fn of_many_wishes_at_once_one_is_new() {
    with_products(async |shop, _, ada, [one, two]| {
        // The list is made by whoever comes first, too.
        let body = wish(one);
        let looking = join_all((0..8).map(|_| shop.insist(ada, Method::GET, LIST, &Value::Null)));
        let adding = join_all((0..64).map(|_| shop.insist(ada, Method::POST, ADD, &body)));
        let (answers, lists) = tokio::join!(adding, looking);
        let lists: BTreeSet<i64> = lists.into_iter().map(|list| list.expect(200).id()).collect();
        assert_eq!((lists.len(), one_is_new(&answers)), (1, 64));

        // All of them have seen that it is not on the list before any may put it there.
        let mut holding = shop.db.begin().await.unwrap();
        sqlx::query("select from wishlist for update").execute(&mut *holding).await.unwrap();
        let body = wish(two);
        let adding = join_all((0..12).map(|_| shop.insist(ada, Method::POST, ADD, &body)));
        let release = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            holding.rollback().await.unwrap();
        };
        let (answers, ()) = tokio::join!(adding, release);
        assert_eq!(one_is_new(&answers), 12);
        assert_eq!(products(&shop.get_as(ada, LIST).await), [two, one]);
    })
    .await;
}

/// Of answers that are all about one wish, exactly one made it: how many answers.
#[track_caller]
fn one_is_new(answers: &[Answer]) -> usize {
    let told: Vec<_> = answers.iter().map(|answer| (answer.status, &answer.json["id"])).collect();
    assert_eq!(told.iter().filter(|(status, _)| *status == 201).count(), 1, "{told:?}");
    assert!(told.iter().all(|(status, id)| *status <= 201 && *id == told[0].1), "{told:?}");
    answers.len()
}

#[tokio::test]
async fn whoever_leaves_wishes_for_nothing_any_more() {
    with_products(async |shop, _, ada, [one]| {
        shop.post_as(ada, ADD, wish(one)).await.expect(201);
        shop.delete_as(ada, &format!("/api/users/{}/", ada.id)).await.expect(204);
        let left: i64 = sqlx::query_scalar(
            "select (select count(*) from wishlist) + (select count(*) from wishlist_item)",
        )
        .fetch_one(&shop.db)
        .await
        .unwrap();
        assert_eq!(left, 0);
    })
    .await;
}
