//! The rules of files, in sentences.

use uuid::Uuid;

use super::limits::Sniffed;
use super::*;
use crate::sealed::Sealed;
use crate::values::{ImageDetails, MediaType, Origin};

const PIXELS: u64 = 1_000_000;

fn ann() -> UserId {
    UserId::from_uuid(Uuid::from_u128(1))
}

fn bob() -> UserId {
    UserId::from_uuid(Uuid::from_u128(2))
}

fn mime(text: &str) -> MediaType {
    MediaType::parse(text).unwrap()
}

fn asked(declared: &str, size: Option<u64>) -> AttachmentRequested {
    let filename = FileName::parse("photo.png").unwrap();
    let content = AttachmentContent { filename, key: "upload/1/2-photo.png".into(), source_url: None };
    AttachmentRequested {
        conversation_id: None,
        draft_id: None,
        batch_id: None,
        origin: Origin::Upload,
        mime: mime(declared),
        size,
        bucket: "assets".into(),
        content: Sealed::Open(content),
    }
}

fn photo() -> Found {
    Found {
        version_id: Some("v1".into()),
        etag: "\"e\"".into(),
        size: 10,
        mime: mime("image/png"),
        checksum: None,
        storage_class: None,
        sniffed: Sniffed::Known(mime("image/png")),
        image: Some(picture(100, 100, None)),
        pages: None,
        text_preview: None,
    }
}

fn picture(width: u32, height: u32, frames: Option<u32>) -> ImageDetails {
    ImageDetails {
        width,
        height,
        format: "png".into(),
        orientation: None,
        has_alpha: false,
        frames,
        color: None,
    }
}

fn given(events: impl IntoIterator<Item = AttachmentEvent>) -> Attachment {
    let mut file = Attachment::default();
    for event in events {
        file.evolve(&event, Meta { owner: Some(ann()), at: Timestamp::from_millis(0) });
    }
    file
}

fn announced() -> Attachment {
    given([AttachmentEvent::AttachmentRequested(asked("image/png", Some(10)))])
}

fn after(mut file: Attachment, event: Option<AttachmentEvent>) -> Attachment {
    let meta = Meta { owner: Some(ann()), at: Timestamp::from_millis(1) };
    file.evolve(&event.expect("something happens"), meta);
    file
}

fn ready() -> Attachment {
    let event = announced().complete(ann(), photo(), PIXELS).unwrap();
    after(announced(), event)
}

