//! The SQL of reviews.

use sqlx::{PgConnection, PgExecutor};

use super::model::{NewReview, Review, ReviewChanges, ReviewFilter, Scope};
use crate::{
    error::{Error, Result, violated},
    page::newest::Span,
};

pub(super) async fn page(
    db: impl PgExecutor<'_>,
    scope: Scope,
    filter: &ReviewFilter,
    span: Span,
) -> Result<Vec<Review>> {
    let rows = sqlx::query_as!(
        Review,
        r#"select id as "id!", user_id as "user_id!", username as "username!", product_id as "product_id!",
                  rating as "rating!", comment as "comment!", verified_purchase as "verified_purchase!",
                  created_at as "created_at!"
           from shown_review
           where id < $5 and (is_on_offer or $1 or user_id = $2)
             and ($3::bigint is null or product_id = $3) and ($4::smallint is null or rating = $4)
           order by id desc
           offset $6 limit $7"#,
        scope.is_all(),
        scope.owner(),
        filter.product_id,
        filter.rating,
        span.below,
        span.offset,
        span.limit
    );
    Ok(rows.fetch_all(db).await?)
}

/// The newest so many of each product, product by product.
pub(super) async fn newest(
    db: impl PgExecutor<'_>,
    scope: Scope,
    products: &[i64],
    most: i64,
) -> Result<Vec<Review>> {
    let rows = sqlx::query_as!(
        Review,
        r#"select r.id as "id!", r.user_id as "user_id!", r.username as "username!", r.product_id as "product_id!",
                  r.rating as "rating!", r.comment as "comment!", r.verified_purchase as "verified_purchase!",
                  r.created_at as "created_at!"
           from unnest($3::bigint[]) as asked (product_id)
           cross join lateral (
               select * from shown_review s
               where s.product_id = asked.product_id and (s.is_on_offer or $1 or s.user_id = $2)
               order by s.id desc
               limit $4
           ) r
           order by r.product_id, r.id desc"#,
        scope.is_all(),
        scope.owner(),
        products,
        most
    );
    Ok(rows.fetch_all(db).await?)
}

/// How many [`page`] has in all. Not through the view: whose they are need not be looked up.
pub(super) async fn count(db: impl PgExecutor<'_>, scope: Scope, filter: &ReviewFilter) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from review r join product p on p.id = r.product_id
           where (p.is_active and p.deleted_at is null or $1 or r.user_id = $2)
             and ($3::bigint is null or r.product_id = $3) and ($4::smallint is null or r.rating = $4)"#,
        scope.is_all(),
        scope.owner(),
        filter.product_id,
        filter.rating
    );
    Ok(count.fetch_one(db).await?)
}

pub(super) async fn one(db: impl PgExecutor<'_>, scope: Scope, id: i64) -> Result<Option<Review>> {
    let row = sqlx::query_as!(
        Review,
        r#"select id as "id!", user_id as "user_id!", username as "username!", product_id as "product_id!",
                  rating as "rating!", comment as "comment!", verified_purchase as "verified_purchase!",
                  created_at as "created_at!"
           from shown_review
           where id = $3 and (is_on_offer or $1 or user_id = $2)"#,
        scope.is_all(),
        scope.owner(),
        id
    );
    Ok(row.fetch_optional(db).await?)
}

/// `None` when there is no such product on offer.
pub(super) async fn insert(db: &mut PgConnection, author: i64, new: &NewReview) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "insert into review (user_id, product_id, rating, comment)
         select $1, id, $3, $4 from product where id = $2 and is_active and deleted_at is null
         returning id",
        author,
        new.product_id,
        new.rating,
        new.comment
    );
    id.fetch_optional(db).await.map_err(|error| match violated(&error) {
        Some("review_user_product_key") => {
            Error::taken("/product_id", "You have reviewed this product; change that review instead.")
        }
        _ => error.into(),
    })
}

/// False when there is no such review of the author's.
pub(super) async fn update(
    db: &mut PgConnection,
    author: i64,
    id: i64,
    changes: &ReviewChanges,
) -> Result<bool> {
    let done = sqlx::query!(
        "update review set rating = coalesce($3, rating), comment = coalesce($4, comment)
         where id = $1 and user_id = $2",
        id,
        author,
        changes.rating,
        changes.comment.as_deref()
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// False when there is no such review of the author's, or (`None`) at all.
pub(super) async fn delete(db: &mut PgConnection, author: Option<i64>, id: i64) -> Result<bool> {
    let done =
        sqlx::query!("delete from review where id = $1 and ($2::bigint is null or user_id = $2)", id, author);
    Ok(done.execute(db).await?.rows_affected() > 0)
}
