//! Who may do what through the graph: the same as through REST, for every field of `Query` and `Mutation`.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::{
    parse_schema,
    types::{TypeKind, TypeSystemDefinition},
};
use serde_json::json;

use crate::{
    rights::{ASKING, Cast, Thing, cast, policy, session_of},
    support::{TestShop, with_shop},
};

/// The operation of REST that does what each field does.
fn same_as() -> BTreeMap<String, String> {
    let lines = include_str!("rights.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [field, method, path] = words.as_slice() else { panic!("no policy: {line}") };
        ((*field).to_owned(), format!("{method} {path}"))
    });
    pairs.collect()
}

/// Every field of `Query` and `Mutation`, as `Query.me`.
fn fields() -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for definition in parse_schema(duka::graphql::sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let (name, kind) = (definition.node.name.node, definition.node.kind);
        if let (TypeKind::Object(object), "Query" | "Mutation") = (kind, name.as_str()) {
            fields.extend(object.fields.iter().map(|field| format!("{name}.{}", field.node.name.node)));
        }
    }
    fields
}

/// What is sent for a field: enough that rights decide, where they can only be decided of what is there.
fn question(field: &str, thing: &Thing, cast: &Cast, name: &str) -> String {
    let Thing { address, product, variant, item, category, discount, order, review, wish, .. } = thing;
    let (kind, field) = field.split_once('.').unwrap();
    let asked = match field {
        "products" => "products { totalCount }".to_owned(),
        "product" => format!("product(id: {product}) {{ id variants {{ id }} reviews {{ id }} }}"),
        "suggest" => "suggest(q: \"a\") { queries }".to_owned(),
        "categories" => "categories { totalCount nodes { children { id } } }".to_owned(),
        "category" => format!("category(id: {category}) {{ id children {{ id }} }}"),
        "reviews" => format!("reviews(productId: {product}) {{ totalCount }}"),
        "me" => "me { id }".to_owned(),
        "cart" => "cart { id items { id } }".to_owned(),
        "orders" | "users" | "discounts" => format!("{field} {{ totalCount nodes {{ id }} }}"),
        "order" => format!("order(id: {order}) {{ id items {{ id }} }}"),
        "paymentState" => format!("paymentState(orderId: {order}) {{ paymentStatus payment {{ id }} }}"),
        "wishlist" => "wishlist { id items { product { id } } }".to_owned(),
        "addresses" => "addresses { id }".to_owned(),
        "indexStatus" => "indexStatus { documents bytes cache { hits } }".to_owned(),
        "register" => "register(input: {username: \"\", email: \"\", password: \"\"}) { id }".to_owned(),
        "login" => "login(input: {username: \"\", password: \"\"}) { access }".to_owned(),
        "refresh" => "refresh(refresh: \"\") { access }".to_owned(),
        "logout" => "logout(refresh: \"\")".to_owned(),
        "createAddress" => {
            "createAddress(input: {street: \"S\", city: \"C\", country: \"K\"}) { id }".to_owned()
        }
        "updateAddress" => format!("updateAddress(id: {address}, input: {{city: \"D\"}}) {{ id }}"),
        "deleteAddress" => format!("deleteAddress(id: {address})"),
        "addToCart" => format!("addToCart(input: {{variantId: {variant}}}) {{ id }}"),
        "updateCartItem" => format!("updateCartItem(id: {item}, quantity: 2) {{ id }}"),
        "removeCartItem" => format!("removeCartItem(id: {item})"),
        "applyDiscountCode" => format!("applyDiscountCode(code: \"{name}\") {{ id }}"),
        "removeDiscountCode" => "removeDiscountCode".to_owned(),
        "addToWishlist" => format!("addToWishlist(productId: {product}) {{ id }}"),
        "removeFromWishlist" => format!("removeFromWishlist(id: {wish})"),
        "createReview" => format!("createReview(input: {{productId: {product}, rating: 9}}) {{ id }}"),
        "updateReview" => format!("updateReview(id: {review}, input: {{rating: 2}}) {{ id }}"),
        "deleteReview" => format!("deleteReview(id: {review})"),
        "checkout" => format!("checkout(input: {{addressId: {address}, paymentMethod: CARD}}) {{ id }}"),
        "initiatePayment" => format!("initiatePayment(input: {{orderId: {order}}}) {{ id }}"),
        "cancelOrder" => format!("cancelOrder(id: {order}) {{ id }}"),
        "createProduct" => {
            format!(
                "createProduct(input: {{categoryId: {category}, name: \"\", price: \"1\", sku: \"\"}}) {{ id }}"
            )
        }
        "updateProduct" => format!("updateProduct(id: {product}, input: {{name: \"D\"}}) {{ id }}"),
        "deleteProduct" => format!("deleteProduct(id: {product})"),
        "createVariant" => format!(
            "createVariant(input: {{productId: {product}, variantName: \"z\", sku: \"{name}z\"}}) {{ id }}"
        ),
        "updateVariant" => format!("updateVariant(id: {variant}, input: {{variantName: \"D\"}}) {{ id }}"),
        "deleteVariant" => format!("deleteVariant(id: {variant})"),
        "createCategory" => "createCategory(input: {name: \"\"}) { id }".to_owned(),
        "updateCategory" => format!("updateCategory(id: {category}, input: {{description: \"D\"}}) {{ id }}"),
        "deleteCategory" => format!("deleteCategory(id: {category})"),
        "createDiscount" => {
            "createDiscount(input: {code: \"\", discountType: FIXED, discountValue: \"1\"}) { id }".to_owned()
        }
        "updateDiscount" => format!("updateDiscount(id: {discount}, input: {{description: \"D\"}}) {{ id }}"),
        "deleteDiscount" => format!("deleteDiscount(id: {discount})"),
        "linkProducts" => format!("linkProducts(id: {discount}, productIds: [{}]) {{ id }}", cast.indexed),
        "unlinkProduct" => format!("unlinkProduct(id: {discount}, productId: {product})"),
        "reindex" => "reindex { id }".to_owned(),
        _ => panic!("what is asked of {field}?"),
    };
    format!("{} {{ {asked} }}", kind.to_lowercase())
}

