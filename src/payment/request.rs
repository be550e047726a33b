//! What clients ask of payments.

use serde_json::Value;

use crate::{
    body::{Fields, Form, Refusal, amount, id, line},
    money::Amount,
    order::model::PaymentMethod,
};

/// What begins an attempt.
#[derive(Debug)]
pub struct NewPayment {
    /// Of which order.
    pub order_id: i64,
    /// How, when not as the order says.
    pub method: Option<PaymentMethod>,
    /// M-Pesa: the phone that is asked, as `2547…` or `2541…`.
    pub phone_number: Option<String>,
}

impl Form for NewPayment {
    fn read(fields: &mut Fields) -> Self {
        Self {
            order_id: fields.required("order_id", id),
            method: fields.optional("payment_method", method),
            phone_number: fields.optional("phone_number", phone_number),
        }
    }
}

/// What an administrator says of a refund.
#[derive(Debug)]
pub struct NewRefund {
    /// How much; all that is left when absent.
    pub amount: Option<Amount>,
}

impl Form for NewRefund {
    fn read(fields: &mut Fields) -> Self {
        let currency = fields.currency();
        let positive = |value: Value| {
            let read = amount(currency)(value)?;
            if read > Amount::ZERO { Ok(read) } else { Err(("range", "must be above zero".to_owned())) }
        };
        Self { amount: fields.optional("amount", positive) }
    }
}

/// What an administrator has found out about a refund that no gateway has told the end of.
#[derive(Debug)]
pub struct RefundEnd {
    /// Whether the buyer has the money.
    pub has_gone: bool,
}

impl Form for RefundEnd {
    fn read(fields: &mut Fields) -> Self {
        let has_gone = |value: Value| match value.as_str() {
            Some("succeeded") => Ok(true),
            Some("failed") => Ok(false),
            _ => Err(("value", "must be one of succeeded, failed".to_owned())),
        };
        Self { has_gone: fields.required("status", has_gone) }
    }
}

fn method(value: Value) -> Result<PaymentMethod, Refusal> {
    match value.as_str() {
        Some("card") => Ok(PaymentMethod::Card),
        Some("mpesa") => Ok(PaymentMethod::Mpesa),
        Some("cash_on_delivery") => {
            Err(("value", "is paid to whoever brings it; name card or mpesa".to_owned()))
        }
        _ => Err(("value", "must be one of card, mpesa".to_owned())),
    }
}

/// A Kenyan mobile number, however people write it, as M-Pesa takes it.
fn phone_number(value: Value) -> Result<String, Refusal> {
    let text = line(1..=40)(value)?;
    let plain: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    let national = plain
        .strip_prefix("+254")
        .or_else(|| plain.strip_prefix("254"))
        .or_else(|| plain.strip_prefix('0'))
        .unwrap_or_default();
    let fine = national.len() == 9
        && national.starts_with(['7', '1'])
        && national.bytes().all(|byte| byte.is_ascii_digit());
    if fine {
        return Ok(format!("254{national}"));
    }
    Err(("format", "must be a Kenyan mobile number, such as 0712345678 or +254712345678".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_read_as_people_write_them() {
        for text in ["0712345678", "254712345678", "+254712345678", "+254 712 345-678", " 0712 345 678 "] {
            assert_eq!(phone_number(text.into()).unwrap(), "254712345678", "{text}");
        }
        assert_eq!(phone_number("0112345678".into()).unwrap(), "254112345678");
        for text in
            ["712345678", "07123456789", "0812345678", "+255712345678", "07123x5678", "+2540712345678", ""]
        {
            assert!(phone_number(text.into()).is_err(), "{text}");
        }
        assert!(phone_number(254_712_345_678_i64.into()).is_err());
    }
}
