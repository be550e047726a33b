//! Arguments, read as what REST reads: bodies as forms, filters as query parameters.

use async_graphql::{Context, InputType, Name, Value, parser::types::VariableDefinition};
use async_graphql_value::Value as Given;
use serde_json::Map;

use super::app;
use crate::{
    body::{self, Form},
    error::{Error, Fault, Result},
    params::{self, QueryForm},
    text::{Shape, clean},
};

/// Names whose values are taken as they are: their own names are the client's.
const OPAQUE: &str = "attributes";

/// Reads an argument as the body of REST's request. Whatever is not sent is absent, and null is null.
///
/// # Errors
/// 422 with an entry for every fault.
pub fn form<F: Form>(ctx: &Context<'_>, name: &str, typed: &impl InputType) -> Result<F> {
    let given = ctx.item.node.get_argument(name).and_then(|given| known(ctx, &given.node));
    let json = json(typed.to_value(), given.as_ref().unwrap_or(&Value::Null));
    body::read(json, app(ctx)?.config.currency)
}

/// The value as it was sent, without the variables that were not.
fn known(ctx: &Context<'_>, given: &Given) -> Option<Value> {
    match given {
        Given::Variable(name) => variable(ctx, name),
        Given::Object(fields) => {
            let fields = fields.iter().filter_map(|(name, value)| Some((name.clone(), known(ctx, value)?)));
            Some(Value::Object(fields.collect()))
        }
        Given::List(items) => {
            Some(Value::List(items.iter().map(|item| known(ctx, item).unwrap_or_default()).collect()))
        }
        plain => plain.clone().into_const(),
    }
}

fn variable(ctx: &Context<'_>, name: &Name) -> Option<Value> {
    let sent = ctx.query_env.variables.get(name).cloned();
    sent.or_else(|| {
        let mut defined = ctx.query_env.operation.node.variable_definitions.iter().map(|one| &one.node);
        let VariableDefinition { default_value, .. } = defined.find(|one| one.name.node == *name)?;
        Some(default_value.as_ref()?.node.clone())
    })
}

/// The typed value as JSON, in REST's words, as far as it was sent.
fn json(typed: Value, given: &Value) -> serde_json::Value {
    match (typed, given) {
        (Value::Object(typed), Value::Object(given)) => {
            let mut fields = Map::new();
            for (name, value) in typed {
                let Some(given) = given.get(&name) else { continue };
                let value = if name == OPAQUE { plain(value) } else { json(value, given) };
                fields.insert(snake(&name), value);
            }
            serde_json::Value::Object(fields)
        }
        (Value::List(typed), Value::List(given)) => {
            typed.into_iter().zip(given).map(|(typed, given)| json(typed, given)).collect()
        }
        // One value stands for a list of one.
        (Value::List(typed), given) => typed.into_iter().map(|typed| json(typed, given)).collect(),
        (Value::Enum(word), _) => word.to_lowercase().into(),
        (typed, _) => plain(typed),
    }
}

fn plain(value: Value) -> serde_json::Value {
    value.into_json().unwrap_or_default()
}

/// `priceMin` is `price_min` in REST.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// Arguments as query parameters.
#[derive(Debug, Default)]
pub struct Arguments(Vec<(String, String)>);

impl Arguments {
    /// Where a page begins, and how many rows it has.
    pub fn page(first: Option<i32>, after: Option<String>) -> Self {
        Self::default().with("page_size", first).with("cursor", after)
    }

    /// One more, if it was sent. `name` is REST's.
    pub fn with(self, name: &str, value: Option<impl ToString>) -> Self {
        self.with_all(name, value)
    }

    /// All of the values.
    pub fn with_all(mut self, name: &str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        self.0.extend(values.into_iter().map(|value| (name.to_owned(), value.to_string())));
        self
    }

    /// Reads them.
    ///
    /// # Errors
    /// 400 with an entry for every fault.
    pub fn read<T: QueryForm>(self) -> Result<T> {
        params::read_pairs(self.0)
    }

    /// The word of an enumeration, as REST writes it.
    ///
    /// # Errors
    /// None that a client can cause.
    pub fn word(value: Option<&impl InputType>) -> Result<Option<String>> {
        let word = |value: &_| match InputType::to_value(value) {
            Value::Enum(word) => Ok(word.to_lowercase()),
            other => Err(Error::internal(format!("{other} is no word"))),
        };
        value.map(word).transpose()
    }
}

/// A word that rows are looked up by, cleaned as REST's parameters are.
///
/// # Errors
/// 400 for characters that no text here has.
pub fn key(name: &str, given: &str) -> Result<String> {
    clean(given, Shape::Line)
        .map_err(|bad| Error::parameters(vec![Fault::parameter(name, "format", bad.to_string())]))
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    #[test]
    fn names_are_rest_s() {
        assert_eq!(snake("usageLimitPerUser"), "usage_limit_per_user");
        assert_eq!(snake("id"), "id");
    }

    #[test]
    fn what_was_not_sent_is_absent_and_null_is_null() {
        let typed = value!({"addressId": 7, "brand": null, "imageUrl": null, "attributes": {"inkColour": {"aB": 1}},
                            "productIds": [1], "variants": [{"variantName": "x", "imageUrl": null}]});
        let given = value!({"addressId": "7", "brand": null, "attributes": {}, "productIds": "1",
                            "variants": [{"variantName": "x"}]});
        let expected = serde_json::json!({"address_id": 7, "brand": null, "attributes": {"inkColour": {"aB": 1}},
                                          "product_ids": [1], "variants": [{"variant_name": "x"}]});
        assert_eq!(json(typed, &given), expected);
        assert_eq!(json(Value::Enum(Name::new("CASH_ON_DELIVERY")), &Value::Null), "cash_on_delivery");
    }
}
