//! The rules of a conversation, given / when / then.

use uuid::Uuid;

use super::*;
use crate::event::{Event, MessageContent};
use crate::ids::{AttachmentId, ConversationId, MessageId};
use crate::values::{
    GenerationKind, KeySource, ModelId, Params, Prompt, ProviderId, Rating, Seq, TerminalStatus, Timestamp,
};

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(super) fn ann() -> UserId {
    UserId::from_uuid(uuid(0xA))
}

fn bob() -> UserId {
    UserId::from_uuid(uuid(0xB))
}

fn chat() -> ConversationId {
    ConversationId::from_uuid(uuid(0xC))
}

/// Message `n`, answered by message `n + 100` through generation `n + 200`.
pub(super) fn message(n: u128) -> MessageId {
    MessageId::from_uuid(uuid(n))
}

fn generation(n: u128) -> GenerationId {
    GenerationId::from_uuid(uuid(n + 200))
}

pub(super) fn says(n: u128, on_busy: OnBusy) -> PostMessage {
    PostMessage {
        conversation_id: chat(),
        message_id: message(n),
        parent_message_id: None,
        attachment_ids: Vec::new(),
        content: content(n),
        ask: ask(n),
        on_busy,
    }
}

fn content(n: u128) -> MessageContent {
    MessageContent { text: Prompt::parse(format!("message {n}")).unwrap(), metadata: None }
}

fn ask(n: u128) -> Ask {
    Ask {
        generation_id: generation(n),
        reply_message_id: message(n + 100),
        provider: ProviderId::simulated(),
        model: ModelId::parse("m").unwrap(),
        kind: GenerationKind::Chat,
        params: Params::default(),
        system_prompt: None,
        key_source: KeySource::None,
    }
}

pub(super) struct Given(pub(super) Conversation);

pub(super) fn given() -> Given {
    Given(Conversation::default())
}

impl Given {
    pub(super) fn apply(mut self, events: &[ConversationEvent]) -> Self {
        for event in events {
            self.0.evolve(event, Meta { owner: Some(ann()), at: Timestamp::from_micros(0) });
        }
        self
    }

    pub(super) fn posted(self, n: u128, on_busy: OnBusy) -> Self {
        let post = self.0.post(ann(), says(n, on_busy)).unwrap();
        self.apply(&post.events)
    }

    pub(super) fn replied(self, n: u128) -> Self {
        let reply = self.end(n).unwrap();
        self.apply(&reply.events)
    }

    fn deleted(self) -> Self {
        let deletion = self.0.delete(ann()).unwrap();
        self.apply(&deletion.events)
    }

    pub(super) fn end(&self, n: u128) -> Option<Reply> {
        self.end_of(generation(n))
    }

    pub(super) fn end_of(&self, id: GenerationId) -> Option<Reply> {
        self.0.record_reply(chat(), id, TerminalStatus::Completed, Seq(3), |_| Ok(KeySource::Server))
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
    assert_eq!(chat.0.post(ann(), says(2, OnBusy::Reject)), Err(PostRejection::Occupied(Occupied::Busy)));
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
    assert_eq!(
        chat.0.post(ann(), says(12, OnBusy::Queue)),
        Err(PostRejection::Occupied(Occupied::QueueFull))
    );
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
    let better = SuggestedTitle { title: Title::parse("Better").unwrap(), usage: None, cost: None };
    let chat = given().posted(1, OnBusy::Reject);
    assert!(chat.0.suggest_title(better.clone()).unwrap().is_some());
    let renamed = chat.0.rename(ann(), Title::parse("Mine").unwrap()).unwrap();
    assert_eq!(chat.apply(&[renamed]).0.suggest_title(better), Ok(None));
}

/// A conversation of two turns, 1 and 2, both answered.
fn two_turns() -> Given {
    given().posted(1, OnBusy::Reject).replied(1).posted(2, OnBusy::Reject).replied(2)
}

pub(super) fn instead(edited: u128, n: u128, on_busy: OnBusy) -> EditMessage {
    EditMessage {
        conversation_id: chat(),
        edited_from: message(edited),
        message_id: message(n),
        content: content(n),
        ask: ask(n),
        on_busy,
    }
}

pub(super) fn again(reply: MessageId, n: u128, on_busy: OnBusy) -> RegenerateReply {
    RegenerateReply { conversation_id: chat(), message_id: reply, ask: ask(n), on_busy }
}

impl Given {
    fn edited(self, edited: u128, n: u128, on_busy: OnBusy) -> Self {
        let asked = self.0.edit(ann(), instead(edited, n, on_busy)).unwrap();
        self.apply(&asked.events)
    }

