//! Why a request is refused, in the shape of Stripe's errors. `http` gives each kind its status.

use serde_json::{Map, Value, json};

/// What kind of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The request is wrong.
    Invalid,
    /// Nothing has this id.
    Missing,
    /// No key, or not ours.
    Key,
    /// The key may not do this.
    Permission,
    /// The card is declined.
    Declined,
    /// An idempotency key with another request.
    Idempotency,
    /// The gateway itself fails.
    Internal,
}

/// An error, and what is at fault.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
    /// What else the error tells: the intent, the charge, the issuer's reason.
    more: Map<String, Value>,
}

impl Refusal {
    fn new(kind: Kind, code: Option<&'static str>, message: String, param: Option<String>) -> Self {
        Self { kind, code, message, param, more: Map::new() }
    }

    pub(super) fn of(kind: Kind, message: &str) -> Self {
        Self::new(kind, None, message.to_owned(), None)
    }

    pub(super) fn coded(kind: Kind, code: &'static str, message: String) -> Self {
        Self::new(kind, Some(code), message, None)
    }

    /// A parameter is wrong.
    pub(super) fn param(code: &'static str, param: &str, message: String) -> Self {
        Self::new(Kind::Invalid, Some(code), message, Some(param.to_owned()))
    }

    pub(super) fn absent(param: &str) -> Self {
        Self::param("parameter_missing", param, format!("Missing required param: {param}."))
    }

    /// There is no such thing.
    pub(super) fn missing(thing: &str, param: &str, id: &str) -> Self {
        let message = format!("No such {thing}: '{id}'");
        Self::new(Kind::Missing, Some("resource_missing"), message, Some(param.to_owned()))
    }

    /// Tells this too.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// With what a browser may see of the intent in the place of the whole.
    pub(super) fn without_secrets(mut self, public: &Value) -> Self {
        if let Some(intent) = self.more.get_mut("payment_intent") {
            *intent = public.clone();
        }
        self
    }

    /// The `error` object.
    pub(super) fn object(&self) -> Value {
        let kind = match self.kind {
            Kind::Declined => "card_error",
            Kind::Idempotency => "idempotency_error",
            Kind::Internal => "api_error",
            Kind::Invalid | Kind::Missing | Kind::Key | Kind::Permission => "invalid_request_error",
        };
        let mut error = json!({"type": kind, "message": self.message});
        if let Some(code) = self.code {
            error["code"] = json!(code);
        }
        if let Some(param) = &self.param {
            error["param"] = json!(param);
        }
        for (name, value) in &self.more {
            error[name] = value.clone();
        }
        error
    }
}
