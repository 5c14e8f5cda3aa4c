//! When queries read another version of a read model: once it has everything that the one they read has.

use slipstream_eventlog::{EventLog, ProjectorId, ProjectorState, activate, hold_still};

use crate::version::age;

/// Whether a version is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutOver {
    /// From now on.
    Done,
    /// Not yet: the one that is read is ahead, or does not stand still.
    NotYet,
    /// It is already, was before, or a newer one is.
    Never,
}

/// Lets queries read `mine`, unless it lacks something of what they read, so that whoever has seen their own write goes on
/// to see it.
pub(super) async fn cut_over(log: &EventLog, mine: &ProjectorId) -> Result<CutOver, sqlx::Error> {
    let mut tx = log.pool().begin().await?;
    let Some(versions) = hold_still(&mut tx, &mine.name).await? else { return Ok(CutOver::NotYet) };
    let own = versions.iter().find(|version| version.version == mine.version);
    let read = versions.iter().find(|version| version.state == ProjectorState::Active);
    let Some(own) = own.filter(|own| own.state == ProjectorState::Building) else {
        return Ok(CutOver::Never);
    };
    match read {
        Some(read) if age(read.version) > age(mine.version) => return Ok(CutOver::Never),
        Some(read) if read.position > own.position => return Ok(CutOver::NotYet),
        Some(_) | None => {}
    }
    activate(&mut tx, mine).await?;
    tx.commit().await?;
    tracing::info!(projection = %mine.name, version = mine.version, "a projection is read from now on");
    Ok(CutOver::Done)
}
