//! The agent's own log: on standard error, and into the queue for the control plane; its level changes while it runs.

use kernex_core::LogLevel;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, Registry, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

use crate::{log_queue::LogQueue, settings::LogFormat};

/// Changes how much is logged.
#[derive(Clone, Debug, Default)]
pub struct LevelHandle(Option<reload::Handle<LevelFilter, Registry>>);

impl LevelHandle {
    /// Logs this much from now on.
    pub fn set(&self, level: LogLevel) {
        if let Some(handle) = &self.0 {
            // Fails only when the subscriber is gone, and then nothing is logged at all.
            let _ = handle.modify(|filter| *filter = filter_of(level));
        }
    }
}

/// Begins to log.
pub fn start(format: LogFormat, level: LogLevel, queue: &LogQueue) -> LevelHandle {
    let (filter, handle) = reload::Layer::new(filter_of(level));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(false).with_target(false).boxed(),
    };
    let only_ours = tracing_subscriber::filter::filter_fn(|metadata| {
        metadata.target().starts_with("kernex") || *metadata.level() <= tracing::Level::WARN
    });
    let started = tracing_subscriber::registry()
        .with(filter)
        .with(lines.with_filter(only_ours))
        .with(queue.clone())
        .try_init();
    LevelHandle(started.is_ok().then_some(handle))
}

fn filter_of(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    }
}
