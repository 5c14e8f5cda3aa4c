//! `auth.methods`: how people are known.

use super::error::ConfigError;

/// A way to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    /// `?ticket=`.
    Ticket,
    /// A session's token.
    Session,
    /// `?email=` from an allowed page, of somebody who is signed in.
    Email,
}

const NAMES: [(&str, AuthMethod); 3] =
    [("ticket", AuthMethod::Ticket), ("session", AuthMethod::Session), ("email", AuthMethod::Email)];

/// # Errors
/// A name of none.
pub(super) fn methods(names: &[String]) -> Result<Vec<AuthMethod>, ConfigError> {
    let method = |name: &String| {
        let found = NAMES.iter().find(|(known, _)| known == name).map(|(_, method)| *method);
        found.ok_or_else(|| {
            let known = NAMES.map(|(known, _)| known).join(", ");
            ConfigError::Other(format!("auth.methods: there is no method {name}; there are {known}"))
        })
    };
    names.iter().map(method).collect()
}
