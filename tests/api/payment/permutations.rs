//! Every order in which news can come: one end, one entry in the ledger.
//!
//! All orders of up to five events with the gateway's answer at each place are tried on the model (`payment/judge.rs`);
//! here a part of them is, against the database: shorter ones whole and through the webhook, longer ones with the answer
//! at one place each.

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

/// No event of this case waits to be processed.
async fn digested_of(shop: &TestShop, number: usize) {
    let waiting = "select count(*) from payment_inbox where processed_at is null and event_id like $1";
    loop {
        let waiting = sqlx::query_scalar::<_, i64>(waiting).bind(format!("evt\\_{number}\\_%"));
        if waiting.fetch_one(&shop.db).await.unwrap() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Events of three kinds in every order, with the place at which the gateway answers.
fn cases() -> Vec<(Vec<usize>, usize)> {
    let kinds = [0, 1, 2];
    let whole = (1..=3).flat_map(|length| {
        let sequences = sequences(&kinds, length);
        sequences
            .into_iter()
            .flat_map(move |sequence| (0..=length).map(move |place| (sequence.clone(), place)))
    });
    let some = (4..=5).flat_map(|length| {
        let sequences = sequences(&kinds, length).into_iter().enumerate();
        sequences.map(move |(number, sequence)| (sequence, number % (length + 1)))
    });
    whole.chain(some).collect()
}

/// Up to five events, each also repeated under its own name and under a new one, with the gateway's answer before them,
/// among them and after them.
#[tokio::test]
async fn card_events_in_any_order_end_alike() {
    with_gateway(async |shop, _| {
        let ada = shop.user("ada", Role::Customer).await;
        let kinds = ["payment_intent.payment_failed", "payment_intent.canceled", "payment_intent.succeeded"];
        let all = cases();
        let run = async |(number, (sequence, answer_at)): (usize, &(Vec<usize>, usize))| {
            let (by_http, answer_at) = (sequence.len() < 3, *answer_at);
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
                if by_http {
                    shop.card_event_signed(&body, &signed).await.expect(200);
                    digested_of(shop, number).await;
                } else if let Some(kept) = inbox::receive_card(app, Some(&signed), body.as_bytes()).await.unwrap() {
                    inbox::digest_now(app, kept).await;
                }
            }
            if answer_at == sequence.len() {
                answer().await;
            }
            // The machine may be too busy for one at once: then the worker comes by.
            digested_of(shop, number).await;
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
        let tried = stream::iter(all.iter().enumerate()).map(run).buffer_unordered(6).count().await;
        assert_eq!(tried, 3 * 2 + 9 * 3 + 27 * 4 + 81 + 243);
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
