//! Lines on their way to the control plane, the agent's own and what scripts and workloads write: bounded, oldest
//! dropped, counted.

mod layer;
mod rate;
mod sink;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use kernex_core::{BundleName, LogLevel, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub use sink::LogSink;

use crate::{Error, disk, paths::DataDir};
use rate::Bucket;

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
pub struct LogQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    has_batch: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Entry>,
    dropped: u64,
    next_seq: u64,
    own: Bucket,
}

#[derive(Debug)]
struct Entry {
    seq: u64,
    line: Line,
    /// Of a script or workload: it makes room before the agent's own lines do.
    is_output: bool,
}

/// What waits, as it is kept over a stop.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    lines: VecDeque<Line>,
    dropped: u64,
}

/// The oldest lines, to be shipped.
#[derive(Debug)]
pub struct Batch {
    /// The lines.
    pub lines: Vec<Line>,
    /// How many lines were dropped before this.
    pub dropped: u64,
    /// Ascending.
    seqs: Vec<u64>,
}

impl LogQueue {
    /// Where the output of a bundle's scripts and workload goes.
    pub fn sink(&self, bundle: &BundleName) -> LogSink {
        LogSink::new(self.clone(), bundle.clone())
    }

    /// Adds one of the agent's own lines, unless there were too many lately.
    pub fn push_own(&self, line: Line) {
        if self.lock().own.take(Instant::now()) {
            self.push(line, false);
        } else {
            self.count_dropped();
        }
    }

    fn push_output(&self, line: Line) {
        self.push(line, true);
    }

    fn count_dropped(&self) {
        self.lock().dropped += 1;
    }

    /// The oldest line makes room; output before the agent's own lines.
    fn push(&self, line: Line, is_output: bool) {
        let mut waiting = self.lock();
        let seq = waiting.next_seq;
        waiting.next_seq += 1;
        waiting.lines.push_back(Entry { seq, line, is_output });
        if waiting.lines.len() > MAX_LINES {
            let victim = waiting.lines.iter().position(|entry| entry.is_output).unwrap_or(0);
            waiting.lines.remove(victim);
            waiting.dropped += 1;
        }
        if waiting.lines.len() >= MAX_BATCH {
            self.0.has_batch.notify_one();
        }
    }

    /// Waits until lines were added and at least a batch waits.
    pub async fn has_batch(&self) {
        self.0.has_batch.notified().await;
    }

