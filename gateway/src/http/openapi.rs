//! The description of the HTTP API beside what its handlers say: what holds for all of them.

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};

use super::problem;

/// What there is before any handler.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Slipstream",
        description = "Queries and changes beside the WebSocket, which /schemas describes. Times are epoch milliseconds; what is \
                       absent is omitted, never null; ids are UUIDs. Lists come in pages: hand `nextCursor` back as `cursor`. \
                       JSON that is read has an ETag. Errors are problem details (RFC 9457) with a stable `code`.",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(schemas(problem::Body)),
    security(("session" = [])),
    modifiers(&SignedIn),
)]
struct Head;

struct SignedIn;

impl Modify for SignedIn {
    fn modify(&self, openapi: &mut OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A session's token, as POST /v1/sessions gives it; a service's own for that request.",
        ));
        if let Some(components) = &mut openapi.components {
            components.add_security_scheme("session", SecurityScheme::Http(scheme.build()));
        }
    }
}

/// What there is before any handler.
pub(super) fn head() -> OpenApi {
    Head::openapi()
}

/// The description as text. Whatever is not done is answered with a problem: also where no handler says so.
pub(super) fn text(openapi: &OpenApi) -> String {
    let mut openapi = openapi.clone();
    for item in openapi.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch]
            .into_iter()
            .flatten();
        for operation in operations {
            operation.responses.responses.insert("default".to_owned(), RefOr::T(problem_response()));
        }
    }
    let text = openapi.to_pretty_json().unwrap_or_default();
    text + "\n"
}

fn problem_response() -> Response {
    let schema = utoipa::openapi::Ref::from_schema_name("Problem");
    let content = Content::new(Some(RefOr::<utoipa::openapi::Schema>::Ref(schema)));
    ResponseBuilder::new()
        .description("why it was not done")
        .content("application/problem+json", content)
        .build()
}

/// `GET /openapi.json`.
pub(super) fn answer(text: &str) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], text.to_owned())
}
