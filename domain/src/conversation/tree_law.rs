//! Whatever a user does in whatever order, a conversation stays a tree with one leaf and one reply at a time.

use proptest::prelude::*;

use super::tests::{Given, again, ann, given, instead, message, says};
use super::*;
use crate::ids::MessageId;

#[derive(Debug, Clone, Copy)]
enum Step {
    Post(OnBusy),
    Edit(usize, OnBusy),
    Regenerate(usize, OnBusy),
    Choose(usize),
    End,
    Withdraw(usize),
}

fn on_busy() -> impl Strategy<Value = OnBusy> {
    prop_oneof![Just(OnBusy::Queue), Just(OnBusy::Replace), Just(OnBusy::Reject)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        on_busy().prop_map(Step::Post),
        (any::<usize>(), on_busy()).prop_map(|(at, busy)| Step::Edit(at, busy)),
        (any::<usize>(), on_busy()).prop_map(|(at, busy)| Step::Regenerate(at, busy)),
        any::<usize>().prop_map(Step::Choose),
        Just(Step::End),
        any::<usize>().prop_map(Step::Withdraw),
    ]
}

/// A conversation and the messages made so far, queued ones and refused ones among them.
struct Played {
    chat: Given,
    made: Vec<MessageId>,
    next: u128,
}

impl Played {
    fn pick(&self, at: usize) -> MessageId {
        self.made[at % self.made.len()]
    }

    /// What is decided at `step`; nothing when it is refused.
    fn decide(&self, step: Step) -> Vec<ConversationEvent> {
        let (chat, n) = (&self.chat.0, self.next);
        let events = |asked: Asked| asked.events;
        match step {
            Step::Post(busy) => chat.post(ann(), says(n, busy)).map(events).unwrap_or_default(),
            Step::Edit(at, busy) => {
                let edit = EditMessage { edited_from: self.pick(at), ..instead(0, n, busy) };
                chat.edit(ann(), edit).map(events).unwrap_or_default()
            }
            Step::Regenerate(at, busy) => {
                chat.regenerate(ann(), again(self.pick(at), n, busy)).map(events).unwrap_or_default()
            }
            Step::Choose(at) => chat.choose_leaf(ann(), self.pick(at)).ok().flatten().into_iter().collect(),
            Step::End => match chat.running() {
                Some(reply) => self.chat.end_of(reply.generation_id).map_or_else(Vec::new, |end| end.events),
                None => Vec::new(),
            },
            Step::Withdraw(at) => {
                let waiting = chat.queued().get(at % Queue::MAX).map(Waiting::generation_id);
                let withdrawn = waiting.and_then(|id| chat.withdraw(ann(), id).ok().flatten());
                withdrawn.into_iter().collect()
            }
        }
    }

    fn play(mut self, step: Step) -> Self {
        let requested = |event: &&ConversationEvent| matches!(event, ConversationEvent::ReplyRequested(_));
        let ended = |event: &&ConversationEvent| matches!(event, ConversationEvent::ReplyRecorded(_));
        let events = self.decide(step);
        let busy = usize::from(self.chat.0.running().is_some());
        let (begun, over) = (events.iter().filter(requested).count(), events.iter().filter(ended).count());
        assert!(busy + begun - over <= 1, "two replies at a time");
        self.made.extend([message(self.next), message(self.next + 100)]);
        self.chat = self.chat.apply(&events);
        self.next += 1;
        self
    }

    fn check(&self) {
        let chat = &self.chat.0;
        let tree = chat.messages();
        let leaf = tree.leaf().expect("a leaf");
        assert!(tree.role(leaf).is_some(), "the leaf is a message");
        for id in self.made.iter().filter(|id| tree.role(**id).is_some()) {
            let mut above = *id;
            for _ in 0..=self.made.len() {
                let Some(parent) = tree.parent(above) else { break };
                assert!(tree.role(parent).is_some(), "a parent is a message");
                above = parent;
            }
            assert_eq!(tree.parent(above), None, "every way up ends at a first message");
        }
        assert!(chat.queued().len() <= Queue::MAX);
        assert!(chat.running().is_some() || chat.queued().is_empty(), "nothing waits for nothing");
    }
}

proptest! {
    #[test]
    fn a_conversation_stays_a_tree_with_one_leaf_and_one_reply_at_a_time(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let chat = given().posted(1, OnBusy::Reject);
        let mut played = Played { chat, made: vec![message(1), message(101)], next: 2 };
        for step in steps {
            played = played.play(step);
            played.check();
        }
    }
}
