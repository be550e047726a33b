//! Payments: money counts once, whatever gateways do.

mod card;
mod faults;
mod flagged;
mod mpesa;
mod orders;
mod outcomes;
mod permutations;
mod plans;
mod races;
mod refunds;
mod reversals;
mod superseded;
mod webhooks;

use std::time::Duration;

use duka::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop, User};

/// A buyer with an order of two pieces of 8.10.
#[derive(Clone)]
struct Buyer {
    admin: User,
    user: User,
    home: i64,
    tea: i64,
    order: i64,
}

impl Buyer {
    async fn new(shop: &TestShop, method: &str) -> Self {
        let (admin, user) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "8.10", 100).await;
        let home = shop.home_of(&user).await;
        let mut buyer = Self { admin, user, home, tea, order: 0 };
        buyer.order = buyer.another(shop, method).await;
        buyer
    }

    async fn another(&self, shop: &TestShop, method: &str) -> i64 {
        shop.put(&self.user, self.tea, 2).await.expect(201);
        shop.order(&self.user, self.home, method).await.expect(201).id()
    }

    async fn pay(&self, shop: &TestShop, body: Value) -> Answer {
        let mut whole = json!({"order_id": self.order});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        shop.post_as(&self.user, "/api/payment/initiate/", whole).await
    }

    async fn state(&self, shop: &TestShop) -> Value {
        shop.get_as(&self.user, &format!("/api/payment/{}/status/", self.order)).await.expect(200).json
    }

    /// The attempt's state and the order's, once the attempt's is this one.
    async fn until(&self, shop: &TestShop, attempt: &str) -> Value {
        eventually(async || {
            let state = self.state(shop).await;
            if state["payment"]["payment_status"] == attempt { Ok(state) } else { Err(state.to_string()) }
        })
        .await
    }

    /// The order, once this much of it is paid.
    async fn until_order(&self, shop: &TestShop, paid: &str) -> Value {
        eventually(async || {
            let order = self.look(shop).await;
            if order["payment_status"] == paid { Ok(order) } else { Err(order.to_string()) }
        })
        .await
    }

    async fn look(&self, shop: &TestShop) -> Value {
        shop.get_as(&self.user, &format!("/api/order/{}/", self.order)).await.expect(200).json
    }
}

/// Tries until it is so, for half a minute.
pub async fn eventually<T>(look: impl AsyncFn() -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..300 {
        match look().await {
            Ok(found) => return found,
            Err(other) => last = other,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it did not come to that: {last}");
}

fn events(order: &Value) -> Vec<&str> {
    order["timeline"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect()
}

/// Makes silent attempts' time come.
async fn hasten(shop: &TestShop) {
    sqlx::query("update payment set next_check_at = now() where next_check_at is not null")
        .execute(&shop.db)
        .await
        .unwrap();
}

/// The entries of the ledger, as (captures, refunds, what the shop holds in hundredths): each must balance.
async fn ledger(shop: &TestShop) -> (i64, i64, i64) {
    let wrong: i64 = sqlx::query_scalar(
        "select count(*) from (select from payment_ledger group by payment_id, refund_id, is_return having sum(amount) <> 0 or count(*) <> 2) w",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap();
    assert_eq!(wrong, 0, "every entry balances");
    sqlx::query_as(
        "select count(*) filter (where refund_id is null), count(*) filter (where refund_id is not null),
                coalesce(sum(amount) * 100, 0)::bigint
         from payment_ledger where account <> 'orders'",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

/// Why a person must look at the only attempt.
async fn attention(shop: &TestShop) -> Option<String> {
    sqlx::query_scalar("select max(attention) from payment").fetch_one(&shop.db).await.unwrap()
}

/// Everything that a payment could change, for seeing that nothing did.
async fn all(shop: &TestShop) -> String {
    sqlx::query_scalar(
        "select concat(
             (select string_agg(to_jsonb(p)::text, '|' order by id) from (select id, payment_status, amount, refunded_amount, transaction_id, checkout_request_id, attention, paid_at from payment) p),
             (select string_agg(to_jsonb(o)::text, '|' order by id) from orders o),
             (select string_agg(to_jsonb(e)::text, '|' order by id) from order_event e),
             (select string_agg(to_jsonb(l)::text, '|' order by id) from payment_ledger l),
             (select string_agg(to_jsonb(r)::text, '|' order by id) from (select id, status, amount from refund) r),
             (select string_agg(i.id::text, '|' order by id) from payment_inbox i)
         )",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

/// No event waits to be processed.
async fn digested(shop: &TestShop) {
    eventually(async || {
        let waiting: i64 =
            sqlx::query_scalar("select count(*) from payment_inbox where processed_at is null")
                .fetch_one(&shop.db)
                .await
                .unwrap();
        if waiting == 0 { Ok(()) } else { Err(format!("{waiting} events wait")) }
    })
    .await;
}
