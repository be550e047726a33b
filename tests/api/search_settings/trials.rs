//! The search's settings, tried out: what a text would find under them.

use serde_json::{Value, json};

use super::{put, rows, settings};
use crate::support::{TestShop, User, with_shop};

/// What a text finds: now, and under these settings.
async fn tried(shop: &TestShop, admin: &User, q: &str, settings: &Value) -> Value {
    let trial = json!({"q": q, "page_size": 2, "settings": settings});
    shop.post_as(admin, "/api/admin/search-settings/preview/", trial).await.expect(200).json
}

#[tokio::test]
async fn settings_are_tried_out_without_holding() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (set, _) = shop.shelve(&admin, "Television", "99.00", 1).await;
        shop.shelve(&admin, "Radio", "9.00", 1).await;
        shop.settled().await;

        let found = tried(shop, &admin, "tv", &settings("tv")).await;
        assert_eq!(found["before"], json!({"count": 0, "corrected_query": null, "results": []}));
        assert_eq!((&found["after"]["count"], &found["after"]["results"][0]["id"]), (&json!(1), &json!(set)));
        assert_eq!(found["after"]["results"][0]["effective_price"], "99.00");
        // It held for that answer alone, and left nothing.
        assert_eq!(shop.get("/api/product/?q=tv").await.expect(200).json["count"], 0);
        assert_eq!((rows(shop).await, shop.shop.app.indexing.tuning().version), (0, 0));

        // What holds is what is before.
        let written = put(shop, &admin, &settings("tv")).await.expect(200);
        shop.indexed(&written).await;
        let found = tried(shop, &admin, "tv", &settings("telly")).await;
        assert_eq!((&found["before"]["count"], &found["after"]["count"]), (&json!(1), &json!(0)));
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_trial_is_told_where_it_stands() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let mut wrong = settings("tv");
        wrong["synonyms"][1]["to"] = json!([]);
        wrong["weights"]["name"] = json!(-1);
        let trial = json!({"q": " ", "page_size": 101, "settings": wrong, "page": 2});
        let refused = shop.post_as(&admin, "/api/admin/search-settings/preview/", trial).await.expect(422);
        let mut faults = refused.faults();
        faults.sort_unstable();
        assert_eq!(
            faults,
            ["/page", "/page_size", "/q", "/settings/synonyms/1/to", "/settings/weights/name"]
        );
    })
    .await;
}
