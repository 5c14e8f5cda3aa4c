//! What can be checked without a database: settings, programs, folder, disk, port.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::Uid;
use slipstream_postgres::{Binaries, holder, usual_folders};
use tokio::net::TcpListener;

use super::Finding;
use crate::config::Config;
use crate::wiring::Vendors;

/// Less is too little to go on with: PostgreSQL writes 16 MiB of its journal at a time and stops when it cannot.
const LEAST_DISK: u64 = 256 << 20;
/// Less is soon too little: a busy day of chats, with its journal.
const LITTLE_DISK: u64 = 5 << 30;

pub(super) fn settings(config: &Config) -> Finding {
    let file = config.file.as_ref().map_or("no file".to_owned(), |file| file.display().to_string());
    let set = config.effective.iter().filter(|setting| setting.place.is_some()).count();
    Finding::ok("settings", format!("{set} set, from {file} and the environment"))
}

pub(super) fn providers(config: &Config) -> Vec<Finding> {
    let advice = "see `slipstream config show`";
    let keys = match config.catalogue().and_then(|catalogue| config.keys(&catalogue)) {
        Ok(keys) => keys,
        Err(error) => return vec![Finding::fail("providers", error.to_string(), advice)],
    };
    if let Err(error) = Vendors::new(config) {
        return vec![Finding::fail("providers", format!("{error:#}"), advice)];
    }
    let with = keys.keys().chain(config.base_urls.keys());
    let names: BTreeSet<_> = with.map(ToString::to_string).collect();
    vec![if names.is_empty() {
        Finding::warn(
            "providers",
            "no key is set: every reply comes from the simulated provider",
            "set providers.openai.api_key (OPENAI_API_KEY) or another vendor's",
        )
    } else {
        Finding::ok("providers", format!("keys or addresses for {}", Vec::from_iter(names).join(", ")))
    }]
}

pub(super) async fn programs(config: &Config) -> Finding {
    match Binaries::find(&usual_folders(config.path.as_deref()), None).await {
        Ok(found) => Finding::ok(
            "postgresql programs",
            format!("version {} in {}", found.major, found.folder.display()),
        ),
        Err(error) => Finding::fail("postgresql programs", "not found", error.to_string()),
    }
}

/// The data folder, its lock and its disk; nothing when it is not there.
pub(super) fn folder(folder: &Path) -> Vec<Finding> {
    let Ok(about) = folder.metadata() else { return Vec::new() };
    let mode = about.mode() & 0o777;
    let shown = folder.display();
    let access = if about.uid() != Uid::effective().as_raw() && !Uid::effective().is_root() {
        let advice = format!("run as user {}, or choose another folder with --data-dir", about.uid());
        Finding::fail("data folder", format!("{shown} belongs to user {}", about.uid()), advice)
    } else if mode & 0o066 == 0 {
        Finding::ok("data folder", format!("{shown}, mode {mode:o}"))
    } else {
        let advice = format!("run `chmod go-rw {shown}`");
        Finding::warn("data folder", format!("{shown} is open to others: mode {mode:o}"), advice)
    };
    vec![access, lock(folder), disk(folder)]
}

fn lock(folder: &Path) -> Finding {
    match holder(folder) {
        Ok(None) => Finding::ok("lock", "nobody runs on the data folder"),
        Ok(Some(process)) => Finding::ok("lock", format!("process {process} runs on the data folder")),
        Err(error) => Finding::fail("lock", error.to_string(), "make the lock file readable"),
    }
}

fn disk(folder: &Path) -> Finding {
    let disk = match statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => return Finding::warn("disk", error.to_string(), "look at the disk by hand"),
    };
    let free = disk.blocks_available() * disk.fragment_size();
    let found = format!("{} MiB free", free >> 20);
    let advice = "make room: PostgreSQL stops when it cannot write";
    match free {
        0..LEAST_DISK => Finding::fail("disk", found, advice),
        LEAST_DISK..LITTLE_DISK => Finding::warn("disk", found, advice),
        LITTLE_DISK.. => Finding::ok("disk", found),
    }
}

pub(super) async fn port(listen: SocketAddr, owned: bool) -> Finding {
    match TcpListener::bind(listen).await {
        Ok(_) => Finding::ok("port", format!("{listen} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && owned => {
            Finding::ok("port", format!("{listen} is in use, and a service runs"))
        }
        Err(error) => {
            let advice = "choose another with --listen or server.listen, or end what uses it";
            Finding::fail("port", format!("cannot listen on {listen}: {error}"), advice)
        }
    }
}
