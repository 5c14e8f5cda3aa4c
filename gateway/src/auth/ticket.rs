//! `?ticket=`: opens one socket, for pages that can show neither a header nor a cookie there.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::Query;
use secrecy::SecretString;
use serde::Deserialize;
use slipstream_commands::ports::Tickets;

use super::methods::Method;
use super::{AuthenticationError, Caller, Handshake, Purpose};

/// Whoever shows a ticket is who asked for it.
pub struct Ticket {
    tickets: Arc<dyn Tickets>,
}

impl Ticket {
    /// Takes these tickets.
    #[must_use]
    pub fn new(tickets: Arc<dyn Tickets>) -> Self {
        Self { tickets }
    }
}

#[derive(Deserialize)]
struct TicketQuery {
    ticket: Option<SecretString>,
}

const NOT_GOOD: &str = "the ticket was used, has expired, or never was";

/// A client that comes back shows another ticket: it is known again by its user and its User-Agent.
const CREDENTIAL: &[u8] = b"ticket";

#[async_trait]
impl Method for Ticket {
    async fn caller(&self, handshake: &Handshake) -> Result<Option<Caller>, AuthenticationError> {
        let shown = Query::<TicketQuery>::try_from_uri(&handshake.uri).ok().and_then(|query| query.0.ticket);
        let (Some(ticket), Purpose::Socket) = (shown, handshake.purpose) else { return Ok(None) };
        let taken = self.tickets.take(&ticket).await;
        let taken = taken.map_err(|error| AuthenticationError::Unavailable(Box::new(error)))?;
        let signed_in = taken.ok_or(AuthenticationError::Unauthenticated(NOT_GOOD))?;
        Ok(Some(Caller { signed_in, credential: CREDENTIAL.to_vec() }))
    }
}
