use std::sync::Arc;

use serde_json::{Value, json};
use slipstream_domain::{ModelId, ProviderId, UsageSource};

use super::*;
use crate::protocol::{ChatChunk, ChatError, ChatHead, ChatResponse, ServerFrame};

fn golden(frame: &ServerFrame, golden: &Value) {
    assert_eq!(&serde_json::to_value(frame).unwrap(), golden);
    assert_eq!(&serde_json::from_value::<ServerFrame>(golden.clone()).unwrap(), frame);
    assert_eq!(golden["type"], frame.name());
}

/// `00000000-0000-0000-0000-00000000000n`.
fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn conversation() -> ConversationId {
    ConversationId::from_uuid(id(1))
}

fn generation() -> GenerationId {
    GenerationId::from_uuid(id(2))
}

fn message(n: u128) -> MessageId {
    MessageId::from_uuid(id(n))
}

fn event<T>(what: T) -> OfConversation<T> {
    OfConversation { conversation_id: conversation(), version: Some(7), what }
}

fn head() -> Arc<ChatHead> {
    Arc::new(ChatHead {
        conversation_id: Some(id(1).to_string()),
        user_id: UserId::from_uuid(id(9)),
        provider: Some("openai".into()),
        model: None,
        temperature: None,
        top_p: None,
    })
}

fn end(status: TerminalStatus) -> EndOfReply {
    let usage = TokenUsage {
        input: 3,
        cached_input: 1,
        output: 4,
        reasoning: 0,
        total: 7,
        source: UsageSource::Estimated,
    };
    EndOfReply {
        generation_id: generation(),
        message_id: message(3),
        epoch: Epoch(2),
        final_seq: Seq(5),
        status,
        finish_reason: Some(FinishReason::Stop),
        token_usage: Some(usage),
        cost: Some(Cost { micro_usd: 12, catalogue_version: "2026-01".into() }),
        answered_by: Some(AnsweredBy {
            provider: ProviderId::parse("grok").unwrap(),
            model: ModelId::parse("grok-4").unwrap(),
        }),
        citations: vec![Citation { url: "https://example.com".into(), title: None }],
        version: 7,
        digest: Some("ab".into()),
    }
}

#[test]
fn the_first_frame_and_an_acknowledgement() {
    golden(
        &ServerFrame::ConnectionEstablished(ConnectionEstablished {
            connection_id: id(8),
            user_id: UserId::from_uuid(id(9)),
            protocol: "slipstream.v1".into(),
            server_time: 1_700_000_000_000,
            heartbeat_ms: 25_000,
            resume_window_ms: 604_800_000,
            limits: Limits {
                max_frame_bytes: 4,
                max_prompt_bytes: 3,
                max_in_flight: 2,
                max_conversations: 1,
            },
            providers: Providers { is_set: false, is_default: true },
        }),
        &json!({
            "type": "connection_established", "connectionId": id(8), "userId": id(9), "protocol": "slipstream.v1",
            "serverTime": 1_700_000_000_000_i64, "heartbeatMs": 25_000, "resumeWindowMs": 604_800_000,
            "limits": {"maxFrameBytes": 4, "maxPromptBytes": 3, "maxInFlight": 2, "maxConversations": 1},
            "providers": {"isSet": false, "isDefault": true},
        }),
    );
    golden(
        &ServerFrame::Ack(Ack {
            client_message_id: Some("mine".into()),
            conversation_id: conversation(),
            message_id: message(3),
            generation_id: Some(generation()),
            queued: Some(2),
            version: 7,
        }),
        &json!({
            "type": "ack", "clientMessageId": "mine", "conversationId": id(1), "messageId": id(3),
            "generationId": id(2), "queued": 2, "version": 7,
        }),
    );
}

#[test]
fn output_says_where_it_stands() {
    let place = PlaceInReply {
        generation_id: generation(),
        message_id: message(3),
        epoch: Epoch(2),
        seq: Seq(5),
        count: 2,
        offset: 10,
        part: Part::Text,
    };
    let chunk = ChatChunk { place: Some(place), ..ChatChunk::text(head(), "hi".into(), None) };
    golden(
        &ServerFrame::ChatChunk(chunk),
        &json!({
            "type": "ai_chat_chunk", "conversationId": id(1), "userId": id(9), "provider": "openai", "done": false,
            "chunk": "hi", "isThinking": false, "generationId": id(2), "messageId": id(3), "epoch": 2, "seq": 5,
            "count": 2, "offset": 10, "part": "text",
        }),
    );
}

