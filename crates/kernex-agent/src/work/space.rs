//! Space on the disk: looked at before it is needed.

use kernex_core::FailureCode;

use super::{Job, clean_up::prune, local_failure};
use crate::{disk, quarantine, state::Failure};

/// Space that stays free: 5 % of the file system, but no more than this.
const MAX_RESERVE_BYTES: u64 = 512 * 1024 * 1024;
const RESERVE_DIVISOR: u64 = 20;

/// Bytes that a file system must keep free.
pub(super) fn reserve(space: disk::Space) -> u64 {
    (space.total_bytes / RESERVE_DIVISOR).min(MAX_RESERVE_BYTES)
}

/// Whether there is room for what is still to come and for unpacking it.
///
/// An archive unpacks to about its own size or more; how much more is known only when it is here. If there is not enough
/// room, what is kept for convenience goes first: the quarantine, and releases other than current and previous.
pub(super) fn check(job: &Job, missing: u64) -> Result<(), Failure> {
    match shortage(job, missing)? {
        None => return Ok(()),
        Some(_) => make_room(job),
    }
    match shortage(job, missing)? {
        None => Ok(()),
        Some(message) => Err(Failure::new(FailureCode::DiskFull, message)),
    }
}

fn make_room(job: &Job) {
    let data = &job.context.data;
    let cleared = quarantine::clear(data).and_then(|()| prune(data, &job.attempt.bundle_name, &job.slot, 0));
    if let Err(error) = cleared {
        tracing::warn!(%error, "no room could be made");
    }
}

fn shortage(job: &Job, missing: u64) -> Result<Option<String>, Failure> {
    let space = disk::space(&job.context.data.staging())
        .map_err(|error| local_failure("the free space is not known", &error))?;
    Ok(judge(space, missing, job.attempt.size_bytes))
}

/// A sentence with the figures, if there is too little.
fn judge(space: disk::Space, missing: u64, unpacked: u64) -> Option<String> {
    let needed = missing.saturating_add(unpacked).saturating_add(reserve(space));
    (space.free_bytes < needed).then(|| {
        format!(
            "the disk has {} bytes free, {missing} are still to come, unpacking takes at least {unpacked} and {} \
             must stay free",
            space.free_bytes,
            reserve(space)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_needed_for_the_bytes_for_unpacking_and_for_a_reserve() {
        let space = |free_bytes| disk::Space { free_bytes, total_bytes: 1_000 };
        assert_eq!(judge(space(350), 100, 200), None);
        assert_eq!(
            judge(space(349), 100, 200).unwrap(),
            "the disk has 349 bytes free, 100 are still to come, unpacking takes at least 200 and 50 must stay free"
        );
        assert!(judge(space(350), u64::MAX, u64::MAX).is_some(), "nothing overflows");
        let large = disk::Space { free_bytes: 0, total_bytes: 1 << 50 };
        assert_eq!(reserve(large), MAX_RESERVE_BYTES);
    }
}
