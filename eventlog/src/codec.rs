//! The stored format: canonical JSON, the packed personal half, what is hashed and what a seal is bound to.
//!
//! Pure functions over bytes; changing any of them makes old events unreadable or unverifiable.

mod canonical;
mod hash;
mod pack;

pub(crate) use canonical::{canonical, canonical_stored};
pub(crate) use hash::{
    EventFacts, GENESIS, Hash, MerkleTree, aad, chain, chain_us, micros, path_of, root_from, sha256,
};
pub(crate) use pack::{pack, unpack};
