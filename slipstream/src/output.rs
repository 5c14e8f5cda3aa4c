//! Answers on standard output: written as they come, never gathered. A closed pipe is an error like any other, which
//! `main` takes for a success.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

use serde::Serialize;

/// Standard output, for the length of one command.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(crate) fn open() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Writes a line. It is seen at the next [`Output::flush`].
    ///
    /// # Errors
    /// Nobody reads any more, or the disk is full.
    pub(crate) fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.0, "{line}")
    }

    /// Writes a value as JSON on one line.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, value)?;
        self.line("")
    }

    /// Writes a value as JSON for people to read, too.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.0, value)?;
        self.line("")
    }

    /// Shows what was written so far. To be called at the end: what is left is lost otherwise without a word.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether an error says that nobody reads our answers any more.
pub(crate) fn is_closed(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}
