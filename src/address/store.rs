//! The SQL of addresses. Whose row it is stands in every statement.

use sqlx::{PgConnection, PgExecutor};

use super::model::{Address, AddressChanges, AddressType, NewAddress};
use crate::{error::Result, page::Page};

pub(super) async fn page(db: impl PgExecutor<'_>, owner: i64, page: Page) -> Result<Vec<Address>> {
    let rows = sqlx::query_as!(
        Address,
        r#"select id, user_id, street, city, region, country, postal_code,
                  address_type as "address_type: AddressType"
           from address
           where user_id = $1 and deleted_at is null
           order by id
           offset $2 limit $3"#,
        owner,
        page.offset(),
        page.limit()
    );
    Ok(rows.fetch_all(db).await?)
}

pub(super) async fn count(db: impl PgExecutor<'_>, owner: i64) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from address where user_id = $1 and deleted_at is null"#,
        owner
    );
    Ok(count.fetch_one(db).await?)
}

pub(super) async fn one(db: impl PgExecutor<'_>, owner: i64, id: i64) -> Result<Option<Address>> {
    let row = sqlx::query_as!(
        Address,
        r#"select id, user_id, street, city, region, country, postal_code,
                  address_type as "address_type: AddressType"
           from address
           where id = $1 and user_id = $2 and deleted_at is null"#,
        id,
        owner
    );
    Ok(row.fetch_optional(db).await?)
}

/// Makes those who add to one book take turns, so that each counts the others'. False when the user is no more.
pub(super) async fn lock_owner(db: &mut PgConnection, owner: i64) -> Result<bool> {
    let locked =
        sqlx::query_scalar!("select id from users where id = $1 and is_active for no key update", owner);
    Ok(locked.fetch_optional(db).await?.is_some())
}

pub(super) async fn insert(db: &mut PgConnection, owner: i64, new: &NewAddress) -> Result<Address> {
    let row = sqlx::query_as!(
        Address,
        r#"insert into address (user_id, street, city, region, country, postal_code, address_type)
           values ($1, $2, $3, $4, $5, $6, $7)
           returning id, user_id, street, city, region, country, postal_code,
                     address_type as "address_type: AddressType""#,
        owner,
        new.street,
        new.city,
        new.region,
        new.country,
        new.postal_code,
        new.address_type.as_str(),
    );
    Ok(row.fetch_one(db).await?)
}

pub(super) async fn update(
    db: &mut PgConnection,
    owner: i64,
    id: i64,
    changes: &AddressChanges,
) -> Result<Option<Address>> {
    let row = sqlx::query_as!(
        Address,
        r#"update address
           set street = coalesce($3, street), city = coalesce($4, city), region = coalesce($5, region),
               country = coalesce($6, country), postal_code = coalesce($7, postal_code),
               address_type = coalesce($8, address_type)
           where id = $1 and user_id = $2 and deleted_at is null
           returning id, user_id, street, city, region, country, postal_code,
                     address_type as "address_type: AddressType""#,
        id,
        owner,
        changes.street.as_deref(),
        changes.city.as_deref(),
        changes.region.as_deref(),
        changes.country.as_deref(),
        changes.postal_code.as_deref(),
        changes.address_type.map(AddressType::as_str),
    );
    Ok(row.fetch_optional(db).await?)
}

/// Marks it deleted and overwrites what it said; orders refer to the row. False when there is none.
pub(super) async fn delete(db: &mut PgConnection, owner: i64, id: i64) -> Result<bool> {
    let done = sqlx::query!(
        "update address
         set deleted_at = now(), street = '-', city = '-', region = '', country = '-', postal_code = ''
         where id = $1 and user_id = $2 and deleted_at is null",
        id,
        owner
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// [`delete`] of every one of them.
pub(super) async fn forget(db: &mut PgConnection, owner: i64) -> Result<()> {
    sqlx::query!(
        "update address
         set deleted_at = now(), street = '-', city = '-', region = '', country = '-', postal_code = ''
         where user_id = $1 and deleted_at is null",
        owner
    )
    .execute(db)
    .await?;
    Ok(())
}
