//! One multiplexed connection that mends itself, with a bound on how long a call may take.
//!
//! A call on a broken connection fails at once; a new one is being made meanwhile, without pauses of its own: each call
//! that finds none tries once more. So Redis' absence costs a refused connection a call, and its return is noticed by the
//! next call.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{FromRedisValue, Pipeline, RedisError};
use slipstream_projections::StreamStateError;

use crate::settings::{RedisSettings, SettingsError};

/// Commands on their way at once. A worker has one a reply, a gateway one a reader that missed something; what is
/// beyond waits for its turn, within its time-out.
const IN_FLIGHT: usize = 1024;
/// How long unacknowledged bytes may stay so before the connection counts as dead: a peer that vanished sends no reset.
#[cfg(target_os = "linux")]
const VANISHED: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub(crate) struct Connection {
    manager: ConnectionManager,
    timeout: Duration,
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Redis answered so.
    Refused(RedisError),
    /// It did not answer.
    Silent(String),
}

impl Connection {
    /// Connects with the first call, not here.
    pub(crate) fn new(settings: &RedisSettings) -> Result<Self, SettingsError> {
        let client = settings.client()?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(settings.timeout))
            .set_response_timeout(Some(settings.timeout))
            .set_pipeline_buffer_size(IN_FLIGHT)
            .set_concurrency_limit(IN_FLIGHT);
        let manager = ConnectionManager::new_lazy_with_config(client, config)
            .map_err(|error| SettingsError::Unusable(error.category().to_owned()))?;
        Ok(Self { manager, timeout: settings.timeout })
    }

    /// A connection that was refused the last time says so once more before it is tried again; nothing was sent then, so
    /// asking twice is safe.
    pub(crate) async fn call<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, CallError> {
        let mut manager = self.manager.clone();
        let asking = async {
            match commands.query_async(&mut manager).await {
                Err(error) if error.is_connection_refusal() => commands.query_async(&mut manager).await,
                answer => answer,
            }
        };
        match tokio::time::timeout(self.timeout, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_io_error() => Err(CallError::Silent(error.to_string())),
            Ok(Err(error)) => Err(CallError::Refused(error)),
            Err(_) => Err(CallError::Silent(format!("no answer in {} ms", self.timeout.as_millis()))),
        }
    }
}

/// Small writes go out at once, and a vanished peer is noticed.
pub(crate) fn tcp() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(VANISHED);
    settings
}

impl From<CallError> for StreamStateError {
    fn from(error: CallError) -> Self {
        Self::Unavailable(match error {
            CallError::Refused(error) => error.to_string(),
            CallError::Silent(reason) => reason,
        })
    }
}
