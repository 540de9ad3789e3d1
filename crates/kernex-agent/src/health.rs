//! One health check, whatever its kind.

use std::{collections::BTreeMap, path::Path, time::Duration};

use kernex_bundle::{Health, HealthCheck};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    process::{Process, RunnerProgram},
    sandbox::Sandbox,
    script::{inside, read_tail},
    script_runner::{Outcome, Spec},
};

/// How much of a check command's output goes into the reason.
const MAX_QUOTED_BYTES: usize = 512;

/// What a check runs in.
#[derive(Clone, Debug)]
pub struct Checker<'a> {
    /// For HTTP checks.
    pub http: &'a reqwest::Client,
    /// For commands.
    pub program: &'a RunnerProgram,
    /// The release's folder.
    pub dir: &'a Path,
    /// The environment of scripts and workload.
    pub env: &'a BTreeMap<String, String>,
    /// What commands may do.
    pub sandbox: &'a Sandbox,
}

impl Checker<'_> {
    /// Checks once; an error says what was wrong.
    pub async fn check(&self, health: &Health, stop: &CancellationToken) -> Result<(), String> {
        let limit = Duration::from_secs(u64::from(health.timeout_secs.max(1)));
        match &health.check {
            HealthCheck::Http(url) => self.http(url, limit).await,
            HealthCheck::Tcp(address) => tcp(address, limit).await,
            HealthCheck::Command(command) => self.command(command, limit, stop).await,
        }
    }

    async fn http(&self, url: &str, limit: Duration) -> Result<(), String> {
        match self.http.get(url).timeout(limit).send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(format!("{url} answered {}", response.status())),
            Err(error) if error.is_timeout() => {
                Err(format!("{url} did not answer within {} s", limit.as_secs()))
            }
            Err(error) => Err(format!("{url} cannot be reached: {}", root_cause(&error.without_url()))),
        }
    }

    async fn command(
        &self,
        command: &[String],
        limit: Duration,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let Some((program, args)) = command.split_first() else {
            return Err("the command is empty".to_owned());
        };
        let is_inside = program.contains('/') || self.dir.join(program).is_file();
        let spec = Spec {
            program: if is_inside { inside(program) } else { program.clone() },
            args: args.to_vec(),
            dir: self.dir.to_owned(),
            env: self.env.clone(),
            timeout_millis: Some(limit.as_millis() as u64),
            grace_millis: 0,
            lock: None,
            has_two_outputs: false,
            reload_signal: None,
            sandbox: self.sandbox.clone(),
        };
        let mut process = Process::start(self.program, &spec).await.map_err(|error| error.to_string())?;
        let output = process.take_output();
        let (outcome, tail) = tokio::join!(process.wait(stop), read_tail(output));
        let how = match outcome {
            Outcome::Exited { code: 0 } => return Ok(()),
            Outcome::Exited { code } => format!("ended with exit code {code}"),
            Outcome::Signalled { signal } => format!("was killed by signal {signal}"),
            Outcome::TimedOut => format!("did not end within {} s", limit.as_secs()),
            Outcome::Stopped => "was stopped".to_owned(),
            Outcome::NotStarted { reason } => format!("could not be started: {reason}"),
        };
        let output = tail.quoted(MAX_QUOTED_BYTES);
        Err(if output.is_empty() { format!("{program} {how}") } else { format!("{program} {how}: {output}") })
    }
}

async fn tcp(address: &str, limit: Duration) -> Result<(), String> {
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("{address} cannot be reached: {error}")),
        Err(_) => Err(format!("{address} did not accept within {} s", limit.as_secs())),
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
