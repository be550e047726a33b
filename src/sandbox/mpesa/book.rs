//! The book: every prompt, what was decided of it, and what was reversed; and the tokens that were given out.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::macros::format_description;

use super::{
    super::{kept::Kept, random_text},
    nairobi,
    outcome::{Number, Pending, Step, result_text},
    request::Push,
};

const DIGITS: &[u8] = b"0123456789";
const RECEIPT: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const TOKEN: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A prompt on a telephone.
#[derive(Clone)]
pub(in crate::sandbox) struct Prompt {
    pub(in crate::sandbox) merchant_request: String,
    pub(in crate::sandbox) checkout_request: String,
    pub(super) push: Push,
    pub(super) number: &'static Number,
    /// When it was sent, for people.
    pub(in crate::sandbox) at: String,
    pub(super) verdict: Option<Verdict>,
}

/// What was decided.
#[derive(Clone)]
pub(super) struct Verdict {
    pub(super) code: u32,
    /// When it is paid.
    pub(super) payment: Option<Payment>,
}

/// A payment.
#[derive(Clone)]
pub(super) struct Payment {
    pub(super) receipt: String,
    /// Whole shillings.
    pub(super) amount: u64,
    /// In Nairobi, as the callback has it: `YYYYMMDDHHmmss`.
    pub(super) at: u64,
    /// Whole shillings of it that went back.
    pub(super) reversed: u64,
}

impl Prompt {
    /// Whether a person is asked.
    pub(in crate::sandbox) fn asks(&self) -> bool {
        self.verdict.is_none() && self.number.steps.contains(&Step::Ask)
    }

    pub(in crate::sandbox) fn amount(&self) -> u64 {
        self.push.amount
    }

    pub(in crate::sandbox) fn phone(&self) -> &str {
        &self.push.phone
    }

    pub(in crate::sandbox) fn reference(&self) -> &str {
        &self.push.reference
    }

    pub(in crate::sandbox) fn description(&self) -> &str {
        &self.push.description
    }

    /// What is known of it, for people.
    pub(in crate::sandbox) fn standing(&self) -> &'static str {
        match &self.verdict {
            Some(verdict) => result_text(verdict.code),
            None => "waits",
        }
    }

    /// The callback, if something was decided.
    pub(super) fn callback(&self) -> Option<Value> {
        let verdict = self.verdict.as_ref()?;
        let mut body = json!({
            "MerchantRequestID": self.merchant_request,
            "CheckoutRequestID": self.checkout_request,
            "ResultCode": verdict.code,
            "ResultDesc": result_text(verdict.code),
        });
        if let Some(payment) = &verdict.payment {
            // An amount comes with a decimal point, a balance without a value, a number as a number.
            body["CallbackMetadata"] = json!({"Item": [
                {"Name": "Amount", "Value": payment.amount as f64},
                {"Name": "MpesaReceiptNumber", "Value": payment.receipt},
                {"Name": "Balance"},
                {"Name": "TransactionDate", "Value": payment.at},
                {"Name": "PhoneNumber", "Value": self.push.phone.parse::<u64>().unwrap_or_default()},
            ]});
        }
        Some(json!({"Body": {"stkCallback": body}}))
    }

    /// The answer to a query; none while it is being processed.
    pub(super) fn queried(&self) -> Option<Value> {
        let (code, text) = match (&self.verdict, self.number.pending) {
            (Some(verdict), _) => (verdict.code, result_text(verdict.code)),
            (None, Pending::Code) => (4999, "The transaction is still under processing"),
            (None, Pending::Error) => return None,
        };
        Some(json!({
            "ResponseCode": "0",
            "ResponseDescription": "The service request has been accepted successsfully",
            "MerchantRequestID": self.merchant_request,
            "CheckoutRequestID": self.checkout_request,
            "ResultCode": code.to_string(),
            "ResultDesc": text,
        }))
    }
}

/// Everything about M-Pesa.
pub(in crate::sandbox) struct Book {
    prompts: Kept<Prompt>,
    /// `CheckoutRequestID`s by receipts.
    receipts: Kept<String>,
    /// Until when each token is good.
    tokens: Kept<Instant>,
    given: u64,
}

impl Book {
    pub(in crate::sandbox) fn new(remember: usize) -> Self {
        let (prompts, receipts) = (Kept::new(remember), Kept::new(remember));
        Self { prompts, receipts, tokens: Kept::new(remember), given: 0 }
    }

