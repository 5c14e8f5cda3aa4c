//! The events of a generation in words.

use slipstream_domain::event::{ChunksRecorded, GenerationEvent, GenerationRequested, Terminal};
use slipstream_domain::{KeySource, Part, Sealed, TerminalStatus, WorkerId};
use time::Duration;
use uuid::Uuid;

use super::{ERASED, Told, params, push, word};

/// `waited`: since it was asked for.
pub(super) fn told(id: Uuid, event: &GenerationEvent, waited: Duration) -> Told {
    let after = format!(", {:.3} s after it was asked for", waited.as_seconds_f64());
    match event {
        GenerationEvent::GenerationRequested(request) => requested(id, request),
        GenerationEvent::GenerationStarted(start) => Told::plain(format!(
            "worker {} begins generation {id} (epoch {}){after}",
            start.worker, start.epoch.0
        )),
        GenerationEvent::GenerationTakenOver(taken) if taken.worker == WorkerId::NOBODY => {
            Told::plain(format!(
                "its worker lets generation {id} go (epoch {}) after delta {}{after}",
                taken.epoch.0, taken.last_seq.0
            ))
        }
        GenerationEvent::GenerationTakenOver(taken) => Told::plain(format!(
            "worker {} takes generation {id} over (epoch {}) after delta {}{after}",
            taken.worker, taken.epoch.0, taken.last_seq.0
        )),
        GenerationEvent::ChunksRecorded(chunks) => streamed(id, chunks, &after),
        GenerationEvent::CancelRequested(cancel) => {
            Told::plain(format!("user {} stops generation {id}{after}", cancel.by))
        }
        GenerationEvent::GenerationCompleted(end) => ended(id, TerminalStatus::Completed, end, &after),
        GenerationEvent::GenerationCancelled(end) => ended(id, TerminalStatus::Cancelled, end, &after),
        GenerationEvent::GenerationInterrupted(end) => ended(id, TerminalStatus::Interrupted, end, &after),
        GenerationEvent::GenerationFailed(end) => ended(id, TerminalStatus::Failed, end, &after),
    }
}

fn requested(id: Uuid, request: &GenerationRequested) -> Told {
    let key = match request.key_source {
        KeySource::Own { key_id } => format!("the user's own key {key_id}"),
        KeySource::Server => "the operator's key".to_owned(),
        KeySource::None => "no key (the simulated provider, or an address that needs none)".to_owned(),
    };
    let told = Told::plain(format!(
        "{} / {} is asked for a {} reply (generation {id}, message {}) with {key}{}",
        request.provider,
        request.model,
        word(&request.kind),
        request.message_id,
        params(&request.params)
    ));
    match &request.content {
        Sealed::Open(content) => told.under(content.system_prompt.as_ref()),
        Sealed::Erased => told.saying("under the instructions", ERASED),
    }
}

fn streamed(id: Uuid, chunks: &ChunksRecorded, after: &str) -> Told {
    let carried = if chunks.carried { ", found in the stream state of the owner before" } else { "" };
    let told = Told::plain(format!(
        "deltas {} to {} of generation {id} (epoch {}{carried}){after}",
        chunks.from_seq.0, chunks.to_seq.0, chunks.epoch.0
    ));
    match chunks.runs() {
        Ok(Sealed::Open(runs)) => runs.into_iter().fold(told, |told, run| {
            let label = format!("{} {} to {}", part(run.part), run.from.0, run.to().0);
            match run.attachment {
                Some(attachment) => told.saying(label, format!("(attachment {attachment})")),
                None => told.saying(label, run.text),
            }
        }),
        Ok(Sealed::Erased) => told.saying("streamed", ERASED),
        Err(malformed) => told.saying("streamed", format!("(cannot be read: {malformed})")),
    }
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Text => "text",
        Part::Thinking => "thinking",
        Part::Image => "image",
    }
}

fn ended(id: Uuid, status: TerminalStatus, end: &Terminal, after: &str) -> Told {
    let mut what = format!("generation {id} ends: {}, {} deltas{after}", word(&status), end.final_seq.0);
    if let Some(reason) = &end.finish_reason {
        push(&mut what, format_args!("; the model stopped: {}", word(reason)));
    }
    if let Some(error) = &end.error {
        push(&mut what, format_args!("; error: {}", word(&error.class)));
    }
    push(&mut what, format_args!("; {} calls", end.attempts));
    if let Some(usage) = &end.usage {
        push(
            &mut what,
            format_args!(
                "; tokens: {} in, {} out, {} together ({})",
                usage.input,
                usage.output,
                usage.total,
                word(&usage.source)
            ),
        );
    }
    if let Some(cost) = &end.cost {
        push(&mut what, format_args!("; {} millionths of a dollar", cost.micro_usd));
    }
    if let Some(first) = end.first_token_ms {
        push(&mut what, format_args!("; first delta after {first} ms"));
    }
    if let Some(cut) = &end.history_cut {
        push(&mut what, format_args!("; {} turns did not fit", cut.turns_dropped));
    }
    let told = Told::plain(what);
    let Sealed::Open(content) = &end.content else { return told.saying("digest of the text", ERASED) };
    let told = told.saying("digest of the text", content.digest.as_str());
    let told = content.citations.iter().fold(told, |told, citation| {
        told.saying("source", format!("{} {}", citation.url, citation.title.as_deref().unwrap_or_default()))
    });
    match &content.provider_error {
        Some(error) => told.saying("the provider said", error.as_str()),
        None => told,
    }
}
