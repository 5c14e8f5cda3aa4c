//! A vault on a database of the test's own.

use secrecy::SecretString;
use slipstream_testkit::TestDatabase;
use slipstream_vault::{MasterKeys, Vault, VaultError};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    /// Where files are kept.
    pub(crate) files: TempDir,
}

/// The nth of the operator's master keys, as it is written.
pub(crate) fn master(n: u8) -> String {
    hex::encode([n; 32])
}

pub(crate) fn masters(keys: &[String]) -> MasterKeys {
    MasterKeys::parse(&SecretString::from(keys.join(","))).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self { database: TestDatabase::create().await, files: tempfile::tempdir().unwrap() }
    }

    /// As another process opens it.
    pub(crate) async fn open(&self, keys: &[String]) -> Result<Vault, VaultError> {
        Vault::open(self.database.pool().clone(), masters(keys)).await
    }

    pub(crate) async fn vault(&self) -> Vault {
        self.open(&[master(1)]).await.unwrap()
    }

    pub(crate) async fn sql(&self, sql: &'static str) -> u64 {
        sqlx::query(sql).execute(self.database.pool()).await.unwrap().rows_affected()
    }

    pub(crate) async fn end(self) {
        self.database.drop().await;
    }
}

pub(crate) fn somebody() -> Uuid {
    Uuid::new_v4()
}
