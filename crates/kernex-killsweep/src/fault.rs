//! Calls that fail: an upgrade during which the disk is full, broken or read-only, files run out, or writes are short.
//!
//! Whichever call it hits, and whether it hits only that one or all that follow until the fault ends: `current` leads to a
//! complete version at every moment, the control plane learns the reason, and afterwards the device does what it is told.

use std::{fs, time::Duration};

use anyhow::{Context as _, ensure};
use kernex_api::deployments::Target;
use kernex_client::{LogQuery, OperatorClient};
use kernex_core::{DeploymentId, DeviceHealth, DeviceId, FailureCode, TargetState};
use kernex_tracer::{Act, Fault};
use tokio::time::{Instant, sleep};

use crate::{
    agent::{Agent, Device},
    check,
    patience::patiently,
    plan::Point,
    point::{DEADLINE, Verdict, end_of_workload, only_device, prepare, told_once},
    scenario::{Goal, SCRIPTED, Scenario, deploy},
};

/// What the agent does meanwhile.
pub(crate) const SCENARIO: Scenario = Scenario::ScriptedUpgrade;
const OLD: &str = "1.0.0";
const NEW: &str = "2.0.0";
/// What the device is told afterwards, if the upgrade did not work.
const NEXT: &str = "3.0.0";
/// How long a lasting fault may go unnoticed before it ends: it need not keep the agent from its work.
const UNNOTICED: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A fault at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// How calls fail.
    pub fault: Fault,
    /// All calls from here on, until the fault ends; only this one otherwise.
    pub is_lasting: bool,
    /// Where.
    pub point: Point,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let from = if self.is_lasting { "from" } else { "at" };
        write!(f, "{} {from} {}", self.fault.as_str(), self.point)
    }
}

/// Tries one case.
pub(crate) async fn try_case(
    admin: &OperatorClient,
    device: &Device,
    case: &Case,
) -> anyhow::Result<Verdict> {
    let goal = prepare(SCENARIO, admin, device).await?;
    let Goal::Runs { deployment, .. } = goal else { anyhow::bail!("an upgrade is a deployment") };
    let id = only_device(admin, device).await?.context("the device has vanished")?;
    let run = Run { admin, device, id, case };
    let until = case.is_lasting.then(|| device.end_of_fault());
    let act = Act::Fail { fault: case.fault, ordinal: case.point.ordinal, until };
    let mut agent = Agent::start(device, Some(act))?;
    if case.is_lasting {
        run.wait_for_word(&mut agent, deployment).await?;
        fs::write(device.end_of_fault(), "")?;
    }
    let target = match run.wait_for_end(&mut agent, deployment).await? {
        Some(target) => target,
        None => {
            agent = run.start_again(agent).await?;
            run.wait_for_end(&mut agent, deployment).await?.context("the agent ended a second time")?
        }
    };
    let has_failed = fs::read_to_string(device.report()).is_ok_and(|report| !report.is_empty());
    match target.state {
        TargetState::Success => run.wait_until_serving(&mut agent, NEW).await?,
        _ => {
            run.is_true(&target)?;
            run.wait_until_serving(&mut agent, OLD).await.context("the old version")?;
            let next = deploy(admin, id, SCRIPTED, NEXT).await?;
            let target = run.wait_for_end(&mut agent, next).await?.context("the agent ended")?;
            ensure!(target.state == TargetState::Success, "the next deployment ended as {target:?}");
            run.wait_until_serving(&mut agent, NEXT).await.context("the next version")?;
        }
    }
    told_once(admin, device, goal).await?;
    let status = agent.stop().await?;
    ensure!(status.success(), "the agent ended with {status}");
    end_of_workload(device).await?;
    run.is_tidy().await?;
    Ok(if has_failed { Verdict::Survived } else { Verdict::NotReached })
}

struct Run<'a> {
    admin: &'a OperatorClient,
    device: &'a Device,
    id: DeviceId,
    case: &'a Case,
}

