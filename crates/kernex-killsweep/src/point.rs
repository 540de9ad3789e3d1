//! One point: prepare a device, let its agent work until it is killed there, start it once more, and look.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus, time::Duration};

use anyhow::{Context as _, bail, ensure};
use kernex_client::{DeviceQuery, OperatorClient};
use kernex_core::{DeploymentStatus, DeviceId, DeviceStatus};
use kernex_tracer::Act;
use tokio::time::{Instant, sleep};

use crate::{
    agent::{Agent, Device, was_killed},
    check,
    patience::patiently,
    plan::{Point, points},
    scenario::{Goal, SCRIPTED, Scenario, deploy},
};

/// How long an agent may take for one thing: a debug build under a tracer on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(240);

/// How long the workload of an agent that was killed may go on: its runner gives it 8 s, and kills it then.
const WORKLOAD_DEADLINE: Duration = Duration::from_secs(25);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What an agent says when it has read its state and listens for signals.
const AT_WORK: &str = "going by the configuration";

/// What a point showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The agent was killed there and came back right.
    Survived,
    /// The agent did not come by: it was done before.
    NotReached,
}

/// Runs a scenario undisturbed and gives its points.
pub(crate) async fn trace(
    scenario: Scenario,
    admin: &OperatorClient,
    device: &Device,
    act: Act,
) -> anyhow::Result<Vec<Point>> {
    let goal = prepare(scenario, admin, device).await?;
    let ended = run(admin, device, Some(act), goal).await?;
    ensure!(ended.is_none(), "the agent ended in an undisturbed run");
    check::after_restart(&device.data_dir, wanted(goal))?;
    Ok(points(&std::fs::read_to_string(device.report()).context("the tracer wrote nothing")?))
}

/// Kills the agent at one point.
pub(crate) async fn try_point(
    scenario: Scenario,
    admin: &OperatorClient,
    device: &Device,
    point: &Point,
) -> anyhow::Result<Verdict> {
    let goal = prepare(scenario, admin, device).await?;
    let killed = run(admin, device, Some(Act::KillBefore(point.ordinal)), goal).await?;
    if let Some(status) = killed {
        ensure!(was_killed(status), "the agent ended by itself: {status}");
        check::after_kill(&device.data_dir, scenario.bundle(), !scenario.installed_before().is_empty())
            .context("right after the kill")?;
    }
    let ended = run(admin, device, None, goal).await?;
    ensure!(ended.is_none(), "the agent ended after the restart: {ended:?}");
    check::after_restart(&device.data_dir, wanted(goal)).context("after the restart")?;
    told_once(admin, device, goal).await.context("at the control plane")?;
    Ok(if killed.is_some() { Verdict::Survived } else { Verdict::NotReached })
}

/// Brings a new device to where the scenario begins, its agent stopped.
pub(crate) async fn prepare(
    scenario: Scenario,
    admin: &OperatorClient,
    device: &Device,
) -> anyhow::Result<Goal> {
    if scenario == Scenario::Registration {
        return Ok(Goal::Registered);
    }
    let mut agent = Agent::start(device, None)?;
    reach(&mut agent, admin, device, Goal::Registered).await.context("registering")?;
    let id = only_device(admin, device).await?.context("the device has vanished")?;
    for version in scenario.installed_before() {
        let bundle = scenario.bundle();
        let deployment = deploy(admin, id, bundle, version).await?;
        let goal = Goal::Runs { deployment, bundle, version };
        reach(&mut agent, admin, device, goal).await.context("installing what is there before")?;
    }
    agent.stop().await?;
    scenario.command(admin, id).await
}

async fn reach(agent: &mut Agent, admin: &OperatorClient, device: &Device, goal: Goal) -> anyhow::Result<()> {
    let ended = agent.until("preparing", DEADLINE, async || is_reached(admin, device, goal).await).await?;
    ensure!(ended.is_none(), "the agent ended: {ended:?}");
    Ok(())
}

