//! How often and how fast a use case tries again.

use std::time::Duration;

use slipstream_eventlog::{Append, AppendError, Appended};

use crate::Commands;

/// How often a user's command is decided again when another process was faster.
pub(crate) const DECISIONS: u32 = 5;
/// How often a worker asks again while the log does not answer: with the pauses below, about half a minute.
pub(crate) const RESENDS: u32 = 32;

/// Runs an attempt, an async block, again while it answers [`CommandError::Contended`], or what else means that, five times at the most. A macro,
/// because the future of a function that takes an async closure cannot be seen to be `Send` by whoever spawns it.
macro_rules! retrying {
    ($app:expr, $attempt:expr) => {
        $crate::retrying::retrying!($app, $attempt, $crate::CommandError::Contended)
    };
    ($app:expr, $attempt:expr, $contended:pat) => {{
        let mut decision = 1;
        loop {
            match $attempt.await {
                Err($contended) if decision < $crate::retrying::DECISIONS => {
                    $app.pause(decision).await;
                    decision += 1;
                }
                done => break done,
            }
        }
    }};
}
pub(crate) use retrying;

/// Asks the log for a worker, again while it does not answer, which is [`CommandError::Unavailable`] or what else means that,
/// for about half a minute: a worker has nobody to hand an error to, and what it holds is lost with it.
macro_rules! patiently {
    ($app:expr, $question:expr) => {
        $crate::retrying::patiently!($app, $question, $crate::CommandError::Unavailable)
    };
    ($app:expr, $question:expr, $unavailable:path) => {{
        let mut resend = 1;
        loop {
            match $question.await {
                Err($unavailable(cause)) if resend < $crate::retrying::RESENDS => {
                    tracing::warn!(error = %cause, resend, "the log does not answer a worker");
                    $app.pause(resend).await;
                    resend += 1;
                }
                done => break done,
            }
        }
    }};
}
pub(crate) use patiently;

impl Commands {
    /// Appends for a worker, who has nobody to hand an error to: sent again with the same command id while the log does
    /// not answer, so that it is written once however often it was sent.
    pub(crate) async fn append_for_worker(&self, append: Append) -> Result<Appended, AppendError> {
        match patiently!(self, self.log.append(append.clone()), AppendError::Unavailable) {
            Err(AppendError::Duplicate(appended)) => Ok(appended),
            done => done,
        }
    }

    /// 10, 20, 40 … 1000 ms, half of it by chance, so that two who collided do not collide again.
    pub(crate) async fn pause(&self, attempt: u32) {
        let most = (5u64 << attempt.min(8)).min(1000);
        let (_, random) = self.ids.uuid().as_u64_pair();
        let chance = random % (most / 2 + 1);
        tokio::time::sleep(Duration::from_millis(most / 2 + chance)).await;
    }
}
