//! The log itself: who reads it, how, and that nobody rewrites it.

use duka::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, log, of, told};
use crate::support::{PASSWORD, TestDatabase, TestShop, User, with_shop};

#[tokio::test]
async fn administrators_read_it_alone() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        assert_eq!(shop.get(PATH).await.expect(401).header("www-authenticate"), "Bearer");
        for role in [Role::Customer, Role::Vendor] {
            let user = shop.user(&format!("user-{}", role.as_str()), role).await;
            shop.get_as(&user, PATH).await.expect(403);
        }
        shop.get_as(&admin, PATH).await.expect(200);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            shop.send(shop.request(method, PATH).bearer_auth(&admin.access)).await.expect(405);
        }
    })
    .await;
}

#[tokio::test]
async fn a_line_says_everything() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let request = shop.request(Method::POST, "/api/category/").bearer_auth(&admin.access);
        let request = request.header("x-request-id", "my-own.id_7").json(&json!({"name": "Shirts"}));
        let made = shop.send(request).await.expect(201);
        assert_eq!(made.header("x-request-id"), "my-own.id_7");
        let line = of(shop, &admin, &made).await.remove(0);
        assert!(line["id"].is_i64() && line["at"].as_str().unwrap().ends_with('Z'), "{line}");
        let mut rest = line;
        for name in ["id", "at"] {
            rest.as_object_mut().unwrap().remove(name);
        }
        assert_eq!(
            rest,
            json!({
                "actor": {"id": admin.id, "username": admin.name}, "action": "category.create", "entity": "category",
                "entity_id": made.id(), "before": null, "request_id": "my-own.id_7", "address": null,
                "after": {"name": "Shirts", "slug": "shirts", "description": "", "parent_id": null},
            })
        );
        // Users are never deleted, and may change their names.
        shop.at_a_prompt("update users set username = 'gone'").await.unwrap();
        assert_eq!(of(shop, &admin, &made).await[0]["actor"]["username"], "gone");
    })
    .await;
}

/// A shop whose log holds acts of two people: the names are those of the categories, oldest first.
async fn written(shop: &TestShop) -> (User, User, Vec<i64>) {
    let (admin, other) = (shop.admin().await, shop.user("second-admin", Role::Admin).await);
    let mut ids = Vec::new();
    for number in 0..6 {
        let by = if number % 2 == 0 { &admin } else { &other };
        ids.push(shop.category(by, &format!("C{number}")).await);
    }
    for id in &ids[..2] {
        shop.delete_as(&admin, &format!("/api/category/{id}/")).await.expect(204);
    }
    (admin, other, ids)
}

