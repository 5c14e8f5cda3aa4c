//! The table of the README says what the goldens are, and every golden is expected by a test.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::expected::{Vendor, vendors};

/// Features and how the names of their goldens begin; a name belongs to the first that fits.
const FEATURES: [(&str, &[&str]); 17] = [
    ("plain text", &["text"]),
    ("thinking", &["thinking"]),
    ("several output items", &["several_items"]),
    ("sources, web search", &["search"]),
    ("pictures in an answer", &["image"]),
    ("refusal", &["refusal"]),
    ("length", &["length"]),
    ("content filter", &["content_filter"]),
    ("other finish reasons", &["finish_"]),
    ("usage", &["usage_"]),
    ("nothing answered", &["empty"]),
    ("error in the stream", &["error_", "failed"]),
    ("errors of HTTP", &["2", "4", "5"]),
    ("cut connection", &["cut_", "ends_early"]),
    ("silence", &["silence_"]),
    ("keep-alive, unknown events", &["keep_alive", "unknown_events"]),
    ("UTF-8, line ends, broken data", &["utf8", "bom_crlf", "bad_utf8", "not_json"]),
];

const BEGIN: &str = "<!-- goldens -->";
const END: &str = "<!-- /goldens -->";

fn here(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn names(vendor: &Vendor) -> Vec<&'static str> {
    vendor.streams.iter().chain(&vendor.broken).map(|expected| expected.golden).collect()
}

fn feature(golden: &str) -> &'static str {
    let fits = |(_, beginnings): &&(&str, &[&str])| beginnings.iter().any(|start| golden.starts_with(start));
    FEATURES.iter().find(fits).unwrap_or_else(|| panic!("{golden} shows no feature: name it after one")).0
}

fn table() -> String {
    let vendors = vendors();
    let heads = vendors.iter().map(|vendor| vendor.name).collect::<Vec<_>>().join(" | ");
    let mut table = format!("| feature | {heads} |\n|---|{}", "---|".repeat(vendors.len()));
    let row = |table: &mut String, title: &str, of: &dyn Fn(&Vendor) -> Vec<&'static str>| {
        write!(table, "\n| {title} |").unwrap();
        for vendor in &vendors {
            let cell = of(vendor).iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ");
            write!(table, " {} |", if cell.is_empty() { "–" } else { &cell }).unwrap();
        }
    };
    for (title, _) in FEATURES {
        row(&mut table, title, &|vendor| {
            names(vendor).into_iter().filter(|golden| feature(golden) == title).collect()
        });
    }
    row(&mut table, "pictures from a prompt", &|vendor| {
        vendor.pictures().into_iter().map(|picture| picture.model).collect()
    });
    table + "\n"
}

#[test]
fn the_readme_has_the_table_of_vendors_features_and_goldens() {
    let readme = fs::read_to_string(here("README.md")).unwrap();
    let shown =
        readme.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(table, _)| table.trim());
    let table = table();
    assert!(shown == Some(table.trim()), "put this between {BEGIN} and {END} of README.md:\n\n{table}");
}

#[test]
fn every_golden_file_is_expected_and_every_expected_golden_is_a_file() {
    for vendor in vendors() {
        let folder = here("tests/golden").join(vendor.name);
        let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let files =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let files: BTreeSet<String> = files.map(stem).collect();
        let pictures = vendor.pictures().into_iter().map(|picture| picture.model);
        let expected: BTreeSet<String> =
            names(&vendor).into_iter().chain(pictures).map(str::to_owned).collect();
        assert_eq!(files, expected, "{}", vendor.name);
    }
}
