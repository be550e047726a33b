//! What a discount is, and what may be written of one.

use serde::Serialize;
use serde_json::Value;
use time::{OffsetDateTime, macros::datetime};

use crate::{
    body::{Fields, Form, Refusal, amount, boolean, decimal, id, instant, integer, line, long},
    error::Fault,
    money::{Amount, Currency},
    page::Place,
    params::{self, Params, QueryForm},
    pricing::DiscountType,
};

/// Products that one request may name: as many as a body holds.
const MOST_PRODUCTS: usize = 10_000;
/// The largest limit of uses.
const MOST_USES: i64 = i32::MAX as i64;
/// A hundred per cent.
const WHOLE: i64 = 10_000;

/// How a discount comes to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Activation {
    /// Given on the cart.
    Code,
    /// By itself, on each linked product.
    Automatic,
}

impl Activation {
    /// The word that the database and clients use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Automatic => "automatic",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Code, Self::Automatic].into_iter().find(|activation| activation.as_str() == text)
    }
}

/// What an administrator says of a discount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Unique without regard to case.
    pub code: String,
    /// May be empty.
    pub description: String,
    /// What the value is of.
    pub discount_type: DiscountType,
    /// Above zero: per cent, at most 100, or an amount of money.
    pub discount_value: Amount,
    /// A code's: the subtotal that a cart must reach. An automatic one's: the own price that a variant must.
    pub minimum_purchase: Option<Amount>,
    /// The most that it takes off; above zero.
    pub maximum_discount: Option<Amount>,
    /// The first instant at which it holds.
    pub start_date: OffsetDateTime,
    /// The first instant at which it holds no more.
    pub end_date: Option<OffsetDateTime>,
    /// Whether it holds at all.
    pub is_active: bool,
    /// How it comes to be used.
    pub activation: Activation,
    /// Orders that may use the code.
    pub usage_limit: Option<i32>,
    /// Orders of one user that may.
    pub usage_limit_per_user: Option<i32>,
}

/// A discount.
#[derive(Clone, Debug)]
pub struct Discount {
    /// The row's id.
    pub id: i64,
    /// What was said of it.
    pub terms: Terms,
    /// Orders that use it, cancelled ones taken back.
    pub times_used: i32,
    /// The live products that it is linked to, ascending.
    pub product_ids: Vec<i64>,
}

/// What changes of a discount; `None` stays as it is. See [`Terms`].
#[derive(Debug, Default)]
pub struct DiscountChanges {
    code: Option<String>,
    description: Option<String>,
    discount_type: Option<DiscountType>,
    discount_value: Option<Amount>,
    minimum_purchase: Option<Option<Amount>>,
    maximum_discount: Option<Option<Amount>>,
    start_date: Option<OffsetDateTime>,
    end_date: Option<Option<OffsetDateTime>>,
    is_active: Option<bool>,
    activation: Option<Activation>,
    usage_limit: Option<Option<i32>>,
    usage_limit_per_user: Option<Option<i32>>,
    /// All of them: the ones not named go.
    pub product_ids: Option<Vec<i64>>,
}

impl Form for DiscountChanges {
    fn read(fields: &mut Fields) -> Self {
        let currency = fields.currency();
        Self {
            code: fields.optional("code", line(1..=64)),
            description: fields.optional("description", long(2000)),
            discount_type: fields.optional("discount_type", discount_type),
            // As fine as a percentage may be; whether it fits the currency, the type decides.
            discount_value: fields.optional("discount_value", positive(decimal(2))),
            minimum_purchase: fields.nullable("minimum_purchase", amount(currency)),
            maximum_discount: fields.nullable("maximum_discount", positive(amount(currency))),
            start_date: fields.optional("start_date", instant),
            end_date: fields.nullable("end_date", instant),
            is_active: fields.optional("is_active", boolean),
            activation: fields.optional("activation", activation),
            usage_limit: fields.nullable("usage_limit", uses),
            usage_limit_per_user: fields.nullable("usage_limit_per_user", uses),
            product_ids: fields.list("product_ids", MOST_PRODUCTS, id),
        }
    }
}

impl DiscountChanges {
    /// The terms with these changes, unless they contradict each other then: one fault for each field.
    ///
    /// # Errors
    /// The faults.
    pub fn onto(&self, before: Terms, currency: Currency) -> Result<Terms, Vec<Fault>> {
        let terms = self.over(before);
        let faults: Vec<Fault> = self
            .contradictions(&terms, currency)
            .into_iter()
            .map(|(name, code, detail)| Fault::field(format!("/{name}"), code, detail))
            .collect();
        if faults.is_empty() { Ok(terms) } else { Err(faults) }
    }

