//! Both tables of the sandbox, run against a shop: each number ends in the right state, and both ledgers tell the same.

use std::time::Instant;

use duka::sandbox::{CARDS, NUMBERS};
use futures_util::future::join_all;

use super::*;
use crate::support::bank::{Bank, with_bank};

/// How a payment ends: the attempt, its code, what is paid of the order, and whether a person must look.
struct End {
    attempt: &'static str,
    code: Option<&'static str>,
    order: &'static str,
    needs_a_person: bool,
}

const PAID: End = End { attempt: "succeeded", code: None, order: "paid", needs_a_person: false };

const fn failed(code: &'static str) -> End {
    End { attempt: "failed", code: Some(code), order: "failed", needs_a_person: false }
}

fn by_phone(digits: &str) -> End {
    match digits {
        "01" => failed("1"),
        "17" => failed("17"),
        "19" => failed("1019"),
        "20" => failed("2001"),
        "26" => failed("500.001.1001"),
        "32" => End { attempt: "cancelled", ..failed("1032") },
        "37" => failed("1037"),
        "45" => End { attempt: "processing", order: "pending", ..PAID },
        "46" => End { attempt: "unknown", order: "pending", needs_a_person: true, ..PAID },
        "53" => End { needs_a_person: true, ..failed("unanswered") },
        _ => PAID,
    }
}

fn by_card(number: &str) -> End {
    match number {
        "4000000000000002" => failed("generic_decline"),
        "4000000000009995" => failed("insufficient_funds"),
        "4000000000000069" => failed("expired_card"),
        "4000000000000127" => failed("incorrect_cvc"),
        "4000000000000119" => failed("processing_error"),
        "4000000088000072" => End { attempt: "unknown", order: "pending", needs_a_person: true, ..PAID },
        _ => PAID,
    }
}

/// Waits for the end, and for it to stay.
async fn ends(shop: &TestShop, bank: &Bank, buyer: &Buyer, name: &str, end: &End) {
    let begun = Instant::now();
    let attention = async || {
        let row = sqlx::query_scalar::<_, bool>(
            "select bool_or(attention is not null) from payment where order_id = $1",
        );
        row.bind(buyer.order).fetch_one(&shop.db).await.unwrap()
    };
    let state = eventually(async || {
        let state = buyer.state(shop).await;
        let fits = state["payment"]["payment_status"] == end.attempt
            && state["payment_status"] == end.order
            && end.code.is_none_or(|code| state["payment"]["result_code"] == code)
            && attention().await == end.needs_a_person;
        if fits { Ok(state) } else { Err(format!("{name}: {state}")) }
    })
    .await;
    println!("{name}: {} after {:.1} s", end.attempt, begun.elapsed().as_secs_f64());
    let (order, money) = (buyer.look(shop).await, bank.moved(&buyer.look(shop).await).await);
    let shop_s: i64 = sqlx::query_scalar(
        "select coalesce(sum(l.amount) * 100, 0)::bigint from payment_ledger l join payment p on p.id = l.payment_id
         where p.order_id = $1 and l.account <> 'orders'",
    )
    .bind(buyer.order)
    .fetch_one(&shop.db)
    .await
    .unwrap();
    let captured: i64 = money.iter().map(|(_, amount)| amount).sum();
    let expected = if end.order == "paid" { captured } else { 0 };
    assert_eq!(shop_s, expected, "{name}: the ledgers differ: {money:?}");
    if end.order == "paid" {
        assert_eq!(money, [("capture".to_owned(), captured)], "{name}: one capture");
        assert_eq!(order["status"], "confirmed", "{name}");
        assert!(state["payment"]["paid_at"].is_string(), "{name}");
        if !name.ends_with("43") {
            // The receipt is the callback's to tell, and may come after the query that confirms it.
            eventually(async || match buyer.state(shop).await {
                state if state["payment"]["transaction_id"].is_string() => Ok(()),
                state => Err(format!("{name}: {state}")),
            })
            .await;
        }
    } else if !end.needs_a_person {
        assert_eq!(money, [], "{name}");
    }
    let (own, beside) = (&state["payment"], &state);
    assert!(end.attempt == "unknown" || own["client_secret"].is_null(), "{name}");
    assert_eq!(
        (&own["currency"], &beside["currency"], &beside["amount"]),
        (&json!("KES"), &json!("KES"), &own["amount"])
    );
}

