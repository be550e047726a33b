//! The page: what waits for a person, what happened, and what numbers do. Everything that came from outside is
//! escaped.

use std::fmt::Write;

use super::{CARDS, Desk, NUMBERS, locked};

/// How many of each list are shown.
const SHOWN: usize = 50;

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>duka sandbox</title><link rel=\"icon\" href=\"data:,\"><style>\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}\
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.4rem;text-align:left}\
form{display:inline}button{font:inherit;padding:.3rem .8rem}code{font-size:.9em;overflow-wrap:anywhere}\
.note{background:#fff3cd;padding:.6rem 1rem}</style>\
<h1>duka sandbox</h1><p class=\"note\"><strong>No real money moves here.</strong> This stands in for the payment \
gateways, so that a shop can be tried without an account.</p>";

/// The whole page.
pub(super) fn overview(desk: &Desk) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("<h2>Waiting for a person</h2>");
    let before = page.len();
    for prompt in locked(&desk.mpesa).newest().filter(|prompt| prompt.asks()).take(SHOWN) {
        let what = format!("{} {} by {}", desk.mpesa_currency, prompt.amount(), prompt.phone());
        let why = format!("{} — {}", prompt.reference(), prompt.description());
        question(&mut page, &prompt.checkout_request, &what, &why);
    }
    for intent in locked(&desk.cards).asking().take(SHOWN) {
        let what = format!("{} {} by card", intent.currency.to_uppercase(), intent.amount);
        question(&mut page, &intent.id, &what, intent.description.as_deref().unwrap_or_default());
    }
    if page.len() == before {
        page.push_str("<p>Nobody is asked anything.</p>");
    }
    prompts(&mut page, desk);
    page.push_str("<h2>What telephone numbers do</h2><table><tr><th>ends with<th>what happens");
    for number in &NUMBERS {
        let digits = if number.digits.is_empty() { "anything else" } else { number.digits };
        let _ = write!(page, "<tr><td>{}<td>{}", escaped(digits), escaped(number.reading));
    }
    page.push_str("</table><h2>What cards do</h2><table><tr><th>number<th>payment method<th>what happens");
    for card in &CARDS {
        let (number, token, reading) = (escaped(card.number), escaped(card.token), escaped(card.reading));
        let _ = write!(page, "<tr><td><code>{number}</code><td><code>{token}</code><td>{reading}");
    }
    page.push_str(
        "</table><p><a href=\"/sandbox/ledger/\">ledger</a>, <a href=\"/sandbox/deliveries/\">deliveries</a>",
    );
    page
}

fn prompts(page: &mut String, desk: &Desk) {
    page.push_str("<h2>Latest prompts</h2><table><tr><th>at<th>telephone<th>amount<th>for<th>state");
    for prompt in locked(&desk.mpesa).newest().take(SHOWN) {
        let (at, phone, reference) =
            (escaped(&prompt.at), escaped(prompt.phone()), escaped(prompt.reference()));
        let (amount, standing) = (prompt.amount(), escaped(prompt.standing()));
        let currency = escaped(&desk.mpesa_currency);
        let _ = write!(page, "<tr><td>{at}<td>{phone}<td>{currency} {amount}<td>{reference}<td>{standing}");
    }
    page.push_str("</table>");
}

/// The page on which a card's holder decides. None if there is no such intent.
pub(super) fn authorize(desk: &Desk, id: &str) -> Option<String> {
    let book = locked(&desk.cards);
    let (intent, standing, _) = book.intent(id)?;
    let mut page = HEAD.to_owned();
    let what = format!("{} {} by card", intent.currency.to_uppercase(), intent.amount);
    if standing == "requires_action" {
        question(&mut page, id, &what, intent.description.as_deref().unwrap_or_default());
    } else {
        let _ = write!(
            page,
            "<p>{}: <code>{}</code>. There is nothing to decide.",
            escaped(&what),
            escaped(standing)
        );
    }
    Some(page)
}

/// Where whoever decided on an intent is led back to: where its shop said, if that is a web page.
pub(super) fn return_to(desk: &Desk, id: &str) -> Option<String> {
    let book = locked(&desk.cards);
    let (_, _, back) = book.intent(id)?;
    let url = reqwest::Url::parse(back?).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(url.to_string())
}

/// One thing that waits, and two buttons.
fn question(page: &mut String, id: &str, what: &str, why: &str) {
    let (id, what, why) = (escaped(id), escaped(what), escaped(why));
    let _ = write!(page, "<p><strong>{what}</strong> {why} <code>{id}</code> ");
    for (decision, label) in [("approve", "Approve"), ("decline", "Decline")] {
        let _ = write!(
            page,
            "<form method=\"post\" action=\"/sandbox/decide/\"><input type=\"hidden\" name=\"id\" value=\"{id}\">\
             <button name=\"decision\" value=\"{decision}\">{label}</button></form> "
        );
    }
}

/// Safe in a page's text and in its quoted attributes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}
