//! Several ways to be known, tried in order.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Authenticate, AuthenticationError, Caller, Handshake};

/// One way to be known.
///
/// Laws: those of [`Authenticate`].
#[async_trait]
pub trait Method: Send + Sync {
    /// Who is calling; `None` when nothing is shown that this method looks at. May be dropped half-way.
    ///
    /// # Errors
    /// What is shown is not good, or that cannot be told.
    async fn caller(&self, handshake: &Handshake) -> Result<Option<Caller>, AuthenticationError>;
}

/// The first method by which a caller is known counts. Who shows something that is not good, and nothing that is, is told
/// so; who shows nothing is left to `otherwise`.
pub struct Methods {
    methods: Vec<Arc<dyn Method>>,
    otherwise: Option<Arc<dyn Authenticate>>,
}

const WANTED: &str = "say who you are: a session's token, a JWT, or a ticket";

impl Methods {
    /// These, in this order.
    #[must_use]
    pub fn new(methods: Vec<Arc<dyn Method>>, otherwise: Option<Arc<dyn Authenticate>>) -> Self {
        Self { methods, otherwise }
    }
}

#[async_trait]
impl Authenticate for Methods {
    async fn authenticate(&self, handshake: &Handshake) -> Result<Caller, AuthenticationError> {
        let mut refused = None;
        for method in &self.methods {
            match method.caller(handshake).await {
                Ok(Some(caller)) => return Ok(caller),
                Ok(None) => {}
                Err(error @ AuthenticationError::Unauthenticated(_)) => drop(refused.get_or_insert(error)),
                Err(error @ AuthenticationError::Unavailable(_)) => return Err(error),
            }
        }
        match (refused, &self.otherwise) {
            (Some(error), _) => Err(error),
            (None, Some(otherwise)) => otherwise.authenticate(handshake).await,
            (None, None) => Err(AuthenticationError::Unauthenticated(WANTED)),
        }
    }
}
