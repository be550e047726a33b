//! What the pages look like: to whom axe-core speaks for, on phone and desk, in light and dark, and without jumping.

use serde_json::json;

use crate::stage::{Stage, with_stage};

/// Widths of a phone, a tablet and a desk.
const WIDTHS: [u32; 3] = [390, 768, 1440];
/// How much of a page may move while it comes, as browsers score it; 0.1 counts as good.
const JUMPS: f64 = 0.02;

/// Looks at a page that is open in both themes and all widths.
pub async fn look(stage: &Stage<'_>, name: &str, path: &str, is_there: &str) {
    let page = stage.browser;
    page.view(1440, "light").await;
    page.open(path).await;
    page.until(is_there).await;
    for theme in ["light", "dark"] {
        for width in WIDTHS {
            page.view(width, theme).await;
            page.until(is_there).await;
            let wide = page.value("document.documentElement.scrollWidth - innerWidth").await;
            assert!(wide.as_i64() <= Some(0), "{name} is {wide} too wide for {width}");
            if width != 768 {
                page.demand_accessible(&format!("{name} at {width} in {theme}")).await;
            }
            page.picture(&format!("{name}-{width}-{theme}")).await;
        }
    }
    page.demand_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_use_the_pages_that_are_open_to_all() {
    with_stage(async |stage| {
        let page = stage.browser;
        // A page that is not there is answered so.
        page.expect("404 (Not Found)");
        look(stage, "home", "/", "document.querySelectorAll('.card h3 a').length > 11 && document.querySelector('.department-name')").await;
        look(stage, "search", "/search?q=headfones&in_stock=true", "document.querySelector('.card a') && document.querySelectorAll('.facet').length > 4").await;
        let found = stage.shop.get("/api/product/?q=headphones&in_stock=true&sort=price&facets=none").await.expect(200);
        let many = found.json["results"].as_array().unwrap().iter().find(|p| p["variant_count"].as_u64() > Some(1));
        let id = many.unwrap_or(&found.json["results"][0])["id"].clone();
        look(stage, "product", &format!("/product/{id}"), "document.querySelector('.offer h1') && document.querySelector('.shelf .card a')").await;
        look(stage, "empty", "/search?q=zzzzqqqq", "document.querySelector('.empty h2')").await;
        look(stage, "sign-in", "/account", "document.querySelector('input[name=password]')").await;
        look(stage, "nowhere", "/no/such/page", "document.querySelector('.empty h1')").await;

        // What opens over a page.
        page.view(390, "light").await;
        page.open("/search?q=headphones").await;
        page.press("Filters").await;
        page.sees("dialog[open] .facet").await;
        page.demand_accessible("filters on a phone").await;
        page.picture("filters-390-light").await;
        page.view(1440, "light").await;
        page.open("/").await;
        page.fill("input[type=search]", "head").await;
        page.sees(".suggestion").await;
        page.demand_accessible("suggestions").await;
        page.picture("suggestions-1440-light").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_use_the_pages_that_are_one_s_own() {
    with_stage(async |stage| {
        let (page, product) = (stage.browser, stage.product("Kikoy beach towel").await);
        let user = stage.sign_in("neema").await;
        let variants = stage.shop.get(&format!("/api/variant/?product_id={product}")).await.expect(200);
        let variant = variants.json["results"][0]["id"].clone();
        let add = json!({"variant_id": variant, "quantity": 2});
        let address = json!({"street": "Moi Avenue 1", "city": "Nairobi", "country": "Kenya"});
        let address = stage.shop.post_as(&user, "/api/address/", address).await.expect(201).id();
        stage.shop.post_as(&user, "/api/cart/add/", add.clone()).await.expect(201);
        stage.shop.post_as(&user, "/api/wishlist/add/", json!({"product_id": product})).await.expect(201);
        let order = json!({"address_id": address, "payment_method": "card"});
        let order = stage.shop.post_as(&user, "/api/order/", order).await.expect(201).id();
        stage.shop.post_as(&user, "/api/cart/add/", add).await.expect(201);

        look(stage, "account", "/account", "document.querySelector('.addresses li')").await;
        look(stage, "wishlist", "/wishlist", "document.querySelector('.card a')").await;
        look(stage, "orders", "/orders", "document.querySelector('.order')").await;
        look(stage, "pay", &format!("/orders/{order}"), "document.querySelector('input[name=number]')").await;
        look(
            stage,
            "checkout",
            "/checkout",
            "document.querySelector('.choice input') && document.querySelector('.sum-lines li')",
        )
        .await;
        page.press("Cart").await;
        page.sees("dialog[open] .line").await;
        page.demand_accessible("the cart").await;
        page.picture("cart-1440-dark").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_jumps_while_a_page_comes() {
    with_stage(async |stage| {
        let page = stage.browser;
        let script = "window.jumps = []; new PerformanceObserver((list) => { for (const one of list.getEntries()) if \
                      (!one.hadRecentInput) jumps.push([one.value, ...one.sources.map((s) => s.node?.className ?? s.node?.nodeName)]); \
                      }).observe({type: 'layout-shift', buffered: true});";
        let script = json!({"source": script});
        page.devtools("Page.addScriptToEvaluateOnNewDocument", script).await;
        // Slow enough that what is there first and what comes later are seen apart.
        let slow = json!({"offline": false, "latency": 120, "downloadThroughput": 400_000, "uploadThroughput": 400_000});
        page.devtools("Network.enable", json!({})).await;
        page.devtools("Network.emulateNetworkConditions", slow).await;
        for width in [390, 1440] {
            page.view(width, "light").await;
            for (path, is_there) in [
                ("/", "document.querySelectorAll('.card h3 a').length > 11"),
                ("/search?q=headphones", "document.querySelector('.card a') && document.querySelectorAll('.facet').length > 5"),
                ("/product/5", "document.querySelector('.offer h1') && document.querySelector('.shelf .card a')"),
            ] {
                page.open(path).await;
                page.until(is_there).await;
                tokio::time::sleep(std::time::Duration::from_millis(600)).await;
                let jumps = page.value("window.jumps").await;
                let sum: f64 = jumps.as_array().unwrap().iter().filter_map(|jump| jump[0].as_f64()).sum();
                println!("{path} at {width}: {:.4} of it moves", sum.abs());
                assert!(sum < JUMPS, "{path} at {width} jumps by {sum}: {jumps}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_passes_through_other_colours_where_motion_is_unwanted() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.view(1440, "light").await;
        page.open("/").await;
        page.until("document.querySelectorAll('.card h3 a').length > 11").await;
        page.run("window.passing = 0; document.addEventListener('transitionrun', () => { passing += 1; })")
            .await;
        let ground = page.value("getComputedStyle(document.body).backgroundColor").await;
        page.view(1440, "dark").await;
        page.until(&format!("getComputedStyle(document.body).backgroundColor !== {ground}")).await;
        // Two frames: what has begun with the first is told by the second.
        let frames = "const done = arguments[arguments.length - 1]; \
                      requestAnimationFrame(() => requestAnimationFrame(() => done(null)));";
        page.run_until_done(frames, serde_json::Value::Null).await;
        assert_eq!(page.value("window.passing").await, json!(0), "transitions have run");
    })
    .await;
}
