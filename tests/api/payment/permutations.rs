//! Every order in which news can come: one end, one entry in the ledger.

use duka::payment::{
    actions::{inbox, settle::settle},
    gateway::{News, Word},
    model::Names,
};
use futures_util::{StreamExt, stream};

use super::*;
use crate::support::gateway::{WEBHOOK_SECRET, callback, event, now, signature, with_gateway};

/// All sequences of so many of the kinds.
fn sequences<T: Copy>(kinds: &[T], length: usize) -> Vec<Vec<T>> {
    (0..length).fold(vec![vec![]], |shorter, _| {
        let longer = shorter
            .iter()
            .flat_map(|start| kinds.iter().map(move |kind| start.iter().copied().chain([*kind]).collect()));
        longer.collect()
    })
}

/// An order with an attempt that was written down, before the gateway has answered.
async fn attempt(shop: &TestShop, user: i64, number: usize) -> (i64, i64, String) {
    sqlx::query_as(
        "with o as (
             insert into orders (order_number, user_id, payment_method, currency, subtotal, total_amount, shipping_street,
                                 shipping_city, shipping_country)
             values ($2, $1, 'card', 'KES', 12.50, 12.50, 's', 'c', 'k') returning id
         )
         insert into payment (order_id, payment_method, amount, currency)
         select id, 'card', 12.50, 'KES' from o
         returning order_id, id, gateway_key",
    )
    .bind(user)
    .bind(format!("N{number}"))
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

/// Five events of three kinds in every order, each also repeated under its own name and under a new one, with the
/// gateway's answer before them, among them and after them.
#[tokio::test]
async fn card_events_in_any_order_end_alike() {
    with_gateway(async |shop, _| {
        let ada = shop.user("ada", Role::Customer).await;
        let kinds = ["payment_intent.payment_failed", "payment_intent.canceled", "payment_intent.succeeded"];
        let all = sequences(&[0_usize, 1, 2], 5);
        let cases = all.iter().flat_map(|sequence| [0, 2, 5].map(|answer_at| (sequence, answer_at))).enumerate();
        let run = async |(number, (sequence, answer_at)): (usize, (&Vec<usize>, usize))| {
            let app = &shop.shop.app;
            let (order, id, key) = attempt(shop, ada.id, number).await;
            let intent = |kind: usize| {
                json!({
                    "id": format!("pi_{number}"), "object": "payment_intent", "amount": 1250, "currency": "kes",
                    "amount_received": if kind == 2 { 1250 } else { 0 },
                    "status": (["requires_payment_method", "canceled", "succeeded"][kind]),
                    "last_payment_error": if kind == 0 { json!({"code": "card_declined", "message": "No."}) } else { Value::Null },
                    "metadata": {"payment_key": key},
                })
            };
            let answer = async || {
                let names = Names { transaction_id: Some(format!("pi_{number}")), ..Names::default() };
                settle(app, id, &News { names, ..News::new(Word::Processing) }).await.unwrap();
            };
            for (place, kind) in sequence.iter().enumerate() {
                if place == answer_at {
                    answer().await;
                }
                // Every other one is the same event once more, the others say the same anew.
                let name = if place % 2 == 0 { format!("evt_{number}_{kind}") } else { format!("evt_{number}_{kind}_{place}") };
                let body = event(&name, kinds[*kind], &intent(*kind));
                let signed = signature(WEBHOOK_SECRET, now(), &body);
                if let Some(kept) = inbox::receive_card(app, Some(&signed), body.as_bytes()).await.unwrap() {
                    inbox::digest_now(app, kept).await;
                }
            }
            if answer_at == 5 {
                answer().await;
            }
            // The machine may be too busy for one at once: then the worker comes by.
            eventually(async || {
                let waiting = "select count(*) from payment_inbox where processed_at is null and event_id like $1";
                let waiting: i64 =
                    sqlx::query_scalar(waiting).bind(format!("evt_{number}_%")).fetch_one(&shop.db).await.unwrap();
                if waiting == 0 { Ok(()) } else { Err(format!("{waiting} events wait")) }
            })
            .await;
            let best = *sequence.iter().max().unwrap();
            let (ends, paid) = (["failed", "cancelled", "succeeded"][best], i64::from(best == 2));
            let is: (String, String, i64, i64, i64) = sqlx::query_as(
                "select p.payment_status, o.payment_status,
                        (select count(*) from payment_ledger l where l.payment_id = p.id and l.account = 'card'),
                        (select count(*) from order_event e where e.order_id = o.id and e.event = 'paid'),
                        (select count(*) from refund r where r.payment_id = p.id)
                 from payment p join orders o on o.id = p.order_id where o.id = $1",
            )
            .bind(order)
            .fetch_one(&shop.db)
            .await
            .unwrap();
            let order_is = if best == 2 { "paid" } else { "failed" };
            assert_eq!(is, (ends.to_owned(), order_is.to_owned(), paid, paid, 0), "{sequence:?} {answer_at}");
        };
        let tried = stream::iter(cases).map(run).buffer_unordered(6).count().await;
        assert_eq!(tried, 3 * 3_usize.pow(5));
        let (captures, refunds, held) = ledger(shop).await;
        assert_eq!((refunds, held), (0, captures * 1250));
        let waiting: i64 = sqlx::query_scalar("select count(*) from payment_inbox where processed_at is null").fetch_one(&shop.db).await.unwrap();
        assert_eq!(waiting, 0);
    })
    .await;
}

/// Callbacks that contradict each other, in every order: what the query says is what counts.
#[tokio::test]
async fn m_pesa_callbacks_in_any_order_end_as_the_query_says() {
    with_gateway(async |shop, gateway| {
        let mut buyer = Buyer::new(shop, "mpesa").await;
        let mut paid = 0;
        for (number, sequence) in sequences(&[0_i64, 1, 1032], 3).into_iter().enumerate() {
            let truth = if number % 2 == 0 { 0 } else { 1032 };
            buyer.order = buyer.another(shop, "mpesa").await;
            buyer.pay(shop, json!({"phone_number": "0712345678"})).await.expect(201);
            let push = gateway.push();
            gateway.answer(&push, &truth.to_string());
            if number % 3 == 0 {
                // The answer that named it was lost.
                sqlx::query("update payment set payment_status = 'unknown', checkout_request_id = null, merchant_request_id = null where order_id = $1")
                    .bind(buyer.order)
                    .execute(&shop.db)
                    .await
                    .unwrap();
            }
            for code in &sequence {
                for _ in 0..2 {
                    shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, *code)).await.expect(200);
                }
            }
            let end = buyer.until(shop, if truth == 0 { "succeeded" } else { "cancelled" }).await;
            digested(shop).await;
            assert_eq!(buyer.state(shop).await["payment"]["payment_status"], end["payment"]["payment_status"], "{sequence:?}");
            assert_eq!(end["payment"]["checkout_request_id"], push.checkout);
            paid += i64::from(truth == 0);
            assert_eq!(ledger(shop).await, (paid, 0, paid * 1700), "{sequence:?}");
        }
        assert_eq!((gateway.calls("push"), gateway.holds()), (27, paid * 1700));
        assert_eq!(attention(shop).await, None);
    })
    .await;
}
