//! Which of the waiting appends go together. Pure: it sees appends in order and knows no clock and no database.
//!
//! A batch never holds two appends that touch one stream or carry one command id, nor an append that guards a
//! stream another one in it writes: `es.append_batch` judges all appends of a batch against the state before
//! it. The later one of such a pair waits a batch and keeps its place: nothing that touches or guards one of
//! its streams, or repeats its command, enters before it.

use std::collections::{HashSet, VecDeque};

use uuid::Uuid;

use crate::{MAX_APPEND_BYTES, encode::Encoded};

/// What keeps one statement short: the lock is held while it runs.
pub(crate) const MAX_BATCH_APPENDS: usize = 256;
const MAX_BATCH_BYTES: usize = MAX_APPEND_BYTES;

/// Something that waits with an append.
pub(crate) trait Waiting {
    fn append(&self) -> &Encoded;
}

/// Takes the next batch out of `waiting`, in order; not empty unless `waiting` is.
pub(crate) fn take_batch<T: Waiting>(waiting: &mut VecDeque<T>) -> Vec<T> {
    let mut rules = Rules::default();
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut passed_over = VecDeque::new();
    while let Some(next) = waiting.pop_front() {
        let append = next.append();
        let full = batch.len() == MAX_BATCH_APPENDS || bytes + append.bytes > MAX_BATCH_BYTES;
        if full && !batch.is_empty() {
            waiting.push_front(next);
            break;
        }
        if rules.admit(append) {
            bytes += append.bytes;
            batch.push(next);
        } else {
            passed_over.push_back(next);
        }
    }
    while let Some(earlier) = passed_over.pop_back() {
        waiting.push_front(earlier);
    }
    batch
}

/// What the appends seen so far forbid to later ones.
#[derive(Default)]
struct Rules {
    commands: HashSet<Uuid>,
    /// Streams written by the batch, or touched or guarded by an append that waits.
    closed: HashSet<Uuid>,
    /// Streams guarded by the batch: they may be guarded again, but not written.
    guarded: HashSet<Uuid>,
}

impl Rules {
    fn admit(&mut self, append: &Encoded) -> bool {
        let writes = || append.slots.iter().map(|slot| slot.stream.as_uuid());
        let guards = || append.guards.iter().map(|guard| guard.stream.as_uuid());
        let new_command = self.commands.insert(append.command_id.as_uuid());
        let fits = new_command
            && writes().all(|stream| !self.closed.contains(&stream) && !self.guarded.contains(&stream))
            && guards().all(|stream| !self.closed.contains(&stream));
        self.closed.extend(writes());
        if fits {
            self.guarded.extend(guards());
        } else {
            self.closed.extend(guards());
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Category, CommandId, CorrelationId, Guard, StreamId, Version, encode::Slot};

    impl Waiting for Encoded {
        fn append(&self) -> &Encoded {
            self
        }
    }

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn append(command: u128, streams: &[u128], guards: &[u128]) -> Encoded {
        let slot = |stream: &u128| Slot {
            stream: StreamId::from_uuid(id(*stream)),
            category: Category(1),
            owner: None,
            correlation: CorrelationId::from_uuid(id(*stream)),
            causation: None,
            expected: Version::NONE,
            close: false,
            events: Vec::new(),
        };
        let guard =
            |stream: &u128| Guard { stream: StreamId::from_uuid(id(*stream)), version: Version::NONE };
        Encoded {
            command_id: CommandId::from_uuid(id(command)),
            call: id(command),
            slots: streams.iter().map(slot).collect(),
            guards: guards.iter().map(guard).collect(),
            bytes: 10,
        }
    }

    /// The batches in which the appends are taken, by command number.
    fn batches(appends: Vec<Encoded>) -> Vec<Vec<u128>> {
        let mut waiting = VecDeque::from(appends);
        let mut batches = Vec::new();
        while !waiting.is_empty() {
            let batch = take_batch(&mut waiting);
            batches.push(batch.iter().map(|append| append.command_id.as_uuid().as_u128()).collect());
        }
        batches
    }

    #[test]
    fn appends_to_different_streams_share_a_batch() {
        assert_eq!(
            batches(vec![append(1, &[1], &[]), append(2, &[2, 3], &[]), append(3, &[4], &[])]),
            [[1, 2, 3]]
        );
    }

    #[test]
    fn the_second_append_to_a_stream_waits_and_those_behind_it_do_not() {
        let appends = vec![append(1, &[1], &[]), append(2, &[1], &[]), append(3, &[2], &[])];
        assert_eq!(batches(appends), [vec![1, 3], vec![2]]);
    }

    #[test]
    fn nobody_overtakes_a_waiting_append_on_any_of_its_streams() {
        let appends =
            vec![append(1, &[1], &[]), append(2, &[1, 2], &[3]), append(3, &[2], &[]), append(4, &[3], &[])];
        assert_eq!(batches(appends), [vec![1], vec![2], vec![3, 4]]);
    }

    #[test]
    fn a_guard_and_a_write_of_its_stream_never_meet() {
        assert_eq!(batches(vec![append(1, &[1], &[9]), append(2, &[9], &[])]), [[1], [2]]);
        assert_eq!(batches(vec![append(1, &[9], &[]), append(2, &[1], &[9])]), [[1], [2]]);
    }

    #[test]
    fn two_guards_of_one_stream_share_a_batch() {
        assert_eq!(batches(vec![append(1, &[1], &[9]), append(2, &[2], &[9])]), [[1, 2]]);
    }

    #[test]
    fn a_repeated_command_waits_even_for_one_that_waits() {
        let appends =
            vec![append(1, &[1], &[]), append(2, &[1], &[]), append(2, &[2], &[]), append(1, &[3], &[])];
        assert_eq!(batches(appends), [vec![1], vec![2, 1], vec![2]]);
    }

    #[test]
    fn a_batch_ends_at_256_appends_or_a_mebibyte() {
        let many = (0..300).map(|n| append(n, &[n], &[])).collect();
        assert_eq!(batches(many).iter().map(Vec::len).collect::<Vec<_>>(), [256, 44]);
        let large = (0..3).map(|n| Encoded { bytes: 600_000, ..append(n, &[n], &[]) }).collect();
        assert_eq!(batches(large), [[0], [1], [2]]);
    }
}
