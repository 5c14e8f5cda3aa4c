//! A model test: random schedules of appends over two logs, reads and cut connections against a log of a few
//! lines. Shrinks to the shortest schedule that goes wrong.

use std::collections::HashMap;

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use slipstream_eventlog::{
    Append, AppendError, CommandId, CorrelationId, EventLog, Guard, LogOptions, Position, Recorded, StreamId,
    Version,
};

use crate::support::{World, append, assert_clean, correlation_of, event, kill_appenders, stream, to};

const STREAMS: usize = 4;

/// What a schedule does; streams by number, versions relative to where the stream is.
#[derive(Clone, Debug)]
enum Step {
    Append(Ask),
    /// Appends that are in the queues at once.
    Together(Vec<Ask>),
    /// An earlier append again.
    Repeat(usize),
    ReadStream(usize, i64),
    ReadCorrelation(usize),
    Feed(i64, usize),
    CutConnections,
}

#[derive(Clone, Debug)]
struct Ask {
    log: usize,
    /// Stream, how far off its expectation is, how many events.
    slots: Vec<(usize, i64, usize)>,
    guard: Option<(usize, i64)>,
    close: bool,
}

fn offset() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0_i64), 1 => Just(-1), 1 => Just(1)]
}

fn ask() -> impl Strategy<Value = Ask> {
    let streams = Just((0..STREAMS).collect::<Vec<_>>()).prop_shuffle();
    let slots = prop::collection::vec((offset(), 1..4_usize), 1..=2);
    let guard = prop::option::weighted(0.3, offset());
    (0..2_usize, streams, slots, guard, prop::bool::weighted(0.05)).prop_map(
        |(log, streams, slots, guard, close)| Ask {
            log,
            slots: slots
                .into_iter()
                .zip(&streams)
                .map(|((off, events), stream)| (*stream, off, events))
                .collect(),
            guard: guard.map(|off| (streams[STREAMS - 1], off)),
            close,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => ask().prop_map(Step::Append),
        3 => prop::collection::vec(ask(), 2..8).prop_map(Step::Together),
        2 => (0..100_usize).prop_map(Step::Repeat),
        2 => (0..STREAMS, 0..5_i64).prop_map(|(stream, after)| Step::ReadStream(stream, after)),
        1 => (0..STREAMS).prop_map(Step::ReadCorrelation),
        2 => (0..40_i64, 1..20_usize).prop_map(|(after, limit)| Step::Feed(after, limit)),
        1 => Just(Step::CutConnections),
    ]
}

/// The log, as simple as it can be said.
#[derive(Default)]
struct Model {
    /// Position less `base`, from 1: stream, version, command.
    events: Vec<(StreamId, i64, CommandId)>,
    closed: Vec<StreamId>,
    commands: HashMap<CommandId, (i64, i64)>,
}

#[derive(Debug, PartialEq)]
enum Expectation {
    Written {
        first: i64,
        last: i64,
    },
    Duplicate {
        first: i64,
        last: i64,
    },
    /// Any of these streams may be named.
    Refused(Vec<StreamId>),
}

impl Model {
    fn version(&self, stream: StreamId) -> i64 {
        i64::try_from(self.events.iter().filter(|(of, ..)| *of == stream).count()).unwrap()
    }

    fn head(&self) -> i64 {
        i64::try_from(self.events.len()).unwrap()
    }

    fn append(&mut self, append: &Append) -> Expectation {
        if let Some((first, last)) = self.commands.get(&append.command_id) {
            return Expectation::Duplicate { first: *first, last: *last };
        }
        let slots = append.streams.iter().map(|slot| (slot.stream, slot.expected.version().get(), true));
        let guards = append.guards.iter().map(|guard| (guard.stream, guard.version.get(), false));
        let wrong = slots.chain(guards).filter(|(stream, version, writes)| {
            self.version(*stream) != *version || *writes && self.closed.contains(stream)
        });
        let wrong: Vec<_> = wrong.map(|(stream, ..)| stream).collect();
        if !wrong.is_empty() {
            return Expectation::Refused(wrong);
        }
        let first = self.head() + 1;
        for slot in &append.streams {
            for _ in &slot.events {
                self.events.push((slot.stream, self.version(slot.stream) + 1, append.command_id));
            }
            if slot.close {
                self.closed.push(slot.stream);
            }
        }
        self.commands.insert(append.command_id, (first, self.head()));
        Expectation::Written { first, last: self.head() }
    }
}

struct Run {
    model: Model,
    streams: Vec<StreamId>,
    logs: [EventLog; 2],
    asked: Vec<Append>,
    /// Where the log was when the schedule began: all schedules share one.
    base: i64,
}

impl Run {
    fn build(&self, ask: &Ask) -> Append {
        let version = |number: usize, off: i64| (self.model.version(self.streams[number]) + off).max(0);
        let slots = ask.slots.iter().map(|(number, off, events)| {
            let events = (0..*events).map(|_| event()).collect();
            let mut slot = to(self.streams[*number], version(*number, *off), events);
            slot.close = ask.close;
            slot
        });
        let guards = ask.guard.iter().map(|(number, off)| Guard {
            stream: self.streams[*number],
            version: Version::new(version(*number, *off)),
        });
        Append { guards: guards.collect(), ..append(slots.collect()) }
    }

    async fn step(&mut self, step: &Step, world: &World) -> Result<(), TestCaseError> {
        match step {
            Step::Append(ask) => {
                let append = self.build(ask);
                let answer = self.logs[ask.log].append(append.clone()).await;
                self.explain(&append, &answer)?;
                self.asked.push(append);
            }
            Step::Together(asks) => self.together(asks).await?,
            Step::Repeat(number) if !self.asked.is_empty() => {
                let append = self.asked[number % self.asked.len()].clone();
                let answer = self.logs[number % 2].append(append.clone()).await;
                self.explain(&append, &answer)?;
            }
            Step::Repeat(_) => {}
            Step::ReadStream(number, after) => {
                let read =
                    self.logs[0].read_stream(self.streams[*number], Version::new(*after)).await.unwrap();
                self.same(&read, |(stream, version, _)| *stream == self.streams[*number] && version > after)?;
            }
            Step::ReadCorrelation(number) => {
                let id: CorrelationId = correlation_of(self.streams[*number]);
                let up_to = Position::new(self.base + self.model.head());
                let read = self.logs[1].read_correlation(id, Position::START, up_to).await.unwrap();
                self.same(&read, |(stream, ..)| *stream == self.streams[*number])?;
            }
            Step::Feed(after, limit) => {
                let read = self.logs[1].feed(Position::new(self.base + after), *limit).await.unwrap();
                let mut number = 0;
                let page = *after..after + i64::try_from(*limit).unwrap();
                let in_page = read.len() <= *limit
                    && read.iter().all(|event| page.contains(&(event.position.get() - self.base - 1)));
                prop_assert!(in_page);
                let model = self.model.events.iter().filter(|_| {
                    number += 1;
                    page.contains(&(number - 1))
                });
                prop_assert!(
                    model
                        .map(|event| (event.0, event.1))
                        .eq(read.iter().map(|event| (event.stream, event.version.get())))
                );
            }
            Step::CutConnections => kill_appenders(world.pool()).await,
        }
        Ok(())
    }

    /// Concurrent appends may be recorded in any order; the model takes them in the order of their answers'
    /// positions, and then what was refused must be refused by the state before or after.
    async fn together(&mut self, asks: &[Ask]) -> Result<(), TestCaseError> {
        let appends: Vec<_> = asks.iter().map(|ask| self.build(ask)).collect();
        let calls = asks.iter().zip(&appends).map(|(ask, append)| self.logs[ask.log].append(append.clone()));
        let answers = futures::future::join_all(calls).await;
        let refusable = |model: &Model, append: &Append| {
            let expected = append.streams.iter().map(|slot| (slot.stream, slot.expected.version()));
            let guarded = append.guards.iter().map(|guard| (guard.stream, guard.version));
            let moved = |(stream, version): (StreamId, Version)| model.version(stream) != version.get();
            expected.chain(guarded).any(moved)
                || append.streams.iter().any(|slot| model.closed.contains(&slot.stream))
        };
        let refused: Vec<_> = appends.iter().zip(&answers).filter(|(_, answer)| answer.is_err()).collect();
        let before: Vec<_> = refused.iter().map(|(append, _)| refusable(&self.model, append)).collect();
        let mut written: Vec<_> = appends.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).collect();
        written.sort_by_key(|(_, answer)| answer.as_ref().map(|appended| appended.first).ok());
        for (append, answer) in written {
            self.explain(append, answer)?;
        }
        for ((append, _), before) in refused.into_iter().zip(before) {
            prop_assert!(before || refusable(&self.model, append), "{append:?} was refused for nothing");
        }
        self.asked.extend(appends);
        Ok(())
    }

    fn explain(
        &mut self,
        append: &Append,
        answer: &Result<slipstream_eventlog::Appended, AppendError>,
    ) -> Result<(), TestCaseError> {
        let position = |position: Position| position.get() - self.base;
        let told = match answer {
            Ok(done) => Expectation::Written { first: position(done.first), last: position(done.last) },
            Err(AppendError::Duplicate(done)) => {
                Expectation::Duplicate { first: position(done.first), last: position(done.last) }
            }
            Err(AppendError::Conflict { stream, .. } | AppendError::Closed { stream }) => {
                Expectation::Refused(vec![*stream])
            }
            Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        if let Err(AppendError::Conflict { stream, actual }) = answer {
            prop_assert_eq!(actual.get(), self.model.version(*stream));
        }
        match (self.model.append(append), told) {
            (Expectation::Refused(any), Expectation::Refused(named)) => prop_assert!(any.contains(&named[0])),
            (expected, told) => prop_assert_eq!(expected, told),
        }
        if let Ok(done) = answer {
            let versions = append
                .streams
                .iter()
                .map(|slot| (slot.stream, Version::new(self.model.version(slot.stream))));
            prop_assert!(versions.eq(done.versions.iter().copied()));
        }
        Ok(())
    }

    fn same(
        &self,
        read: &[Recorded],
        wanted: impl Fn(&(StreamId, i64, CommandId)) -> bool,
    ) -> Result<(), TestCaseError> {
        let model = self.model.events.iter().zip(self.base + 1..).filter(|(event, _)| wanted(event));
        let model: Vec<_> = model
            .map(|((stream, version, command), position)| (position, *stream, *version, *command))
            .collect();
        let read: Vec<_> = read
            .iter()
            .map(|event| (event.position.get(), event.stream, event.version.get(), event.command_id))
            .collect();
        prop_assert_eq!(model, read);
        Ok(())
    }
}

#[test]
fn the_log_behaves_like_its_model() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let other = runtime.block_on(async { world.another(LogOptions::default()) });
    let mut runner = TestRunner::new(Config {
        cases: 60,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    });
    let schedules = prop::collection::vec(step(), 1..40);

    let result = runner.run(&schedules, |schedule| {
        runtime.block_on(async {
            let mut run = Run {
                model: Model::default(),
                streams: (0..STREAMS).map(|_| stream()).collect(),
                logs: [world.log.clone(), other.log.clone()],
                asked: Vec::new(),
                base: world.log.head().await.unwrap().position.get(),
            };
            for step in &schedule {
                run.step(step, &world).await?;
            }
            Ok(())
        })
    });
    result.unwrap();

    runtime.block_on(async {
        assert_clean(&world.log).await;
        other.stop().await;
        world.end().await;
    });
}
