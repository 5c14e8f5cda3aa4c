//! Files of a conversation, as a model is shown them.

use bytes::Bytes;
use futures::StreamExt;
use slipstream_commands::attachments::Announce;
use slipstream_commands::{AttachmentSettings, Attachments, Place, PostRequest};
use slipstream_domain::attachment::Usage;
use slipstream_domain::event::FailReason;
use slipstream_domain::{AttachmentId, FileName, MediaType, Origin, TerminalStatus};
use slipstream_providers::{Attachment, Source, Turn};
use slipstream_testkit::file_store;
use tempfile::TempDir;

use crate::world::{World, say, stop};

const PDF: &[u8] = b"%PDF-1.4 and so on";

async fn world(folder: &TempDir) -> World {
    let mut world = World::new((0..3).map(|_| vec![say("ok"), stop()])).await;
    let store = file_store(folder.path());
    world.files = Some(Attachments::new(world.app.clone(), store, AttachmentSettings::default()));
    world.worker();
    world
}

async fn stored(world: &World, name: &str, mime: &str, bytes: &'static [u8]) -> AttachmentId {
    let announce = Announce {
        actor: world.user,
        conversation_id: None,
        draft_id: None,
        batch_id: None,
        origin: Origin::Upload,
        filename: FileName::parse(name).unwrap(),
        mime: MediaType::parse(mime).unwrap(),
        size: Some(bytes.len() as u64),
        source_url: None,
    };
    let bytes = futures::stream::iter([Ok(Bytes::from_static(bytes))]).boxed();
    let files = world.files.as_ref().unwrap();
    files.store_file(&announce, Usage::default(), bytes, FailReason::FetchFailed).await.unwrap().id
}

fn shown(turn: &Turn) -> &[Attachment] {
    match turn {
        Turn::User { attachments, .. } => attachments,
        Turn::Assistant { .. } => panic!("it is a reply"),
    }
}

#[tokio::test]
async fn a_model_is_shown_the_files_of_every_message_it_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder).await;
    let file = stored(&world, "paper.pdf", "application/pdf", PDF).await;
    let new = Place::New(world.app.new_conversation_id());
    let request = PostRequest { attachment_ids: vec![file], ..world.request(new, "openai", "what is it?") };
    let (posted, _) = world.answered(request).await;
    let expected = Attachment {
        mime: "application/pdf".into(),
        filename: Some("paper.pdf".into()),
        size: PDF.len() as u64,
        source: Source::Inline(PDF.into()),
    };
    world.answered(world.request(Place::In(posted.conversation_id), "openai", "and?")).await;
    let asked = world.provider.requests();
    assert_eq!(shown(&asked[0].history[0]), std::slice::from_ref(&expected));
    assert_eq!(shown(&asked[1].history[0]), [expected]);
    assert!(shown(&asked[1].history[2]).is_empty());

    // What is gone is not shown any more.
    world.files.as_ref().unwrap().delete(world.user, file).await.unwrap();
    world.answered(world.request(Place::In(posted.conversation_id), "openai", "still?")).await;
    assert!(shown(&world.provider.requests()[2].history[0]).is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_file_that_the_model_cannot_read_is_refused_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder).await;
    let film = stored(&world, "film.mp4", "video/mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom").await;
    let new = Place::New(world.app.new_conversation_id());
    let request = PostRequest { attachment_ids: vec![film], ..world.request(new, "openai", "what is it?") };
    let (posted, _) = world.answered(request).await;
    let told = world.told(posted.generation_id).await;
    let (status, end) = told.terminal.unwrap();
    assert_eq!(status, TerminalStatus::Failed);
    let error = end.content.into_open().unwrap().provider_error.unwrap();
    assert!(error.contains("cannot read film.mp4"), "{error}");
    assert!(world.provider.requests().is_empty());
    world.close().await;
}
