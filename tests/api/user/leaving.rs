//! Leaving: what is personal goes, what is history stays.

use std::time::Duration;

use super::*;

/// The rows of the whole database that hold the text, as `table: row`.
async fn mentions(shop: &TestShop, text: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1",
    )
    .fetch_all(&shop.db)
    .await
    .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let rows = format!("select t::text from {table} t where t::text ilike '%' || $1 || '%'");
        let rows: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).bind(text).fetch_all(&shop.db).await.unwrap();
        found.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    found
}

/// A customer of whom everything that can be known says "lovelace".
async fn lovelace(shop: &TestShop) -> User {
    let form = json!({
        "username": "ada.lovelace", "email": "ada@lovelace.example", "password": PASSWORD,
        "first_name": "Lovelace", "last_name": "Lovelace", "phone": "+254 711 222 333",
    });
    let id = shop.post("/api/auth/register/", form).await.expect(201).id();
    let login = shop.request(Method::POST, "/api/auth/jwt/login/").header("user-agent", "Lovelace/1.0");
    let pair = json!({"username": "ada.lovelace", "password": PASSWORD});
    let tokens = shop.send(login.json(&pair)).await.expect(200).json;
    let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let user = User { id, name: "ada.lovelace".into(), access: token("access"), refresh: token("refresh") };
    let address = json!({
        "street": "Lovelace Road 1", "city": "Lovelace", "region": "Lovelace", "country": "Lovelace",
        "postal_code": "LOVELACE",
    });
    shop.post_as(&user, "/api/address/", address).await.expect(201);
    user
}

#[tokio::test]
async fn whoever_leaves_is_nobody_and_history_stays() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        for by_admin in [false, true] {
            let ada = lovelace(shop).await;
            sqlx::query(
                "insert into orders (order_number, user_id, payment_method, currency, subtotal, total_amount,
                                     shipping_street, shipping_city, shipping_country)
                 values ('N-' || $1, $1, 'card', 'USD', 10, 10, 'Lovelace Road 1', 'B', 'C')",
            )
            .bind(ada.id)
            .execute(&shop.db)
            .await
            .unwrap();
            assert!(mentions(shop, "lovelace").await.len() > 3);

            let actor = if by_admin { &admin } else { &ada };
            shop.delete_as(actor, &path(&ada)).await.expect(204);
            let left = mentions(shop, "lovelace").await;
            assert!(left.iter().all(|row| row.starts_with("orders: ")), "{left:#?}");
            assert!(mentions(shop, "711 222 333").await.is_empty());

            shop.get_as(&ada, "/api/auth/me/").await.expect(401);
            shop.get_as(&ada, &path(&ada)).await.expect(401);
            shop.delete_as(&ada, &path(&ada)).await.expect(401);
            shop.post("/api/auth/jwt/refresh/", json!({"refresh": ada.refresh})).await.expect(401);
            let shown = shop.get_as(&admin, &path(&ada)).await.expect(200).json;
            let name = format!("deleted user {}", ada.id);
            assert_eq!(
                (shown["username"].as_str(), &shown["is_active"]),
                (Some(name.as_str()), &json!(false))
            );
            for field in ["first_name", "last_name", "phone"] {
                assert_eq!(shown[field], "");
            }
            for login in [name.as_str(), shown["email"].as_str().unwrap(), "ada.lovelace"] {
                for password in [PASSWORD, "-", "$argon2id$v=19$m=19456,t=2,p=1"] {
                    let pair = json!({"username": login, "password": password});
                    shop.post("/api/auth/jwt/login/", pair).await.expect(401);
                }
            }

            let gone = shop.fingerprint().await;
            for change in [
                json!({"is_active": true}),
                json!({"role": "admin"}),
                json!({"first_name": "Ada"}),
                json!({}),
            ] {
                let refused = shop.patch_as(&admin, &path(&ada), change).await.expect(409);
                assert_eq!(refused.json["type"], "/problems/account-deleted");
            }
            shop.delete_as(&admin, &path(&ada)).await.expect(204);
            assert_eq!(shop.fingerprint().await, gone, "once gone, gone for ever");
        }
        // The name is free again, and who takes it is somebody else.
        let ada = lovelace(shop).await;
        assert_eq!(shop.get_as(&ada, "/api/address/").await.json["count"], 1);
        let orders: i64 =
            sqlx::query_scalar("select count(*) from orders").fetch_one(&shop.db).await.unwrap();
        assert_eq!(orders, 2);
    })
    .await;
}

#[tokio::test]
async fn nobody_takes_the_name_that_the_gone_get() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let next = admin.id + 1;
        let email = format!("deleted-{next}@invalid");
        for (name, email) in
            [(format!("deleted user {next}"), "a@example.com".to_owned()), ("squatter".into(), email)]
        {
            let form = json!({"username": name, "email": email, "password": PASSWORD});
            shop.post("/api/auth/register/", form).await.expect(422);
        }
        let ada = shop.user("ada", Role::Customer).await;
        let email = json!({"email": format!("deleted-{}@invalid", ada.id)});
        shop.patch_as(&admin, &path(&admin), email.clone()).await.expect(422);
        shop.patch_as(&ada, "/api/auth/me/", email).await.expect(422);
        shop.delete_as(&ada, &path(&ada)).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn leaving_many_times_at_once_is_leaving_once() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let ada = lovelace(shop).await;
        let leave =
            (0..24).map(async |n| shop.delete_as(if n % 2 == 0 { &ada } else { &admin }, &path(&ada)).await);
        for answer in join_all(leave).await {
            assert!(answer.status == 204 || answer.status == 401, "{} {}", answer.status, answer.text);
        }
        assert_eq!(mentions(shop, "lovelace").await, Vec::<String>::new());
        assert_eq!(shop.get_as(&admin, &path(&ada)).await.json["is_active"], false);
    })
    .await;
}

/// What was let in before the account was closed, and writes after it.
#[tokio::test]
async fn nothing_is_written_for_somebody_who_has_left() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let ada = lovelace(shop).await;
        let mut holding = shop.db.begin().await.unwrap();
        sqlx::query("select from users where id = $1 for update")
            .bind(ada.id)
            .execute(&mut *holding)
            .await
            .unwrap();
        let later = async |milliseconds| tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        let (own, name) = (path(&ada), json!({"first_name": "Lovelace"}));
        let road = json!({"street": "Lovelace Road 2", "city": "L", "country": "L"});
        let (left, late, ()) = tokio::join!(
            shop.delete_as(&admin, &own),
            async {
                later(300).await;
                tokio::join!(
                    shop.patch_as(&ada, "/api/auth/me/", name.clone()),
                    shop.patch_as(&ada, &own, name.clone()),
                    shop.post_as(&ada, "/api/address/", road),
                    shop.patch_as(&admin, &own, name.clone()),
                )
            },
            async {
                later(600).await;
                holding.rollback().await.unwrap();
            },
        );
        left.expect(204);
        assert_eq!([late.0.status, late.1.status, late.2.status, late.3.status], [404, 404, 401, 409]);
        assert_eq!(mentions(shop, "lovelace").await, Vec::<String>::new());
    })
    .await;
}