    /// A new token, and whether its time is to be told as a number: by turns it is a text, for both are seen.
    pub(super) fn token(&mut self, good_for: Duration) -> (String, bool) {
        let token = random_text(TOKEN, 28);
        self.tokens.insert(&token, Instant::now() + good_for);
        self.given += 1;
        (token, self.given.is_multiple_of(2))
    }

    pub(super) fn knows_token(&self, token: &str) -> bool {
        self.tokens.get(token).is_some_and(|until| Instant::now() < *until)
    }

    /// Notes a prompt that was accepted.
    pub(super) fn accept(&mut self, push: Push, number: &'static Number) -> Prompt {
        let now = nairobi().format(format_description!("[day][month][year][hour][minute][second]"));
        let checkout_request = format!("ws_CO_{}{}", now.unwrap_or_default(), random_text(DIGITS, 12));
        let merchant_request = format!("{}-{}-1", random_text(DIGITS, 5), random_text(DIGITS, 8));
        let at = super::super::timestamp();
        let prompt = Prompt { merchant_request, checkout_request, push, number, at, verdict: None };
        self.prompts.insert(&prompt.checkout_request, prompt.clone());
        prompt
    }

    /// Decides, if nothing was decided that is final: what was paid stays paid. The prompt, when it was decided now.
    pub(super) fn decide(&mut self, checkout_request: &str, code: u32, amount: u64) -> Option<Prompt> {
        let prompt = self.prompts.get_mut(checkout_request)?;
        if prompt.verdict.as_ref().is_some_and(|verdict| verdict.payment.is_some() || verdict.code == code) {
            return None;
        }
        let at = nairobi().format(format_description!("[year][month][day][hour][minute][second]"));
        let payment = (code == 0).then(|| Payment {
            receipt: random_text(RECEIPT, 10),
            amount,
            at: at.unwrap_or_default().parse().unwrap_or_default(),
            reversed: 0,
        });
        if let Some(payment) = &payment {
            self.receipts.insert(&payment.receipt, checkout_request.to_owned());
        }
        prompt.verdict = Some(Verdict { code, payment });
        Some(prompt.clone())
    }

    pub(super) fn prompt(&self, checkout_request: &str) -> Option<&Prompt> {
        self.prompts.get(checkout_request)
    }

    /// The prompt that a receipt belongs to.
    pub(super) fn paid_with(&mut self, receipt: &str) -> Option<&mut Prompt> {
        let checkout_request = self.receipts.get(receipt)?;
        self.prompts.get_mut(checkout_request)
    }

    /// Every prompt, the newest first.
    pub(in crate::sandbox) fn newest(&self) -> impl Iterator<Item = &Prompt> {
        self.prompts.newest()
    }
}

/// A receipt of its own for a reversal.
pub(super) fn receipt() -> String {
    random_text(RECEIPT, 10)
}

/// The two ids of a reversal: whose conversation, and the conversation.
pub(super) fn conversation() -> (String, String) {
    let day = nairobi().format(format_description!("[year][month][day]")).unwrap_or_default();
    let originator = format!("{}-{}-1", random_text(DIGITS, 5), random_text(DIGITS, 8));
    (originator, format!("AG_{day}_{}", random_text(b"0123456789abcdef", 20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paid_stays_paid_and_is_paid_once() {
        let mut book = Book::new(10);
        let push = Push {
            amount: 7,
            phone: "254700000044".to_owned(),
            callback: "http://127.0.0.1/".parse().unwrap(),
            reference: "1".to_owned(),
            description: "Order 1".to_owned(),
        };
        let id = book.accept(push, Number::of("254700000044")).checkout_request;
        assert!(book.decide(&id, 1037, 7).is_some() && book.decide(&id, 1037, 7).is_none());
        let paid =
            book.decide(&id, 0, 7).and_then(|prompt| prompt.verdict).and_then(|verdict| verdict.payment);
        let receipt = paid.unwrap().receipt;
        assert!(book.decide(&id, 0, 7).is_none() && book.decide(&id, 1032, 7).is_none());
        let standing = book.paid_with(&receipt).unwrap().verdict.as_ref().unwrap();
        assert_eq!((standing.code, &standing.payment.as_ref().unwrap().receipt), (0, &receipt));
    }
}
