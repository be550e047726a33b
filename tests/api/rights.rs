//! Who may do what: every operation of the OpenAPI document, asked for by everybody, against `rights.txt`.

use std::collections::{BTreeMap, BTreeSet};

use duka::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestShop, User, with_shop};

/// The policy's columns.
pub const ASKING: [&str; 8] =
    ["anonymous", "customer-a", "customer-b", "vendor-a", "vendor-b", "admin", "expired", "revoked"];

/// What `rights.txt` expects of each operation, in the order of [`ASKING`].
pub fn policy() -> BTreeMap<String, Vec<String>> {
    let mut policy = BTreeMap::new();
    for line in include_str!("rights.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [method, path, expected @ ..] = words.as_slice() else { panic!("no policy: {line}") };
        assert_eq!(expected.len(), ASKING.len(), "a status for each: {line}");
        let known = |status: &&str| *status == "2xx" || status.parse::<u16>().is_ok();
        assert!(expected.iter().all(known), "not a status: {line}");
        let expected = expected.iter().map(|status| (*status).to_owned()).collect();
        assert!(policy.insert(format!("{method} {path}"), expected).is_none(), "twice: {line}");
    }
    policy
}

/// Every operation of the document, as `GET /api/order/{id}/`.
pub fn operations() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&duka::router::openapi().to_json().unwrap()).unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|key| key.parse::<Method>().is_ok());
        found.extend(
            methods
                .filter(|name| *name != "parameters")
                .map(|name| format!("{} {path}", name.to_uppercase())),
        );
    }
    found
}

/// Those who are asked for, and never change.
pub struct Cast {
    pub admin: User,
    b: User,
    vendors: [User; 2],
    /// In the index, for what only searches see.
    pub indexed: i64,
}

/// What is asked for, made anew for each request: the request may end it.
#[derive(sqlx::FromRow)]
pub struct Thing {
    pub user: i64,
    pub session: i64,
    pub revoked: i64,
    pub address: i64,
    pub product: i64,
    pub variant: i64,
    pub item: i64,
    pub category: i64,
    pub discount: i64,
    pub order: i64,
    pub shipment: i64,
    pub review: i64,
    pub wish: i64,
    pub import: i64,
    pub reindex: i64,
}

impl Thing {
    pub async fn make(shop: &TestShop, cast: &Cast, name: &str, is_live: bool) -> Self {
        sqlx::query("delete from job where node_id = 'elsewhere'").execute(&shop.db).await.unwrap();
        sqlx::query_as(
            r#"with person as (
                 insert into users (username, email, password_hash)
                 values ($1, $1 || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1') returning id
             ), opened as (
                 insert into session (user_id, user_agent, expires_at)
                 select id, '', now() + interval '1 day' from person returning id
             ), ended as (
                 insert into session (user_id, user_agent, expires_at, revoked_at)
                 select id, '', now() + interval '1 day', now() from person returning id
             ), home as (
                 insert into address (user_id, street, city, country) select id, 'S', 'C', 'K' from person returning id
             ), shelf as (
                 insert into category (name, slug) values ($1, $1) returning id
             ), empty as (
                 insert into category (name, slug) values ('empty ' || $1, 'empty-' || $1) returning id
             ), thing as (
                 insert into product (category_id, vendor_id, name, slug, price, sku)
                 select id, $2, $1, $1, 1, $1 from shelf returning id
             ), one as (
                 insert into variant (product_id, variant_name, sku, price, stock)
                 select id, n, $1 || n, 1, 9 from thing, unnest(array['x', 'y']) n returning id, variant_name, product_id
             ), basket as (
                 insert into cart (user_id) select id from person returning id
             ), line as (
                 insert into cart_item (cart_id, variant_id, quantity, price)
                 select b.id, v.id, 1, 1 from basket b, one v where v.variant_name = 'x' returning id
             ), code as (
                 insert into discount (code, discount_type, discount_value) values ($1, 'fixed', 1) returning id
             ), linked as (
                 insert into discount_product (discount_id, product_id) select c.id, t.id from code c, thing t
             ), placed as (
                 insert into orders (order_number, user_id, status, payment_method, currency, subtotal, total_amount,
                                     shipping_street, shipping_city, shipping_country)
                 select 'N' || id, id, 'confirmed', 'cash_on_delivery', 'USD', 1, 1, 'S', 'C', 'K' from person returning id
             ), bought as (
                 insert into order_item (order_id, variant_id, product_id, vendor_id, product_name, variant_name, sku,
                                         quantity, price, subtotal)
                 select o.id, v.id, v.product_id, $2, $1, 'x', $1, 1, 1, 1
                 from placed o, one v where v.variant_name = 'x' returning order_id
             ), parcel as (
                 insert into shipment (order_id) select id from placed returning id
             ), opinion as (
                 insert into review (user_id, product_id, rating) select p.id, t.id, 4 from person p, thing t returning id
             ), wishes as (
                 insert into wishlist (user_id) select id from person returning id
             ), wish as (
                 insert into wishlist_item (wishlist_id, product_id) select w.id, t.id from wishes w, thing t returning id
             ), work as (
                 insert into job (kind, node_id, heartbeat_at, status, finished_at)
                 select kind, 'elsewhere', now(), case when $3 then 'queued' else 'succeeded' end,
                        case when not $3 then now() end
                 from unnest(array['import', 'reindex']) kind returning id, kind
             )
             select p.id as "user", o.id as session, e.id as revoked, a.id as address, t.id as product, v.id as variant,
                    l.id as item, c.id as category, d.id as discount, r.id as "order", s.id as shipment, q.id as review,
                    w.id as wish, i.id as import, x.id as reindex
             from person p, opened o, ended e, home a, thing t, one v, line l, empty c, code d, placed r, parcel s,
                  opinion q, wish w, work i, work x
             where v.variant_name = 'x' and i.kind = 'import' and x.kind = 'reindex'"#,
        )
        .bind(name)
        .bind(cast.vendors[0].id)
        .bind(is_live)
        .fetch_one(&shop.db)
        .await
        .unwrap()
    }

