//! What can be done with users.

use super::{
    model::{UserChanges, UserFilter},
    store,
};
use crate::{
    account::model::User,
    address,
    app::App,
    auth::{self, Admin, Author, Customer},
    error::{Error, Kind, Result},
    payment, wishlist,
};

/// The right to one account: an administrator's, or its owner's.
#[derive(Clone, Copy, Debug)]
pub enum Right {
    /// Of an administrator, to every account.
    Admin(Admin),
    /// Of a user, to the own account.
    Owner(Customer),
}

impl Right {
    /// The user's right to the account `id`.
    ///
    /// # Errors
    /// 404 without one: nobody learns which accounts there are.
    pub fn to(id: i64, user: Customer) -> Result<Self> {
        match user.admin() {
            Some(admin) => Ok(Self::Admin(admin)),
            None if user.user_id() == id => Ok(Self::Owner(user)),
            None => Err(not_found()),
        }
    }
}

/// A page of the users, from the newest down, and how many there are.
///
/// # Errors
/// 400 for a cursor of another list.
pub async fn page(app: &App, _: Admin, filter: &UserFilter) -> Result<(Vec<User>, u64)> {
    let span = filter.page.span(&app.keys, &filter.list())?;
    let (rows, count) = match &filter.search {
        Some(text) => (
            store::search(&app.web, text, filter.role, span).await?,
            store::count_found(&app.web, text, filter.role).await?,
        ),
        None => (store::page(&app.web, filter.role, span).await?, store::count(&app.web, filter.role).await?),
    };
    Ok((rows, count.unsigned_abs()))
}

/// One user.
///
/// # Errors
/// 404.
pub async fn one(app: &App, _: Admin, id: i64) -> Result<User> {
    store::one(&app.web, id).await?.ok_or_else(not_found)
}

/// Changes a user. Whoever is deactivated is out at once, and signs in anew when active again.
///
/// # Errors
/// 404, 409 for a taken address, for the last active administrator, and for who has been made nobody.
pub async fn update(app: &App, admin: Admin, id: i64, changes: &UserChanges) -> Result<User> {
    let mut transaction = auth::begin(&app.web, admin).await?;
    let Some(user) = store::update(&mut transaction, id, changes).await? else {
        store::one(&mut *transaction, id).await?.ok_or_else(not_found)?;
        let detail = "This account has been deleted; what is left of it cannot be changed.";
        return Err(Error::new(Kind::AccountDeleted, detail));
    };
    if !user.is_active {
        store::end_sessions(&mut transaction, id).await?;
    }
    transaction.commit().await?;
    Ok(user)
}

/// Makes a user nobody: the account is closed, its sessions end, and what is personal is overwritten or gone. Orders
/// and reviews stay. A second time changes nothing.
///
/// # Errors
/// 404, 409 for the last active administrator.
pub async fn delete(app: &App, right: Right, id: i64) -> Result<()> {
    let (id, author): (_, Author) = match right {
        Right::Admin(admin) => (id, admin.into()),
        Right::Owner(owner) => (owner.user_id(), owner.into()),
    };
    let mut transaction = auth::begin(&app.web, author).await?;
    if !store::anonymise(&mut transaction, id).await? {
        store::one(&mut *transaction, id).await?.ok_or_else(not_found)?;
        return Ok(());
    }
    store::end_sessions(&mut transaction, id).await?;
    address::actions::forget(&mut transaction, id).await?;
    wishlist::actions::forget(&mut transaction, id).await?;
    payment::actions::forget(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(())
}

fn not_found() -> Error {
    Error::not_found("user")
}
