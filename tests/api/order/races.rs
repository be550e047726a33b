//! Many buyers at once: nothing is sold twice, no code is used too often, no request is done twice.
//!
//! Each attack is short here and as long as `DUKA_ATTACK_ROUNDS` says: 100 is the full one.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream};

use super::*;
use crate::support::{Buyer, rounds};

fn of(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Demands that nobody was told of a failure of the shop's.
#[track_caller]
fn none_broke(answers: &[Answer]) {
    let broken: Vec<&str> =
        answers.iter().filter(|answer| answer.status >= 500).map(|answer| answer.text.as_str()).collect();
    assert!(broken.is_empty(), "{} of {}: {broken:?}", broken.len(), answers.len());
}

fn count(least: usize, most: usize, a_round: usize) -> usize {
    (rounds() * a_round).clamp(least, most)
}

/// Demands, in one snapshot each, that what is in stock and what orders hold is as much as there ever was.
async fn balanced(shop: &TestShop, variants: &[(i64, i64)]) {
    for (variant, total) in variants {
        let (stock, held, sold, ledger): (i64, i64, i64, i64) = sqlx::query_as(
            "select v.stock::bigint,
                    (select coalesce(sum(i.quantity), 0)::bigint from order_item i join orders o on o.id = i.order_id
                     where i.variant_id = v.id and o.status = 'pending'),
                    (select coalesce(sum(i.quantity), 0)::bigint from order_item i join orders o on o.id = i.order_id
                     where i.variant_id = v.id and o.status in ('confirmed', 'shipped', 'delivered')),
                    (select sum(quantity)::bigint from stock_movement where variant_id = v.id)
             from variant v where v.id = $1",
        )
        .bind(variant)
        .fetch_one(&shop.db)
        .await
        .unwrap();
        assert_eq!(stock + held + sold, *total, "stock {stock}, held {held}, sold {sold}");
        assert_eq!(stock, ledger, "the ledger's sum is the stock");
    }
}

/// Looks again and again until the work is done. Returns how often it looked.
async fn watch(shop: &TestShop, variants: &[(i64, i64)], done: &AtomicBool) -> usize {
    let mut looks = 0;
    while !done.load(Ordering::Relaxed) {
        balanced(shop, variants).await;
        looks += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    looks
}

/// Does the work while [`watch`] looks.
async fn watched<T>(shop: &TestShop, variants: &[(i64, i64)], work: impl Future<Output = T>) -> (T, usize) {
    let done = AtomicBool::new(false);
    let work = async {
        let out = work.await;
        done.store(true, Ordering::Relaxed);
        out
    };
    tokio::join!(work, watch(shop, variants, &done))
}

#[tokio::test]
async fn sixty_four_buyers_of_ten_pieces_get_ten() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let buyers = shop.crowd(64).await;
        let mut looked = 0;
        for round in 1..=rounds() {
            shop.fill_carts(&buyers, tea, 1).await;
            let rush = join_all(buyers.iter().enumerate().map(|(number, buyer)| {
                let method = if number % 2 == 0 { "card" } else { "cash_on_delivery" };
                shop.order(&buyer.user, buyer.home, method)
            }));
            let (answers, looks) = watched(shop, &[(tea, 10)], rush).await;
            looked += looks;
            none_broke(&answers);
            let short = |answer: &&Answer| answer.json["type"] == "/problems/out-of-stock";
            assert_eq!((of(&answers, 201), answers.iter().filter(short).count()), (10, 54), "round {round}");
            assert_eq!((shop.stock_of(tea).await, shop.sold_of(tea).await), (0, 10));
            let numbers: BTreeSet<&str> =
                answers.iter().filter_map(|answer| answer.json["order_number"].as_str()).collect();
            assert_eq!(numbers.len(), 10);
            let placed = answers.iter().zip(&buyers).filter(|(answer, _)| answer.status == 201);
            let given_up = placed.map(|(answer, buyer)| cancel(shop, &buyer.user, answer.id()));
            let (given_up, looks) = watched(shop, &[(tea, 10)], join_all(given_up)).await;
            looked += looks;
            assert_eq!(of(&given_up, 200), 10);
            assert_eq!((shop.stock_of(tea).await, shop.sold_of(tea).await), (10, 0));
            sqlx::query("delete from cart_item").execute(&shop.db).await.unwrap();
        }
        println!("64 buyers for 10 pieces: {} rounds, 10 sold in each, {looked} looks at the sum", rounds());
    })
    .await;
}

