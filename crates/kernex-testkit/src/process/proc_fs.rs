//! What Linux says of a process.

use std::{fs, time::Duration};

/// `/proc` counts processor time in hundredths of a second on every architecture that we build for.
const TICKS_PER_SECOND: u64 = 100;

/// Memory of a process in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// In use now (VmRSS).
    pub resident: u64,
    /// The most since the start, or since [`reset_peak_memory`] (VmHWM).
    pub peak: u64,
}

/// How much memory a process uses.
pub fn memory(pid: i32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells the memory");
        line.trim().split(' ').next().and_then(|number| number.parse::<u64>().ok()).expect("it is a number")
            * 1024
    };
    Memory { resident: field("VmRSS:"), peak: field("VmHWM:") }
}

/// Makes the present use the peak.
pub fn reset_peak_memory(pid: i32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the peak can be reset");
}

/// Processor time that a process has used.
pub fn cpu_time(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The program's name, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(") ").expect("the name ends");
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>();
    Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
}
