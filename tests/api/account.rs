//! Sign-in: who gets an account, who gets in, and for how long.

use duka::auth::Role;
use serde_json::json;

use crate::support::{PASSWORD, with_shop};

#[tokio::test]
async fn a_registration_makes_a_customer_who_can_sign_in() {
    with_shop(async |shop| {
        let form = json!({"username": "ada", "email": "Ada@example.com", "password": PASSWORD, "first_name": " Ada "});
        let answer = shop.post("/api/auth/register/", form).await.expect(201);
        let user = &answer.json;
        assert_eq!((user["username"].as_str(), user["role"].as_str()), (Some("ada"), Some("customer")));
        assert_eq!(user["first_name"], "Ada");
        assert_eq!(user["is_active"], true);
        assert!(!answer.text.contains("password"), "{}", answer.text);

        for name in ["ada", "ADA", "ada@example.com"] {
            let signed_in = shop.sign_in(answer.id(), name, PASSWORD).await;
            let me = shop.get_as(&signed_in, "/api/auth/me/").await.expect(200);
            assert_eq!(me.id(), answer.id());
        }
    })
    .await;
}

#[tokio::test]
async fn a_registration_names_every_fault_and_sets_no_role() {
    with_shop(async |shop| {
        let before = shop.fingerprint().await;
        let form =
            json!({"username": "a b", "email": "nowhere", "password": "short", "role": "admin", "id": 1});
        let answer = shop.post("/api/auth/register/", form).await.expect(422);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let mut faults = answer.faults();
        faults.sort_unstable();
        assert_eq!(faults, ["/email", "/id", "/password", "/role", "/username"]);
        for weak in ["password123", "Adalovelace"] {
            let form = json!({"username": "adalovelace", "email": "a@example.com", "password": weak});
            let answer = shop.post("/api/auth/register/", form).await.expect(422);
            assert_eq!(answer.faults(), ["/password"]);
        }
        assert_eq!(shop.fingerprint().await, before);
    })
    .await;
}

