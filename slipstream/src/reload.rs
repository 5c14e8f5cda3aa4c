//! Settings that change while the process runs: the operator's keys of providers are taken over at once; what else has
//! changed is named, and holds from the next start.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::surroundings::Source;
use crate::wiring::Vendors;

/// What is read again, and who is told.
pub(crate) struct Reload {
    source: Source,
    every: Option<Duration>,
    marks: BTreeMap<&'static str, u64>,
    vendors: Vendors,
}

impl Reload {
    /// `None` when the settings cannot be read again.
    pub(crate) fn of(config: &Config, vendors: Vendors) -> Option<Self> {
        let source = config.source.clone()?;
        Some(Self { source, every: config.secrets.refresh(), marks: marks(config), vendors })
    }

    /// Reads again at each SIGHUP, and every so often when there is a secret, until the drain. What cannot be read is as
    /// it was.
    ///
    /// # Errors
    /// The operating system does not let the signal be caught.
    pub(crate) fn start(mut self, drain: CancellationToken) -> std::io::Result<impl Future<Output = ()>> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut period = self.every.map(period);
        Ok(async move {
            while asked(&mut hangup, &mut period, &drain).await {
                match self.source.read().await {
                    Ok(config) => self.take_over(&config),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "the settings cannot be read again; they stay as they are");
                    }
                }
            }
        })
    }

    fn take_over(&mut self, config: &Config) {
        let now = marks(config);
        let changed: Vec<_> = now.iter().filter(|(key, mark)| self.marks.get(*key) != Some(mark)).collect();
        let (keys, others): (Vec<_>, Vec<_>) =
            changed.into_iter().map(|(key, _)| *key).partition(|key| is_key(key));
        if let Err(error) = self.vendors.take_keys(config) {
            return tracing::warn!(%error, "the settings cannot be used; they stay as they are");
        }
        if !keys.is_empty() {
            tracing::info!(settings = keys.join(", "), "keys of providers were changed");
        }
        if !others.is_empty() {
            tracing::warn!(
                settings = others.join(", "),
                "settings have changed that hold from the next start"
            );
        }
        self.marks = now;
    }
}

fn period(every: Duration) -> Interval {
    let mut period = interval_at(Instant::now() + every, every);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    period
}

/// Waits until the settings are to be read; false at the drain.
async fn asked(hangup: &mut Signal, period: &mut Option<Interval>, drain: &CancellationToken) -> bool {
    let tick = async {
        match period {
            Some(period) => drop(period.tick().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = drain.cancelled() => false,
        _ = hangup.recv() => true,
        () = tick => true,
    }
}

fn marks(config: &Config) -> BTreeMap<&'static str, u64> {
    config.effective.iter().map(|setting| (setting.key, setting.mark)).collect()
}

fn is_key(setting: &str) -> bool {
    setting.starts_with("providers.") && setting.ends_with(".api_key")
}
