//! A reply from its request to its end.

use std::time::{Duration, Instant};

use slipstream_commands::Place;
use slipstream_commands::ports::{BusEvent, LiveMessage};
use slipstream_domain::{
    Citation, ErrorClass, FinishReason, Part, ProviderId, Role, Run, Seq, TerminalStatus, TokenUsage,
    UsageSource,
};
use slipstream_projections::transcript::{self, MessageStatus};
use slipstream_projections::{StreamKey, StreamState, Transcript, Waited, wait_for};
use slipstream_providers::{Delta, Turn};
use slipstream_testkit::Line;

use crate::queue::{HandedOut, Outcome};
use crate::world::{SOON, World, finish, next_output, say, stop, text, think};

const USAGE: TokenUsage = TokenUsage {
    input: 10,
    cached_input: 2,
    output: 20,
    reasoning: 5,
    total: 30,
    source: UsageSource::Provider,
};

#[tokio::test]
async fn a_reply_is_thought_said_shown_recorded_and_ended() {
    let citation = Citation { url: "https://example.com".into(), title: None };
    let script = vec![
        think("hm"),
        think(", so"),
        Line::Say(Delta::ThinkingSignature("proof".into())),
        Line::Hold,
        say("Hé"),
        say("llo"),
        Line::Say(Delta::Citation(citation.clone())),
        Line::Say(Delta::Usage(USAGE)),
        stop(),
    ];
    let world = World::new([script]).await;
    let posted = world.ask("openai", "hello").await;
    let mut live = world.listen(posted.conversation_id).await;
    world.worker();
    world.publish(&posted).await;

    let (first, thinking_ms) = next_output(&mut live).await;
    assert_eq!((first.part, first.from), (Part::Thinking, Seq(1)));
    assert!(thinking_ms.is_some());
    let told = world.told(posted.generation_id).await;
    assert!(!told.outputs.is_empty(), "what is shown first is in the log already");
    world.provider.go_on();
    let mut shown = vec![first];
    while shown.iter().map(Run::count).sum::<u64>() < 4 {
        shown.push(next_output(&mut live).await.0);
    }

    let ended = world.ended(posted.generation_id).await;
    assert_eq!(
        (ended.status, ended.text.as_str(), ended.thinking.as_str()),
        (TerminalStatus::Completed, "Héllo", "hm, so")
    );
    assert_eq!(slipstream_domain::run::merged(shown).len(), 2, "live output has no gap either");
    let terminal = &ended.terminal;
    assert_eq!((terminal.final_seq, terminal.attempts, terminal.usage), (Seq(4), 1, Some(USAGE)));
    assert_eq!(terminal.finish_reason, Some(FinishReason::Stop));
    assert!(terminal.cost.is_some() && terminal.first_token_ms.is_some() && terminal.thinking_ms.is_some());
    assert_eq!(ended.content.citations, [citation]);
    let proof = &ended.content.thinking_signatures[0];
    assert_eq!((proof.seq, proof.bytes.as_str()), (Seq(2), "proof"));

    let key = StreamKey { generation: posted.generation_id, epoch: slipstream_domain::Epoch::FIRST };
    // The stream state is written beside the log and may be a moment behind its end; the worker waits for it.
    world.stop().await;
    assert_eq!(world.state.top(key).await.unwrap(), Some(Seq(4)));
    world.close().await;
}

#[tokio::test]
async fn the_transcript_has_the_exchange_and_the_next_turn_is_asked_with_it() {
    let world = World::new([vec![say("Hi!"), stop()], vec![say("Blue."), stop()]]).await;
    world.worker();
    let first = world.hello().await;
    world.ended(first.generation_id).await;
    let second = world.ask_in(Place::In(first.conversation_id), "openai", "Which colour?").await;
    world.publish(&second).await;
    world.ended(second.generation_id).await;

    let asked = &world.provider.requests()[1];
    let expected = [
        Turn::User { text: "hello".into(), attachments: Vec::new() },
        Turn::Assistant {
            provider: asked.model.provider.clone(),
            model: asked.model.id.clone(),
            text: "Hi!".into(),
            thinking: Vec::new(),
        },
        Turn::User { text: "Which colour?".into(), attachments: Vec::new() },
    ];
    assert_eq!(asked.history, expected);

    let end = world.told(second.generation_id).await.last_position;
    let waited = wait_for::<Transcript>(world.log(), first.conversation_id, end, SOON).await;
    assert_eq!(waited, Waited::Reached);
    let page = transcript::messages(&world.read_models, world.user, first.conversation_id, None, 10).await;
    let messages = page.unwrap().unwrap().items;
    let said: Vec<_> = messages.iter().map(|m| (m.role, m.text.as_deref().unwrap_or_default())).collect();
    let expected = [
        (Role::User, "hello"),
        (Role::Assistant, "Hi!"),
        (Role::User, "Which colour?"),
        (Role::Assistant, "Blue."),
    ];
    assert_eq!(said, expected);
    assert_eq!(messages[3].status, MessageStatus::Ended(TerminalStatus::Completed));
    world.close().await;
}

