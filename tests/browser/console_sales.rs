//! The console: orders that are shipped, refunded and cancelled.

use std::time::Duration;

use duka::{auth::Role, sandbox::Credentials};
use serde_json::{Value, json};

use crate::{
    console::enter,
    stage::{Stage, with_stage},
    support::{User, http_client, send},
};

/// A customer's order of two pieces, in the shop's own words.
async fn ordered(stage: &Stage<'_>, buyer: &User, variant: i64, method: &str) -> i64 {
    let address = stage.shop.home_of(buyer).await;
    stage.shop.put(buyer, variant, 2).await.expect(201);
    stage.shop.order(buyer, address, method).await.expect(201).id()
}

/// The same, paid by card, which its buyer's browser confirms at the gateway.
async fn paid(stage: &Stage<'_>, buyer: &User, variant: i64) -> i64 {
    let id = ordered(stage, buyer, variant, "card").await;
    let body = json!({"order_id": id, "payment_method": "card"});
    let attempt = stage.shop.post_as(buyer, "/api/payment/initiate/", body).await.expect(201).json;
    let [intent, secret] = ["transaction_id", "client_secret"].map(|name| attempt[name].as_str().unwrap());
    let card = [
        ("client_secret", secret),
        ("payment_method_data[type]", "card"),
        ("payment_method_data[card][number]", "4242424242424242"),
        ("payment_method_data[card][exp_month]", "12"),
        ("payment_method_data[card][exp_year]", "2034"),
        ("payment_method_data[card][cvc]", "123"),
    ];
    let form = card.map(|(name, value)| format!("{name}={value}")).join("&");
    let url = format!("{}/v1/payment_intents/{intent}/confirm", stage.sandbox);
    let request =
        http_client().build().unwrap().post(url).bearer_auth(Credentials::default().publishable_key);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    send(request).await.expect(200);
    for _ in 0..200 {
        if order(stage, id).await["payment_status"] == "paid" {
            return id;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the sandbox does not pay");
}

async fn order(stage: &Stage<'_>, id: i64) -> Value {
    stage.shop.get_as(&stage.admin, &format!("/api/order/{id}/")).await.expect(200).json
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_found_shipped_and_refunded() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.expect("422 (Unprocessable");
        let buyer = stage.shop.user("amina", Role::Customer).await;
        let (_, variant) = stage.shop.shelve(&stage.admin, "LESO", "30.00", 20).await;
        let (first, second) = (paid(stage, &buyer, variant).await, ordered(stage, &buyer, variant, "cash_on_delivery").await);
        enter(stage, "boss", Role::Admin).await;
        page.press("Orders").await;
        page.until("document.querySelectorAll('tbody tr').length === 2").await;
        page.value("(() => { const e = document.querySelectorAll('.filters select')[1]; e.value = 'paid'; e.dispatchEvent(new Event('change', {bubbles: true})); })()").await;
        page.until("document.querySelectorAll('tbody tr').length === 1 && location.search === '?payment_status=paid'").await;
        page.click("tbody a").await;
        page.until(&format!("location.pathname === '/admin/orders/{first}'")).await;

        page.press("Ship").await;
        page.fill("dialog input[name=carrier]", "Posta").await;
        page.fill("dialog input[name=tracking_number]", "KE-1234").await;
        page.demand_accessible("shipping").await;
        page.click("dialog button[type=submit]").await;
        page.until("document.querySelector('.sheet-head .badge').innerText === 'Shipped'").await;
        page.reads("KE-1234").await;
        assert_eq!(order(stage, first).await["shipments"][0]["carrier"], "Posta");
        page.value("(() => { const e = document.querySelector('.rows select'); e.value = 'delivered'; e.dispatchEvent(new Event('change', {bubbles: true})); })()").await;
        page.until("document.querySelector('.sheet-head .badge').innerText === 'Delivered'").await;

        // More than was paid does not go back; a part does, and then the rest.
        page.press("Refund").await;
        page.fill("dialog input[name=amount]", "1000.00").await;
        page.click("dialog button[type=submit]").await;
        page.sees("dialog [aria-invalid=true], dialog [role=alert]").await;
        page.fill("dialog input[name=amount]", "20.00").await;
        page.click("dialog button[type=submit]").await;
        page.until("!document.querySelector('dialog')").await;
        page.until("document.querySelector('.sheet-head .badge + .badge').innerText === 'Partially refunded'").await;
        page.reads("$20.00").await;
        page.picture("console-order").await;
        page.press("Refund").await;
        page.click("dialog button[type=submit]").await;
        page.until("document.querySelector('.sheet-head .badge + .badge').innerText === 'Refunded'").await;
        assert_eq!(order(stage, first).await["payment_status"], "refunded");

        // What has not gone out can be cancelled, and asks first.
        let before = stage.shop.stock_of(variant).await;
        page.open(&format!("/admin/orders/{second}")).await;
        page.press("Cancel the order").await;
        page.press("Keep as it is").await;
        assert_eq!(order(stage, second).await["status"], "confirmed");
        page.press("Cancel the order").await;
        page.click("dialog .danger").await;
        page.until("document.querySelector('.sheet-head .badge').innerText === 'Cancelled'").await;
        assert_eq!(stage.shop.stock_of(variant).await, before + 2);
    })
    .await;
}
