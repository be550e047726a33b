//! The SQL of categories.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::model::{Category, CategoryChanges, CategoryPlace, NewCategory};
use crate::{
    error::{Error, Result, violated},
    page::Span,
};

/// Before every category: none is without a name.
static START: CategoryPlace = CategoryPlace { path: Vec::new(), id: None };

struct Row {
    id: i64,
    name: String,
    slug: String,
    description: String,
    parent_id: Option<i64>,
    path: Vec<String>,
    created_at: OffsetDateTime,
}

impl From<Row> for Category {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            slug: row.slug,
            description: row.description,
            parent_id: row.parent_id,
            path: row.path,
            created_at: row.created_at,
        }
    }
}

fn refused(error: sqlx::Error) -> Error {
    match violated(&error) {
        Some("category_slug_key") => Error::taken("/slug", "Another category has this slug; choose another."),
        Some("category_name_key") => Error::taken("/name", "A sibling has this name; choose another."),
        Some("category_parent_id_fkey") => {
            Error::field("/parent_id", "unknown", "is not the id of a category")
        }
        Some("category_parent_id_check" | "category_parent_cycle") => Error::field(
            "/parent_id",
            "cycle",
            "lies inside this category; a category cannot be its own ancestor",
        ),
        Some("category_depth_check") => {
            Error::field("/parent_id", "depth", "would make the tree deeper than 32 levels")
        }
        _ => error.into(),
    }
}

/// Rows by path. No index has that order: the tree is walked as a whole, whichever page is read.
pub(super) async fn page(db: impl PgExecutor<'_>, span: &Span<CategoryPlace>) -> Result<Vec<Category>> {
    let CategoryPlace { path, id } = span.after.as_ref().unwrap_or(&START);
    let rows = sqlx::query_as!(
        Row,
        r#"with recursive walk as (
               select c.*, array[c.name] as path from category c where c.parent_id is null
               union all
               select c.*, w.path || c.name from walk w join category c on c.parent_id = w.id
           )
           select id as "id!", name as "name!", slug as "slug!", description as "description!", parent_id,
                  path as "path!", created_at as "created_at!"
           from walk
           where path > coalesce((select path from walk where id = $1), $2)
           order by path offset $3 limit $4"#,
        *id,
        path,
        span.offset,
        span.limit
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Into::into).collect())
}

/// Roots by name, and all that lies in them, by path.
pub(super) async fn trees(db: impl PgExecutor<'_>, span: &Span<String>) -> Result<Vec<Category>> {
    let rows = sqlx::query_as!(
        Row,
        r#"with recursive walk as (
               (select c.*, array[c.name] as path from category c
                where c.parent_id is null and c.name > $1
                order by c.name offset $2 limit $3)
               union all
               select c.*, w.path || c.name from walk w join category c on c.parent_id = w.id
           )
           select id as "id!", name as "name!", slug as "slug!", description as "description!", parent_id,
                  path as "path!", created_at as "created_at!"
           from walk order by path"#,
        span.after.as_deref().unwrap_or_default(),
        span.offset,
        span.limit
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Into::into).collect())
}

