//! `slipstream read-document`: reads a PDF file from standard input and says what is in it. Run by the service for each such
//! file, without settings and without keys; gives the limits to itself before it reads the first byte.

mod process;

use std::io::{Read, Write};
use std::process::ExitCode;

use clap::Args;
use lopdf::Document;
use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};

pub(crate) use process::DocumentProcess;

const MIB: u64 = 1024 * 1024;
/// All memory: several times the largest document that is taken, since it is read whole.
const MEMORY: u64 = 768 * MIB;
/// Seconds of the processor's time.
const SECONDS: u64 = 5;
/// The largest document that is read.
const LARGEST: u64 = 100 * MIB;
/// Pages that are looked into for text.
const PAGES: u32 = 16;

/// What is answered, as JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Answer {
    pages: Option<u32>,
    text: Option<String>,
}

/// How much to tell.
#[derive(Debug, Args)]
pub(crate) struct ReadOptions {
    /// Bytes of text.
    most: usize,
}

pub(crate) fn run(options: &ReadOptions) -> ExitCode {
    match read(options.most) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read(most: usize) -> anyhow::Result<()> {
    for (resource, limit) in [
        (Resource::RLIMIT_AS, MEMORY),
        (Resource::RLIMIT_CPU, SECONDS),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_CORE, 0),
    ] {
        setrlimit(resource, limit, limit)?;
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(LARGEST).read_to_end(&mut bytes)?;
    let document = Document::load_mem(&bytes)?;
    drop(bytes);
    let pages = document.get_pages();
    let mut text = String::new();
    for page in pages.keys().copied().take_while(|page| *page <= PAGES) {
        // A page without text that can be read is passed over.
        text.push_str(&document.extract_text(&[page]).unwrap_or_default());
        if text.len() >= most {
            break;
        }
    }
    text.truncate(text.floor_char_boundary(most));
    let text = Some(text).filter(|text| !text.trim().is_empty());
    let answer = Answer { pages: u32::try_from(pages.len()).ok().filter(|pages| *pages > 0), text };
    std::io::stdout().lock().write_all(&serde_json::to_vec(&answer)?)?;
    Ok(())
}
