//! A shop with a catalog, a sandbox that it is paid at, and a browser in front of it.

use std::{
    panic::AssertUnwindSafe,
    process::{Command, Stdio},
    time::Duration,
};

use duka::{
    auth::Role,
    config::{PaymentSettings, Settings},
    sandbox::{self, Credentials},
};
use futures_util::FutureExt;
use serde_json::json;
use tokio::{net::TcpListener, sync::Mutex};
use tokio_util::sync::CancellationToken;

use crate::{
    browser::{self, Browser},
    support::{TestShop, User, with_settings},
};

/// Products of the catalog: some pages of everything.
const PRODUCTS: &str = "900";
/// How long a test may take, whatever happens.
const BOUND: Duration = Duration::from_secs(240);

/// One browser at a time: several would only wait for each other, and figures would be theirs together.
static TURN: Mutex<()> = Mutex::const_new(());

/// What a test has.
pub struct Stage<'a> {
    pub browser: &'a Browser,
    pub shop: &'a TestShop,
    pub admin: User,
    /// Where the sandbox is.
    pub sandbox: String,
}

/// Opens all of it, runs the test, and closes it, also when the test fails. Does nothing where there is no browser.
pub async fn with_stage(test: impl AsyncFnOnce(&Stage<'_>)) {
    let Some(programs) = browser::found() else { return };
    let _turn = TURN.lock().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = format!("http://{}", listener.local_addr().unwrap());
    let settings = Settings { payment: accounts(&sandbox), ..Settings::default() };
    with_settings(settings, async |shop| {
        let stop = CancellationToken::new();
        let webhook_url = Some(format!("{}/api/payment/webhook/card/", shop.base).parse().unwrap());
        let desk = sandbox::Settings { webhook_url, ..sandbox::Settings::default() };
        let serving = tokio::spawn(sandbox::serve(listener, desk, stop.clone()));
        let admin = stock(shop).await;
        let browser = Browser::start(&programs, &shop.base).await;
        let stage = Stage { browser: &browser, shop, admin, sandbox };
        let played = tokio::time::timeout(BOUND, AssertUnwindSafe(test(&stage)).catch_unwind()).await;
        let outcome = match played {
            Ok(Ok(())) => AssertUnwindSafe(browser.end()).catch_unwind().await,
            Ok(Err(panic)) => {
                browser.leave().await;
                Err(panic)
            }
            Err(_) => {
                browser.leave().await;
                Err(Box::new("the test takes too long") as Box<dyn std::any::Any + Send>)
            }
        };
        stop.cancel();
        serving.await.unwrap().unwrap();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    })
    .await;
}

/// The accounts at the sandbox, in the shop's currency.
fn accounts(sandbox: &str) -> PaymentSettings {
    let ours = Credentials::default();
    PaymentSettings {
        card_base_url: Some(sandbox.to_owned()),
        card_secret_key: Some(ours.secret_key),
        card_publishable_key: Some(ours.publishable_key),
        card_webhook_secret: Some(ours.webhook_secret),
        mpesa_base_url: Some(sandbox.to_owned()),
        mpesa_consumer_key: Some(ours.consumer_key),
        mpesa_consumer_secret: Some(ours.consumer_secret),
        mpesa_shortcode: Some(ours.shortcode),
        mpesa_passkey: Some(ours.passkey),
        mpesa_currency: Some("USD".to_owned()),
        ..PaymentSettings::default()
    }
}

/// The generated catalog, of which headphones are on sale, and a code.
async fn stock(shop: &TestShop) -> User {
    let mut generate = Command::new(env!("CARGO_BIN_EXE_duka"));
    generate.args(["generate", "--products", PRODUCTS, "--seed", "7", "--database-url", &shop.database_url]);
    generate.arg("--data-dir").arg(shop.data_dir.path()).stdin(Stdio::null()).stdout(Stdio::null());
    let made = tokio::task::spawn_blocking(move || generate.output().unwrap()).await.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    shop.settled().await;
    let admin = shop.user("stage-admin", Role::Admin).await;
    let found =
        shop.get("/api/product/?q=headphones&in_stock=true&page_size=8&facets=none").await.expect(200);
    let ids: Vec<i64> =
        found.json["results"].as_array().unwrap().iter().filter_map(|p| p["id"].as_i64()).collect();
    assert!(!ids.is_empty(), "the catalog has no headphones");
    let window = json!({"start_date": "2026-01-01T00:00:00Z", "end_date": "2036-01-01T00:00:00Z"});
    for (code, activation, value) in [("AUTUMN", "automatic", "20.00"), ("WELCOME10", "code", "10.00")] {
        let mut discount = json!({"code": code, "discount_type": "percentage", "discount_value": value, "activation": activation});
        discount.as_object_mut().unwrap().extend(window.as_object().unwrap().clone());
        let made = shop.post_as(&admin, "/api/discount/", discount).await.expect(201).id();
        if activation == "automatic" {
            let path = format!("/api/discount/{made}/products/");
            shop.post_as(&admin, &path, json!({"product_ids": ids})).await.expect(200);
        }
    }
    shop.settled().await;
    admin
}

impl Stage<'_> {
    /// Makes a customer and signs in with the page's own form.
    pub async fn sign_in(&self, name: &str) -> User {
        let user = self.shop.user(name, Role::Customer).await;
        self.browser.open("/account").await;
        self.browser.fill("main input[name=username]", name).await;
        self.browser.fill("main input[name=password]", crate::support::PASSWORD).await;
        self.browser.click("main button[type=submit]").await;
        self.browser.reads("Your account").await;
        user
    }

    /// A product with one variant and plenty in stock.
    pub async fn product(&self, name: &str) -> i64 {
        let category =
            self.shop.get("/api/category/?page_size=1").await.expect(200).json["results"][0]["id"].clone();
        let product = json!({"category_id": category, "name": name, "price": "24.50", "sku": name.to_uppercase().replace(' ', "-"),
            "stock_quantity": 40, "brand": "Pwani"});
        let made = self.shop.post_as(&self.admin, "/api/product/", product).await.expect(201);
        self.shop.indexed(&made).await;
        made.id()
    }
}
