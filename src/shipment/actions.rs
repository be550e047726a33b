//! What can be done with the parcels of an order. They move under its lock, and it with them.

use sqlx::PgConnection;

use super::{
    model::{MOST, Said, may_become, reached, word},
    store,
};
use crate::{
    app::App,
    auth::{self, Admin, Customer},
    error::{Error, Kind, Result},
    order::{
        self,
        model::{PaymentStatus, Shipment, ShipmentStatus, State, Status},
    },
};

/// The parcels of an order of the user's own; of any for an administrator.
///
/// # Errors
/// 404.
pub async fn list(app: &App, user: Customer, order_id: i64) -> Result<Vec<Shipment>> {
    order::actions::parcels(app, user, order_id).await
}

/// Makes a parcel of an order.
///
/// # Errors
/// 404, 409 for an order that is neither paid nor to be paid on delivery, or that needs no parcel any more, 422 for a
/// parcel that came back before it left.
pub async fn create(app: &App, admin: Admin, order_id: i64, said: &Said) -> Result<Shipment> {
    let mut transaction = auth::begin(&app.web, admin).await?;
    let state = order::actions::lock(&mut transaction, order_id).await?;
    demand_shippable(state)?;
    let status = said.status.unwrap_or(ShipmentStatus::Pending);
    if status == ShipmentStatus::Returned {
        return Err(Error::field("/status", "value", "a new parcel cannot have come back already"));
    }
    let parcels = store::of_order(&mut transaction, order_id).await?;
    if parcels.len() >= MOST {
        return Err(Error::new(Kind::TooMany, format!("An order has at most {MOST} parcels.")));
    }
    let parcel = store::insert(&mut transaction, order_id, said, status).await?;
    move_order(&mut transaction, order_id, state, admin).await?;
    transaction.commit().await?;
    Ok(parcel)
}

/// Changes a parcel of an order.
///
/// # Errors
/// 404, 409 for a step that the table does not have, or an order that does not ship.
pub async fn update(app: &App, admin: Admin, order_id: i64, id: i64, said: &Said) -> Result<Shipment> {
    let mut transaction = auth::begin(&app.web, admin).await?;
    let state = order::actions::lock(&mut transaction, order_id).await?;
    let parcels = store::of_order(&mut transaction, order_id).await?;
    let parcel = parcels.iter().find(|parcel| parcel.id == id);
    let parcel = parcel.ok_or_else(|| Error::not_found("shipment of this order"))?;
    let status = said.status.unwrap_or(parcel.status);
    if !may_become(parcel.status, status) {
        let detail = format!("It is {} and cannot become {}.", word(parcel.status), word(status));
        return Err(Error::new(Kind::WrongState, detail));
    }
    // What has left arrives or comes back, whatever became of its money since.
    let leaves = parcel.status == ShipmentStatus::Pending && status != parcel.status;
    if leaves && state.status != Status::Delivered {
        demand_shippable(state)?;
    }
    let parcel = store::update(&mut transaction, id, said, status).await?;
    move_order(&mut transaction, order_id, state, admin).await?;
    transaction.commit().await?;
    Ok(parcel)
}

fn demand_shippable(state: State) -> Result<()> {
    if state.may_ship() {
        return Ok(());
    }
    let detail = match state.status {
        Status::Cancelled => "The order has been cancelled.",
        Status::Delivered => "The order has arrived already.",
        _ if state.payment_status == PaymentStatus::Refunded => "The order's money has been sent back.",
        _ => "The order has not been paid, and is not to be paid on delivery.",
    };
    Err(Error::new(Kind::WrongState, detail))
}

/// Moves a locked order step by step to where its parcels are; it never goes back.
async fn move_order(db: &mut PgConnection, order_id: i64, mut state: State, admin: Admin) -> Result<()> {
    let parcels: Vec<ShipmentStatus> =
        store::of_order(db, order_id).await?.iter().map(|parcel| parcel.status).collect();
    let steps: &[Status] = match reached(&parcels) {
        Some(Status::Delivered) => &[Status::Shipped, Status::Delivered],
        Some(Status::Shipped) => &[Status::Shipped],
        _ => &[],
    };
    for step in steps.iter().copied() {
        if state.status.may_become(step) {
            order::actions::move_on(db, order_id, &mut state, step, admin.user_id()).await?;
        }
    }
    Ok(())
}
