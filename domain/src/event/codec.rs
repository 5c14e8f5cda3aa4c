//! The stored form of events: type name, schema version, JSON for the clear half, JSON for the sealed half.
//! Knows nothing of encryption or envelopes; the log owns those.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sealed::Sealed;

/// An event ready for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The type's name.
    pub event_type: &'static str,
    /// The schema version of both halves.
    pub schema_version: u16,
    /// The clear half: a JSON object.
    pub data: String,
    /// The sealed half in plaintext, if the type has one: a JSON object.
    pub sealed: Option<Vec<u8>>,
}

/// The sealed half as the log gives it back: plaintext JSON, or erased.
pub type SealedJson<'a> = Sealed<&'a [u8]>;

/// An event that cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Its owner's data is erased; it must not be written again.
    #[error("{0} has an erased half and cannot be written")]
    Erased(&'static str),
    /// A value that JSON cannot hold.
    #[error("an event does not fit into JSON")]
    Json(#[from] serde_json::Error),
}

/// A stored event that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// This version of the program does not know the type.
    #[error("unknown event type {0}")]
    UnknownType(String),
    /// The clear half is not of the type's shape.
    #[error("the data of {event_type} is not of its shape: {source}")]
    Data {
        /// The type.
        event_type: &'static str,
        /// What is wrong where.
        source: serde_json::Error,
    },
    /// The sealed half is not of the type's shape. What is wrong is not told: it would quote personal data.
    #[error("the sealed half of {event_type} is not of its shape")]
    SealedHalf {
        /// The type.
        event_type: &'static str,
    },
}

pub(super) fn seal<T: Serialize>(event_type: &'static str, half: &Sealed<T>) -> Result<Vec<u8>, EncodeError> {
    let value = half.open().ok_or(EncodeError::Erased(event_type))?;
    Ok(serde_json::to_vec(value)?)
}

pub(super) fn unseal<T: DeserializeOwned>(
    event_type: &'static str,
    half: Option<SealedJson<'_>>,
) -> Result<Sealed<T>, DecodeError> {
    match half {
        Some(Sealed::Open(json)) => {
            serde_json::from_slice(json).map(Sealed::Open).map_err(|_| DecodeError::SealedHalf { event_type })
        }
        Some(Sealed::Erased) => Ok(Sealed::Erased),
        None => Err(DecodeError::SealedHalf { event_type }),
    }
}

/// Makes the enum of one category's events, with `SCHEMAS`, `encode` and `decode`. A line is
/// `Name(Body) version;` or `Name(Body) version sealed field;`.
macro_rules! events {
    ($(#[$doc:meta])* $enum:ident { $( $(#[$event_doc:meta])* $name:ident($body:ident) $version:literal $(sealed $field:ident)? ; )+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $enum {
            $( $(#[$event_doc])* $name($body), )+
        }

        impl $enum {
            pub(super) const SCHEMAS: &'static [(&'static str, u16)] = &[ $( (stringify!($name), $version) ),+ ];

            pub(super) fn schemas() -> Vec<$crate::event::schema::EventSchema> {
                vec![ $( $crate::event::schema::EventSchema::of::<$body>(
                    stringify!($name), $version, events!(@half $body $($field)?),
                ) ),+ ]
            }

            pub(super) fn encode(&self) -> Result<$crate::event::codec::Encoded, $crate::event::codec::EncodeError> {
                Ok(match self {
                    $( Self::$name(event) => $crate::event::codec::Encoded {
                        event_type: stringify!($name),
                        schema_version: $version,
                        data: serde_json::to_string(event)?,
                        sealed: events!(@seal event $name $($field)?),
                    }, )+
                })
            }

            /// `None` when the type is of another category.
            #[allow(unused_variables, reason = "not every category has a sealed half")]
            pub(super) fn decode(
                event_type: &str,
                data: &str,
                sealed: Option<$crate::event::codec::SealedJson<'_>>,
            ) -> Option<Result<Self, $crate::event::codec::DecodeError>> {
                $( if event_type == stringify!($name) {
                    return Some(events!(@read data sealed $name $body $($field)?).map(Self::$name));
                } )+
                None
            }
        }

    };
    (@half $body:ident) => { None };
    (@half $body:ident $field:ident) => {
        Some(|generator| $crate::event::schema::sealed_half(generator, |event: &$body| &event.$field))
    };
    (@seal $event:ident $name:ident) => { None };
    (@seal $event:ident $name:ident $field:ident) => {
        Some($crate::event::codec::seal(stringify!($name), &$event.$field)?)
    };
    (@read $data:ident $sealed:ident $name:ident $body:ident) => {
        serde_json::from_str::<$body>($data).map_err(|source| $crate::event::codec::DecodeError::Data {
            event_type: stringify!($name), source,
        })
    };
    (@read $data:ident $sealed:ident $name:ident $body:ident $field:ident) => {
        events!(@read $data $sealed $name $body).and_then(|mut event| {
            event.$field = $crate::event::codec::unseal(stringify!($name), $sealed)?;
            Ok(event)
        })
    };
}
pub(super) use events;
