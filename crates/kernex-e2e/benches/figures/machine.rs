//! What the figures were measured on.

use std::{fs, process::Command, thread::available_parallelism};

/// A line of facts.
pub(crate) fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1)).unwrap_or("unknown");
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let rustc =
        Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    format!(
        "Measured with {} processors ({model}), {} GiB of memory, Linux {}, {}; clients and server share them.\n",
        available_parallelism().map_or(0, usize::from),
        memory.unwrap_or(0) >> 20,
        kernel.trim(),
        String::from_utf8_lossy(&rustc).trim(),
    )
}
