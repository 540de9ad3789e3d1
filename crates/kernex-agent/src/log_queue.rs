//! Lines of the agent's own log, and of scripts, on their way to the control plane: bounded, oldest dropped, counted.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kernex_core::{Clock, LogLevel, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::{Layer, layer::Context};

use crate::{Error, clock::SystemClock, disk, paths::DataDir};

/// Most lines that wait.
pub const MAX_LINES: usize = 1_000;
/// Most lines in one batch.
pub const MAX_BATCH: usize = 200;
/// A line is cut to this; the control plane takes 8 KiB.
const MAX_LINE_BYTES: usize = 4 * 1024;
/// More than the queue can hold as JSON.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// One line that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// How serious.
    pub level: LogLevel,
    /// The line.
    pub message: String,
    /// When.
    pub timestamp: Timestamp,
    /// More about it.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// The lines that wait; clones share them.
#[derive(Clone, Debug, Default)]
pub struct LogQueue(Arc<Mutex<Waiting>>);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Waiting {
    lines: VecDeque<Line>,
    dropped: u64,
}

impl LogQueue {
    /// Adds a line; the oldest makes room.
    pub fn push(&self, line: Line) {
        let mut waiting = self.lock();
        waiting.lines.push_back(line);
        while waiting.lines.len() > MAX_LINES {
            waiting.lines.pop_front();
            waiting.dropped += 1;
        }
    }

    /// The oldest lines, at most a batch; they stay until [`LogQueue::remove`]. The count is of lines dropped before them.
    pub fn batch(&self) -> (Vec<Line>, u64) {
        let waiting = self.lock();
        (waiting.lines.iter().take(MAX_BATCH).cloned().collect(), waiting.dropped)
    }

    /// Forgets lines that were shipped, with the count that went with them. Lines may have been dropped meanwhile.
    pub fn remove(&self, shipped: usize, dropped: u64) {
        let mut waiting = self.lock();
        let dropped_since = waiting.dropped.saturating_sub(dropped);
        waiting.dropped = dropped_since.saturating_sub(shipped as u64);
        let left = shipped.saturating_sub(usize::try_from(dropped_since).unwrap_or(usize::MAX));
        let left = left.min(waiting.lines.len());
        waiting.lines.drain(..left);
    }

    /// Takes up what waited when the agent stopped the last time.
    pub fn restore(&self, data: &DataDir) {
        let path = data.pending_logs();
        let Ok(bytes) = disk::read_limited(&path, MAX_FILE_BYTES) else { return };
        if let Ok(old) = serde_json::from_slice::<Waiting>(&bytes) {
            let mut waiting = self.lock();
            waiting.dropped += old.dropped;
            let newer = std::mem::replace(&mut waiting.lines, old.lines);
            waiting.lines.extend(newer);
        }
        let _ = disk::remove_file_if_there(&path);
    }

    /// Keeps what waits over a stop.
    pub fn keep(&self, data: &DataDir) -> Result<(), Error> {
        let path = data.pending_logs();
        let bytes = serde_json::to_vec(&*self.lock()).map_err(std::io::Error::from);
        bytes.and_then(|bytes| disk::write_atomic(&path, &bytes)).map_err(Error::file("write", path))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change is complete before the lock is let go.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The agent's own events, INFO and above, go into the queue.
impl<S: Subscriber> Layer<S> for LogQueue {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || !metadata.target().starts_with("kernex_agent") {
            return;
        }
        let level = match *metadata.level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            _ => LogLevel::Info,
        };
        let mut reader = FieldReader::default();
        event.record(&mut reader);
        let FieldReader { message, fields } = reader;
        self.push(Line { level, message: cut(message), timestamp: SystemClock.now(), fields });
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

fn cut(mut text: String) -> String {
    if text.len() > MAX_LINE_BYTES {
        let mut end = MAX_LINE_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize) -> Line {
        Line {
            level: LogLevel::Info,
            message: number.to_string(),
            timestamp: Timestamp::from_millis(0),
            fields: serde_json::Map::new(),
        }
    }

    fn first(queue: &LogQueue) -> String {
        queue.batch().0[0].message.clone()
    }

    #[test]
    fn the_oldest_lines_make_room_and_are_counted() {
        let queue = LogQueue::default();
        (0..MAX_LINES + 5).for_each(|number| queue.push(line(number)));
        let (batch, dropped) = queue.batch();
        assert_eq!((batch.len(), dropped, batch[0].message.as_str()), (MAX_BATCH, 5, "5"));
        queue.remove(batch.len(), dropped);
        assert_eq!((first(&queue).as_str(), queue.batch().1), ("205", 0));
    }

    #[test]
    fn lines_that_were_dropped_while_they_were_shipped_are_neither_lost_twice_nor_counted() {
        let queue = LogQueue::default();
        (0..MAX_LINES).for_each(|number| queue.push(line(number)));
        let (batch, dropped) = queue.batch();
        (0..3).for_each(|number| queue.push(line(MAX_LINES + number)));
        queue.remove(batch.len(), dropped);
        assert_eq!((first(&queue).as_str(), queue.batch().1), ("200", 0));
    }

    #[test]
    fn lines_that_wait_survive_a_stop_and_come_first() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.create().unwrap();
        let queue = LogQueue::default();
        queue.push(line(1));
        queue.keep(&data).unwrap();
        let next = LogQueue::default();
        next.push(line(2));
        next.restore(&data);
        let (batch, _) = next.batch();
        assert_eq!(batch.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["1", "2"]);
        assert!(!data.pending_logs().exists());
    }
}
