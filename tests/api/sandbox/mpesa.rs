//! Daraja: tokens, pushes, each telephone number, queries, reversals.

// over 400 lines: one phone's conversations, each with the requests that are refused in it

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use duka::sandbox::{NUMBERS, Pace, Settings};
use reqwest::Method;
use serde_json::{Value, json};

use super::rig::{Rig, hurry, send, with_sandbox, with_settings};

#[tokio::test]
async fn a_token_is_given_for_the_right_credentials_and_ends() {
    let pace = Pace { token: Duration::from_secs(1), ..hurry() };
    with_settings(Settings { pace, ..Settings::default() }, async |rig| {
        let path = "/oauth/v1/generate?grant_type=client_credentials";
        let (key, secret) = (&rig.credentials.consumer_key, &rig.credentials.consumer_secret);
        let first = send(rig.request(Method::GET, path).basic_auth(key, Some(secret))).await.expect(200);
        let second = send(rig.request(Method::GET, path).basic_auth(key, Some(secret))).await.expect(200);
        assert_eq!((&first.json["expires_in"], &second.json["expires_in"]), (&json!("1"), &json!(1)));
        let wrong = send(rig.request(Method::GET, path).basic_auth(key, Some("wrong"))).await.expect(400);
        assert_eq!(wrong.json["errorCode"], "400.008.01");
        let none = rig.get(path).await.expect(400);
        assert_eq!(none.json["errorCode"], "400.008.01");
        let grant = rig.request(Method::GET, "/oauth/v1/generate?grant_type=password");
        let grant = send(grant.basic_auth(key, Some(secret))).await.expect(400);
        assert_eq!(grant.json["errorCode"], "400.008.02");
        assert!(grant.json["requestId"].is_string() && grant.json["errorMessage"].is_string());

        let token = first.json["access_token"].as_str().unwrap();
        rig.push(token, "254700000000", 1).await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let body = rig.push_body("254700000000", 1);
        for path in ["stkpush/v1/processrequest", "stkpushquery/v1/query", "reversal/v1/request"] {
            let late = send(rig.mpesa(token, path, &body)).await.expect(404);
            assert_eq!(late.json["errorCode"], "404.001.03");
            let bare = rig.request(Method::POST, &format!("/mpesa/{path}")).json(&body);
            assert_eq!(send(bare).await.expect(404).json["errorCode"], "404.001.04");
        }
    })
    .await;
}

