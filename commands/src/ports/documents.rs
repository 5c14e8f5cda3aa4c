//! What stands in documents.

use async_trait::async_trait;

use super::ByteStream;

/// What a document says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DocumentFacts {
    /// How many pages it has; `None` when that cannot be told.
    pub pages: Option<u32>,
    /// The beginning of its text; `None` when it has none that can be read.
    pub text: Option<String>,
}

/// The reader of documents.
///
/// Laws: whatever the bytes are, reading them takes a bounded time and a bounded memory, and harms nobody: a document that
/// cannot be read within them says nothing.
#[async_trait]
pub trait Documents: Send + Sync {
    /// What a PDF file says of itself, no more than `most` bytes of its text.
    async fn read_pdf(&self, bytes: ByteStream, most: usize) -> DocumentFacts;
}
