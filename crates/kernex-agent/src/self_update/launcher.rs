//! The launcher: decides which agent runs, and watches over one that is on trial.

use std::{
    fs,
    io::Write as _,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, ExitCode, ExitStatus},
    time::Duration,
};

use kernex_core::{BundleVersion, FailureCode};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{NAME, Running, Trial, Verdict};
use crate::{AGENT_VERSION, disk, paths::DataDir};

/// A new agent that does not get to a heartbeat in this many starts never will.
const MAX_STARTS: u32 = 3;
/// No start may take longer than this until a heartbeat is answered, whatever the deployment allows.
pub const LONGEST_TRIAL: Duration = Duration::from_secs(300);
/// How often the record is looked at while a trial runs.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Between two starts of an agent that ended at once.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// An agent that is asked to end gets this long; its own limit is shorter.
const END_TIMEOUT: Duration = Duration::from_secs(20);
/// An agent ends with this when the launcher is to decide anew.
pub const HAND_OVER_CODE: u8 = 85;
/// Characters that the digest and its dash take at the end of a release's folder name.
const FOLDER_SUFFIX_CHARS: usize = 17;
const MAX_VERSION_BYTES: u64 = 256;

/// What is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    /// The program that the launcher itself is.
    Base,
    /// A release that has proven itself.
    Release(String),
    /// A release on trial.
    Trial(Trial),
}

/// How a supervised agent ended.
enum End {
    /// The launcher was asked to end, or the agent ended after it had proven itself.
    Done(ExitCode),
    /// Decide anew.
    Again,
}

/// Starts what is to run. `None` means that this process is the agent.
pub fn launch(data: &DataDir) -> Option<ExitCode> {
    loop {
        let ended = match choose(data) {
            Choice::Base => return None,
            Choice::Release(folder) => {
                let error = Running::command(&data.agent_program(&folder), &folder, None).exec();
                say(&format!(
                    "release {folder} of the agent cannot be started ({error}), going on as {AGENT_VERSION}"
                ));
                return None;
            }
            Choice::Trial(trial) => run_trial(data, trial),
        };
        match ended {
            Ok(End::Done(code)) => return Some(code),
            Ok(End::Again) => {}
            Err(error) => {
                say(&format!("the trial of a new agent cannot go on ({error}), going on as {AGENT_VERSION}"));
                return None;
            }
        }
    }
}

/// What the disk says is to run. A trial comes first: its record tells more than the links.
fn choose(data: &DataDir) -> Choice {
    match Trial::load(data) {
        Some(trial) if trial.verdict == Verdict::Pending => Choice::Trial(trial),
        Some(Trial { verdict: Verdict::Failed(_), previous, .. }) => match previous {
            Some(folder) if data.agent_program(&folder).is_file() => Choice::Release(folder),
            _ => Choice::Base,
        },
        _ => choose_current(data),
    }
}

/// The release in use, unless a newer program was installed since.
fn choose_current(data: &DataDir) -> Choice {
    let link = fs::read_link(data.agent_slot().join("current")).ok();
    let folder = link.and_then(|link| Some(link.file_name()?.to_str()?.to_owned()));
    let Some(folder) = folder.filter(|folder| data.agent_program(folder).is_file()) else {
        return Choice::Base;
    };
    let base_then = disk::read_limited(&data.agent_base_version(), MAX_VERSION_BYTES).unwrap_or_default();
    if base_then == AGENT_VERSION.as_bytes() || !is_newer(AGENT_VERSION, &folder) {
        Choice::Release(folder)
    } else {
        Choice::Base
    }
}

/// Whether a version is newer than that of a release's folder.
fn is_newer(version: &str, folder: &str) -> bool {
    let end = folder.len().saturating_sub(FOLDER_SUFFIX_CHARS);
    let parse = |text: &str| text.parse::<BundleVersion>().ok();
    match (parse(version), folder.get(..end).and_then(parse)) {
        (Some(version), Some(release)) => {
            version.compare_semver(&release) == Some(std::cmp::Ordering::Greater)
        }
        _ => false,
    }
}

