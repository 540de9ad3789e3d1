//! Every descendant of this process, found by who is whose parent.
//!
//! Those whose parents have died are our own children, because this process is their reaper; a scan of `/proc` therefore
//! finds all. What forks while the scan goes on is found by the next one.

use std::{collections::BTreeMap, fs};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Sends a signal to every descendant.
pub(super) fn signal_all(signal: Signal) {
    for pid in descendants(std::process::id(), &parents()) {
        if let Ok(pid) = i32::try_from(pid) {
            // A process that is gone already is what we want.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// Each process's parent.
fn parents() -> BTreeMap<u32, u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, parent_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect()
}

/// The fourth field of `/proc/PID/stat`; the second may hold anything in parentheses.
fn parent_in(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn descendants(root: u32, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|&(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_past_any_name() {
        assert_eq!(parent_in("12 (a) S 3) S 7 12 12 0"), Some(7));
        assert_eq!(parent_in("12 (a"), None);
    }

    #[test]
    fn descendants_are_found_over_generations_and_nobody_else() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 2)]);
        assert_eq!(descendants(2, &parents), [3, 6, 4]);
    }
}
