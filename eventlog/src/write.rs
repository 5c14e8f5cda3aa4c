//! Sends batches to `es.append_batch`, the smallest to `es.append_one`, over a connection of its own: binds, resends,
//! bisects.
//!
//! A batch is one statement, one round trip and one commit, durable before it is answered. After a lost
//! connection the same batch is sent again: `es.command` knows which of its calls the first try has written.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};

use crate::{Position, StreamId, Version, encode::Encoded};

mod answer;
mod columns;
mod one;

use answer::Answer;
use columns::Columns;
use one::One;

/// How long a batch is sent again and again before its appends are answered `Unavailable`: longer than a
/// PostgreSQL restart on a small log, shorter than callers' patience.
const RESEND_FOR: Duration = Duration::from_secs(5);
/// When a server that neither answers nor hangs up is given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// What became of one append.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Written {
        first: Position,
        recorded_at: OffsetDateTime,
    },
    /// Its command was recorded by another call.
    Known {
        first: Position,
        last: Position,
        recorded_at: OffsetDateTime,
    },
    Conflict {
        stream: StreamId,
        actual: Version,
    },
    Closed(StreamId),
    OtherCategory(StreamId),
    Refused {
        sqlstate: String,
    },
    Failed(Arc<sqlx::Error>),
}

/// Appends that are sent together, with their places in the batch.
type Part<'a> = Vec<(usize, &'a Encoded)>;

/// What is sent.
enum Call<'a> {
    One(One<'a>),
    Batch(Box<Columns<'a>>),
}

impl<'a> Call<'a> {
    fn of(part: &[(usize, &'a Encoded)]) -> Self {
        let one = match part {
            [(_, append)] => One::of(append),
            _ => None,
        };
        one.map_or_else(
            || Self::Batch(Box::new(Columns::of(part.iter().map(|(_, append)| *append)))),
            Self::One,
        )
    }
}

/// The one connection that appends.
pub(crate) struct Writer {
    pool: PgPool,
    connection: Option<PgConnection>,
}

impl Writer {
    /// Connects when it first has to; `pool` only says where to.
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, connection: None }
    }

    /// Writes a batch and says what became of each append, in order. One that cannot be written is taken out, and the
    /// others are sent without it. Data that the database refuses is narrowed down by halves, so that it hurts its own
    /// append only.
    pub(crate) async fn write(&mut self, batch: &[Arc<Encoded>]) -> Vec<Verdict> {
        let mut verdicts = BTreeMap::new();
        let mut parts: Vec<Part<'_>> = vec![batch.iter().map(|append| &**append).enumerate().collect()];
        while let Some(mut part) = parts.pop() {
            match self.send(&part).await {
                Ok(Answer::Written { mut first, recorded_at }) => {
                    for (place, append) in part {
                        verdicts.insert(place, Verdict::Written { first, recorded_at });
                        first = append.last(first).next();
                    }
                }
                Ok(Answer::Settled(mut settled)) => {
                    let mut others = Vec::new();
                    for ((place, append), number) in part.into_iter().zip(1..) {
                        if let Some(verdict) = settled.remove(&number) {
                            verdicts.insert(place, verdict);
                        } else {
                            others.push((place, append));
                        }
                    }
                    if !others.is_empty() {
                        parts.push(others);
                    }
                }
                Err(error) => match refused_data(&error) {
                    Some(_) if part.len() > 1 => {
                        let later = part.split_off(part.len() / 2);
                        parts.extend([later, part]);
                    }
                    Some(sqlstate) => answer_all(&part, &Verdict::Refused { sqlstate }, &mut verdicts),
                    None => {
                        let (error, appends) = (Arc::new(error), part.len());
                        tracing::warn!(error = &*error as &dyn std::error::Error, appends, "batch failed");
                        answer_all(&part, &Verdict::Failed(error), &mut verdicts);
                    }
                },
            }
        }
        verdicts.into_values().collect()
    }

    async fn send(&mut self, part: &[(usize, &Encoded)]) -> Result<Answer, sqlx::Error> {
        let call = Call::of(part);
        let give_up = Instant::now() + RESEND_FOR;
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match timeout(ANSWER_WITHIN, self.call(&call)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => io::Error::from(io::ErrorKind::TimedOut).into(),
            };
            if !connection_lost(&error) {
                return Err(error);
            }
            self.connection = None;
            if Instant::now() >= give_up {
                return Err(error);
            }
            tracing::info!(error = &error as &dyn std::error::Error, "connection lost, batch is sent again");
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn call(&mut self, call: &Call<'_>) -> Result<Answer, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.pool).await?),
        };
        match call {
            Call::One(one) => one.append(connection).await,
            Call::Batch(columns) => columns.append_batch(connection).await,
        }
    }

    /// Says goodbye to the server.
    pub(crate) async fn close(self) {
        if let Some(connection) = self.connection {
            // The server notices a closed socket as well.
            drop(connection.close().await);
        }
    }
}

fn answer_all(part: &[(usize, &Encoded)], verdict: &Verdict, verdicts: &mut BTreeMap<usize, Verdict>) {
    verdicts.extend(part.iter().map(|(place, _)| (*place, verdict.clone())));
}

/// The settings of the appending connection: commits are durable whatever the server's default is, and the
/// function's statements are planned once, as index probes from arrays; a plan made while the tables were
/// empty must still be right when they are not.
async fn connect(pool: &PgPool) -> Result<PgConnection, sqlx::Error> {
    let options = (*pool.connect_options()).clone().application_name("slipstream append").options([
        ("synchronous_commit", "on"),
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("jit", "off"),
    ]);
    options.connect().await
}

/// The SQLSTATE, if the database found fault with the data (class 22) or a constraint (class 23).
fn refused_data(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    (code.starts_with("22") || code.starts_with("23")).then(|| code.into_owned())
}

/// Whether nobody can know if the statement was committed, and a new connection may tell: the socket broke
/// or the server was shut down, crashed (57P01, 57P02) or is starting (57P03).
fn connection_lost(error: &sqlx::Error) -> bool {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
        Some(code) => code.starts_with("57P") || code.starts_with("08"),
        None => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)),
    }
}