#[tokio::test]
async fn a_push_is_checked_and_what_is_wrong_with_it_is_named() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let right = rig.push_body("254712345678", 10);
        let wrong: Vec<(&str, Value)> = vec![
            ("Amount", json!(0)),
            ("Amount", json!(-5)),
            ("Amount", json!(10.5)),
            ("Amount", json!("10.50")),
            ("Amount", json!("+10")),
            ("Amount", Value::Null),
            ("PhoneNumber", json!("0712345678")),
            ("PhoneNumber", json!("+254712345678")),
            ("PhoneNumber", json!("25471234567")),
            ("PhoneNumber", json!("254212345678")),
            ("PartyA", json!("712345678")),
            ("PartyB", json!("600000")),
            ("Timestamp", json!("2026-11-25 16:00")),
            ("Timestamp", json!("20261325160000")),
            ("BusinessShortCode", json!("12")),
            ("TransactionType", json!("BusinessPayment")),
            ("AccountReference", json!("ORDER-0000013")),
            ("AccountReference", json!("")),
            ("TransactionDesc", json!("Fourteen chars")),
            ("CallBackURL", json!("not a url")),
            ("CallBackURL", json!("http://shop.example/callback")),
            ("CallBackURL", json!("http://192.168.0.7/callback")),
            ("CallBackURL", json!("ftp://127.0.0.1/callback")),
        ];
        for (field, value) in wrong {
            let mut body = right.clone();
            body[field] = value.clone();
            let refused = send(rig.mpesa(&token, "stkpush/v1/processrequest", &body)).await;
            let refused = refused.expect(400).json;
            assert_eq!(refused["errorCode"], "400.002.02", "{field} {value}");
            assert_eq!(refused["errorMessage"], format!("Bad Request - Invalid {field}"), "{value}");
        }
        for (field, value, message) in [
            ("Password", "d3Jvbmc=", "Wrong credentials"),
            ("Timestamp", "20261125160001", "Wrong credentials"),
            ("BusinessShortCode", "600000", "Merchant does not exist"),
        ] {
            let mut body = right.clone();
            body[field] = json!(value);
            let refused = send(rig.mpesa(&token, "stkpush/v1/processrequest", &body)).await.expect(500).json;
            assert_eq!(
                (&refused["errorCode"], &refused["errorMessage"]),
                (&json!("500.001.1001"), &json!(message))
            );
        }
        let text = rig.request(Method::POST, "/mpesa/stkpush/v1/processrequest").bearer_auth(&token);
        assert_eq!(send(text.body(right.to_string())).await.expect(400).json["errorCode"], "400.002.05");
        let list = send(rig.mpesa(&token, "stkpush/v1/processrequest", &json!([right]))).await;
        assert_eq!(list.expect(400).json["errorCode"], "400.002.05");
        let got = rig.get("/mpesa/stkpush/v1/processrequest").await.expect(405);
        assert_eq!(got.json["errorCode"], "405.001");
        assert_eq!(rig.get("/mpesa/nothing").await.expect(404).json["errorCode"], "404.001.01");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(rig.entries().await.is_empty(), "something wrong was paid");

        // Numbers as numbers are as good as numbers as texts.
        let mut body = right.clone();
        for field in ["BusinessShortCode", "PartyB", "PartyA", "PhoneNumber", "Timestamp"] {
            body[field] = json!(body[field].as_str().unwrap().parse::<u64>().unwrap());
        }
        body["Amount"] = json!("10");
        send(rig.mpesa(&token, "stkpush/v1/processrequest", &body)).await.expect(200);
    })
    .await;
}

/// What each number comes to: the callbacks' results in their order, the query's, and what is in the ledger of
/// a push over 12 shillings.
type Outcome = (&'static str, &'static [u64], Option<&'static str>, &'static [u64]);
const OUTCOMES: [Outcome; 20] = [
    ("00", &[0], Some("0"), &[1200]),
    ("01", &[1], Some("1"), &[]),
    ("17", &[17], Some("17"), &[]),
    ("19", &[1019], Some("1019"), &[]),
    ("20", &[2001], Some("2001"), &[]),
    ("32", &[1032], Some("1032"), &[]),
    ("37", &[1037], Some("1037"), &[]),
    ("40", &[0], Some("0"), &[1200]),
    ("41", &[0, 0], Some("0"), &[1200]),
    ("42", &[0], Some("0"), &[1200]),
    ("43", &[], Some("0"), &[1200]),
    ("44", &[1037, 0], Some("0"), &[1200]),
    ("45", &[], None, &[]),
    ("46", &[0], Some("0"), &[1100]),
    ("49", &[0], Some("0"), &[1200]),
    ("70", &[0], Some("0"), &[1200]),
    ("71", &[0], Some("0"), &[1200]),
    ("72", &[0], Some("0"), &[1200]),
    ("73", &[0], Some("0"), &[1200]),
    ("", &[0], Some("0"), &[1200]),
];
/// Tried on their own below.
const OTHERS: [&str; 6] = ["26", "50", "51", "52", "53", "99"];

fn phone(digits: &str) -> String {
    let head = "254711000088";
    format!("{}{digits}", &head[..head.len() - digits.len()])
}