#[test]
fn ends_say_how_what_it_cost_and_what_proves_the_text() {
    let proof = |golden: Value| {
        let mut whole = json!({
            "conversationId": id(1), "userId": id(9), "provider": "openai", "usage": 7, "done": true,
            "generationId": id(2), "messageId": id(3), "epoch": 2, "finalSeq": 5, "finishReason": "stop",
            "tokenUsage": {"input": 3, "cachedInput": 1, "output": 4, "reasoning": 0, "total": 7, "source": "estimated"},
            "cost": {"microUsd": 12, "catalogueVersion": "2026-01"},
            "answeredBy": {"provider": "grok", "model": "grok-4"}, "citations": [{"url": "https://example.com"}],
            "version": 7, "digest": "ab",
        });
        whole.as_object_mut().unwrap().extend(golden.as_object().unwrap().clone());
        whole
    };
    golden(
        &ServerFrame::ChatResponse(ChatResponse {
            head: head(),
            chunk: "hi".into(),
            thinking_text: None,
            thinking_duration: None,
            usage: Some(7),
            done: true,
            end: Some(end(TerminalStatus::Completed)),
        }),
        &proof(json!({"type": "ai_chat_response", "chunk": "hi", "status": "completed"})),
    );
    golden(
        &ServerFrame::ChatError(ChatError {
            head: head(),
            message: "slow".into(),
            stop_reason: Some("failed".into()),
            usage: Some(7),
            done: true,
            end: Some(end(TerminalStatus::Failed)),
        }),
        &proof(json!({
            "type": "ai_chat_error", "message": "slow", "stopReason": "failed", "status": "failed",
        })),
    );
}

#[test]
fn a_stream_that_goes_on_says_where_and_one_that_is_gone_does_not() {
    let gone = StreamResumed {
        conversation_id: conversation(),
        generation_id: generation(),
        message_id: None,
        mode: ResumeMode::Gone,
        epoch: None,
        seq: None,
        offset: None,
        resumed_at: 5,
        provider: None,
        model: None,
        title: None,
    };
    let reset = StreamResumed {
        message_id: Some(message(3)),
        mode: ResumeMode::Reset,
        epoch: Some(Epoch(2)),
        seq: Some(Seq(4)),
        offset: Some(Offsets { text: 10, thinking: 2 }),
        provider: Some("openai".into()),
        model: Some("gpt-5-nano".into()),
        title: Some("hello".into()),
        ..gone.clone()
    };
    golden(
        &ServerFrame::StreamResumed(gone),
        &json!({
            "type": "stream:resumed", "conversationId": id(1), "generationId": id(2), "mode": "gone",
            "resumedAt": 5,
        }),
    );
    golden(
        &ServerFrame::StreamResumed(reset),
        &json!({
            "type": "stream:resumed", "conversationId": id(1), "generationId": id(2), "messageId": id(3),
            "mode": "reset", "epoch": 2, "seq": 4, "offset": {"text": 10, "thinking": 2}, "resumedAt": 5,
            "provider": "openai", "model": "gpt-5-nano", "title": "hello",
        }),
    );
}

