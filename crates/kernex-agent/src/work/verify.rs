//! Verifying: the digest of what is on the disk.

use kernex_bundle::sha256_file;
use kernex_core::FailureCode;

use super::{Done, Job, blocking, local_failure};
use crate::{disk, state::Failure};

/// Compares the digest; what is wrong is removed, so that nothing goes on from it.
pub(super) async fn verify(job: &Job) -> Result<Done, Failure> {
    let path = job.context.data.part(job.attempt.deployment_id);
    let info = job.context.data.part_info(job.attempt.deployment_id);
    let wanted = job.attempt.release.digest.clone();
    blocking(move || {
        let (digest, size) =
            sha256_file(&path).map_err(|error| local_failure("the download cannot be read", &error))?;
        let digest = digest.to_string();
        if digest == wanted {
            return Ok(Done::Completed);
        }
        for path in [&info, &path] {
            disk::remove_file_if_there(path)
                .map_err(|error| local_failure("the download cannot be removed", &error))?;
        }
        let message = format!("the {size} bytes that came have the SHA-256 {digest}, promised was {wanted}");
        Err(Failure::new(FailureCode::Checksum, message))
    })
    .await
}