#[tokio::test]
async fn each_number_has_its_outcome() {
    let tried: BTreeSet<_> = OUTCOMES.iter().map(|row| row.0).chain(OTHERS).collect();
    assert_eq!(tried, NUMBERS.iter().map(|number| number.digits).collect());
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let mut pushed = Vec::new();
        for (digits, ..) in OUTCOMES {
            pushed.push(rig.push(&token, &phone(digits), 12).await);
        }
        // Longer than the slowest: late, and twice an answer.
        tokio::time::sleep(Duration::from_millis(2000)).await;
        for ((digits, callbacks, queried, captured), id) in OUTCOMES.into_iter().zip(&pushed) {
            let heard = rig.heard(&format!("/mpesa/{}/", phone(digits)));
            let results: Vec<u64> = heard.iter().map(|h| code(&h.json)).collect();
            assert_eq!(results, callbacks, "callbacks of {digits}");
            for callback in &heard {
                assert_shape(&callback.json, id, &phone(digits));
            }
            let answer = rig.query(&token, id).await;
            match queried {
                None => {
                    assert_eq!(answer.expect(500).json["errorMessage"], "The transaction is being processed");
                }
                Some(result) => {
                    let answer = answer.expect(200).json;
                    assert_eq!(answer["ResultCode"], result, "query of {digits}");
                    assert_eq!(answer["CheckoutRequestID"], **id);
                    assert_eq!(answer["ResponseCode"], "0");
                }
            }
            let entries: Vec<u64> = rig.ledger(id).await.into_iter().map(|(_, amount)| amount).collect();
            assert_eq!(entries, captured, "ledger of {digits}");
        }
    })
    .await;
}

fn code(callback: &Value) -> u64 {
    callback["Body"]["stkCallback"]["ResultCode"].as_u64().unwrap()
}

/// Types as Daraja has them.
fn assert_shape(json: &Value, id: &str, phone: &str) {
    let callback = json["Body"]["stkCallback"].as_object().unwrap();
    assert_eq!(callback["CheckoutRequestID"], id);
    assert!(callback["MerchantRequestID"].is_string() && callback["ResultDesc"].is_string());
    if code(json) != 0 {
        assert!(!callback.contains_key("CallbackMetadata"), "{json}");
        return;
    }
    let items = callback["CallbackMetadata"]["Item"].as_array().unwrap();
    let names: Vec<_> = items.iter().map(|item| item["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Amount", "MpesaReceiptNumber", "Balance", "TransactionDate", "PhoneNumber"]);
    assert!(items[0]["Value"].is_f64(), "{json}");
    assert_eq!(items[1]["Value"].as_str().unwrap().len(), 10);
    assert!(!items[2].as_object().unwrap().contains_key("Value"));
    assert_eq!(items[3]["Value"].as_u64().unwrap().to_string().len(), 14);
    assert_eq!(items[4]["Value"], phone.parse::<u64>().unwrap());
}

#[tokio::test]
async fn what_is_not_decided_is_being_processed() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let id = rig.push(&token, "254712345678", 5).await;
        let pending = rig.query(&token, &id).await.expect(500).json;
        assert_eq!(pending["errorCode"], "500.001.1001");
        assert_eq!(pending["errorMessage"], "The transaction is being processed");
        let odd = rig.push(&token, "254712345649", 5).await;
        assert_eq!(rig.query(&token, &odd).await.expect(200).json["ResultCode"], "4999");
        assert!(rig.ledger(&id).await.is_empty() && rig.heard("/mpesa/254712345678/").is_empty());
        rig.hears("/mpesa/254712345678/", 1).await;
        assert_eq!(rig.query(&token, &id).await.expect(200).json["ResultCode"], "0");
        // Nobody knows this one, and Daraja does not say so.
        let unknown = rig.query(&token, "ws_CO_251120261600000000").await.expect(500).json;
        assert_eq!(unknown["errorCode"], "500.001.1001");
        assert_eq!(rig.query(&token, "7").await.expect(400).json["errorCode"], "400.002.02");
    })
    .await;
}

