//! The administration of users: who is listed, who may change whom, and how somebody leaves.

mod leaving;

use std::collections::BTreeSet;

use duka::auth::Role;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestShop, User, with_shop};

fn path(user: &User) -> String {
    format!("/api/users/{}/", user.id)
}

fn names(answer: &Answer) -> Vec<&str> {
    let rows = answer.json["results"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
    rows.iter().map(|user| user["username"].as_str().unwrap()).collect()
}

/// Somebody with names, behind the shop's back: hashing a password for each would take long.
async fn somebody(shop: &TestShop, name: &str, email: &str, first: &str, last: &str, role: &str) -> i64 {
    sqlx::query_scalar(
        "insert into users (username, email, password_hash, first_name, last_name, role)
         values ($1, $2, '-', $3, $4, $5) returning id",
    )
    .bind(name)
    .bind(email)
    .bind(first)
    .bind(last)
    .bind(role)
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

#[tokio::test]
async fn an_admin_finds_users_by_the_beginnings_of_words() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        somebody(shop, "ada", "ada@engine.example", "Ada", "Lovelace", "customer").await;
        somebody(shop, "zoe.o-brien", "zoe@brien.example", "Zoé", "O'Brien-Łuk", "vendor").await;
        somebody(shop, "漢字さん", "kanji@kana.example", "Å\u{301}sa", "ÜNAL", "vendor").await;
        for (query, found) in [
            ("", vec!["漢字さん", "zoe.o-brien", "ada", "root-of-all"]),
            ("?search=", vec!["漢字さん", "zoe.o-brien", "ada", "root-of-all"]),
            ("?role=vendor", vec!["漢字さん", "zoe.o-brien"]),
            ("?role=admin", vec!["root-of-all"]),
            ("?search=love", vec!["ada"]),
            ("?search=LOVELACE+ad", vec!["ada"]),
            ("?search=lace", vec![]),
            ("?search=ada%40engine.example", vec!["ada"]),
            ("?search=example", vec!["漢字さん", "zoe.o-brien", "ada", "root-of-all"]),
            ("?search=example&role=vendor", vec!["漢字さん", "zoe.o-brien"]),
            ("?search=zoe+brien", vec!["zoe.o-brien"]),
            ("?search=ZO%C3%89", vec!["zoe.o-brien"]),
            ("?search=o%27brien", vec!["zoe.o-brien"]),
            ("?search=zoe.o-b", vec!["zoe.o-brien"]),
            ("?search=asa+unal", vec!["漢字さん"]),
            ("?search=%E6%BC%A2", vec!["漢字さん"]),
            ("?search=ada+zoe", vec![]),
            ("?search=%25", vec![]),
            ("?search=!", vec![]),
            ("?search=%27%3A*+%26+%21zoe+%7C+%5Cada", vec![]),
            ("?search=%3C%3E()", vec![]),
            ("?page_size=1&page=3", vec!["ada"]),
            ("?page=9", vec![]),
        ] {
            let answer = shop.get_as(&admin, &format!("/api/users/{query}")).await.expect(200);
            assert_eq!(names(&answer), found, "{query}");
            if !query.contains("page") {
                assert_eq!(answer.json["count"], found.len(), "{query}");
            }
        }
        let one = shop.get_as(&admin, "/api/users/?search=ada").await.json["results"][0].clone();
        let fields: BTreeSet<_> = one.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "id",
            "username",
            "email",
            "first_name",
            "last_name",
            "phone",
            "role",
            "is_active",
            "date_joined",
        ];
        assert_eq!(fields, expected.into());
        for (query, fault) in [
            ("role=root", "role"),
            ("role=", "role"),
            ("role=admin&role=vendor", "role"),
            (&format!("search={}", "x".repeat(257)), "search"),
            ("search=%00", "search"),
            ("is_active=true", "is_active"),
            ("page=0", "page"),
            ("page_size=101", "page_size"),
            ("cursor=nonsense", "cursor"),
        ] {
            let refused = shop.get_as(&admin, &format!("/api/users/?{query}")).await.expect(400);
            assert_eq!(refused.faults(), [fault], "{query}");
        }
        shop.get_as(&admin, &format!("/api/users/?search={}", "x+".repeat(128))).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_search_does_not_read_every_user() {
    with_shop(async |shop| {
        sqlx::raw_sql(
            "insert into users (username, email, password_hash)
             select 'user' || i, i || '@example.com', '-' from generate_series(1, 5000) i;
             analyze users;",
        )
        .execute(&shop.db)
        .await
        .unwrap();
        let plan: Vec<String> =
            sqlx::query_scalar("explain select id from users where search_words @@ user_query('user4711')")
                .fetch_all(&shop.db)
                .await
                .unwrap();
        assert!(plan.join("\n").contains("users_search_words_idx"), "{plan:#?}");
    })
    .await;
}

#[tokio::test]
async fn a_cursor_walks_the_list_while_it_changes() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let mut ids = Vec::new();
        for n in 0..10 {
            ids.push(
                somebody(shop, &format!("user{n}"), &format!("{n}@example.com"), "", "", "customer").await,
            );
        }
        let mut seen = Vec::new();
        let mut next = Some("/api/users/?search=user&page_size=3".to_owned());
        while let Some(path) = next {
            let answer = shop.get_as(&admin, &path).await.expect(200);
            seen.extend(names(&answer).into_iter().map(str::to_owned));
            let cursor = answer.json["next_cursor"].as_str();
            assert_eq!(answer.json["next"].is_null(), cursor.is_none(), "both lead on, or neither");
            next = cursor.map(|cursor| format!("/api/users/?search=user&page_size=3&cursor={cursor}"));
            if seen.len() == 3 {
                // One more in front, and the one that the cursor stands on is gone.
                somebody(shop, "user-new", "new@example.com", "", "", "customer").await;
                sqlx::query("delete from users where id = any($1)")
                    .bind([ids[7], ids[5]])
                    .execute(&shop.db)
                    .await
                    .unwrap();
                let cursor = cursor.unwrap();
                for query in [
                    format!("search=user&page_size=3&page=1&cursor={cursor}"),
                    format!("search=users&cursor={cursor}"),
                    format!("role=customer&search=user&cursor={cursor}"),
                    format!("cursor={cursor}"),
                    format!("search=user&cursor={}A", &cursor[..cursor.len() - 1]),
                ] {
                    let refused = shop.get_as(&admin, &format!("/api/users/?{query}")).await;
                    let same = query.ends_with(cursor) && query.starts_with("search=user&cursor");
                    assert_eq!(refused.status, if same { 200 } else { 400 }, "{query}: {}", refused.text);
                }
            }
        }
        assert_eq!(seen, ["user9", "user8", "user7", "user6", "user4", "user3", "user2", "user1", "user0"]);
    })
    .await;
}

