//! The tree of categories in the graph.

use std::collections::HashMap;

use async_graphql::{
    ComplexObject, Context, InputObject, MaybeUndefined, Object, SimpleObject, dataloader::Loader,
};
use serde::Deserialize;

use super::{
    actions,
    http::CategoryJson,
    model::{CategoryChanges, NewCategory},
};
use crate::{
    app::App,
    error::{Error, Result},
    page::{DeepList, Links, Place},
    resolver::{Arguments, DateTime, Id, Page, admin, app, form, key, loader, view, wrote},
};

/// A category.
#[derive(Clone, SimpleObject, Deserialize)]
#[graphql(complex)]
pub struct Category {
    id: Id,
    name: String,
    slug: String,
    description: String,
    parent_id: Option<Id>,
    /// Names from the root, its own last.
    path: Vec<String>,
    created_at: DateTime,
    /// Those that were read with it.
    #[graphql(skip)]
    #[serde(default)]
    children: Option<Vec<Category>>,
}

#[ComplexObject]
impl Category {
    /// What hangs right below it, by name.
    async fn children(&self, ctx: &Context<'_>) -> Result<Vec<Category>> {
        if let Some(children) = &self.children {
            return Ok(children.clone());
        }
        Ok(loader::<Children>(ctx)?.load_one(self.id).await?.unwrap_or_default())
    }
}

/// Reads the children of many categories at once.
pub struct Children(pub App);

impl Loader<Id> for Children {
    type Value = Vec<Category>;
    type Error = Error;

    async fn load(&self, parents: &[Id]) -> Result<HashMap<Id, Vec<Category>>> {
        let parents: Vec<i64> = parents.iter().map(|id| id.0).collect();
        let mut below: HashMap<Id, Vec<Category>> = HashMap::new();
        for child in actions::children(&self.0, &parents).await? {
            let Some(parent) = child.parent_id else { continue };
            below.entry(Id(parent)).or_default().push(view(&CategoryJson::from(child))?);
        }
        Ok(below)
    }
}

/// What is read of categories.
#[derive(Default)]
pub struct Query;

#[Object(name = "CategoryQuery")]
impl Query {
    /// The tree: its roots by name, each with all that lies in it.
    async fn categories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Roots, at most 100", default = 24)] first: i32,
        #[graphql(desc = "The `nextCursor` of the page before")] after: Option<String>,
    ) -> Result<Page<Category>> {
        let place: Place = Arguments::page(Some(first), after).read()?;
        let found = actions::trees(app(ctx)?, &place).await?.map(CategoryJson::from);
        view(&DeepList::new(found, &place, &Links::NONE))
    }

    /// One category, by its id or its slug.
    async fn category(&self, ctx: &Context<'_>, id: Option<Id>, slug: Option<String>) -> Result<Category> {
        let category = match (id, slug) {
            (Some(id), None) => actions::one(app(ctx)?, id.0).await?,
            (None, Some(slug)) => actions::with_slug(app(ctx)?, &key("slug", &slug)?).await?,
            _ => return Err(Error::either("id", "slug")),
        };
        view(&CategoryJson::from(category))
    }
}

/// A category to be made.
#[derive(InputObject)]
pub struct CategoryInput {
    /// Unique among siblings without regard to case.
    name: String,
    /// Unique; made from the name when absent.
    slug: Option<String>,
    description: Option<String>,
    parent_id: MaybeUndefined<Id>,
}

/// What changes of a category; what is not sent stays as it is.
#[derive(InputObject)]
pub struct CategoryChangesInput {
    name: MaybeUndefined<String>,
    slug: MaybeUndefined<String>,
    description: MaybeUndefined<String>,
    /// Null makes it a root.
    parent_id: MaybeUndefined<Id>,
}

/// What is done with categories.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "CategoryMutation")]
impl Mutation {
    /// Makes a category. For admins.
    async fn create_category(&self, ctx: &Context<'_>, input: CategoryInput) -> Result<Category> {
        let admin = admin(ctx).await?;
        let new: NewCategory = form(ctx, "input", &input)?;
        let (category, version) = actions::create(app(ctx)?, admin, &new).await?;
        wrote(ctx, version);
        view(&CategoryJson::from(category))
    }

    /// Changes a category. For admins.
    async fn update_category(
        &self,
        ctx: &Context<'_>,
        id: Id,
        input: CategoryChangesInput,
    ) -> Result<Category> {
        let admin = admin(ctx).await?;
        let changes: CategoryChanges = form(ctx, "input", &input)?;
        let (category, version) = actions::update(app(ctx)?, admin, id.0, &changes).await?;
        wrote(ctx, version);
        view(&CategoryJson::from(category))
    }

    /// Deletes a category that holds neither products nor children. For admins.
    async fn delete_category(&self, ctx: &Context<'_>, id: Id) -> Result<bool> {
        wrote(ctx, actions::delete(app(ctx)?, admin(ctx).await?, id.0).await?);
        Ok(true)
    }
}