#[tokio::test]
async fn without_the_read_models_history_comes_from_the_log() {
    let scripts = [vec![think("…"), say("Hi!"), stop()], vec![say("Blue."), stop()]];
    let world = World::without_read_models(scripts).await;
    world.worker();
    let first = world.hello().await;
    world.ended(first.generation_id).await;
    let second = world.ask_in(Place::In(first.conversation_id), "openai", "Which colour?").await;
    world.publish(&second).await;
    world.ended(second.generation_id).await;
    let asked = world.provider.requests()[1].history.clone();
    let texts: Vec<_> = asked.iter().map(Turn::text).collect();
    assert_eq!(texts, ["hello", "Hi!", "Which colour?"]);
    assert!(matches!(asked[1], Turn::Assistant { .. }));
    world.close().await;
}

#[tokio::test]
async fn many_deltas_are_few_frames_and_fewer_records_and_none_is_lost() {
    let words: Vec<String> = (0..2000).map(|n| format!("{n} ")).collect();
    let mut script: Vec<_> = words.iter().map(|word| say(word)).collect();
    script.insert(1000, Line::Wait(Duration::from_millis(100)));
    script.push(stop());
    let world = World::new([script]).await;
    let posted = world.ask("openai", "count").await;
    let mut live = world.listen(posted.conversation_id).await;
    world.worker();
    let started = Instant::now();
    world.publish(&posted).await;
    let (mut frames, mut shown) = (0, Vec::new());
    while shown.last().is_none_or(|run: &Run| run.to() < Seq(2000)) {
        frames += 1;
        shown.push(next_output(&mut live).await.0);
    }
    let windows = started.elapsed().as_millis() / 25;
    assert!(frames <= windows + 2, "{frames} frames in {windows} windows");
    let ended = world.ended(posted.generation_id).await;
    assert_eq!(ended.text, words.concat());
    assert!(ended.records <= 10, "{} records", ended.records);
    let [shown] = slipstream_domain::run::merged(shown).try_into().expect("live output has no gap");
    assert_eq!(shown.text, ended.text);
    world.close().await;
}

#[tokio::test]
async fn a_reply_that_pauses_beats_once_a_second_and_is_recorded_meanwhile() {
    let world = World::new([vec![say("a"), say("b"), Line::Hold, say("c"), stop()]]).await;
    let posted = world.ask("openai", "hello").await;
    let mut live = world.listen(posted.conversation_id).await;
    world.worker();
    world.publish(&posted).await;
    world.told_when(posted.generation_id, |told| text(told, Part::Text) == "ab").await;
    let mut beats = 0;
    let listening = async {
        while beats < 2 {
            let BusEvent::Message(message) = live.next().await.unwrap() else {
                panic!("nothing is lost here")
            };
            if let LiveMessage::Beat { seq, .. } = *message {
                assert_eq!(seq, Seq(2));
                beats += 1;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(4), listening).await.expect("two beats in three seconds");
    world.provider.go_on();
    assert_eq!(world.ended(posted.generation_id).await.text, "abc");
    world.close().await;
}

#[tokio::test]
async fn the_true_end_of_an_answer_is_kept_and_missing_usage_is_estimated() {
    let world = World::new([vec![say("twelve bytes"), finish(FinishReason::Length)]]).await;
    world.worker();
    let posted = world.hello().await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!(ended.terminal.finish_reason, Some(FinishReason::Length));
    let usage = ended.terminal.usage.unwrap();
    assert_eq!((usage.source, usage.input, usage.output), (UsageSource::Estimated, 2, 3));
    world.close().await;
}

#[tokio::test]
async fn a_provider_without_a_key_is_answered_by_the_simulated_one_which_says_so() {
    let world = World::new([]).await;
    world.worker();
    let posted = world.ask("anthropic", "hello").await;
    world.publish(&posted).await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!(ended.status, TerminalStatus::Completed);
    assert!(ended.text.starts_with("No key for Anthropic"), "{}", ended.text);
    assert_eq!(ended.terminal.cost, None, "nobody is paid");
    assert_eq!(ended.terminal.answered_by.unwrap().provider, ProviderId::simulated());
    world.close().await;
}

#[tokio::test]
async fn the_simulated_provider_follows_the_directive_in_the_prompt() {
    let world = World::new([]).await;
    world.worker();
    let posted = world.ask("simulated", "[[chunks=50 delay_ms=0 bytes=4 thinking=3 fail_after=20]]").await;
    world.publish(&posted).await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text.len(), ended.thinking.len()), (TerminalStatus::Failed, 80, 12));
    assert_ne!(ended.terminal.error.map(|fault| fault.class), Some(ErrorClass::Internal));
    world.close().await;
}

#[tokio::test]
async fn two_workers_with_one_job_make_one_reply() {
    let world = World::new([vec![say("once"), Line::Hold, stop()], vec![say("twice"), stop()]]).await;
    let queue = HandedOut::new();
    for _ in 0..2 {
        let worker = world.worker_on(queue.clone(), slipstream_workers::Settings::default());
        worker.start(&world.tasks, tokio_util::sync::CancellationToken::new());
    }
    let posted = world.ask("openai", "hello").await;
    for attempt in 0..2 {
        queue.deliver(posted.generation_id, attempt).await;
    }
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    world.provider.go_on();
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.text.as_str(), ended.epoch, world.provider.requests().len()), ("once", 1, 1));
    let outcomes = [queue.outcome().await, queue.outcome().await];
    assert!(outcomes.contains(&Outcome::Acked), "{outcomes:?}");
}
