//! Refunds of card payments: in parts, at once or later, and those that fail.

use std::time::Duration;

use serde_json::json;

use super::{
    cards::{id, stored},
    rig::{send, with_sandbox},
};

#[tokio::test]
async fn a_payment_is_refunded_in_parts_and_never_above_itself() {
    with_sandbox(async |rig| {
        let intent = rig.intent().await;
        let refund = |fields: &[(&str, &str)]| {
            let fields: Vec<_> =
                [("payment_intent", id(&intent))].into_iter().chain(fields.iter().copied()).collect();
            rig.form("/v1/refunds", &fields)
        };
        send(refund(&[])).await.expect(400);
        rig.confirm(&intent, "4242424242424242").await.expect(200);
        for wrong in [("amount", "1251"), ("amount", "0"), ("reason", "bored"), ("colour", "red")] {
            send(refund(&[wrong])).await.expect(400);
        }
        // Nothing of what was refused is counted.
        assert_eq!(rig.ledger(id(&intent)).await.len(), 1);
        let part = send(refund(&[
            ("amount", "250"),
            ("reason", "requested_by_customer"),
            ("metadata[refund]", "3"),
        ]))
        .await;
        let part = part.expect(200).json;
        assert_eq!(
            (&part["object"], &part["status"], &part["amount"]),
            (&json!("refund"), &json!("succeeded"), &json!(250))
        );
        assert_eq!(part["metadata"]["refund"], "3");
        assert_eq!(rig.look(&format!("/v1/refunds/{}", id(&part))).await.expect(200).json, part);
        let event = rig.hears("/card/", 2).await[1].json.clone();
        assert_eq!(
            (&event["type"], &event["data"]["object"]["object"]),
            (&json!("charge.refunded"), &json!("charge"))
        );
        let charge = &event["data"]["object"];
        assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(250), &json!(false)));
        assert_eq!(
            (&charge["payment_intent"], &event["data"]["previous_attributes"]["amount_refunded"]),
            (&intent["id"], &json!(0))
        );

        send(refund(&[("amount", "1001")])).await.expect(400);
        let rest = rig.form("/v1/refunds", &[("charge", charge["id"].as_str().unwrap())]);
        assert_eq!(send(rest).await.expect(200).json["amount"], 1000);
        let over = send(refund(&[])).await.expect(400).json;
        assert_eq!(over["error"]["code"], "charge_already_refunded");
        let event = rig.hears("/card/", 3).await[2].json.clone();
        assert_eq!(event["data"]["object"]["refunded"], true);
        let list =
            rig.look(&format!("/v1/refunds?payment_intent={}&limit=1", id(&intent))).await.expect(200).json;
        assert_eq!(
            (&list["object"], &list["has_more"], &list["data"][0]["amount"]),
            (&json!("list"), &json!(true), &json!(1000))
        );
        let entry = |kind: &str, amount| (kind.to_owned(), amount);
        let expected = [entry("capture", 1250), entry("refund", 250), entry("refund", 1000)];
        assert_eq!(rig.ledger(id(&intent)).await, expected);
    })
    .await;
}

#[tokio::test]
async fn refunds_take_their_time_or_fail_by_card() {
    with_sandbox(async |rig| {
        for (card, first, last, kinds, left) in [
            ("4000000000007726", "pending", "succeeded", &["capture", "refund"] as &[&str], 1250),
            ("4000000000005126", "succeeded", "failed", &["capture", "refund", "refund_failed"], 0),
        ] {
            let intent = rig.intent().await;
            rig.confirm(&intent, card).await.expect(200);
            let refund =
                send(rig.form("/v1/refunds", &[("payment_intent", id(&intent))])).await.expect(200).json;
            assert_eq!(refund["status"], first);
            tokio::time::sleep(Duration::from_millis(600)).await;
            let refund = rig.look(&format!("/v1/refunds/{}", id(&refund))).await.expect(200).json;
            assert_eq!(refund["status"], last);
            let ledger = rig.ledger(id(&intent)).await;
            assert_eq!(ledger.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), kinds);
            let charge = stored(rig, &intent).await["latest_charge"].as_str().unwrap().to_owned();
            assert_eq!(rig.look(&format!("/v1/charges/{charge}")).await.json["amount_refunded"], left);
        }
        let kinds: Vec<String> = rig.events().into_iter().map(|(kind, _)| kind).collect();
        let expected = [
            "payment_intent.succeeded",
            "charge.refunded",
            "refund.updated",
            "payment_intent.succeeded",
            "charge.refunded",
            "refund.failed",
        ];
        assert_eq!(kinds, expected);
    })
    .await;
}
