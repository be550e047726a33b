//! A request to the graph, from its body to its answer.

use std::sync::Arc;

use async_graphql::{
    Name, PathSegment, Request, Response, ServerError, Variables,
    dataloader::{DataLoader, HashMapCache},
    parser::types::{ExecutableDocument, OperationType},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::IntoResponse,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Graph, limits};
use crate::{
    app::App,
    body::{Fields, Form, Refusal},
    category::graphql::Children,
    client::Client,
    error::{Error, Kind, Result},
    extract::Body,
    product::variant::graphql::Variants,
    resolver::Caller,
    review::graphql::Reviews,
};

/// Errors of one answer at most: a bomb that is refused is not answered with another.
const MOST_ERRORS: usize = 20;

/// What is sent: one operation, never a batch of them.
pub(super) struct Asked {
    query: String,
    variables: Map<String, Value>,
    operation: Option<String>,
}

impl Form for Asked {
    fn read(fields: &mut Fields) -> Self {
        let query = fields.required("query", text);
        let variables = fields.nullable("variables", object).flatten().unwrap_or_default();
        let operation = fields.nullable("operationName", text).flatten();
        // Clients send an empty one; there is no extension that would be understood.
        if fields.nullable("extensions", object).flatten().is_some_and(|extensions| !extensions.is_empty()) {
            fields.fault("extensions", "unknown", "must be empty: no extension is understood here");
        }
        Self { query, variables, operation }
    }
}

fn text(value: Value) -> std::result::Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(("type", "must be a string".to_owned())),
    }
}

fn object(value: Value) -> std::result::Result<Map<String, Value>, Refusal> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(("type", "must be a JSON object".to_owned())),
    }
}

/// Answers a request: 200 for whatever is one, its errors inside.
pub(super) async fn answer(
    graph: Graph,
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(asked): Body<Asked>,
) -> impl IntoResponse {
    let answered = match prepared(&app, client, headers, asked) {
        Ok(request) => graph.execute(request).await,
        Err(refused) => Response::from_errors(vec![refused]),
    };
    let mut sent = answered.http_headers.clone();
    sent.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (sent, Json(body(answered)))
}

/// The request, if it is within the limits.
fn prepared(app: &App, client: Client, headers: HeaderMap, asked: Asked) -> Result<Request, ServerError> {
    let variables = Variables::from_json(Value::Object(asked.variables));
    let document = limits::read(&asked.query, &variables)?;
    let is_mutation = is_mutation(&document, asked.operation.as_deref());
    let caller = Arc::new(Caller::new(app, client, headers, is_mutation));
    let mut request = Request::new(asked.query)
        .variables(variables)
        .data(DataLoader::with_cache(Children(app.clone()), tokio::spawn, HashMapCache::default()))
        .data(loader(Variants(app.clone(), Arc::clone(&caller))))
        .data(loader(Reviews(app.clone(), Arc::clone(&caller))))
        .data(caller);
    if let Some(name) = asked.operation {
        request = request.operation_name(name);
    }
    request.set_parsed_query(document);
    Ok(request)
}

fn loader<L>(loader: L) -> DataLoader<L, HashMapCache> {
    DataLoader::with_cache(loader, tokio::spawn, HashMapCache::default())
}

fn is_mutation(document: &ExecutableDocument, name: Option<&str>) -> bool {
    let mut operations = document.operations.iter();
    let meant = operations.find(|(known, _)| name.is_none() || known.map(Name::as_str) == name);
    meant.is_some_and(|(_, operation)| operation.node.ty == OperationType::Mutation)
}

/// What is sent. Of the data each field stands where it was asked for, which JSON of this program's own would sort.
#[derive(Serialize)]
struct Sent {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
    data: async_graphql::Value,
}

fn body(answered: Response) -> Sent {
    let Response { mut data, errors, .. } = answered;
    errors.iter().for_each(|error| tell_null(&mut data, &error.path));
    Sent { errors: errors.into_iter().take(MOST_ERRORS).map(told).collect(), data }
}

/// Puts null where a field failed: the library leaves it out, and a client that keeps what it reads takes a missing
/// field for one that it forgot to ask for (GraphQL, October 2021, 6.4.4).
fn tell_null(data: &mut async_graphql::Value, path: &[PathSegment]) {
    use async_graphql::Value::{List, Null, Object};

    let Some((last, way)) = path.split_last() else { return };
    let place = way.iter().try_fold(data, |place, step| match (place, step) {
        (Object(fields), PathSegment::Field(name)) => fields.get_mut(name.as_str()),
        (List(items), PathSegment::Index(index)) => items.get_mut(*index),
        _ => None,
    });
    if let (Some(Object(fields)), PathSegment::Field(name)) = (place, last) {
        fields.entry(Name::new(name)).or_insert(Null);
    }
}

/// An error in the words of REST's: its detail as the message, and its slug, status and faults in `extensions`.
fn told(error: ServerError) -> Value {
    let known = error.source::<Error>().cloned();
    // What the library refuses itself: a query that is none, or does not fit the schema.
    let ours = known.unwrap_or_else(|| Error::new(Kind::Malformed, error.message.clone()));
    let mut problem = serde_json::to_value(ours.into_problem()).unwrap_or_default();
    let mut extensions = Map::new();
    for (name, value) in problem.as_object_mut().map(std::mem::take).unwrap_or_default() {
        match (name.as_str(), value) {
            ("type", Value::String(kind)) => {
                extensions.insert("code".to_owned(), kind.trim_start_matches("/problems/").into());
            }
            ("errors", Value::Array(faults)) => {
                extensions.insert(name, faults.into_iter().map(named).collect());
            }
            ("title" | "instance", _) => {}
            (_, value) => {
                extensions.insert(name, value);
            }
        }
    }
    let message = message(&mut extensions);
    let mut told = json!({"message": message, "extensions": extensions});
    if !error.locations.is_empty() {
        told["locations"] = json!(error.locations);
    }
    if !error.path.is_empty() {
        told["path"] = json!(error.path);
    }
    told
}

/// The detail; of arguments, which REST calls query parameters, each by the name that it has here.
fn message(extensions: &mut Map<String, Value>) -> Value {
    let detail = extensions.remove("detail").unwrap_or_default();
    let faults = extensions.get("errors").and_then(Value::as_array).into_iter().flatten();
    let said: Vec<String> = faults
        .filter_map(|fault| {
            Some(format!("Argument `{}` {}.", fault["argument"].as_str()?, fault["detail"].as_str()?))
        })
        .collect();
    if said.is_empty() { detail } else { said.join(" ").into() }
}

/// A fault with the names of the graph.
fn named(mut fault: Value) -> Value {
    if let Some(pointer) = fault["pointer"].as_str() {
        fault["pointer"] = camel(pointer).into();
    }
    if let Some(parameter) = fault.as_object_mut().and_then(|fault| fault.remove("parameter")) {
        let name = match parameter.as_str().unwrap_or_default() {
            "page_size" => "first".to_owned(),
            "cursor" => "after".to_owned(),
            name => camel(name),
        };
        fault["argument"] = name.into();
    }
    fault
}

/// `price_min` is `priceMin` in the graph.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
