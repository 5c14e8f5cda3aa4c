//! Checks a proof by itself: no database, no log, only a key that is trusted.

use super::{FORMAT, Link, Proof, ProvenEvent};
use crate::{
    Position,
    codec::{Hash, chain_us, root_from},
    signature::{NotSigned, PublicKey},
};

/// What a proof that holds proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// When each event was recorded, in µs since 1970, as the log says; in their order.
    pub recorded_at_us: Vec<i64>,
    /// The signed batch.
    pub batch_no: i64,
}

/// Why a proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotProven {
    /// It is no proof, or not a whole one.
    #[error("this is no whole proof: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is of a form this program does not know.
    #[error("its format is not {FORMAT}")]
    Format,
    /// It proves no event.
    #[error("it has no events")]
    Nothing,
    /// A batch does not follow the one before.
    #[error("the links are broken at batch {0}")]
    Links(i64),
    /// What was signed is not where the links lead.
    #[error("the links lead to another chain than the signed one")]
    Chain,
    /// The signature proves nothing.
    #[error(transparent)]
    Signature(#[from] NotSigned),
    /// An event is in none of the batches.
    #[error("event {0} is in none of the batches")]
    Outside(i64),
    /// An event or its way to the root is not what was recorded.
    #[error("event {0} or its path is not what was recorded")]
    Event(i64),
}

impl Proof {
    /// Reads a proof. It may still prove nothing.
    ///
    /// # Errors
    /// It is no proof, or not a whole one.
    pub fn parse(text: &str) -> Result<Self, NotProven> {
        let proof: Self = serde_json::from_str(text)?;
        if proof.format == FORMAT { Ok(proof) } else { Err(NotProven::Format) }
    }

    /// What it proves to who trusts `key`: that whoever has the key saw each event at its position, in a log whose chain
    /// they signed.
    ///
    /// # Errors
    /// It proves nothing: see [`NotProven`].
    pub fn check(&self, key: &PublicKey) -> Result<Checked, NotProven> {
        let signed = self.signature.verify(key)?;
        let last = self.links.last().ok_or(NotProven::Nothing)?;
        if (last.batch_no, self.chain()?) != (signed.batch_no, signed.chain) {
            return Err(NotProven::Chain);
        }
        if self.events.is_empty() {
            return Err(NotProven::Nothing);
        }
        let recorded = self.events.iter().map(|event| {
            let link = self.link_of(event).ok_or(NotProven::Outside(event.position))?;
            let proven = event.root(link) == Some(link.root.0);
            proven.then_some(link.recorded_at_us).ok_or(NotProven::Event(event.position))
        });
        Ok(Checked { recorded_at_us: recorded.collect::<Result<_, _>>()?, batch_no: signed.batch_no })
    }

    /// Where the links lead.
    fn chain(&self) -> Result<Hash, NotProven> {
        let mut chain = self.previous_chain.0;
        let mut previous: Option<&Link> = None;
        for link in &self.links {
            let follows = previous.is_none_or(|before| {
                before.batch_no.checked_add(1) == Some(link.batch_no)
                    && before.last_position.checked_add(1) == Some(link.first_position)
                    && before.recorded_at_us < link.recorded_at_us
            });
            if !follows || link.first_position > link.last_position {
                return Err(NotProven::Links(link.batch_no));
            }
            let (first, last) = (Position::new(link.first_position), Position::new(link.last_position));
            chain = chain_us(&chain, link.batch_no, first, last, link.recorded_at_us, &link.root.0);
            previous = Some(link);
        }
        Ok(chain)
    }

    /// Links are in order of position.
    fn link_of(&self, event: &ProvenEvent) -> Option<&Link> {
        let at = self.links.partition_point(|link| link.last_position < event.position);
        self.links.get(at).filter(|link| link.first_position <= event.position)
    }
}

impl ProvenEvent {
    /// The root that its hash and its path come to, at its place in the batch.
    fn root(&self, link: &Link) -> Option<Hash> {
        let index = usize::try_from(self.position - link.first_position).ok()?;
        let leaves =
            usize::try_from(link.last_position.checked_sub(link.first_position)?).ok()?.checked_add(1)?;
        root_from(self.hash(), index, leaves, self.path.iter().map(|hash| hash.0))
    }
}
