//! What `ops/SECURITY.md` says is tested is tested: each file and each test that it names is there.

use std::path::Path;

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("ops/SECURITY.md")).unwrap();
    let (mut file, mut source, mut tests) = ("", String::new(), 0);
    // Every second piece stands between backticks.
    for named in text.split('`').skip(1).step_by(2) {
        if Path::new(named).extension().is_some_and(|extension| extension == "rs") {
            (file, source) = (named, std::fs::read_to_string(root.join(named)).unwrap_or_default());
            assert!(!source.is_empty(), "{file} is not there");
        } else if named.matches('_').count() > 2
            && named.chars().all(|c| c.is_ascii_lowercase() || "_…".contains(c))
        {
            let begun = format!("fn {}", named.trim_end_matches('…'));
            assert!(source.contains(&begun), "{file} has no test {named}");
            tests += 1;
        }
    }
    assert!(tests > 20, "the threat model names {tests} tests only");
}