/// Starts a release on trial and waits for its end. The start is counted before it is made.
fn run_trial(data: &DataDir, mut trial: Trial) -> std::io::Result<End> {
    if trial.starts >= MAX_STARTS {
        let message =
            format!("the new agent was started {MAX_STARTS} times, and no heartbeat of it was answered");
        trial.fail(data, FailureCode::CrashLoop, message)?;
        return Ok(End::Again);
    }
    trial.starts += 1;
    trial.save(data)?;
    say(&format!("starting release {} of the agent on trial, start {}", trial.release, trial.starts));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let command =
            Running::command(&data.agent_program(&trial.release), &trial.release, Some(std::process::id()));
        match spawn(command) {
            Ok(child) => supervise(data, trial, child).await,
            Err(error) => {
                let message = format!("the new agent cannot be started: {error}");
                trial.fail(data, FailureCode::Incompatible, message)?;
                Ok(End::Again)
            }
        }
    })
}

fn spawn(mut command: Command) -> std::io::Result<Child> {
    command.process_group(0);
    tokio::process::Command::from(command).spawn()
}

async fn supervise(data: &DataDir, mut trial: Trial, mut child: Child) -> std::io::Result<End> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let deadline = Instant::now() + Duration::from_secs(trial.deadline_secs).min(LONGEST_TRIAL);
    let mut is_pending = true;
    loop {
        tokio::select! {
            status = child.wait() => return after_end(data, &mut trial, status?).await,
            _ = terminate.recv() => return Ok(End::Done(end(&mut child).await)),
            _ = interrupt.recv() => return Ok(End::Done(end(&mut child).await)),
            () = sleep(LOOK_EVERY), if is_pending => {
                is_pending = Trial::load(data).is_some_and(|trial| trial.verdict == Verdict::Pending);
            }
            () = sleep_until(deadline), if is_pending => {
                // It may have been confirmed in this very moment.
                let Some(mut now) = Trial::load(data).filter(|trial| trial.verdict == Verdict::Pending) else {
                    is_pending = false;
                    continue;
                };
                let secs = trial.deadline_secs.min(LONGEST_TRIAL.as_secs());
                let message = format!("no heartbeat of the new agent was answered within {secs} s");
                now.fail(data, FailureCode::HealthCheck, message)?;
                end(&mut child).await;
                return Ok(End::Again);
            }
        }
    }
}

async fn after_end(data: &DataDir, trial: &mut Trial, status: ExitStatus) -> std::io::Result<End> {
    if status.code() == Some(i32::from(HAND_OVER_CODE)) {
        return Ok(End::Again);
    }
    let is_pending = Trial::load(data).is_some_and(|trial| trial.verdict == Verdict::Pending);
    if !is_pending {
        return Ok(End::Done(exit_code(status)));
    }
    say(&format!("the new agent ended before a heartbeat of it was answered ({status})"));
    if trial.starts >= MAX_STARTS {
        let message = format!(
            "the new agent ended {MAX_STARTS} times before a heartbeat of it was answered, the last time with {status}"
        );
        trial.fail(data, FailureCode::CrashLoop, message)?;
    } else {
        sleep(RESTART_PAUSE).await;
    }
    Ok(End::Again)
}

/// SIGTERM, and SIGKILL for all that is left of it.
async fn end(child: &mut Child) -> ExitCode {
    let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw) else {
        return ExitCode::SUCCESS;
    };
    // Either it has ended already or it hears it.
    let _ = kill(pid, Signal::SIGTERM);
    let ended = timeout(END_TIMEOUT, child.wait()).await;
    let _ = killpg(pid, Signal::SIGKILL);
    match ended {
        Ok(Ok(status)) => exit_code(status),
        _ => {
            let _ = child.wait().await;
            ExitCode::FAILURE
        }
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The log is the agent's; the launcher has only standard error.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{NAME}: {text}");
}

