//! The page on which a person decides, the command, and what the README says of numbers.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    time::Duration,
};

use duka::sandbox::{CARDS, NUMBERS};
use reqwest::Method;
use serde_json::json;

use super::rig::{Rig, send, with_sandbox};
use crate::support::{Answer, http_client};

async fn decide(rig: &Rig, id: &str, decision: &str) -> Answer {
    let own = rig.base.clone();
    let form = [("id", id), ("decision", decision)];
    send(rig.request(Method::POST, "/sandbox/decide/").header("origin", own).form(&form)).await
}

#[tokio::test]
async fn a_person_approves_or_declines_a_prompt() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        for (phone, decision, result, captured) in
            [("254712345699", "approve", 0, 1), ("254112345699", "decline", 1032, 0)]
        {
            assert!(!rig.get("/").await.text.contains("value=\"ws_CO_"));
            let id = rig.push(&token, phone, 8).await;
            let page = rig.get("/").await.expect(200);
            assert!(
                page.text.contains("No real money moves here")
                    && page.text.contains(&format!("value=\"{id}\""))
            );
            assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
            assert_eq!(decide(rig, &id, decision).await.expect(303).header("location"), "/");
            let heard = rig.hears(&format!("/mpesa/{phone}/"), 1).await;
            assert_eq!(heard[0].json["Body"]["stkCallback"]["ResultCode"], result);
            assert_eq!(rig.ledger(&id).await.len(), captured);
            decide(rig, &id, "approve").await.expect(409);
        }
        // Decided is decided: nothing expires afterwards, and nobody pays twice.
        tokio::time::sleep(Duration::from_millis(1700)).await;
        assert_eq!(rig.heard("/mpesa/254712345699/").len() + rig.heard("/mpesa/254112345699/").len(), 2);
        let other = rig.push(&token, "254712345600", 8).await;
        decide(rig, &other, "decline").await.expect(409);
        decide(rig, "nothing", "approve").await.expect(409);
    })
    .await;
}

#[tokio::test]
async fn a_card_s_holder_approves_or_declines() {
    with_sandbox(async |rig| {
        for (decision, state, events) in [
            ("approve", "succeeded", "payment_intent.succeeded"),
            ("decline", "requires_payment_method", "payment_intent.payment_failed"),
        ] {
            let intent = rig.intent().await;
            let asked = rig.confirm(&intent, "4000000000003184").await.expect(200).json;
            assert_eq!(
                (&asked["status"], &asked["next_action"]["type"]),
                (&json!("requires_action"), &json!("redirect_to_url"))
            );
            let url = asked["next_action"]["redirect_to_url"]["url"].as_str().unwrap();
            let page = send(rig.client.get(url)).await.expect(200);
            let id = intent["id"].as_str().unwrap();
            assert!(
                page.text.contains(&format!("value=\"{id}\"")) && page.text.contains("USD 1250"),
                "{}",
                page.text
            );
            assert!(rig.get("/").await.text.contains(&format!("value=\"{id}\"")));
            decide(rig, id, decision).await.expect(303);
            let stored = rig.look(&format!("/v1/payment_intents/{id}")).await.json;
            assert_eq!(stored["status"], state);
            let told = rig
                .hears("/card/", rig.entries().await.len().max(1) + usize::from(decision == "decline"))
                .await;
            assert_eq!(told.last().unwrap().json["type"], events);
            decide(rig, id, "approve").await.expect(409);
            assert!(send(rig.client.get(url)).await.expect(200).text.contains("nothing to decide"));
            if decision == "decline" {
                assert_eq!(stored["last_payment_error"]["code"], "payment_intent_authentication_failure");
                rig.confirm(&intent, "4242424242424242").await.expect(200);
            }
        }
        rig.get("/authorize/pi_nothing/").await.expect(404);
        let fields = [
            ("amount", "5"),
            ("currency", "usd"),
            ("confirm", "true"),
            ("payment_method", "pm_card_authenticationRequired"),
            ("return_url", "http://localhost:8000/thanks"),
        ];
        let intent = send(rig.form("/v1/payment_intents", &fields)).await.expect(200).json;
        // A browser says who sends the form only if the page lets it, and follows only where the page lets forms lead.
        let id = intent["id"].as_str().unwrap();
        let page = rig.get(&format!("/authorize/{id}/")).await.expect(200);
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert!(page.header("content-security-policy").contains("form-action 'self' http://localhost:8000;"));
        let back = decide(rig, id, "approve").await.expect(303);
        assert_eq!(back.header("location"), "http://localhost:8000/thanks");
    })
    .await;
}

