//! Everything without a pointer.

use crate::{browser::Browser, driver::key, stage::with_stage};

/// Goes on by Tab until this has the focus; what has it must be seen to.
async fn tab_to(page: &Browser, name: &str) {
    for _ in 0..90 {
        page.keys(key::TAB).await;
        // Beyond the last stop the browser's own bar has the focus, and the page begins anew.
        if page.value("document.activeElement === document.body").await == serde_json::json!(true) {
            continue;
        }
        let outline = page.value("getComputedStyle(document.activeElement).outlineStyle !== 'none' || \
            document.activeElement.matches('.card a, .variant input, .choice input, .rate input, .range input')").await;
        let focused = page.focused().await;
        assert_eq!(outline, serde_json::json!(true), "{focused} has the focus and does not show it");
        if focused.starts_with(name) {
            return;
        }
    }
    panic!("{name} is not reached by Tab");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_is_filled_by_keys_alone() {
    with_stage(async |stage| {
        let page = stage.browser;
        stage.product("Lamu lantern").await;
        stage.sign_in("baraka").await;
        page.open("/").await;
        page.sees(".department-name").await;

        // The first stop leads past the head.
        page.keys(key::TAB).await;
        assert_eq!(page.focused().await, "To the content");
        page.keys(key::ENTER).await;
        page.until("document.activeElement.id === 'main'").await;

        // The slash leads to the search, the arrows through what it suggests.
        page.keys("/").await;
        page.until("document.activeElement.type === 'search'").await;
        page.keys("lamu lan").await;
        page.until("[...document.querySelectorAll('.suggestion')].some((e) => e.innerText.includes('Lamu lantern'))").await;
        let steps = page
            .value("1 + [...document.querySelectorAll('.suggestion')].findIndex((e) => e.querySelector('.suggestion-picture'))")
            .await;
        for _ in 0..steps.as_u64().unwrap() {
            page.keys(key::DOWN).await;
        }
        page.until("document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.innerText.includes('Lamu lantern')").await;
        page.keys(key::ENTER).await;
        page.until("document.querySelector('.offer h1')?.innerText === 'Lamu lantern'").await;
        page.until("document.activeElement.id === 'main'").await;

        tab_to(page, "Increase quantity").await;
        page.keys(key::SPACE).await;
        page.until("document.querySelector('.offer output').innerText === '2'").await;
        tab_to(page, "Add to cart").await;
        page.keys(key::ENTER).await;

        // The drawer keeps the focus within itself, and gives it back.
        page.until("document.querySelector('dialog[open] .line')").await;
        for _ in 0..12 {
            page.keys(key::TAB).await;
            // Beyond its last stop a browser leads through its own bar, which is the page's body to scripts.
            let within = page.value("document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))").await;
            assert_eq!(within, serde_json::json!(true), "{} is behind the drawer", page.focused().await);
        }
        page.keys(key::ESCAPE).await;
        page.until("!document.querySelector('dialog')").await;
        page.until("document.activeElement.innerText?.includes('Add to cart')").await;

        // Filters and sorts.
        page.open("/search").await;
        page.sees(".card a").await;
        tab_to(page, "Lowest price").await;
        page.keys(key::RIGHT).await;
        page.until("location.search.includes('price_min=')").await;
        tab_to(page, "Find in brand").await;
        page.keys(key::TAB).await;
        page.keys(key::SPACE).await;
        page.until("location.search.includes('brand=')").await;
        page.until("document.activeElement.type === 'checkbox' && document.activeElement.checked").await;
        tab_to(page, "Remove the filter").await;
        page.keys(key::ENTER).await;
        page.until("!location.search.includes('price_min=')").await;
    })
    .await;
}
