//! What the program says of itself: logs, counts, and the outermost layer around every request.

mod counts;
mod layer;

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

pub use counts::Telemetry;
pub use layer::around_request;

use crate::{Settings, config::LogFormat};

/// Starts logging as the settings say. Logs go to standard error.
pub fn init_logging(settings: &Settings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log)
        .map_err(|error| anyhow::anyhow!("log = `{}` is not a filter: {error}", settings.log))?;
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let registry = tracing_subscriber::registry().with(filter);
    match settings.log_format {
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).init();
        }
        LogFormat::Text => registry
            .with(fmt::layer().with_target(false).with_ansi(colours).with_writer(std::io::stderr))
            .init(),
    }
    Ok(())
}

/// Buckets of request durations, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

pub(crate) fn prometheus() -> PrometheusBuilder {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .unwrap_or_else(|_| PrometheusBuilder::new())
}
