//! How many connections each user and each address has in this process, and all of them together.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use slipstream_domain::UserId;

use crate::lock;
use crate::settings::Settings;

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    of_users: HashMap<UserId, usize>,
    of_addresses: HashMap<IpAddr, usize>,
}

/// A connection that is counted until this is dropped.
pub(crate) struct Counted {
    connections: Arc<Connections>,
    who: Who,
}

#[derive(Clone, Copy)]
enum Who {
    User(UserId),
    Address(IpAddr),
}

impl Connections {
    /// Counts one more, unless the user, or all together, have as many as they may.
    pub(crate) fn count(self: &Arc<Self>, user: UserId, settings: &Settings) -> Option<Counted> {
        let mut counts = lock(&self.0);
        if counts.all >= settings.sockets || !more(&mut counts.of_users, user, settings.sockets_per_user) {
            return None;
        }
        counts.all += 1;
        drop(counts);
        Some(Counted { connections: self.clone(), who: Who::User(user) })
    }

    /// Counts one more of an address, whoever it is, unless it has as many as it may.
    pub(super) fn count_address(self: &Arc<Self>, address: IpAddr, settings: &Settings) -> Option<Counted> {
        let most = settings.sockets_per_address;
        let counted = more(&mut lock(&self.0).of_addresses, address, most);
        counted.then(|| Counted { connections: self.clone(), who: Who::Address(address) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = lock(&self.connections.0);
        match self.who {
            Who::User(user) => {
                counts.all -= 1;
                less(&mut counts.of_users, user);
            }
            Who::Address(address) => less(&mut counts.of_addresses, address),
        }
    }
}

/// Whether there was room for one more.
fn more<K: Eq + Hash + Copy>(counts: &mut HashMap<K, usize>, key: K, most: usize) -> bool {
    let count = counts.get(&key).copied().unwrap_or(0);
    if count < most {
        counts.insert(key, count + 1);
    }
    count < most
}

fn less<K: Eq + Hash + Copy>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
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
        assert!(lock(&connections.0).of_users.is_empty());
    }

    #[test]
    fn an_address_has_so_many_sockets_whoever_they_are() {
        let connections = Arc::new(Connections::default());
        let settings = Settings { sockets_per_address: 1, ..Settings::default() };
        let count = |n| connections.count_address(IpAddr::from([192, 0, 2, n]), &settings);
        let first = count(1).unwrap();
        assert!(count(1).is_none() && count(2).is_some());
        drop(first);
        assert!(count(1).is_some());
        assert!(lock(&connections.0).of_addresses.is_empty());
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
