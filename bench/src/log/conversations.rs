//! A rebuild: real conversations in the log, read models that begin at its start, and the time until they have it all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::future::try_join_all;
use secrecy::SecretString;
use serde_json::json;
use slipstream_commands::{
    Chunks, Commands, EmailPepper, Opened, Place, PostRequest, finish_generation, open_generation,
    post_message, record_chunks, register_user, upcasters,
};
use slipstream_domain::event::{MessageContent, RegistrationVia, TerminalContent};
use slipstream_domain::{
    EmailAddress, Ending, ModelId, OnBusy, Params, Part, Prompt, ProviderId, Run, TerminalStatus, WorkerId,
};
use slipstream_eventlog::{EventLog, LogOptions as EventLogOptions, Position};
use slipstream_local::{EnvironmentKeys, InProcessBus, SystemClock, UuidV7Ids};
use slipstream_projections::{READ_MODELS, Runner};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::cli::LogOptions;
use crate::report::{Row, Target, count, median};
use crate::server::{Database, Server};

const NAME: &str = "rebuild of all read models at once";
/// Users that talk at the same time.
const USERS: usize = 32;
/// `ChunksRecorded` of a reply: five seconds of one.
const RECORDS: u64 = 10;
/// Text of each.
const TEXT: &str = "The sky is blue because air scatters short waves of light more than long ones. ";

pub(crate) async fn measure(server: &Server, options: &LogOptions) -> Result<Vec<Row>> {
    if !NAME.contains(&options.only) {
        return Ok(Vec::new());
    }
    let (rounds, chats) = if options.quick { (1, 2) } else { (options.rounds, 60) };
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let database = server.fresh("slipstream_bench_log").await?;
        database.migrate().await?;
        rates.push(round(&database, chats).await?);
        server.forget(database).await?;
    }
    eprintln!("{NAME}: measured");
    let details = json!({ "rounds": rates, "readModels": READ_MODELS.len() });
    Ok(vec![Row::new(NAME, median(rates), "events/s", Some(Target::AtLeast(30_000.0)), details)])
}

async fn round(database: &Database, chats: usize) -> Result<f64> {
    let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
    let options = EventLogOptions { upcasters: upcasters(), ..EventLogOptions::default() };
    let log = EventLog::start(database.pool.clone(), options, &tasks, drain.clone());
    let app = Commands::new(
        log.clone(),
        Arc::new(SystemClock::new()),
        Arc::new(UuidV7Ids::new()),
        Arc::new(EnvironmentKeys::default()),
        Arc::new(InProcessBus::new()),
        EmailPepper::new(SecretString::from("pepper of the benchmark")),
    );
    try_join_all((0..USERS).map(|number| talk(&app, number, chats))).await?;
    let head = log.head().await?.position;

    let begin = Instant::now();
    let (reading, enough) = (TaskTracker::new(), CancellationToken::new());
    Runner::new(log.clone(), Uuid::now_v7()).start(&reading, enough.clone());
    until_read(&log, head).await?;
    let took = begin.elapsed();
    for (tasks, drain) in [(reading, enough), (tasks, drain)] {
        drain.cancel();
        tasks.close();
        tasks.wait().await;
    }
    Ok(count(head.get()) / took.as_secs_f64())
}

async fn until_read(log: &EventLog, head: Position) -> Result<()> {
    loop {
        let models = log.projectors().await?;
        if models.iter().filter(|model| model.position >= head).count() == READ_MODELS.len() {
            return Ok(());
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// A user's chats, each a question and a whole reply.
async fn talk(app: &Commands, number: usize, chats: usize) -> Result<()> {
    let email = EmailAddress::parse(&format!("bench-{number}@example.com"))?;
    let user = register_user(app, &email, RegistrationVia::Development, None).await?;
    for _ in 0..chats {
        let request = PostRequest {
            actor: user,
            conversation: Place::New(app.new_conversation_id()),
            generation_id: app.new_generation_id(),
            client_message_id: None,
            parent_message_id: None,
            attachment_ids: Vec::new(),
            content: MessageContent {
                text: Prompt::parse("Why is the sky blue?".to_owned())?,
                metadata: None,
            },
            provider: ProviderId::simulated(),
            model: ModelId::parse("bench")?,
            params: Params::default(),
            system_prompt: None,
            on_busy: OnBusy::Reject,
        };
        let posted = post_message(app, request).await?;
        let Opened::Mine(mut own) =
            open_generation(app, posted.generation_id, WorkerId::from_uuid(Uuid::nil())).await?
        else {
            bail!("a generation of our own is somebody else's");
        };
        for record in 0..RECORDS {
            let run = Run::delta(
                own.last_seq().next(),
                Part::Text,
                record * u64::try_from(TEXT.len())?,
                TEXT.to_owned(),
            );
            record_chunks(app, &mut own, Chunks { runs: vec![run], carried: false, thinking_ms: None })
                .await?;
        }
        let mut ending = Ending::without_output(TerminalStatus::Completed, None, TerminalContent::default());
        ending.terminal.final_seq = own.last_seq();
        finish_generation(app, &mut own, ending).await?;
    }
    Ok(())
}
