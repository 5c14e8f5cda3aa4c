//! The secrets a service cannot be without: those that are set, else those of the data folder, made there the first time.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use rand::RngExt;
use secrecy::SecretString;
use slipstream_commands::EmailPepper;
use slipstream_vault::MasterKeys;

use crate::config::Config;
use crate::database::Place;
use crate::usage::Usage;

const PEPPER_FILE: &str = "email-pepper";
const MASTER_KEY_FILE: &str = "master-key";

/// Whether a server of the operator's comes with its secrets; a folder makes its own.
///
/// # Errors
/// One is missing, or is none.
pub(crate) fn check(config: &Config, place: &Place) -> anyhow::Result<()> {
    match place {
        Place::Folder(_) => Ok(()),
        Place::Server(_) => pepper(config, place).and(master_keys(config, place)).map(drop),
    }
}

/// What e-mail addresses are hashed with.
///
/// # Errors
/// It must be set and is not; the folder's cannot be read or made.
pub(crate) fn pepper(config: &Config, place: &Place) -> anyhow::Result<EmailPepper> {
    match (&config.email_pepper, place) {
        (Some(pepper), _) => Ok(EmailPepper::new(pepper.clone())),
        (None, Place::Folder(folder)) => Ok(EmailPepper::new(kept(&folder.join(PEPPER_FILE), new_pepper)?)),
        (None, Place::Server(_)) => Err(Usage(PEPPER_WANTED.to_owned()).into()),
    }
}

/// What data keys are wrapped with.
///
/// # Errors
/// They must be set and are not, or are none; the folder's cannot be read or made.
pub(crate) fn master_keys(config: &Config, place: &Place) -> anyhow::Result<MasterKeys> {
    match (&config.master_keys, place) {
        (Some(keys), _) => parse(keys),
        (None, Place::Folder(folder)) => {
            let file = folder.join(MASTER_KEY_FILE);
            MasterKeys::parse(&kept(&file, new_master_key)?).with_context(|| file.display().to_string())
        }
        (None, Place::Server(_)) => Err(Usage(MASTER_KEYS_WANTED.to_owned()).into()),
    }
}

/// The same for who only looks: makes none, and does without.
///
/// # Errors
/// They are set and are none; the folder's cannot be read.
pub(crate) fn known_master_keys(config: &Config, place: &Place) -> anyhow::Result<MasterKeys> {
    match (&config.master_keys, place) {
        (None, Place::Folder(folder)) if !folder.join(MASTER_KEY_FILE).exists() => Ok(MasterKeys::none()),
        (None, Place::Server(_)) => Ok(MasterKeys::none()),
        (Some(_), _) | (None, Place::Folder(_)) => master_keys(config, place),
    }
}

const PEPPER_WANTED: &str =
    "EMAIL_PEPPER must be set together with DATABASE_URL, to a secret that never changes";
const MASTER_KEYS_WANTED: &str = "ENCRYPTION_KEY must be set together with DATABASE_URL, to 64 hexadecimal digits \
    (openssl rand -hex 32) that are kept as carefully as the database, and apart from it";

fn parse(keys: &SecretString) -> anyhow::Result<MasterKeys> {
    let keys = MasterKeys::parse(keys);
    Ok(keys.map_err(|error| Usage(format!("vault.master_keys (ENCRYPTION_KEY): {error}")))?)
}

fn new_pepper() -> String {
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(43).map(char::from).collect()
}

fn new_master_key() -> String {
    hex::encode(rand::rng().random::<[u8; 32]>())
}

/// The text that the file holds; what `make` makes when there is nothing.
fn kept(file: &Path, make: impl FnOnce() -> String) -> anyhow::Result<SecretString> {
    let cannot = || format!("cannot use {}", file.display());
    let some = |bytes: Vec<u8>| Some(bytes).filter(|bytes| !bytes.is_empty());
    let secret = kept_as(file, some, || make().into_bytes()).with_context(cannot)?;
    Ok(SecretString::from(String::from_utf8(secret).with_context(cannot)?))
}

/// What the file holds, as `read` has it; when it is not there or `read` makes nothing of it, what `make` makes is written
/// there, for this user alone. Of several processes that do so at once, the last one's is kept.
pub(crate) fn kept_as<T>(
    file: &Path,
    read: impl Fn(Vec<u8>) -> Option<T>,
    make: impl FnOnce() -> Vec<u8>,
) -> std::io::Result<T> {
    let kept = || std::fs::read(file).map(&read);
    match kept() {
        Ok(Some(secret)) => return Ok(secret),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(None) | Err(_) => {}
    }
    // Written beside and renamed, so that a crash never leaves half a secret.
    let beside = file.with_extension(format!("new-{}", std::process::id()));
    let mut open = std::fs::OpenOptions::new();
    let mut written = open.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    written.write_all(&make())?;
    written.sync_all()?;
    std::fs::rename(&beside, file)?;
    kept()?.ok_or_else(|| std::io::Error::other("the secret is not what was written"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_secret_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(PEPPER_FILE);
        let made = kept(&file, new_pepper).unwrap();
        assert_eq!(made.expose_secret().len(), 43);
        assert_eq!(kept(&file, new_pepper).unwrap().expose_secret(), made.expose_secret());
    }

    #[test]
    fn a_master_key_that_is_made_is_one() {
        assert!(MasterKeys::parse(&new_master_key().into()).is_ok());
    }
}
