//! Counts. Every control plane has its own recorder, so that several in one process do not mix.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kernex_core::Timestamp;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);
/// Heartbeats per second are taken over this long.
const WINDOW_SECS: i64 = 60;

/// The counts of one control plane. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    heartbeats: Arc<Mutex<Heartbeats>>,
}

struct Heartbeats {
    by_second: [(i64, u64); WINDOW_SECS as usize],
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Telemetry {
    /// Every metric's name and meaning; `docs/server.md` lists the same.
    pub const METRICS: &'static [(&'static str, &'static str)] = &[
        ("kernex_build_info", "1, with the program's version as a label"),
        ("kernex_http_requests_total", "Requests by method, route and status"),
        ("kernex_http_request_duration_seconds", "Duration of requests by method and route"),
        ("kernex_heartbeats_total", "Heartbeats that were stored"),
        ("kernex_results_total", "Results that devices reported and that were recorded, by status"),
        ("kernex_bundle_upload_bytes_total", "Bytes of bundles that were uploaded and stored"),
        ("kernex_bundle_download_bytes_total", "Bytes of bundles that downloads asked for"),
        ("kernex_attempts_expired_total", "Attempts whose lease ran out"),
        ("kernex_webhook_attempts_total", "Attempts to tell webhooks of events, by outcome"),
        ("kernex_devices", "Devices by status, over all organisations"),
    ];

    /// Counts from zero.
    pub fn new() -> Self {
        let recorder = super::prometheus().build_recorder();
        let handle = recorder.handle();
        for (name, meaning) in Self::METRICS {
            let (name, meaning) = (*name, (*meaning).into());
            match name.rsplit('_').next() {
                Some("total") => recorder.describe_counter(name.into(), None, meaning),
                Some("seconds") => recorder.describe_histogram(name.into(), None, meaning),
                _ => recorder.describe_gauge(name.into(), None, meaning),
            }
        }
        let heartbeats = Heartbeats { by_second: [(0, 0); WINDOW_SECS as usize] };
        let telemetry =
            Self { recorder: Arc::new(recorder), handle, heartbeats: Arc::new(Mutex::new(heartbeats)) };
        telemetry.gauge("kernex_build_info", &[("version", env!("CARGO_PKG_VERSION"))]).set(1.0);
        telemetry
    }

    /// A counter.
    pub fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.recorder.register_counter(&key(name, labels), &METADATA)
    }

    /// A gauge.
    pub fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    /// A histogram.
    pub fn histogram(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        self.recorder.register_histogram(&key(name, labels), &METADATA)
    }

    /// Everything in Prometheus' text form.
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// Keeps what histograms hold in memory small between scrapes.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// Counts a heartbeat.
    pub fn count_heartbeat(&self, now: Timestamp) {
        self.counter("kernex_heartbeats_total", &[]).increment(1);
        let second = now.as_millis() / 1_000;
        let mut heartbeats = self.heartbeats.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut heartbeats.by_second[second.rem_euclid(WINDOW_SECS) as usize];
        if slot.0 != second {
            *slot = (second, 0);
        }
        slot.1 += 1;
    }

    /// Heartbeats per second, over the last minute of this process.
    pub fn heartbeats_per_second(&self, now: Timestamp) -> f64 {
        let now = now.as_millis() / 1_000;
        let heartbeats = self.heartbeats.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = heartbeats.by_second.iter().filter(|(second, _)| now - second < WINDOW_SECS);
        recent.map(|(_, count)| count).sum::<u64>() as f64 / WINDOW_SECS as f64
    }

    /// Shows how many devices there are.
    pub fn show_devices(&self, by_status: &BTreeMap<String, u64>) {
        for status in kernex_core::DeviceStatus::ALL {
            let count = by_status.get(status.as_str()).copied().unwrap_or(0);
            self.gauge("kernex_devices", &[("status", status.as_str())]).set(count as f64);
        }
    }

    /// Counts a request.
    pub fn count_request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = [("method", method), ("route", route), ("status", &status.to_string())];
        self.counter("kernex_http_requests_total", &labels).increment(1);
        self.histogram("kernex_http_request_duration_seconds", &labels[..2]).record(took.as_secs_f64());
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> =
        labels.iter().map(|(key, value)| Label::new(*key, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_per_second_forgets_what_is_older_than_a_minute() {
        let telemetry = Telemetry::new();
        let now = Timestamp::from_millis(1_000_000_000);
        for second in 0..120 {
            telemetry.count_heartbeat(now.plus_secs(second));
        }
        assert_eq!(telemetry.heartbeats_per_second(now.plus_secs(119)), 1.0);
        assert_eq!(telemetry.heartbeats_per_second(now.plus_secs(500)), 0.0);
        assert!(telemetry.render().contains("kernex_heartbeats_total 120"));
    }

    #[test]
    fn every_metric_stands_in_the_documentation() {
        let docs = include_str!("../../../../docs/server.md");
        for (name, _) in Telemetry::METRICS {
            assert!(docs.contains(name), "docs/server.md lacks {name}");
        }
    }
}
