//! Reads documents in a process of their own, this very program as `read-document`: what a hostile file does to its reader it
//! does to a process that has nothing, and is short-lived (ADR 21).

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use slipstream_commands::ports::{ByteStream, DocumentFacts, Documents};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Answer;

/// From its start to its end; the processor's time is limited by the process itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// The reader.
pub(crate) struct DocumentProcess {
    program: PathBuf,
}

impl DocumentProcess {
    /// # Errors
    /// The system does not tell which program this is.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { program: std::env::current_exe()? })
    }

    async fn ask(&self, bytes: ByteStream, most: usize) -> std::io::Result<Answer> {
        let mut child = Command::new(&self.program)
            .args(["read-document", &most.to_string()])
            // Settings and keys are in the environment.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let answered = timeout(PATIENCE, exchange(&mut child, bytes, most)).await;
        answered.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
    }
}

#[async_trait]
impl Documents for DocumentProcess {
    async fn read_pdf(&self, bytes: ByteStream, most: usize) -> DocumentFacts {
        match self.ask(bytes, most).await {
            Ok(Answer { pages, text }) => DocumentFacts { pages, text },
            Err(error) => {
                tracing::info!(%error, "a document cannot be read");
                DocumentFacts::default()
            }
        }
    }
}

async fn exchange(child: &mut Child, mut bytes: ByteStream, most: usize) -> std::io::Result<Answer> {
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (mut stdin, stdout) = pipes.ok_or(std::io::ErrorKind::BrokenPipe)?;
    while let Some(piece) = bytes.next().await {
        stdin.write_all(&piece?).await?;
    }
    drop(stdin);
    // JSON may escape each byte of the text with six.
    let longest = most.saturating_mul(6).saturating_add(1024);
    let mut json = Vec::new();
    stdout.take(longest as u64).read_to_end(&mut json).await?;
    if !child.wait().await?.success() {
        return Err(std::io::Error::other("its reader failed"));
    }
    Ok(serde_json::from_slice(&json)?)
}
