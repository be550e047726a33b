//! The SQL of carts. A cart's row is the lock of its content: every write takes it first.

use rust_decimal::Decimal;
use sqlx::{PgConnection, types::Json};

use super::{
    discount::Code,
    model::{Head, Line},
};
use crate::{
    error::{Result, violated},
    money::Amount,
    pricing::{self, Discount},
};

/// The user's cart, made when there is none, locked against other writers.
pub(super) async fn lock(db: &mut PgConnection, user_id: i64) -> Result<Head> {
    let head = sqlx::query_as!(
        Head,
        "insert into cart (user_id) values ($1)
         on conflict (user_id) do update set updated_at = now()
         returning id, discount_id, created_at, updated_at",
        user_id
    );
    Ok(head.fetch_one(db).await?)
}

pub(super) async fn head(db: &mut PgConnection, user_id: i64) -> Result<Option<Head>> {
    let head = sqlx::query_as!(
        Head,
        "select id, discount_id, created_at, updated_at from cart where user_id = $1",
        user_id
    );
    Ok(head.fetch_optional(db).await?)
}

struct LineRow {
    id: i64,
    variant_id: i64,
    product_id: i64,
    vendor_id: Option<i64>,
    product_name: String,
    variant_name: String,
    sku: String,
    image_url: Option<String>,
    quantity: i32,
    price: Decimal,
    own_price: Decimal,
    available: i32,
    discounts: Option<Json<Vec<Discount>>>,
}

impl LineRow {
    /// The line as it is priced at `at`.
    fn at(self, at: i64) -> Line {
        Line {
            id: self.id,
            variant_id: self.variant_id,
            product_id: self.product_id,
            vendor_id: self.vendor_id,
            product_name: self.product_name,
            variant_name: self.variant_name,
            sku: self.sku,
            image_url: self.image_url,
            quantity: self.quantity,
            price: Amount::from_decimal(self.price).hundredths(),
            current_price: priced(self.own_price, self.discounts, at),
            available: self.available,
        }
    }
}

/// What a variant costs at an instant.
fn priced(own: Decimal, discounts: Option<Json<Vec<Discount>>>, at: i64) -> i64 {
    let discounts = discounts.map(|json| json.0).unwrap_or_default();
    pricing::of_offer(Amount::from_decimal(own).hundredths(), &discounts, at).amount
}

pub(super) async fn lines(db: &mut PgConnection, cart_id: i64, at: i64) -> Result<Vec<Line>> {
    let rows = sqlx::query_as!(
        LineRow,
        r#"select i.id, i.variant_id, v.product_id, p.vendor_id, p.name as product_name, v.variant_name, v.sku,
                  coalesce(v.image_url, p.image_url) as image_url, i.quantity, i.price, v.price as own_price,
                  case when v.deleted_at is null and p.deleted_at is null and p.is_active then v.stock else 0 end
                      as "available!",
                  (select jsonb_agg(to_jsonb(a) order by a.id) from automatic_discount a where a.product_id = v.product_id)
                      as "discounts: Json<Vec<Discount>>"
           from cart_item i
           join variant v on v.id = i.variant_id
           join product p on p.id = v.product_id
           where i.cart_id = $1
           order by i.id"#,
        cart_id
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| row.at(at)).collect())
}

/// Locks the variants of a cart in the order of their ids, as everybody does who moves the stock of several.
pub(super) async fn lock_variants(db: &mut PgConnection, cart_id: i64) -> Result<()> {
    sqlx::query!(
        "select v.id from cart_item i join variant v on v.id = i.variant_id
         where i.cart_id = $1 order by v.id for no key update of v",
        cart_id
    )
    .fetch_all(db)
    .await?;
    Ok(())
}

/// A variant on offer, seen from a cart.
pub(super) struct Offered {
    pub(super) stock: i32,
    pub(super) price: i64,
    /// How many of it are in the cart.
    pub(super) held: i32,
    /// How many lines the cart has.
    pub(super) lines: i64,
}

pub(super) async fn offered(
    db: &mut PgConnection,
    cart_id: i64,
    variant_id: i64,
    at: i64,
) -> Result<Option<Offered>> {
    let row = sqlx::query!(
        r#"select v.stock, v.price,
                  coalesce((select quantity from cart_item where cart_id = $1 and variant_id = v.id), 0) as "held!",
                  (select count(*) from cart_item where cart_id = $1) as "lines!",
                  (select jsonb_agg(to_jsonb(a) order by a.id) from automatic_discount a where a.product_id = v.product_id)
                      as "discounts: Json<Vec<Discount>>"
           from variant v join product p on p.id = v.product_id
           where v.id = $2 and v.deleted_at is null and p.deleted_at is null and p.is_active"#,
        cart_id,
        variant_id
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| Offered {
        stock: row.stock,
        price: priced(row.price, row.discounts, at),
        held: row.held,
        lines: row.lines,
    }))
}

