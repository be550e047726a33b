//! From a product to a paid order, with what may go wrong on the way.

use serde_json::{Value, json};

use crate::stage::{Stage, with_stage};

/// Puts the product into the cart and orders it: the order's page, where it is paid.
async fn order(stage: &Stage<'_>, product: i64, method: &str) {
    let page = stage.browser;
    page.open(&format!("/product/{product}")).await;
    page.press("Add to cart").await;
    page.press("Checkout").await;
    page.reads("Delivery address").await;
    page.until("document.querySelector('input[name=street], .checkout-main section:first-child .choice')")
        .await;
    if page.value("Boolean(document.querySelector('input[name=street]'))").await == json!(true) {
        for (name, text) in [("street", "Moi Avenue 1"), ("city", "Nairobi"), ("country", "Kenya")] {
            page.fill(&format!("input[name={name}]"), text).await;
        }
        page.press("Save address").await;
        page.until("!document.querySelector('input[name=street]')").await;
    }
    page.click(&format!("input[value={method}]")).await;
    page.press("Place order").await;
    page.until("/\\/orders\\/\\d+/.test(location.pathname)").await;
}

async fn pay_by_card(stage: &Stage<'_>, number: &str) {
    let page = stage.browser;
    page.fill("input[name=number]", number).await;
    page.fill("input[name=expiry]", "12 / 34").await;
    page.fill("input[name=cvc]", "123").await;
    page.press("Pay").await;
}