#[tokio::test]
async fn a_late_callback_is_known_to_the_query_long_before() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let id = rig.push(&token, "254712345640", 5).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(rig.query(&token, &id).await.expect(200).json["ResultCode"], "0");
        assert!(rig.heard("/mpesa/254712345640/").is_empty());
        rig.hears("/mpesa/254712345640/", 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_callback_can_come_before_the_answer() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let id = rig.push(&token, "254712345642", 5).await;
        let answered = Instant::now();
        let heard = rig.heard("/mpesa/254712345642/");
        assert_eq!(heard.len(), 1, "the callback was not there when the push was answered");
        assert!(heard[0].at <= answered);
        assert_eq!(heard[0].json["Body"]["stkCallback"]["CheckoutRequestID"], id);
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_loses_no_payment() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let push = |phone: &str| {
            let body = rig.push_body(phone, 5);
            rig.mpesa(&token, "stkpush/v1/processrequest", &body).timeout(Duration::from_millis(700))
        };
        assert_eq!(send(push("254712345650")).await.expect(500).json["errorCode"], "500.003.1001");
        let cut = push("254712345651").send().await.unwrap_err();
        assert!(!cut.is_timeout() && !cut.is_connect(), "{cut:?}");
        assert!(push("254712345652").send().await.unwrap_err().is_timeout());
        send(push("254712345653")).await.expect(500);
        let locked = send(push("254712345626")).await.expect(500).json;
        assert_eq!(locked["errorCode"], "500.001.1001");
        assert!(
            locked["errorMessage"].as_str().unwrap().starts_with("Unable to lock subscriber"),
            "{locked}"
        );
        for accepted in ["254712345650", "254712345651", "254712345652"] {
            let heard = rig.hears(&format!("/mpesa/{accepted}/"), 1).await;
            let id = heard[0].json["Body"]["stkCallback"]["CheckoutRequestID"].as_str().unwrap();
            assert_eq!(rig.ledger(id).await, [("capture".to_owned(), 500)]);
        }
        assert_eq!(rig.entries().await.len(), 3);
        assert!(rig.heard("/mpesa/254712345653/").is_empty() && rig.heard("/mpesa/254712345626/").is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_is_asked_and_does_not_answer_lets_it_expire() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let id = rig.push(&token, "254712345699", 5).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        rig.query(&token, &id).await.expect(500);
        assert_eq!(code(&rig.hears("/mpesa/254712345699/", 1).await[0].json), 1019);
        assert!(rig.ledger(&id).await.is_empty());
    })
    .await;
}

// Reversals ----------------------------------------------------------------------------------------------------

/// Pays at once, and gives `CheckoutRequestID` and receipt.
async fn paid(rig: &Rig, token: &str, phone: &str, amount: u64) -> (String, String) {
    let id = rig.push(token, phone, amount).await;
    let heard = rig.hears(&format!("/mpesa/{phone}/"), 1).await;
    let items = &heard[0].json["Body"]["stkCallback"]["CallbackMetadata"]["Item"];
    (id, items[1]["Value"].as_str().unwrap().to_owned())
}

fn reversal(rig: &Rig, receipt: &str, amount: u64, name: &str) -> Value {
    json!({
        "Initiator": rig.credentials.initiator, "SecurityCredential": rig.credentials.security_credential,
        "CommandID": "TransactionReversal", "TransactionID": receipt, "Amount": amount.to_string(),
        "ReceiverParty": rig.credentials.shortcode, "RecieverIdentifierType": "11",
        "ResultURL": format!("{}/result/{name}/", rig.shop), "QueueTimeOutURL": format!("{}/timeout/{name}/", rig.shop),
        "Remarks": "Refund of order 1", "Occasion": "",
    })
}

