//! Shipments: parcels move their order along.

use duka::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::with_shop;

#[tokio::test]
async fn parcels_move_their_order_along() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let home = shop.home_of(&ada).await;
        shop.put(&ada, tea, 1).await.expect(201);
        let order = shop.order(&ada, home, "cash_on_delivery").await.expect(201).id();
        let path = format!("/api/shipments/{order}/");
        let look = async || shop.get_as(&ada, &format!("/api/order/{order}/")).await.expect(200).json;
        let first = json!({"tracking_number": "T1", "carrier": "Posta"});
        let first = shop.post_as(&admin, &path, first).await.expect(201);
        assert_eq!(
            first.json,
            json!({"id": first.id(), "order_id": order, "tracking_number": "T1", "carrier": "Posta", "status": "pending",
                   "shipped_at": null, "delivered_at": null})
        );
        assert_eq!(look().await["status"], "confirmed");
        let second = shop.post_as(&admin, &path, json!({"status": "shipped"})).await.expect(201);
        assert!(second.json["shipped_at"].is_string());
        let shipped = look().await;
        assert_eq!((&shipped["status"], shipped["shipped_date"].is_string()), (&json!("shipped"), true));
        let cancel = format!("/api/order/{order}/cancel/");
        shop.post_as(&admin, &cancel, json!({})).await.expect(409);

        let one = |id: i64| format!("{path}{id}/");
        let arrived = shop.patch_as(&admin, &one(second.id()), json!({"status": "delivered"})).await.expect(200);
        assert!(arrived.json["delivered_at"].is_string());
        let on_its_way = look().await;
        assert_eq!(on_its_way["status"], "shipped", "one is still to come");
        assert_eq!(on_its_way["payment_status"], "pending", "and the cash with it");
        shop.patch_as(&admin, &one(second.id()), json!({"status": "shipped"})).await.expect(409);
        let again = shop.patch_as(&admin, &one(second.id()), json!({"status": "delivered"})).await.expect(200);
        assert_eq!(again.json, arrived.json, "said again, nothing changes");
        shop.patch_as(&admin, &one(first.id()), json!({"status": "in_transit"})).await.expect(200);
        shop.patch_as(&admin, &one(first.id()), json!({"status": "delivered", "carrier": ""})).await.expect(200);
        let delivered = look().await;
        assert_eq!((&delivered["status"], &delivered["payment_status"]), (&json!("delivered"), &json!("paid")));
        shop.post_as(&admin, &format!("/api/payment/{order}/refund/"), json!({})).await.expect(409);
        let events: Vec<&str> =
            delivered["timeline"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["placed", "confirmed", "shipped", "delivered", "paid"]);
        let listed = shop.get_as(&ada, &path).await.expect(200).json;
        assert_eq!(listed, delivered["shipments"]);
        shop.post_as(&admin, &path, json!({})).await.expect(409);
        let back = shop.patch_as(&admin, &one(first.id()), json!({"status": "returned"})).await.expect(200);
        assert_eq!(back.json["status"], "returned");
        assert_eq!(look().await["status"], "delivered");
    })
    .await;
}

