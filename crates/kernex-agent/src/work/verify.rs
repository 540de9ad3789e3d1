//! Verifying: the digest of what is on the disk.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use kernex_bundle::{Digest, HashingReader};
use kernex_core::FailureCode;
use tokio_util::sync::CancellationToken;

use super::{Done, Job, blocking, interruptible::Interruptible, local_failure};
use crate::state::Failure;

const BUFFER_BYTES: usize = 256 * 1024;

/// Compares the digest of what is on the disk, not of what came over the wire: mostly known by now, because the download was
/// followed.
pub(super) async fn verify(job: &Job) -> Result<Done, Failure> {
    let attempt = &job.attempt;
    let unreadable = |error: io::Error| local_failure("the download cannot be read", &error);
    let (digest, size) = match job.context.download.take_follower(attempt.deployment_id) {
        Some(follower) => tokio::select! {
            digest = follower.digest() => (digest.map_err(unreadable)?, attempt.size_bytes),
            () = job.stop.cancelled() => return Err(Failure::new(FailureCode::Cancelled, "verifying was stopped")),
        },
        None => {
            let (path, stop) = (job.context.data.part(attempt.deployment_id), job.stop.clone());
            blocking(move || {
                digest_of(&path, &stop).map_err(|error| local_failure("the download cannot be read", &error))
            })
            .await?
        }
    };
    let (digest, wanted) = (digest.to_string(), &attempt.release.digest);
    if digest == *wanted {
        return Ok(Done::Completed);
    }
    let message = format!("the {size} bytes that came have the SHA-256 {digest}, promised was {wanted}");
    Err(Failure::new(FailureCode::Checksum, message))
}

fn digest_of(path: &Path, stop: &CancellationToken) -> io::Result<(Digest, u64)> {
    let mut reader = HashingReader::new(Interruptible::new(File::open(path)?, stop));
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(reader.finish()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashing_ends_when_the_work_is_to_stop() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        let stop = CancellationToken::new();
        assert_eq!(digest_of(&path, &stop).unwrap(), (Digest::of(b"abc"), 3));
        stop.cancel();
        assert!(digest_of(&path, &stop).is_err());
    }
}
