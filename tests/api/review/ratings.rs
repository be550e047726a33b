//! Ratings: what the search makes of reviews, whoever writes at once.

use duka::indexing::verify;
use futures_util::future::join_all;

use super::*;

/// What a search that has seen the write shows of a product: the rating, the number of reviews, whether it is found
/// with at least `stars`, and the facet.
async fn shown(shop: &TestShop, write: &Answer, product: i64, stars: u8) -> (Value, Value, bool, Value) {
    let version = write.header("x-catalog-version");
    assert!(!version.is_empty(), "a review's write is the catalog's too");
    shop.indexed(write).await;
    let all = shop.get(&format!("/api/product/?facets=rating&min_version={version}")).await.expect(200).json;
    let one = all["results"].as_array().unwrap().iter().find(|one| one["id"] == product).unwrap();
    let query = format!("/api/product/?rating_min={stars}&facets=none&min_version={version}");
    let found = ids(&shop.get(&query).await.expect(200)).contains(&product);
    let facet = all["facets"]["rating"].as_array().unwrap().iter();
    let facet = facet.map(|count| (count["from"].to_string(), count["count"].clone())).collect();
    (one["rating"].clone(), one["review_count"].clone(), found, Value::Object(facet))
}

#[tokio::test]
async fn search_follows_a_review_from_its_beginning_to_its_end() {
    with_products(async |shop, admin, ada, [one, _]| {
        let made = shop.post_as(ada, "/api/review/", review(one, 5)).await.expect(201);
        let facet = |four: i64, rest: i64| json!({"4": four, "3": rest, "2": rest, "1": rest});
        assert_eq!(shown(shop, &made, one, 5).await, (json!(5.0), json!(1), true, facet(1, 1)));

        let other = shop.post_as(admin, "/api/review/", review(one, 2)).await.expect(201);
        assert_eq!(shown(shop, &other, one, 4).await, (json!(3.5), json!(2), false, facet(0, 1)));

        let path = format!("/api/review/{}/", made.id());
        let changed = shop.patch_as(ada, &path, json!({"rating": 1})).await.expect(200);
        assert_eq!(
            shown(shop, &changed, one, 2).await,
            (json!(1.5), json!(2), false, json!({"4": 0, "3": 0, "2": 0, "1": 1}))
        );
        let detail = shop.get(&format!("/api/product/{one}/")).await.expect(200).json;
        assert_eq!((&detail["rating"], &detail["review_count"]), (&json!(1.5), &json!(2)));

        // The words alone change nothing of the product.
        let said = shop.patch_as(ada, &path, json!({"comment": "Broke."})).await.expect(200);
        assert_eq!(shown(shop, &said, one, 1).await.0, json!(1.5));
        let gone = shop.delete_as(ada, &path).await.expect(204);
        assert_eq!(
            shown(shop, &gone, one, 2).await,
            (json!(2.0), json!(1), true, json!({"4": 0, "3": 0, "2": 1, "1": 1}))
        );
        let moderated = shop.delete_as(admin, &format!("/api/review/{}/", other.id())).await.expect(204);
        assert_eq!(shown(shop, &moderated, one, 1).await, (Value::Null, json!(0), false, facet(0, 0)));

        shop.settled().await;
        let engine = verify::open(shop.data_dir.path()).await.unwrap();
        let report = verify::verify(&shop.db, engine, |_, _| {}).await.unwrap();
        assert!(report.is_clean() && report.pending == 0, "{report:?}");
    })
    .await;
}

#[tokio::test]
async fn of_many_reviews_at_once_one_is_written() {
    with_products(async |shop, _, ada, [one, _]| {
        let racing = (0..64)
            .map(async |n| shop.insist(ada, Method::POST, "/api/review/", &review(one, n % 5 + 1)).await);
        let answers = join_all(racing).await;
        let of = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((of(201), of(409)), (1, 63));
        let won = answers.iter().find(|answer| answer.status == 201).unwrap();
        let (rating, count, ..) = shown(shop, won, one, 1).await;
        assert_eq!((rating.as_f64(), count), (won.json["rating"].as_f64(), json!(1)));
    })
    .await;
}

#[tokio::test]
async fn ratings_add_up_whoever_writes_at_once() {
    with_products(async |shop, admin, ada, [one, two]| {
        let mut users = vec![admin.clone(), ada.clone()];
        for n in 0..8 {
            users.push(shop.user(&format!("user-{n}"), Role::Customer).await);
        }
        let writing = users.iter().enumerate().map(async |(n, user)| {
            // Half of them take the products the other way round.
            let products = if n % 2 == 0 { [one, two] } else { [two, one] };
            for (product, rating) in products.into_iter().zip([1, 5]) {
                let made = shop.post_as(user, "/api/review/", review(product, rating)).await.expect(201);
                let path = format!("/api/review/{}/", made.id());
                let changed = shop.patch_as(user, &path, json!({"rating": n % 5 + 1})).await.expect(200);
                match n % 4 {
                    3 => shop.delete_as(user, &path).await.expect(204),
                    _ => changed,
                };
            }
        });
        join_all(writing).await;
        let unequal: i64 = sqlx::query_scalar(
            "select count(*)
             from product p
             cross join lateral (
                 select coalesce(sum(rating), 0) as sum, count(*) from review r where r.product_id = p.id
             ) r
             where (p.rating_sum, p.rating_count) is distinct from (r.sum, r.count)",
        )
        .fetch_one(&shop.db)
        .await
        .unwrap();
        assert_eq!(unequal, 0);
        assert_eq!(shop.get("/api/review/").await.json["count"], 16);
        shop.settled().await;
        let found = shop.get("/api/product/").await.json["results"].clone();
        assert!(found.as_array().unwrap().iter().all(|product| product["review_count"] == 8), "{found}");
    })
    .await;
}
