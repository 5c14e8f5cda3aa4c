//! One reply as a v1 client builds it: by (epoch, seq), never by seq alone.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{number, text};

/// A reply as far as the client has it.
#[derive(Debug, Default, Clone)]
pub struct Reply {
    /// 0 before anything is known of it.
    epoch: u32,
    seq: u64,
    text: String,
    thinking: String,
    /// The pictures, each with its number and its file.
    pictures: Vec<(u64, String)>,
    /// The terminal frame.
    end: Option<Value>,
    gone: bool,
    /// How often it was cut.
    resets: u32,
}

impl Reply {
    /// The epoch the client is in; the first when it has nothing.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch.max(1)
    }

    /// The last delta the client has.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Its text so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its thinking so far.
    #[must_use]
    pub fn thinking(&self) -> &str {
        &self.thinking
    }

    /// Its pictures so far: each with its number and its file.
    #[must_use]
    pub fn pictures(&self) -> &[(u64, String)] {
        &self.pictures
    }

    /// The terminal frame, once it came.
    #[must_use]
    pub fn terminal(&self) -> Option<&Value> {
        self.end.as_ref()
    }

    /// Whether nothing of it will come any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end.is_some() || self.gone
    }

    /// How often its text was cut.
    #[must_use]
    pub fn resets(&self) -> u32 {
        self.resets
    }

    pub(super) fn resumed(&mut self, frame: &Value) -> Result<(), String> {
        let mode = text(frame, "mode")?;
        if mode == "gone" {
            self.gone = true;
            return Ok(());
        }
        let (epoch, seq): (u32, u64) = (number(frame, "epoch")?, number(frame, "seq")?);
        match mode.as_str() {
            "reset" => {
                if epoch < self.epoch || seq > self.seq {
                    return Err(format!("a reset from {}-{}", self.epoch, self.seq));
                }
                self.text = cut(&self.text, number(&frame["offset"], "text")?)?;
                self.thinking = cut(&self.thinking, number(&frame["offset"], "thinking")?)?;
                self.pictures.retain(|(at, _)| *at <= seq);
                (self.epoch, self.seq) = (epoch, seq);
                self.resets += 1;
            }
            // The place that was asked for; what came since stays.
            "replay" | "pending" | "final" => {
                if epoch != self.epoch() && self.epoch != 0 || seq > self.seq {
                    return Err(format!("the client stands at {}-{}", self.epoch, self.seq));
                }
                let offset = frame["offset"]["text"].as_u64().filter(|_| seq == self.seq);
                if offset.is_some_and(|offset| offset != self.text.len() as u64) {
                    return Err(format!("the client has {} bytes of text", self.text.len()));
                }
                self.epoch = epoch;
            }
            _ => return Err("an unknown mode".to_owned()),
        }
        Ok(())
    }

    /// Whether there is a gap.
    pub(super) fn chunk(&mut self, frame: &Value) -> Result<bool, String> {
        let (epoch, seq, count): (u32, u64, u64) =
            (number(frame, "epoch")?, number(frame, "seq")?, number(frame, "count")?);
        if epoch > self.epoch() {
            return Err(format!("epoch {epoch} without a reset from {}", self.epoch));
        }
        self.epoch = self.epoch();
        if epoch < self.epoch || seq <= self.seq {
            return Ok(false);
        }
        if count == 0 || count > seq {
            return Err("count must be 1 to seq".to_owned());
        }
        if seq - count > self.seq {
            return Ok(true);
        }
        if frame["part"] == "image" {
            if count != 1 {
                return Err("a picture has a count of 1".to_owned());
            }
            self.pictures.push((seq, text(frame, "attachmentId")?));
            self.seq = seq;
            return Ok(false);
        }
        let offset: usize = number(frame, "offset")?;
        let (part, text) = match frame["part"].as_str() {
            Some("text") => (&mut self.text, text(frame, "chunk")?),
            Some("thinking") => (&mut self.thinking, text(frame, "thinkingText")?),
            _ => return Err("part must be text, thinking or image".to_owned()),
        };
        let known = part.len().checked_sub(offset).ok_or("offset is beyond what the part has")?;
        let overlaps = seq - count < self.seq;
        if known > 0 && !overlaps {
            return Err(format!("offset must be {}", part.len()));
        }
        let new = text.get(known..).ok_or("what overlaps is longer than the frame, or splits a character")?;
        if part.get(offset..) != text.get(..known) {
            return Err("what overlaps is another text".to_owned());
        }
        part.push_str(new);
        self.seq = seq;
        Ok(false)
    }

    /// Whether the client has all of it.
    pub(super) fn end(&mut self, frame: &Value) -> Result<bool, String> {
        let (epoch, seq): (u32, u64) = (number(frame, "epoch")?, number(frame, "finalSeq")?);
        if (epoch, seq) > (self.epoch(), self.seq) {
            return if epoch > self.epoch() && self.epoch != 0 {
                Err("an end of a higher epoch without a reset".to_owned())
            } else {
                Ok(false)
            };
        }
        if (epoch, seq) < (self.epoch(), self.seq) {
            return Err(format!("the client has {}-{}", self.epoch, self.seq));
        }
        let digest = hex::encode(Sha256::digest(self.text.as_bytes()));
        if text(frame, "digest")? != digest {
            return Err(format!("the client's text has the digest {digest}"));
        }
        self.end = Some(frame.clone());
        Ok(true)
    }
}

fn cut(part: &str, bytes: usize) -> Result<String, String> {
    part.get(..bytes).map(str::to_owned).ok_or_else(|| format!("a cut at {bytes} of {} bytes", part.len()))
}
