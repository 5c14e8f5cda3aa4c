//! Table `vault.session`: who is signed in. The database's clock says until when, for all processes alike.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_commands::ports::{OpenedSession, PortError, SessionSummary, Sessions, SignedIn};
use slipstream_domain::{SessionId, Timestamp, UserId};
use sqlx::PgPool;
use uuid::Uuid;

use crate::error::VaultError;
use crate::tokens::{kept, new_token};

/// Sessions in PostgreSQL. Cheap to clone.
#[derive(Clone)]
pub struct VaultSessions(PgPool);

impl VaultSessions {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl Sessions for VaultSessions {
    async fn open(&self, user: UserId, valid: Duration) -> Result<OpenedSession, PortError> {
        let (id, token) = (SessionId::from_uuid(Uuid::now_v7()), new_token());
        // Those that have expired go when a new one comes: nobody needs a task for it.
        let opened = sqlx::query_scalar!(
            r#"WITH expired AS (DELETE FROM vault.session WHERE expires_at <= now())
               INSERT INTO vault.session (token_hash, session_id, user_id, expires_at)
               VALUES ($1, $2, $3, now() + $4 * interval '1 second')
               RETURNING (extract(epoch FROM expires_at) * 1000000)::bigint AS "expires_at!""#,
            kept(&token),
            id.as_uuid(),
            user.as_uuid(),
            valid.as_secs_f64()
        );
        let expires_at = opened.fetch_one(&self.0).await.map_err(VaultError::from)?;
        Ok(OpenedSession { id, token, expires_at: Timestamp::from_micros(expires_at) })
    }

    async fn find(&self, token: &SecretString) -> Result<Option<SignedIn>, PortError> {
        let found = sqlx::query!(
            r#"SELECT user_id, session_id, (extract(epoch FROM expires_at) * 1000000)::bigint AS "expires_at!"
               FROM vault.session WHERE token_hash = $1 AND expires_at > now()"#,
            kept(token)
        );
        let found = found.fetch_optional(&self.0).await.map_err(VaultError::from)?;
        Ok(found.map(|row| SignedIn {
            user: UserId::from_uuid(row.user_id),
            session: Some(SessionId::from_uuid(row.session_id)),
            until: Some(Timestamp::from_micros(row.expires_at)),
        }))
    }

    async fn closed_among(&self, sessions: &[SessionId]) -> Result<Vec<SessionId>, PortError> {
        let ids: Vec<Uuid> = sessions.iter().map(|session| session.as_uuid()).collect();
        let closed = sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM unnest($1::uuid[]) AS id
               WHERE NOT EXISTS (SELECT FROM vault.session WHERE session_id = id AND expires_at > now())"#,
            &ids
        );
        let closed = closed.fetch_all(&self.0).await.map_err(VaultError::from)?;
        Ok(closed.into_iter().map(SessionId::from_uuid).collect())
    }

    async fn list(&self, user: UserId) -> Result<Vec<SessionSummary>, PortError> {
        let rows = sqlx::query!(
            r#"SELECT session_id, (extract(epoch FROM opened_at) * 1000000)::bigint AS "opened_at!",
                      (extract(epoch FROM expires_at) * 1000000)::bigint AS "expires_at!"
               FROM vault.session WHERE user_id = $1 AND expires_at > now() ORDER BY session_id DESC"#,
            user.as_uuid()
        );
        let rows = rows.fetch_all(&self.0).await.map_err(VaultError::from)?.into_iter();
        let summary = rows.map(|row| SessionSummary {
            id: SessionId::from_uuid(row.session_id),
            opened_at: Timestamp::from_micros(row.opened_at),
            expires_at: Timestamp::from_micros(row.expires_at),
        });
        Ok(summary.collect())
    }

    async fn close(&self, user: UserId, id: SessionId) -> Result<bool, PortError> {
        let closed = sqlx::query!(
            "DELETE FROM vault.session WHERE user_id = $1 AND session_id = $2 AND expires_at > now()",
            user.as_uuid(),
            id.as_uuid()
        );
        Ok(closed.execute(&self.0).await.map_err(VaultError::from)?.rows_affected() > 0)
    }

    async fn close_all(&self, user: UserId) -> Result<u64, PortError> {
        let closed = sqlx::query!(
            "WITH tickets AS (DELETE FROM vault.ticket WHERE user_id = $1)
             DELETE FROM vault.session WHERE user_id = $1",
            user.as_uuid()
        );
        Ok(closed.execute(&self.0).await.map_err(VaultError::from)?.rows_affected())
    }
}
