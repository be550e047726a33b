//! The SQL of orders, and of the stock and the codes that they use.
//!
//! Statements that move stock, or use a code, expect its row to be locked already.

// over 400 lines: what takes and what gives back is read side by side, and half of it is lists of columns

use rust_decimal::Decimal;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::{
    due::Due,
    model::{
        CancelReason, Event, Head, Item, PaymentMethod, PaymentStatus, Shipment, ShipmentStatus,
        ShippingAddress, State, Status,
    },
    request::{NewOrder, OrderFilter, Scope},
};
use crate::{error::Result, money::Amount, page::newest::Span};

struct HeadRow {
    id: i64,
    order_number: String,
    user_id: i64,
    status: Status,
    payment_status: PaymentStatus,
    payment_method: PaymentMethod,
    currency: String,
    subtotal: Decimal,
    discount_total: Decimal,
    total_amount: Decimal,
    discount_code: Option<String>,
    order_date: OffsetDateTime,
    shipped_at: Option<OffsetDateTime>,
    expires_at: Option<OffsetDateTime>,
    shipping_street: String,
    shipping_city: String,
    shipping_region: String,
    shipping_country: String,
    shipping_postal_code: String,
    shipping_address_type: String,
}

impl From<HeadRow> for Head {
    fn from(row: HeadRow) -> Self {
        Self {
            id: row.id,
            order_number: row.order_number,
            user_id: row.user_id,
            status: row.status,
            payment_status: row.payment_status,
            payment_method: row.payment_method,
            currency: row.currency,
            subtotal: Amount::from_decimal(row.subtotal),
            discount_total: Amount::from_decimal(row.discount_total),
            total_amount: Amount::from_decimal(row.total_amount),
            discount_code: row.discount_code,
            order_date: row.order_date,
            shipped_at: row.shipped_at,
            expires_at: row.expires_at,
            address: ShippingAddress {
                street: row.shipping_street,
                city: row.shipping_city,
                region: row.shipping_region,
                country: row.shipping_country,
                postal_code: row.shipping_postal_code,
                address_type: row.shipping_address_type,
            },
        }
    }
}

pub(super) async fn page(
    db: impl PgExecutor<'_>,
    scope: Scope,
    filter: &OrderFilter,
    span: Span,
) -> Result<Vec<Head>> {
    let rows = sqlx::query_as!(
        HeadRow,
        r#"select id, order_number, user_id, status as "status: Status",
                  payment_status as "payment_status: PaymentStatus",
                  payment_method as "payment_method: PaymentMethod", currency, subtotal, discount_total,
                  total_amount, discount_code, order_date, shipped_at, expires_at, shipping_street, shipping_city,
                  shipping_region, shipping_country, shipping_postal_code, shipping_address_type
           from orders o
           where o.id < $7
             and ($1 or o.user_id = $2
                  or $3::bigint is not null
                     and exists (select from order_item i where i.order_id = o.id and i.vendor_id = $3))
             and ($4::text is null or o.status = $4)
             and ($5::text is null or o.payment_status = $5)
             and ($6::bigint is null or o.user_id = $6)
           order by o.id desc
           offset $8 limit $9"#,
        scope.is_all(),
        scope.owner(),
        scope.vendor(),
        filter.status.map(Status::as_str),
        filter.payment_status.map(PaymentStatus::as_str),
        filter.user_id,
        span.below,
        span.offset,
        span.limit
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Into::into).collect())
}

/// How many [`page`] has in all.
pub(super) async fn count(db: impl PgExecutor<'_>, scope: Scope, filter: &OrderFilter) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from orders o
           where ($1 or o.user_id = $2
                  or $3::bigint is not null
                     and exists (select from order_item i where i.order_id = o.id and i.vendor_id = $3))
             and ($4::text is null or o.status = $4)
             and ($5::text is null or o.payment_status = $5)
             and ($6::bigint is null or o.user_id = $6)"#,
        scope.is_all(),
        scope.owner(),
        scope.vendor(),
        filter.status.map(Status::as_str),
        filter.payment_status.map(PaymentStatus::as_str),
        filter.user_id
    );
    Ok(count.fetch_one(db).await?)
}

