//! Makes a person known by their e-mail address, or finds who has it.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;
use slipstream_domain::event::{RegistrationVia, UserProfile};
use slipstream_domain::{EmailAddress, EmailId, User, UserId};
use slipstream_eventlog::{Append, Version};
use uuid::Uuid;

use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// Who has the address; registers a new person when nobody has. Idempotent: one address is one user, whoever asks,
/// from however many processes at once.
///
/// # Errors
/// `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all)]
pub async fn register_user(
    app: &Commands,
    email: &EmailAddress,
    via: RegistrationVia,
    name: Option<String>,
) -> Result<UserId, CommandError> {
    let address = app.email_id(email)?;
    retrying!(app, async {
        let claim = loading::email(&app.log, address).await?;
        let id = UserId::from_uuid(app.ids.uuid());
        let claimed = match claim.state.claim(id) {
            Ok(event) => event,
            Err(taken) => return Ok(taken.by),
        };
        let profile = UserProfile { email: email.as_str().to_owned(), name: name.clone(), image: None };
        let registered = User::default().register(via, profile)?;
        let streams = vec![
            streams::user(id, Version::NONE, vec![registered])?,
            streams::email(address, id, claim.version, claimed)?,
        ];
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok(id)
    })
}

impl Commands {
    /// The stream of an address: UUIDv5 (RFC 9562) of HMAC-SHA-256 under the pepper, so that the log does not tell
    /// whether an address is in it.
    pub(crate) fn email_id(&self, email: &EmailAddress) -> Result<EmailId, CommandError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.pepper.secret().expose_secret().as_bytes())
            .map_err(|error| CommandError::Inner(error.to_string()))?;
        mac.update(email.as_str().as_bytes());
        Ok(EmailId::from_uuid(Uuid::new_v5(&Uuid::nil(), &mac.finalize().into_bytes())))
    }
}
