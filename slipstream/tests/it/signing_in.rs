//! How people come in to `serve`: sessions by a service, tickets, and keys of their own.

use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use serde_json::{Value, json};
use slipstream_testkit::TestDatabase;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::process::{Dev, slipstream};

const SERVICE: &str = "Bearer planted-service-token";

async fn serve(database: &TestDatabase, environment: &[(&str, &str)]) -> Dev {
    let mut command = slipstream(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("DATABASE_URL", database.url()).env("EMAIL_PEPPER", "pepper");
    command.env("ENCRYPTION_KEY", "a1".repeat(32));
    command.env("SLIPSTREAM_AUTH__SERVICE_TOKEN", "planted-service-token");
    command.envs(environment.iter().copied());
    Dev::spawn(command).await
}

/// Signs somebody in: what they show from now on.
async fn sign_in(service: &Dev, email: &str) -> String {
    let headers = [("authorization", SERVICE)];
    let (status, opened) = service.request("POST", "/v1/sessions", &headers, &json!({"email": email})).await;
    assert_eq!(status, 201, "{opened}");
    format!("Bearer {}", opened["token"].as_str().unwrap())
}

/// Whether a socket stays open, with this query and these headers.
async fn opens(service: &Dev, query: &str, headers: &[(&'static str, &str)]) -> bool {
    use futures::StreamExt;
    let mut request = format!("ws://{}/{query}", service.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "slipstream.v1".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let (mut socket, _) = connect_async(request).await.unwrap();
    let first = socket.next().await.unwrap().unwrap();
    first.to_text().is_ok_and(|text| text.contains("connection_established"))
}

#[tokio::test]
async fn a_service_signs_people_in_and_nobody_else_does() {
    let database = TestDatabase::create().await;
    let service = serve(&database, &[]).await;
    let ann = json!({"email": "ann@example.com", "name": "Ann"});
    for headers in
        [&[][..], &[("authorization", "Bearer guessed")], &[("authorization", "Basic planted-service-token")]]
    {
        let (status, body) = service.request("POST", "/v1/sessions", headers, &ann).await;
        assert_eq!((status, &body["code"]), (401, &json!("unauthorized")), "{headers:?}");
    }
    let bearer = sign_in(&service, "ann@example.com").await;
    let other = sign_in(&service, "ann@example.com").await;
    let stranger = sign_in(&service, "bob@example.com").await;
    let shown = [("authorization", bearer.as_str())];
    let (_, list) = service.request("GET", "/v1/sessions", &shown, &Value::Null).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let id = list["items"][0]["id"].as_str().unwrap();
    let path = format!("/v1/sessions/{id}");
    assert_eq!(service.request("DELETE", &path, &[("authorization", &stranger)], &Value::Null).await.0, 404);
    assert_eq!(service.request("DELETE", &path, &shown, &Value::Null).await.0, 204);
    assert_eq!(
        service.request("GET", "/v1/sessions", &[("authorization", &other)], &Value::Null).await.0,
        401
    );
    let cookie = bearer.replace("Bearer ", "authjs.session-token=");
    assert_eq!(
        service.request("GET", "/v1/conversations", &[("cookie", &cookie)], &Value::Null).await.0,
        200
    );
    assert_eq!(service.request("DELETE", "/v1/sessions", &shown, &Value::Null).await.1, json!({"closed": 1}));
    assert_eq!(service.request("GET", "/v1/sessions", &shown, &Value::Null).await.0, 401);
    assert!(service.interrupt().await.success());
}

#[tokio::test]
async fn a_socket_opens_with_a_token_or_once_with_a_ticket_and_not_with_an_address() {
    let database = TestDatabase::create().await;
    let service = serve(&database, &[]).await;
    let bearer = sign_in(&service, "ann@example.com").await;
    let shown = [("authorization", bearer.as_str())];
    let (status, issued) = service.request("POST", "/v1/tickets", &shown, &Value::Null).await;
    assert_eq!(status, 201, "{issued}");
    let ticket = format!("?ticket={}", issued["ticket"].as_str().unwrap());
    assert!(opens(&service, &ticket, &[]).await);
    assert!(!opens(&service, &ticket, &[]).await, "replayed");
    assert!(opens(&service, "", &shown).await);
    assert!(!opens(&service, "?email=ann@example.com", &[]).await);
    assert!(!opens(&service, "", &[("authorization", "Bearer guessed")]).await);
    assert!(!opens(&service, "", &[("authorization", bearer.as_str()), ("origin", "null")]).await);
    assert!(service.interrupt().await.success());
}

#[tokio::test]
async fn the_old_clients_address_counts_from_an_allowed_page_while_its_user_is_signed_in() {
    let database = TestDatabase::create().await;
    let page = "https://chat.example.com";
    let settings =
        [("SLIPSTREAM_AUTH__METHODS", "email,session"), ("SLIPSTREAM_GATEWAY__ALLOWED_ORIGINS", page)];
    let service = serve(&database, &settings).await;
    let (ann, from_there) = ("?email=ann@example.com", [("origin", page)]);
    assert!(!opens(&service, ann, &from_there).await, "nobody has the address");
    let bearer = sign_in(&service, "ann@example.com").await;
    assert!(opens(&service, ann, &from_there).await);
    assert!(!opens(&service, ann, &[]).await, "from no page");
    let (status, _) =
        service.request("GET", "/v1/conversations?email=ann@example.com", &from_there, &Value::Null).await;
    assert_eq!(status, 401, "a handshake, and nothing else");
    assert!(!opens(&service, "?email=bob@example.com", &from_there).await);
    service.request("DELETE", "/v1/sessions", &[("authorization", &bearer)], &Value::Null).await;
    assert!(!opens(&service, ann, &from_there).await, "she has signed out");
    assert!(service.interrupt().await.success());
}

/// A provider that takes one key, has too many requests of another, and is down for a third.
async fn provider() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let models = get(|headers: HeaderMap| async move {
        match headers.get("authorization").and_then(|key| key.to_str().ok()) {
            Some("Bearer sk-good") => (StatusCode::OK, r#"{"data": []}"#),
            Some("Bearer sk-busy") => (StatusCode::TOO_MANY_REQUESTS, "{}"),
            Some("Bearer sk-down") => (StatusCode::BAD_GATEWAY, "{}"),
            _ => (
                StatusCode::UNAUTHORIZED,
                r#"{"error": {"message": "Incorrect API key provided: sk-planted"}}"#,
            ),
        }
    });
    let router = axum::Router::new().route("/v1/models", models);
    #[allow(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_key_is_kept_when_its_provider_takes_it_and_is_never_shown() {
    let database = TestDatabase::create().await;
    let base = provider().await;
    let service = serve(&database, &[("OPENAI_BASE_URL", &base)]).await;
    let (ann, bob) = (sign_in(&service, "ann@example.com").await, sign_in(&service, "bob@example.com").await);
    let ask = async |who: &str, method: &str, path: &str, body: Value| {
        service.request(method, path, &[("authorization", who)], &body).await
    };
    for (key, expected) in
        [("sk-planted", 400), ("sk-down", 503), ("with space", 400), ("sk-busy", 200), ("sk-good", 200)]
    {
        let (status, said) =
            ask(&ann, "PUT", "/v1/keys/openai", json!({"apiKey": key, "isDefault": true})).await;
        assert_eq!(status, expected, "{key}: {said}");
        assert!(!said.to_string().contains(key), "{said}");
    }
    let (_, list) = ask(&ann, "GET", "/v1/keys", Value::Null).await;
    assert_eq!(
        (&list["items"][0]["provider"], &list["items"][0]["isDefault"]),
        (&json!("openai"), &json!(true))
    );
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(ask(&ann, "POST", "/v1/keys/openai/validate", json!({})).await.1, json!({"valid": true}));
    let (_, refused) = ask(&ann, "POST", "/v1/keys/openai/validate", json!({"apiKey": "sk-planted"})).await;
    assert_eq!(refused["valid"], false);
    assert_eq!(ask(&bob, "GET", "/v1/keys", Value::Null).await.1, json!({"items": []}));
    assert_eq!(ask(&bob, "DELETE", "/v1/keys/openai", Value::Null).await.0, 404);
    assert_eq!(ask(&bob, "POST", "/v1/keys/openai/validate", json!({})).await.0, 404);
    assert_eq!(ask(&ann, "PUT", "/v1/keys/nobody", json!({"apiKey": "sk-good"})).await.0, 404);
    assert_eq!(ask(&ann, "PUT", "/v1/keys/openai", json!({"key": "sk-good"})).await.0, 400);
    assert_eq!(ask(&ann, "DELETE", "/v1/keys/openai", Value::Null).await.0, 204);
    assert_eq!(ask(&ann, "GET", "/v1/keys", Value::Null).await.1, json!({"items": []}));
    assert!(service.interrupt().await.success());
}

/// Waits for the end of a socket that was open: its code and why.
async fn ends(socket: &mut Socket) -> (u16, String) {
    use futures::StreamExt;
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(close)))) => return (close.code.into(), close.reason.to_string()),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn open(service: &Dev, query: &str, bearer: Option<&str>) -> Socket {
    let mut request = format!("ws://{}/{query}", service.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "slipstream.v1".parse().unwrap());
    if let Some(bearer) = bearer {
        request.headers_mut().insert("authorization", bearer.parse().unwrap());
    }
    connect_async(request).await.unwrap().0
}

#[tokio::test]
async fn a_socket_ends_with_the_session_that_let_it_in_and_no_other_does() {
    let database = TestDatabase::create().await;
    let service = serve(&database, &[("SLIPSTREAM_GATEWAY__SESSION_CHECK_SECONDS", "1")]).await;
    let (one, two) = (sign_in(&service, "ann@example.com").await, sign_in(&service, "ann@example.com").await);
    let bob = sign_in(&service, "bob@example.com").await;
    let ask = async |who: &str, method: &str, path: &str| {
        service.request(method, path, &[("authorization", who)], &Value::Null).await
    };
    let (_, issued) = ask(&one, "POST", "/v1/tickets").await;
    let ticket = format!("?ticket={}", issued["ticket"].as_str().unwrap());
    let (mut by_token, mut by_ticket) =
        (open(&service, "", Some(&one)).await, open(&service, &ticket, None).await);
    let (mut other, mut of_bob) =
        (open(&service, "", Some(&two)).await, open(&service, "", Some(&bob)).await);

    // The newest comes first.
    let (_, list) = ask(&two, "GET", "/v1/sessions").await;
    let path = format!("/v1/sessions/{}", list["items"][1]["id"].as_str().unwrap());
    assert_eq!(ask(&bob, "DELETE", &path).await.0, 404, "a session of another user");
    assert_eq!(ask(&two, "DELETE", &path).await.0, 204);
    let signed_out = (4001, "signed out".to_owned());
    assert_eq!(ends(&mut by_token).await, signed_out);
    assert_eq!(ends(&mut by_ticket).await, signed_out, "a ticket is worth what it was issued to");
    is_alive(&mut other).await;
    // Nobody tells of this one.
    sqlx::query("DELETE FROM vault.session").execute(database.pool()).await.unwrap();
    assert_eq!(ends(&mut other).await, signed_out);
    assert_eq!(ends(&mut of_bob).await, signed_out);
    assert!(service.interrupt().await.success());
}

async fn is_alive(socket: &mut Socket) {
    use futures::{SinkExt, StreamExt};
    socket.send(Message::text(r#"{"type":"ping"}"#)).await.unwrap();
    loop {
        let message = socket.next().await.unwrap().unwrap();
        if message.to_text().is_ok_and(|text| text.contains("pong")) {
            return;
        }
    }
}

/// A token of HS256 with this secret, that is good for an hour.
fn token(secret: &str, claims: &Value) -> String {
    use base64::Engine;
    use hmac::{Hmac, KeyInit, Mac};
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut all = json!({"iss": "https://login.example.com/", "aud": "slipstream", "exp": now + 3600});
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let message = format!("{}.{}", base64(br#"{"alg":"HS256"}"#), base64(all.to_string().as_bytes()));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    format!("Bearer {message}.{}", base64(&mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_token_of_another_service_signs_in_whom_it_names() {
    let database = TestDatabase::create().await;
    let secret = "a secret that has thirty-two bytes and more";
    let settings = [
        ("SLIPSTREAM_AUTH__METHODS", "ticket,jwt,session"),
        ("JWT_SECRET", secret),
        ("SLIPSTREAM_AUTH__JWT_ISSUER", "https://login.example.com/"),
        ("SLIPSTREAM_AUTH__JWT_AUDIENCE", "slipstream"),
    ];
    let service = serve(&database, &settings).await;
    let me = async |bearer: &str| {
        service.request("GET", "/v1/me", &[("authorization", bearer)], &Value::Null).await
    };
    let ann = token(secret, &json!({"email": "ann@example.com", "email_verified": true, "name": "Ann"}));
    let (status, said) = me(&ann).await;
    assert_eq!((status, &said["email"], &said["name"]), (200, &json!("ann@example.com"), &json!("Ann")));
    let by_session = sign_in(&service, "ann@example.com").await;
    assert_eq!(me(&by_session).await.1["userId"], said["userId"], "the same person");
    let by_id = token(secret, &json!({"sub": said["userId"]}));
    assert_eq!(me(&by_id).await.1["userId"], said["userId"]);
    assert!(opens(&service, "", &[("authorization", &ann)]).await);
    let nobody = token(secret, &json!({"sub": "0199e0c8-0000-7000-8000-000000000000"}));
    for bad in [
        nobody,
        token(
            "another secret that is just as long as it",
            &json!({"email": "ann@example.com", "email_verified": true}),
        ),
    ] {
        let (status, refused) = me(&bad).await;
        assert_eq!((status, &refused["code"]), (401, &json!("unauthorized")), "{refused}");
        assert!(!opens(&service, "", &[("authorization", &bad)]).await);
    }
    let expired = me(&token(secret, &json!({"email": "ann@example.com", "exp": 1}))).await.1;
    assert_eq!(expired["detail"], "the token has expired");
    assert!(service.interrupt().await.success());
}