#[test]
fn messages_that_come_and_go() {
    let text = || Some("hi".to_owned());
    let posted = MessagePosted {
        message_id: message(3),
        parent_message_id: None,
        edited_from: Some(message(4)),
        generation_id: Some(generation()),
        reply_message_id: Some(message(5)),
        text: text(),
    };
    golden(
        &ServerFrame::MessagePosted(event(posted)),
        &json!({
            "type": "message:posted", "conversationId": id(1), "version": 7, "messageId": id(3),
            "editedFrom": id(4), "generationId": id(2), "replyMessageId": id(5), "text": "hi",
        }),
    );
    let queued = MessageQueued {
        message_id: message(3),
        parent_message_id: Some(message(4)),
        edited_from: None,
        generation_id: generation(),
        reply_message_id: message(5),
        provider: ProviderId::parse("openai").unwrap(),
        model: ModelId::parse("gpt-5-nano").unwrap(),
        at_head: true,
        text: text(),
    };
    golden(
        &ServerFrame::MessageQueued(event(queued)),
        &json!({
            "type": "message:queued", "conversationId": id(1), "version": 7, "messageId": id(3),
            "parentMessageId": id(4), "generationId": id(2), "replyMessageId": id(5), "provider": "openai",
            "model": "gpt-5-nano", "atHead": true, "text": "hi",
        }),
    );
    let withdrawn = MessageWithdrawn { message_id: message(3), reason: WithdrawReason::Cancelled };
    golden(
        &ServerFrame::MessageWithdrawn(event(withdrawn)),
        &json!({
            "type": "message:withdrawn", "conversationId": id(1), "version": 7, "messageId": id(3),
            "reason": "cancelled",
        }),
    );
    let settings = SettingsUpdated {
        params: Params { enable_web_search: Some(true), ..Params::default() },
        system_prompt: Some("Be brief.".into()),
    };
    golden(
        &ServerFrame::SettingsUpdated(event(settings)),
        &json!({
            "type": "conversation:settings_updated", "conversationId": id(1), "version": 7, "enableWebSearch": true,
            "systemPrompt": "Be brief.",
        }),
    );
    golden(
        &ServerFrame::MessageRated(event(MessageRated { message_id: message(3), rating: Rating::Up })),
        &json!({
            "type": "message:rated", "conversationId": id(1), "version": 7, "messageId": id(3), "rating": "up",
        }),
    );
}

#[test]
fn replies_that_are_asked_for_and_recorded() {
    let requested =
        ReplyRequested { generation_id: generation(), message_id: message(3), parent_message_id: message(4) };
    golden(
        &ServerFrame::ReplyRequested(event(requested)),
        &json!({
            "type": "reply:requested", "conversationId": id(1), "version": 7, "generationId": id(2),
            "messageId": id(3), "parentMessageId": id(4),
        }),
    );
    let queued = ReplyQueued {
        message_id: message(3),
        parent_message_id: message(4),
        generation_id: generation(),
        provider: ProviderId::parse("openai").unwrap(),
        model: ModelId::parse("gpt-5-nano").unwrap(),
        at_head: false,
    };
    golden(
        &ServerFrame::ReplyQueued(event(queued)),
        &json!({
            "type": "reply:queued", "conversationId": id(1), "version": 7, "messageId": id(3),
            "parentMessageId": id(4), "generationId": id(2), "provider": "openai", "model": "gpt-5-nano",
            "atHead": false,
        }),
    );
    let recorded = ReplyRecorded {
        generation_id: generation(),
        message_id: message(3),
        parent_message_id: Some(message(4)),
        status: TerminalStatus::Completed,
        final_seq: Seq(5),
    };
    golden(
        &ServerFrame::ReplyRecorded(event(recorded)),
        &json!({
            "type": "reply:recorded", "conversationId": id(1), "version": 7, "generationId": id(2),
            "messageId": id(3), "parentMessageId": id(4), "status": "completed", "finalSeq": 5,
        }),
    );
}

#[test]
fn conversations_that_come_are_named_and_go() {
    let title = TitleUpdated { title: Some("hello".into()), source: TitleSource::User };
    for (frame, kind, more) in [
        (ServerFrame::ConversationCreated(event(Nothing {})), "conversation:created", json!({})),
        (ServerFrame::ConversationDeleted(event(Nothing {})), "conversation:deleted", json!({})),
        (ServerFrame::CaughtUp(event(Nothing {})), "caught_up", json!({})),
        (
            ServerFrame::TitleUpdated(event(title)),
            "conversation:title_updated",
            json!({"title": "hello", "source": "user"}),
        ),
        (
            ServerFrame::LeafChosen(event(LeafChosen { message_id: message(3) })),
            "conversation:leaf_chosen",
            json!({"messageId": id(3)}),
        ),
    ] {
        let mut whole = json!({"type": kind, "conversationId": id(1), "version": 7});
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        golden(&frame, &whole);
    }
}
