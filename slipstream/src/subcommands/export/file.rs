//! Where an export goes: a file that stands at its place once it is whole, or standard output. Knows no form of rows.

use std::fs;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use slipstream_eventlog::Position;
use slipstream_projections::analytics::{Value, View};

use super::Format;
use super::csv::Csv;
use super::ndjson::Ndjson;
use super::parquet::Parquet;
use crate::usage::Usage;

/// Where bytes go.
pub(super) type Sink = BufWriter<Box<dyn Write + Send>>;

/// A form that rows are written in.
pub(super) trait Rows {
    /// # Errors
    /// The disk is full, or nobody reads any more.
    fn write(&mut self, row: &[Value]) -> anyhow::Result<()>;

    /// Writes what is left, and up to which position everything is there, if the form has a place for it.
    ///
    /// # Errors
    /// As [`Rows::write`].
    fn finish(self: Box<Self>, position: Position) -> anyhow::Result<Sink>;
}

/// An export that is being written.
pub(super) struct File {
    rows: Box<dyn Rows>,
    /// Where it is, and where it is to be.
    paths: Option<(PathBuf, PathBuf)>,
}

impl File {
    /// # Errors
    /// The file cannot be made; Parquet, on a terminal.
    pub(super) fn create(output: Option<&Path>, format: Format, view: &View) -> anyhow::Result<Self> {
        let (sink, paths): (Box<dyn Write + Send>, _) = match output {
            Some(path) => {
                let mut part = path.as_os_str().to_owned();
                part.push(".part");
                let part = PathBuf::from(part);
                let file =
                    fs::File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
                (Box::new(file), Some((part, path.to_owned())))
            }
            None if format == Format::Parquet && std::io::stdout().is_terminal() => {
                bail!(Usage("Parquet is nothing for a terminal; name a file with --output".to_owned()))
            }
            None => (Box::new(std::io::stdout()), None),
        };
        let sink = BufWriter::new(sink);
        let rows: Box<dyn Rows> = match format {
            Format::Parquet => Box::new(Parquet::begin(sink, view)?),
            Format::Csv => Box::new(Csv::begin(sink, view)?),
            Format::Ndjson => Box::new(Ndjson::begin(sink, view)),
        };
        Ok(Self { rows, paths })
    }

    /// # Errors
    /// See [`Rows::write`].
    pub(super) fn write(&mut self, row: &[Value]) -> anyhow::Result<()> {
        self.rows.write(row)
    }

    /// Makes it whole and puts it at its place.
    ///
    /// # Errors
    /// See [`Rows::finish`].
    pub(super) fn finish(self, position: Position) -> anyhow::Result<()> {
        self.rows.finish(position)?.flush()?;
        if let Some((part, path)) = self.paths {
            fs::rename(&part, &path).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
