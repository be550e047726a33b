//! What buyers and sellers do, for the tests of carts, orders and shipments.

use serde_json::json;

use super::{Answer, TestShop, User};

impl TestShop {
    /// Makes a product of one variant: its id and the variant's.
    pub async fn shelve(&self, seller: &User, sku: &str, price: &str, stock: i32) -> (i64, i64) {
        let category: i64 = sqlx::query_scalar(
            "with made as (
                 insert into category (name, slug) select 'Things', 'things' where not exists (select from category) returning id
             )
             select id from made union all select min(id) from category having min(id) is not null limit 1",
        )
        .fetch_one(&self.db)
        .await
        .unwrap();
        let body = json!({"category_id": category, "name": sku, "price": price, "sku": sku, "stock_quantity": stock});
        let made = self.post_as(seller, "/api/product/", body).await.expect(201);
        (made.id(), made.json["variants"][0]["id"].as_i64().unwrap())
    }

    /// Puts so many in the user's cart.
    pub async fn put(&self, user: &User, variant: i64, quantity: i32) -> Answer {
        self.post_as(user, "/api/cart/add/", json!({"variant_id": variant, "quantity": quantity})).await
    }

    /// An address of the user's.
    pub async fn home_of(&self, user: &User) -> i64 {
        let body = json!({"street": "Moi Avenue 1", "city": "Nairobi", "country": "Kenya"});
        self.post_as(user, "/api/address/", body).await.expect(201).id()
    }

    /// Orders what is in the user's cart.
    pub async fn order(&self, user: &User, address: i64, payment_method: &str) -> Answer {
        let body = json!({"address_id": address, "payment_method": payment_method});
        self.post_as(user, "/api/order/", body).await
    }

    /// Pieces of the variant that nobody holds; the ledger must tell the same.
    pub async fn stock_of(&self, variant: i64) -> i64 {
        let (stock, ledger): (i64, i64) = sqlx::query_as(
            "select stock::bigint, (select coalesce(sum(quantity), 0)::bigint from stock_movement where variant_id = $1)
             from variant where id = $1",
        )
        .bind(variant)
        .fetch_one(&self.db)
        .await
        .unwrap();
        assert_eq!(stock, ledger, "the ledger's sum is the stock");
        stock
    }

    /// Pieces of the variant in orders that hold.
    pub async fn sold_of(&self, variant: i64) -> i64 {
        sqlx::query_scalar(
            "select coalesce(sum(i.quantity), 0)::bigint from order_item i join orders o on o.id = i.order_id
             where i.variant_id = $1 and o.status <> 'cancelled'",
        )
        .bind(variant)
        .fetch_one(&self.db)
        .await
        .unwrap()
    }
}
