//! What signs the log, and where its signatures are.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use secrecy::ExposeSecret;
use slipstream_commands::ports::{BlobSignatures, Signatures};
use slipstream_eventlog::{PublicKey, Signature, SignedHead, SigningKey};
use slipstream_local::{FolderSignatures, SystemClock};
use slipstream_s3::S3Blobs;
use tokio_util::task::TaskTracker;

use crate::config::{Config, FilePlace};
use crate::usage::Usage;

/// The key, if one is set.
///
/// # Errors
/// What is set is none.
pub(crate) fn signing_key(config: &Config) -> anyhow::Result<Option<SigningKey>> {
    let key = config.audit.signing_key.as_ref().map(|seed| SigningKey::parse(seed.expose_secret()));
    Ok(key.transpose().map_err(|error| Usage(format!("audit.signing_key: {error}")))?)
}

/// Every place that signatures go to.
///
/// # Errors
/// Nothing says where; a bucket without S3.
pub(crate) fn stores(config: &Config, tasks: &TaskTracker) -> anyhow::Result<Vec<Arc<dyn Signatures>>> {
    let mut stores: Vec<Arc<dyn Signatures>> = Vec::new();
    if let Some(bucket) = &config.audit.signatures_bucket {
        let FilePlace::S3(s3) = &config.files.place else {
            return Err(
                Usage("audit.signatures_bucket needs a key to S3: s3.access_key_id".to_owned()).into()
            );
        };
        let blobs = Arc::new(S3Blobs::new(s3, Arc::new(SystemClock::new()), tasks.clone()));
        stores.push(Arc::new(BlobSignatures::new(blobs, bucket.clone())));
    }
    let usual = || config.data_dir.as_ref().filter(|_| stores.is_empty()).map(|data| data.join("signatures"));
    if let Some(folder) = config.audit.signatures_folder.clone().or_else(usual) {
        stores.push(Arc::new(FolderSignatures::new(folder)));
    }
    if stores.is_empty() {
        return Err(Usage("nothing says where signatures are: set audit.signatures_folder".to_owned()).into());
    }
    Ok(stores)
}

/// The signatures at `place`, a file or a folder; else those of the settings. In the order of batches.
///
/// # Errors
/// They cannot be read; there are none.
pub(crate) async fn kept(
    config: &Config,
    place: Option<PathBuf>,
    tasks: &TaskTracker,
) -> anyhow::Result<Vec<Signature>> {
    let stores: Vec<Arc<dyn Signatures>> = match place {
        Some(place) => vec![Arc::new(FolderSignatures::new(place))],
        None => stores(config, tasks)?,
    };
    let mut kept = Vec::new();
    for store in stores {
        kept.extend(store.all().await.context("the signatures cannot be read")?);
    }
    kept.sort_by_key(|signature| (signature.batch_no, signature.signature_id));
    kept.dedup();
    anyhow::ensure!(!kept.is_empty(), "there are no signatures; `slipstream log sign` makes one");
    Ok(kept)
}

/// The key that signatures are trusted by: the one that is named, else that of the settings.
///
/// # Errors
/// There is none: who believes the key in a file believes anything.
pub(crate) fn trusted(config: &Config, named: Option<PublicKey>) -> anyhow::Result<PublicKey> {
    match (named, signing_key(config)?) {
        (Some(key), _) => Ok(key),
        (None, Some(key)) => Ok(key.public()),
        (None, None) => Err(Usage(
            "whose signatures count? Name the key with --public-key, as its owner tells it (`slipstream log sign` prints it)"
                .to_owned(),
        )
        .into()),
    }
}

/// The heads that these signatures prove.
///
/// # Errors
/// One of them proves nothing.
pub(crate) fn heads(signatures: &[Signature], key: &PublicKey) -> anyhow::Result<Vec<SignedHead>> {
    let head = |signature: &Signature| signature.verify(key).with_context(|| signature.file_name());
    signatures.iter().map(head).collect()
}
