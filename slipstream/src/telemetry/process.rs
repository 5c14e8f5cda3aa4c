//! What the operating system says of this process, under the names that Prometheus' client libraries use. Read when asked;
//! what a system does not tell is left out.

use std::fmt::Write;
use std::fs;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeValLike;

/// A metric of the process.
struct Metric {
    name: &'static str,
    kind: &'static str,
    meaning: &'static str,
    read: fn() -> Option<f64>,
}

const METRICS: [Metric; 4] = [
    Metric {
        name: "process_cpu_seconds_total",
        kind: "counter",
        meaning: "Processor time of this process, of users and of the system.",
        read: processor_seconds,
    },
    Metric {
        name: "process_resident_memory_bytes",
        kind: "gauge",
        meaning: "Memory of this process that is not swapped out.",
        read: resident_bytes,
    },
    Metric {
        name: "process_open_fds",
        kind: "gauge",
        meaning: "File descriptors that this process has open, sockets among them.",
        read: open_files,
    },
    Metric {
        name: "process_max_fds",
        kind: "gauge",
        meaning: "The most file descriptors it may have open.",
        read: most_open_files,
    },
];

/// Appends them in Prometheus' text format.
pub(super) fn render(text: &mut String) {
    for Metric { name, kind, meaning, read, .. } in &METRICS {
        if let Some(value) = read() {
            // Writing into a string cannot fail.
            write!(text, "# HELP {name} {meaning}\n# TYPE {name} {kind}\n{name} {value}\n\n").ok();
        }
    }
}

/// Their rows in the document, without labels, which they have not.
#[cfg(test)]
pub(super) fn rows() -> impl Iterator<Item = String> {
    METRICS.iter().map(|Metric { name, kind, meaning, .. }| {
        let unit = ["seconds", "bytes"].into_iter().find(|unit| name.contains(unit)).unwrap_or("count");
        format!("| `{name}` | {kind} | {unit} | {meaning} |")
    })
}

#[allow(clippy::cast_precision_loss, reason = "microseconds are exact for 285 years")]
fn processor_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Some(micros as f64 / 1e6)
}

/// From the line `VmRSS:     1234 kB`.
fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Not the one that reads the list of them.
#[allow(clippy::cast_precision_loss, reason = "there are fewer than 2^53")]
fn open_files() -> Option<f64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(open.saturating_sub(1) as f64)
}

#[allow(clippy::cast_precision_loss, reason = "the next number will do")]
fn most_open_files() -> Option<f64> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    Some(soft as f64)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_time_and_memory_and_has_files_open() {
        for Metric { name, read, .. } in &METRICS {
            assert!(read().is_some_and(|value| value > 0.0), "{name}");
        }
    }
}
