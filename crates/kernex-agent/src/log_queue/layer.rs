//! From the agent's own log into the queue.

use std::fmt::Write as _;

use kernex_core::{Clock as _, LogLevel};
use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::{Layer, layer::Context};

use super::{Line, LogQueue, cut};
use crate::clock::SystemClock;

/// The agent's own events go into the queue, as far as the log's level lets them pass.
impl<S: Subscriber> Layer<S> for LogQueue {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if !metadata.target().starts_with("kernex_agent") {
            return;
        }
        let level = match *metadata.level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG => LogLevel::Debug,
            Level::TRACE => LogLevel::Trace,
        };
        let mut reader = FieldReader::default();
        event.record(&mut reader);
        let FieldReader { message, fields } = reader;
        self.push_own(Line { level, message: cut(message), timestamp: SystemClock.now(), fields });
    }
}

#[derive(Default)]
struct FieldReader {
    message: String,
    fields: serde_json::Map<String, serde_json::Value>,
}

impl Visit for FieldReader {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.fields.insert(field.name().to_owned(), cut(value.to_owned()).into());
        }
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &tracing::field::Field, value: f64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}
