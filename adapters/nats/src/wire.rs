//! Messages of the live bus as bytes: a version, then JSON. A process skips versions and messages it does not know, so
//! that old and new ones can run beside each other while an installation is brought up to date.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slipstream_commands::ports::{FileNews, LiveMessage};
use slipstream_domain::event::SettingsChanged;
use slipstream_domain::{
    AttachmentId, ConversationId, Epoch, GenerationId, ProviderId, Run, Seq, SessionId, Timestamp, UserId,
};
use uuid::Uuid;

/// What the JSON below means. A change that readers of it would misunderstand needs the next number.
const VERSION: u8 = 1;

/// A message of version 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Version1<'a> {
    Output {
        #[serde(rename = "g")]
        generation: GenerationId,
        #[serde(rename = "e")]
        epoch: Epoch,
        #[serde(rename = "r")]
        run: Cow<'a, Run>,
        #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
        thinking_ms: Option<u64>,
        #[serde(rename = "m")]
        made_at: Timestamp,
    },
    Beat {
        #[serde(rename = "g")]
        generation: GenerationId,
        #[serde(rename = "e")]
        epoch: Epoch,
        #[serde(rename = "s")]
        seq: Seq,
    },
    Cancel {
        #[serde(rename = "g")]
        generation: GenerationId,
    },
    SignedOut {
        #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
    },
    Settings {
        #[serde(rename = "s")]
        settings: Cow<'a, SettingsChanged>,
    },
    ApiKey {
        #[serde(rename = "p")]
        provider: Cow<'a, ProviderId>,
        #[serde(rename = "i")]
        is_set: bool,
    },
    Typing {
        #[serde(rename = "c")]
        conversation: ConversationId,
        #[serde(rename = "u")]
        user: UserId,
        #[serde(rename = "o")]
        connection: Uuid,
    },
    Coming {
        #[serde(rename = "a")]
        attachment: AttachmentId,
        #[serde(rename = "p")]
        progress: f64,
        #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        #[serde(rename = "o")]
        connection: Uuid,
    },
    Ready {
        #[serde(rename = "a")]
        attachment: AttachmentId,
        #[serde(rename = "o")]
        connection: Uuid,
    },
}

/// Bytes that mean nothing to this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("version {0:?} of a message of the live bus is not known")]
    Version(Option<u8>),
    #[error("a message of the live bus cannot be read: {0}")]
    Message(String),
}

pub(crate) fn encode(message: &LiveMessage) -> serde_json::Result<Bytes> {
    let message = match message {
        LiveMessage::Output { generation, epoch, run, thinking_ms, made_at } => Version1::Output {
            generation: *generation,
            epoch: *epoch,
            run: Cow::Borrowed(run),
            thinking_ms: *thinking_ms,
            made_at: *made_at,
        },
        LiveMessage::Beat { generation, epoch, seq } => {
            Version1::Beat { generation: *generation, epoch: *epoch, seq: *seq }
        }
        LiveMessage::Cancel { generation } => Version1::Cancel { generation: *generation },
        LiveMessage::SignedOut { session } => Version1::SignedOut { session: *session },
        LiveMessage::SettingsUpdated { settings } => Version1::Settings { settings: Cow::Borrowed(settings) },
        LiveMessage::ApiKeyUpdated { provider, is_set } => {
            Version1::ApiKey { provider: Cow::Borrowed(provider), is_set: *is_set }
        }
        LiveMessage::Typing { conversation, user, connection } => {
            Version1::Typing { conversation: *conversation, user: *user, connection: *connection }
        }
        LiveMessage::File { attachment, news, connection } => {
            let (attachment, connection) = (*attachment, *connection);
            match *news {
                FileNews::OnItsWay { progress, bytes, total } => {
                    Version1::Coming { attachment, progress, bytes, total, connection }
                }
                FileNews::Ready => Version1::Ready { attachment, connection },
            }
        }
    };
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, &message)?;
    Ok(bytes.into())
}

pub(crate) fn decode(bytes: &[u8]) -> Result<LiveMessage, Unreadable> {
    let Some((&VERSION, json)) = bytes.split_first() else {
        return Err(Unreadable::Version(bytes.first().copied()));
    };
    let unreadable = |error: &dyn std::fmt::Display| Unreadable::Message(error.to_string());
    Ok(match serde_json::from_slice(json).map_err(|e| unreadable(&e))? {
        Version1::Output { generation, epoch, run, thinking_ms, made_at } => {
            run.check().map_err(|e| unreadable(&e))?;
            LiveMessage::Output { generation, epoch, run: run.into_owned(), thinking_ms, made_at }
        }
        Version1::Beat { generation, epoch, seq } => LiveMessage::Beat { generation, epoch, seq },
        Version1::Cancel { generation } => LiveMessage::Cancel { generation },
        Version1::SignedOut { session } => LiveMessage::SignedOut { session },
        Version1::Settings { settings } => LiveMessage::SettingsUpdated { settings: settings.into_owned() },
        Version1::ApiKey { provider, is_set } => {
            LiveMessage::ApiKeyUpdated { provider: provider.into_owned(), is_set }
        }
        Version1::Typing { conversation, user, connection } => {
            LiveMessage::Typing { conversation, user, connection }
        }
        Version1::Coming { attachment, progress, bytes, total, connection } => {
            let news = FileNews::OnItsWay { progress, bytes, total };
            LiveMessage::File { attachment, news, connection }
        }
        Version1::Ready { attachment, connection } => {
            LiveMessage::File { attachment, news: FileNews::Ready, connection }
        }
    })
}

