//! What a token must be to be believed.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use slipstream_commands::ports::TokenSubject;
use slipstream_domain::Timestamp;
use slipstream_jwt::{JwtSettings, JwtVerifier, SettingsError};

use crate::issuer::{
    AUDIENCE, Door, ISSUER, Key, NOW, Publisher, SECRET, SetClock, base64, claims, claims_with, compact, mac,
    random, with_secret,
};

fn door() -> Door {
    Door::new(Some(SECRET), None)
}

async fn refused(claims: Value) -> &'static str {
    door().refuses(&with_secret(SECRET.as_bytes(), &claims)).await
}

#[tokio::test]
async fn a_token_of_the_secret_stands_for_who_has_its_address_until_it_expires() {
    let said = door().check(&with_secret(SECRET.as_bytes(), &claims())).await.unwrap();
    let TokenSubject::Address { address, name } = said.subject else { panic!("{said:?}") };
    assert_eq!((address.as_str(), name.as_deref()), ("ann@example.com", Some("Ann")));
    // A minute is granted to clocks.
    assert_eq!(said.until, Timestamp::from_millis((NOW + 660) * 1000));
}

#[tokio::test]
async fn without_an_address_it_stands_for_the_user_of_this_id_and_a_stray_word_for_nobody() {
    let id = "0190163d-8694-739b-aea5-000000000001";
    let by_id = claims_with(json!({"email": null, "sub": id}));
    let said = door().check(&with_secret(SECRET.as_bytes(), &by_id)).await.unwrap();
    assert_eq!(said.subject, TokenSubject::User(id.parse().unwrap()));
    for nobody in
        [json!({"email": null}), json!({"email": null, "sub": "auth0|5f7c8ec7"}), json!({"email": "ann"})]
    {
        assert!(refused(claims_with(nobody)).await.contains("names nobody"));
    }
}

#[tokio::test]
async fn an_address_that_its_issuer_has_not_verified_does_not_count() {
    for (verified, taken) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("false"), false),
        (json!(1), false),
        (json!(null), false),
    ] {
        let claims = claims_with(json!({"email_verified": verified}));
        assert_eq!(door().takes(&with_secret(SECRET.as_bytes(), &claims)).await, taken, "{verified}");
    }
}

#[tokio::test]
async fn an_expired_token_and_one_of_the_future_are_refused_but_for_a_minute() {
    assert_eq!(refused(claims_with(json!({"exp": NOW - 60}))).await, "the token has expired");
    assert_eq!(refused(claims_with(json!({"nbf": NOW + 61}))).await, "the token is not good yet");
    for good in [json!({"exp": NOW - 59}), json!({"nbf": NOW + 60}), json!({"exp": 1_800_000_000.5})] {
        assert!(door().takes(&with_secret(SECRET.as_bytes(), &claims_with(good))).await);
    }
    let (door, token) = (door(), with_secret(SECRET.as_bytes(), &claims()));
    assert!(door.takes(&token).await);
    door.clock.pass(Duration::from_mins(11));
    assert_eq!(door.refuses(&token).await, "the token has expired");
}

#[tokio::test]
async fn a_token_without_an_end_in_sight_is_good_for_a_year() {
    let said =
        door().check(&with_secret(SECRET.as_bytes(), &claims_with(json!({"exp": 1e15})))).await.unwrap();
    assert_eq!(said.until, Timestamp::from_millis((NOW + 366 * 24 * 3600) * 1000));
}

#[tokio::test]
async fn a_token_of_another_issuer_or_for_another_audience_is_refused() {
    assert_eq!(
        refused(claims_with(json!({"iss": "https://evil.example.com/"}))).await,
        "the token is of another issuer"
    );
    assert_eq!(refused(claims_with(json!({"aud": "another"}))).await, "the token is for another audience");
    assert_eq!(
        refused(claims_with(json!({"aud": ["another", "third"]}))).await,
        "the token is for another audience"
    );
    let among = claims_with(json!({"aud": ["another", AUDIENCE]}));
    assert!(door().takes(&with_secret(SECRET.as_bytes(), &among)).await);
    for missing in ["iss", "aud", "exp"] {
        let why = refused(claims_with(json!({missing: null}))).await;
        assert_eq!(why, "the token must have iss, aud and exp", "{missing}");
    }
}