#[tokio::test]
async fn opposite_carts_cancellations_and_expiry_never_wait_in_a_ring() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 40).await;
        let (_, mug) = shop.shelve(&admin, "MUG", "8.00", 40).await;
        let buyers = shop.crowd(32).await;
        let (placed, tried) = (AtomicUsize::new(0), AtomicUsize::new(0));
        for _ in 0..rounds() {
            let work = buyers.iter().enumerate().map(async |(number, buyer)| {
                let lines = if number % 2 == 0 { [tea, mug] } else { [mug, tea] };
                let mut answers = Vec::new();
                for variant in lines {
                    answers.push(shop.put(&buyer.user, variant, 1 + i32::from(number % 3 == 0)).await);
                }
                tried.fetch_add(1, Ordering::Relaxed);
                let order = shop.order(&buyer.user, buyer.home, "card").await;
                if order.status == 201 {
                    placed.fetch_add(1, Ordering::Relaxed);
                    answers.extend(part(shop, &admin, &buyer.user, order.id(), number).await);
                }
                answers.push(order);
                answers
            });
            let (answers, _) = watched(shop, &[(tea, 40), (mug, 40)], join_all(work)).await;
            none_broke(&answers.into_iter().flatten().collect::<Vec<_>>());
            balanced(shop, &[(tea, 40), (mug, 40)]).await;
            // Some are left pending, so that later rounds find less; they go before nothing is left.
            let due = "update orders set expires_at = now() where status = 'pending'";
            sqlx::query(due).execute(&shop.db).await.unwrap();
        }
        let (placed, tried) = (placed.into_inner(), tried.into_inner());
        assert!(placed > 0, "none of {tried} was placed");
        println!(
            "carts in opposite order: {placed} of {tried} orders placed, cancelled and expired meanwhile"
        );
    })
    .await;
}

/// What becomes of an order in a race: its buyer, an administrator and the worker are after it, or nobody is.
async fn part(shop: &TestShop, admin: &User, user: &User, order: i64, number: usize) -> Vec<Answer> {
    let due = "update orders set expires_at = now() where id = $1 and status = 'pending'";
    match number % 4 {
        0 | 1 => {
            sqlx::query(due).bind(order).execute(&shop.db).await.unwrap();
            vec![cancel(shop, user, order).await]
        }
        2 => join_all([cancel(shop, user, order), cancel(shop, admin, order)]).await,
        _ => Vec::new(),
    }
}

