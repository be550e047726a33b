//! The life of a payment intent: which state follows which, and what its charges are.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::{
    super::random_text,
    event::Event,
    outcome::{Card, DECLINED, Decline, PROCESSING_ERROR, UNAUTHENTICATED, Verdict},
    refusal::{Kind, Refusal},
};

pub(super) const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// The states of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Succeeded,
    Canceled,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

/// A payment intent.
pub(in crate::sandbox) struct Intent {
    pub(in crate::sandbox) id: String,
    pub(super) secret: String,
    pub(in crate::sandbox) amount: u64,
    pub(in crate::sandbox) currency: String,
    pub(in crate::sandbox) description: Option<String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) manual: bool,
    pub(super) receipt_email: Option<String>,
    pub(super) status: Status,
    pub(super) created: i64,
    pub(super) canceled: Option<(i64, Option<String>)>,
    /// The card that it is to be paid with, and its payment method's id.
    pub(super) card: Option<(&'static Card, String)>,
    pub(super) return_url: Option<String>,
    pub(super) last_error: Option<Value>,
    /// The charges that were tried, the last one last.
    pub(super) charges: Vec<Charge>,
}

/// A charge.
#[derive(Clone)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) amount: u64,
    /// 0 while it is only authorised.
    pub(super) captured: u64,
    pub(super) refunded: u64,
    failure: Option<&'static Decline>,
    created: i64,
    method: String,
    last4: &'static str,
}

/// What a step leaves to be done.
#[derive(Default)]
pub(super) struct After {
    pub(super) events: Vec<Event>,
    /// A charge was captured: for the ledger.
    pub(super) captured: bool,
    /// It is processed for a while.
    pub(super) processing: bool,
}

impl Intent {
    pub(super) fn new(amount: u64, currency: String) -> Self {
        let id = format!("pi_{}", random_text(ALPHABET, 24));
        let secret = format!("{id}_secret_{}", random_text(ALPHABET, 25));
        Self {
            id,
            secret,
            amount,
            currency,
            description: None,
            metadata: Map::new(),
            manual: false,
            receipt_email: None,
            status: Status::RequiresPaymentMethod,
            created: now(),
            canceled: None,
            card: None,
            return_url: None,
            last_error: None,
            charges: Vec::new(),
        }
    }

    /// It is to be paid with this card.
    pub(super) fn choose(&mut self, card: &'static Card) {
        self.card = Some((card, format!("pm_{}", random_text(ALPHABET, 24))));
        if self.status == Status::RequiresPaymentMethod {
            self.status = Status::RequiresConfirmation;
        }
    }

    /// Whether it may still be confirmed.
    pub(super) fn is_open(&self) -> bool {
        use Status::{RequiresAction, RequiresConfirmation, RequiresPaymentMethod};
        matches!(self.status, RequiresPaymentMethod | RequiresConfirmation | RequiresAction)
    }

    /// Confirms with the card that was chosen.
    pub(super) fn confirm(&mut self) -> Result<After, Refusal> {
        if !self.is_open() {
            let message = format!("A PaymentIntent that is {} cannot be confirmed.", self.status.as_str());
            return Err(self.unexpected(message));
        }
        let Some((card, _)) = self.card else {
            let message = "A PaymentIntent without a payment method cannot be confirmed.".to_owned();
            return Err(self.unexpected(message));
        };
        self.last_error = None;
        Ok(match card.verdict {
            Verdict::Paid => self.pay(self.amount),
            Verdict::Short => self.pay(if self.amount > 1 { self.amount - 1 } else { self.amount + 1 }),
            Verdict::Declined(decline) => self.decline(decline),
            Verdict::Action => {
                self.status = Status::RequiresAction;
                After::default()
            }
            Verdict::Processing => {
                self.status = Status::Processing;
                After { processing: true, ..After::default() }
            }
            Verdict::SecondTry => {
                let chosen = self.card.clone();
                let failed = self.decline(&PROCESSING_ERROR);
                (self.card, self.last_error) = (chosen, None);
                let paid = self.pay(self.amount);
                let events = failed.events.into_iter().chain(paid.events).collect();
                After { events, ..paid }
            }
        })
    }

