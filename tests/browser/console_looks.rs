//! The console as it looks: to whom axe-core speaks for, on phone and desk, in light and dark, by keyboard.

use duka::auth::Role;
use serde_json::json;

use crate::{console::enter, driver::key, looks::look, stage::with_stage};

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_use_the_console() {
    with_stage(async |stage| {
        let (page, shop) = (stage.browser, stage.shop);
        look(stage, "console-door", "/admin/", "document.querySelector('input[name=password]')").await;
        let buyer = shop.user("amina", Role::Customer).await;
        let (product, variant) = shop.shelve(&stage.admin, "LESO", "30.00", 20).await;
        let address = shop.home_of(&buyer).await;
        shop.put(&buyer, variant, 1).await.expect(201);
        let order = shop.order(&buyer, address, "cash_on_delivery").await.expect(201).id();
        let parcel = json!({"carrier": "Post", "tracking_number": "KE-77", "status": "shipped"});
        shop.post_as(&stage.admin, &format!("/api/shipments/{order}/"), parcel).await.expect(201);
        page.view(1440, "light").await;
        enter(stage, "boss", Role::Admin).await;
        let rows = "document.querySelector('tbody a')";
        for (name, path, is_there) in [
            ("overview", "/admin/", "document.querySelector('.tile strong') && [...document.querySelectorAll('.plot path.line')].some((e) => e.getAttribute('d'))"),
            ("products", "/admin/products", rows),
            ("product", &format!("/admin/products/{product}"), "document.querySelector('tbody .strong') && document.querySelectorAll('option').length > 3"),
            ("product-new", "/admin/products/new", "document.querySelectorAll('option').length > 3"),
            ("discounts", "/admin/discounts", "document.querySelector('.bar.active')"),
            ("categories", "/admin/categories", rows),
            ("import", "/admin/import", "document.querySelector('.drop')"),
            ("orders", "/admin/orders", rows),
            ("order", &format!("/admin/orders/{order}"), "document.querySelector('.timeline li')"),
            ("settings", "/admin/search", "document.querySelector('.weight')"),
            ("users", "/admin/users", rows),
            ("user", &format!("/admin/users/{}", buyer.id), "document.querySelector('select[name=role]')"),
            ("audit", "/admin/audit", "document.querySelector('tbody tr strong')"),
            ("nothing", "/admin/nothing/here", "document.querySelector('.blank')"),
        ] {
            look(stage, &format!("console-{name}"), path, is_there).await;
        }
        page.view(390, "dark").await;
        page.press("Menu").await;
        page.sees("dialog[open] .places").await;
        page.demand_accessible("the menu on a phone").await;
        page.picture("console-menu-390-dark").await;
        page.click("dialog[open] a[href='/admin/orders']").await;
        page.until("location.pathname === '/admin/orders' && !document.querySelector('dialog')").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyboard_is_enough() {
    with_stage(async |stage| {
        let page = stage.browser;
        enter(stage, "boss", Role::Admin).await;
        page.open("/admin/").await;
        page.sees(".tile strong").await;
        page.keys(key::TAB).await;
        assert_eq!(page.focused().await, "To the content");
        page.keys(key::ENTER).await;
        // From the content on: the first that can be operated there is the reindex.
        for _ in 0..3 {
            if page.focused().await == "Reindex now" {
                break;
            }
            page.keys(key::TAB).await;
        }
        assert_eq!(page.focused().await, "Reindex now");
        page.keys(key::ENTER).await;
        page.until("document.querySelector('.job .badge')?.innerText === 'Succeeded'").await;
        // A dialog keeps the focus, closes on Escape, and gives it back.
        page.open("/admin/discounts").await;
        page.sees(".schedule-row button").await;
        page.run("document.querySelector('.schedule-row button').focus()").await;
        let code = page.focused().await;
        let is_back = format!("document.activeElement.innerText?.trim() === {}", json!(code));
        page.keys(key::ENTER).await;
        page.sees("dialog[open]").await;
        page.keys(key::ESCAPE).await;
        page.until("!document.querySelector('dialog')").await;
        page.until(&is_back).await;
    })
    .await;
}