#[tokio::test]
async fn only_what_is_paid_or_cash_ships() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (vera, eve) = (shop.user("vera", Role::Vendor).await, shop.user("eve", Role::Customer).await);
        let (_, tea) = shop.shelve(&vera, "TEA", "2.50", 10).await;
        let home = shop.home_of(&ada).await;
        shop.put(&ada, tea, 1).await.expect(201);
        let order = shop.order(&ada, home, "card").await.expect(201).id();
        let path = format!("/api/shipments/{order}/");
        assert_eq!(
            shop.post_as(&admin, &path, json!({})).await.expect(409).json["type"],
            "/problems/wrong-state"
        );
        sqlx::query("update orders set payment_status = 'paid', status = 'confirmed' where id = $1")
            .bind(order)
            .execute(&shop.db)
            .await
            .unwrap();
        for (field, value) in [
            ("status", json!("lost")),
            ("status", json!("returned")),
            ("status", Value::Null),
            ("carrier", json!("x".repeat(101))),
            ("tracking_number", json!(7)),
            ("shipped_at", json!("2026-01-01T00:00:00Z")),
        ] {
            let refused = shop.post_as(&admin, &path, json!({field: value})).await.expect(422);
            assert_eq!(refused.faults(), [format!("/{field}")]);
        }
        let parcel = shop.post_as(&admin, &path, json!({})).await.expect(201).id();
        let one = format!("{path}{parcel}/");
        for user in [&vera, &eve] {
            shop.get_as(user, &path).await.expect(404);
        }
        for user in [&ada, &vera, &eve] {
            shop.post_as(user, &path, json!({})).await.expect(403);
            shop.patch_as(user, &one, json!({})).await.expect(403);
        }
        for (method, path) in [(Method::GET, &path), (Method::POST, &path), (Method::PATCH, &one)] {
            shop.send_as(None, method, path, &json!({})).await.expect(401);
        }
        // What has left arrives, or comes back, although its money has been sent back.
        let left = shop.post_as(&admin, &path, json!({"status": "shipped"})).await.expect(201).id();
        let pay = async |status: &str| {
            let sql = "update orders set payment_status = $2 where id = $1";
            sqlx::query(sql).bind(order).bind(status).execute(&shop.db).await.unwrap();
        };
        pay("refunded").await;
        let late = shop.patch_as(&admin, &one, json!({"status": "shipped"})).await.expect(409);
        assert_eq!(late.json["detail"], "The order's money has been sent back.");
        shop.post_as(&admin, &path, json!({})).await.expect(409);
        // Not even where cash was to be paid at first.
        let agree = "update orders set payment_method = $2 where id = $1";
        sqlx::query(agree).bind(order).bind("cash_on_delivery").execute(&shop.db).await.unwrap();
        let late = shop.post_as(&admin, &path, json!({})).await.expect(409);
        assert_eq!(late.json["detail"], "The order's money has been sent back.");
        for status in ["in_transit", "returned"] {
            shop.patch_as(&admin, &format!("{path}{left}/"), json!({"status": status})).await.expect(200);
        }
        sqlx::query("update orders set status = 'confirmed', shipped_at = null where id = $1")
            .bind(order)
            .execute(&shop.db)
            .await
            .unwrap();
        pay("paid").await;
        shop.get_as(&admin, "/api/shipments/999/").await.expect(404);
        shop.post_as(&admin, "/api/shipments/999/", json!({})).await.expect(404);
        shop.patch_as(&admin, &format!("{path}999/"), json!({})).await.expect(404);
        shop.patch_as(&admin, &format!("/api/shipments/999/{parcel}/"), json!({})).await.expect(404);
        // A parcel that has not left does not hold the order.
        shop.post_as(&admin, &format!("/api/order/{order}/cancel/"), json!({})).await.expect(200);
        let late = shop.patch_as(&admin, &one, json!({"status": "shipped"})).await.expect(409);
        assert_eq!(late.json["detail"], "The order has been cancelled.");
        assert_eq!(shop.stock_of(tea).await, 10);
    })
    .await;
}

/// Whoever waits for another's update began before it, by the database's clock.
#[tokio::test]
async fn a_parcel_arrives_although_its_sending_was_told_meanwhile() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let home = shop.home_of(&ada).await;
        shop.put(&ada, tea, 1).await.expect(201);
        let order = shop.order(&ada, home, "cash_on_delivery").await.expect(201).id();
        let path = format!("/api/shipments/{order}/");
        let parcel = shop.post_as(&admin, &path, json!({})).await.expect(201).id();
        let mut other = shop.db.begin().await.unwrap();
        let lock = "select id from orders where id = $1 for update";
        sqlx::query(lock).bind(order).execute(&mut *other).await.unwrap();
        let arriving = async {
            let one = format!("{path}{parcel}/");
            shop.patch_as(&admin, &one, json!({"status": "delivered"})).await.expect(200).json
        };
        let sending = async {
            shop.waits("from orders").await;
            let ship = "update shipment set status = 'shipped', shipped_at = clock_timestamp() where id = $1";
            sqlx::query(ship).bind(parcel).execute(&mut *other).await.unwrap();
            other.commit().await.unwrap();
        };
        let (arrived, ()) = tokio::join!(arriving, sending);
        assert_eq!(
            (&arrived["status"], &arrived["delivered_at"]),
            (&json!("delivered"), &arrived["shipped_at"])
        );
    })
    .await;
}
