//! What the clients have, held against what the log has, and against what the service shows of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use secrecy::SecretString;
use serde_json::Value;
use slipstream_commands::upcasters;
use slipstream_domain::{GenerationId, Part};
use slipstream_eventlog::{EventLog, LogOptions};
use slipstream_projections::{GenerationLog, generation_log};
use slipstream_testkit::http_get;
use slipstream_vault::{MasterKeys, Vault};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{Acknowledged, Story};
use crate::fault::Fault;
use crate::node::slipstream;
use crate::site::{Site, master_key};
use crate::tally::{Count, Tally};

/// Within this time the read models have everything that was recorded.
const SHOWN: Duration = Duration::from_secs(30);
/// Stories looked at at once: enough for both sides to be busy.
const AT_ONCE: usize = 8;

/// Looks at every story, and at the log as a whole.
pub(crate) async fn check(site: &Site, fault: Fault, stories: &[Story]) -> Result<Tally> {
    let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
    let pool = PgPool::connect(site.database_url()).await?;
    let masters = MasterKeys::parse(&SecretString::from(master_key()))?;
    let key_ring = Arc::new(Vault::new(pool.clone(), masters).key_ring());
    let options = LogOptions { upcasters: upcasters(), key_ring, ..LogOptions::default() };
    let log = EventLog::start(pool.clone(), options, &tasks, drain.clone());
    let looks = stories.iter().map(|story| look(site, &log, fault, stories.len(), story));
    let looks: Vec<_> = futures::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    drain.cancel();
    tasks.close();
    tasks.wait().await;
    pool.close().await;
    let mut tally = Tally::default();
    for look in looks {
        tally.add(look?);
    }
    let verified = slipstream(&["log", "verify"], site.settings()).output().await?;
    if !verified.status.success() {
        tally.found(Count::Broken, format!("the log: {}", String::from_utf8_lossy(&verified.stdout)));
    }
    Ok(tally)
}

async fn look(site: &Site, log: &EventLog, fault: Fault, clients: usize, story: &Story) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut found = |count, what: String| {
        tally.found(count, format!("{}, {:?}: {what}{}", story.email, story.conversation, story.trace()));
    };
    if let Some(what) = &story.broken {
        found(Count::Broken, what.clone());
    }
    for _ in story.asked.iter().filter(|asked| asked.acknowledged.is_none()) {
        found(Count::Unended, "a question was never acknowledged".to_owned());
    }
    for delay in story.delays().filter(|delay| *delay > fault.may_delay(clients)) {
        found(Count::Late, format!("a reply ended {delay:?} late"));
    }
    for promise in story.promises() {
        let told = generation_log(log, id(promise)?).await?;
        for (count, what) in compare(fault, story, promise, &told) {
            found(count, format!("{}: {what}", promise.generation));
        }
    }
    if let Err(what) = shown(site, log, story).await {
        found(Count::Forgotten, format!("{what:#}"));
    }
    tally.replies = story.promises().count();
    tally.slowest = story.delays().max().unwrap_or_default();
    Ok(tally)
}

/// What is wrong with one reply.
fn compare(
    fault: Fault,
    story: &Story,
    promise: &Acknowledged,
    told: &GenerationLog,
) -> Vec<(Count, String)> {
    let reply = story.client.reply(&promise.generation);
    let end = reply.and_then(|reply| reply.terminal());
    let (Some(reply), Some(end), Some((status, _))) = (reply, end, &told.terminal) else {
        // The client has stopped looking for another reason, which is told elsewhere.
        let known = end.is_none() && told.terminal.is_some() && story.broken.is_some();
        let what = format!("it has no end: the log has {:?}, the client {end:?}", told.terminal);
        return if known { Vec::new() } else { vec![(Count::Unended, what)] };
    };
    let mut wrong = Vec::new();
    let parts = [(Part::Text, reply.text()), (Part::Thinking, reply.thinking())];
    for (part, seen) in parts {
        let recorded = recorded(told, part);
        if seen != recorded {
            let count = if seen.len() > recorded.len() { Count::Repeated } else { Count::Lost };
            wrong.push((count, format!("of {part:?} the client has {seen:?}, the log {recorded:?}")));
        }
    }
    match (status.as_str(), end["status"].as_str()) {
        ("completed", Some("completed")) => {}
        ("interrupted", Some("interrupted")) if fault.may_interrupt() => {
            wrong.push((Count::Interrupted, String::new()));
        }
        (recorded, shown) => {
            wrong.push((Count::Broken, format!("it ended as {recorded}, and was shown as {shown:?}")));
        }
    }
    wrong
}

/// Waits until a page that is loaded anew shows every question once, and its reply as recorded.
async fn shown(site: &Site, log: &EventLog, story: &Story) -> Result<()> {
    let Some(conversation) = &story.conversation else { return Ok(()) };
    let path = format!("/v1/conversations/{conversation}/messages?email={}&limit=200", story.email);
    let gateway = site.gateways()[0];
    let begin = Instant::now();
    loop {
        let (status, page) = http_get(gateway, &path).await?;
        let wrong =
            if status == 200 { difference(log, story, &page).await } else { bail!("{status}: {page}") };
        match wrong {
            Err(_) if begin.elapsed() < SHOWN => sleep(Duration::from_millis(100)).await,
            wrong => return wrong,
        }
    }
}

async fn difference(log: &EventLog, story: &Story, page: &Value) -> Result<()> {
    let items = page["items"].as_array().context("no messages")?;
    let once = |name: &str, id: &str| {
        let mut these = items.iter().filter(|item| item[name] == id);
        match (these.next(), these.next()) {
            (Some(item), None) => Ok(item),
            (one, _) => {
                bail!("{name} {id} is there {} in {page}", if one.is_some() { "twice" } else { "never" })
            }
        }
    };
    for promise in story.promises() {
        once("id", &promise.message)?;
        let reply = once("generationId", &promise.generation)?;
        let told = generation_log(log, id(promise)?).await?;
        let status = told.terminal.as_ref().map(|(status, _)| status.as_str());
        let text = reply["text"].as_str().unwrap_or_default();
        if reply["status"].as_str() != status || text != recorded(&told, Part::Text) {
            bail!("the log has {:?} ({status:?}), shown is {reply}", recorded(&told, Part::Text));
        }
    }
    let unacknowledged = story.asked.len() - story.promises().count();
    let questions = items.iter().filter(|item| item["role"] == "user").count();
    if questions > story.promises().count() + unacknowledged {
        bail!("{questions} questions are shown, {} were asked: {page}", story.asked.len());
    }
    Ok(())
}

fn id(promise: &Acknowledged) -> Result<GenerationId> {
    promise.generation.parse().ok().with_context(|| format!("{} is no id", promise.generation))
}

fn recorded(told: &GenerationLog, part: Part) -> String {
    let runs = told.outputs.iter().map(|output| &output.run);
    runs.filter(|run| run.part == part).map(|run| run.text.as_str()).collect()
}
