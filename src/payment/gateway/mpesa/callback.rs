//! What M-Pesa sends by itself: how a push ended, and how a reversal did.

use rust_decimal::{Decimal, prelude::FromPrimitive};
use serde_json::Value;

use super::of_code;
use crate::{
    money::Amount,
    payment::{
        gateway::{News, RefundNews, Word, name, text_of},
        model::{Names, RefundStatus},
    },
};

/// What a callback tells.
#[derive(Clone, Debug)]
pub enum Told {
    /// How a push ended: not believed before a query confirms it.
    Push {
        /// What it says.
        news: Box<News>,
        /// What tells this callback from others of the attempt.
        event_id: String,
    },
    /// How a reversal ended.
    Reversal {
        /// What it says.
        reversal: Box<Reversal>,
        /// What tells this callback from others of the refund.
        event_id: String,
    },
}

/// What M-Pesa says of a reversal.
#[derive(Clone, Debug)]
pub struct Reversal {
    /// What became of it.
    pub news: RefundNews,
    /// How much went back, and the receipt of the payment that it went back of, where it says so.
    pub moved: Option<(Amount, String)>,
    /// The payment had been reversed before.
    pub had_been: bool,
}

/// What a reversal ends with when all of the payment has gone back before.
const REVERSED_BEFORE: &str = "R000001";

/// Reads a callback; `None` when it is none.
pub fn read(body: &Value) -> Option<Told> {
    push(&body["Body"]["stkCallback"]).or_else(|| reversal(&body["Result"]))
}

fn push(callback: &Value) -> Option<Told> {
    let checkout = name(&callback["CheckoutRequestID"])?;
    let merchant = name(&callback["MerchantRequestID"])?;
    let code = text_of(&callback["ResultCode"])?;
    let items = callback["CallbackMetadata"]["Item"].as_array().map(Vec::as_slice).unwrap_or_default();
    let item = |wanted: &str| items.iter().find(|item| item["Name"] == wanted).map(|item| &item["Value"]);
    let mut news = of_code(&code, &text_of(&callback["ResultDesc"]).unwrap_or_default());
    if news.word == Word::Succeeded {
        // A success without an amount is none that can be compared.
        news.paid = Some((item("Amount").and_then(amount)?, None));
    }
    news.names = Names {
        transaction_id: item("MpesaReceiptNumber").and_then(name),
        merchant_request_id: Some(merchant),
        checkout_request_id: Some(checkout.clone()),
    };
    // All of what is judged by is in it: what was told wrongly may be told rightly afterwards.
    let paid = news.paid.as_ref().map(|(amount, _)| amount.to_string()).unwrap_or_default();
    let receipt = news.names.transaction_id.as_deref().unwrap_or_default();
    let event_id = format!("push:{}:{}:{paid}:{}", clip(&checkout), clip(&code), clip(receipt));
    Some(Told::Push { news: Box::new(news), event_id })
}

fn reversal(result: &Value) -> Option<Told> {
    let conversation = name(&result["ConversationID"])?;
    let code = text_of(&result["ResultCode"])?;
    let said = text_of(&result["ResultDesc"]).unwrap_or_default();
    let news = match code.as_str() {
        "0" | REVERSED_BEFORE => RefundNews::new(RefundStatus::Succeeded),
        code => RefundNews::new(RefundStatus::Failed).because(format!("{said} ({code})")),
    };
    let parameters = &result["ResultParameters"]["ResultParameter"];
    let parameters = parameters.as_array().map_or(std::slice::from_ref(parameters), Vec::as_slice);
    let parameter = |key: &str| parameters.iter().find(|item| item["Key"] == key).map(|item| &item["Value"]);
    let moved = parameter("Amount").and_then(amount).zip(parameter("OriginalTransactionID").and_then(name));
    let event_id = format!("reversal:{}:{}", clip(&conversation), clip(&code));
    let request = name(&result["OriginatorConversationID"]);
    let reversal = Reversal {
        news: RefundNews { gateway_request_id: request, ..news.named(Some(conversation)) },
        moved: moved.filter(|_| code == "0"),
        had_been: code == REVERSED_BEFORE,
    };
    Some(Told::Reversal { reversal: Box::new(reversal), event_id })
}

fn clip(text: &str) -> String {
    text.chars().take(70).collect()
}