    fn over(&self, before: Terms) -> Terms {
        Terms {
            code: self.code.clone().unwrap_or(before.code),
            description: self.description.clone().unwrap_or(before.description),
            discount_type: self.discount_type.unwrap_or(before.discount_type),
            discount_value: self.discount_value.unwrap_or(before.discount_value),
            minimum_purchase: self.minimum_purchase.unwrap_or(before.minimum_purchase),
            maximum_discount: self.maximum_discount.unwrap_or(before.maximum_discount),
            start_date: self.start_date.unwrap_or(before.start_date),
            end_date: self.end_date.unwrap_or(before.end_date),
            is_active: self.is_active.unwrap_or(before.is_active),
            activation: self.activation.unwrap_or(before.activation),
            usage_limit: self.usage_limit.unwrap_or(before.usage_limit),
            usage_limit_per_user: self.usage_limit_per_user.unwrap_or(before.usage_limit_per_user),
        }
    }

    /// The field at fault, the code and the sentence of whatever cannot be together in `terms`.
    fn contradictions(&self, terms: &Terms, currency: Currency) -> Vec<(&'static str, &'static str, String)> {
        let mut found = Vec::new();
        let value = terms.discount_value.hundredths();
        match terms.discount_type {
            DiscountType::Percentage if value > WHOLE => {
                found.push(("discount_value", "range", "is above 100, for a percentage".to_owned()));
            }
            DiscountType::Fixed if value % currency.unit() != 0 => {
                let detail =
                    format!("has more than {} decimals, for an amount of money", currency.decimals());
                found.push(("discount_value", "range", detail));
            }
            _ => {}
        }
        if terms.end_date.is_some_and(|end| end <= terms.start_date) {
            // Of two fields that do not go together, one that was sent is at fault.
            let late = self.start_date.is_some() && self.end_date.is_none();
            let detail = "leaves no time: `end_date` must be after `start_date`".to_owned();
            found.push((if late { "start_date" } else { "end_date" }, "contradiction", detail));
        }
        let limits =
            [("usage_limit", terms.usage_limit), ("usage_limit_per_user", terms.usage_limit_per_user)];
        for (name, limit) in limits {
            if terms.activation == Activation::Automatic && limit.is_some() {
                let detail = "must be null for an automatic discount: it limits the uses of a code";
                found.push((name, "contradiction", detail.to_owned()));
            }
        }
        found
    }
}

/// A discount to be made.
#[derive(Debug)]
pub struct NewDiscount(DiscountChanges);

impl Form for NewDiscount {
    fn read(fields: &mut Fields) -> Self {
        let currency = fields.currency();
        for name in ["code", "discount_type", "discount_value"] {
            fields.demand(name);
        }
        let said = DiscountChanges::read(fields);
        // A start that is not said is the present, which is unknown here: nothing is before it yet.
        let terms = said.over(blank(datetime!(0001-01-01 00:00 UTC)));
        // Without a type the value means nothing yet.
        if said.discount_type.is_some() {
            for (name, code, detail) in said.contradictions(&terms, currency) {
                fields.fault(name, code, detail);
            }
        }
        Self(said)
    }
}

impl NewDiscount {
    /// The terms, which hold from `now` on where they do not say when.
    ///
    /// # Errors
    /// The faults, as [`DiscountChanges::onto`].
    pub fn terms(&self, now: OffsetDateTime, currency: Currency) -> Result<Terms, Vec<Fault>> {
        self.0.onto(blank(now), currency)
    }

    /// The products that it is for.
    pub fn product_ids(&self) -> &[i64] {
        self.0.product_ids.as_deref().unwrap_or_default()
    }
}

/// What a new discount is where it does not say otherwise; what it must say is written over.
fn blank(start_date: OffsetDateTime) -> Terms {
    Terms {
        code: String::new(),
        description: String::new(),
        discount_type: DiscountType::Fixed,
        discount_value: Amount::ZERO,
        minimum_purchase: None,
        maximum_discount: None,
        start_date,
        end_date: None,
        is_active: true,
        activation: Activation::Code,
        usage_limit: None,
        usage_limit_per_user: None,
    }
}

/// Products to be linked.
#[derive(Debug)]
pub struct ProductLinks(pub Vec<i64>);

impl Form for ProductLinks {
    fn read(fields: &mut Fields) -> Self {
        fields.demand("product_ids");
        Self(fields.list("product_ids", MOST_PRODUCTS, id).unwrap_or_default())
    }
}

