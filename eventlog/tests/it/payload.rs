//! What an event carries: canonical data, the sealed half, old and future versions.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use serde_json::{Value, json};
use slipstream_eventlog::{
    AppendError, DecodeFault, EventType, Forged, KeyRing, KeyRingUnavailable, LogOptions, NewEvent, OwnerId,
    Payload, Position, SealError, SealRequest, SealedBytes, UnsealRequest, Unsealed, Upcast, Upcasters,
    Version,
};
use uuid::Uuid;

use crate::support::{World, append, event, sealed, stream, to, whole_feed, with_data};

const KEY: Uuid = Uuid::from_u128(77);

/// A cipher that only shows its laws: authenticates by prefixing what it was bound to, and can lose its key.
#[derive(Default)]
struct ToyRing {
    destroyed: AtomicBool,
}

#[async_trait]
impl KeyRing for ToyRing {
    async fn seal(&self, _: Option<OwnerId>, items: Vec<SealRequest>) -> Result<Vec<SealedBytes>, SealError> {
        if self.destroyed.load(Ordering::Relaxed) {
            return Err(SealError::Erased);
        }
        let seal =
            |item: SealRequest| SealedBytes { key_id: KEY, bytes: [item.aad, item.plaintext].concat() };
        Ok(items.into_iter().map(seal).collect())
    }

    async fn unseal(
        &self,
        items: Vec<UnsealRequest>,
    ) -> Result<Vec<Result<Unsealed, Forged>>, KeyRingUnavailable> {
        let open = |item: UnsealRequest| match item.bytes.strip_prefix(&item.aad[..]) {
            Some(_) if self.destroyed.load(Ordering::Relaxed) => Ok(Unsealed::Erased),
            Some(plaintext) if item.key_id == KEY => Ok(Unsealed::Open(plaintext.to_vec())),
            Some(_) | None => Err(Forged),
        };
        Ok(items.into_iter().map(open).collect())
    }
}

#[tokio::test]
async fn data_comes_back_as_the_same_json_whatever_its_spelling() {
    let world = World::new().await;
    let text =
        r#"{"b":[1.0,1e-7,0.1,-0,5e-324,123456.789],"a":{"é":"\u20ac\ud83d\ude00\\\"\n"},"c":null,"":true}"#;
    world.log.append(append(vec![to(stream(), 0, vec![with_data(text)])])).await.unwrap();

    let read = whole_feed(&world.log).await.remove(0).payload.unwrap().data;

    let value =
        |text: &str| serde_json::from_str::<Value>(&text.replace("-0,", "0,").replace("1.0", "1")).unwrap();
    assert_eq!(value(&read), value(text));
    world.end().await; // and its hash can be made again from what the database returns
}

#[tokio::test]
async fn the_sealed_half_comes_back_whether_compressed_or_not() {
    let world =
        World::with(LogOptions { key_ring: Arc::new(ToyRing::default()), ..LogOptions::default() }).await;
    let contents: Vec<Vec<u8>> = [0, 1, 1024, 1025, 60_000].map(|size| vec![b'x'; size]).into();
    let events: Vec<NewEvent> = contents.iter().map(|content| sealed(content)).chain([event()]).collect();
    world.log.append(append(vec![to(stream(), 0, events)])).await.unwrap();

    let read = whole_feed(&world.log).await;

    let halves: Vec<_> = read.into_iter().map(|event| event.payload.unwrap().sealed).collect();
    let expected = contents.into_iter().map(|content| Some(Unsealed::Open(content))).chain([None]);
    assert_eq!(halves, expected.collect::<Vec<_>>());
    let stored: i32 =
        sqlx::query_scalar("SELECT max(length(sealed)) FROM es.event").fetch_one(world.pool()).await.unwrap();
    assert!(stored < 1200, "60 kB of x are stored in {stored} bytes");
    world.end().await;
}

