//! What proves the log: the hash of an event, the Merkle root of a batch, the chain over the batches.
//!
//! A preimage is a row of fields, each as its length (4 bytes, most significant first) and its bytes; an
//! absent value is an empty field. Numbers are as wide as their type, most significant byte first; UUIDs are
//! their 16 bytes. The root and the chain have fixed lengths and are laid end to end; the database computes
//! them too (`es.merkle_root`, `es.append_batch`), under the lock.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Category, CommandId, CorrelationId, OwnerId, Position, StreamId, Version};

/// A SHA-256 digest.
pub(crate) type Hash = [u8; 32];

/// The chain before the first batch.
pub(crate) const GENESIS: Hash = [0; 32];

pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// All of an event that its hash covers. Position and time are covered by the batch it is in.
#[derive(Clone, Copy)]
pub(crate) struct EventFacts<'a> {
    pub(crate) stream: StreamId,
    pub(crate) version: Version,
    pub(crate) category: Category,
    pub(crate) owner: Option<OwnerId>,
    pub(crate) correlation: CorrelationId,
    pub(crate) causation: Option<Position>,
    pub(crate) event_type: &'a str,
    pub(crate) schema_version: i16,
    /// Canonical text.
    pub(crate) data: &'a str,
    pub(crate) key_id: Option<Uuid>,
    /// SHA-256 of the sealed bytes, which the hash outlives.
    pub(crate) sealed_hash: Option<&'a [u8]>,
    pub(crate) command: CommandId,
}

impl EventFacts<'_> {
    pub(crate) fn hash(&self) -> Hash {
        let mut fields = Fields::with_capacity(320);
        fields.push(b"es1");
        fields.push(self.stream.as_uuid().as_bytes());
        fields.push(&self.version.get().to_be_bytes());
        fields.push(&self.category.0.to_be_bytes());
        fields.push_uuid(self.owner.map(OwnerId::as_uuid));
        fields.push(self.correlation.as_uuid().as_bytes());
        fields.push(self.causation.map(|position| position.get().to_be_bytes()).as_ref().map_or(&[], |b| b));
        fields.push(self.event_type.as_bytes());
        fields.push(&self.schema_version.to_be_bytes());
        fields.push(&sha256(self.data.as_bytes()));
        fields.push_uuid(self.key_id);
        fields.push(self.sealed_hash.unwrap_or_default());
        fields.push(self.command.as_uuid().as_bytes());
        sha256(&fields.0)
    }
}

/// What a sealed half is bound to, besides its key: stream, type, schema version, command and the event's
/// index in the append (2 bytes).
pub(crate) fn aad(
    stream: StreamId,
    event_type: &str,
    schema_version: i16,
    command: CommandId,
    index: i16,
) -> Vec<u8> {
    let mut fields = Fields::with_capacity(96);
    fields.push(stream.as_uuid().as_bytes());
    fields.push(event_type.as_bytes());
    fields.push(&schema_version.to_be_bytes());
    fields.push(command.as_uuid().as_bytes());
    fields.push(&index.to_be_bytes());
    fields.0
}

/// The tree over a batch's event hashes in position order; a node without a sibling moves up as it is.
/// Holds one node a level, whatever the number of leaves.
#[derive(Default)]
pub(crate) struct MerkleTree {
    /// Roots of whole subtrees with their heights, which fall strictly from left to right.
    whole: Vec<(u32, Hash)>,
}

impl MerkleTree {
    pub(crate) fn push(&mut self, leaf: Hash) {
        let (mut height, mut node) = (0, leaf);
        while let Some((_, left)) = self.whole.pop_if(|(left, _)| *left == height) {
            node = parent(&left, &node);
            height += 1;
        }
        self.whole.push((height, node));
    }

    /// None if there were no leaves.
    pub(crate) fn root(self) -> Option<Hash> {
        self.whole.into_iter().map(|(_, node)| node).rev().reduce(|right, left| parent(&left, &right))
    }
}

/// The hashes beside those on the way from a leaf to the root, from below. A node that moves up as it is has none beside it.
pub(crate) fn path_of(leaves: &[Hash], index: usize) -> Vec<Hash> {
    let (mut level, mut index, mut path) = (leaves.to_vec(), index, Vec::new());
    while level.len() > 1 {
        path.extend(level.get(index ^ 1));
        level = level
            .chunks(2)
            .map(|pair| if let [left, right] = pair { parent(left, right) } else { pair[0] })
            .collect();
        index /= 2;
    }
    path
}

/// The root of a tree of `leaves` leaves in which `leaf` is at `index` and has `path` beside its way up; `None` if no path
/// of that length belongs there.
pub(crate) fn root_from(
    leaf: Hash,
    mut index: usize,
    leaves: usize,
    path: impl IntoIterator<Item = Hash>,
) -> Option<Hash> {
    let (mut node, mut path) = (leaf, path.into_iter());
    let mut last = leaves.checked_sub(1).filter(|last| index <= *last)?;
    while last > 0 {
        if index % 2 == 1 {
            node = parent(&path.next()?, &node);
        } else if index < last {
            node = parent(&node, &path.next()?);
        }
        (index, last) = (index / 2, last / 2);
    }
    path.next().is_none().then_some(node)
}

