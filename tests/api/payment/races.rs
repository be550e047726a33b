//! Expiry, cancellation and money that comes too late, all at once: goods and money stay balanced.

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::support::bank::{Bank, with_bank};

const ORDERS: u64 = 24;
const STOCK: i64 = 100;

/// Pieces that nobody holds, and those of orders that hold: counted in one look.
async fn pieces(shop: &TestShop, variant: i64) -> i64 {
    sqlx::query_scalar(
        "select v.stock + (select coalesce(sum(i.quantity), 0) from order_item i join orders o on o.id = i.order_id
                           where i.variant_id = v.id and o.status <> 'cancelled')
         from variant v where v.id = $1",
    )
    .bind(variant)
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

/// What the shop's ledger holds for the order, in hundredths.
async fn held(shop: &TestShop, order: i64) -> i64 {
    sqlx::query_scalar(
        "select coalesce(sum(l.amount) * 100, 0)::bigint from payment_ledger l join payment p on p.id = l.payment_id
         where p.order_id = $1 and l.account <> 'orders'",
    )
    .bind(order)
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

/// One order, and everything that can happen to it, each at an instant of its own.
async fn upheaval(shop: &TestShop, bank: &Bank, buyer: &Buyer, number: u64) {
    let mut dice = StdRng::seed_from_u64(number);
    let mut instants = [0; 3].map(|_: u64| Duration::from_millis(dice.random_range(0..700)));
    let by_card = number.is_multiple_of(2);
    let body = if by_card { json!({}) } else { json!({"phone_number": "0712345600"}) };
    if !by_card {
        // The phone answers by itself: the push is what comes too late, or just in time.
        instants[0] /= 2;
    }
    let paying = async {
        if !by_card {
            tokio::time::sleep(instants[0]).await;
        }
        let made = buyer.pay(shop, body).await;
        if by_card && made.status == 201 {
            tokio::time::sleep(instants[0]).await;
            bank.confirm(&made.json, "4242424242424242").await;
        }
    };
    let expiring = async {
        tokio::time::sleep(instants[1]).await;
        if !number.is_multiple_of(3) {
            let age = "update orders set expires_at = now() where id = $1 and expires_at is not null";
            sqlx::query(age).bind(buyer.order).execute(&shop.db).await.unwrap();
        }
    };
    let cancelling = async {
        tokio::time::sleep(instants[2]).await;
        let who = if number.is_multiple_of(5) { &buyer.admin } else { &buyer.user };
        if number % 4 < 2 {
            shop.post_as(who, &format!("/api/order/{}/cancel/", buyer.order), json!({})).await;
        }
    };
    tokio::join!(paying, expiring, cancelling);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry_cancellation_and_late_money_keep_goods_and_money_balanced() {
    with_bank(async |shop, bank| {
        let mut buyer = Buyer::new(shop, "card").await;
        let mut buyers = vec![];
        for number in 0..ORDERS {
            buyers.push(buyer.clone());
            buyer.order = buyer.another(shop, if number.is_multiple_of(2) { "mpesa" } else { "card" }).await;
        }
        let watching = async {
            for _ in 0..60 {
                assert_eq!(pieces(shop, buyer.tea).await, STOCK, "stock, held and sold are what there was");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let all = buyers.iter().enumerate().map(|(number, buyer)| upheaval(shop, bank, buyer, number as u64));
        tokio::join!(join_all(all), watching);
        // Until nothing moves any more: those that were never paid expire, and their attempts are given up.
        sqlx::query("update orders set expires_at = now() where expires_at is not null").execute(&shop.db).await.unwrap();
        eventually(async || {
            hasten(shop).await;
            let open: i64 = sqlx::query_scalar(
                "select (select count(*) from orders where status = 'pending')
                      + (select count(*) from payment where payment_status in ('pending', 'processing', 'unknown'))
                      + (select count(*) from refund where status not in ('succeeded', 'failed'))
                      + (select count(*) from payment_inbox where processed_at is null)
                      + (select count(*) from orders where status = 'cancelled' and payment_status in ('paid', 'partially_refunded'))",
            )
            .fetch_one(&shop.db)
            .await
            .unwrap();
            if open == 0 { Ok(()) } else { Err(format!("{open} are open")) }
        })
        .await;
        let (mut kept, mut back, mut never) = (0, 0, 0);
        for buyer in &buyers {
            let order = buyer.look(shop).await;
            let moved = bank.moved(&order).await;
            let signed = |(kind, amount): &(String, i64)| if kind == "capture" { *amount } else { -amount };
            let net: i64 = moved.iter().map(signed).sum();
            assert_eq!(held(shop, buyer.order).await, net, "the ledgers tell the same: {order} {moved:?}");
            match order["status"].as_str().unwrap() {
                "confirmed" => {
                    assert_eq!((moved.len(), &order["payment_status"]), (1, &json!("paid")), "{order} {moved:?}");
                    kept += 1;
                }
                "cancelled" => {
                    assert_eq!(net, 0, "{order} {moved:?}");
                    assert_eq!(order["payment_status"] == "refunded", !moved.is_empty(), "{order} {moved:?}");
                    if moved.is_empty() { never += 1 } else { back += 1 }
                }
                other => panic!("{other}"),
            }
        }
        println!("{ORDERS} orders: {kept} paid, {back} paid too late and sent back, {never} never paid");
        // How fast the machine is decides which of the three is rare.
        let happened = [kept, back, never].into_iter().filter(|count| *count > 0).count();
        assert!(happened > 1, "nothing was a race: {kept}, {back}, {never}");
        assert_eq!(pieces(shop, buyer.tea).await, STOCK);
        assert_eq!((shop.stock_of(buyer.tea).await, attention(shop).await), (STOCK - 2 * kept, None));
    })
    .await;
}
