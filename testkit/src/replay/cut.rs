//! Where a body is cut. Deterministic: the same body and cut give the same pieces.

use std::str::FromStr;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// How a body is cut into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Not at all.
    Whole,
    /// Into pieces of this many bytes.
    Bytes(usize),
    /// Into pieces of 1 to 64 bytes, by this seed.
    Random(u64),
}

/// Text that is no cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a cut is `whole`, `each` (every byte), a number of bytes from 1, or `random(SEED)`; not {0:?}")]
pub struct CutError(String);

impl Cut {
    /// The body in pieces, none of them empty.
    #[must_use]
    pub fn pieces(self, body: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole => body.chunks(body.len().max(1)).collect(),
            Self::Bytes(bytes) => body.chunks(bytes.max(1)).collect(),
            Self::Random(seed) => {
                let mut random = SmallRng::seed_from_u64(seed);
                let mut pieces = Vec::new();
                let mut rest = body;
                while !rest.is_empty() {
                    let (piece, tail) = rest.split_at(random.random_range(1..=64).min(rest.len()));
                    pieces.push(piece);
                    rest = tail;
                }
                pieces
            }
        }
    }
}

impl FromStr for Cut {
    type Err = CutError;

    fn from_str(text: &str) -> Result<Self, CutError> {
        let seed = || text.strip_prefix("random(")?.strip_suffix(')')?.parse().ok();
        match text {
            "whole" => Ok(Self::Whole),
            "each" => Ok(Self::Bytes(1)),
            "random" => Ok(Self::Random(0)),
            number => match (number.parse(), seed()) {
                (Ok(bytes @ 1..), _) => Ok(Self::Bytes(bytes)),
                (Ok(_) | Err(_), Some(seed)) => Ok(Self::Random(seed)),
                (Ok(_) | Err(_), None) => Err(CutError(text.to_owned())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_body() {
        let body: Vec<u8> = (0..=255).collect();
        for cut in [Cut::Whole, Cut::Bytes(1), Cut::Bytes(7), Cut::Random(42)] {
            assert_eq!(cut.pieces(&body).concat(), body);
            assert_eq!(cut.pieces(&body), cut.pieces(&body));
        }
        assert!(Cut::Whole.pieces(&[]).is_empty());
    }

    #[test]
    fn a_cut_is_read_from_text_and_nonsense_is_refused() {
        assert_eq!("each".parse(), Ok(Cut::Bytes(1)));
        assert_eq!("200".parse(), Ok(Cut::Bytes(200)));
        assert_eq!("random(7)".parse(), Ok(Cut::Random(7)));
        for nonsense in ["", "0", "-1", "random(", "random(x)"] {
            assert!(nonsense.parse::<Cut>().is_err(), "{nonsense}");
        }
    }
}
