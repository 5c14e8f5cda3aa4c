//! Files that nobody waits for any more.

use std::time::Duration;

use futures::StreamExt;
use slipstream_commands::attachments::Announce;
use slipstream_commands::ports::ByteStream;
use slipstream_commands::{AttachmentSettings, Attachments};
use slipstream_domain::attachment::Usage;
use slipstream_domain::event::FailReason;
use slipstream_domain::{FileName, MediaType, Origin};
use slipstream_projections::{attachments, first_behind};
use slipstream_testkit::file_store;
use slipstream_workers::{Patience, Reaper};
use tempfile::TempDir;

use crate::world::{SOON, World};

const HOUR: Duration = Duration::from_hours(1);

fn files(world: &World) -> (Attachments, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = file_store(folder.path());
    (Attachments::new(world.app.clone(), store, AttachmentSettings::default()), folder)
}

fn announce(world: &World) -> Announce {
    Announce {
        actor: world.user,
        conversation_id: None,
        draft_id: None,
        batch_id: None,
        origin: Origin::Upload,
        filename: FileName::parse("a.txt").unwrap(),
        mime: MediaType::parse("text/plain").unwrap(),
        size: Some(4),
        source_url: None,
    }
}

fn text() -> ByteStream {
    futures::stream::iter([Ok("text".into())]).boxed()
}

/// Reaps when the read model has everything: before, it takes what is ready for what never came.
async fn reaps(world: &World, reaper: &Reaper) -> usize {
    let head = world.log().head().await.unwrap().position;
    let caught_up = async {
        while first_behind(world.log(), head).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, caught_up).await.expect("the read models catch up");
    reaper.round().await.unwrap()
}

#[tokio::test]
async fn a_file_that_never_came_fails_and_the_bytes_of_a_deleted_one_go() {
    let world = World::new([]).await;
    let (files, _folder) = files(&world);
    let never = files.announce_upload(&announce(&world), Usage::default()).await.unwrap();
    let stored = files.store_file(&announce(&world), Usage::default(), text(), FailReason::FetchFailed).await;
    let stored = stored.unwrap();
    let key = stored.blob().unwrap().key;
    let reaper =
        |patience| Reaper::new(world.app.clone(), files.clone(), world.read_models.clone(), patience);
    let impatient = reaper(Patience { upload: Duration::ZERO, deleted: Duration::ZERO });
    assert_eq!(reaps(&world, &impatient).await, 1, "what is ready stays");
    let late = files.complete_upload(world.user, never.id).await.unwrap_err();
    assert_eq!(late.to_string(), "the file did not come in time");

    files.delete(world.user, stored.id).await.unwrap();
    let patient = reaper(Patience { upload: HOUR, deleted: HOUR });
    assert_eq!(reaps(&world, &patient).await, 0);
    assert!(files.store().head(&key).await.is_ok(), "its owner may want it back");
    assert_eq!(reaps(&world, &impatient).await, 1);
    assert!(files.store().head(&key).await.is_err());
    let listed = attachments::list(&world.read_models, world.user, None, 10).await.unwrap();
    assert!(listed.items.iter().all(|file| file.id != stored.id));
    world.close().await;
}
