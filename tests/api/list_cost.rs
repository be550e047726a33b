//! No list asks the database once for each of its rows: every operation of the OpenAPI document whose answer holds
//! a list, with its number of statements, before and after everything in the shop has grown.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{TestShop, User, statements, with_shop};

/// What each takes, the one that asks who is there included. A new list belongs here.
const COSTS: [(&str, usize); 22] = [
    ("/api/address/", 3),
    ("/api/admin/audit/", 3),
    ("/api/admin/import/{id}/", 2),
    ("/api/admin/import/{id}/errors/", 4),
    ("/api/admin/search-settings/", 1),
    ("/api/cart/", 4),
    ("/api/category/", 2),
    ("/api/category/{id}/", 1),
    ("/api/discount/", 3),
    ("/api/discount/{id}/", 2),
    ("/api/order/", 6),
    ("/api/order/{id}/", 5),
    ("/api/payment/{order_id}/status/", 4),
    // Searches never ask.
    ("/api/product/", 0),
    ("/api/product/suggest/", 0),
    ("/api/product/{id}/", 2),
    ("/api/product/{id}/similar/", 0),
    ("/api/review/", 2),
    ("/api/shipments/{order_id}/", 3),
    ("/api/users/", 3),
    ("/api/variant/", 2),
    ("/api/wishlist/", 4),
];

/// What does not grow with the shop.
const CONSTANT: [&str; 1] = ["/api/admin/search-settings/"];

/// Every path of the document that is read and answered with a list, however deep in the answer.
fn lists(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap().iter();
    let found = paths.filter(|(_, item)| {
        let answers = item["get"]["responses"].as_object().into_iter().flatten();
        answers.filter(|(status, _)| status.starts_with('2')).any(|(_, answer)| {
            let bodies = answer["content"].as_object().into_iter().flatten();
            bodies.into_iter().any(|(_, body)| holds_list(document, &body["schema"], &mut Vec::new()))
        })
    });
    found.map(|(path, _)| path.clone()).collect()
}

fn holds_list(document: &Value, schema: &Value, seen: &mut Vec<String>) -> bool {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        if seen.iter().any(|known| known == name) {
            return false;
        }
        seen.push(name.to_owned());
        return holds_list(document, &document["components"]["schemas"][name], seen);
    }
    let is_list = match &schema["type"] {
        Value::String(one) => one == "array",
        Value::Array(several) => several.iter().any(|one| one == "array"),
        _ => false,
    };
    let fields = schema["properties"].as_object().into_iter().flatten().map(|(_, field)| field);
    let parts =
        ["allOf", "oneOf", "anyOf"].iter().flat_map(|name| schema[*name].as_array().into_iter().flatten());
    let values = Some(&schema["additionalProperties"]).filter(|values| values.is_object());
    is_list || fields.chain(parts).chain(values).any(|part| holds_list(document, part, seen))
}

/// Everything in an answer that stands in a list.
fn rows(answer: &Value) -> usize {
    match answer {
        Value::Array(list) => list.len() + list.iter().map(rows).sum::<usize>(),
        Value::Object(fields) => fields.values().map(rows).sum(),
        _ => 0,
    }
}