    /// The holder of the card has decided, or the processing is over.
    pub(super) fn resume(&mut self, pays: bool) -> After {
        if pays { self.pay(self.amount) } else { self.decline(&UNAUTHENTICATED) }
    }

    /// Declines with a card that nobody knows.
    pub(super) fn decline(&mut self, decline: &'static Decline) -> After {
        let method = self.card.as_ref().map(|(_, method)| method.clone());
        // Who was never asked for money was not charged.
        let charged = decline != &UNAUTHENTICATED;
        if charged {
            self.charge(0, Some(decline));
        }
        self.status = Status::RequiresPaymentMethod;
        let mut error = json!({"type": "card_error", "code": decline.code, "message": decline.message});
        if !decline.decline_code.is_empty() {
            error["decline_code"] = json!(decline.decline_code);
        }
        if let Some(charge) = self.charges.last().filter(|_| charged) {
            error["charge"] = json!(charge.id);
        }
        if let Some(method) = method {
            error["payment_method"] = json!({"id": method, "object": "payment_method", "type": "card"});
        }
        self.last_error = Some(error);
        self.card = None;
        After {
            events: vec![Event::new("payment_intent.payment_failed", self.object(""))],
            ..After::default()
        }
    }

    fn pay(&mut self, amount: u64) -> After {
        self.charge(amount, None);
        if self.manual {
            self.status = Status::RequiresCapture;
            return After::default();
        }
        self.take(amount)
    }

    /// Captures that much of what was authorised.
    pub(super) fn capture(&mut self, amount: Option<u64>) -> Result<After, Refusal> {
        if self.status != Status::RequiresCapture {
            let message = format!("A PaymentIntent that is {} cannot be captured.", self.status.as_str());
            return Err(self.unexpected(message));
        }
        let authorised = self.charges.last().map_or(0, |charge| charge.amount);
        let amount = amount.unwrap_or(authorised);
        if amount > authorised {
            let message = format!("No more than {authorised} was authorised.");
            return Err(Refusal::param("amount_too_large", "amount_to_capture", message));
        }
        Ok(self.take(amount))
    }

    fn take(&mut self, amount: u64) -> After {
        if let Some(charge) = self.charges.last_mut() {
            charge.captured = amount;
        }
        self.status = Status::Succeeded;
        let events = vec![Event::new("payment_intent.succeeded", self.object(""))];
        After { events, captured: true, processing: false }
    }

    fn charge(&mut self, amount: u64, failure: Option<&'static Decline>) {
        let (last4, method) = match &self.card {
            Some((card, method)) => (card.last4(), method.clone()),
            None => ("0000", String::new()),
        };
        self.charges.push(Charge {
            id: format!("ch_{}", random_text(ALPHABET, 24)),
            amount: if failure.is_some() { self.amount } else { amount },
            captured: 0,
            refunded: 0,
            failure,
            created: now(),
            method,
            last4,
        });
    }

    /// Cancels what is not paid.
    pub(super) fn cancel(&mut self, reason: Option<String>) -> Result<After, Refusal> {
        if matches!(self.status, Status::Succeeded | Status::Canceled | Status::Processing) {
            let message = format!("A PaymentIntent that is {} cannot be canceled.", self.status.as_str());
            return Err(self.unexpected(message));
        }
        self.status = Status::Canceled;
        self.canceled = Some((now(), reason));
        let events = vec![Event::new("payment_intent.canceled", self.object(""))];
        Ok(After { events, ..After::default() })
    }

    fn unexpected(&self, message: String) -> Refusal {
        let refusal = Refusal::coded(Kind::Invalid, "payment_intent_unexpected_state", message);
        refusal.with("payment_intent", self.object(""))
    }

    /// How whoever confirmed is told that the card was declined, if it was.
    pub(super) fn declined(&self, base: &str) -> Option<Refusal> {
        let error = self.last_error.as_ref().filter(|_| self.status == Status::RequiresPaymentMethod)?;
        let message = error["message"].as_str().unwrap_or(DECLINED.message).to_owned();
        let mut refusal = Refusal::coded(Kind::Declined, "card_declined", message);
        for (name, value) in error.as_object().into_iter().flatten().filter(|(name, _)| *name != "type") {
            refusal = refusal.with(name, value.clone());
        }
        Some(refusal.with("payment_intent", self.object(base)))
    }

