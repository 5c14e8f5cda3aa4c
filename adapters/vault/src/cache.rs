//! Data keys in memory, for a while: bounded in number and in age, so that a key destroyed by another process is
//! forgotten here too.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::cipher::Key;

/// A key is kept for one to two of these, and not longer than the 60 s of `11-events`.
const GENERATION: Duration = Duration::from_secs(30);
/// Keys of a generation: at some 200 bytes each, the two hold 4 MB at the most.
const GENERATION_KEYS: usize = 10_000;

/// A data key as the vault has it.
#[derive(Clone)]
pub(crate) struct DataKey {
    pub(crate) id: Uuid,
    pub(crate) owner: Option<Uuid>,
    /// `None` once it is destroyed.
    pub(crate) key: Option<Arc<Key>>,
}

/// Two generations: what is loaded goes into the young one; when that is full or has had its time it becomes the old one,
/// and what was old is dropped. Nothing moves back, so nothing outlives its two times.
pub(crate) struct Cache {
    young: Generation,
    old: Generation,
    since: Instant,
}

#[derive(Default)]
struct Generation {
    by_id: HashMap<Uuid, DataKey>,
    by_owner: HashMap<Option<Uuid>, Uuid>,
}

impl Cache {
    pub(crate) fn new(now: Instant) -> Self {
        Self { young: Generation::default(), old: Generation::default(), since: now }
    }

    pub(crate) fn by_owner(&mut self, owner: Option<Uuid>, now: Instant) -> Option<DataKey> {
        self.age(now);
        let known = |generation: &Generation| {
            generation.by_owner.get(&owner).and_then(|id| generation.by_id.get(id)).cloned()
        };
        known(&self.young).or_else(|| known(&self.old))
    }

    pub(crate) fn by_id(&mut self, id: Uuid, now: Instant) -> Option<DataKey> {
        self.age(now);
        self.young.by_id.get(&id).or_else(|| self.old.by_id.get(&id)).cloned()
    }

    pub(crate) fn insert(&mut self, key: DataKey, now: Instant) {
        self.age(now);
        if self.young.by_id.len() >= GENERATION_KEYS {
            self.turn(now);
        }
        self.young.by_owner.insert(key.owner, key.id);
        self.young.by_id.insert(key.id, key);
    }

    /// What this process knows of the owner's key is no longer so.
    pub(crate) fn forget(&mut self, owner: Option<Uuid>) {
        for generation in [&mut self.young, &mut self.old] {
            if let Some(id) = generation.by_owner.remove(&owner) {
                generation.by_id.remove(&id);
            }
        }
    }

    fn age(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age >= 2 * GENERATION {
            self.turn(now);
        }
        if age >= GENERATION {
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Instant) {
        self.old = std::mem::take(&mut self.young);
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u128) -> DataKey {
        DataKey { id: Uuid::from_u128(n), owner: Some(Uuid::from_u128(n)), key: None }
    }

    #[test]
    fn a_key_is_kept_for_a_while_and_never_longer_than_a_minute() {
        let start = Instant::now();
        for (inserted, asked, kept) in
            [(0, 29, true), (29, 58, true), (0, 60, false), (29, 89, false), (0, 3600, false)]
        {
            let mut cache = Cache::new(start);
            cache.insert(key(1), start + Duration::from_secs(inserted));
            let found = cache.by_id(Uuid::from_u128(1), start + Duration::from_secs(asked));
            assert_eq!(found.is_some(), kept, "inserted at {inserted} s, asked at {asked} s");
        }
    }

    #[test]
    fn however_many_keys_are_used_few_are_kept_and_the_newest_is() {
        let now = Instant::now();
        let mut cache = Cache::new(now);
        let many = 5 * GENERATION_KEYS as u128;
        for n in 0..many {
            cache.insert(key(n), now);
        }
        assert!(cache.young.by_id.len() + cache.old.by_id.len() <= 2 * GENERATION_KEYS);
        assert!(cache.by_owner(key(many - 1).owner, now).is_some());
        assert!(cache.by_owner(key(0).owner, now).is_none());
    }

    #[test]
    fn what_is_to_be_forgotten_is_gone_from_both_generations() {
        let now = Instant::now();
        let mut cache = Cache::new(now);
        cache.insert(key(1), now);
        let later = now + GENERATION;
        cache.insert(key(1), later);
        cache.forget(key(1).owner);
        assert!(
            cache.by_id(Uuid::from_u128(1), later).is_none() && cache.by_owner(key(1).owner, later).is_none()
        );
    }
}
