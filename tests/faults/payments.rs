//! A server is killed again and again between any two steps of payments, while buyers insist: nothing is lost, and
//! nobody is charged twice, by the ledger of the gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use duka::sandbox::{self, Credentials, Pace};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{Shop, admin, client, setting, until};

/// Orders whose payments are under way when the server is killed.
const AT_ONCE: u64 = 3;
/// How long everything may take to settle: a push that nobody answered for is given up after a minute.
const SETTLED: Duration = Duration::from_secs(180);

/// What buyers do, by the number of their order.
const CARDS: [&str; 6] = [
    "4242424242424242",
    "4000000088000023",
    "4000000088000031",
    "4000000088000049",
    "4000000088000056",
    "4000000088000064",
];
const PHONES: [&str; 8] = ["00", "11", "40", "41", "42", "44", "50", "51"];

/// A buyer who insists, and whoever refunds.
#[derive(Clone)]
struct People {
    shop: String,
    bank: String,
    client: reqwest::Client,
    /// The buyer's access token, and the administrator's.
    access: Arc<Mutex<[String; 2]>>,
}

const BUYER: usize = 0;
const ADMIN: usize = 1;

impl People {
    /// Asks the shop until it answers, however often it dies meanwhile, and until it knows what it has answered first.
    async fn ask(
        &self,
        who: usize,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        loop {
            let request = self.client.request(method.clone(), format!("{}{path}", self.shop));
            let mut request = request.bearer_auth(self.access.lock().unwrap()[who].clone()).json(body);
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            if let Ok(answer) = request.send().await {
                let status = answer.status().as_u16();
                let json = answer.json::<Value>().await.unwrap_or_default();
                let is_known = json["type"] != "/problems/idempotency-key-in-use";
                if status != 503 && status != 500 && is_known && !json.is_null() {
                    return (status, json);
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn order(&self, address: i64, variant: i64, number: u64) -> i64 {
        let add = json!({"variant_id": variant, "quantity": 1});
        let (status, cart) = self.ask(BUYER, Method::POST, "/api/cart/add/", None, &add).await;
        assert_eq!(status, 201, "{cart}");
        let method = if number.is_multiple_of(2) { "card" } else { "mpesa" };
        let order = json!({"address_id": address, "payment_method": method});
        let key = format!("order-{number}");
        let (status, order) = self.ask(BUYER, Method::POST, "/api/order/", Some(&key), &order).await;
        assert_eq!(status, 201, "{order}");
        order["id"].as_i64().unwrap()
    }

    async fn state(&self, order: i64) -> (Value, bool) {
        let (_, state) =
            self.ask(BUYER, Method::GET, &format!("/api/payment/{order}/status/"), None, &json!({})).await;
        let (_, order) =
            self.ask(BUYER, Method::GET, &format!("/api/order/{order}/"), None, &json!({})).await;
        (state, order["status"] == "cancelled")
    }

    /// Pays an order, in another way when one has failed, until it is paid or cancelled. Then some of it goes back.
    async fn pay(self, order: i64, number: u64) {
        for attempt in 0.. {
            let by_phone = attempt == 0 && !number.is_multiple_of(2);
            let mut body =
                json!({"order_id": order, "payment_method": if by_phone { "mpesa" } else { "card" }});
            if by_phone {
                let digits = PHONES[usize::try_from(number / 2).unwrap() % PHONES.len()];
                body["phone_number"] = format!("07123456{digits}").into();
            }
            let key = format!("pay-{order}-{attempt}");
            let (_, made) = self.ask(BUYER, Method::POST, "/api/payment/initiate/", Some(&key), &body).await;
            let ended = self.follow(order, &made, number).await;
            match ended.as_str() {
                "succeeded" => break,
                "given up" => return,
                _ => {}
            }
        }
        if number.is_multiple_of(4) || number % 4 == 3 {
            let path = format!("/api/payment/{order}/refund/");
            let body = if number % 8 < 4 { json!({}) } else { json!({"amount": "1.00"}) };
            let key = format!("refund-{order}");
            self.ask(ADMIN, Method::POST, &path, Some(&key), &body).await;
        }
    }

    /// Confirms a card, once the attempt has a name, and waits for its end.
    async fn follow(&self, order: i64, made: &Value, number: u64) -> String {
        let mut secret = made["client_secret"].as_str().map(str::to_owned);
        loop {
            let (state, is_cancelled) = self.state(order).await;
            let payment = &state["payment"];
            if is_cancelled {
                return "given up".to_owned();
            }
            if let Some(secret) = payment["client_secret"].as_str().map(str::to_owned).or(secret.take()) {
                let id = secret.split("_secret_").next().unwrap();
                let card = CARDS[usize::try_from(number).unwrap() / 2 % CARDS.len()];
                let fields =
                    [("client_secret", secret.as_str()), ("payment_method_data[card][number]", card)];
                let request = self.client.post(format!("{}/v1/payment_intents/{id}/confirm", self.bank));
                let key = Credentials::default().publishable_key;
                let _ = request.basic_auth(key, None::<&str>).form(&fields).send().await;
            }
            match payment["payment_status"].as_str().unwrap_or("none") {
                "pending" | "processing" | "unknown" => {}
                ended => return ended.to_owned(),
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Gives an order up, paid or not, some time after it was begun to be paid.
    async fn cancel(self, order: i64, number: u64) {
        tokio::time::sleep(Duration::from_millis(number * 37 % 1200)).await;
        let who = if number.is_multiple_of(2) { ADMIN } else { BUYER };
        self.ask(who, Method::POST, &format!("/api/order/{order}/cancel/"), None, &json!({})).await;
    }

    /// Every fourth time the gateway accepts the next request of a kind and does not answer: the server is killed while
    /// it waits. Whether it is so.
    async fn hang(&self, kill: u64) -> bool {
        if kill % 4 != 3 {
            return false;
        }
        let paths = ["/mpesa/stkpush/", "/v1/payment_intents", "/v1/refunds", "/mpesa/reversal/"];
        let path = paths[usize::try_from(kill / 4).unwrap() % paths.len()];
        let fault = json!({"path": path, "loss": "hang", "when": "after"});
        let armed =
            self.client.post(format!("{}/sandbox/faults/", self.bank)).json(&fault).send().await.unwrap();
        assert_eq!(armed.status(), 204);
        true
    }

    async fn sign_in(&self, user: &str) -> String {
        let body = json!({"username": user, "password": "a fine long passphrase"});
        let (status, answer) = self.ask(BUYER, Method::POST, "/api/auth/jwt/login/", None, &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["access"].as_str().unwrap().to_owned()
    }
}

/// A shop whose gateways are the sandbox at this address.
async fn open(bank: &str) -> Shop {
    let ours = Credentials::default();
    let settings = vec![
        ("DUKA_CURRENCY", "KES".to_owned()),
        ("DUKA_CARD_BASE_URL", bank.to_owned()),
        ("DUKA_CARD_SECRET_KEY", ours.secret_key),
        ("DUKA_CARD_WEBHOOK_SECRET", ours.webhook_secret),
        ("DUKA_MPESA_BASE_URL", bank.to_owned()),
        ("DUKA_MPESA_CONSUMER_KEY", ours.consumer_key),
        ("DUKA_MPESA_CONSUMER_SECRET", ours.consumer_secret),
        ("DUKA_MPESA_SHORTCODE", ours.shortcode),
        ("DUKA_MPESA_PASSKEY", ours.passkey),
        ("DUKA_MPESA_INITIATOR", ours.initiator),
        ("DUKA_MPESA_SECURITY_CREDENTIAL", ours.security_credential),
    ];
    let shop = Shop::open_with(tempfile::tempdir().unwrap(), 20, settings).await;
    shop.execute("update variant set stock = 10000").await;
    shop
}

/// What the kill has left half done, each thing once in each of its states.
async fn half_done(shop: &Shop, seen: &mut BTreeSet<(String, i64)>) {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select 'attempts ' || payment_status, id from payment where payment_status in ('pending', 'processing', 'unknown')
         union all select 'refunds ' || status, id from refund where status not in ('succeeded', 'failed')
         union all select 'events', id from payment_inbox where processed_at is null
         union all select 'answers', id from idempotency_key where finished_at is null",
    )
    .fetch_all(&shop.db)
    .await
    .unwrap();
    seen.extend(rows);
}

/// How each order stands: its number, its id, its state, what is paid of it, and what the shop's ledger holds for it.
async fn orders(shop: &Shop) -> Vec<(String, i64, String, String, i64)> {
    sqlx::query_as(
        "select o.order_number, o.id, o.status, o.payment_status,
                (select coalesce(sum(l.amount) * 100, 0)::bigint from payment_ledger l join payment p on p.id = l.payment_id
                 where p.order_id = o.id and l.account <> 'orders')
         from orders o order by o.id",
    )
    .fetch_all(&shop.db)
    .await
    .unwrap()
}

/// Whether nothing moves any more. A reversal that was being sent when the server died is nobody's to ask: it waits for
/// a person, and must not have been sent twice.
async fn is_settled(shop: &Shop) -> bool {
    let open: i64 = sqlx::query_scalar(
        "select (select count(*) from payment where payment_status in ('pending', 'processing', 'unknown'))
              + (select count(*) from refund r join payment p on p.id = r.payment_id
                 where r.status in ('pending', 'processing')
                    or r.status = 'unknown' and (p.payment_method = 'card' or r.gateway_refund_id is not null))
              + (select count(*) from payment_inbox where processed_at is null)
              + (select count(*) from orders o
                 where o.status = 'cancelled' and o.payment_status in ('paid', 'partially_refunded')
                   and not exists (select from refund r where r.order_id = o.id and r.status = 'unknown'))",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap();
    open == 0
}

/// What the sandbox's ledger has for each order, by its number and by its id.
async fn moved(people: &People) -> BTreeMap<String, Vec<(String, i64)>> {
    let answer = people.client.get(format!("{}/sandbox/ledger/", people.bank)).send().await.unwrap();
    let ledger: Value = answer.json().await.unwrap();
    assert_eq!(ledger["forgotten"], 0);
    let mut moved: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
    for entry in ledger["entries"].as_array().unwrap() {
        let order = entry["metadata"]["order_id"].as_str().or(entry["reference"].as_str()).unwrap();
        let (kind, amount) = (entry["kind"].as_str().unwrap(), entry["amount_minor"].as_i64().unwrap());
        moved.entry(order.to_owned()).or_default().push((kind.to_owned(), amount));
    }
    moved
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_between_any_two_steps_of_payments_charges_once() {
    let kills = setting("DUKA_PAYMENT_KILLS", 8);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bank = format!("http://{}", listener.local_addr().unwrap());
    let mut shop = open(&bank).await;
    let stop = CancellationToken::new();
    let pace = Pace {
        answer: Duration::from_millis(200),
        late: Duration::from_millis(900),
        retry: Duration::from_millis(100),
        tries: 14,
        ..Pace::default()
    };
    let webhook_url = Some(format!("{}/api/payment/webhook/card/", shop.node.base).parse().unwrap());
    let settings = sandbox::Settings { webhook_url, pace, ..sandbox::Settings::default() };
    let serving = tokio::spawn(sandbox::serve(listener, settings, stop.clone()));
    let people = People { shop: shop.node.base.clone(), bank, client: client(), access: Arc::default() };
    people.access.lock().unwrap()[ADMIN] = admin(&shop).await;
    let form = json!({"username": "ada", "email": "ada@example.com", "password": "a fine long passphrase"});
    assert_eq!(people.ask(BUYER, Method::POST, "/api/auth/register/", None, &form).await.0, 201);
    people.access.lock().unwrap()[BUYER] = people.sign_in("ada").await;
    let home = json!({"street": "Moi Avenue 1", "city": "Nairobi", "country": "Kenya"});
    let (_, home) = people.ask(BUYER, Method::POST, "/api/address/", None, &home).await;
    let home = home["id"].as_i64().unwrap();

    let mut dice = StdRng::seed_from_u64(6);
    let (mut under_way, mut half, mut slowest) = (vec![], BTreeSet::new(), Duration::ZERO);
    let begun = Instant::now();
    for kill in 0..kills {
        let mut fresh = vec![];
        for number in (kill * AT_ONCE)..((kill + 1) * AT_ONCE) {
            fresh.push((people.order(home, i64::try_from(number % 20 + 1).unwrap(), number).await, number));
        }
        let hangs = people.hang(kill).await;
        for (order, number) in fresh {
            under_way.push(tokio::spawn(people.clone().pay(order, number)));
            if number % 5 == 1 {
                under_way.push(tokio::spawn(people.clone().cancel(order, number)));
            }
        }
        // Soon, as the first steps follow each other in no time; and later, up to the end.
        let (least, most) = if hangs {
            (150, 600)
        } else {
            [(0, 30), (0, 200), (0, 1200)][usize::try_from(kill % 3).unwrap()]
        };
        tokio::time::sleep(Duration::from_millis(dice.random_range(least..most))).await;
        shop.node.kill();
        half_done(&shop, &mut half).await;
        people.client.delete(format!("{}/sandbox/faults/", people.bank)).send().await.unwrap();
        slowest = slowest.max(shop.node.restart());
        if kill % 12 == 11 {
            let fresh = [people.sign_in("ada").await, people.sign_in("root-of-all").await];
            *people.access.lock().unwrap() = fresh;
        }
    }
    let killing = begun.elapsed();
    let settling = Instant::now();
    let done = futures_util::future::join_all(under_way);
    for ended in tokio::time::timeout(SETTLED, done).await.expect("every buyer comes to an end") {
        ended.unwrap();
    }
    // What was never paid expires.
    shop.execute("update orders set expires_at = now() where expires_at is not null").await;
    until("everything settles", SETTLED, async || is_settled(&shop).await).await;
    let settled = settling.elapsed();

    let moved = moved(&people).await;
    let signed = |(kind, amount): &(String, i64)| if kind == "refund" { -amount } else { *amount };
    let nothing = vec![];
    let (mut paid, mut back, mut surplus, mut by_hand) = (0, 0, 0, 0);
    for (number, id, status, paid_state, held) in orders(&shop).await {
        let by_card = moved.get(&id.to_string()).unwrap_or(&nothing);
        let by_phone = moved.get(&number).unwrap_or(&nothing);
        let all: Vec<&(String, i64)> = by_card.iter().chain(by_phone).collect();
        let net: i64 = all.iter().map(|entry| signed(entry)).sum();
        let what = format!("order {id}, {status}, {paid_state}: {all:?}");
        assert_eq!(net, held, "the ledgers tell the same of {what}");
        let captures: Vec<i64> =
            all.iter().filter(|(kind, _)| kind == "capture").map(|(_, amount)| *amount).collect();
        surplus += captures.len().saturating_sub(1);
        let stuck: i64 = sqlx::query_scalar(
            "select count(*) from refund where order_id = $1 and status in ('unknown', 'manual')",
        )
        .bind(id)
        .fetch_one(&shop.db)
        .await
        .unwrap();
        if stuck > 0 {
            by_hand += 1;
            continue;
        }
        match (status.as_str(), paid_state.as_str()) {
            ("cancelled", _) => {
                assert_eq!(net, 0, "{what}");
                back += usize::from(!captures.is_empty());
            }
            ("confirmed", "paid") => {
                assert_eq!(Some(&net), captures.first(), "one net charge: {what}");
                paid += 1;
            }
            ("confirmed", "refunded") => {
                assert_eq!(net, 0, "{what}");
                back += 1;
            }
            ("confirmed", "partially_refunded") => {
                assert_eq!(Some(net + 100), captures.first().copied(), "{what}");
                back += 1;
            }
            _ => panic!("it has not come to an end: {what}"),
        }
    }
    let unbalanced: i64 = sqlx::query_scalar(
        "select count(*) from (select from payment_ledger group by payment_id, refund_id, is_return
                               having sum(amount) <> 0 or count(*) <> 2) w",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap();
    assert_eq!(unbalanced, 0);
    let mut left: BTreeMap<String, u32> = BTreeMap::new();
    for (what, _) in half {
        *left.entry(what).or_default() += 1;
    }
    println!(
        "{kills} kills over {} orders in {:.0} s, settled {:.0} s later: {paid} paid once, {back} with money sent back, \
         {surplus} second payments, {by_hand} refunds left to a person; slowest start {slowest:?}; half done when killed: {left:?}",
        kills * AT_ONCE,
        killing.as_secs_f64(),
        settled.as_secs_f64(),
    );
    assert!(paid > 0 && back > 0 && !left.is_empty(), "the kills hit something");
    stop.cancel();
    serving.await.unwrap().unwrap();
    shop.close().await;
}
