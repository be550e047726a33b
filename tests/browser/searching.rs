//! Finding: as one types, by filters, and back again.

use crate::{driver::key, stage::with_stage};
use serde_json::json;

/// How many products are shown as found, once the page shows them for this address.
const FOUND: &str = "Number(/([\\d,]+) products?/.exec(document.querySelector('.results-count')?.innerText)?.[1].replace(',', ''))";
/// Nothing is under way.
const SETTLED: &str = "!document.querySelector('.cards[aria-busy]') && document.querySelector('.card a')";

#[tokio::test(flavor = "multi_thread")]
async fn typing_finds_filters_narrow_and_back_leads_back() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.open("/").await;
        page.sees(".department-name").await;
        page.fill("input[type=search]", "headp").await;
        page.sees(".suggestion").await;
        page.fill("input[type=search]", "headfones").await;
        page.keys(key::ENTER).await;
        page.reads("Results for “headphones”").await;
        page.reads("Nothing is called “headfones”").await;
        page.until(SETTLED).await;
        assert!(
            page.value("document.querySelectorAll('.card mark').length").await.as_u64() > Some(0),
            "nothing is marked"
        );
        let all = page.value(FOUND).await;
        let asked = stage.shop.get("/api/product/?q=headfones").await.expect(200);
        assert_eq!(all, asked.json["count"]);

        // A brand, by its box: as many as the box says.
        let brand = page.value("document.querySelector('.results-side .tick-name').innerText").await;
        let promised =
            page.value("Number(document.querySelector('.results-side .ticks .number').innerText)").await;
        page.press(brand.as_str().unwrap()).await;
        page.until(&format!("{FOUND} === {promised}")).await;
        page.until("location.search.includes('brand=')").await;
        page.until(&format!("document.querySelector('.chip').innerText.includes({brand})")).await;
        page.until(SETTLED).await;
        page.until(&format!(
            "[...document.querySelectorAll('.card-brand')].every((e) => e.innerText === {brand})"
        ))
        .await;

        // In stock and a least price as well, then back, step by step.
        page.press("In stock").await;
        page.until("location.search.includes('in_stock=true')").await;
        page.fill(".range-ends label:first-child input", "20").await;
        page.keys(key::ENTER).await;
        page.until("location.search.includes('price_min=20')").await;
        page.back().await;
        page.until("!location.search.includes('price_min') && location.search.includes('in_stock=true')")
            .await;
        page.back().await;
        page.back().await;
        page.until(&format!("!document.querySelector('.chip') && {FOUND} === {all}")).await;
        page.forward().await;
        page.until(&format!("{FOUND} === {promised}")).await;

        // Whoever is sent the address sees the same.
        let address = page.value("location.pathname + location.search").await;
        page.open(address.as_str().unwrap()).await;
        page.until(&format!(
            "{FOUND} === {promised} && document.querySelector('.chip').innerText.includes({brand})"
        ))
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_turn_and_back_leads_to_where_one_was() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.open("/search?sort=name").await;
        page.until(SETTLED).await;
        page.press("Page 2").await;
        page.until("location.search.includes('page=2')").await;
        page.until(SETTLED).await;
        let second = page.value("document.querySelector('.card h3').innerText").await;
        page.run("scrollTo(0, 700)").await;
        page.until("scrollY === 700").await;
        // Not by a click of the driver, which would scroll to what it clicks.
        let follow = "document.querySelector('.cards li:nth-child(9) h3 a').click()";
        page.run(follow).await;
        page.sees(".offer h1").await;
        page.until("scrollY === 0").await;
        page.back().await;
        page.until(&format!("document.querySelector('.card h3')?.innerText === {second}")).await;
        page.until("scrollY === 700").await;

        // A category, its child, and the tree's way up.
        page.open("/search").await;
        page.until("document.querySelectorAll('.results-side .tree a').length > 3").await;
        page.click(".results-side .tree a").await;
        page.until("document.querySelector('.results-side .tree a.here')").await;
        page.until("document.querySelectorAll('.results-side .tree li[style*=\"--depth: 1\"]').length > 0")
            .await;
        let name = page.value("document.querySelector('.results-side .tree a.here span').innerText").await;
        page.until(&format!("document.querySelector('h1').innerText === {name}")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_found_at_once() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.open("/search?q=lamp").await;
        page.until(SETTLED).await;
        let mut taken = Vec::new();
        // From the key to the drawn answer: two frames after the heading names what was typed.
        let script = "const [text, done] = [arguments[0], arguments[arguments.length - 1]]; const field = document.querySelector('input[type=search]'); \
            field.focus(); const before = document.querySelector('.results-count').innerText; const begun = performance.now(); \
            const look = () => document.querySelector('.results-count').innerText !== before && !document.querySelector('.cards[aria-busy]') \
                ? done(performance.now() - begun) : performance.now() - begun > 5000 ? done(-1) : requestAnimationFrame(look); \
            field.value = text; field.dispatchEvent(new InputEvent('input', {bubbles: true})); requestAnimationFrame(look);";
        for text in ["headphones", "jacket", "kettle", "coffee", "running shoes", "desk", "toy", "garden"] {
            let answer = page.run_until_done(script, json!(text)).await;
            taken.push(answer.as_f64().unwrap());
            page.until("!document.querySelector('.cards[aria-busy]')").await;
        }
        taken.sort_by(f64::total_cmp);
        println!("typed to drawn, milliseconds: {taken:.0?}");
        assert!(taken[0] > 0.0, "some text changed nothing: {taken:?}");
        // A debug build on a machine that does other things takes its time; what people run does not.
        let bound = if cfg!(debug_assertions) { 3000.0 } else { 100.0 };
        assert!(taken[taken.len() / 2] < bound, "{taken:?}");
        assert_eq!(page.value("document.activeElement.type").await, json!("search"), "the focus has left the field");
    })
    .await;
}
