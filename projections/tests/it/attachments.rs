//! What the read model tells of files.

use futures::StreamExt;
use slipstream_commands::attachments::Announce;
use slipstream_commands::{AttachmentSettings, Attachments, PostRequest, post_message};
use slipstream_domain::attachment::Usage;
use slipstream_domain::event::FailReason;
use slipstream_domain::{AttachmentStatus, BatchId, DraftId, FileName, MediaType, Origin, UserId};
use slipstream_projections::attachments;
use slipstream_testkit::file_store;
use tempfile::TempDir;

use crate::world::{PATIENCE, World, says};

fn announce(actor: UserId, name: &str, batch: &str) -> Announce {
    Announce {
        actor,
        conversation_id: None,
        draft_id: Some(DraftId::parse(name).unwrap()),
        batch_id: Some(BatchId::parse(batch).unwrap()),
        origin: Origin::Pasted,
        filename: FileName::parse(name).unwrap(),
        mime: MediaType::parse("text/plain").unwrap(),
        size: Some(4),
        source_url: None,
    }
}

/// The use cases over files in `folder`.
fn files_in(folder: &TempDir, world: &World) -> Attachments {
    Attachments::new(world.app.clone(), file_store(folder.path()), AttachmentSettings::default())
}

#[tokio::test]
async fn a_users_files_are_told_from_their_announcement_to_their_end() {
    let (world, running) = World::new().await;
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let folder = tempfile::tempdir().unwrap();
    let files = files_in(&folder, &world);
    let stored = async |name: &str| {
        let bytes = futures::stream::iter([Ok("text".into())]).boxed();
        let announce = announce(ann, name, "b");
        files.store_file(&announce, Usage::default(), bytes, FailReason::FetchFailed).await.unwrap()
    };
    let (linked, free) = (stored("1.txt").await, stored("2.txt").await);
    let open = files.announce_upload(&announce(ann, "3.txt", "other"), Usage::default()).await.unwrap();
    let failed = files.announce_upload(&announce(ann, "4.txt", "b"), Usage::default()).await.unwrap();
    files.fail_upload(ann, failed.id, FailReason::Aborted).await.unwrap();
    let deleted = stored("5.txt").await;
    files.delete(ann, deleted.id).await.unwrap();
    let request = PostRequest { attachment_ids: vec![linked.id], ..says(ann, world.new_chat(), "look") };
    let posted = post_message(&world.app, request).await.unwrap();

    let all = || async { attachments::list(&world.models, ann, None, 10).await.unwrap().items };
    let settled = async {
        while all().await.iter().all(|file| file.status != AttachmentStatus::Attached) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("the read model catches up");
    let all = all().await;
    let statuses: Vec<_> = all.iter().map(|file| (file.id, file.status)).collect();
    let expected = [
        (failed.id, AttachmentStatus::Failed),
        (open.id, AttachmentStatus::Requested),
        (free.id, AttachmentStatus::Ready),
        (linked.id, AttachmentStatus::Attached),
    ];
    assert_eq!(statuses, expected, "the newest first, without the deleted one");
    assert_eq!(all[3].message, Some(posted.message_id));
    assert_eq!(all[3].conversation, Some(posted.conversation_id));
    assert_eq!(all[2].blob.as_ref(), Some(&free.blob().unwrap().key));
    assert_eq!(all[2].version_id, free.ready.version_id);
    assert_eq!(
        (all[2].filename.as_deref(), all[2].size, all[2].origin),
        (Some("2.txt"), Some(4), Origin::Pasted)
    );

    let batch = attachments::of_batch(&world.models, ann, &BatchId::parse("b").unwrap()).await.unwrap();
    assert_eq!(batch.iter().map(|file| file.id).collect::<Vec<_>>(), [linked.id, free.id, failed.id]);
    let draft = attachments::of_draft(&world.models, ann, &DraftId::parse("3.txt").unwrap()).await.unwrap();
    assert_eq!(draft.map(|file| file.id), Some(open.id));
    let of_message = attachments::of_message(&world.models, ann, posted.message_id).await.unwrap();
    assert_eq!(of_message.iter().map(|file| file.id).collect::<Vec<_>>(), [linked.id]);
    let usage = attachments::usage(&world.models, ann).await.unwrap();
    assert_eq!(usage, Usage { bytes: 12, open: 1 }, "what failed or was deleted takes nothing");

    let first = attachments::list(&world.models, ann, None, 3).await.unwrap();
    let rest = attachments::list(&world.models, ann, first.next, 3).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (3, 1, None));
    for id in [linked.id, open.id] {
        assert_eq!(attachments::find(&world.models, bob, id).await.unwrap(), None);
    }
    assert_eq!(attachments::find(&world.models, ann, deleted.id).await.unwrap(), None);
    assert_eq!(attachments::usage(&world.models, bob).await.unwrap(), Usage::default());
    world.end(running).await;
}
