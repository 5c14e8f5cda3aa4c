//! Every vendor, replayed: what its users see.

use std::time::Duration;

use serde_json::{Value, json};
use slipstream_testkit::V1Socket;
use slipstream_testkit::replay::{Outcome, ReplayOptions, ReplayServer};

use crate::client::{Answer, Client};
use crate::first_run::messages;
use crate::process::{DataFolder, Dev};
use crate::vendor_files::until;

const ANN: &str = "a@example.com";

struct Vendor {
    provider: &'static str,
    model: &'static str,
    /// The settings of its key and its address.
    settings: [&'static str; 2],
    /// What the replayed answer says, thinks and takes.
    text: &'static str,
    thinking: &'static str,
    tokens: u64,
    /// The same as v1 is told it: input, of which cached, output, of which reasoning.
    usage: [u64; 4],
}

const SKY: &str = "The sky is blue because air scatters short wavelengths more than long ones.";

const VENDORS: [Vendor; 6] = [
    Vendor {
        provider: "openai",
        model: "gpt-5-nano",
        settings: ["OPENAI_API_KEY", "OPENAI_BASE_URL"],
        text: "The sky is blue because air scatters short wavelengths more than long ones. This is called Rayleigh \
               scattering.",
        thinking: "**Weighing the question**\n\nThe user asks why the sky is blue.\n\n**Choosing an explanation**\n\n\
                   Rayleigh scattering, in one paragraph.",
        tokens: 370,
        usage: [58, 0, 312, 256],
    },
    Vendor {
        provider: "gemini",
        model: "gemini-2.5-flash",
        settings: ["GOOGLE_API_KEY", "GEMINI_BASE_URL"],
        text: SKY,
        thinking: "**Weighing the question**\n\nThe user asks why the sky is blue.",
        tokens: 90,
        usage: [9, 0, 81, 64],
    },
    Vendor {
        provider: "grok",
        model: "grok-3-mini",
        settings: ["X_AI_KEY", "XAI_BASE_URL"],
        text: SKY,
        thinking: "The user asks why the sky is blue. Rayleigh scattering, in one paragraph.",
        tokens: 109,
        usage: [12, 0, 97, 80],
    },
    Vendor {
        provider: "anthropic",
        model: "claude-sonnet-4-20250514",
        settings: ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"],
        text: SKY,
        thinking: "The user asks why the sky is blue. Rayleigh scattering, in one paragraph.",
        tokens: 113,
        usage: [25, 0, 88, 0],
    },
    Vendor {
        provider: "meta",
        model: "Llama-3.3-70B-Instruct",
        settings: ["LLAMA_API_KEY", "LLAMA_BASE_URL"],
        text: "Hello! How can I help you today?",
        thinking: "",
        tokens: 22,
        usage: [12, 0, 10, 0],
    },
    Vendor {
        provider: "vercel",
        model: "v0-1.5-md",
        settings: ["V0_API_KEY", "V0_BASE_URL"],
        text: SKY,
        thinking: "The user asks why the sky is blue.",
        tokens: 109,
        usage: [12, 0, 97, 80],
    },
];

pub(crate) async fn dev(folder: &DataFolder, vendors: &ReplayServer) -> Dev {
    let url = vendors.base_url();
    let settings = VENDORS.iter().flat_map(|vendor| {
        let [key, base_url] = vendor.settings;
        [(key, "sk-test"), (base_url, url.as_str())]
    });
    Dev::start_with(folder, &settings.collect::<Vec<_>>()).await
}

async fn last_message(dev: &Dev, answer: &Answer) -> Value {
    messages(dev, &answer.conversation, ANN).await.pop().unwrap()
}

#[tokio::test]
async fn every_vendor_answers_with_its_text_its_thinking_its_usage_and_a_title() {
    let replay = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let folder = DataFolder::new();
    let dev = dev(&folder, &replay).await;
    let mut client = Client::connect(dev.address, ANN).await;
    for vendor in &VENDORS {
        let provider = vendor.provider;
        client.ask_model("new-chat", provider, Some(vendor.model), "think about it").await;
        let answer = client.answer(usize::MAX).await;
        assert_eq!(answer.end["type"], "ai_chat_response", "{provider}: {answer:?}");
        assert_eq!(
            (answer.text.as_str(), answer.thinking.as_str()),
            (vendor.text, vendor.thinking),
            "{provider}"
        );
        assert_eq!(answer.end["usage"], vendor.tokens, "{provider}: {answer:?}");
        let stored = last_message(&dev, &answer).await;
        assert_eq!((&stored["text"], &stored["status"]), (&json!(vendor.text), &json!("completed")));
        let title = titled(&dev, &answer.conversation).await;
        assert!(
            vendor.text.starts_with(&title),
            "{provider}: the title is a replayed answer too, not {title}"
        );
    }
    assert!(dev.interrupt().await.success());
}

/// Asks as a v1 client.
async fn ask_v1(socket: &mut V1Socket, vendor: &Vendor, prompt: &str) {
    let frame = json!({"type": "ai_chat_request", "conversationId": "new-chat", "provider": vendor.provider,
        "model": vendor.model, "prompt": prompt});
    assert!(socket.send(&frame).await);
}

#[tokio::test]
async fn every_vendors_usage_is_told_to_a_v1_client_by_its_kinds() {
    let replay = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let folder = DataFolder::new();
    let dev = dev(&folder, &replay).await;
    let mut socket = V1Socket::connect(dev.address, ANN).await.unwrap();
    for vendor in &VENDORS {
        ask_v1(&mut socket, vendor, "think about it").await;
        let end = until(&mut socket, "ai_chat_response").await;
        let [input, cached, output, reasoning] = vendor.usage;
        let expected = json!({"input": input, "cachedInput": cached, "output": output, "reasoning": reasoning,
            "total": vendor.tokens, "source": "provider"});
        assert_eq!(
            (&end["status"], &end["tokenUsage"]),
            (&json!("completed"), &expected),
            "{}",
            vendor.provider
        );
    }
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn what_a_stopped_answer_said_and_took_is_told_to_a_v1_client() {
    let replay = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let folder = DataFolder::new();
    let dev = dev(&folder, &replay).await;
    let mut socket = V1Socket::connect(dev.address, ANN).await.unwrap();
    for vendor in &VENDORS {
        let provider = vendor.provider;
        ask_v1(&mut socket, vendor, "[[golden=silence_after_text]]").await;
        let begun = until(&mut socket, "ai_chat_chunk").await;
        assert!(socket.send(&json!({"type": "ai_chat_cancel", "generationId": begun["generationId"]})).await);
        let end = until(&mut socket, "ai_chat_response").await;
        assert_eq!((&end["status"], &end["generationId"]), (&json!("cancelled"), &begun["generationId"]));
        let text = end["chunk"].as_str().unwrap();
        assert!(!text.is_empty() && "The line breaks".starts_with(text), "{provider}: {end}");
        let usage = &end["tokenUsage"];
        let counted = ["input", "output"].map(|kind| usage[kind].as_u64().unwrap());
        assert_eq!(usage["total"].as_u64().unwrap(), counted.iter().sum::<u64>(), "{provider}: {usage}");
        assert!(usage["total"].as_u64().unwrap() > 0, "{provider}: {usage}");
    }
    assert!(dev.interrupt().await.success());
}

/// The title of a conversation once it is no longer the prompt's first words.
async fn titled(dev: &Dev, conversation: &str) -> String {
    let finding = async {
        loop {
            let (_, list) = dev.get(&format!("/v1/conversations?email={ANN}")).await;
            let items = list["items"].as_array().unwrap();
            let found = items.iter().find(|item| item["id"] == conversation);
            let title = found.and_then(|item| item["title"].as_str()).unwrap_or_default();
            if !title.is_empty() && title != "think about it" {
                return title.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), finding).await.expect("no title was found")
}

#[tokio::test]
async fn every_vendors_answer_can_be_stopped_and_what_it_said_and_took_is_kept() {
    let replay = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let folder = DataFolder::new();
    let dev = dev(&folder, &replay).await;
    let mut client = Client::connect(dev.address, ANN).await;
    for vendor in &VENDORS {
        let provider = vendor.provider;
        let asked = replay.requests().len();
        client.ask_model("new-chat", provider, Some(vendor.model), "[[golden=silence_after_text]]").await;
        let begun = client.answer(1).await;
        client.send(json!({"type": "ai_chat_cancel", "conversationId": begun.conversation})).await;
        let end = client.answer(usize::MAX).await.end;
        let text = end["chunk"].as_str().unwrap();
        assert!(text.starts_with(&begun.text) && "The line breaks".starts_with(text), "{provider}: {end}");
        assert!(end["usage"].as_u64().is_some_and(|tokens| tokens > 0), "{provider}: {end}");
        let stored = last_message(&dev, &begun).await;
        assert_eq!((&stored["text"], &stored["status"]), (&json!(text), &json!("cancelled")), "{provider}");
        let outcome = replay.outcome(asked, Duration::from_secs(5)).await.unwrap();
        assert_eq!(outcome, Outcome::ClientLeft, "{provider}: the connection is closed");
    }
    assert!(dev.interrupt().await.success());
}
