//! Holds the workspace to the table of ARCHITECTURE.md: who may depend on whom, and which outside crates are
//! kept to one place. Dev-dependencies are free: tests may see more than the code they test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Every crate by its folder, and the folders of ours it may depend on.
const EDGES: [(&str, &[&str]); 19] = [
    ("domain", &[]),
    ("eventlog", &[]),
    ("commands", &["domain", "eventlog"]),
    ("projections", &["domain", "eventlog"]),
    ("providers", &["domain"]),
    ("workers", &["domain", "commands", "projections", "providers"]),
    ("gateway", &["domain", "commands", "projections"]),
    ("adapters/jwt", &["domain", "commands"]),
    ("adapters/local", &["domain", "eventlog", "commands", "projections"]),
    ("adapters/nats", &["domain", "eventlog", "commands"]),
    ("adapters/postgres", &[]),
    ("adapters/redis", &["domain", "projections"]),
    ("adapters/s3", &["domain", "commands"]),
    ("adapters/secrets", &[]),
    ("adapters/vault", &["domain", "eventlog", "commands"]),
    ("adapters/web", &["domain", "commands"]),
    (
        "slipstream",
        &[
            "domain",
            "eventlog",
            "commands",
            "projections",
            "providers",
            "workers",
            "gateway",
            "adapters/jwt",
            "adapters/local",
            "adapters/nats",
            "adapters/postgres",
            "adapters/redis",
            "adapters/s3",
            "adapters/secrets",
            "adapters/vault",
            "adapters/web",
        ],
    ),
    (TESTKIT, ANYTHING),
    ("bench", &["domain", "eventlog", "commands", "projections", "adapters/local", "adapters/postgres"]),
];

/// A dev-dependency of everybody, so it may depend on everything and use every crate.
const TESTKIT: &str = "testkit";
const ANYTHING: &[&str] = &["*"];

/// Outside crates (a closing `*` stands for any ending) and the only folders that may use them.
const RESTRICTED: [(&str, &[&str]); 10] = [
    ("sqlx", &["eventlog", "projections", "adapters/vault", "slipstream", "bench"]),
    ("reqwest", &["providers", "adapters/jwt", "adapters/web"]),
    ("axum", &["gateway"]),
    ("async-nats", &["adapters/nats"]),
    ("redis", &["adapters/redis"]),
    ("aws-sdk-*", &["adapters/s3", "adapters/secrets"]),
    ("aws-config", &["adapters/s3", "adapters/secrets"]),
    ("aes-gcm", &["adapters/vault"]),
    ("clap", &["slipstream", "bench"]),
    ("figment", &["slipstream"]),
];

/// Names that say nothing of what is inside.
const NAMELESS: [&str; 4] = ["common", "utils", "helpers", "core"];

const LONGEST_MAIN: usize = 60;

#[test]
fn every_crate_has_its_row_in_the_table_and_every_row_its_crate() {
    let metadata = metadata();
    let members: BTreeSet<String> = members(&metadata).map(|(folder, _)| folder).collect();
    let rows: BTreeSet<String> = EDGES.iter().map(|(folder, _)| (*folder).to_owned()).collect();
    let rowless: Vec<_> = members.difference(&rows).collect();
    assert!(
        rowless.is_empty(),
        "{rowless:?} are not in the table. A new crate needs a reason: give it a row in ARCHITECTURE.md with the \
         question it answers, then one in EDGES here."
    );
    let gone: Vec<_> = rows.difference(&members).collect();
    assert!(gone.is_empty(), "{gone:?} are in the table but no crates. Take their rows out of EDGES.");
}

#[test]
fn every_package_is_named_after_its_folder() {
    for (folder, package) in members(&metadata()) {
        let last = folder.rsplit('/').next().unwrap();
        let expected = if last == "slipstream" { last.to_owned() } else { format!("slipstream-{last}") };
        assert_eq!(*package.name, expected, "{folder}/Cargo.toml: name the package after its folder");
    }
}

#[test]
fn crates_depend_only_on_those_the_table_allows() {
    let metadata = metadata();
    for (folder, package) in members(&metadata) {
        let allowed = EDGES.iter().find(|(row, _)| *row == folder).map_or(&[][..], |(_, allowed)| allowed);
        if allowed == ANYTHING {
            continue;
        }
        let ours =
            members(&metadata).filter(|(_, other)| depends(package, |name| name == other.name.as_str()));
        for (used, _) in ours {
            assert!(
                allowed.contains(&used.as_str()),
                "{folder} must not depend on {used}; it may use: {}. Put the code where the table allows it, or \
                 reach it through a port that {folder} owns and slipstream/src/wiring.rs connects.",
                if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") }
            );
        }
    }
}

#[test]
fn restricted_crates_stay_in_their_places() {
    for (folder, package) in members(&metadata()) {
        for (restricted, places) in RESTRICTED {
            if folder == TESTKIT || places.contains(&folder.as_str()) {
                continue;
            }
            let matches = |name: &str| match restricted.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == restricted,
            };
            assert!(
                !depends(package, matches),
                "{folder}/Cargo.toml uses {restricted}, which is kept to {}. Put the code there and offer what \
                 {folder} needs as a type or a port of ours.",
                places.join(", ")
            );
        }
    }
}

#[test]
fn main_is_short_enough_to_read_at_a_glance() {
    let lines = include_str!("../src/main.rs").lines().count();
    assert!(
        lines <= LONGEST_MAIN,
        "slipstream/src/main.rs has {lines} lines, more than {LONGEST_MAIN}. Move what is not parse, build or run \
         to wiring.rs, lifecycle.rs or a subcommand's own file."
    );
}

#[test]
fn no_folder_and_no_module_has_a_name_that_says_nothing() {
    let mut found = Vec::new();
    for (folder, _) in members(&metadata()) {
        collect_nameless(&root().join(folder), &mut found);
    }
    assert!(
        found.is_empty(),
        "{}: name it after the question it answers, or move its parts to where they are used.",
        found.join(", ")
    );
}

fn collect_nameless(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if module && NAMELESS.contains(&name.as_str()) {
            found.push(path.strip_prefix(root()).unwrap().display().to_string());
        }
        if path.is_dir() && name != "target" {
            collect_nameless(&path, found);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap()
}

/// The crates of the workspace, each with its folder below the root.
fn members(metadata: &Metadata) -> impl Iterator<Item = (String, &Package)> {
    metadata.workspace_packages().into_iter().map(|package| {
        let folder = package.manifest_path.parent().unwrap();
        (folder.strip_prefix(&metadata.workspace_root).unwrap().to_string(), package)
    })
}

/// Whether the package's own code or its build script uses a crate with such a name.
fn depends(package: &Package, named: impl Fn(&str) -> bool) -> bool {
    package.dependencies.iter().any(|dependency| {
        matches!(dependency.kind, DependencyKind::Normal | DependencyKind::Build) && named(&dependency.name)
    })
}
