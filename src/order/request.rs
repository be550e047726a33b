//! What clients ask of orders: which they want to see, and what a checkout says.

use serde::Serialize;
use serde_json::Value;

use super::model::{PaymentMethod, PaymentStatus, Status};
use crate::{
    auth::{Customer, Role},
    body::{Fields, Form, Refusal, amount, id, line},
    money::Amount,
    page::newest::Newest,
    params::{Params, QueryForm, integer},
};

/// Which orders somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Scope {
    /// The own ones.
    Own(i64),
    /// The own ones, and of those with lines of own products these lines.
    Vendor(i64),
    /// All.
    All,
}

impl Scope {
    /// What the user sees.
    pub fn of(user: Customer) -> Self {
        match user.role() {
            Role::Customer => Self::Own(user.user_id()),
            Role::Vendor => Self::Vendor(user.user_id()),
            Role::Admin => Self::All,
        }
    }

    /// Whether it is all of them.
    pub fn is_all(self) -> bool {
        self == Self::All
    }

    /// Whose own ones.
    pub fn owner(self) -> Option<i64> {
        match self {
            Self::Own(id) | Self::Vendor(id) => Some(id),
            Self::All => None,
        }
    }

    /// Whose lines besides.
    pub fn vendor(self) -> Option<i64> {
        match self {
            Self::Vendor(id) => Some(id),
            Self::Own(_) | Self::All => None,
        }
    }
}

/// Which orders are listed.
#[derive(Debug, Default)]
pub struct OrderFilter {
    /// In this state.
    pub status: Option<Status>,
    /// Paid so far.
    pub payment_status: Option<PaymentStatus>,
    /// Of this user.
    pub user_id: Option<i64>,
    /// Which page of them.
    pub page: Newest,
}

impl QueryForm for OrderFilter {
    fn read(params: &mut Params) -> Self {
        let status = |text: &str| one_of(text, &Status::ALL, Status::as_str);
        let paid = |text: &str| one_of(text, &PaymentStatus::ALL, PaymentStatus::as_str);
        Self {
            status: params.parsed("status", status),
            payment_status: params.parsed("payment_status", paid),
            user_id: params.parsed("user_id", integer(1, i64::MAX)),
            page: Newest::read(params),
        }
    }
}

impl OrderFilter {
    /// All that decides which orders there are, for cursors.
    pub fn list(&self, scope: Scope) -> impl Serialize + use<> {
        let status = self.status.map(Status::as_str);
        ("orders", status, self.payment_status.map(PaymentStatus::as_str), self.user_id, scope)
    }
}

/// The one of `all` that is written so.
fn one_of<T: Copy>(text: &str, all: &[T], word: fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|one| word(*one) == text);
    let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
    found.ok_or_else(|| format!("must be one of {}", words.join(", ")))
}

/// What a checkout says.
#[derive(Debug)]
pub struct NewOrder {
    /// Where it goes: one of the user's own.
    pub address_id: i64,
    /// How it is to be paid.
    pub payment_method: PaymentMethod,
    /// Instead of the code on the cart.
    pub discount_code: Option<String>,
    /// What the client has shown.
    pub expected_total: Option<Amount>,
}

impl Form for NewOrder {
    fn read(fields: &mut Fields) -> Self {
        let currency = fields.currency();
        Self {
            address_id: fields.required("address_id", id),
            payment_method: fields
                .required("payment_method", |value| payment_method(value).map(Some))
                .unwrap_or(PaymentMethod::Card),
            discount_code: fields.nullable("discount_code", line(1..=64)).flatten(),
            expected_total: fields.nullable("expected_total", amount(currency)).flatten(),
        }
    }
}

fn payment_method(value: Value) -> Result<PaymentMethod, Refusal> {
    let read = one_of(value.as_str().unwrap_or_default(), &PaymentMethod::ALL, PaymentMethod::as_str);
    read.map_err(|detail| ("value", detail))
}
