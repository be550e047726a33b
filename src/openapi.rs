//! What the OpenAPI document says of all routes alike.

use utoipa::{
    PartialSchema, ToResponse, ToSchema,
    openapi::{
        Components, ComponentsBuilder, ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder,
        Schema,
        schema::{AdditionalProperties, ArrayItems},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::error::{Fault, Problem};

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

/// Says of every request body that it has no other fields than those named: nothing sent is ignored.
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
        let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(&name) else { continue };
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        names.extend(object.properties.values().filter_map(|property| match property {
            RefOr::T(Schema::Array(array)) => match &array.items {
                ArrayItems::RefOrSchema(items) => referenced(items),
                ArrayItems::False => None,
            },
            property => referenced(property),
        }));
    }
}

fn referenced(schema: &RefOr<Schema>) -> Option<String> {
    match schema {
        RefOr::Ref(reference) => reference.ref_location.rsplit('/').next().map(ToOwned::to_owned),
        RefOr::T(_) => None,
    }
}
