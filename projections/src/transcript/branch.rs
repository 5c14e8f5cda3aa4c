//! The shape of a conversation: who follows whom, in the order they came. Answers which messages a reader sees, and where
//! the branches part. Knows no texts and no SQL.

use std::collections::HashMap;

use slipstream_domain::MessageId;

use super::MessageStatus;

/// A message's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: MessageId,
    pub(super) parent: Option<MessageId>,
    pub(super) position: i64,
    pub(super) status: MessageStatus,
}

/// A way a conversation goes on from one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sibling {
    /// The message that begins it.
    pub id: MessageId,
    /// The newest message under it, itself when nothing follows: what to choose as the leaf to see all of it.
    pub leaf: MessageId,
}

/// A conversation's messages, the oldest first.
pub(super) struct Shape(Vec<Place>);

impl Shape {
    /// `places` rise in position; a message comes after the one it follows.
    pub(super) fn new(places: Vec<Place>) -> Self {
        Self(places)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a reader sees, each with its key in the list's order: the way from the first message to `leaf`, the reply
    /// that is being made to it, and what waits. Without a known leaf it is the newest message's branch.
    pub(super) fn shown(&self, leaf: Option<MessageId>) -> Vec<(i64, MessageId)> {
        let places: HashMap<MessageId, Place> = self.0.iter().map(|place| (place.id, *place)).collect();
        let newest = || self.0.iter().rfind(|place| place.status != MessageStatus::Queued);
        let leaf = leaf.and_then(|leaf| places.get(&leaf)).or_else(newest);
        let mut shown = Vec::new();
        let mut next = leaf.copied();
        while let Some(place) = next {
            shown.push((place.position, place.id));
            // A parent is older: the way ends even if the rows lie.
            next = place.parent.and_then(|parent| places.get(&parent)).copied();
            next = next.filter(|parent| parent.position < place.position);
        }
        shown.reverse();
        let running = self.0.iter().filter(|place| {
            place.status == MessageStatus::Running && place.parent == leaf.map(|leaf| leaf.id)
        });
        shown.extend(running.map(|place| (place.position, place.id)));
        let waiting = self.0.iter().filter(|place| place.status == MessageStatus::Queued);
        shown.extend(waiting.map(|place| (place.position + AT_THE_END, place.id)));
        shown
    }

    /// Who stands beside each of `ids` under the same parent, itself among them, the oldest first. Those alone are
    /// left out.
    pub(super) fn siblings(&self, ids: &[MessageId]) -> HashMap<MessageId, Vec<Sibling>> {
        let leaves = self.newest_under();
        let mut families: HashMap<Option<MessageId>, Vec<Sibling>> = HashMap::new();
        let mut parents = HashMap::new();
        for place in self.0.iter().filter(|place| place.status != MessageStatus::Queued) {
            let leaf = leaves.get(&place.id).map_or(place.id, |(_, leaf)| *leaf);
            families.entry(place.parent).or_default().push(Sibling { id: place.id, leaf });
            parents.insert(place.id, place.parent);
        }
        let family = |id: &MessageId| families.get(parents.get(id)?).filter(|family| family.len() > 1);
        ids.iter().filter_map(|id| Some((*id, family(id)?.clone()))).collect()
    }

    /// The newest message under each, itself included.
    fn newest_under(&self) -> HashMap<MessageId, (i64, MessageId)> {
        let mut newest: HashMap<MessageId, (i64, MessageId)> = HashMap::new();
        for place in self.0.iter().rev().filter(|place| place.status != MessageStatus::Queued) {
            let mine = *newest.entry(place.id).or_insert((place.position, place.id));
            if let Some(parent) = place.parent {
                let of_parent = newest.entry(parent).or_insert(mine);
                *of_parent = mine.max(*of_parent);
            }
        }
        newest
    }
}

/// What waits stands after everything that has its place, however old it is. Positions are far below.
const AT_THE_END: i64 = 1 << 62;

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> MessageId {
        MessageId::from_uuid(Uuid::from_u128(n))
    }

    /// Message `n` stands at position `n`.
    fn place(n: u128, parent: u128, status: MessageStatus) -> Place {
        let parent = (parent > 0).then(|| id(parent));
        Place { id: id(n), parent, position: i64::try_from(n).unwrap(), status }
    }

    fn posted(n: u128, parent: u128) -> Place {
        place(n, parent, MessageStatus::Posted)
    }

    /// 1 ← 2 ← 3 ← 4, and 5 ← 6 beside 3 (under 2), 7 beside 1.
    fn branched() -> Vec<Place> {
        vec![posted(1, 0), posted(2, 1), posted(3, 2), posted(4, 3), posted(5, 2), posted(6, 5), posted(7, 0)]
    }

    fn shown(places: Vec<Place>, leaf: Option<u128>) -> Vec<MessageId> {
        Shape::new(places).shown(leaf.map(id)).into_iter().map(|(_, id)| id).collect()
    }

    #[test]
    fn a_reader_sees_the_way_from_the_first_message_to_the_leaf() {
        assert_eq!(shown(branched(), Some(4)), [1, 2, 3, 4].map(id));
        assert_eq!(shown(branched(), Some(5)), [1, 2, 5].map(id));
        assert_eq!(shown(branched(), Some(7)), [id(7)]);
        assert_eq!(shown(branched(), None), [id(7)], "the newest, when nobody has said where");
        assert_eq!(shown(branched(), Some(99)), [id(7)]);
        assert_eq!(shown(Vec::new(), None), []);
    }

    #[test]
    fn the_reply_that_is_made_to_the_leaf_and_what_waits_are_seen_after_it() {
        let mut places = branched();
        places.push(place(8, 0, MessageStatus::Queued));
        places.push(place(9, 7, MessageStatus::Running));
        assert_eq!(shown(places.clone(), Some(7)), [7, 9, 8].map(id));
        assert_eq!(shown(places.clone(), Some(4)), [1, 2, 3, 4, 8].map(id), "not a reply to another branch");
        let keys = Shape::new(places).shown(Some(id(7)));
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn siblings_know_the_newest_message_of_their_branch() {
        let siblings = Shape::new(branched()).siblings(&[1, 2, 3, 5].map(id));
        let of = |n| siblings[&id(n)].iter().map(|one| (one.id, one.leaf)).collect::<Vec<_>>();
        assert_eq!(of(3), [(id(3), id(4)), (id(5), id(6))]);
        assert_eq!(of(5), of(3));
        assert_eq!(of(1), [(id(1), id(6)), (id(7), id(7))]);
        assert!(!siblings.contains_key(&id(2)), "alone");
    }

    #[test]
    fn rows_that_lie_in_a_circle_are_still_an_answer() {
        assert_eq!(shown(vec![posted(1, 2), posted(2, 1)], Some(2)), [1, 2].map(id));
    }
}
