//! The laws of [`LiveBus`].

use std::sync::Arc;
use std::time::Duration;

use slipstream_commands::ports::{BusEvent, LiveBus, LiveMessage, Subject, Subscription};
use slipstream_domain::{ConversationId, Epoch, GenerationId, Seq};
use tokio::time::timeout;
use uuid::Uuid;

/// Long enough for a message to arrive.
const SOON: Duration = Duration::from_secs(2);
/// Long enough to say that none does.
const A_WHILE: Duration = Duration::from_millis(300);

/// Checks every law on one bus, between two ends of it: those of two processes, or twice the same.
///
/// # Panics
/// When a law is broken.
pub async fn live_bus<B: LiveBus>(here: &B, there: &B) {
    for (publisher, listener) in [(here, there), (there, here), (here, here)] {
        let ends = Ends { publisher, listener };
        messages_of_a_publisher_arrive_once_and_in_order(&ends).await;
        only_its_subjects_messages_reach_a_listener_and_none_from_before(&ends).await;
        nobody_listening_is_no_error(&ends).await;
        a_slow_listener_is_told_of_its_loss_and_holds_nobody_up(&ends).await;
        a_wait_that_is_given_up_loses_no_message(&ends).await;
        what_ends_for_one_listener_goes_on_for_the_others(&ends).await;
        an_owner_answers_while_it_listens(&ends).await;
    }
}

/// Who speaks and who listens.
struct Ends<'a, B> {
    publisher: &'a B,
    listener: &'a B,
}

fn conversation() -> Subject {
    Subject::Conversation(ConversationId::from_uuid(Uuid::new_v4()))
}

fn beat(seq: u64) -> Arc<LiveMessage> {
    let generation = GenerationId::from_uuid(Uuid::nil());
    Arc::new(LiveMessage::Beat { generation, epoch: Epoch::FIRST, seq: Seq(seq) })
}

async fn listen<B: LiveBus>(ends: &Ends<'_, B>, subject: Subject) -> Box<dyn Subscription> {
    ends.listener.subscribe(subject).await.expect("a subscription is taken")
}

async fn next(listener: &mut Box<dyn Subscription>) -> BusEvent {
    timeout(SOON, listener.next()).await.expect("a message is due").expect("the bus is there")
}

async fn messages_of_a_publisher_arrive_once_and_in_order<B: LiveBus>(ends: &Ends<'_, B>) {
    let subject = conversation();
    let mut listeners = [listen(ends, subject).await, listen(ends, subject).await];
    for seq in 1..=20 {
        ends.publisher.publish(subject, beat(seq)).await;
    }
    for listener in &mut listeners {
        for seq in 1..=20 {
            assert_eq!(next(listener).await, BusEvent::Message(beat(seq)));
        }
        assert!(timeout(A_WHILE, listener.next()).await.is_err(), "a message came twice");
    }
}

async fn only_its_subjects_messages_reach_a_listener_and_none_from_before<B: LiveBus>(ends: &Ends<'_, B>) {
    let (mine, other) = (conversation(), conversation());
    let _somebody = listen(ends, mine).await;
    ends.publisher.publish(mine, beat(1)).await;
    // What is still on its way may be heard by who comes now.
    tokio::time::sleep(A_WHILE).await;
    let mut listener = listen(ends, mine).await;
    ends.publisher.publish(other, beat(2)).await;
    ends.publisher.publish(mine, beat(3)).await;
    assert_eq!(next(&mut listener).await, BusEvent::Message(beat(3)));
}

async fn nobody_listening_is_no_error<B: LiveBus>(ends: &Ends<'_, B>) {
    let subject = conversation();
    ends.publisher.publish(subject, beat(1)).await;
    drop(listen(ends, subject).await);
    ends.publisher.publish(subject, beat(2)).await;
}

async fn a_slow_listener_is_told_of_its_loss_and_holds_nobody_up<B: LiveBus>(ends: &Ends<'_, B>) {
    const MANY: u64 = 100_000;
    let subject = conversation();
    let mut slow = listen(ends, subject).await;
    let publishing = async {
        for seq in 1..=MANY {
            ends.publisher.publish(subject, beat(seq)).await;
        }
    };
    timeout(Duration::from_mins(1), publishing).await.expect("publishing is not held up");
    let (mut told, mut last) = (false, 0);
    while let Ok(Some(event)) = timeout(A_WHILE, slow.next()).await {
        match event {
            BusEvent::Lagged => told = true,
            BusEvent::Message(message) => {
                let LiveMessage::Beat { seq, .. } = *message else { panic!("not what was published") };
                assert!(seq.0 > last, "out of order, or twice");
                assert!(told || seq.0 == last + 1, "messages were lost without a word");
                last = seq.0;
            }
        }
    }
    assert!(told || last == MANY, "messages were lost without a word");
}

async fn a_wait_that_is_given_up_loses_no_message<B: LiveBus>(ends: &Ends<'_, B>) {
    let subject = conversation();
    let mut listener = listen(ends, subject).await;
    for seq in 1..=50 {
        let waiting = timeout(Duration::from_millis(1), listener.next());
        let (event, ()) = tokio::join!(waiting, ends.publisher.publish(subject, beat(seq)));
        let event = match event {
            Ok(event) => event.expect("the bus is there"),
            Err(_) => next(&mut listener).await,
        };
        assert_eq!(event, BusEvent::Message(beat(seq)));
    }
}

async fn an_owner_answers_while_it_listens<B: LiveBus>(ends: &Ends<'_, B>) {
    let generation = GenerationId::from_uuid(Uuid::new_v4());
    assert!(!ends.publisher.owner_answers(generation).await.expect("the bus is there"));
    let mut owner = listen(ends, Subject::Owner(generation)).await;
    assert!(ends.publisher.owner_answers(generation).await.expect("the bus is there"));
    let cancel = Arc::new(LiveMessage::Cancel { generation });
    ends.publisher.publish(Subject::Owner(generation), Arc::clone(&cancel)).await;
    assert_eq!(next(&mut owner).await, BusEvent::Message(cancel), "the question itself is no message");
    drop(owner);
    tokio::time::sleep(A_WHILE).await;
    assert!(!ends.publisher.owner_answers(generation).await.expect("the bus is there"));
}

async fn what_ends_for_one_listener_goes_on_for_the_others<B: LiveBus>(ends: &Ends<'_, B>) {
    let subject = conversation();
    let first = listen(ends, subject).await;
    let mut second = listen(ends, subject).await;
    drop(first);
    tokio::time::sleep(A_WHILE).await;
    ends.publisher.publish(subject, beat(1)).await;
    assert_eq!(next(&mut second).await, BusEvent::Message(beat(1)));
    drop(second);
    let mut again = listen(ends, subject).await;
    ends.publisher.publish(subject, beat(2)).await;
    assert_eq!(next(&mut again).await, BusEvent::Message(beat(2)));
}
