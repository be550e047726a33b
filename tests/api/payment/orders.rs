//! Payments and what else happens to their orders meanwhile: expiry, cancellation, money that comes too late.

use duka::{
    app::App,
    auth::Actor,
    error::{Kind, Result},
    idempotency::{Kept, Request},
    order::model::PaymentStatus,
    payment::{
        actions,
        model::{Payment, Refund},
        request::{NewPayment, NewRefund},
    },
};
use futures_util::future::join_all;

use super::*;
use crate::support::gateway::{Gateway, callback, event, result, with_gateway};

async fn expire(shop: &TestShop, buyer: &Buyer) {
    sqlx::query("update orders set expires_at = now() where id = $1")
        .bind(buyer.order)
        .execute(&shop.db)
        .await
        .unwrap();
    eventually(async || match buyer.look(shop).await {
        order if order["status"] == "cancelled" => Ok(()),
        order => Err(order.to_string()),
    })
    .await;
}

fn succeeded(gateway: &Gateway, id: &str, intent: &Value) -> String {
    event(id, "payment_intent.succeeded", &gateway.confirm(intent, "succeeded"))
}

#[tokio::test]
async fn card_money_for_an_expired_order_goes_back_by_itself() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        buyer.pay(shop, json!({})).await.expect(201);
        expire(shop, &buyer).await;
        shop.card_event(&succeeded(gateway, "evt_1", &gateway.intent())).await.expect(200);
        let order = buyer.until_order(shop, "refunded").await;
        assert_eq!(order["status"], "cancelled", "nobody packs it");
        assert_eq!(events(&order), ["placed", "cancelled", "paid", "refund_requested", "refunded"]);
        assert_eq!((ledger(shop).await, gateway.holds(), gateway.calls("refund")), ((1, 1, 0), 0, 1));
        assert_eq!(shop.stock_of(buyer.tea).await, 100);
        let state = buyer.state(shop).await;
        assert_eq!(
            (&state["payment"]["payment_status"], &state["refunds"][0]["status"]),
            (&json!("succeeded"), &json!("succeeded"))
        );
    })
    .await;
}

#[tokio::test]
async fn m_pesa_money_for_an_expired_order_goes_back_by_itself() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        buyer.pay(shop, json!({"phone_number": "0712345678"})).await.expect(201);
        expire(shop, &buyer).await;
        let push = gateway.push();
        gateway.answer(&push, "0");
        shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
        let sent =
            eventually(async || gateway.ledger().reversals.first().cloned().ok_or_else(String::new)).await;
        assert_eq!((&sent["TransactionID"], &sent["Amount"]), (&json!("RwsCO0002"), &json!("17")));
        assert_eq!(buyer.look(shop).await["payment_status"], "paid", "it has not gone out yet");
        shop.mpesa_callback(&sent["ResultURL"], &result(&sent, 0)).await.expect(200);
        buyer.until_order(shop, "refunded").await;
        assert_eq!((ledger(shop).await, gateway.holds()), ((1, 1, 0), 0));
    })
    .await;
}

#[tokio::test]
async fn an_intent_of_an_order_that_was_given_up_is_cancelled_at_the_gateway() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        buyer.pay(shop, json!({})).await.expect(201);
        let begun = std::time::Instant::now();
        shop.post_as(&buyer.user, &format!("/api/order/{}/cancel/", buyer.order), json!({}))
            .await
            .expect(200);
        buyer.until(shop, "cancelled").await;
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "it must not outlive its order: {:?}",
            begun.elapsed()
        );
        assert_eq!((gateway.intent()["status"].clone(), ledger(shop).await), (json!("canceled"), (0, 0, 0)));
        let order = buyer.look(shop).await;
        assert_eq!(
            (&order["payment_status"], events(&order)),
            (&json!("pending"), vec!["placed", "cancelled"]),
            "no payment has failed"
        );
    })
    .await;
}