/// Sends it until it is answered by more than that the first request with the key still runs. How often it was told
/// so is added to `told`.
async fn keyed(shop: &TestShop, user: &User, key: &str, body: &Value, told: &AtomicUsize) -> Answer {
    for _ in 0..1_000 {
        let request = shop.request(Method::POST, "/api/order/").bearer_auth(&user.access);
        let answer = shop.send(request.header("idempotency-key", key).json(body)).await;
        if answer.json["type"] != "/problems/idempotency-key-in-use" {
            return answer;
        }
        assert_eq!(answer.status, 409);
        told.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the key stays in use");
}

/// Sends it until the shop is not too busy (503), as its answer asks for. How often it was is added to `busy`.
async fn patient(shop: &TestShop, user: &User, body: &Value, busy: &AtomicUsize) -> Answer {
    for _ in 0..20 {
        let answer = shop.post_as(user, "/api/order/", body.clone()).await;
        if answer.status != 503 {
            return answer;
        }
        assert_ne!(answer.header("retry-after"), "");
        busy.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("too busy for too long");
}

#[tokio::test]
async fn one_key_is_one_order_with_one_answer() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let home = shop.home_of(&ada).await;
        shop.put(&ada, tea, 2).await.expect(201);
        let body = json!({"address_id": home, "payment_method": "card"});
        let (sent, told) = (count(100, 1_000, 10), AtomicUsize::new(0));
        let all = (0..sent).map(|_| keyed(shop, &ada, "k", &body, &told));
        let answers: Vec<Answer> = stream::iter(all).buffer_unordered(64).collect().await;
        assert_eq!(of(&answers, 201), sent, "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
        assert!(answers.iter().all(|answer| answer.text == answers[0].text));
        let replayed = |answer: &&Answer| answer.header("idempotency-replayed") == "true";
        assert_eq!(answers.iter().filter(replayed).count(), sent - 1);
        for name in ["x-catalog-version", "content-type"] {
            assert!(answers.iter().all(|answer| answer.header(name) == answers[0].header(name)), "{name}");
        }
        assert_eq!((shop.stock_of(tea).await, shop.sold_of(tea).await), (8, 2));
        let orders: i64 =
            sqlx::query_scalar("select count(*) from orders").fetch_one(&shop.db).await.unwrap();
        assert_eq!(orders, 1);
        println!(
            "one key over 64 connections: {sent} answers, 1 order, {} times told to wait",
            told.into_inner()
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_belongs_to_a_user_and_a_body_for_seven_days() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let home = shop.home_of(&ada).await;
        shop.put(&ada, tea, 2).await.expect(201);
        let send = |user: &User, key: &str, body: &Value| {
            let request = shop.request(Method::POST, "/api/order/").bearer_auth(&user.access);
            shop.send(request.header("idempotency-key", key).json(body))
        };
        let body = json!({"address_id": home, "payment_method": "card"});
        let first = send(&ada, "k", &body).await.expect(201);
        let spaced = shop.request(Method::POST, "/api/order/").bearer_auth(&ada.access).header("idempotency-key", "k");
        let text = format!("{{ \"payment_method\" : \"card\", \"address_id\":{home}}}");
        let spaced = shop.send(spaced.header("content-type", "application/json").body(text)).await.expect(201);
        assert_eq!(spaced.text, first.text, "the same content is the same body");
        let other = json!({"address_id": home, "payment_method": "mpesa"});
        assert_eq!(send(&ada, "k", &other).await.expect(422).json["type"], "/problems/idempotency-key-reused");
        let eve = shop.user("eve", Role::Customer).await;
        let own = json!({"address_id": shop.home_of(&eve).await, "payment_method": "card"});
        assert_eq!(send(&eve, "k", &own).await.expect(422).json["type"], "/problems/empty-cart");
        // A refusal is not kept, nor does it hold the key: the same request may do better at once.
        for _ in 0..20 {
            assert_eq!(send(&eve, "k", &own).await.expect(422).json["type"], "/problems/empty-cart");
        }
        shop.put(&eve, tea, 1).await.expect(201);
        assert_eq!(send(&eve, "k", &own).await.expect(201).header("idempotency-replayed"), "");
        for key in ["", "é", &"k".repeat(256)] {
            let request = shop.request(Method::POST, "/api/order/").bearer_auth(&eve.access);
            shop.send(request.header("idempotency-key", key.as_bytes()).json(&own)).await.expect(400);
        }
        shop.put(&eve, tea, 1).await.expect(201);
        send(&eve, &"k".repeat(255), &own).await.expect(201);
        sqlx::query("update idempotency_key set response_status = null, response_body = null, finished_at = null where user_id = $1")
            .bind(ada.id)
            .execute(&shop.db)
            .await
            .unwrap();
        assert_eq!(send(&ada, "k", &body).await.expect(409).json["type"], "/problems/idempotency-key-in-use");
        let age = "update idempotency_key set created_at = now() - $1::text::interval";
        for (days, kind) in [("6 days 23 hours", "/problems/idempotency-key-in-use"), ("8 days", "/problems/empty-cart")] {
            sqlx::query(age).bind(days).execute(&shop.db).await.unwrap();
            duka::idempotency::forget_old(&shop.db).await.unwrap();
            assert_eq!(send(&ada, "k", &body).await.json["type"], kind, "after {days}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_cart_is_one_order() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 100).await;
        let buyers = shop.crowd(1).await;
        let Buyer { user, home } = &buyers[0];
        shop.fill_carts(&buyers, tea, 2).await;
        let sent = count(64, 1_000, 10);
        let all = (0..sent).map(|_| shop.order(user, *home, "card"));
        let answers: Vec<Answer> = stream::iter(all).buffer_unordered(64).collect().await;
        none_broke(&answers);
        assert_eq!((of(&answers, 201), of(&answers, 422)), (1, sent - 1));
        assert_eq!((shop.stock_of(tea).await, shop.sold_of(tea).await), (98, 2));
        println!("one cart without a key: {sent} answers, 1 order");
    })
    .await;
}

#[tokio::test]
async fn a_code_of_so_many_uses_is_used_so_often() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 1_000).await;
        let (uses, tries) = (count(10, 100, 1), count(100, 1_000, 10));
        let code =
            json!({"code": "FEW", "discount_type": "fixed", "discount_value": "1", "usage_limit": uses});
        let code = coupon(shop, &admin, code).await;
        let buyers = shop.crowd(tries).await;
        shop.fill_carts(&buyers, tea, 1).await;
        let busy = AtomicUsize::new(0);
        let answers = join_all(buyers.iter().map(async |buyer| {
            let body = json!({"address_id": buyer.home, "payment_method": "card", "discount_code": "few"});
            patient(shop, &buyer.user, &body, &busy).await
        }))
        .await;
        let worn = |answer: &&Answer| answer.json["errors"][0]["code"] == "used-up";
        assert_eq!((of(&answers, 201), answers.iter().filter(worn).count()), (uses, tries - uses));
        let times = (i32::try_from(uses).unwrap(), i64::try_from(uses).unwrap());
        assert_eq!((used(shop, code).await, shop.stock_of(tea).await), (times, 1_000 - times.1));
        let busy = busy.into_inner();
        println!("a code of {uses} uses: {tries} orders at once, {uses} with it; {busy} times too busy");
    })
    .await;
}
