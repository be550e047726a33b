//! Many buyers at once: nothing is sold twice, no code is used too often, no request is done twice.

use std::collections::BTreeSet;

use futures_util::{StreamExt, future::join_all, stream};

use super::*;

/// Buyers with an address each.
async fn buyers(shop: &TestShop, count: usize) -> Vec<(User, i64)> {
    let mut buyers = Vec::new();
    for number in 0..count {
        let user = shop.user(&format!("buyer-{number}"), Role::Customer).await;
        let home = shop.home_of(&user).await;
        buyers.push((user, home));
    }
    buyers
}

fn of(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[tokio::test]
async fn sixty_four_buyers_of_ten_pieces_get_ten() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let buyers = buyers(shop, 64).await;
        for round in 1..=3 {
            for (user, _) in &buyers {
                shop.put(user, tea, 1).await.expect(201);
            }
            let answers = join_all(buyers.iter().map(|(user, home)| shop.order(user, *home, "card"))).await;
            let short = |answer: &&Answer| answer.json["type"] == "/problems/out-of-stock";
            assert_eq!((of(&answers, 201), answers.iter().filter(short).count()), (10, 54), "round {round}");
            assert_eq!((shop.stock_of(tea).await, shop.sold_of(tea).await), (0, 10));
            let numbers: BTreeSet<&str> =
                answers.iter().filter_map(|answer| answer.json["order_number"].as_str()).collect();
            assert_eq!(numbers.len(), 10);
            let placed: Vec<i64> =
                answers.iter().filter(|answer| answer.status == 201).map(Answer::id).collect();
            let given_up = join_all(placed.iter().map(|order| cancel(shop, &admin, *order))).await;
            assert_eq!(of(&given_up, 200), 10);
            assert_eq!((shop.stock_of(tea).await, shop.sold_of(tea).await), (10, 0));
            sqlx::query("delete from cart_item").execute(&shop.db).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn opposite_carts_cancellations_and_expiry_never_wait_in_a_ring() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 40).await;
        let (_, mug) = shop.shelve(&admin, "MUG", "8.00", 40).await;
        let buyers = buyers(shop, 16).await;
        for _ in 0..3 {
            let work = buyers.iter().enumerate().map(async |(number, (user, home))| {
                let lines = if number % 2 == 0 { [tea, mug] } else { [mug, tea] };
                let mut answers = Vec::new();
                for variant in lines {
                    answers.push(shop.put(user, variant, 1 + i32::from(number % 3 == 0)).await);
                }
                let placed = shop.order(user, *home, "card").await;
                if placed.status == 201 {
                    let order = placed.id();
                    match number % 4 {
                        // The worker and the buyer are after the same order.
                        0 | 1 => {
                            let due =
                                "update orders set expires_at = now() where id = $1 and status = 'pending'";
                            sqlx::query(due).bind(order).execute(&shop.db).await.unwrap();
                            answers.push(cancel(shop, user, order).await);
                        }
                        2 => answers
                            .extend(join_all([cancel(shop, user, order), cancel(shop, &admin, order)]).await),
                        _ => {}
                    }
                }
                answers.push(placed);
                answers
            });
            let answers: Vec<Answer> = join_all(work).await.into_iter().flatten().collect();
            let broken: Vec<&str> = answers
                .iter()
                .filter(|answer| answer.status >= 500)
                .map(|answer| answer.text.as_str())
                .collect();
            assert!(broken.is_empty(), "{broken:?}");
            for variant in [tea, mug] {
                assert_eq!(shop.stock_of(variant).await + shop.sold_of(variant).await, 40);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn one_key_is_one_order_with_one_answer() {
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
        let answers: Vec<Answer> =
            stream::iter((0..100).map(|_| send(&ada, "k", &body))).buffer_unordered(16).collect().await;
        assert_eq!(of(&answers, 201), 100, "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
        assert!(answers.iter().all(|answer| answer.text == answers[0].text));
        let replayed = |answer: &&Answer| answer.header("idempotency-replayed") == "true";
        assert_eq!(answers.iter().filter(replayed).count(), 99);
        for name in ["x-catalog-version", "content-type"] {
            assert!(answers.iter().all(|answer| answer.header(name) == answers[0].header(name)), "{name}");
        }
        assert_eq!((shop.stock_of(tea).await, shop.sold_of(tea).await), (8, 2));

        let spaced = shop.request(Method::POST, "/api/order/").bearer_auth(&ada.access).header("idempotency-key", "k");
        let text = format!("{{ \"payment_method\" : \"card\", \"address_id\":{home}}}");
        let spaced = shop.send(spaced.header("content-type", "application/json").body(text)).await.expect(201);
        assert_eq!(spaced.text, answers[0].text, "the same content is the same body");
        let other = json!({"address_id": home, "payment_method": "mpesa"});
        assert_eq!(send(&ada, "k", &other).await.expect(422).json["type"], "/problems/idempotency-key-reused");
        let eve = shop.user("eve", Role::Customer).await;
        let own = json!({"address_id": shop.home_of(&eve).await, "payment_method": "card"});
        assert_eq!(send(&eve, "k", &own).await.expect(422).json["type"], "/problems/empty-cart");
        // A refusal is not kept: the same key may do better.
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
        sqlx::query("update idempotency_key set created_at = now() - interval '8 days'").execute(&shop.db).await.unwrap();
        duka::idempotency::forget_old(&shop.db).await.unwrap();
        assert_eq!(send(&ada, "k", &body).await.expect(422).json["type"], "/problems/empty-cart");
    })
    .await;
}

#[tokio::test]
async fn one_cart_is_one_order() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 100).await;
        let home = shop.home_of(&ada).await;
        shop.put(&ada, tea, 2).await.expect(201);
        let answers = join_all((0..24).map(|_| shop.order(&ada, home, "card"))).await;
        assert_eq!((of(&answers, 201), of(&answers, 422)), (1, 23));
        assert_eq!((shop.stock_of(tea).await, shop.sold_of(tea).await), (98, 2));
    })
    .await;
}

#[tokio::test]
async fn a_code_of_twenty_uses_is_used_twenty_times() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 1000).await;
        let code = json!({"code": "FEW", "discount_type": "fixed", "discount_value": "1", "usage_limit": 20});
        let code = coupon(shop, &admin, code).await;
        let buyers = buyers(shop, 100).await;
        for (user, _) in &buyers {
            shop.put(user, tea, 1).await.expect(201);
        }
        let answers = join_all(buyers.iter().map(|(user, home)| {
            let body = json!({"address_id": home, "payment_method": "card", "discount_code": "few"});
            shop.post_as(user, "/api/order/", body)
        }))
        .await;
        let worn = |answer: &&Answer| answer.json["errors"][0]["code"] == "used-up";
        assert_eq!((of(&answers, 201), answers.iter().filter(worn).count()), (20, 80));
        assert_eq!((used(shop, code).await, shop.stock_of(tea).await), ((20, 20), 980));
    })
    .await;
}
