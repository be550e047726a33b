//! The console: who may enter, how the index is looked after, how the search is tuned.

use duka::auth::Role;
use serde_json::json;

use crate::{
    stage::{Stage, with_stage},
    support::{PASSWORD, User},
};

/// Makes a user of this role, who signs in at the console's door.
pub async fn enter(stage: &Stage<'_>, name: &str, role: Role) -> User {
    let (page, user) = (stage.browser, stage.shop.user(name, role).await);
    page.open("/admin/").await;
    page.fill("input[name=username]", name).await;
    page.fill("input[name=password]", PASSWORD).await;
    page.click("main button[type=submit]").await;
    page.until("!document.querySelector('input[name=password]')").await;
    user
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_opens_for_whom_it_is_meant() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.expect("401 (Unauthorized)");
        page.open("/admin/").await;
        page.fill("input[name=username]", "nobody").await;
        page.fill("input[name=password]", "not the password").await;
        page.click("main button[type=submit]").await;
        page.sees("[role=alert]").await;
        page.demand_accessible("a refusal at the door").await;

        enter(stage, "buyer", Role::Customer).await;
        page.reads("Not for this account").await;
        page.demand_accessible("the refusal of a customer").await;
        page.press("Use another account").await;

        // A vendor has what is theirs, and is told what is not.
        let vendor = enter(stage, "seller", Role::Vendor).await;
        stage.shop.shelve(&vendor, "SISAL-BASKET", "12.00", 3).await;
        stage.shop.settled().await;
        page.reads("Administrators only").await;
        page.press("To your products").await;
        page.until("[...document.querySelectorAll('tbody tr')].map((e) => e.innerText.split('\\n')[0].trim()).join() === 'SISAL-BASKET'").await;
        assert_eq!(page.value("document.querySelectorAll('.side .places-group a').length").await, json!(2));
        page.press("Sign out").await;

        enter(stage, "boss", Role::Admin).await;
        page.reads("Overview").await;
        // A new page has no access token, and gets one.
        page.open("/admin/users").await;
        page.until("document.querySelectorAll('tbody tr').length >= 4").await;
        page.fill(".filters input[type=search]", "sell").await;
        page.until("document.querySelectorAll('tbody tr').length === 1 && location.search === '?search=sell'").await;
        page.press("seller").await;
        page.until("document.querySelector('select[name=role]')?.value === 'vendor'").await;
        page.value("(() => { const e = document.querySelector('select[name=role]'); e.value = 'admin'; e.dispatchEvent(new Event('change', {bubbles: true})); })()").await;
        page.press("Save").await;
        page.press("Make an administrator").await;
        page.until("document.querySelector('.sheet-head .badge')?.innerText === 'Admin'").await;
        let now = stage.shop.get_as(&stage.admin, &format!("/api/users/{}/", vendor.id)).await.expect(200);
        assert_eq!(now.json["role"], "admin");
        page.open("/admin/audit?entity=user").await;
        page.until("document.querySelector('tbody tr del')?.innerText === 'vendor' && document.querySelector('tbody tr ins').innerText === 'admin'").await;
        page.until("document.querySelector('tbody tr').innerText.includes('boss')").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_is_built_anew_compared_and_gone_back_from() {
    with_stage(async |stage| {
        let page = stage.browser;
        enter(stage, "boss", Role::Admin).await;
        let documents = stage.shop.get_as(&stage.admin, "/api/admin/index/").await.expect(200).json["documents"].clone();
        page.until(&format!("document.querySelector('.tile strong')?.innerText === '{documents}'")).await;

        // Every state that is shown on the way, as it is shown.
        page.value("window.states = new Set(), new MutationObserver(() => { const now = document.querySelector('.job .badge')?.innerText; \
                    if (now) states.add(now + ' ' + document.querySelector('progress').value); })\
                    .observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true})").await;
        page.press("Reindex now").await;
        page.until("document.querySelector('.job .badge')?.innerText === 'Succeeded'").await;
        page.reads(&format!("{documents} of {documents} documents")).await;
        let states = page.value("[...states].join()").await;
        assert!(states.as_str().unwrap().contains("Running"), "it was followed, not just waited for: {states}");
        let streamed = "performance.getEntriesByType('resource').some((e) => e.name.endsWith('/events/'))";
        assert_eq!(page.value(streamed).await, json!(true), "its events are heard, not asked for");
        let job = page.value("document.querySelector('.job-line').innerText.match(/Job (\\d+)/)[1]").await;
        let job = stage.shop.get_as(&stage.admin, &format!("/api/admin/reindex/{}/", job.as_str().unwrap())).await.expect(200);
        assert_eq!(job.json["status"], "succeeded");

        page.press("Verify now").await;
        page.reads("index and database agree").await;
        page.reads(&format!("{documents} documents compared")).await;
        page.press("Go back to the one before").await;
        page.press("Go back").await;
        page.reads("The index before answers again.").await;

        // Who opens the page later is shown the last one.
        page.open("/admin/").await;
        page.until("document.querySelector('.job .badge')?.innerText === 'Succeeded'").await;
        // What is plotted is what was measured.
        for _ in 0..20 {
            stage.shop.get("/api/product/?q=lamp").await.expect(200);
        }
        page.until("/\\d .?s now/.test(document.querySelector('.plot svg').ariaLabel) && document.querySelectorAll('.plot path.line')[1].getAttribute('d').includes('L')").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reindex_of_somebody_else_is_shown_and_can_be_stopped() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.expect("409 (Conflict)");
        // One that waits for a process that does not come: it stays as it is for as long as it is looked at.
        let job: i64 = sqlx::query_scalar("insert into job (kind, node_id, heartbeat_at) values ('reindex', 'elsewhere', now() + interval '1 hour') returning id")
            .fetch_one(&stage.shop.db).await.unwrap();
        enter(stage, "boss", Role::Admin).await;
        page.until("document.querySelector('.job .badge')").await;
        page.reads(&format!("Job {job}")).await;
        page.press("Cancel").await;
        page.reads("It stops at the next opportunity.").await;
        let asked: bool = sqlx::query_scalar("select cancel_requested_at is not null from job where id = $1").bind(job).fetch_one(&stage.shop.db).await.unwrap();
        assert!(asked);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_of_the_settings_is_tried_before_it_holds() {
    with_stage(async |stage| {
        let (page, product) = (stage.browser, stage.product("Karibu welcome mat").await);
        enter(stage, "boss", Role::Admin).await;
        page.press("Search").await;
        page.fill(".preview input[type=search]", "tapis").await;
        page.until("document.querySelectorAll('.before-after section').length === 2").await;
        let found = "(side) => [...document.querySelectorAll('.before-after section')[side].querySelectorAll('.found a')].map((e) => e.innerText.trim())";
        let name = "Karibu welcome mat";
        page.until(&format!("!({found})(1).includes('{name}')")).await;

        page.press("Add").await;
        page.fill(".rules .phrases", "tapis, welcome mat").await;
        page.until(&format!("({found})(1).includes('{name}') && !({found})(0).includes('{name}')")).await;
        page.until("[...document.querySelectorAll('.before-after .badge')].some((e) => e.innerText.startsWith('new'))").await;
        page.demand_accessible("a draft of the settings").await;
        page.picture("console-draft").await;
        // Nobody else's search is other for it.
        let now = stage.shop.get("/api/product/?q=tapis").await.expect(200);
        assert!(!now.text.contains(name), "{}", now.text);

        page.press("Apply").await;
        page.reads("Every search is answered under these settings now.").await;
        page.reads("Version 1").await;
        stage.shop.settled().await;
        let now = stage.shop.get("/api/product/?q=tapis").await.expect(200);
        assert_eq!(now.json["results"][0]["id"], json!(product));

        // What cannot be is told where it stands; what somebody else has set is not written over.
        page.expect("422 (Unprocessable");
        page.expect("412 (Precondition Failed)");
        page.fill(".rules .phrases", "one").await;
        page.press("Apply").await;
        page.sees(".rules .fault").await;
        page.fill(".rules .phrases", "tapis, rug").await;
        let path = "/api/admin/search-settings/";
        let mut theirs = stage.shop.get_as(&stage.admin, path).await.expect(200).json;
        for name in ["version", "updated_at", "rebuild_needed"] {
            theirs.as_object_mut().unwrap().remove(name);
        }
        theirs["stop_words"] = json!(["the"]);
        stage.shop.send(stage.shop.request(reqwest::Method::PUT, path).bearer_auth(&stage.admin.access).json(&theirs)).await.expect(200);
        page.press("Apply").await;
        page.reads("Somebody else has set them").await;
        page.press("Take theirs").await;
        page.until("document.querySelector('textarea').value === 'the'").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_without_a_server_says_so_and_goes_on_by_itself() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.expect("net::ERR_INTERNET_DISCONNECTED");
        enter(stage, "boss", Role::Admin).await;
        page.sees(".tile strong").await;
        let reach = |is_there: bool| json!({"offline": !is_there, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        page.devtools("Network.enable", json!({})).await;
        page.devtools("Network.emulateNetworkConditions", reach(false)).await;
        page.sees(".outage").await;
        page.press("Orders").await;
        page.reads("The shop cannot be reached").await;
        page.demand_accessible("the console without a server").await;
        page.devtools("Network.emulateNetworkConditions", reach(true)).await;
        page.until("!document.querySelector('.outage') && !document.body.innerText.includes('cannot be reached')").await;
    })
    .await;
}