#[tokio::test]
async fn an_administrator_who_cancels_a_paid_order_sends_the_money_back() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        buyer.pay(shop, json!({})).await.expect(201);
        shop.card_event(&succeeded(gateway, "evt_1", &gateway.intent())).await.expect(200);
        buyer.until_order(shop, "paid").await;
        let cancel = format!("/api/order/{}/cancel/", buyer.order);
        shop.post_as(&buyer.user, &cancel, json!({})).await.expect(409);
        shop.post_as(
            &buyer.admin,
            &format!("/api/payment/{}/refund/", buyer.order),
            json!({"amount": "6.20"}),
        )
        .await
        .expect(201);
        shop.post_as(&buyer.admin, &cancel, json!({})).await.expect(200);
        let order = buyer.until_order(shop, "refunded").await;
        assert_eq!(order["status"], "cancelled");
        assert_eq!((ledger(shop).await, gateway.holds()), ((1, 2, 0), 0));
        assert_eq!(shop.stock_of(buyer.tea).await, 100);
    })
    .await;
}

/// Events, cancellations by both sides, expiry and new attempts at once: every order ends paid and confirmed, or
/// cancelled with all its money back.
#[tokio::test]
async fn races_end_in_one_of_two_ways() {
    with_gateway(async |shop, gateway| {
        let mut buyer = Buyer::new(shop, "card").await;
        let mut orders = vec![];
        for number in 0..24 {
            if number > 0 {
                buyer.order = buyer.another(shop, "card").await;
            }
            buyer.pay(shop, json!({})).await.expect(201);
            orders.push((number, buyer.order, gateway.intent()));
        }
        join_all(orders.iter().map(async |(number, order, intent)| {
            let cancel = format!("/api/order/{order}/cancel/");
            let body = succeeded(gateway, &format!("evt_{number}"), intent);
            let told = async {
                for _ in 0..2 {
                    shop.card_event(&body).await.expect(200);
                }
            };
            let other = async {
                match number % 4 {
                    0 => drop(shop.post_as(&buyer.user, &cancel, json!({})).await),
                    1 => drop(shop.post_as(&buyer.admin, &cancel, json!({})).await),
                    2 => {
                        let due = "update orders set expires_at = now() where id = $1 and status = 'pending'";
                        sqlx::query(due).bind(order).execute(&shop.db).await.unwrap();
                    }
                    _ => drop(
                        shop.post_as(&buyer.user, "/api/payment/initiate/", json!({"order_id": order})).await,
                    ),
                }
            };
            tokio::join!(told, other);
        }))
        .await;
        eventually(async || {
            let open: Vec<(i64, String, String)> = sqlx::query_as(
                "select id, status, payment_status from orders
                 where (status, payment_status) not in (('confirmed', 'paid'), ('cancelled', 'refunded'))",
            )
            .fetch_all(&shop.db)
            .await
            .unwrap();
            if open.is_empty() { Ok(()) } else { Err(format!("{open:?}")) }
        })
        .await;
        digested(shop).await;
        let paid: i64 = sqlx::query_scalar("select count(*) from orders where payment_status = 'paid'")
            .fetch_one(&shop.db)
            .await
            .unwrap();
        let (captures, refunds, held) = ledger(shop).await;
        assert_eq!((captures, refunds, held), (24, 24 - paid, paid * 1620));
        assert_eq!(gateway.holds(), held);
        assert_eq!(shop.stock_of(buyer.tea).await, 100 - 2 * paid);
        assert_eq!(attention(shop).await, None);
    })
    .await;
}

/// How many keys of requests are held, as another connection sees it. This thread waits meanwhile, so that nothing that
/// the shop has left to do later is done before.
fn keys_held(database: &str) -> i64 {
    let url = database.to_owned();
    let counting = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
            let held = "select count(*) from pg_locks where locktype = 'advisory' and granted
                        and database = (select oid from pg_database where datname = current_database())";
            sqlx::query_scalar::<_, i64>(held).fetch_one(&mut connection).await.unwrap()
        })
    });
    counting.join().unwrap()
}

