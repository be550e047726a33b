//! What can be done with orders.

use sqlx::PgConnection;
use tokio::time::{Duration, timeout};

use super::{
    model::{
        CancelReason, Order, PaymentMethod, PaymentStatus, ShippingAddress, State, Status, order_number,
    },
    request::{NewOrder, OrderFilter, Scope},
    store::{self, Draft, DraftItem},
};
use crate::{
    app::App,
    auth::{Admin, Author, Customer},
    cart::{
        self,
        discount::Refusal,
        model::{Applied, Cart, Line},
    },
    catalog::CatalogWrite,
    error::{Error, Kind, Result},
    idempotency::{self, Answered, Begun, Kept, Request},
    indexing::Version,
    money::Amount,
};

pub mod paying;

/// How long a checkout queues before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(8);
/// What `numeric(12,2)` holds, in hundredths.
pub const MOST: i64 = 999_999_999_999;
/// Two orders would have to draw one number of 2⁵⁰ so many times.
const DRAWS: usize = 5;

/// A page of the orders that the user sees, from the newest down, and how many there are.
///
/// # Errors
/// 400 for a cursor of another list.
pub async fn page(app: &App, user: Customer, filter: &OrderFilter) -> Result<(Vec<Order>, u64)> {
    let scope = Scope::of(user);
    let span = filter.page.span(&app.keys, &filter.list(scope))?;
    let heads = store::page(&app.web, scope, filter, span).await?;
    let count = store::count(&app.web, scope, filter).await?;
    let ids: Vec<i64> = heads.iter().map(|head| head.id).collect();
    let mut items = store::items(&app.web, scope, &ids).await?;
    let mut shipments = store::shipments(&app.web, &ids).await?;
    let mut timeline = store::timeline(&app.web, &ids).await?;
    let orders = heads.into_iter().map(|head| {
        let order = Order {
            items: items.extract_if(.., |item| item.order_id == head.id).collect(),
            shipments: shipments.extract_if(.., |shipment| shipment.order_id == head.id).collect(),
            timeline: timeline.extract_if(.., |event| event.order_id == head.id).collect(),
            head,
        };
        seen_by(scope, order)
    });
    Ok((orders.collect(), count.unsigned_abs()))
}

/// One order, as far as the user sees it.
///
/// # Errors
/// 404.
pub async fn one(app: &App, user: Customer, id: i64) -> Result<Order> {
    let mut connection = app.web.acquire().await?;
    whole(&mut connection, Scope::of(user), id).await
}

/// Turns the user's cart into an order, or answers as it did when the request came first. `answer` writes what is
/// sent, and kept.
///
/// # Errors
/// 404 for an address that is not the user's, 409 when stock is short or the total is another one, 422 for an empty
/// cart or a code that does not apply; as [`idempotency::begin`] for a key. Then nothing has changed.
pub async fn place(
    app: &App,
    user: Customer,
    new: &NewOrder,
    request: Option<&Request>,
    answer: impl FnOnce(&Order, Version) -> Result<Kept>,
) -> Result<Answered> {
    // Those who want the same variant wait for each other: they do it here, not on connections.
    let place = timeout(PATIENCE, app.checkouts.acquire()).await;
    let _place = place.map_err(|_| Error::unavailable("Too many are ordering at once; try again."))?;
    let mut write = CatalogWrite::begin_beside(app, user).await?;
    match answered(app, &mut write, user.user_id(), new, request, answer).await {
        Ok(Answered::First(kept)) => write.commit(app).await.map(|_| Answered::First(kept)),
        // Before it is answered: whoever sends the key again then is not told that it is still in use.
        other => write.rollback().await.and(other),
    }
}

/// What is sent to the request: of the order that it makes, or of the one that it has made.
async fn answered(
    app: &App,
    write: &mut CatalogWrite,
    user_id: i64,
    new: &NewOrder,
    request: Option<&Request>,
    answer: impl FnOnce(&Order, Version) -> Result<Kept>,
) -> Result<Answered> {
    let claim = match idempotency::begin(write, request).await? {
        Begun::First(claim) => claim,
        Begun::Again(kept) => return Ok(Answered::Again(kept)),
    };
    let at = app.clock.micros();
    let (code, is_compared) = (new.discount_code.as_deref(), new.expected_total.is_some());
    let cart = cart::actions::take_up(write, user_id, code, is_compared, at).await?;
    let address = acceptable(app, write, user_id, &cart, new).await?;
    let order_id = insert(app, write, user_id, &cart, new, &address).await?;
    cart::actions::empty(write, cart.head.id).await?;
    let order = whole(write, Scope::Own(user_id), order_id).await?;
    let version = write.version().await?;
    let kept = answer(&order, version)?;
    idempotency::finish(write, &claim, &kept).await?;
    Ok(Answered::First(kept))
}