/// Which discounts are listed. Serialises as what it filters.
#[derive(Debug, Default, Serialize)]
pub struct DiscountFilter {
    /// With this code, without regard to case.
    pub code: Option<String>,
    /// Active, or not.
    pub is_active: Option<bool>,
    /// Used so.
    pub activation: Option<Activation>,
    /// Linked to this product.
    pub product_id: Option<i64>,
    /// Which page of them.
    #[serde(skip)]
    pub place: Place,
}

impl QueryForm for DiscountFilter {
    fn read(params: &mut Params) -> Self {
        let activation = |text: &str| Activation::parse(text).ok_or("must be code or automatic");
        Self {
            code: params.one("code"),
            is_active: params.parsed("is_active", params::boolean),
            activation: params.parsed("activation", activation),
            product_id: params.parsed("product_id", params::integer(1, i64::MAX)),
            place: Place::read(params),
        }
    }
}

fn discount_type(value: Value) -> Result<DiscountType, Refusal> {
    let known = value.as_str().and_then(DiscountType::parse);
    known.ok_or_else(|| ("value", "must be \"percentage\" or \"fixed\"".into()))
}

fn activation(value: Value) -> Result<Activation, Refusal> {
    let known = value.as_str().and_then(Activation::parse);
    known.ok_or_else(|| ("value", "must be \"code\" or \"automatic\"".into()))
}

fn positive(
    rule: impl FnOnce(Value) -> Result<Amount, Refusal>,
) -> impl FnOnce(Value) -> Result<Amount, Refusal> {
    move |value| {
        let amount = rule(value)?;
        if amount > Amount::ZERO { Ok(amount) } else { Err(("range", "must be above zero".into())) }
    }
}

fn uses(value: Value) -> Result<i32, Refusal> {
    integer(1..=MOST_USES)(value).map(|uses| i32::try_from(uses).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::body::read;

    fn new(body: Value, currency: &str) -> crate::error::Result<NewDiscount> {
        read(body, currency.parse().unwrap())
    }

    fn faults(error: impl std::fmt::Display) -> Vec<String> {
        let lines = error.to_string();
        let lines = lines.lines().skip(1).filter_map(|line| line.trim().split_once(": "));
        lines.map(|(pointer, _)| pointer.to_owned()).collect()
    }

    #[test]
    fn what_contradicts_itself_is_refused_at_once() {
        let body = json!({
            "code": "X", "discount_type": "percentage", "discount_value": "100.01", "activation": "automatic",
            "usage_limit": 3, "start_date": "2026-01-02T00:00:00Z", "end_date": "2026-01-02T00:00:00Z",
        });
        assert_eq!(faults(new(body, "USD").unwrap_err()), ["/discount_value", "/end_date", "/usage_limit"]);
        assert_eq!(
            faults(new(json!({}), "USD").unwrap_err()),
            ["/code", "/discount_type", "/discount_value"]
        );
    }

    #[test]
    fn a_percentage_has_decimals_in_every_currency_and_money_the_currency_s() {
        let of = |discount_type: &str, value: &str| {
            new(json!({"code": "X", "discount_type": discount_type, "discount_value": value}), "JPY")
        };
        assert!(of("percentage", "12.5").is_ok());
        assert!(of("fixed", "100").is_ok());
        assert_eq!(faults(of("fixed", "12.5").unwrap_err()), ["/discount_value"]);
    }

    #[test]
    fn a_change_is_held_against_what_stays() {
        let usd = "USD".parse().unwrap();
        let noon = datetime!(2026-01-01 12:00 UTC);
        let body = json!({"code": "X", "discount_type": "fixed", "discount_value": "150"});
        let terms = new(body, "USD").unwrap().terms(noon, usd).unwrap();
        assert_eq!((terms.start_date, terms.activation), (noon, Activation::Code));
        let change = |body: Value, before: &Terms| {
            read::<DiscountChanges>(body, usd).unwrap().onto(before.clone(), usd)
        };
        let pointer = |faults: Vec<Fault>| faults[0].pointer.clone().unwrap();
        let refused = change(json!({"discount_type": "percentage"}), &terms).unwrap_err();
        assert_eq!(pointer(refused), "/discount_value");
        let refused = change(json!({"end_date": "2026-01-01T12:00:00Z"}), &terms).unwrap_err();
        assert_eq!(pointer(refused), "/end_date");
        let ending = change(json!({"end_date": "2026-01-01T12:00:00.000001Z"}), &terms).unwrap();
        let refused = change(json!({"start_date": "2026-01-01T12:00:00.000001Z"}), &ending).unwrap_err();
        assert_eq!(pointer(refused), "/start_date");
        assert_eq!(change(json!({"end_date": null}), &ending).unwrap(), terms);
    }
}
