//! Where conversations are shown, as events move it: the domain's rule of the leaf, for many conversations at once.

use std::collections::{HashMap, HashSet};

use slipstream_domain::event::{ConversationEvent, ReplyRecorded};
use slipstream_domain::{Event, MessageId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::followed::Followed;

/// The leaves of some conversations, and which of them have moved.
#[derive(Default)]
pub(super) struct Leaves {
    known: HashMap<Uuid, MessageId>,
    moved: HashSet<Uuid>,
}

impl Leaves {
    /// The leaves before `events`, of the conversations where the end of a reply may move it.
    pub(super) async fn before(
        connection: &mut PgConnection,
        events: &[&Followed],
    ) -> Result<Self, sqlx::Error> {
        let ends = events.iter().filter(|followed| {
            matches!(followed.event, Event::Conversation(ConversationEvent::ReplyRecorded(_)))
        });
        let conversations: HashSet<Uuid> = ends.map(|followed| followed.stream).collect();
        if conversations.is_empty() {
            return Ok(Self::default());
        }
        let rows = sqlx::query!(
            "SELECT conversation_id, message_id FROM leaf WHERE conversation_id = ANY ($1)",
            &conversations.into_iter().collect::<Vec<_>>()
        );
        let rows = rows.fetch_all(connection).await?.into_iter();
        let known = rows.map(|row| (row.conversation_id, MessageId::from_uuid(row.message_id))).collect();
        Ok(Self { known, moved: HashSet::new() })
    }

    pub(super) fn set(&mut self, conversation: Uuid, leaf: MessageId) {
        self.known.insert(conversation, leaf);
        self.moved.insert(conversation);
    }

    /// The reply becomes the leaf if the leaf is still the message it answers.
    pub(super) fn recorded(&mut self, conversation: Uuid, reply: &ReplyRecorded) {
        if self.known.get(&conversation).copied() == reply.parent_message_id {
            self.set(conversation, reply.message_id);
        }
    }

    pub(super) fn forget(&mut self, conversation: Uuid) {
        self.known.remove(&conversation);
        self.moved.remove(&conversation);
    }

    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let moved: Vec<(Uuid, Uuid)> = self
            .known
            .iter()
            .filter(|(conversation, _)| self.moved.contains(conversation))
            .map(|(conversation, leaf)| (*conversation, leaf.as_uuid()))
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO leaf (conversation_id, message_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
             ON CONFLICT (conversation_id) DO UPDATE SET message_id = excluded.message_id",
            &moved.iter().map(|(conversation, _)| *conversation).collect::<Vec<_>>(),
            &moved.iter().map(|(_, leaf)| *leaf).collect::<Vec<_>>()
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