/// Who may do what to whose account: the role of the actor, whether it is the own account, and the answers to GET,
/// PATCH of a name, PATCH of a role and DELETE.
#[tokio::test]
async fn everybody_may_do_what_the_role_allows() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let ada = shop.user("ada", Role::Customer).await;
        let others = [
            (None, [401; 4]),
            (Some(shop.user("another", Role::Customer).await), [404; 4]),
            (Some(shop.user("a-vendor", Role::Vendor).await), [404; 4]),
        ];
        let before = shop.fingerprint().await;
        for (user, expected) in &others {
            let user = user.as_ref();
            let list = if user.is_some() { 403 } else { 401 };
            shop.send_as(user, Method::GET, "/api/users/", &Value::Null).await.expect(list);
            for target in [path(&ada), path(&admin), "/api/users/999999/".to_owned()] {
                let told = [
                    shop.send_as(user, Method::GET, &target, &Value::Null).await,
                    shop.send_as(user, Method::PATCH, &target, &json!({"first_name": "Eve"})).await,
                    shop.send_as(user, Method::PATCH, &target, &json!({"role": "admin", "nonsense": 1}))
                        .await,
                    shop.send_as(user, Method::DELETE, &target, &Value::Null).await,
                ];
                assert_eq!(told.each_ref().map(|answer| answer.status), *expected, "{target}");
            }
        }
        for id in ["0", "-1", "x", "9223372036854775807", "9223372036854775808"] {
            let target = format!("/api/users/{id}/");
            for user in [&ada, &admin] {
                for method in [Method::GET, Method::PATCH, Method::DELETE] {
                    shop.send_as(Some(user), method, &target, &json!({})).await.expect(404);
                }
            }
        }
        assert_eq!(shop.fingerprint().await, before);

        let me = shop.get_as(&ada, "/api/auth/me/").await.expect(200).json;
        assert_eq!(shop.get_as(&ada, &path(&ada)).await.expect(200).json, me);
        assert_eq!(shop.get_as(&admin, &path(&ada)).await.expect(200).json, me);
        let changed =
            shop.patch_as(&ada, &path(&ada), json!({"first_name": " Ada ", "phone": "+254712345678"})).await;
        assert_eq!(changed.expect(200).json["first_name"], "Ada");
        let change =
            json!({"last_name": "L", "email": "ada@new.example", "role": "vendor", "is_active": true});
        let changed = shop.patch_as(&admin, &path(&ada), change.clone()).await.expect(200);
        for (field, value) in change.as_object().unwrap() {
            assert_eq!(&changed.json[field], value);
        }
        let taken =
            shop.patch_as(&admin, &path(&ada), json!({"email": "ROOT-OF-ALL@example.com"})).await.expect(409);
        assert_eq!(taken.faults(), ["/email"]);
        let put = shop.send_as(Some(&admin), Method::PUT, &path(&ada), &json!({})).await.expect(405);
        assert_eq!(put.header("allow"), "GET,HEAD,PATCH,DELETE");
    })
    .await;
}

