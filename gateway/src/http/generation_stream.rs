//! `GET /v1/generations/{id}/stream`: one reply as server-sent events (WHATWG HTML, 9.2), the frames of v1 as data. The id
//! of an event is `<epoch>-<seq>`: where the client stands after it. It ends with the terminal frame; a client that was cut
//! off before it comes back with `Last-Event-ID`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use slipstream_domain::{Epoch, Seq};
use tokio::sync::mpsc;

use super::caller::AuthenticatedUser;
use super::problem::Problem;
use crate::hub::{FollowReply, NotFollowed, Told};
use crate::meters;
use crate::refusal::{Refusal, SOON};
use crate::shared::Shared;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Asks proxies to pass each event on at once.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");
/// Frames that wait for the connection; each has at most 256 KiB of text.
const WAITING: usize = 2;

/// Follow one reply as server-sent events
///
/// The data of an event is a frame of v1, its id `<epoch>-<seq>`: where the client stands after it.
#[utoipa::path(get, path = "/v1/generations/{id}/stream", tag = "conversations",
    params(("id" = uuid::Uuid, Path, description = "the attempt at a reply"),
           ("Last-Event-ID" = Option<String>, Header, description = "where the client stands, such as `1-42`")),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(super) async fn stream(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let absent = || Problem::not_found("no such generation");
    let Path(id) = id.map_err(|_| absent())?;
    let id = id.parse().map_err(|_| absent())?;
    let has = last_event_id(&headers)?;
    let counted = shared.connections.count(user, &shared.settings);
    let counted = counted.ok_or_else(|| Refusal::too_many("too many connections", SOON))?;
    let (to, told) = mpsc::channel(WAITING);
    let follow = FollowReply::open(&shared, user, id, has, to).await.map_err(|error| match error {
        NotFollowed::Refused(refusal) => refusal.into(),
        NotFollowed::Impossible(what) => Problem::bad_request(format!("Last-Event-ID: {what}")),
    })?;
    let following = async move {
        follow.run().await;
        drop(counted);
    };
    shared.tasks.spawn(shared.sockets.track_future(following));
    let events = stream::unfold(told, async |mut told| {
        let event = event(told.recv().await?);
        Some((Ok::<_, Infallible>(event), told))
    });
    Ok(([UNBUFFERED], Sse::new(events).keep_alive(KeepAlive::default())).into_response())
}

/// The place a client says it has reached.
fn last_event_id(headers: &HeaderMap) -> Result<Option<(Epoch, Seq)>, Problem> {
    let Some(id) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let place = id.to_str().ok().and_then(|id| id.split_once('-'));
    let place = place.and_then(|(epoch, seq)| Some((epoch.parse().ok()?, seq.parse().ok()?)));
    match place {
        Some((epoch, seq)) if epoch > 0 => Ok(Some((Epoch(epoch), Seq(seq)))),
        Some(_) | None => {
            Err(Problem::bad_request("Last-Event-ID must be the id of an event of this stream, such as 1-42"))
        }
    }
}

fn event(told: Told) -> Event {
    let Told { frame, epoch, seq } = told;
    meters::frame_out(frame.name());
    let data = serde_json::to_string(&frame).unwrap_or_default();
    Event::default().id(format!("{epoch}-{seq}")).data(data)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_place_is_an_epoch_and_a_seq() {
        let place = |id: &'static str| {
            let headers = HeaderMap::from_iter([(LAST_EVENT_ID, HeaderValue::from_static(id))]);
            last_event_id(&headers).ok().flatten()
        };
        assert_eq!(place("2-17"), Some((Epoch(2), Seq(17))));
        for wrong in ["", "17", "0-1", "1-", "-1", "1-x", "1-2-3", "1--2"] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
        assert!(last_event_id(&HeaderMap::new()).is_ok_and(|place| place.is_none()));
    }
}
