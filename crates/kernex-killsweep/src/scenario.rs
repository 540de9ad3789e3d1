//! What the agent does while it is killed.

use std::{fmt, path::Path};

use anyhow::Context as _;
use kernex_api::deployments::{CreateDeploymentRequest, RollbackDevicesRequest};
use kernex_client::OperatorClient;
use kernex_core::{ConfigPatch, DeploymentId, DeviceId};
use kernex_testkit::TestBundle;

/// The name of the bundle that is installed.
pub(crate) const BUNDLE: &str = "swept";

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
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Registration, Self::Deploy, Self::Upgrade, Self::Rollback, Self::Configure];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Deploy => "deploy",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Configure => "configure",
        }
    }

    /// Versions that the device has installed, in this order, before the agent is killed.
    pub(crate) fn installed_before(self) -> &'static [&'static str] {
        match self {
            Self::Registration | Self::Deploy | Self::Configure => &[],
            Self::Upgrade => &["1.0.0"],
            Self::Rollback => &["1.0.0", "2.0.0"],
        }
    }

    /// Tells the control plane what the device is to do, and says what must be true afterwards.
    pub(crate) async fn command(self, admin: &OperatorClient, device: DeviceId) -> anyhow::Result<Goal> {
        Ok(match self {
            Self::Registration => Goal::Registered,
            Self::Deploy => {
                Goal::Runs { deployment: deploy(admin, device, "1.0.0").await?, version: "1.0.0" }
            }
            Self::Upgrade => {
                Goal::Runs { deployment: deploy(admin, device, "2.0.0").await?, version: "2.0.0" }
            }
            Self::Rollback => {
                let request = RollbackDevicesRequest {
                    bundle_version: "1.0.0".to_owned(),
                    bundle_name: Some(BUNDLE.to_owned()),
                    target_device_ids: vec![device.to_string()],
                };
                let rollback = admin.rollback_devices(&request).await.context("rolling back")?;
                Goal::Runs { deployment: rollback.deployment_id, version: "1.0.0" }
            }
            Self::Configure => {
                let patch = ConfigPatch { heartbeat_timeout: Some(17), ..ConfigPatch::default() };
                admin.put_config(device, &patch).await.context("configuring")?;
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
    version: &str,
) -> anyhow::Result<DeploymentId> {
    let request = CreateDeploymentRequest {
        bundle_version: Some(version.to_owned()),
        bundle_name: Some(BUNDLE.to_owned()),
        target_devices: vec![device.to_string()],
        ..CreateDeploymentRequest::default()
    };
    Ok(admin.create_deployment(&request).await.context("deploying")?.deployment_id)
}

/// Uploads the versions that scenarios install.
pub(crate) async fn upload_versions(admin: &OperatorClient, folder: &Path) -> anyhow::Result<()> {
    for version in ["1.0.0", "2.0.0"] {
        let archive =
            TestBundle::tiny(BUNDLE, version).with_file("second.txt", version.as_bytes()).pack(folder);
        admin.upload_bundle(&archive, None, |_| {}).await.context("uploading")?;
    }
    Ok(())
}
