//! The frame `subscribe`, which is also the message that resumes.

use serde::Deserialize;
use serde_json::value::RawValue;
use slipstream_domain::{ConversationId, Epoch, GenerationId, Seq};

use super::FrameError;
use super::fields::{Fields, optional, required};

/// A wish to follow a conversation, from where the client stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Which.
    pub conversation: ConversationId,
    /// The conversation's version that the client has; its later events are told. Absent: those from now on.
    pub version: Option<i64>,
    /// The streams that the client has something of.
    pub generations: Vec<Standing>,
}

/// What a client has of a stream: everything up to `seq`, as `epoch` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the fields of the wire protocol")]
pub struct Standing {
    pub generation: GenerationId,
    pub epoch: Epoch,
    pub seq: Seq,
}

const RIGHT_CONVERSATION: &str = "the id of one of your conversations";

impl Subscribe {
    /// Streams that one frame may ask for: those of a client's screen, many times over.
    pub const MOST_GENERATIONS: usize = 16;

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            conversation: required(fields.conversation_id, "conversationId", RIGHT_CONVERSATION)?,
            version: version(fields.version)?,
            generations: fields.generations.map_or(Ok(Vec::new()), generations)?,
        })
    }
}

fn version(raw: Option<&RawValue>) -> Result<Option<i64>, FrameError> {
    let right = "a conversation's version, a whole number from 0";
    let version: Option<i64> = optional(raw, "version", right)?;
    if version.is_some_and(|version| version < 0) {
        return Err(FrameError::Field(format!("version must be {right}")));
    }
    Ok(version)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StandingFields<'a> {
    #[serde(borrow)]
    generation_id: Option<&'a RawValue>,
    epoch: Option<&'a RawValue>,
    seq: Option<&'a RawValue>,
}

fn generations(raw: &RawValue) -> Result<Vec<Standing>, FrameError> {
    let most = Subscribe::MOST_GENERATIONS;
    let wrong = || {
        let right =
            format!("a list of at most {most} objects {{generationId, epoch, seq}}, each generation once");
        FrameError::Field(format!("generations must be {right}"))
    };
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    if items.len() > most || items.iter().any(|item| !item.get().starts_with('{')) {
        return Err(wrong());
    }
    let mut found: Vec<Standing> = Vec::with_capacity(items.len());
    for (n, item) in items.into_iter().enumerate() {
        let fields: StandingFields<'_> = serde_json::from_str(item.get()).map_err(|_| wrong())?;
        let standing = standing(n, &fields)?;
        if found.iter().any(|other| other.generation == standing.generation) {
            return Err(wrong());
        }
        found.push(standing);
    }
    Ok(found)
}

fn standing(n: usize, fields: &StandingFields<'_>) -> Result<Standing, FrameError> {
    let name = |field: &str| format!("generations[{n}].{field}");
    let (epoch_name, right_epoch) = (name("epoch"), "a whole number from 1");
    let epoch: u32 = required(fields.epoch, &epoch_name, right_epoch)?;
    if epoch == 0 {
        return Err(FrameError::Field(format!("{epoch_name} must be {right_epoch}")));
    }
    Ok(Standing {
        generation: required(fields.generation_id, &name("generationId"), "the id of a generation")?,
        epoch: Epoch(epoch),
        seq: Seq(required(fields.seq, &name("seq"), "a whole number from 0")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

    fn parse(rest: &str) -> Result<Subscribe, String> {
        let text = format!(r#"{{"type":"subscribe"{rest}}}"#);
        Subscribe::parse(&Fields::find(&text).unwrap()).map_err(|error| error.to_string())
    }

    fn with(rest: &str) -> Result<Subscribe, String> {
        parse(&format!(r#","conversationId":"{ID}"{rest}"#))
    }

    #[test]
    fn where_a_client_stands_becomes_values_and_may_be_left_out() {
        let full = with(&format!(
            r#","version":7,"generations":[{{"generationId":"{ID}","epoch":2,"seq":0,"more":[]}}]"#
        ));
        let standing = Standing { generation: ID.parse().unwrap(), epoch: Epoch(2), seq: Seq(0) };
        let conversation = ID.parse().unwrap();
        assert_eq!(full, Ok(Subscribe { conversation, version: Some(7), generations: vec![standing] }));
        assert_eq!(with(""), Ok(Subscribe { conversation, version: None, generations: Vec::new() }));
    }

    #[test]
    fn each_wrong_field_names_itself_and_what_would_be_right() {
        let one = |fields: &str| format!(r#","generations":[{{{fields}}}]"#);
        let twice = format!(r#"{{"generationId":"{ID}","epoch":1,"seq":0}}"#);
        for (rest, wanted) in [
            (r#","version":-1"#.to_owned(), "version must be a conversation's version"),
            (r#","version":1.5"#.to_owned(), "version must be"),
            (r#","version":"7""#.to_owned(), "version must be"),
            (r#","generations":{}"#.to_owned(), "generations must be a list of at most 16"),
            (r#","generations":[7]"#.to_owned(), "generations must be a list of"),
            (format!(r#","generations":[{}]"#, vec!["{}"; 17].join(",")), "generations must be a list of"),
            (format!(r#","generations":[{twice},{twice}]"#), "generations must be a list of"),
            (one(r#""epoch":1,"seq":0"#), "generations[0].generationId is missing"),
            (one(r#""generationId":"x","epoch":1,"seq":0"#), "generations[0].generationId must be"),
            (one(&format!(r#""generationId":"{ID}","seq":0"#)), "generations[0].epoch is missing"),
            (
                one(&format!(r#""generationId":"{ID}","epoch":0,"seq":0"#)),
                "generations[0].epoch must be a whole",
            ),
            (one(&format!(r#""generationId":"{ID}","epoch":1"#)), "generations[0].seq is missing"),
            (
                one(&format!(r#""generationId":"{ID}","epoch":1,"seq":-1"#)),
                "generations[0].seq must be a whole",
            ),
        ] {
            let got = with(&rest).unwrap_err();
            assert!(got.starts_with(wanted), "{rest}: {got}");
        }
        assert!(parse("").unwrap_err().starts_with("conversationId is missing"));
        assert!(parse(r#","conversationId":"home""#).unwrap_err().starts_with("conversationId must be"));
    }
}
