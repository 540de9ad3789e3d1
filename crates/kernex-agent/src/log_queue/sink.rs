//! The way of a workload's output, and of scripts, to the control plane.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use kernex_core::{BundleName, Clock as _, LogLevel};

use super::{Line, LogQueue, cut, rate::Bucket};
use crate::clock::SystemClock;

/// Takes lines of one bundle; clones share their allowance.
#[derive(Clone, Debug)]
pub struct LogSink {
    queue: LogQueue,
    bundle: BundleName,
    bucket: Arc<Mutex<Bucket>>,
}

impl LogSink {
    pub(super) fn new(queue: LogQueue, bundle: BundleName) -> Self {
        Self { queue, bundle, bucket: Arc::default() }
    }

    /// Ships a line of output, unless there were too many lately; those are counted.
    ///
    /// `output_of` says what wrote it: `workload`, `deploy script`.
    pub fn line(&self, output_of: &str, text: &str) {
        self.line_at(LogLevel::Info, output_of, text);
    }

    /// The same, as serious as the stream that it came by.
    pub fn line_at(&self, level: LogLevel, output_of: &str, text: &str) {
        let may_pass = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if !may_pass {
            self.queue.count_dropped();
            return;
        }
        let mut fields = serde_json::Map::new();
        fields.insert("bundle.name".to_owned(), self.bundle.as_str().into());
        fields.insert("output_of".to_owned(), output_of.into());
        let message = cut(text.to_owned());
        self.queue.push_output(Line { level, message, timestamp: SystemClock.now(), fields });
    }
}
