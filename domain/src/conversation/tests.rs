//! The rules of a conversation, given / when / then.

use uuid::Uuid;

use super::*;
use crate::event::{Event, MessageContent};
use crate::ids::{ConversationId, MessageId};
use crate::values::{KeySource, ModelId, Params, Prompt, ProviderId, Seq, TerminalStatus, Timestamp};

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn ann() -> UserId {
    UserId::from_uuid(uuid(0xA))
}

fn bob() -> UserId {
    UserId::from_uuid(uuid(0xB))
}

fn chat() -> ConversationId {
    ConversationId::from_uuid(uuid(0xC))
}

/// Message `n`, answered by message `n + 100` through generation `n + 200`.
fn message(n: u128) -> MessageId {
    MessageId::from_uuid(uuid(n))
}

fn generation(n: u128) -> GenerationId {
    GenerationId::from_uuid(uuid(n + 200))
}

fn says(n: u128, on_busy: OnBusy) -> PostMessage {
    PostMessage {
        conversation_id: chat(),
        message_id: message(n),
        reply_message_id: message(n + 100),
        generation_id: generation(n),
        parent_message_id: None,
        attachment_ids: Vec::new(),
        content: MessageContent { text: Prompt::parse(format!("message {n}")).unwrap(), metadata: None },
        provider: ProviderId::simulated(),
        model: ModelId::parse("m").unwrap(),
        params: Params::default(),
        system_prompt: None,
        key_source: KeySource::None,
        on_busy,
    }
}

struct Given(Conversation);

fn given() -> Given {
    Given(Conversation::default())
}

impl Given {
    fn apply(mut self, events: &[ConversationEvent]) -> Self {
        for event in events {
            self.0.evolve(event, Meta { owner: Some(ann()), at: Timestamp::from_micros(0) });
        }
        self
    }

    fn posted(self, n: u128, on_busy: OnBusy) -> Self {
        let post = self.0.post(ann(), says(n, on_busy)).unwrap();
        self.apply(&post.events)
    }

    fn replied(self, n: u128) -> Self {
        let reply = self.end(n).unwrap();
        self.apply(&reply.events)
    }

    fn deleted(self) -> Self {
        let deletion = self.0.delete(ann()).unwrap();
        self.apply(&deletion.events)
    }

    fn end(&self, n: u128) -> Option<Reply> {
        self.0.record_reply(chat(), generation(n), TerminalStatus::Completed, Seq(3), |_| KeySource::Server)
    }
}

fn names(events: &[ConversationEvent]) -> Vec<&'static str> {
    events.iter().map(|event| Event::Conversation(event.clone()).encode().unwrap().event_type).collect()
}

#[test]
fn the_first_message_starts_the_conversation_and_names_it() {
    let post = given().0.post(ann(), says(1, OnBusy::Reject)).unwrap();
    assert_eq!(
        names(&post.events),
        ["ConversationStarted", "UserMessagePosted", "ReplyRequested", "TitleSet"]
    );
    assert_eq!(post.generation.unwrap().requested.message_id, message(101));
}

#[test]
fn a_message_follows_the_leaf_and_the_reply_becomes_the_leaf() {
    let chat = given().posted(1, OnBusy::Reject).replied(1);
    assert_eq!(chat.0.messages().leaf(), Some(message(101)));
    let chat = chat.posted(2, OnBusy::Reject);
    assert_eq!(chat.0.messages().parent(message(2)), Some(message(101)));
}

#[test]
fn a_foreign_conversation_looks_like_one_that_does_not_exist() {
    let chat = given().posted(1, OnBusy::Reject).replied(1).0;
    assert_eq!(
        chat.post(bob(), says(2, OnBusy::Reject)),
        Err(PostRejection::NoSuchConversation(NoSuchConversation))
    );
    assert_eq!(chat.rename(bob(), Title::parse("mine").unwrap()), Err(NoSuchConversation));
    assert_eq!(chat.delete(bob()), Err(NoSuchConversation));
    assert_eq!(chat.withdraw(bob(), generation(1)), Err(NoSuchConversation));
}

#[test]
fn a_parent_from_elsewhere_is_refused() {
    let mut command = says(2, OnBusy::Reject);
    command.parent_message_id = Some(message(77));
    let chat = given().posted(1, OnBusy::Reject).replied(1).0;
    assert_eq!(chat.post(ann(), command), Err(PostRejection::UnknownParent));
}

#[test]
fn while_a_reply_is_made_reject_refuses_and_queue_waits() {
    let chat = given().posted(1, OnBusy::Reject);
    assert_eq!(chat.0.post(ann(), says(2, OnBusy::Reject)), Err(PostRejection::Busy));
    let post = chat.0.post(ann(), says(2, OnBusy::Queue)).unwrap();
    assert_eq!((names(&post.events), post.queued), (vec!["UserMessageQueued"], Some(1)));
    assert_eq!((post.generation, post.cancel), (None, None));
}

