//! One's own addresses in the graph.

use async_graphql::{Context, Enum, InputObject, MaybeUndefined, Object, SimpleObject};
use serde::Deserialize;

use super::{
    actions,
    model::{AddressChanges, MOST, NewAddress},
};
use crate::{
    error::Result,
    page,
    resolver::{Id, app, form, user, view},
};

/// What kind of place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressType {
    /// Where somebody lives.
    Home,
    /// Where somebody works.
    Work,
}

/// An address, as its owner reads it.
#[derive(SimpleObject, Deserialize)]
pub struct Address {
    id: Id,
    user_id: Id,
    street: String,
    city: String,
    /// May be empty.
    region: String,
    country: String,
    /// May be empty.
    postal_code: String,
    address_type: AddressType,
}

/// What is read of addresses.
#[derive(Default)]
pub struct Query;

#[Object(name = "AddressQuery")]
impl Query {
    /// One's own addresses: all of them, at most 100.
    async fn addresses(&self, ctx: &Context<'_>) -> Result<Vec<Address>> {
        let all = page::Page { page: 1, page_size: u32::try_from(MOST).unwrap_or(page::MAX_SIZE) };
        let (rows, _) = actions::page(app(ctx)?, user(ctx).await?, all).await?;
        view(&rows)
    }
}

/// An address to be kept.
#[derive(InputObject)]
pub struct AddressInput {
    street: String,
    city: String,
    region: Option<String>,
    country: String,
    postal_code: Option<String>,
    address_type: Option<AddressType>,
}

/// What changes of an address; what is not sent stays as it is.
#[derive(InputObject)]
pub struct AddressChangesInput {
    street: MaybeUndefined<String>,
    city: MaybeUndefined<String>,
    region: MaybeUndefined<String>,
    country: MaybeUndefined<String>,
    postal_code: MaybeUndefined<String>,
    address_type: MaybeUndefined<AddressType>,
}

/// What is done with addresses.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "AddressMutation")]
impl Mutation {
    /// Keeps an address.
    async fn create_address(&self, ctx: &Context<'_>, input: AddressInput) -> Result<Address> {
        let user = user(ctx).await?;
        let new: NewAddress = form(ctx, "input", &input)?;
        view(&actions::create(app(ctx)?, user, &new).await?)
    }

    /// Changes an address; orders keep what they copied.
    async fn update_address(&self, ctx: &Context<'_>, id: Id, input: AddressChangesInput) -> Result<Address> {
        let user = user(ctx).await?;
        let changes: AddressChanges = form(ctx, "input", &input)?;
        view(&actions::update(app(ctx)?, user, id.0, &changes).await?)
    }

    /// Deletes an address; orders keep what they copied.
    async fn delete_address(&self, ctx: &Context<'_>, id: Id) -> Result<bool> {
        actions::delete(app(ctx)?, user(ctx).await?, id.0).await.map(|()| true)
    }
}
