//! How many sockets each user has in this process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};

use slipstream_domain::UserId;

use crate::lock;

/// The count of each user's sockets.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<HashMap<UserId, usize>>);

/// A socket that is counted until this is dropped.
pub(super) struct Counted {
    connections: Arc<Connections>,
    user: UserId,
}

impl Connections {
    /// Counts one more, unless the user has `most` already.
    pub(super) fn count(self: &Arc<Self>, user: UserId, most: usize) -> Option<Counted> {
        let mut counts = lock(&self.0);
        let count = counts.entry(user).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { connections: self.clone(), user })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = lock(&self.connections.0).entry(self.user) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_user_has_so_many_sockets_and_no_more_until_one_is_gone() {
        let (connections, user) = (Arc::new(Connections::default()), UserId::from_uuid(Uuid::nil()));
        let first = connections.count(user, 2).unwrap();
        let second = connections.count(user, 2).unwrap();
        assert!(connections.count(user, 2).is_none());
        assert!(connections.count(UserId::from_uuid(Uuid::max()), 2).is_some());
        drop(first);
        let third = connections.count(user, 2).unwrap();
        drop((second, third));
        assert!(lock(&connections.0).is_empty());
    }
}