/// Puts in so many more, at the price of the moment.
pub(super) async fn add(
    db: &mut PgConnection,
    cart_id: i64,
    variant_id: i64,
    quantity: i32,
    price: i64,
) -> Result<()> {
    sqlx::query!(
        "insert into cart_item (cart_id, variant_id, quantity, price) values ($1, $2, $3, $4)
         on conflict (cart_id, variant_id)
         do update set quantity = cart_item.quantity + excluded.quantity, price = excluded.price",
        cart_id,
        variant_id,
        quantity,
        Amount::from_hundredths(price).decimal()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How many of its variant a line could have; `None` when the cart has no such line.
pub(super) async fn available(db: &mut PgConnection, cart_id: i64, item_id: i64) -> Result<Option<i32>> {
    let available = sqlx::query_scalar!(
        r#"select case when v.deleted_at is null and p.deleted_at is null and p.is_active then v.stock else 0 end
                      as "available!"
           from cart_item i
           join variant v on v.id = i.variant_id
           join product p on p.id = v.product_id
           where i.id = $2 and i.cart_id = $1"#,
        cart_id,
        item_id
    );
    Ok(available.fetch_optional(db).await?)
}

pub(super) async fn set_quantity(
    db: &mut PgConnection,
    cart_id: i64,
    item_id: i64,
    quantity: i32,
) -> Result<()> {
    sqlx::query!(
        "update cart_item set quantity = $3 where id = $2 and cart_id = $1",
        cart_id,
        item_id,
        quantity
    )
    .execute(db)
    .await?;
    Ok(())
}

/// False when the cart has no such line.
pub(super) async fn remove(db: &mut PgConnection, cart_id: i64, item_id: i64) -> Result<bool> {
    let done = sqlx::query!("delete from cart_item where id = $2 and cart_id = $1", cart_id, item_id);
    Ok(done.execute(db).await?.rows_affected() > 0)
}

pub(super) async fn empty(db: &mut PgConnection, cart_id: i64) -> Result<()> {
    sqlx::query!(
        "with gone as (delete from cart_item where cart_id = $1) update cart set discount_id = null where id = $1",
        cart_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// False when the discount has been deleted meanwhile.
pub(super) async fn set_discount(
    db: &mut PgConnection,
    cart_id: i64,
    discount_id: Option<i64>,
) -> Result<bool> {
    let done = sqlx::query!("update cart set discount_id = $2 where id = $1", cart_id, discount_id);
    match done.execute(db).await {
        Ok(_) => Ok(true),
        Err(error) if violated(&error) == Some("cart_discount_id_fkey") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The code that reads so, in whatever case.
pub(super) async fn find_code(db: &mut PgConnection, code: &str) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "select id from discount where lower(code) = lower($1) and activation = 'code'",
        code
    );
    Ok(id.fetch_optional(db).await?)
}

/// Locks a discount against other writers and users. After the variants: that is everybody's order.
pub(super) async fn lock_code(db: &mut PgConnection, discount_id: i64) -> Result<()> {
    sqlx::query!("select id from discount where id = $1 for no key update", discount_id)
        .fetch_all(db)
        .await?;
    Ok(())
}

/// A code as this user finds it, with those of its products that are in the cart. One that has become an automatic
/// discount since is in use no more.
pub(super) async fn code(
    db: &mut PgConnection,
    discount_id: i64,
    user_id: i64,
    cart_id: i64,
) -> Result<Option<Code>> {
    let row = sqlx::query!(
        r#"select jsonb_build_object(
                      'id', d.id, 'code', d.code, 'discount_type', d.discount_type,
                      'discount_value', (d.discount_value * 100)::bigint,
                      'minimum_purchase', (d.minimum_purchase * 100)::bigint,
                      'maximum_discount', (d.maximum_discount * 100)::bigint,
                      'start_date', (extract(epoch from d.start_date) * 1000000)::bigint,
                      'end_date', (extract(epoch from d.end_date) * 1000000)::bigint,
                      'unit', r.unit
                  ) as "terms!: Json<Discount>",
                  d.is_active and d.activation = 'code' as "is_active!", d.usage_limit, d.usage_limit_per_user, d.times_used,
                  (select count(*) from discount_use u where u.discount_id = d.id and u.user_id = $2) as "used_by_user!",
                  exists (select from discount_product where discount_id = d.id) as "is_linked!",
                  array(
                      select dp.product_id from discount_product dp
                      where dp.discount_id = d.id and dp.product_id in (
                          select v.product_id from cart_item i join variant v on v.id = i.variant_id where i.cart_id = $3
                      )
                  ) as "product_ids!"
           from discount d cross join price_rounding r
           where d.id = $1"#,
        discount_id,
        user_id,
        cart_id
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| Code {
        terms: row.terms.0,
        is_active: row.is_active,
        usage_limit: row.usage_limit.map(Into::into),
        usage_limit_per_user: row.usage_limit_per_user.map(Into::into),
        times_used: row.times_used.into(),
        used_by_user: row.used_by_user,
        is_linked: row.is_linked,
        product_ids: row.product_ids,
    }))
}
