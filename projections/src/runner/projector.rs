//! One read model in the hands of its owner: a page of the feed, one transaction, exactly once. Rows and checkpoint
//! are written together under the lease's epoch, so that neither a crash nor a stale owner can do half or twice.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::time::Duration;

use slipstream_domain::Event;
use slipstream_domain::event::ConversationEvent;
use slipstream_eventlog::{
    CorrelationId, EventLog, FeedError, Lease, Position, Recorded, Unsealed, Wakes, parked,
};
use sqlx::{Acquire, Postgres, Transaction};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::cut_over::{CutOver, cut_over};
use super::{LEASE, Stopped};
use crate::followed::{Followed, Unreadable, decode};
use crate::meters;
use crate::projection::{Known, Projection};
use crate::read_models;

/// Events of one transaction. 25 a second are 50 000 events a second, above the 30 000 a rebuild must reach
/// (`09-targets`); a page of usual events is a few megabytes.
const PAGE: usize = 2_000;
/// Events read at a time: what a page of large ones may go beyond [`PAGE_BYTES`] by.
const PIECE: usize = 250;
/// Payload of one transaction: a page that holds as much takes no more pieces.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// At most 25 transactions a second, so that the checkpoint's row stays cheap under open snapshots (`02-event-log`).
const BETWEEN_COMMITS: Duration = Duration::from_millis(40);
/// How often the lease is renewed and requests to retry are looked for.
const TEND: Duration = Duration::from_secs(1);

pub(super) struct Projector<P> {
    log: EventLog,
    lease: Lease,
    wakes: Wakes,
    position: Position,
    tended: Instant,
    projection: PhantomData<P>,
}

/// Events of the log that follow each other.
struct Page {
    events: Vec<Recorded>,
    /// There were no more when it was read.
    at_head: bool,
}

/// What a projection takes of some recorded events.
struct Taken {
    events: Vec<Followed>,
    unreadable: Vec<Unreadable>,
}

/// Correlations that are set aside here, with the event that did it and why.
type Faults = HashMap<Uuid, (Position, String)>;

impl<P: Projection> Projector<P> {
    pub(super) fn new(log: EventLog, lease: Lease) -> Self {
        // Armed before the first read: what is appended in between wakes the first wait.
        let (wakes, position) = (log.wakes(), lease.position);
        Self { log, lease, wakes, position, tended: Instant::now(), projection: PhantomData }
    }

    /// Until `drain`; the page in hand is finished.
    pub(super) async fn run(mut self, drain: &CancellationToken) -> Result<(), Stopped> {
        let mut unread = true;
        self.retry_parked().await?;
        while !drain.is_cancelled() {
            if self.tended.elapsed() >= TEND {
                self.lease.renew(self.log.pool(), LEASE).await?;
                self.retry_parked().await?;
                self.tended = Instant::now();
            }
            let began = Instant::now();
            let Page { events, at_head } = next_page(&self.log, self.position).await?;
            if let Some(last) = events.last() {
                let to = last.position;
                self.apply(&events, self.position, to, None).await?;
                self.moved(to, events.len());
            }
            if unread && at_head {
                unread = cut_over(&self.log, &self.lease.projector).await? == CutOver::NotYet;
            }
            if events.is_empty() && !unread {
                drain.run_until_cancelled(self.wakes.changed()).await;
            } else {
                drain.run_until_cancelled(sleep_until(began + BETWEEN_COMMITS)).await;
            }
        }
        Ok(())
    }

    fn moved(&mut self, to: Position, events: usize) {
        self.position = to;
        self.log.projected(&self.lease.projector, to);
        meters::applied(P::NAME, events);
    }

    /// One transaction: applies what the projection takes of `recorded`, sets aside what cannot be applied, moves the
    /// checkpoint to `to`. `recorded` begins after `after`. With `unpark`, that correlation counts as not parked.
    async fn apply(
        &self,
        recorded: &[Recorded],
        after: Position,
        to: Position,
        unpark: Option<CorrelationId>,
    ) -> Result<(), Stopped> {
        let Taken { events, unreadable } = Taken::by::<P>(recorded);
        let needs = P::needs(&events);
        let earlier = match needs.as_slice() {
            [] => Vec::new(),
            // What cannot be read is missing then, and missed by the event that needs it.
            needs => self.log.read_streams(needs, after).await?.iter().flat_map(decode).collect(),
        };
        let mut tx = read_models::write(self.log.pool(), &self.lease.projector).await?;
        // First of all: from here on a stale owner waits for our commit, and then finds itself fenced.
        self.lease.advance(&mut tx, self.position, to).await?;
        if let Some(correlation) = unpark {
            parked::unpark(&mut tx, &self.lease.projector, correlation).await?;
        }
        let set_aside = self.parked_among(&mut tx, &events, &unreadable).await?;
        let mut faults = Faults::new();
        for Unreadable { position, correlation, why } in unreadable {
            if !set_aside.contains(&correlation) {
                faults.entry(correlation).or_insert((position, why));
            }
        }
        let known = Known { earlier: &earlier, page: &events };
        let apply = events.iter().filter(|event| !set_aside.contains(&event.correlation)).collect();
        apply_all::<P>(&mut tx, apply, known, &mut faults).await?;
        self.bury(&mut tx, known, &set_aside, &mut faults).await?;
        for (correlation, (position, error)) in &faults {
            let correlation = CorrelationId::from_uuid(*correlation);
            parked::park(&mut tx, &self.lease.projector, correlation, *position, error).await?;
        }
        tx.commit().await?;
        for (correlation, (position, error)) in &faults {
            let position = position.get();
            tracing::error!(projection = P::NAME, %correlation, position, error, "a correlation is parked");
            meters::parked(P::NAME);
        }
        Ok(())
    }

