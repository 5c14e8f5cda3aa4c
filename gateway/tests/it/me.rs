//! What people see and set of themselves.

use serde_json::{Value, json};

use crate::client::Client;
use crate::http::{get, send};
use crate::world::World;

const ANN: &str = "/v1/me?email=ann@example.com";

#[tokio::test]
async fn a_person_sees_who_they_are_and_changes_their_settings_on_all_their_devices() {
    let world = World::start().await;
    let (mut one, mut two) = (world.v1("ann@example.com").await, world.v1("ann@example.com").await);
    let mut old = world.client("ann@example.com").await;
    let me = get(world.address, ANN).await.json();
    assert_eq!(
        (&me["role"], &me["email"], &me["settings"]),
        (&json!("user"), &json!("ann@example.com"), &json!({}))
    );
    one.is_alive().await;
    two.is_alive().await;

    let body =
        r#"{"settings": {"theme": "dark", "defaultProvider": "openai", "defaultModel": "gpt-5-nano"}}"#;
    let changed = send(world.address, "PATCH", ANN, body).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let settings = json!({"theme": "dark", "defaultProvider": "openai", "defaultModel": "gpt-5-nano"});
    assert_eq!(changed.json()["settings"], settings);
    for client in [&mut one, &mut two] {
        let told = client.next_of("user:settings_updated").await;
        assert_eq!((&told["settings"], &told["userId"]), (&settings, &me["userId"]));
    }
    old.is_alive().await;
    let unset =
        send(world.address, "PATCH", ANN, r#"{"settings": {"theme": null, "defaultProvider": "simulated"}}"#)
            .await;
    assert_eq!(
        unset.json()["settings"],
        json!({"defaultProvider": "simulated"}),
        "the model goes with its provider"
    );
    assert_eq!(get(world.address, ANN).await.json()["settings"], json!({"defaultProvider": "simulated"}));
    world.end().await;
}

#[tokio::test]
async fn settings_that_cannot_be_meant_are_refused_with_what_is_right() {
    let world = World::start().await;
    drop(world.v1("ann@example.com").await);
    for (body, right) in [
        ("", "must be a JSON object"),
        (r#"{"theme": "dark"}"#, "must be a JSON object"),
        (r#"{"settings": {"theme": "pink"}}"#, "light, dark or system"),
        (r#"{"settings": {"defaultProvider": "nobody"}}"#, "provider must be"),
        (r#"{"settings": {"defaultProvider": "openai", "defaultModel": "gpt-0"}}"#, "model must be"),
        (r#"{"settings": {"defaultModel": "gpt-5-nano"}}"#, "settings.defaultProvider must be"),
        (
            r#"{"settings": {"defaultProvider": null, "defaultModel": "gpt-5-nano"}}"#,
            "settings.defaultProvider must be",
        ),
    ] {
        let refused = send(world.address, "PATCH", ANN, body).await;
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(refused.status == 400 && detail.contains(right), "{body}: {detail}");
    }
    assert_eq!(get(world.address, ANN).await.json()["settings"], json!({}));
    world.end().await;
}

#[tokio::test]
async fn where_a_client_is_stands_in_its_cookies_and_is_kept_when_it_changes() {
    let world = World::start().await;
    let come = async |cookie: &'static str| {
        let mut client =
            Client::with_headers(world.address, "/?email=ann@example.com", &[("Cookie", cookie)]).await;
        client.is_alive().await;
    };
    let told = async |until: &dyn Fn(&Value) -> bool| loop {
        let location = get(world.address, ANN).await.json()["location"].take();
        if until(&location) {
            break location;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    come("a=b").await;
    come("city=Z%C3%BCrich; latlng=47.37%2C8.54").await;
    let location = told(&|location| !location.is_null()).await;
    assert_eq!(location, json!({"city": "Zürich", "lat": 47.37, "lng": 8.54}));
    come("city=Bern").await;
    assert_eq!(
        told(&|location| location["city"] == "Bern").await,
        json!({"city": "Bern"}),
        "what is absent is not kept"
    );
    world.end().await;
}
