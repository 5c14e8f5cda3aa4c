//! Data keys: the ring's laws, what other processes see, and the master keys around them.

use slipstream_commands::ports::UserVault;
use slipstream_domain::UserId;
use slipstream_eventlog::{
    KeyRing, NullKeyRing, OwnerId, SealError, SealRequest, SealedBytes, UnsealRequest, Unsealed,
};
use slipstream_testkit::laws;
use slipstream_vault::{MasterKeys, Vault, VaultError};
use uuid::Uuid;

use crate::world::{World, master, masters, somebody};

#[tokio::test]
async fn the_vaults_ring_keeps_the_laws_of_a_key_ring() {
    let world = World::new().await;
    let vault = world.vault().await;
    let destroy = async |owner: OwnerId| vault.destroy(UserId::from_uuid(owner.as_uuid())).await.unwrap();
    laws::sealing_key_ring(&vault.key_ring(), destroy).await;
    world.end().await;
}

#[tokio::test]
async fn the_null_cipher_keeps_the_laws_of_a_key_ring() {
    laws::key_ring(&NullKeyRing).await;
}

async fn seal(vault: &Vault, who: Uuid) -> Result<SealedBytes, SealError> {
    let item = SealRequest { aad: b"where".to_vec(), plaintext: b"secret".to_vec() };
    Ok(vault.key_ring().seal(Some(OwnerId::from_uuid(who)), vec![item]).await?.remove(0))
}

async fn open(vault: &Vault, who: Uuid, sealed: &SealedBytes) -> Result<Unsealed, String> {
    let item = UnsealRequest {
        owner: Some(OwnerId::from_uuid(who)),
        key_id: sealed.key_id,
        aad: b"where".to_vec(),
        bytes: sealed.bytes.clone(),
    };
    let mut opened = vault.key_ring().unseal(vec![item]).await.map_err(|error| error.to_string())?;
    opened.remove(0).map_err(|error| error.to_string())
}

fn secret() -> Unsealed {
    Unsealed::Open(b"secret".to_vec())
}

#[tokio::test]
async fn processes_that_seal_for_a_new_person_at_once_agree_on_one_key() {
    let world = World::new().await;
    let ann = somebody();
    let vaults = [world.vault().await, world.vault().await, world.vault().await, world.vault().await];
    let sealed = tokio::join!(
        seal(&vaults[0], ann),
        seal(&vaults[1], ann),
        seal(&vaults[2], ann),
        seal(&vaults[3], ann)
    );
    let sealed = [sealed.0.unwrap(), sealed.1.unwrap(), sealed.2.unwrap(), sealed.3.unwrap()];
    for (one, two) in vaults.iter().rev().zip(&sealed) {
        assert_eq!(open(one, ann, two).await, Ok(secret()));
    }
    world.end().await;
}

#[tokio::test]
async fn the_key_in_the_database_is_none_without_the_master_key() {
    let world = World::new().await;
    let ann = somebody();
    let sealed = seal(&world.vault().await, ann).await.unwrap();

    let refused = world.open(&[master(2)]).await.err().unwrap();
    let wanted = masters(&[master(1)]).first().unwrap().to_string();
    let said = refused.to_string();
    assert!(said.contains(&wanted) && said.contains("1 data keys"), "{said}");
    assert!(!said.contains(&master(1)));
    // Who only looks may look, and is told at what cannot be seen.
    let looking = Vault::new(world.database.pool().clone(), MasterKeys::none());
    let said = open(&looking, ann, &sealed).await.unwrap_err();
    assert!(said.contains(&wanted), "{said}");
    world.end().await;
}

#[tokio::test]
async fn a_vault_without_any_master_key_does_not_open() {
    let world = World::new().await;
    let refused = Vault::open(world.database.pool().clone(), MasterKeys::none()).await.err().unwrap();
    assert!(matches!(refused, VaultError::NoMasterKey));
    world.end().await;
}

#[tokio::test]
async fn a_data_key_that_was_swapped_with_anothers_is_noticed() {
    let world = World::new().await;
    let vault = world.vault().await;
    let (ann, bob) = (somebody(), somebody());
    let sealed = seal(&vault, ann).await.unwrap();
    seal(&vault, bob).await.unwrap();
    world
        .sql(
            "UPDATE vault.data_key AS k SET wrapped = o.wrapped FROM vault.data_key AS o WHERE o.key_id <> k.key_id",
        )
        .await;
    let said = open(&world.vault().await, ann, &sealed).await.unwrap_err();
    assert!(said.contains("damaged"), "{said}");
    world.end().await;
}

#[tokio::test]
async fn rotation_wraps_all_keys_anew_while_others_go_on_sealing() {
    let world = World::new().await;
    let old = world.vault().await;
    let people: Vec<Uuid> = (0..20).map(|_| somebody()).collect();
    let mut sealed = Vec::new();
    for who in &people {
        sealed.push(seal(&old, *who).await.unwrap());
    }
    old.destroy(UserId::from_uuid(people[0])).await.unwrap();

    let both = world.open(&[master(2), master(1)]).await.unwrap();
    let (rotated, late) = tokio::join!(both.rotate(), seal(&old, somebody()));
    assert!(rotated.unwrap() >= 19);
    late.unwrap();
    both.rotate().await.unwrap();
    assert_eq!(both.rotate().await.unwrap(), 0, "all are wrapped by the first one");

    // The old one can be taken away now.
    let new = world.open(&[master(2)]).await.unwrap();
    assert_eq!(open(&new, people[0], &sealed[0]).await, Ok(Unsealed::Erased));
    for (who, sealed) in people.iter().zip(&sealed).skip(1) {
        assert_eq!(open(&new, *who, sealed).await, Ok(secret()));
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_destroyed_leaves_nothing_of_the_key_in_the_table() {
    let world = World::new().await;
    let vault = world.vault().await;
    let ann = somebody();
    seal(&vault, ann).await.unwrap();
    vault.destroy(UserId::from_uuid(ann)).await.unwrap();
    assert_eq!(world.sql("SELECT FROM vault.data_key WHERE wrapped IS NOT NULL").await, 0);
    assert_eq!(world.sql("SELECT FROM vault.data_key WHERE destroyed_at IS NOT NULL").await, 1);
    assert!(matches!(seal(&world.vault().await, ann).await, Err(SealError::Erased)));
    world.end().await;
}