/// The order that the page shows, as the shop has it.
async fn shown(stage: &Stage<'_>) -> Value {
    let id = stage.browser.value("location.pathname.split('/')[2]").await;
    stage.shop.get_as(&stage.admin, &format!("/api/order/{}/", id.as_str().unwrap())).await.expect(200).json
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_becomes_a_customer_and_pays_after_a_card_was_declined() {
    with_stage(async |stage| {
        let (page, product) = (stage.browser, stage.product("Kikoy beach towel").await);
        // The gateway answers 402 to a card that it declines, and a browser says that in its console.
        page.expect("402 (Payment Required)");
        page.expect("422 (Unprocessable Entity)");
        page.open(&format!("/product/{product}")).await;
        page.reads("$24.50").await;
        page.press("Increase quantity").await;
        page.press("Add to cart").await;

        // Nobody is signed in: the wish waits until somebody is.
        page.reads("Sign in to add to your cart").await;
        page.press("Create account").await;
        page.fill("dialog input[name=username]", "amina").await;
        page.fill("dialog input[name=email]", "amina@example.com").await;
        page.fill("dialog input[name=password]", "short").await;
        page.click("dialog button[type=submit]").await;
        page.until(
            "document.querySelector('dialog input[name=password]').getAttribute('aria-invalid') === 'true'",
        )
        .await;
        page.fill("dialog input[name=password]", "a fine long passphrase").await;
        page.click("dialog button[type=submit]").await;
        page.reads("Your cart").await;
        page.until("document.querySelector('dialog .total dd')?.innerText === '$49.00'").await;

        page.press("Have a code?").await;
        page.fill("dialog input[name=code]", "NOSUCH").await;
        page.press("Apply").await;
        page.until("document.querySelector('dialog .code .fault, dialog .code .note')").await;
        page.fill("dialog input[name=code]", "welcome10").await;
        page.press("Apply").await;
        page.until("document.querySelector('dialog .total dd')?.innerText === '$44.10'").await;
        page.press("Checkout").await;
        page.reads("Delivery address").await;
        for (name, text) in [("street", "Moi Avenue 1"), ("city", "Nairobi"), ("country", "Kenya")] {
            page.fill(&format!("input[name={name}]"), text).await;
        }
        page.press("Save address").await;
        page.reads("Moi Avenue 1").await;
        page.picture("checkout").await;
        page.press("Place order").await;
        page.reads("Pay $44.10").await;

        pay_by_card(stage, "4000000000000002").await;
        page.reads("The payment was declined.").await;
        page.reads("Nothing was charged").await;
        page.picture("declined").await;
        assert_eq!(shown(stage).await["status"], "pending");
        pay_by_card(stage, "4242424242424242").await;
        page.reads("Thank you, it is paid.").await;
        let order = shown(stage).await;
        assert_eq!([&order["payment_status"], &order["status"]], ["paid", "confirmed"], "{order}");
        assert_eq!(order["total_amount"], "44.10");
        page.until("!document.querySelector('.head .count')").await;

        // The shop sends it; its page says where it is.
        let (id, admin) = (order["id"].as_i64().unwrap(), &stage.admin);
        let parcel = json!({"carrier": "Post", "tracking_number": "KE-77", "status": "shipped"});
        stage.shop.post_as(admin, &format!("/api/shipments/{id}/"), parcel).await.expect(201);
        page.open("/orders").await;
        page.click(".order").await;
        page.reads("KE-77").await;
        page.until("document.querySelectorAll('.timeline li').length >= 4").await;
        page.picture("order").await;

        // A buyer reviews; once.
        page.open(&format!("/product/{product}")).await;
        page.press("Write a review").await;
        page.click(".rate label:nth-child(4)").await;
        page.fill("textarea[name=comment]", "Dries <b>fast</b> & looks good").await;
        page.press("Publish").await;
        page.until("document.querySelector('.review-text')?.innerText === 'Dries <b>fast</b> & looks good'")
            .await;
        page.reads("Verified purchase").await;
        page.reads("Change your review").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_and_a_card_that_asks_its_holder_pay() {
    with_stage(async |stage| {
        let (page, product) = (stage.browser, stage.product("Kanga").await);
        stage.sign_in("juma").await;
        order(stage, product, "mpesa").await;
        page.fill("input[name=phone_number]", "0712345632").await;
        page.press("Pay").await;
        page.reads("Look at your phone").await;
        page.reads("The payment was declined.").await;
        page.fill("input[name=phone_number]", "0712345678").await;
        page.press("Pay").await;
        page.reads("Thank you, it is paid.").await;
        assert_eq!(shown(stage).await["payment_status"], "paid");

        order(stage, product, "card").await;
        pay_by_card(stage, "4000000000003184").await;
        page.until(&format!("location.href.startsWith('{}/authorize/')", stage.sandbox)).await;
        page.press("Approve").await;
        page.until("location.pathname.startsWith('/orders/')").await;
        page.reads("Thank you, it is paid.").await;

        // An order that is not wanted any more gives its pieces back.
        order(stage, product, "card").await;
        page.press("Cancel the order").await;
        page.click("dialog .danger").await;
        page.until("document.querySelector('.order-head .badge.bad')?.innerText === 'Cancelled'").await;
        assert_eq!(shown(stage).await["status"], "cancelled");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_are_kept_and_a_session_outlives_its_page() {
    with_stage(async |stage| {
        let (page, product) = (stage.browser, stage.product("Kiondo basket").await);
        stage.sign_in("zawadi").await;
        page.open(&format!("/product/{product}")).await;
        page.press("Add Kiondo basket to wishlist").await;
        page.reads("On your wishlist").await;
        // A new page has no access token, and gets one.
        page.open("/wishlist").await;
        page.until("document.querySelector('.card h3')?.innerText === 'Kiondo basket'").await;
        page.press("Remove Kiondo basket from wishlist").await;
        page.reads("Nothing on it yet").await;
        page.open("/account").await;
        page.fill("input[name=first_name]", "Zawadi").await;
        page.press("Save").await;
        page.reads("Your details are saved.").await;
        page.press("Sign out").await;
        page.reads("to see your account").await;
        assert_eq!(page.value("localStorage.getItem('duka.refresh')").await, Value::Null);
    })
    .await;
}