async fn reverse(rig: &Rig, token: &str, body: &Value) -> String {
    let accepted = send(rig.mpesa(token, "reversal/v1/request", body)).await.expect(200).json;
    assert_eq!(accepted["ResponseCode"], "0");
    accepted["ConversationID"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_payment_is_reversed_in_parts_and_never_above_itself() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let (id, receipt) = paid(rig, &token, "254712345600", 100).await;
        let conversation = reverse(rig, &token, &reversal(rig, &receipt, 30, "first")).await;
        let result = rig.hears("/result/first/", 1).await[0].json["Result"].clone();
        assert_eq!((&result["ResultCode"], &result["ResultType"]), (&json!(0), &json!(0)));
        assert_eq!(result["ConversationID"], conversation);
        let parameters = result["ResultParameters"]["ResultParameter"].as_array().unwrap();
        let value = |key: &str| &parameters.iter().find(|p| p["Key"] == key).unwrap()["Value"];
        assert_eq!((value("Amount"), value("OriginalTransactionID")), (&json!(30), &json!(receipt)));
        assert_ne!(result["TransactionID"], receipt);

        reverse(rig, &token, &reversal(rig, &receipt, 71, "above")).await;
        assert_eq!(rig.hears("/result/above/", 1).await[0].json["Result"]["ResultCode"], 1);
        reverse(rig, &token, &reversal(rig, &receipt, 70, "rest")).await;
        assert_eq!(rig.hears("/result/rest/", 1).await[0].json["Result"]["ResultCode"], 0);
        reverse(rig, &token, &reversal(rig, &receipt, 1, "again")).await;
        assert_eq!(rig.hears("/result/again/", 1).await[0].json["Result"]["ResultCode"], "R000001");
        reverse(rig, &token, &reversal(rig, "NOTHINGSUCH", 1, "unknown")).await;
        assert_eq!(rig.hears("/result/unknown/", 1).await[0].json["Result"]["ResultCode"], "R000002");

        let ledger = rig.ledger(&id).await;
        let entry = |kind: &str, amount| (kind.to_owned(), amount);
        assert_eq!(ledger, [entry("capture", 10000), entry("refund", 3000), entry("refund", 7000)]);
    })
    .await;
}

#[tokio::test]
async fn a_reversal_is_checked() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let (id, receipt) = paid(rig, &token, "254712345600", 100).await;
        for (field, value) in [
            ("CommandID", "BusinessPayment"),
            ("RecieverIdentifierType", "1"),
            ("ReceiverParty", "600000"),
            ("Amount", "1.5"),
            ("Remarks", "x"),
            ("ResultURL", "http://shop.example/"),
            ("QueueTimeOutURL", ""),
            ("TransactionID", ""),
        ] {
            let mut body = reversal(rig, &receipt, 1, "wrong");
            body[field] = json!(value);
            let refused = send(rig.mpesa(&token, "reversal/v1/request", &body)).await.expect(400).json;
            assert_eq!(refused["errorMessage"], format!("Bad Request - Invalid {field}"));
        }
        for field in ["Initiator", "SecurityCredential"] {
            let mut body = reversal(rig, &receipt, 1, field);
            body[field] = json!("somebody else");
            reverse(rig, &token, &body).await;
            let heard = rig.hears(&format!("/result/{field}/"), 1).await;
            assert_eq!(heard[0].json["Result"]["ResultCode"], 2001);
        }
        assert_eq!(rig.ledger(&id).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn reversals_go_wrong_by_number() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        for (digits, results, timeouts, refunded) in
            [("70", 1, 0, false), ("71", 2, 0, true), ("72", 0, 0, true), ("73", 0, 1, false)]
        {
            let (id, receipt) = paid(rig, &token, &phone(digits), 9).await;
            reverse(rig, &token, &reversal(rig, &receipt, 9, digits)).await;
            tokio::time::sleep(Duration::from_millis(400)).await;
            let result = rig.hears(&format!("/result/{digits}/"), results).await;
            let timeout = rig.hears(&format!("/timeout/{digits}/"), timeouts).await;
            assert!(digits != "70" || result[0].json["Result"]["ResultCode"] == 11);
            assert!(timeout.iter().all(|heard| heard.json["Result"]["ResultCode"] != 0));
            assert!(digits != "71" || result[0].text == result[1].text);
            assert_eq!(rig.ledger(&id).await.len(), 1 + usize::from(refunded), "{digits}");
        }
    })
    .await;
}