#[tokio::test]
async fn an_unsigned_token_is_none() {
    for algorithm in ["none", "None", "NONE", ""] {
        let header = json!({"alg": algorithm, "typ": "JWT"});
        for signature in [vec![], random().to_vec()] {
            let token = compact(&header, &claims(), |_| signature);
            assert!(door().refuses(&token).await.starts_with("the token is none"), "{algorithm}");
        }
    }
}

#[tokio::test]
async fn a_token_that_was_touched_is_forged() {
    let token = with_secret(SECRET.as_bytes(), &claims());
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let other = base64(claims_with(json!({"email": "bob@example.com"})).to_string());
    assert_eq!(door().refuses(&format!("{header}.{other}.{signature}")).await, FORGED);
    assert_eq!(door().refuses(&with_secret(&random(), &claims())).await, FORGED);
    for garbage in ["", "..", "a.b.c", "a.b", "a.b.c.d", &token[..token.len() - 2], &token.replace('.', "..")]
    {
        assert!(!door().takes(garbage).await, "{garbage}");
    }
}

const FORGED: &str = "the token is not signed by whom it should be";

/// The attack on libraries that take the algorithm from the token and the key from the settings.
#[tokio::test]
async fn a_public_key_is_no_secret() {
    let key = Key::rsa();
    let publisher = Publisher::of(&[key.jwk("k1")]).await;
    let jwk = key.jwk("k1");
    for public in [jwk.to_string(), jwk["n"].as_str().unwrap().to_owned()] {
        let header = json!({"alg": "HS256", "kid": "k1"});
        let token = compact(&header, &claims(), |message| mac(public.as_bytes(), message));
        let without_secret = Door::new(None, Some(publisher.address));
        assert!(without_secret.refuses(&token).await.starts_with("the token is none"));
        let with_both = Door::new(Some(SECRET), Some(publisher.address));
        assert_eq!(with_both.refuses(&token).await, FORGED);
    }
}

#[tokio::test]
async fn what_must_be_understood_and_is_not_spoils_a_token() {
    let header = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    let token = compact(&header, &claims(), |message| mac(SECRET.as_bytes(), message));
    assert!(door().refuses(&token).await.contains("not understood"));
}

#[tokio::test]
async fn no_error_holds_the_token() {
    let token = with_secret(&random(), &claims());
    let error = door().check(&token).await.unwrap_err();
    for part in token.split('.') {
        assert!(!format!("{error} {error:?}").contains(part));
    }
}

#[test]
fn settings_that_believe_everybody_or_nobody_are_refused() {
    let made = |secret: Option<&str>, url: Option<&str>| {
        let settings = JwtSettings {
            secret: secret.map(SecretString::from),
            jwks_url: url.map(|url| url.parse().unwrap()),
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
        };
        JwtVerifier::new(settings, std::sync::Arc::new(SetClock::default())).map(drop)
    };
    assert!(matches!(made(None, None), Err(SettingsError::NoKeys)));
    assert!(matches!(made(Some("short"), None), Err(SettingsError::ShortSecret)));
    for url in ["http://login.example.com/keys", "ftp://127.0.0.1/keys", "http://127.0.0.1.example.com/"] {
        assert!(matches!(made(None, Some(url)), Err(SettingsError::NotHttps)), "{url}");
    }
    for url in
        ["https://login.example.com/keys", "http://127.0.0.1:1/keys", "http://localhost/", "http://[::1]/"]
    {
        assert!(made(None, Some(url)).is_ok(), "{url}");
    }
}