#[test]
fn the_end_of_a_reply_sends_the_next_waiting_message_after_it() {
    let chat = given().posted(1, OnBusy::Reject).posted(2, OnBusy::Queue).posted(3, OnBusy::Queue);
    let reply = chat.end(1).unwrap();
    assert_eq!(names(&reply.events), ["ReplyRecorded", "UserMessagePosted", "ReplyRequested"]);
    let next = reply.next.clone().unwrap();
    assert_eq!((next.id, next.requested.key_source), (generation(2), KeySource::Server));
    let chat = chat.apply(&reply.events).0;
    assert_eq!(chat.messages().parent(message(2)), Some(message(101)));
    assert_eq!(chat.queued().len(), 1);
    assert_eq!(chat.running().unwrap().generation_id, generation(2));
}

#[test]
fn a_waiting_message_keeps_the_parent_its_sender_named() {
    let chat = given().posted(1, OnBusy::Reject).replied(1).posted(2, OnBusy::Reject);
    let mut branch = says(3, OnBusy::Queue);
    branch.parent_message_id = Some(message(101));
    let post = chat.0.post(ann(), branch).unwrap();
    let chat = chat.apply(&post.events).replied(2);
    assert_eq!(chat.0.messages().parent(message(3)), Some(message(101)));
}

#[test]
fn replace_goes_to_the_head_and_cancels_what_runs() {
    let chat = given().posted(1, OnBusy::Reject).posted(2, OnBusy::Queue);
    let post = chat.0.post(ann(), says(3, OnBusy::Replace)).unwrap();
    assert_eq!(post.cancel, Some(generation(1)));
    let chat = chat.apply(&post.events);
    assert_eq!(chat.end(1).unwrap().next.unwrap().id, generation(3));
}

#[test]
fn at_most_ten_messages_wait() {
    let mut chat = given().posted(1, OnBusy::Reject);
    for n in 2..12 {
        chat = chat.posted(n, OnBusy::Queue);
    }
    assert_eq!(chat.0.post(ann(), says(12, OnBusy::Queue)), Err(PostRejection::QueueFull));
}

#[test]
fn a_withdrawn_message_is_never_sent() {
    let chat = given().posted(1, OnBusy::Reject).posted(2, OnBusy::Queue);
    let withdrawn = chat.0.withdraw(ann(), generation(2)).unwrap().unwrap();
    let chat = chat.apply(&[withdrawn]);
    assert_eq!(chat.0.withdraw(ann(), generation(2)), Ok(None));
    assert_eq!(chat.end(1).unwrap().next, None);
}

#[test]
fn deleting_withdraws_what_waits_and_cancels_what_runs() {
    let chat = given().posted(1, OnBusy::Reject).posted(2, OnBusy::Queue);
    let deletion = chat.0.delete(ann()).unwrap();
    assert_eq!(names(&deletion.events), ["QueuedMessageWithdrawn", "ConversationDeleted"]);
    assert_eq!(deletion.cancel, Some(generation(1)));
}

#[test]
fn a_reply_that_ends_after_the_deletion_is_recorded_and_nothing_follows() {
    let chat = given().posted(1, OnBusy::Reject).posted(2, OnBusy::Queue).deleted();
    let reply = chat.end(1).unwrap();
    assert_eq!((names(&reply.events), reply.next), (vec!["ReplyRecorded"], None));
    assert_eq!(chat.0.delete(ann()).unwrap().events, []);
}

#[test]
fn a_reply_is_recorded_once() {
    let chat = given().posted(1, OnBusy::Reject).replied(1);
    assert_eq!(chat.end(1), None);
}

#[test]
fn a_waiting_message_whose_text_was_erased_is_withdrawn_and_the_next_one_goes() {
    let mut chat = given().posted(1, OnBusy::Reject).posted(2, OnBusy::Queue).posted(3, OnBusy::Queue);
    chat.0.queue.erase(message(2));
    let reply = chat.end(1).unwrap();
    assert_eq!(
        names(&reply.events),
        ["ReplyRecorded", "QueuedMessageWithdrawn", "UserMessagePosted", "ReplyRequested"]
    );
    assert_eq!(reply.next.unwrap().id, generation(3));
}

#[test]
fn a_models_title_never_replaces_the_users() {
    let better = Title::parse("Better").unwrap();
    let chat = given().posted(1, OnBusy::Reject);
    assert!(chat.0.suggest_title(better.clone()).unwrap().is_some());
    let renamed = chat.0.rename(ann(), Title::parse("Mine").unwrap()).unwrap();
    assert_eq!(chat.apply(&[renamed]).0.suggest_title(better), Ok(None));
}
