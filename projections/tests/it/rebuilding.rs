//! A read model is what the log makes it, however the log is cut into pages.

use slipstream_commands::{
    Chunks, ConversationChange, Place, Posted, cancel_conversation, change_conversation, choose_leaf,
    delete_conversation, rate_message, record_chunks, take_over_generation,
};
use slipstream_domain::conversation::{Patch, SettingsPatch};
use slipstream_domain::{
    ConversationId, Epoch, Part, Rating, Run, Seq, SystemPrompt, Temperature, TerminalStatus, Title, UserId,
    WorkerId,
};
use slipstream_projections::generation_log;
use uuid::Uuid;

use crate::world::World;

/// Empty tables and no checkpoint: what a new version begins with.
const EMPTY: &str =
    "TRUNCATE rm_conversations_v2.conversation, rm_transcript_v2.message, rm_transcript_v2.leaf,
                              rm_generations_v1.generation, rm_usage_daily_v1.usage_day,
                              rm_usage_daily_v1.usage_asked, rm_usage_daily_v1.usage_first;
                     DELETE FROM es.projector;";

#[tokio::test]
async fn built_anew_from_the_start_of_the_log_every_row_is_the_same() {
    let (world, running) = World::new().await;
    let (anna, bert) = (world.user("anna").await, world.user("bert").await);
    let mut last = None;
    for round in 0..4 {
        let kept =
            world.exchange(anna, world.new_chat(), &format!("kept {round}"), &["a", "ä", ""]).await.posted;
        let place = Place::In(kept.conversation_id);
        world.settled(kept.conversation_id).await;
        changed(&world, anna, kept.conversation_id).await;
        let long = world.say(anna, place, "a longer one").await;
        world.say(anna, place, "queued").await;
        world.say(anna, place, "queued and withdrawn").await;
        taken_over(&world, long.generation_id).await;
        cancel_conversation(&world.app, anna, kept.conversation_id).await.unwrap();
        branched(&world, anna, &kept).await;
        let gone = world.exchange(bert, world.new_chat(), "deleted", &["b"]).await.posted;
        world.say(bert, Place::In(gone.conversation_id), "running when deleted").await;
        if round % 2 == 0 {
            world.settled(gone.conversation_id).await;
        }
        delete_conversation(&world.app, bert, gone.conversation_id).await.unwrap();
        last = Some(kept.conversation_id);
    }
    let last = last.unwrap();
    world.settled(last).await;
    let live = world.rows().await;
    running.stop().await;

    world.sql(EMPTY).await;
    assert_eq!(world.rows().await, Vec::<String>::new());
    let running = world.run();
    world.settled(last).await;
    assert_eq!(world.rows().await, live);
    assert!(live.len() > 4 * 7, "there was something to compare: {}", live.len());
    world.end(running).await;
}

/// Another title, and settings set, unset and set anew.
async fn changed(world: &World, user: UserId, id: ConversationId) {
    let warm = |temperature| SettingsPatch {
        temperature,
        enable_thinking: Patch::Set(true),
        system_prompt: Patch::Set(SystemPrompt::parse("Be brief.".into()).unwrap()),
        ..SettingsPatch::default()
    };
    let title = Title::parse("renamed").ok();
    for change in [
        ConversationChange { title, settings: warm(Patch::Set(Temperature::parse(0.5).unwrap())) },
        ConversationChange { title: None, settings: warm(Patch::Unset) },
        ConversationChange {
            title: None,
            settings: SettingsPatch { enable_web_search: Patch::Set(false), ..SettingsPatch::default() },
        },
    ] {
        change_conversation(&world.app, user, id, change).await.unwrap();
    }
}

/// An edit and another reply, rated, beside what was said first; shown at the first branch in the end.
async fn branched(world: &World, user: UserId, kept: &Posted) {
    let edited = world.edit(user, kept, "something else").await;
    world.answer(edited.generation_id, &["else"]).await;
    let again = world.regenerate(user, &edited).await;
    rate_message(&world.app, user, kept.conversation_id, again.reply_message_id, Rating::Down).await.unwrap();
    world.answer(again.generation_id, &["again"]).await;
    rate_message(&world.app, user, kept.conversation_id, kept.reply_message_id, Rating::Up).await.unwrap();
    rate_message(&world.app, user, kept.conversation_id, again.reply_message_id, Rating::None).await.unwrap();
    choose_leaf(&world.app, user, kept.conversation_id, kept.reply_message_id).await.unwrap();
}

/// A reply whose first owner is lost after one delta; the second carries what was found and ends it.
async fn taken_over(world: &World, id: slipstream_domain::GenerationId) {
    let mut lost = world.open(id).await;
    world.produce(&mut lost, Part::Text, 0, "one ").await;
    let heir = WorkerId::from_uuid(Uuid::from_u128(2));
    let mut own = take_over_generation(&world.app, id, Epoch::FIRST, heir).await.unwrap();
    let carried = vec![Run::delta(Seq(2), Part::Text, 4, "two".into())];
    record_chunks(&world.app, &mut own, Chunks { runs: carried, carried: true, thinking_ms: None })
        .await
        .unwrap();
    world.finish(&mut own, TerminalStatus::Interrupted).await;
    let told = generation_log(&world.log, id).await.unwrap();
    let text: String = told.outputs.iter().map(|output| output.run.text.as_str()).collect();
    assert_eq!(text, "one two");
    let (status, terminal) = told.terminal.unwrap();
    assert_eq!((status, terminal.final_seq), (TerminalStatus::Interrupted, Seq(2)));
}
