//! The SQL of shipments. Their order is locked by then.

use sqlx::PgConnection;

use super::model::{Said, has_left, word};
use crate::{
    error::Result,
    order::model::{Shipment, ShipmentStatus},
};

/// The parcels of an order.
pub(super) async fn of_order(db: &mut PgConnection, order_id: i64) -> Result<Vec<Shipment>> {
    let rows = sqlx::query_as!(
        Shipment,
        r#"select id, order_id, tracking_number, carrier, status as "status: ShipmentStatus", shipped_at, delivered_at
           from shipment where order_id = $1 order by id"#,
        order_id
    );
    Ok(rows.fetch_all(db).await?)
}

pub(super) async fn insert(
    db: &mut PgConnection,
    order_id: i64,
    said: &Said,
    status: ShipmentStatus,
) -> Result<Shipment> {
    let row = sqlx::query_as!(
        Shipment,
        r#"insert into shipment (order_id, tracking_number, carrier, status, shipped_at, delivered_at)
           values ($1, coalesce($2, ''), coalesce($3, ''), $4, case when $5 then now() end, case when $6 then now() end)
           returning id, order_id, tracking_number, carrier, status as "status: ShipmentStatus", shipped_at, delivered_at"#,
        order_id,
        said.tracking_number.as_deref(),
        said.carrier.as_deref(),
        word(status),
        has_left(status),
        status == ShipmentStatus::Delivered
    );
    Ok(row.fetch_one(db).await?)
}

/// Each date is set once. A transaction's clock stands where it began, which may be before one whose lock it waited for.
pub(super) async fn update(
    db: &mut PgConnection,
    id: i64,
    said: &Said,
    status: ShipmentStatus,
) -> Result<Shipment> {
    let row = sqlx::query_as!(
        Shipment,
        r#"update shipment
           set tracking_number = coalesce($2, tracking_number), carrier = coalesce($3, carrier), status = $4,
               shipped_at = coalesce(shipped_at, case when $5 then now() end),
               delivered_at = coalesce(delivered_at, case when $6 then greatest(now(), shipped_at) end)
           where id = $1
           returning id, order_id, tracking_number, carrier, status as "status: ShipmentStatus", shipped_at, delivered_at"#,
        id,
        said.tracking_number.as_deref(),
        said.carrier.as_deref(),
        word(status),
        has_left(status),
        status == ShipmentStatus::Delivered
    );
    Ok(row.fetch_one(db).await?)
}
