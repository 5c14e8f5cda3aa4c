//! `GET /v1/audit/conversations/{id}/events?asOf=`: the whole history of any conversation, for auditors. One event a line
//! (NDJSON), as they are read; up to now, or to a position or a time. That it was read is recorded before anything is told.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Deserialize;
use slipstream_commands::{CommandError, record_audit_read};
use slipstream_projections::{AsOf, AsOfError, EventJson, NoReplay, Replay};
use utoipa::IntoParams;

use super::caller::Auditor;
use super::problem::Problem;
use crate::refusal::Refusal;
use crate::shared::Shared;

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
/// What somebody said is kept by nobody on its way.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Up to which position of the log it is told: the same again with `asOf`.
const AS_OF: HeaderName = HeaderName::from_static("x-as-of");

/// As of when.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct AsOfQuery {
    /// A position of the log, or a time such as `2026-11-24T09:00:00Z`; now when absent.
    #[param(nullable = false)]
    as_of: Option<String>,
}

/// The whole history of any conversation, one event a line, for auditors
#[utoipa::path(get, path = "/v1/audit/conversations/{id}/events", tag = "audit",
    params(("id" = uuid::Uuid, Path, description = "the conversation"), AsOfQuery),
    responses((status = 200, content_type = "application/x-ndjson", body = String)))]
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    Auditor(actor): Auditor,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<AsOfQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let absent = || Problem::not_found("there is no such conversation");
    let Path(id) = id.map_err(|_| absent())?;
    let id = id.parse().map_err(|_| absent())?;
    let Query(query) = query.map_err(|_| Problem::bad_request("the query may have asOf, once"))?;
    let log = shared.app.log();
    let up_to = match query.as_of {
        Some(moment) => {
            let moment: AsOf =
                moment.parse().map_err(|error| Problem::bad_request(format!("asOf is {error}")))?;
            moment.position(log).await.map_err(refused)?
        }
        None => log.head().await.map_err(|error| Refusal::from(CommandError::from(error)))?.position,
    };
    let replay = Replay::open(log, id, up_to).await.map_err(|error| match error {
        NoReplay::Unknown(_) | NoReplay::NoConversation(_) | NoReplay::NotYet { .. } => {
            Problem::not_found(error.to_string())
        }
        NoReplay::Read(error) => Refusal::from(CommandError::from(error)).into(),
    })?;
    record_audit_read(&shared.app, Some(actor), id, up_to).await.map_err(Refusal::from)?;
    let lines = stream::try_unfold(replay, async |mut replay| {
        let page = replay.next_page().await?;
        if page.is_empty() {
            return Ok(None);
        }
        let mut lines = Vec::new();
        for event in &page {
            serde_json::to_writer(&mut lines, &EventJson::whole(event))?;
            lines.push(b'\n');
        }
        Ok::<_, Broken>(Some((Bytes::from(lines), replay)))
    });
    let head =
        [(header::CONTENT_TYPE, NDJSON), (header::CACHE_CONTROL, NO_STORE), (AS_OF, up_to.get().into())];
    Ok((head, Body::from_stream(lines)).into_response())
}

/// What ends an answer before its end: the connection is cut, so that nobody takes it for all.
type Broken = Box<dyn std::error::Error + Send + Sync>;

fn refused(error: AsOfError) -> Problem {
    match error {
        AsOfError::NotYet { .. } | AsOfError::Future { .. } => Problem::bad_request(format!("asOf: {error}")),
        AsOfError::Read(error) => Refusal::from(CommandError::from(error)).into(),
    }
}
