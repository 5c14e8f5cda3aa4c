//! Erases a person: the steps of `11-events` in their order. Each may be done again, so that an erasure which was cut short
//! anywhere is simply begun anew.

use std::sync::Arc;
use std::time::Duration;

use slipstream_commands::ports::UserVault;
use slipstream_commands::{
    AttachmentError, Attachments, CommandError, Commands, confirm_erasure, delete_conversations,
    request_erasure, unfinished_generations,
};
use slipstream_domain::UserId;
use slipstream_projections::{QueryError, ReadModels, attachments, first_behind};
use tokio::time::{Instant, sleep};

/// The pause between two looks at what others have to do.
const LOOK: Duration = Duration::from_millis(100);

/// A step of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureStep {
    /// Nothing new is done for the person.
    Request,
    /// Their conversations are deleted, and the replies there told to stop.
    DeleteConversations,
    /// Waits until these replies have ended.
    AwaitReplies,
    /// Their files are deleted, with their bytes.
    DeleteFiles,
    /// Waits until no read model shows anything of theirs.
    AwaitReadModels,
    /// Their keys are destroyed, with everything sealed under them.
    DestroyKeys,
    /// The log says that it is done; their address is free.
    Confirm,
}

impl ErasureStep {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Request,
        Self::DeleteConversations,
        Self::AwaitReplies,
        Self::DeleteFiles,
        Self::AwaitReadModels,
        Self::DestroyKeys,
        Self::Confirm,
    ];
}

/// Why an erasure stopped. It can be begun anew.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The log refused, or something did not answer.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file of theirs cannot be removed.
    #[error(transparent)]
    File(#[from] AttachmentError),
    /// The read model of files does not answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Nobody has ended these replies in time.
    #[error("{0} replies of theirs are still being made, and no worker ends them")]
    Replies(usize),
    /// A read model has not come so far in time.
    #[error("the read model {0} is not up to date, and nobody brings it there")]
    ReadModel(String),
}

/// What an erasure needs.
pub struct Erasure {
    app: Commands,
    vault: Arc<dyn UserVault>,
    files: Attachments,
    models: ReadModels,
    patience: Duration,
}

impl Erasure {
    /// `patience`: how long it waits for workers, and again for the read models.
    #[must_use]
    pub fn new(
        app: Commands,
        vault: Arc<dyn UserVault>,
        files: Attachments,
        models: ReadModels,
        patience: Duration,
    ) -> Self {
        Self { app, vault, files, models, patience }
    }

    /// All steps. Idempotent; may be dropped anywhere and begun anew.
    ///
    /// # Errors
    /// See [`ErasureError`]; `NotFound` for an unknown user.
    pub async fn run(&self, user: UserId) -> Result<(), ErasureError> {
        for step in ErasureStep::ALL {
            self.step(user, step).await?;
            tracing::info!(user.id = %user, ?step, "a step of an erasure is done");
        }
        Ok(())
    }

    /// One step, after all before it.
    ///
    /// # Errors
    /// See [`Erasure::run`].
    pub async fn step(&self, user: UserId, step: ErasureStep) -> Result<(), ErasureError> {
        match step {
            ErasureStep::Request => request_erasure(&self.app, user).await?,
            ErasureStep::DeleteConversations => drop(delete_conversations(&self.app, user).await?),
            ErasureStep::AwaitReplies => self.replies_end(user).await?,
            ErasureStep::DeleteFiles => self.delete_files(user).await?,
            ErasureStep::AwaitReadModels => self.read_models_reach_the_head().await?,
            ErasureStep::DestroyKeys => self.vault.destroy(user).await.map_err(CommandError::from)?,
            ErasureStep::Confirm => confirm_erasure(&self.app, user).await?,
        }
        Ok(())
    }

    async fn replies_end(&self, user: UserId) -> Result<(), ErasureError> {
        let give_up = Instant::now() + self.patience;
        loop {
            let open = unfinished_generations(&self.app, user).await?.len();
            match open {
                0 => return Ok(()),
                open if Instant::now() >= give_up => return Err(ErasureError::Replies(open)),
                _ => sleep(LOOK).await,
            }
        }
    }

    /// Nobody adds to them any more: the person is refused, and nothing makes pictures for them.
    async fn delete_files(&self, user: UserId) -> Result<(), ErasureError> {
        self.read_models_reach_the_head().await?;
        for file in attachments::unpurged_of(&self.models, user).await? {
            match self.files.delete(user, file).await {
                // Deleted before.
                Ok(()) | Err(AttachmentError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
            self.files.purge(user, file).await?;
        }
        Ok(())
    }

    /// Of every version that is read or being filled.
    async fn read_models_reach_the_head(&self) -> Result<(), ErasureError> {
        let head = self.app.log().head().await.map_err(CommandError::from)?.position;
        let give_up = Instant::now() + self.patience;
        while let Some(late) = first_behind(self.app.log(), head).await.map_err(CommandError::from)? {
            if Instant::now() >= give_up {
                return Err(ErasureError::ReadModel(late));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }
}