/// Where the order of this cart goes, if it can be placed as the client thinks.
async fn acceptable(
    app: &App,
    db: &mut PgConnection,
    user_id: i64,
    cart: &Cart,
    new: &NewOrder,
) -> Result<ShippingAddress> {
    if cart.lines.is_empty() {
        return Err(Error::new(Kind::EmptyCart, "Put something into the cart first."));
    }
    let address = store::address(db, user_id, new.address_id).await?;
    let address = address.ok_or_else(|| Error::names_nothing("/address_id", "address"))?;
    let short: Vec<&Line> = cart.lines.iter().filter(|line| line.is_short()).collect();
    if !short.is_empty() {
        return Err(out_of_stock(&short));
    }
    let total = cart.total();
    if cart.subtotal() > MOST {
        let detail = "The order would cost more than any order can; split it.";
        return Err(Error::new(Kind::Invalid, detail));
    }
    if new.expected_total.is_some_and(|expected| expected.hundredths() != total) {
        let total = Amount::from_hundredths(total).display(app.config.currency);
        let detail = format!("The total is {total} now; look at the cart again.");
        return Err(Error::new(Kind::PriceChanged, detail).with_member("total", total));
    }
    Ok(address)
}

/// Names each line of which there is not enough. With one such line `available` is that line's.
fn out_of_stock(short: &[&Line]) -> Error {
    let say = |line: &&Line| {
        let left = match line.available {
            0 => "none is left".to_owned(),
            left => format!("{left} are left"),
        };
        format!("{} ({}): {left}, {} are wanted", line.product_name, line.sku, line.quantity)
    };
    let detail = format!("{}.", short.iter().map(say).collect::<Vec<_>>().join("; "));
    let items = short.iter().map(|line| {
        serde_json::json!({
            "item_id": line.id, "variant_id": line.variant_id, "sku": line.sku,
            "quantity": line.quantity, "available": line.available,
        })
    });
    let error = Error::new(Kind::OutOfStock, detail).with_member("items", items.collect::<Vec<_>>());
    match short {
        [line] => error.with_member("available", line.available),
        _ => error,
    }
}

/// Writes the order, takes its stock and uses its code.
async fn insert(
    app: &App,
    db: &mut PgConnection,
    user_id: i64,
    cart: &Cart,
    new: &NewOrder,
    address: &ShippingAddress,
) -> Result<i64> {
    // Nothing to pay is paid.
    let is_free = cart.total() == 0;
    let is_confirmed = is_free || new.payment_method == PaymentMethod::CashOnDelivery;
    let discount = cart.discount.as_ref();
    let draft = || Draft {
        number: order_number(),
        user_id,
        asked: new,
        status: if is_confirmed { Status::Confirmed } else { Status::Pending },
        payment_status: if is_free { PaymentStatus::Paid } else { PaymentStatus::Pending },
        currency: app.config.currency.code(),
        subtotal: Amount::from_hundredths(cart.subtotal()),
        discount_total: Amount::from_hundredths(cart.discount_total()),
        discount: discount.map(|discount| (discount.id, discount.code.as_str())),
        minutes: (!is_confirmed).then_some(app.config.order_expiry_minutes),
        address,
    };
    let mut order_id = None;
    for _ in 0..DRAWS {
        order_id = store::insert(db, &draft()).await?;
        if order_id.is_some() {
            break;
        }
    }
    let order_id = order_id.ok_or_else(|| Error::unavailable("No order number was free; try again."))?;
    let shares = cart.shares();
    let items: Vec<DraftItem> = cart.lines.iter().zip(&shares).map(draft_item).collect();
    store::insert_items(db, order_id, &items).await?;
    if usize::try_from(store::take_stock(db, order_id, user_id).await?).ok() != Some(items.len()) {
        // They were locked when they were counted.
        return Err(Error::unavailable("The stock has changed meanwhile; try again."));
    }
    if let Some(discount) = discount {
        use_code(db, order_id, user_id, discount).await?;
    }
    store::note(db, order_id, "placed", "", Some(user_id)).await?;
    if is_confirmed {
        let detail = if is_free { "There is nothing to pay." } else { "To be paid on delivery." };
        store::note(db, order_id, Status::Confirmed.as_str(), detail, None).await?;
    }
    Ok(order_id)
}

fn draft_item((line, share): (&Line, &i64)) -> DraftItem {
    DraftItem {
        variant_id: line.variant_id,
        quantity: line.quantity,
        price: Amount::from_hundredths(line.current_price),
        discount: Amount::from_hundredths(*share),
    }
}

async fn use_code(db: &mut PgConnection, order_id: i64, user_id: i64, discount: &Applied) -> Result<()> {
    let refused = |refusal| cart::actions::not_applicable("/discount_code", refusal);
    if !store::use_code(db, discount.id).await? {
        return Err(refused(Refusal::UsedUp));
    }
    if !store::note_use(db, order_id, discount.id, user_id).await? {
        return Err(refused(Refusal::UsedByYou));
    }
    Ok(())
}