#[tokio::test]
async fn nobody_raises_the_own_role() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let users = [shop.user("ada", Role::Customer).await, shop.user("vera", Role::Vendor).await];
        let before = shop.fingerprint().await;
        for user in &users {
            for (field, value) in [
                ("role", json!("admin")),
                ("role", json!(7)),
                ("is_active", json!(true)),
                ("id", json!(admin.id)),
                ("username", json!("root")),
                ("password", json!("another passphrase")),
                ("password_hash", json!("x")),
                ("date_joined", json!("2020-01-01T00:00:00Z")),
                ("anonymised_at", Value::Null),
            ] {
                let refused = shop
                    .patch_as(user, &path(user), json!({field: value, "first_name": "Eve"}))
                    .await
                    .expect(422);
                assert_eq!(refused.faults(), [format!("/{field}")]);
                assert_eq!(refused.json["errors"][0]["code"], "unknown");
            }
            let many = shop
                .patch_as(user, &path(user), json!({"role": "admin", "email": "x", "is_active": 1}))
                .await;
            assert_eq!(many.expect(422).faults(), ["/email", "/is_active", "/role"]);
        }
        for (field, value) in [
            ("role", json!("root")),
            ("role", json!("Admin")),
            ("role", Value::Null),
            ("is_active", json!("yes")),
            ("is_active", Value::Null),
            ("username", json!("root")),
            ("password", json!("another passphrase")),
            ("first_name", json!("a\u{202e}b")),
            ("first_name", json!("x".repeat(151))),
            ("email", json!("nowhere")),
        ] {
            let refused = shop.patch_as(&admin, &path(&users[0]), json!({field: value})).await.expect(422);
            assert_eq!(refused.faults(), [format!("/{field}")]);
        }
        assert_eq!(shop.fingerprint().await, before);
    })
    .await;
}

#[tokio::test]
async fn a_new_role_holds_from_the_next_request_on() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let ada = shop.user("ada", Role::Customer).await;
        let category = shop.category(&admin, "Things").await;
        let product = |sku: &str| json!({"category_id": category, "name": sku, "price": "1.00", "sku": sku});
        let role =
            async |role: &str| shop.patch_as(&admin, &path(&ada), json!({"role": role})).await.expect(200);
        shop.post_as(&ada, "/api/product/", product("A")).await.expect(403);
        role("vendor").await;
        shop.post_as(&ada, "/api/product/", product("A")).await.expect(201);
        shop.get_as(&ada, "/api/users/").await.expect(403);
        role("admin").await;
        shop.get_as(&ada, "/api/users/").await.expect(200);
        role("customer").await;
        shop.get_as(&ada, "/api/users/").await.expect(403);
        shop.post_as(&ada, "/api/product/", product("B")).await.expect(403);
        let refreshed =
            shop.post("/api/auth/jwt/refresh/", json!({"refresh": ada.refresh})).await.expect(200);
        let renewed = User { access: refreshed.json["access"].as_str().unwrap().to_owned(), ..ada.clone() };
        assert_eq!(shop.get_as(&renewed, "/api/auth/me/").await.json["role"], "customer");
    })
    .await;
}

