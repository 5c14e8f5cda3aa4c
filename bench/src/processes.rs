//! What processes use, out of `/proc` (proc(5)): CPU time and memory. Linux only; elsewhere nothing is known.

use std::collections::HashMap;
use std::fs;

use serde::Serialize;

/// `USER_HZ`: what Linux counts CPU time in for user space, on every architecture we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process, or a tree of them, has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    /// CPU seconds, those of children that were waited for included.
    pub(crate) cpu_s: f64,
    /// Bytes resident now; pages that processes share are counted once where the kernel tells.
    pub(crate) memory: u64,
}

impl Usage {
    /// What came on top of `before`; the memory is the present one.
    pub(crate) fn since(self, before: Self) -> Self {
        Self { cpu_s: (self.cpu_s - before.cpu_s).max(0.0), memory: self.memory }
    }
}

/// Of one process without its children.
pub(crate) fn of(pid: i32) -> Usage {
    let Some(stat) = Stat::read(pid) else { return Usage::default() };
    Usage { cpu_s: stat.own, memory: memory(pid) }
}

/// Of this process.
pub(crate) fn own() -> Usage {
    i32::try_from(std::process::id()).map_or_else(|_| Usage::default(), of)
}

/// Of everything that descends from `pid`, without itself.
pub(crate) fn descendants(pid: i32) -> Usage {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (child, parent) in all().filter_map(|pid| Some((pid, Stat::read(pid)?.parent))) {
        children.entry(parent).or_default().push(child);
    }
    let (mut total, mut open) = (Usage::default(), children.remove(&pid).unwrap_or_default());
    while let Some(next) = open.pop() {
        open.extend(children.remove(&next).unwrap_or_default());
        total.cpu_s += Stat::read(next).map_or(0.0, |stat| stat.own + stat.waited_for);
        total.memory += memory(next);
    }
    total
}

/// Of a process and everything that descends from it.
pub(crate) fn tree(pid: i32) -> Usage {
    let (root, below) = (of(pid), descendants(pid));
    let waited_for = Stat::read(pid).map_or(0.0, |stat| stat.waited_for);
    Usage { cpu_s: root.cpu_s + waited_for + below.cpu_s, memory: root.memory + below.memory }
}

fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

struct Stat {
    parent: i32,
    own: f64,
    waited_for: f64,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `pid (comm) state ppid …`, user and system time from field 14 on, the children's after them. A name may hold
    /// anything, so the last parenthesis counts.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: (ticks(14)? + ticks(15)?) / TICKS_PER_SECOND,
            waited_for: (ticks(16)? + ticks(17)?) / TICKS_PER_SECOND,
        })
    }
}

/// The proportional set, where we may read it, else the resident one.
fn memory(pid: i32) -> u64 {
    let kilobytes = |file: &str, field: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()?.parse().ok()
    };
    kilobytes("smaps_rollup", "Pss:").or_else(|| kilobytes("status", "VmRSS:")).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_of_any_form() {
        let stat = Stat::parse("7 (a) b) S 3 7 7 0 -1 4 1 0 0 0 150 50 20 10 20 0 1 0").unwrap();
        assert_eq!((stat.parent, stat.own, stat.waited_for), (3, 2.0, 0.3));
    }

    #[test]
    fn what_comes_on_top_is_never_negative() {
        let usage = |cpu_s, memory| Usage { cpu_s, memory };
        assert_eq!(usage(3.0, 5).since(usage(1.0, 9)), usage(2.0, 5));
        assert_eq!(usage(1.0, 5).since(usage(3.0, 9)), usage(0.0, 5));
    }
}
