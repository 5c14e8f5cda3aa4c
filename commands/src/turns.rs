//! One decision at a time per user in this process, so that conflicts remain only between processes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use slipstream_domain::UserId;
use tokio::sync::OwnedMutexGuard;

/// Who is deciding right now.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<UserId, Arc<tokio::sync::Mutex<()>>>>);

/// A user's turn; over when dropped.
pub(crate) type Turn = OwnedMutexGuard<()>;

impl Turns {
    /// Beyond this many users the map forgets those who wait for nothing; below, keeping them costs nothing.
    const KEPT: usize = 1024;

    /// Waits for the user's turn. Cancel-safe.
    pub(crate) async fn take(&self, user: UserId) -> Turn {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= Self::KEPT {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(user).or_default())
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn user(n: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(n))
    }

    #[tokio::test]
    async fn a_user_waits_for_their_own_turn_only() {
        let turns = Turns::default();
        let held = turns.take(user(1)).await;
        let _other = turns.take(user(2)).await;
        let waiting = turns.take(user(1));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), waiting).await.is_err());
        drop(held);
        let _mine = turns.take(user(1)).await;
    }

    #[tokio::test]
    async fn users_who_wait_for_nothing_are_forgotten() {
        let turns = Turns::default();
        let _held = turns.take(user(0)).await;
        for n in 1..5000 {
            drop(turns.take(user(n)).await);
        }
        assert!(turns.0.lock().unwrap().len() <= Turns::KEPT);
        assert!(turns.0.lock().unwrap().contains_key(&user(0)));
    }
}
