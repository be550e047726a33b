//! What resolvers are given: who asks, forms of their arguments, and the words of the schema that all of them use.
//!
//! A resolver reads its arguments as the form that REST reads a body or a query string as ([`form`], [`Arguments`]),
//! calls the action that REST calls, and answers with a [`view`] of the shape that REST answers with. What REST
//! refuses, GraphQL cannot do, and what REST does not say, GraphQL cannot know.

mod caller;
mod input;
mod scalar;

use std::borrow::Cow;

use async_graphql::{OutputType, SimpleObject, TypeName};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use self::{
    caller::{Caller, admin, app, caller, loader, user, vendor, viewer, wrote},
    input::{Arguments, form, key},
    scalar::{DateTime, Decimal, Id, Json, Long},
};
use crate::error::{Error, Result};

/// REST's shape as a type of the graph, field by field.
///
/// # Errors
/// None that a client can cause.
pub fn view<T: DeserializeOwned>(shape: &impl Serialize) -> Result<T> {
    let json = serde_json::to_value(shape).map_err(Error::internal)?;
    serde_json::from_value(json).map_err(Error::internal)
}

/// A page of a list: the same as REST's, from the same place on.
#[derive(SimpleObject, Deserialize)]
#[graphql(name_type)]
pub struct Page<T: OutputType> {
    /// The rows of this page.
    #[serde(rename = "results")]
    nodes: Vec<T>,
    /// Rows in the whole list.
    #[serde(rename = "count")]
    total_count: i64,
    /// Sent as `after`, brings what stands behind this page; null at the end.
    next_cursor: Option<String>,
}

impl<T: OutputType> TypeName for Page<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Page", <T as OutputType>::type_name()).into()
    }
}
