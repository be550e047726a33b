//! A shop window in one query, at one number of statements however much is in it.

use serde_json::{Value, json};

use crate::support::{TestShop, User, statements, with_shop};

/// What it takes, however much there is: the session once, the tree and the number of its roots, the variants of all
/// products, the reviews of all products, and the cart's four (its author, its row, its lines, its code). Products,
/// brands, their categories and all facets come from the index.
const STATEMENTS: usize = 9;

const PAGE: &str = "{
    categories(first: 10) { nodes { id name slug children { id name slug children { id name slug } } } }
    products(first: 24, sort: [{key: PRICE}]) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes {
            id name slug brand imageUrl price effectivePrice rating reviewCount
            category { id name path }
            variants { id variantName sku price effectivePrice inStock }
            reviews(first: 3) { username rating comment }
        }
        facets {
            category { id name count } brand { value count } price { min max buckets { from to count } }
            availability { inStock outOfStock } rating { from count } attributes(names: [\"colour\"]) { values { value count } }
        }
    }
    cart { total currency warnings discount { code amount } items { productName quantity currentPrice subtotal } }
}";

/// Products with their variants and reviews, categories within each other, and a fuller cart.
async fn fill(shop: &TestShop, user: &User, from: i32, to: i32) {
    let fillings = [
        "insert into users (username, email, password_hash)
         select 'user' || n, 'user' || n || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1' from generate_series($2, $3) n where $1 > 0",
        "insert into category (name, slug) select 'c' || n, 'c' || n from generate_series($2, $3) n where $1 > 0",
        "update category set parent_id = (select id from category p where p.slug = 'c' || (substr(category.slug, 2)::int / 3))
         where slug in (select 'c' || n from generate_series($2, $3) n where n >= 3) and $1 > 0",
        "insert into product (category_id, name, slug, price, sku, brand, vendor_id, attributes)
         select (select id from category where slug = 'c' || n), 'thing ' || n, 't' || n, n, 'T' || n, 'B' || n % 4, $1,
                '{\"colour\": \"red\"}'
         from generate_series($2, $3) n",
        "insert into variant (product_id, variant_name, sku, price, stock)
         select p.id, s, p.sku || s, 1, 9 from product p, unnest(array['a', 'b', 'c']) s
         where p.sku in (select 'T' || n from generate_series($2, $3) n) and $1 > 0",
        "insert into review (user_id, product_id, rating)
         select u.id, p.id, 4 from users u, product p
         where u.username in (select 'user' || n from generate_series($2, $3) n) and $1 > 0",
        "insert into cart (user_id) select $1 where $2 = 1 and $3 > 0",
        "insert into cart_item (cart_id, variant_id, quantity, price)
         select (select id from cart where user_id = $1), v.id, 1, 1 from variant v
         where v.sku in (select 'T' || n || 'a' from generate_series($2, $3) n)",
        "insert into discount (code, discount_type, discount_value, activation)
         select 'D' || n, 'percentage', 1, 'automatic' from generate_series($2, $3) n where $1 > 0",
        "insert into discount_product (discount_id, product_id)
         select d.id, p.id from discount d, product p where $1 > 0 and $2 < $3 on conflict do nothing",
        "with code as (
             insert into discount (code, discount_type, discount_value) select 'CODE', 'fixed', 1 where $2 = 1 returning id
         )
         update cart set discount_id = code.id from code where user_id = $1 and $3 > 0",
    ];
    for statement in fillings {
        let done = sqlx::query(statement).bind(user.id).bind(from).bind(to).execute(&shop.db).await;
        done.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
    shop.settled().await;
}

/// The page, and the least that it took of several looks: whatever runs beside it only adds.
async fn look(shop: &TestShop, user: &User) -> (Value, Vec<String>) {
    let mut least: Option<(Value, Vec<String>)> = None;
    for _ in 0..4 {
        let seen = statements(shop.data(Some(user), PAGE, json!({}))).await;
        if least.as_ref().is_none_or(|(_, told)| seen.1.len() < told.len()) {
            least = Some(seen);
        }
    }
    least.unwrap()
}

#[tokio::test]
async fn a_storefront_page_is_one_query_of_nine_statements() {
    with_shop(async |shop| {
        let user = shop.admin().await;
        fill(shop, &user, 1, 2).await;
        let (_, few) = look(shop, &user).await;
        fill(shop, &user, 3, 40).await;
        let (page, many) = look(shop, &user).await;
        assert_eq!((few.len(), many.len()), (STATEMENTS, STATEMENTS), "{few:#?}\n{many:#?}");

        let products = page["products"]["nodes"].as_array().unwrap();
        assert_eq!((products.len(), &page["products"]["totalCount"]), (24, &json!(40)));
        assert!(products.iter().all(|product| {
            product["variants"].as_array().unwrap().len() == 3
                && product["reviews"].as_array().unwrap().len() == 3
                && product["category"]["name"].is_string()
                && product["brand"].is_string()
        }));
        assert_eq!(page["categories"]["nodes"].as_array().unwrap().len(), 2);
        assert!(!page["categories"]["nodes"][0]["children"][0]["children"].as_array().unwrap().is_empty());
        assert_eq!(page["products"]["facets"]["brand"].as_array().unwrap().len(), 4);
        assert_eq!(page["products"]["facets"]["attributes"][0]["values"][0]["count"], 40);
        assert_eq!(page["cart"]["items"].as_array().unwrap().len(), 40);
        assert_eq!(page["cart"]["discount"]["code"], "CODE");
    })
    .await;
}
