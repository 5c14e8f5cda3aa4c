//! What things are called in NATS. Everything lies below one prefix, so that installations can share a server.

use slipstream_commands::ports::Subject;

#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    /// The prefix has been checked: a word of letters, digits, `_` and `-`.
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(crate) fn jobs(&self) -> String {
        format!("{}.jobs", self.prefix)
    }

    pub(crate) fn jobs_stream(&self) -> String {
        format!("{}-jobs", self.prefix)
    }

    pub(crate) fn hints(&self) -> String {
        format!("{}.hint", self.prefix)
    }

    /// A subject nobody listens on.
    pub(crate) fn nobody(&self) -> String {
        format!("{}.nobody", self.prefix)
    }

    pub(crate) fn live(&self, subject: Subject) -> String {
        let prefix = &self.prefix;
        match subject {
            Subject::Conversation(id) => format!("{prefix}.live.{id}"),
            Subject::User(id) => format!("{prefix}.user.{id}"),
            Subject::Owner(id) => format!("{prefix}.owner.{id}"),
        }
    }
}