/// Runs the agent until the goal is reached and stops it, or until it ends: then says how.
async fn run(
    admin: &OperatorClient,
    device: &Device,
    act: Option<Act>,
    goal: Goal,
) -> anyhow::Result<Option<ExitStatus>> {
    let said_before = device.log().len();
    let mut agent = Agent::start(device, act)?;
    let reached = agent.until("reaching the goal", DEADLINE, async || {
        // What an agent before this one reached, and the workload that it left behind, are not this one's doing.
        let is_at_work = device.log()[said_before..].contains(AT_WORK);
        Ok(is_at_work && is_reached(admin, device, goal).await?)
    });
    let reached = reached.await?;
    if reached.is_some() {
        return Ok(reached);
    }
    let status = agent.stop().await?;
    end_of_workload(device).await?;
    // SIGTERM ends an agent like any program before it listens for signals.
    let is_stopped = status.success() || status.signal() == Some(15) || status.code() == Some(128 + 15);
    Ok((!is_stopped).then_some(status))
}

/// Workloads end with their agent; those of one that was killed a moment later.
pub(crate) async fn end_of_workload(device: &Device) -> anyhow::Result<()> {
    let end = Instant::now() + WORKLOAD_DEADLINE;
    loop {
        match check::serves_nothing(&device.data_dir) {
            Err(_) if Instant::now() < end => sleep(LOOK_EVERY).await,
            outcome => return outcome,
        }
    }
}

pub(crate) async fn is_reached(admin: &OperatorClient, device: &Device, goal: Goal) -> anyhow::Result<bool> {
    let at_server = match goal {
        Goal::Registered => match only_device(admin, device).await? {
            Some(id) => patiently(async || admin.get_device(id).await).await?.status == DeviceStatus::Online,
            None => false,
        },
        Goal::Runs { deployment, .. } => {
            match patiently(async || admin.get_deployment(deployment).await).await?.deployment.status {
                DeploymentStatus::Success => true,
                status if status.is_final() => bail!("the deployment ended as {status}"),
                _ => false,
            }
        }
        Goal::Configured { version } => match only_device(admin, device).await? {
            Some(id) => {
                patiently(async || admin.get_device(id).await).await?.reported_config_version == version
            }
            None => false,
        },
    };
    Ok(at_server
        && match goal {
            Goal::Registered => true,
            Goal::Runs { bundle: SCRIPTED, version, .. } => {
                check::ran_last(&device.data_dir, version)?;
                check::is_settled(&device.data_dir)? && check::serves(&device.data_dir, version)?
            }
            _ => check::is_settled(&device.data_dir)?,
        })
}

/// The control plane knows the device once, and the deployment's end once.
pub(crate) async fn told_once(admin: &OperatorClient, device: &Device, goal: Goal) -> anyhow::Result<()> {
    let id = only_device(admin, device).await?.context("the device has vanished")?;
    if let Goal::Runs { deployment, .. } = goal {
        let history = patiently(async || admin.bundle_history(id, None).await).await?;
        let lines = history.iter().filter(|line| line.deployment_id == deployment).count();
        ensure!(lines == 1, "the deployment has {lines} lines in the device's history");
    }
    Ok(())
}

pub(crate) async fn only_device(admin: &OperatorClient, device: &Device) -> anyhow::Result<Option<DeviceId>> {
    let query = DeviceQuery { tag: Some(device.tag.clone()), ..DeviceQuery::default() };
    let found = patiently(async || admin.list_devices(&query).await).await?;
    ensure!(found.total <= 1, "the key has {} devices", found.total);
    Ok(found.devices.first().map(|device| device.device_id))
}

fn wanted(goal: Goal) -> Option<(&'static str, &'static str)> {
    match goal {
        Goal::Runs { bundle, version, .. } => Some((bundle, version)),
        Goal::Registered | Goal::Configured { .. } => None,
    }
}
