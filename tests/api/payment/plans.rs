//! What a payment's step reads does not grow with the payments there are.

use sqlx::{AssertSqlSafe, Executor as _};

use crate::{
    lists::{blocks, cached_query},
    support::with_shop,
};

/// What changes money runs under plans that are made once (`plan_cache_mode`), whatever they are asked by.
#[tokio::test]
async fn an_attempt_and_a_refund_are_found_by_any_of_their_names() {
    with_shop(async |shop| {
        let fill = "
            set session_replication_role = replica;
            insert into orders (order_number, user_id, payment_method, currency, subtotal, total_amount,
                                shipping_street, shipping_city, shipping_country)
                select 'N' || n, 1, 'card', 'KES', 1, 1, 's', 'c', 'KE' from generate_series(1, 20000) n;
            insert into payment (order_id, payment_method, payment_status, amount, currency, transaction_id,
                                 callback_token_hash, gateway_key, idempotency_key_id)
                select id, 'card', 'failed', 1, 'KES', 't' || id, sha256(id::text::bytea), 'k' || id, id from orders;
            insert into refund (payment_id, order_id, amount, status, finished_at, reason, callback_token_hash)
                select id, order_id, 1, 'failed', now(), 'r', sha256(id::text::bytea) from payment;
            analyze";
        let mut filling = shop.db.acquire().await.unwrap().detach();
        sqlx::raw_sql(fill).execute(&mut filling).await.unwrap();
        let db = &mut *shop.shop.app.web.acquire().await.unwrap();
        db.execute("set plan_cache_mode = force_generic_plan").await.unwrap();
        let token = "sha256('777')";
        let by_name = |count: usize, name: usize, value: &str| {
            let mut names = vec!["null"; count];
            names[name] = value;
            names.join(", ")
        };
        for (query, names) in [
            (cached_query("select p.id, p.order_id", "gateway_key = $6"), &["777", "777", "777", token, "'t777'", "'k777'"][..]),
            (cached_query("select r.id", "callback_token_hash = $3"), &["777", "777", token]),
        ] {
            db.execute(AssertSqlSafe(format!("prepare page as {query}"))).await.unwrap();
            for (place, name) in names.iter().enumerate() {
                let arguments = by_name(names.len(), place, name);
                let found = db.fetch_all(AssertSqlSafe(format!("execute page ({arguments})"))).await.unwrap();
                assert_eq!(found.len(), 1, "{arguments}: {query}");
                let touched = blocks(db, &arguments).await;
                assert!(touched < 40, "{touched} blocks for {arguments}: {query}");
            }
            let nobody = vec!["null"; names.len()].join(", ");
            assert!(db.fetch_all(AssertSqlSafe(format!("execute page ({nobody})"))).await.unwrap().is_empty());
            db.execute("deallocate page").await.unwrap();
        }
    })
    .await;
}
