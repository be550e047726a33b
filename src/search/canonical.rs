//! The one spelling of a search: equal queries have equal links, however they were asked for.

use duka_index::{CategoryKey, Query, SortField, SortKey, Visibility};

use super::model::{default_facets, default_sort, facets};
use crate::{money::Amount, page::DEFAULT_SIZE, params::encode};

/// The query string that reads as this query, its page and cursor aside: no aliases, no defaults, in order. The text
/// is as it was typed, in its case too, although that finds the same: whoever follows a link reads it there.
pub(super) fn parameters(query: &Query) -> String {
    // Every field is named, so that a new one is not forgotten.
    let Query {
        text,
        categories,
        brands,
        price_min,
        price_max,
        in_stock,
        on_sale,
        rating_min,
        vendor_id,
        attributes,
        visibility,
        sort,
        offset: _,
        after: _,
        limit,
        facets,
        highlight,
        places: _,
        at: _,
    } = query;
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| pairs.push((encode(name), encode(&value)));

    text.iter().for_each(|text| add("q", text.clone()));
    for category in categories {
        add("category", category_name(category));
    }
    brands.iter().for_each(|brand| add("brand", brand.clone()));
    price_min.iter().for_each(|price| add("price_min", money(*price)));
    price_max.iter().for_each(|price| add("price_max", money(*price)));
    in_stock.iter().for_each(|wanted| add("in_stock", wanted.to_string()));
    on_sale.then(|| add("on_sale", "true".to_owned()));
    rating_min.iter().for_each(|rating| add("rating_min", rating.to_string()));
    vendor_id.iter().for_each(|vendor| add("vendor_id", vendor.to_string()));
    for (name, values) in attributes {
        values.iter().for_each(|value| add(&format!("attr.{name}"), value.clone()));
    }
    if matches!(visibility, Visibility::Inactive | Visibility::InactiveOf(_)) {
        add("is_active", "false".to_owned());
    }
    if *sort != default_sort(text.is_some()) {
        add("sort", sort.iter().map(sort_name).collect::<Vec<_>>().join(","));
    }
    if *limit != DEFAULT_SIZE as usize {
        add("page_size", limit.to_string());
    }
    if *facets != default_facets() {
        add("facets", facets::write(facets));
    }
    highlight.then(|| add("highlight", "true".to_owned()));

    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// With two decimals, as prices are read here whatever the shop's currency is.
fn money(hundredths: i64) -> String {
    Amount::from_hundredths(hundredths).to_string()
}

fn category_name(category: &CategoryKey) -> String {
    match category {
        CategoryKey::Id(id) => id.to_string(),
        CategoryKey::Slug(slug) => slug.clone(),
    }
}

fn sort_name(key: &SortKey) -> String {
    let name = match key.field {
        SortField::Relevance => "relevance",
        SortField::Price => "price",
        SortField::Name => "name",
        SortField::DateAdded => "date_added",
        SortField::Rating => "rating",
        SortField::Popularity => "popularity",
    };
    format!("{}{name}", if key.descending { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{Role, Viewer, token::Keys},
        params::read,
        search::model::Search,
    };

    fn query(text: &str) -> Query {
        let keys = Keys::new(&"0".repeat(32).as_str().into(), None);
        let viewer = Viewer { user: Some((7, Role::Vendor)) };
        read::<Search>(text).unwrap().query(viewer, &keys).unwrap()
    }

    #[test]
    fn a_search_has_one_spelling() {
        for (asked, spelt) in [
            ("", ""),
            ("q=", ""),
            ("page=7&page_size=24&min_version=1:2&is_active=true&highlight=false", ""),
            ("search=%20tea+pot&sort=relevance", "q=tea%20pot"),
            ("ordering=-date_added&facets=price,brand,availability,category", ""),
            ("q=a&sort=-date_added", "q=a&sort=-date_added"),
            (
                "brand=b&brand=A%26B&brand=b&category=9&category=012",
                "brand=A%26B&brand=b&category=12&category=9",
            ),
            ("price_min=5&price_max=010.5", "price_max=10.50&price_min=5.00"),
            ("facets=none", "facets=none"),
            ("facets=attr.a%2Bb,rating", "facets=rating,attr.a%2Bb"),
            ("facets=attr.a,b,rating", "facets=rating,attr.a%5C,b"),
            ("attr.b=2&attr.a=ü&attr.b=1", "attr.a=%C3%BC&attr.b=1&attr.b=2"),
            ("is_active=false&page_size=5", "is_active=false&page_size=5"),
            ("highlight=true&sort=price,-rating", "highlight=true&sort=price,-rating"),
        ] {
            assert_eq!(parameters(&query(asked)), spelt, "{asked}");
        }
    }

    #[test]
    fn its_spelling_reads_as_itself() {
        for asked in [
            "q=%22tea%20pot%22%20-blue&category=hair-oil&category=3&brand=%C3%84%2C%20B&brand=%2B&highlight=true",
            "price_min=0&price_max=9999999999.99&in_stock=false&on_sale=true&rating_min=5&vendor_id=12",
            "attr.screen%20size=27%22&attr.a=%25&is_active=false&page_size=100",
            "sort=relevance",
            "q=a&sort=-relevance,price,-name,date_added,rating,popularity&facets=attr.x%26y,attr.z,category,rating",
            "facets=none&page_size=1",
            "facets=attr.size%2Ceu,attr.a%5C%2Cbrand,attr.b%5C%5C&attr.size%2Ceu=42,5&attr.b%5C=%2C",
        ] {
            let query = query(asked);
            assert_eq!(self::query(&parameters(&query)), query, "{asked}");
        }
    }
}
