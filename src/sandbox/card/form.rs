//! Requests as forms: `metadata[order]=7`, every name known or refused.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    outcome::{Card, Decline},
    refusal::Refusal,
};

/// The fields that are not yet read.
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// Equal forms have equal texts, whatever the order of their fields.
    pub(super) fn canonical(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes what may be sent and changes nothing here.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        self.0.retain(|name, _| !names.contains(&name.split('[').next().unwrap_or_default()));
    }

    pub(super) fn whole(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && *number >= 1);
        let wrong =
            || Refusal::param("parameter_invalid_integer", name, format!("Invalid positive integer: {text}"));
        number.map(Some).ok_or_else(wrong)
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => {
                Err(Refusal::param("parameter_invalid_boolean", name, format!("Invalid boolean: {other}")))
            }
        }
    }

    /// One of these words, the first if there is none.
    pub(super) fn one_of(&mut self, name: &str, words: &[&'static str]) -> Result<&'static str, Refusal> {
        let Some(text) = self.take(name) else { return Ok(words[0]) };
        let known = words.iter().find(|word| **word == text).copied();
        let wrong = || {
            let message = format!("Invalid {name}: must be one of {}", words.join(", "));
            Refusal::param("parameter_invalid_enum", name, message)
        };
        known.ok_or_else(wrong)
    }

    /// Everything in brackets behind the name, as an object of texts. At most 50 keys of 40 characters with
    /// values of 500, as Stripe has it.
    pub(super) fn metadata(&mut self) -> Result<Map<String, Value>, Refusal> {
        let mut metadata = Map::new();
        let names: Vec<String> =
            self.0.keys().filter(|name| name.starts_with("metadata[")).cloned().collect();
        for name in names {
            let value = self.take(&name).unwrap_or_default();
            let key =
                name.strip_prefix("metadata[").and_then(|rest| rest.strip_suffix(']')).unwrap_or_default();
            let fits = !key.is_empty() && key.chars().count() <= 40 && value.chars().count() <= 500;
            if !fits || metadata.len() == 50 {
                let message =
                    format!("Metadata has at most 50 keys of 40 characters, and values of 500: {name}");
                return Err(Refusal::param("parameter_invalid_string", &name, message));
            }
            metadata.insert(key.to_owned(), Value::String(value));
        }
        Ok(metadata)
    }

    /// The card, by number or by name; none if none is given.
    pub(super) fn card(&mut self) -> Result<Option<Result<&'static Card, &'static Decline>>, Refusal> {
        let number = self.take("payment_method_data[card][number]");
        let token = self.take("payment_method_data[card][token]").or_else(|| self.take("payment_method"));
        self.ignore(&["payment_method_data", "payment_method_types", "payment_method_options"]);
        match (number, token) {
            (Some(number), _) => Ok(Some(Card::by_number(&number))),
            (None, Some(token)) => {
                let token = if token == "tok_visa" { "pm_card_visa".to_owned() } else { token };
                let card = Card::by_token(&token);
                card.map(|card| Some(Ok(card)))
                    .ok_or_else(|| Refusal::missing("PaymentMethod", "payment_method", &token))
            }
            (None, None) => Ok(None),
        }
    }

    /// What is still there, nobody knows.
    pub(super) fn end(self) -> Result<(), Refusal> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(Refusal::param("parameter_unknown", &name, format!("Received unknown parameter: {name}")))
            }
        }
    }
}
