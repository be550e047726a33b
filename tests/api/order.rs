//! Orders: what is taken is taken once, whoever races.

mod ledger;
mod races;
mod rings;
mod statements;

use duka::{auth::Role, config::Settings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop, User, with_settings, with_shop};

async fn coupon(shop: &TestShop, admin: &User, body: Value) -> i64 {
    shop.post_as(admin, "/api/discount/", body).await.expect(201).id()
}

async fn used(shop: &TestShop, discount: i64) -> (i32, i64) {
    sqlx::query_as(
        "select times_used, (select count(*) from discount_use where discount_id = id) from discount where id = $1",
    )
    .bind(discount)
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

async fn pay(shop: &TestShop, order: i64) {
    sqlx::query(
        "update orders set payment_status = 'paid', status = 'confirmed', expires_at = null where id = $1",
    )
    .bind(order)
    .execute(&shop.db)
    .await
    .unwrap();
}

/// Everything that an order could change, for seeing that nothing did.
async fn held(shop: &TestShop) -> String {
    sqlx::query_scalar(
        "select md5(concat(
             (select string_agg(o::text, '|' order by id) from orders o),
             (select string_agg(i::text, '|' order by id) from cart_item i),
             (select string_agg(m::text, '|' order by id) from stock_movement m),
             (select string_agg(u::text, '|' order by order_id) from discount_use u),
             (select string_agg(id || ':' || times_used, '|' order by id) from discount),
             (select string_agg(id || ':' || stock, '|' order by id) from variant)
         ))",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

async fn cancel(shop: &TestShop, user: &User, order: i64) -> Answer {
    shop.post_as(user, &format!("/api/order/{order}/cancel/"), json!({})).await
}

#[tokio::test]
async fn a_cart_becomes_an_order() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (product, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let (_, mug) = shop.shelve(&admin, "MUG", "8.00", 2).await;
        let home = shop.home_of(&ada).await;
        shop.put(&ada, tea, 4).await.expect(201);
        shop.put(&ada, mug, 1).await.expect(201);
        let code = json!({"code": "TENTH", "discount_type": "percentage", "discount_value": "10"});
        let code = coupon(shop, &admin, code).await;
        shop.post_as(&ada, "/api/cart/discount/", json!({"code": "tenth"})).await.expect(200);
        let body = json!({"address_id": home, "payment_method": "card", "expected_total": "16.20", "discount_code": null});
        let placed = shop.post_as(&ada, "/api/order/", body).await.expect(201);
        shop.indexed(&placed).await;
        let order = &placed.json;
        for (name, value) in [
            ("user_id", json!(ada.id)),
            ("status", json!("pending")),
            ("payment_status", json!("pending")),
            ("payment_method", json!("card")),
            ("currency", json!("USD")),
            ("subtotal", json!("18.00")),
            ("discount_total", json!("1.80")),
            ("total_amount", json!("16.20")),
            ("discount_code", json!("TENTH")),
            ("shipped_date", Value::Null),
            ("shipments", json!([])),
        ] {
            assert_eq!(order[name], value, "{name}");
        }
        assert_eq!(order["shipping_address"]["street"], "Moi Avenue 1");
        let line = &order["items"][0];
        assert_eq!(
            (&line["variant_id"], &line["product_id"], &line["sku"]),
            (&json!(tea), &json!(product), &json!("TEA"))
        );
        assert_eq!(
            (&line["quantity"], &line["price"], &line["subtotal"]),
            (&json!(4), &json!("2.50"), &json!("10.00"))
        );
        assert_eq!(order["timeline"][0]["event"], "placed");
        let number = order["order_number"].as_str().unwrap();
        assert!((8..=12).contains(&number.len()), "{number}");
        let minutes: i64 = sqlx::query_scalar(
            "select (extract(epoch from expires_at - order_date) / 60)::bigint from orders",
        )
        .fetch_one(&shop.db)
        .await
        .unwrap();
        assert_eq!(minutes, 30);
        let shares: (bool, bool) = sqlx::query_as(
            "select sum(i.discount_total) = max(o.discount_total), sum(i.subtotal) = max(o.subtotal)
             from order_item i join orders o on o.id = i.order_id",
        )
        .fetch_one(&shop.db)
        .await
        .unwrap();
        assert_eq!(shares, (true, true));
        assert_eq!(
            (shop.stock_of(tea).await, shop.stock_of(mug).await, used(shop, code).await),
            (6, 1, (1, 1))
        );
        let found = shop.get("/api/product/?q=TEA").await.expect(200).json;
        assert_eq!(found["results"][0]["stock_quantity"], 6, "search follows");
        let cart = shop.get_as(&ada, "/api/cart/").await.json;
        assert_eq!((&cart["items"], &cart["discount"]), (&json!([]), &Value::Null));
        assert_eq!(shop.order(&ada, home, "card").await.expect(422).json["type"], "/problems/empty-cart");

        // What was agreed stays, whatever changes.
        shop.patch_as(&admin, &format!("/api/variant/{tea}/"), json!({"price": "9.00", "sku": "TEA-2"}))
            .await
            .expect(200);
        shop.delete_as(&ada, &format!("/api/address/{home}/")).await.expect(204);
        let path = format!("/api/order/{}/", placed.id());
        assert_eq!(&shop.get_as(&ada, &path).await.expect(200).json, order);
        assert_eq!(&shop.get_as(&ada, "/api/order/").await.expect(200).json["results"][0], order);

        let cancelled = cancel(shop, &ada, placed.id()).await.expect(200).json;
        assert_eq!(
            (&cancelled["status"], &cancelled["timeline"][1]["event"]),
            (&json!("cancelled"), &json!("cancelled"))
        );
        assert_eq!(
            (shop.stock_of(tea).await, shop.stock_of(mug).await, used(shop, code).await),
            (10, 2, (0, 0))
        );
        assert_eq!(cancel(shop, &ada, placed.id()).await.expect(409).json["type"], "/problems/wrong-state");
        assert_eq!(shop.stock_of(tea).await, 10);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_ordered_changes_nothing() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let (_, mug) = shop.shelve(&admin, "MUG", "8.00", 5).await;
        let home = shop.home_of(&ada).await;
        let foreign = shop.home_of(&admin).await;
        shop.put(&ada, tea, 4).await.expect(201);
        shop.put(&ada, mug, 5).await.expect(201);
        let code =
            json!({"code": "OLD", "discount_type": "fixed", "discount_value": "1", "is_active": false});
        coupon(shop, &admin, code).await;
        let before = held(shop).await;
        let card = json!({"address_id": home, "payment_method": "card"});
        let with = |fields: Value| {
            let mut body = card.clone();
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            shop.post_as(&ada, "/api/order/", body)
        };
        assert_eq!(with(json!({"address_id": foreign})).await.expect(404).faults(), ["/address_id"]);
        with(json!({"address_id": 999})).await.expect(404);
        let told = with(json!({"expected_total": "49.99"})).await.expect(409);
        assert_eq!(
            (&told.json["type"], &told.json["total"]),
            (&json!("/problems/price-changed"), &json!("50.00"))
        );
        for (code, reason) in [("OLD", "inactive"), ("NONE", "unknown")] {
            let told = with(json!({"discount_code": code})).await.expect(422);
            assert_eq!(
                (told.faults(), &told.json["errors"][0]["code"]),
                (vec!["/discount_code"], &json!(reason))
            );
        }
        for (field, value) in [
            ("address_id", json!("1")),
            ("payment_method", json!("cheque")),
            ("payment_method", Value::Null),
            ("expected_total", json!(50)),
            ("discount_code", json!("")),
            ("total_amount", json!("1.00")),
            ("status", json!("confirmed")),
        ] {
            assert_eq!(with(json!({field: value})).await.expect(422).faults(), [format!("/{field}")]);
        }
        assert_eq!(
            shop.post_as(&ada, "/api/order/", json!({})).await.expect(422).faults(),
            ["/address_id", "/payment_method"]
        );
        shop.post("/api/order/", card.clone()).await.expect(401);
        assert_eq!(held(shop).await, before);

        sqlx::query("update variant set stock = case id when $1 then 3 else 0 end")
            .bind(tea)
            .execute(&shop.db)
            .await
            .unwrap();
        let before = held(shop).await;
        let short = with(json!({})).await.expect(409);
        assert_eq!(short.json["type"], "/problems/out-of-stock");
        let named: Vec<(i64, i64)> = short.json["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (item["variant_id"].as_i64().unwrap(), item["available"].as_i64().unwrap()))
            .collect();
        assert_eq!(named, [(tea, 3), (mug, 0)]);
        assert_eq!(held(shop).await, before);
    })
    .await;
}

