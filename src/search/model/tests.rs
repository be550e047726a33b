//! What is read of a search, and what is refused.

use super::*;
use crate::params;

fn keys() -> Keys {
    Keys::new(&"0".repeat(32).as_str().into(), None)
}

fn query(text: &str) -> Query {
    params::read::<Search>(text).unwrap().query(Viewer::default(), &keys()).unwrap()
}

#[test]
fn aliases_defaults_and_order_make_no_difference() {
    assert_eq!(query("q=a&brand=B&brand=A"), query("brand=A&brand=B&brand=A&search=a"));
    assert_eq!(query("q=a"), query("q=a&page=1&sort=relevance&facets=price,brand,availability,category"));
    assert_eq!(query(""), query("ordering=-date_added&q="));
}

#[test]
fn a_slug_is_not_an_id() {
    let query = query("category=12&category=hair-oil");
    assert_eq!(query.categories, [CategoryKey::Id(12), CategoryKey::Slug("hair-oil".into())]);
}

#[test]
fn what_cannot_be_read_is_named() {
    for (text, name) in [
        ("price_min=1.005", "price_min"),
        ("price_max=-1", "price_max"),
        ("in_stock=yes", "in_stock"),
        ("on_sale=false", "on_sale"),
        ("rating_min=6", "rating_min"),
        ("sort=cheapest", "sort"),
        ("sort=price,-price", "sort"),
        ("facets=none,brand", "facets"),
        ("facets=attr.", "facets"),
        ("facets=attr.a,attr.b,attr.c,attr.d,attr.e,attr.f,attr.g,attr.h,attr.i,attr.j,attr.k", "facets"),
        ("category=", "category"),
        ("q=a&search=b", "search"),
        ("ordering=cheapest", "ordering"),
        ("colour=red", "colour"),
        ("highlight=yes", "highlight"),
        ("cursor=a&page=1", "cursor"),
        ("page=1&cursor=", "cursor"),
        ("cursor=a&cursor=b", "cursor"),
    ] {
        let error = params::read::<Search>(text).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}`")), "{text}: {error}");
    }
    for name in ["q", "search"] {
        let error = params::read::<Search>(&format!("{name}={}", "a".repeat(257))).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
}

#[test]
fn only_owners_and_admins_find_what_is_inactive() {
    let search = params::read::<Search>("is_active=false").unwrap();
    let seen = |user| search.query(Viewer { user }, &keys()).unwrap().visibility;
    assert_eq!(seen(None), Visibility::InactiveOf(NOBODY));
    assert_eq!(seen(Some((7, Role::Customer))), Visibility::InactiveOf(NOBODY));
    assert_eq!(seen(Some((7, Role::Vendor))), Visibility::InactiveOf(7));
    assert_eq!(seen(Some((7, Role::Admin))), Visibility::Inactive);
}

#[test]
fn what_is_suggested_needs_a_beginning() {
    let suggest = params::read::<Suggest>("q=%20ke+").unwrap();
    assert_eq!(suggest.query, SuggestQuery { text: "ke".into(), limit: 10 });
    let long = format!("q={}", "ä".repeat(257));
    for text in ["", "q=", "q=%20%20", "q=a&q=b", "q=a&search=b", "q=a&limit=3", &long] {
        assert!(params::read::<Suggest>(text).is_err(), "{text}");
    }
    assert!(params::read::<Suggest>(&long[..long.len() - 2]).is_ok());
    let unreadable = params::read::<Suggest>("q=%1F").err().unwrap().to_string();
    assert!(unreadable.contains("U+001F") && !unreadable.contains("required"), "{unreadable}");
    assert_eq!(params::read::<Similar>("page_size=5").unwrap().limit, 5);
    for text in ["page_size=0", "page_size=25", "page=1"] {
        assert!(params::read::<Similar>(text).is_err(), "{text}");
    }
}

#[test]
fn a_cursor_belongs_to_its_search_and_to_its_reader() {
    let list_of = |text: &str, user| {
        let query = params::read::<Search>(text).unwrap().query(Viewer { user }, &keys()).unwrap();
        serde_json::to_string(&list(&query)).unwrap()
    };
    let (vendor, other) = (Some((7, Role::Vendor)), Some((8, Role::Vendor)));
    let own = list_of("q=a&brand=B&is_active=false", vendor);
    for same in
        ["page_size=3", "facets=none", "highlight=true", "page=9", "sort=relevance", "min_version=1:1"]
    {
        assert_eq!(list_of(&format!("q=a&brand=B&is_active=false&{same}"), vendor), own, "{same}");
    }
    for another in ["q=b&brand=B&is_active=false", "q=a&brand=B", "q=a&brand=B&is_active=false&sort=price"] {
        assert_ne!(list_of(another, vendor), own, "{another}");
    }
    assert_ne!(list_of("q=a&brand=B&is_active=false", other), own);
    assert_ne!(list_of("q=a&brand=B&is_active=false", None), own);
}
