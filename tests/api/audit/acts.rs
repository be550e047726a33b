//! Acts that are recorded as a whole: transactions of several writes, and imports.

use std::{io::Cursor, time::Duration};

use axum::{extract::FromRequestParts, http::Request};
use duka::{
    audit::{actions::record, model::Act},
    auth::{self, Admin, Author},
    import::{
        actions::{Feed, OnError, Options, run},
        source::{Format, Source},
    },
};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{count, log, of, told};
use crate::support::{TestShop, User, with_shop};

/// A proof, as a request's extractor makes it.
async fn proof(shop: &TestShop, user: &User, request_id: &str) -> Admin {
    let request = Request::builder()
        .header("authorization", format!("Bearer {}", user.access))
        .header("x-request-id", request_id);
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    Admin::from_request_parts(&mut parts, &shop.shop.app).await.unwrap()
}

#[tokio::test]
async fn an_act_is_recorded_as_a_whole() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let author = proof(shop, &admin, "request-7").await;
        let act = Act {
            action: "catalog.clear",
            entity: "catalog",
            entity_id: None,
            before: None,
            after: Some(json!({"rows": 2})),
        };
        shop.category(&admin, "A").await;
        shop.category(&admin, "B").await;
        let before = count(shop).await;
        for kept in [false, true] {
            let mut transaction = auth::begin(&shop.shop.app.web, author).await.unwrap();
            sqlx::raw_sql("update category set name = name || '!'").execute(&mut *transaction).await.unwrap();
            record(&mut transaction, &act).await.unwrap();
            if kept {
                transaction.commit().await.unwrap();
            } else {
                transaction.rollback().await.unwrap();
                assert_eq!(count(shop).await, before);
            }
        }
        assert_eq!(count(shop).await, before + 1, "its parts are not told besides");
        let line = log(shop, &admin, "request_id=request-7").await.remove(0);
        assert_eq!(told(&line), ("catalog.clear", &Value::Null, &json!({"rows": 2})));
        assert_eq!((&line["entity_id"], &line["actor"]["id"]), (&Value::Null, &json!(admin.id)));

        // The next transaction of the connection is not theirs.
        sqlx::raw_sql("update category set name = name || '?'").execute(&shop.shop.app.web).await.unwrap();
        assert_eq!(log(shop, &admin, "request_id=request-7").await.len(), 1);
        assert_eq!(log(shop, &admin, "action=category.update").await[0]["actor"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn transactions_that_run_together_are_told_apart() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let (a, b) = (shop.category(&admin, "A").await, shop.category(&admin, "B").await);
        let begin = async |request| {
            auth::begin(&shop.shop.app.web, proof(shop, &admin, request).await).await.unwrap()
        };
        let (mut first, mut second) = (begin("first").await, begin("second").await);
        let rename = "update category set name = name || '!' where id = $1";
        sqlx::query(rename).bind(a).execute(&mut *first).await.unwrap();
        sqlx::query(rename).bind(b).execute(&mut *second).await.unwrap();
        second.commit().await.unwrap();
        assert!(log(shop, &admin, "request_id=first").await.is_empty());
        first.commit().await.unwrap();
        for (request, id) in [("first", a), ("second", b)] {
            let lines = log(shop, &admin, &format!("request_id={request}")).await;
            assert_eq!((lines.len(), &lines[0]["entity_id"]), (1, &json!(id)));
        }
    })
    .await;
}

type Note<'a> = (&'a str, Option<i64>, Option<Value>, Option<Value>, usize);
type Line = (String, String, Option<i64>, Option<Value>, Option<Value>);

/// A transaction of one note is told by a plan of its own; it says what the one for many says.
#[tokio::test]
async fn one_note_is_told_as_many_are() {
    with_shop(async |shop| {
        let own = &shop.shop.app.web;
        let product = json!({"id": 7, "name": "P", "price": 1.5, "brand": null, "date_added": "2026-01-02T03:04:05+00:00", "popularity": 1});
        let other = |changes: Value| {
            let mut other = product.clone();
            other.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            other
        };
        let user = json!({"id": 7, "email": "a@example.com", "role": "customer", "is_active": true});
        let nobody = json!({"id": 7, "email": null, "role": "vendor", "is_active": true});
        let notes: [Note<'_>; 12] = [
            ("product", None, None, Some(product.clone()), 1),
            ("product", None, Some(product.clone()), None, 1),
            ("product", None, Some(product.clone()), Some(product.clone()), 0),
            ("product", None, Some(product.clone()), Some(other(json!({"popularity": 2}))), 0),
            ("product", None, Some(product.clone()), Some(other(json!({"price": 2, "brand": "B", "attributes": {"a": "b"}}))), 1),
            ("product", None, Some(product.clone()), Some(other(json!({"date_added": null, "name": null}))), 1),
            ("product", None, None, None, 0),
            ("variant", Some(7), Some(json!({"id": 7, "stock": 1})), Some(json!({"id": 7, "stock": 2})), 1),
            ("variant", Some(7), None, Some(json!({"id": 7, "stock": 2, "price": "3.00"})), 1),
            ("user", None, Some(user), Some(nobody), 1),
            ("link", Some(3), None, Some(json!({})), 1),
            ("unheard-of", None, None, Some(json!({"id": 7})), 1),
        ];
        for (entity, part_of, was, now, count) in notes {
            let mut lines = Vec::new();
            for is_one in [true, false] {
                let mut transaction = own.begin().await.unwrap();
                sqlx::query(
                    "insert into audit_note (entity, entity_id, part_of, was, now, first) values ($1, 7, $2, $3, $4, $5)",
                )
                .bind(entity)
                .bind(part_of)
                .bind(&was)
                .bind(&now)
                .bind(is_one)
                .execute(&mut *transaction)
                .await
                .unwrap();
                if is_one {
                    let counted = sqlx::query_scalar::<_, bool>("select count_note()");
                    assert!(counted.fetch_one(&mut *transaction).await.unwrap());
                }
                let tell = if is_one { "set constraints all immediate" } else { "select write_audit_of_all()" };
                sqlx::raw_sql(tell).execute(&mut *transaction).await.unwrap();
                let left: i64 =
                    sqlx::query_scalar("select count(*) from audit_note").fetch_one(&mut *transaction).await.unwrap();
                assert_eq!(left, 0);
                let told: Vec<Line> = sqlx::query_as(
                    "select action, entity, entity_id, before, after from audit_log where at > now() order by id",
                )
                .fetch_all(&mut *transaction)
                .await
                .unwrap();
                lines.push(told);
                transaction.rollback().await.unwrap();
            }
            assert_eq!(lines[0], lines[1], "{entity} {was:?} {now:?}");
            assert_eq!(lines[0].len(), count, "{entity} {was:?} {now:?}");
            if entity == "variant" && was.is_some() {
                let (stock, after) = (Some(json!({"stock": 1})), Some(json!({"stock": 2})));
                assert_eq!(lines[0][0], ("variant.update".into(), entity.into(), Some(7), stock, after));
            }
        }
    })
    .await;
}

