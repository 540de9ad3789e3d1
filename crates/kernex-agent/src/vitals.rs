//! How the machine is, as heartbeats report it: real numbers from `/proc`.

use std::{fs, path::Path};

use crate::disk;

const KIB_PER_MIB: f64 = 1024.0;
const BYTES_PER_MIB: f64 = 1024.0 * 1024.0;

/// Measures; keeps what the share of CPU since the last sample is computed from.
#[derive(Debug, Default)]
pub struct Sampler {
    last_cpu: Option<CpuTimes>,
}

/// One sample. What cannot be measured is absent, or zero where the protocol wants a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vitals {
    /// Share of CPU in use since the last sample (or since the machine started), percent.
    pub cpu_pct: f64,
    /// Memory in use, MiB.
    pub memory_mb: f64,
    /// Memory in all, MiB.
    pub memory_total_mb: Option<f64>,
    /// Space of the data folder's disk, MiB.
    pub disk_free_mb: Option<f64>,
    /// Its size, MiB.
    pub disk_total_mb: Option<f64>,
    /// Seconds since the machine started.
    pub uptime_secs: Option<f64>,
    /// Changes with every start of the machine.
    pub boot_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CpuTimes {
    busy: u64,
    total: u64,
}

impl Sampler {
    /// Measures now.
    pub fn sample(&mut self, data_dir: &Path) -> Vitals {
        let cpu = fs::read_to_string("/proc/stat").ok().and_then(|text| cpu_times(&text));
        let cpu_pct = share(self.last_cpu, cpu);
        self.last_cpu = cpu.or(self.last_cpu);
        let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory(&text));
        let disk = disk::space(data_dir).ok();
        Vitals {
            cpu_pct,
            memory_mb: memory.map_or(0.0, |(used, _)| used),
            memory_total_mb: memory.map(|(_, total)| total),
            disk_free_mb: disk.map(|space| round(space.free_bytes as f64 / BYTES_PER_MIB)),
            disk_total_mb: disk.map(|space| round(space.total_bytes as f64 / BYTES_PER_MIB)),
            uptime_secs: fs::read_to_string("/proc/uptime")
                .ok()
                .and_then(|text| text.split_whitespace().next()?.parse().ok()),
            boot_id: boot_id(),
        }
    }
}

/// Changes with every start of the machine.
pub fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// Percent with one digit: more is noise on the wire.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn share(last: Option<CpuTimes>, now: Option<CpuTimes>) -> f64 {
    let Some(now) = now else { return 0.0 };
    let last = last.unwrap_or(CpuTimes { busy: 0, total: 0 });
    let (busy, total) = (now.busy.saturating_sub(last.busy), now.total.saturating_sub(last.total));
    if total == 0 { 0.0 } else { round((busy as f64 / total as f64 * 100.0).clamp(0.0, 100.0)) }
}

/// The first line of `/proc/stat`: user nice system idle iowait irq softirq steal …; guest time is in user already.
fn cpu_times(stat: &str) -> Option<CpuTimes> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> = line.split_whitespace().take(8).filter_map(|field| field.parse().ok()).collect();
    let total: u64 = times.iter().sum();
    let idle = times.get(3)? + times.get(4).unwrap_or(&0);
    Some(CpuTimes { busy: total.saturating_sub(idle), total })
}

/// Memory in use (not counting what the kernel can drop) and in all, MiB.
fn memory(meminfo: &str) -> Option<(f64, f64)> {
    let field = |name: &str| -> Option<f64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let total = field("MemTotal")?;
    let available = field("MemAvailable").or_else(|| field("MemFree"))?;
    Some((round((total - available) / KIB_PER_MIB), round(total / KIB_PER_MIB)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_cpu_is_that_since_the_last_sample() {
        let one = cpu_times("cpu  100 0 100 700 100 0 0 0 9 9\ncpu0 1").unwrap();
        assert_eq!(one, CpuTimes { busy: 200, total: 1000 });
        assert_eq!(share(None, Some(one)), 20.0);
        assert_eq!(share(Some(one), Some(CpuTimes { busy: 250, total: 1100 })), 50.0);
        assert_eq!(share(Some(one), Some(one)), 0.0);
        assert_eq!(share(Some(one), None), 0.0);
        assert_eq!(cpu_times("intr 1 2 3"), None);
    }

    #[test]
    fn memory_in_use_leaves_out_what_the_kernel_can_drop() {
        let text = "MemTotal:       2048 kB\nMemFree:   100 kB\nMemAvailable:  1024 kB\n";
        assert_eq!(memory(text), Some((1.0, 2.0)));
        assert_eq!(memory(""), None);
    }

    #[test]
    fn this_machine_can_be_measured() {
        let vitals = Sampler::default().sample(Path::new("/"));
        assert!(vitals.memory_mb > 0.0 && vitals.disk_total_mb > Some(0.0) && vitals.uptime_secs > Some(0.0));
        assert_eq!(vitals.boot_id.unwrap().len(), 36);
    }
}