pub(super) async fn count(db: impl PgExecutor<'_>) -> Result<i64> {
    Ok(sqlx::query_scalar!(r#"select count(*) as "count!" from category"#).fetch_one(db).await?)
}

pub(super) async fn count_roots(db: impl PgExecutor<'_>) -> Result<i64> {
    let count = sqlx::query_scalar!(r#"select count(*) as "count!" from category where parent_id is null"#);
    Ok(count.fetch_one(db).await?)
}

pub(super) async fn one(db: impl PgExecutor<'_>, id: i64) -> Result<Option<Category>> {
    let row = sqlx::query_as!(
        Row,
        r#"with recursive up (parent_id, name, depth) as (
               select parent_id, name, 0 from category where id = $1
               union all
               select c.parent_id, c.name, u.depth + 1 from up u join category c on c.id = u.parent_id where u.depth < 32
           )
           select c.id, c.name, c.slug, c.description, c.parent_id,
                  (select array_agg(name order by depth desc) from up) as "path!", c.created_at
           from category c where c.id = $1"#,
        id
    );
    Ok(row.fetch_optional(db).await?.map(Into::into))
}

/// [`one`] by its slug.
pub(super) async fn with_slug(db: impl PgExecutor<'_>, slug: &str) -> Result<Option<Category>> {
    let row = sqlx::query_as!(
        Row,
        r#"with recursive up (parent_id, name, depth) as (
               select parent_id, name, 0 from category where slug = $1
               union all
               select c.parent_id, c.name, u.depth + 1 from up u join category c on c.id = u.parent_id where u.depth < 32
           )
           select c.id, c.name, c.slug, c.description, c.parent_id,
                  (select array_agg(name order by depth desc) from up) as "path!", c.created_at
           from category c where c.slug = $1"#,
        slug
    );
    Ok(row.fetch_optional(db).await?.map(Into::into))
}

/// What hangs right below each of the categories, by name.
pub(super) async fn children(db: impl PgExecutor<'_>, parents: &[i64]) -> Result<Vec<Category>> {
    let rows = sqlx::query_as!(
        Row,
        r#"with recursive up (id, parent_id, name, depth) as (
               select id, parent_id, name, 0 from category where parent_id = any($1)
               union all
               select u.id, c.parent_id, c.name, u.depth + 1
               from up u join category c on c.id = u.parent_id where u.depth < 32
           )
           select c.id, c.name, c.slug, c.description, c.parent_id,
                  (select array_agg(u.name order by u.depth desc) from up u where u.id = c.id) as "path!", c.created_at
           from category c where c.parent_id = any($1)
           order by c.name, c.id"#,
        parents
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Into::into).collect())
}

/// Makes changes of the tree take turns, before they lock any row of it: moves that cross would wait for each
/// other, and makers of one slug would not see each other's.
pub(super) async fn lock_tree(db: &mut PgConnection) -> Result<()> {
    // The lock of the trigger `category_parent_cycle`.
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('duka.category.parent', 0))")
        .execute(db)
        .await?;
    Ok(())
}

/// The category of this name, without regard to case, below a parent or among the roots.
pub(super) async fn named(db: &mut PgConnection, parent_id: Option<i64>, name: &str) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "select id from category where coalesce(parent_id, 0) = coalesce($1::bigint, 0) and lower(name) = lower($2)",
        parent_id,
        name
    );
    Ok(id.fetch_optional(db).await?)
}

/// Whether another category has the slug already.
pub(super) async fn has_slug(db: &mut PgConnection, slug: &str) -> Result<bool> {
    let known =
        sqlx::query_scalar!(r#"select exists (select from category where slug = $1) as "known!""#, slug);
    Ok(known.fetch_one(db).await?)
}

pub(super) async fn insert(db: &mut PgConnection, new: &NewCategory, slug: &str) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "insert into category (name, slug, description, parent_id) values ($1, $2, $3, $4) returning id",
        new.name,
        slug,
        new.description,
        new.parent_id
    );
    id.fetch_one(db).await.map_err(refused)
}

/// False when there is no such category.
pub(super) async fn update(db: &mut PgConnection, id: i64, changes: &CategoryChanges) -> Result<bool> {
    let done = sqlx::query!(
        "update category
         set name = coalesce($2, name), slug = coalesce($3, slug), description = coalesce($4, description),
             parent_id = case when $5 then $6 else parent_id end
         where id = $1",
        id,
        changes.name.as_deref(),
        changes.slug.as_deref(),
        changes.description.as_deref(),
        changes.parent_id.is_some(),
        changes.parent_id.flatten(),
    );
    Ok(done.execute(db).await.map_err(refused)?.rows_affected() > 0)
}

/// False when there is no such category.
pub(super) async fn delete(db: &mut PgConnection, id: i64) -> Result<bool> {
    let done = sqlx::query!("delete from category where id = $1", id).execute(db).await;
    let done = done.map_err(|error| match violated(&error) {
        Some("product_category_id_fkey" | "category_parent_id_fkey") => {
            Error::in_use("The category holds products or other categories; move or delete those first.")
        }
        _ => error.into(),
    })?;
    Ok(done.rows_affected() > 0)
}
