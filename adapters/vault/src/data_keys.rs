//! Table `vault.data_key`: one key a person, made when it is first needed, destroyed for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use crate::cache::{Cache, DataKey};
use crate::cipher::Key;
use crate::error::VaultError;
use crate::master_keys::{MasterId, MasterKeys};

/// Keys that are wrapped anew at a time.
const PAGE: i64 = 500;

/// All data keys. Cheap to clone; clones share one cache.
#[derive(Clone)]
pub(crate) struct DataKeys {
    pool: PgPool,
    masters: Arc<MasterKeys>,
    cache: Arc<Mutex<Cache>>,
}

struct Row {
    key_id: Uuid,
    owner_id: Option<Uuid>,
    master_id: String,
    wrapped: Option<Vec<u8>>,
}

impl DataKeys {
    pub(crate) fn masters(&self) -> &MasterKeys {
        &self.masters
    }

    pub(crate) fn new(pool: PgPool, masters: Arc<MasterKeys>) -> Self {
        Self { pool, masters, cache: Arc::new(Mutex::new(Cache::new(Instant::now()))) }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether there is a master key to make data keys with.
    pub(crate) fn can_wrap(&self) -> bool {
        self.masters.first().is_some()
    }

    /// Master keys that are needed and not there, each with how many data keys need it.
    pub(crate) async fn missing_masters(&self) -> Result<Vec<(MasterId, i64)>, VaultError> {
        let rows = sqlx::query!(
            r#"SELECT master_id, count(*) AS "keys!" FROM vault.data_key
               WHERE wrapped IS NOT NULL AND master_id <> ALL ($1) GROUP BY master_id ORDER BY master_id"#,
            &self.masters.ids()
        );
        let rows = rows.fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| (MasterId(row.master_id), row.keys)).collect())
    }

    /// The owner's key; makes one for an owner who never had any.
    pub(crate) async fn of(&self, owner: Option<Uuid>) -> Result<DataKey, VaultError> {
        let known = self.cache().by_owner(owner, Instant::now());
        match known {
            Some(known) => Ok(known),
            None => match self.find(owner).await? {
                Some(row) => self.keep(&row),
                None => self.make(owner).await,
            },
        }
    }

    /// The name of the master key that the owner's key is wrapped with.
    pub(crate) async fn master_of(&self, owner: Uuid) -> Result<String, VaultError> {
        let master = sqlx::query_scalar!("SELECT master_id FROM vault.data_key WHERE owner_id = $1", owner);
        Ok(master.fetch_one(&self.pool).await?)
    }

    /// Those of `ids` that there are.
    pub(crate) async fn by_ids(&self, ids: &[Uuid]) -> Result<Vec<DataKey>, VaultError> {
        let (mut keys, mut unknown) = (Vec::with_capacity(ids.len()), Vec::new());
        {
            let (mut cache, now) = (self.cache(), Instant::now());
            for id in ids {
                match cache.by_id(*id, now) {
                    Some(key) => keys.push(key),
                    None => unknown.push(*id),
                }
            }
        }
        if !unknown.is_empty() {
            let rows = sqlx::query_as!(
                Row,
                "SELECT key_id, owner_id, master_id, wrapped FROM vault.data_key WHERE key_id = ANY ($1)",
                &unknown
            );
            for row in rows.fetch_all(&self.pool).await? {
                keys.push(self.keep(&row)?);
            }
        }
        Ok(keys)
    }

    /// Destroys the owner's key, or makes sure that there never is one, together with all that the vault has of them.
    pub(crate) async fn destroy(&self, owner: Uuid) -> Result<(), VaultError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO vault.data_key AS k (key_id, owner_id, master_id, destroyed_at)
             VALUES ($1, $2, 'none', now())
             ON CONFLICT (owner_id) DO UPDATE
             SET wrapped = NULL, destroyed_at = coalesce(k.destroyed_at, excluded.destroyed_at)",
            Uuid::now_v7(),
            owner
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("DELETE FROM vault.provider_key WHERE user_id = $1", owner).execute(&mut *tx).await?;
        sqlx::query!("DELETE FROM vault.session WHERE user_id = $1", owner).execute(&mut *tx).await?;
        sqlx::query!("DELETE FROM vault.ticket WHERE user_id = $1", owner).execute(&mut *tx).await?;
        tx.commit().await?;
        self.cache().forget(Some(owner));
        Ok(())
    }

    /// Wraps every key with the first master key. The keys stay the same, so nobody who uses them notices.
    pub(crate) async fn rewrap(&self) -> Result<u64, VaultError> {
        let first = self.masters.first().ok_or(VaultError::NoMasterKey)?;
        let (mut rewrapped, mut after) = (0, Uuid::nil());
        loop {
            let page = sqlx::query_as!(
                Row,
                "SELECT key_id, owner_id, master_id, wrapped FROM vault.data_key
                 WHERE wrapped IS NOT NULL AND master_id <> $1 AND key_id > $2 ORDER BY key_id LIMIT $3",
                &first.0,
                after,
                PAGE
            );
            let page = page.fetch_all(&self.pool).await?;
            let Some(last) = page.last() else { return Ok(rewrapped) };
            after = last.key_id;
            for row in &page {
                rewrapped += self.rewrap_one(row).await?;
            }
        }
    }

    /// A key that was destroyed or wrapped meanwhile is left as it is.
    async fn rewrap_one(&self, row: &Row) -> Result<u64, VaultError> {
        let Some(wrapped) = &row.wrapped else { return Ok(0) };
        let key = self.masters.unwrap(row.key_id, row.owner_id, &row.master_id, wrapped)?;
        let (master, wrapped) = self.masters.wrap(row.key_id, row.owner_id, &key)?;
        let done = sqlx::query!(
            "UPDATE vault.data_key SET master_id = $3, wrapped = $4
             WHERE key_id = $1 AND master_id = $2 AND wrapped IS NOT NULL",
            row.key_id,
            row.master_id,
            master.0,
            wrapped
        );
        Ok(done.execute(&self.pool).await?.rows_affected())
    }

    async fn find(&self, owner: Option<Uuid>) -> Result<Option<Row>, sqlx::Error> {
        sqlx::query_as!(
            Row,
            "SELECT key_id, owner_id, master_id, wrapped FROM vault.data_key
             WHERE owner_id IS NOT DISTINCT FROM $1",
            owner
        )
        .fetch_optional(&self.pool)
        .await
    }

    /// Of several processes that make a key for one owner, one does; the others take that one.
    async fn make(&self, owner: Option<Uuid>) -> Result<DataKey, VaultError> {
        let (id, key) = (Uuid::now_v7(), Key::random());
        let (master, wrapped) = self.masters.wrap(id, owner, &key)?;
        sqlx::query!(
            "INSERT INTO vault.data_key (key_id, owner_id, master_id, wrapped) VALUES ($1, $2, $3, $4)
             ON CONFLICT (owner_id) DO NOTHING",
            id,
            owner,
            master.0,
            wrapped
        )
        .execute(&self.pool)
        .await?;
        let row = self.find(owner).await?.ok_or(VaultError::Damaged(id))?;
        self.keep(&row)
    }

    fn keep(&self, row: &Row) -> Result<DataKey, VaultError> {
        let unwrap = |wrapped| self.masters.unwrap(row.key_id, row.owner_id, &row.master_id, wrapped);
        let key = row.wrapped.as_deref().map(unwrap).transpose()?.map(Arc::new);
        let key = DataKey { id: row.key_id, owner: row.owner_id, key };
        self.cache().insert(key.clone(), Instant::now());
        Ok(key)
    }

    /// Whoever panicked while holding it left it whole: each change is one step.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
