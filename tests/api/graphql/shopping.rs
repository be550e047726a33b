//! Accounts, carts and orders through the graph.

use serde_json::json;

use crate::support::{PASSWORD, User, with_shop};

#[tokio::test]
async fn somebody_registers_shops_and_leaves() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (product, variant) = shop.shelve(&admin, "KETTLE", "12.50", 5).await;
        let register = "mutation ($input: RegistrationInput!) { register(input: $input) { id username role } }";
        let input = json!({"input": {"username": "asha", "email": "asha@example.com", "password": PASSWORD, "firstName": "Asha"}});
        let made = shop.data(None, register, input.clone()).await;
        assert_eq!(made["register"]["role"], "CUSTOMER");
        assert_eq!(shop.graph(None, register, input).await.codes(), ["already-taken"]);
        let weak = json!({"input": {"username": "a", "email": "no", "password": "short", "phone": "\u{0}"}});
        let weak = shop.graph(None, register, weak).await;
        assert_eq!(weak.codes(), ["invalid"]);
        let faults = weak.json["errors"][0]["extensions"]["errors"].as_array().unwrap();
        let pointers: Vec<&str> = faults.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/username", "/email", "/password", "/phone"]);

        let login = "mutation ($input: CredentialsInput!) { login(input: $input) { access refresh } }";
        let wrong = json!({"input": {"username": "asha", "password": "wrong"}});
        assert_eq!(shop.graph(None, login, wrong).await.codes(), ["wrong-credentials"]);
        let right = json!({"input": {"username": "asha", "password": PASSWORD}});
        let pair = shop.data(None, login, right).await["login"].clone();
        let pair = shop
            .data(None, "mutation ($r: String!) { refresh(refresh: $r) { access refresh } }", json!({"r": pair["refresh"]}))
            .await["refresh"]
            .clone();
        let text = |name: &str| pair[name].as_str().unwrap().to_owned();
        let id = made["register"]["id"].as_str().unwrap().parse().unwrap();
        let asha = User { id, name: "asha".to_owned(), access: text("access"), refresh: text("refresh") };
        let me = shop.data(Some(&asha), "{ me { id firstName } }", json!({})).await;
        assert_eq!(me["me"], json!({"id": id.to_string(), "firstName": "Asha"}));

        let create = "mutation ($input: AddressInput!) { createAddress(input: $input) { id addressType } }";
        let street = json!({"input": {"street": "Moi Avenue 1", "city": "Nairobi", "country": "Kenya", "addressType": "WORK"}});
        let address = shop.data(Some(&asha), create, street).await["createAddress"].clone();
        assert_eq!(address["addressType"], "WORK");
        let change = "mutation ($id: ID!, $city: String, $street: String) {
            updateAddress(id: $id, input: {city: $city, street: $street}) { city street }
        }";
        let changed = shop.data(Some(&asha), change, json!({"id": address["id"], "city": "Mombasa"})).await;
        assert_eq!(changed["updateAddress"], json!({"city": "Mombasa", "street": "Moi Avenue 1"}), "not sent is not null");
        let nulled = shop.graph(Some(&asha), change, json!({"id": address["id"], "city": null})).await;
        assert_eq!(nulled.codes(), ["invalid"]);
        assert_eq!(nulled.json["errors"][0]["extensions"]["errors"][0]["pointer"], "/city");

        let add = "mutation ($input: AddToCartInput!) { addToCart(input: $input) { total items { id quantity warnings } } }";
        let cart = shop.data(Some(&asha), add, json!({"input": {"variantId": variant, "quantity": 2}})).await["addToCart"].clone();
        assert_eq!(cart["total"], "25.00");
        let more = shop.graph(Some(&asha), add, json!({"input": {"variantId": variant.to_string(), "quantity": 9}})).await;
        assert_eq!(more.codes(), ["out-of-stock"]);
        assert_eq!(more.json["errors"][0]["extensions"]["available"], 5);
        assert_eq!(more.json["errors"][0]["extensions"]["status"], 409);
        let update = "mutation ($id: ID!) { updateCartItem(id: $id, quantity: 3) { total } }";
        let cart = shop.data(Some(&asha), update, json!({"id": cart["items"][0]["id"]})).await;
        assert_eq!(cart["updateCartItem"]["total"], "37.50");
        let code = "mutation { applyDiscountCode(code: \"NONE\") { total } }";
        assert_eq!(shop.graph(Some(&asha), code, json!({})).await.codes(), ["discount-not-applicable"]);

        let wish = "mutation ($id: ID!) { addToWishlist(productId: $id) { id product { name variants { sku } } } }";
        let wish = shop.data(Some(&asha), wish, json!({"id": product})).await["addToWishlist"].clone();
        assert_eq!(wish["product"], json!({"name": "KETTLE", "variants": [{"sku": "KETTLE"}]}));
        let wishes = shop.data(Some(&asha), "{ wishlist { items { id product { name } } } }", json!({})).await;
        assert_eq!(wishes["wishlist"]["items"][0]["id"], wish["id"]);

        let checkout = "mutation ($input: CheckoutInput!, $key: String) {
            checkout(input: $input, idempotencyKey: $key) {
                id orderNumber status paymentStatus paymentMethod totalAmount items { sku quantity } shippingAddress { city }
                timeline { event }
            }
        }";
        let input = json!({"addressId": address["id"], "paymentMethod": "CASH_ON_DELIVERY", "expectedTotal": "1.00"});
        let stale = shop.graph(Some(&asha), checkout, json!({"input": input})).await;
        assert_eq!(stale.codes(), ["price-changed"]);
        assert_eq!(stale.json["errors"][0]["extensions"]["total"], "37.50");
        let input = json!({"addressId": address["id"], "paymentMethod": "CASH_ON_DELIVERY", "expectedTotal": "37.50"});
        let sent = json!({"input": input, "key": "once"});
        let first = shop.graph(Some(&asha), checkout, sent.clone()).await;
        let order = first.json["data"]["checkout"].clone();
        assert_eq!((&order["status"], &order["totalAmount"]), (&json!("CONFIRMED"), &json!("37.50")), "{}", first.text);
        assert_eq!(order["items"], json!([{"sku": "KETTLE", "quantity": 3}]));
        shop.indexed(&first).await;
        // The same key is the same request, through either door.
        assert_eq!(shop.data(Some(&asha), checkout, sent).await["checkout"], order);
        let body = json!({"address_id": address["id"].as_str().unwrap().parse::<i64>().unwrap(),
                          "payment_method": "cash_on_delivery", "expected_total": "37.50"});
        let request = shop.request(reqwest::Method::POST, "/api/order/").bearer_auth(&asha.access);
        let again = shop.send(request.header("idempotency-key", "once").json(&body)).await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.id().to_string(), order["id"]);
        let other = json!({"input": {"addressId": address["id"], "paymentMethod": "CARD"}, "key": "once"});
        assert_eq!(shop.graph(Some(&asha), checkout, other).await.codes(), ["idempotency-key-reused"]);
        assert_eq!(shop.stock_of(variant).await, 2);

        let orders = "{ orders(filter: {status: CONFIRMED}) { totalCount nextCursor nodes { id items { sku } } }
                        cancelled: orders(filter: {status: CANCELLED}) { totalCount } }";
        let orders = shop.data(Some(&asha), orders, json!({})).await;
        assert_eq!(orders["orders"]["nodes"][0]["id"], order["id"]);
        assert_eq!(orders["cancelled"]["totalCount"], 0);
        let review = "mutation ($input: ReviewInput!) { createReview(input: $input) { id rating comment } }";
        let review = shop.data(Some(&asha), review, json!({"input": {"productId": product, "rating": 4}})).await;
        let change = "mutation ($id: ID!) { updateReview(id: $id, input: {comment: \"Sturdy\"}) { rating comment } }";
        let changed = shop.data(Some(&asha), change, json!({"id": review["createReview"]["id"]})).await;
        assert_eq!(changed["updateReview"], json!({"rating": 4, "comment": "Sturdy"}));
        let cancel = "mutation ($id: ID!) { cancelOrder(id: $id) { status } }";
        let cancelled = shop.data(Some(&asha), cancel, json!({"id": order["id"]})).await;
        assert_eq!(cancelled["cancelOrder"]["status"], "CANCELLED");
        assert_eq!(shop.stock_of(variant).await, 5);
        let ends = "mutation ($w: ID!, $a: ID!, $r: ID!) {
            removeFromWishlist(id: $w) deleteAddress(id: $a) deleteReview(id: $r) removeDiscountCode }";
        let ids = json!({"w": wish["id"], "a": address["id"], "r": review["createReview"]["id"]});
        shop.data(Some(&asha), ends, ids).await;
        // Whoever has signed out in one step is nobody in the next.
        let out = "mutation ($r: String!) { logout(refresh: $r) removeDiscountCode }";
        let out = shop.graph(Some(&asha), out, json!({"r": asha.refresh})).await;
        assert_eq!(out.codes(), ["not-authenticated"]);
        assert_eq!(out.json["errors"][0]["path"], json!(["removeDiscountCode"]));
        assert_eq!(shop.graph(Some(&asha), "{ me { id } }", json!({})).await.codes(), ["not-authenticated"]);
    })
    .await;
}
