//! Table `vault.ticket`: one socket each.

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_commands::ports::{PortError, Tickets};
use slipstream_domain::UserId;
use sqlx::PgPool;

use crate::error::VaultError;
use crate::tokens::{kept, new_token};

/// Tickets in PostgreSQL. Cheap to clone.
#[derive(Clone)]
pub struct VaultTickets(PgPool);

impl VaultTickets {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl Tickets for VaultTickets {
    async fn issue(&self, user: UserId) -> Result<SecretString, PortError> {
        let ticket = new_token();
        let issued = sqlx::query!(
            "WITH expired AS (DELETE FROM vault.ticket WHERE expires_at <= now())
             INSERT INTO vault.ticket (ticket_hash, user_id, expires_at) VALUES ($1, $2, now() + interval '30 seconds')",
            kept(&ticket),
            user.as_uuid()
        );
        issued.execute(&self.0).await.map_err(VaultError::from)?;
        Ok(ticket)
    }

    async fn take(&self, ticket: &SecretString) -> Result<Option<UserId>, PortError> {
        let taken = sqlx::query!(
            r#"DELETE FROM vault.ticket WHERE ticket_hash = $1 RETURNING user_id, expires_at > now() AS "good!""#,
            kept(ticket)
        );
        let taken = taken.fetch_optional(&self.0).await.map_err(VaultError::from)?;
        Ok(taken.filter(|row| row.good).map(|row| UserId::from_uuid(row.user_id)))
    }
}
