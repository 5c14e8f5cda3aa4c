//! The laws of [`Hints`], for adapters that carry them between processes.

use std::time::Duration;

use slipstream_eventlog::{HintTopic, Hints, Position, ProjectorId};
use tokio::time::timeout;

/// Long enough for a hint to arrive.
const SOON: Duration = Duration::from_secs(2);
/// Long enough to say that none does.
const A_WHILE: Duration = Duration::from_millis(300);

/// Checks every law between three processes.
///
/// # Panics
/// When a law is broken.
pub async fn hints<H: Hints>(one: &H, two: &H, three: &H) {
    a_hint_reaches_every_other_process_unchanged_and_not_its_own(one, two, three).await;
    a_wait_that_is_given_up_loses_no_hint(one, two).await;
    hinting_never_waits_for_anybody(three);
}

async fn a_hint_reaches_every_other_process_unchanged_and_not_its_own<H: Hints>(one: &H, two: &H, three: &H) {
    let projector = HintTopic::Projector(ProjectorId::new("transcript", 2));
    for (topic, position) in [(HintTopic::Log, Position::new(7)), (projector, Position::new(i64::MAX))] {
        one.hint(topic.clone(), position);
        for other in [two, three] {
            let heard = timeout(SOON, other.next()).await.expect("a hint is due");
            assert_eq!(heard, (topic.clone(), position));
        }
    }
    assert!(timeout(A_WHILE, one.next()).await.is_err(), "a process heard its own hint");
}

async fn a_wait_that_is_given_up_loses_no_hint<H: Hints>(one: &H, two: &H) {
    for n in 1..=20 {
        let waiting = timeout(Duration::from_millis(1), two.next());
        let (heard, ()) = tokio::join!(waiting, async { one.hint(HintTopic::Log, Position::new(n)) });
        let heard = match heard {
            Ok(heard) => heard,
            Err(_) => timeout(SOON, two.next()).await.expect("a hint is due"),
        };
        assert_eq!(heard, (HintTopic::Log, Position::new(n)));
    }
}

/// Far more than anybody takes, without a moment in which anybody could.
fn hinting_never_waits_for_anybody<H: Hints>(one: &H) {
    for n in 1..=100_000 {
        one.hint(HintTopic::Log, Position::new(n));
    }
}
