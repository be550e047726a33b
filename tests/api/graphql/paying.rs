//! Payments through the graph, with the sandbox as the gateway.

use std::time::Duration;

use duka::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop, User, bank::with_bank, statements, with_shop};

/// What an attempt takes, however it is asked for: the session; who writes, the key's lock, the key, the order, the
/// attempt, and the attempt as it stands; then, when the gateway has answered, who writes, the order, the attempt, what
/// became of it, and the answer that is kept.
const STATEMENTS: usize = 15;
/// What a look takes: the session, the order, its latest attempt, its refunds.
const LOOK: usize = 4;

const PAY: &str = "mutation ($input: PaymentInput!, $key: String) {
    initiatePayment(input: $input, idempotencyKey: $key) {
        id orderId paymentMethod transactionId amount currency phoneNumber checkoutRequestId resultCode
        resultDescription paymentStatus clientSecret paidAt paymentDate
    }
}";
const STATE: &str = "query ($id: ID!) {
    paymentState(orderId: $id) {
        orderId paymentStatus payment { id paymentStatus clientSecret paidAt } refunds { amount status }
    }
}";

/// An order of two pieces of 8.10, as the graph knows its id.
async fn order(shop: &TestShop, user: &User, variant: i64, home: i64, method: &str) -> Value {
    shop.put(user, variant, 2).await.expect(201);
    let checkout = "mutation ($input: CheckoutInput!) { checkout(input: $input) { id } }";
    let input = json!({"input": {"addressId": home, "paymentMethod": method}});
    shop.data(Some(user), checkout, input).await["checkout"]["id"].clone()
}

