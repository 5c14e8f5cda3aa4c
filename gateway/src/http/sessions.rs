//! `/v1/sessions` and `/v1/tickets`: a service signs people in; people see and close their sessions, and get tickets for
//! sockets.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use slipstream_commands::ports::{IssuedTicket, LiveMessage, Subject};
use slipstream_commands::register_user;
use slipstream_domain::event::RegistrationVia;
use slipstream_domain::{EmailAddress, SessionId, UserId};
use utoipa::ToSchema;

use super::caller::{AuthenticatedUser, Known, Service};
use super::problem::Problem;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// A session's life when the service does not say, and the longest.
const DEFAULT_SECONDS: u32 = 30 * 24 * 60 * 60;
const MAX_SECONDS: u32 = 366 * 24 * 60 * 60;
/// A ticket's life, as the port has it.
const TICKET_MS: u64 = 30_000;

/// Who is to be signed in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SignIn)]
pub(super) struct SignIn {
    email: String,
    #[schema(nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    valid_seconds: Option<u32>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SessionOpened)]
struct OpenedJson<'a> {
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    #[schema(value_type = uuid::Uuid)]
    session_id: SessionId,
    token: &'a str,
    expires_at: i64,
}

/// A session as JSON; times are epoch milliseconds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
pub(super) struct SessionJson {
    #[schema(value_type = uuid::Uuid)]
    id: SessionId,
    opened_at: i64,
    expires_at: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
pub(super) struct SessionsJson {
    items: Vec<SessionJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SessionsClosed)]
pub(super) struct ClosedJson {
    closed: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SocketTicket)]
struct TicketJson<'a> {
    ticket: &'a str,
    expires_in_ms: u64,
}

/// What holds a secret is kept by nobody on its way.
const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// Sign a person in, as a service that shows the service token
#[utoipa::path(post, path = "/v1/sessions", tag = "account", request_body = SignIn,
    responses((status = 201, body = OpenedJson<'static>)))]
pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    Service: Service,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<impl IntoResponse, Problem> {
    let accounts = shared.accounts()?;
    let Json(SignIn { email, name, valid_seconds }) =
        body.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let email =
        EmailAddress::parse(&email).map_err(|error| Problem::bad_request(format!("email: {error}")))?;
    let seconds = valid_seconds.unwrap_or(DEFAULT_SECONDS);
    if !(1..=MAX_SECONDS).contains(&seconds) {
        return Err(Problem::bad_request(format!(
            "validSeconds must be a whole number from 1 to {MAX_SECONDS}"
        )));
    }
    let user = register_user(&shared.app, &email, RegistrationVia::Service, name).await;
    let user = user.map_err(Refusal::from)?;
    let opened = accounts.sessions.open(user, Duration::from_secs(seconds.into())).await;
    let opened = opened.map_err(Refusal::from)?;
    let json = Json(OpenedJson {
        user_id: user,
        session_id: opened.id,
        token: opened.token.expose_secret(),
        expires_at: opened.expires_at.millis(),
    });
    Ok((StatusCode::CREATED, NO_STORE, json).into_response())
}

/// List own sessions
#[utoipa::path(get, path = "/v1/sessions", tag = "account", responses((status = 200, body = SessionsJson)))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
) -> Result<Json<SessionsJson>, Problem> {
    let sessions = shared.accounts()?.sessions.list(user).await.map_err(Refusal::from)?;
    let items = sessions.into_iter().map(|session| SessionJson {
        id: session.id,
        opened_at: session.opened_at.millis(),
        expires_at: session.expires_at.millis(),
    });
    Ok(Json(SessionsJson { items: items.collect() }))
}

/// Close one of one's own sessions
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "account",
    params(("id" = uuid::Uuid, Path, description = "the session")), responses((status = 204, description = "closed")))]
pub(super) async fn close(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let absent = || Problem::not_found("no such session");
    let id = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(absent)?;
    let closed = shared.accounts()?.sessions.close(user, id).await.map_err(Refusal::from)?;
    if !closed {
        return Err(absent());
    }
    signed_out(&shared, user, Some(id)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Close all of one's own sessions, this one too
#[utoipa::path(delete, path = "/v1/sessions", tag = "account", responses((status = 200, body = ClosedJson)))]
pub(super) async fn close_all(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
) -> Result<Json<ClosedJson>, Problem> {
    let closed = shared.accounts()?.sessions.close_all(user).await.map_err(Refusal::from)?;
    signed_out(&shared, user, None).await;
    Ok(Json(ClosedJson { closed }))
}

/// Tells the sockets that were let in by it, on whatever gateway; who does not hear of it finds out.
async fn signed_out(shared: &Shared, user: UserId, session: Option<SessionId>) {
    let message = LiveMessage::SignedOut { session };
    shared.app.bus().publish(Subject::User(user), Arc::new(message)).await;
}

/// Get a ticket that opens one WebSocket
#[utoipa::path(post, path = "/v1/tickets", tag = "account", responses((status = 201, body = TicketJson<'static>)))]
pub(super) async fn ticket(
    State(shared): State<Arc<Shared>>,
    Known(signed_in): Known,
) -> Result<impl IntoResponse, Problem> {
    let most = shared.settings.tickets_per_user;
    let issued = shared.accounts()?.tickets.issue(signed_in, most).await.map_err(Refusal::from)?;
    let ticket = match issued {
        IssuedTicket::Ticket(ticket) => ticket,
        IssuedTicket::TooMany { retry_after } => {
            return Err(Refusal::too_many(format!("at most {most} unused tickets"), retry_after).into());
        }
    };
    let json = Json(TicketJson { ticket: ticket.expose_secret(), expires_in_ms: TICKET_MS });
    Ok((StatusCode::CREATED, NO_STORE, json).into_response())
}
