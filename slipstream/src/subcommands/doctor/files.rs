//! What can be checked of the store of files, and the one thing that the doctor can mend: what buckets tell browsers.

use std::collections::BTreeSet;
use std::sync::Arc;

use slipstream_local::SystemClock;
use slipstream_s3::S3Blobs;
use tokio_util::task::TaskTracker;

use super::Finding;
use crate::config::{Config, FilePlace};

/// The pages of this machine, which may open a socket when no others are named.
const THIS_MACHINE: [&str; 2] = ["http://localhost:*", "http://127.0.0.1:*"];

/// One finding a bucket; with `fix`, pages that may open a socket may also upload into them afterwards.
pub(super) async fn all(config: &Config, fix: bool) -> Vec<Finding> {
    let s3 = match &config.files.place {
        FilePlace::S3(s3) => S3Blobs::new(s3, Arc::new(SystemClock::new()), TaskTracker::new()),
        FilePlace::Folder { .. } => {
            return vec![Finding::ok("files", "are kept in a folder, whose URLs any page may use")];
        }
    };
    let named = &config.gateway.allowed_origins;
    let origins = if named.is_empty() { THIS_MACHINE.map(str::to_owned).into() } else { named.clone() };
    let settings = &config.files.attachments;
    let buckets = BTreeSet::from([&settings.assets_bucket, &settings.generated_bucket]);
    let mut findings = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        findings.push(check(&s3, bucket, &origins, fix).await);
    }
    findings
}

async fn check(s3: &S3Blobs, bucket: &str, origins: &[String], fix: bool) -> Finding {
    const REACH: &str = "see that the bucket is there, and the settings below s3 and assets";
    match s3.has_cors(bucket, origins).await {
        Ok(true) => Finding::ok("files", format!("pages may upload into the bucket {bucket}")),
        Ok(false) if fix => match s3.set_cors(bucket, origins).await {
            Ok(()) => Finding::ok(
                "files",
                format!("pages may now upload into the bucket {bucket}: {}", origins.join(", ")),
            ),
            Err(error) => {
                Finding::fail("files", format!("the bucket {bucket}: {error}"), "set its CORS rules by hand")
            }
        },
        Ok(false) => Finding::warn(
            "files",
            format!("pages cannot upload into the bucket {bucket}, or not see that it went well (CORS)"),
            "run `slipstream doctor --fix-cors`, which replaces the bucket's CORS rules",
        ),
        Err(error) => Finding::fail("files", format!("the bucket {bucket}: {error}"), REACH),
    }
}