    /// How many lines wait.
    pub fn len(&self) -> usize {
        self.lock().lines.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The oldest lines, at most a batch; they stay until [`LogQueue::remove`].
    pub fn batch(&self) -> Batch {
        let waiting = self.lock();
        let first = || waiting.lines.iter().take(MAX_BATCH);
        Batch {
            lines: first().map(|entry| entry.line.clone()).collect(),
            dropped: waiting.dropped,
            seqs: first().map(|entry| entry.seq).collect(),
        }
    }

    /// Forgets the first lines of a batch, which were shipped, and the count that went with them. Lines that were dropped
    /// meanwhile although they were shipped are not counted.
    pub fn remove(&self, batch: &Batch, shipped: usize) {
        let shipped = &batch.seqs[..shipped.min(batch.seqs.len())];
        let mut waiting = self.lock();
        let before = waiting.lines.len();
        waiting.lines.retain(|entry| shipped.binary_search(&entry.seq).is_err());
        let dropped_meanwhile = shipped.len().saturating_sub(before - waiting.lines.len()) as u64;
        waiting.dropped = waiting.dropped.saturating_sub(batch.dropped).saturating_sub(dropped_meanwhile);
    }

    /// Takes up what waited when the agent stopped the last time.
    pub fn restore(&self, data: &DataDir) {
        let path = data.pending_logs();
        let Ok(bytes) = disk::read_limited(&path, MAX_FILE_BYTES) else { return };
        if let Ok(old) = serde_json::from_slice::<Kept>(&bytes) {
            let mut waiting = self.lock();
            waiting.dropped += old.dropped;
            let newer = std::mem::take(&mut waiting.lines);
            waiting.next_seq = 0;
            let older = old.lines.into_iter().map(|line| (line, false));
            let newer = newer.into_iter().map(|entry| (entry.line, entry.is_output));
            for (line, is_output) in older.chain(newer) {
                let seq = waiting.next_seq;
                waiting.next_seq += 1;
                waiting.lines.push_back(Entry { seq, line, is_output });
            }
        }
        let _ = disk::remove_file_if_there(&path);
    }

    /// Keeps what waits over a stop.
    pub fn keep(&self, data: &DataDir) -> Result<(), Error> {
        let path = data.pending_logs();
        let kept = {
            let waiting = self.lock();
            Kept {
                lines: waiting.lines.iter().map(|entry| entry.line.clone()).collect(),
                dropped: waiting.dropped,
            }
        };
        let bytes = serde_json::to_vec(&kept).map_err(std::io::Error::from);
        bytes.and_then(|bytes| disk::write_atomic(&path, &bytes)).map_err(Error::file("write", path))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change is complete before the lock is let go.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_LINE_BYTES));
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
        queue.batch().lines[0].message.clone()
    }

    fn push(queue: &LogQueue, numbers: std::ops::Range<usize>) {
        numbers.for_each(|number| queue.push(line(number), false));
    }

    #[test]
    fn the_oldest_lines_make_room_and_are_counted() {
        let queue = LogQueue::default();
        push(&queue, 0..MAX_LINES + 5);
        let batch = queue.batch();
        assert_eq!((batch.lines.len(), batch.dropped, batch.lines[0].message.as_str()), (MAX_BATCH, 5, "5"));
        queue.remove(&batch, batch.lines.len());
        assert_eq!((first(&queue).as_str(), queue.batch().dropped), ("205", 0));
    }

    #[test]
    fn lines_that_were_dropped_while_they_were_shipped_are_neither_lost_twice_nor_counted() {
        let queue = LogQueue::default();
        push(&queue, 0..MAX_LINES);
        let batch = queue.batch();
        push(&queue, MAX_LINES..MAX_LINES + 3);
        queue.remove(&batch, batch.lines.len());
        assert_eq!((first(&queue).as_str(), queue.batch().dropped), ("200", 0));
    }

    #[test]
    fn a_flood_of_output_is_limited_and_never_drives_out_the_agents_own_lines() {
        let queue = LogQueue::default();
        push(&queue, 0..10);
        let sink = queue.sink(&BundleName::default());
        (0..2_000).for_each(|number| sink.line("workload", &number.to_string()));
        let passed = queue.len() - 10;
        assert!((500..600).contains(&passed), "{passed}");
        assert_eq!(queue.batch().dropped, 2_000 - passed as u64);
        push(&queue, 10..900);
        let all = &queue.lock().lines;
        assert_eq!(all.len(), MAX_LINES);
        assert_eq!(all.iter().filter(|entry| !entry.is_output).count(), 900);
    }

    #[test]
    fn lines_that_wait_survive_a_stop_and_come_first() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.create().unwrap();
        let queue = LogQueue::default();
        push(&queue, 1..2);
        queue.keep(&data).unwrap();
        let next = LogQueue::default();
        push(&next, 2..3);
        next.restore(&data);
        let batch = next.batch();
        assert_eq!(batch.lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["1", "2"]);
        assert!(!data.pending_logs().exists());
    }

    #[tokio::test]
    async fn a_full_batch_is_announced() {
        let queue = LogQueue::default();
        push(&queue, 0..MAX_BATCH - 1);
        let early = tokio::time::timeout(std::time::Duration::ZERO, queue.has_batch()).await;
        assert!(early.is_err());
        push(&queue, 0..1);
        queue.has_batch().await;
    }
}
