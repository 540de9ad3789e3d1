//! Which points there are: every (system call that writes, ordinal) of one undisturbed run.

use std::{collections::BTreeMap, fmt};

/// Calls that change a file, a folder, or what another process sees. Opening is not among them: what an `open` creates is empty
/// until the `write` that follows it.
pub const WRITING_CALLS: &[&str] = &[
    "write",
    "pwrite64",
    "writev",
    "sendto",
    "sendmsg",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "copy_file_range",
];

/// A place to kill the agent: right before a thread makes a call for the n-th time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// The system call.
    pub call: String,
    /// Counts from 1, for each thread.
    pub ordinal: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.call, self.ordinal)
    }
}

/// Every point of a run, from the lines that `strace -f` wrote: `PID call(…) = result`.
pub(crate) fn points(trace: &str) -> Vec<Point> {
    let mut by_thread: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.trim_start().split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if WRITING_CALLS.contains(&call) {
            *by_thread.entry((call, thread)).or_default() += 1;
        }
    }
    // A point counts within one thread, so a call has as many points as its busiest thread makes it.
    let mut most: BTreeMap<&str, u32> = BTreeMap::new();
    for ((call, _), count) in by_thread {
        let entry = most.entry(call).or_default();
        *entry = count.max(*entry);
    }
    let points_of = |(call, count): (&str, u32)| {
        (1..=count).map(|ordinal| Point { call: call.to_owned(), ordinal }).collect::<Vec<_>>()
    };
    most.into_iter().flat_map(points_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_as_many_points_as_its_busiest_thread_makes_it() {
        let trace = "10 write(3, \"a\", 1) = 1\n11 write(3, \"b\", 1 <unfinished ...>\n11 <... write resumed>) = 1\n\
                     11 write(3, \"c\", 1) = 1\n11 fsync(3) = 0\n11 read(3, \"\", 1) = 0\n11 +++ exited with 0 +++\n";
        let points: Vec<String> = points(trace).iter().map(ToString::to_string).collect();
        assert_eq!(points, ["fsync:1", "write:1", "write:2"]);
    }
}
