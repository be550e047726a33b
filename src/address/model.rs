//! What an address is, and what may be written of one.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::body::{Fields, Form, Refusal, line};

/// The most addresses of one user: more than anybody lives at.
pub const MOST: i64 = 100;

/// What kind of place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum AddressType {
    /// Where somebody lives.
    Home,
    /// Where somebody works.
    Work,
}

impl AddressType {
    /// The word that the database and clients use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Work => "work",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Home, Self::Work].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An address, as its owner reads it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Address {
    /// The row's id.
    pub id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// With the house's number.
    pub street: String,
    /// The town.
    pub city: String,
    /// May be empty.
    pub region: String,
    /// As people write it, or a code.
    pub country: String,
    /// May be empty.
    pub postal_code: String,
    /// What kind of place it is.
    pub address_type: AddressType,
}

/// An address to be kept.
#[derive(Debug)]
pub struct NewAddress {
    /// See [`Address`].
    pub street: String,
    /// See [`Address`].
    pub city: String,
    /// See [`Address`].
    pub region: String,
    /// See [`Address`].
    pub country: String,
    /// See [`Address`].
    pub postal_code: String,
    /// See [`Address`].
    pub address_type: AddressType,
}

impl Form for NewAddress {
    fn read(fields: &mut Fields) -> Self {
        Self {
            street: fields.required("street", line(1..=255)),
            city: fields.required("city", line(1..=120)),
            region: fields.optional("region", line(0..=120)).unwrap_or_default(),
            country: fields.required("country", line(1..=120)),
            postal_code: fields.optional("postal_code", line(0..=32)).unwrap_or_default(),
            address_type: fields.optional("address_type", address_type).unwrap_or(AddressType::Home),
        }
    }
}

/// What changes of an address; `None` stays as it is.
#[derive(Debug)]
pub struct AddressChanges {
    /// See [`Address`].
    pub street: Option<String>,
    /// See [`Address`].
    pub city: Option<String>,
    /// See [`Address`].
    pub region: Option<String>,
    /// See [`Address`].
    pub country: Option<String>,
    /// See [`Address`].
    pub postal_code: Option<String>,
    /// See [`Address`].
    pub address_type: Option<AddressType>,
}

impl Form for AddressChanges {
    fn read(fields: &mut Fields) -> Self {
        Self {
            street: fields.optional("street", line(1..=255)),
            city: fields.optional("city", line(1..=120)),
            region: fields.optional("region", line(0..=120)),
            country: fields.optional("country", line(1..=120)),
            postal_code: fields.optional("postal_code", line(0..=32)),
            address_type: fields.optional("address_type", address_type),
        }
    }
}

fn address_type(value: Value) -> Result<AddressType, Refusal> {
    let known = value.as_str().and_then(AddressType::parse);
    known.ok_or_else(|| ("value", "must be \"home\" or \"work\"".into()))
}