fn parent(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The link of one batch: previous chain, batch number, first and last position, time in µs since 1970, root.
pub(crate) fn chain(
    previous: &[u8],
    batch_no: i64,
    first: Position,
    last: Position,
    recorded_at: OffsetDateTime,
    root: &[u8],
) -> Hash {
    chain_us(previous, batch_no, first, last, micros(recorded_at), root)
}

/// The same with the time as the number it is hashed as.
pub(crate) fn chain_us(
    previous: &[u8],
    batch_no: i64,
    first: Position,
    last: Position,
    recorded_at_us: i64,
    root: &[u8],
) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    for number in [batch_no, first.get(), last.get(), recorded_at_us] {
        hasher.update(number.to_be_bytes());
    }
    hasher.update(root);
    hasher.finalize().into()
}

/// Since 1970.
pub(crate) fn micros(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1_000_000 + i64::from(at.microsecond())
}

struct Fields(Vec<u8>);

impl Fields {
    fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    fn push(&mut self, field: &[u8]) {
        // No field is near 4 GiB: an append holds at most 1 MiB.
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field);
    }

    fn push_uuid(&mut self, id: Option<Uuid>) {
        self.push(id.as_ref().map_or(&[], |id| id.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn facts() -> EventFacts<'static> {
        EventFacts {
            stream: StreamId::from_uuid(Uuid::from_u128(1)),
            version: Version::new(2),
            category: Category(3),
            owner: Some(OwnerId::from_uuid(Uuid::from_u128(4))),
            correlation: CorrelationId::from_uuid(Uuid::from_u128(5)),
            causation: Some(Position::new(6)),
            event_type: "Happened",
            schema_version: 7,
            data: r#"{"a":1}"#,
            key_id: Some(Uuid::from_u128(8)),
            sealed_hash: Some(&[9; 32]),
            command: CommandId::from_uuid(Uuid::from_u128(10)),
        }
    }

    /// Written by hand from the format's description: the stored format must never change.
    #[test]
    fn the_preimage_of_an_event_is_its_fields_with_their_lengths() {
        let uuid = |number: u8| [&[0, 0, 0, 16][..], &[0; 15], &[number]].concat();
        let preimage = [
            &b"\0\0\0\x03es1"[..],
            &uuid(1),
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 2],
            &[0, 0, 0, 2, 0, 3],
            &uuid(4),
            &uuid(5),
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 6],
            b"\0\0\0\x08Happened",
            &[0, 0, 0, 2, 0, 7],
            &[0, 0, 0, 32],
            &sha256(br#"{"a":1}"#),
            &uuid(8),
            &[0, 0, 0, 32],
            &[9; 32],
            &uuid(10),
        ];
        assert_eq!(facts().hash(), sha256(&preimage.concat()));
    }

    #[test]
    fn absent_values_are_empty_fields() {
        let absent = EventFacts { owner: None, causation: None, key_id: None, sealed_hash: None, ..facts() };
        assert_eq!(hex::encode(absent.hash()), hex::encode(sha256(&absent_preimage())),);
    }

    fn absent_preimage() -> Vec<u8> {
        let mut fields = Fields::with_capacity(0);
        let uuid = |number| Uuid::from_u128(number).into_bytes();
        let digest = sha256(br#"{"a":1}"#);
        let present: [&[u8]; 13] = [
            b"es1",
            &uuid(1),
            &2_i64.to_be_bytes(),
            &3_i16.to_be_bytes(),
            b"",
            &uuid(5),
            b"",
            b"Happened",
            &7_i16.to_be_bytes(),
            &digest,
            b"",
            b"",
            &uuid(10),
        ];
        for field in present {
            fields.push(field);
        }
        fields.0
    }

    #[test]
    fn the_tree_pairs_neighbours_and_moves_the_last_one_up() {
        let leaf = |number: u8| [number; 32];
        let root = |count: u8| {
            let mut tree = MerkleTree::default();
            (1..=count).for_each(|number| tree.push(leaf(number)));
            tree.root()
        };
        let (one_two, three_four) = (parent(&leaf(1), &leaf(2)), parent(&leaf(3), &leaf(4)));
        assert_eq!(root(0), None);
        assert_eq!(root(1), Some(leaf(1)));
        assert_eq!(root(2), Some(one_two));
        assert_eq!(root(3), Some(parent(&one_two, &leaf(3))));
        assert_eq!(root(5), Some(parent(&parent(&one_two, &three_four), &leaf(5))));
        assert_eq!(
            root(7),
            Some(parent(&parent(&one_two, &three_four), &parent(&parent(&leaf(5), &leaf(6)), &leaf(7))))
        );
    }

    #[test]
    fn every_leaf_of_every_tree_has_a_path_to_its_root_and_to_no_other_place() {
        for count in 1..=33_u8 {
            let leaves: Vec<Hash> = (0..count).map(|number| [number; 32]).collect();
            let mut tree = MerkleTree::default();
            for leaf in &leaves {
                tree.push(*leaf);
            }
            let root = tree.root();
            for index in 0..leaves.len() {
                let path = path_of(&leaves, index);
                let reach = |index: usize, size: usize, path: &[Hash]| {
                    root_from(leaves[usize::min(index, leaves.len() - 1)], index, size, path.to_vec())
                };
                assert_eq!(reach(index, leaves.len(), &path), root, "{index} of {count}");
                assert_eq!(reach(leaves.len(), leaves.len(), &path), None, "there is no such leaf");
                let longer = [&path[..], &[[0; 32]]].concat();
                assert_eq!(reach(index, leaves.len(), &longer), None);
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(reach(index, leaves.len(), shorter), None);
                }
            }
        }
    }
}
