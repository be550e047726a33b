//! The schema in its own language, and who may see it.

use duka::config::Settings;
use serde_json::json;

use crate::support::{with_settings, with_shop};

#[test]
fn the_schema_is_as_it_was_agreed() {
    insta::assert_snapshot!("sdl", duka::graphql::sdl());
}

/// What tools ask to know a schema.
const TOOLS: &str = "query IntrospectionQuery {
    __schema {
        queryType { name } mutationType { name } subscriptionType { name }
        types { ...FullType }
        directives { name description locations args { ...InputValue } }
    }
}
fragment FullType on __Type {
    kind name description
    fields(includeDeprecated: true) {
        name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason
    }
    inputFields { ...InputValue }
    interfaces { ...TypeRef }
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
    possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
fragment TypeRef on __Type {
    kind name
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name ofType { kind name } } } } } } } } }
}";

#[tokio::test]
async fn tools_learn_the_schema_and_people_find_an_explorer() {
    with_shop(async |shop| {
        let schema = shop.data(None, TOOLS, json!({})).await;
        let types = schema["__schema"]["types"].as_array().unwrap();
        let described =
            |name: &str| types.iter().find(|one| one["name"] == name).unwrap()["description"].clone();
        for scalar in ["Decimal", "DateTime", "JSON", "ID"] {
            assert!(described(scalar).as_str().is_some_and(|text| text.len() > 20), "{scalar}");
        }
        let page = shop.get("/graphql/").await.expect(200);
        assert!(page.header("content-type").starts_with("text/html"));
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let files: Vec<&str> =
            page.text.split('"').filter(|part| part.ends_with(".js") || part.ends_with(".css")).collect();
        assert_eq!(files.len(), 2, "{files:?}");
        for file in files {
            let text = shop.get(&format!("/graphql/{file}")).await.expect(200).text;
            assert!(text.len() > 500 && !text.contains("http://") && !text.contains("https://"), "{file}");
        }
        assert!(!page.text.contains("http://") && !page.text.contains("https://"));
        assert!(
            !page.text.contains("<script>") && !page.text.contains("style="),
            "the policy would refuse it"
        );
    })
    .await;
}

#[tokio::test]
async fn both_can_be_switched_off() {
    let off = || Some("false".to_owned());
    let settings = Settings { graphql_introspection: off(), graphql_explorer: off(), ..Settings::default() };
    with_settings(settings, async |shop| {
        let hidden = shop.graph(None, TOOLS, json!({})).await.expect(200);
        assert!(!hidden.text.contains("Product"), "{}", hidden.text);
        let hidden = shop.graph(None, "{ __type(name: \"Product\") { name } }", json!({})).await;
        assert!(!hidden.text.contains("Product"), "{}", hidden.text);
        let misspelt = shop.graph(None, "{ produts { totalCount } }", json!({})).await;
        assert!(!misspelt.text.contains("products"), "a suggestion tells the schema: {}", misspelt.text);
        assert_eq!(shop.data(None, "{ __typename }", json!({})).await["__typename"], "Query");
        let refused = shop.get("/graphql/").await.expect(405);
        assert_eq!(refused.header("allow"), "POST");
        shop.get("/graphql/explorer.js").await.expect(404);
    })
    .await;
    let wrong = Settings { graphql_explorer: Some("no".to_owned()), ..Settings::default() };
    let said = duka::config::Config::new(&wrong).unwrap_err().to_string();
    assert!(said.contains("DUKA_GRAPHQL_EXPLORER"), "{said}");
}