    /// The charge that was captured.
    pub(super) fn paid(&mut self) -> Option<&mut Charge> {
        self.charges.last_mut().filter(|charge| charge.captured > 0)
    }

    /// The intent as the protocol shows it; `base` is where the page for its action is.
    pub(super) fn object(&self, base: &str) -> Value {
        let charge = self.charges.last();
        let capturable =
            charge.filter(|_| self.status == Status::RequiresCapture).map_or(0, |charge| charge.amount);
        let next_action = (self.status == Status::RequiresAction).then(|| {
            json!({"type": "redirect_to_url", "redirect_to_url":
                {"url": format!("{base}/authorize/{}/", self.id), "return_url": self.return_url}})
        });
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": capturable,
            "amount_details": {"tip": {}},
            "amount_received": charge.map_or(0, |charge| charge.captured),
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods": null,
            "canceled_at": self.canceled.as_ref().map(|(at, _)| at),
            "cancellation_reason": self.canceled.as_ref().and_then(|(_, reason)| reason.as_ref()),
            "capture_method": if self.manual { "manual" } else { "automatic" },
            "client_secret": self.secret,
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": null,
            "description": self.description,
            "invoice": null,
            "last_payment_error": self.last_error,
            "latest_charge": charge.map(|charge| &charge.id),
            "livemode": false,
            "metadata": self.metadata,
            "next_action": next_action,
            "on_behalf_of": null,
            "payment_method": self.card.as_ref().map(|(_, method)| method),
            "payment_method_options": {"card": {"installments": null, "mandate_options": null, "network": null,
                "request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"],
            "processing": null,
            "receipt_email": self.receipt_email,
            "review": null,
            "setup_future_usage": null,
            "shipping": null,
            "source": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": self.status.as_str(),
            "transfer_data": null,
            "transfer_group": null,
        })
    }

    /// What a browser is shown of it.
    pub(super) fn public(&self, base: &str) -> Value {
        const SHOWN: [&str; 20] = [
            "id",
            "object",
            "amount",
            "amount_details",
            "automatic_payment_methods",
            "canceled_at",
            "cancellation_reason",
            "capture_method",
            "client_secret",
            "confirmation_method",
            "created",
            "currency",
            "description",
            "last_payment_error",
            "livemode",
            "next_action",
            "payment_method",
            "payment_method_types",
            "receipt_email",
            "status",
        ];
        let mut object = self.object(base);
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|name, _| SHOWN.contains(&name.as_str()));
        }
        object
    }

    /// One of its charges as the protocol shows it.
    pub(super) fn charge_object(&self, charge: &Charge) -> Value {
        let failed = charge.failure;
        json!({
            "id": charge.id,
            "object": "charge",
            "amount": charge.amount,
            "amount_captured": charge.captured,
            "amount_refunded": charge.refunded,
            "balance_transaction": null,
            "captured": charge.captured > 0,
            "created": charge.created,
            "currency": self.currency,
            "customer": null,
            "description": self.description,
            "disputed": false,
            "failure_code": failed.map(|decline| decline.code),
            "failure_message": failed.map(|decline| decline.message),
            "livemode": false,
            "metadata": self.metadata,
            "outcome": {
                "network_status": if failed.is_some() { "declined_by_network" } else { "approved_by_network" },
                "reason": failed.map(|decline| decline.decline_code),
                "type": if failed.is_some() { "issuer_declined" } else { "authorized" },
            },
            "paid": failed.is_none(),
            "payment_intent": self.id,
            "payment_method": charge.method,
            "payment_method_details": {"card": {"brand": "visa", "last4": charge.last4, "funding": "credit"},
                "type": "card"},
            "receipt_email": self.receipt_email,
            "refunded": charge.captured > 0 && charge.refunded == charge.captured,
            "status": if failed.is_some() { "failed" } else { "succeeded" },
        })
    }
}
