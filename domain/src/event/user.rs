//! Events of a person's stream.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codec::events;
use crate::ids::{EmailId, GenerationId, KeyId};
use crate::sealed::Sealed;
use crate::values::{ModelId, ProviderId, RequestMetadata, Theme};

events! {
    /// What happens to a person.
    UserEvent {
        /// A person is known from now on; in one append with the claim of the address.
        UserRegistered(UserRegistered) 1 sealed profile;
        /// They may do something else from now on.
        RoleChanged(RoleChanged) 1;
        /// They come from somewhere else than before, as far as their client tells.
        ProfileLocated(ProfileLocated) 1 sealed location;
        /// The person's own settings, whole.
        SettingsChanged(SettingsChanged) 1;
        /// A message was answered on the operator's key; in one append with its `GenerationRequested`.
        FreeMessageUsed(FreeMessageUsed) 1;
        /// They have a key of their own of a provider, in place of one they had.
        ProviderKeyStored(ProviderKeyStored) 1;
        /// They have it no longer.
        ProviderKeyRemoved(ProviderKeyRemoved) 1;
        /// Everything of theirs is to be erased, and nothing new is done for them.
        UserErasureRequested(UserErasureRequested) 1;
        /// It is erased: their keys are destroyed.
        UserErased(UserErased) 1;
    }
}

/// How a person came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationVia {
    /// By the development server's `?email=`.
    Development,
    /// By a service that signs people in.
    Service,
}

/// What a person may do beyond their own conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    /// Nothing.
    User,
    /// Read any conversation's history; every such read is itself recorded.
    Auditor,
    /// Query the read models for analysis.
    Analyst,
    /// Everything an operator does.
    Admin,
    /// Register people and open their sessions.
    Service,
}

impl UserRole {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::User, Self::Auditor, Self::Analyst, Self::Admin, Self::Service];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Auditor => "auditor",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// Whether who has this role may do what is `wanted`'s: an administrator everything, everybody what a user may.
    #[must_use]
    pub fn includes(self, wanted: Self) -> bool {
        self == wanted || self == Self::Admin || wanted == Self::User
    }
}

/// A person is known from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UserRegistered {
    /// What they may do.
    pub role: UserRole,
    /// How.
    pub via: RegistrationVia,
    /// Who.
    #[serde(skip)]
    pub profile: Sealed<UserProfile>,
}

/// A person may do something else from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleChanged {
    /// What.
    pub role: UserRole,
}

/// A person comes from somewhere else than before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileLocated {
    /// Where: what is known of it, in place of all that was.
    #[serde(skip)]
    pub location: Sealed<RequestMetadata>,
}

/// Who a person is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct UserProfile {
    pub email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// The settings that hold from now on; absent means unset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct SettingsChanged {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theme: Option<Theme>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_provider: Option<ProviderId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_model: Option<ModelId>,
}

/// A message was answered on the operator's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreeMessageUsed {
    /// The attempt that it paid for.
    pub generation_id: GenerationId,
}

/// A person has a key of their own of a provider. The key itself is in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderKeyStored {
    /// Of which provider.
    pub provider: ProviderId,
    /// Which key.
    pub key_id: KeyId,
    /// Tells two keys apart, and nothing else.
    pub fingerprint: String,
    /// The master key that their data key was wrapped with then.
    pub master_key_id: String,
    /// Whether they ask this provider when they name none.
    pub is_default: bool,
}

/// A person has a key no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderKeyRemoved {
    /// Of which provider.
    pub provider: ProviderId,
    /// Which key.
    pub key_id: KeyId,
}

/// Everything of a person is to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserErasureRequested {
    /// The stream of their address, which can no longer be told from their profile when it is to be released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_id: Option<EmailId>,
}

/// A person is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserErased {}