async fn import(shop: &TestShop, rows: u64, price: &str, options: Options, author: Author) {
    let row = |number| {
        json!({"sku": format!("S{number}"), "name": "P", "price": price, "category_path": ["C"]}).to_string()
    };
    let text = (0..rows).map(row).chain(["{\"sku\": \"bad\"}".to_owned()]).collect::<Vec<_>>().join("\n");
    let source = Source::open(Cursor::new(text), Format::Ndjson, shop.shop.app.config.currency).unwrap();
    // Not the requests' pool, whose statements have three seconds each.
    run(&shop.db, author, Feed::start(source), options, &CancellationToken::new(), |_| ()).await.unwrap();
}

#[tokio::test]
async fn an_import_is_one_act() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let author: Author = proof(shop, &admin, "import-7").await.into();
        let lines = async || log(shop, &admin, "entity=catalog").await;
        let (reject, skip) = (
            Options { on_error: OnError::Reject, dry_run: false },
            Options { on_error: OnError::Skip, dry_run: false },
        );
        let noted = async || -> i64 {
            sqlx::query_scalar("select last_value from audit_note_seq_seq").fetch_one(&shop.db).await.unwrap()
        };
        let (before, noted_before) = (count(shop).await, noted().await);
        import(shop, 10, "1.00", reject, author).await;
        import(shop, 10, "1.00", Options { dry_run: true, ..skip }, author).await;
        assert_eq!(count(shop).await, before, "nothing was kept");
        import(shop, 10, "1.00", skip, author).await;
        let line = lines().await.remove(0);
        let counts = json!({"rows": 11, "created": 10, "updated": 0, "refused": 1});
        assert_eq!(told(&line), ("catalog.import", &Value::Null, &counts));
        assert_eq!((&line["actor"]["id"], &line["request_id"]), (&json!(admin.id), &json!("import-7")));
        import(shop, 10, "1.00", skip, author).await;
        assert_eq!(
            count(shop).await,
            before + 1,
            "the same again changes nothing, and neither its categories nor rows are lines"
        );

        // Where each batch is kept by itself, each has its line.
        import(shop, 1_500, "2.00", skip, Author::SHOP).await;
        let told: Vec<Value> = lines().await[..2].iter().map(|line| line["after"].clone()).collect();
        assert_eq!(
            told,
            [
                json!({"rows": 501, "created": 500, "updated": 0, "refused": 1}),
                json!({"rows": 1000, "created": 990, "updated": 10, "refused": 0}),
            ]
        );
        assert_eq!((count(shop).await, &lines().await[0]["actor"]), (before + 3, &Value::Null));
        assert_eq!(noted().await, noted_before, "no row was even noted: there may be millions");
    })
    .await;
}

/// What was asked for, and what was kept, of one request: whoever reads the one finds the other.
#[tokio::test]
async fn an_import_over_http_tells_its_file_and_what_was_kept() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let rows = (0..3).map(|n| format!("{{\"sku\": \"H{n}\", \"name\": \"Thing\", \"price\": 1}}\n"));
        let rows: String = rows.collect();
        let part = Part::bytes(rows.clone().into_bytes()).file_name("spring.ndjson");
        let form = Form::new().part("file", part.mime_str("application/x-ndjson").unwrap());
        let request = shop.request(Method::POST, "/api/admin/import/?on_error=skip");
        let answer = shop.send(request.bearer_auth(&admin.access).multipart(form)).await.expect(202);
        let path = answer.header("location").to_owned();
        loop {
            let job = shop.get_as(&admin, &path).await.expect(200).json;
            if job["status"] == "succeeded" {
                break;
            }
            assert!(job["finished_at"].is_null(), "{job}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let lines = of(shop, &admin, &answer).await;
        let parameters =
            json!({"dry_run": false, "on_error": "skip", "file": "spring.ndjson", "bytes": rows.len()});
        let asked = json!({"kind": "import", "parameters": parameters, "cancel_requested_at": null});
        assert_eq!(told(&lines[1]), ("job.create", &Value::Null, &asked));
        assert_eq!(lines[1]["entity_id"], answer.id());
        let kept = json!({"rows": 3, "created": 3, "updated": 0, "refused": 0});
        assert_eq!(told(&lines[0]), ("catalog.import", &Value::Null, &kept));
        assert_eq!(lines.len(), 2);
    })
    .await;
}
