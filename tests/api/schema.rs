//! What is committed beside the code agrees with it: the OpenAPI document, and the cache of checked queries.

use duka::text::{Shape, clean};
use proptest::{prelude::Strategy, strategy::ValueTree, string::string_regex, test_runner::TestRunner};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::support::{TestDatabase, with_shop};

#[test]
fn the_openapi_document_is_as_committed() {
    let document = duka::router::openapi().to_pretty_json().unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    // Whether maps keep their order is up to what else is built beside it.
    insta::with_settings!({sort_maps => true}, { insta::assert_json_snapshot!("openapi", document) });
}

/// Generated clients have a method for each operation, and a type for each schema.
#[test]
fn operations_and_schemas_have_names_of_their_own() {
    let document = serde_json::to_value(duka::router::openapi()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
            assert!(
                name.len() > 3 && names.insert(name.clone()),
                "{method} {path} is `{name}`, as another is"
            );
        }
    }
    assert!(names.contains("product_one") && names.contains("order_cancel"), "{names:?}");
    let schemas = &document["components"]["schemas"];
    let words = |name: &str| schemas[name]["enum"].to_string();
    assert!(words("OrderStatus").contains("shipped"), "{schemas}");
    assert!(words("AttemptStatus").contains("unknown") && words("JobStatus").contains("running"));
    assert!(schemas["HealthStatus"]["properties"]["status"].is_object());
}

/// A query that was checked against an older schema would fail at run time only.
#[tokio::test]
async fn every_cached_query_is_valid_in_the_present_schema() {
    let database = TestDatabase::create().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let cached: serde_json::Value = serde_json::from_str(&text).unwrap();
        let query = cached["query"].as_str().unwrap().to_owned();
        let described = (&database.pool).prepare(AssertSqlSafe(query.clone()).into_sql_str()).await;
        assert!(described.is_ok(), "{query}\n{:?}", described.err());
        checked += 1;
    }
    assert!(checked > 50, "only {checked} queries were found");
    database.drop().await;
}

/// Every table says what it is for.
#[tokio::test]
async fn every_table_has_a_comment() {
    let database = TestDatabase::create().await;
    let silent: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c
         where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.relname <> '_sqlx_migrations'
           and obj_description(c.oid, 'pg_class') is null",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert!(silent.is_empty(), "{silent:?}");
    database.drop().await;
}

/// Every field of every request body, sent as null: refused exactly where the document says so.
#[tokio::test]
async fn null_is_refused_where_the_document_says_so() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let document = shop.get("/api/openapi.json").await.expect(200).json;
        let mut tried = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in ["post", "patch", "put"] {
                let body = &item[method]["requestBody"]["content"]["application/json"]["schema"]["$ref"];
                let Some(name) = body.as_str().and_then(|name| name.rsplit('/').next()) else { continue };
                let schema = &document["components"]["schemas"][name];
                assert_eq!(schema["additionalProperties"], false, "{name} takes other fields");
                for (field, property) in schema["properties"].as_object().unwrap() {
                    let nullable =
                        property["type"].as_array().is_some_and(|types| types.iter().any(|of| of == "null"));
                    let path = path.replace("{id}", "1").replace("{order_id}", "1");
                    let request = shop.request(method.to_uppercase().parse().unwrap(), &path);
                    let body = serde_json::json!({field.as_str(): null});
                    let answer = shop.send(request.bearer_auth(&admin.access).json(&body)).await;
                    let refused = answer.faults().contains(&format!("/{field}").as_str());
                    assert_eq!(refused, !nullable, "{method} {path} {field}: {}", answer.text);
                    tried += 1;
                }
            }
        }
        assert!(tried > 40, "only {tried} fields were tried");
    })
    .await;
}

/// Texts that a pattern of the document allows, but for what no text may hold.
fn allowed(schema: &Value) -> Vec<String> {
    let pattern = schema["pattern"].as_str().unwrap_or("(?s).*").trim_matches(['^', '$']);
    let texts = string_regex(pattern).unwrap();
    let mut runner = TestRunner::deterministic();
    let texts = (0..64).map(|_| texts.new_tree(&mut runner).unwrap().current());
    texts.filter(|text| clean(text, Shape::Line).is_ok()).collect()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Every parameter of a search that has a form, sent in that form.
#[tokio::test]
async fn searches_take_what_the_document_allows() {
    with_shop(async |shop| {
        let document = shop.get("/api/openapi.json").await.expect(200).json;
        let mut tried = 0;
        for parameter in document["paths"]["/api/product/"]["get"]["parameters"].as_array().unwrap() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let pairs: Vec<(String, String)> = match (name, schema["type"].as_str()) {
                ("attr", _) => {
                    let names = allowed(&schema["propertyNames"]);
                    names.into_iter().map(|name| (name, "x".to_owned())).collect()
                }
                ("facets" | "sort" | "price_min" | "price_max", _) => {
                    allowed(schema).into_iter().map(|text| (name.to_owned(), text)).collect()
                }
                (_, Some("boolean")) => {
                    let values =
                        schema["enum"].as_array().cloned().unwrap_or(vec![true.into(), false.into()]);
                    values.iter().map(|value| (name.to_owned(), value.to_string())).collect()
                }
                _ => continue,
            };
            assert!(!pairs.is_empty(), "{name}");
            for pair in pairs {
                let [name, value] = [&pair.0, &pair.1].map(|text| encoded(text));
                let answer = shop.get(&format!("/api/product/?{name}={value}")).await;
                // Which keys a list has already, no pattern can say.
                let excused = answer.text.contains("names a key twice");
                assert!(answer.status == 200 || excused, "{pair:?}: {}", answer.text);
                tried += 1;
            }
        }
        assert!(tried > 200, "only {tried} were tried");
    })
    .await;
}
