//! From an append as its caller gives it to one that only has to be written: checked, canonical, sealed and
//! hashed. All of it happens before the queue, in the caller's task.

use std::collections::HashSet;

use uuid::Uuid;

use crate::{
    Append, AppendError, Category, CommandId, CorrelationId, EVENT_OVERHEAD, Guard, InvalidAppend, KeyRing,
    KeyRingUnavailable, MAX_APPEND_BYTES, NewEvent, OwnerId, Position, SealError, SealRequest, SealedBytes,
    StreamAppend, StreamId, Unavailable, Version,
    codec::{self, EventFacts, Hash},
};

/// An append ready to be written.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) command_id: CommandId,
    /// This one call: what is sent again after a lost connection is known by it.
    pub(crate) call: Uuid,
    pub(crate) slots: Vec<Slot>,
    pub(crate) guards: Vec<Guard>,
    /// What it counts for in a batch.
    pub(crate) bytes: usize,
}

/// The events of an append for one stream.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) stream: StreamId,
    pub(crate) category: Category,
    pub(crate) owner: Option<OwnerId>,
    pub(crate) correlation: CorrelationId,
    pub(crate) causation: Option<Position>,
    pub(crate) expected: Version,
    pub(crate) close: bool,
    pub(crate) events: Vec<EncodedEvent>,
}

#[derive(Debug)]
pub(crate) struct EncodedEvent {
    pub(crate) event_type: &'static str,
    pub(crate) version: Version,
    pub(crate) schema_version: i16,
    pub(crate) data: String,
    pub(crate) sealed: Option<Sealed>,
    pub(crate) hash: Hash,
}

#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) key_id: Uuid,
    pub(crate) hash: Hash,
    pub(crate) bytes: Vec<u8>,
}

impl Encoded {
    /// Where its last event is if its first is at `first`.
    pub(crate) fn last(&self, first: Position) -> Position {
        let events = self.slots.iter().flat_map(|slot| &slot.events);
        events.skip(1).fold(first, |position, _| position.next())
    }
}

impl Slot {
    /// The version of the stream once the append is written.
    pub(crate) fn version(&self) -> Version {
        self.events.last().map_or(self.expected, |event| event.version)
    }
}

/// Checks, seals and hashes. Cancel-safe.
pub(crate) async fn encode(append: Append, ring: &dyn KeyRing) -> Result<Encoded, AppendError> {
    check_shape(&append)?;
    let bytes = size(&append);
    if bytes > MAX_APPEND_BYTES {
        return Err(InvalidAppend::TooLarge { bytes }.into());
    }
    let mut slots = Vec::with_capacity(append.streams.len());
    let mut index = 0;
    for (number, stream) in append.streams.into_iter().enumerate() {
        slots.push(encode_stream(number, stream, append.command_id, &mut index, ring).await?);
    }
    Ok(Encoded { command_id: append.command_id, call: Uuid::new_v4(), slots, guards: append.guards, bytes })
}

fn check_shape(append: &Append) -> Result<(), InvalidAppend> {
    if append.streams.is_empty() {
        return Err(InvalidAppend::NoStreams);
    }
    let mut written = HashSet::with_capacity(append.streams.len());
    for stream in &append.streams {
        if stream.events.is_empty() {
            return Err(InvalidAppend::NoEvents(stream.stream));
        }
        if !written.insert(stream.stream) {
            return Err(InvalidAppend::DuplicateStream(stream.stream));
        }
    }
    let guarded = append.guards.iter().find(|guard| written.contains(&guard.stream));
    guarded.map_or(Ok(()), |guard| Err(InvalidAppend::GuardedAndWritten(guard.stream)))
}

fn size(append: &Append) -> usize {
    let events = append.streams.iter().flat_map(|stream| &stream.events);
    events.map(|event| EVENT_OVERHEAD + event.data.len() + event.sealed.as_ref().map_or(0, Vec::len)).sum()
}