#[tokio::test]
async fn who_sees_and_cancels_which_orders() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (vera, otto) = (shop.user("vera", Role::Vendor).await, shop.user("otto", Role::Vendor).await);
        let (ada, eve) = (shop.user("ada", Role::Customer).await, shop.user("eve", Role::Customer).await);
        let (_, tea) = shop.shelve(&vera, "TEA", "2.50", 50).await;
        let (_, mug) = shop.shelve(&admin, "MUG", "8.00", 50).await;
        let home = shop.home_of(&ada).await;
        let mut orders = Vec::new();
        for lines in [vec![tea, mug], vec![mug]] {
            for variant in lines {
                shop.put(&ada, variant, 2).await.expect(201);
            }
            orders.push(shop.order(&ada, home, "card").await.expect(201).id());
        }
        let (both, other) = (orders[0], orders[1]);
        let seen = async |user: &User, query: &str| {
            let list = shop.get_as(user, &format!("/api/order/{query}")).await.expect(200).json;
            let ids = list["results"].as_array().unwrap().iter().map(|order| order["id"].as_i64().unwrap());
            let ids: Vec<i64> = ids.collect();
            assert_eq!(list["count"], ids.len());
            ids
        };
        assert_eq!(seen(&ada, "").await, [other, both]);
        assert_eq!(seen(&admin, "").await, [other, both]);
        assert_eq!(seen(&vera, "").await, [both]);
        assert_eq!((seen(&otto, "").await, seen(&eve, "").await), (vec![], vec![]));
        assert_eq!(seen(&admin, &format!("?user_id={}", ada.id)).await, [other, both]);
        assert_eq!(seen(&admin, &format!("?user_id={}", eve.id)).await, Vec::<i64>::new());
        assert_eq!(seen(&admin, "?status=cancelled").await, Vec::<i64>::new());
        assert_eq!(seen(&admin, "?status=pending&payment_status=pending").await, [other, both]);
        for query in
            ["status=open", "payment_status=x", "user_id=0", "colour=red", "cursor=x", "page=1&cursor=x"]
        {
            shop.get_as(&admin, &format!("/api/order/?{query}")).await.expect(400);
        }
        let path = format!("/api/order/{both}/");
        let of_vendor = shop.get_as(&vera, &path).await.expect(200).json;
        assert_eq!(
            (of_vendor["items"].as_array().unwrap().len(), &of_vendor["items"][0]["sku"]),
            (1, &json!("TEA"))
        );
        assert_eq!(of_vendor["total_amount"], "5.00");
        assert_eq!(shop.get_as(&vera, "/api/order/").await.json["results"][0], of_vendor);
        assert_eq!(shop.get_as(&admin, &path).await.expect(200).json["total_amount"], "21.00");
        for user in [&otto, &eve] {
            shop.get_as(user, &path).await.expect(404);
        }
        shop.get(&path).await.expect(401);
        shop.get("/api/order/").await.expect(401);
        for user in [&vera, &otto, &eve] {
            cancel(shop, user, both).await.expect(404);
        }
        shop.send_as(None, Method::POST, &format!("{path}cancel/"), &json!({})).await.expect(401);

        pay(shop, both).await;
        assert_eq!(cancel(shop, &ada, both).await.expect(409).json["type"], "/problems/wrong-state");
        cancel(shop, &admin, both).await.expect(200);
        assert_eq!((shop.stock_of(tea).await, shop.stock_of(mug).await), (50, 48));
        cancel(shop, &admin, other).await.expect(200);
        assert_eq!(shop.stock_of(mug).await, 50);
    })
    .await;
}

