//! In whose name something is written: what the audit says of a transaction.

use std::fmt;

use sqlx::{PgPool, Postgres, Transaction};

use super::{Admin, Customer, Role, Vendor, store};
use crate::{
    database::{self, Turn},
    error::Result,
};

/// Bytes of a request's id, at most.
const ID_LENGTH: usize = 128;

/// A request's id, as in `X-Request-Id`. A plain value, so that a proof is one too.
#[derive(Clone, Copy)]
pub struct RequestId {
    length: usize,
    bytes: [u8; ID_LENGTH],
}

impl RequestId {
    /// The id, if it is one: at most 128 bytes.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; ID_LENGTH];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { length: text.len(), bytes })
    }

    /// As it stands in the header.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Whoever writes: made of a proof, so that nobody writes in another's name.
#[derive(Clone, Copy, Debug)]
pub struct Author {
    user: Option<(i64, Role)>,
    request_id: Option<RequestId>,
}

impl Author {
    /// The shop itself, and the command line, whose user owns the database anyway.
    pub const SHOP: Self = Self { user: None, request_id: None };

    /// Which user it is, if it is one.
    pub fn user_id(&self) -> Option<i64> {
        self.user.map(|(id, _)| id)
    }

    /// The request in which it writes, if it is in one.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().map(RequestId::as_str)
    }

    /// How the audit looks at what is written, as SQL's `sign_write` takes it: all of it, or of what others than privileged people
    /// write only what those alone should.
    pub fn mode(&self) -> &'static str {
        if self.user.is_some_and(|(_, role)| role >= Role::Vendor) { "user" } else { "shop" }
    }
}

impl From<Customer> for Author {
    fn from(user: Customer) -> Self {
        Self { user: Some((user.user_id, user.role)), request_id: user.request_id }
    }
}

impl From<Vendor> for Author {
    fn from(vendor: Vendor) -> Self {
        vendor.0.into()
    }
}

impl From<Admin> for Author {
    fn from(admin: Admin) -> Self {
        admin.0.into()
    }
}

/// Begins a transaction in the author's name: the audit is told by what is written in it, without another word.
///
/// # Errors
/// When the database does not answer.
pub async fn begin(pool: &PgPool, author: impl Into<Author>) -> Result<Transaction<'static, Postgres>> {
    let mut transaction = database::begin(pool).await?;
    store::sign(&mut transaction, &author.into()).await?;
    Ok(transaction)
}

/// As [`begin`], in a turn, and in one message.
///
/// # Errors
/// When the database does not answer.
pub async fn begin_in(turn: &mut Turn, author: impl Into<Author>) -> Result<()> {
    Ok(turn.begin(format!("begin; {}", store::signature(&author.into()))).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_kept_as_it_is_or_not_at_all() {
        for id in ["", "a", &"x".repeat(ID_LENGTH)] {
            assert_eq!(RequestId::new(id).unwrap().as_str(), id);
        }
        assert!(RequestId::new(&"x".repeat(ID_LENGTH + 1)).is_none());
    }
}