#[cfg(test)]
mod tests {
    use kernex_core::{DeploymentId, Timestamp};

    use super::*;
    use crate::state::Failure;

    const OLD: &str = "0.0.1-aaaaaaaaaaaaaaaa";
    const NEW: &str = "99.0.0-bbbbbbbbbbbbbbbb";

    fn device() -> (tempfile::TempDir, DataDir) {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        for folder in [OLD, NEW] {
            let program = data.agent_program(folder);
            fs::create_dir_all(program.parent().unwrap()).unwrap();
            fs::write(program, "").unwrap();
        }
        (dir, data)
    }

    fn trial(previous: Option<&str>, verdict: Verdict) -> Trial {
        Trial {
            deployment_id: DeploymentId::generate(Timestamp::from_millis(1)),
            release: NEW.to_owned(),
            previous: previous.map(ToOwned::to_owned),
            deadline_secs: 1,
            starts: 0,
            verdict,
        }
    }

    fn current(data: &DataDir, folder: &str) {
        disk::switch_link(&data.agent_slot().join("current"), &std::path::Path::new("releases").join(folder))
            .unwrap();
    }

    #[test]
    fn without_a_release_or_with_one_whose_program_is_gone_the_installed_program_runs() {
        let (_dir, data) = device();
        assert_eq!(choose(&data), Choice::Base);
        current(&data, "1.0.0-cccccccccccccccc");
        assert_eq!(choose(&data), Choice::Base);
        current(&data, NEW);
        assert_eq!(choose(&data), Choice::Release(NEW.to_owned()));
    }

    #[test]
    fn an_older_release_runs_only_while_the_installed_program_is_the_one_it_was_confirmed_beside() {
        let (_dir, data) = device();
        current(&data, OLD);
        assert_eq!(choose(&data), Choice::Base, "a newer program was installed");
        fs::write(data.agent_base_version(), AGENT_VERSION).unwrap();
        assert_eq!(choose(&data), Choice::Release(OLD.to_owned()), "somebody wanted the older one");
    }

    #[test]
    fn the_record_of_a_trial_decides_over_the_link() {
        let (_dir, data) = device();
        current(&data, NEW);
        let failed = || Verdict::Failed(Failure::new(FailureCode::CrashLoop, "x"));
        for (previous, verdict, choice) in [
            (Some(OLD), failed(), Choice::Release(OLD.to_owned())),
            (None, failed(), Choice::Base),
            (Some("gone-dddddddddddddddd"), failed(), Choice::Base),
            (None, Verdict::Confirmed, Choice::Release(NEW.to_owned())),
        ] {
            trial(previous, verdict).save(&data).unwrap();
            assert_eq!(choose(&data), choice);
        }
        let pending = trial(None, Verdict::Pending);
        pending.save(&data).unwrap();
        assert_eq!(choose(&data), Choice::Trial(pending));
    }

    #[test]
    fn starts_are_counted_on_the_disk_and_too_many_are_a_failure() {
        let (_dir, data) = device();
        let spent = Trial { starts: MAX_STARTS, ..trial(None, Verdict::Pending) };
        spent.save(&data).unwrap();
        assert!(matches!(run_trial(&data, spent).unwrap(), End::Again));
        let Verdict::Failed(failure) = Trial::load(&data).unwrap().verdict else { panic!("it has failed") };
        assert_eq!(failure.code, FailureCode::CrashLoop);
        // A program that cannot be executed at all fails at its first start.
        let fresh = trial(None, Verdict::Pending);
        fresh.save(&data).unwrap();
        assert!(matches!(run_trial(&data, fresh).unwrap(), End::Again));
        let now = Trial::load(&data).unwrap();
        assert!(now.starts == 1 && matches!(now.verdict, Verdict::Failed(_)), "{now:?}");
    }
}