/// Gives an order up: one's own while it is unpaid, an administrator's until it has left. Its stock goes back, and
/// the use of its code.
///
/// # Errors
/// 404, 409 when it has gone too far.
pub async fn cancel(app: &App, user: Customer, id: i64) -> Result<(Order, Version)> {
    let admin = user.admin();
    let owner = if admin.is_some() { None } else { Some(user.user_id()) };
    let mut write = CatalogWrite::begin_beside(app, user).await?;
    let (buyer, state) = store::lock(&mut write, id, owner).await?.ok_or_else(not_found)?;
    may_cancel(state, admin)?;
    let reason = if buyer == user.user_id() { CancelReason::Customer } else { CancelReason::Admin };
    give_up(&mut write, id, reason, Some(user.user_id())).await?;
    // What it was paid goes back by itself: the worker of payments looks for orders that were given up with money.
    let order = whole(&mut write, Scope::of(user), id).await?;
    Ok((order, write.commit(app).await?))
}

fn may_cancel(state: State, admin: Option<Admin>) -> Result<()> {
    let refused = |detail: &str| Err(Error::new(Kind::WrongState, detail));
    if state.status == Status::Cancelled {
        refused("It has been cancelled already.")
    } else if !state.status.may_become(Status::Cancelled) {
        refused("It has left already; send it back instead.")
    } else if admin.is_none() && state.payment_status.holds_money() {
        refused("It has been paid; ask the shop to cancel and refund it.")
    } else {
        Ok(())
    }
}

/// Cancels one order that was not paid in time and is not among those that were `tried`, to which it is added; false
/// when there is none.
///
/// # Errors
/// When the database does not answer, or the order's stock is held.
pub(super) async fn expire_one(app: &App, tried: &mut Vec<i64>) -> Result<bool> {
    let mut write = CatalogWrite::begin_beside(app, Author::SHOP).await?;
    let Some(id) = store::lock_expired(&mut write, tried).await? else { return Ok(false) };
    tried.push(id);
    give_up(&mut write, id, CancelReason::Expired, None).await?;
    write.commit(app).await?;
    Ok(true)
}

/// Cancels an order that is locked. Only who changes its state gives its stock back.
async fn give_up(db: &mut PgConnection, id: i64, reason: CancelReason, actor: Option<i64>) -> Result<()> {
    if !store::cancel(db, id, reason).await? {
        return Err(Error::new(Kind::WrongState, "It cannot be cancelled any more."));
    }
    store::lock_variants(db, id).await?;
    store::release_stock(db, id, actor).await?;
    store::release_code(db, id).await?;
    store::note(db, id, Status::Cancelled.as_str(), reason.detail(), actor).await
}

/// Locks an order against everybody else who moves it, for what stands right of here: how it stands.
///
/// # Errors
/// 404.
pub async fn lock(db: &mut PgConnection, id: i64) -> Result<State> {
    store::lock(db, id, None).await?.map(|(_, state)| state).ok_or_else(not_found)
}

/// Moves an order that is locked on to where its parcels are, by the table. What is paid on delivery is paid by it: who
/// brings the last parcel takes the money.
///
/// # Errors
/// 409 when the table has no such step.
pub async fn move_on(
    db: &mut PgConnection,
    id: i64,
    state: &mut State,
    to: Status,
    actor: i64,
) -> Result<()> {
    let from = state.status;
    if !from.may_become(to) {
        let detail = format!("The order is {} and cannot become {}.", from.as_str(), to.as_str());
        return Err(Error::new(Kind::WrongState, detail));
    }
    store::move_on(db, id, to).await?;
    store::note(db, id, to.as_str(), "", Some(actor)).await?;
    state.status = to;
    if state.is_paid_by_arriving() {
        store::move_paid(db, id, PaymentStatus::Paid).await?;
        state.payment_status = PaymentStatus::Paid;
        store::note(db, id, PaymentStatus::Paid.as_str(), paying::IN_CASH, Some(actor)).await?;
    }
    Ok(())
}

/// The parcels of an order that the user may see: of the own ones, or for an administrator of any.
///
/// # Errors
/// 404.
pub async fn parcels(app: &App, user: Customer, id: i64) -> Result<Vec<super::model::Shipment>> {
    let scope = if user.admin().is_some() { Scope::All } else { Scope::Own(user.user_id()) };
    store::one(&app.web, scope, id).await?.ok_or_else(not_found)?;
    store::shipments(&app.web, &[id]).await
}

async fn whole(db: &mut PgConnection, scope: Scope, id: i64) -> Result<Order> {
    let head = store::one(&mut *db, scope, id).await?.ok_or_else(not_found)?;
    let items = store::items(&mut *db, scope, &[id]).await?;
    let shipments = store::shipments(&mut *db, &[id]).await?;
    let timeline = store::timeline(&mut *db, &[id]).await?;
    Ok(seen_by(scope, Order { head, items, shipments, timeline }))
}

fn seen_by(scope: Scope, order: Order) -> Order {
    let is_whole = scope.is_all() || scope.owner() == Some(order.head.user_id);
    if is_whole { order } else { order.of_these_lines() }
}

fn not_found() -> Error {
    Error::not_found("order")
}
