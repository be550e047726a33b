//! The category tree of one segment, as its documents spell it.
//!
//! Every document has one chain of categories, from the root to its leaf, so one ordinal a document is enough:
//! whether a filter accepts it, and which counts it raises, is decided once for each distinct chain.

use std::{collections::HashMap, slice};

use crate::{
    document::Category, error::Error, groups::Groups, hits::CategoryCount, query::CategoryKey,
    segment::Values,
};

/// The chains of a segment and the categories in them.
#[derive(Debug)]
pub(crate) struct Categories {
    pub(crate) by_chain: Groups,
    /// By ordinal, the categories of the chain from the root on, each once, as places in `nodes`.
    pub(crate) chains: Vec<Vec<u32>>,
    /// Every category that occurs.
    pub(crate) nodes: Vec<Node>,
    /// By id and by slug, where in `nodes` categories are.
    by_id: HashMap<i64, u32>,
    by_slug: HashMap<String, Vec<u32>>,
}

/// A category and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) category: Category,
    /// The chains that hold it, ascending.
    chains: Vec<u32>,
    /// The names from the root to the category itself.
    pub(crate) path: Vec<String>,
}

impl Node {
    /// As a count of it.
    pub(crate) fn counted(&self, count: u64) -> CategoryCount {
        let Category { id, name, slug } = self.category.clone();
        CategoryCount { id, name, slug, path: self.path.clone(), count }
    }
}

impl Categories {
    /// From the distinct chains, each as JSON, and by document the ordinal of its own.
    pub(crate) fn new(chains: &Values, ords: Vec<u32>) -> Result<Self, Error> {
        let documents = u32::try_from(ords.len()).unwrap_or(u32::MAX);
        let by_chain = Groups::new(ords, chains.len(), 0..documents);
        let (by_id, by_slug) = (HashMap::new(), HashMap::new());
        let mut categories = Self { by_chain, chains: Vec::new(), nodes: Vec::new(), by_id, by_slug };
        for ord in 0..u32::try_from(chains.len()).unwrap_or(u32::MAX) {
            let chain: Vec<Category> = serde_json::from_slice(chains.get(ord))
                .map_err(|error| Error::Corrupt(format!("a category chain cannot be read: {error}")))?;
            let chain = categories.place(&chain);
            chain.iter().for_each(|&node| categories.nodes[node as usize].chains.push(ord));
            categories.chains.push(chain);
        }
        for (place, node) in (0..).zip(&categories.nodes) {
            categories.by_slug.entry(node.category.slug.clone()).or_default().push(place);
        }
        Ok(categories)
    }

    fn place(&mut self, chain: &[Category]) -> Vec<u32> {
        let mut placed = Vec::with_capacity(chain.len());
        for (depth, category) in chain.iter().enumerate() {
            let place = *self.by_id.entry(category.id).or_insert_with(|| {
                let path = chain[..=depth].iter().map(|category| category.name.clone()).collect();
                self.nodes.push(Node { category: category.clone(), chains: Vec::new(), path });
                u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX)
            });
            if !placed.contains(&place) {
                placed.push(place);
            }
        }
        placed
    }

    /// By ordinal (and last for "none"), which part of a chain of ids the chain has in common with it, from the
    /// root on.
    pub(crate) fn shares(&self, of: &[i64]) -> Vec<f32> {
        let share = |chain: &Vec<u32>| {
            let ids = chain.iter().map(|&node| self.nodes[node as usize].category.id);
            let common = ids.zip(of).take_while(|(one, other)| one == *other).count();
            if of.is_empty() { 0.0 } else { common as f32 / of.len() as f32 }
        };
        self.chains.iter().map(share).chain([0.0]).collect()
    }

    /// The ordinals of the chains that hold one of the keys, ascending.
    pub(crate) fn accepted(&self, keys: &[CategoryKey]) -> Vec<u32> {
        let nodes = keys.iter().flat_map(|key| match key {
            CategoryKey::Id(id) => self.by_id.get(id).map_or(&[][..], slice::from_ref),
            CategoryKey::Slug(slug) => self.by_slug.get(slug).map_or(&[][..], Vec::as_slice),
        });
        let mut chains: Vec<u32> =
            nodes.flat_map(|&node| self.nodes[node as usize].chains.iter().copied()).collect();
        chains.sort_unstable();
        chains.dedup();
        chains
    }
}