pub(super) async fn one(db: impl PgExecutor<'_>, scope: Scope, id: i64) -> Result<Option<Head>> {
    let row = sqlx::query_as!(
        HeadRow,
        r#"select id, order_number, user_id, status as "status: Status",
                  payment_status as "payment_status: PaymentStatus",
                  payment_method as "payment_method: PaymentMethod", currency, subtotal, discount_total,
                  total_amount, discount_code, order_date, shipped_at, expires_at, shipping_street, shipping_city,
                  shipping_region, shipping_country, shipping_postal_code, shipping_address_type
           from orders o
           where o.id = $4
             and ($1 or o.user_id = $2
                  or $3::bigint is not null
                     and exists (select from order_item i where i.order_id = o.id and i.vendor_id = $3))"#,
        scope.is_all(),
        scope.owner(),
        scope.vendor(),
        id
    );
    Ok(row.fetch_optional(db).await?.map(Into::into))
}

/// The lines of these orders that the scope sees.
pub(super) async fn items(db: impl PgExecutor<'_>, scope: Scope, orders: &[i64]) -> Result<Vec<Item>> {
    let rows = sqlx::query!(
        "select i.id, i.order_id, i.variant_id, i.product_id, i.product_name, i.variant_name, i.sku, i.quantity,
                i.price, i.subtotal, i.discount_total
         from order_item i join orders o on o.id = i.order_id
         where i.order_id = any($4) and ($1 or o.user_id = $2 or i.vendor_id = $3)
         order by i.order_id, i.id",
        scope.is_all(),
        scope.owner(),
        scope.vendor(),
        orders
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| Item {
        id: row.id,
        order_id: row.order_id,
        variant_id: row.variant_id,
        product_id: row.product_id,
        product_name: row.product_name,
        variant_name: row.variant_name,
        sku: row.sku,
        quantity: row.quantity,
        price: Amount::from_decimal(row.price),
        subtotal: Amount::from_decimal(row.subtotal),
        discount_total: Amount::from_decimal(row.discount_total),
    });
    Ok(rows.collect())
}

pub(super) async fn shipments(db: impl PgExecutor<'_>, orders: &[i64]) -> Result<Vec<Shipment>> {
    let rows = sqlx::query_as!(
        Shipment,
        r#"select id, order_id, tracking_number, carrier, status as "status: ShipmentStatus", shipped_at, delivered_at
           from shipment where order_id = any($1) order by order_id, id"#,
        orders
    );
    Ok(rows.fetch_all(db).await?)
}

pub(super) async fn timeline(db: impl PgExecutor<'_>, orders: &[i64]) -> Result<Vec<Event>> {
    let rows = sqlx::query_as!(
        Event,
        "select order_id, at, event, detail from order_event where order_id = any($1) order by order_id, id",
        orders
    );
    Ok(rows.fetch_all(db).await?)
}

/// Notes what happened; `actor` is `None` for the shop itself.
pub(super) async fn note(
    db: &mut PgConnection,
    order_id: i64,
    event: &str,
    detail: &str,
    actor: Option<i64>,
) -> Result<()> {
    sqlx::query!(
        "insert into order_event (order_id, event, detail, actor_id) values ($1, $2, $3, $4)",
        order_id,
        event,
        detail,
        actor
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether an order's timeline says so.
pub(super) async fn was_told(
    db: &mut PgConnection,
    order_id: i64,
    event: &str,
    detail: &str,
) -> sqlx::Result<bool> {
    let was_told = sqlx::query_scalar!(
        r#"select exists (select from order_event where order_id = $1 and event = $2 and detail = $3) as "was!""#,
        order_id,
        event,
        detail
    );
    was_told.fetch_one(db).await
}

/// Locks an order of this owner's (`None` is everybody's): whose it is, and how it stands.
pub(super) async fn lock(db: &mut PgConnection, id: i64, owner: Option<i64>) -> Result<Option<(i64, State)>> {
    let row = sqlx::query!(
        r#"select user_id, status as "status: Status", payment_status as "payment_status: PaymentStatus",
                  payment_method as "payment_method: PaymentMethod"
           from orders where id = $1 and ($2::bigint is null or user_id = $2)
           for no key update"#,
        id,
        owner
    );
    let row = row.fetch_optional(db).await?;
    let state = |status, payment_status, payment_method| State { status, payment_status, payment_method };
    Ok(row.map(|row| (row.user_id, state(row.status, row.payment_status, row.payment_method))))
}

/// Locks an order that was not paid in time, passing by those that somebody else is at and those that were `tried`.
pub(super) async fn lock_expired(db: &mut PgConnection, tried: &[i64]) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "select id from orders
         where status = 'pending' and expires_at <= now() and id <> all($1)
         order by expires_at limit 1
         for no key update skip locked",
        tried
    );
    Ok(id.fetch_optional(db).await?)
}

