//! How people sign in to a gateway: the methods that are set, and what is kept of who did.

use std::sync::Arc;

use secrecy::SecretString;
use slipstream_commands::Commands;
use slipstream_gateway::{
    Accounts, Authenticate, DevelopmentEmail, Method, Methods, SessionEmail, SessionToken, Ticket,
};
use slipstream_providers::Providers;
use slipstream_vault::Vault;

use crate::config::AuthMethod;
use crate::key_check::VendorKeyCheck;

/// What is set.
pub(crate) struct SignIn {
    pub(crate) methods: Vec<AuthMethod>,
    pub(crate) service_token: Option<SecretString>,
    /// Whether `?email=` is taken at its word from this machine.
    pub(crate) development_email: bool,
    pub(crate) allowed_origins: Vec<String>,
}

impl SignIn {
    pub(crate) fn authenticate(&self, app: &Commands, vault: &Vault) -> Arc<dyn Authenticate> {
        let sessions = Arc::new(vault.sessions());
        let method = |method: &AuthMethod| -> Arc<dyn Method> {
            match method {
                AuthMethod::Ticket => Arc::new(Ticket::new(Arc::new(vault.tickets()))),
                AuthMethod::Session => Arc::new(SessionToken::new(sessions.clone())),
                AuthMethod::Email => {
                    let origins = self.allowed_origins.clone();
                    Arc::new(SessionEmail::new(app.clone(), sessions.clone(), origins))
                }
            }
        };
        let methods = self.methods.iter().map(method).collect();
        let development = self.development_email.then(|| DevelopmentEmail::new(app.clone()));
        Arc::new(Methods::new(methods, development.map(|email| Arc::new(email) as _)))
    }

    pub(crate) fn accounts(self, vault: &Vault, providers: Arc<Providers>) -> Accounts {
        Accounts {
            sessions: Arc::new(vault.sessions()),
            tickets: Arc::new(vault.tickets()),
            provider_keys: Arc::new(vault.provider_keys()),
            key_check: Arc::new(VendorKeyCheck(providers)),
            service_token: self.service_token,
        }
    }
}