impl Run<'_> {
    async fn target(&self, deployment: DeploymentId) -> anyhow::Result<Target> {
        check::complete_release(&check::slot(&self.device.data_dir, SCRIPTED).join("current"), SCRIPTED)?;
        let targets = patiently(async || self.admin.all_targets(deployment).await).await?;
        targets.into_iter().next().context("the deployment has no target")
    }

    /// While the fault lasts: until the control plane knows of it, or for long enough that it would.
    async fn wait_for_word(&self, agent: &mut Agent, deployment: DeploymentId) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut hit_at = None;
        loop {
            ensure!(began.elapsed() < DEADLINE, "the fault was not come by");
            let target = self.target(deployment).await?;
            if target.state.is_final() || !agent.is_running()? {
                return Ok(());
            }
            let device = patiently(async || self.admin.get_device(self.id).await).await?;
            if device.last_heartbeat.is_some_and(|last| last.status == DeviceHealth::Error) {
                return self.find_in_logs().await;
            }
            let is_hit = fs::metadata(self.device.report()).is_ok_and(|report| report.len() > 0);
            hit_at = hit_at.or_else(|| is_hit.then(Instant::now));
            if hit_at.is_some_and(|at| at.elapsed() > UNNOTICED) {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// A device that says that something is wrong says what.
    async fn find_in_logs(&self) -> anyhow::Result<()> {
        let end = Instant::now() + DEADLINE;
        loop {
            let logs =
                patiently(async || self.admin.list_device_logs(self.id, &LogQuery::default()).await).await?;
            if logs
                .logs
                .iter()
                .any(|line| self.names_the_fault(&format!("{} {:?}", line.message, line.fields)))
            {
                return Ok(());
            }
            ensure!(Instant::now() < end, "the device is in error, and its log does not say why");
            sleep(LOOK_EVERY).await;
        }
    }

    /// The end of a deployment, or nothing when the agent ends before.
    async fn wait_for_end(
        &self,
        agent: &mut Agent,
        deployment: DeploymentId,
    ) -> anyhow::Result<Option<Target>> {
        let mut last = None;
        let ended = agent.until("the deployment's end", DEADLINE, async || {
            let target = self.target(deployment).await?;
            let is_over = target.state.is_final() && check::is_settled(&self.device.data_dir)?;
            last = Some(target);
            Ok(is_over)
        });
        Ok(if ended.await?.is_some() { None } else { last })
    }

    /// An agent that cannot start says why and ends; what supervises it starts it again.
    async fn start_again(&self, agent: Agent) -> anyhow::Result<Agent> {
        let status = agent.stop().await?;
        // Without a file to open, the runtime that the agent stands on cannot be made: that ends as a panic.
        let is_known = matches!(status.code(), Some(1))
            || (self.case.fault == Fault::TooManyFiles && status.code() == Some(101));
        ensure!(is_known, "the agent ended by itself: {status}");
        let log = self.device.log();
        let of_this_start = log.rsplit_once(" stopping ").map_or("", |(_, after)| after);
        ensure!(self.names_the_fault(of_this_start), "the agent ended and does not say why: {of_this_start}");
        Agent::start(self.device, None)
    }

    /// Nothing lies about, at the latest after another start: what could not be removed once is removed then.
    async fn is_tidy(&self) -> anyhow::Result<()> {
        if check::after_restart(&self.device.data_dir, None).is_ok() {
            return Ok(());
        }
        let mut agent = Agent::start(self.device, None)?;
        let is_tidy = agent.until("tidying up", DEADLINE, async || {
            Ok(check::after_restart(&self.device.data_dir, None).is_ok())
        });
        ensure!(is_tidy.await?.is_none(), "the agent does not start any more");
        agent.stop().await?;
        check::after_restart(&self.device.data_dir, None)
    }

    async fn wait_until_serving(&self, agent: &mut Agent, version: &str) -> anyhow::Result<()> {
        let serves = agent
            .until("the workload's start", DEADLINE, async || check::serves(&self.device.data_dir, version));
        let ended = serves.await?;
        ensure!(ended.is_none(), "the agent ended: {ended:?}");
        Ok(())
    }

    /// The reason is the one that was injected, under the code that belongs to it.
    fn is_true(&self, target: &Target) -> anyhow::Result<()> {
        let message = target.error_message.clone().unwrap_or_default();
        let code = target.error_code.context("the failure has no code")?;
        let is_true = match self.case.fault {
            Fault::NoSpace => code == FailureCode::DiskFull,
            // A script that cannot be started has failed by what that code means.
            Fault::TooManyFiles => matches!(code, FailureCode::Internal | FailureCode::ScriptFailed),
            _ => code == FailureCode::Internal,
        };
        ensure!(is_true, "the code is {code}: {message}");
        ensure!(self.names_the_fault(&message), "the message does not name the fault: {message}");
        Ok(())
    }

    fn names_the_fault(&self, text: &str) -> bool {
        let words: &[&str] = match self.case.fault {
            Fault::NoSpace => &["No space left on device", "the disk is full"],
            Fault::InputOutput => &["Input/output error"],
            Fault::ReadOnly => &["Read-only file system"],
            Fault::TooManyFiles => &["Too many open files"],
            Fault::ShortWrite => &[], // nothing is wrong with a short write
        };
        words.iter().any(|words| text.contains(words))
    }
}
