//! The ledger of stock: whatever moves stock says so, and what it says sums to what is there.

use std::time::Duration;

use super::*;
use crate::support::rounds;

/// Every variant whose movements do not sum to its stock.
async fn unbalanced(shop: &TestShop) -> Vec<(i64, String, i64, i64)> {
    sqlx::query_as(
        "select v.id, v.sku, v.stock::bigint, coalesce(sum(m.quantity), 0)::bigint
         from variant v left join stock_movement m on m.variant_id = v.id
         group by v.id having v.stock <> coalesce(sum(m.quantity), 0) order by v.id",
    )
    .fetch_all(&shop.db)
    .await
    .unwrap()
}

async fn reasons(shop: &TestShop) -> Vec<(String, i64)> {
    sqlx::query_as("select reason, sum(quantity)::bigint from stock_movement group by reason order by reason")
        .fetch_all(&shop.db)
        .await
        .unwrap()
}

async fn import(shop: &TestShop, admin: &User, lines: &str) {
    let request = shop.request(Method::POST, "/api/admin/import/").bearer_auth(&admin.access);
    let request = request.header("content-type", "application/x-ndjson").body(lines.to_owned());
    let job = shop.send(request).await.expect(202);
    let path = job.header("location").to_owned();
    for _ in 0..200 {
        let job = shop.get_as(admin, &path).await.expect(200).json;
        match job["status"].as_str() {
            Some("succeeded") => return,
            Some("failed" | "cancelled") => panic!("{job}"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("the import does not end");
}

#[tokio::test]
async fn every_way_of_moving_stock_is_in_the_ledger() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let home = shop.home_of(&ada).await;
        let (product, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let balanced = async |step: &str, expected: &[(&str, i64)]| {
            assert_eq!(unbalanced(shop).await, [], "{step}");
            let expected: Vec<(String, i64)> =
                expected.iter().map(|(reason, sum)| ((*reason).to_owned(), *sum)).collect();
            assert_eq!(reasons(shop).await, expected, "{step}");
        };
        balanced("a product is made", &[("initial", 10)]).await;
        let green = json!({"product_id": product, "variant_name": "Green", "sku": "GREEN", "stock": 4});
        let green = shop.post_as(&admin, "/api/variant/", green).await.expect(201).id();
        balanced("a variant is made", &[("initial", 14)]).await;
        shop.patch_as(&admin, &format!("/api/variant/{tea}/"), json!({"stock": 7})).await.expect(200);
        shop.patch_as(&admin, &format!("/api/variant/{green}/"), json!({"stock": 9})).await.expect(200);
        shop.patch_as(&admin, &format!("/api/variant/{green}/"), json!({"stock": 9, "price": "3.00"}))
            .await
            .expect(200);
        balanced("they are counted anew", &[("adjustment", 2), ("initial", 14)]).await;
        shop.put(&ada, tea, 3).await.expect(201);
        shop.put(&ada, green, 2).await.expect(201);
        let order = shop.order(&ada, home, "card").await.expect(201).id();
        balanced("an order takes", &[("adjustment", 2), ("initial", 14), ("sale", -5)]).await;
        cancel(shop, &ada, order).await.expect(200);
        balanced("and gives back", &[("adjustment", 2), ("initial", 14), ("release", 5), ("sale", -5)]).await;
        shop.put(&ada, tea, 1).await.expect(201);
        shop.put(&ada, green, 1).await.expect(201);
        let order = shop.order(&ada, home, "card").await.expect(201).id();
        shop.delete_as(&admin, &format!("/api/variant/{green}/")).await.expect(204);
        cancel(shop, &admin, order).await.expect(200);
        balanced("also to what is gone", &[("adjustment", 2), ("initial", 14), ("release", 7), ("sale", -7)]).await;
        let lines = r#"{"sku":"POT","name":"Pot","price":"5","stock":6,"variants":[{"sku":"P1","variant_name":"a","stock":3},{"sku":"P2","variant_name":"b","stock":2}]}
{"sku":"TEA","name":"Tea","price":"2.50","stock":20}"#;
        import(shop, &admin, lines).await;
        assert_eq!(unbalanced(shop).await, [], "an import makes and counts");
        let fewer = r#"{"sku":"POT","name":"Pot","price":"5","stock":1,"variants":[{"sku":"P1","variant_name":"a","stock":1}]}"#;
        import(shop, &admin, fewer).await;
        assert_eq!(unbalanced(shop).await, [], "an import takes away");
        let imported: i64 =
            sqlx::query_scalar("select sum(quantity)::bigint from stock_movement where reason = 'import'")
                .fetch_one(&shop.db)
                .await
                .unwrap();
        assert_eq!(imported, 13 + 1, "20 instead of 7, and one of the pots is left");
        shop.delete_as(&admin, &format!("/api/product/{product}/")).await.expect(204);
        assert_eq!(unbalanced(shop).await, [], "a product goes");
    })
    .await;
}

/// Counting anew, selling and giving back at once: nothing is lost between reading a stock and writing it.
#[tokio::test]
async fn counting_and_selling_at_once_stay_in_the_ledger() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (_, tea) = shop.shelve(&admin, "TEA", "2.50", 500).await;
        let buyers = shop.crowd(24).await;
        for round in 0..rounds() {
            shop.fill_carts(&buyers, tea, 1).await;
            let sell = futures_util::future::join_all(buyers.iter().map(async |buyer| {
                let order = shop.order(&buyer.user, buyer.home, "card").await;
                match order.status {
                    201 => cancel(shop, &buyer.user, order.id()).await.status,
                    other => other,
                }
            }));
            let recount = async {
                for step in 0..8 {
                    let stock = json!({"stock": 400 + step + round % 50});
                    shop.patch_as(&admin, &format!("/api/variant/{tea}/"), stock).await.expect(200);
                }
            };
            let (sold, ()) = tokio::join!(sell, recount);
            assert!(sold.iter().all(|status| *status == 200), "{sold:?}");
            assert_eq!(unbalanced(shop).await, [], "round {round}");
        }
    })
    .await;
}
