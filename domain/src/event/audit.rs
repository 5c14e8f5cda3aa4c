//! Events of audit streams: who looked into whose conversation, and which heads of the log were signed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codec::events;
use crate::ids::{ConversationId, SignatureId, UserId};

events! {
    /// What is done about the log itself.
    AuditEvent {
        /// Somebody read a conversation's history as an auditor.
        AuditRead(AuditRead) 1;
        /// A head of the log was signed, and the signature kept outside the database.
        LogSigned(LogSigned) 1;
    }
}

/// Somebody reads a conversation's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditRead {
    /// Who; absent for an operator at the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<UserId>,
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Up to which position of the log it is told.
    pub as_of: i64,
}

/// A head of the log was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogSigned {
    /// The newest batch then.
    pub batch_no: i64,
    /// Which signature.
    pub signature_id: SignatureId,
}
