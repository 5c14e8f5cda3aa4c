//! Events of an e-mail address's stream: one address is one person.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codec::events;
use crate::ids::UserId;

events! {
    /// What happens to an address.
    EmailEvent {
        /// A person has the address.
        EmailClaimed(EmailClaimed) 1;
        /// Nobody has it any more.
        EmailReleased(EmailReleased) 1;
    }
}

/// A person has the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmailClaimed {
    /// Who.
    pub user_id: UserId,
}

/// Nobody has the address any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmailReleased {}
