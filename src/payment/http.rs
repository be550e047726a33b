//! `/api/payment/…`

mod webhook;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions,
    model::{Payment, Refund, RefundStatus, Status},
    request::{NewPayment, NewRefund, RefundEnd},
};
use crate::{
    app::App,
    auth::{Admin, Customer},
    body::Unread,
    error::Result,
    extract::{Body, Id, Ids},
    idempotency::{Answered, Kept, http::IdempotencyKey},
    money::{Amount, Currency},
    openapi::ProblemResponse,
    order::model::{PaymentMethod, PaymentStatus},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(initiate))
        .routes(routes!(status))
        .routes(routes!(refund))
        .routes(routes!(close_refund))
        .merge(webhook::routes())
}

/// What is known of an attempt.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Attempt {
    id: i64,
    payment_method: PaymentMethod,
    /// The gateway's: a card payment's intent, M-Pesa's receipt.
    transaction_id: Option<String>,
    /// What is asked for. M-Pesa moves no cents: there it is the order's total, rounded up.
    #[schema(example = "12.50")]
    amount: String,
    currency: String,
    /// M-Pesa: the phone that is asked.
    phone_number: Option<String>,
    /// M-Pesa: the prompt on the phone.
    checkout_request_id: Option<String>,
    /// How it ended, in the gateway's code.
    result_code: Option<String>,
    /// The same for people, and what to do; while it goes on, what is waited for.
    result_description: Option<String>,
    /// Card: what the buyer's browser confirms the payment with, at the gateway; null once it has ended.
    client_secret: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    paid_at: Option<OffsetDateTime>,
    /// When the attempt was made.
    #[serde(with = "time::serde::rfc3339")]
    payment_date: OffsetDateTime,
}

/// An attempt to pay an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
struct PaymentJson {
    #[serde(flatten)]
    attempt: Attempt,
    order_id: i64,
    /// `pending`, `processing` and `unknown` are live: nothing is decided, and a second attempt is refused.
    payment_status: Status,
}

impl PaymentJson {
    fn new(payment: &Payment, shop: Currency) -> Self {
        let payment = payment.clone();
        // The currency that it was asked in, whatever the shop's is now.
        let currency: Currency = payment.currency.parse().unwrap_or(shop);
        Self {
            order_id: payment.order_id,
            payment_status: payment.status,
            attempt: Attempt {
                id: payment.id,
                payment_method: payment.method,
                transaction_id: payment.names.transaction_id,
                amount: payment.amount.display(currency),
                currency: payment.currency,
                phone_number: payment.phone_number,
                checkout_request_id: payment.names.checkout_request_id,
                result_code: payment.result_code,
                result_description: payment.result_description,
                client_secret: payment.client_secret,
                paid_at: payment.paid_at,
                payment_date: payment.payment_date,
            },
        }
    }
}

/// Money on its way back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refund)]
struct RefundJson {
    id: i64,
    order_id: i64,
    /// Of which payment.
    payment_id: i64,
    #[schema(example = "12.50")]
    amount: String,
    currency: String,
    /// `manual`: no gateway can do it, so that the shop does it by hand.
    status: RefundStatus,
    /// Why.
    reason: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
}

impl RefundJson {
    fn new(refund: &Refund, shop: Currency) -> Self {
        Self {
            id: refund.id,
            order_id: refund.order_id,
            payment_id: refund.payment_id,
            amount: display(refund.amount, &refund.currency, shop),
            currency: refund.currency.clone(),
            status: refund.status,
            reason: refund.reason.clone(),
            created_at: refund.created_at,
            finished_at: refund.finished_at,
        }
    }
}

/// An amount in the currency that it was in, whatever the shop's is now.
fn display(amount: Amount, currency: &str, shop: Currency) -> String {
    amount.display(currency.parse().unwrap_or(shop))
}

/// As the order says when absent, which an order that is paid on delivery cannot be.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewPayment` reads")]
#[schema(rename_all = "lowercase")]
enum PaidBefore {
    Card,
    Mpesa,
}

/// What begins an attempt.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewPayment` reads")]
#[schema(as = NewPayment)]
struct NewBody {
    /// An order of one's own.
    order_id: i64,
    #[schema(inline, required = false)]
    payment_method: PaidBefore,
    /// Required for M-Pesa, and for nothing else: `2547…`, `2541…`, also as `07…`, `01…` or `+254…`.
    #[schema(example = "0712345678", max_length = 40, required = false)]
    phone_number: String,
}

