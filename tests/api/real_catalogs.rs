//! Real catalogs, where they lie beside the project: nothing of them is lost, and searches equal SQL.

use std::{fs::File, io::BufReader, path::PathBuf, time::Instant};

use duka::{
    auth::Author,
    import::{
        actions::{Feed, OnError, Options, run},
        source::{Format, Source},
    },
};
use rand::{SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use crate::{
    search::{Values, compare},
    support::{TestShop, with_shop},
};

fn catalog(name: &str) -> Option<PathBuf> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name).join("products.jsonl");
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}

async fn load(shop: &TestShop, path: &PathBuf) -> u64 {
    let reader = BufReader::new(File::open(path).unwrap());
    let source = Source::open(reader, Format::Ndjson, shop.shop.app.config.currency).unwrap();
    let options = Options { on_error: OnError::Reject, dry_run: false };
    let begun = Instant::now();
    let report = run(&shop.db, Author::SHOP, Feed::start(source), options, &CancellationToken::new(), |_| ())
        .await
        .unwrap();
    println!("{}: {} rows in {:?}", path.display(), report.rows, begun.elapsed());
    assert_eq!((report.refused, report.kept), (0, true));
    shop.settled().await;
    report.created
}

#[tokio::test]
async fn laptops_by_hp_under_500_equal_sql() {
    let Some(path) = catalog("icecat") else { return };
    with_shop(async |shop| {
        assert_eq!(load(shop, &path).await, 19_406);
        let query = "/api/product/?q=laptop&brand=HP&price_max=500&sort=price";
        let answer = shop.get(query).await.expect(200).json;
        // Every field that is searched, as one text; a boolean attribute is searched by its name.
        let expected: i64 = sqlx::query_scalar(
            "select count(*) from product p join variant v on v.product_id = p.id
             where p.brand = 'HP' and v.price <= 500
               and concat_ws(' ', p.name, p.brand, p.sku, p.description, v.variant_name,
                       (select string_agg(case when a.value = 'true' then a.key else a.value end, ' ')
                        from jsonb_each_text(p.attributes) a)) ~* '(^|[^[:alnum:]])laptop'",
        )
        .fetch_one(&shop.db)
        .await
        .unwrap();
        assert!(expected > 0);
        assert_eq!(answer["count"], expected);
        let prices: Vec<f64> = answer["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["effective_price"].as_str().unwrap().parse().unwrap())
            .collect();
        assert!(prices.is_sorted() && prices.iter().all(|price| *price <= 500.0), "{prices:?}");

        let values = Values::of(shop).await;
        let dice = &mut StdRng::seed_from_u64(2);
        for _ in 0..60 {
            compare(shop, &values, dice).await;
        }
    })
    .await;
}

#[tokio::test]
async fn beauty_and_groceries_load_whole() {
    for (name, rows) in [("sephora", 5_504), ("bigbasket", 6_079)] {
        let Some(path) = catalog(name) else { return };
        with_shop(async |shop| {
            assert_eq!(load(shop, &path).await, rows);
            assert_eq!(shop.get("/api/product/?page_size=1").await.json["count"], rows);
            let values = Values::of(shop).await;
            let dice = &mut StdRng::seed_from_u64(3);
            for _ in 0..30 {
                compare(shop, &values, dice).await;
            }
        })
        .await;
    }
}
