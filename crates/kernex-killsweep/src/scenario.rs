//! What the agent does while it is killed.

use std::{fmt, path::Path};

use anyhow::Context as _;
use kernex_api::deployments::{CreateDeploymentRequest, RollbackDevicesRequest};
use kernex_client::OperatorClient;
use kernex_core::{ConfigPatch, DeploymentId, DeviceId};
use kernex_testkit::{TestBundle, program};
use serde_json::json;

use crate::patience::patiently;

/// A bundle without scripts.
pub(crate) const PLAIN: &str = "swept";
/// A bundle with scripts and a workload.
pub(crate) const SCRIPTED: &str = "scripted";
/// The agent's own bundle.
pub(crate) const AGENT: &str = "kernex-agent";

/// Every script and the workload say which version they are of. The workload takes a lock, to notice a second copy.
const DEPLOY: &str = "#!/bin/sh\necho \"deploy $KERNEX_VERSION\" >> \"$KERNEX_DATA_DIR/ran\"\n";
const ROLLBACK: &str = "#!/bin/sh\necho \"rollback $KERNEX_VERSION\" >> \"$KERNEX_DATA_DIR/ran\"\n";
const SERVE: &str = "#!/bin/sh\n\
    exec 9> \"$KERNEX_DATA_DIR/lock\"\n\
    flock -n 9 || echo \"$KERNEX_VERSION\" >> \"$KERNEX_DATA_DIR/second\"\n\
    echo \"$KERNEX_VERSION $$\" > \"$KERNEX_DATA_DIR/serving\"\n\
    exec sleep 1000\n";

/// One thing that an agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Make a key, register, send the first heartbeat.
    Registration,
    /// Install a bundle where there is none.
    Deploy,
    /// Install a bundle over another version of it.
    Upgrade,
    /// Return to the version before.
    Rollback,
    /// Take on a configuration.
    Configure,
    /// An upgrade with a deploy script and a workload.
    ScriptedUpgrade,
    /// A return with a rollback script and a workload.
    ScriptedRollback,
    /// Give way to another agent.
    SelfUpdate,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Registration,
        Self::Deploy,
        Self::Upgrade,
        Self::Rollback,
        Self::Configure,
        Self::ScriptedUpgrade,
        Self::ScriptedRollback,
        Self::SelfUpdate,
    ];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Deploy => "deploy",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Configure => "configure",
            Self::ScriptedUpgrade => "scripted-upgrade",
            Self::ScriptedRollback => "scripted-rollback",
            Self::SelfUpdate => "self-update",
        }
    }

    /// The bundle that is installed.
    pub(crate) fn bundle(self) -> &'static str {
        match self {
            Self::ScriptedUpgrade | Self::ScriptedRollback => SCRIPTED,
            Self::SelfUpdate => AGENT,
            _ => PLAIN,
        }
    }

    /// Versions that the device has installed, in this order, before the agent is killed.
    pub(crate) fn installed_before(self) -> &'static [&'static str] {
        match self {
            Self::Registration | Self::Deploy | Self::Configure | Self::SelfUpdate => &[],
            Self::Upgrade | Self::ScriptedUpgrade => &["1.0.0"],
            Self::Rollback | Self::ScriptedRollback => &["1.0.0", "2.0.0"],
        }
    }

    /// Tells the control plane what the device is to do, and says what must be true afterwards.
    pub(crate) async fn command(self, admin: &OperatorClient, device: DeviceId) -> anyhow::Result<Goal> {
        let runs = |deployment, version| Goal::Runs { deployment, bundle: self.bundle(), version };
        Ok(match self {
            Self::Registration => Goal::Registered,
            Self::Deploy => runs(deploy(admin, device, PLAIN, "1.0.0").await?, "1.0.0"),
            Self::Upgrade | Self::ScriptedUpgrade | Self::SelfUpdate => {
                runs(deploy(admin, device, self.bundle(), "2.0.0").await?, "2.0.0")
            }
            Self::Rollback | Self::ScriptedRollback => {
                let request = RollbackDevicesRequest {
                    bundle_version: "1.0.0".to_owned(),
                    bundle_name: Some(self.bundle().to_owned()),
                    target_device_ids: vec![device.to_string()],
                };
                let rollback = patiently(async || admin.rollback_devices(&request).await)
                    .await
                    .context("rolling back")?;
                runs(rollback.deployment_id, "1.0.0")
            }
            Self::Configure => {
                let patch = ConfigPatch { heartbeat_timeout: Some(17), ..ConfigPatch::default() };
                patiently(async || admin.put_config(device, &patch).await).await.context("configuring")?;
                Goal::Configured { version: 2 }
            }
        })
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Scenario {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let known = Self::ALL.into_iter().find(|scenario| scenario.as_str() == text);
        known.with_context(|| format!("there is no scenario `{text}`"))
    }
}

/// What must be true at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// The key has one device, and it sends heartbeats.
    Registered,
    /// The deployment succeeded and the device runs this version.
    Runs {
        /// The deployment.
        deployment: DeploymentId,
        /// The bundle.
        bundle: &'static str,
        /// The version.
        version: &'static str,
    },
    /// The device reports this configuration.
    Configured {
        /// The configuration's version.
        version: u64,
    },
}

/// Deploys one version to one device.
pub(crate) async fn deploy(
    admin: &OperatorClient,
    device: DeviceId,
    bundle: &str,
    version: &str,
) -> anyhow::Result<DeploymentId> {
    let request = CreateDeploymentRequest {
        bundle_version: Some(version.to_owned()),
        bundle_name: Some(bundle.to_owned()),
        target_devices: vec![device.to_string()],
        ..CreateDeploymentRequest::default()
    };
    Ok(patiently(async || admin.create_deployment(&request).await).await.context("deploying")?.deployment_id)
}

/// Uploads the versions that scenarios install.
pub(crate) async fn upload_versions(admin: &OperatorClient, folder: &Path) -> anyhow::Result<()> {
    let mut bundles = vec![agent_bundle()];
    for version in ["1.0.0", "2.0.0", "3.0.0"] {
        bundles.push(plain_bundle(version));
        bundles.push(scripted_bundle(version));
    }
    for bundle in bundles {
        admin.upload_bundle(&bundle.pack(folder), None, |_| {}).await.context("uploading")?;
    }
    Ok(())
}

fn plain_bundle(version: &str) -> TestBundle {
    TestBundle::tiny(PLAIN, version).with_file("second.txt", version.as_bytes())
}

fn scripted_bundle(version: &str) -> TestBundle {
    TestBundle::tiny(SCRIPTED, version)
        .with_file("second.txt", version.as_bytes())
        .with_file("deploy.sh", DEPLOY.as_bytes())
        .with_file("rollback.sh", ROLLBACK.as_bytes())
        .with_file("serve", SERVE.as_bytes())
        .with("deploy", json!({"script": "./deploy.sh"}))
        .with("rollback", json!({"script": "./rollback.sh"}))
        // The crash window is also how long it has to run before it counts as healthy.
        .with("workload", json!({"command": ["./serve"], "max_crashes": 3, "crash_window_secs": 1}))
}

/// A program that becomes the agent that was built: copying that one to every device would take longer than all the rest.
fn agent_bundle() -> TestBundle {
    let program = program("kernex-agent");
    let text = format!("#!/bin/sh\nexec {} \"$@\"\n", program.display());
    TestBundle::tiny(AGENT, "2.0.0")
        .with_file("second.txt", b"2.0.0")
        .with_file("kernex-agent", text.as_bytes())
}
