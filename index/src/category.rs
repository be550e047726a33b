//! The category tree of one segment, as its documents spell it.
//!
//! Every document has one chain of categories, from the root to its leaf, so one ordinal a document is enough:
//! whether a filter accepts it, and which counts it raises, is decided once for each distinct chain.

use std::collections::HashMap;

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
}

/// A category and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) category: Category,
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
        let mut categories = Self { by_chain, chains: Vec::new(), nodes: Vec::new() };
        let mut places = HashMap::new();
        for ord in 0..u32::try_from(chains.len()).unwrap_or(u32::MAX) {
            let chain: Vec<Category> = serde_json::from_slice(chains.get(ord))
                .map_err(|error| Error::Corrupt(format!("a category chain cannot be read: {error}")))?;
            let chain = categories.place(&chain, &mut places);
            categories.chains.push(chain);
        }
        Ok(categories)
    }

    fn place(&mut self, chain: &[Category], places: &mut HashMap<i64, u32>) -> Vec<u32> {
        let mut placed = Vec::with_capacity(chain.len());
        for (depth, category) in chain.iter().enumerate() {
            let place = *places.entry(category.id).or_insert_with(|| {
                let path = chain[..=depth].iter().map(|category| category.name.clone()).collect();
                self.nodes.push(Node { category: category.clone(), path });
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

    /// By ordinal (and last for "none"), whether the chain holds one of the keys.
    pub(crate) fn accepted(&self, keys: &[CategoryKey]) -> Vec<bool> {
        let meant: Vec<bool> = self
            .nodes
            .iter()
            .map(|node| {
                keys.iter().any(|key| match key {
                    CategoryKey::Id(id) => node.category.id == *id,
                    CategoryKey::Slug(slug) => node.category.slug == *slug,
                })
            })
            .collect();
        let accepted = self.chains.iter().map(|chain| chain.iter().any(|&node| meant[node as usize]));
        accepted.chain([false]).collect()
    }
}