#[tokio::test]
async fn every_telephone_ends_in_the_right_state() {
    with_bank(async |shop, bank| {
        let mut buyers = vec![];
        let mut buyer = Buyer::new(shop, "mpesa").await;
        for number in &NUMBERS {
            buyers.push((number.digits, buyer.clone()));
            buyer.order = buyer.another(shop, "mpesa").await;
        }
        join_all(buyers.iter().map(async |(digits, buyer)| {
            let phone = if digits.is_empty() { "0712345678".to_owned() } else { format!("07123456{digits}") };
            let made = buyer.pay(shop, json!({"phone_number": phone})).await.expect(201).json;
            let status = made["payment_status"].as_str().unwrap();
            let end = by_phone(digits);
            match *digits {
                "26" => assert_eq!(status, "failed"),
                "42" => assert!(matches!(status, "succeeded" | "processing"), "{made}"),
                "50" | "51" | "53" => assert_eq!(status, "unknown", "{digits}: nobody knows"),
                // The callback comes long before the shop gives up waiting.
                "52" => assert_eq!(status, "succeeded", "{digits}: the answer says how it stands"),
                _ => assert!(matches!(status, "processing" | "succeeded"), "{digits}: {made}"),
            }
            match *digits {
                "53" => {
                    // Its time is over before a minute is.
                    let age = "update payment set payment_date = now() - interval '56 seconds', next_check_at = now() where order_id = $1";
                    sqlx::query(age).bind(buyer.order).execute(&shop.db).await.unwrap();
                }
                "99" => {
                    let id = made["checkout_request_id"].as_str().unwrap();
                    assert_eq!(bank.decide(id, "approve").await, 303);
                }
                "45" => tokio::time::sleep(Duration::from_secs(12)).await,
                _ => {}
            }
            ends(shop, bank, buyer, &format!("telephone …{digits}"), &end).await;
        }))
        .await;
    })
    .await;
}

#[tokio::test]
async fn every_card_ends_in_the_right_state() {
    with_bank(async |shop, bank| {
        let mut buyers = vec![];
        let mut buyer = Buyer::new(shop, "card").await;
        for card in &CARDS {
            buyers.push((card, buyer.clone()));
            buyer.order = buyer.another(shop, "card").await;
        }
        join_all(buyers.iter().map(async |(card, buyer)| {
            let made = buyer.pay(shop, json!({})).await.expect(201).json;
            assert_eq!(made["payment_status"], "processing", "{made}");
            let confirmed = bank.confirm(&made, card.number).await;
            assert!(matches!(confirmed.status, 200 | 402), "{}", confirmed.text);
            if confirmed.json["status"] == "requires_action" {
                assert_eq!(buyer.state(shop).await["payment"]["payment_status"], "processing");
                assert_eq!(bank.decide(made["transaction_id"].as_str().unwrap(), "approve").await, 303);
            }
            ends(shop, bank, buyer, &format!("card {}", card.number), &by_card(card.number)).await;
        }))
        .await;
    })
    .await;
}

/// Pays by the number, asks for all of it back, and gives the state once the refund's is this one.
async fn refunded(shop: &TestShop, bank: &Bank, method: &str, number: &str, status: &str) -> (Buyer, Value) {
    let buyer = Buyer::new(shop, method).await;
    if method == "card" {
        let made = buyer.pay(shop, json!({})).await.expect(201).json;
        bank.confirm(&made, number).await.expect(200);
    } else {
        buyer.pay(shop, json!({"phone_number": number})).await.expect(201);
    }
    buyer.until_order(shop, "paid").await;
    // The receipt is the callback's to tell, which may come after the query that confirms it.
    eventually(async || match buyer.state(shop).await {
        state if state["payment"]["transaction_id"].is_string() => Ok(()),
        state => Err(state.to_string()),
    })
    .await;
    // No body is all of it.
    let request = shop.request(Method::POST, &format!("/api/payment/{}/refund/", buyer.order));
    shop.send(request.bearer_auth(&buyer.admin.access)).await.expect(201);
    let state = eventually(async || {
        let state = buyer.state(shop).await;
        if state["refunds"][0]["status"] == status { Ok(state) } else { Err(format!("{number}: {state}")) }
    })
    .await;
    (buyer, state)
}

