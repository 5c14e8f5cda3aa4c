//! The rules of a generation, given / when / then.

use uuid::Uuid;

use super::*;
use crate::event::{RequestContent, TerminalContent};
use crate::ids::{ConversationId, MessageId};
use crate::run::Part;
use crate::values::{GenerationKind, KeySource, ModelId, Params, ProviderId};

fn ann() -> UserId {
    UserId::from_uuid(Uuid::from_u128(1))
}

fn worker(n: u128) -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(n))
}

fn requested() -> GenerationEvent {
    GenerationEvent::GenerationRequested(GenerationRequested {
        conversation_id: ConversationId::from_uuid(Uuid::from_u128(2)),
        message_id: MessageId::from_uuid(Uuid::from_u128(3)),
        provider: ProviderId::simulated(),
        model: ModelId::parse("m").unwrap(),
        params: Params::default(),
        own: None,
        key_source: KeySource::None,
        kind: GenerationKind::Chat,
        content: RequestContent::default().into(),
    })
}

fn runs(from: u64, count: u64) -> Vec<Run> {
    crate::run::merged(
        (from..from + count).map(|seq| Run::delta(Seq(seq), Part::Text, (seq - 1) * 2, "ab".into())),
    )
}

fn ending(status: TerminalStatus, final_seq: u64) -> Ending {
    let mut ending = Ending::without_output(status, None, TerminalContent::default());
    ending.terminal.final_seq = Seq(final_seq);
    ending
}

struct Given(Generation);

fn given() -> Given {
    Given(Generation::default()).then(&requested())
}

impl Given {
    fn then(mut self, event: &GenerationEvent) -> Self {
        self.0.evolve(event, Meta { owner: Some(ann()), at: Timestamp::from_micros(0) });
        self
    }

    fn started(self) -> Self {
        let event = self.0.open(worker(1)).unwrap();
        self.then(&event)
    }

    fn recorded(self, epoch: u32, carried: bool, from: u64, count: u64) -> Self {
        let event = self.0.record(Epoch(epoch), carried, None, runs(from, count)).unwrap().unwrap();
        self.then(&event)
    }

    fn taken_over(self, from: u32) -> Self {
        let event = self.0.take_over(Epoch(from), worker(2)).unwrap();
        self.then(&event)
    }

    fn ended(self, epoch: u32, status: TerminalStatus, final_seq: u64) -> Self {
        let event = self.0.finish(Epoch(epoch), ending(status, final_seq)).unwrap();
        self.then(&event)
    }
}

#[test]
fn an_owner_that_has_let_go_can_record_nothing_and_the_next_follows_it() {
    let released = given().started().recorded(1, false, 1, 2);
    let event = released.0.release(Epoch(1)).unwrap();
    let released = released.then(&event);
    assert_eq!(released.0.release(Epoch(1)), Err(GenerationRejection::Fenced { current: Epoch(2) }));
    assert_eq!(
        released.0.record(Epoch(1), false, None, runs(3, 1)),
        Err(GenerationRejection::Fenced { current: Epoch(2) })
    );
    released.taken_over(2).recorded(3, false, 3, 1);
}

#[test]
fn a_waiting_generation_is_opened_once() {
    let generation = given().started().0;
    let Err(GenerationRejection::Owned { owner }) = generation.open(worker(2)) else {
        panic!("opened twice")
    };
    assert_eq!((owner.epoch, owner.worker), (Epoch(1), worker(1)));
}

#[test]
fn nothing_happens_to_a_generation_that_nobody_asked_for() {
    let unknown = Generation::default();
    assert_eq!(unknown.open(worker(1)), Err(GenerationRejection::NotFound));
    assert_eq!(unknown.cancel(ann()), Err(GenerationRejection::NotFound));
    assert_eq!(unknown.record(Epoch(1), false, None, runs(1, 1)), Err(GenerationRejection::NotFound));
}

#[test]
fn a_stale_owner_can_record_nothing() {
    let generation = given().started().recorded(1, false, 1, 3).taken_over(1).0;
    let fenced = GenerationRejection::Fenced { current: Epoch(2) };
    assert_eq!(generation.record(Epoch(1), false, None, runs(4, 1)), Err(fenced));
    assert_eq!(generation.finish(Epoch(1), ending(TerminalStatus::Completed, 3)), Err(fenced));
    assert_eq!(generation.take_over(Epoch(1), worker(3)), Err(fenced));
}