#[tokio::test]
async fn filters_say_which_lines() {
    with_shop(async |shop| {
        let (admin, other, ids) = written(shop).await;
        let all = log(shop, &admin, "").await;
        let key = |line: &Value| (line["at"].as_str().unwrap().to_owned(), line["id"].as_i64().unwrap());
        // As many digits as the instant has: compared as times in the database, not as texts here.
        assert!(all.is_sorted_by(|a, b| key(a).1 > key(b).1), "newest first");
        let number = async |query: String| log(shop, &admin, &query).await.len();
        assert_eq!(number(format!("actor_id={}", admin.id)).await, 5);
        assert_eq!(number(format!("actor_id={}&action=category.delete", admin.id)).await, 2);
        assert_eq!(number(format!("actor_id={}", other.id)).await, 3);
        assert_eq!(number("entity=category".into()).await, 8);
        assert_eq!(number(format!("entity=category&entity_id={}", ids[0])).await, 2);
        assert_eq!(number(format!("entity=product&entity_id={}", ids[0])).await, 0);
        assert_eq!(number("action=category.create".into()).await, 6);
        assert_eq!(number("action=category.destroy".into()).await, 0);
        assert_eq!(number("request_id=none".into()).await, 0);
        let middle = all[3]["at"].as_str().unwrap();
        assert_eq!(number(format!("since={middle}")).await, 4, "since is inclusive");
        assert_eq!(number(format!("until={middle}")).await, all.len() - 4, "until is not");
        assert_eq!(number(format!("since={middle}&until={middle}")).await, 0);

        for (query, fault) in [
            ("actor_id=me", "actor_id"),
            ("actor_id=0", "actor_id"),
            ("entity_id=-1", "entity_id"),
            ("since=yesterday", "since"),
            ("until=2026-11-22", "until"),
            ("user=1", "user"),
            ("action=a&action=b", "action"),
            ("page=0", "page"),
            ("page_size=101", "page_size"),
            ("cursor=nonsense", "cursor"),
            ("cursor=x&page=1", "cursor"),
        ] {
            let answer = shop.get_as(&admin, &format!("{PATH}?{query}")).await.expect(400);
            assert_eq!(answer.faults(), [fault], "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_and_cursors_show_the_same_lines() {
    with_shop(async |shop| {
        let (admin, other, _) = written(shop).await;
        let wanted = log(shop, &admin, "entity=category").await;
        let mut by_page = Vec::new();
        for number in 1..=3 {
            let path = format!("{PATH}?entity=category&page_size=3&page={number}");
            let page = shop.get_as(&admin, &path).await.expect(200).json;
            assert_eq!((page["count"].as_i64(), page["next"].is_null()), (Some(8), number == 3));
            by_page.extend(page["results"].as_array().unwrap().clone());
        }
        assert_eq!(by_page, wanted);

        let mut path = format!("{PATH}?entity=category&page_size=3");
        let (mut by_cursor, mut cursors) = (Vec::new(), Vec::new());
        loop {
            let page = shop.get_as(&admin, &path).await.expect(200).json;
            assert_eq!(page["count"], 8);
            by_cursor.extend(page["results"].as_array().unwrap().clone());
            // What comes meanwhile is above.
            shop.category(&admin, &format!("New {}", by_cursor.len())).await;
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("{PATH}?entity=category&page_size=3&cursor={cursor}");
            cursors.push(cursor.to_owned());
            if cursors.len() > 1 {
                assert!(page["next"].as_str().unwrap().ends_with(&format!("&cursor={cursor}")));
            }
        }
        assert_eq!((by_cursor, cursors.len()), (wanted, 2));

        // It is of this list, whoever of the administrators reads it, and of no other.
        shop.get_as(&other, &format!("{PATH}?entity=category&cursor={}", cursors[0])).await.expect(200);
        for query in ["", "entity=product&", "entity=category&actor_id=1&"] {
            let answer =
                shop.get_as(&admin, &format!("{PATH}?{query}cursor={}", cursors[0])).await.expect(400);
            assert_eq!(answer.faults(), ["cursor"]);
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_rewrites_it() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        shop.category(&admin, "C").await;
        let before = log(shop, &admin, "").await;
        for statement in [
            "update audit_log set actor_id = null",
            "update audit_log set at = now() where false",
            "delete from audit_log",
            "truncate audit_log",
            "truncate users cascade",
            "begin; update category set name = 'D'; set constraints all immediate; delete from audit_log; commit",
        ] {
            let refused = shop.at_a_prompt(statement).await.unwrap_err();
            assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
        }
        let leave = "begin; delete from refresh_token; delete from session; delete from users where role = 'admin'";
        let mut connection = shop.db.acquire().await.unwrap().detach();
        let refused = sqlx::raw_sql(leave).execute(&mut connection).await.unwrap_err();
        assert!(refused.to_string().contains("has written in a ledger"), "{refused}");
        assert!(refused.as_database_error().unwrap().is_foreign_key_violation());
        assert_eq!(log(shop, &admin, "").await, before);
    })
    .await;
}

#[tokio::test]
async fn no_secret_and_nothing_personal_is_in_it() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        shop.user("somebody", Role::Customer).await;
        let changed = json!({"old_password": PASSWORD, "new_password": "another long passphrase"});
        shop.post_as(&admin, "/api/auth/password/", changed).await.expect(204);
        shop.at_a_prompt(
            "update users set role = 'vendor', phone = '+254712345678', email = 'ada@example.org', password_hash = '$argon2id$x' where role = 'customer';
             insert into users (username, email, password_hash) values ('by-hand', 'hand@example.org', '$argon2id$y')",
        )
        .await
        .unwrap();
        let user = log(shop, &admin, "action=user.update").await.remove(0);
        assert_eq!(
            told(&user),
            (
                "user.update",
                &json!({"role": "customer", "email": null, "phone": null, "password": null}),
                &json!({"role": "vendor", "email": null, "phone": null, "password": null}),
            )
        );
        let all: String = sqlx::query_scalar("select string_agg(a::text, ' ') from audit_log a").fetch_one(&shop.db).await.unwrap();
        for secret in ["argon2", "example.", "254712345678", "by-hand", "root-of-all", PASSWORD, &admin.refresh] {
            assert!(!all.contains(secret), "{secret} is in {all}");
        }
    })
    .await;
}

/// Columns of audited tables that are not told, and why.
const UNTOLD: [(&str, &[&str]); 7] = [
    // The line names the row, and its own instant.
    ("", &["id", "created_at", "updated_at", "deleted_at", "row_version"]),
    // Counted, or made of what is counted.
    ("product", &["popularity", "rating_sum", "rating_count", "rating", "review_count"]),
    ("discount", &["times_used"]),
    // How far it is, and who asked, which the line says.
    (
        "job",
        &[
            "status",
            "node_id",
            "requested_by",
            "documents_done",
            "documents_total",
            "rows_created",
            "rows_updated",
            "rows_refused",
            "error",
            "started_at",
            "heartbeat_at",
            "finished_at",
            "catalog_version",
        ],
    ),
    // A secret, of which `password` says that it is another one; what the verb says; and what the names are found by.
    ("user", &["password_hash", "date_joined", "anonymised_at", "search_words"]),
    // Fixed when it was placed, by its buyer; and what follows from the status.
    (
        "order",
        &[
            "order_number",
            "user_id",
            "payment_method",
            "currency",
            "subtotal",
            "discount_total",
            "total_amount",
            "discount_id",
            "discount_code",
            "order_date",
            "expires_at",
            "address_id",
            "shipping_street",
            "shipping_city",
            "shipping_region",
            "shipping_country",
            "shipping_postal_code",
            "shipping_address_type",
        ],
    ),
    // Who asked, which the line says; what the gateway calls it, and how it is looked after.
    (
        "refund",
        &[
            "requested_by",
            "gateway_refund_id",
            "gateway_request_id",
            "sent_at",
            "gateway_key",
            "callback_token_hash",
            "idempotency_key_id",
            "error",
            "checks",
            "next_check_at",
        ],
    ),
];

/// Tables without a line of their own, and why.
const UNAUDITED: [&str; 21] = [
    // People's own.
    "session",
    "refresh_token",
    "wishlist",
    "wishlist_item",
    "cart",
    "cart_item",
    // What follows from an order, and what gateways tell of its payments.
    "order_item",
    "order_event",
    "discount_use",
    "stock_movement",
    "payment",
    "payment_inbox",
    "payment_ledger",
    "idempotency_key",
    // The machinery.
    "change_log",
    "index_epoch",
    "index_consumer",
    "change_floor",
    "price_rounding",
    "job_row_error",
    "_sqlx_migrations",
];

#[tokio::test]
async fn every_table_and_column_has_been_thought_of() {
    let database = TestDatabase::create().await;
    let audited: Vec<(String, String)> = sqlx::query_as(
        "select distinct tgrelid::regclass::text, encode(split_part(encode(tgargs, 'escape'), '\\000', 1)::bytea, 'escape')
         from pg_trigger where tgfoid = 'note_row'::regproc",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert_eq!(audited.len(), 11, "{audited:?}");
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    for table in &tables {
        let known = audited.iter().any(|(audited, _)| audited == table)
            || UNAUDITED.contains(&table.as_str())
            || table.starts_with("audit_")
            || ["discount_product", "search_settings"].contains(&table.as_str());
        assert!(known, "is {table} written by vendors or administrators? audit it, or say here why not");
    }
    for name in UNAUDITED {
        assert!(tables.iter().any(|table| table == name), "{name} is no table any more");
    }
    for (table, entity) in audited {
        let columns: Vec<String> = sqlx::query_scalar(
            "select attname::text from pg_attribute
             where attrelid = $1::regclass and attnum > 0 and not attisdropped
               and not exists (select from audit_field where entity = $2 and field = attname)",
        )
        .bind(&table)
        .bind(&entity)
        .fetch_all(&database.pool)
        .await
        .unwrap();
        for column in columns {
            let said = UNTOLD
                .iter()
                .any(|(of, columns)| (of.is_empty() || *of == entity) && columns.contains(&column.as_str()));
            assert!(said, "{table}.{column} is not told; add it to audit_field, or say here why not");
        }
    }
    let strangers: Vec<String> = sqlx::query_scalar(
        "select entity || '.' || field from audit_field
         where entity <> 'search_settings' and (entity, field) <> ('user', 'password')
           and not exists (select from pg_attribute where attname = field and not attisdropped
                           and attrelid = (case entity when 'user' then 'users' when 'order' then 'orders' else entity end)::regclass)",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert!(strangers.is_empty(), "{strangers:?}");
    database.drop().await;
}
