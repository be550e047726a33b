//! What can be done with one's addresses.

use sqlx::PgConnection;

use super::{
    model::{Address, AddressChanges, MOST, NewAddress},
    store,
};
use crate::{
    app::App,
    auth::{self, Customer},
    error::{Error, Kind, Result},
    page::Page,
};

/// A page of the user's addresses, and how many there are.
///
/// # Errors
/// None of its own.
pub async fn page(app: &App, user: Customer, page: Page) -> Result<(Vec<Address>, i64)> {
    let rows = store::page(&app.web, user.user_id(), page).await?;
    Ok((rows, store::count(&app.web, user.user_id()).await?))
}

/// One of the user's addresses.
///
/// # Errors
/// 404.
pub async fn one(app: &App, user: Customer, id: i64) -> Result<Address> {
    store::one(&app.web, user.user_id(), id).await?.ok_or_else(not_found)
}

/// Keeps an address for the user.
///
/// # Errors
/// 409 when the book is full.
pub async fn create(app: &App, user: Customer, new: &NewAddress) -> Result<Address> {
    let owner = user.user_id();
    let mut transaction = auth::begin(&app.web, user).await?;
    if !store::lock_owner(&mut transaction, owner).await? {
        return Err(Error::new(Kind::NotAuthenticated, "This account has been closed."));
    }
    if store::count(&mut *transaction, owner).await? >= MOST {
        let detail = format!("An account keeps {MOST} addresses; change or delete one of them.");
        return Err(Error::new(Kind::TooMany, detail));
    }
    let address = store::insert(&mut transaction, owner, new).await?;
    transaction.commit().await?;
    Ok(address)
}

/// Changes one of the user's addresses; orders keep what they copied.
///
/// # Errors
/// 404.
pub async fn update(app: &App, user: Customer, id: i64, changes: &AddressChanges) -> Result<Address> {
    let mut transaction = auth::begin(&app.web, user).await?;
    let address =
        store::update(&mut transaction, user.user_id(), id, changes).await?.ok_or_else(not_found)?;
    transaction.commit().await?;
    Ok(address)
}

/// Deletes one of the user's addresses; orders keep what they copied.
///
/// # Errors
/// 404.
pub async fn delete(app: &App, user: Customer, id: i64) -> Result<()> {
    let mut transaction = auth::begin(&app.web, user).await?;
    if !store::delete(&mut transaction, user.user_id(), id).await? {
        return Err(not_found());
    }
    transaction.commit().await?;
    Ok(())
}

/// Forgets every address of a user who leaves, in the transaction that makes the user nobody.
///
/// # Errors
/// When the database does not answer.
pub async fn forget(db: &mut PgConnection, user_id: i64) -> Result<()> {
    store::forget(db, user_id).await
}

fn not_found() -> Error {
    Error::not_found("address")
}
