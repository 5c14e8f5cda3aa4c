//! An issuer of tokens: its keys, the place where it publishes them, and a clock.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use ring::{hmac, rand};
use secrecy::SecretString;
use serde_json::{Value, json};
use slipstream_commands::ports::{Clock, TokenCheck, TokenClaims, TokenError};
use slipstream_domain::Timestamp;
use slipstream_jwt::{JwtSettings, JwtVerifier};

pub(crate) const SECRET: &str = "a secret that has thirty-two bytes and more";
pub(crate) const ISSUER: &str = "https://login.example.com/";
pub(crate) const AUDIENCE: &str = "slipstream";
/// What the clock says at first, in seconds.
pub(crate) const NOW: i64 = 1_800_000_000;

/// A clock that goes when it is told to.
#[derive(Default)]
pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(NOW * 1_000_000 + self.0.load(Ordering::Relaxed))
    }
}

/// A private key of one of the three kinds that are published.
pub(crate) enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Key {
    /// The one of the tests: ring makes none.
    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_der(include_bytes!("rsa.der")).unwrap())
    }

    pub(crate) fn ec() -> Self {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).unwrap())
    }

    pub(crate) fn ed() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    /// As it is published.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let mut jwk = match self {
            Self::Rsa(key) => {
                let RsaPublicKeyComponents::<Vec<u8>> { n, e } = key.public_key().into();
                json!({"kty": "RSA", "n": base64(n), "e": base64(e)})
            }
            Self::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y)})
            }
            Self::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64(key.public_key())})
            }
        };
        jwk["kid"] = id.into();
        jwk["alg"] = self.algorithm().into();
        jwk["use"] = "sig".into();
        jwk
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Ec(key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of this key.
    pub(crate) fn token(&self, id: Option<&str>, claims: &Value) -> String {
        let mut header = json!({"typ": "JWT", "alg": self.algorithm()});
        if let Some(id) = id {
            header["kid"] = id.into();
        }
        compact(&header, claims, |message| self.sign(message))
    }
}

/// Claims that are good now, of who has this address.
pub(crate) fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600, "email": "ann@example.com", "email_verified": true,
        "name": "Ann"})
}

/// The same, but for these.
pub(crate) fn claims_with(other: Value) -> Value {
    let Value::Object(mut all) = claims() else { unreachable!("claims are an object") };
    let Value::Object(other) = other else { panic!("not an object: {other}") };
    all.extend(other);
    all.retain(|_, value| !value.is_null());
    Value::Object(all)
}

/// A token of HS256.
pub(crate) fn with_secret(secret: &[u8], claims: &Value) -> String {
    compact(&json!({"alg": "HS256"}), claims, |message| mac(secret, message))
}

pub(crate) fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// Header and claims, signed in some way.
pub(crate) fn compact(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
    let signature = base64(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where keys are published, and how often they were asked for.
pub(crate) struct Publisher {
    pub(crate) address: SocketAddr,
    said: Arc<Mutex<(StatusCode, String)>>,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    pub(crate) async fn of(keys: &[Value]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (said, asked) = (Arc::new(Mutex::new(Self::answer(keys))), Arc::new(AtomicUsize::new(0)));
        let (says, counts) = (said.clone(), asked.clone());
        let jwks = get(move || {
            counts.fetch_add(1, Ordering::Relaxed);
            let answer = says.lock().unwrap().clone();
            async move { answer }
        });
        let router = Router::new().route("/keys", jwks);
        #[allow(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, said, asked }
    }

    fn answer(keys: &[Value]) -> (StatusCode, String) {
        (StatusCode::OK, json!({"keys": keys}).to_string())
    }

    /// Other keys from now on.
    pub(crate) fn publishes(&self, keys: &[Value]) {
        *self.said.lock().unwrap() = Self::answer(keys);
    }

    /// Nothing of use from now on.
    pub(crate) fn says(&self, status: u16, body: &str) {
        *self.said.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), body.to_owned());
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Who checks tokens, and the time they go by.
pub(crate) struct Door {
    verifier: JwtVerifier,
    pub(crate) clock: Arc<SetClock>,
}

impl Door {
    pub(crate) fn new(secret: Option<&str>, keys_at: Option<SocketAddr>) -> Self {
        let clock = Arc::new(SetClock::default());
        let settings = JwtSettings {
            secret: secret.map(SecretString::from),
            jwks_url: keys_at.map(|address| format!("http://{address}/keys").parse().unwrap()),
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
        };
        Self { verifier: JwtVerifier::new(settings, clock.clone()).unwrap(), clock }
    }

    pub(crate) async fn check(&self, token: &str) -> Result<TokenClaims, TokenError> {
        self.verifier.check(&SecretString::from(token)).await
    }

    pub(crate) async fn takes(&self, token: &str) -> bool {
        self.check(token).await.is_ok()
    }

    /// Why not, when it is the token's fault.
    pub(crate) async fn refuses(&self, token: &str) -> &'static str {
        match self.check(token).await {
            Err(TokenError::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    }
}

/// Random bytes, as many as a key of HS256 has.
pub(crate) fn random() -> [u8; 32] {
    rand::generate(&SystemRandom::new()).unwrap().expose()
}
