//! The history fits the model's context, cut by whole messages.

use proptest::prelude::*;
use slipstream_domain::MaxTokens;
use slipstream_providers::{ChatRequest, Turn, estimate_tokens, fit};

use crate::assembled::{assistant, request, user};

/// gpt-4: 8192 tokens, of which half may be the answer.
fn small(history: Vec<Turn>) -> ChatRequest {
    request("openai", "gpt-4", history)
}

#[test]
fn a_short_history_is_left_alone() {
    let mut request = small(vec![user("a"), assistant("openai", "gpt-4", "b"), user("c")]);
    assert_eq!(fit(&mut request), None);
    assert_eq!(request.history.len(), 3);
}

#[test]
fn the_oldest_go_first_and_the_rest_begins_with_the_user() {
    let long = "x".repeat(6000);
    let turns = [
        user(&long),
        assistant("openai", "gpt-4", &long),
        user(&long),
        assistant("openai", "gpt-4", "ok"),
        user("end"),
    ];
    let mut request = small(turns.to_vec());
    request.params.max_tokens = Some(MaxTokens::parse(4000).unwrap());
    assert_eq!(fit(&mut request).unwrap().turns_dropped, 2);
    assert_eq!(request.history, turns[2..]);
}

#[test]
fn the_last_message_and_the_system_prompt_stay_whatever_their_size() {
    let mut request = small(vec![user("old"), user(&"x".repeat(100_000))]);
    request.system = Some("y".repeat(100_000));
    assert_eq!(fit(&mut request).unwrap().turns_dropped, 1);
    assert_eq!((request.history.len(), request.system.map(|s| s.len())), (1, Some(100_000)));
}

proptest! {
    #[test]
    fn what_is_left_is_the_newest_whole_messages_and_fits(
        sizes in prop::collection::vec((any::<bool>(), 0usize..9000), 0..30),
        max_tokens in prop::option::of(1u64..10_000),
    ) {
        let mut history: Vec<Turn> = sizes
            .iter()
            .map(|(is_user, size)| {
                let text = "x".repeat(*size);
                if *is_user { user(&text) } else { assistant("grok", "grok-3", &text) }
            })
            .collect();
        history.push(user("the question"));
        let mut request = small(history.clone());
        request.params.max_tokens = max_tokens.map(|tokens| MaxTokens::parse(tokens).unwrap());
        let cut = fit(&mut request);
        let dropped = cut.map_or(0, |cut| cut.turns_dropped as usize);
        prop_assert_eq!(&request.history[..], &history[dropped..]);
        let tokens: u64 = request.history.iter().map(|turn| estimate_tokens(turn.text())).sum();
        prop_assert!(tokens <= 8192);
        if dropped > 0 {
            let begins_with_user = matches!(request.history[0], Turn::User { .. });
            prop_assert!(begins_with_user);
        }
        prop_assert_eq!(fit(&mut request), None, "once is enough");
    }
}
