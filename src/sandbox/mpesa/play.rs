//! How prompts and reversals take their course, step by step, while nobody asks.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    super::{Desk, courier::Letter, ledger::Movement, locked},
    book::{self, Prompt},
    nairobi,
    outcome::{Reversal, Step, result_text},
    request::ReversalRequest,
};

/// Plays all steps of a prompt.
pub(super) async fn prompt(desk: Arc<Desk>, prompt: Prompt) {
    let id = &prompt.checkout_request;
    for step in prompt.number.steps {
        match step {
            Step::Breathe => tokio::time::sleep(desk.pace.answer / 20).await,
            Step::Wait => tokio::time::sleep(desk.pace.answer).await,
            Step::WaitLong => tokio::time::sleep(desk.pace.late).await,
            Step::Decide(code) => settle(&desk, id, *code, prompt.push.amount),
            Step::DecideShort => {
                let asked = prompt.push.amount;
                settle(&desk, id, 0, if asked > 1 { asked - 1 } else { asked + 1 });
            }
            Step::Call => call(&desk, id).await,
            Step::Ask => {
                tokio::time::sleep(desk.pace.ask).await;
                // Somebody decided, and was told of at once.
                if locked(&desk.mpesa).prompt(id).is_none_or(|prompt| prompt.verdict.is_some()) {
                    return;
                }
                settle(&desk, id, 1019, 0);
            }
        }
    }
}

/// A person's decision about a prompt that asks. False when there is none that does.
pub(in crate::sandbox) async fn decide(desk: &Arc<Desk>, checkout_request: &str, pays: bool) -> bool {
    let asked = locked(&desk.mpesa).prompt(checkout_request).filter(|prompt| prompt.asks()).cloned();
    let Some(prompt) = asked else { return false };
    settle(desk, checkout_request, if pays { 0 } else { 1032 }, prompt.push.amount);
    call(desk, checkout_request).await;
    true
}

/// Decides, and writes what is paid into the ledger.
fn settle(desk: &Desk, checkout_request: &str, code: u32, amount: u64) {
    let decided = locked(&desk.mpesa).decide(checkout_request, code, amount);
    let Some(prompt) = decided else { return };
    if let Some(payment) = prompt.verdict.as_ref().and_then(|verdict| verdict.payment.as_ref()) {
        let receipt = payment.receipt.clone();
        locked(&desk.ledger).write(movement(desk, "capture", receipt, &prompt, payment.amount));
    }
}

fn movement(desk: &Desk, kind: &'static str, id: String, prompt: &Prompt, whole: u64) -> Movement {
    Movement {
        gateway: "mpesa",
        kind,
        id,
        request: prompt.checkout_request.clone(),
        reference: prompt.push.reference.clone(),
        metadata: Value::Null,
        amount_minor: whole.saturating_mul(100),
        currency: desk.mpesa_currency.clone(),
    }
}

/// Tells the shop what was decided; returns after the first try.
async fn call(desk: &Desk, checkout_request: &str) {
    let letter = locked(&desk.mpesa).prompt(checkout_request).and_then(|prompt| {
        let body = prompt.callback()?.to_string();
        let (url, about) = (prompt.push.callback.clone(), checkout_request.to_owned());
        Some(Letter { url, about, body, secret: None })
    });
    if let Some(letter) = letter {
        desk.courier.deliver(letter).await;
    }
}

// Reversals ----------------------------------------------------------------------------------------------------

/// What came of a reversal.
enum Reversed {
    /// Of the payment of this prompt.
    Done(Box<Prompt>),
    /// A number, as most are, or a text such as `R000002`.
    Refused(Value, &'static str),
    TimedOut,
}

/// Plays a reversal: a while later it is done or refused, and the shop is told.
pub(super) async fn reversal(desk: Arc<Desk>, request: ReversalRequest, originator: String, id: String) {
    tokio::time::sleep(desk.pace.answer / 2).await;
    let receipt = book::receipt();
    let reversed = reverse(&desk, &request, &receipt);
    let mut result = json!({
        "ResultType": 0,
        "ResultCode": 0,
        "ResultDesc": result_text(0),
        "OriginatorConversationID": originator,
        "ConversationID": id,
        "TransactionID": receipt,
        "ReferenceData": {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": request.timed_out.as_str()}},
    });
    let (mut url, mut times) = (request.result.clone(), 1);
    match &reversed {
        Reversed::Done(prompt) => {
            result["ResultParameters"] = parameters(&desk, &request, prompt);
            times = match prompt.number.reversal {
                Reversal::Twice => 2,
                Reversal::Silent => 0,
                _ => 1,
            };
        }
        Reversed::Refused(code, text) => {
            result["ResultCode"] = code.clone();
            result["ResultDesc"] = json!(text);
        }
        Reversed::TimedOut => {
            result["ResultType"] = json!(1);
            result["ResultCode"] = json!(26);
            result["ResultDesc"] = json!(result_text(26));
            url = request.timed_out.clone();
        }
    }
    let letter = Letter { url, about: id, body: json!({"Result": result}).to_string(), secret: None };
    for _ in 0..times {
        desk.courier.deliver(letter.clone()).await;
    }
}

/// Takes money back, if there is any, and writes it into the ledger.
fn reverse(desk: &Desk, request: &ReversalRequest, receipt: &str) -> Reversed {
    let refused = |code: u32| Reversed::Refused(json!(code), result_text(code));
    if request.initiator != desk.credentials.initiator
        || request.credential != desk.credentials.security_credential
    {
        return refused(2001);
    }
    let mut book = locked(&desk.mpesa);
    let Some(prompt) = book.paid_with(&request.receipt) else {
        return Reversed::Refused(json!("R000002"), "The OriginalTransactionID is invalid.");
    };
    match prompt.number.reversal {
        Reversal::Refused => return refused(11),
        Reversal::TimedOut => return Reversed::TimedOut,
        Reversal::Done | Reversal::Twice | Reversal::Silent => {}
    }
    if let Some(payment) = prompt.verdict.as_mut().and_then(|verdict| verdict.payment.as_mut()) {
        let left = payment.amount - payment.reversed;
        if left == 0 {
            return Reversed::Refused(json!("R000001"), "The transaction has already been reversed.");
        }
        if request.amount > left {
            return refused(1);
        }
        payment.reversed += request.amount;
    }
    let prompt = prompt.clone();
    drop(book);
    locked(&desk.ledger).write(movement(desk, "refund", receipt.to_owned(), &prompt, request.amount));
    Reversed::Done(Box::new(prompt))
}

fn parameters(desk: &Desk, request: &ReversalRequest, prompt: &Prompt) -> Value {
    let format = time::macros::format_description!("[year][month][day][hour][minute][second]");
    let at = nairobi().format(format).unwrap_or_default().parse::<u64>().unwrap_or_default();
    let balance = format!("Utility Account|{}|0.00|0.00|0.00|0.00", desk.mpesa_currency);
    json!({"ResultParameter": [
        {"Key": "DebitAccountBalance", "Value": balance},
        {"Key": "Amount", "Value": request.amount},
        {"Key": "TransCompletedTime", "Value": at},
        {"Key": "OriginalTransactionID", "Value": request.receipt},
        {"Key": "Charge", "Value": 0},
        {"Key": "CreditPartyPublicName", "Value": format!("{} - Sandbox Payer", prompt.push.phone)},
        {"Key": "DebitPartyPublicName", "Value": format!("{} - Sandbox Shop", desk.credentials.shortcode)},
    ]})
}
