//! Brings what has been written of a large file to the disk while the rest of it is being unpacked.

use std::{
    fs::File,
    io,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

/// After this many bytes the disk may begin.
const EVERY_BYTES: usize = 32 << 20;

/// A thread that waits for the disk; started by the first large file.
#[derive(Default)]
pub(super) struct Flusher {
    written: usize,
    running: Option<Running>,
}

struct Running {
    files: SyncSender<File>,
    thread: JoinHandle<io::Result<()>>,
}

impl Flusher {
    /// Bytes were written to a file.
    pub(super) fn note(&mut self, file: &File, bytes: usize) -> io::Result<()> {
        self.written += bytes;
        if self.written < EVERY_BYTES {
            return Ok(());
        }
        self.written = 0;
        if self.running.is_none() {
            self.running = Running::start();
        }
        // One that is busy is asked again after as many bytes; one that has failed says so at the end.
        if let Some(running) = &self.running {
            let _ = running.files.try_send(file.try_clone()?);
        }
        Ok(())
    }

    /// Waits for the thread. The kernel tells a failure to write once, and it may have been the one to be told.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match self.running.take() {
            Some(Running { files, thread }) => {
                drop(files);
                thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread came to a bad end")))
            }
            None => Ok(()),
        }
    }
}

impl Running {
    /// None, if there can be no more threads: everything is brought to the disk at the end in any case.
    fn start() -> Option<Self> {
        let (files, to_sync) = sync_channel::<File>(1);
        let sync = move || to_sync.into_iter().try_for_each(|file| file.sync_data());
        let thread = thread::Builder::new().name("flush".to_owned()).spawn(sync).ok()?;
        Some(Self { files, thread })
    }
}

impl Drop for Flusher {
    /// Nothing may be written any more when the folder is removed after an error.
    fn drop(&mut self) {
        let _ = self.end();
    }
}
