//! What the demo started: kept together so that all of it is stopped, in order.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// How long an agent may take to stop its workload, and the control plane to finish what is under way.
const STOP_DEADLINE: Duration = Duration::from_secs(20);
/// How often is looked whether it is so far.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How much of a log is shown after a failure.
const MAX_LOG_LINES: usize = 15;

/// Processes with their logs, in the order in which they were started.
pub(super) struct Processes {
    logs: PathBuf,
    running: Vec<Running>,
}

struct Running {
    name: String,
    child: Child,
}

impl Processes {
    pub(super) fn new(logs: PathBuf) -> Result<Self> {
        fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
        Ok(Self { logs, running: Vec::new() })
    }

    /// Starts a process that writes to a log of its own. Ctrl-C does not reach it: it is stopped in its turn.
    pub(super) fn start(&mut self, name: &str, command: &mut Command) -> Result<()> {
        let path = self.log(name);
        let log = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.process_group(0).kill_on_drop(true).spawn();
        let child = child.with_context(|| format!("cannot start {name}"))?;
        self.running.push(Running { name: name.to_owned(), child });
        Ok(())
    }

    /// What a process has written so far.
    pub(super) fn log_text(&self, name: &str) -> String {
        fs::read(self.log(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Asks until there is an answer; fails at the deadline, or when a process has ended meanwhile.
    pub(super) async fn wait_for<T>(
        &mut self,
        what: &str,
        deadline: Duration,
        mut ask: impl AsyncFnMut(&Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let end = Instant::now() + deadline;
        loop {
            if let Some(answer) = ask(self).await? {
                return Ok(answer);
            }
            if let Some(name) = self.ended() {
                bail!("{name} ended while the demo waited for {what}");
            }
            if Instant::now() >= end {
                bail!("{what}: not within {} s", deadline.as_secs());
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// The name of the first process that ends by itself.
    pub(super) async fn first_that_ends(&mut self) -> String {
        loop {
            if let Some(name) = self.ended() {
                return name;
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    fn ended(&mut self) -> Option<String> {
        let is_over = |running: &mut Running| !matches!(running.child.try_wait(), Ok(None));
        self.running.iter_mut().find_map(|running| is_over(running).then(|| running.name.clone()))
    }

    /// Stops everything: agents, which stop their workloads, and then what was started before them.
    pub(super) async fn stop(&mut self) {
        let server = self.running.iter().position(|running| running.name == super::tour::SERVER);
        let agents = self.running.split_off(server.map_or(0, |position| position + 1));
        stop_together(agents).await;
        stop_together(std::mem::take(&mut self.running)).await;
    }

    /// The end of every log.
    pub(super) fn print_logs(&self) {
        for running in &self.running {
            let text = self.log_text(&running.name);
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("\n--- the log of {} ends with:", running.name);
            for line in &lines[lines.len().saturating_sub(MAX_LOG_LINES)..] {
                eprintln!("{line}");
            }
        }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }
}

/// SIGTERM for all, and SIGKILL for those that have not ended at the deadline.
async fn stop_together(mut processes: Vec<Running>) {
    for running in &processes {
        if let Some(pid) = pid(&running.child) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
    let end = Instant::now() + STOP_DEADLINE;
    for running in &mut processes {
        let left = end.saturating_duration_since(Instant::now());
        if timeout(left, running.child.wait()).await.is_err() {
            println!("{} does not stop, and is killed", running.name);
            if let Some(pid) = pid(&running.child) {
                let _ = kill_process_group(pid, Signal::KILL);
            }
            let _ = running.child.wait().await;
        }
    }
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()?).ok()?)
}
