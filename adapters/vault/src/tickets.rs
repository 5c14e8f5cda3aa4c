//! Table `vault.ticket`: one socket each.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_commands::ports::{IssuedTicket, PortError, SignedIn, Tickets};
use slipstream_domain::{SessionId, Timestamp, UserId};
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
    async fn issue(&self, by: SignedIn, most: u32) -> Result<IssuedTicket, PortError> {
        let ticket = new_token();
        let issued = sqlx::query!(
            r#"WITH expired AS (DELETE FROM vault.ticket WHERE expires_at <= now()),
                    held AS (
                        SELECT count(*) AS n, min(expires_at) AS first_end
                        FROM vault.ticket WHERE user_id = $2 AND expires_at > now()
                    ),
                    issued AS (
                        INSERT INTO vault.ticket (ticket_hash, user_id, session_id, until, expires_at)
                        SELECT $1, $2, $3, to_timestamp($4::bigint / 1000000.0), now() + interval '30 seconds'
                        FROM held WHERE n < $5
                        RETURNING 1
                    )
               SELECT EXISTS (SELECT FROM issued) AS "issued!",
                      coalesce(extract(epoch FROM first_end - now()), 0)::float8 AS "wait!"
               FROM held"#,
            kept(&ticket),
            by.user.as_uuid(),
            by.session.map(SessionId::as_uuid),
            by.until.map(Timestamp::micros),
            i64::from(most)
        );
        let issued = issued.fetch_one(&self.0).await.map_err(VaultError::from)?;
        if issued.issued {
            return Ok(IssuedTicket::Ticket(ticket));
        }
        let retry_after = Duration::try_from_secs_f64(issued.wait).unwrap_or_default();
        Ok(IssuedTicket::TooMany { retry_after })
    }

    async fn take(&self, ticket: &SecretString) -> Result<Option<SignedIn>, PortError> {
        let taken = sqlx::query!(
            r#"DELETE FROM vault.ticket WHERE ticket_hash = $1
               RETURNING user_id, session_id, (extract(epoch FROM until) * 1000000)::bigint AS until,
                         expires_at > now() AND coalesce(until > now(), true) AS "good!""#,
            kept(ticket)
        );
        let taken = taken.fetch_optional(&self.0).await.map_err(VaultError::from)?;
        Ok(taken.filter(|row| row.good).map(|row| SignedIn {
            user: UserId::from_uuid(row.user_id),
            session: row.session_id.map(SessionId::from_uuid),
            until: row.until.map(Timestamp::from_micros),
        }))
    }
}