#[tokio::test]
async fn the_page_escapes_and_refuses_strangers() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let mut body = rig.push_body("254712345699", 8);
        body["AccountReference"] = json!("<b>\"'&</b>");
        body["TransactionDesc"] = json!("<script>");
        let accepted = send(rig.mpesa(&token, "stkpush/v1/processrequest", &body)).await.expect(200).json;
        let fields = [
            ("amount", "5"),
            ("currency", "usd"),
            ("confirm", "true"),
            ("description", "<img src=x onerror=alert(1)>"),
            ("payment_method", "pm_card_authenticationRequired"),
            ("return_url", "javascript:alert(1)"),
        ];
        let intent = send(rig.form("/v1/payment_intents", &fields)).await.expect(200).json;
        let page = rig.get("/").await.text;
        assert!(page.contains("&lt;b&gt;&quot;&#39;&amp;&lt;/b&gt;"), "{page}");
        assert!(!page.contains("<b>") && !page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(
            !rig.get(&format!("/authorize/{}/", intent["id"].as_str().unwrap())).await.text.contains("<img")
        );
        assert_eq!(
            decide(rig, intent["id"].as_str().unwrap(), "approve").await.expect(303).header("location"),
            "/"
        );

        let id = accepted["CheckoutRequestID"].as_str().unwrap();
        let form = [("id", id), ("decision", "approve")];
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
            let asked = rig.request(Method::POST, "/sandbox/decide/").header("origin", origin).form(&form);
            send(asked).await.expect(403);
        }
        for path in ["/", "/sandbox/ledger/", "/sandbox/deliveries/", "/sandbox/faults/"] {
            send(rig.request(Method::GET, path).header("host", "evil.example")).await.expect(403);
        }
        assert!(rig.ledger(id).await.is_empty());
        let wrong =
            rig.request(Method::POST, "/sandbox/decide/").form(&[("id", id), ("decision", "perhaps")]);
        assert_eq!(send(wrong).await.status, 422);
    })
    .await;
}

#[test]
fn the_readme_has_both_tables() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for number in &NUMBERS {
        let digits = if number.digits.is_empty() {
            "anything else".to_owned()
        } else {
            format!("`…{}`", number.digits)
        };
        let row = format!("| {digits} | {} |", number.reading);
        assert!(readme.contains(&row), "the README lacks: {row}");
    }
    for card in &CARDS {
        let row = format!("| `{}` | `{}` | {} |", card.number, card.token, card.reading);
        assert!(readme.contains(&row), "the README lacks: {row}");
    }
}

/// Ends with the test, however that goes.
struct Process(std::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_command_says_where_it_is_and_ends_when_told() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
    command.args(["sandbox", "--listen", "127.0.0.1:0"]).env_clear().current_dir(std::env::temp_dir());
    let mut child = Process(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut out = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let base = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let client = http_client().build().unwrap();
    let page = client.get(format!("{base}/")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let pid = rustix::process::Pid::from_raw(child.0.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    for told in
        ["sk_test_duka_sandbox", "whsec_duka_sandbox", "174379", "duka-sandbox-passkey", "No real money"]
    {
        assert!(rest.contains(told), "{told} is missing in: {rest}");
    }
    let wrong =
        Command::new(env!("CARGO_BIN_EXE_duka")).args(["sandbox", "--allow", "shop"]).env_clear().output();
    assert_eq!(wrong.unwrap().status.code(), Some(2));
}
