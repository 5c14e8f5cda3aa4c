//! The tree of messages and its leaf. Knows who follows whom; not what anybody said.

use std::collections::HashMap;

use crate::ids::MessageId;
use crate::values::Role;

/// Messages by their parents, and the one the conversation is shown at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageTree {
    nodes: HashMap<MessageId, (Role, Option<MessageId>)>,
    leaf: Option<MessageId>,
}

impl MessageTree {
    /// The message the next one follows unless another is named.
    #[must_use]
    pub fn leaf(&self) -> Option<MessageId> {
        self.leaf
    }

    /// Who wrote a message; `None` for one that is not here.
    #[must_use]
    pub fn role(&self, id: MessageId) -> Option<Role> {
        self.nodes.get(&id).map(|(role, _)| *role)
    }

    /// What a message follows.
    #[must_use]
    pub fn parent(&self, id: MessageId) -> Option<MessageId> {
        self.nodes.get(&id).and_then(|(_, parent)| *parent)
    }

    pub(super) fn insert(&mut self, id: MessageId, role: Role, parent: Option<MessageId>) {
        self.nodes.insert(id, (role, parent));
    }

    pub(super) fn set_leaf(&mut self, id: MessageId) {
        self.leaf = Some(id);
    }
}