/// What came of it, in REST's statuses.
async fn outcome(shop: &TestShop, question: &str, token: Option<String>) -> (String, String) {
    let mut request = shop.request(reqwest::Method::POST, "/graphql/").json(&json!({"query": question}));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = shop.send(request).await.expect(200);
    let status = match answer.json["errors"].as_array() {
        None => "2xx".to_owned(),
        Some(errors) => errors[0]["extensions"]["status"].to_string(),
    };
    (status, answer.text)
}

#[tokio::test]
async fn everybody_may_do_through_the_graph_what_they_may_do_through_rest() {
    let (same, policy) = (same_as(), policy());
    let known: BTreeSet<String> = same.keys().cloned().collect();
    assert_eq!(known, fields(), "who may do these? say so in graphql/rights.txt");
    with_shop(async |shop| {
        let cast = cast(shop).await;
        let open = session_of(shop, cast.admin.id, false).await;
        let ended = session_of(shop, cast.admin.id, true).await;
        let (mut deviations, mut asked) = (Vec::new(), 0);
        for (field, operation) in &same {
            for (asking, expected) in ASKING.into_iter().zip(&policy[operation]) {
                let name = format!("thing{asked}");
                let thing = Thing::make(shop, &cast, &name, false).await;
                for token in thing.tokens(shop, &cast, asking, ended, open) {
                    let question = question(field, &thing, &cast, &name);
                    let (status, text) = outcome(shop, &question, token).await;
                    if status != *expected {
                        deviations.push(format!("{field} as {asking}: {status}, not {expected}: {text}"));
                    }
                    asked += 1;
                }
            }
        }
        assert!(deviations.is_empty(), "{} of {asked}:\n{}", deviations.len(), deviations.join("\n"));
        println!("{} fields, asked {asked} times: no deviation from REST's policy", same.len());
    })
    .await;
}
