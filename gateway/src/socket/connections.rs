//! How many sockets each user has in this process, and all of them together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};

use slipstream_domain::UserId;

use crate::lock;
use crate::settings::Settings;

/// The count of each user's sockets.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    of: HashMap<UserId, usize>,
}

/// A socket that is counted until this is dropped.
pub(crate) struct Counted {
    connections: Arc<Connections>,
    user: UserId,
}

impl Connections {
    /// Counts one more, unless the user, or all together, have as many as they may.
    pub(crate) fn count(self: &Arc<Self>, user: UserId, settings: &Settings) -> Option<Counted> {
        let mut counts = lock(&self.0);
        let of_user = counts.of.get(&user).copied().unwrap_or(0);
        if of_user >= settings.sockets_per_user || counts.all >= settings.sockets {
            return None;
        }
        counts.all += 1;
        counts.of.insert(user, of_user + 1);
        drop(counts);
        Some(Counted { connections: self.clone(), user })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = lock(&self.connections.0);
        counts.all -= 1;
        if let Entry::Occupied(mut count) = counts.of.entry(self.user) {
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
        let settings = Settings { sockets_per_user: 2, ..Settings::default() };
        let first = connections.count(user, &settings).unwrap();
        let second = connections.count(user, &settings).unwrap();
        assert!(connections.count(user, &settings).is_none());
        assert!(connections.count(UserId::from_uuid(Uuid::max()), &settings).is_some());
        drop(first);
        let third = connections.count(user, &settings).unwrap();
        drop((second, third));
        assert!(lock(&connections.0).of.is_empty());
    }

    #[test]
    fn all_users_together_have_so_many_sockets_and_no_more() {
        let connections = Arc::new(Connections::default());
        let settings = Settings { sockets: 2, ..Settings::default() };
        let count = |n| connections.count(UserId::from_uuid(Uuid::from_u128(n)), &settings);
        let (first, second) = (count(1).unwrap(), count(2).unwrap());
        assert!(count(3).is_none());
        drop(first);
        assert!(count(3).is_some());
        drop(second);
        assert_eq!(lock(&connections.0).all, 0);
    }
}