/// Makes so many more of everything, most of it the user's own, and more of what hangs on the first of each.
async fn grow(shop: &TestShop, user: &User, from: i32, to: i32) {
    let statements = [
        "insert into users (username, email, password_hash)
         select 'grown-' || n, 'grown-' || n || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1' from generate_series($2, $3) n where $1 > 0",
        "insert into address (user_id, street, city, country) select $1, 'S', 'C', 'K' from generate_series($2, $3)",
        "insert into category (name, slug) select 'c' || n, 'c' || n from generate_series($2, $3) n where $1 > 0",
        // A chain: whoever shows the way from the root walks it.
        "update category set parent_id = (select id from category p where p.slug = 'c' || (substr(category.slug, 2)::int - 1))
         where slug in (select 'c' || n from generate_series($2, $3) n where n > 1 and n <= 8 and $1 > 0)",
        "insert into product (category_id, name, slug, price, sku, vendor_id)
         select (select max(id) from category where slug in ('c1', 'c8')), 'thing ' || n, 't' || n, 1, 'T' || n, $1
         from generate_series($2, $3) n",
        "insert into variant (product_id, variant_name, sku, price, stock)
         select p.id, s, p.sku || s, 1, 9 from product p, unnest(array['a', 'b']) s
         where p.sku in (select 'T' || n from generate_series($2, $3) n) and $1 > 0",
        "insert into variant (product_id, variant_name, sku, price, stock)
         select (select id from product where sku = 'T1'), 'v' || n, 'V' || n, 1, 9 from generate_series($2, $3) n where $1 > 0",
        "insert into review (user_id, product_id, rating)
         select $1, id, 4 from product where sku in (select 'T' || n from generate_series($2, $3) n)",
        "insert into discount (code, discount_type, discount_value, activation)
         select 'D' || n, 'percentage', 1, 'automatic' from generate_series($2, $3) n where $1 > 0",
        "insert into discount_product (discount_id, product_id)
         select d.id, p.id from discount d, product p where $1 > 0 and $2 < $3 on conflict do nothing",
        "with code as (
             insert into discount (code, discount_type, discount_value) select 'CODE', 'fixed', 1 where $2 = 1 returning id
         )
         insert into cart (user_id, discount_id) select $1, id from code where $3 > 0",
        "insert into cart_item (cart_id, variant_id, quantity, price)
         select (select id from cart where user_id = $1), id, 1, 1 from variant
         where sku in (select 'V' || n from generate_series($2, $3) n)",
        "insert into wishlist (user_id) select $1 where $2 = 1 and $3 > 0",
        "insert into wishlist_item (wishlist_id, product_id)
         select (select id from wishlist where user_id = $1), id from product
         where sku in (select 'T' || n from generate_series($2, $3) n)",
        "insert into orders (order_number, user_id, payment_method, currency, subtotal, total_amount, shipping_street,
                             shipping_city, shipping_country)
         select 'O' || n, $1, 'card', 'USD', 1, 1, 'S', 'C', 'K' from generate_series($2, $3) n",
        // Each order has new lines, parcels and events, the old ones too.
        "insert into order_item (order_id, variant_id, product_id, product_name, variant_name, sku, quantity, price, subtotal)
         select o.id, v.id, v.product_id, 'P', 'V', v.sku, 1, 1, 1 from orders o, variant v
         where v.sku in (select 'V' || n from generate_series($2, $3) n) and o.user_id = $1",
        "insert into shipment (order_id) select o.id from orders o, generate_series($2, $3) where o.user_id = $1",
        "insert into order_event (order_id, event)
         select o.id, 'e' from orders o, generate_series($2, $3) where o.user_id = $1",
        "insert into payment (order_id, payment_method, payment_status, amount, currency, paid_at)
         select min(id), 'card', 'succeeded', 900, 'USD', now() from orders where user_id = $1 and $2 = 1 and $3 > 0 having $2 = 1",
        "insert into refund (payment_id, order_id, amount, reason)
         select p.id, p.order_id, 1, 'R' from payment p, generate_series($2, $3) where $1 > 0",
        "insert into job (kind, status, finished_at) select 'import', 'succeeded', now() where $1 > 0 and $2 = 1 and $3 > 0",
        "insert into job_row_error (job_id, line, reason)
         select (select min(id) from job), n, 'R' from generate_series($2, $3) n where $1 > 0",
        "insert into audit_log (actor_id, action, entity) select $1, 'x.y', 'x' from generate_series($2, $3)",
    ];
    for statement in statements {
        let done = sqlx::query(statement).bind(user.id).bind(from).bind(to).execute(&shop.db).await;
        done.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
    shop.settled().await;
}

/// What a read takes and how many rows it shows. Whatever runs beside it only adds, so that the least of several
/// looks is the read's own.
async fn look(shop: &TestShop, user: &User, path: &str) -> (usize, usize) {
    let mut least = usize::MAX;
    let mut shown = 0;
    for _ in 0..4 {
        let (answer, told) = statements(shop.get_as(user, path)).await;
        shown = rows(&answer.expect(200).json);
        let own = told.iter().filter(|text| !text.contains("sign_write"));
        least = least.min(own.count());
    }
    (least, shown)
}

#[tokio::test]
async fn every_list_takes_as_many_statements_however_long_it_is() {
    let document: Value = serde_json::from_str(&duka::router::openapi().to_json().unwrap()).unwrap();
    let costs = BTreeMap::from(COSTS);
    let listed: BTreeSet<String> = costs.keys().map(ToString::to_string).collect();
    assert_eq!(lists(&document), listed, "a list of the document and none of COSTS, or the other way round");
    with_shop(async |shop| {
        let admin = shop.admin().await;
        grow(shop, &admin, 1, 2).await;
        let path = async |path: &str| {
            let first = match path.split('/').nth(2).unwrap() {
                "admin" => "select min(id) from job",
                "category" => "select max(id) from category where slug in ('c1', 'c2', 'c8')",
                "discount" => "select min(id) from discount",
                "order" | "payment" | "shipments" => "select min(id) from orders",
                _ => "select id from product where sku = 'T1'",
            };
            let id: i64 = sqlx::query_scalar(first).fetch_one(&shop.db).await.unwrap();
            let pages = &document["paths"][path]["get"]["parameters"];
            let pages = pages.as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "page_size"));
            let filled = path.replace("{id}", &id.to_string()).replace("{order_id}", &id.to_string());
            match path.split('/').rev().nth(1) {
                Some("suggest") => format!("{filled}?q=thing"),
                Some("similar") => filled,
                _ if pages => format!("{filled}?page_size=100"),
                _ => filled,
            }
        };
        let mut few = BTreeMap::new();
        for list in costs.keys() {
            few.insert(*list, look(shop, &admin, &path(list).await).await);
        }
        grow(shop, &admin, 3, 40).await;
        let mut wrong = Vec::new();
        for (list, cost) in &costs {
            let (before, after) = (few[list], look(shop, &admin, &path(list).await).await);
            let grew = after.1 > before.1 + 4 || CONSTANT.contains(list);
            if (before.0, after.0) != (*cost, *cost) || !grew {
                wrong.push(format!(
                    "{list}: {cost} statements expected; (statements, rows): {before:?}, then {after:?}"
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}
