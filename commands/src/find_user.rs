//! Who has an e-mail address. Makes nobody known.

use slipstream_domain::{EmailAddress, EmailClaim, UserId};

use crate::{CommandError, Commands, loading};

/// Who has the address; `None` when nobody has.
///
/// # Errors
/// `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all)]
pub async fn find_user(app: &Commands, email: &EmailAddress) -> Result<Option<UserId>, CommandError> {
    let claim = loading::email(&app.log, app.email_id(email)?).await?;
    Ok(match claim.state {
        EmailClaim::Free => None,
        EmailClaim::Claimed(user) => Some(user),
    })
}
