//! How an order's payments move it along, for what stands right of here. Everything happens under the order's lock.

use sqlx::PgConnection;

use crate::{
    error::{Error, Result},
    order::{
        due::Due,
        model::{PaymentStatus, Status},
        store,
    },
};

/// What the timeline says of an order that was paid by arriving.
pub const IN_CASH: &str = "In cash, on delivery.";

/// Locks an order of this owner's (`None` is everybody's) against everybody else who moves it: what is to be paid.
///
/// # Errors
/// 404.
pub async fn lock(db: &mut PgConnection, id: i64, owner: Option<i64>) -> Result<Due> {
    store::lock_due(db, id, owner).await?.ok_or_else(|| Error::not_found("order"))
}

/// What an order of this owner's (`None` is everybody's) has been paid, as of now.
///
/// # Errors
/// 404.
pub async fn payment_status(db: &mut PgConnection, id: i64, owner: Option<i64>) -> Result<PaymentStatus> {
    store::payment_status(db, id, owner).await?.ok_or_else(|| Error::not_found("order"))
}

/// Moves what is paid of a locked order on to this state, if the table has the step. An order that waited for its
/// money is confirmed by it.
///
/// # Errors
/// When the database does not answer.
pub async fn move_paid(db: &mut PgConnection, due: &mut Due, to: PaymentStatus, detail: &str) -> Result<()> {
    if !due.state.payment_status.may_become(to) {
        return Ok(());
    }
    store::move_paid(db, due.id, to).await?;
    due.state.payment_status = to;
    let event = match to {
        // A new attempt after one that failed is no news.
        PaymentStatus::Pending => return Ok(()),
        PaymentStatus::Failed => "payment_failed",
        told => told.as_str(),
    };
    store::note(db, due.id, event, detail, None).await?;
    if to == PaymentStatus::Paid && due.state.status.may_become(Status::Confirmed) {
        store::confirm(db, due.id).await?;
        due.state.status = Status::Confirmed;
        store::note(db, due.id, Status::Confirmed.as_str(), "", None).await?;
    }
    Ok(())
}

/// Moves what is paid of a locked order to what is paid of it again, since money that had gone back came back, and tells
/// its timeline so.
///
/// # Errors
/// When the database does not answer.
pub async fn take_back(db: &mut PgConnection, due: &mut Due, to: PaymentStatus, detail: &str) -> Result<()> {
    if due.state.payment_status.may_return_to(to) {
        store::move_paid(db, due.id, to).await?;
        due.state.payment_status = to;
    }
    store::note(db, due.id, "refund_returned", detail, None).await
}

/// Whether an order was paid in cash, which no ledger of payments holds.
///
/// # Errors
/// When the database does not answer.
pub async fn was_paid_in_cash(db: &mut PgConnection, id: i64) -> Result<bool> {
    Ok(store::was_told(db, id, PaymentStatus::Paid.as_str(), IN_CASH).await?)
}

/// Tells an order's timeline what happened to its money; `actor` is `None` for the shop itself.
///
/// # Errors
/// When the database does not answer.
pub async fn tell(
    db: &mut PgConnection,
    id: i64,
    event: &str,
    detail: &str,
    actor: Option<i64>,
) -> Result<()> {
    store::note(db, id, event, detail, actor).await
}