fn reason(declared: &AttachmentRequested, found: Found) -> Option<FailReason> {
    let file = given([AttachmentEvent::AttachmentRequested(declared.clone())]);
    match file.complete(ann(), found, PIXELS).unwrap() {
        Some(AttachmentEvent::AttachmentFailed(failed)) => Some(failed.reason),
        Some(AttachmentEvent::AttachmentReady(_)) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_goes_from_announced_by_way_of_uploading_to_ready_to_attached() {
    let file = announced();
    assert_eq!(file.status(), Some(AttachmentStatus::Requested));
    let started = file.start(ann()).unwrap();
    let file = after(file, started);
    assert_eq!(file.status(), Some(AttachmentStatus::Uploading));
    assert_eq!(file.start(ann()), Ok(None), "it is known already");
    let completed = file.complete(ann(), photo(), PIXELS).unwrap();
    let file = after(file, completed);
    assert_eq!(file.status(), Some(AttachmentStatus::Ready));
    let (message, conversation) =
        (MessageId::from_uuid(Uuid::from_u128(3)), ConversationId::from_uuid(Uuid::from_u128(4)));
    let linked = file.link(ann(), message, conversation).unwrap();
    let file = after(file, Some(linked));
    assert_eq!(file.status(), Some(AttachmentStatus::Attached));
    assert_eq!(file.link(ann(), message, conversation), Err(AttachmentRejection::NotFree));
}

#[test]
fn to_others_a_file_is_as_absent_as_one_that_never_was() {
    for file in [announced(), ready(), Attachment::default()] {
        assert_eq!(file.start(bob()), Err(AttachmentRejection::NotFound));
        assert_eq!(file.complete(bob(), photo(), PIXELS), Err(AttachmentRejection::NotFound));
        assert_eq!(file.fail(bob(), FailReason::Aborted), Err(AttachmentRejection::NotFound));
        assert_eq!(file.delete(bob()), Err(AttachmentRejection::NotFound));
    }
    let deleted = after(ready(), ready().delete(ann()).unwrap());
    assert_eq!(deleted.delete(bob()), Err(AttachmentRejection::NotFound));
}

#[test]
fn completing_twice_is_one_event() {
    assert_eq!(ready().complete(ann(), photo(), PIXELS), Ok(None));
}

#[test]
fn what_is_not_what_was_said_fails() {
    let declared = asked("image/png", Some(10));
    assert_eq!(reason(&declared, photo()), None);
    assert_eq!(reason(&declared, Found { size: 11, ..photo() }), Some(FailReason::SizeMismatch));
    assert_eq!(
        reason(&asked("image/png", None), Found { size: 0, ..photo() }),
        Some(FailReason::SizeMismatch)
    );
    let stored_as = Found { mime: mime("text/html"), ..photo() };
    assert_eq!(reason(&declared, stored_as), Some(FailReason::TypeMismatch));
    for sniffed in [Sniffed::Known(mime("application/x-executable")), Sniffed::Text, Sniffed::Unknown] {
        assert_eq!(reason(&declared, Found { sniffed, ..photo() }), Some(FailReason::ContentMismatch));
    }
}

#[test]
fn a_picture_of_too_many_pixels_fails_however_few_bytes_it_has() {
    let declared = asked("image/png", Some(10));
    for bomb in [picture(1001, 1000, None), picture(u32::MAX, u32::MAX, Some(u32::MAX)), picture(0, 9, None)]
    {
        let found = Found { image: Some(bomb), ..photo() };
        assert_eq!(reason(&declared, found), Some(FailReason::UnreadableImage));
    }
    let animated = Found { image: Some(picture(1000, 100, Some(11))), ..photo() };
    assert_eq!(reason(&declared, animated), Some(FailReason::UnreadableImage));
    assert_eq!(reason(&declared, Found { image: None, ..photo() }), Some(FailReason::UnreadableImage));
}

#[test]
fn sound_may_be_in_a_container_of_another_name_but_is_no_document() {
    let sound = |sniffed| Found { mime: mime("audio/mp4"), sniffed, image: None, ..photo() };
    assert_eq!(reason(&asked("audio/mp4", Some(10)), sound(Sniffed::Media)), None);
    let pdf = reason(&asked("audio/mp4", Some(10)), sound(Sniffed::Known(mime("application/pdf"))));
    assert_eq!(pdf, Some(FailReason::ContentMismatch));
}

#[test]
fn what_failed_stays_failed() {
    let failed = after(announced(), announced().fail(ann(), FailReason::Aborted).unwrap());
    assert_eq!(
        failed.complete(ann(), photo(), PIXELS),
        Err(AttachmentRejection::Failed(FailReason::Aborted))
    );
    assert_eq!(failed.start(ann()), Err(AttachmentRejection::Failed(FailReason::Aborted)));
    assert_eq!(failed.fail(ann(), FailReason::Expired), Ok(None));
    assert_eq!(ready().fail(ann(), FailReason::Aborted), Ok(None), "a late error changes nothing");
}

#[test]
fn a_deleted_file_is_gone_for_its_owner_and_purged_once() {
    let deleted = after(ready(), ready().delete(ann()).unwrap());
    assert_eq!(deleted.delete(ann()), Ok(None));
    assert_eq!(deleted.complete(ann(), photo(), PIXELS), Err(AttachmentRejection::NotFound));
    assert_eq!(ready().purge(), None);
    let purged = after(deleted.clone(), deleted.purge());
    assert_eq!((purged.purge(), purged.status()), (None, None));
}

#[test]
fn a_key_says_whose_it_is_and_leads_nowhere_else() {
    let name = FileName::parse("../../a b/ü.png").unwrap();
    let key = Attachment::key(Origin::Pasted, ann(), Timestamp::from_millis(7), &name);
    assert_eq!(key, "pasted/00000000-0000-0000-0000-000000000001/7-_.png");
    assert!(BlobKey::parse("assets", &key).is_ok());
}

#[test]
fn limits_are_by_type_and_by_user() {
    let limits = Limits::default();
    let taken = |text: &str, size: u64, usage: Usage| limits.check(&mime(text), Some(size), usage);
    let none = Usage::default();
    assert_eq!(taken("image/png", 20 * 1024 * 1024, none), Ok(()));
    assert!(matches!(taken("image/png", 20 * 1024 * 1024 + 1, none), Err(LimitRejection::TooLarge { .. })));
    assert!(matches!(taken("video/mp4", 5 << 30, none), Err(LimitRejection::TooLarge { .. })));
    assert_eq!(taken("text/x-rust", 0, none), Err(LimitRejection::Empty));
    for refused in
        ["application/x-msdownload", "application/zip", "image/svg+xml", "application/octet-stream"]
    {
        assert_eq!(taken(refused, 1, none), Err(LimitRejection::Type(mime(refused))));
    }
    let full = Usage { bytes: limits.user, open: 0 };
    assert!(matches!(taken("text/plain", 1, full), Err(LimitRejection::Quota { .. })));
    let busy = Usage { bytes: 0, open: limits.open };
    assert!(matches!(taken("text/plain", 1, busy), Err(LimitRejection::TooManyOpen { .. })));
}

#[test]
fn what_a_vendor_keeps_is_known_by_its_key_until_it_expires() {
    let at = Timestamp::from_millis;
    let gemini = ProviderId::parse("gemini").unwrap();
    let kept = |key: &str, reference: &str, expires: i64| ProviderFileUploaded {
        provider: gemini.clone(),
        key_fingerprint: key.to_owned(),
        reference: reference.to_owned(),
        expires_at: at(expires),
    };
    let mut file = announced();
    assert_eq!(file.keep(ann(), kept("k1", "files/1", 9)), Err(AttachmentRejection::NotFree));
    file = ready();
    assert_eq!(file.keep(bob(), kept("k1", "files/1", 9)), Err(AttachmentRejection::NotFound));
    for kept in [kept("k1", "files/1", 9), kept("k2", "files/2", 9), kept("k1", "files/3", 20)] {
        let event = file.keep(ann(), kept.clone()).unwrap().unwrap();
        file = after(file, Some(event));
        assert_eq!(file.keep(ann(), kept), Ok(None));
    }
    let Attachment::Ready(_, stored) = &file else { panic!("{file:?}") };
    let kept_as = |provider: &ProviderId, key: &str, then: i64| {
        let kept = stored.kept_by.iter().find(|kept| kept.serves(provider, key, at(then)));
        kept.map(|kept| kept.reference.as_str())
    };
    assert_eq!(kept_as(&gemini, "k1", 19), Some("files/3"));
    assert_eq!(kept_as(&gemini, "k1", 20), None);
    assert_eq!(kept_as(&gemini, "k2", 8), Some("files/2"));
    assert_eq!(kept_as(&gemini, "k3", 0), None);
    assert_eq!(kept_as(&ProviderId::parse("openai").unwrap(), "k1", 0), None);
}