    /// Applies what deletes a conversation even if that is set aside, and sets it aside no longer: nothing of what was
    /// deleted may stay, and nothing that comes after it matters.
    async fn bury(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        known: Known<'_>,
        set_aside: &HashSet<Uuid>,
        faults: &mut Faults,
    ) -> Result<(), Stopped> {
        let is_set_aside = |id: &Uuid| set_aside.contains(id) || faults.contains_key(id);
        let deletions = known.page.iter().filter(|event| deletes(event) && is_set_aside(&event.correlation));
        let deletions: Vec<&Followed> = deletions.collect();
        for deletion in &deletions {
            let correlation = CorrelationId::from_uuid(deletion.correlation);
            parked::unpark(tx, &self.lease.projector, correlation).await?;
            faults.remove(&deletion.correlation);
        }
        apply_all::<P>(tx, deletions, known, faults).await
    }

    async fn parked_among(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        events: &[Followed],
        unreadable: &[Unreadable],
    ) -> Result<HashSet<Uuid>, sqlx::Error> {
        let of_events = events.iter().map(|event| event.correlation);
        let correlations: HashSet<Uuid> =
            of_events.chain(unreadable.iter().map(|event| event.correlation)).collect();
        if correlations.is_empty() {
            return Ok(HashSet::new());
        }
        let parked = sqlx::query_scalar!(
            "SELECT correlation_id FROM es.parked
             WHERE projector = $1 AND version = $2 AND correlation_id = ANY ($3)",
            &*self.lease.projector.name,
            self.lease.projector.version,
            &correlations.into_iter().collect::<Vec<_>>()
        );
        Ok(parked.fetch_all(&mut **tx).await?.into_iter().collect())
    }

    /// Reads the correlations somebody asked to retry again, each from where it was parked up to the checkpoint.
    async fn retry_parked(&self) -> Result<(), Stopped> {
        for parked in parked::list(self.log.pool(), &self.lease.projector).await? {
            if !parked.retry_requested {
                continue;
            }
            let before = Position::new(parked.first_position.get() - 1);
            let recorded = self.log.read_correlation(parked.correlation, before, self.position).await?;
            self.apply(&recorded, before, self.position, Some(parked.correlation)).await?;
            tracing::info!(projection = P::NAME, correlation = %parked.correlation, "a correlation was retried");
        }
        Ok(())
    }
}

fn deletes(followed: &Followed) -> bool {
    matches!(followed.event, Event::Conversation(ConversationEvent::ConversationDeleted(_)))
}

/// The next events after `after`, contiguous; none at the head. Bounded in number and in bytes.
async fn next_page(log: &EventLog, after: Position) -> Result<Page, FeedError> {
    let mut events = log.feed(after, PIECE).await?;
    let (mut last, mut bytes) = (events.len(), events.iter().map(size).sum::<usize>());
    // A piece that is not full ends at the head or before a gap.
    while last == PIECE && events.len() < PAGE && bytes < PAGE_BYTES {
        let position = events.last().map_or(after, |event| event.position);
        // What stops the feed here stops the next page at its start, after this one was applied.
        let Ok(piece) = log.feed(position, PIECE).await else { break };
        last = piece.len();
        bytes += piece.iter().map(size).sum::<usize>();
        events.extend(piece);
    }
    Ok(Page { events, at_head: last < PIECE })
}

/// Bytes of an event's payload.
fn size(event: &Recorded) -> usize {
    let Ok(payload) = &event.payload else { return 0 };
    let sealed = match &payload.sealed {
        Some(Unsealed::Open(bytes)) => bytes.len(),
        Some(Unsealed::Erased) | None => 0,
    };
    payload.data.len() + sealed
}

impl Taken {
    fn by<P: Projection>(recorded: &[Recorded]) -> Self {
        let mut taken = Self { events: Vec::new(), unreadable: Vec::new() };
        for result in recorded.iter().filter(|event| P::takes(event)).map(decode) {
            match result {
                Ok(event) => taken.events.push(event),
                Err(event) => taken.unreadable.push(event),
            }
        }
        taken
    }
}

/// Applies `events` but for those that come after a fault of their correlation. An event that cannot be applied is
/// found by halving, each try under a savepoint, and added to `faults`.
async fn apply_all<P: Projection>(
    tx: &mut Transaction<'_, Postgres>,
    events: Vec<&Followed>,
    known: Known<'_>,
    faults: &mut Faults,
) -> Result<(), Stopped> {
    // What is to be done next is last.
    let mut parts = vec![events];
    while let Some(mut part) = parts.pop() {
        part.retain(|event| {
            faults.get(&event.correlation).is_none_or(|(position, _)| event.position < *position)
        });
        if part.is_empty() {
            continue;
        }
        let mut savepoint = tx.begin().await?;
        let Err(error) = P::apply(&mut savepoint, &part, known).await else {
            savepoint.commit().await?;
            continue;
        };
        savepoint.rollback().await?;
        match (error.fault(), part.as_slice()) {
            (None, _) => return Err(Stopped::Unavailable(Box::new(error))),
            (Some(why), [event]) => {
                faults.insert(event.correlation, (event.position, why));
            }
            (Some(_), _) => {
                let later = part.split_off(part.len() / 2);
                parts.extend([later, part]);
            }
        }
    }
    Ok(())
}
