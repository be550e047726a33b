//! What the OpenAPI document says of all routes alike.

use std::collections::HashMap;

use axum::http::Method;
use utoipa::{
    PartialSchema, ToResponse, ToSchema,
    openapi::{
        Components, ComponentsBuilder, ContentBuilder, Object, OpenApi, Ref, RefOr, Response,
        ResponseBuilder, Schema,
        path::ParameterIn,
        schema::{
            AdditionalProperties, AnyOfBuilder, ArrayBuilder, ArrayItems, ObjectBuilder, SchemaType, Type,
        },
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{
    attributes,
    error::{Fault, Problem},
};

/// The one shape of every error, for the `responses` of a route.
pub struct ProblemResponse;

impl<'r> ToResponse<'r> for ProblemResponse {
    fn response() -> (&'r str, RefOr<Response>) {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description("What is wrong and what to do (RFC 9457)")
            .content("application/problem+json", problem)
            .build();
        ("Problem", response.into())
    }
}

/// One of the events of a job's progress, as it stands in the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `job` writes")]
pub struct JobEvent {
    /// The job as JSON.
    data: String,
}

/// The bearer token, and the one shape of every error.
pub fn components() -> Components {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let (name, response) = ProblemResponse::response();
    ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .schema(Problem::name(), Problem::schema())
        .schema(Fault::name(), Fault::schema())
        .response(name, response)
        .build()
}

/// The methods of each path, and whether they have query parameters.
pub type QueryPaths = HashMap<String, HashMap<Method, bool>>;

/// Which routes have query parameters; the others refuse them.
pub fn paths_with_query(document: &OpenApi) -> QueryPaths {
    let mut found = QueryPaths::new();
    for (path, item) in &document.paths.paths {
        let operations = [
            (&item.get, Method::GET),
            (&item.post, Method::POST),
            (&item.patch, Method::PATCH),
            (&item.put, Method::PUT),
            (&item.delete, Method::DELETE),
        ];
        let methods = operations.into_iter().filter_map(|(operation, method)| {
            let mut parameters = operation.as_ref()?.parameters.iter().flatten();
            let has_query = parameters.any(|parameter| match parameter {
                RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
                RefOr::Ref(_) => true,
            });
            Some((method, has_query))
        });
        found.insert(path.clone(), methods.collect());
    }
    found
}

/// Names every operation after its feature and what it does there, such as `product_list`: generated clients call
/// their methods so, and each name must be the only one.
pub fn name_operations(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let mut parts = path.split('/').filter(|part| !matches!(*part, "" | "api" | "admin"));
        let feature = parts.next().unwrap_or_default().replace('-', "_");
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let does = operation.operation_id.take().unwrap_or_default();
            operation.operation_id = Some(format!("{feature}_{does}"));
        }
    }
}

/// The fields of request bodies that may be null.
const NULLABLE: [&str; 10] = [
    "brand",
    "discount_code",
    "end_date",
    "expected_total",
    "image_url",
    "maximum_discount",
    "minimum_purchase",
    "parent_id",
    "usage_limit",
    "usage_limit_per_user",
];