#[test]
fn deltas_are_numbered_without_gaps() {
    let generation = given().started().recorded(1, false, 1, 3).0;
    let out_of_order = |got| Err(GenerationRejection::OutOfOrder { expected: Seq(4), got: Seq(got) });
    assert_eq!(generation.record(Epoch(1), false, None, runs(5, 1)), out_of_order(5));
    assert_eq!(generation.record(Epoch(1), false, None, runs(3, 1)), out_of_order(3));
    let mut holed = runs(4, 1);
    holed.extend(runs(6, 1));
    assert_eq!(
        generation.record(Epoch(1), false, None, holed),
        Err(GenerationRejection::OutOfOrder { expected: Seq(5), got: Seq(6) })
    );
}

#[test]
fn nothing_to_record_is_no_event() {
    assert_eq!(given().started().0.record(Epoch(1), false, None, Vec::new()), Ok(None));
}

#[test]
fn it_ends_only_when_all_output_is_recorded() {
    let generation = given().started().recorded(1, false, 1, 3).0;
    assert_eq!(
        generation.finish(Epoch(1), ending(TerminalStatus::Completed, 4)),
        Err(GenerationRejection::OutOfOrder { expected: Seq(3), got: Seq(4) })
    );
}

#[test]
fn an_ended_generation_stays_as_it_ended() {
    let generation = given().started().ended(1, TerminalStatus::Completed, 0).0;
    let ended = GenerationRejection::Ended { status: TerminalStatus::Completed };
    assert_eq!(generation.open(worker(2)), Err(ended));
    assert_eq!(generation.take_over(Epoch(1), worker(2)), Err(ended));
    assert_eq!(generation.finish(Epoch(1), ending(TerminalStatus::Failed, 0)), Err(ended));
    assert_eq!(generation.cancel(ann()), Ok(Cancellation::Over(TerminalStatus::Completed)));
}

#[test]
fn cancelling_ends_a_waiting_one_at_once_and_asks_a_running_one_once() {
    assert_eq!(given().0.cancel(ann()), Ok(Cancellation::EndNow));
    let running = given().started();
    let Ok(Cancellation::Requested(Some(event))) = running.0.cancel(ann()) else { panic!("not requested") };
    assert_eq!(running.then(&event).0.cancel(ann()), Ok(Cancellation::Requested(None)));
}

#[test]
fn a_foreign_generation_looks_like_one_that_does_not_exist() {
    let bob = UserId::from_uuid(Uuid::from_u128(9));
    assert_eq!(given().started().0.cancel(bob), Err(GenerationRejection::NotFound));
}

#[test]
fn what_is_carried_over_belongs_to_the_base_of_the_new_epoch() {
    let Generation::Streaming(_, streaming) = given()
        .started()
        .recorded(1, false, 1, 3)
        .taken_over(1)
        .recorded(2, true, 4, 2)
        .recorded(2, false, 6, 1)
        .0
    else {
        panic!("not streaming")
    };
    assert_eq!(streaming.bases, [Seq(0), Seq(5)]);
    assert_eq!(streaming.reset_point(Epoch(1), Seq(9)), Some(Seq(5)));
    assert_eq!(streaming.reset_point(Epoch(1), Seq(2)), Some(Seq(2)));
    assert_eq!(streaming.reset_point(Epoch(2), Seq(9)), None);
}

#[test]
fn a_reader_two_epochs_behind_is_cut_at_the_lowest_base_between() {
    let Generation::Streaming(_, streaming) =
        given().started().recorded(1, false, 1, 2).taken_over(1).recorded(2, false, 3, 4).taken_over(2).0
    else {
        panic!("not streaming")
    };
    assert_eq!(streaming.reset_point(Epoch(1), Seq(8)), Some(Seq(2)));
    assert_eq!(streaming.reset_point(Epoch(2), Seq(8)), Some(Seq(6)));
}

#[test]
fn an_end_before_any_worker_is_possible_only_before_any_worker() {
    assert!(given().0.end_unstarted(ending(TerminalStatus::Cancelled, 0)).is_ok());
    assert!(matches!(
        given().started().0.end_unstarted(ending(TerminalStatus::Cancelled, 0)),
        Err(GenerationRejection::Owned { .. })
    ));
}
