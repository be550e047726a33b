//! Requests that ask for too much are refused before anything is done for them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{TestShop, with_shop};
use duka::auth::Role;

/// How long a refusal may take.
const PATIENCE: Duration = Duration::from_millis(50);

/// Sends it a few times, on a busy machine a few more: the codes, and the least time that it took. What else this machine
/// does only adds.
async fn refused(shop: &TestShop, query: &str, variables: Value) -> (Vec<String>, Duration) {
    let (mut codes, mut least) = (Vec::new(), Duration::MAX);
    for tried in 0..20 {
        if tried >= 3 && least < PATIENCE {
            break;
        }
        let begun = Instant::now();
        let answer = shop.graph(None, query, variables.clone()).await;
        least = least.min(begun.elapsed());
        assert!(answer.text.len() < 20_000, "an answer of {} bytes", answer.text.len());
        codes = answer.expect(200).codes().iter().map(ToString::to_string).collect();
    }
    (codes, least)
}

#[tokio::test]
async fn bombs_are_refused_within_fifty_milliseconds() {
    let doubling: String =
        (0..60).map(|n| format!("fragment F{n} on Product {{ ...F{m} ...F{m} }} ", m = n + 1)).collect();
    let wide: String = (0..100)
        .map(|n| format!("fragment F{n} on Product {{ {} }} ", format!("...F{} ", n + 1).repeat(50)))
        .collect();
    let chain: String = (0..1500).map(|n| format!("fragment F{n} on Product {{ ...F{} }} ", n + 1)).collect();
    let bombs = [
        ("aliases", (0..21).map(|n| format!("a{n}: __typename ")).collect::<String>(), "too-complex"),
        (
            "many aliases",
            (0..2000).map(|n| format!("a{n}: products {{ totalCount }} ")).collect(),
            "too-complex",
        ),
        ("aliases by fragment", "products { nodes { ...A ...A ...A } }".to_owned(), "too-complex"),
        ("fields", "__typename ".repeat(501), "too-complex"),
        ("the same again", "me { id } ".repeat(22), "too-complex"),
        ("pages that are only counted", "categories(first: 100) { totalCount } ".repeat(6), "too-complex"),
        (
            "depth",
            "categories { nodes { children { children { children { children { children { name } } } } } } }"
                .to_owned(),
            "too-complex",
        ),
        ("brackets", "a { ".repeat(16_000), "too-complex"),
        ("lists in lists", format!("products(q: {})", "[".repeat(60_000)), "too-complex"),
        ("a list", "products(first: 100) { nodes { variants { sku } } }".to_owned(), "too-complex"),
        (
            "a list by edges",
            "products(first: 100) { edges { node { variants { sku } } } }".to_owned(),
            "too-complex",
        ),
        ("a huge list", "products(first: 2147483647) { nodes { name } }".to_owned(), "too-complex"),
        (
            "lists of lists",
            "products(first: 60) { nodes { reviews(first: 24) { rating } } }".to_owned(),
            "too-complex",
        ),
        (
            "a tree",
            "categories(first: 100) { nodes { children { children { name } } } }".to_owned(),
            "too-complex",
        ),
        ("a cycle", "products { nodes { ...C } }".to_owned(), "too-complex"),
        ("a cycle of one", "products { nodes { ...S } }".to_owned(), "too-complex"),
        ("doubling fragments", "products { nodes { ...F0 } }".to_owned(), "too-complex"),
        ("doubling fragments of nothing", "...F0".to_owned(), "too-complex"),
        ("wide fragments", "products { nodes { ...F0 } }".to_owned(), "too-complex"),
        ("a chain of fragments", "products { nodes { ...F0 } }".to_owned(), "too-complex"),
        ("directives", format!("__typename {}", "@skip(if: false) ".repeat(51)), "too-complex"),
        ("many directives", format!("__typename {}", "@a".repeat(25_000)), "too-complex"),
        (
            "the schema's lists",
            "__schema { types { fields { type { fields { type { fields { name } } } } } } }".to_owned(),
            "too-complex",
        ),
        (
            "the schema's lists, deeper",
            "__schema { types { fields { args { type { fields { name } } } } } }".to_owned(),
            "too-complex",
        ),
        (
            "the schema's depth",
            format!("__schema {{ types {{ {} name {} }} }}", "ofType { ".repeat(20), "} ".repeat(20)),
            "too-complex",
        ),
    ];
    with_shop(async |shop| {
        let mut slowest = Duration::ZERO;
        for (name, body, code) in bombs {
            let fragments = match name {
                "aliases by fragment" => format!("fragment A on Product {{ {} }}", (0..7).map(|n| format!("a{n}: id ")).collect::<String>()),
                "a cycle" => "fragment C on Product { ...D } fragment D on Product { ...E } fragment E on Product { ...C }".to_owned(),
                "a cycle of one" => "fragment S on Product { id ...S }".to_owned(),
                "doubling fragments of nothing" => doubling.replace("Product", "Query"),
                "doubling fragments" => format!("{doubling} fragment F60 on Product {{ id }}"),
                "wide fragments" => format!("{wide} fragment F100 on Product {{ id }}"),
                "a chain of fragments" => format!("{chain} fragment F1500 on Product {{ id }}"),
                _ => String::new(),
            };
            let (codes, took) = refused(shop, &format!("{{ {body} }} {fragments}"), json!({})).await;
            assert!(codes.iter().any(|got| got == code), "{name}: {codes:?}, not {code}");
            assert!(took < PATIENCE, "{name}: refused after {took:?}");
            slowest = slowest.max(took);
        }
        let by_variable = "query ($n: Int!) { products(first: $n) { nodes { variants { sku } } } }";
        assert_eq!(refused(shop, by_variable, json!({"n": 100})).await.0, ["too-complex"]);
        let by_default = "query ($n: Int = 100) { products(first: $n) { nodes { variants { sku } } } }";
        assert_eq!(refused(shop, by_default, json!({})).await.0, ["too-complex"]);
        assert_eq!(refused(shop, by_default, json!({"n": 10})).await.0, [""; 0]);
        let sign_ins: String = (0..3)
            .map(|n| format!("a{n}: login(input: {{username: \"a\", password: \"b\"}}) {{ access }} "))
            .collect();
        assert_eq!(refused(shop, &format!("mutation {{ {sign_ins} }}"), json!({})).await.0, ["too-complex"]);
        println!("the slowest refusal took {slowest:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_request_is_a_problem_and_what_is_no_query_an_error() {
    with_shop(async |shop| {
        let batch = json!([{"query": "{ __typename }"}, {"query": "{ __typename }"}]);
        shop.post("/graphql/", batch).await.expect(422);
        let faults = shop.post("/graphql/", json!({"variables": [], "more": 1})).await.expect(422);
        assert_eq!(faults.faults(), ["/query", "/variables", "/more"]);
        shop.post("/graphql/", json!({"query": "{ __typename }", "extensions": {"persistedQuery": {}}}))
            .await
            .expect(422);
        shop.post("/graphql/", json!({"query": "x".repeat(65 * 1024)})).await.expect(413);
        let request = shop.request(reqwest::Method::POST, "/graphql/").body("{ __typename }");
        shop.send(request).await.expect(415);
        shop.post("/graphql/?query=x", json!({"query": "{ __typename }"})).await.expect(400);
        for query in [
            "{",
            "",
            "{ nothing }",
            "{ product { nothing } }",
            "query A { __typename } query B { __typename }",
        ] {
            assert_eq!(
                shop.graph(None, query, json!({})).await.expect(200).codes(),
                ["malformed-request"],
                "{query}"
            );
        }
        // Without its slash it is the same path.
        let answer = shop
            .post("/graphql", json!({"query": "{ __typename }", "operationName": null, "extensions": {}}))
            .await;
        assert_eq!(answer.expect(200).json, json!({"data": {"__typename": "Query"}}));
    })
    .await;
}

/// Of each text that begins and does not end, the library looks for the end as far as the document goes.
#[tokio::test]
async fn texts_without_an_end_are_refused_within_fifty_milliseconds() {
    let begun = "\\\"\"\"\"\"".repeat(2_700);
    let bombs = [
        format!("{{a(b:[\"\"\"{begun}#{}", "a".repeat(31_000)),
        format!("{{a(b:[\"\"\" \" {}", "[".repeat(60_000)),
        format!("{{a(b:\"{}", "\\\"".repeat(12_000)),
        "{a(b:\"of two\nlines\")}".to_owned(),
    ];
    with_shop(async |shop| {
        for bomb in bombs {
            let (codes, took) = refused(shop, &bomb, json!({})).await;
            assert_eq!(codes, ["malformed-request"], "{}", &bomb[..20]);
            assert!(took < PATIENCE, "{}: refused after {took:?}", &bomb[..20]);
        }
    })
    .await;
}

#[tokio::test]
async fn what_stands_there_twice_is_not_done_twice() {
    with_shop(async |shop| {
        let (admin, ada) = (shop.admin().await, shop.user("ada", Role::Customer).await);
        let (_, variant) = shop.shelve(&admin, "TEA", "2.50", 10).await;
        let add = format!("addToCart(input: {{variantId: {variant}}}) {{ total }}");
        for document in [
            format!("mutation {{ {add} {add} }}"),
            format!("mutation {{ {add} ... on Mutation {{ {add} }} }}"),
            format!("mutation {{ ...F ...F }} fragment F on Mutation {{ {add} }}"),
        ] {
            let answer = shop.graph(Some(&ada), &document, json!({})).await.expect(200);
            assert_eq!(answer.codes(), ["too-complex"], "{document}");
        }
        assert_eq!(shop.get_as(&ada, "/api/cart/").await.json["items"], json!([]));
        let both =
            shop.data(Some(&ada), "{ me { id } ...F } fragment F on Query { me { username } }", json!({}));
        assert_eq!(both.await["me"], json!({"id": ada.id.to_string(), "username": "ada"}));
    })
    .await;
}
