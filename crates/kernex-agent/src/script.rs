//! Running a bundle's script: environment, deadline, output, and a sentence about how it ended.

mod tail;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use kernex_core::{BundleName, DeploymentId, FailureCode};
use tokio::{io::AsyncReadExt as _, process::ChildStderr};
use tokio_util::sync::CancellationToken;

pub use tail::Tail;

use crate::{
    paths::DataDir,
    process::{Process, RunnerProgram},
    sandbox::Sandbox,
    script_runner::{Outcome, Spec},
    state::{Failure, Release},
};

/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How long a script may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How much of a script's output is kept: its end.
pub const MAX_OUTPUT_BYTES: usize = 64 * 1024;
/// How much of it goes into the reason of a failure; the whole reason is cut to 4 KiB.
const MAX_QUOTED_BYTES: usize = 2 * 1024;

/// Whom a process belongs to, for its environment.
#[derive(Clone, Copy, Debug)]
pub struct Belongs<'a> {
    /// The data folder.
    pub data: &'a DataDir,
    /// The bundle.
    pub name: &'a BundleName,
    /// The release it is part of.
    pub release: &'a Release,
    /// The release before it.
    pub previous: Option<&'a Release>,
    /// The deployment that it runs for; a workload that runs on has none.
    pub deployment: Option<DeploymentId>,
}

/// The whole environment of a script or workload: the documented variables win over the manifest's.
pub fn environment(
    belongs: &Belongs<'_>,
    manifest: &BTreeMap<String, String>,
    sandbox: &Sandbox,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]);
    env.extend(manifest.iter().map(|(key, value)| (key.clone(), value.clone())));
    let data = belongs.data.bundle_data(belongs.name);
    let release = belongs.data.release(belongs.name, belongs.release);
    let mut set = |key: &str, value: String| env.insert(key.to_owned(), value);
    set("KERNEX_BUNDLE_NAME", belongs.name.to_string());
    set("KERNEX_BUNDLE_DIR", release.to_string_lossy().into_owned());
    set("KERNEX_DATA_DIR", data.to_string_lossy().into_owned());
    set("KERNEX_VERSION", belongs.release.version.to_string());
    set("KERNEX_PREVIOUS_VERSION", belongs.previous.map(|old| old.version.to_string()).unwrap_or_default());
    set("KERNEX_SOCKET", belongs.data.local_socket(belongs.name).to_string_lossy().into_owned());
    if let Some(temporary) = &sandbox.temporary {
        set("TMPDIR", temporary.to_string_lossy().into_owned());
    }
    set("KERNEX_DEPLOYMENT_ID", belongs.deployment.map(|id| id.to_string()).unwrap_or_default());
    env
}

/// A script to run.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    /// What it is called in sentences: `deploy script`.
    pub what: &'a str,
    /// Its path inside the release.
    pub path: &'a str,
    /// The release's folder.
    pub dir: &'a Path,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// How long it may take.
    pub timeout: Duration,
    /// The file that is locked as long as any of its processes runs.
    pub lock: &'a Path,
    /// What it may do.
    pub sandbox: Sandbox,
}

impl Script<'_> {
    /// Runs the script to its end, all its processes gone; gives its output, however it ended.
    pub async fn run(
        &self,
        program: &RunnerProgram,
        stop: &CancellationToken,
    ) -> (Tail, Result<(), Failure>) {
        let began = Instant::now();
        let mut process = match Process::start(program, &self.spec()).await {
            Ok(process) => process,
            Err(error) => {
                let message = format!("{} {} could not be started: {error}", self.what, self.path);
                return (Tail::default(), Err(Failure::new(FailureCode::ScriptFailed, message)));
            }
        };
        let output = process.take_output();
        let (outcome, tail) = tokio::join!(process.wait(stop), read_tail(output));
        let judged = self.judge(outcome, &tail, began.elapsed());
        (tail, judged)
    }

    fn spec(&self) -> Spec {
        Spec {
            program: inside(self.path),
            args: Vec::new(),
            dir: self.dir.to_owned(),
            env: self.env.clone(),
            timeout_millis: Some(u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX)),
            grace_millis: GRACE.as_millis() as u64,
            lock: Some(self.lock.to_owned()),
            has_two_outputs: false,
            reload_signal: None,
            sandbox: self.sandbox.clone(),
        }
    }

    fn judge(&self, outcome: Outcome, tail: &Tail, took: Duration) -> Result<(), Failure> {
        let secs = took.as_secs_f64();
        let (code, how) = match outcome {
            Outcome::Exited { code: 0 } => return Ok(()),
            Outcome::Exited { code } => {
                (FailureCode::ScriptFailed, format!("ended with exit code {code} after {secs:.1} s"))
            }
            Outcome::Signalled { signal } => {
                (FailureCode::ScriptFailed, format!("was killed by signal {signal} after {secs:.1} s"))
            }
            Outcome::TimedOut => {
                let limit = self.timeout.as_secs_f64();
                (FailureCode::ScriptTimeout, format!("did not end within {limit:.1} s and was stopped"))
            }
            Outcome::Stopped => (FailureCode::Cancelled, format!("was stopped after {secs:.1} s")),
            Outcome::NotStarted { reason } => {
                (FailureCode::ScriptFailed, format!("could not be started: {reason}"))
            }
        };
        let output = tail.quoted(MAX_QUOTED_BYTES);
        let output =
            if output.is_empty() { "no output".to_owned() } else { format!("last output: {output}") };
        Err(Failure::new(code, format!("{} {} {how}; {output}", self.what, self.path)))
    }
}

/// A path inside the release as a program: with a slash, so that it is not looked up in `PATH`.
pub fn inside(path: &str) -> String {
    if path.contains('/') { path.to_owned() } else { format!("./{path}") }
}

/// Reads everything and keeps the end.
pub async fn read_tail(output: Option<ChildStderr>) -> Tail {
    let mut tail = Tail::new(MAX_OUTPUT_BYTES);
    let Some(mut output) = output else { return tail };
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read @ 1..) = output.read(&mut buffer).await {
        tail.push(&buffer[..read]);
    }
    tail
}
