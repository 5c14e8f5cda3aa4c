//! A client of `slipstream.v1` without a socket: takes frames, applies the protocol's rules strictly, says what to send, and
//! refuses whatever the server may not do. Knows the wire only, so that it checks the wire.

mod reply;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use reply::Reply;

/// What the client knows: conversations, and the replies in them.
#[derive(Debug, Default)]
pub struct V1Client {
    conversations: BTreeMap<String, Conversation>,
    /// Answers and news that are of no stream, in order.
    others: Vec<Value>,
}

/// A conversation as the client knows it.
#[derive(Debug, Default)]
pub struct Conversation {
    /// Its version, as far as it was told.
    pub version: i64,
    /// Its events' frames, in order.
    pub events: Vec<Value>,
    /// Its replies, by their generations.
    pub replies: BTreeMap<String, Reply>,
    /// Whether a subscription is being answered, so that gaps are not asked for again until it is.
    resuming: bool,
}

/// Something the server may not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {frame}")]
pub struct Violation {
    /// Which rule was broken.
    pub what: String,
    /// By which frame.
    pub frame: Value,
}

impl V1Client {
    /// Takes a frame; answers with what is to be sent, which is a `subscribe` after a gap.
    ///
    /// # Errors
    /// The frame breaks a rule of the protocol.
    pub fn take(&mut self, frame: &Value) -> Result<Option<Value>, Violation> {
        let kind = frame["type"].as_str().unwrap_or_default().to_owned();
        let Some(id) = frame["conversationId"].as_str().map(str::to_owned) else {
            self.others.push(frame.clone());
            return Ok(None);
        };
        if kind == "ack"
            || kind == "typing"
            || kind.starts_with("image_gen_")
            || kind.starts_with("asset_")
            || kind.starts_with("conversation:") && frame["version"].is_null()
        {
            // An ack is no version that is known: the events before it may still be on their way. News of the list of
            // conversations, of a picture on its way and of files have none.
            self.others.push(frame.clone());
            return Ok(None);
        }
        let conversation = self.conversations.entry(id.clone()).or_default();
        let gap = conversation.take(&kind, frame).map_err(|what| Violation { what, frame: frame.clone() })?;
        Ok((gap && !std::mem::replace(&mut conversation.resuming, true)).then(|| self.subscribe(&id)))
    }

    /// The `subscribe` that resumes a conversation where the client stands.
    #[must_use]
    pub fn subscribe(&self, conversation: &str) -> Value {
        let Some(known) = self.conversations.get(conversation) else {
            return json!({"type": "subscribe", "conversationId": conversation, "version": 0});
        };
        let unended = known.replies.iter().filter(|(_, reply)| !reply.is_over());
        let generations: Vec<_> = unended
            .map(|(id, reply)| json!({"generationId": id, "epoch": reply.epoch(), "seq": reply.seq()}))
            .collect();
        json!({
            "type": "subscribe", "conversationId": conversation, "version": known.version,
            "generations": generations,
        })
    }

    /// The same, and from the beginning for those of `generations` of which the client has nothing.
    #[must_use]
    pub fn subscribe_also(&self, conversation: &str, generations: &[String]) -> Value {
        let mut frame = self.subscribe(conversation);
        let unknown = generations.iter().filter(|id| self.reply(id).is_none());
        let unknown: Vec<_> = unknown.map(|id| json!({"generationId": id, "epoch": 1, "seq": 0})).collect();
        match frame["generations"].as_array_mut() {
            Some(asked) => asked.extend(unknown),
            None => frame["generations"] = unknown.into(),
        }
        frame
    }

    /// The connection broke: what was asked will not be answered.
    pub fn disconnected(&mut self) {
        self.conversations.values_mut().for_each(|conversation| conversation.resuming = false);
    }

    /// A conversation.
    #[must_use]
    pub fn conversation(&self, id: &str) -> Option<&Conversation> {
        self.conversations.get(id)
    }

    /// A reply, in whatever conversation.
    #[must_use]
    pub fn reply(&self, generation: &str) -> Option<&Reply> {
        self.conversations.values().find_map(|conversation| conversation.replies.get(generation))
    }

    /// The frames that are of no stream and no conversation's event, taken out.
    pub fn take_others(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.others)
    }
}

impl Conversation {
    /// Whether there is a gap.
    fn take(&mut self, kind: &str, frame: &Value) -> Result<bool, String> {
        match kind {
            "caught_up" => {
                // Of an answer that came before what was asked last, it says nothing.
                let whole = self.version == number::<i64>(frame, "version")?;
                if !whole && !self.resuming {
                    return Err(format!("the client has version {}", self.version));
                }
                self.resuming &= !whole;
            }
            "stream:resumed" => {
                let reply = self.replies.entry(text(frame, "generationId")?).or_default();
                reply.resumed(frame)?;
            }
            "ai_chat_chunk" | "ai_chat_inline_data" => {
                let reply = self.replies.entry(text(frame, "generationId")?).or_default();
                return reply.chunk(frame);
            }
            "ai_chat_response" | "ai_chat_error" => {
                let reply = self.replies.entry(text(frame, "generationId")?).or_default();
                return reply.end(frame).map(|whole| !whole);
            }
            _ => {
                let version = number(frame, "version")?;
                // Nothing is told of a deleted conversation but that it is.
                if version == self.version + 1 || kind == "conversation:deleted" {
                    self.version = version;
                    self.events.push(frame.clone());
                }
                return Ok(version > self.version);
            }
        }
        Ok(false)
    }
}

