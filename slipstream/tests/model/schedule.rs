//! What happens in one world, and when.

use std::time::Duration;

use proptest::prelude::*;

/// The life of a world.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// Decides which live frames are lost, repeated or swapped, and which jobs are delivered twice.
    pub(crate) seed: u64,
    /// What breaks, and how long after what broke before it.
    pub(crate) breaks: Vec<(Duration, Break)>,
    pub(crate) conversations: Vec<Conversation>,
}

/// Something that breaks for everybody.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Break {
    /// Another worker takes every reply that is under way from its owner, which lives on and does not know.
    Takeover,
    /// The stream state forgets everything.
    Flush,
    /// The stream state does not answer for a while.
    StateDown,
    /// The stream state's readers see nothing that is written for a while.
    StateLags,
    /// The bus loses everything for a while, and takes no new listeners.
    BusDown,
    /// The gateway drains, and another takes its place.
    GatewayRestart,
    /// The read models stand still for a while.
    ProjectorsDown,
}

/// A conversation: what its user asks, and what the user's devices do.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    /// One reply after another: the second is asked for while the first is made.
    pub(crate) replies: Vec<Reply>,
    /// The first asks; the others look on.
    pub(crate) devices: Vec<Vec<(usize, Act)>>,
}

/// A reply as the simulated provider is told to make it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply {
    pub(crate) thinking: usize,
    pub(crate) chunks: usize,
    pub(crate) bytes: usize,
    pub(crate) delay_ms: u64,
}

/// What a device does, once it has taken so many frames since its last act.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Its connection breaks; it comes back with all it had.
    Reconnect,
    /// Its page is loaded anew: it comes back with nothing.
    Reload,
    /// It reads nothing for a while.
    Stall,
    /// It asks again for what it has.
    Resubscribe,
    /// It stops the conversation's reply.
    Cancel,
}

impl Schedule {
    pub(crate) fn of(conversations: usize) -> impl Strategy<Value = Self> {
        let breaks = proptest::collection::vec((pause(), any_break()), 0..6);
        // Always there, but for shrinking, which leaves out what does not matter.
        let there = proptest::bool::weighted(1.0);
        let conversations = proptest::collection::vec((there, conversation()), conversations);
        (any::<u64>(), breaks, conversations).prop_map(|(seed, breaks, conversations)| Self {
            seed,
            breaks,
            conversations: conversations.into_iter().filter_map(|(there, it)| there.then_some(it)).collect(),
        })
    }
}

impl Reply {
    /// What the simulated provider is asked.
    pub(crate) fn prompt(self) -> String {
        let Self { thinking, chunks, bytes, delay_ms } = self;
        format!("[[chunks={chunks} bytes={bytes} thinking={thinking} delay_ms={delay_ms}]]")
    }
}

fn pause() -> impl Strategy<Value = Duration> {
    (50_u64..450).prop_map(Duration::from_millis)
}

fn any_break() -> impl Strategy<Value = Break> {
    prop_oneof![
        3 => Just(Break::Takeover),
        3 => Just(Break::Flush),
        1 => Just(Break::StateDown),
        1 => Just(Break::StateLags),
        1 => Just(Break::BusDown),
        2 => Just(Break::GatewayRestart),
        1 => Just(Break::ProjectorsDown),
    ]
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let reply = (0_usize..3, 1_usize..12, 1_usize..40, 10_u64..90)
        .prop_map(|(thinking, chunks, bytes, delay_ms)| Reply { thinking, chunks, bytes, delay_ms });
    let device = proptest::collection::vec((0_usize..8, act()), 0..6);
    (proptest::collection::vec(reply, 1..=2), proptest::collection::vec(device, 1..=2))
        .prop_map(|(replies, devices)| Conversation { replies, devices })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => Just(Act::Reconnect),
        2 => Just(Act::Reload),
        1 => Just(Act::Stall),
        2 => Just(Act::Resubscribe),
        1 => Just(Act::Cancel),
    ]
}
