//! The scalars of the schema that GraphQL does not have itself.

use std::{borrow::Cow, fmt};

use async_graphql::{
    ContextSelectionSet, ID, InputType, InputValueError, InputValueResult, OutputType, Positioned, Scalar,
    ScalarType, ServerResult, Value,
    parser::types::Field,
    registry::{MetaType, Registry},
};
use serde::Deserialize;

const ABOUT_IDS: &str =
    "The id of a row, REST's whole number as a string, such as `\"7\"`. A number is understood too.";

/// A row's id: GraphQL's `ID`, of which every one here is a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Id(pub i64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl InputType for Id {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <ID as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let id = match &value {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        id.filter(|id| *id > 0)
            .map(Self)
            .ok_or_else(|| InputValueError::custom("an id is a whole number from 1 on"))
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

impl OutputType for Id {
    fn type_name() -> Cow<'static, str> {
        <ID as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let name = <ID as OutputType>::create_type_info(registry);
        if let Some(MetaType::Scalar { description, .. }) =
            registry.types.get_mut(&*<Self as OutputType>::type_name())
        {
            *description = Some(ABOUT_IDS.to_owned());
        }
        name
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::String(self.to_string()))
    }
}

/// An exact decimal number as a string, such as `"12.50"`: money with the currency's decimals, or a percentage.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Decimal(pub String);

/// An exact decimal number as a string, such as `"12.50"`: money with as many decimals as the shop's currency has, or
/// a percentage with two. Never a floating-point number, which could not hold it.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, "a decimal number is sent as a string, such as \"12.50\"").map(Self)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instant of RFC 3339 in UTC, such as `"2026-11-22T10:00:00Z"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DateTime(String);

/// An instant of RFC 3339 as a string, such as `"2026-11-22T10:00:00Z"`. Those that are answered are in UTC and may
/// have fractions of a second; others are understood with their offset.
#[Scalar(name = "DateTime", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, "an instant is sent as a string, such as \"2026-11-22T10:00:00Z\"").map(Self)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A whole number that may not fit into GraphQL's `Int`, which has 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Long(i64);

/// A whole number with up to 64 bits, as a JSON number: for what may be beyond the 32 bits of `Int`, such as sums.
#[Scalar(name = "Long")]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::Number(number) => number.as_i64().map(Self),
            _ => None,
        }
        .ok_or_else(|| InputValueError::custom("a whole number with up to 64 bits is sent as a number"))
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

/// An object of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Json(serde_json::Value);

/// An object whose names are the shop's own: text, number, boolean or a list of texts by name.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

fn text<T>(value: Value, wrong: &str) -> Result<String, InputValueError<T>>
where
    T: InputType,
{
    match value {
        Value::String(text) => Ok(text),
        _ => Err(InputValueError::custom(wrong)),
    }
}