/// Gives an order up that is locked. The row says whether it was still to be given up.
pub(super) async fn cancel(db: &mut PgConnection, id: i64, reason: CancelReason) -> Result<bool> {
    let done = sqlx::query!(
        "update orders set status = 'cancelled', cancelled_at = now(), cancel_reason = $2, expires_at = null
         where id = $1 and status in ('pending', 'confirmed')",
        id,
        reason.as_str()
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// Locks the variants of an order in the order of their ids.
pub(super) async fn lock_variants(db: &mut PgConnection, order_id: i64) -> Result<()> {
    sqlx::query!(
        "select v.id from order_item i join variant v on v.id = i.variant_id
         where i.order_id = $1 order by v.id for no key update of v",
        order_id
    )
    .fetch_all(db)
    .await?;
    Ok(())
}

/// Gives back what an order took; its variants are locked.
pub(super) async fn release_stock(db: &mut PgConnection, order_id: i64, actor: Option<i64>) -> Result<()> {
    sqlx::query!(
        "with given as (
             update variant v set stock = v.stock + i.quantity
             from order_item i where i.order_id = $1 and v.id = i.variant_id
             returning v.id, i.quantity
         )
         insert into stock_movement (variant_id, quantity, reason, order_id, actor_id)
         select id, quantity, 'release', $1, $2 from given",
        order_id,
        actor
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes back the use of the order's code, if it had one.
pub(super) async fn release_code(db: &mut PgConnection, order_id: i64) -> Result<()> {
    sqlx::query!(
        "with gone as (delete from discount_use where order_id = $1 returning discount_id)
         update discount d set times_used = d.times_used - 1 from gone where d.id = gone.discount_id",
        order_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Marks that it has left, or arrived.
pub(super) async fn move_on(db: &mut PgConnection, id: i64, status: Status) -> Result<()> {
    sqlx::query!(
        "update orders set status = $2, shipped_at = coalesce(shipped_at, now()) where id = $1",
        id,
        status.as_str()
    )
    .execute(db)
    .await?;
    Ok(())
}

// Its payments -----------------------------------------------------------------------------------------------

/// Locks an order of this owner's (`None` is everybody's): what is to be paid.
pub(super) async fn lock_due(db: &mut PgConnection, id: i64, owner: Option<i64>) -> Result<Option<Due>> {
    let row = sqlx::query!(
        r#"select order_number, status as "status: Status", payment_status as "payment_status: PaymentStatus",
                  payment_method as "payment_method: PaymentMethod", total_amount, currency,
                  status = 'pending' and coalesce(expires_at <= now(), false) as "has_expired!"
           from orders where id = $1 and ($2::bigint is null or user_id = $2)
           for no key update"#,
        id,
        owner
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| Due {
        id,
        order_number: row.order_number,
        state: State {
            status: row.status,
            payment_status: row.payment_status,
            payment_method: row.payment_method,
        },
        total_amount: Amount::from_decimal(row.total_amount),
        currency: row.currency,
        has_expired: row.has_expired,
    }))
}

pub(super) async fn payment_status(
    db: &mut PgConnection,
    id: i64,
    owner: Option<i64>,
) -> Result<Option<PaymentStatus>> {
    let status = sqlx::query_scalar!(
        r#"select payment_status as "payment_status: PaymentStatus"
           from orders where id = $1 and ($2::bigint is null or user_id = $2)"#,
        id,
        owner
    );
    Ok(status.fetch_optional(db).await?)
}

pub(super) async fn move_paid(db: &mut PgConnection, id: i64, to: PaymentStatus) -> Result<()> {
    sqlx::query!("update orders set payment_status = $2 where id = $1", id, to.as_str()).execute(db).await?;
    Ok(())
}

/// Its money is there: it does not expire any more.
pub(super) async fn confirm(db: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!("update orders set status = 'confirmed', expires_at = null where id = $1", id)
        .execute(db)
        .await?;
    Ok(())
}

// The checkout ---------------------------------------------------------------------------------------------

/// The user's address.
pub(super) async fn address(db: &mut PgConnection, user_id: i64, id: i64) -> Result<Option<ShippingAddress>> {
    let row = sqlx::query_as!(
        ShippingAddress,
        "select street, city, region, country, postal_code, address_type
         from address where id = $1 and user_id = $2 and deleted_at is null
         for key share",
        id,
        user_id
    );
    Ok(row.fetch_optional(db).await?)
}

/// An order's row to be.
pub(super) struct Draft<'a> {
    pub(super) number: String,
    pub(super) user_id: i64,
    pub(super) asked: &'a NewOrder,
    pub(super) status: Status,
    pub(super) payment_status: PaymentStatus,
    pub(super) currency: &'a str,
    pub(super) subtotal: Amount,
    pub(super) discount_total: Amount,
    pub(super) discount: Option<(i64, &'a str)>,
    /// `None`: it does not expire.
    pub(super) minutes: Option<i32>,
    pub(super) address: &'a ShippingAddress,
}

/// `None` when the number is another order's.
pub(super) async fn insert(db: &mut PgConnection, draft: &Draft<'_>) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "insert into orders
             (order_number, user_id, status, payment_status, payment_method, currency, subtotal, discount_total,
              total_amount, discount_id, discount_code, expires_at, address_id, shipping_street, shipping_city,
              shipping_region, shipping_country, shipping_postal_code, shipping_address_type)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $7::numeric - $8::numeric, $9, $10,
                 now() + make_interval(mins => $11), $12, $13, $14, $15, $16, $17, $18)
         on conflict (order_number) do nothing
         returning id",
        draft.number,
        draft.user_id,
        draft.status.as_str(),
        draft.payment_status.as_str(),
        draft.asked.payment_method.as_str(),
        draft.currency,
        draft.subtotal.decimal(),
        draft.discount_total.decimal(),
        draft.discount.map(|(id, _)| id),
        draft.discount.map(|(_, code)| code),
        draft.minutes,
        draft.asked.address_id,
        draft.address.street,
        draft.address.city,
        draft.address.region,
        draft.address.country,
        draft.address.postal_code,
        draft.address.address_type,
    );
    Ok(id.fetch_optional(db).await?)
}

/// A line to be.
pub(super) struct DraftItem {
    pub(super) variant_id: i64,
    pub(super) quantity: i32,
    pub(super) price: Amount,
    pub(super) discount: Amount,
}

/// Copies the lines, with the names that their products have now.
pub(super) async fn insert_items(db: &mut PgConnection, order_id: i64, items: &[DraftItem]) -> Result<()> {
    let variants: Vec<i64> = items.iter().map(|item| item.variant_id).collect();
    let quantities: Vec<i32> = items.iter().map(|item| item.quantity).collect();
    let prices: Vec<Decimal> = items.iter().map(|item| item.price.decimal()).collect();
    let discounts: Vec<Decimal> = items.iter().map(|item| item.discount.decimal()).collect();
    sqlx::query!(
        "insert into order_item
             (order_id, variant_id, product_id, vendor_id, product_name, variant_name, sku, quantity, price,
              subtotal, discount_total)
         select $1, v.id, p.id, p.vendor_id, p.name, v.variant_name, v.sku, n.quantity, n.price,
                n.price * n.quantity, n.discount
         from unnest($2::bigint[], $3::int[], $4::numeric[], $5::numeric[])
              with ordinality as n (variant_id, quantity, price, discount, place)
         join variant v on v.id = n.variant_id
         join product p on p.id = v.product_id
         order by n.place",
        order_id,
        &variants,
        &quantities,
        &prices,
        &discounts
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes the stock of the order's lines, each if there is enough, and says so in the ledger: of how many it was taken.
pub(super) async fn take_stock(db: &mut PgConnection, order_id: i64, actor: i64) -> Result<u64> {
    let done = sqlx::query!(
        "with taken as (
             update variant v set stock = v.stock - i.quantity
             from order_item i
             where i.order_id = $1 and v.id = i.variant_id and v.stock >= i.quantity
             returning v.id, i.quantity
         )
         insert into stock_movement (variant_id, quantity, reason, order_id, actor_id)
         select id, -quantity, 'sale', $1, $2 from taken",
        order_id,
        actor
    );
    Ok(done.execute(db).await?.rows_affected())
}

/// Counts a use of a code, if it has one left.
pub(super) async fn use_code(db: &mut PgConnection, discount_id: i64) -> Result<bool> {
    let done = sqlx::query!(
        "update discount set times_used = times_used + 1
         where id = $1 and (usage_limit is null or times_used < usage_limit)",
        discount_id
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// Notes whose use it was, if the user has one left. The discount's row is locked: nobody else counts meanwhile.
pub(super) async fn note_use(
    db: &mut PgConnection,
    order_id: i64,
    discount_id: i64,
    user_id: i64,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into discount_use (order_id, discount_id, user_id)
         select $1, d.id, $3 from discount d
         where d.id = $2
           and (d.usage_limit_per_user is null
                or (select count(*) from discount_use u where u.discount_id = d.id and u.user_id = $3)
                   < d.usage_limit_per_user)",
        order_id,
        discount_id,
        user_id
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}