/// The state, once the attempt's own is this one.
async fn until(shop: &TestShop, user: &User, order: &Value, attempt: &str) -> Value {
    let mut state = Value::Null;
    for _ in 0..300 {
        state = shop.data(Some(user), STATE, json!({"id": order})).await["paymentState"].clone();
        if state["payment"]["paymentStatus"] == attempt {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it did not come to {attempt}: {state}");
}

/// The same request through REST.
async fn rest(shop: &TestShop, user: &User, order: &Value, key: &str) -> Answer {
    let body = json!({"order_id": order.as_str().unwrap().parse::<i64>().unwrap()});
    let request = shop.request(Method::POST, "/api/payment/initiate/").bearer_auth(&user.access);
    shop.send(request.header("idempotency-key", key).json(&body)).await
}

#[tokio::test]
async fn a_card_and_a_phone_pay_through_the_graph() {
    with_bank(async |shop, bank| {
        let (admin, user) = (shop.admin().await, shop.user("asha", Role::Customer).await);
        let (_, variant) = shop.shelve(&admin, "TEA", "8.10", 100).await;
        let home = shop.home_of(&user).await;
        let first = order(shop, &user, variant, home, "CARD").await;
        let input = json!({"input": {"orderId": first}, "key": "once"});
        let made = shop.data(Some(&user), PAY, input.clone()).await["initiatePayment"].clone();
        for (name, value) in [
            ("orderId", &first),
            ("paymentMethod", &json!("CARD")),
            ("amount", &json!("16.20")),
            ("currency", &json!("KES")),
            ("phoneNumber", &Value::Null),
            ("paymentStatus", &json!("PROCESSING")),
            ("paidAt", &Value::Null),
        ] {
            assert_eq!(&made[name], value, "{name}");
        }
        // The same key is the same request, through either door.
        assert_eq!(shop.data(Some(&user), PAY, input).await["initiatePayment"], made);
        let again = rest(shop, &user, &first, "once").await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.json["client_secret"], made["clientSecret"]);
        let other = json!({"input": {"orderId": first, "paymentMethod": "CARD"}, "key": "once"});
        assert_eq!(shop.graph(Some(&user), PAY, other).await.codes(), ["idempotency-key-reused"]);
        let second = shop.graph(Some(&user), PAY, json!({"input": {"orderId": first}})).await;
        assert_eq!(second.codes(), ["payment-in-progress"]);

        let confirmed =
            json!({"transaction_id": made["transactionId"], "client_secret": made["clientSecret"]});
        bank.confirm(&confirmed, "4242424242424242").await.expect(200);
        let state = until(shop, &user, &first, "SUCCEEDED").await;
        assert_eq!((&state["paymentStatus"], &state["refunds"]), (&json!("PAID"), &json!([])));
        assert_eq!((&state["payment"]["id"], &state["payment"]["clientSecret"]), (&made["id"], &Value::Null));
        assert!(state["payment"]["paidAt"].is_string());
        let paid = "query ($id: ID!) { order(id: $id) { status paymentStatus timeline { event } } }";
        let paid = shop.data(Some(&user), paid, json!({"id": first})).await["order"].clone();
        assert_eq!((&paid["status"], &paid["paymentStatus"]), (&json!("CONFIRMED"), &json!("PAID")));

        let phone = order(shop, &user, variant, home, "MPESA").await;
        let asked = |phone_number: &str| json!({"input": {"orderId": phone, "phoneNumber": phone_number}});
        let wrong = shop.graph(Some(&user), PAY, asked("0812345678")).await;
        assert_eq!(wrong.codes(), ["invalid"]);
        assert_eq!(wrong.json["errors"][0]["extensions"]["errors"][0]["pointer"], "/phoneNumber");
        let made = shop.data(Some(&user), PAY, asked("0712345678")).await["initiatePayment"].clone();
        assert_eq!((&made["amount"], &made["phoneNumber"]), (&json!("17.00"), &json!("254712345678")));
        assert_eq!(until(shop, &user, &phone, "SUCCEEDED").await["paymentStatus"], "PAID");
    })
    .await;
}

/// The least of the counts: whatever runs beside only adds.
async fn least<T>(mut ask: impl AsyncFnMut() -> (T, Vec<String>)) -> usize {
    let mut least = usize::MAX;
    for _ in 0..4 {
        least = ask().await.1.len().min(least);
    }
    least
}

#[tokio::test]
async fn a_payment_takes_as_many_statements_through_either_door() {
    with_bank(async |shop, _| {
        let (admin, user) = (shop.admin().await, shop.user("asha", Role::Customer).await);
        let (_, variant) = shop.shelve(&admin, "TEA", "8.10", 100).await;
        let home = shop.home_of(&user).await;
        let graph = least(async || {
            let placed = order(shop, &user, variant, home, "CARD").await;
            shop.settled().await;
            let input = json!({"input": {"orderId": placed}, "key": format!("graph-{placed}")});
            statements(shop.data(Some(&user), PAY, input)).await
        })
        .await;
        let mut last = Value::Null;
        let rest = least(async || {
            last = order(shop, &user, variant, home, "CARD").await;
            shop.settled().await;
            statements(async { rest(shop, &user, &last, &format!("rest-{last}")).await.expect(201) }).await
        })
        .await;
        assert_eq!((graph, rest), (STATEMENTS, STATEMENTS));
        let look = least(async || statements(shop.data(Some(&user), STATE, json!({"id": last}))).await).await;
        assert_eq!(look, LOOK);
    })
    .await;
}

#[tokio::test]
async fn a_payment_costs_more_than_an_object_and_waits_for_who_may() {
    with_shop(async |shop| {
        let (admin, user) = (shop.admin().await, shop.user("asha", Role::Customer).await);
        let (_, variant) = shop.shelve(&admin, "TEA", "8.10", 100).await;
        let home = shop.home_of(&user).await;
        let placed = order(shop, &user, variant, home, "CARD").await;
        let input = json!({"input": {"orderId": placed}});
        assert_eq!(shop.graph(None, PAY, input.clone()).await.codes(), ["not-authenticated"]);
        assert_eq!(
            shop.graph(Some(&admin), PAY, input.clone()).await.codes(),
            ["not-found"],
            "not even an admin"
        );
        assert_eq!(shop.graph(Some(&user), PAY, input).await.codes(), ["payment-method-unavailable"]);
        let looked = shop.data(Some(&admin), STATE, json!({"id": placed})).await["paymentState"].clone();
        assert_eq!((&looked["paymentStatus"], &looked["payment"]), (&json!("PENDING"), &Value::Null));
        let three: String = (0..3)
            .map(|n| {
                format!("a{n}: initiatePayment(input: {{orderId: {}}}) {{ id }} ", placed.as_str().unwrap())
            })
            .collect();
        let three = shop.graph(Some(&user), &format!("mutation {{ {three} }}"), json!({})).await;
        assert_eq!(three.codes(), ["too-complex"]);
    })
    .await;
}

#[tokio::test]
async fn a_stock_beyond_thirty_two_bits_is_told_as_it_is() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (product, _) = shop.shelve(&admin, "SAND", "0.10", 1_000_000_000).await;
        for sku in ["SAND-2", "SAND-3"] {
            let more =
                json!({"product_id": product, "variant_name": sku, "sku": sku, "stock": 1_000_000_000});
            shop.post_as(&admin, "/api/variant/", more).await.expect(201);
        }
        shop.settled().await;
        let schema = duka::graphql::sdl();
        assert!(schema.contains("stockQuantity: Long!"), "an Int has 32 bits");
        let query =
            "query ($id: ID!) { product(id: $id) { stockQuantity } products { nodes { stockQuantity } } }";
        let seen = shop.data(None, query, json!({"id": product})).await;
        let all = json!({"stockQuantity": 3_000_000_000_i64});
        assert_eq!((&seen["product"], &seen["products"]["nodes"]), (&all, &json!([all])));
    })
    .await;
}