#[tokio::test]
async fn whoever_is_deactivated_is_out_at_once_and_signs_in_anew() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let ada = shop.user("ada", Role::Customer).await;
        let there = shop.sign_in(ada.id, "ada", PASSWORD).await;
        let off = shop.patch_as(&admin, &path(&ada), json!({"is_active": false})).await.expect(200);
        assert_eq!(off.json["is_active"], false);
        let out = async || {
            for session in [&ada, &there] {
                shop.get_as(session, "/api/auth/me/").await.expect(401);
                shop.post("/api/auth/jwt/verify/", json!({"token": session.access})).await.expect(401);
                shop.post("/api/auth/jwt/refresh/", json!({"refresh": session.refresh})).await.expect(401);
            }
        };
        out().await;
        let pair = json!({"username": "ada", "password": PASSWORD});
        shop.post("/api/auth/jwt/login/", pair).await.expect(401);
        shop.patch_as(&admin, &path(&ada), json!({"is_active": true})).await.expect(200);
        out().await;
        let back = shop.sign_in(ada.id, "ada", PASSWORD).await;
        shop.get_as(&back, "/api/auth/me/").await.expect(200);
        // Changes that have nothing to do with it leave a session alone.
        shop.patch_as(&admin, &path(&ada), json!({"first_name": "Ada", "is_active": true})).await.expect(200);
        shop.get_as(&back, "/api/auth/me/").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn the_last_admin_stays() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let second = shop.user("second-admin", Role::Admin).await;
        shop.patch_as(&admin, &path(&second), json!({"is_active": false})).await.expect(200);
        let before = shop.fingerprint().await;
        let attempts = [
            json!({"role": "vendor"}),
            json!({"is_active": false}),
            json!({"role": "customer", "is_active": true}),
        ];
        for change in attempts {
            let refused = shop.patch_as(&admin, &path(&admin), change).await.expect(409);
            assert_eq!(refused.json["type"], "/problems/last-admin");
        }
        let refused = shop.delete_as(&admin, &path(&admin)).await.expect(409);
        assert_eq!(refused.json["type"], "/problems/last-admin");
        assert_eq!(shop.fingerprint().await, before, "an inactive admin is none");
        shop.get_as(&admin, "/api/users/").await.expect(200);
        shop.patch_as(&admin, &path(&admin), json!({"first_name": "Root", "role": "admin"}))
            .await
            .expect(200);

        shop.patch_as(&admin, &path(&second), json!({"is_active": true})).await.expect(200);
        shop.patch_as(&admin, &path(&admin), json!({"role": "customer"})).await.expect(200);
        shop.get_as(&admin, "/api/users/").await.expect(403);
    })
    .await;
}

#[tokio::test]
async fn of_admins_who_leave_at_once_one_stays() {
    with_shop(async |shop| {
        let mut admins = Vec::new();
        for n in 0..9 {
            admins.push(shop.user(&format!("admin-{n}"), Role::Admin).await);
        }
        let leave = admins.iter().enumerate().map(async |(n, admin)| match n % 3 {
            0 => shop.patch_as(admin, &path(admin), json!({"role": "customer"})).await,
            1 => shop.patch_as(admin, &path(admin), json!({"is_active": false})).await,
            _ => shop.delete_as(admin, &path(admin)).await,
        });
        let answers = join_all(leave).await;
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status >= 300).collect();
        assert_eq!(refused.len(), 1, "{refused:#?}");
        assert_eq!(refused[0].json["type"], "/problems/last-admin");
        let left: i64 = sqlx::query_scalar("select count(*) from users where role = 'admin' and is_active")
            .fetch_one(&shop.db)
            .await
            .unwrap();
        assert_eq!(left, 1);
    })
    .await;
}
