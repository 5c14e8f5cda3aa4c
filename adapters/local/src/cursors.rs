//! Where compat sockets stand, so that the socket that replaces one can go on from there.

use std::collections::BTreeMap;
use std::time::Duration;

use slipstream_domain::{Timestamp, UserId};
use slipstream_projections::CompatCursor;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a cursor is kept after its socket's last word: twice what a client may take to come back.
const KEPT: Duration = Duration::from_mins(2);
/// How often what has expired is dropped: a write after this long does it.
const SWEEP: Duration = Duration::from_secs(10);

/// The cursors of all sockets, by user and connection: a user's lie together.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    by_socket: BTreeMap<(UserId, Uuid), Kept>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Kept {
    cursor: CompatCursor,
    expires: Instant,
}

impl Cursors {
    pub(crate) fn put(&mut self, cursor: CompatCursor, now: Instant) {
        if self.swept.is_none_or(|swept| now.duration_since(swept) >= SWEEP) {
            self.by_socket.retain(|_, kept| kept.expires > now);
            self.swept = Some(now);
        }
        self.by_socket.insert((cursor.user, cursor.connection), Kept { cursor, expires: now + KEPT });
    }

    /// The user's oldest orphan. Looks at the user's cursors only: sockets ask again and again.
    pub(crate) fn take_orphan(
        &mut self,
        user: UserId,
        fingerprint: [u8; 32],
        not_before: Timestamp,
        silent_before: Timestamp,
    ) -> Option<CompatCursor> {
        let of_user = self.by_socket.range((user, Uuid::nil())..=(user, Uuid::max()));
        let theirs = of_user.map(|(_, kept)| kept.cursor).filter(|cursor| cursor.fingerprint == fingerprint);
        let orphans = theirs.filter(|cursor| {
            cursor.at >= not_before && (cursor.closed.is_some() || cursor.at < silent_before)
        });
        let oldest = orphans.min_by_key(|cursor| cursor.at)?;
        self.remove(oldest.user, oldest.connection);
        Some(oldest)
    }

    pub(crate) fn remove(&mut self, user: UserId, connection: Uuid) {
        self.by_socket.remove(&(user, connection));
    }
}