async fn encode_stream(
    number: usize,
    mut append: StreamAppend,
    command: CommandId,
    index: &mut i16,
    ring: &dyn KeyRing,
) -> Result<Slot, AppendError> {
    let mut drafts = Vec::with_capacity(append.events.len());
    for (event, new) in append.events.drain(..).enumerate() {
        drafts.push(Draft::new(number, event, &new, *index)?);
        *index += 1; // the size limit keeps the number of events far below i16::MAX
    }
    let requests = drafts.iter_mut().filter_map(|draft| draft.seal_request(append.stream, command)).collect();
    let mut sealed = seal(append.owner, requests, ring).await?.into_iter();

    let mut slot = Slot {
        stream: append.stream,
        category: append.category,
        owner: append.owner,
        correlation: append.correlation,
        causation: append.causation,
        expected: append.expected.version(),
        close: append.close,
        events: Vec::with_capacity(drafts.len()),
    };
    for draft in drafts {
        let sealed = if draft.packed.is_some() { sealed.next() } else { None };
        let event = draft.finish(&slot, command, sealed);
        slot.events.push(event);
    }
    Ok(slot)
}

async fn seal(
    owner: Option<OwnerId>,
    requests: Vec<SealRequest>,
    ring: &dyn KeyRing,
) -> Result<Vec<SealedBytes>, AppendError> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let asked = requests.len();
    match ring.seal(owner, requests).await {
        Ok(sealed) if sealed.len() == asked => Ok(sealed),
        Ok(sealed) => {
            let lost = KeyRingUnavailable(format!("it sealed {} of {asked} items", sealed.len()));
            Err(Unavailable::from(lost).into())
        }
        Err(SealError::Unavailable(error)) => Err(Unavailable::from(error).into()),
        Err(SealError::Erased) => Err(owner.map_or_else(
            || Unavailable::from(KeyRingUnavailable("the system's own key is destroyed".into())).into(),
            AppendError::Erased,
        )),
    }
}

/// An event that is checked but neither sealed nor hashed.
struct Draft {
    event_type: &'static str,
    schema_version: i16,
    /// Counts the events of the append from 0.
    index: i16,
    data: String,
    packed: Option<Vec<u8>>,
}

impl Draft {
    fn new(stream: usize, event: usize, new: &NewEvent, index: i16) -> Result<Self, InvalidAppend> {
        let schema_version = i16::try_from(new.schema_version)
            .ok()
            .filter(|version| *version > 0)
            .ok_or(InvalidAppend::SchemaVersion { stream, event })?;
        let data =
            codec::canonical(&new.data).map_err(|fault| InvalidAppend::Data { stream, event, fault })?;
        let packed = new.sealed.as_deref().map(codec::pack);
        Ok(Self { event_type: new.event_type, schema_version, index, data, packed })
    }

    /// Moves the packed half out; that there was one stays known.
    fn seal_request(&mut self, stream: StreamId, command: CommandId) -> Option<SealRequest> {
        let plaintext = std::mem::take(self.packed.as_mut()?);
        let aad = codec::aad(stream, self.event_type, self.schema_version, command, self.index);
        Some(SealRequest { aad, plaintext })
    }

    fn finish(self, slot: &Slot, command: CommandId, sealed: Option<SealedBytes>) -> EncodedEvent {
        let sealed = sealed.map(|sealed| Sealed {
            key_id: sealed.key_id,
            hash: codec::sha256(&sealed.bytes),
            bytes: sealed.bytes,
        });
        let version = slot.version().next();
        let hash = EventFacts {
            stream: slot.stream,
            version,
            category: slot.category,
            owner: slot.owner,
            correlation: slot.correlation,
            causation: slot.causation,
            event_type: self.event_type,
            schema_version: self.schema_version,
            data: &self.data,
            key_id: sealed.as_ref().map(|sealed| sealed.key_id),
            sealed_hash: sealed.as_ref().map(|sealed| &sealed.hash[..]),
            command,
        }
        .hash();
        EncodedEvent {
            event_type: self.event_type,
            version,
            schema_version: self.schema_version,
            data: self.data,
            sealed,
            hash,
        }
    }
}
