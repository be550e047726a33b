//! Payments in the graph: to begin one, and how it stands. What gateways tell comes through REST alone.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use serde::Deserialize;

use super::http::{initiated, state};
use crate::{
    body::Unread,
    error::{Error, Result},
    idempotency::{Answered, http::IdempotencyKey},
    order::graphql::{PaymentMethod, PaymentStatus},
    resolver::{DateTime, Decimal, Id, app, form, user, view},
};

/// How far an attempt to pay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptStatus {
    /// Live: not known to be sent.
    Pending,
    /// Live: the gateway waits for the buyer.
    Processing,
    /// Live: sent, and no answer tells what became of it.
    Unknown,
    /// Nothing was paid.
    Failed,
    /// Nothing was paid, because somebody wanted it so.
    Cancelled,
    /// The shop has the money.
    Succeeded,
}

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefundStatus {
    /// Not known to be sent.
    Pending,
    /// The gateway has it.
    Processing,
    /// Sent, and no answer tells what became of it.
    Unknown,
    /// The buyer has the money.
    Succeeded,
    /// The shop keeps the money.
    Failed,
    /// No gateway can do it, so that the shop does it by hand.
    Manual,
}

/// An attempt to pay an order.
#[derive(SimpleObject, Deserialize)]
pub struct Payment {
    id: Id,
    order_id: Id,
    payment_method: PaymentMethod,
    /// The gateway's: a card payment's intent, M-Pesa's receipt.
    transaction_id: Option<String>,
    /// What is charged. M-Pesa moves whole shillings: there it is the order's total, rounded up.
    amount: Decimal,
    currency: String,
    /// M-Pesa: the phone that is asked.
    phone_number: Option<String>,
    /// M-Pesa: the prompt on the phone.
    checkout_request_id: Option<String>,
    /// How it ended, in the gateway's code.
    result_code: Option<String>,
    /// The same for people, and what to do.
    result_description: Option<String>,
    /// The attempt's own, not the order's. While it is live, a second attempt is refused.
    payment_status: AttemptStatus,
    /// Card: what the buyer's browser confirms the payment with, at the gateway; null once it has ended.
    client_secret: Option<String>,
    paid_at: Option<DateTime>,
    /// When the attempt was made.
    payment_date: DateTime,
}

/// Money on its way back.
#[derive(SimpleObject, Deserialize)]
pub struct Refund {
    id: Id,
    order_id: Id,
    /// Of which payment.
    payment_id: Id,
    amount: Decimal,
    status: RefundStatus,
    /// Why.
    reason: String,
    created_at: DateTime,
    finished_at: Option<DateTime>,
}

/// How an order's payment stands, as of one moment.
#[derive(SimpleObject, Deserialize)]
pub struct PaymentState {
    order_id: Id,
    /// What is paid of the order.
    payment_status: PaymentStatus,
    /// The latest attempt; null when there was none.
    payment: Option<Payment>,
    /// What went back, or is about to.
    refunds: Vec<Refund>,
}

/// What is read of payments.
#[derive(Default)]
pub struct Query;

#[Object(name = "PaymentQuery")]
impl Query {
    /// How the payment of an order of one's own stands; an admin sees any.
    async fn payment_state(&self, ctx: &Context<'_>, order_id: Id) -> Result<PaymentState> {
        view(&state(app(ctx)?, user(ctx).await?, order_id.0).await?)
    }
}

/// What begins an attempt.
#[derive(InputObject)]
pub struct PaymentInput {
    /// An order of one's own.
    order_id: Id,
    /// Card or M-Pesa; as the order says when absent.
    payment_method: Option<PaymentMethod>,
    /// Required for M-Pesa, and for nothing else: `2547…`, `2541…`, also as `07…`, `01…` or `+254…`.
    phone_number: Option<String>,
}

/// What is done with payments.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "PaymentMutation")]
impl Mutation {
    /// Begins to pay an order: one attempt at a time. A card is confirmed by the buyer's browser at the gateway, with
    /// the answer's `clientSecret`; M-Pesa asks for the PIN on the buyer's phone. `PROCESSING` is not paid: look at
    /// `paymentState` until it has ended.
    async fn initiate_payment(
        &self,
        ctx: &Context<'_>,
        input: PaymentInput,
        #[graphql(
            desc = "As REST's `Idempotency-Key`: the same key and input again is answered as at first, through \
                          either door, for seven days"
        )]
        idempotency_key: Option<String>,
    ) -> Result<Payment> {
        let (app, user) = (app(ctx)?, user(ctx).await?);
        let key = IdempotencyKey::new(idempotency_key.as_deref())?;
        let body: Unread = form(ctx, "input", &input)?;
        let (Answered::First(kept) | Answered::Again(kept)) = initiated(app, user, key, body).await?;
        serde_json::from_slice(&kept.body).map_err(Error::internal)
    }
}
