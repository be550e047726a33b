//! What gateways send to a shop, in each one's words.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    super::{Answer, TestShop},
    Push, WEBHOOK_SECRET,
};

/// An event of the card gateway.
pub fn event(id: &str, kind: &str, object: &Value) -> String {
    json!({"id": id, "object": "event", "type": kind, "data": {"object": object}}).to_string()
}

/// A callback of M-Pesa's.
pub fn callback(push: &Push, code: i64) -> Value {
    let mut callback = json!({"MerchantRequestID": push.merchant, "CheckoutRequestID": push.checkout, "ResultCode": code,
        "ResultDesc": "The gateway's words."});
    if code == 0 {
        callback["CallbackMetadata"] = json!({"Item": [
            {"Name": "Amount", "Value": push.sent["Amount"].as_str().unwrap().parse::<f64>().unwrap()},
            {"Name": "MpesaReceiptNumber", "Value": format!("R{}", push.checkout.replace('_', ""))},
            {"Name": "Balance"},
            {"Name": "TransactionDate", "Value": 20_261_125_102_115_i64},
            {"Name": "PhoneNumber", "Value": 254_712_345_678_i64},
        ]});
    }
    json!({"Body": {"stkCallback": callback}})
}

/// What M-Pesa says of a reversal that it was asked for.
pub fn result(reversal: &Value, code: impl Into<Value>) -> Value {
    let mut result = json!({"ResultType": 0, "ResultCode": code.into(), "ResultDesc": "Words.", "TransactionID": "MCF",
        "ConversationID": reversal["ConversationID"], "OriginatorConversationID": reversal["OriginatorConversationID"]});
    if result["ResultCode"] == 0 {
        result["ResultParameters"] = json!({"ResultParameter": [
            {"Key": "Amount", "Value": reversal["Amount"].as_str().unwrap().parse::<i64>().unwrap()},
            {"Key": "OriginalTransactionID", "Value": reversal["TransactionID"]},
            {"Key": "Charge", "Value": 0},
        ]});
    }
    json!({"Result": result})
}

/// How the gateway signs.
pub fn signature(secret: &str, at: i64, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(format!("{at}.{body}"));
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

pub fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

impl TestShop {
    /// Sends what the card gateway would.
    pub async fn card_event(&self, body: &str) -> Answer {
        self.card_event_signed(body, &signature(WEBHOOK_SECRET, now(), body)).await
    }

    pub async fn card_event_signed(&self, body: &str, signature: &str) -> Answer {
        let request = self.request(Method::POST, "/api/payment/webhook/card/");
        self.send(request.header("stripe-signature", signature).body(body.to_owned())).await
    }

    /// Sends what M-Pesa would, to the address that it was given.
    pub async fn mpesa_callback(&self, address: &Value, body: &Value) -> Answer {
        let address = address.as_str().unwrap();
        let path = address.strip_prefix(&self.base).unwrap_or_else(|| panic!("{address} is not the shop's"));
        self.send(self.request(Method::POST, path).json(body)).await
    }
}