#[tokio::test]
async fn every_refund_by_phone_ends_in_the_right_state() {
    for (phone, status, paid, moved) in [
        ("0712345600", "succeeded", "refunded", &["capture", "refund"] as &[&str]),
        ("0712345670", "failed", "paid", &["capture"]),
        ("0712345671", "succeeded", "refunded", &["capture", "refund"]),
        ("0712345673", "failed", "paid", &["capture"]),
        ("0712345672", "processing", "paid", &["capture", "refund"]),
    ] {
        with_bank(async |shop, bank| {
            let (buyer, state) = refunded(shop, bank, "mpesa", phone, status).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(state["payment_status"], paid, "{phone}");
            let money = bank.moved(&buyer.look(shop).await).await;
            assert_eq!(
                money.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
                moved,
                "{phone}: {money:?}"
            );
            let gone = paid == "refunded";
            assert_eq!(ledger(shop).await, (1, i64::from(gone), if gone { 0 } else { 1700 }), "{phone}");
            assert_eq!(attention(shop).await.is_some(), status == "failed", "{phone}");
            if status == "processing" {
                // M-Pesa cannot be asked: after five minutes it is a person's.
                let age = "update refund set sent_at = now() - interval '301 seconds', next_check_at = now()";
                sqlx::query(age).execute(&shop.db).await.unwrap();
                eventually(async || match buyer.state(shop).await {
                    state if state["refunds"][0]["status"] == "manual" => Ok(()),
                    state => Err(state.to_string()),
                })
                .await;
                assert!(attention(shop).await.unwrap().contains("whether the money went back"));
                assert_eq!(bank.moved(&buyer.look(shop).await).await.len(), 2, "it is not sent again");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_card_s_refund_may_take_its_time_or_come_back() {
    with_bank(async |shop, bank| {
        let (buyer, state) = refunded(shop, bank, "card", "4000000000007726", "succeeded").await;
        assert_eq!((&state["payment_status"], ledger(shop).await), (&json!("refunded"), (1, 1, 0)));
        assert_eq!(bank.moved(&buyer.look(shop).await).await.len(), 2);
    })
    .await;
    with_bank(async |shop, bank| {
        let (buyer, state) = refunded(shop, bank, "card", "4000000000005126", "failed").await;
        assert_eq!(state["payment_status"], "paid", "the shop has the money");
        let money = bank.moved(&buyer.look(shop).await).await;
        assert_eq!(money.last(), Some(&("refund_failed".to_owned(), 1620)));
        let held: String = sqlx::query_scalar(
            "select string_agg(is_return || ' ' || amount, ', ' order by id) from payment_ledger where account = 'card'",
        )
        .fetch_one(&shop.db)
        .await
        .unwrap();
        assert_eq!(held, "false 16.20, false -16.20, true 16.20", "as the gateway holds it");
        assert!(attention(shop).await.unwrap().contains("came back"));
        assert!(events(&buyer.look(shop).await).contains(&"refund_returned"));
        // The gateway's own word of it again changes nothing.
        let before = all(shop).await;
        sqlx::query("update refund set next_check_at = now()").execute(&shop.db).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(all(shop).await, before);
    })
    .await;
}

/// The answers to all that moves money are lost, in every way: it moves once.
#[tokio::test]
async fn answers_that_are_lost_on_their_way_move_nothing_twice() {
    with_bank(async |shop, bank| {
        let mut buyer = Buyer::new(shop, "card").await;
        for loss in ["error", "busy", "cut"] {
            for when in ["before", "after"] {
                let name = format!("{loss} {when}");
                let fault = |path: &str| json!({"path": path, "loss": loss, "when": when});
                bank.arm(&fault("/v1/payment_intents")).await;
                let made = buyer.pay(shop, json!({})).await.expect(201).json;
                assert_eq!(made["payment_status"], "unknown", "{name}");
                hasten(shop).await;
                let state = buyer.until(shop, "processing").await;
                bank.confirm(&state["payment"], "4242424242424242").await.expect(200);
                buyer.until_order(shop, "paid").await;
                bank.arm(&fault("/v1/refunds")).await;
                let path = format!("/api/payment/{}/refund/", buyer.order);
                let refund = shop.post_as(&buyer.admin, &path, json!({})).await.expect(201).json;
                assert_eq!(refund["status"], "unknown", "{name}");
                sqlx::query("update refund set next_check_at = now() where next_check_at is not null")
                    .execute(&shop.db)
                    .await
                    .unwrap();
                let order = buyer.until_order(shop, "refunded").await;
                let money = bank.moved(&order).await;
                assert_eq!(money, [("capture".to_owned(), 1620), ("refund".to_owned(), 1620)], "{name}");
                buyer.order = buyer.another(shop, "card").await;
            }
        }
        assert_eq!(ledger(shop).await, (6, 6, 0));
    })
    .await;
}

/// A reversal knows no key: what is not known to be refused is never sent again.
#[tokio::test]
async fn a_reversal_whose_answer_is_lost_is_not_sent_again() {
    with_bank(async |shop, bank| {
        let mut buyer = Buyer::new(shop, "mpesa").await;
        for (loss, when) in [("error", "after"), ("busy", "after"), ("cut", "after"), ("error", "before")] {
            let name = format!("{loss} {when}");
            buyer.pay(shop, json!({"phone_number": "0712345600"})).await.expect(201);
            eventually(async || match buyer.state(shop).await {
                state if state["payment"]["transaction_id"].is_string() => Ok(()),
                state => Err(state.to_string()),
            })
            .await;
            bank.arm(&json!({"path": "/mpesa/reversal", "loss": loss, "when": when})).await;
            let path = format!("/api/payment/{}/refund/", buyer.order);
            let refund = shop.post_as(&buyer.admin, &path, json!({})).await.expect(201).json;
            assert!(matches!(refund["status"].as_str(), Some("unknown" | "succeeded")), "{name}: {refund}");
            for _ in 0..3 {
                sqlx::query("update refund set next_check_at = now() where next_check_at is not null")
                    .execute(&shop.db)
                    .await
                    .unwrap();
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
            let order = buyer.look(shop).await;
            let went = when == "after";
            assert_eq!(bank.moved(&order).await.len(), 1 + usize::from(went), "{name}: it is sent once");
            assert_eq!(order["payment_status"], if went { "refunded" } else { "paid" }, "{name}");
            buyer.order = buyer.another(shop, "mpesa").await;
        }
    })
    .await;
}

/// As it happens: nobody moves a clock, the callback is lost, and the reconciler finds it within a minute.
#[tokio::test]
async fn a_lost_callback_is_found_within_a_minute() {
    with_bank(async |shop, bank| {
        let begun = Instant::now();
        let buyer = Buyer::new(shop, "mpesa").await;
        buyer.pay(shop, json!({"phone_number": "0712345643"})).await.expect(201);
        buyer.until_order(shop, "paid").await;
        let card = Buyer { order: buyer.another(shop, "card").await, ..buyer };
        let made = card.pay(shop, json!({})).await.expect(201).json;
        bank.confirm(&made, "4000000088000056").await.expect(200);
        card.until_order(shop, "paid").await;
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        println!(
            "two lost callbacks, one after the other, were found within {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        assert_eq!(ledger(shop).await, (2, 0, 1700 + 1620));
    })
    .await;
}

/// A gateway that hangs keeps nobody else from paying, and what it has accepted is found.
#[tokio::test]
async fn a_gateway_that_hangs_is_left_and_asked_later() {
    with_bank(async |shop, bank| {
        let buyer = Buyer::new(shop, "card").await;
        bank.arm(&json!({"path": "/v1/payment_intents", "loss": "hang", "when": "after"})).await;
        let begun = Instant::now();
        let made = buyer.pay(shop, json!({})).await.expect(201).json;
        assert_eq!(made["payment_status"], "unknown");
        assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
        bank.disarm().await;
        hasten(shop).await;
        let state = buyer.until(shop, "processing").await;
        bank.confirm(&state["payment"], "4242424242424242").await.expect(200);
        let order = buyer.until_order(shop, "paid").await;
        assert_eq!(bank.moved(&order).await, [("capture".to_owned(), 1620)]);
    })
    .await;
}

/// What is told of an order and of its attempt is of one moment.
#[tokio::test]
async fn the_state_is_never_half_old() {
    with_bank(async |shop, bank| {
        let mut buyer = Buyer::new(shop, "card").await;
        for _ in 0..20 {
            let made = buyer.pay(shop, json!({})).await.expect(201).json;
            let watch = async {
                loop {
                    let state = buyer.state(shop).await;
                    match (
                        state["payment"]["payment_status"].as_str().unwrap(),
                        state["payment_status"].as_str().unwrap(),
                    ) {
                        ("processing", "pending") => {}
                        ("succeeded", "paid") => return,
                        other => panic!("{other:?}"),
                    }
                }
            };
            tokio::join!(bank.confirm(&made, "4242424242424242"), watch);
            buyer.order = buyer.another(shop, "card").await;
        }
    })
    .await;
}
