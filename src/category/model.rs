//! What a category is, and how a tree is made of many.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    body::{Fields, Form, Refusal, id, line, long},
    text,
};

/// A category with the names on its way from the root, its own last.
#[derive(Clone, Debug)]
pub struct Category {
    /// The row's id.
    pub id: i64,
    /// Unique among siblings without regard to case.
    pub name: String,
    /// Unique in the shop.
    pub slug: String,
    /// May be empty.
    pub description: String,
    /// `None` for a root.
    pub parent_id: Option<i64>,
    /// Names from the root, its own last.
    pub path: Vec<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// Bytes of names that a place carries: far more than people write, and few enough for a request's header.
const PLACE_BYTES: usize = 4096;

/// Where a category stands in the list of all, which goes by path.
#[derive(Debug, Serialize, Deserialize)]
pub struct CategoryPlace {
    /// The path, or as much of it as can be carried.
    pub path: Vec<String>,
    /// Where that is not the whole path: the category, behind which the list goes on as long as it is there.
    pub id: Option<i64>,
}

impl Category {
    /// Where it stands.
    pub fn place(&self) -> CategoryPlace {
        let mut bytes = 0;
        let carried = self.path.iter().take_while(|name| {
            bytes += name.len();
            bytes <= PLACE_BYTES
        });
        let path: Vec<String> = carried.cloned().collect();
        CategoryPlace { id: (path.len() < self.path.len()).then_some(self.id), path }
    }
}

/// A category to be made.
#[derive(Debug)]
pub struct NewCategory {
    /// See [`Category`].
    pub name: String,
    /// `None`: made from the name.
    pub slug: Option<String>,
    /// See [`Category`].
    pub description: String,
    /// See [`Category`].
    pub parent_id: Option<i64>,
}

impl Form for NewCategory {
    fn read(fields: &mut Fields) -> Self {
        Self {
            name: fields.required("name", line(1..=120)),
            slug: fields.optional("slug", slug),
            description: fields.optional("description", long(5000)).unwrap_or_default(),
            parent_id: fields.nullable("parent_id", id).flatten(),
        }
    }
}

/// What changes of a category; `None` stays as it is.
#[derive(Debug)]
pub struct CategoryChanges {
    /// See [`Category`].
    pub name: Option<String>,
    /// See [`Category`].
    pub slug: Option<String>,
    /// See [`Category`].
    pub description: Option<String>,
    /// `Some(None)` makes it a root.
    pub parent_id: Option<Option<i64>>,
}

impl Form for CategoryChanges {
    fn read(fields: &mut Fields) -> Self {
        Self {
            name: fields.optional("name", line(1..=120)),
            slug: fields.optional("slug", slug),
            description: fields.optional("description", long(5000)),
            parent_id: fields.nullable("parent_id", id),
        }
    }
}

/// A slug as its author wants it: what [`text::slug`] would make of it, and nothing else. A slug of digits
/// alone would read as an id where either may stand.
fn slug(value: serde_json::Value) -> Result<String, Refusal> {
    let given = line(1..=100)(value)?;
    let digits = given.bytes().all(|b| b.is_ascii_digit());
    if text::slug(&given) == given && !digits {
        Ok(given)
    } else {
        Err((
            "format",
            "must be small letters and digits with single hyphens between, and not digits alone".into(),
        ))
    }
}

/// A category and what hangs below it.
#[derive(Debug)]
pub struct Node {
    /// The category.
    pub category: Category,
    /// Its children, in the order of the list that the tree was made from.
    pub children: Vec<Node>,
}

/// Makes the forest of a list that holds each parent of its members.
pub fn forest(categories: Vec<Category>) -> Vec<Node> {
    let mut below: HashMap<Option<i64>, Vec<Category>> = HashMap::new();
    for category in categories {
        below.entry(category.parent_id).or_default().push(category);
    }
    grow(None, &mut below)
}

fn grow(parent: Option<i64>, below: &mut HashMap<Option<i64>, Vec<Category>>) -> Vec<Node> {
    let children = below.remove(&parent).unwrap_or_default();
    let nodes = children.into_iter().map(|category| {
        let children = grow(Some(category.id), below);
        Node { category, children }
    });
    nodes.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_forest_keeps_the_order() {
        let category = |id, parent_id| Category {
            id,
            name: String::new(),
            slug: String::new(),
            description: String::new(),
            parent_id,
            path: Vec::new(),
            created_at: OffsetDateTime::UNIX_EPOCH,
        };
        let forest =
            forest(vec![category(3, None), category(1, None), category(5, Some(3)), category(4, Some(3))]);
        let ids = |nodes: &[Node]| nodes.iter().map(|node| node.category.id).collect::<Vec<_>>();
        assert_eq!(ids(&forest), [3, 1]);
        assert_eq!(ids(&forest[0].children), [5, 4]);
    }

    #[test]
    fn slugs_are_what_they_would_become() {
        assert!(slug(json!("hair-oil-2")).is_ok());
        for bad in ["Hair Oil", "-a", "a--b", "12", ""] {
            assert!(slug(json!(bad)).is_err(), "{bad}");
        }
    }
}
