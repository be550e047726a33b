//! The console: products, discounts, and catalogs by the file.

use std::fs;

use duka::auth::Role;
use serde_json::{Value, json};

use crate::{
    console::enter,
    stage::{Stage, with_stage},
};

async fn choose(stage: &Stage<'_>, css: &str, index: usize) {
    let script = format!(
        "(() => {{ const e = document.querySelector({}); e.selectedIndex = {index}; e.dispatchEvent(new Event('input', \
         {{bubbles: true}})); e.dispatchEvent(new Event('change', {{bubbles: true}})); }})()",
        json!(css)
    );
    stage.browser.value(&script).await;
}

async fn product(stage: &Stage<'_>, id: i64) -> Value {
    stage.shop.get_as(&stage.admin, &format!("/api/product/{id}/")).await.expect(200).json
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_made_changed_and_not_written_over() {
    with_stage(async |stage| {
        let page = stage.browser;
        for refusal in ["422 (Unprocessable", "409 (Conflict)", "412 (Precondition Failed)"] {
            page.expect(refusal);
        }
        enter(stage, "boss", Role::Admin).await;
        page.press("Products").await;
        page.press("New product").await;
        page.until("document.querySelectorAll('select[name=category_id] option').length > 3").await;
        page.fill("input[name=name]", "Soapstone bowl").await;
        page.fill("input[name=sku]", "BOWL-1").await;
        page.fill("input[name=price]", "cheap").await;
        choose(stage, "select[name=category_id]", 2).await;
        page.click("main button[type=submit]").await;
        page.until("document.querySelector('input[name=price]').ariaInvalid === 'true'").await;
        // What was typed stays.
        assert_eq!(page.value("document.querySelector('input[name=name]').value").await, "Soapstone bowl");
        page.fill("input[name=price]", "18.50").await;
        page.fill("input[name=stock_quantity]", "7").await;
        page.press("Add an attribute").await;
        page.fill(".attribute-rows input:nth-child(1)", "material").await;
        page.fill(".attribute-rows input:nth-child(2)", "soapstone").await;
        page.click("main button[type=submit]").await;
        page.until("/\\/products\\/\\d+$/.test(location.pathname)").await;
        page.until("document.querySelector('h1').innerText === 'Soapstone bowl'").await;
        let id: i64 =
            page.value("location.pathname.split('/').pop()").await.as_str().unwrap().parse().unwrap();
        let made = product(stage, id).await;
        assert_eq!(
            [&made["price"], &made["stock_quantity"], &made["attributes"]],
            [&json!("18.50"), &json!(7), &json!({"material": "soapstone"})],
            "{made}"
        );

        // Only what was changed is sent.
        page.fill("input[name=brand]", "Tabaka").await;
        page.until("document.querySelector('.bar-foot .fine')?.innerText === 'Changed: brand'").await;
        page.press("Save changes").await;
        page.reads("Soapstone bowl is saved.").await;
        assert_eq!(product(stage, id).await["brand"], "Tabaka");

        // Somebody else is faster.
        let path = format!("/api/product/{id}/");
        stage.shop.patch_as(&stage.admin, &path, json!({"price": "21.00"})).await.expect(200);
        page.fill("input[name=price]", "19.00").await;
        page.press("Save changes").await;
        page.reads("This product was changed since you opened it.").await;
        page.reads("Their price: 21.00, yours: 19.00").await;
        page.demand_accessible("a conflict").await;
        page.picture("console-conflict").await;
        assert_eq!(product(stage, id).await["price"], "21.00", "nothing was written over");
        page.press("Save mine over it").await;
        page.until("!document.querySelector('.conflict')").await;
        assert_eq!(product(stage, id).await["price"], "19.00");

        // A variant of it; what is taken is told in its form.
        page.press("Add a variant").await;
        page.fill("dialog input[name=variant_name]", "Large").await;
        page.fill("dialog input[name=sku]", "BOWL-1").await;
        page.fill("dialog input[name=stock]", "2").await;
        page.click("dialog button[type=submit]").await;
        page.sees("dialog [role=alert], dialog .fault").await;
        assert_eq!(
            page.value("document.querySelector('dialog input[name=variant_name]').value").await,
            "Large"
        );
        page.fill("dialog input[name=sku]", "BOWL-1-L").await;
        page.click("dialog button[type=submit]").await;
        page.until(
            "!document.querySelector('dialog') && document.querySelectorAll('section tbody tr').length === 2",
        )
        .await;
        assert_eq!(product(stage, id).await["stock_quantity"], 9);

        // Hidden, it is found among the hidden; deleted, it is gone.
        page.click(".switch input").await;
        page.press("Save changes").await;
        page.until("document.querySelector('.sheet-head .badge').innerText === 'Hidden'").await;
        page.press("Products").await;
        page.open("/admin/products?is_active=false").await;
        page.until("document.querySelector('tbody a')?.innerText === 'Soapstone bowl'").await;
        page.press("Soapstone bowl").await;
        page.press("Delete").await;
        page.click("dialog .danger").await;
        page.until("location.pathname === '/admin/products'").await;
        stage.shop.get_as(&stage.admin, &path).await.expect(404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_category_is_made_moved_and_deleted() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.expect("409 (Conflict)");
        enter(stage, "boss", Role::Admin).await;
        page.press("Categories").await;
        page.sees("tbody tr").await;
        let first = page.value("document.querySelector('tbody a').innerText").await;
        let first = first.as_str().unwrap();
        page.press("New category").await;
        page.fill("dialog input[name=name]", "Aardvarks").await;
        page.click("dialog button[type=submit]").await;
        page.until("document.querySelector('tbody a').innerText === 'Aardvarks'").await;
        page.press("Change Aardvarks").await;
        choose(stage, "dialog select[name=parent_id]", 1).await;
        page.click("dialog button[type=submit]").await;
        page.until(&format!("document.querySelector('tbody a').innerText === {}", json!(first))).await;
        let path = "/api/category/?page_size=100";
        let all = stage.shop.get(path).await.expect(200).json["results"].clone();
        let made = all.as_array().unwrap().iter().find(|category| category["name"] == "Aardvarks");
        assert_eq!(made.unwrap()["path"], json!([first, "Aardvarks"]));

        // One that holds others stays, and says why.
        page.press(&format!("Delete {first}")).await;
        page.click("dialog .danger").await;
        page.sees(".toast").await;
        page.until(&format!("document.querySelector('tbody a').innerText === {}", json!(first))).await;
        page.press("Delete Aardvarks").await;
        page.click("dialog .danger").await;
        page.reads("Aardvarks is deleted.").await;
        page.until("![...document.querySelectorAll('tbody a')].some((e) => e.innerText === 'Aardvarks')")
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discount_has_its_place_in_time() {
    with_stage(async |stage| {
        let (page, id) = (stage.browser, stage.product("Kitenge cushion").await);
        page.expect("422 (Unprocessable");
        enter(stage, "boss", Role::Admin).await;
        page.press("Discounts").await;
        page.until("document.querySelectorAll('.schedule-row .bar.active').length === 2").await;
        page.press("New discount").await;
        page.fill("dialog input[name=code]", "CUSHIONS").await;
        choose(stage, "dialog select[name=activation]", 1).await;
        page.fill("dialog input[name=discount_value]", "150").await;
        page.click("dialog button[type=submit]").await;
        page.until("document.querySelector('dialog input[name=discount_value]').ariaInvalid === 'true'").await;
        page.fill("dialog input[name=discount_value]", "10").await;
        page.fill("dialog .linked input", "kitenge cush").await;
        page.press("Kitenge cushion").await;
        page.sees("dialog .chip").await;
        page.demand_accessible("a discount").await;
        page.click("dialog button[type=submit]").await;
        page.until("!document.querySelector('dialog')").await;
        page.until("[...document.querySelectorAll('.schedule-name')].some((e) => e.innerText.includes('CUSHIONS') && e.innerText.includes('Active') && e.innerText.includes('1 product'))").await;
        assert_eq!(product(stage, id).await["effective_price"], "22.05");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_tried_out_then_brought_in_with_its_faults_told() {
    with_stage(async |stage| {
        let page = stage.browser;
        enter(stage, "boss", Role::Admin).await;
        page.press("Import and export").await;
        let rows = [
            json!({"sku": "IMP-1", "name": "Brass bangle", "price": "9.00"}).to_string(),
            json!({"sku": "IMP-2", "name": "Bone bangle", "price": "free"}).to_string(),
            json!({"sku": "IMP-3", "name": "Horn bangle", "price": "11.00"}).to_string(),
        ];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bangles.ndjson");
        fs::write(&file, rows.join("\n")).unwrap();
        page.sees("input[type=file]").await;
        page.choose("input[type=file]", &file).await;
        page.reads("bangles.ndjson").await;
        let numbers = "[...document.querySelectorAll('.counts strong')].map((e) => e.innerText).join()";
        let there = async || stage.shop.get("/api/variant/?sku=IMP-1").await.expect(200).json["count"].clone();

        // What is good would be kept, if it were for good.
        page.press("Keep every other row").await;
        page.press("Try it out").await;
        page.until(&format!("document.querySelector('.job .badge')?.innerText === 'Succeeded' && {numbers} === '2,0,1'")).await;
        page.reads("Nothing was kept: it was tried out.").await;
        page.until("document.querySelector('.job tbody tr')?.innerText.includes('IMP-2')").await;
        page.until("document.querySelector('.job tbody tr').innerText.includes('price') && document.querySelector('.job tbody td').innerText === '2'").await;
        page.demand_accessible("a file with a faulty row").await;
        page.picture("console-import-tried").await;
        assert_eq!(there().await, 0, "nothing was kept");

        page.press("Import for good").await;
        page.sees("#part-imported").await;
        page.until(&format!("document.querySelector('.job .badge')?.innerText === 'Succeeded' && {numbers} === '2,0,1'")).await;
        assert_eq!(there().await, 1);
        page.press("Products").await;
        page.fill(".filters input[type=search]", "bangle").await;
        page.until("document.querySelectorAll('tbody tr').length === 2 && document.querySelector('tbody').innerText.includes('Horn bangle')").await;
    })
    .await;
}
