//! The SQL of discounts and of their links to products.

use rust_decimal::Decimal;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::model::{Activation, Discount, DiscountFilter, Terms};
use crate::{
    error::{Error, Result, violated},
    money::Amount,
    page::Span,
    pricing::DiscountType,
};

struct Row {
    id: i64,
    code: String,
    description: String,
    discount_type: String,
    discount_value: Decimal,
    minimum_purchase: Option<Decimal>,
    maximum_discount: Option<Decimal>,
    start_date: OffsetDateTime,
    end_date: Option<OffsetDateTime>,
    is_active: bool,
    activation: String,
    usage_limit: Option<i32>,
    usage_limit_per_user: Option<i32>,
    times_used: i32,
    product_ids: Vec<i64>,
}

impl TryFrom<Row> for Discount {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let unknown =
            |word: &str| Error::internal(format!("discount {} is of an unknown kind: {word}", row.id));
        let terms = Terms {
            discount_type: DiscountType::parse(&row.discount_type)
                .ok_or_else(|| unknown(&row.discount_type))?,
            activation: Activation::parse(&row.activation).ok_or_else(|| unknown(&row.activation))?,
            code: row.code,
            description: row.description,
            discount_value: Amount::from_decimal(row.discount_value),
            minimum_purchase: row.minimum_purchase.map(Amount::from_decimal),
            maximum_discount: row.maximum_discount.map(Amount::from_decimal),
            start_date: row.start_date,
            end_date: row.end_date,
            is_active: row.is_active,
            usage_limit: row.usage_limit,
            usage_limit_per_user: row.usage_limit_per_user,
        };
        Ok(Self { id: row.id, terms, times_used: row.times_used, product_ids: row.product_ids })
    }
}

fn refused(error: sqlx::Error) -> Error {
    match violated(&error) {
        Some("discount_code_key") => {
            Error::taken("/code", "Another discount has this code, in whatever case; choose another.")
        }
        Some("discount_times_used_check") => {
            Error::field("/usage_limit", "range", "is below the number of orders that use it already")
        }
        _ => error.into(),
    }
}

pub(super) async fn page(
    db: impl PgExecutor<'_>,
    filter: &DiscountFilter,
    span: &Span<i64>,
) -> Result<Vec<Discount>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, code, description, discount_type, discount_value, minimum_purchase, maximum_discount,
                  start_date, end_date, is_active, activation, usage_limit, usage_limit_per_user, times_used,
                  array(
                      select p.id from discount_product dp join product p on p.id = dp.product_id
                      where dp.discount_id = d.id and p.deleted_at is null order by p.id
                  ) as "product_ids!"
           from discount d
           where ($1::text is null or lower(code) = lower($1))
             and ($2::boolean is null or is_active = $2)
             and ($3::text is null or activation = $3)
             and ($4::bigint is null
                  or exists (select from discount_product where discount_id = d.id and product_id = $4))
             and id > $5
           order by id
           offset $6 limit $7"#,
        filter.code.as_deref(),
        filter.is_active,
        filter.activation.map(Activation::as_str),
        filter.product_id,
        // Ids are counted from 1.
        span.after.unwrap_or_default(),
        span.offset,
        span.limit,
    );
    rows.fetch_all(db).await?.into_iter().map(TryInto::try_into).collect()
}

pub(super) async fn count(db: impl PgExecutor<'_>, filter: &DiscountFilter) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from discount d
           where ($1::text is null or lower(code) = lower($1))
             and ($2::boolean is null or is_active = $2)
             and ($3::text is null or activation = $3)
             and ($4::bigint is null
                  or exists (select from discount_product where discount_id = d.id and product_id = $4))"#,
        filter.code.as_deref(),
        filter.is_active,
        filter.activation.map(Activation::as_str),
        filter.product_id,
    );
    Ok(count.fetch_one(db).await?)
}

pub(super) async fn one(db: impl PgExecutor<'_>, id: i64) -> Result<Option<Discount>> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, code, description, discount_type, discount_value, minimum_purchase, maximum_discount,
                  start_date, end_date, is_active, activation, usage_limit, usage_limit_per_user, times_used,
                  array(
                      select p.id from discount_product dp join product p on p.id = dp.product_id
                      where dp.discount_id = d.id and p.deleted_at is null order by p.id
                  ) as "product_ids!"
           from discount d where id = $1"#,
        id
    );
    row.fetch_optional(db).await?.map(TryInto::try_into).transpose()
}