#[tokio::test]
async fn unpaid_orders_expire_and_cash_on_delivery_does_not() {
    let settings = Settings { order_expiry_minutes: Some("5".into()), ..Settings::default() };
    with_settings(settings, async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let home = shop.home_of(&ada).await;
        let code =
            json!({"code": "X", "discount_type": "fixed", "discount_value": "1", "usage_limit_per_user": 1});
        let code = coupon(shop, &admin, code).await;
        shop.put(&ada, tea, 3).await.expect(201);
        let body = json!({"address_id": home, "payment_method": "mpesa", "discount_code": "x"});
        let unpaid = shop.post_as(&ada, "/api/order/", body.clone()).await.expect(201).id();
        shop.put(&ada, tea, 2).await.expect(201);
        let told = shop.post_as(&ada, "/api/order/", body).await.expect(422);
        assert_eq!(told.json["errors"][0]["code"], "used-by-you");
        let cash = shop.order(&ada, home, "cash_on_delivery").await.expect(201);
        assert_eq!((&cash.json["status"], &cash.json["expires_at"]), (&json!("confirmed"), &Value::Null));
        assert_eq!(cash.json["timeline"][1]["event"], "confirmed");
        assert_eq!(shop.stock_of(tea).await, 5);
        let left: i64 = sqlx::query_scalar(
            "select (extract(epoch from expires_at - order_date) / 60)::bigint from orders where id = $1",
        )
        .bind(unpaid)
        .fetch_one(&shop.db)
        .await
        .unwrap();
        assert_eq!(left, 5);
        sqlx::query("update orders set expires_at = now() where id = $1")
            .bind(unpaid)
            .execute(&shop.db)
            .await
            .unwrap();
        let path = format!("/api/order/{unpaid}/");
        let mut order = shop.get_as(&ada, &path).await.expect(200).json;
        for _ in 0..100 {
            if order["status"] == "cancelled" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            order = shop.get_as(&ada, &path).await.expect(200).json;
        }
        assert_eq!(order["status"], "cancelled");
        assert_eq!((shop.stock_of(tea).await, used(shop, code).await), (8, (0, 0)));
        assert_eq!(
            shop.get_as(&ada, &format!("/api/order/{}/", cash.id())).await.json["status"],
            "confirmed"
        );
        cancel(shop, &ada, cash.id()).await.expect(200);
        assert_eq!(shop.stock_of(tea).await, 10);
    })
    .await;
}

