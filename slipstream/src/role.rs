//! What a process does for the service.

use std::collections::BTreeSet;

use clap::ValueEnum;

/// What a process does for the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Role {
    /// Fills the read models.
    Projector,
    /// Makes replies.
    Worker,
    /// Talks to clients.
    Gateway,
}

impl Role {
    /// In the order they start: nobody before those who are needed.
    pub(crate) const ALL: [Self; 3] = [Self::Projector, Self::Worker, Self::Gateway];

    /// # Errors
    /// A process that shares nothing with others has to do everything; the text says what is missing.
    pub(crate) fn check_alone(roles: &BTreeSet<Self>) -> Result<(), String> {
        let missing: Vec<_> =
            Self::ALL.iter().filter(|role| !roles.contains(role)).map(|role| role.name()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "these roles need {} in the same process, or other processes to share the work with: set nats.servers \
             (NATS_URL), redis.url (REDIS_URL) and database.url (DATABASE_URL)",
            missing.join(" and ")
        ))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Projector => "projector",
            Self::Worker => "worker",
            Self::Gateway => "gateway",
        }
    }
}
