//! Requests that meet at a chosen place: whoever is held up holds nobody else up for ever.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

use super::*;

/// Holds a variant's row, as a checkout of it does, until [`let_go`].
async fn hold(shop: &TestShop, variant: i64) -> PgConnection {
    let mut connection = PgConnection::connect(&shop.database_url).await.unwrap();
    sqlx::query("begin").execute(&mut connection).await.unwrap();
    let lock = "select from variant where id = $1 for no key update";
    sqlx::query(lock).bind(variant).execute(&mut connection).await.unwrap();
    connection
}

async fn let_go(mut connection: PgConnection) {
    sqlx::query("commit").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Waits until so many sessions of the shop's wait for a lock.
async fn until_waiting(shop: &TestShop, sessions: i64) {
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    for _ in 0..200 {
        let found: i64 = sqlx::query_scalar(waiting).fetch_one(&shop.db).await.unwrap();
        if found >= sessions {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nobody waits");
}

#[tokio::test]
async fn a_key_in_use_is_told_at_once() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let home = shop.home_of(&ada).await;
        shop.put(&ada, tea, 2).await.expect(201);
        let body = json!({"address_id": home, "payment_method": "card"});
        let send = || {
            let request = shop.request(Method::POST, "/api/order/").bearer_auth(&ada.access);
            shop.send(request.header("idempotency-key", "k").json(&body))
        };
        let held = hold(shop, tea).await;
        let later = async {
            until_waiting(shop, 1).await;
            for _ in 0..3 {
                let begun = Instant::now();
                let told = send().await.expect(409);
                assert_eq!(told.json["type"], "/problems/idempotency-key-in-use");
                assert_eq!(told.header("idempotency-replayed"), "");
                assert!(begun.elapsed() < Duration::from_secs(8), "it waited {:?}", begun.elapsed());
            }
            let_go(held).await;
        };
        let (first, ()) = tokio::join!(send(), later);
        let first = first.expect(201);
        assert_eq!(first.header("idempotency-replayed"), "");
        let again = send().await.expect(201);
        assert_eq!((again.header("idempotency-replayed"), &again.text), ("true", &first.text));
        assert_eq!(shop.stock_of(tea).await, 8);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_is_deleted_meanwhile_waits_for_carts_and_orders() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let home = shop.home_of(&ada).await;
        let terms = |code: &str| json!({"code": code, "discount_type": "fixed", "discount_value": "1"});
        // A checkout that has the cart and waits for its variant, and later wants the code.
        let code = coupon(shop, &admin, terms("ONE")).await;
        shop.put(&ada, tea, 2).await.expect(201);
        shop.post_as(&ada, "/api/cart/discount/", json!({"code": "ONE"})).await.expect(200);
        let held = hold(shop, tea).await;
        let path = format!("/api/discount/{code}/");
        let (placed, gone, ()) = tokio::join!(
            shop.order(&ada, home, "card"),
            async {
                until_waiting(shop, 1).await;
                shop.delete_as(&admin, &path).await
            },
            async {
                until_waiting(shop, 2).await;
                let_go(held).await;
            }
        );
        let placed = placed.expect(201);
        gone.expect(204);
        assert_eq!(
            (&placed.json["discount_code"], &placed.json["total_amount"]),
            (&json!("ONE"), &json!("4.00"))
        );
        shop.delete_as(&admin, &path).await.expect(404);

        // A cancellation that has the order and waits for its variant, and later takes the use of the code back.
        let code = coupon(shop, &admin, terms("TWO")).await;
        shop.put(&ada, tea, 2).await.expect(201);
        let body = json!({"address_id": home, "payment_method": "card", "discount_code": "two"});
        let order = shop.post_as(&ada, "/api/order/", body).await.expect(201).id();
        let held = hold(shop, tea).await;
        let path = format!("/api/discount/{code}/");
        let (cancelled, gone, ()) = tokio::join!(
            cancel(shop, &ada, order),
            async {
                until_waiting(shop, 1).await;
                shop.delete_as(&admin, &path).await
            },
            async {
                until_waiting(shop, 2).await;
                let_go(held).await;
            }
        );
        gone.expect(204);
        let cancelled = cancelled.expect(200);
        assert_eq!(
            (&cancelled.json["status"], &cancelled.json["discount_code"]),
            (&json!("cancelled"), &json!("TWO"))
        );
        assert_eq!(shop.stock_of(tea).await, 8);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_goes_while_it_is_put_on_a_cart_is_unknown() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        shop.put(&ada, tea, 2).await.expect(201);
        let terms = json!({"code": "ONE", "discount_type": "fixed", "discount_value": "1"});
        let code = coupon(shop, &admin, terms).await;
        let mut deleting = PgConnection::connect(&shop.database_url).await.unwrap();
        sqlx::query("begin").execute(&mut deleting).await.unwrap();
        sqlx::query("delete from discount where id = $1").bind(code).execute(&mut deleting).await.unwrap();
        let (told, ()) =
            tokio::join!(shop.post_as(&ada, "/api/cart/discount/", json!({"code": "ONE"})), async {
                until_waiting(shop, 1).await;
                let_go(deleting).await;
            });
        let told = told.expect(422);
        assert_eq!((told.faults(), &told.json["errors"][0]["code"]), (vec!["/code"], &json!("unknown")));
    })
    .await;
}

/// One order whose stock somebody holds does not keep others from giving theirs back.
#[tokio::test]
async fn an_order_that_cannot_expire_holds_no_other_up() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let (_, mug) = shop.shelve(&admin, "MUG", "2.50", 10).await;
        let buyers = shop.crowd(2).await;
        shop.fill_carts(&buyers[..1], tea, 1).await;
        shop.fill_carts(&buyers[1..], mug, 1).await;
        let mut orders = Vec::new();
        for buyer in &buyers {
            orders.push(shop.order(&buyer.user, buyer.home, "card").await.expect(201).id());
        }
        let held = hold(shop, tea).await;
        // The one that is held up is the first that is looked at.
        let due = "update orders set expires_at = now() - make_interval(secs => case id when $1 then 60 else 1 end)";
        sqlx::query(due).bind(orders[0]).execute(&shop.db).await.unwrap();
        let begun = Instant::now();
        while shop.stock_of(mug).await < 10 {
            assert!(begun.elapsed() < Duration::from_secs(8), "the other one waits too");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(shop.stock_of(tea).await, 9);
        let_go(held).await;
        while shop.stock_of(tea).await < 10 {
            assert!(begun.elapsed() < Duration::from_secs(16), "it is never given back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}