#[tokio::test]
async fn a_destroyed_key_leaves_the_log_readable_and_verifiable_and_seals_nothing_more() {
    let ring = Arc::new(ToyRing::default());
    let world = World::with(LogOptions { key_ring: ring.clone(), ..LogOptions::default() }).await;
    let (owner, conversation) = (OwnerId::from_uuid(Uuid::new_v4()), stream());
    let of_owner = |version, events| {
        let mut streams = to(conversation, version, events);
        streams.owner = Some(owner);
        append(vec![streams])
    };
    world.log.append(of_owner(0, vec![sealed(b"{}"), event()])).await.unwrap();

    ring.destroyed.store(true, Ordering::Relaxed);

    let read = world.log.read_stream(conversation, Version::NONE).await.unwrap();
    assert_eq!(read[0].payload.as_ref().unwrap().sealed, Some(Unsealed::Erased));
    assert_eq!(read[1].payload.as_ref().unwrap().sealed, None);
    let refused = world.log.append(of_owner(2, vec![sealed(b"{}")])).await.unwrap_err();
    assert!(matches!(refused, AppendError::Erased(who) if who == owner));
    world.log.append(of_owner(2, vec![event()])).await.unwrap();

    sqlx::query("UPDATE es.event SET sealed = NULL").execute(world.pool()).await.unwrap();
    let read = world.log.read_stream(conversation, Version::NONE).await.unwrap();
    assert_eq!(read[0].payload.as_ref().unwrap().sealed, Some(Unsealed::Erased));
    world.end().await;
}

#[tokio::test]
async fn a_sealed_half_moved_to_another_event_is_a_fault_of_that_event_alone() {
    let world =
        World::with(LogOptions { key_ring: Arc::new(ToyRing::default()), ..LogOptions::default() }).await;
    world
        .log
        .append(append(vec![to(stream(), 0, vec![sealed(b"1"), sealed(b"2"), sealed(b"3")])]))
        .await
        .unwrap();

    sqlx::query(
        "UPDATE es.event SET sealed = (SELECT sealed FROM es.event WHERE position = 1) WHERE position = 2",
    )
    .execute(world.pool())
    .await
    .unwrap();

    let read = whole_feed(&world.log).await;
    let open = |text: &[u8]| Some(Unsealed::Open(text.to_vec()));
    assert_eq!(read[0].payload.as_ref().unwrap().sealed, open(b"1"));
    assert_eq!(read[1].payload, Err(DecodeFault::Forged));
    assert_eq!(read[2].payload.as_ref().unwrap().sealed, open(b"3"));
    world.end_faulty().await;
}

const STEPS: &[Upcast] =
    &[|data, sealed| (json!({"new": data["old"]}), sealed.map(|value| json!({"wrapped": value})))];

#[tokio::test]
async fn an_old_event_is_upcast_and_a_future_one_spoils_nothing_but_itself() {
    let upcasters = Upcasters::new([("Happened", STEPS)]);
    let world = World::with(LogOptions { upcasters, ..LogOptions::default() }).await;
    let version = |schema_version| NewEvent {
        schema_version,
        sealed: Some(b"5".to_vec()),
        ..with_data(r#"{"old":1}"#)
    };
    world.log.append(append(vec![to(stream(), 0, vec![version(1), version(3), version(2)])])).await.unwrap();

    let read = world.log.feed(Position::START, 10).await.unwrap();

    assert_eq!(read[0].schema_version, 2);
    let upcast =
        Payload { data: r#"{"new":1}"#.into(), sealed: Some(Unsealed::Open(br#"{"wrapped":5}"#.to_vec())) };
    assert_eq!(read[0].payload, Ok(upcast));
    let newer = DecodeFault::NewerSchema { event_type: EventType::new("Happened"), version: 3, known: 2 };
    assert_eq!((read[1].schema_version, &read[1].payload), (3, &Err(newer)));
    assert_eq!(read[2].payload.as_ref().unwrap().sealed, Some(Unsealed::Open(b"5".to_vec())));
    world.end().await;
}