    fn regenerated(self, reply: u128, n: u128, on_busy: OnBusy) -> Self {
        let asked = self.0.regenerate(ann(), again(message(reply), n, on_busy)).unwrap();
        self.apply(&asked.events)
    }

    fn shown_at(self, leaf: u128) -> Self {
        let chosen = self.0.choose_leaf(ann(), message(leaf)).unwrap().unwrap();
        self.apply(&[chosen])
    }

    fn leaf(&self) -> Option<MessageId> {
        self.0.messages().leaf()
    }

    fn parent(&self, n: u128) -> Option<MessageId> {
        self.0.messages().parent(message(n))
    }
}

#[test]
fn an_edit_stands_beside_what_was_said_before_and_gets_a_reply_of_its_own() {
    let chat = two_turns();
    let asked = chat.0.edit(ann(), instead(2, 3, OnBusy::Reject)).unwrap();
    assert_eq!(names(&asked.events), ["UserMessagePosted", "ReplyRequested"]);
    assert_eq!(asked.generation.as_ref().unwrap().id, generation(3));
    let ConversationEvent::UserMessagePosted(posted) = &asked.events[0] else { panic!("not posted") };
    assert_eq!((posted.parent_message_id, posted.edited_from), (Some(message(101)), Some(message(2))));
    let chat = chat.apply(&asked.events);
    assert_eq!(chat.leaf(), Some(message(3)));
    let chat = chat.replied(3);
    assert_eq!((chat.leaf(), chat.parent(2)), (Some(message(103)), Some(message(101))));
}

#[test]
fn an_edit_keeps_the_files_of_what_it_replaces() {
    let file = AttachmentId::from_uuid(uuid(7));
    let mut command = says(1, OnBusy::Reject);
    command.attachment_ids = vec![file];
    let post = given().0.post(ann(), command).unwrap();
    let chat = given().apply(&post.events).replied(1).edited(1, 2, OnBusy::Reject);
    assert_eq!(chat.0.messages().said(message(2)).unwrap().attachment_ids, [file]);
}

#[test]
fn the_first_message_can_be_edited_and_the_edit_is_a_first_message_too() {
    let chat = two_turns().edited(1, 3, OnBusy::Reject);
    assert_eq!((chat.parent(3), chat.leaf()), (None, Some(message(3))));
}

#[test]
fn an_edit_of_the_first_message_that_had_to_wait_is_still_a_first_message() {
    let chat = given().posted(1, OnBusy::Reject).edited(1, 2, OnBusy::Queue).replied(1);
    assert_eq!((chat.parent(2), chat.leaf()), (None, Some(message(2))));
    assert_eq!(chat.0.running().unwrap().generation_id, generation(2));
}

#[test]
fn only_what_the_user_said_in_this_conversation_can_be_edited() {
    let chat = two_turns().0;
    let edit = |edited| chat.edit(ann(), instead(edited, 3, OnBusy::Reject)).unwrap_err();
    assert_eq!(edit(101), RedoRejection::Message(MessageRejection::NotYours));
    assert_eq!(edit(77), RedoRejection::Message(MessageRejection::NoSuchMessage));
}

#[test]
fn a_message_that_waits_cannot_be_edited_yet() {
    let chat = given().posted(1, OnBusy::Reject).posted(2, OnBusy::Queue).0;
    let edit = chat.edit(ann(), instead(2, 3, OnBusy::Queue));
    assert_eq!(edit, Err(RedoRejection::Message(MessageRejection::NoSuchMessage)));
}

#[test]
fn a_reply_made_again_stands_beside_the_first_and_becomes_the_leaf_when_it_is_recorded() {
    let chat = two_turns();
    let asked = chat.0.regenerate(ann(), again(message(102), 3, OnBusy::Reject)).unwrap();
    assert_eq!(names(&asked.events), ["LeafChosen", "ReplyRequested"]);
    assert_eq!(asked.generation.as_ref().unwrap().requested.message_id, message(103));
    let chat = chat.apply(&asked.events);
    assert_eq!((chat.leaf(), chat.parent(103)), (Some(message(2)), Some(message(2))));
    assert_eq!(chat.replied(3).leaf(), Some(message(103)));
}

#[test]
fn a_reply_to_an_earlier_message_is_made_again_on_a_branch_of_its_own() {
    let chat = two_turns().regenerated(101, 3, OnBusy::Reject).replied(3);
    assert_eq!((chat.leaf(), chat.parent(103)), (Some(message(103)), Some(message(1))));
    assert_eq!(chat.posted(4, OnBusy::Reject).parent(4), Some(message(103)));
}

#[test]
fn where_the_leaf_is_the_answered_message_it_is_not_chosen_again() {
    let chat = two_turns().shown_at(2);
    let asked = chat.0.regenerate(ann(), again(message(102), 3, OnBusy::Reject)).unwrap();
    assert_eq!(names(&asked.events), ["ReplyRequested"]);
}

#[test]
fn only_a_reply_of_this_conversation_can_be_made_again() {
    let chat = two_turns().0;
    let redo = |reply| chat.regenerate(ann(), again(message(reply), 3, OnBusy::Reject)).unwrap_err();
    assert_eq!(redo(2), RedoRejection::Message(MessageRejection::NotAReply));
    assert_eq!(redo(77), RedoRejection::Message(MessageRejection::NoSuchMessage));
}

#[test]
fn while_a_reply_is_made_editing_and_regenerating_are_refused_or_wait() {
    let chat = two_turns().posted(3, OnBusy::Reject);
    let busy = RedoRejection::Occupied(Occupied::Busy);
    assert_eq!(chat.0.edit(ann(), instead(2, 4, OnBusy::Reject)), Err(busy));
    assert_eq!(chat.0.regenerate(ann(), again(message(102), 4, OnBusy::Reject)), Err(busy));
    let chat = chat.edited(2, 4, OnBusy::Queue).regenerated(101, 5, OnBusy::Queue);
    assert_eq!(chat.0.queued().len(), 2);
    let chat = chat.replied(3);
    assert_eq!((chat.parent(4), chat.leaf()), (Some(message(101)), Some(message(4))));
    let last = chat.end(4).unwrap();
    assert_eq!(names(&last.events), ["ReplyRecorded", "LeafChosen", "ReplyRequested"]);
    assert_eq!(last.next.as_ref().unwrap().requested.key_source, KeySource::Server);
    let chat = chat.apply(&last.events).replied(5);
    assert_eq!((chat.leaf(), chat.parent(105)), (Some(message(105)), Some(message(1))));
    assert_eq!((chat.0.running(), chat.0.queued().len()), (None, 0));
}

#[test]
fn the_reply_being_made_can_be_replaced_by_another_to_the_same_message() {
    let chat = given().posted(1, OnBusy::Reject).posted(2, OnBusy::Queue);
    let asked = chat.0.regenerate(ann(), again(message(101), 3, OnBusy::Replace)).unwrap();
    assert_eq!((names(&asked.events), asked.cancel), (vec!["ReplyQueued"], Some(generation(1))));
    let chat = chat.apply(&asked.events).replied(1);
    assert_eq!(chat.0.running().unwrap().generation_id, generation(3));
    assert_eq!(chat.replied(3).parent(2), Some(message(103)), "what waited follows the newer reply");
}

#[test]
fn ten_wait_of_whatever_kind() {
    let mut chat = given().posted(1, OnBusy::Reject);
    for n in 2..12 {
        chat = match n % 3 {
            0 => chat.posted(n, OnBusy::Queue),
            1 => chat.edited(1, n, OnBusy::Queue),
            _ => chat.regenerated(101, n, OnBusy::Queue),
        };
    }
    let full = RedoRejection::Occupied(Occupied::QueueFull);
    assert_eq!(chat.0.regenerate(ann(), again(message(101), 12, OnBusy::Queue)), Err(full));
    assert_eq!(chat.0.edit(ann(), instead(1, 12, OnBusy::Queue)), Err(full));
}

#[test]
fn a_reply_that_waits_to_be_made_again_can_be_withdrawn_or_erased() {
    let chat = given().posted(1, OnBusy::Reject).regenerated(101, 2, OnBusy::Queue);
    let withdrawn = chat.0.withdraw(ann(), generation(2)).unwrap().unwrap();
    assert_eq!(chat.apply(&[withdrawn]).end(1).unwrap().next, None);
    let mut chat = given().posted(1, OnBusy::Reject).regenerated(101, 2, OnBusy::Queue);
    chat.0.queue.erase(message(102));
    let reply = chat.end(1).unwrap();
    assert_eq!(names(&reply.events), ["ReplyRecorded", "QueuedMessageWithdrawn"]);
}

#[test]
fn what_nobody_pays_for_any_more_is_withdrawn_and_the_next_one_tried() {
    let mut own = says(3, OnBusy::Queue);
    own.ask.provider = ProviderId::parse("openai").unwrap();
    let chat = given().posted(1, OnBusy::Reject).posted(2, OnBusy::Queue);
    let queued = chat.0.post(ann(), own).unwrap();
    let chat = chat.apply(&queued.events);
    let paid = |provider: &ProviderId| match provider.as_str() {
        "openai" => Ok(KeySource::None),
        _ => Err(WithdrawReason::FreeLimit),
    };
    let ended =
        chat.0.record_reply(self::chat(), generation(1), TerminalStatus::Completed, Seq(3), paid).unwrap();
    assert_eq!(
        names(&ended.events),
        ["ReplyRecorded", "QueuedMessageWithdrawn", "UserMessagePosted", "ReplyRequested"]
    );
    assert_eq!(ended.next.map(|next| next.id), Some(generation(3)));
}

#[test]
fn the_leaf_goes_where_the_user_says_and_the_next_message_follows_it() {
    let chat = two_turns().shown_at(101);
    assert_eq!(chat.0.choose_leaf(ann(), message(101)), Ok(None), "it is shown there already");
    assert_eq!(chat.0.choose_leaf(ann(), message(77)), Err(MessageRejection::NoSuchMessage));
    assert_eq!(chat.posted(3, OnBusy::Reject).parent(3), Some(message(101)));
}

#[test]
fn a_reply_that_ends_does_not_pull_the_leaf_back_from_where_the_user_went() {
    let chat = two_turns().posted(3, OnBusy::Reject).shown_at(101).replied(3);
    assert_eq!(chat.leaf(), Some(message(101)));
}

#[test]
fn a_rating_replaces_the_one_before_and_the_same_one_is_no_event() {
    let chat = two_turns();
    let rate = |chat: &Given, rating| chat.0.rate(ann(), message(102), rating).unwrap();
    assert_eq!(rate(&chat, Rating::None), None);
    let up = rate(&chat, Rating::Up).unwrap();
    let chat = chat.apply(&[up]);
    assert_eq!(rate(&chat, Rating::Up), None);
    assert!(rate(&chat, Rating::Down).is_some() && rate(&chat, Rating::None).is_some());
}

#[test]
fn only_a_reply_can_be_rated() {
    let chat = two_turns().0;
    assert_eq!(chat.rate(ann(), message(2), Rating::Up), Err(MessageRejection::NotAReply));
    assert_eq!(chat.rate(ann(), message(77), Rating::Up), Err(MessageRejection::NoSuchMessage));
}

#[test]
fn nobody_else_edits_regenerates_chooses_or_rates() {
    let chat = two_turns().0;
    let none = MessageRejection::NoSuchConversation(NoSuchConversation);
    let redo = Err(RedoRejection::Message(none));
    assert_eq!(chat.edit(bob(), instead(2, 3, OnBusy::Reject)), redo);
    assert_eq!(chat.regenerate(bob(), again(message(102), 3, OnBusy::Reject)), redo);
    assert_eq!(chat.choose_leaf(bob(), message(1)), Err(none));
    assert_eq!(chat.rate(bob(), message(102), Rating::Up), Err(none));
}