    /// The path, with the ids of what is asked for.
    fn path(&self, operation: &str, cast: &Cast) -> String {
        let (_, template) = operation.split_once(' ').unwrap();
        let id = match template.split('/').nth(2).unwrap_or_default() {
            "address" => self.address,
            "admin" if template.contains("import") => self.import,
            "admin" => self.reindex,
            "cart" => self.item,
            "category" => self.category,
            "discount" => self.discount,
            "order" => self.order,
            "product" if template.ends_with("similar/") => cast.indexed,
            "product" => self.product,
            "review" => self.review,
            "shipments" => self.shipment,
            "users" => self.user,
            "variant" => self.variant,
            _ => 0,
        };
        let ids = [
            ("id", id),
            ("order_id", self.order),
            ("product_id", self.product),
            ("item_id", self.wish),
            ("token", 0),
        ];
        let path = ids.into_iter().fold(template.to_owned(), |path, (name, id)| {
            path.replace(&format!("{{{name}}}"), &id.to_string())
        });
        assert!(!path.contains('{'), "whose id is in {path}?");
        if path.ends_with("suggest/") { format!("{path}?q=a") } else { path }
    }

    /// What is sent: enough that rights decide, where they can only be decided of what is there.
    fn body(&self, operation: &str, name: &str) -> Value {
        match operation {
            "POST /api/address/" => json!({"street": "S", "city": "C", "country": "K"}),
            "PATCH /api/address/{id}/" => json!({"city": "D"}),
            "POST /api/cart/add/" => json!({"variant_id": self.variant}),
            "PATCH /api/cart/update/{id}/" => json!({"quantity": 2}),
            "POST /api/cart/discount/" => json!({"code": name}),
            "PATCH /api/category/{id}/" | "PATCH /api/discount/{id}/" => json!({"description": "D"}),
            "POST /api/discount/{id}/products/" => json!({"product_ids": [self.product]}),
            "POST /api/payment/initiate/" => json!({"order_id": self.order}),
            "POST /api/order/" => json!({"address_id": self.address, "payment_method": "card"}),
            "PATCH /api/product/{id}/" => json!({"name": "D"}),
            "PATCH /api/review/{id}/" => json!({"rating": 2}),
            "PATCH /api/shipments/{order_id}/{id}/" => json!({"carrier": "D"}),
            "PATCH /api/users/{id}/" => json!({"first_name": "D"}),
            "POST /api/variant/" => {
                json!({"product_id": self.product, "variant_name": "z", "sku": format!("{name}z")})
            }
            "PATCH /api/variant/{id}/" => json!({"variant_name": "D"}),
            "POST /api/wishlist/add/" => json!({"product_id": self.product}),
            _ => json!({}),
        }
    }

