//! The log's own types of number and identity. Two of them cannot be swapped in a call.
//!
//! They say nothing of what they identify: a stream is a stream, be it a user or a conversation.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident, $(#[$zero_doc:meta])* $zero:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(i64);

        impl $name {
            $(#[$zero_doc])*
            pub const $zero: Self = Self(0);

            /// Wraps a number read from elsewhere; anything below zero is none and becomes zero.
            #[must_use]
            pub const fn new(number: i64) -> Self {
                Self(if number < 0 { 0 } else { number })
            }

            /// The bare number.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }

            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

counters! {
    /// A place in the global order: 1, 2, 3 … without a gap.
    Position,
    /// Before the first event.
    START;

    /// How many events a stream has, which is also the number of its newest event.
    Version,
    /// The version of a stream that does not exist.
    NONE;
}

macro_rules! identities {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes any UUID.
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

identities! {
    /// A stream of events with one history and one version count.
    StreamId;
    /// The person whose key seals an event's personal half.
    OwnerId;
    /// What belongs together across streams and is read in one piece.
    CorrelationId;
    /// One append, as its caller names it: repeating it writes nothing.
    CommandId;
}

/// The kind of a stream. The numbers are the caller's; a stream keeps its category for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Category(pub i16);
