//! What changes something is done to its end, whoever leaves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use duka::auth::Role;
use reqwest::Method;
use serde_json::json;

use crate::support::with_shop;

#[tokio::test]
async fn a_job_that_was_left_is_done() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let request = shop.request(Method::POST, "/api/admin/reindex/").bearer_auth(&admin.access);
        shop.leave(request, "lock table job in exclusive mode", "job", async || {}).await;
        let begun = Instant::now();
        let status = async || -> Option<String> {
            sqlx::query_scalar("select status from job").fetch_optional(&shop.db).await.unwrap()
        };
        while status().await.as_deref() != Some("succeeded") {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", status().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Or whoever leaves, and asks again, would have all connections wait for one row.
#[tokio::test]
async fn an_order_that_was_left_is_placed_and_keeps_its_place_until_then() {
    with_shop(async |shop| {
        let (admin, user) = (shop.admin().await, shop.user("gone", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "8.10", 10).await;
        let home = shop.home_of(&user).await;
        shop.put(&user, tea, 2).await.expect(201);
        let free = || shop.shop.app.checkouts.available_permits();
        let before = free();
        let body = json!({"address_id": home, "payment_method": "cash_on_delivery"});
        let request = shop.request(Method::POST, "/api/order/").bearer_auth(&user.access).json(&body);
        let look = async || assert_eq!(free(), before - 1, "somebody's statement still waits");
        shop.leave(request, "select from variant for update", "variant", look).await;
        let begun = Instant::now();
        while shop.sold_of(tea).await != 2 || free() != before {
            assert!(begun.elapsed() < Duration::from_secs(10), "{} are sold", shop.sold_of(tea).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(shop.stock_of(tea).await, 8);
        assert_eq!(shop.get_as(&user, "/api/cart/").await.expect(200).json["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_stop_waits_for_what_was_left() {
    let done = Arc::new(AtomicBool::new(false));
    with_shop(async |shop| {
        let done = Arc::clone(&done);
        shop.shop.app.acts.spawn(async move {
            tokio::time::sleep(Duration::from_millis(700)).await;
            done.store(true, Ordering::Relaxed);
        });
    })
    .await;
    assert!(done.load(Ordering::Relaxed));
}