/// What each vendor is shown of an order sums to what the buyer pays, to the cent, whatever a code takes off.
#[tokio::test]
async fn vendors_see_their_share_of_a_code() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let sellers = [
            shop.user("vera", Role::Vendor).await,
            shop.user("otto", Role::Vendor).await,
            shop.user("anna", Role::Vendor).await,
        ];
        let home = shop.home_of(&ada).await;
        coupon(shop, &admin, json!({"code": "ONE", "discount_type": "fixed", "discount_value": "1"})).await;
        for (seller, price) in sellers.iter().zip(["3.33", "3.33", "3.35"]) {
            let (_, variant) = shop.shelve(seller, &seller.name, price, 5).await;
            shop.put(&ada, variant, 1).await.expect(201);
        }
        let body = json!({"address_id": home, "payment_method": "card", "discount_code": "one"});
        let order = shop.post_as(&ada, "/api/order/", body).await.expect(201);
        assert_eq!((&order.json["subtotal"], &order.json["total_amount"]), (&json!("10.01"), &json!("9.01")));
        let path = format!("/api/order/{}/", order.id());
        for (seller, (subtotal, discount, total)) in
            sellers.iter().zip([("3.33", "0.33", "3.00"), ("3.33", "0.33", "3.00"), ("3.35", "0.34", "3.01")])
        {
            let seen = shop.get_as(seller, &path).await.expect(200).json;
            assert_eq!(seen["items"].as_array().unwrap().len(), 1);
            assert_eq!(seen["items"][0]["sku"], seller.name);
            assert_eq!(
                (&seen["subtotal"], &seen["discount_total"], &seen["total_amount"]),
                (&json!(subtotal), &json!(discount), &json!(total))
            );
            assert_eq!(shop.get_as(seller, "/api/order/").await.json["results"], json!([seen]));
        }
    })
    .await;
}