/// Locks a discount against other writers; false when there is none.
pub(super) async fn lock(db: &mut PgConnection, id: i64) -> Result<bool> {
    let locked = sqlx::query_scalar!("select id from discount where id = $1 for no key update", id);
    Ok(locked.fetch_optional(db).await?.is_some())
}

pub(super) async fn insert(db: &mut PgConnection, terms: &Terms) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "insert into discount
             (code, description, discount_type, discount_value, minimum_purchase, maximum_discount, start_date,
              end_date, is_active, activation, usage_limit, usage_limit_per_user)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         returning id",
        terms.code,
        terms.description,
        terms.discount_type.as_str(),
        terms.discount_value.decimal(),
        terms.minimum_purchase.map(Amount::decimal),
        terms.maximum_discount.map(Amount::decimal),
        terms.start_date,
        terms.end_date,
        terms.is_active,
        terms.activation.as_str(),
        terms.usage_limit,
        terms.usage_limit_per_user,
    );
    id.fetch_one(db).await.map_err(refused)
}

/// Writes all terms of a discount that is locked.
pub(super) async fn update(db: &mut PgConnection, id: i64, terms: &Terms) -> Result<()> {
    sqlx::query!(
        "update discount
         set code = $2, description = $3, discount_type = $4, discount_value = $5, minimum_purchase = $6,
             maximum_discount = $7, start_date = $8, end_date = $9, is_active = $10, activation = $11,
             usage_limit = $12, usage_limit_per_user = $13
         where id = $1",
        id,
        terms.code,
        terms.description,
        terms.discount_type.as_str(),
        terms.discount_value.decimal(),
        terms.minimum_purchase.map(Amount::decimal),
        terms.maximum_discount.map(Amount::decimal),
        terms.start_date,
        terms.end_date,
        terms.is_active,
        terms.activation.as_str(),
        terms.usage_limit,
        terms.usage_limit_per_user,
    )
    .execute(db)
    .await
    .map_err(refused)?;
    Ok(())
}

/// Takes a discount and its links away; carts and orders let go of it. False when there is none.
/// Locks the carts that a code is on, in the order of their ids. Before the discount: a checkout has its cart, and
/// comes for the code last.
pub(super) async fn lock_carts(db: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!("select id from cart where discount_id = $1 order by id for no key update", id)
        .fetch_all(db)
        .await?;
    Ok(())
}

/// Locks the orders that used a code, in the order of their ids. Before the discount: a cancellation has its order,
/// and gives the use of the code back last.
pub(super) async fn lock_orders(db: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!("select id from orders where discount_id = $1 order by id for no key update", id)
        .fetch_all(db)
        .await?;
    Ok(())
}

/// Deletes it; what points at it forgets it, and is locked by then.
pub(super) async fn delete(db: &mut PgConnection, id: i64) -> Result<bool> {
    let done = sqlx::query!("delete from discount where id = $1", id).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// The positions, from 0, of those ids that are no live product's.
pub(super) async fn strangers(db: &mut PgConnection, product_ids: &[i64]) -> Result<Vec<i64>> {
    let positions = sqlx::query_scalar!(
        r#"select n.position - 1 as "position!"
           from unnest($1::bigint[]) with ordinality as n (id, position)
           where not exists (select from product p where p.id = n.id and p.deleted_at is null)
           order by 1"#,
        product_ids
    );
    Ok(positions.fetch_all(db).await?)
}

/// Links a discount to products; those that it is linked to already stay as they are.
pub(super) async fn link(db: &mut PgConnection, id: i64, product_ids: &[i64]) -> Result<()> {
    sqlx::query!(
        "insert into discount_product (discount_id, product_id)
         select $1, n.id from unnest($2::bigint[]) as n (id) order by n.id
         on conflict do nothing",
        id,
        product_ids
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes away every link of a discount but those to these products.
pub(super) async fn unlink_others(db: &mut PgConnection, id: i64, product_ids: &[i64]) -> Result<()> {
    sqlx::query!(
        "delete from discount_product where discount_id = $1 and product_id <> all($2)",
        id,
        product_ids
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a link away; false when there is none.
pub(super) async fn unlink(db: &mut PgConnection, id: i64, product_id: i64) -> Result<bool> {
    let done = sqlx::query!(
        "delete from discount_product where discount_id = $1 and product_id = $2",
        id,
        product_id
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}