    /// The tokens of somebody; there may be several, which must all be treated alike.
    pub fn tokens(
        &self,
        shop: &TestShop,
        cast: &Cast,
        asking: &str,
        ended: i64,
        open: i64,
    ) -> Vec<Option<String>> {
        let admin = |session, age| Some(shop.token(cast.admin.id, session, Role::Admin, age));
        let own = |session, age| Some(shop.token(self.user, session, Role::Customer, age));
        match asking {
            "anonymous" => vec![None],
            "customer-a" => vec![own(self.session, 0)],
            "customer-b" => vec![Some(cast.b.access.clone())],
            "vendor-a" => vec![Some(cast.vendors[0].access.clone())],
            "vendor-b" => vec![Some(cast.vendors[1].access.clone())],
            "admin" => vec![Some(cast.admin.access.clone())],
            "expired" => vec![own(self.session, 700), admin(open, 700)],
            "revoked" => vec![own(self.revoked, 0), admin(ended, 0)],
            _ => panic!("{asking}"),
        }
    }
}

pub async fn session_of(shop: &TestShop, user: i64, is_revoked: bool) -> i64 {
    sqlx::query_scalar(
        "insert into session (user_id, user_agent, expires_at, revoked_at)
         values ($1, '', now() + interval '1 day', case when $2 then now() end) returning id",
    )
    .bind(user)
    .bind(is_revoked)
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

pub async fn cast(shop: &TestShop) -> Cast {
    let admin = shop.admin().await;
    let b = shop.user("customer-b", Role::Customer).await;
    let vendors = [shop.user("vendor-a", Role::Vendor).await, shop.user("vendor-b", Role::Vendor).await];
    let (indexed, variant) = shop.shelve(&admin, "INDEXED", "1.00", 9).await;
    for user in [&admin, &b, &vendors[0], &vendors[1]] {
        shop.put(user, variant, 1).await.expect(201);
    }
    shop.settled().await;
    Cast { admin, b, vendors, indexed }
}

#[tokio::test]
async fn everybody_may_do_what_the_policy_says_and_nothing_else() {
    let policy = policy();
    let operations = operations();
    let known: BTreeSet<String> = policy.keys().cloned().collect();
    let unknown: Vec<_> = operations.difference(&known).collect();
    assert!(unknown.is_empty(), "who may do these? say so in rights.txt: {unknown:?}");
    let gone: Vec<_> = known.difference(&operations).collect();
    assert!(gone.is_empty(), "these are no operations any more: {gone:?}");
    with_shop(async |shop| {
        let cast = cast(shop).await;
        let (open, ended) =
            (session_of(shop, cast.admin.id, false).await, session_of(shop, cast.admin.id, true).await);
        let (mut deviations, mut asked) = (Vec::new(), 0);
        for (operation, expected) in &policy {
            for (asking, expected) in ASKING.into_iter().zip(expected) {
                let name = format!("thing{asked}");
                let is_live = operation.starts_with("DELETE /api/admin/");
                let thing = Thing::make(shop, &cast, &name, is_live).await;
                for token in thing.tokens(shop, &cast, asking, ended, open) {
                    let method: Method = operation.split(' ').next().unwrap().parse().unwrap();
                    let mut request = shop.request(method.clone(), &thing.path(operation, &cast));
                    if let Some(token) = token {
                        request = request.bearer_auth(token);
                    }
                    request = match operation.as_str() {
                        "POST /api/admin/import/" => {
                            request.header("content-type", "application/x-ndjson").body("{}\n")
                        }
                        _ if matches!(method, Method::GET | Method::DELETE) => request,
                        _ => request.json(&thing.body(operation, &name)),
                    };
                    let answer = shop.send(request).await;
                    let status = match answer.status {
                        200..300 => "2xx".to_owned(),
                        other => other.to_string(),
                    };
                    if status != *expected {
                        deviations.push(format!(
                            "{operation} as {asking}: {status}, not {expected}: {}",
                            answer.text
                        ));
                    }
                    let challenge = answer.header("www-authenticate");
                    assert_eq!(
                        challenge == "Bearer",
                        answer.status == 401,
                        "{operation} as {asking}: {challenge}"
                    );
                    asked += 1;
                }
            }
        }
        assert!(deviations.is_empty(), "{} of {asked}:\n{}", deviations.len(), deviations.join("\n"));
        println!("{} operations, asked {asked} times: no deviation from the policy", policy.len());
    })
    .await;
}
