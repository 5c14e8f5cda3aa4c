//! Keys that an issuer publishes, changes, and fails to publish.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use slipstream_commands::ports::TokenError;

use crate::issuer::{Door, Key, Publisher, base64, claims, claims_with, compact, mac, random};

const HOUR: Duration = Duration::from_hours(1);
const UNKNOWN: &str = "the token is signed with a key that its issuer does not publish";

#[tokio::test]
async fn tokens_of_all_three_kinds_of_published_keys_are_taken() {
    let keys = [Key::rsa(), Key::ec(), Key::ed()];
    let publisher = Publisher::of(&[keys[0].jwk("rsa"), keys[1].jwk("ec"), keys[2].jwk("ed")]).await;
    let door = Door::new(None, Some(publisher.address));
    for (key, id) in keys.iter().zip(["rsa", "ec", "ed"]) {
        assert!(door.takes(&key.token(Some(id), &claims())).await, "{id}");
        assert!(door.takes(&key.token(None, &claims())).await, "{id}, the only one of its kind");
        let token = key.token(Some(id), &claims());
        let mut forged = token[..token.len() - 8].to_owned();
        forged.push_str("AAAAAAAA");
        assert!(door.refuses(&forged).await.contains("not signed"), "{id}");
    }
    assert!(
        door.refuses(&Key::ec().token(Some("ec"), &claims())).await.contains("not signed"),
        "not that key"
    );
    assert_eq!(door.refuses(&Key::ec().token(Some("rsa"), &claims())).await, UNKNOWN, "of another kind");
    assert_eq!(publisher.asked(), 1, "they are kept");
}

#[tokio::test]
async fn a_new_key_is_found_and_an_old_one_forgotten() {
    let (old, new) = (Key::ec(), Key::ec());
    let publisher = Publisher::of(&[old.jwk("old")]).await;
    let door = Door::new(None, Some(publisher.address));
    assert!(door.takes(&old.token(Some("old"), &claims())).await);
    publisher.publishes(&[new.jwk("new")]);
    door.clock.pass(Duration::from_secs(10));
    assert!(door.takes(&new.token(Some("new"), &claims())).await);
    assert_eq!(door.refuses(&old.token(Some("old"), &claims())).await, UNKNOWN);
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_good_for_an_hour_at_the_most() {
    let (old, new) = (Key::ec(), Key::ec());
    let publisher = Publisher::of(&[old.jwk("old")]).await;
    let door = Door::new(None, Some(publisher.address));
    let token = old.token(Some("old"), &claims_with(json!({"exp": 1e12})));
    assert!(door.takes(&token).await);
    publisher.publishes(&[new.jwk("new")]);
    door.clock.pass(Duration::from_secs(3599));
    assert!(door.takes(&token).await);
    door.clock.pass(Duration::from_secs(1));
    assert_eq!(door.refuses(&token).await, UNKNOWN);
}

#[tokio::test]
async fn unknown_keys_do_not_make_us_ask_without_end() {
    let (known, stranger) = (Key::ec(), Key::ec());
    let publisher = Publisher::of(&[known.jwk("known")]).await;
    let door = Door::new(None, Some(publisher.address));
    assert!(door.takes(&known.token(Some("known"), &claims())).await);
    for n in 0..50 {
        assert_eq!(door.refuses(&stranger.token(Some(&format!("k{n}")), &claims())).await, UNKNOWN);
    }
    assert_eq!(publisher.asked(), 1);
    door.clock.pass(Duration::from_secs(10));
    let token = stranger.token(Some("k"), &claims());
    let asking: Vec<_> = (0..20).map(|_| door.check(&token)).collect();
    assert!(join_all(asking).await.iter().all(Result::is_err));
    assert_eq!(publisher.asked(), 2, "many at once ask once");
    assert!(door.takes(&known.token(Some("known"), &claims())).await);
}

#[tokio::test]
async fn while_an_issuer_is_down_known_keys_are_good_for_a_day_and_without_any_it_cannot_be_told() {
    let key = Key::ed();
    let token = key.token(Some("k1"), &claims_with(json!({"exp": 1e12})));
    let publisher = Publisher::of(&[]).await;
    for (status, body) in [(503, "{}"), (200, "no JSON"), (200, &*"x".repeat(300 * 1024)), (302, "{}")] {
        publisher.says(status, body);
        let door = Door::new(None, Some(publisher.address));
        for _ in 0..3 {
            assert!(matches!(door.check(&token).await, Err(TokenError::Unavailable(_))), "{status}");
        }
    }
    assert_eq!(publisher.asked(), 4, "once in ten seconds");
    publisher.publishes(&[key.jwk("k1")]);
    let door = Door::new(None, Some(publisher.address));
    assert!(door.takes(&token).await);
    publisher.says(500, "");
    door.clock.pass(HOUR * 23);
    assert!(door.takes(&token).await);
    door.clock.pass(HOUR);
    assert!(matches!(door.check(&token).await, Err(TokenError::Unavailable(_))));
    let nowhere = Door::new(None, Some("127.0.0.1:1".parse().unwrap()));
    assert!(matches!(nowhere.check(&token).await, Err(TokenError::Unavailable(_))));
}

#[tokio::test]
async fn what_is_published_and_is_no_key_to_sign_with_spoils_no_other() {
    let (key, secret) = (Key::ec(), random());
    let mut to_encrypt = Key::ec().jwk("enc");
    to_encrypt["use"] = "enc".into();
    let mut for_another = Key::rsa().jwk("ps");
    for_another["alg"] = "PS256".into();
    let symmetric = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": base64(secret)});
    let nonsense = [json!({"kty": "QUANTUM", "kid": "q"}), json!("k"), json!({})];
    let mut all = vec![to_encrypt, for_another, symmetric, key.jwk("k1")];
    all.extend(nonsense);
    let publisher = Publisher::of(&all).await;
    let door = Door::new(None, Some(publisher.address));
    assert!(door.takes(&key.token(Some("k1"), &claims())).await);
    assert_eq!(door.refuses(&Key::rsa().token(Some("ps"), &claims())).await, UNKNOWN);
    let header = json!({"alg": "HS256", "kid": "oct"});
    let token = compact(&header, &claims(), |message| mac(&secret, message));
    assert!(door.refuses(&token).await.starts_with("the token is none"));
}