/// An amount as a number or a string.
fn amount(value: &Value) -> Option<Amount> {
    let amount = match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Decimal::from(whole),
            None => Decimal::from_f64(number.as_f64()?)?,
        },
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let fits =
        (Decimal::ZERO..=Decimal::from(9_999_999_999_i64)).contains(&amount) && amount.round_dp(2) == amount;
    fits.then(|| Amount::from_decimal(amount))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_success_and_a_failure_are_read() {
        let body = json!({"Body": {"stkCallback": {
            "MerchantRequestID": "29115-1", "CheckoutRequestID": "ws_CO_1", "ResultCode": 0, "ResultDesc": "Done.",
            "CallbackMetadata": {"Item": [
                {"Name": "Amount", "Value": 17.00}, {"Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV"},
                {"Name": "Balance"}, {"Name": "TransactionDate", "Value": 20191219102115_i64},
                {"Name": "PhoneNumber", "Value": 254708374149_i64},
            ]},
        }}});
        let Some(Told::Push { news, event_id }) = read(&body) else { panic!("not read") };
        assert_eq!((news.word, event_id.as_str()), (Word::Succeeded, "push:ws_CO_1:0:17.00:NLJ7RT61SV"));
        assert_eq!(news.paid, Some((Amount::from_hundredths(1700), None)));
        assert_eq!(news.names.transaction_id.as_deref(), Some("NLJ7RT61SV"));
        let body = json!({"Body": {"stkCallback": {"MerchantRequestID": "29115-1", "CheckoutRequestID": "ws_CO_1",
            "ResultCode": "1032", "ResultDesc": "Request cancelled by user"}}});
        let Some(Told::Push { news, .. }) = read(&body) else { panic!("not read") };
        assert_eq!(
            (news.word, news.code.as_deref(), news.names.transaction_id),
            (Word::Cancelled, Some("1032"), None)
        );
    }

    #[test]
    fn a_reversal_is_read() {
        let result = |code: Value, parameters: Value| {
            json!({"Result": {"ResultType": 0, "ResultCode": code, "ResultDesc": "Words.",
                "OriginatorConversationID": "o-1", "ConversationID": "AG_1", "TransactionID": "MCF",
                "ResultParameters": {"ResultParameter": parameters}}})
        };
        let all = json!([{"Key": "Charge", "Value": 0}, {"Key": "Amount", "Value": "17.00"},
            {"Key": "OriginalTransactionID", "Value": "NLJ7RT61SV"}]);
        let of = |body: Value| match read(&body) {
            Some(Told::Reversal { reversal, event_id }) => (*reversal, event_id),
            other => panic!("{other:?}"),
        };
        let (told, event_id) = of(result(json!(0), all.clone()));
        assert_eq!((told.news.status, event_id.as_str()), (RefundStatus::Succeeded, "reversal:AG_1:0"));
        assert_eq!(told.moved, Some((Amount::from_hundredths(1700), "NLJ7RT61SV".to_owned())));
        assert_eq!(
            (told.news.gateway_refund_id.as_deref(), told.news.gateway_request_id.as_deref()),
            (Some("AG_1"), Some("o-1"))
        );
        let one = json!({"Key": "OriginalTransactionID", "Value": "NLJ7RT61SV"});
        assert_eq!(of(result(json!("0"), one)).0.moved, None, "it does not say how much");
        let (told, _) = of(result(json!(21), all));
        assert_eq!((told.news.status, told.moved, told.had_been), (RefundStatus::Failed, None, false));
        let (told, _) = of(result(json!("R000001"), Value::Null));
        assert_eq!((told.news.status, told.moved, told.had_been), (RefundStatus::Succeeded, None, true));
    }

    #[test]
    fn what_is_no_callback_is_not_read() {
        let success = |amount: Value| {
            json!({"Body": {"stkCallback": {"MerchantRequestID": "1", "CheckoutRequestID": "2", "ResultCode": 0,
                "CallbackMetadata": {"Item": [{"Name": "Amount", "Value": amount}]}}}})
        };
        assert!(read(&success(json!("17.00"))).is_some());
        for body in [
            json!(null),
            json!({"Body": {"stkCallback": {"CheckoutRequestID": "2", "ResultCode": 0}}}),
            json!({"Body": {"stkCallback": {"MerchantRequestID": "1", "CheckoutRequestID": "2", "ResultCode": 0}}}),
            json!({"Result": {"ResultCode": 0}}),
            success(json!(-1)),
            success(json!(1e300)),
            success(json!("NaN")),
            success(json!(17.005)),
            success(json!(null)),
        ] {
            assert!(read(&body).is_none(), "{body}");
        }
    }
}
