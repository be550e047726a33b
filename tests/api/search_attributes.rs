//! Attributes of any name: filtered by and counted, through REST and the graph alike; and numbers, however written.

use serde_json::{Value, json};

use crate::support::{TestShop, with_shop};

/// Each an attribute of one product, with the value `42`, but that all are `1` of a second one.
const NAMES: [&str; 12] = [
    "size,eu",
    "brand",
    "a,brand",
    "width, height",
    "screen size (\")",
    r"back\slash",
    r"ends\",
    r"both\,",
    "a=b&c",
    "100%",
    "größe 漢字",
    ",",
];

async fn stocked(shop: &TestShop) {
    let admin = shop.admin().await;
    let category = shop.category(&admin, "Things").await;
    for (sku, value) in [("A-1", "42"), ("A-2", "1")] {
        let attributes: serde_json::Map<String, Value> =
            NAMES.iter().map(|name| ((*name).to_owned(), json!(value))).collect();
        let body = json!({
            "category_id": category, "name": sku, "price": "1.00", "sku": sku, "attributes": attributes,
        });
        shop.post_as(&admin, "/api/product/", body).await.expect(201);
    }
    shop.settled().await;
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn escaped(name: &str) -> String {
    name.replace('\\', r"\\").replace(',', r"\,")
}

/// Both values, each once, the selected one or not: its own filter does not narrow a facet.
fn both() -> Value {
    json!([{"value": "1", "count": 1}, {"value": "42", "count": 1}])
}

#[tokio::test]
async fn an_attribute_of_any_name_filters_and_is_counted() {
    with_shop(async |shop| {
        stocked(shop).await;
        for name in NAMES {
            let (filter, facet) = (encoded(name), encoded(&escaped(name)));
            let path = format!("/api/product/?attr.{filter}=42&facets=rating,attr.{facet},availability");
            let page = shop.get(&path).await.expect(200).json;
            assert_eq!((&page["count"], &page["results"][0]["name"]), (&json!(1), &json!("A-1")), "{name}");
            assert_eq!(page["facets"][format!("attr.{name}")], both(), "{name}: {}", page["facets"]);
            assert_eq!(page["facets"].as_object().unwrap().len(), 3, "{name}");
            // As clients write it who do not know of backslashes: where nothing else can be meant it is understood.
            if !name.contains(['\\', ','])
                || matches!(name, "size,eu" | "width, height" | r"back\slash" | r"ends\")
            {
                let page = shop.get(&format!("/api/product/?facets=attr.{filter}")).await.expect(200).json;
                assert_eq!(page["facets"], json!({format!("attr.{name}"): both()}), "{name}");
            }
        }
        // As a Mac writes it, and with what a hand leaves at its end.
        let page =
            shop.get("/api/product/?attr.gro%CC%88%C3%9Fe%20%E6%BC%A2%E5%AD%97%20=42").await.expect(200).json;
        assert_ne!(page["count"], 0);
        shop.get("/api/product/?attr.%20=42").await.expect(400);
        let page = shop.get("/api/product/?facets=attr.size,eu,brand").await.expect(200).json;
        assert_eq!(page["facets"], json!({"attr.size,eu": both(), "brand": []}), "as it is, not encoded");
        let page = shop.get("/api/product/?facets=attr.a,brand").await.expect(200).json;
        assert_eq!(page["facets"], json!({"attr.a": [], "brand": []}), "two facets");
        for wrong in ["brand,eu", "attr.size,", "attr.size,,eu", "attr.size,attr.", "attr.size,%20brand"] {
            let refused = shop.get(&format!("/api/product/?facets={wrong}")).await.expect(400);
            assert_eq!(refused.faults(), ["facets"], "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_of_odd_attributes_lead_on() {
    with_shop(async |shop| {
        stocked(shop).await;
        let facets =
            NAMES[..9].iter().map(|name| format!("attr.{}", escaped(name))).collect::<Vec<_>>().join(",");
        let path = format!("/api/product/?page_size=1&facets={}", encoded(&facets));
        let first = shop.get(&path).await.expect(200).json;
        assert_eq!(first["facets"].as_object().unwrap().len(), 9);
        let second = shop.get(first["next"].as_str().unwrap()).await.expect(200).json;
        assert_eq!(second["facets"], first["facets"]);
        assert_ne!(second["results"][0]["id"], first["results"][0]["id"]);
    })
    .await;
}

#[tokio::test]
async fn the_graph_takes_attributes_of_any_name() {
    with_shop(async |shop| {
        stocked(shop).await;
        let query = "
            query ($name: String!) {
                products(filter: {attributes: [{name: $name, values: [\"42\"]}]}) {
                    totalCount
                    facets { attributes(names: [$name]) { name values { value count } } }
                }
            }";
        for name in NAMES {
            let found = &shop.data(None, query, json!({"name": name})).await["products"];
            assert_eq!(found["totalCount"], 1, "{name}");
            assert_eq!(found["facets"]["attributes"], json!([{"name": name, "values": both()}]), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn equal_numbers_are_one_value() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        for (sku, size) in [("N-1", "6"), ("N-2", "6.0"), ("N-3", "60e-1"), ("N-4", "6.5"), ("N-5", "\"6.0\"")] {
            let body = format!(
                "{{\"category_id\": {category}, \"name\": \"{sku}\", \"price\": \"1.00\", \"sku\": \"{sku}\", \
                 \"attributes\": {{\"size\": {size}}}}}"
            );
            let body: Value = serde_json::from_str(&body).unwrap();
            shop.post_as(&admin, "/api/product/", body).await.expect(201);
        }
        shop.settled().await;
        let found = async |size: &str| {
            let path = format!("/api/product/?attr.size={size}&facets=attr.size&sort=name");
            let page = shop.get(&path).await.expect(200).json;
            let counts = json!([
                {"value": "6", "count": 3}, {"value": "6.0", "count": 1}, {"value": "6.5", "count": 1},
            ]);
            assert_eq!(page["facets"]["attr.size"], counts);
            let names = page["results"].as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap());
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(found("6").await, ["N-1", "N-2", "N-3"]);
        assert_eq!(found("6.0").await, ["N-1", "N-2", "N-3", "N-5"], "the number, and the text");
        assert_eq!(found("6.5").await, ["N-4"]);
        assert!(found("6.").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn of_two_writes_both_are_waited_for() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let made = shop.post_as(&admin, "/api/category/", json!({"name": "A"})).await.expect(201);
        let held = made.header("x-catalog-version").to_owned();
        let epoch = shop.shop.app.indexing.applied().epoch;
        let never = format!("{epoch}:{}", u64::MAX);
        for (parameter, header, status) in
            [(&held, &held, 200), (&held, &never, 503), (&never, &held, 503), (&held, &"x".to_owned(), 400)]
        {
            for path in ["/api/product/", "/api/product/suggest/"] {
                let path = format!("{path}?q=a&min_version={parameter}");
                let path = if path.contains("suggest") { path } else { path.replace("q=a&", "") };
                let request =
                    shop.request(reqwest::Method::GET, &path).header("x-catalog-min-version", header);
                let answer = shop.send(request).await;
                assert_eq!(answer.status, status, "{path} {header}: {}", answer.text);
            }
        }
    })
    .await;
}
