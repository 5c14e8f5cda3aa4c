//! Ids as types: two ids of different things cannot be swapped in a call.
//!
//! Ids we make are UUIDv7 (RFC 9562); any UUID is accepted. Making one needs time and randomness, so it is the caller's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Text that should have been a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be a UUID, for example 0190163d-8694-739b-aea5-966c26f8ad91")]
pub struct NotAnId {
    /// Which id was expected.
    pub what: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself, for storage and the wire.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text).map(Self).map_err(|_| NotAnId { what: stringify!($name) })
            }
        }
    };
}

id!(
    /// A person; the id of their stream, and the owner whose key seals their data.
    UserId
);
id!(
    /// An e-mail address's stream: UUIDv5 over a keyed hash of the normalised address.
    EmailId
);
id!(
    /// A conversation; also the correlation id of everything that belongs to it.
    ConversationId
);
id!(
    /// One message of a conversation, the user's or the assistant's.
    MessageId
);
id!(
    /// One attempt at a reply. New for every attempt a user asks for.
    GenerationId
);
id!(
    /// A file.
    AttachmentId
);
id!(
    /// A provider key in the vault.
    KeyId
);
id!(
    /// A session of somebody who is signed in; gives no access by itself.
    SessionId
);
id!(
    /// A signature over a head of the log.
    SignatureId
);
id!(
    /// One run of a worker process; a restarted worker is another.
    WorkerId
);

impl WorkerId {
    /// Who owns a generation that its worker has let go.
    pub const NOBODY: Self = Self::from_uuid(Uuid::nil());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_word_is_not_an_id_and_the_error_says_what_would_be() {
        let error = "home".parse::<ConversationId>().unwrap_err();
        assert!(error.to_string().starts_with("ConversationId must be a UUID"));
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = GenerationId::from_uuid(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
