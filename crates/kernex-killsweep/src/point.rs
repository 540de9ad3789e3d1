//! One point: prepare a device, let its agent work until it is killed there, start it once more, and look.

use std::{os::unix::process::ExitStatusExt as _, path::Path, time::Duration};

use anyhow::{Context as _, bail, ensure};
use kernex_client::{DeviceQuery, OperatorClient};
use kernex_core::{DeploymentStatus, DeviceId, DeviceStatus};

use crate::{
    agent::{Agent, Device, Mode},
    check,
    plan::{Point, points},
    scenario::{Goal, Scenario, deploy},
};

/// How long an agent may take for one thing: a debug build under strace on a busy machine.
const DEADLINE: Duration = Duration::from_secs(90);

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
    file: &Path,
) -> anyhow::Result<Vec<Point>> {
    let goal = prepare(scenario, admin, device).await?;
    let ended = run(admin, device, &Mode::Trace(file), goal).await?;
    ensure!(ended.is_none(), "the agent ended in an undisturbed run");
    check::after_restart(&device.data_dir, version(goal))?;
    Ok(points(&std::fs::read_to_string(file).context("strace wrote nothing; is it installed?")?))
}

/// Kills the agent at one point.
pub(crate) async fn try_point(
    scenario: Scenario,
    admin: &OperatorClient,
    device: &Device,
    point: &Point,
) -> anyhow::Result<Verdict> {
    let goal = prepare(scenario, admin, device).await?;
    let killed = run(admin, device, &Mode::KillAt(point), goal).await?;
    if let Some(status) = killed {
        ensure!(status.signal() == Some(9), "the agent ended by itself: {status}");
        check::after_kill(&device.data_dir, !scenario.installed_before().is_empty())
            .context("right after the kill")?;
    }
    let ended = run(admin, device, &Mode::Plain, goal).await?;
    ensure!(ended.is_none(), "the agent ended after the restart: {ended:?}");
    check::after_restart(&device.data_dir, version(goal)).context("after the restart")?;
    told_once(admin, device, goal).await.context("at the control plane")?;
    Ok(if killed.is_some() { Verdict::Survived } else { Verdict::NotReached })
}

/// Brings a new device to where the scenario begins, its agent stopped.
async fn prepare(scenario: Scenario, admin: &OperatorClient, device: &Device) -> anyhow::Result<Goal> {
    if scenario == Scenario::Registration {
        return Ok(Goal::Registered);
    }
    let ended = run(admin, device, &Mode::Plain, Goal::Registered).await.context("registering")?;
    ensure!(ended.is_none(), "the agent ended while it registered");
    for version in scenario.installed_before() {
        let id = only_device(admin, device).await?.context("the device has vanished")?;
        let deployment = deploy(admin, id, version).await?;
        let goal = Goal::Runs { deployment, version };
        let ended =
            run(admin, device, &Mode::Plain, goal).await.context("installing what is there before")?;
        ensure!(ended.is_none(), "the agent ended while it installed {version}");
    }
    let id = only_device(admin, device).await?.context("the device has vanished")?;
    scenario.command(admin, id).await
}

/// Runs the agent until the goal is reached and stops it, or until it ends: then says how.
async fn run(
    admin: &OperatorClient,
    device: &Device,
    mode: &Mode<'_>,
    goal: Goal,
) -> anyhow::Result<Option<std::process::ExitStatus>> {
    let mut agent = Agent::start(device, mode)?;
    let reached =
        agent.until("reaching the goal", DEADLINE, async || is_reached(admin, device, goal).await).await?;
    match reached {
        Some(status) => Ok(Some(status)),
        // It may still be killed on its way out; and SIGTERM ends it like any program before it listens for signals.
        None => {
            Ok(Some(agent.stop().await?).filter(|status| !status.success() && status.signal() != Some(15)))
        }
    }
}

async fn is_reached(admin: &OperatorClient, device: &Device, goal: Goal) -> anyhow::Result<bool> {
    let at_server = match goal {
        Goal::Registered => match only_device(admin, device).await? {
            Some(id) => admin.get_device(id).await?.status == DeviceStatus::Online,
            None => false,
        },
        Goal::Runs { deployment, .. } => match admin.get_deployment(deployment).await?.deployment.status {
            DeploymentStatus::Success => true,
            status if status.is_final() => bail!("the deployment ended as {status}"),
            _ => false,
        },
        Goal::Configured { version } => match only_device(admin, device).await? {
            Some(id) => admin.get_device(id).await?.reported_config_version == version,
            None => false,
        },
    };
    Ok(at_server && (matches!(goal, Goal::Registered) || check::is_settled(&device.data_dir)?))
}

/// The control plane knows the device once, and the deployment's end once.
async fn told_once(admin: &OperatorClient, device: &Device, goal: Goal) -> anyhow::Result<()> {
    let id = only_device(admin, device).await?.context("the device has vanished")?;
    if let Goal::Runs { deployment, .. } = goal {
        let history = admin.bundle_history(id, None).await?;
        let lines = history.iter().filter(|line| line.deployment_id == deployment).count();
        ensure!(lines == 1, "the deployment has {lines} lines in the device's history");
    }
    Ok(())
}

async fn only_device(admin: &OperatorClient, device: &Device) -> anyhow::Result<Option<DeviceId>> {
    let query = DeviceQuery { tag: Some(device.tag.clone()), ..DeviceQuery::default() };
    let found = admin.list_devices(&query).await?;
    ensure!(found.total <= 1, "the key has {} devices", found.total);
    Ok(found.devices.first().map(|device| device.device_id))
}

fn version(goal: Goal) -> Option<&'static str> {
    match goal {
        Goal::Runs { version, .. } => Some(version),
        Goal::Registered | Goal::Configured { .. } => None,
    }
}
