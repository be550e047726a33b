//! What can be done with categories.

use sqlx::PgConnection;

use super::{
    model::{Category, CategoryChanges, NewCategory, Node, forest},
    store,
};
use crate::{
    app::App,
    auth::Admin,
    catalog::CatalogWrite,
    error::{Error, Result},
    indexing::Version,
    page::{Found, Place},
    text,
};

/// A page of all categories, by path: each before what lies in it, siblings by name.
///
/// # Errors
/// 400 when the cursor is not of this list.
pub async fn page(app: &App, place: &Place) -> Result<Found<Category>> {
    let list = "categories";
    let span = place.open(&app.keys, &list)?;
    let rows = store::page(&app.web, &span).await?;
    span.found(&app.keys, &list, rows, store::count(&app.web).await?, Category::place)
}

/// A page of the roots by name, each with all that lies in it.
///
/// # Errors
/// 400 when the cursor is not of this list.
pub async fn trees(app: &App, place: &Place) -> Result<Found<Node>> {
    let list = "category trees";
    let span = place.open(&app.keys, &list)?;
    let trees = forest(store::trees(&app.web, &span).await?);
    let count = store::count_roots(&app.web).await?;
    span.found(&app.keys, &list, trees, count, |tree| tree.category.name.clone())
}

/// One category.
///
/// # Errors
/// 404.
pub async fn one(app: &App, id: i64) -> Result<Category> {
    store::one(&app.web, id).await?.ok_or_else(|| Error::not_found("category"))
}

/// One category, by its slug.
///
/// # Errors
/// 404.
pub async fn with_slug(app: &App, slug: &str) -> Result<Category> {
    store::with_slug(&app.web, slug).await?.ok_or_else(|| Error::not_found("category"))
}

/// What hangs right below each of the categories, by name.
///
/// # Errors
/// None of its own.
pub async fn children(app: &App, parents: &[i64]) -> Result<Vec<Category>> {
    store::children(&app.web, parents).await
}

/// Makes a category. Without a slug it gets one from its name, with a number where that one is taken.
///
/// # Errors
/// 409 for a taken name or slug, 422 for an unknown parent.
pub async fn create(app: &App, admin: Admin, new: &NewCategory) -> Result<(Category, Version)> {
    let mut write = CatalogWrite::begin(app, admin).await?;
    store::lock_tree(&mut write).await?;
    let slug = match &new.slug {
        Some(slug) => slug.clone(),
        None => free_slug(&mut write, &new.name).await?,
    };
    let id = store::insert(&mut write, new, &slug).await?;
    finish(app, write, id).await
}

/// Changes a category.
///
/// # Errors
/// 404, 409 for a taken name or slug, 422 for an unknown parent or one inside the category.
pub async fn update(
    app: &App,
    admin: Admin,
    id: i64,
    changes: &CategoryChanges,
) -> Result<(Category, Version)> {
    let mut write = CatalogWrite::begin(app, admin).await?;
    if changes.parent_id.is_some() {
        store::lock_tree(&mut write).await?;
    }
    if !store::update(&mut write, id, changes).await? {
        return Err(Error::not_found("category"));
    }
    finish(app, write, id).await
}

/// Deletes an empty category.
///
/// # Errors
/// 404, 409 when it holds products or children.
pub async fn delete(app: &App, admin: Admin, id: i64) -> Result<Version> {
    let mut write = CatalogWrite::begin(app, admin).await?;
    if !store::delete(&mut write, id).await? {
        return Err(Error::not_found("category"));
    }
    write.commit(app).await
}

/// The category of this name below `parent`, made where it is missing: for an import, in its transaction.
///
/// # Errors
/// None of its own.
pub async fn ensure(db: &mut PgConnection, parent_id: Option<i64>, name: &str) -> Result<i64> {
    if let Some(id) = store::named(db, parent_id, name).await? {
        return Ok(id);
    }
    store::lock_tree(db).await?;
    let slug = free_slug(db, name).await?;
    let new = NewCategory { name: name.to_owned(), slug: None, description: String::new(), parent_id };
    store::insert(db, &new, &slug).await
}

async fn finish(app: &App, mut write: CatalogWrite, id: i64) -> Result<(Category, Version)> {
    let category = store::one(&mut *write, id).await?.ok_or_else(|| Error::not_found("category"))?;
    Ok((category, write.commit(app).await?))
}

async fn free_slug(db: &mut PgConnection, name: &str) -> Result<String> {
    let mut base = text::slug(name);
    if base.bytes().all(|b| b.is_ascii_digit()) {
        base.insert_str(0, "category-");
    }
    let mut slug = base.clone();
    for number in 2.. {
        if !store::has_slug(db, &slug).await? {
            break;
        }
        slug = format!("{base}-{number}");
    }
    Ok(slug)
}
