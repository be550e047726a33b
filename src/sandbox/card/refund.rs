//! Refunds: whole or in part, never above what was captured.

use serde_json::{Map, Value, json};

use super::{
    super::random_text,
    event::Event,
    form::Form,
    intent::{ALPHABET, Intent, now},
    outcome,
    refusal::{Kind, Refusal},
};

/// A refund.
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) intent: String,
    charge: String,
    pub(super) amount: u64,
    currency: String,
    pub(super) status: Status,
    reason: Option<String>,
    metadata: Map<String, Value>,
    created: i64,
}

/// The states of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Succeeded,
    Failed,
}

impl Refund {
    /// Refunds what the form says of an intent, and counts it in the charge once nothing can be wrong any more.
    pub(super) fn make(intent: &mut Intent, mut form: Form) -> Result<Self, Refusal> {
        let (id, currency) = (intent.id.clone(), intent.currency.clone());
        let kind = intent.card.as_ref().map_or(outcome::Refund::Done, |(card, _)| card.refund);
        let Some(charge) = intent.paid() else {
            let message = format!("The PaymentIntent {id} has no successful charge to refund.");
            return Err(Refusal::of(Kind::Invalid, &message));
        };
        let left = charge.captured - charge.refunded;
        if left == 0 {
            let message = format!("The charge {} is refunded already.", charge.id);
            return Err(Refusal::coded(Kind::Invalid, "charge_already_refunded", message));
        }
        let amount = form.whole("amount")?.unwrap_or(left);
        if amount > left {
            let message =
                format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({left})");
            return Err(Refusal::param("amount_too_large", "amount", message));
        }
        let reason = form.take("reason");
        if reason
            .as_deref()
            .is_some_and(|r| !["duplicate", "fraudulent", "requested_by_customer"].contains(&r))
        {
            let message = "Invalid reason: must be duplicate, fraudulent or requested_by_customer".to_owned();
            return Err(Refusal::param("parameter_invalid_enum", "reason", message));
        }
        let metadata = form.metadata()?;
        form.end()?;
        charge.refunded += amount;
        let status = if kind == outcome::Refund::Pending { Status::Pending } else { Status::Succeeded };
        Ok(Self {
            id: format!("re_{}", random_text(ALPHABET, 24)),
            intent: id,
            charge: charge.id.clone(),
            amount,
            currency,
            status,
            reason,
            metadata,
            created: now(),
        })
    }

    /// What the shop is told when it succeeds.
    pub(super) fn succeeded(&self, intent: &Intent) -> Event {
        let charge = intent.charges.last();
        let object = charge.map_or(Value::Null, |charge| intent.charge_object(charge));
        let before = charge.map_or(0, |charge| charge.refunded.saturating_sub(self.amount));
        let previous = Some(json!({"amount_refunded": before, "refunded": false}));
        Event { kind: "charge.refunded", object, previous }
    }

    pub(super) fn object(&self) -> Value {
        let status = match self.status {
            Status::Pending => "pending",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
        };
        let mut object = json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": null,
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "reason": self.reason,
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": status,
            "transfer_reversal": null,
        });
        if self.status == Status::Failed {
            object["failure_reason"] = json!("expired_or_canceled_card");
        }
        object
    }
}
