//! A workload's output: into its log file as it comes, and line by line to the control plane.

use kernex_core::LogLevel;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{ChildStderr, ChildStdout},
};

use super::log_file::LogFile;
use crate::{log_queue::LogSink, script::Tail};

/// How much of the output is kept for a failure's reason.
const MAX_TAIL_BYTES: usize = 2 * 1024;
/// A line is cut here; the shipper takes as much.
const MAX_LINE_BYTES: usize = 4 * 1024;
/// Read at once.
const BUFFER_BYTES: usize = 4 * 1024;

/// Writes all output to the log file, ships its lines, and keeps its end.
pub(super) async fn copy_output(
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    mut log: LogFile,
    sink: &LogSink,
) -> Tail {
    let mut tail = Tail::new(MAX_TAIL_BYTES);
    let (mut stdout, mut stderr) = (Stream::new(stdout, LogLevel::Info), Stream::new(stderr, LogLevel::Warn));
    while stdout.is_open() || stderr.is_open() {
        let stream = tokio::select! {
            () = stdout.read(), if stdout.is_open() => &mut stdout,
            () = stderr.read(), if stderr.is_open() => &mut stderr,
        };
        tail.push(&stream.buffer);
        log.write(&stream.buffer);
        stream.ship(sink);
    }
    tail
}

/// One of the two streams, and its line that is not complete.
struct Stream {
    reader: Option<Box<dyn AsyncRead + Send + Unpin>>,
    level: LogLevel,
    buffer: Vec<u8>,
    line: Vec<u8>,
}

impl Stream {
    fn new(reader: Option<impl AsyncRead + Send + Unpin + 'static>, level: LogLevel) -> Self {
        let reader = reader.map(|reader| Box::new(reader) as Box<dyn AsyncRead + Send + Unpin>);
        Self { reader, level, buffer: Vec::with_capacity(BUFFER_BYTES), line: Vec::new() }
    }

    const fn is_open(&self) -> bool {
        self.reader.is_some()
    }

    /// Reads what there is; the end closes it.
    async fn read(&mut self) {
        self.buffer.clear();
        let Some(reader) = &mut self.reader else { return };
        if !matches!(reader.read_buf(&mut self.buffer).await, Ok(1..)) {
            self.reader = None;
        }
    }

    fn ship(&mut self, sink: &LogSink) {
        for &byte in &self.buffer {
            match byte {
                b'\n' => ship_line(&mut self.line, self.level, sink),
                byte if self.line.len() < MAX_LINE_BYTES => self.line.push(byte),
                _ => {}
            }
        }
        if self.reader.is_none() {
            ship_line(&mut self.line, self.level, sink);
        }
    }
}

fn ship_line(line: &mut Vec<u8>, level: LogLevel, sink: &LogSink) {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    if !text.is_empty() {
        sink.line_at(level, "workload", text);
    }
    line.clear();
}
