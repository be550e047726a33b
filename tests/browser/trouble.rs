//! What a person sees when there is no answer.

use serde_json::json;

use crate::stage::with_stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_said_and_its_return_is_noticed() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.expect("net::ERR_INTERNET_DISCONNECTED");
        page.open("/search?q=lamp").await;
        page.sees(".card a").await;
        let reach = |is_there: bool| json!({"offline": !is_there, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        page.devtools("Network.enable", json!({})).await;
        page.devtools("Network.emulateNetworkConditions", reach(false)).await;

        // What was had stays, and says that it may be old.
        page.press("In stock").await;
        page.reads("The shop does not answer.").await;
        page.sees(".card a").await;
        page.picture("away-with-results").await;
        // Where nothing was had, the page says why it is empty.
        page.click(".card h3 a").await;
        page.reads("The shop cannot be reached").await;
        page.demand_accessible("a page without a server").await;
        page.picture("away").await;

        page.devtools("Network.emulateNetworkConditions", reach(true)).await;
        page.sees(".offer h1").await;
        page.until("!document.querySelector('.outage')").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_is_refused_says_why() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.expect("400 (Bad Request)");
        page.open("/search?price_min=cheap").await;
        page.reads("That did not work").await;
        page.until("document.querySelector('[role=alert]').innerText.includes('price_min') || document.querySelector('[role=alert]').innerText.length > 40").await;
    })
    .await;
}