/// At the instant at which a refusal is there its key is free: not when the connection happens to be given back.
#[tokio::test(flavor = "current_thread")]
async fn a_refused_request_has_given_its_key_back_before_it_is_answered() {
    with_gateway(async |shop, _| {
        let buyer = Buyer::new(shop, "mpesa").await;
        let app = &shop.shop.app;
        let key = |route: &str| Request::new(buyer.user.id, route, "k".to_owned(), "{}");
        let before = keys_held(&shop.database_url);
        let phoneless = NewPayment { order_id: buyer.order, method: None, phone_number: None };
        let initiate = key("POST /api/payment/initiate/");
        let actor = actor_of(app, &buyer.user).customer(app).await.unwrap();
        let answer = |_: &Payment| -> Result<Kept> { unreachable!("nothing is begun") };
        let refused = actions::initiate(app, actor, &phoneless, Some(&initiate), answer).await;
        assert_eq!((refused.unwrap_err().kind(), keys_held(&shop.database_url)), (Kind::Invalid, before));
        let admin = actor_of(app, &buyer.admin).customer(app).await.unwrap().admin().unwrap();
        let (all, refund) = (NewRefund { amount: None }, key("POST /api/payment/{order_id}/refund/"));
        let answer = |_: &Refund, _: PaymentStatus| -> Result<Kept> { unreachable!("nothing is begun") };
        let refused = actions::refund::refund(app, admin, buyer.order, &all, Some(&refund), answer).await;
        assert_eq!((refused.unwrap_err().kind(), keys_held(&shop.database_url)), (Kind::WrongState, before));
    })
    .await;
}

fn actor_of(app: &App, user: &User) -> Actor {
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", user.access).parse().unwrap());
    Actor::of(&headers, app)
}

/// A refusal is not kept, nor does it hold the key: the same request may do better at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_request_may_do_better_with_its_key() {
    with_gateway(async |shop, _| {
        let buyer = Buyer::new(shop, "mpesa").await;
        let send = async |user: &User, path: &str, key: usize, body: Value| {
            let request = shop.request(Method::POST, path).bearer_auth(&user.access);
            shop.send(request.header("idempotency-key", format!("k{key}")).json(&body)).await
        };
        let refund = format!("/api/payment/{}/refund/", buyer.order);
        let again_and_again = async |key: usize| {
            for _ in 0..20 {
                let phoneless = json!({"order_id": buyer.order});
                let answer = send(&buyer.user, "/api/payment/initiate/", key, phoneless).await;
                assert_eq!(answer.expect(422).faults(), ["/phone_number"]);
                let answer = send(&buyer.admin, &refund, key, json!({})).await.expect(409);
                assert_eq!(answer.json["type"], "/problems/wrong-state", "{}", answer.text);
            }
        };
        // A crowd, so that whatever is not given back at once is given back late.
        join_all((0..12).map(again_and_again)).await;
        let whole = json!({"order_id": buyer.order, "phone_number": "0712345678"});
        send(&buyer.user, "/api/payment/initiate/", 0, whole).await.expect(201);
    })
    .await;
}

/// Nothing to pay is paid, and nothing to send back is not sent back.
#[tokio::test]
async fn a_free_order_is_paid_and_its_cancellation_owes_nothing() {
    with_gateway(async |shop, gateway| {
        let mut buyer = Buyer::new(shop, "card").await;
        let code = json!({"code": "GIFT", "discount_type": "percentage", "discount_value": "100", "start_date": "2020-01-01T00:00:00Z"});
        shop.post_as(&buyer.admin, "/api/discount/", code).await.expect(201);
        shop.put(&buyer.user, buyer.tea, 2).await.expect(201);
        let body = json!({"address_id": buyer.home, "payment_method": "card", "discount_code": "GIFT"});
        let order = shop.post_as(&buyer.user, "/api/order/", body).await.expect(201);
        assert_eq!(
            (&order.json["total_amount"], &order.json["status"], &order.json["payment_status"]),
            (&json!("0.00"), &json!("confirmed"), &json!("paid"))
        );
        buyer.order = order.id();
        buyer.pay(shop, json!({})).await.expect(409);
        let state = buyer.state(shop).await;
        assert_eq!((&state["payment"], &state["payment_status"]), (&Value::Null, &json!("paid")));
        let refund = shop.post_as(&buyer.admin, &format!("/api/payment/{}/refund/", buyer.order), json!({})).await;
        refund.expect(409);
        let cancel = shop.post_as(&buyer.admin, &format!("/api/order/{}/cancel/", buyer.order), json!({})).await;
        assert_eq!(cancel.expect(200).json["status"], "cancelled");
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert_eq!(buyer.state(shop).await["refunds"], json!([]), "a refund of nothing");
        assert_eq!((gateway.calls("create"), gateway.calls("refund"), attention(shop).await), (0, 0, None));
        assert_eq!((shop.stock_of(buyer.tea).await, ledger(shop).await), (98, (0, 0, 0)));
    })
    .await;
}
