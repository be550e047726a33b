//! The book: intents, refunds, events, and the answers that idempotency keys stand for; and what each step that
//! a shop asks for does to them.

use serde_json::Value;

use super::{
    super::{Desk, kept::Kept, ledger::Movement},
    event::Event,
    form::Form,
    intent::{After, Charge, Intent, Status},
    outcome::{self, News},
    refund::{self, Refund},
    refusal::{Kind, Refusal},
};

/// Everything about cards.
pub(in crate::sandbox) struct Book {
    pub(super) intents: Kept<Intent>,
    /// The intents of charges.
    charges: Kept<String>,
    pub(super) refunds: Kept<Refund>,
    pub(super) events: Kept<Value>,
    pub(super) answers: Kept<Answered>,
}

/// The first answer to an idempotency key.
pub(super) struct Answered {
    /// Path and form.
    pub(super) request: String,
    pub(super) answer: Result<Value, Refusal>,
}

/// What a step is answered with, and what remains to be done once the book is closed.
pub(super) struct Reply {
    pub(super) answer: Result<Value, Refusal>,
    pub(super) rest: Rest,
}

/// What remains.
#[derive(Default)]
pub(super) struct Rest {
    pub(super) movement: Option<Movement>,
    pub(super) events: Vec<Event>,
    pub(super) news: Option<News>,
    pub(super) later: Option<Later>,
}

/// What happens by itself after a while.
pub(super) enum Later {
    /// An intent is processed.
    Process(String),
    /// A refund ends.
    Refund(String),
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self { answer: Ok(value), rest: Rest::default() }
    }
}

impl Book {
    pub(in crate::sandbox) fn new(remember: usize) -> Self {
        Self {
            intents: Kept::new(remember),
            charges: Kept::new(remember),
            refunds: Kept::new(remember),
            events: Kept::new(remember),
            answers: Kept::new(remember),
        }
    }

    /// The intents on which somebody has to decide, the newest first.
    pub(in crate::sandbox) fn asking(&self) -> impl Iterator<Item = &Intent> {
        self.intents.newest().filter(|intent| intent.status == Status::RequiresAction)
    }

    /// An intent, its state and where its holder is led back to, if it exists.
    pub(in crate::sandbox) fn intent(&self, id: &str) -> Option<(&Intent, &'static str, Option<&str>)> {
        let intent = self.intents.get(id)?;
        Some((intent, intent.status.as_str(), intent.return_url.as_deref()))
    }

