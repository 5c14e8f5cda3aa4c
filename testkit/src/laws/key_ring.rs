//! The laws of [`KeyRing`].

use slipstream_eventlog::{
    Forged, KeyRing, OwnerId, SealError, SealRequest, SealedBytes, UnsealRequest, Unsealed,
};
use uuid::Uuid;

/// Checks what every ring keeps, the null cipher too.
///
/// # Panics
/// When a law is broken.
pub async fn key_ring(ring: &dyn KeyRing) {
    what_was_sealed_opens_to_the_same_bytes_in_the_same_order(ring).await;
    what_the_null_cipher_sealed_stays_readable(ring).await;
    what_no_key_of_this_ring_sealed_is_forged(ring).await;
}

/// Checks in addition what a ring keeps that has keys; `destroy` destroys an owner's.
///
/// # Panics
/// When a law is broken.
pub async fn sealing_key_ring(ring: &dyn KeyRing, destroy: impl AsyncFn(OwnerId)) {
    key_ring(ring).await;
    what_is_sealed_tells_nothing_and_never_looks_the_same_twice(ring).await;
    what_was_touched_or_moved_is_forged(ring).await;
    a_destroyed_key_is_gone_for_ever_and_no_other_owners(ring, destroy).await;
}

async fn what_was_sealed_opens_to_the_same_bytes_in_the_same_order(ring: &dyn KeyRing) {
    let owners = [None, Some(owner()), Some(owner())];
    let mut items = Vec::new();
    let mut expected = Vec::new();
    for who in owners {
        let texts: Vec<Vec<u8>> = vec![b"one".to_vec(), Vec::new(), vec![7; 100_000]];
        for (text, (aad, sealed)) in texts.iter().zip(seal(ring, who, &texts).await) {
            items.push(item(who, &aad, sealed));
            expected.push(Ok(Unsealed::Open(text.clone())));
        }
    }
    items.reverse();
    expected.reverse();
    assert_eq!(ring.unseal(items).await.expect("an answer"), expected);
    assert_eq!(ring.unseal(Vec::new()).await.expect("an answer"), []);
}

async fn what_the_null_cipher_sealed_stays_readable(ring: &dyn KeyRing) {
    let old = SealedBytes { key_id: Uuid::nil(), bytes: b"as it is".to_vec() };
    let read = ring.unseal(vec![item(Some(owner()), b"aad", old)]).await.expect("an answer");
    assert_eq!(read, [Ok(Unsealed::Open(b"as it is".to_vec()))]);
}

async fn what_no_key_of_this_ring_sealed_is_forged(ring: &dyn KeyRing) {
    let alien = SealedBytes { key_id: Uuid::new_v4(), bytes: vec![1; 64] };
    let read = ring.unseal(vec![item(Some(owner()), b"aad", alien)]).await.expect("an answer");
    assert_eq!(read, [Err(Forged)]);
}

async fn what_is_sealed_tells_nothing_and_never_looks_the_same_twice(ring: &dyn KeyRing) {
    let text = b"a secret that is long enough to be found".to_vec();
    let sealed = seal(ring, Some(owner()), &[text.clone(), text.clone()]).await;
    let [(_, one), (_, two)] = sealed.as_slice() else { panic!("two answers") };
    assert_ne!(one.bytes, two.bytes);
    assert_eq!(one.key_id, two.key_id);
    assert!(!one.bytes.windows(8).any(|window| text.windows(8).any(|part| part == window)));
}

async fn what_was_touched_or_moved_is_forged(ring: &dyn KeyRing) {
    let (ann, bob) = (owner(), owner());
    let of_ann = seal(ring, Some(ann), &[b"first".to_vec(), b"second".to_vec()]).await;
    let of_bob = seal(ring, Some(bob), &[b"first".to_vec()]).await;
    let [(first_aad, first), (second_aad, second)] = of_ann.as_slice() else { panic!("two answers") };
    let touched = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = first.bytes.clone();
        change(&mut bytes);
        item(Some(ann), first_aad, SealedBytes { key_id: first.key_id, bytes })
    };
    let under = |key_id| SealedBytes { key_id, bytes: first.bytes.clone() };
    let clone = |sealed: &SealedBytes| SealedBytes { key_id: sealed.key_id, bytes: sealed.bytes.clone() };
    let bad = vec![
        touched(&|bytes| bytes[0] ^= 1),
        touched(&|bytes| *bytes.last_mut().expect("a tag") ^= 0x80),
        touched(&|bytes| bytes.truncate(bytes.len() - 1)),
        touched(&|bytes| bytes.truncate(3)),
        touched(&Vec::clear),
        touched(&|bytes| bytes.push(0)),
        // Swapped with another event's, another key's, another person's.
        item(Some(ann), first_aad, clone(second)),
        item(Some(ann), second_aad, clone(first)),
        item(Some(ann), first_aad, under(of_bob[0].1.key_id)),
        item(Some(bob), first_aad, clone(first)),
        item(None, first_aad, clone(first)),
    ];
    let count = bad.len();
    assert_eq!(ring.unseal(bad).await.expect("an answer"), vec![Err(Forged); count]);
}

async fn a_destroyed_key_is_gone_for_ever_and_no_other_owners(
    ring: &dyn KeyRing,
    destroy: impl AsyncFn(OwnerId),
) {
    let (gone, never_sealed, other) = (owner(), owner(), owner());
    let sealed = seal(ring, Some(gone), &[b"gone".to_vec()]).await;
    let kept = seal(ring, Some(other), &[b"kept".to_vec()]).await;
    destroy(gone).await;
    destroy(gone).await;
    destroy(never_sealed).await;
    for who in [gone, never_sealed] {
        let refused = ring.seal(Some(who), vec![request(b"aad", b"new")]).await;
        assert!(matches!(refused, Err(SealError::Erased)), "a destroyed key was made again: {refused:?}");
    }
    let items = [(gone, sealed), (other, kept)]
        .into_iter()
        .flat_map(|(who, sealed)| sealed.into_iter().map(move |(aad, sealed)| item(Some(who), &aad, sealed)));
    let read = ring.unseal(items.collect()).await.expect("an answer");
    assert_eq!(read, [Ok(Unsealed::Erased), Ok(Unsealed::Open(b"kept".to_vec()))]);
}

/// Seals each text under an aad of its own.
async fn seal(ring: &dyn KeyRing, owner: Option<OwnerId>, texts: &[Vec<u8>]) -> Vec<(Vec<u8>, SealedBytes)> {
    let aads: Vec<Vec<u8>> = texts.iter().map(|_| Uuid::new_v4().as_bytes().to_vec()).collect();
    let requests = aads.iter().zip(texts).map(|(aad, text)| request(aad, text)).collect();
    let sealed = ring.seal(owner, requests).await.expect("it seals");
    assert_eq!(sealed.len(), texts.len());
    aads.into_iter().zip(sealed).collect()
}

fn request(aad: &[u8], plaintext: &[u8]) -> SealRequest {
    SealRequest { aad: aad.to_vec(), plaintext: plaintext.to_vec() }
}

fn item(owner: Option<OwnerId>, aad: &[u8], sealed: SealedBytes) -> UnsealRequest {
    UnsealRequest { owner, key_id: sealed.key_id, aad: aad.to_vec(), bytes: sealed.bytes }
}

fn owner() -> OwnerId {
    OwnerId::from_uuid(Uuid::new_v4())
}
