//! What can be done with one's cart.

use sqlx::PgConnection;

use super::{
    discount::Refusal,
    model::{Added, Cart, Head, MOST_LINES, MOST_PIECES, Quantity, TypedCode},
    store,
};
use crate::{
    app::App,
    auth::{self, Customer},
    error::{Error, Fault, Kind, Result},
};

/// The user's cart, made on first use.
///
/// # Errors
/// None of its own.
pub async fn one(app: &App, user: Customer) -> Result<Cart> {
    let mut transaction = auth::begin(&app.web, user).await?;
    let head = match store::head(&mut transaction, user.user_id()).await? {
        Some(head) => head,
        None => store::lock(&mut transaction, user.user_id()).await?,
    };
    finish(app, transaction, user, head).await
}

/// Puts so many more of a variant in.
///
/// # Errors
/// 404 for a variant that is not on offer, 409 when fewer are in stock or the cart is full.
pub async fn add(app: &App, user: Customer, added: &Added) -> Result<Cart> {
    let mut transaction = auth::begin(&app.web, user).await?;
    let head = store::lock(&mut transaction, user.user_id()).await?;
    let at = app.clock.micros();
    let offered = store::offered(&mut transaction, head.id, added.variant_id, at).await?;
    let offered = offered.ok_or_else(|| Error::names_nothing("/variant_id", "variant"))?;
    let wanted = offered.held.saturating_add(added.quantity);
    demand_stock(wanted, offered.stock)?;
    if i64::from(wanted) > MOST_PIECES {
        let detail = format!("a line holds at most {MOST_PIECES}, and {} are in the cart", offered.held);
        return Err(Error::field("/quantity", "range", detail));
    }
    if offered.held == 0 && offered.lines >= MOST_LINES {
        let detail = format!("A cart holds {MOST_LINES} lines; order what is in it first.");
        return Err(Error::new(Kind::TooMany, detail));
    }
    store::add(&mut transaction, head.id, added.variant_id, added.quantity, offered.price).await?;
    finish(app, transaction, user, head).await
}

/// Sets how many a line has.
///
/// # Errors
/// 404, 409 when fewer are in stock.
pub async fn update(app: &App, user: Customer, item_id: i64, quantity: &Quantity) -> Result<Cart> {
    let mut transaction = auth::begin(&app.web, user).await?;
    let head = store::lock(&mut transaction, user.user_id()).await?;
    let available = store::available(&mut transaction, head.id, item_id).await?;
    demand_stock(quantity.0, available.ok_or_else(no_such_item)?)?;
    store::set_quantity(&mut transaction, head.id, item_id, quantity.0).await?;
    finish(app, transaction, user, head).await
}

/// Takes a line out.
///
/// # Errors
/// 404.
pub async fn remove(app: &App, user: Customer, item_id: i64) -> Result<()> {
    let mut transaction = auth::begin(&app.web, user).await?;
    let head = store::lock(&mut transaction, user.user_id()).await?;
    if !store::remove(&mut transaction, head.id, item_id).await? {
        return Err(no_such_item());
    }
    Ok(transaction.commit().await?)
}

/// Puts a code on the cart, in place of the one that is on it.
///
/// # Errors
/// 422 with the reason for which it does not apply.
pub async fn set_code(app: &App, user: Customer, typed: &TypedCode) -> Result<Cart> {
    let mut transaction = auth::begin(&app.web, user).await?;
    let head = store::lock(&mut transaction, user.user_id()).await?;
    let refused = |refusal| not_applicable("/code", refusal);
    let id = store::find_code(&mut transaction, &typed.0).await?.ok_or_else(|| refused(Refusal::Unknown))?;
    let head = Head { discount_id: Some(id), ..head };
    let cart = priced(&mut transaction, user.user_id(), head, app.clock.micros()).await?;
    let applied = cart.discount.as_ref().ok_or_else(|| refused(Refusal::Unknown))?;
    if let Err(refusal) = applied.shares {
        return Err(refused(refusal));
    }
    if !store::set_discount(&mut transaction, cart.head.id, Some(id)).await? {
        return Err(refused(Refusal::Unknown));
    }
    transaction.commit().await?;
    Ok(cart)
}

/// Takes the code off the cart; one without a code stays as it is.
///
/// # Errors
/// None of its own.
pub async fn clear_code(app: &App, user: Customer) -> Result<()> {
    let mut transaction = auth::begin(&app.web, user).await?;
    let head = store::lock(&mut transaction, user.user_id()).await?;
    store::set_discount(&mut transaction, head.id, None).await?;
    Ok(transaction.commit().await?)
}

/// The user's cart for an order: it, its variants and its code are locked, in this order, until the transaction
/// ends. `code` is used instead of the cart's own. Where the total `is_compared` with the one that was seen, the cart's own
/// code is left out when it does not apply, as it is in what the cart shows.
///
/// # Errors
/// 422 for any other code that does not apply, since the total would not be the one that was seen.
pub async fn take_up(
    db: &mut PgConnection,
    user_id: i64,
    code: Option<&str>,
    is_compared: bool,
    at: i64,
) -> Result<Cart> {
    let mut head = store::lock(db, user_id).await?;
    store::lock_variants(db, head.id).await?;
    let refused = |refusal| not_applicable("/discount_code", refusal);
    if let Some(code) = code {
        let id = store::find_code(db, code).await?;
        head.discount_id = Some(id.ok_or_else(|| refused(Refusal::Unknown))?);
    }
    if let Some(id) = head.discount_id {
        store::lock_code(db, id).await?;
    }
    let cart = priced(db, user_id, head, at).await?;
    match &cart.discount {
        None if code.is_some() => Err(refused(Refusal::Unknown)),
        Some(discount) => match discount.shares {
            Err(_) if code.is_none() && is_compared => Ok(Cart { discount: None, ..cart }),
            Err(refusal) if !cart.lines.is_empty() => Err(refused(refusal)),
            _ => Ok(cart),
        },
        None => Ok(cart),
    }
}

/// Takes everything out of a cart that is locked, and its code off.
///
/// # Errors
/// None of its own.
pub async fn empty(db: &mut PgConnection, cart_id: i64) -> Result<()> {
    store::empty(db, cart_id).await
}

/// 422: why a code cannot be used.
pub fn not_applicable(pointer: &'static str, refusal: Refusal) -> Error {
    let fault = Fault::field(pointer, refusal.code(), refusal.detail());
    Error::new(Kind::DiscountNotApplicable, refusal.detail()).with_fault(fault)
}

async fn priced(db: &mut PgConnection, user_id: i64, head: Head, at: i64) -> Result<Cart> {
    let lines = store::lines(db, head.id, at).await?;
    let code = match head.discount_id {
        Some(id) => store::code(db, id, user_id, head.id).await?,
        None => None,
    };
    Ok(Cart::new(head, lines, code, at))
}

async fn finish(
    app: &App,
    mut transaction: sqlx::Transaction<'static, sqlx::Postgres>,
    user: Customer,
    head: Head,
) -> Result<Cart> {
    let cart = priced(&mut transaction, user.user_id(), head, app.clock.micros()).await?;
    transaction.commit().await?;
    Ok(cart)
}

fn demand_stock(wanted: i32, available: i32) -> Result<()> {
    if wanted <= available {
        return Ok(());
    }
    let detail = match available {
        0 => "None is left.".to_owned(),
        available => format!("{available} are in stock, and {wanted} would be in the cart."),
    };
    Err(Error::new(Kind::OutOfStock, detail).with_member("available", available))
}

fn no_such_item() -> Error {
    Error::not_found("item in the cart")
}
