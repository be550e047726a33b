//! How many statements orders take.

use duka::auth::Role;
use serde_json::json;

use crate::support::{statements_of, with_shop};

#[tokio::test]
async fn large_orders_and_long_lists_cost_as_many_statements_as_small_ones() {
    const WORDS: &[&str] =
        &["cart", "order_item", "order_event", "shipment", "stock_movement", "insert into orders"];
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (product, tea) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let home = shop.home_of(&ada).await;
        shop.put(&ada, tea, 1).await.expect(201);
        let small =
            statements_of(WORDS, async || drop(shop.order(&ada, home, "card").await.expect(201))).await;
        let one =
            statements_of(WORDS, async || drop(shop.get_as(&ada, "/api/order/").await.expect(200))).await;
        sqlx::query(
            "with made as (
                 insert into variant (product_id, variant_name, sku, price, stock)
                 select $1, 'V' || n, 'V' || n, 1, 5 from generate_series(1, 100) n returning id
             )
             insert into cart_item (cart_id, variant_id, quantity, price)
             select (select id from cart where user_id = $2), id, 1, 1 from made",
        )
        .bind(product)
        .bind(ada.id)
        .execute(&shop.db)
        .await
        .unwrap();
        let large = statements_of(WORDS, async || {
            let order = shop.order(&ada, home, "card").await.expect(201).json;
            assert_eq!(
                (order["items"].as_array().unwrap().len(), &order["total_amount"]),
                (100, &json!("100.00"))
            );
        })
        .await;
        assert!(small > 0 && small == large, "{small} and {large}");
        for _ in 0..5 {
            shop.put(&ada, tea, 1).await.expect(201);
            shop.order(&ada, home, "card").await.expect(201);
        }
        let many =
            statements_of(WORDS, async || drop(shop.get_as(&ada, "/api/order/").await.expect(200))).await;
        assert!(one > 0 && one == many, "{one} and {many}");
    })
    .await;
}
