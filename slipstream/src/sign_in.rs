//! How people sign in to a gateway: the methods that are set, and what is kept of who did.

use std::sync::Arc;

use secrecy::SecretString;
use slipstream_commands::Commands;
use slipstream_gateway::{
    Accounts, Authenticate, DevelopmentEmail, Jwt, Method, Methods, SessionEmail, SessionToken, Ticket,
};
use slipstream_jwt::JwtVerifier;
use slipstream_local::SystemClock;
use slipstream_providers::Providers;
use slipstream_vault::Vault;

use crate::config::AuthMethod;
use crate::key_check::VendorKeyCheck;
use crate::usage::Usage;

/// What is set.
pub(crate) struct SignIn {
    pub(crate) methods: Vec<AuthMethod>,
    pub(crate) service_token: Option<SecretString>,
    /// Whether `?email=` is taken at its word from this machine.
    pub(crate) development_email: bool,
    pub(crate) allowed_origins: Vec<String>,
}

impl SignIn {
    /// # Errors
    /// Tokens could not be believed.
    pub(crate) fn authenticate(
        &self,
        app: &Commands,
        vault: &Vault,
    ) -> anyhow::Result<Arc<dyn Authenticate>> {
        let sessions = Arc::new(vault.sessions());
        let method = |method: &AuthMethod| -> anyhow::Result<Arc<dyn Method>> {
            Ok(match method {
                AuthMethod::Ticket => Arc::new(Ticket::new(Arc::new(vault.tickets()))),
                AuthMethod::Jwt(settings) => {
                    let tokens = JwtVerifier::new(settings.clone(), Arc::new(SystemClock::new()));
                    let tokens = tokens.map_err(|error| Usage(format!("auth.jwt_…: {error}")))?;
                    Arc::new(Jwt::new(app.clone(), Arc::new(tokens)))
                }
                AuthMethod::Session => Arc::new(SessionToken::new(sessions.clone())),
                AuthMethod::Email => {
                    let origins = self.allowed_origins.clone();
                    Arc::new(SessionEmail::new(app.clone(), sessions.clone(), origins))
                }
            })
        };
        let methods = self.methods.iter().map(method).collect::<anyhow::Result<_>>()?;
        let development = self.development_email.then(|| DevelopmentEmail::new(app.clone()));
        Ok(Arc::new(Methods::new(methods, development.map(|email| Arc::new(email) as _))))
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