fn number<T: TryFrom<i64>>(frame: &Value, field: &str) -> Result<T, String> {
    let number = frame[field].as_i64().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("{field} must be a number"))
}

fn text(frame: &Value, field: &str) -> Result<String, String> {
    frame[field].as_str().map(str::to_owned).ok_or_else(|| format!("{field} must be a text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(epoch: u32, seq: u64, count: u64, offset: u64, text: &str) -> Value {
        json!({
            "type": "ai_chat_chunk", "conversationId": "c", "generationId": "g", "epoch": epoch, "seq": seq,
            "count": count, "offset": offset, "part": "text", "chunk": text,
        })
    }

    fn resumed(mode: &str, epoch: u32, seq: u64, text: u64) -> Value {
        json!({
            "type": "stream:resumed", "conversationId": "c", "generationId": "g", "mode": mode, "epoch": epoch,
            "seq": seq, "offset": {"text": text, "thinking": 0},
        })
    }

    fn after(frames: &[Value]) -> V1Client {
        let mut client = V1Client::default();
        for frame in frames {
            assert_eq!(client.take(frame), Ok(None), "{frame}");
        }
        client
    }

    fn text_of(client: &V1Client) -> &str {
        client.reply("g").unwrap().text()
    }

    #[test]
    fn what_comes_next_is_applied_what_is_known_is_dropped_and_what_overlaps_is_sliced() {
        let client = after(&[
            chunk(1, 2, 2, 0, "ab"),
            chunk(1, 2, 1, 1, "b"),
            chunk(1, 4, 3, 1, "bcd"),
            chunk(1, 5, 1, 4, "é"),
        ]);
        assert_eq!((text_of(&client), client.reply("g").unwrap().seq()), ("abcdé", 5));
    }

    #[test]
    fn a_gap_is_asked_for_once_and_the_answer_goes_on_from_there() {
        let mut client = after(&[chunk(1, 1, 1, 0, "a")]);
        let asked = client.take(&chunk(1, 3, 1, 2, "c")).unwrap().unwrap();
        assert_eq!(asked["generations"], json!([{"generationId": "g", "epoch": 1, "seq": 1}]));
        assert_eq!(client.take(&chunk(1, 4, 1, 3, "d")), Ok(None));
        for frame in [resumed("replay", 1, 1, 1), chunk(1, 4, 3, 1, "bcd")] {
            assert_eq!(client.take(&frame), Ok(None));
        }
        assert_eq!(text_of(&client), "abcd");
    }

    #[test]
    fn a_reset_cuts_the_text_and_only_then_a_higher_epoch_is_right() {
        let mut client = after(&[chunk(1, 3, 3, 0, "abc")]);
        assert!(client.take(&chunk(2, 4, 1, 3, "x")).is_err());
        for frame in [resumed("reset", 2, 1, 1), chunk(1, 4, 1, 3, "d"), chunk(2, 3, 2, 1, "xy")] {
            assert_eq!(client.take(&frame), Ok(None));
        }
        assert_eq!(text_of(&client), "axy");
    }

    #[test]
    fn a_text_that_does_not_fit_its_place_or_its_digest_is_a_violation() {
        let mut client = after(&[chunk(1, 1, 1, 0, "a")]);
        assert!(client.take(&chunk(1, 2, 1, 7, "b")).is_err(), "an offset beyond the end");
        let end = |digest: &str| {
            json!({
                "type": "ai_chat_response", "conversationId": "c", "generationId": "g", "epoch": 1,
                "finalSeq": 1, "status": "completed", "digest": digest,
            })
        };
        let digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        assert!(client.take(&end("0000")).is_err());
        assert_eq!(client.take(&end(digest)), Ok(None));
        assert_eq!(client.take(&end(digest)), Ok(None), "an end may come again");
        assert!(client.subscribe("c")["generations"].as_array().unwrap().is_empty());
    }

    #[test]
    fn an_end_beyond_what_the_client_has_is_a_gap() {
        let mut client = after(&[chunk(1, 1, 1, 0, "a")]);
        let end = json!({
            "type": "ai_chat_response", "conversationId": "c", "generationId": "g", "epoch": 1, "finalSeq": 2,
            "status": "completed", "digest": "",
        });
        assert_eq!(client.take(&end).unwrap().unwrap()["type"], "subscribe");
    }

    #[test]
    fn events_are_kept_in_the_order_of_their_versions() {
        let event =
            |version: i64| json!({"type": "message:posted", "conversationId": "c", "version": version});
        let client = after(&[event(1), event(2), event(1), event(3)]);
        let known = client.conversation("c").unwrap();
        assert_eq!((known.version, known.events.len()), (3, 3));
        assert_eq!(client.subscribe("c")["version"], 3);
    }
}
