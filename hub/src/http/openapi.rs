//! The description of the REST API (OpenAPI 3.1), made of the same declarations as its routes.

use super::Api;
use super::error::ErrorBody;
use super::{accounts, health, members, messages, metrics, rooms};
use axum::Router;
use axum::http::header;
use axum::routing::get;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hubbub",
        description = "The REST API of Hubbub, the chat hub. Events come over the WebSocket at `/ws`, see PROTOCOL.md.\n\n\
            Every error has a JSON body `{\"error\": {\"code\", \"message\", \"field\"?, \"retry_after_ms\"?}}`.",
    ),
    components(schemas(ErrorBody)),
    security(("access_token" = [])),
    tags(
        (name = "accounts", description = "Registering, signing in and out"),
        (name = "rooms", description = "Finding, making, joining and leaving rooms"),
        (name = "members", description = "Who is in a room, and what they may do"),
        (name = "messages", description = "Reading and writing"),
        (name = "node", description = "How the node is"),
    ),
    modifiers(&AccessToken),
)]
struct Description;

struct AccessToken;

impl Modify for AccessToken {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("The `access_token` of `/api/login`."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("access_token", SecurityScheme::Http(scheme));
    }
}

/// All routes with their descriptions.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(accounts::routes())
        .merge(rooms::routes())
        .merge(members::routes())
        .merge(messages::routes())
        .merge(health::routes())
        .merge(metrics::routes())
}

/// The description.
#[must_use]
pub fn document() -> openapi::OpenApi {
    routes().into_openapi()
}

/// Serves the description.
pub(super) fn serve(document: openapi::OpenApi) -> Router<Arc<Api>> {
    let text: Bytes = document.to_pretty_json().expect("the description has text keys").into();
    let answer = move || {
        let text = text.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    Router::new().route("/api/openapi.json", get(answer))
}

/// How requests without an access token are refused.
pub(super) struct AnonymousRefusals;

/// How requests with an access token are refused.
pub(super) struct Refusals;

impl IntoResponses for AnonymousRefusals {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        refusals(&[
            ("400", "The body, or one of its fields, is not allowed"),
            ("413", "The body, or one of its fields, is too large"),
            ("415", "The body is not declared as JSON"),
            ("429", "Too many requests; `Retry-After` says when to try again"),
            ("503", "Temporarily unavailable; `Retry-After` says when to try again"),
        ])
    }
}

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let mut responses = AnonymousRefusals::responses();
        responses.extend(refusals(&[
            ("401", "No access token, or one that is not valid any more"),
            ("403", "The user may not do this"),
            ("404", "No such thing, or not for this user"),
            ("409", "The state does not allow it"),
            ("500", "A defect of the node; it is in its log"),
        ]));
        responses
    }
}

fn refusals(list: &[(&str, &str)]) -> BTreeMap<String, RefOr<openapi::Response>> {
    let refusal = |description: &str| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ErrorBody::name()))).build();
        ResponseBuilder::new().description(description).content("application/json", content).build()
    };
    list.iter().map(|(status, description)| ((*status).to_owned(), refusal(description).into())).collect()
}
