//! What the log tells of a conversation as of any moment is what its user was shown then.

use std::collections::BTreeMap;

use proptest::prelude::*;
use slipstream_commands::{
    Place, Posted, cancel_conversation, choose_leaf, delete_conversation, withdraw_message,
};
use slipstream_domain::event::{ConversationEvent, GenerationEvent};
use slipstream_domain::{ConversationId, Event, GenerationId, MessageId, Part, Role, UserId};
use slipstream_projections::{Position, Replay, Transcript, Waited, decode, transcript};

use crate::world::World;

/// What a user does, or a model; with which message, counted round.
#[derive(Debug, Clone)]
enum Step {
    Say,
    Answer(usize),
    Cancel,
    Edit(usize),
    Regenerate(usize),
    Choose(usize),
    Withdraw(usize),
    Delete,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Say),
        8 => (0..4_usize).prop_map(Step::Answer),
        2 => Just(Step::Cancel),
        3 => any::<usize>().prop_map(Step::Edit),
        3 => any::<usize>().prop_map(Step::Regenerate),
        2 => any::<usize>().prop_map(Step::Choose),
        1 => any::<usize>().prop_map(Step::Withdraw),
        1 => Just(Step::Delete),
    ]
}

/// A message as its user sees it: id, who wrote it, how far it is, what it says.
type Shown = (MessageId, Role, String, Option<String>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_as_of_any_position_tells_what_the_user_was_shown_then(
        steps in proptest::collection::vec(step(), 10..30),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(lived_and_replayed(steps));
    }
}

async fn lived_and_replayed(steps: Vec<Step>) {
    let (world, running) = World::new().await;
    let user = world.user("anna").await;
    let first = world.say(user, world.new_chat(), "message 0").await;
    let id = first.conversation_id;
    let mut said = vec![first];
    let mut shown = vec![was_shown(&world, user, id).await];
    for (number, step) in steps.into_iter().enumerate() {
        take(&world, user, id, &mut said, step, number + 1).await;
        shown.push(was_shown(&world, user, id).await);
    }
    for (position, shown) in &shown {
        assert_eq!(&told(&world, id, *position).await.shown(), shown, "as of {position}");
    }
    world.end(running).await;
}

/// What the user sees now, and the position of the log that it shows.
async fn was_shown(world: &World, user: UserId, id: ConversationId) -> (Position, Vec<Shown>) {
    let head = world.log.head().await.unwrap().position;
    assert_eq!(world.wait::<Transcript>(id, head).await, Waited::Reached);
    let page = transcript::messages(&world.models, user, id, None, 200).await.unwrap();
    let messages = page.map(|page| page.items).unwrap_or_default().into_iter();
    let shown =
        messages.map(|message| (message.id, message.role, message.status.as_str().to_owned(), message.text));
    (head, shown.collect())
}

/// Does it, if it can be done now.
async fn take(
    world: &World,
    user: UserId,
    id: ConversationId,
    said: &mut Vec<Posted>,
    step: Step,
    number: usize,
) {
    let now = told(world, id, world.log.head().await.unwrap().position).await;
    if now.deleted {
        return;
    }
    let of = |wanted: usize, fits: &dyn Fn(&Told) -> bool| {
        let fitting: Vec<&Posted> =
            said.iter().filter(|posted| now.messages.get(&posted.message_id).is_some_and(fits)).collect();
        (!fitting.is_empty()).then(|| fitting[wanted % fitting.len()].clone())
    };
    let posted = |message: &Told| message.status == "posted";
    match step {
        // A queue that is full takes no more.
        Step::Say | Step::Edit(_)
            if now.messages.values().filter(|told| told.status == "queued").count() > 5 => {}
        Step::Say => said.push(world.say(user, Place::In(id), &format!("message {number} ü")).await),
        Step::Answer(deltas) => {
            if let Some(generation) = now.running() {
                let all = ["one ", "zwei ä", "", "three"];
                world.answer(generation, &all[..deltas]).await;
            }
        }
        Step::Cancel => drop(cancel_conversation(&world.app, user, id).await),
        Step::Edit(which) => {
            if let Some(posted) = of(which, &posted) {
                said.push(world.edit(user, &posted, &format!("edited {number}")).await);
            }
        }
        Step::Regenerate(which) => {
            if let Some(answered) = of(which, &posted).filter(|_| now.running().is_none())
                && now.messages.contains_key(&answered.reply_message_id)
            {
                world.regenerate(user, &answered).await;
            }
        }
        Step::Choose(which) => {
            if let Some(posted) = of(which, &posted) {
                choose_leaf(&world.app, user, id, posted.message_id).await.unwrap();
            }
        }
        Step::Withdraw(which) => {
            if let Some(queued) = of(which, &|message| message.status == "queued") {
                withdraw_message(&world.app, user, id, queued.generation_id).await.unwrap();
            }
        }
        // Seldom: what comes after it is told nobody.
        Step::Delete => {
            if number > 12 {
                delete_conversation(&world.app, user, id).await.unwrap();
            }
        }
    }
}

