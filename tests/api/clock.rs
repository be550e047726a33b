//! A clock that jumps, as one does that is set right, or wrong: prices go by it, there and back. What must not happen
//! twice or too early (keys, holds, sessions, versions) goes by the database's, and does not notice.

use duka::{
    auth::Role,
    clock::{Clock, from_micros, micros},
    config::Settings,
};
use reqwest::Method;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::support::with_clock;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

#[tokio::test]
async fn a_clock_that_jumps_there_and_back_loses_nothing() {
    let present = micros(OffsetDateTime::now_utc()) / 1_000_000 * 1_000_000;
    with_clock(Settings::default(), Clock::fixed(present), async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (product, variant) = shop.shelve(&admin, "A", "100.00", 50).await;
        let written = |at: i64| from_micros(at).format(&Rfc3339).unwrap();
        let sale = json!({
            "code": "NOW", "discount_type": "percentage", "discount_value": "25", "activation": "automatic",
            "product_ids": [product], "start_date": written(present - HOUR), "end_date": written(present + HOUR),
        });
        let sale = shop.post_as(&admin, "/api/discount/", sale).await.expect(201);
        shop.indexed(&sale).await;
        let address = shop.home_of(&ada).await;
        shop.put(&ada, variant, 1).await.expect(201);
        let body = json!({"address_id": address, "payment_method": "card"});
        let order = async || {
            let request = shop.request(Method::POST, "/api/order/").bearer_auth(&ada.access).json(&body);
            shop.send(request.header("idempotency-key", "once")).await.expect(201)
        };
        let ordered = order().await;
        assert_eq!(ordered.json["total_amount"], "75.00");
        shop.put(&ada, variant, 1).await.expect(201);

        let mut refresh = ada.refresh.clone();
        for (jump, price) in [
            (DAY, "100.00"),
            (-DAY, "100.00"),
            (0, "75.00"),
            (3_650 * DAY, "100.00"),
            (-3_650 * DAY, "100.00"),
            (0, "75.00"),
        ] {
            shop.shop.app.clock.set(present + jump);
            let found = shop.get("/api/product/?q=A").await.expect(200);
            assert_eq!(found.json["results"][0]["effective_price"], price, "{jump}");
            let detail = shop.get(&format!("/api/product/{product}/")).await.expect(200);
            assert_eq!(detail.json["effective_price"], price, "{jump}");
            let cart = shop.get_as(&ada, "/api/cart/").await.expect(200);
            assert_eq!(cart.json["items"][0]["current_price"], price, "{jump}");

            // The same key is the same order, which still holds its piece.
            let again = order().await;
            assert_eq!((again.header("idempotency-replayed"), again.id()), ("true", ordered.id()), "{jump}");
            let kept = shop.get_as(&ada, &format!("/api/order/{}/", ordered.id())).await.expect(200);
            assert_eq!((&kept.json["status"], &kept.json["total_amount"]), (&json!("pending"), &json!("75.00")));
            assert_eq!(shop.stock_of(variant).await, 49, "{jump}");

            let tokens = shop.post("/api/auth/jwt/refresh/", json!({"refresh": refresh})).await.expect(200);
            tokens.json["refresh"].as_str().unwrap().clone_into(&mut refresh);

            // A write is found, and what was kept before it is not shown for it.
            let name = json!({"description": format!("seen at {jump}")});
            let change = shop.patch_as(&admin, &format!("/api/product/{product}/"), name).await.expect(200);
            shop.indexed(&change).await;
            let found = shop.get("/api/product/?q=A").await.expect(200);
            assert_eq!(found.json["results"][0]["description"], format!("seen at {jump}"));
        }
    })
    .await;
}
