//! Many buyers at once, made without hashing a password for each.

use duka::auth::Role;
use time::OffsetDateTime;

use super::{TestShop, User};

/// How often an attack is repeated: a few times, so that the tests stay quick, or as `DUKA_ATTACK_ROUNDS` says.
pub fn rounds() -> usize {
    std::env::var("DUKA_ATTACK_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// Somebody with an address.
#[derive(Clone, Debug)]
pub struct Buyer {
    pub user: User,
    pub home: i64,
}

impl TestShop {
    /// So many buyers who have signed in.
    pub async fn crowd(&self, count: usize) -> Vec<Buyer> {
        let rows: Vec<(i64, String, i64, i64)> = sqlx::query_as(
            "with person as (
                 insert into users (username, email, password_hash)
                 select 'crowd-' || n, 'crowd-' || n || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1'
                 from generate_series(1, $1) n returning id, username
             ), opened as (
                 insert into session (user_id, user_agent, expires_at)
                 select id, '', now() + interval '1 day' from person returning id, user_id
             ), home as (
                 insert into address (user_id, street, city, country)
                 select id, 'Moi Avenue 1', 'Nairobi', 'Kenya' from person returning id, user_id
             )
             select p.id, p.username, s.id, h.id
             from person p join opened s on s.user_id = p.id join home h on h.user_id = p.id order by p.id",
        )
        .bind(i32::try_from(count).unwrap())
        .fetch_all(&self.db)
        .await
        .unwrap();
        let buyer = |(id, name, session, home)| {
            let access = self.token(id, session, Role::Customer, 0);
            Buyer { user: User { id, name, access, refresh: String::new() }, home }
        };
        rows.into_iter().map(buyer).collect()
    }

    /// An access token that was issued so many seconds ago.
    pub fn token(&self, user: i64, session: i64, role: Role, age: i64) -> String {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        self.shop.app.keys.issue(user, session, role, now - age).unwrap()
    }

    /// Puts so many of the variant into the cart of each, which must not exist yet or be empty.
    pub async fn fill_carts(&self, buyers: &[Buyer], variant: i64, quantity: i32) {
        let ids: Vec<i64> = buyers.iter().map(|buyer| buyer.user.id).collect();
        sqlx::query(
            "with carts as (
                 insert into cart (user_id) select unnest($1::bigint[])
                 on conflict (user_id) do update set updated_at = now() returning id
             )
             insert into cart_item (cart_id, variant_id, quantity, price) select id, $2, $3, 1 from carts",
        )
        .bind(ids)
        .bind(variant)
        .bind(quantity)
        .execute(&self.db)
        .await
        .unwrap();
    }
}
