//! The SQL of wishlists. What readers see of a product comes from the search document's projection.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::error::Result;

pub(super) struct ListRow {
    pub(super) id: i64,
    pub(super) created_at: OffsetDateTime,
}

pub(super) struct WishRow {
    pub(super) id: i64,
    pub(super) product_id: i64,
    pub(super) created_at: OffsetDateTime,
}

pub(super) async fn list(db: impl PgExecutor<'_>, owner: i64) -> Result<Option<ListRow>> {
    let row = sqlx::query_as!(ListRow, "select id, created_at from wishlist where user_id = $1", owner);
    Ok(row.fetch_optional(db).await?)
}

/// The user's list, made if there is none, and locked in a transaction: those who add to it take turns. `None` when
/// the user is no more.
pub(super) async fn ensure(db: impl PgExecutor<'_>, owner: i64) -> Result<Option<ListRow>> {
    let row = sqlx::query_as!(
        ListRow,
        "insert into wishlist (user_id) select id from users where id = $1 and is_active for share
         on conflict (user_id) do update set user_id = excluded.user_id
         returning id, created_at",
        owner
    );
    Ok(row.fetch_optional(db).await?)
}

/// The wishes for what is on offer, the newest first.
pub(super) async fn wishes(db: &mut PgConnection, list_id: i64) -> Result<Vec<WishRow>> {
    let rows = sqlx::query_as!(
        WishRow,
        "select i.id, i.product_id, i.created_at
         from wishlist_item i join product p on p.id = i.product_id
         where i.wishlist_id = $1 and p.is_active and p.deleted_at is null
         order by i.id desc",
        list_id
    );
    Ok(rows.fetch_all(db).await?)
}

/// The user's wish for a product, on offer or not.
pub(super) async fn wish_for(db: &mut PgConnection, owner: i64, product_id: i64) -> Result<Option<WishRow>> {
    let row = sqlx::query_as!(
        WishRow,
        "select i.id, i.product_id, i.created_at
         from wishlist w join wishlist_item i on i.wishlist_id = w.id
         where w.user_id = $1 and i.product_id = $2",
        owner,
        product_id
    );
    Ok(row.fetch_optional(db).await?)
}

/// Lets go of the oldest wishes for what is not on offer, as many as are in the way of one more. Without that a list
/// could be full of what its owner cannot see, and so not take away.
pub(super) async fn make_room(db: &mut PgConnection, list_id: i64, most: i64) -> Result<()> {
    sqlx::query!(
        "delete from wishlist_item
         where id in (
             select i.id
             from wishlist_item i join product p on p.id = i.product_id
             where i.wishlist_id = $1 and not (p.is_active and p.deleted_at is null)
             order by i.id
             limit (select greatest(count(*) - $2::bigint + 1, 0) from wishlist_item where wishlist_id = $1)
         )",
        list_id,
        most
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn count(db: &mut PgConnection, list_id: i64) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from wishlist_item where wishlist_id = $1"#,
        list_id
    );
    Ok(count.fetch_one(db).await?)
}

pub(super) async fn insert(db: &mut PgConnection, list_id: i64, product_id: i64) -> Result<WishRow> {
    let row = sqlx::query_as!(
        WishRow,
        "insert into wishlist_item (wishlist_id, product_id) values ($1, $2)
         returning id, product_id, created_at",
        list_id,
        product_id
    );
    Ok(row.fetch_one(db).await?)
}

/// False when there is no such wish of the user's.
pub(super) async fn remove(db: impl PgExecutor<'_>, owner: i64, id: i64) -> Result<bool> {
    let done = sqlx::query!(
        "delete from wishlist_item i using wishlist w
         where i.id = $1 and w.id = i.wishlist_id and w.user_id = $2",
        id,
        owner
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// Takes the user's list away, with what is on it.
pub(super) async fn forget(db: &mut PgConnection, owner: i64) -> Result<()> {
    sqlx::query!("delete from wishlist where user_id = $1", owner).execute(db).await?;
    Ok(())
}