#[tokio::test]
async fn names_and_addresses_are_taken_without_regard_to_case() {
    with_shop(async |shop| {
        shop.user("ada", Role::Customer).await;
        for (name, email, fault) in
            [("ADA", "b@example.com", "/username"), ("b.b", "ADA@Example.com", "/email")]
        {
            let form = json!({"username": name, "email": email, "password": PASSWORD});
            let answer = shop.post("/api/auth/register/", form).await.expect(409);
            assert_eq!(answer.json["type"], "/problems/already-taken");
            assert_eq!(answer.faults(), [fault]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_pair_does_not_say_which_half_is_wrong() {
    with_shop(async |shop| {
        shop.user("ada", Role::Customer).await;
        let known = shop.post("/api/auth/jwt/login/", json!({"username": "ada", "password": "wrong"})).await;
        let unknown =
            shop.post("/api/auth/jwt/login/", json!({"username": "bob", "password": "wrong"})).await;
        for answer in [&known, &unknown] {
            assert_eq!(answer.status, 401);
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let told = |text: &str, id: &str| text.replace(id, "");
        let (a, b) = (known.header("x-request-id"), unknown.header("x-request-id"));
        assert_eq!(told(&known.text, a), told(&unknown.text, b));
    })
    .await;
}

#[tokio::test]
async fn a_name_is_found_however_it_is_composed() {
    with_shop(async |shop| {
        let form = json!({"username": "ａｄａ１２", "email": "ada@example.com", "password": PASSWORD});
        let made = shop.post("/api/auth/register/", form).await.expect(201);
        assert_eq!(made.json["username"], "ada12");
        for name in ["ａｄａ１２", "ADA12", "ada@example.com"] {
            shop.sign_in(made.id(), name, PASSWORD).await;
        }
        // What composes to a space and a letter begins with the letter.
        let spaced = "\u{37a}abc";
        let form = json!({"username": spaced, "email": "abc@example.com", "password": PASSWORD});
        let made = shop.post("/api/auth/register/", form).await.expect(201);
        shop.sign_in(made.id(), spaced, PASSWORD).await;
        for (field, value) in
            [("username", "㎏".repeat(100)), ("username", "ｶﾞa".into()), ("password", "abc\u{7}defgh".into())]
        {
            let mut form = json!({"username": "bob", "email": "bob@example.com", "password": PASSWORD});
            form[field] = json!(value);
            let refused = shop.post("/api/auth/register/", form).await.expect(422);
            assert_eq!(refused.faults(), [format!("/{field}")]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_with_a_password_that_is_being_changed_comes_to_nothing() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let mut change = shop.db.begin().await.unwrap();
        let sql = "update users set password_hash = password_hash || 'x' where id = $1";
        sqlx::query(sql).bind(ada.id).execute(&mut *change).await.unwrap();
        let pair = json!({"username": "ada", "password": PASSWORD});
        let signing_in = async {
            shop.post("/api/auth/jwt/login/", pair.clone()).await.expect(401);
        };
        let changing = async {
            // Long enough for the old password to be compared.
            shop.waits("unchanged").await;
            change.commit().await.unwrap();
        };
        tokio::join!(signing_in, changing);
    })
    .await;
}

#[tokio::test]
async fn nobody_shadows_another_s_address_with_a_user_name() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let form = json!({"username": "ada@example.com", "email": "mallory@example.com", "password": "another passphrase"});
        shop.post("/api/auth/register/", form).await.expect(201);
        let signed_in = shop.sign_in(ada.id, "ada@example.com", PASSWORD).await;
        assert_eq!(shop.get_as(&signed_in, "/api/auth/me/").await.id(), ada.id);
        // Nor does the owner of an address keep out whoever has it as a name.
        let named = shop.sign_in(0, "ada@example.com", "another passphrase").await;
        assert_eq!(shop.get_as(&named, "/api/auth/me/").await.json["username"], "ada@example.com");
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_reuse_ends_the_session() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let refresh = json!({"refresh": ada.refresh});
        let next = shop.post("/api/auth/jwt/refresh/", refresh.clone()).await.expect(200);
        let access = next.json["access"].as_str().unwrap().to_owned();
        let renewed = crate::support::User { access, ..ada.clone() };
        shop.get_as(&renewed, "/api/auth/me/").await.expect(200);

        shop.post("/api/auth/jwt/refresh/", refresh).await.expect(401);
        // The thief's and the owner's tokens are dead alike.
        shop.post("/api/auth/jwt/refresh/", json!({"refresh": next.json["refresh"]})).await.expect(401);
        shop.get_as(&renewed, "/api/auth/me/").await.expect(401);
        shop.post("/api/auth/jwt/verify/", json!({"token": renewed.access})).await.expect(401);
    })
    .await;
}

#[tokio::test]
async fn of_two_rotations_at_once_one_wins() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let refresh = || shop.post("/api/auth/jwt/refresh/", json!({"refresh": ada.refresh}));
        let (a, b, c) = tokio::join!(refresh(), refresh(), refresh());
        let won = [a.status, b.status, c.status].into_iter().filter(|status| *status == 200).count();
        assert_eq!(won, 1, "{} {} {}", a.text, b.text, c.text);
    })
    .await;
}

#[tokio::test]
async fn signing_out_ends_the_session_and_no_other() {
    with_shop(async |shop| {
        let here = shop.user("ada", Role::Customer).await;
        let there = shop.sign_in(here.id, "ada", PASSWORD).await;
        let mallory = shop.user("mallory", Role::Customer).await;
        shop.post_as(&mallory, "/api/auth/jwt/logout/", json!({"refresh": here.refresh})).await.expect(422);
        shop.post_as(&here, "/api/auth/jwt/logout/", json!({"refresh": here.refresh})).await.expect(204);
        shop.get_as(&here, "/api/auth/me/").await.expect(401);
        shop.post("/api/auth/jwt/refresh/", json!({"refresh": here.refresh})).await.expect(401);
        shop.get_as(&there, "/api/auth/me/").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn tokens_are_verified_whichever_kind_they_are() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        for token in [&ada.access, &ada.refresh] {
            let answer = shop.post("/api/auth/jwt/verify/", json!({"token": token})).await.expect(200);
            assert_eq!(answer.text, "{}");
        }
        for token in ["nonsense", "a.b.c"] {
            shop.post("/api/auth/jwt/verify/", json!({"token": token})).await.expect(401);
        }
    })
    .await;
}

#[tokio::test]
async fn a_password_that_is_changed_meanwhile_is_not_changed_back() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let mut change = shop.db.begin().await.unwrap();
        let sql =
            "update users set password_hash = password_hash || 'x' where id = $1 returning password_hash";
        let hash: String = sqlx::query_scalar(sql).bind(ada.id).fetch_one(&mut *change).await.unwrap();
        let again = json!({"old_password": PASSWORD, "new_password": "another passphrase"});
        let changing_back = async {
            let refused = shop.post_as(&ada, "/api/auth/password/", again.clone()).await.expect(422);
            assert_eq!(refused.faults(), ["/old_password"]);
        };
        let changing = async {
            shop.waits("update users set password_hash").await;
            change.commit().await.unwrap();
        };
        tokio::join!(changing_back, changing);
        let kept: String = sqlx::query_scalar("select password_hash from users where id = $1")
            .bind(ada.id)
            .fetch_one(&shop.db)
            .await
            .unwrap();
        assert_eq!(kept, hash);
    })
    .await;
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session() {
    with_shop(async |shop| {
        let here = shop.user("ada", Role::Customer).await;
        let there = shop.sign_in(here.id, "ada", PASSWORD).await;
        let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
        let wrong =
            shop.post_as(&here, "/api/auth/password/", change("not it at all", "another passphrase")).await;
        assert_eq!(wrong.expect(422).faults(), ["/old_password"]);
        let weak = shop.post_as(&here, "/api/auth/password/", change(PASSWORD, "iloveyou")).await;
        assert_eq!(weak.expect(422).faults(), ["/new_password"]);

        shop.post_as(&here, "/api/auth/password/", change(PASSWORD, "another passphrase")).await.expect(204);
        shop.get_as(&here, "/api/auth/me/").await.expect(200);
        shop.get_as(&there, "/api/auth/me/").await.expect(401);
        shop.post("/api/auth/jwt/refresh/", json!({"refresh": there.refresh})).await.expect(401);
        shop.sign_in(here.id, "ada", "another passphrase").await;
    })
    .await;
}