    /// `POST /v1/payment_intents`
    pub(super) fn create(&mut self, desk: &Desk, mut form: Form) -> Result<Reply, Refusal> {
        let amount = form.whole("amount")?.ok_or_else(|| Refusal::absent("amount"))?;
        if amount > 99_999_999 {
            let message = "Amount must be no more than 99999999".to_owned();
            return Err(Refusal::param("amount_too_large", "amount", message));
        }
        let currency = form.take("currency").ok_or_else(|| Refusal::absent("currency"))?.to_lowercase();
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err(Refusal::param(
                "parameter_invalid_string",
                "currency",
                format!("Invalid currency: {currency}"),
            ));
        }
        let mut intent = Intent::new(amount, currency);
        intent.metadata = form.metadata()?;
        intent.description = form.take("description");
        intent.receipt_email = form.take("receipt_email");
        intent.return_url = form.take("return_url");
        intent.manual =
            form.one_of("capture_method", &["automatic", "automatic_async", "manual"])? == "manual";
        form.one_of("confirmation_method", &["automatic"])?;
        let confirms = form.flag("confirm")?;
        let card = form.card()?;
        form.ignore(&[
            "automatic_payment_methods",
            "statement_descriptor",
            "statement_descriptor_suffix",
            "off_session",
        ]);
        let expands = expands(&mut form);
        form.end()?;
        if confirms && card.is_none() {
            let message = "Without a payment method nothing can be confirmed.";
            return Err(Refusal::param("parameter_missing", "payment_method", message.to_owned()));
        }
        let id = intent.id.clone();
        self.intents.insert(&id, intent);
        match card {
            None => self.show(desk, &id, expands).map(Reply::from),
            Some(Ok(card)) if !confirms => {
                self.of(&id)?.choose(card);
                self.show(desk, &id, expands).map(Reply::from)
            }
            Some(card) => self.pay(desk, &id, Some(card), expands),
        }
    }

    /// `POST /v1/payment_intents/{id}/confirm`
    pub(super) fn confirm(&mut self, desk: &Desk, id: &str, mut form: Form) -> Result<Reply, Refusal> {
        let card = form.card()?;
        let return_url = form.take("return_url");
        form.ignore(&["client_secret", "receipt_email", "off_session", "use_stripe_sdk", "mandate_data"]);
        let expands = expands(&mut form);
        form.end()?;
        let intent = self.of(id)?;
        if return_url.is_some() {
            intent.return_url = return_url;
        }
        self.pay(desk, id, card, expands)
    }

    fn pay(
        &mut self,
        desk: &Desk,
        id: &str,
        card: Option<Result<&'static outcome::Card, &'static outcome::Decline>>,
        expands: bool,
    ) -> Result<Reply, Refusal> {
        let intent = self.of(id)?;
        let after = match card {
            Some(Ok(card)) => {
                // An intent that is over keeps the card that it was paid with.
                if intent.is_open() {
                    intent.choose(card);
                }
                intent.confirm()?
            }
            None => intent.confirm()?,
            Some(Err(decline)) if intent.is_open() => intent.decline(decline),
            Some(Err(_)) => intent.confirm()?,
        };
        let rest = self.note(id, after);
        let answer = match self.of(id)?.declined(&desk.base) {
            Some(refusal) => Err(refusal),
            None => self.show(desk, id, expands),
        };
        Ok(Reply { answer, rest })
    }

    /// `POST /v1/payment_intents/{id}/capture`
    pub(super) fn capture(&mut self, desk: &Desk, id: &str, mut form: Form) -> Result<Reply, Refusal> {
        let amount = form.whole("amount_to_capture")?;
        let expands = expands(&mut form);
        form.end()?;
        let after = self.of(id)?.capture(amount)?;
        let rest = self.note(id, after);
        Ok(Reply { answer: self.show(desk, id, expands), rest })
    }

    /// `POST /v1/payment_intents/{id}/cancel`
    pub(super) fn cancel(&mut self, desk: &Desk, id: &str, mut form: Form) -> Result<Reply, Refusal> {
        let reason = form.take("cancellation_reason");
        let known = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];
        if reason.as_deref().is_some_and(|reason| !known.contains(&reason)) {
            let message = format!("Invalid cancellation_reason: must be one of {}", known.join(", "));
            return Err(Refusal::param("parameter_invalid_enum", "cancellation_reason", message));
        }
        let expands = expands(&mut form);
        form.end()?;
        let after = self.of(id)?.cancel(reason)?;
        let rest = self.note(id, after);
        Ok(Reply { answer: self.show(desk, id, expands), rest })
    }

    /// Somebody has decided on an intent that asks, or its processing is over. None if it does not wait.
    pub(super) fn resume(&mut self, id: &str, waits: Status, pays: bool) -> Option<Rest> {
        let intent = self.intents.get_mut(id).filter(|intent| intent.status == waits)?;
        let after = intent.resume(pays);
        Some(self.note(id, after))
    }

    /// What remains of a step of this intent.
    fn note(&mut self, id: &str, after: After) -> Rest {
        let Some(intent) = self.intents.get(id) else { return Rest::default() };
        for charge in &intent.charges {
            self.charges.insert(&charge.id, id.to_owned());
        }
        let captured = intent.charges.last().filter(|_| after.captured);
        Rest {
            movement: captured.map(|charge| movement("capture", &charge.id, intent, charge.captured)),
            events: after.events,
            news: intent.card.as_ref().map(|(card, _)| card.news),
            later: after.processing.then(|| Later::Process(id.to_owned())),
        }
    }

    /// `POST /v1/refunds`
    pub(super) fn refund(&mut self, mut form: Form) -> Result<Reply, Refusal> {
        let id = match (form.take("payment_intent"), form.take("charge")) {
            (Some(intent), _) => intent,
            (None, Some(charge)) => self
                .charges
                .get(&charge)
                .cloned()
                .ok_or_else(|| Refusal::missing("charge", "charge", &charge))?,
            (None, None) => return Err(Refusal::absent("payment_intent")),
        };
        form.ignore(&["expand"]);
        let missing = || Refusal::missing("payment_intent", "payment_intent", &id);
        let intent = self.intents.get_mut(&id).ok_or_else(missing)?;
        let refund = Refund::make(intent, form)?;
        let mut rest = Rest::default();
        if refund.status == refund::Status::Succeeded {
            rest.events.push(refund.succeeded(intent));
            rest.movement = Some(movement("refund", &refund.id, intent, refund.amount));
        }
        let kind = intent.card.as_ref().map(|(card, _)| card.refund);
        if kind.is_some_and(|kind| kind != outcome::Refund::Done) {
            rest.later = Some(Later::Refund(refund.id.clone()));
        }
        let answer = Ok(refund.object());
        self.refunds.insert(&refund.id.clone(), refund);
        Ok(Reply { answer, rest })
    }

    /// A refund that was pending is done, one that was done has failed.
    pub(super) fn end_refund(&mut self, id: &str) -> Option<Rest> {
        let refund = self.refunds.get_mut(id)?;
        let intent = self.intents.get_mut(&refund.intent)?;
        let mut rest = Rest::default();
        if refund.status == refund::Status::Pending {
            refund.status = refund::Status::Succeeded;
            rest.events = vec![refund.succeeded(intent), Event::new("refund.updated", refund.object())];
            rest.movement = Some(movement("refund", &refund.id, intent, refund.amount));
        } else {
            refund.status = refund::Status::Failed;
            if let Some(charge) = intent.paid() {
                charge.refunded = charge.refunded.saturating_sub(refund.amount);
            }
            rest.events = vec![Event::new("refund.failed", refund.object())];
            rest.movement = Some(movement("refund_failed", &refund.id, intent, refund.amount));
        }
        Some(rest)
    }

    /// An intent that a request names.
    pub(super) fn of(&mut self, id: &str) -> Result<&mut Intent, Refusal> {
        self.intents.get_mut(id).ok_or_else(|| Refusal::missing("payment_intent", "intent", id))
    }

    /// The intent as its shop sees it.
    pub(super) fn show(&mut self, desk: &Desk, id: &str, expands: bool) -> Result<Value, Refusal> {
        let intent = self.of(id)?;
        let mut object = intent.object(&desk.base);
        if let Some(charge) = intent.charges.last().filter(|_| expands) {
            object["latest_charge"] = intent.charge_object(charge);
        }
        Ok(object)
    }

    /// A charge and its intent.
    pub(super) fn charge(&self, id: &str) -> Option<(&Intent, &Charge)> {
        let intent = self.intents.get(self.charges.get(id)?)?;
        Some((intent, intent.charges.iter().find(|charge| charge.id == id)?))
    }
}

/// Whether the latest charge is wanted whole. Nothing else can be.
pub(super) fn expands(form: &mut Form) -> bool {
    let given = ["expand[]", "expand[0]"].map(|name| form.take(name));
    given.into_iter().flatten().any(|what| what == "latest_charge")
}

fn movement(kind: &'static str, id: &str, intent: &Intent, amount_minor: u64) -> Movement {
    Movement {
        gateway: "card",
        kind,
        id: id.to_owned(),
        request: intent.id.clone(),
        reference: String::new(),
        metadata: Value::Object(intent.metadata.clone()),
        amount_minor,
        currency: intent.currency.to_uppercase(),
    }
}

impl Answered {
    /// Whether it answers this request.
    pub(super) fn replay(&self, request: &str, key: &str) -> Result<&Result<Value, Refusal>, Refusal> {
        if self.request == request {
            return Ok(&self.answer);
        }
        let message =
            format!("The idempotency key {key} was first used with other parameters or another path.");
        Err(Refusal::of(Kind::Idempotency, &message))
    }
}
