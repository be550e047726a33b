//! The sandbox as the shop's gateways: both sides are run against each other, over HTTP.

use std::time::Duration;

use duka::{
    config::{PaymentSettings, Settings},
    sandbox::{self, Credentials, Pace},
};
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Answer, TestShop, http_client, send, with_settings};

/// The sandbox, from the side of buyers and of a test.
pub struct Bank {
    pub base: String,
    credentials: Credentials,
    client: reqwest::Client,
}

/// Opens a sandbox in a hurry, and a shop in shillings that it is the gateways of.
pub async fn with_bank(test: impl AsyncFnOnce(&TestShop, &Bank)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let bank = Bank {
        client: http_client()
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap(),
        credentials: Credentials::default(),
        base,
    };
    let settings = Settings { currency: Some("KES".into()), payment: bank.settings(), ..Settings::default() };
    let stop = CancellationToken::new();
    with_settings(settings, async |shop| {
        let pace = Pace {
            answer: Duration::from_millis(300),
            late: Duration::from_millis(1500),
            ask: Duration::from_secs(20),
            hang: Duration::from_secs(15),
            ..Pace::default()
        };
        let webhook_url = Some(format!("{}/api/payment/webhook/card/", shop.base).parse().unwrap());
        let settings = sandbox::Settings { webhook_url, pace, ..sandbox::Settings::default() };
        let serving = tokio::spawn(sandbox::serve(listener, settings, stop.clone()));
        test(shop, &bank).await;
        stop.cancel();
        serving.await.unwrap().unwrap();
    })
    .await;
}

impl Bank {
    fn settings(&self) -> PaymentSettings {
        let ours = self.credentials.clone();
        PaymentSettings {
            mpesa_base_url: Some(self.base.clone()),
            mpesa_consumer_key: Some(ours.consumer_key),
            mpesa_consumer_secret: Some(ours.consumer_secret),
            mpesa_shortcode: Some(ours.shortcode),
            mpesa_passkey: Some(ours.passkey),
            mpesa_initiator: Some(ours.initiator),
            mpesa_security_credential: Some(ours.security_credential),
            card_base_url: Some(self.base.clone()),
            card_secret_key: Some(ours.secret_key),
            card_webhook_secret: Some(ours.webhook_secret),
            ..PaymentSettings::default()
        }
    }

    /// The buyer's browser confirms an intent with a card.
    pub async fn confirm(&self, payment: &Value, card: &str) -> Answer {
        let id = payment["transaction_id"].as_str().unwrap();
        let fields = [
            ("client_secret", payment["client_secret"].as_str().unwrap()),
            ("payment_method_data[card][number]", card),
        ];
        let request = self.client.post(format!("{}/v1/payment_intents/{id}/confirm", self.base));
        let key = &self.credentials.publishable_key;
        send(request.basic_auth(key, None::<&str>).form(&fields)).await
    }

    /// A person approves, or declines, what waits on the page.
    pub async fn decide(&self, id: &str, decision: &str) -> u16 {
        let request = self.client.post(format!("{}/sandbox/decide/", self.base));
        send(request.form(&[("id", id), ("decision", decision)])).await.status
    }

    /// The next answers to calls of these paths are lost.
    pub async fn arm(&self, fault: &Value) {
        let request = self.client.request(Method::POST, format!("{}/sandbox/faults/", self.base));
        send(request.json(fault)).await.expect(204);
    }

    /// Ends what hangs.
    pub async fn disarm(&self) {
        let request = self.client.request(Method::DELETE, format!("{}/sandbox/faults/", self.base));
        send(request).await.expect(204);
    }

    /// What moved for an order, as the sandbox holds it for true: kinds and hundredths.
    pub async fn moved(&self, order: &Value) -> Vec<(String, i64)> {
        let answer = send(self.client.get(format!("{}/sandbox/ledger/", self.base))).await.expect(200);
        assert_eq!(answer.json["forgotten"], 0);
        let entries = answer.json["entries"].as_array().unwrap().iter();
        let own = entries.filter(|entry| {
            entry["reference"] == order["order_number"]
                || entry["metadata"]["order_id"].as_str() == Some(&order["id"].to_string())
        });
        own.map(|entry| (entry["kind"].as_str().unwrap().to_owned(), entry["amount_minor"].as_i64().unwrap()))
            .collect()
    }
}