/// A message as a replay tells of it.
#[derive(Debug, Clone)]
struct Told {
    position: Position,
    parent: Option<MessageId>,
    role: Role,
    status: String,
    text: Option<String>,
    generation: Option<GenerationId>,
}

/// What a reader of the replay knows.
#[derive(Debug, Default)]
struct Known {
    messages: BTreeMap<MessageId, Told>,
    streamed: BTreeMap<GenerationId, String>,
    leaf: Option<MessageId>,
    deleted: bool,
}

/// Reads the replay as of a position, and nothing else.
async fn told(world: &World, id: ConversationId, as_of: Position) -> Known {
    let mut replay = Replay::open(&world.log, id, as_of).await.unwrap();
    let mut known = Known::default();
    loop {
        let page = replay.next_page().await.unwrap();
        if page.is_empty() {
            return known;
        }
        for event in page.iter().map(|recorded| decode(recorded).unwrap()) {
            match event.event {
                Event::Conversation(conversation) => known.take(conversation, event.position),
                Event::Generation(GenerationEvent::ChunksRecorded(chunks)) => {
                    let text = known.streamed.entry(GenerationId::from_uuid(event.stream)).or_default();
                    let runs = chunks.runs().unwrap().into_open().unwrap();
                    runs.iter().filter(|run| run.part == Part::Text).for_each(|run| text.push_str(&run.text));
                }
                Event::Generation(_)
                | Event::User(_)
                | Event::Email(_)
                | Event::Attachment(_)
                | Event::Audit(_) => {}
            }
        }
    }
}

impl Known {
    fn take(&mut self, event: ConversationEvent, position: Position) {
        match event {
            ConversationEvent::UserMessagePosted(posted) => {
                let text = posted.content.open().map(|content| content.text.as_str().to_owned());
                let told =
                    Told { text, ..Told::new(position, posted.parent_message_id, Role::User, "posted") };
                self.messages.insert(posted.message_id, told);
                self.leaf = Some(posted.message_id);
            }
            ConversationEvent::UserMessageQueued(queued) => {
                let text = queued.content.open().map(|content| content.message.text.as_str().to_owned());
                let told = Told { text, ..Told::new(position, None, Role::User, "queued") };
                self.messages.insert(queued.message_id, told);
            }
            ConversationEvent::QueuedMessageWithdrawn(withdrawn) => {
                self.messages.remove(&withdrawn.message_id);
            }
            ConversationEvent::ReplyRequested(reply) => {
                let parent = Some(reply.parent_message_id);
                let generation = Some(reply.generation_id);
                let told = Told { generation, ..Told::new(position, parent, Role::Assistant, "running") };
                self.messages.insert(reply.message_id, told);
            }
            ConversationEvent::ReplyRecorded(reply) => {
                let text = self.streamed.remove(&reply.generation_id).unwrap_or_default();
                if let Some(told) = self.messages.get_mut(&reply.message_id) {
                    (told.status, told.text) = (reply.status.as_str().to_owned(), Some(text));
                    if self.leaf == told.parent {
                        self.leaf = Some(reply.message_id);
                    }
                }
            }
            ConversationEvent::LeafChosen(chosen) => self.leaf = Some(chosen.message_id),
            ConversationEvent::ConversationDeleted(_) => *self = Self { deleted: true, ..Self::default() },
            ConversationEvent::ConversationStarted(_)
            | ConversationEvent::ReplyQueued(_)
            | ConversationEvent::TitleSet(_)
            | ConversationEvent::ConversationSettingsChanged(_)
            | ConversationEvent::MessageRated(_) => {}
        }
    }

    fn running(&self) -> Option<GenerationId> {
        self.messages.values().find(|told| told.status == "running").and_then(|told| told.generation)
    }

    /// From the first message down to the leaf, then the reply that is made to it, then what waits.
    fn shown(&self) -> Vec<Shown> {
        if self.deleted {
            return Vec::new();
        }
        let mut branch = Vec::new();
        let mut next = self.leaf;
        while let Some(id) = next {
            branch.push(id);
            next = self.messages[&id].parent;
        }
        branch.reverse();
        let with = |status: &str| {
            let mut with: Vec<_> = self.messages.iter().filter(|(_, told)| told.status == status).collect();
            with.sort_by_key(|(_, told)| told.position);
            with.into_iter().map(|(id, told)| (*id, told.parent)).collect::<Vec<_>>()
        };
        let of_the_leaf = |(id, parent): (MessageId, Option<MessageId>)| (parent == self.leaf).then_some(id);
        branch.extend(with("running").into_iter().filter_map(of_the_leaf));
        branch.extend(with("queued").into_iter().map(|(id, _)| id));
        let shown = branch.into_iter().map(|id| {
            let Told { role, status, text, .. } = self.messages[&id].clone();
            (id, role, status, text)
        });
        shown.collect()
    }
}

impl Told {
    fn new(position: Position, parent: Option<MessageId>, role: Role, status: &str) -> Self {
        Self { position, parent, role, status: status.to_owned(), text: None, generation: None }
    }
}
