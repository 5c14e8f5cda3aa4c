//! That something happened, without what: told from an event's envelope alone.

use slipstream_domain::{Category, ConversationId, GenerationId, UserId};
use slipstream_eventlog::Envelope;

/// What the envelope says of an event of a conversation or a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headline {
    /// A conversation has a new event.
    Changed {
        /// Which.
        conversation: ConversationId,
        /// The version that the event makes.
        version: i64,
        /// Whose conversation was made, named or deleted by it, if it did that.
        listed_for: Option<UserId>,
    },
    /// A generation is over.
    Ended {
        /// Where.
        conversation: ConversationId,
        /// Which.
        generation: GenerationId,
    },
}

impl Headline {
    /// `None` for what makes no headline: output, beginnings, users.
    pub(crate) fn of(envelope: &Envelope) -> Option<Self> {
        let conversation = ConversationId::from_uuid(envelope.correlation.as_uuid());
        let name = envelope.event_type.as_str();
        if envelope.category.0 == Category::Conversation.number() {
            let lists = matches!(name, "ConversationStarted" | "TitleSet" | "ConversationDeleted");
            let owner = envelope.owner.map(|owner| UserId::from_uuid(owner.as_uuid()));
            let listed_for = owner.filter(|_| lists);
            return Some(Self::Changed { conversation, version: envelope.version.get(), listed_for });
        }
        let ends = matches!(
            name,
            "GenerationCompleted" | "GenerationCancelled" | "GenerationInterrupted" | "GenerationFailed"
        );
        let generation = GenerationId::from_uuid(envelope.stream.as_uuid());
        ends.then_some(Self::Ended { conversation, generation })
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::Event;
    use slipstream_eventlog::{CorrelationId, OwnerId, Position, StreamId, Version};
    use uuid::Uuid;

    use super::*;

    fn headline(category: Category, event_type: &str) -> Option<Headline> {
        Headline::of(&Envelope {
            position: Position::new(1),
            stream: StreamId::from_uuid(Uuid::from_u128(1)),
            version: Version::new(3),
            category: slipstream_eventlog::Category(category.number()),
            owner: Some(OwnerId::from_uuid(Uuid::from_u128(9))),
            correlation: CorrelationId::from_uuid(Uuid::from_u128(2)),
            event_type: event_type.to_owned(),
        })
    }

    #[test]
    fn ends_and_lists_are_told_by_names_that_events_have() {
        let (mut ends, mut lists, mut changes) = (0, 0, 0);
        let [_, _, conversation, generation, ..] = Event::SCHEMAS;
        let named = |category, schemas: &[(&'static str, u16)]| -> Vec<_> {
            schemas.iter().filter_map(|(name, _)| headline(category, name)).collect()
        };
        for told in named(Category::Conversation, conversation)
            .into_iter()
            .chain(named(Category::Generation, generation))
        {
            match told {
                Headline::Ended { .. } => ends += 1,
                Headline::Changed { listed_for: Some(_), .. } => lists += 1,
                Headline::Changed { listed_for: None, .. } => changes += 1,
            }
        }
        assert_eq!((ends, lists, changes), (4, 3, conversation.len() - 3));
    }
}
