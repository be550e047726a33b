//! What a page weighs on its way.

use serde_json::json;

use crate::stage::with_stage;

/// Bytes of a page without pictures, as they are sent.
const MOST: u64 = 200_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_light() {
    with_stage(async |stage| {
        let page = stage.browser;
        page.devtools("Network.enable", json!({})).await;
        page.devtools("Network.setCacheDisabled", json!({"cacheDisabled": true})).await;
        for (path, is_there) in [
            ("/", "document.querySelectorAll('.card h3 a').length > 11"),
            ("/search?q=headphones", "document.querySelector('.card a')"),
            ("/product/5", "document.querySelector('.offer h1')"),
            ("/admin/", "document.querySelector('main')"),
        ] {
            page.open(path).await;
            page.until(is_there).await;
            let all = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]";
            let sent = page.value(&format!("{all}.filter((e) => e.initiatorType !== 'img').map((e) => e.encodedBodySize)")).await;
            let sent: Vec<u64> = sent.as_array().unwrap().iter().filter_map(serde_json::Value::as_u64).collect();
            let (files, bytes) = (sent.len(), sent.iter().sum::<u64>());
            println!("{path}: {bytes} bytes in {files} answers");
            assert!(files > 10 && bytes > 10_000, "{path} was not measured: {sent:?}");
            assert!(bytes < MOST, "{path} weighs {bytes}");
            let elsewhere = page.value(&format!("{all}.map((e) => new URL(e.name).origin).filter((o) => o !== location.origin)")).await;
            assert_eq!(elsewhere, json!([]), "{path} loads from elsewhere");
        }
    })
    .await;
}