#[tokio::test]
async fn one_changes_the_own_account_within_limits() {
    with_shop(async |shop| {
        shop.user("bob", Role::Customer).await;
        let ada = shop.user("ada", Role::Customer).await;
        let changed =
            shop.patch_as(&ada, "/api/auth/me/", json!({"phone": "+254 712 345678", "last_name": "L"})).await;
        assert_eq!(changed.expect(200).json["phone"], "+254 712 345678");
        shop.patch_as(&ada, "/api/auth/me/", json!({"email": "BOB@example.com"})).await.expect(409);
        let refused = shop.patch_as(&ada, "/api/auth/me/", json!({"role": "admin", "username": "eve"})).await;
        assert_eq!(refused.expect(422).faults(), ["/role", "/username"]);
    })
    .await;
}

#[tokio::test]
async fn a_deactivated_user_is_out_at_once() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        sqlx::query("update users set is_active = false where id = $1")
            .bind(ada.id)
            .execute(&shop.db)
            .await
            .unwrap();
        shop.get_as(&ada, "/api/auth/me/").await.expect(401);
        shop.post("/api/auth/jwt/refresh/", json!({"refresh": ada.refresh})).await.expect(401);
        let pair = json!({"username": "ada", "password": PASSWORD});
        shop.post("/api/auth/jwt/login/", pair).await.expect(401);
    })
    .await;
}
