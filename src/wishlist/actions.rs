//! What can be done with one's wishlist.

use std::collections::HashMap;

use duka_index::Document;
use sqlx::PgConnection;

use super::{
    model::{MOST, NewWish, Wish, Wishlist},
    store::{self, WishRow},
};
use crate::{
    app::App,
    auth::{self, Customer},
    database,
    error::{Error, Kind, Result},
    indexing,
};

/// The user's wishlist; made on first use.
///
/// # Errors
/// None of its own.
pub async fn read(app: &App, user: Customer) -> Result<Wishlist> {
    let at = app.clock.micros();
    let mut snapshot = database::begin_snapshot(&app.web).await?;
    let Some(list) = store::list(&mut *snapshot, user.user_id()).await? else {
        snapshot.rollback().await?;
        let made = store::ensure(&app.web, user.user_id()).await?.ok_or_else(closed)?;
        return Ok(Wishlist { id: made.id, created_at: made.created_at, wishes: Vec::new(), at });
    };
    let rows = store::wishes(&mut snapshot, list.id).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.product_id).collect();
    let documents = indexing::documents(&mut snapshot, &ids).await?;
    snapshot.rollback().await?;
    let mut products: HashMap<i64, Document> = documents.into_iter().map(|one| (one.id, one)).collect();
    let wishes = rows.into_iter().filter_map(|row| {
        let product = products.remove(&row.product_id)?;
        Some(Wish { id: row.id, created_at: row.created_at, product })
    });
    Ok(Wishlist { id: list.id, created_at: list.created_at, wishes: wishes.collect(), at })
}

/// Puts a product on the user's wishlist: the wish, the instant of its price, and whether it is new.
///
/// # Errors
/// 404 for a product that is not on offer, 409 when the list is full.
pub async fn add(app: &App, user: Customer, new: &NewWish) -> Result<(Wish, i64, bool)> {
    let (at, owner) = (app.clock.micros(), user.user_id());
    let mut transaction = auth::begin(&app.web, user).await?;
    let product = indexing::documents(&mut transaction, &[new.product_id]).await?.pop();
    let product = product
        .filter(|product| product.is_active)
        .ok_or_else(|| Error::names_nothing("/product_id", "product"))?;
    // Before the lock too: whoever says it again need not wait for a turn.
    let (row, is_new) = match store::wish_for(&mut transaction, owner, product.id).await? {
        Some(row) => (row, false),
        None => insert(&mut transaction, owner, product.id).await?,
    };
    transaction.commit().await?;
    Ok((Wish { id: row.id, created_at: row.created_at, product }, at, is_new))
}

/// The wish for a product that had none, and whether it still had none when it was this one's turn.
async fn insert(db: &mut PgConnection, owner: i64, product_id: i64) -> Result<(WishRow, bool)> {
    let list = store::ensure(&mut *db, owner).await?.ok_or_else(closed)?;
    if let Some(row) = store::wish_for(db, owner, product_id).await? {
        return Ok((row, false));
    }
    store::make_room(db, list.id, MOST).await?;
    if store::count(db, list.id).await? >= MOST {
        let detail = format!("A wishlist holds {MOST} products; take one of them off.");
        return Err(Error::new(Kind::TooMany, detail));
    }
    Ok((store::insert(db, list.id, product_id).await?, true))
}

/// Takes a wish off the user's wishlist.
///
/// # Errors
/// 404.
pub async fn remove(app: &App, user: Customer, id: i64) -> Result<()> {
    let done = store::remove(&app.web, user.user_id(), id).await?;
    done.then_some(()).ok_or_else(|| Error::not_found("item of your wishlist"))
}

/// Forgets the wishlist of a user who leaves, in the transaction that makes the user nobody.
///
/// # Errors
/// When the database does not answer.
pub async fn forget(db: &mut PgConnection, user_id: i64) -> Result<()> {
    store::forget(db, user_id).await
}

fn closed() -> Error {
    Error::new(Kind::NotAuthenticated, "This account has been closed.")
}