/// Pay an order
///
/// One attempt at a time: while one is live, a second is 409 (`payment-in-progress`). An order that is paid, cancelled
/// or past its time is 409 too, and so is a method that the shop is not set up for (`payment-method-unavailable`).
///
/// **Cards**: the answer has a `client_secret`, with which the buyer's browser confirms the payment at the gateway. The
/// card never comes here.
///
/// **M-Pesa**: the buyer's phone asks for the PIN. M-Pesa moves no cents, so the order's total is rounded up to the next
/// whole amount: `amount` is what is asked for, and `result_description` says when it differs. M-Pesa is offered where
/// the shop's currency is the account's, which is Kenyan shillings.
///
/// `processing` is not paid: look at the status until it has ended. `unknown` says that the gateway was asked and has
/// not answered; it is asked what became of it, and never a second time for the money. An intent of an earlier attempt
/// that could still be paid is withdrawn first; when that one turns out to be paid, this one is `cancelled`.
#[utoipa::path(post, path = "/api/payment/initiate/", tag = "payments", security(("bearer" = [])),
    request_body = NewBody,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key and body again is answered as at first, for seven days", max_length = 255)),
    responses(
    (status = 201, body = PaymentJson, headers(("Idempotency-Replayed" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn initiate(
    State(app): State<App>,
    user: Customer,
    key: IdempotencyKey,
    Body(body): Body<Unread>,
) -> Result<Response> {
    Ok(initiated(&app, user, key, body).await?.into_response())
}

/// Begins the attempt that the body asks for, and keeps what is answered: whichever door a key comes through, it is the
/// same request.
pub(super) async fn initiated(
    app: &App,
    user: Customer,
    key: IdempotencyKey,
    body: Unread,
) -> Result<Answered> {
    let request = key.request(user.user_id(), "POST /api/payment/initiate/", &body);
    let currency = app.config.currency;
    let new: NewPayment = body.read(currency)?;
    let answer =
        move |payment: &Payment| Kept::json(StatusCode::CREATED, [], &PaymentJson::new(payment, currency));
    actions::initiate(app, user, &new, request.as_ref(), answer).await
}

/// How an order's payment stands.
#[derive(Serialize, ToSchema)]
pub(super) struct PaymentState {
    order_id: i64,
    /// What is paid of the order; the attempt's own state is in `payment`.
    payment_status: PaymentStatus,
    /// The latest attempt; null when there was none.
    payment: Option<PaymentJson>,
    /// All else of it, for who looks for it beside the order's state. The document says it in words: a field that is there
    /// or not, by whether there was an attempt, cannot be said well in a schema.
    #[serde(flatten)]
    #[schema(ignore)]
    latest: Option<Attempt>,
    /// What went back, or is about to.
    refunds: Vec<RefundJson>,
    /// The attempts that a person must look at; absent for everybody but administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    attention: Option<Vec<Attention>>,
}

/// An attempt that a person must look at.
#[derive(Serialize, ToSchema)]
struct Attention {
    /// The attempt.
    payment_id: i64,
    /// Why.
    reason: String,
    /// What the shop has got for it, as far as it is known: what was paid, or what came in and was not asked for.
    #[schema(example = "12.49")]
    received_amount: String,
    /// What that is in.
    received_currency: String,
    /// What of it can still go back.
    refundable_amount: String,
}

impl Attention {
    fn new(payment: &Payment, shop: Currency) -> Self {
        Self {
            payment_id: payment.id,
            reason: payment.attention.clone().unwrap_or_default(),
            received_amount: display(payment.got(), payment.got_in(), shop),
            received_currency: payment.got_in().to_owned(),
            refundable_amount: display(payment.left(), payment.got_in(), shop),
        }
    }
}

/// How the payment of an order stands
///
/// Of one's own; an admin sees any. `payment_status` is the order's, `payment` the latest attempt with its own
/// `payment_status`; where there was one, its other fields (`id`, `amount`, `currency`, `transaction_id`, …) stand beside
/// them as well. All of it is as of one moment.
#[utoipa::path(get, path = "/api/payment/{order_id}/status/", tag = "payments", security(("bearer" = [])),
    params(("order_id" = i64, Path)), responses(
    (status = 200, body = PaymentState),
    (status = "4XX", response = ProblemResponse)
))]
async fn status(State(app): State<App>, user: Customer, Id(order_id): Id) -> Result<Json<PaymentState>> {
    Ok(Json(state(&app, user, order_id).await?))
}

/// How the order's payment stands, in words for clients.
pub(super) async fn state(app: &App, user: Customer, order_id: i64) -> Result<PaymentState> {
    let shop = app.config.currency;
    let standing = actions::status(app, user, order_id).await?;
    let payment = standing.latest.map(|payment| PaymentJson::new(&payment, shop));
    let flagged = || standing.flagged.iter().map(|payment| Attention::new(payment, shop)).collect();
    Ok(PaymentState {
        order_id,
        payment_status: standing.payment_status,
        latest: payment.as_ref().map(|payment| payment.attempt.clone()),
        payment,
        refunds: standing.refunds.iter().map(|refund| RefundJson::new(refund, shop)).collect(),
        attention: user.admin().map(|_| flagged()),
    })
}

/// What an administrator says of a refund.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewRefund` reads")]
#[schema(as = NewRefund)]
struct NewRefundBody {
    /// At most what was paid and has not gone back; all of that when absent. M-Pesa moves no cents.
    #[schema(example = "12.50", required = false)]
    amount: String,
}

/// A refund, and what it makes of its order.
#[derive(Serialize, ToSchema)]
struct RefundMade {
    #[serde(flatten)]
    refund: RefundJson,
    /// What is paid of the order now; a refund counts once it has gone out.
    payment_status: PaymentStatus,
}

/// Send money back
///
/// Whole (without a body, too) or in part, never more than was paid. The amount is kept for it before the gateway is asked; when the answer
/// takes long, the refund is `processing` or `unknown` and looked after until it has ended.
///
/// Money that came in otherwise than it was asked for (`attention` in the status) pays no order. It goes back by itself
/// once the order is cancelled or paid, and by this before: all that was received, in what it was received in, and the
/// order can be paid anew.
#[utoipa::path(post, path = "/api/payment/{order_id}/refund/", tag = "payments", security(("bearer" = [])),
    request_body = NewRefundBody,
    params(("order_id" = i64, Path), ("Idempotency-Key" = Option<String>, Header,
        description = "The same key and body again is answered as at first, for seven days", max_length = 255)),
    responses(
    (status = 201, body = RefundMade, headers(("Idempotency-Replayed" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn refund(
    State(app): State<App>,
    admin: Admin,
    Id(order_id): Id,
    key: IdempotencyKey,
    body: Option<Body<Unread>>,
) -> Result<Response> {
    let body = body.map(|Body(body)| body).unwrap_or_default();
    let request = key.request_of(admin.user_id(), "POST /api/payment/{order_id}/refund/", order_id, &body);
    let shop = app.config.currency;
    let new: NewRefund = body.read(shop)?;
    let answer = move |refund: &Refund, payment_status: PaymentStatus| {
        let refund = RefundJson::new(refund, shop);
        Kept::json(StatusCode::CREATED, [], &RefundMade { refund, payment_status })
    };
    let answered = actions::refund::refund(&app, admin, order_id, &new, request.as_ref(), answer);
    Ok(answered.await?.into_response())
}

/// What an administrator has found out about a refund.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `RefundEnd` reads")]
#[schema(as = RefundEnd)]
struct RefundEndBody {
    #[schema(inline)]
    status: Ended,
}

/// Whether the buyer has the money, or the shop has kept it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `RefundEnd` reads")]
#[schema(rename_all = "lowercase")]
enum Ended {
    Succeeded,
    Failed,
}

/// Say how a refund ended
///
/// For one that is `manual`, since no gateway can do it, or none has told its end (M-Pesa's result is waited for for five
/// minutes): somebody has looked at the gateway, or sent the money by hand. What the gateway tells later still counts.
#[utoipa::path(patch, path = "/api/payment/{order_id}/refund/{id}/", tag = "payments", security(("bearer" = [])),
    request_body = RefundEndBody,
    params(("order_id" = i64, Path), ("id" = i64, Path)),
    responses(
    (status = 200, body = RefundMade),
    (status = "4XX", response = ProblemResponse)
))]
async fn close_refund(
    State(app): State<App>,
    admin: Admin,
    Ids(order_id, id): Ids,
    Body(body): Body<Unread>,
) -> Result<Json<RefundMade>> {
    let shop = app.config.currency;
    let end: RefundEnd = body.read(shop)?;
    let (refund, payment_status) = actions::refund::close(&app, admin, order_id, id, end.has_gone).await?;
    Ok(Json(RefundMade { refund: RefundJson::new(&refund, shop), payment_status }))
}
