//! An e-mail address: at most one person has it.

use crate::event::{EmailClaimed, EmailEvent, EmailReleased};
use crate::ids::UserId;

/// The state of an address's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmailClaim {
    /// Nobody has it.
    #[default]
    Free,
    /// This person has it.
    Claimed(UserId),
}

/// The address belongs to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address belongs to another user")]
pub struct EmailTaken {
    /// Whom.
    pub by: UserId,
}

impl EmailClaim {
    /// # Errors
    /// Somebody has it, perhaps the same person.
    pub fn claim(&self, user_id: UserId) -> Result<EmailEvent, EmailTaken> {
        match *self {
            Self::Free => Ok(EmailEvent::EmailClaimed(EmailClaimed { user_id })),
            Self::Claimed(by) => Err(EmailTaken { by }),
        }
    }

    /// The event that gives the address back; `None` when `user_id` does not have it.
    #[must_use]
    pub fn release(&self, user_id: UserId) -> Option<EmailEvent> {
        (*self == Self::Claimed(user_id)).then_some(EmailEvent::EmailReleased(EmailReleased {}))
    }

    /// Takes an event of this stream in.
    pub fn evolve(&mut self, event: &EmailEvent) {
        *self = match event {
            EmailEvent::EmailClaimed(claimed) => Self::Claimed(claimed.user_id),
            EmailEvent::EmailReleased(_) => Self::Free,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn an_address_is_free_again_only_after_its_release() {
        let (ann, bob) = (UserId::from_uuid(Uuid::from_u128(1)), UserId::from_uuid(Uuid::from_u128(2)));
        let mut claim = EmailClaim::default();
        claim.evolve(&claim.claim(ann).unwrap());
        assert_eq!(claim.claim(bob), Err(EmailTaken { by: ann }));
        assert_eq!(claim.release(bob), None);
        claim.evolve(&claim.release(ann).unwrap());
        assert!(claim.claim(bob).is_ok());
    }
}
