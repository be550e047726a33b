//! What a wishlist is, and what is put on it.

use duka_index::Document;
use time::OffsetDateTime;

use crate::body::{Fields, Form, id};

/// The most wishes of one user: a list is answered whole, and this is the largest page.
pub const MOST: i64 = 100;

/// A user's wishlist, read in one snapshot.
#[derive(Debug)]
pub struct Wishlist {
    /// The row's id.
    pub id: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// What is on offer of it, the newest wish first.
    pub wishes: Vec<Wish>,
    /// The instant of all its prices, in microseconds since 1970.
    pub at: i64,
}

/// A wish.
#[derive(Debug)]
pub struct Wish {
    /// The row's id.
    pub id: i64,
    /// When it was wished for.
    pub created_at: OffsetDateTime,
    /// What a search shows of the product.
    pub product: Document,
}

/// A product to be wished for.
#[derive(Debug)]
pub struct NewWish {
    /// Which one.
    pub product_id: i64,
}

impl Form for NewWish {
    fn read(fields: &mut Fields) -> Self {
        Self { product_id: fields.required("product_id", id) }
    }
}
