//! Results and logs on their way out.

use std::collections::BTreeMap;

use kernex_api::{MAX_ERROR_MESSAGE_BYTES, deployments::ResultRequest, logs::LogEntry};
use kernex_client::Error;
use kernex_core::{DeviceId, LogLevel};

use super::Link;
use crate::{log_queue::Line, machine::Event, state::Report};

/// A batch's messages and fields together stay far below what the control plane takes.
const MAX_BATCH_BYTES: usize = 512 * 1024;

impl Link {
    /// Sends the outbox in order. Stops at the first result that the control plane could not take now.
    pub(super) async fn send_results(&mut self) -> Result<(), Error> {
        for report in self.waiting() {
            if self.acknowledged.contains(&(report.seq, report.attempt)) {
                // The state has let go of it and the disk has not: it is taken out once more.
                if self.context.snapshot.borrow().reports.iter().all(|kept| kept.seq != report.seq) {
                    self.tell(Event::Acknowledged { seq: report.seq });
                }
                continue;
            }
            let request = request(self.device_id, &report);
            let key = report.idempotency_key();
            match self.context.client.report_result(report.deployment_id, &request, &key).await {
                Ok(()) => {
                    tracing::info!(deployment.id = %report.deployment_id, status = %report.status, "the result is acknowledged");
                }
                Err(error) if is_final(&error) => {
                    tracing::warn!(deployment.id = %report.deployment_id, status = %report.status, %error, "the result is refused for good and dropped");
                }
                Err(error) => return Err(error),
            }
            if self.tell(Event::Acknowledged { seq: report.seq }) {
                self.acknowledged.insert((report.seq, report.attempt));
            }
        }
        Ok(())
    }

    /// Results that are not acknowledged, oldest first: those of the state, and those of the outbox that a state which was
    /// lost knew of.
    fn waiting(&self) -> Vec<Report> {
        let of_outbox = self.outbox.list().into_iter().map(|report| (report.seq, report));
        let mut waiting: BTreeMap<u64, Report> = of_outbox.collect();
        let of_state = self.context.snapshot.borrow().reports.clone();
        waiting.extend(of_state.into_iter().map(|report| (report.seq, report)));
        waiting.into_values().collect()
    }

    /// Ships the oldest lines of log, if there are some. More than a batch goes out piece by piece, between heartbeats.
    pub(super) async fn ship_batch(&mut self) -> Result<(), Error> {
        let batch = self.context.logs.batch();
        let mut entries: Vec<LogEntry> = Vec::new();
        let mut bytes = 0;
        for line in &batch.lines {
            bytes += size(line);
            if !entries.is_empty() && bytes > MAX_BATCH_BYTES {
                break;
            }
            entries.push(entry(self.device_id, line));
        }
        let shipped = entries.len();
        if shipped == 0 {
            return Ok(());
        }
        if batch.dropped > 0 {
            entries.insert(0, dropped_note(self.device_id, batch.dropped, &entries[0]));
        }
        match self.context.client.ship_logs(&entries).await {
            Ok(_) => {}
            // A device that waits for approval keeps its lines; others are of no use when they are refused.
            Err(error) if error.status() == Some(403) => return Ok(()),
            Err(error) if is_final(&error) => {
                tracing::debug!(%error, "lines of log are refused and dropped");
            }
            Err(error) => return Err(error),
        }
        self.context.logs.remove(&batch, shipped);
        Ok(())
    }
}

/// Whether trying again would not help: the control plane understood and says no.
fn is_final(error: &Error) -> bool {
    error.status().is_some_and(|status| (400..500).contains(&status) && !matches!(status, 401 | 408 | 429))
}

fn request(device_id: DeviceId, report: &Report) -> ResultRequest {
    ResultRequest {
        device_id,
        attempt: Some(report.attempt),
        status: report.status,
        error_code: report.failure.as_ref().map(|failure| failure.code),
        error_message: report.failure.as_ref().map(|failure| cut(&failure.message)),
        duration_secs: Some(report.duration_secs),
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_ERROR_MESSAGE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

fn entry(device_id: DeviceId, line: &Line) -> LogEntry {
    let fields = (!line.fields.is_empty()).then(|| line.fields.clone());
    LogEntry {
        device_id,
        level: line.level,
        message: line.message.clone(),
        timestamp: line.timestamp,
        fields,
    }
}

fn dropped_note(device_id: DeviceId, dropped: u64, next: &LogEntry) -> LogEntry {
    LogEntry {
        device_id,
        level: LogLevel::Warn,
        message: format!("{dropped} lines were dropped before this one"),
        timestamp: next.timestamp,
        fields: None,
    }
}

fn size(line: &Line) -> usize {
    let fields: usize = line.fields.iter().map(|(key, value)| key.len() + value.to_string().len() + 8).sum();
    line.message.len() + fields + 160
}
