//! Erasing a person: whatever is cut short, nothing of them is left in the end, and nothing of anybody else is missing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use slipstream_commands::attachments::Announce;
use slipstream_commands::{
    AttachmentSettings, Attachments, Chunks, CommandError, Commands, EmailPepper, Opened, Place, PostRequest,
    ReadyFile, find_user, finish_generation, open_generation, post_message, record_chunks, register_user,
    upcasters,
};
use slipstream_domain::attachment::Usage;
use slipstream_domain::event::{FailReason, MessageContent, RegistrationVia, TerminalContent};
use slipstream_domain::{
    ConversationId, EmailAddress, Ending, FileName, MediaType, ModelId, OnBusy, Origin, Params, Part, Prompt,
    ProviderId, Run, Seq, TerminalStatus, UserId, WorkerId,
};
use slipstream_eventlog::{EventLog, LogOptions, Position, Unsealed, Verification};
use slipstream_local::{EnvironmentKeys, InProcessBus, SystemClock, UuidV7Ids};
use slipstream_projections::{ReadModels, Runner, transcript};
use slipstream_testkit::file_store;
use slipstream_vault::Vault;
use slipstream_workers::{Erasure, ErasureError, ErasureStep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(20);
const PLANTED: &str = "planted";

/// One process on the database.
struct Process {
    app: Commands,
    vault: Vault,
    models: ReadModels,
    files: Attachments,
    tasks: TaskTracker,
    drain: CancellationToken,
}

impl Process {
    async fn start(world: &World) -> Self {
        let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
        let vault = world.vault().await;
        let options = LogOptions {
            key_ring: Arc::new(vault.key_ring()),
            upcasters: upcasters(),
            ..LogOptions::default()
        };
        let log = EventLog::start(world.database.pool().clone(), options, &tasks, drain.clone());
        Runner::new(log.clone(), Uuid::new_v4()).start(&tasks, drain.clone());
        let app = Commands::new(
            log.clone(),
            Arc::new(SystemClock::new()),
            Arc::new(UuidV7Ids::new()),
            Arc::new(EnvironmentKeys::default()),
            Arc::new(InProcessBus::new()),
            EmailPepper::new("pepper".into()),
        );
        let blobs = file_store(world.files.path());
        let files = Attachments::new(app.clone(), blobs, AttachmentSettings::default());
        Self { app, vault, models: ReadModels::new(log), files, tasks, drain }
    }

    async fn stop(self) {
        self.drain.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn erasure(&self, patience: Duration) -> Erasure {
        let (app, vault) = (self.app.clone(), Arc::new(self.vault.clone()));
        Erasure::new(app, vault, self.files.clone(), self.models.clone(), patience)
    }

    async fn register(&self, email: &str) -> UserId {
        register_user(&self.app, &address(email), RegistrationVia::Service, None).await.unwrap()
    }

    async fn ask(&self, actor: UserId, prompt: &str) -> Result<(ConversationId, Opened), CommandError> {
        let request = PostRequest {
            actor,
            conversation: Place::New(self.app.new_conversation_id()),
            generation_id: self.app.new_generation_id(),
            client_message_id: None,
            parent_message_id: None,
            attachment_ids: Vec::new(),
            content: MessageContent { text: Prompt::parse(prompt.into()).unwrap(), metadata: None },
            provider: ProviderId::simulated(),
            model: ModelId::parse("m").unwrap(),
            params: Params::default(),
            system_prompt: None,
            on_busy: OnBusy::Reject,
        };
        let posted = post_message(&self.app, request).await?;
        let worker = WorkerId::from_uuid(Uuid::new_v4());
        Ok((posted.conversation_id, open_generation(&self.app, posted.generation_id, worker).await?))
    }

    /// Somebody uploads a file.
    async fn upload(&self, actor: UserId, name: &str) -> ReadyFile {
        let announce = Announce {
            actor,
            conversation_id: None,
            draft_id: None,
            batch_id: None,
            origin: Origin::Upload,
            filename: FileName::parse(name).unwrap(),
            mime: MediaType::parse("text/plain").unwrap(),
            size: None,
            source_url: None,
        };
        let bytes = futures::stream::iter([Ok(Bytes::from_static(b"text"))]).boxed();
        let reason = FailReason::FetchFailed;
        self.files.store_file(&announce, Usage::default(), bytes, reason).await.unwrap()
    }

    async fn is_stored(&self, file: &ReadyFile) -> bool {
        self.files.store().head(&file.blob().unwrap().key).await.is_ok()
    }

    /// Somebody asks and is answered.
    async fn chat(&self, actor: UserId, prompt: &str, reply: &str) -> ConversationId {
        let (conversation, Opened::Mine(mut own)) = self.ask(actor, prompt).await.unwrap() else {
            panic!("somebody else has it")
        };
        let runs = vec![Run::delta(Seq(1), Part::Text, 0, reply.into())];
        record_chunks(&self.app, &mut own, Chunks { runs, carried: false, thinking_ms: None }).await.unwrap();
        let mut end =
            Ending::without_output(TerminalStatus::Completed, None, TerminalContent::of_text(reply));
        end.terminal.final_seq = Seq(1);
        finish_generation(&self.app, &mut own, end).await.unwrap();
        conversation
    }

    async fn texts(&self, user: UserId, conversation: ConversationId) -> Option<Vec<String>> {
        let page = transcript::messages(&self.models, user, conversation, None, 10).await.unwrap()?;
        Some(page.items.into_iter().map(|message| message.text.unwrap()).collect())
    }
}

fn address(email: &str) -> EmailAddress {
    EmailAddress::parse(email).unwrap()
}

/// Rows of any read model, and events, in which planted text stands.
async fn rows_with_planted_text(world: &World) -> i64 {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname LIKE 'rm\\_%' OR schemaname = 'es'",
    )
    .fetch_all(world.database.pool())
    .await
    .unwrap();
    let mut found = 0;
    for table in tables {
        let sql = format!("SELECT count(*) FROM {table} AS row WHERE row::text LIKE '%{PLANTED}%'");
        let count: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(world.database.pool()).await.unwrap();
        found += count;
    }
    found
}

/// What must hold of Ann and Bob once Ann is erased.
async fn ann_is_gone_and_bob_is_there(
    world: &World,
    process: &Process,
    ann: UserId,
    bob: (UserId, ConversationId),
) {
    assert_eq!(rows_with_planted_text(world).await, 0);
    assert_eq!(process.texts(bob.0, bob.1).await.unwrap(), ["from bob", "to bob"]);
    for event in process.app.log().feed(Position::START, 1000).await.unwrap() {
        let of_ann = event.owner.is_some_and(|owner| owner.as_uuid() == ann.as_uuid());
        let sealed = event.payload.expect("it is readable or erased, not forged").sealed;
        assert_eq!(sealed == Some(Unsealed::Erased), of_ann && sealed.is_some(), "{}", event.event_type);
    }
    let report = process.app.log().verify(Verification::default(), |_| ()).await.unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[tokio::test]
async fn an_erasure_that_was_cut_short_anywhere_is_done_by_the_next_one() {
    for cut in 0..=ErasureStep::ALL.len() {
        let world = World::new().await;
        let before = Process::start(&world).await;
        let (ann, bob) =
            (before.register("planted@example.com").await, before.register("bob@example.com").await);
        before.chat(ann, "planted by ann", "planted for ann").await;
        let of_bob = before.chat(bob, "from bob", "to bob").await;
        let files = (before.upload(ann, "planted.txt").await, before.upload(bob, "bob.txt").await);
        let cut_short = before.erasure(PATIENCE);
        for step in &ErasureStep::ALL[..cut] {
            cut_short.step(ann, *step).await.unwrap();
        }
        before.stop().await;

        let after = Process::start(&world).await;
        after.erasure(PATIENCE).run(ann).await.unwrap();
        ann_is_gone_and_bob_is_there(&world, &after, ann, (bob, of_bob)).await;
        assert!(!after.is_stored(&files.0).await && after.is_stored(&files.1).await);
        assert!(matches!(after.ask(ann, "again").await, Err(CommandError::Erased)));
        assert_eq!(find_user(&after.app, &address("planted@example.com")).await.unwrap(), None);
        assert_ne!(after.register("planted@example.com").await, ann, "the address is free, the id is not");
        after.erasure(PATIENCE).run(ann).await.unwrap();
        after.stop().await;
        world.end().await;
    }
}

#[tokio::test]
async fn read_models_that_are_built_anew_after_an_erasure_show_everybody_else() {
    let world = World::new().await;
    let process = Process::start(&world).await;
    let (ann, bob) =
        (process.register("planted@example.com").await, process.register("bob@example.com").await);
    process.chat(ann, "planted by ann", "planted for ann").await;
    let of_bob = process.chat(bob, "from bob", "to bob").await;
    process.erasure(PATIENCE).run(ann).await.unwrap();
    process.stop().await;

    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname LIKE 'rm\\_%'",
    )
    .fetch_all(world.database.pool())
    .await
    .unwrap();
    let emptied = format!("TRUNCATE {}", tables.join(", "));
    sqlx::query(sqlx::AssertSqlSafe(emptied)).execute(world.database.pool()).await.unwrap();
    world.sql("UPDATE es.projector SET position = 0").await;

    let again = Process::start(&world).await;
    again.erasure(PATIENCE).step(ann, ErasureStep::AwaitReadModels).await.unwrap();
    assert_eq!(world.sql("SELECT FROM es.parked").await, 0, "nothing of an erased person is a fault");
    ann_is_gone_and_bob_is_there(&world, &again, ann, (bob, of_bob)).await;
    again.stop().await;
    world.end().await;
}

#[tokio::test]
async fn an_erasure_waits_for_replies_and_says_when_nobody_ends_them() {
    let world = World::new().await;
    let process = Process::start(&world).await;
    let ann = process.register("planted@example.com").await;
    let (_, Opened::Mine(mut own)) = process.ask(ann, "planted").await.unwrap() else { panic!("not ours") };

    let refused = process.erasure(Duration::ZERO).run(ann).await.unwrap_err();
    assert!(matches!(refused, ErasureError::Replies(1)), "{refused}");
    own.refresh(&process.app).await.unwrap();
    assert!(own.cancel_requested());
    let end = Ending::without_output(TerminalStatus::Cancelled, None, TerminalContent::of_text(""));
    finish_generation(&process.app, &mut own, end).await.unwrap();
    process.erasure(PATIENCE).run(ann).await.unwrap();
    assert_eq!(rows_with_planted_text(&world).await, 0);
    process.stop().await;
    world.end().await;
}

#[tokio::test]
async fn nobody_is_not_erased() {
    let world = World::new().await;
    let process = Process::start(&world).await;
    let nobody = UserId::from_uuid(Uuid::new_v4());
    let refused = process.erasure(PATIENCE).run(nobody).await.unwrap_err();
    assert!(matches!(refused, ErasureError::Command(CommandError::NotFound("user"))), "{refused}");
    assert_eq!(world.sql("SELECT FROM vault.data_key WHERE destroyed_at IS NOT NULL").await, 0);
    process.stop().await;
    world.end().await;
}