/// Says of every request body that it has no other fields than those named, and which of them may be null:
/// nothing sent is ignored.
pub fn close_request_bodies(document: &mut OpenApi) {
    let operations = document.paths.paths.values().flat_map(|item| [&item.post, &item.put, &item.patch]);
    let bodies = operations.flatten().filter_map(|operation| match operation.request_body.as_ref()? {
        RefOr::T(body) => Some(body),
        RefOr::Ref(_) => None,
    });
    let schemas = bodies.flat_map(|body| body.content.values()).filter_map(|content| match content {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    });
    let mut names: Vec<String> = schemas.filter_map(referenced).collect();
    let Some(components) = &mut document.components else { return };
    while let Some(name) = names.pop() {
        match components.schemas.get_mut(&name) {
            Some(RefOr::T(Schema::Object(object))) => close(object, &mut names),
            Some(RefOr::T(Schema::OneOf(alternatives))) => {
                for alternative in &mut alternatives.items {
                    if let RefOr::T(Schema::Object(object)) = alternative {
                        close(object, &mut names);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Closes one object; those that its properties refer to are still to be closed.
fn close(object: &mut Object, names: &mut Vec<String>) {
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    for (name, property) in &mut object.properties {
        if !NULLABLE.contains(&name.as_str()) {
            refuse_null(property);
        }
        if let RefOr::T(schema) = property {
            bound_id(name, schema);
            shape(name, schema);
        }
    }
    names.extend(object.properties.values().filter_map(|property| match property {
        RefOr::T(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(items) => referenced(items),
            ArrayItems::False => None,
        },
        property => referenced(property),
    }));
}

/// An optional field may be absent; that does not make it null.
fn refuse_null(property: &mut RefOr<Schema>) {
    let schema_type = match property {
        RefOr::T(Schema::OneOf(alternatives)) => return alternatives.items.retain(|one| !is_null(one)),
        RefOr::T(Schema::Object(object)) => &mut object.schema_type,
        RefOr::T(Schema::Array(array)) => &mut array.schema_type,
        _ => return,
    };
    if let SchemaType::Array(types) = schema_type {
        types.retain(|of| *of != Type::Null);
        if let [only] = types.as_slice() {
            *schema_type = SchemaType::Type(only.clone());
        }
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

/// Ids are numbers from 1.
fn bound_id(name: &str, schema: &mut Schema) {
    match schema {
        Schema::Object(object) if name.ends_with("_id") && object.minimum.is_none() && is_integer(object) => {
            object.minimum = Some(1.into());
        }
        Schema::Array(array) if name.ends_with("_ids") => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items
                && let RefOr::T(Schema::Object(object)) = items.as_mut()
            {
                object.minimum = Some(1.into());
            }
        }
        _ => {}
    }
}

const AMOUNT: &str = r"^[0-9]{1,10}(\.[0-9]{1,2})?$";
const SORT: &str = "^-?(relevance|price|name|date_added|rating|popularity)(,-?(relevance|price|name|date_added|rating|popularity))*$";
/// What stands behind `attr.` may hold commas, and other facets behind them.
const FACETS: &str = r"^(none|((category|brand|price|availability|rating),)*(category|brand|price|availability|rating|attr\..+))$";
const ATTRIBUTE_PARAMETER: &str = r"^attr\..*\S";
/// Empty is none.
const TELEPHONE: &str = r"^(([-+(). ]*[0-9]){5}[-+(). 0-9]*)?$";
const VERSION: &str = "^[0-9]{1,18}:[0-9]{1,18}$";
/// What texts of a name look like wherever they stand.
const SHAPES: [(&str, &str); 16] = [
    ("Content-Encoding", "^(gzip|x-gzip|identity)$"),
    ("Idempotency-Key", "^[!-~]+$"),
    ("X-Catalog-Min-Version", VERSION),
    ("amount", AMOUNT),
    ("discount_value", AMOUNT),
    ("expected_total", AMOUNT),
    ("facets", FACETS),
    ("maximum_discount", AMOUNT),
    ("min_version", VERSION),
    ("minimum_purchase", AMOUNT),
    ("ordering", SORT),
    ("phone", TELEPHONE),
    ("price", AMOUNT),
    ("price_max", AMOUNT),
    ("price_min", AMOUNT),
    ("sort", SORT),
];
/// Lists whose texts have a length.
const WORDS: [&str; 3] = ["phrases", "stop_words", "to"];
const WORD_CHARACTERS: usize = 200;

/// Says what a text looks like, and how long those in a list are, where its name tells.
fn shape(name: &str, schema: &mut Schema) {
    match schema {
        Schema::Object(object)
            if name == "attributes" && object.schema_type == SchemaType::Type(Type::Object) =>
        {
            describe_attributes(object);
        }
        Schema::Object(object) if name == "attr" => {
            let name =
                ObjectBuilder::new().schema_type(Type::String).pattern(Some(ATTRIBUTE_PARAMETER)).build();
            object.property_names = Some(Box::new(Schema::Object(name)));
        }
        // What is not wanted is left out.
        Schema::Object(object) if name == "on_sale" => object.enum_values = Some(vec![true.into()]),
        Schema::Object(object) if object.pattern.is_none() => {
            object.pattern =
                SHAPES.iter().find(|(known, _)| *known == name).map(|(_, pattern)| (*pattern).to_owned());
        }
        Schema::Array(array) if WORDS.contains(&name) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items
                && let RefOr::T(Schema::Object(object)) = items.as_mut()
            {
                (object.min_length, object.max_length) = (Some(1), Some(WORD_CHARACTERS));
            }
        }
        _ => {}
    }
}

/// What [`attributes`] may be.
fn describe_attributes(object: &mut Object) {
    let text =
        ObjectBuilder::new().schema_type(Type::String).max_length(Some(attributes::TEXT_LENGTH)).build();
    let values = AnyOfBuilder::new()
        .item(Schema::Object(text.clone()))
        .item(ObjectBuilder::new().schema_type(Type::Number))
        .item(ObjectBuilder::new().schema_type(Type::Boolean))
        .item(ArrayBuilder::new().items(text));
    let name = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    let name = name.max_length(Some(attributes::NAME_LENGTH)).build();
    object.property_names = Some(Box::new(Schema::Object(name)));
    object.additional_properties = Some(Box::new(AdditionalProperties::RefOr(values.into())));
    object.max_properties = Some(attributes::MOST);
}

fn is_integer(object: &Object) -> bool {
    match &object.schema_type {
        SchemaType::Type(of) => *of == Type::Integer,
        SchemaType::Array(types) => types.contains(&Type::Integer),
        SchemaType::AnyValue => false,
    }
}

/// What all operations have in common: parameters look as fields of their names do, and any request may come when the server
/// has no room for it.
pub fn tell_what_is_common(document: &mut OpenApi) {
    let operations =
        document.paths.paths.values_mut().flat_map(|item| {
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
        });
    for operation in operations.flatten() {
        for parameter in operation.parameters.iter_mut().flatten() {
            let RefOr::T(parameter) = parameter else { continue };
            let Some(schema) = &mut parameter.schema else { continue };
            match parameter.parameter_in {
                // A header is there or not, and has no null.
                ParameterIn::Header => refuse_null(schema),
                ParameterIn::Query | ParameterIn::QueryString => {}
                ParameterIn::Path | ParameterIn::Cookie => continue,
            }
            if let RefOr::T(schema) = schema {
                bound_id(&parameter.name, schema);
                shape(&parameter.name, schema);
            }
        }
        let busy = RefOr::Ref(Ref::from_response_name("Problem"));
        operation.responses.responses.entry("503".to_owned()).or_insert(busy);
    }
}

fn referenced(schema: &RefOr<Schema>) -> Option<String> {
    match schema {
        RefOr::Ref(reference) => reference.ref_location.rsplit('/').next().map(ToOwned::to_owned),
        RefOr::T(_) => None,
    }
}
