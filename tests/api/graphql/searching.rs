//! The search through the graph finds what REST's finds, and asks the database as little.

use serde_json::{Value, json};

use crate::support::{TestShop, User, statements, with_shop};

const FULL: &str = "
    query ($q: String, $filter: ProductFilter, $sort: [ProductSort!], $first: Int! = 24, $after: String) {
        products(q: $q, filter: $filter, sort: $sort, first: $first, after: $after) {
            totalCount correctedQuery
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
            edges { cursor node { id name effectivePrice highlights { name } } }
            facets {
                category { id name slug path count }
                brand { value count }
                price { min max buckets { from to count } }
                availability { inStock outOfStock }
                rating { from count }
                attributes(names: [\"colour\", \"size\"]) { name values { value count } }
            }
        }
    }";

/// Kettles and cups of several brands, colours, sizes and prices, some of them reviewed: their vendor.
async fn stocked(shop: &TestShop) -> User {
    let admin = shop.admin().await;
    let kitchen = shop.category(&admin, "Kitchen").await;
    let cups = shop
        .post_as(&admin, "/api/category/", json!({"name": "Cups", "parent_id": kitchen}))
        .await
        .expect(201)
        .id();
    for n in 0..12 {
        let (name, category) = if n % 3 == 0 { ("Cup", cups) } else { ("Kettle", kitchen) };
        let (colour, brand) = (["red", "blue"][n % 2], ["Acme", "Tefal", "Bodum"][n % 3]);
        let body = json!({
            "category_id": category, "name": format!("{name} {n}"), "price": format!("{}.50", 10 + n), "sku": format!("S{n}"),
            "brand": brand, "stock_quantity": n % 4, "description": "A fine thing",
            "attributes": {"colour": colour, "size": ["S", "M"]},
        });
        let made = shop.post_as(&admin, "/api/product/", body).await.expect(201);
        if n % 2 == 0 {
            let review = json!({"product_id": made.id(), "rating": 1 + n % 5});
            shop.post_as(&admin, "/api/review/", review).await.expect(201);
        }
    }
    shop.settled().await;
    admin
}

#[tokio::test]
async fn every_filter_facet_and_order_is_rest_s() {
    with_shop(async |shop| {
        let admin = stocked(shop).await;
        let facets = "facets=category,brand,price,availability,rating,attr.colour,attr.size";
        let cases = [
            ("", json!({})),
            ("q=kettel", json!({"q": "kettel"})),
            ("q=kettle&highlight=true", json!({"q": "kettle"})),
            ("category=cups&category=1000", json!({"filter": {"categories": ["cups", "1000"]}})),
            ("brand=Acme&brand=Tefal", json!({"filter": {"brands": ["Acme", "Tefal"]}})),
            ("price_min=12.50&price_max=18", json!({"filter": {"priceMin": "12.50", "priceMax": "18"}})),
            ("in_stock=true", json!({"filter": {"inStock": true}})),
            ("in_stock=false", json!({"filter": {"inStock": false}})),
            ("on_sale=true", json!({"filter": {"onSale": true}})),
            ("rating_min=3", json!({"filter": {"ratingMin": 3}})),
            (&format!("vendor_id={}", admin.id), json!({"filter": {"vendorId": admin.id}})),
            ("vendor_id=4711", json!({"filter": {"vendorId": "4711"}})),
            (
                "attr.colour=red&attr.size=M",
                json!({"filter": {"attributes": [{"name": "colour", "values": ["red"]}, {"name": "size", "values": ["M"]}]}}),
            ),
            ("is_active=false", json!({"filter": {"isActive": false}})),
            ("sort=price,-name", json!({"sort": [{"key": "PRICE"}, {"key": "NAME", "descending": true}]})),
            ("sort=-rating", json!({"sort": [{"key": "RATING", "descending": true}]})),
            ("sort=-date_added", json!({"sort": {"key": "DATE_ADDED", "descending": true}})),
            ("q=fine&sort=relevance,popularity", json!({"q": "fine", "sort": [{"key": "RELEVANCE"}, {"key": "POPULARITY"}]})),
        ];
        let mut found = 0;
        for (query, variables) in cases {
            let rest = shop.get_as(&admin, &format!("/api/product/?{facets}&{query}")).await.expect(200).json;
            let graph = &shop.data(Some(&admin), FULL, variables).await["products"];
            assert_eq!(graph["totalCount"], rest["count"], "{query}");
            assert_eq!(graph["correctedQuery"], rest["corrected_query"], "{query}");
            let shown = |product: &Value| (product["id"].as_i64(), product["name"].clone(), product["effective_price"].clone());
            let wanted: Vec<_> = rest["results"].as_array().unwrap().iter().map(shown).collect();
            let edges = graph["edges"].as_array().unwrap();
            let got: Vec<_> = edges
                .iter()
                .map(|edge| {
                    let node = &edge["node"];
                    (node["id"].as_str().unwrap().parse().ok(), node["name"].clone(), node["effectivePrice"].clone())
                })
                .collect();
            assert_eq!(got, wanted, "{query}");
            if query.contains("highlight") {
                assert!(edges.iter().all(|edge| edge["node"]["highlights"]["name"].as_str().unwrap().contains("<mark>")));
            }
            assert_eq!(facets_as_rest(&graph["facets"]), rest["facets"], "{query}");
            found += got.len();
        }
        assert!(found > 80, "the cases find something: {found}");
    })
    .await;
}

/// The graph's facets in REST's shape.
fn facets_as_rest(facets: &Value) -> Value {
    let mut rest = facets.clone();
    for category in rest["category"].as_array_mut().unwrap() {
        category["id"] = category["id"].as_str().unwrap().parse::<i64>().unwrap().into();
    }
    let availability = &facets["availability"];
    rest["availability"] =
        json!({"in_stock": availability["inStock"], "out_of_stock": availability["outOfStock"]});
    for attribute in rest.as_object_mut().unwrap().remove("attributes").unwrap().as_array().unwrap() {
        rest[format!("attr.{}", attribute["name"].as_str().unwrap())] = attribute["values"].clone();
    }
    rest
}

#[tokio::test]
async fn a_connection_is_walked_from_any_cursor() {
    with_shop(async |shop| {
        let admin = stocked(shop).await;
        let ids = |page: &Value| -> Vec<String> {
            let edges = page["edges"].as_array().unwrap();
            edges.iter().map(|edge| edge["node"]["id"].as_str().unwrap().to_owned()).collect()
        };
        for q in [Value::Null, json!("fine")] {
            let all = shop.data(Some(&admin), FULL, json!({"q": q})).await["products"].clone();
            let whole = ids(&all);
            assert_eq!(whole.len(), 12);
            assert_eq!(all["pageInfo"]["hasNextPage"], false);
            assert_eq!(all["pageInfo"]["hasPreviousPage"], false);
            let (mut walked, mut after) = (Vec::new(), Value::Null);
            loop {
                let page = &shop.data(Some(&admin), FULL, json!({"q": q, "first": 5, "after": after})).await
                    ["products"];
                walked.extend(ids(page));
                assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
                after = page["pageInfo"]["endCursor"].clone();
                if page["pageInfo"]["hasNextPage"] == false {
                    break;
                }
            }
            assert_eq!(walked, whole);
            for (at, edge) in all["edges"].as_array().unwrap().iter().enumerate() {
                let variables = json!({"q": q, "first": 3, "after": edge["cursor"]});
                let page = &shop.data(Some(&admin), FULL, variables).await["products"];
                assert_eq!(ids(page), whole[at + 1..].iter().take(3).cloned().collect::<Vec<_>>());
            }
            // It is REST's cursor too.
            if q.is_null() {
                let cursor = all["edges"][4]["cursor"].as_str().unwrap();
                let rest = shop.get(&format!("/api/product/?cursor={cursor}")).await.expect(200).json;
                assert_eq!(rest["results"][0]["id"].as_i64().unwrap().to_string(), whole[5]);
            }
        }
        let other = shop.data(Some(&admin), FULL, json!({"first": 2})).await;
        let cursor = &other["products"]["pageInfo"]["endCursor"];
        let refused = shop.graph(Some(&admin), FULL, json!({"q": "cup", "after": cursor})).await.expect(200);
        assert_eq!(refused.codes(), ["invalid-parameter"]);
        assert_eq!(refused.json["errors"][0]["extensions"]["errors"][0]["argument"], "after");
    })
    .await;
}

#[tokio::test]
async fn a_search_asks_the_database_nothing_but_for_children_of_its() {
    with_shop(async |shop| {
        let admin = stocked(shop).await;
        let count = async |query: &str| {
            let (data, told) = statements(shop.data(Some(&admin), query, json!({}))).await;
            assert!(!data.to_string().is_empty());
            told
        };
        assert_eq!(count("{ products { totalCount nodes { name category { name path } discount { code } } facets { brand { value } } } \
                            suggest(q: \"ket\") { queries products { name } } }").await, [""; 0]);
        let told = count("{ products { nodes { name variants { sku } } } }").await;
        assert_eq!(told.len(), 1, "{told:#?}");
        let told = count("{ products { nodes { reviews { rating } more: reviews(first: 5) { rating } variants { sku } } } }").await;
        assert_eq!(told.len(), 2, "{told:#?}");
    })
    .await;
}

#[tokio::test]
async fn one_product_and_one_category_are_found_by_id_and_by_slug() {
    with_shop(async |shop| {
        let admin = stocked(shop).await;
        let query = "query ($id: ID, $slug: String) { product(id: $id, slug: $slug) { id slug sku variants { sku price } \
                     reviews { rating username } category { slug } } }";
        let product = shop.get("/api/product/?sort=price").await.json["results"][0].clone();
        for variables in [json!({"id": product["id"]}), json!({"slug": product["slug"]})] {
            let found = &shop.data(None, query, variables).await["product"];
            assert_eq!(found["sku"], "S0");
            assert_eq!(found["variants"], json!([{"sku": "S0", "price": "10.50"}]));
            assert_eq!(found["reviews"], json!([{"rating": 1, "username": admin.name}]));
            assert_eq!(found["category"]["slug"], "cups");
        }
        for variables in [json!({}), json!({"id": 1, "slug": "x"}), json!({"slug": "a\u{0}b"})] {
            assert_eq!(shop.graph(None, query, variables).await.codes(), ["invalid-parameter"]);
        }
        for variables in [json!({"id": 987_654}), json!({"slug": "nothing"})] {
            assert_eq!(shop.graph(None, query, variables).await.codes(), ["not-found"]);
        }
        let both = format!("{{ found: product(id: {}) {{ id }} missing: product(id: 987654) {{ id }} }}", product["id"]);
        let answer = shop.graph(None, &both, json!({})).await;
        assert_eq!(answer.codes(), ["not-found"]);
        assert_eq!(answer.json["data"].get("missing"), Some(&Value::Null), "{}", answer.text);
        assert_eq!(answer.json["data"]["found"]["id"], product["id"].to_string());
        // Hidden ones are their vendor's, by slug too; and of several the oldest is meant.
        let hide = shop.patch_as(&admin, &format!("/api/product/{}/", product["id"]), json!({"is_active": false})).await;
        hide.expect(200);
        let slug = json!({"slug": product["slug"]});
        assert_eq!(shop.graph(None, query, slug.clone()).await.codes(), ["not-found"]);
        assert_eq!(shop.data(Some(&admin), query, slug).await["product"]["sku"], "S0");

        let query = "query ($slug: String) { category(slug: $slug) { name path children { name path children { name } } } }";
        let kitchen = &shop.data(None, query, json!({"slug": "kitchen"})).await["category"];
        let expected = json!({"name": "Kitchen", "path": ["Kitchen"],
                              "children": [{"name": "Cups", "path": ["Kitchen", "Cups"], "children": []}]});
        assert_eq!(*kitchen, expected);
        let tree = shop.data(None, "{ categories { totalCount nextCursor nodes { name children { name } } } }", json!({})).await;
        let expected = json!({"totalCount": 1, "nextCursor": null, "nodes": [{"name": "Kitchen", "children": [{"name": "Cups"}]}]});
        assert_eq!(tree["categories"], expected);
    })
    .await;
}

#[tokio::test]
async fn fields_stand_where_they_were_asked_for() {
    with_shop(async |shop| {
        let query = "{ products { totalCount facets { price { min max } brand { value } } nodes { id } } }";
        let answer = shop.graph(None, query, json!({})).await.expect(200);
        let names = ["data", "products", "totalCount", "facets", "price", "brand", "nodes"];
        let places: Vec<usize> =
            names.iter().map(|name| answer.text.find(&format!("\"{name}\"")).unwrap()).collect();
        assert!(places.is_sorted(), "{}", answer.text);
    })
    .await;
}
