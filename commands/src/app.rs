//! What every use case needs, in one place.

use std::num::NonZeroU32;
use std::sync::Arc;

use secrecy::SecretString;
use slipstream_domain::{Timestamp, UserId};
use slipstream_eventlog::{CommandId, EventLog};
use uuid::Uuid;

use crate::ports::{Clock, Ids, KeyVault, LiveBus};
use crate::turns::Turns;

/// The use cases' surroundings. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    pub(crate) log: EventLog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) keys: Arc<dyn KeyVault>,
    pub(crate) bus: Arc<dyn LiveBus>,
    pub(crate) pepper: Arc<EmailPepper>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) free_messages_per_day: Option<NonZeroU32>,
}

/// The secret that e-mail addresses are hashed with to find their streams. Never rotated: with another one every
/// address looks unknown.
pub struct EmailPepper(SecretString);

impl EmailPepper {
    /// The pepper with this text.
    #[must_use]
    pub fn new(secret: SecretString) -> Self {
        Self(secret)
    }

    pub(crate) fn secret(&self) -> &SecretString {
        &self.0
    }
}

impl Commands {
    /// Puts the use cases on a log and their ports. Messages on the operator's keys have no limit.
    #[must_use]
    pub fn new(
        log: EventLog,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        keys: Arc<dyn KeyVault>,
        bus: Arc<dyn LiveBus>,
        pepper: EmailPepper,
    ) -> Self {
        let (pepper, turns) = (Arc::new(pepper), Arc::default());
        Self { log, clock, ids, keys, bus, pepper, turns, free_messages_per_day: None }
    }

    /// The same with a limit to the messages that a user may send on the operator's keys within a day; `None` is no limit,
    /// and then they are not counted either.
    #[must_use]
    pub fn with_free_messages_per_day(self, most: Option<NonZeroU32>) -> Self {
        Self { free_messages_per_day: most, ..self }
    }

    /// The log, for readers that need it beside the use cases.
    #[must_use]
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// The bus the use cases publish on.
    #[must_use]
    pub fn bus(&self) -> &Arc<dyn LiveBus> {
        &self.bus
    }

    /// Whose key pays, and the key.
    #[must_use]
    pub fn keys(&self) -> &Arc<dyn KeyVault> {
        &self.keys
    }

    /// Now, by the clock of the use cases.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn new_command(&self) -> CommandId {
        CommandId::from_uuid(self.ids.uuid())
    }

    /// The command id of a message that its client named: the same client id of a user is accepted once.
    pub(crate) fn client_command(user: UserId, client_message_id: &str) -> CommandId {
        CommandId::from_uuid(Uuid::new_v5(&user.as_uuid(), client_message_id.as_bytes()))
    }
}
