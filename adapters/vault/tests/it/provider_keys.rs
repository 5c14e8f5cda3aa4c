//! People's own keys.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use slipstream_commands::ports::{KeyVault, ProviderKeys, UserVault};
use slipstream_domain::{KeyId, KeySource, ProviderId, UserId};
use slipstream_local::EnvironmentKeys;
use slipstream_vault::{OwnKeysFirst, Vault};
use uuid::Uuid;

use crate::world::{World, somebody};

fn provider(id: &str) -> ProviderId {
    ProviderId::parse(id).unwrap()
}

fn key(text: &str) -> SecretString {
    SecretString::from(text)
}

fn user() -> UserId {
    UserId::from_uuid(somebody())
}

/// The server has a key of openai.
fn payer(vault: &Vault) -> OwnKeysFirst {
    let server = EnvironmentKeys::new([(provider("openai"), key("sk-server"))].into(), [].into());
    OwnKeysFirst::new(vault.provider_keys(), Arc::new(server))
}

async fn pays(payer: &OwnKeysFirst, user: UserId, id: &str) -> Option<String> {
    let source = payer.source(user, &provider(id)).await.unwrap();
    let key = payer.key(user, &provider(id), source).await.unwrap();
    key.map(|key| key.expose_secret().to_owned())
}

#[tokio::test]
async fn a_persons_own_key_goes_before_the_servers_and_only_for_them() {
    let world = World::new().await;
    let vault = world.vault().await;
    let (keys, payer, ann, bob) = (vault.provider_keys(), payer(&vault), user(), user());
    assert_eq!(pays(&payer, ann, "openai").await.unwrap(), "sk-server");
    let first = keys.put(ann, &provider("openai"), &key("sk-ann-1"), false).await.unwrap();
    keys.put(ann, &provider("grok"), &key("xai-ann"), false).await.unwrap();
    assert_eq!(pays(&payer, ann, "openai").await.unwrap(), "sk-ann-1");
    assert_eq!(pays(&payer, ann, "grok").await.unwrap(), "xai-ann");
    assert_eq!(pays(&payer, bob, "openai").await.unwrap(), "sk-server");
    assert_eq!(pays(&payer, bob, "grok").await, None);

    let second = keys.put(ann, &provider("openai"), &key("sk-ann-2"), false).await.unwrap();
    assert_ne!((&first.key_id, &first.fingerprint), (&second.key_id, &second.fingerprint));
    assert_eq!(pays(&payer, ann, "openai").await.unwrap(), "sk-ann-2");
    let before = KeySource::Own { key_id: first.key_id };
    let gone = payer.key(ann, &provider("openai"), before).await.unwrap_err();
    assert!(!gone.to_string().contains("sk-"), "no other key takes its place: {gone}");

    assert_eq!(keys.remove(ann, &provider("openai")).await.unwrap(), Some(second.key_id));
    assert_eq!(keys.remove(ann, &provider("openai")).await.unwrap(), None);
    assert_eq!(pays(&payer, ann, "openai").await.unwrap(), "sk-server");
    world.end().await;
}

#[tokio::test]
async fn a_list_tells_keys_apart_and_shows_none_and_one_is_the_default() {
    let world = World::new().await;
    let vault = world.vault().await;
    let (keys, ann) = (vault.provider_keys(), user());
    keys.put(ann, &provider("openai"), &key("sk-planted"), true).await.unwrap();
    keys.put(ann, &provider("grok"), &key("sk-planted"), true).await.unwrap();
    let listed = keys.list(ann).await.unwrap();
    let defaults: Vec<_> = listed.iter().map(|key| (key.provider.as_str(), key.is_default)).collect();
    assert_eq!(defaults, [("grok", true), ("openai", false)]);
    assert_eq!(listed[0].fingerprint, listed[1].fingerprint, "it is the same key");
    assert!(!format!("{listed:?}").contains("planted"));
    assert_eq!(
        world
            .sql("SELECT FROM vault.provider_key WHERE position(convert_to('planted', 'UTF8') IN sealed) > 0")
            .await,
        0
    );
    assert_eq!(keys.list(user()).await.unwrap(), []);
    world.end().await;
}

#[tokio::test]
async fn a_ciphertext_that_was_swapped_or_touched_is_an_error_and_not_another_key() {
    let world = World::new().await;
    let vault = world.vault().await;
    let (keys, payer, ann) = (vault.provider_keys(), payer(&vault), user());
    for id in ["openai", "grok"] {
        keys.put(ann, &provider(id), &key(id), false).await.unwrap();
    }
    let swap = "UPDATE vault.provider_key AS k SET sealed = o.sealed FROM vault.provider_key AS o WHERE o.provider <> k.provider";
    let touch = "UPDATE vault.provider_key SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)";
    for damage in [swap, touch] {
        world.sql(damage).await;
        let source = payer.source(ann, &provider("openai")).await.unwrap();
        let error = payer.key(ann, &provider("openai"), source).await.unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }
    world.end().await;
}

#[tokio::test]
async fn who_is_erased_has_no_key_and_gets_none() {
    let world = World::new().await;
    let vault = world.vault().await;
    let (keys, ann) = (vault.provider_keys(), user());
    let stored = keys.put(ann, &provider("openai"), &key("sk-ann"), false).await.unwrap();
    vault.destroy(ann).await.unwrap();
    assert_eq!(keys.list(ann).await.unwrap(), []);
    assert!(keys.put(ann, &provider("openai"), &key("sk-new"), false).await.is_err());
    let own = KeySource::Own { key_id: stored.key_id };
    assert!(payer(&vault).key(ann, &provider("openai"), own).await.is_err());
    let nobody = KeySource::Own { key_id: KeyId::from_uuid(Uuid::nil()) };
    assert!(payer(&vault).key(ann, &provider("openai"), nobody).await.is_err());
    world.end().await;
}
