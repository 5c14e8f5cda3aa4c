//! What holds for all queries: tags, the description of the API, and the search.

use crate::client::text;
use crate::http::{get, get_with};
use crate::world::World;

const ANN: &str = "email=a@example.com";

#[tokio::test]
async fn what_a_client_has_already_is_not_sent_again() {
    let world = World::start().await;
    let path = format!("/v1/conversations?{ANN}");
    let mut client = world.client("a@example.com").await;
    client.is_alive().await;
    let first = get(world.address, &path).await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));
    let again = get_with(world.address, &path, &format!("if-none-match: \"x\", {tag}\r\n")).await;
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(&*tag)));

    client.ask("new-chat", "hello").await;
    world.worker().await.say("hi").await;
    client.until_chunk("hi").await;
    let tagged = format!("if-none-match: {tag}\r\n");
    let mut changed = get_with(world.address, &path, &tagged).await;
    while changed.status == 304 {
        // The list is shown as soon as it is made.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        changed = get_with(world.address, &path, &tagged).await;
    }
    assert_eq!((changed.status, changed.json()["items"].as_array().unwrap().len()), (200, 1));
    assert_ne!(changed.header("etag"), Some(&*tag));
    let health = get(world.address, "/health").await;
    assert_eq!(health.header("etag"), None, "what is not of the API has none");
    world.end().await;
}

#[tokio::test]
async fn a_search_finds_own_messages_and_says_where_they_match() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    client.ask("new-chat", "an <b>old</b> pond").await;
    let mut owner = world.worker().await;
    owner.say("a frog jumps in").await;
    owner.complete().await;
    assert_eq!(text(&client.until_end().await), "a frog jumps in");

    let found = get(world.address, &format!("/v1/search?q=old+pond&{ANN}")).await.json();
    let item = &found["items"][0];
    assert_eq!((item["role"].as_str(), item["title"].as_str()), (Some("user"), Some("an <b>old</b> pond")));
    let snippet = item["snippet"].as_array().unwrap();
    let matching: Vec<_> =
        snippet.iter().filter(|piece| piece["match"] == true).map(|piece| &piece["text"]).collect();
    assert_eq!(matching, ["old", "pond"]);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let reply = get(world.address, &format!("/v1/search?q=frog&{ANN}")).await.json();
    assert_eq!(reply["items"][0]["role"], "assistant");
    world.client("b@example.com").await.is_alive().await;
    let others = get(world.address, "/v1/search?q=frog&email=b@example.com").await.json();
    assert_eq!(others["items"].as_array().unwrap().len(), 0);
    for (query, wrong) in [
        ("", "q must be"),
        ("q=+", "q must be"),
        ("q=a&cursor=x", "cursor must be"),
        ("q=a&limit=0", "limit must be"),
        ("q=a&q=b", "each once"),
    ] {
        let refused = get(world.address, &format!("/v1/search?{query}&{ANN}")).await;
        let problem = refused.json();
        assert_eq!((refused.status, &problem["code"]), (400, &"bad_request".into()), "{query}");
        assert!(problem["detail"].as_str().unwrap().contains(wrong), "{query}: {problem}");
    }
    world.end().await;
}

#[tokio::test]
async fn the_api_describes_itself_and_shows_it_on_a_page_of_its_own() {
    let world = World::start().await;
    let described = get(world.address, "/openapi.json").await.json();
    assert_eq!(described["openapi"], "3.1.0");
    let paths = described["paths"].as_object().unwrap();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
        }
        // Each is there: what no route knows is told to upgrade.
        let path =
            path.replace("{id}", "0190163d-8694-739b-aea5-966c26f8ad91").replace("{provider}", "openai");
        assert_ne!(get(world.address, &path).await.status, 426, "{path}");
    }
    assert!(paths.len() >= 13, "{}", paths.len());
    let page = get(world.address, "/docs").await;
    assert_eq!(page.status, 200);
    let elsewhere =
        page.body.contains("src=") || page.body.contains("@import") || page.body.contains("https://");
    assert!(page.body.contains("/openapi.json") && !elsewhere, "it needs nothing from elsewhere");
    world.end().await;
}