#[cfg(test)]
mod tests {
    use slipstream_domain::{Part, Theme};

    use super::*;

    fn messages() -> [LiveMessage; 10] {
        let (generation, epoch) = (GenerationId::from_uuid(Uuid::from_u128(1)), Epoch(2));
        let run = Run::delta(Seq(3), Part::Text, 4, "é".into());
        let (conversation, user) =
            (ConversationId::from_uuid(Uuid::from_u128(5)), UserId::from_uuid(Uuid::from_u128(6)));
        let (attachment, connection) = (AttachmentId::from_uuid(Uuid::from_u128(9)), Uuid::from_u128(7));
        let coming = FileNews::OnItsWay { progress: 40.0, bytes: Some(2), total: None };
        [
            LiveMessage::Output {
                generation,
                epoch,
                run,
                thinking_ms: None,
                made_at: Timestamp::from_micros(8),
            },
            LiveMessage::Beat { generation, epoch, seq: Seq(3) },
            LiveMessage::Cancel { generation },
            LiveMessage::Typing { conversation, user, connection },
            LiveMessage::File { attachment, news: coming, connection },
            LiveMessage::File { attachment, news: FileNews::Ready, connection },
            LiveMessage::SignedOut { session: Some(SessionId::from_uuid(Uuid::from_u128(9))) },
            LiveMessage::SignedOut { session: None },
            LiveMessage::SettingsUpdated {
                settings: SettingsChanged { theme: Some(Theme::Dark), ..SettingsChanged::default() },
            },
            LiveMessage::ApiKeyUpdated { provider: ProviderId::simulated(), is_set: true },
        ]
    }

    #[test]
    fn version_1_stays_as_it_is() {
        let one = "00000000-0000-0000-0000-00000000000";
        let golden = [
            format!(
                r#"{{"output":{{"g":"{one}1","e":2,"r":{{"from":3,"part":"text","startOffset":4,"ends":[2],"text":"é"}},"m":8}}}}"#
            ),
            format!(r#"{{"beat":{{"g":"{one}1","e":2,"s":3}}}}"#),
            format!(r#"{{"cancel":{{"g":"{one}1"}}}}"#),
            format!(r#"{{"typing":{{"c":"{one}5","u":"{one}6","o":"{one}7"}}}}"#),
            format!(r#"{{"coming":{{"a":"{one}9","p":40.0,"b":2,"o":"{one}7"}}}}"#),
            format!(r#"{{"ready":{{"a":"{one}9","o":"{one}7"}}}}"#),
            format!(r#"{{"signedout":{{"s":"{one}9"}}}}"#),
            r#"{"signedout":{}}"#.to_owned(),
            r#"{"settings":{"s":{"theme":"dark"}}}"#.to_owned(),
            r#"{"apikey":{"p":"simulated","i":true}}"#.to_owned(),
        ];
        for (message, golden) in messages().iter().zip(golden) {
            let bytes = encode(message).unwrap();
            assert_eq!((bytes[0], std::str::from_utf8(&bytes[1..]).unwrap()), (1, golden.as_str()));
            assert_eq!(decode(&bytes).as_ref(), Ok(message));
        }
    }

    #[test]
    fn what_a_newer_process_says_is_unreadable_and_no_more() {
        assert_eq!(decode(b"\x02whatever"), Err(Unreadable::Version(Some(2))));
        assert_eq!(decode(b""), Err(Unreadable::Version(None)));
        for newer in [r#"{"dance":{}}"#, r#"{"beat":{}}"#, "{", "\u{0}"] {
            let bytes = [b"\x01", newer.as_bytes()].concat();
            assert!(matches!(decode(&bytes), Err(Unreadable::Message(_))), "{newer}");
        }
    }

    #[test]
    fn a_run_that_breaks_its_own_rules_is_unreadable() {
        let mut bytes = encode(&messages()[0]).unwrap().to_vec();
        let ends = bytes.windows(3).position(|window| window == b"[2]").unwrap();
        bytes[ends + 1] = b'1';
        assert!(matches!(decode(&bytes), Err(Unreadable::Message(_))));
    }
}
