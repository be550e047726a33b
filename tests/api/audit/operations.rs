//! Which operations write, and whose they are.

use std::collections::BTreeSet;

use serde_json::Value;

/// Operations that everybody does to what is their own: of customers nothing of it is for the audit, of vendors and
/// administrators all; see `own.rs`.
pub(super) const SELF: [&str; 7] = [
    "PATCH /api/auth/me/",
    "POST /api/auth/password/",
    "POST /api/address/",
    "PATCH /api/address/{id}/",
    "DELETE /api/address/{id}/",
    "POST /api/review/",
    "PATCH /api/review/{id}/",
];

/// Operations that people do as customers, whoever they are: nothing of it is for the audit. A new route that a vendor or
/// an administrator writes with belongs into `every_write_leaves_one_line`, not here.
pub(super) const OWN: [&str; 10] = [
    "POST /api/auth/jwt/logout/",
    "POST /api/wishlist/add/",
    "DELETE /api/wishlist/remove/{item_id}/",
    "POST /api/cart/add/",
    "PATCH /api/cart/update/{id}/",
    "DELETE /api/cart/remove/{id}/",
    "POST /api/cart/discount/",
    "DELETE /api/cart/discount/",
    "POST /api/order/",
    "POST /api/payment/initiate/",
];

/// Operations whose lines are looked at where they are tried: they need a file, an order or its payment.
pub(super) const ELSEWHERE: [&str; 6] = [
    "POST /api/admin/import/",
    "DELETE /api/admin/import/{id}/",
    "POST /api/shipments/{order_id}/",
    "PATCH /api/shipments/{order_id}/{id}/",
    "POST /api/payment/{order_id}/refund/",
    "PATCH /api/payment/{order_id}/refund/{id}/",
];

/// Operations that people do to what is their own, and administrators to what is somebody else's.
pub(super) const EITHER: [&str; 4] = [
    "PATCH /api/users/{id}/",
    "DELETE /api/users/{id}/",
    "DELETE /api/review/{id}/",
    "POST /api/order/{id}/cancel/",
];

/// Operations that an administrator alone may ask for, and that change nothing as they are sent here: without a repair, the
/// mirror has nothing of its own.
pub(super) const ASKED: [&str; 2] =
    ["POST /api/admin/index/verify/", "POST /api/admin/search-settings/preview/"];

/// Every operation of the document that changes something and wants somebody who has signed in.
pub(super) fn operations() -> BTreeSet<String> {
    let document = duka::router::openapi().to_json().unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let signed_in = operation["security"].as_array().is_some_and(|security| !security.is_empty());
            if signed_in && !["get", "head", "options", "parameters"].contains(&method.as_str()) {
                found.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    found
}
