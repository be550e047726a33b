//! What a review is, and what may be written of one.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    auth::{Role, Viewer},
    body::{Fields, Form, Refusal, id, integer, long},
    page::newest::Newest,
    params::{self, Params, QueryForm},
};

/// The newest reviews of one product that are shown with it at most.
pub const MOST_NEWEST: i32 = 24;

/// Characters of a comment.
const COMMENT_LENGTH: usize = 5000;

/// A review.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Review {
    /// The row's id.
    pub id: i64,
    /// Its author.
    pub user_id: i64,
    /// The author's name; of somebody who has left, that somebody has.
    pub username: String,
    /// What it is about.
    pub product_id: i64,
    /// From 1 to 5.
    pub rating: i16,
    /// May be empty.
    pub comment: String,
    /// Whether the author has an order with the product that is paid or delivered.
    pub verified_purchase: bool,
    /// When it was first written.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A review to be written.
#[derive(Debug)]
pub struct NewReview {
    /// See [`Review`].
    pub product_id: i64,
    /// See [`Review`].
    pub rating: i16,
    /// See [`Review`].
    pub comment: String,
}

impl Form for NewReview {
    fn read(fields: &mut Fields) -> Self {
        Self {
            product_id: fields.required("product_id", id),
            rating: fields.required("rating", rating),
            comment: fields.optional("comment", long(COMMENT_LENGTH)).unwrap_or_default(),
        }
    }
}

/// What changes of a review; `None` stays as it is.
#[derive(Debug)]
pub struct ReviewChanges {
    /// See [`Review`].
    pub rating: Option<i16>,
    /// See [`Review`].
    pub comment: Option<String>,
}

impl Form for ReviewChanges {
    fn read(fields: &mut Fields) -> Self {
        Self {
            rating: fields.optional("rating", rating),
            comment: fields.optional("comment", long(COMMENT_LENGTH)),
        }
    }
}

/// Which reviews are listed.
#[derive(Debug, Default)]
pub struct ReviewFilter {
    /// Of this product.
    pub product_id: Option<i64>,
    /// With this rating.
    pub rating: Option<i16>,
    /// Which page of them.
    pub page: Newest,
}

impl QueryForm for ReviewFilter {
    fn read(params: &mut Params) -> Self {
        Self {
            product_id: params.parsed("product_id", params::integer(1, i64::MAX)),
            rating: params.parsed("rating", params::integer(1, 5)),
            page: Newest::read(params),
        }
    }
}

impl ReviewFilter {
    /// What a cursor of the list belongs to.
    pub fn list(&self, scope: Scope) -> impl Serialize + use<> {
        ("reviews", self.product_id, self.rating, scope)
    }
}

/// Which reviews somebody sees: everybody those of the products that everybody sees, and besides…
#[derive(Clone, Copy, Debug, Serialize)]
pub enum Scope {
    /// None.
    Public,
    /// The own ones.
    Own(i64),
    /// All.
    All,
}

impl Scope {
    /// What the viewer sees.
    pub fn of(viewer: Viewer) -> Self {
        match viewer.user {
            Some((_, Role::Admin)) => Self::All,
            Some((id, _)) => Self::Own(id),
            None => Self::Public,
        }
    }

    /// Whether it is all of them.
    pub fn is_all(self) -> bool {
        matches!(self, Self::All)
    }

    /// Whose are seen besides.
    pub fn owner(self) -> Option<i64> {
        match self {
            Self::Own(id) => Some(id),
            Self::Public | Self::All => None,
        }
    }
}

fn rating(value: Value) -> Result<i16, Refusal> {
    integer(1..=5)(value).map(|stars| i16::try_from(stars).unwrap_or_default())
}
