//! The real programs as processes.

mod agent;
mod kernex;
mod proc_fs;
mod server;

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::wait_for;

pub use agent::{AgentOptions, AgentProcess};
pub use kernex::{Kernex, KernexOutput};
pub use proc_fs::{Memory, cpu_time, memory, reset_peak_memory};
pub use server::{ServerProcess, ServerSetup};

/// How long a program may take to end after SIGTERM.
const END_DEADLINE: Duration = Duration::from_secs(60);

/// A folder with programs to use in place of those that were built beside the running test or program.
const PROGRAMS_VARIABLE: &str = "KERNEX_TEST_PROGRAMS";

/// The path of one of our programs, built beside the running test or program.
pub fn program(name: &str) -> PathBuf {
    let given = env::var_os(PROGRAMS_VARIABLE).map(|folder| Path::new(&folder).join(name));
    if let Some(path) = given.filter(|path| path.is_file()) {
        return path;
    }
    let running = env::current_exe().expect("a program knows its own path");
    // cargo puts programs into target/PROFILE, and tests into target/PROFILE/deps.
    let found =
        running.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "{name} is not built beside {}: run `cargo build --workspace --all-targets` first, or `cargo xtask test`, which does",
            running.display()
        )
    })
}

/// A command without the settings of whoever runs the tests.
fn clean_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let others = [
            "DATABASE_URL",
            "DATABASE_URL_FILE",
            "CONTROL_PLANE_URL",
            "POLLING_INTERVAL",
            "LOG_LEVEL",
            "LOG_FORMAT",
        ];
        if name.starts_with("KERNEX_") || others.contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command.kill_on_drop(true);
    command
}

/// A process that writes to a log file and is killed with this value.
#[derive(Debug)]
struct Spawned {
    child: Child,
    log: PathBuf,
}

impl Spawned {
    fn start(command: &mut Command, log: PathBuf) -> Self {
        let file = File::options().create(true).append(true).open(&log).expect("the log can be made");
        let copy = file.try_clone().expect("a file can be shared");
        let child = command.stdin(Stdio::null()).stdout(copy).stderr(file).spawn();
        Self { child: child.expect("the program starts"), log }
    }

    fn log_text(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn pid(&self) -> i32 {
        self.child.id().and_then(|id| i32::try_from(id).ok()).expect("the process has not been waited for")
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid()).expect("a process id is not 0");
        kill_process(pid, signal).expect("the process can be signalled");
    }

    async fn wait(&mut self) -> ExitStatus {
        let ended =
            wait_for("the end of a program", END_DEADLINE, async || self.child.try_wait().ok().flatten());
        ended.await
    }
}
